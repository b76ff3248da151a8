"""Norms, distances, differences, integrals and covariances, composed of reductions."""

from __future__ import annotations

import math
from typing import Any

import taeda
from taeda._C import Tensor
from taeda._composite._public import public

__all__ = [
    "cdist",
    "corrcoef",
    "cov",
    "cross",
    "cumulative_trapezoid",
    "diff",
    "dist",
    "nanquantile",
    "quantile",
    "trapezoid",
    "trapz",
]


@public("torch", "Tensor")
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Return the ``p``-norm of ``input - other``, which broadcast."""
    return taeda.linalg.vector_norm(input - other, p)


@public("torch")
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """Return the ``p``-norm distance of each row of ``x1`` (..., P, M) to each of ``x2`` (..., R, M): (..., P, R).

    Args:
        p: the order, not negative; inf gives the largest difference, 0 the count of differing entries.
        compute_mode: accepted; differences are always taken, which is exact where products would cancel.
    """
    if not (x1.is_floating_point() and x2.is_floating_point()):
        raise RuntimeError(f"cdist only supports floating-point dtypes, X1 got: {x1.dtype}, X2 got: {x2.dtype}")
    if x1.dim() < 2 or x2.dim() < 2:
        raise RuntimeError(f"cdist only supports at least 2D tensors, X1 got: {x1.dim()}D, X2 got: {x2.dim()}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    if x1.dim() == x2.dim() == 2 and x1.shape[-1] and x1.dtype == x2.dtype:
        return taeda._C._cdist(x1.unsqueeze(0), x2.unsqueeze(0), p).squeeze(0)
    if x1.shape[-1] == 0:
        batch = taeda.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        return x1.new_zeros((*batch, x1.shape[-2], x2.shape[-2]))
    batch = taeda.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    dtype = taeda.promote_types(x1.dtype, x2.dtype)
    rows = [x.to(dtype).expand(*batch, *x.shape[-2:]).reshape(math.prod(batch), *x.shape[-2:]) for x in (x1, x2)]
    return taeda._C._cdist(*rows, p).reshape(*batch, x1.shape[-2], x2.shape[-2])


@public("torch", "Tensor")
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Return the ``n``-th difference along ``dim``: neighbours subtracted (for bool: compared), ``n`` times.

    Args:
        n: how often; not negative. More than the length gives an empty result.
        dim: the dimension.
        prepend, append: joined to ``input`` along ``dim`` first.
    """
    if input.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if n == 0:
        return input.clone()
    parts = [part for part in (prepend, input, append) if part is not None]
    result = taeda.cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, result.shape[dim])):
        length = result.shape[dim]
        after, before = result.narrow(dim, 1, max(length - 1, 0)), result.narrow(dim, 0, max(length - 1, 0))
        result = after ^ before if result.dtype is taeda.bool else after - before
    return result


@public("torch")
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Return the integral of ``y`` along ``dim`` by the trapezoidal rule, at points ``x`` or with steps ``dx``."""
    steps = _steps(y, x, dx, dim)
    pairs = (y.narrow(dim, 1, _gaps(y, dim)) + y.narrow(dim, 0, _gaps(y, dim))) * steps
    return pairs.sum(dim) / 2.0


@public("torch")
def trapz(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Return ``trapezoid(y, x, dx=dx, dim=dim)``."""
    return trapezoid(y, x, dx=dx, dim=dim)


@public("torch")
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Return the running integral of ``y`` along ``dim`` by the trapezoidal rule; one element fewer than ``y``."""
    steps = _steps(y, x, dx, dim)
    pairs = (y.narrow(dim, 1, _gaps(y, dim)) + y.narrow(dim, 0, _gaps(y, dim))) * steps
    return pairs.cumsum(dim) / 2.0


def _gaps(y: Tensor, dim: int) -> int:
    return max(y.shape[dim] - 1, 0)


def _steps(y: Tensor, x: Tensor | None, dx: float, dim: int) -> Any:
    if x is None:
        return dx
    if x.dim() == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(
                f"trapezoid: There must be one `x` value for each sample point: {x.shape[0]} and {y.shape[dim]}"
            )
        shape = [1] * y.dim()
        shape[dim] = x.shape[0]
        x = x.view(shape)
    elif x.dim() < y.dim():
        x = x.reshape((1,) * (y.dim() - x.dim()) + tuple(x.shape))
    return diff(x, dim=dim)


def _check_weights(name: str, weights: Tensor, n: int) -> None:
    whole = name == "fweights"
    if weights.dim() > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {weights.dim()} dimensions"
        )
    if whole and (weights.is_floating_point() or weights.is_complex() or weights.dtype is taeda.bool):
        raise RuntimeError(
            f"cov(): expected fweights to have integral dtype but got fweights with {weights.dtype} dtype"
        )
    if not whole and not weights.is_floating_point():
        raise RuntimeError(
            f"cov(): expected aweights to have floating point dtype but got aweights with {weights.dtype} dtype"
        )
    if weights.numel() != n:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{weights.numel()} != {n}"
        )
    if n and (weights < 0).any():
        raise RuntimeError(f"cov(): {name} cannot be negative")


@public("torch", "Tensor")
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Return the covariances of the variables in the rows of ``input``, whose columns are observations.

    Args:
        correction: subtracted from the count of observations in the divisor.
        fweights: how often each observation occurs (ints).
        aweights: how much each observation weighs.
    """
    if input.dim() > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions"
        )
    if input.dtype is taeda.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = input if input.dim() == 2 else input.reshape(1, -1)
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is not None:
            _check_weights(name, given, x.shape[1])
    if not (x.is_floating_point() or x.is_complex()):
        x = x.to(taeda.get_default_dtype())
    weights = None
    for given in (fweights, aweights):
        if given is not None:
            weights = given if weights is None else weights * given
    if weights is None:
        total = x.shape[1]
        centred = x - x.mean(1, keepdim=True)
        weighted = centred
        divisor: Any = total - correction
    else:
        total = weights.sum()
        centred = x - (x * weights).sum(1, keepdim=True) / total
        weighted = centred * weights
        effective = (weights * aweights).sum() / total if aweights is not None else 1
        divisor = total - correction * effective
    if isinstance(divisor, (int, float)):
        divisor = max(divisor, 0)
    else:
        divisor = divisor.clamp(min=0)
    return (weighted @ centred.mH / divisor).squeeze()


@public("torch", "Tensor")
def corrcoef(input: Tensor) -> Tensor:
    """Return the correlation coefficients of the variables in the rows of ``input``."""
    if input.dim() > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions"
        )
    covariance = cov(input)
    if covariance.dim() == 0:
        return covariance / covariance
    deviation = covariance.diagonal().real.sqrt() if covariance.is_complex() else covariance.diagonal().sqrt()
    result = covariance / deviation.unsqueeze(-1) / deviation.unsqueeze(0)
    if result.is_complex():
        return taeda.complex(result.real.clamp(-1, 1), result.imag.clamp(-1, 1))
    return result.clamp(-1, 1)


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool) -> Tensor:
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got "
            + interpolation
        )
    if input.dtype not in (taeda.float32, taeda.float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if input.numel() == 0:
        raise RuntimeError("quantile() input tensor must be non-empty")
    levels = q if isinstance(q, Tensor) else taeda.tensor(float(q), dtype=input.dtype)
    if levels.dim() > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if levels.dtype != input.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if not bool(((levels >= 0) & (levels <= 1)).all()):
        raise RuntimeError("quantile() q values must be in the range [0, 1]")
    values = (
        (input.flatten() if dim is None else input.movedim(dim, -1) if input.dim() else input.reshape(1))
        .sort(-1)
        .values
    )
    valid = (
        values.isnan().logical_not().sum(-1, keepdim=True)
        if ignore_nan
        else taeda.full_like(values[..., :1], values.shape[-1], dtype=taeda.int64)
    )
    # NaN sorts last: without ignore_nan a NaN anywhere makes the answer NaN.
    rank = levels.reshape(-1) * (valid - 1).clamp(min=0).to(input.dtype)
    if not ignore_nan:
        rank = taeda.where(values[..., -1:].isnan(), float(values.shape[-1] - 1), rank)
    low = {"higher": rank.ceil, "nearest": rank.round}.get(interpolation, rank.floor)()
    result = values.gather(-1, low.long())
    if interpolation in ("linear", "midpoint"):
        above = values.gather(-1, rank.ceil().long())
        weight = taeda.full_like(rank, 0.5) if interpolation == "midpoint" else rank - low
        result = taeda.lerp(result, above, weight)
    result = result.movedim(-1, 0)  # the levels lead
    if keepdim:
        shape = [1] * input.dim() if dim is None else list(input.shape)
        if dim is not None and input.dim():
            shape[dim] = 1
        result = result.reshape(result.shape[0], *shape)
    return result if levels.dim() else result.squeeze(0)


@public("torch", "Tensor")
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Return the ``q``-quantiles of ``input`` along ``dim``; NaN where there is one. No limit on the size.

    Args:
        q: a number in [0, 1], or a 1-d tensor of them, which then leads the result's shape.
        dim: the dimension; default: all elements.
        keepdim: keep it with size one.
        interpolation: between two neighbours: linear, lower, higher, midpoint or nearest.
    """
    return _quantile(input, q, dim, keepdim, interpolation, ignore_nan=False)


@public("torch", "Tensor")
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Return the ``q``-quantiles of what is not NaN; otherwise as ``quantile``."""
    return _quantile(input, q, dim, keepdim, interpolation, ignore_nan=True)


@public("linalg")
def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Return the cross products of the vectors of length 3 along ``dim``; the other dimensions broadcast."""
    if input.dim() != other.dim():
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[dim]} and {other.shape[dim]}"
        )
    if input.shape != other.shape:
        input, other = taeda.broadcast_tensors(input, other)
    if input.dtype != other.dtype:
        dtype = taeda.promote_types(input.dtype, other.dtype)
        input, other = input.to(dtype), other.to(dtype)
    return taeda._C._cross(input, other, dim)


@public("torch", "Tensor", name="cross")
def _cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Return the cross products along ``dim``; default: the first dimension of length 3."""
    if dim is None:
        dim = next((d for d, size in enumerate(input.shape) if size == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    return cross(input, other, dim=dim)
