"""nested: batches of tensors whose sizes differ, kept as the list that they are, and their padded form.

What padding costs in attention and linear layers here is little, so there are no operations on nested tensors of their own: a
``NestedTensor`` goes into ``nn.TransformerEncoder``, comes out of it, and is turned into a padded tensor for all else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import taeda

__all__ = ["NestedTensor", "as_nested_tensor", "nested_tensor", "to_padded_tensor"]


class NestedTensor:
    """A batch of tensors of one dtype and rank whose sizes may differ. Made by ``nested_tensor``.

    Attributes:
        dtype, device: those of its tensors.
        is_nested: True.
        requires_grad: whether any of them takes part in autograd.
    """

    is_nested = True

    def __init__(self, tensors: Sequence[Any]) -> None:
        self._tensors = list(tensors)

    @property
    def dtype(self) -> Any:
        """The dtype of all tensors; the default dtype without any."""
        return self._tensors[0].dtype if self._tensors else taeda.get_default_dtype()

    @property
    def device(self) -> Any:
        """The device of all tensors."""
        return self._tensors[0].device if self._tensors else taeda.device("cpu")

    @property
    def requires_grad(self) -> bool:
        """Whether any tensor takes part in autograd."""
        return any(tensor.requires_grad for tensor in self._tensors)

    @property
    def shape(self) -> Any:
        """Not defined: the sizes differ; ``size(dim)`` gives those that do not."""
        raise RuntimeError("a nested tensor has no shape: its tensors differ in size; ask size(dim) or unbind()")

    def dim(self) -> int:
        """The rank of the tensors and one for the batch."""
        return 1 + (self._tensors[0].dim() if self._tensors else 0)

    ndim = property(dim)

    def size(self, dim: int) -> int:
        """The size of dimension ``dim``, if all tensors agree in it.

        Raises:
            RuntimeError: they do not.
        """
        dim = self._wrapped(dim)
        if dim == 0:
            return len(self._tensors)
        sizes = {tensor.size(dim - 1) for tensor in self._tensors}
        if len(sizes) != 1:
            raise RuntimeError(f"Given dimension {dim} is irregular and does not have a size.")
        return sizes.pop()

    def _wrapped(self, dim: int) -> int:
        if not -self.dim() <= dim < self.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-self.dim()}, {self.dim() - 1}], but got {dim})"
            )
        return dim % self.dim()

    def numel(self) -> int:
        """How many elements all tensors have together."""
        return sum(tensor.numel() for tensor in self._tensors)

    def unbind(self, dim: int = 0) -> tuple[Any, ...]:
        """The tensors. ``dim`` is 0."""
        if self._wrapped(dim) != 0:
            raise RuntimeError(f"unbind of a nested tensor is only possible along dim 0, but got {dim}")
        return tuple(self._tensors)

    def to_padded_tensor(self, padding: float, output_size: Sequence[int] | None = None) -> Any:
        """See ``taeda.nested.to_padded_tensor``."""
        return to_padded_tensor(self, padding, output_size)

    def to(self, *args: Any, **kwargs: Any) -> NestedTensor:
        """The tensors moved or converted, as ``Tensor.to`` says."""
        return NestedTensor([tensor.to(*args, **kwargs) for tensor in self._tensors])

    def detach(self) -> NestedTensor:
        """The same tensors without history."""
        return NestedTensor([tensor.detach() for tensor in self._tensors])

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        lines = ["  " + repr(tensor).replace("\n", "\n  ") for tensor in self._tensors]
        return "nested_tensor([\n" + ",\n".join(lines) + "\n])"


def as_nested_tensor(ts: Any, dtype: Any = None, device: Any = None, layout: Any = None) -> NestedTensor:
    """A nested tensor of the tensors in ``ts``, which stay part of the graph.

    Args:
        ts: tensors of the same rank, a tensor (whose rows they then are), or a nested tensor.
        dtype, device: what they are converted to; default those of the first.
        layout: taeda.strided or None: there is one form.

    Raises:
        RuntimeError: the tensors differ in rank.
    """
    if layout not in (None, taeda.strided):
        raise NotImplementedError(f"taeda has no nested tensors of the layout {layout}: there is one form, a list")
    if isinstance(ts, NestedTensor) or isinstance(ts, taeda.Tensor):
        ts = ts.unbind()
    if not isinstance(ts, (list, tuple)) or not all(isinstance(t, taeda.Tensor) for t in ts):
        raise TypeError("as_nested_tensor(): Expected a list of tensors or a tensor as the first argument")
    if len({t.dim() for t in ts}) > 1:
        ranks = sorted({t.dim() for t in ts})
        raise RuntimeError(f"All Tensors given to nested_tensor must have the same dimension. Found dimensions {ranks}")
    if ts:
        dtype, device = dtype or ts[0].dtype, device or ts[0].device
    return NestedTensor([t.to(device=device, dtype=dtype) for t in ts])


def nested_tensor(
    tensor_list: Sequence[Any],
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> NestedTensor:
    """A nested tensor of copies of what is in ``tensor_list``, without history.

    Args:
        tensor_list: tensors, or what ``taeda.tensor`` makes tensors of; all of the same rank.
        dtype, device: of all of them; default those of the first.
        layout: taeda.strided or None: there is one form.
        requires_grad: whether gradients are recorded for the copies.
        pin_memory: without effect.
    """
    copies = [t.detach().clone() if isinstance(t, taeda.Tensor) else taeda.tensor(t) for t in tensor_list]
    result = as_nested_tensor(copies, dtype, device, layout)
    if requires_grad:
        for tensor in result.unbind():
            tensor.requires_grad_()
    return result


def to_padded_tensor(input: NestedTensor, padding: float, output_size: Sequence[int] | None = None) -> Any:
    """The tensors of a nested tensor one above the other, with ``padding`` where they are too short.

    Args:
        input: a nested tensor.
        padding: the value behind their ends.
        output_size: the result's sizes; default the least that hold all.

    Returns:
        A tensor of rank ``input.dim()``, through which gradients flow to the tensors.

    Raises:
        RuntimeError: ``output_size`` is too small.
    """
    tensors = input.unbind()
    if not tensors:
        raise RuntimeError("to_padded_tensor: an empty nested tensor has no padded form")
    needed = [len(tensors), *(max(sizes) for sizes in zip(*(t.shape for t in tensors), strict=True))]
    sizes = needed if output_size is None else list(output_size)
    if len(sizes) != len(needed):
        raise RuntimeError(f"Length of output_size is {len(sizes)}, but expected {len(needed)}")
    if any(size < least for size, least in zip(sizes, needed, strict=True)):
        raise RuntimeError(
            "Value in output_size is less than NestedTensor padded size. Truncation is not supported. "
            f"Got {sizes}, but {needed} are needed."
        )
    result = tensors[0].new_full(tuple(sizes), padding)
    for index, tensor in enumerate(tensors):
        result[(index, *(slice(size) for size in tensor.shape))] = tensor
    return result
