"""Rows: special functions (gamma, error and Bessel functions, distributions' functions)."""

from __future__ import annotations

import math

from taeda.ops import atoms as a
from taeda.ops.expr import Expr, attr, build, eq, variable, where
from taeda.ops.pointwise import pointwise

x = variable("input")
inf, nan = math.inf, math.nan


def _special(name: str, expression: Expr, doc: str, **rest) -> None:
    pointwise(
        f"{name}(Tensor input)",
        expression,
        **{"rule": "to_float", "where": "special", "doc": doc, **rest},
    )


_special(
    "erf",
    a.erf(x),
    "Return the error function.",
    where="torch Tensor special",
    edges={-inf: -1.0, inf: 1.0, nan: nan, 0.0: 0.0},
)
_special(
    "erfc",
    a.erfc(x),
    "Return ``1 - erf(input)``, exact for large inputs.",
    where="torch Tensor special",
    edges={-inf: 2.0, inf: 0.0, nan: nan},
)
_special(
    "erfinv",
    a.erfinv(x),
    "Return the inverse of the error function.",
    where="torch Tensor special",
    edges={-1.0: -inf, 1.0: inf, 2.0: nan, 0.0: 0.0},
)
_special(
    "erfcx",
    a.erfcx(x),
    "Return ``exp(input**2) * erfc(input)``.",
    inplace=False,
    edges={inf: 0.0, 0.0: 1.0},
)
_special(
    "lgamma",
    a.lgamma(x),
    "Return the logarithm of the absolute value of the gamma function.",
    where="torch Tensor",
    edges={1.0: 0.0, 0.0: inf, inf: inf},
)
_special(
    "digamma",
    a.digamma(x),
    "Return the logarithmic derivative of the gamma function.",
    where="torch Tensor special",
    edges={0.0: -inf, -1.0: nan},
)
n = attr("n")
pointwise(
    "_polygamma(Tensor input, int n)",
    a.polygamma(n, x),
    rule="to_float",
    where="_C",
    doc="The n-th derivative of the digamma function, n >= 0.",
)
_special(
    "i0",
    a.i0(x),
    "Return the modified Bessel function of order 0.",
    where="torch Tensor special",
    edges={0.0: 1.0, inf: inf},
)
_special(
    "i0e",
    a.i0e(x),
    "Return ``exp(-abs(input)) * i0(input)``.",
    inplace=False,
    edges={0.0: 1.0, inf: 0.0},
)
_special(
    "i1",
    a.i1(x),
    "Return the modified Bessel function of order 1.",
    inplace=False,
    edges={0.0: 0.0, inf: inf},
)
_special(
    "i1e",
    a.i1e(x),
    "Return ``exp(-abs(input)) * i1(input)``.",
    inplace=False,
    edges={0.0: 0.0, inf: 0.0},
)
_special(
    "entr",
    where(x > 0, -(x * a.log(x)), where(eq(x, 0), 0, where(a.isnan(x), x, -inf))),
    "Return ``-input * log(input)``: 0 at 0, minus infinity below.",
    grad={"input": -a.log(x) - 1},
    inplace=False,
    edges={0.0: 0.0, -1.0: -inf, 1.0: 0.0, nan: nan},
)
_special(
    "ndtr",
    a.erf_cdf(x),
    "Return the normal distribution's cumulative function.",
    grad={"input": 1 / math.sqrt(2 * math.pi) * a.exp(-0.5 * (x * x))},
    inplace=False,
    edges={0.0: 0.5, inf: 1.0, -inf: 0.0},
)
_t = -math.sqrt(0.5) * x
_special(
    "log_ndtr",
    # Far to the left erfc underflows: log(erfcx(t) / 2) - t * t is the same without its exponential.
    where(x < -1, a.log(0.5 * a.erfcx(_t)) - _t * _t, a.log1p(-0.5 * a.erfc(-_t))),
    "Return the logarithm of the normal distribution's cumulative function.",
    grad={"input": math.sqrt(2 / math.pi) / a.erfcx(_t)},
    inplace=False,
    edges={inf: 0.0, -inf: -inf},
)
_special(
    "ndtri",
    a.ndtri(x),
    "Return the inverse of the normal distribution's cumulative function.",
    inplace=False,
    edges={0.0: -inf, 1.0: inf, 0.5: 0.0, 2.0: nan},
)
eps = attr("eps")
_no_eps = a.isnan(eps) | (eps < 0)
_inside = where(_no_eps, x, a.clamp(x, eps, 1 - eps))
pointwise(
    "logit(Tensor input, float? eps=None)",
    a.log(_inside / (1 - _inside)),
    rule="to_float",
    grad={
        "input": where(
            _no_eps,
            where((x < 0) | (x > 1), math.nan, 1 / (x * (1 - x))),
            where((x < eps) | (x > 1 - eps), 0, 1 / (x * (1 - x))),
        )
    },
    where="torch Tensor special",
    doc="Return ``log(input / (1 - input))``, with ``input`` limited to [eps, 1 - eps] where ``eps`` is given.",
)

other = variable("other")
pointwise(
    "zeta(Operand input, Operand other)",
    a.zeta(x, other),
    rule="to_float",
    where="special",
    inplace=False,
    underived=("input",),
    doc="Return Hurwitz's zeta function of order ``input`` (above 1) at ``other``. Differentiable in ``other``.",
)
for _name, _value, _meaning in (
    ("igamma", a.igamma(x, other), "lower incomplete gamma function P"),
    ("igammac", a.igammac(x, other), "upper incomplete gamma function Q"),
):
    pointwise(
        f"{_name}(Tensor input, Tensor other)",
        _value,
        underived=("input",),
        doc=f"Return the regularised {_meaning}(input, other). Differentiable in ``other``.",
    )
pointwise("_frexp_mantissa(Tensor input)", a.frexp_mantissa(x), where="_C", doc="``frexp``'s first result.")
pointwise(
    "_frexp_exponent(Tensor input)",
    a.frexp_exponent(x),
    where="_C",
    differentiable=False,
    doc="``frexp``'s second result, in the floating-point dtype.",
)

_MEANING = {
    "airy_ai": "Airy function Ai",
    "bessel_j0": "Bessel function of the first kind of order 0",
    "bessel_j1": "Bessel function of the first kind of order 1",
    "bessel_y0": "Bessel function of the second kind of order 0",
    "bessel_y1": "Bessel function of the second kind of order 1",
    "modified_bessel_k0": "modified Bessel function of the second kind of order 0",
    "modified_bessel_k1": "modified Bessel function of the second kind of order 1",
    "scaled_modified_bessel_k0": "modified Bessel function of the second kind of order 0, times ``exp(input)``",
    "scaled_modified_bessel_k1": "modified Bessel function of the second kind of order 1, times ``exp(input)``",
    "spherical_bessel_j0": "spherical Bessel function of the first kind of order 0",
}
for _name in a.UNDERIVED:
    _doc = f"Return the {_MEANING[_name]}. Not differentiable."
    _special(_name, build(_name, x), _doc, differentiable=False, inplace=False)
_special(
    "modified_bessel_i0",
    a.i0(x),
    "Return the modified Bessel function of order 0.",
    differentiable=False,
    inplace=False,
)
_special(
    "modified_bessel_i1",
    a.i1(x),
    "Return the modified Bessel function of order 1.",
    differentiable=False,
    inplace=False,
)
for _name in a.POLYNOMIALS:
    _words = _name.split("_")
    _kind = f"{_words[0].capitalize()} polynomial {_words[-1].capitalize()}"
    for _prefix, _place, _where in (("", x, "input"), ("shifted_", 2 * x - 1, "2 * input - 1")):
        if _prefix and not _name.startswith("chebyshev"):
            continue
        pointwise(
            f"{_prefix}{_name}(Operand input, Operand n)",
            build(_name, _place, variable("n")),
            rule="to_float",
            where="special",
            inplace=False,
            differentiable=False,
            doc=f"Return the {_kind} of degree ``n`` at ``{_where}``; 0 for negative ``n``. Not differentiable.",
        )
