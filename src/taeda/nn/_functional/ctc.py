"""The connectionist temporal classification loss (Graves et al. 2006), in log space, for a whole batch at once."""

from __future__ import annotations

import itertools
from typing import Any

import taeda

_NEVER = float("-inf")


def _lengths(lengths: Any, device: Any) -> Any:
    if isinstance(lengths, taeda.Tensor):
        return lengths.to(device=device, dtype=taeda.int64)
    return taeda.tensor(list(lengths), dtype=taeda.int64, device=device)


def _padded_targets(targets: Any, target_lengths: Any) -> Any:
    """The targets as rows (N, longest): given so already, or one after the other in a single dimension."""
    longest = int(target_lengths.max()) if target_lengths.numel() else 0
    if targets.dim() == 2:
        return targets[:, :longest].to(taeda.int64)
    ends = list(itertools.accumulate(target_lengths.tolist()))
    starts = taeda.tensor(ends, dtype=taeda.int64, device=targets.device) - target_lengths
    places = starts.unsqueeze(1) + taeda.arange(longest, device=targets.device).unsqueeze(0)
    flat = targets.reshape(-1).to(taeda.int64)
    if flat.numel() == 0:
        return taeda.zeros(target_lengths.numel(), longest, dtype=taeda.int64, device=targets.device)
    return flat[places.clamp_max(flat.numel() - 1)]


def _log_sum(*terms: Any) -> Any:
    """``log(sum(exp(term)))`` elementwise; -inf terms count nothing, and all of them give -inf, not NaN."""
    top = terms[0]
    for term in terms[1:]:
        top = taeda.maximum(top, term)
    shift = top.masked_fill(top == _NEVER, 0.0)
    total = (terms[0] - shift).exp()
    for term in terms[1:]:
        total = total + (term - shift).exp()
    return total.log() + shift


class _Lattice:
    """The labels with blanks between them, and which steps between them are allowed."""

    def __init__(self, targets: Any, target_lengths: Any, blank: int) -> None:
        n, longest = targets.shape
        self.n_states = 2 * longest + 1
        labels = taeda.full((n, self.n_states), blank, dtype=taeda.int64, device=targets.device)
        inside = taeda.arange(longest, device=targets.device).unsqueeze(0) < target_lengths.unsqueeze(1)
        labels[:, 1::2] = targets.masked_fill(~inside, blank)
        self.labels = labels
        self.target_lengths = target_lengths
        # A blank may be skipped between two labels that differ.
        skips = taeda.zeros((n, self.n_states), dtype=taeda.bool, device=targets.device)
        if longest > 1:
            skips[:, 3::2] = labels[:, 3::2] != labels[:, 1:-2:2]
        self.skips = skips

    def shifted(self, scores: Any, by: int) -> Any:
        """``scores`` moved by ``by`` states, -inf coming in."""
        edge = taeda.full(
            (scores.size(0), min(abs(by), self.n_states)), _NEVER, dtype=scores.dtype, device=scores.device
        )
        if by > 0:
            return taeda.cat([edge, scores[:, :-by]], 1)[:, : self.n_states]
        return taeda.cat([scores[:, -by:], edge], 1)[:, : self.n_states]

    def final(self, scores: Any) -> Any:
        """The two states that a path may end in, per sample: the last label and the blank behind it."""
        last = 2 * self.target_lengths
        end = scores.gather(1, last.unsqueeze(1)).squeeze(1)
        before = scores.gather(1, (last - 1).clamp_min(0).unsqueeze(1)).squeeze(1)
        before = before.masked_fill(self.target_lengths == 0, _NEVER)
        return _log_sum(end, before)


def _forward_scores(log_probs: Any, lattice: _Lattice) -> list[Any]:
    """For each time the log probability of all path beginnings that are in each state: T tensors (N, states)."""
    emitted = [step.gather(1, lattice.labels) for step in log_probs.unbind(0)]
    first = taeda.full_like(emitted[0], _NEVER)
    first[:, :2] = emitted[0][:, :2]
    first[:, 1:2].masked_fill_((lattice.target_lengths == 0).unsqueeze(1), _NEVER)
    scores = [first]
    for emission in emitted[1:]:
        stay = scores[-1]
        skip = lattice.shifted(stay, 2).masked_fill(~lattice.skips, _NEVER)
        scores.append(_log_sum(stay, lattice.shifted(stay, 1), skip) + emission)
    return scores


def _backward_scores(log_probs: Any, lattice: _Lattice, input_lengths: Any) -> list[Any]:
    """For each time the log probability of all path ends from each state on, that state's emission included."""
    emitted = [step.gather(1, lattice.labels) for step in log_probs.unbind(0)]
    states = taeda.arange(lattice.n_states, device=log_probs.device).unsqueeze(0)
    last = (2 * lattice.target_lengths).unsqueeze(1)
    may_end = (states == last) | ((states == last - 1) & (last > 0))
    skips = taeda.zeros_like(lattice.skips)
    skips[:, : max(lattice.n_states - 2, 0)] = lattice.skips[:, 2:]
    scores: list[Any] = [None] * len(emitted)
    following = taeda.full_like(emitted[0], _NEVER)
    for time in reversed(range(len(emitted))):
        skip = lattice.shifted(following, -2).masked_fill(~skips, _NEVER)
        onward = _log_sum(following, lattice.shifted(following, -1), skip)
        ends_here = (input_lengths == time + 1).unsqueeze(1)
        onward = taeda.where(ends_here, taeda.zeros_like(onward).masked_fill(~may_end, _NEVER), onward)
        following = onward + emitted[time]
        scores[time] = following
    return scores


_function: Any = None


def _loss_function() -> Any:
    """The autograd function, made on first use: importing this file must not need autograd."""
    global _function
    if _function is not None:
        return _function

    class CtcLoss(taeda.autograd.Function):
        """Per-sample losses; the gradient is that of log-softmax inputs: ``exp(log_probs)`` minus the posterior."""

        @staticmethod
        def forward(ctx, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity):
            lattice = _Lattice(_padded_targets(targets, target_lengths), target_lengths, blank)
            scores = taeda.stack(_forward_scores(log_probs, lattice))
            rows = taeda.arange(scores.size(1), device=scores.device)
            ends = scores[(input_lengths - 1).clamp_min(0), rows]
            loss = -lattice.final(ends)
            # Without any input only the empty target is possible.
            nothing = taeda.zeros_like(loss).masked_fill(target_lengths > 0, float("inf"))
            loss = taeda.where(input_lengths == 0, nothing, loss)
            ctx.save_for_backward(log_probs, scores, loss, input_lengths)
            ctx.lattice, ctx.zero_infinity = lattice, zero_infinity
            return loss.masked_fill(loss == float("inf"), 0.0) if zero_infinity else loss

        @staticmethod
        def backward(ctx, grad):
            log_probs, scores, loss, input_lengths = ctx.saved_tensors
            lattice = ctx.lattice
            backward = taeda.stack(_backward_scores(log_probs, lattice, input_lengths))
            labels = lattice.labels.unsqueeze(0).expand_as(scores)
            emitted = log_probs.gather(2, labels)
            # Both scores contain the emission at this time: one is taken off again.
            passing = (scores + backward - emitted + loss.view(1, -1, 1)).exp()
            passing = passing.masked_fill((scores == _NEVER) | (backward == _NEVER), 0.0)
            posterior = taeda.zeros_like(log_probs).scatter_add_(2, labels, passing)
            result = (log_probs.exp() - posterior) * grad.view(1, -1, 1)
            times = taeda.arange(log_probs.size(0), device=log_probs.device).view(-1, 1, 1)
            result = result.masked_fill(times >= input_lengths.view(1, -1, 1), 0.0)
            infinite = (loss == float("inf")).view(1, -1, 1)
            result = result.masked_fill(infinite, 0.0 if ctx.zero_infinity else float("nan"))
            return result, None, None, None, None, None

    _function = CtcLoss
    return CtcLoss


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """Minus the log probability of all alignments of each target with its input, reduced.

    Args:
        log_probs: (T, N, C) or (T, C), the result of ``log_softmax`` over the classes.
        targets: (N, S), or all targets one after the other in one dimension.
        input_lengths, target_lengths: (N,) or (), as tensors or sequences.
        blank: the class that stands for no label; default 0.
        reduction: ``"mean"`` (default: of losses divided by their targets' lengths), ``"sum"`` or ``"none"``.
        zero_infinity: whether targets too long for their inputs cost nothing; default False, they cost infinity.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    single = log_probs.dim() == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.reshape(1, -1) if isinstance(targets, taeda.Tensor) and targets.dim() <= 1 else targets
    if log_probs.dim() != 3:
        raise RuntimeError(f"log_probs must be of shape (T, N, C) or (T, C), but got {list(log_probs.shape)}")
    n_steps, n, n_classes = log_probs.shape
    if not 0 <= blank < n_classes:
        raise RuntimeError("blank must be in label range")
    inputs, labels = (_lengths(x, log_probs.device).reshape(-1) for x in (input_lengths, target_lengths))
    for name, lengths in (("input_lengths", inputs), ("target_lengths", labels)):
        if lengths.numel() != n:
            raise RuntimeError(f"{name} must be of size batch_size ({n}), but got {lengths.numel()}")
    if n and int(inputs.max()) > n_steps:
        raise RuntimeError(f"Expected input_lengths to have value at most {n_steps}, but got value {int(inputs.max())}")
    if n and int(inputs.min()) < 0:
        raise RuntimeError(f"Expected input_lengths to have value at least 0, but got value {int(inputs.min())}")
    loss = _loss_function().apply(log_probs, targets, inputs, labels, blank, zero_infinity)
    if reduction == "mean":
        return (loss / labels.clamp_min(1).to(loss.dtype)).mean()
    if reduction == "sum":
        return loss.sum()
    return loss.squeeze(0) if single else loss
