"""Element by element: the standard's functions, most of which are taeda's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda
from taeda import Tensor

_UNARY = (
    "abs acos acosh asin asinh atan atanh ceil conj cos cosh exp expm1 floor isfinite isinf isnan log log1p log2 log10 "
    "logical_not negative positive reciprocal round sign signbit sin sinh square sqrt tan tanh trunc imag real"
).split()
_BINARY = (
    "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal floor_divide "
    "greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum minimum multiply "
    "nextafter not_equal pow remainder subtract"
).split()
_OTHER_NAMES = {
    "bitwise_invert": "bitwise_not",
    "equal": "eq",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "not_equal": "ne",
    "sign": "sgn",  # of complex numbers too
}

__all__ = ["clip"]


def _unary(name: str) -> None:
    function: Callable[..., Any] = getattr(taeda, _OTHER_NAMES.get(name, name))

    def apply(x: Tensor, /) -> Tensor:
        return function(x)

    _finish(apply, name, function)


def _binary(name: str) -> None:
    function: Callable[..., Any] = getattr(taeda, _OTHER_NAMES.get(name, name))

    def apply(x1: Any, x2: Any, /) -> Tensor:
        # One of the two may be a Python number, of whatever kind goes with the other's dtype.
        if not isinstance(x1, Tensor):
            x1 = taeda.tensor(x1, dtype=_dtype_beside(x1, x2))
        elif not isinstance(x2, Tensor):
            x2 = taeda.tensor(x2, dtype=_dtype_beside(x2, x1))
        return function(x1, x2)

    _finish(apply, name, function)


def _dtype_beside(number: Any, other: Tensor) -> Any:
    """The dtype of a number beside a tensor: the tensor's, unless the number is of a higher kind."""
    return taeda.result_type(other, number)


def _finish(apply: Callable[..., Any], name: str, function: Callable[..., Any]) -> None:
    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = (function.__doc__ or "").partition("\n")[0] or None
    globals()[name] = apply
    __all__.append(name)


for _name in (*_UNARY, "bitwise_invert"):
    if _name not in ("imag", "real"):
        _unary(_name)
for _name in _BINARY:
    _binary(_name)


def real(x: Tensor, /) -> Tensor:
    """Return the real parts."""
    return taeda.real(x) if x.is_complex() else x


def imag(x: Tensor, /) -> Tensor:
    """Return the imaginary parts: zeros of real numbers."""
    return taeda.imag(x) if x.is_complex() else taeda.zeros_like(x)


__all__ += ["imag", "real"]


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """Return ``x`` with elements below ``min`` and above ``max`` replaced by these; the dtype stays ``x``'s."""
    if min is not None:
        x = taeda.maximum(x, _bound(min, x))
    if max is not None:
        x = taeda.minimum(x, _bound(max, x))
    return x.clone() if min is None and max is None else x


def _bound(value: Any, x: Tensor) -> Tensor:
    return value.to(x.dtype) if isinstance(value, Tensor) else taeda.tensor(value, dtype=x.dtype)
