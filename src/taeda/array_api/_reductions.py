"""Reductions, running sums, sorting and searching, in the standard's words."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import Tensor
from taeda.array_api._shapes import _axes

__all__ = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "count_nonzero",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "isin",
    "max",
    "mean",
    "min",
    "nonzero",
    "prod",
    "searchsorted",
    "sort",
    "std",
    "sum",
    "var",
    "where",
]


def _summing_dtype(x: Tensor, dtype: Any) -> Any:
    """Integers add up in the widest type of their sign."""
    if dtype is not None or x.is_floating_point() or x.is_complex():
        return dtype or x.dtype
    return taeda.uint64 if x.dtype in (taeda.uint8, taeda.uint16, taeda.uint32, taeda.uint64) else taeda.int64


def sum(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Return the sum over ``axis``; None: over all."""
    axes, kind = _axes(axis, x.ndim), _summing_dtype(x, dtype)
    if not axes:
        return x.to(kind, copy=True)
    if kind == taeda.uint64:  # sums modulo 2**64 have the same bits with and without a sign
        return x.to(taeda.int64).sum(axes, keepdim=keepdims).view(taeda.uint64)
    return x.to(kind).sum(axes, keepdim=keepdims)


def prod(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Return the product over ``axis``; None: over all."""
    kind = _summing_dtype(x, dtype)
    unsigned = kind == taeda.uint64
    made = x.to(taeda.int64 if unsigned else kind, copy=True)
    for one in sorted(_axes(axis, x.ndim), reverse=True):
        made = made.prod(one, keepdim=keepdims)
    return made.view(taeda.uint64) if unsigned else made


def max(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the largest element over ``axis``; None: over all."""
    return x.amax(_axes(axis, x.ndim), keepdim=keepdims) if x.ndim else x.clone()


def min(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the smallest element over ``axis``; None: over all."""
    return x.amin(_axes(axis, x.ndim), keepdim=keepdims) if x.ndim else x.clone()


def mean(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the mean over ``axis``; None: over all."""
    axes = _axes(axis, x.ndim)
    return x.mean(axes, keepdim=keepdims) if axes else x.clone()


def var(x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Return the variance over ``axis``: squares divided by n - ``correction``."""
    axes = _axes(axis, x.ndim)
    return taeda.var(x, axes, correction=correction, keepdim=keepdims) if axes else taeda.zeros_like(x)


def std(x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Return the standard deviation over ``axis``: the root of ``var``."""
    axes = _axes(axis, x.ndim)
    return taeda.std(x, axes, correction=correction, keepdim=keepdims) if axes else taeda.zeros_like(x)


def all(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return whether all elements over ``axis`` are not zero."""
    made = x.bool()
    for one in sorted(_axes(axis, x.ndim), reverse=True):
        made = made.all(one, keepdim=keepdims)
    return made


def any(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return whether some element over ``axis`` is not zero."""
    made = x.bool()
    for one in sorted(_axes(axis, x.ndim), reverse=True):
        made = made.any(one, keepdim=keepdims)
    return made


def count_nonzero(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return how many elements over ``axis`` are not zero."""
    axes = _axes(axis, x.ndim)
    return (x != 0).long().sum(axes, keepdim=keepdims) if axes else (x != 0).long()


def _running(x: Tensor, axis: int | None, dtype: Any, include_initial: bool, name: str, start: int) -> Tensor:
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"{name}: an array with {x.ndim} dimensions needs an axis")
        axis = 0
    axis = _axes(axis, x.ndim)[0]
    kind = _summing_dtype(x, dtype)
    unsigned = kind == taeda.uint64
    run = taeda.cumsum if name == "cumulative_sum" else taeda.cumprod
    made = run(x.to(taeda.int64 if unsigned else kind), axis)
    if include_initial:
        shape = [1 if d == axis else n for d, n in enumerate(x.shape)]
        made = taeda.cat([made.new_full(shape, start), made], axis)
    return made.view(taeda.uint64) if unsigned else made


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Return the running sum along ``axis``; with ``include_initial``, beginning with 0."""
    return _running(x, axis, dtype, include_initial, "cumulative_sum", 0)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Return the running product along ``axis``; with ``include_initial``, beginning with 1."""
    return _running(x, axis, dtype, include_initial, "cumulative_prod", 1)


def diff(x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Tensor:
    """Return the differences of neighbours along ``axis``, ``n`` times over."""
    return taeda.diff(x, n, axis, prepend=prepend, append=append)


# ---- sorting and searching


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the elements in order along ``axis``."""
    return taeda.sort(x, dim=axis, descending=descending, stable=stable)[0]


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the indices that put the elements in order along ``axis``."""
    return taeda.sort(x, dim=axis, descending=descending, stable=stable)[1]


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the index of the first largest element; without ``axis``, in the flattened array."""
    return _place(taeda.argmax, x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the index of the first smallest element; without ``axis``, in the flattened array."""
    return _place(taeda.argmin, x, axis, keepdims)


def _place(find: Any, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    made = find(x, dim=axis, keepdim=keepdims) if axis is not None else find(x)
    return made.reshape([1] * x.ndim) if axis is None and keepdims else made


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Return the indices of the elements that are not zero, for each axis."""
    if x.ndim == 0:
        raise ValueError("nonzero: an array without dimensions has no indices")
    return tuple(taeda.nonzero(x, as_tuple=True))


def searchsorted(x1: Tensor, x2: Any, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Return where in the sorted vector ``x1`` the elements of ``x2`` belong."""
    if side not in ("left", "right"):
        raise ValueError(f'searchsorted: side must be "left" or "right", but got {side!r}')
    if not isinstance(x2, Tensor):
        x2 = taeda.tensor(x2, dtype=x1.dtype)
    return taeda.searchsorted(x1, x2, side=side, sorter=sorter)


def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """Return ``x1`` where ``condition`` is true, else ``x2``; one of them may be a number."""
    if not isinstance(x1, Tensor):
        x1 = taeda.tensor(x1, dtype=taeda.result_type(x2, x1))
    elif not isinstance(x2, Tensor):
        x2 = taeda.tensor(x2, dtype=taeda.result_type(x1, x2))
    return taeda.where(condition, x1, x2)


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Return for each element of ``x1`` whether it is among those of ``x2``."""
    return taeda.isin(x1, x2, invert=invert)
