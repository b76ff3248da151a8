"""Reductions over segments of a dimension, chunks put side by side, and the unchecked forms that compiled programs call."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["segment_reduce"]

# What an empty segment gives, and what the reduction is called among the scatters.
_START = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -math.inf, "min": math.inf}
_SCATTER = {"sum": "sum", "mean": "sum", "prod": "prod", "max": "amax", "min": "amin"}


def _ends(lengths: Tensor | None, offsets: Tensor | None, n: int, unsafe: bool) -> Tensor:
    """Where the segments begin and end: (..., segments + 1)."""
    if lengths is None:
        return offsets.long()
    if lengths.dtype not in (taeda.int32, taeda.int64):
        name = lengths.type().removeprefix("torch.").removesuffix("Tensor")
        raise NotImplementedError(f"\"_segment_reduce_lengths_cpu_kernel1\" not implemented for '{name}'")
    if not unsafe and not lengths.is_meta:
        if bool((lengths < 0).any()):
            raise RuntimeError("lengths contains negative value!")
        if not bool((lengths.sum(-1) == n).all()):
            raise RuntimeError(
                "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe."
            )
    ends = lengths.long().cumsum(-1)
    return taeda.cat([ends.new_zeros([*ends.shape[:-1], 1]), ends], -1)


@public("torch")
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """Return one value for each segment of a dimension.

    Args:
        data: floating point.
        reduce: "sum", "mean", "max", "min" or "prod".
        lengths: (*data.shape[:axis], segments), integers that add up to the dimension's size.
        indices: not there, as in PyTorch.
        offsets: (*data.shape[:axis], segments + 1), where segments begin and end; instead of ``lengths``.
        axis: the dimension: the last of ``lengths``.
        unsafe: leave out the check of ``lengths``.
        initial: takes part in each segment. An empty segment without it gives 0, 1, NaN (mean) or an infinity.
    """
    reduce = {"amax": "max", "amin": "min"}.get(reduce, reduce)
    if reduce not in _START:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if not data.is_floating_point():
        name = data.type().removeprefix("torch.").removesuffix("Tensor")
        raise NotImplementedError(f"\"_segment_reduce_cpu\" not implemented for '{name}'")
    axis = axis % data.ndim
    given, what = (lengths, "lengths") if lengths is not None else (offsets, "offsets")
    if given.ndim - 1 != axis:
        raise RuntimeError(f"segment_reduce(): Expected axis to be the last dimension of {what} but got {axis}.")
    ends = _ends(lengths, offsets, data.shape[axis], unsafe)
    count, n = ends.shape[-1] - 1, data.shape[axis]

    # Every element is sent to its segment; one segment more takes what belongs to none.
    start = _START[reduce] if initial is None else initial
    positions = taeda.arange(n, device=data.device).expand(*data.shape[: axis + 1]).contiguous()
    place = taeda.searchsorted(ends[..., 1:].contiguous(), positions, right=True)
    place = taeda.where(positions < ends[..., :1], count, place)
    place = place.reshape([*place.shape, *[1] * (data.ndim - axis - 1)]).expand(data.shape)
    shape = [*data.shape[:axis], count + 1, *data.shape[axis + 1 :]]
    made = data.new_full(shape, start).scatter_reduce(axis, place, data, _SCATTER[reduce], include_self=True)
    made = made.narrow(axis, 0, count)
    if reduce == "mean":
        sizes = ends.diff().reshape([*ends.shape[:-1], count, *[1] * (data.ndim - axis - 1)])
        empty = math.nan if initial is None else initial
        made = taeda.where(sizes > 0, made / sizes.clamp(min=1), empty)
    return made


public("torch", name="_segment_reduce")(
    lambda data, reduce, **options: segment_reduce(data, reduce, **options)  # the name that PyTorch's own tests use
)


@public("torch", name="_chunk_cat")
def chunk_cat(tensors: Sequence[Tensor], dim: int, num_chunks: int, *, out: Tensor | None = None) -> Tensor:
    """Return chunk k of all tensors, flattened from ``dim`` on and side by side, in row k.

    Args:
        tensors: of one dtype and equal in the dimensions before ``dim``, which is filled up with zeros.
        num_chunks: the number of rows.
    """
    if not tensors:
        raise RuntimeError("_chunk_cat expects a non-empty input tensor list")
    if num_chunks < 1:
        raise RuntimeError("_chunk_cat expects positive num_chunks")
    first = tensors[0]
    dim = dim % max(first.ndim, 1)
    rows = []
    for tensor in tensors:
        if tensor.ndim <= dim or tensor.shape[:dim] != first.shape[:dim]:
            raise RuntimeError("_chunk_cat expects same sizes of 0,...,dim-1 dimensions")
        if tensor.numel() == 0:
            raise RuntimeError("_chunk_cat expects non-empty tensor")
        missing = -tensor.shape[dim] % num_chunks
        if missing:
            shape = [*tensor.shape[:dim], missing, *tensor.shape[dim + 1 :]]
            tensor = taeda.cat([tensor, tensor.new_zeros(shape)], dim)
        rows.append(tensor.reshape([*first.shape[:dim], num_chunks, -1]))
    made = taeda.cat(rows, -1)
    return made if out is None else out.resize_(made.shape).copy_(made)


def _inside(shape: Sequence[int], indices: Sequence[Tensor | None]) -> tuple[Any, ...]:
    """The indices, pulled into the range of their dimensions."""
    return tuple(
        slice(None) if index is None else index.clamp(-size, size - 1)
        for index, size in zip(indices, shape, strict=False)
    )


@public("torch", name="_unsafe_masked_index")
def unsafe_masked_index(input: Tensor, mask: Tensor, indices: Sequence[Tensor | None], fill: float) -> Tensor:
    """Return ``input[indices]`` where ``mask`` is true, else ``fill``; indices elsewhere may point outside."""
    if input.numel() == 0:
        shape = taeda.broadcast_shapes(mask.shape, *(index.shape for index in indices if index is not None))
        return input.new_full(shape, fill)
    chosen = input[_inside(input.shape, indices)]
    return chosen.masked_fill(mask.logical_not(), fill)


@public("torch", name="_unsafe_masked_index_put_accumulate")
def unsafe_masked_index_put_accumulate(
    input: Tensor, mask: Tensor, indices: Sequence[Tensor | None], values: Tensor
) -> Tensor:
    """Return ``input`` with ``values`` added at ``indices`` where ``mask`` is true."""
    if input.numel() == 0:
        return input.clone()
    added = values.masked_fill(mask.logical_not(), 0)
    places = _inside(input.shape, indices)
    if any(isinstance(place, slice) for place in places):
        # Whole dimensions are numbered out, so that all places are tensors.
        numbers = taeda.arange(input.numel(), device=input.device).reshape(input.shape)[places]
        return input.flatten().index_put((numbers.expand(added.shape),), added, accumulate=True).reshape(input.shape)
    return input.index_put(places, added, accumulate=True)


@public("torch", "Tensor")
def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return ``input.split(split_size, dim)``: views."""
    if not isinstance(split_size, int):
        raise TypeError(f"unsafe_split(): argument 'split_size' must be int, not {type(split_size).__name__}")
    return input.split(split_size, dim)


@public("torch", "Tensor")
def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return ``input.split_with_sizes(split_sizes, dim)``, as views."""
    return input.split_with_sizes(split_sizes, dim)


@public("torch", "Tensor")
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return ``input.chunk(chunks, dim)``, as views."""
    return input.chunk(chunks, dim)
