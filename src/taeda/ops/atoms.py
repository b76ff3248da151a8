"""Atoms: the alphabet of expressions. Each carries its own *stable* derivative, its C++ spelling and its public name.

Why atoms and not only + - * / exp: derivatives of elementary spellings are right and useless. With sigmoid spelled
``1 / (1 + exp(-x))`` the derivative of silu is NaN below -90. An atom's derivative is written once, by hand, in the
form that holds over the whole range, and may use the atom's value ``r``.

An atom's C++ name is a function with overloads for float, double, int64 and complex (csrc/cpu/vecmath.h, branch-free
and vectorisable; csrc/cpu/pointwise_math.h, the small ones; csrc/cpu/special_functions.h, the rare ones). Its public
name is the operation that computes the same on tensors: the recorded form of a gradient is composed of those.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from taeda.ops.expr import Expr, Number, build, eq, where

Factor = Expr | Number | None
TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
LN2 = math.log(2)
LN10 = math.log(10)


@dataclass(frozen=True)
class Atom:
    """A function of expressions.

    Attributes:
        name: the node's kind.
        arity: how many operands it takes.
        cpp: its C++ text with {0}, {1} ... for the operands.
        public: the call that computes it on tensors, with {0}, {1} ...; empty where there is none.
        derivative: from the operands and the value to one factor for each operand; None: it has no derivative.
        from_result: the derivative is best taken from the value, so an operation that *is* this atom saves its result.
        heavy: about how many simple operations it costs, to balance the generated files.
        scalar: computed one element at a time (series, loops): there is nothing to vectorise.
    """

    name: str
    arity: int
    cpp: str
    public: str
    derivative: Callable[..., tuple[Factor, ...]] | None
    from_result: bool = False
    heavy: int = 1
    scalar: bool = False

    def partials(self, args: tuple[Expr, ...], value: Expr) -> tuple[Factor, ...]:
        """The derivative's factors; ``value`` is the node itself, or the leaf ``r``."""
        if self.derivative is None:
            raise ValueError(f"{self.name} has no derivative: give the operation's gradient by hand")
        return self.derivative(*args, value)


ATOMS: dict[str, Atom] = {}


def _atom(
    name: str,
    arity: int,
    derivative: Callable[..., tuple[Factor, ...]] | None,
    *,
    cpp: str = "",
    public: str | None = None,
    from_result: bool = False,
    heavy: int = 1,
    scalar: bool = False,
) -> Callable[..., Expr]:
    places = ", ".join(f"{{{k}}}" for k in range(arity))
    spelling = cpp or f"vm_{name}"
    if "{" not in spelling:
        spelling = f"{spelling}({places})"
    call = name if public is None else public
    if call and "{" not in call:
        call = f"{call}({places})"
    ATOMS[name] = Atom(name, arity, spelling, call, derivative, from_result, heavy, scalar)

    def make(*operands: Expr | Number) -> Expr:
        if len(operands) != arity:
            raise TypeError(f"{name} takes {arity} operands, not {len(operands)}")
        return build(name, *operands)

    make.__name__ = name
    return make


def _flat(*operands: Expr) -> tuple[Factor, ...]:
    return (0,) * (len(operands) - 1)  # the last one is the value


def pow_(x: Expr, y: Expr | Number) -> Expr:
    return build("pow", x, y)


# ---- arithmetic (the operators of Expr)
_atom("add", 2, lambda x, y, r: (1, 1), cpp="{0} + {1}", public="add({0}, {1}, Scalar(1))")
_atom(
    "sub",
    2,
    lambda x, y, r: (1, -1),
    cpp="{0} - {1}",
    public="sub({0}, {1}, Scalar(1))",
)
_atom("mul", 2, lambda x, y, r: (y, x), cpp="multiply({0}, {1})")
_atom("div", 2, lambda x, y, r: (1 / y, -((x / y) / y)), cpp="divide({0}, {1})", heavy=2)
_atom("neg", 1, lambda x, r: (-1,), cpp="-{0}")
_atom(
    "pow",
    2,
    # The exponent's own zero, and a zero base, would give 0 * inf.
    lambda x, y, r: (
        where(eq(y, 0), 0, y * pow_(x, y - 1)),
        where(eq(x, 0) & (y >= 0), 0, pow_(x, y) * log(x)),
    ),
    heavy=12,
)

# ---- comparisons, conditions, choice
for _name, _sign in (
    ("eq", "=="),
    ("ne", "!="),
    ("lt", "<"),
    ("le", "<="),
    ("gt", ">"),
    ("ge", ">="),
):
    _atom(_name, 2, _flat, cpp=f"({{0}} {_sign} {{1}})")
_atom("and", 2, _flat, cpp="({0} & {1})", public="logical_and")
_atom("or", 2, _flat, cpp="({0} | {1})", public="logical_or")
_atom("xor", 2, _flat, cpp="({0} != {1})", public="logical_xor")
_atom("not", 1, _flat, cpp="!{0}", public="logical_not")
_atom(
    "where",
    3,
    lambda c, x, y, r: (None, where(c, 1, 0), where(c, 0, 1)),
    cpp="({0} ? {1} : {2})",
)
isnan = _atom("isnan", 1, _flat)
isinf = _atom("isinf", 1, _flat)
isfinite = _atom("isfinite", 1, _flat)
signbit = _atom("signbit", 1, _flat)

# ---- parts of numbers
abs_ = _atom("abs", 1, lambda x, r: (sgn(x),))
sign = _atom("sign", 1, _flat)
sgn = _atom("sgn", 1, _flat)  # sign, and x / abs(x) of complex numbers
floor = _atom("floor", 1, _flat)
ceil = _atom("ceil", 1, _flat)
trunc = _atom("trunc", 1, _flat)
round_even = _atom("round_even", 1, _flat, public="round({0}, 0)")
maximum = _atom(
    "maximum",
    2,
    # At a tie each side gets half. The comparisons are false for NaN: both sides get all.
    lambda x, y, r: (
        where(eq(x, y), 0.5, where(x < y, 0, 1)),
        where(eq(x, y), 0.5, where(x > y, 0, 1)),
    ),
    cpp="vm_max_nan",
)
# maximum, whose second operand may be a number also where the gradient is made of public operations.
clamp_min = _atom(
    "clamp_min",
    2,
    lambda x, y, r: (where(x >= y, 1, 0), where(x < y, 1, 0)),
    cpp="vm_max_nan",
)
minimum = _atom(
    "minimum",
    2,
    lambda x, y, r: (
        where(eq(x, y), 0.5, where(x > y, 0, 1)),
        where(eq(x, y), 0.5, where(x < y, 0, 1)),
    ),
    cpp="vm_min_nan",
)
fmax = _atom(
    "fmax",
    2,
    lambda x, y, r: (
        where((x >= y) | isnan(y), 1, 0),
        where((x >= y) | isnan(y), 0, 1),
    ),
)
fmin = _atom(
    "fmin",
    2,
    lambda x, y, r: (
        where((x <= y) | isnan(y), 1, 0),
        where((x <= y) | isnan(y), 0, 1),
    ),
)
ten_to = _atom("ten_to", 1, None, public="", heavy=4)  # 10 to a whole power: numbers only, never an operand
copysign = _atom(
    "copysign",
    2,
    lambda x, y, r: (where(eq(x, 0), 0, where(eq(signbit(x), signbit(y)), 1, -1)), 0),
)
nextafter = _atom("nextafter", 2, lambda x, y, r: (where(eq(x, y), 0, 1), 0), scalar=True)

# ---- division with remainders
fmod = _atom("fmod", 2, lambda x, y, r: (1, -trunc(x / y)), heavy=8)
remainder = _atom("remainder", 2, lambda x, y, r: (1, -floor_divide(x, y)), heavy=8)
floor_divide = _atom("floor_divide", 2, lambda x, y, r: (0, 0), heavy=12)
trunc_divide = _atom("trunc_divide", 2, lambda x, y, r: (0, 0), public="_div_trunc", heavy=3)
gcd = _atom("gcd", 2, None, scalar=True)
lcm = _atom("lcm", 2, None, scalar=True)

# ---- bits
bitwise_and = _atom("bitwise_and", 2, None, cpp="({0} & {1})")
bitwise_or = _atom("bitwise_or", 2, None, cpp="({0} | {1})")
bitwise_xor = _atom("bitwise_xor", 2, None, cpp="({0} ^ {1})")
bitwise_not = _atom("bitwise_not", 1, None)
left_shift = _atom("left_shift", 2, None, public="bitwise_left_shift")
right_shift = _atom("right_shift", 2, None, public="bitwise_right_shift")

# ---- roots, exponentials, logarithms
sqrt = _atom("sqrt", 1, lambda x, r: (1 / (2 * r),), from_result=True, heavy=3)
rsqrt = _atom("rsqrt", 1, lambda x, r: (-0.5 * (r * r * r),), from_result=True, heavy=4)
exp = _atom("exp", 1, lambda x, r: (r,), from_result=True, heavy=8)
exp2 = _atom("exp2", 1, lambda x, r: (LN2 * r,), from_result=True, heavy=8)
expm1 = _atom("expm1", 1, lambda x, r: (r + 1,), from_result=True, heavy=9)
log = _atom("log", 1, lambda x, r: (1 / x,), heavy=8)
log2 = _atom("log2", 1, lambda x, r: (1 / (LN2 * x),), heavy=8)
log10 = _atom("log10", 1, lambda x, r: (1 / (LN10 * x),), heavy=8)
log1p = _atom("log1p", 1, lambda x, r: (1 / (x + 1),), heavy=9)
logaddexp = _atom("logaddexp", 2, lambda x, y, r: (sigmoid(x - y), sigmoid(y - x)), heavy=12)
logaddexp2 = _atom(
    "logaddexp2",
    2,
    lambda x, y, r: (sigmoid(LN2 * (x - y)), sigmoid(LN2 * (y - x))),
    heavy=12,
)
xlogy = _atom("xlogy", 2, lambda x, y, r: (where(eq(x, 0) & (y <= 0), 0, log(y)), x / y), heavy=9)
xlog1py = _atom(
    "xlog1py",
    2,
    lambda x, y, r: (where(eq(x, 0) & (y <= -1), 0, log1p(y)), x / (y + 1)),
    heavy=9,
)

# ---- trigonometry
sin = _atom("sin", 1, lambda x, r: (cos(x),), heavy=12)
cos = _atom("cos", 1, lambda x, r: (-sin(x),), heavy=12)
tan = _atom("tan", 1, lambda x, r: (1 + r * r,), from_result=True, heavy=14)
asin = _atom("asin", 1, lambda x, r: (rsqrt(1 - x * x),), heavy=10)
acos = _atom("acos", 1, lambda x, r: (-rsqrt(1 - x * x),), heavy=10)
atan = _atom("atan", 1, lambda x, r: (1 / (1 + x * x),), heavy=10)


def _atan2_factors(x: Expr, y: Expr, r: Expr) -> tuple[Factor, ...]:
    # x / (x * x + y * y), without the squares' overflow; 0 at the origin, where there is no derivative.
    radius = hypot(x, y)
    return where(eq(radius, 0), 0, y / radius / radius), where(eq(radius, 0), 0, -(x / radius / radius))


atan2 = _atom("atan2", 2, _atan2_factors, heavy=12)
sinh = _atom("sinh", 1, lambda x, r: (cosh(x),), heavy=10)
cosh = _atom("cosh", 1, lambda x, r: (sinh(x),), heavy=10)
tanh = _atom("tanh", 1, lambda x, r: (1 - r * r,), from_result=True, heavy=9)
asinh = _atom("asinh", 1, lambda x, r: (rsqrt(x * x + 1),), heavy=10)
acosh = _atom("acosh", 1, lambda x, r: (rsqrt(x * x - 1),), heavy=10)
atanh = _atom("atanh", 1, lambda x, r: (1 / (1 - x * x),), heavy=10)
hypot = _atom("hypot", 2, lambda x, y, r: (x / r, y / r), from_result=True, heavy=4)

# ---- the functions that networks are made of
sigmoid = _atom("sigmoid", 1, lambda x, r: (r * (1 - r),), from_result=True, heavy=8)
softplus = _atom("softplus", 1, lambda x, r: (sigmoid(x),), public="_softplus", heavy=12)  # log(1 + exp(x)) at any x
log_sigmoid = _atom("log_sigmoid", 1, lambda x, r: (sigmoid(-x),), public="logsigmoid", heavy=12)
erf = _atom("erf", 1, lambda x, r: (TWO_OVER_SQRT_PI * exp(-(x * x)),), heavy=12)
erfc = _atom("erfc", 1, lambda x, r: (-TWO_OVER_SQRT_PI * exp(-(x * x)),), heavy=14)

# ---- rare functions: scalar code
erfinv = _atom(
    "erfinv",
    1,
    lambda x, r: (math.sqrt(math.pi) / 2 * exp(r * r),),
    heavy=6,
    scalar=True,
)
erfcx = _atom("erfcx", 1, lambda x, r: (2 * (x * r) - TWO_OVER_SQRT_PI,), heavy=6, scalar=True)
ndtri = _atom(
    "ndtri",
    1,
    lambda x, r: (math.sqrt(2 * math.pi) * exp(r * r / 2),),
    heavy=6,
    scalar=True,
)
lgamma = _atom("lgamma", 1, lambda x, r: (digamma(x),), heavy=6, scalar=True)
digamma = _atom("digamma", 1, lambda x, r: (polygamma(1, x),), heavy=6, scalar=True)
polygamma = _atom(
    "polygamma",
    2,
    lambda n, x, r: (None, polygamma(n + 1, x)),
    public="_polygamma({1}, {0})",
    heavy=6,
    scalar=True,
)
zeta = _atom("zeta", 2, lambda s, q, r: (None, -(s * zeta(s + 1, q))), heavy=6, scalar=True)


def _gamma_density(a: Expr, x: Expr) -> Expr:
    return exp((a - 1) * log(x) - x - lgamma(a))


igamma = _atom("igamma", 2, lambda a, x, r: (None, _gamma_density(a, x)), heavy=6, scalar=True)
igammac = _atom("igammac", 2, lambda a, x, r: (None, -_gamma_density(a, x)), heavy=6, scalar=True)
frexp_exponent = _atom("frexp_exponent", 1, _flat, public="_frexp_exponent", scalar=True)
frexp_mantissa = _atom(
    "frexp_mantissa", 1, lambda x, r: (exp2(-frexp_exponent(x)),), public="_frexp_mantissa", scalar=True
)
# Functions whose gradients PyTorch does not have either.
UNDERIVED = (
    "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 "
    "scaled_modified_bessel_k1 spherical_bessel_j0"
).split()
POLYNOMIALS = (
    "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w "
    "hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p"
).split()
for _name in UNDERIVED:
    _atom(_name, 1, None, heavy=6, scalar=True)
for _name in POLYNOMIALS:
    _atom(_name, 2, None, heavy=6, scalar=True)

i0 = _atom("i0", 1, lambda x, r: (i1(x),), heavy=6, scalar=True)
i0e = _atom(
    "i0e",
    1,
    lambda x, r: (i1e(x) - sgn(x) * r,),
    from_result=True,
    heavy=6,
    scalar=True,
)
# i1(x) / x tends to 1/2: the quotient itself is 0 / 0 there.
i1 = _atom(
    "i1",
    1,
    lambda x, r: (where(eq(x, 0), 0.5, i0(x) - r / x),),
    from_result=True,
    heavy=6,
    scalar=True,
)
i1e = _atom(
    "i1e",
    1,
    lambda x, r: (where(eq(x, 0), 0.5, i0e(x) - r * (sgn(x) + 1 / x)),),
    from_result=True,
    heavy=6,
    scalar=True,
)

# ---- complex numbers
conj = _atom("conj", 1, lambda x, r: (1,), public="conj_physical")
angle = _atom("angle", 1, _flat, heavy=10)
real = _atom("real", 1, lambda x, r: (1,))  # in a loop its type stays complex
make_complex = _atom("complex", 2, None, cpp="make_complex")
polar = _atom("polar", 2, None, heavy=20, scalar=True)


def square(x: Expr) -> Expr:
    return x * x


def clamp(x: Expr, low: Expr | Number, high: Expr | Number) -> Expr:
    """``x`` limited to borders that are numbers and not NaN; NaN is kept. An operation states its own gradient there."""
    above = where(x < low, low, x)
    return where(above > high, high, above)


def erf_cdf(x: Expr) -> Expr:
    """The normal distribution's cumulative function."""
    return 0.5 * erfc(-math.sqrt(0.5) * x)
