"""The adaptive softmax for very many classes (Grave et al. 2016)."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import taeda
from taeda.nn import functional as F
from taeda.nn.containers import ModuleList, Sequential
from taeda.nn.linear import Linear
from taeda.nn.module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log probabilities of frequent classes directly, of rare ones through their cluster's, with ever smaller vectors.

    Args:
        in_features: the size of the input.
        n_classes: how many classes, sorted by falling frequency.
        cutoffs: where clusters begin, rising.
        div_value: by what each cluster's vectors are smaller than the one's before; default 4.
        head_bias: whether the first layer has a bias; default False.
        device, dtype: of the parameters.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        is_valid = cutoffs == sorted(set(cutoffs)) and min(cutoffs) > 0 and max(cutoffs) <= n_classes - 1
        if not is_valid or any(int(cutoff) != cutoff for cutoff in cutoffs):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where "
                "each value "
                "is between 1 and n_classes-1"
            )
        options = {"device": device, "dtype": dtype}
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value ** (i + 1))
            n_outputs = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, **options), Linear(hidden, n_outputs, bias=False, **options)
                )
            )

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        self.head.reset_parameters()
        for projection, output in self.tail.children():
            projection.reset_parameters()
            output.reset_parameters()

    def forward(self, input_: Any, target_: Any) -> Any:
        """The log probability of each target, and minus their mean.

        Args:
            input_: (N, in_features) or (in_features,).
            target_: class indices, (N,) or ().
        """
        if input_.dim() not in (1, 2) or target_.dim() != input_.dim() - 1:
            if target_.dim() == 1 and input_.dim() != 2:
                raise RuntimeError(
                    "1D target tensor expects 2D input tensors, but found inputs with size " + str(input_.size())
                )
            if target_.dim() == 0 and input_.dim() != 1:
                raise RuntimeError(
                    "0D target tensor expects 1D input tensors, but found inputs with size " + str(input_.size())
                )
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        is_batched = target_.dim() > 0
        input = input_ if is_batched else input_.unsqueeze(0)
        target = target_ if is_batched else target_.unsqueeze(0)
        if target.size(0) != input.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < self.n_classes:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{int(target.min())}, "
                f"{int(target.max())}] were found. "
            )
        head = F.log_softmax(self.head(input), dim=1)
        # A rare class's log probability is its cluster's, in the head, plus its own within the cluster.
        head_index = taeda.where(target < self.shortlist_size, target, taeda.zeros_like(target))
        within = taeda.zeros(target.shape, dtype=head.dtype, device=head.device)
        for i in range(self.n_clusters):
            low, high = self.cutoffs[i], self.cutoffs[i + 1]
            rows = ((target >= low) & (target < high)).nonzero().squeeze(1)
            if rows.numel() == 0:
                continue
            cluster = F.log_softmax(self.tail[i](input.index_select(0, rows)), dim=1)
            own = cluster.gather(1, (target[rows] - low).unsqueeze(1)).squeeze(1)
            within = within.index_add(0, rows, own)
            head_index[rows] = self.shortlist_size + i
        output = head.gather(1, head_index.unsqueeze(1)).squeeze(1) + within
        loss = (-output).mean()
        return _ASMoutput(output if is_batched else output.squeeze(0), loss)

    def _all_log_probabilities(self, input: Any, head: Any) -> Any:
        head = F.log_softmax(head, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i in range(self.n_clusters):
            cluster = F.log_softmax(self.tail[i](input), dim=1)
            parts.append(cluster + head[:, self.shortlist_size + i].unsqueeze(1))
        return taeda.cat(parts, 1)

    def log_prob(self, input: Any) -> Any:
        """The log probabilities of all classes: (N, n_classes)."""
        return self._all_log_probabilities(input, self.head(input))

    def predict(self, input: Any) -> Any:
        """The most probable class of each row; clusters are only looked into where they may hold it."""
        head = self.head(input)
        result = head.argmax(1)
        rows = (result >= self.shortlist_size).nonzero().squeeze(1)
        if rows.numel():
            result[rows] = self._all_log_probabilities(input[rows], head[rows]).argmax(1)
        return result
