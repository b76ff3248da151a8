"""Compositions that work element by element: what chooses among rows of the pointwise table, converts, or compares."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "allclose",
    "conj",
    "expit",
    "float_power",
    "float_power_",
    "frexp",
    "gammainc",
    "gammaincc",
    "gammaln",
    "isclose",
    "isreal",
    "multigammaln",
    "mvlgamma",
    "mvlgamma_",
    "nan_to_num",
    "nan_to_num_",
    "polygamma",
    "positive",
    "psi",
    "resolve_conj",
    "resolve_neg",
]


def _into(out: Tensor | None, made: Tensor) -> Tensor:
    return made if out is None else out.resize_(made.shape).copy_(made)


@public("torch", "Tensor")
def positive(input: Tensor) -> Tensor:
    """Return ``input`` itself. A bool tensor is an error, as for Python's ``+``."""
    if input.dtype == taeda.bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


# ---- complex numbers


@public("torch", "Tensor")
def conj(input: Tensor) -> Tensor:
    """Return the complex conjugate; a tensor that is not complex is returned itself.

    DIFF(torch): the conjugate is computed at once, there is no conjugate bit.
    """
    return taeda.conj_physical(input) if input.is_complex() else input


@public("torch", "Tensor")
def resolve_conj(input: Tensor) -> Tensor:
    """Return ``input``: conjugates are always computed at once."""
    return input


@public("torch", "Tensor")
def resolve_neg(input: Tensor) -> Tensor:
    """Return ``input``: negations are always computed at once."""
    return input


@public("torch", "Tensor")
def isreal(input: Tensor) -> Tensor:
    """Return where the imaginary part is zero, as a bool tensor; True throughout for other dtypes."""
    if input.is_complex():
        return taeda.imag(input) == 0
    return taeda.ones_like(input, dtype=taeda.bool)


# ---- powers


def _wide(value: Any, dtype: taeda.dtype) -> Any:
    return value.to(dtype) if isinstance(value, taeda.Tensor) else value


def _is_complex(value: Any) -> bool:
    return value.is_complex() if isinstance(value, taeda.Tensor) else isinstance(value, complex)


@public("torch", "Tensor")
def float_power(input: Tensor | complex, exponent: Tensor | complex, *, out: Tensor | None = None) -> Tensor:
    """Return ``input ** exponent``, computed in double precision.

    Args:
        input: the base, a tensor or a number.
        exponent: the exponent, a tensor or a number; one of the two is a tensor.
        out: receives the result.

    Returns:
        A float64 tensor, or complex128 where one of the two is complex.
    """
    dtype = taeda.complex128 if _is_complex(input) or _is_complex(exponent) else taeda.float64
    return taeda.pow(_wide(input, dtype), _wide(exponent, dtype), out=out)


@public("Tensor")
def float_power_(input: Tensor, exponent: Tensor | complex) -> Tensor:
    """Replace the elements by ``input ** exponent``; ``input`` must have the dtype of the result (float64, say)."""
    made = float_power(input, exponent)
    if made.dtype != input.dtype:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {input.dtype} but the operation's result requires dtype {made.dtype}"
        )
    return input.pow_(_wide(exponent, made.dtype))


# ---- numbers that are none


@public("torch", "Tensor")
def nan_to_num(
    input: Tensor,
    nan: float | None = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input`` with NaN and infinities replaced.

    Args:
        input: any tensor; integers are returned as they are.
        nan: what NaN becomes; default: 0.
        posinf: what plus infinity becomes; default: the dtype's largest number.
        neginf: what minus infinity becomes; default: the dtype's smallest number.
        out: receives the result.
    """
    if input.is_complex():
        parts = [nan_to_num(part, nan, posinf, neginf) for part in (taeda.real(input), taeda.imag(input))]
        return _into(out, taeda.complex(*parts))
    if not input.is_floating_point():
        return _into(out, input.clone())
    return _into(out, taeda._C._nan_to_num(input, *_replacements(input, nan, posinf, neginf)))


@public("torch", "Tensor")
def nan_to_num_(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Replace NaN and infinities in ``input``; see :func:`nan_to_num`."""
    return input.copy_(nan_to_num(input, nan, posinf, neginf))


def _replacements(
    input: Tensor, nan: float | None, posinf: float | None, neginf: float | None
) -> tuple[float, float, float]:
    low, high = _limits(input.dtype)
    return (
        0.0 if nan is None else float(nan),
        high if posinf is None else float(posinf),
        low if neginf is None else float(neginf),
    )


@functools.cache
def _limits(dtype: Any) -> tuple[float, float]:
    limits = taeda.finfo(dtype)
    return limits.min, limits.max


@functools.cache
def _frexp_result() -> Callable[[tuple[Tensor, Tensor]], Any]:
    from taeda import _ops

    return _ops._named_tuple("frexp", ("mantissa", "exponent"))


@public("torch", "Tensor")
def frexp(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> Any:
    """Return the mantissa, in ``[0.5, 1)`` up to its sign, and the int32 exponent: ``mantissa * 2**exponent`` is ``input``.

    Zero, infinity and NaN are their own mantissas, with the exponent 0.
    """
    if not input.is_floating_point():
        raise RuntimeError(f"torch.frexp() only supports floating-point dtypes, but got {input.dtype}")
    made = (taeda._C._frexp_mantissa(input), taeda._C._frexp_exponent(input).to(taeda.int32))
    if out is not None:
        made = (_into(out[0], made[0]), _into(out[1], made[1]))
    return _frexp_result()(made)


# ---- the gamma function's relatives


def _polygamma(n: int, input: Tensor, out: Tensor | None = None) -> Tensor:
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return _into(out, taeda._C._polygamma(input, n))


@public("torch", "special")
def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the ``n``-th derivative of the digamma function at ``input``.

    Args:
        n: the order, at least 0 (0: digamma itself).
        input: the points.
        out: receives the result.
    """
    return _polygamma(n, input, out)


@public("Tensor", name="polygamma")
def _polygamma_method(input: Tensor, n: int) -> Tensor:
    """Return the ``n``-th derivative of the digamma function at the tensor's elements."""
    return _polygamma(n, input)


@public("Tensor", name="polygamma_")
def _polygamma_in_place(input: Tensor, n: int) -> Tensor:
    """Replace the elements by the ``n``-th derivative of the digamma function at them."""
    return input.copy_(_polygamma(n, input))


@public("torch", "Tensor")
def mvlgamma(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of the multivariate gamma function of dimension ``p``; elements must exceed ``(p - 1) / 2``.

    It is ``p * (p - 1) / 4 * log(pi)`` and the sum of ``lgamma(input - j / 2)`` for j from 0 to ``p - 1``.
    """
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    if not input.is_floating_point():
        input = input.to(taeda.get_default_dtype())
    halves = taeda.arange(int(p), dtype=input.dtype, device=input.device) / 2
    total = taeda.lgamma(input.unsqueeze(-1) - halves).sum(-1) + p * (p - 1) / 4 * math.log(math.pi)
    return _into(out, total)


@public("Tensor")
def mvlgamma_(input: Tensor, p: int) -> Tensor:
    """Replace the elements by the logarithm of the multivariate gamma function of dimension ``p``."""
    return input.copy_(mvlgamma(input, p))


@public("special")
def multigammaln(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of the multivariate gamma function; the same as ``torch.mvlgamma``."""
    return mvlgamma(input, p, out=out)


@public("special")
def gammaln(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of the absolute value of the gamma function; the same as ``torch.lgamma``."""
    return taeda.lgamma(input, out=out)


@public("special")
def psi(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithmic derivative of the gamma function; the same as ``torch.digamma``."""
    return taeda.digamma(input, out=out)


@public("special")
def expit(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``1 / (1 + exp(-input))``; the same as ``torch.sigmoid``."""
    return taeda.sigmoid(input, out=out)


@public("special")
def gammainc(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the regularised lower incomplete gamma function; the same as ``torch.igamma``."""
    return taeda.igamma(input, other, out=out)


@public("special")
def gammaincc(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the regularised upper incomplete gamma function; the same as ``torch.igammac``."""
    return taeda.igammac(input, other, out=out)


# ---- closeness


@public("torch", "Tensor")
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Return where ``abs(input - other) <= atol + rtol * abs(other)``, as a bool tensor.

    Args:
        input, other: tensors of one dtype that broadcast.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        equal_nan: whether two NaN are close. Equal infinities always are.
    """
    if input.dtype != other.dtype:
        raise RuntimeError(f"{input.dtype} did not match {other.dtype}")
    if rtol < 0 or atol < 0:
        raise RuntimeError(
            f"{'rtol' if rtol < 0 else 'atol'} must be greater than or equal to zero, but got {min(rtol, atol)}"
        )
    with taeda.no_grad():
        close = input == other
        if equal_nan and (input.is_floating_point() or input.is_complex()):
            close = close | ((input != input) & (other != other))
        if rtol == 0 and atol == 0:
            return close
        if not (input.is_floating_point() or input.is_complex()):
            input, other = input.to(taeda.get_default_dtype()), other.to(taeda.get_default_dtype())
        difference = taeda.abs(input - other)
        return close | (taeda.isfinite(difference) & (difference <= atol + taeda.abs(rtol * other)))


@public("torch", "Tensor")
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Return whether all elements are close; see :func:`isclose`."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())
