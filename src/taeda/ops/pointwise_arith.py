"""Rows: sums, products, quotients, remainders, powers, choices and bits."""

from __future__ import annotations

from taeda.ops import atoms as a
from taeda.ops.expr import attr, eq, g, r, variable, where
from taeda.ops.pointwise import pointwise
from taeda.ops.registry import op

x, y = variable("input"), variable("other")
alpha, value = attr("alpha"), attr("value")
NUMBERS = "int float complex"
ALL_NUMBERS = "int uint float complex"

pointwise(
    "add(Operand input, Operand other, *, Scalar alpha=1)",
    x + alpha * y,
    types="bool int uint float complex",
    check="add",
    doc="Return ``input + alpha * other``.",
)
pointwise(
    "sub(Operand input, Operand other, *, Scalar alpha=1)",
    x - alpha * y,
    types=ALL_NUMBERS,
    check="sub",
    alias="subtract",
    doc="Return ``input - alpha * other``. Two bool tensors are an error: use ``^``.",
)
pointwise(
    "rsub(Tensor input, Operand other, *, Scalar alpha=1)",
    y - alpha * x,
    types=ALL_NUMBERS,
    check="sub",
    where="torch",
    inplace=False,
    out=False,
    doc="Return ``other - alpha * input``.",
)
pointwise(
    "mul(Operand input, Operand other)",
    x * y,
    types="bool int uint float complex",
    alias="multiply",
    doc="Return ``input * other``.",
)
pointwise(
    "div(Operand input, Operand other)",
    x / y,
    types="float complex",
    rule="to_float",
    alias=("divide", "true_divide"),
    doc="Return ``input / other``; integers give a floating-point result. ``x / 0`` is infinite, ``0 / 0`` is NaN.",
)
pointwise(
    "_div_trunc(Operand input, Operand other)",
    a.trunc_divide(x, y),
    types="int uint float",
    where="_C",
)
pointwise(
    "_div_floor(Operand input, Operand other)",
    a.floor_divide(x, y),
    types="int uint float",
    where="_C",
)
_DIV_DOC = """Return the quotient ``input / other``, rounded as ``rounding_mode`` says.

Args:
    input: the dividend.
    other: the divisor, a tensor or a number.
    rounding_mode: None keeps the fraction; ``"trunc"`` rounds towards zero, ``"floor"`` down.

Returns:
    A tensor of the broadcast shape. With a rounding mode integers stay integers, and an integer divided by zero raises
    ``RuntimeError: ZeroDivisionError``.
"""
# conj(conj(g) / other) is g / conj(other), where other may be a number too.
_INPUT_VJP = (
    "conj_physical(conj_physical(g) / other).sum_to_size(input.shape) if rounding_mode is None else zeros_like(input)"
)
op(
    "div(Tensor input, Tensor other, *, str? rounding_mode) -> Tensor",
    overload="tensor_mode",
    vjp={
        "input": _INPUT_VJP,
        "other": "(-g * conj_physical(input / other / other)).sum_to_size(other.shape) if rounding_mode is None"
        " else zeros_like(other)",
    },
    inplace=True,
    alias=("divide",),
    doc=_DIV_DOC,
)
op(
    "div(Tensor input, Scalar other, *, str? rounding_mode) -> Tensor",
    overload="scalar_mode",
    vjp={"input": _INPUT_VJP},
    inplace=True,
    alias=("divide",),
    doc=_DIV_DOC,
)
pointwise(
    "floor_divide(Operand input, Operand other)",
    a.floor_divide(x, y),
    types="int uint float",
    differentiable=False,
    doc="Return ``floor(input / other)``, Python's ``//``. Integers divided by zero raise an error.",
)
pointwise(
    "remainder(Operand input, Operand other)",
    a.remainder(x, y),
    types="int uint float",
    doc="Return Python's ``input % other``: it has the sign of ``other``. Integers modulo zero raise an error.",
)
pointwise(
    "fmod(Tensor input, Operand other)",
    a.fmod(x, y),
    types="int uint float",
    doc="Return C's ``fmod(input, other)``: it has the sign of ``input``. Integers modulo zero raise an error.",
)

exponent = variable("exponent")
pointwise(
    "pow(Operand input, Operand exponent)",
    x**exponent,
    types=NUMBERS,
    complex_vjp={
        "input": where(eq(exponent, 0), 0, g * a.conj(exponent * x ** (exponent - 1))),
        "exponent": where(eq(x, 0), 0, g * a.conj(x**exponent * a.log(x))),
    },
    check="pow",
    special={"exponent": (2.0, 3.0, 0.5, -1.0, -0.5)},
    doc="""Return ``input ** exponent``.

    An exponent of zero gives 1 and has a zero gradient, whatever the base; a zero base with an exponent of at least
    zero has a zero gradient with respect to the exponent. Integers to negative integer numbers are an error.""",
)
pointwise(
    "square(Tensor input)",
    x * x,
    types=ALL_NUMBERS,
    bool_as_int=True,
    doc="Return ``input * input``.",
)

pointwise(
    "neg(Tensor input)",
    -x,
    types=NUMBERS,
    check="neg",
    alias="negative",
    doc="Return ``-input``. Bool tensors are an error: use ``~``.",
)
pointwise(
    "abs(Tensor input)",
    a.abs_(x),
    types=ALL_NUMBERS,
    rule="real_part",
    complex_vjp={"input": g * a.sgn(x)},
    alias="absolute",
    doc="Return the absolute value; of complex numbers, the modulus as a real tensor. The gradient at 0 is 0.",
)
pointwise(
    "sign(Tensor input)",
    a.sign(x),
    types="bool int uint float",
    doc="Return -1, 0 or 1, the sign of ``input``; 0 for NaN.",
)
pointwise(
    "sgn(Tensor input)",
    a.sgn(x),
    types="bool int float complex",
    complex_vjp={"input": where(eq(x, 0), 0, (g - a.real(g * a.conj(r)) * r) / a.abs_(x))},
    doc="Return the sign; of complex numbers ``input / abs(input)``, and 0 for 0.",
)
pointwise(
    "reciprocal(Tensor input)",
    1 / x,
    types="float complex",
    rule="to_float",
    grad={"input": -(r * r)},
    doc="Return ``1 / input``.",
)

start, end, weight = x, variable("end"), variable("weight")
_lerp = where(
    # From the nearer end, so that weight 1 gives `end` exactly.
    a.abs_(weight) < 0.5,
    start + weight * (end - start),
    end - (end - start) * (1 - weight),
)
pointwise(
    "lerp(Tensor input, Tensor end, Operand weight)",
    _lerp,
    complex_expression=start + weight * (end - start),
    types="float complex",
    grad={"input": 1 - weight, "end": weight, "weight": end - start},
    doc="Return ``input + weight * (end - input)``.",
)
t1, t2 = variable("tensor1"), variable("tensor2")
pointwise(
    "addcmul(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1)",
    x + value * t1 * t2,
    types=NUMBERS,
    doc="Return ``input + value * tensor1 * tensor2``.",
)
pointwise(
    "addcdiv(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1)",
    x + value * t1 / t2,
    types="float complex",
    check="addcdiv",
    doc="Return ``input + value * tensor1 / tensor2``. Integer tensors are an error.",
)

pointwise(
    "maximum(Tensor input, Tensor other)",
    a.maximum(x, y),
    types="bool int uint float",
    check="maximum",
    inplace=False,
    where="torch Tensor",
    doc="Return the larger of the two; NaN where either is NaN. At a tie each gets half of the gradient.",
)
pointwise(
    "minimum(Tensor input, Tensor other)",
    a.minimum(x, y),
    types="bool int uint float",
    check="minimum",
    inplace=False,
    doc="Return the smaller of the two; NaN where either is NaN. At a tie each gets half of the gradient.",
)
pointwise(
    "fmax(Tensor input, Tensor other)",
    a.fmax(x, y),
    types="bool int float",
    inplace=False,
    doc="Return the larger of the two; the other one where one is NaN. At a tie ``input`` gets the gradient.",
)
pointwise(
    "fmin(Tensor input, Tensor other)",
    a.fmin(x, y),
    types="bool int float",
    inplace=False,
    doc="Return the smaller of the two; the other one where one is NaN. At a tie ``input`` gets the gradient.",
)

low, high = variable("min"), variable("max")
pointwise(
    "clamp(Tensor input, Operand min, Operand max)",
    a.minimum(a.maximum(x, low), high),  # NaN where a limit is NaN, too
    types="bool int uint float",
    grad={
        "input": where((x >= low) & (x <= high), 1, 0),
        "min": where((low < high) & (x < low), 1, 0),
        "max": where((x > high) | (high < low), 1, 0),
    },
    alias="clip",
    doc="""Return ``input`` limited to the range from ``min`` to ``max``; NaN stays NaN.

    The limits are numbers or tensors. Where ``min > max`` the result is ``max``. The gradient passes where the value
    lies inside, the limits included.""",
)
_CLAMP_DOC = """Return ``input`` limited on one side: not below ``min``, or not above ``max``. NaN stays NaN.

Args:
    input: the values.
    min: the lower limit, a tensor or a number, or None.
    max: the upper limit, likewise; one of the two must be given.
"""
_CLAMP_VJP = "where(input <= max, g, 0).sum_to_size(input.shape) if min is None else where(input >= min, g, 0).sum_to_size(input.shape)"
op(
    "clamp(Tensor input, Scalar? min=None, Scalar? max=None) -> Tensor",
    overload="scalar",
    vjp={"input": _CLAMP_VJP},
    inplace=True,
    alias=("clip",),
    doc=_CLAMP_DOC,
)
op(
    "clamp(Tensor input, Tensor? min=None, Tensor? max=None) -> Tensor",
    overload="tensor",
    vjp={
        "input": _CLAMP_VJP,
        "min": "where(input < min, g, 0).sum_to_size(min.shape)",
        "max": "where(input > max, g, 0).sum_to_size(max.shape)",
    },
    inplace=True,
    alias=("clip",),
    doc=_CLAMP_DOC,
)
pointwise(
    "clamp_min(Tensor input, Operand min)",
    a.maximum(x, low),
    types="bool int uint float",
    grad={"input": where(x >= low, 1, 0), "min": where(x < low, 1, 0)},
    doc="Return the larger of ``input`` and ``min``; NaN stays NaN. At a tie ``input`` gets the gradient.",
)
pointwise(
    "clamp_max(Tensor input, Operand max)",
    a.minimum(x, high),
    types="bool int uint float",
    grad={"input": where(x <= high, 1, 0), "max": where(x > high, 1, 0)},
    doc="Return the smaller of ``input`` and ``max``; NaN stays NaN. At a tie ``input`` gets the gradient.",
)

condition = variable("condition", boolean=True)
pointwise(
    "where(Tensor condition, Operand input, Operand other)",
    where(condition, x, y),
    types="bool int uint float complex",
    conditions=("condition",),
    check="where",
    where="torch",
    inplace=False,
    doc="Return ``input`` where the bool tensor ``condition`` holds, ``other`` elsewhere.",
)
# A value takes the dtype of `input`, so it is an attribute and no operand; a tensor's is read.
_FILLED = "Return ``input`` with ``value`` (a number or a zero-dim tensor) wherever the bool tensor ``mask`` holds."
op(
    "masked_fill(Tensor input, Tensor mask, Tensor value) -> Tensor",
    vjp={"input": "g.masked_fill(mask, 0)", "value": "where(mask, g, 0).sum()"},
    overload="tensor",
    inplace="own",
    out=False,
    doc=_FILLED,
)
mask = variable("mask", boolean=True)
pointwise(
    "masked_fill(Tensor input, Tensor mask, Scalar value)",
    where(mask, value, x),
    types="bool int uint float complex",
    conditions=("mask",),
    check="masked_fill",
    out=False,
    doc=_FILLED,
)
pointwise(
    "_masked_scale(Tensor input, Tensor mask, float scale)",
    where(mask, x * attr("scale"), 0),
    types="float complex",
    conditions=("mask",),
    # Not through where's derivative: a dropped element's gradient is 0 times g on purpose, as in the forward.
    grad={"input": where(mask, attr("scale"), 0)},
    where="_C",
    doc="Dropout's product: ``input * scale`` where ``mask`` holds, else 0.",
)

pointwise(
    "bitwise_and(Operand input, Operand other)",
    a.bitwise_and(x, y),
    types="bool int uint",
    doc="Return ``input & other``, bit by bit.",
)
pointwise(
    "bitwise_or(Operand input, Operand other)",
    a.bitwise_or(x, y),
    types="bool int uint",
    doc="Return ``input | other``, bit by bit.",
)
pointwise(
    "bitwise_xor(Operand input, Operand other)",
    a.bitwise_xor(x, y),
    types="bool int uint",
    doc="Return ``input ^ other``, bit by bit.",
)
pointwise(
    "bitwise_not(Tensor input)",
    a.bitwise_not(x),
    types="bool int uint",
    doc="Return ``~input``; of bool tensors the negation.",
)
pointwise(
    "bitwise_left_shift(Operand input, Operand other)",
    a.left_shift(x, y),
    types="int uint",
    doc="Return ``input << other``; 0 where ``other`` is negative or at least the number of bits.",
)
pointwise(
    "bitwise_right_shift(Operand input, Operand other)",
    a.right_shift(x, y),
    types="int uint",
    doc="Return ``input >> other`` with the sign kept.",
)
pointwise(
    "gcd(Tensor input, Tensor other)",
    a.gcd(x, y),
    types="int",
    doc="Return the greatest common divisor (not negative).",
)
pointwise(
    "lcm(Tensor input, Tensor other)",
    a.lcm(x, y),
    types="int",
    doc="Return the least common multiple (not negative).",
)
