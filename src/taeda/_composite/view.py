"""Compositions that only rearrange: broadcasting several tensors, repeating, splitting by NumPy's names, scatters into views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "adjoint",
    "as_strided",
    "as_strided_",
    "as_strided_scatter",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_shapes",
    "broadcast_tensors",
    "diag",
    "diagflat",
    "diagonal_scatter",
    "dsplit",
    "hsplit",
    "repeat",
    "repeat_interleave",
    "select_scatter",
    "slice_scatter",
    "tensor_split",
    "tile",
    "vsplit",
]


def _one_or_many(tensors: tuple) -> tuple[tuple, bool]:
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        return tuple(tensors[0]), True
    return tensors, len(tensors) != 1


def _integers(sizes: tuple) -> list[int]:
    """The sizes of a call that takes a list or separate integers."""
    return list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else list(sizes)


# ---- broadcasting


@public("torch")
def broadcast_shapes(*shapes: int | Sequence[int]) -> taeda.Size:
    """Return the shape that tensors of the given shapes have together.

    Args:
        shapes: sizes, or single integers for one dimension.

    Raises:
        RuntimeError: two sizes differ and neither is 1.
    """
    full = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
    sizes = [1] * max((len(shape) for shape in full), default=0)
    for shape in full:
        for place in range(-1, -1 - len(shape), -1):
            if shape[place] < 0:
                raise RuntimeError(
                    f"Trying to create tensor with negative dimension ({shape[place]}): ({shape[place]})"
                )
            if shape[place] == 1 or shape[place] == sizes[place]:
                continue
            if sizes[place] != 1:
                raise RuntimeError(
                    "Shape mismatch: objects cannot be broadcast to a single shape: "
                    + ", ".join(str(list(shape)) for shape in full)
                )
            sizes[place] = shape[place]
    return taeda.Size(sizes)


@public("torch")
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return views of the tensors, all expanded to the shape that they have together."""
    given, _ = _one_or_many(tensors)
    shapes = [tensor.shape for tensor in given]
    shape = shapes[0] if shapes and shapes.count(shapes[0]) == len(shapes) else broadcast_shapes(*shapes)
    return tuple([tensor.expand(shape) for tensor in given])


@public("torch")
def atleast_1d(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Return each tensor with at least one dimension: a view where it had none."""
    given, many = _one_or_many(tensors)
    made = tuple(tensor.reshape(1) if tensor.ndim == 0 else tensor for tensor in given)
    return made if many else made[0]


@public("torch")
def atleast_2d(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Return each tensor with at least two dimensions; new ones come in front."""
    given, many = _one_or_many(tensors)
    made = tuple(
        tensor.reshape(1, 1) if tensor.ndim == 0 else tensor.unsqueeze(0) if tensor.ndim == 1 else tensor
        for tensor in given
    )
    return made if many else made[0]


@public("torch")
def atleast_3d(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Return each tensor with at least three dimensions: ``(n,)`` becomes ``(1, n, 1)``, ``(n, m)`` becomes ``(n, m, 1)``."""
    given, many = _one_or_many(tensors)
    made = []
    for tensor in given:
        if tensor.ndim == 0:
            tensor = tensor.reshape(1, 1, 1)
        elif tensor.ndim == 1:
            tensor = tensor.unsqueeze(0).unsqueeze(-1)
        elif tensor.ndim == 2:
            tensor = tensor.unsqueeze(-1)
        made.append(tensor)
    return tuple(made) if many else made[0]


@public("torch", "Tensor")
def adjoint(input: Tensor) -> Tensor:
    """Return the matrices in the last two dimensions, transposed and conjugated."""
    if input.ndim < 2:
        raise RuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor."
        )
    turned = input.transpose(-2, -1)
    return turned.conj() if turned.is_complex() else turned


# ---- repeating


@public("Tensor")
def repeat(input: Tensor, *repeats: int) -> Tensor:
    """Return a copy of ``input`` laid side by side, ``repeats[i]`` times along dimension ``i``.

    Args:
        repeats: one number for each dimension; more numbers than dimensions add dimensions in front.

    Raises:
        RuntimeError: there are fewer numbers than dimensions, or one is negative.
    """
    counts = _integers(repeats)
    new = len(counts) - input.ndim
    if new < 0:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: "
            f"{counts} for a tensor of shape {list(input.shape)}"
        )
    if any(count < 0 for count in counts):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension: repeats must not be negative, got {counts}"
        )
    sizes = [1] * new + list(input.shape)
    apart = [size for pair in zip([1] * len(sizes), sizes, strict=True) for size in pair]
    wide = [size for pair in zip(counts, sizes, strict=True) for size in pair]
    whole = [count * size for count, size in zip(counts, sizes, strict=True)]
    return input.reshape(apart).expand(wide).clone(memory_format=taeda.contiguous_format).view(whole)


@public("torch", "Tensor")
def tile(input: Tensor, *dims: int) -> Tensor:
    """Return ``input`` repeated along its dimensions; missing numbers in front count as 1.

    Args:
        dims: how often, for each dimension.
    """
    counts = _integers(dims)
    return input.repeat([1] * (input.ndim - len(counts)) + counts)


@public("torch", "Tensor")
def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Return ``input`` with each element (or slice along ``dim``) repeated in place.

    Args:
        input: the tensor; alone, it holds counts, and the result says which element each place comes from.
        repeats: how often: one number, or one for each element.
        dim: the dimension; by default the flattened tensor.
        output_size: the size of the result, where the caller knows it; it is checked.
    """
    if repeats is None:
        return taeda._C._repeat_indices(input)
    if isinstance(repeats, int):
        if repeats < 0:
            raise RuntimeError(f"Repeats must be non-negative, got {repeats}")
        made = _repeated(input, repeats, dim)
        return made if output_size is None else _of_size(made, 0 if dim is None else dim, output_size)
    elif not isinstance(repeats, taeda.Tensor):
        repeats = taeda.tensor(repeats)
    if dim is None:
        input, dim = input.flatten(), 0
    elif input.ndim == 0:
        input = input.flatten()
    size = input.shape[dim]
    if repeats.ndim == 0 or repeats.numel() == 1:
        repeats = repeats.reshape(1).expand(size)
    elif repeats.numel() != size:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got "
            f"repeats.size(0) = {repeats.numel()} and input.size({dim}) = {size}"
        )
    made = input.index_select(dim, taeda._C._repeat_indices(repeats))
    return made if output_size is None else _of_size(made, dim, output_size)


def _repeated(input: Tensor, repeats: int, dim: int | None) -> Tensor:
    """Each slice along ``dim`` as often: a view of them side by side, copied."""
    if dim is None or input.ndim == 0:
        input, dim = input.flatten(), 0
    shape = list(input.shape)
    shape[dim] *= repeats
    following = dim + 1 if dim >= 0 else dim + input.ndim + 1
    wide = input.unsqueeze(following).expand(*input.shape[:following], repeats, *input.shape[following:])
    return wide.clone(memory_format=taeda.contiguous_format).view(shape)


def _of_size(made: Tensor, dim: int, size: int) -> Tensor:
    if made.shape[dim] != size:
        raise RuntimeError(f"allocated size does not match required size: {size} and {made.shape[dim]}")
    return made


# ---- any geometry


@public("torch", "Tensor")
def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """Return a view of ``input``'s storage with any sizes and strides.

    The result shares ``input``'s memory: writing into one changes the other.

    Args:
        size: the sizes.
        stride: the strides, in elements.
        storage_offset: the first element, counted from the start of the storage; default: ``input``'s.

    Raises:
        RuntimeError: the view would reach beyond the storage.
    """
    offset = input.storage_offset() if storage_offset is None else storage_offset
    return taeda._C._as_strided(input, size, stride, offset, input.stride(), input.storage_offset())


@public("Tensor")
def as_strided_(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """The in-place form of ``as_strided``: ``input`` itself gets the geometry."""
    offset = input.storage_offset() if storage_offset is None else storage_offset
    return taeda._C._as_strided_(input, size, stride, offset, input.stride(), input.storage_offset())


# ---- splitting


@public("torch", "Tensor")
def tensor_split(input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return views that divide dimension ``dim`` into a number of pieces, or at given indices.

    Args:
        indices_or_sections: how many pieces (the first ones are one longer where it does not come out even), or the
            indices at which a new piece begins; a list or an int64 tensor.
        dim: the dimension to divide.
    """
    if isinstance(indices_or_sections, taeda.Tensor):
        if indices_or_sections.dtype != taeda.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{indices_or_sections.dtype}"
            )
        if indices_or_sections.ndim > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, "
                f"but got a tensor with {indices_or_sections.ndim} dims"
            )
        indices_or_sections = indices_or_sections.tolist()
    return taeda._C._tensor_split(input, indices_or_sections, dim)


def _numpy_split(
    name: str, input: Tensor, indices_or_sections: int | Sequence[int], dim: int, least: int
) -> tuple[Tensor, ...]:
    if input.ndim < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {input.ndim} dimensions!"
        )
    if isinstance(indices_or_sections, int):
        size = input.shape[dim]
        if indices_or_sections == 0 or size % indices_or_sections:
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {size} is not "
                f"divisible by the split_size {indices_or_sections}!"
            )
    return tensor_split(input, indices_or_sections, dim)


@public("torch", "Tensor")
def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return views that divide the columns (the only dimension of a vector) evenly, or at given indices."""
    return _numpy_split("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1, 1)


@public("torch", "Tensor")
def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return views that divide the rows evenly, or at given indices."""
    return _numpy_split("vsplit", input, indices_or_sections, 0, 2)


@public("torch", "Tensor")
def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return views that divide the third dimension evenly, or at given indices."""
    return _numpy_split("dsplit", input, indices_or_sections, 2, 3)


# ---- diagonals, and copies with a part replaced


@public("torch", "Tensor")
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Return a vector as a diagonal matrix, or a copy of a matrix's diagonal.

    Args:
        diagonal: 0 is the main diagonal, positive ones lie above it.
    """
    if input.ndim == 1:
        return taeda.diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return input.diagonal(diagonal).clone()


@public("torch", "Tensor")
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Return a matrix with all elements of ``input`` on the diagonal ``offset``."""
    return taeda.diag_embed(input.reshape(-1), offset)


def _check_replacement(name: str, part: Tensor, src: Tensor) -> None:
    if part.shape != src.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, "
            f"slice size = {list(part.shape)} ({name})"
        )


@public("torch", "Tensor")
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Return a copy of ``input`` whose slice at ``index`` of ``dim`` is ``src``."""
    made = input.clone()
    part = made.select(dim, index)
    _check_replacement("select_scatter", part, src)
    part.copy_(src)
    return made


@public("torch", "Tensor")
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """Return a copy of ``input`` whose elements ``start:end:step`` along ``dim`` are ``src``."""
    made = input.clone()
    part = taeda._C._slice(made, dim, start, end, step)
    part.copy_(src)
    return made


@public("torch", "Tensor")
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return a copy of ``input`` whose diagonal is ``src``."""
    made = input.clone()
    part = made.diagonal(offset, dim1, dim2)
    _check_replacement("diagonal_scatter", part, src)
    part.copy_(src)
    return made


@public("torch", "Tensor")
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """Return a copy of ``input`` whose elements at the given sizes and strides are ``src``."""
    made = input.clone(memory_format=taeda.contiguous_format)
    part = made.as_strided(size, stride, storage_offset)
    _check_replacement("as_strided_scatter", part, src)
    part.copy_(src)
    return made
