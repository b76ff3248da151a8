"""Reductions and normalisations that leave masked elements out.

In every function ``mask`` is a bool tensor that broadcasts to ``input``: True elements take part. Where nothing does, the
result is the reduction's identity (0 for sums, 1 for products, the least value for maxima) or NaN (mean, median, var).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import taeda

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "median",
    "norm",
    "normalize",
    "prod",
    "softmax",
    "softmin",
    "std",
    "sum",
    "var",
]

_Dims = int | tuple[int, ...] | None


def _bool_mask(input: Tensor, mask: Tensor) -> Tensor:
    return mask.to(taeda.bool).expand(input.shape)


def _filled(input: Tensor, mask: Tensor | None, value: float) -> Tensor:
    """``input`` with ``value`` where it is masked out."""
    return input if mask is None else taeda.where(_bool_mask(input, mask), input, taeda.full_like(input, value))


def _dims(input: Tensor, dim: _Dims) -> tuple[int, ...]:
    """All dimensions that are reduced; none given, or an empty tuple, means all."""
    if dim is None or dim == ():
        return tuple(range(input.ndim))
    return (dim,) if isinstance(dim, int) else tuple(dim)


def _sum_dtype(input: Tensor, dtype: Any) -> Any:
    if dtype is not None:
        return dtype
    return input.dtype if input.is_floating_point() or input.is_complex() else taeda.int64


def _least(name: str, dtype: Any, largest: bool) -> float:
    """The identity of a minimum (``largest``) or a maximum."""
    if dtype.is_floating_point:
        return float("inf") if largest else float("-inf")
    if dtype == taeda.bool or dtype.is_complex:
        raise NotImplementedError(f"identity of {name} on {dtype} input")
    info = taeda.iinfo(dtype)
    return info.max if largest else info.min


def _count(input: Tensor, dims: tuple[int, ...], mask: Tensor | None) -> Tensor:
    """How many elements take part, with the reduced dimensions kept."""
    taking = taeda.ones(input.shape, dtype=taeda.int64) if mask is None else _bool_mask(input, mask).to(taeda.int64)
    return taking.sum(dims, keepdim=True) if dims else taking


def _without(made: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    return made if keepdim or not dims else made.squeeze(dims)


# ---- sums and products


def sum(
    input: Tensor, dim: _Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the sum over ``dim`` of the elements under the mask."""
    dtype = _sum_dtype(input, dtype)
    dims = _dims(input, dim)
    kept = _filled(input, mask, 0)
    return taeda.sum(kept, dims, keepdim, dtype=dtype) if dims else kept.to(dtype)


def prod(
    input: Tensor, dim: _Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the product over ``dim`` of the elements under the mask."""
    made = _filled(input, mask, 1).to(_sum_dtype(input, dtype))
    dims = sorted((d % max(input.ndim, 1) for d in _dims(input, dim)), reverse=True)
    for d in dims:
        made = made.prod(d, keepdim=keepdim)
    return made


def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the running sum along ``dim`` of the elements under the mask."""
    return taeda.cumsum(_filled(input, mask, 0), dim, dtype=_sum_dtype(input, dtype))


def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the running product along ``dim`` of the elements under the mask."""
    return taeda.cumprod(_filled(input, mask, 1), dim, dtype=_sum_dtype(input, dtype))


def mean(
    input: Tensor, dim: _Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the mean over ``dim`` of the elements under the mask."""
    dtype = input.dtype if dtype is None else dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(
            "mean(): Could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {dtype}"
        )
    dims = _dims(input, dim)
    total = sum(input, dim, keepdim=True, dtype=dtype, mask=mask)
    return _without(total / _count(input, dims, mask).to(dtype), dims, keepdim)


# ---- extremes


def _extreme(name: str, input: Tensor, dim: _Dims, keepdim: bool, dtype: Any, mask: Tensor | None) -> Tensor:
    input = input if dtype is None else input.to(dtype)
    kept = _filled(input, mask, _least(name, input.dtype, name == "amin"))
    dims = _dims(input, dim)
    return getattr(taeda, name)(kept, dims, keepdim) if dims else kept


def amax(
    input: Tensor, dim: _Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the largest element over ``dim`` under the mask."""
    return _extreme("amax", input, dim, keepdim, dtype, mask)


def amin(
    input: Tensor, dim: _Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the smallest element over ``dim`` under the mask."""
    return _extreme("amin", input, dim, keepdim, dtype, mask)


def _place(name: str, input: Tensor, dim: int | None, keepdim: bool, dtype: Any, mask: Tensor | None) -> Tensor:
    dtype = input.dtype if dtype is None else dtype
    kept = _filled(input, mask, _least(name, input.dtype, name == "argmin"))
    return getattr(taeda, name)(kept, dim, keepdim).to(dtype)


def argmax(
    input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the index along ``dim`` of the largest element under the mask, in ``input``'s dtype (as PyTorch does)."""
    return _place("argmax", input, dim, keepdim, dtype, mask)


def argmin(
    input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the index along ``dim`` of the smallest element under the mask, in ``input``'s dtype (as PyTorch does)."""
    return _place("argmin", input, dim, keepdim, dtype, mask)


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the median along ``dim`` of the elements under the mask: of an even number, the lower of the middle two."""
    input = input if dtype is None else input.to(dtype)
    if mask is None:
        return input.median(dim, keepdim).values
    if input.is_floating_point():
        if input.isnan().any():
            raise ValueError("median does not support input with nan together with a mask")
        return _filled(input, mask, float("nan")).nanmedian(dim, keepdim).values
    if not _bool_mask(input, mask).any(dim).all():
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    return _filled(input.to(taeda.float64), mask, float("nan")).nanmedian(dim, keepdim).values.to(input.dtype)


# ---- norms and deviations


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: _Dims = None,
    *,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the vector norm of order ``ord`` over ``dim`` of the elements under the mask."""
    ord = 2.0 if ord is None else ord
    kept = _filled(input, mask, float("inf") if ord < 0 else 0)
    dims = _dims(input, dim)
    return taeda.linalg.vector_norm(kept, ord, dims if dims else None, keepdim, dtype=dtype)


def _variance(
    input: Tensor,
    dim: _Dims,
    unbiased: bool | None,
    correction: float | None,
    keepdim: bool,
    dtype: Any,
    mask: Tensor | None,
) -> Tensor:
    if unbiased is not None and correction is not None:
        raise ValueError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 1.0 if unbiased is None else float(unbiased)
    dtype = input.dtype if dtype is None else dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        dtype = taeda.float32
    dims = _dims(input, dim)
    values = input.to(dtype)
    count = _count(input, dims, mask)
    center = sum(values, dim, keepdim=True, mask=mask) / count.to(dtype)
    apart = values - center
    squares = apart * apart.conj() if dtype.is_complex else apart * apart  # a complex variance, as PyTorch's
    total = sum(squares, dim, keepdim=True, mask=mask)
    free = taeda.clamp(count.to(total.dtype.to_real()) - correction, min=0)
    return _without(total / free, dims, keepdim)


def var(
    input: Tensor,
    dim: _Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the variance over ``dim`` of the elements under the mask; the divisor is their number less ``correction``."""
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(
    input: Tensor,
    dim: _Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the standard deviation over ``dim`` of the elements under the mask: the root of ``var``."""
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask).sqrt()


# ---- normalisations


def _converted(input: Tensor, dtype: Any) -> Tensor:
    return input if dtype is None else input.to(dtype)


def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the softmax along ``dim`` of the elements under the mask; the others get 0."""
    return taeda.softmax(_filled(_converted(input, dtype), mask, float("-inf")), dim)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the logarithm of the softmax along ``dim`` of the elements under the mask; the others get -inf."""
    return taeda.log_softmax(_filled(_converted(input, dtype), mask, float("-inf")), dim)


def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Tensor | None = None) -> Tensor:
    """Return the softmax of ``-input`` along ``dim`` of the elements under the mask; the others get 0."""
    return taeda.softmax(-_filled(_converted(input, dtype), mask, float("inf")), dim)


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the elements under the mask divided by their norm along ``dim`` (at least ``eps``); the others get 0."""
    input = _converted(input, dtype)
    length = norm(input, ord, dim, keepdim=True, mask=mask)
    return _filled(input, mask, 0) / taeda.clamp(length, min=eps)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: Any = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """Return ``log(exp(input) + exp(other))``; masked elements count as -inf."""
    a = _filled(_converted(input, dtype), input_mask, float("-inf"))
    return taeda.logaddexp(a, _filled(_converted(other, dtype), other_mask, float("-inf")))


def logsumexp(
    input: Tensor, dim: _Dims = None, *, keepdim: bool = False, dtype: Any = None, mask: Tensor | None = None
) -> Tensor:
    """Return the logarithm of the sum over ``dim`` of the exponentials of the elements under the mask."""
    kept = _filled(_converted(input, dtype), mask, float("-inf"))
    dims = _dims(input, dim)
    return taeda.logsumexp(kept, dims, keepdim).to(kept.dtype)
