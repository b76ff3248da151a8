"""Rows: elementary functions, rounding, and the functions of complex numbers."""

from __future__ import annotations

import math

from taeda.ops import atoms as a
from taeda.ops.expr import attr, const, eq, g, r, variable, where
from taeda.ops.pointwise import pointwise

x, y = variable("input"), variable("other")
inf, nan = math.inf, math.nan


def _unary(
    name: str,
    expression,
    doc: str,
    *,
    types: str = "float complex",
    rule: str = "to_float",
    **rest,
) -> None:
    pointwise(f"{name}(Tensor input)", expression, types=types, rule=rule, doc=doc, **rest)


_unary(
    "sqrt",
    a.sqrt(x),
    "Return the square root; NaN for negative numbers.",
    edges={0.0: 0.0, inf: inf, -1.0: nan, 4.0: 2.0},
)
_unary(
    "rsqrt",
    a.rsqrt(x),
    "Return ``1 / sqrt(input)``.",
    edges={0.0: inf, inf: 0.0, -1.0: nan, 4.0: 0.5},
)
_unary(
    "exp",
    a.exp(x),
    "Return e to the power of ``input``.",
    edges={-inf: 0.0, inf: inf, nan: nan, 0.0: 1.0},
)
_unary(
    "exp2",
    a.exp2(x),
    "Return 2 to the power of ``input``.",
    where="torch Tensor special",
    edges={-inf: 0.0, inf: inf, nan: nan, 3.0: 8.0},
)
_unary(
    "expm1",
    a.expm1(x),
    "Return ``exp(input) - 1``, exact near 0.",
    where="torch Tensor special",
    edges={-inf: -1.0, inf: inf, nan: nan, 1e-20: 1e-20},
)
_unary(
    "log",
    a.log(x),
    "Return the natural logarithm; NaN for negative numbers.",
    edges={0.0: -inf, inf: inf, -1.0: nan, 1.0: 0.0},
)
_unary(
    "log2",
    a.log2(x),
    "Return the logarithm to base 2.",
    edges={0.0: -inf, inf: inf, -1.0: nan, 8.0: 3.0},
)
_unary(
    "log10",
    a.log10(x),
    "Return the logarithm to base 10.",
    edges={0.0: -inf, inf: inf, -1.0: nan},
)
_unary(
    "log1p",
    a.log1p(x),
    "Return ``log(1 + input)``, exact near 0.",
    where="torch Tensor special",
    edges={-1.0: -inf, inf: inf, -2.0: nan, 1e-20: 1e-20},
)
_unary("sin", a.sin(x), "Return the sine.", edges={0.0: 0.0, inf: nan})
_unary("cos", a.cos(x), "Return the cosine.", edges={0.0: 1.0, inf: nan})
_unary("tan", a.tan(x), "Return the tangent.", edges={0.0: 0.0, inf: nan})
_unary(
    "asin",
    a.asin(x),
    "Return the arcsine, in radians; NaN outside [-1, 1].",
    alias="arcsin",
    edges={0.0: 0.0, 2.0: nan},
)
_unary(
    "acos",
    a.acos(x),
    "Return the arccosine, in radians; NaN outside [-1, 1].",
    alias="arccos",
    edges={1.0: 0.0, 2.0: nan},
)
_unary(
    "atan",
    a.atan(x),
    "Return the arctangent, in radians.",
    alias="arctan",
    edges={0.0: 0.0, inf: math.pi / 2},
)
_unary(
    "sinh",
    a.sinh(x),
    "Return the hyperbolic sine.",
    edges={0.0: 0.0, inf: inf, -inf: -inf},
)
_unary(
    "cosh",
    a.cosh(x),
    "Return the hyperbolic cosine.",
    edges={0.0: 1.0, inf: inf, -inf: inf},
)
_unary(
    "tanh",
    a.tanh(x),
    "Return the hyperbolic tangent.",
    edges={0.0: 0.0, inf: 1.0, -inf: -1.0, nan: nan},
)
_unary(
    "asinh",
    a.asinh(x),
    "Return the inverse hyperbolic sine.",
    alias="arcsinh",
    edges={0.0: 0.0, inf: inf, -inf: -inf},
)
_unary(
    "acosh",
    a.acosh(x),
    "Return the inverse hyperbolic cosine; NaN below 1.",
    # Two roots: that of the product lies on another branch in the left half of the complex plane.
    complex_vjp={"input": g * a.conj(a.rsqrt(x + 1) * a.rsqrt(x - 1))},
    alias="arccosh",
    edges={1.0: 0.0, inf: inf, 0.0: nan},
)
_unary(
    "atanh",
    a.atanh(x),
    "Return the inverse hyperbolic tangent; NaN outside [-1, 1].",
    alias="arctanh",
    edges={0.0: 0.0, 1.0: inf, 2.0: nan},
)
_t = math.pi * x
_t2 = _t * _t
_unary(
    "sinc",
    where(eq(x, 0), 1, a.sin(_t) / _t),
    "Return ``sin(pi * input) / (pi * input)``, and 1 at 0.",
    # The quotient cancels near 0: there the first terms of its series.
    grad={
        "input": where(
            a.abs_(x) < 0.03,
            -math.pi * _t * (1 / 3 - _t2 * (1 / 30 - _t2 * (1 / 840 - _t2 * (1 / 45360)))),
            (a.cos(_t) - a.sin(_t) / _t) / x,
        )
    },
    complex_vjp={"input": where(eq(x, 0), 0, g * a.conj((a.cos(_t) - a.sin(_t) / _t) / x))},
    where="torch Tensor special",
    edges={0.0: 1.0},
)
_unary("deg2rad", x * (math.pi / 180), "Return degrees as radians.", types="float")
_unary("rad2deg", x * (180 / math.pi), "Return radians as degrees.", types="float")

pointwise(
    "atan2(Tensor input, Tensor other)",
    a.atan2(x, y),
    rule="to_float",
    alias="arctan2",
    doc="Return the angle of the point with ordinate ``input`` and abscissa ``other``, in (-pi, pi].",
)
pointwise(
    "hypot(Tensor input, Tensor other)",
    a.hypot(x, y),
    doc="Return ``sqrt(input**2 + other**2)`` without overflow.",
)
pointwise(
    "logaddexp(Tensor input, Tensor other)",
    a.logaddexp(x, y),
    types="float complex",
    inplace=False,
    doc="Return ``log(exp(input) + exp(other))`` without overflow.",
)
pointwise(
    "logaddexp2(Tensor input, Tensor other)",
    a.logaddexp2(x, y),
    inplace=False,
    doc="Return ``log2(2**input + 2**other)`` without overflow.",
)
pointwise(
    "xlogy(Operand input, Operand other)",
    a.xlogy(x, y),
    rule="to_float",
    where="torch Tensor special",
    doc="Return ``input * log(other)``: 0 where ``input`` is 0 (unless ``other`` is NaN).",
)
pointwise(
    "xlog1py(Operand input, Operand other)",
    a.xlog1py(x, y),
    rule="to_float",
    where="special",
    inplace=False,
    doc="Return ``input * log1p(other)``: 0 where ``input`` is 0 (unless ``other`` is NaN).",
)
pointwise(
    "ldexp(Tensor input, Tensor other)",
    x * a.exp2(y),
    types="float complex",
    rule="to_float",
    doc="Return ``input * 2**other``.",
)

# ---- rounding: the gradient is zero
_unary(
    "floor",
    a.floor(x),
    "Round down to a whole number.",
    types="int uint float",
    rule="same",
    edges={-0.5: -1.0, 2.7: 2.0, inf: inf},
)
_unary(
    "ceil",
    a.ceil(x),
    "Round up to a whole number.",
    types="int uint float",
    rule="same",
    edges={0.5: 1.0, -2.7: -2.0, inf: inf},
)
_unary(
    "trunc",
    a.trunc(x),
    "Round towards zero.",
    types="int uint float",
    rule="same",
    alias="fix",
    edges={-0.5: 0.0, 2.7: 2.0},
)
_unary(
    "frac",
    x - a.trunc(x),
    "Return the fractional part, with the sign of ``input``.",
    types="float",
    rule="same",
    grad={"input": 1},
    edges={-2.5: -0.5, 3.0: 0.0},
)
decimals = attr("decimals")
_unary(
    "round",
    a.round_even(x),
    "Round to the nearest whole number; ties go to the even one.",
    types="int uint float",
    rule="same",
    where="torch Tensor special",
    edges={0.5: 0.0, 1.5: 2.0, -2.5: -2.0},
)
pointwise(
    "round(Tensor input, *, int decimals)",
    # Powers of ten are exact in this direction only: negative decimals divide first.
    where(
        decimals >= 0,
        a.round_even(x * a.ten_to(decimals)) / a.ten_to(decimals),
        a.round_even(x / a.ten_to(-decimals)) * a.ten_to(-decimals),
    ),
    overload="decimals",
    grad={"input": 0},
    where="torch Tensor special",
    doc="Round to the nearest number with ``decimals`` decimals (negative: tens, hundreds ...); ties go to the even one.",
)

pointwise(
    "copysign(Tensor input, Operand other)",
    a.copysign(x, y),
    rule="to_float",
    doc="Return the magnitude of ``input`` with the sign of ``other`` (the sign of -0.0 counts).",
)
pointwise(
    "nextafter(Tensor input, Tensor other)",
    a.nextafter(x, y),
    doc="Return the next number after ``input`` towards ``other``.",
)
pointwise(
    "heaviside(Tensor input, Tensor values)",
    where(eq(x, 0), variable("values"), where(x > 0, 1, 0)),
    types="bool int float",
    differentiable=False,
    doc="Return 0 for negative ``input``, 1 for positive, ``values`` at 0.",
)
pointwise(
    "_nan_to_num(Tensor input, float nan, float posinf, float neginf)",
    where(
        a.isnan(x),
        attr("nan"),
        where(eq(x, inf), attr("posinf"), where(eq(x, -inf), attr("neginf"), x)),
    ),
    types="float",
    grad={"input": where(a.isfinite(x), 1, 0)},
    where="_C",
)

# ---- complex numbers
pointwise(
    "conj_physical(Tensor input)",
    a.conj(x),
    types="bool int uint float complex",
    vjp={"input": g},
    complex_vjp={"input": a.conj(g)},
    doc="Return the complex conjugate (other dtypes: a copy).",
)
pointwise(
    "angle(Tensor input)",
    a.angle(x),
    types="float complex",
    rule="real_part",
    complex_vjp={"input": where(eq(x, 0), 0, g * (const(1j) * (x / (x * a.conj(x)))))},
    inplace=False,
    doc="Return the angle in radians; of real numbers 0 or, where negative, pi.",
)
pointwise(
    "complex(Tensor real, Tensor imag)",
    a.make_complex(variable("real"), variable("imag")),
    types="float",
    rule="to_complex",
    complex_vjp={"real": a.real(g), "imag": a.real(const(-1j) * g)},
    vjp={"real": a.real(g), "imag": a.real(const(-1j) * g)},
    where="torch",
    inplace=False,
    check="complex",
    doc="Return the complex tensor with these real and imaginary parts (two float32 or two float64 tensors).",
)
_polar_vjp = {"abs": a.real(g * a.conj(a.sgn(r))), "angle": a.real(g * a.conj(const(1j) * r))}
pointwise(
    "polar(Tensor abs, Tensor angle)",
    a.polar(variable("abs"), variable("angle")),
    types="float",
    rule="to_complex",
    vjp=_polar_vjp,
    complex_vjp=_polar_vjp,
    where="torch",
    inplace=False,
    check="complex",
    doc="Return the complex tensor with these absolute values and angles (radians).",
)
