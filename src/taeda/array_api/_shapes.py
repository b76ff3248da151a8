"""Rearranging and indexing, in the standard's words."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import taeda
from taeda import Tensor

__all__ = [
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "concat",
    "expand_dims",
    "flip",
    "moveaxis",
    "permute_dims",
    "repeat",
    "reshape",
    "roll",
    "squeeze",
    "stack",
    "take",
    "take_along_axis",
    "tile",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unstack",
]


def _axes(axis: Any, ndim: int) -> list[int]:
    """Axes as a list, counted from 0; None: all."""
    if axis is None:
        return list(range(ndim))
    axes = [axis] if isinstance(axis, int) else list(axis)
    for one in axes:
        if not -ndim <= one < ndim:
            raise IndexError(f"axis {one} is out of range for {ndim} dimensions")
    return [one % ndim for one in axes]


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """Return the tensors in the shape that they have together."""
    return tuple(taeda.broadcast_tensors(*arrays)) if arrays else ()


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """Return the shape that tensors of these shapes have together."""
    try:
        return tuple(taeda.broadcast_shapes(*shapes))
    except RuntimeError as error:
        raise ValueError(str(error)) from None


def broadcast_to(x: Tensor, /, shape: Sequence[int]) -> Tensor:
    """Return a view of ``x`` in a larger shape."""
    return x.expand(tuple(shape))


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Return the tensors one after the other along ``axis``; None: flattened."""
    if axis is None:
        return taeda.cat([one.flatten() for one in arrays])
    return taeda.cat(list(arrays), axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Return the tensors beside each other along a new axis."""
    return taeda.stack(list(arrays), axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Return the slices along ``axis``."""
    return tuple(x.unbind(axis))


def expand_dims(x: Tensor, /, axis: int | Sequence[int] = 0) -> Tensor:
    """Return ``x`` with new axes of size one, which are at ``axis`` in the result."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = x.ndim + len(axes)
    for one in axes:
        if not -rank <= one < rank:
            raise IndexError(f"axis {one} is out of range for {rank} dimensions")
    places = sorted(one % rank for one in axes)
    if len(set(places)) != len(places):
        raise ValueError(f"expand_dims: an axis is named twice in {tuple(axes)}")
    for place in places:
        x = x.unsqueeze(place)
    return x


def squeeze(x: Tensor, /, axis: int | Sequence[int]) -> Tensor:
    """Return ``x`` without these axes, whose size must be one."""
    for one in _axes(axis, x.ndim):
        if x.shape[one] != 1:
            raise ValueError(f"squeeze: axis {one} has size {x.shape[one]}, not 1")
    return x.squeeze(tuple(_axes(axis, x.ndim)))


def reshape(x: Tensor, /, shape: Sequence[int], *, copy: bool | None = None) -> Tensor:
    """Return ``x`` in another shape.

    Args:
        copy: True: always in new memory; False: as a view, or ValueError; None: where needed.
    """
    shape = tuple(shape)
    if copy is None:
        return x.reshape(shape)
    if copy:
        return x.clone().reshape(shape)
    try:
        return x.view(shape)
    except RuntimeError as error:
        raise ValueError(f"reshape: needs a copy, but copy=False was given: {error}") from None


def permute_dims(x: Tensor, /, axes: Sequence[int]) -> Tensor:
    """Return ``x`` with its axes in another order."""
    return x.permute(tuple(axes))


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """Return ``x`` with some axes moved to other places."""
    return taeda.moveaxis(x, source, destination)


def flip(x: Tensor, /, *, axis: Any = None) -> Tensor:
    """Return ``x`` in reverse order along ``axis``; None: all."""
    return x.flip(_axes(axis, x.ndim))


def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """Return ``x`` with elements moved on, those from the end to the front; without ``axis``, flattened meanwhile."""
    if axis is None:
        return taeda.roll(x, shift)
    axes = [axis] if isinstance(axis, int) else list(axis)
    shifts = [shift] * len(axes) if isinstance(shift, int) else list(shift)
    return taeda.roll(x, shifts, axes)


def repeat(x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None) -> Tensor:
    """Return ``x`` with each element repeated so many times; without ``axis``, flattened."""
    return taeda.repeat_interleave(x, repeats, axis)


def tile(x: Tensor, repetitions: Sequence[int], /) -> Tensor:
    """Return ``x`` set beside itself so many times along each axis."""
    return taeda.tile(x, tuple(repetitions))


# ---- indexing


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """Return the slices of ``x`` at these indices along ``axis``, which a vector need not name."""
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: an array with {x.ndim} dimensions needs an axis")
        axis = 0
    return x[(slice(None),) * _axes(axis, x.ndim)[0] + (indices,)]


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Return elements of ``x``: each index says which one along ``axis``; the other axes are broadcast."""
    axis = _axes(axis, x.ndim)[0]
    indices = taeda.where(indices < 0, indices + x.shape[axis], indices).long()
    rest = [1 if d == axis else n for d, n in enumerate(x.shape)]
    shape = list(taeda.broadcast_shapes(rest, [1 if d == axis else n for d, n in enumerate(indices.shape)]))
    wide = x.expand([n if d == axis else shape[d] for d, n in enumerate(x.shape)])
    return wide.gather(axis, indices.expand([n if d == axis else shape[d] for d, n in enumerate(indices.shape)]))


# ---- sets

_All = collections.namedtuple("unique_all_result", "values indices inverse_indices counts")  # noqa: PYI024
_Counts = collections.namedtuple("unique_counts_result", "values counts")  # noqa: PYI024
_Inverse = collections.namedtuple("unique_inverse_result", "values inverse_indices")  # noqa: PYI024


def _unique(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values, inverse and counts; NaNs all differ, as the standard wants."""
    values, inverse, counts = taeda.unique(x, return_inverse=True, return_counts=True)
    return values, inverse.reshape(x.shape), counts


def unique_all(x: Tensor, /) -> Any:
    """Return the different elements, where each occurs first, for each element its place, and how often each occurs."""
    values, inverse, counts = _unique(x)
    places = taeda.arange(x.numel(), device=x.device)
    first = taeda.full_like(counts, x.numel()).scatter_reduce(0, inverse.flatten(), places, "amin")
    return _All(values, first, inverse, counts)


def unique_counts(x: Tensor, /) -> Any:
    """Return the different elements and how often each occurs."""
    values, _, counts = _unique(x)
    return _Counts(values, counts)


def unique_inverse(x: Tensor, /) -> Any:
    """Return the different elements and, for each element of ``x``, its place among them."""
    values, inverse, _ = _unique(x)
    return _Inverse(values, inverse)


def unique_values(x: Tensor, /) -> Tensor:
    """Return the different elements."""
    return _unique(x)[0]
