"""Evaluates expressions with NumPy: the reference that the pointwise table is tested against, without the core."""

from __future__ import annotations

import numpy as np
from scipy import special

from taeda.ops.expr import Expr, topological


def _sgn(x):
    if not np.iscomplexobj(x):
        return np.where(np.isnan(x), 0, np.sign(x)).astype(x.dtype)
    return np.where(x == 0, 0, x / np.where(x == 0, 1, np.abs(x)))


def _sigmoid(x):
    if np.iscomplexobj(x):
        return 1 / (1 + np.exp(-x))
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _xlog(log):
    return lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, x * log(y))


def _whole(polynomial):
    """Of the degree's whole part; 0 for negative degrees."""
    return lambda x, n: np.where(np.trunc(n) < 0, 0, polynomial(np.maximum(np.trunc(n), 0).astype(int), x))


FUNCTIONS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "pow": np.power,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
    "not": np.logical_not,
    "where": np.where,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
    "signbit": np.signbit,
    "abs": np.abs,
    "sign": _sgn,
    "sgn": _sgn,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round_even": np.round,
    "ten_to": lambda n: np.power(n.dtype.type(10), n),
    "maximum": np.maximum,
    "clamp_min": np.maximum,
    "minimum": np.minimum,
    "fmax": np.fmax,
    "fmin": np.fmin,
    "copysign": np.copysign,
    "nextafter": np.nextafter,
    "fmod": np.fmod,
    "remainder": np.remainder,
    "floor_divide": np.floor_divide,
    "trunc_divide": lambda x, y: np.trunc(x / y),
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "logaddexp": lambda x, y: np.log(np.exp(x) + np.exp(y)) if np.iscomplexobj(x) else np.logaddexp(x, y),
    "logaddexp2": np.logaddexp2,
    "xlogy": _xlog(np.log),
    "xlog1py": _xlog(np.log1p),
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "hypot": np.hypot,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "log_sigmoid": lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))),
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "erfcx": special.erfcx,
    "ndtri": special.ndtri,
    "lgamma": special.gammaln,
    "digamma": special.psi,
    "polygamma": lambda n, x: special.polygamma(n.astype(int), x).astype(x.dtype),
    "zeta": special.zeta,
    "igamma": special.gammainc,
    "igammac": special.gammaincc,
    "frexp_mantissa": lambda x: np.frexp(x)[0],
    "frexp_exponent": lambda x: np.frexp(x)[1].astype(x.dtype),
    "airy_ai": lambda x: special.airy(x)[0],
    "bessel_j0": special.j0,
    "bessel_j1": special.j1,
    "bessel_y0": special.y0,
    "bessel_y1": special.y1,
    "modified_bessel_k0": special.k0,
    "modified_bessel_k1": special.k1,
    "scaled_modified_bessel_k0": special.k0e,
    "scaled_modified_bessel_k1": special.k1e,
    "spherical_bessel_j0": lambda x: np.sinc(x / np.pi),
    "chebyshev_polynomial_t": _whole(special.eval_chebyt),
    "chebyshev_polynomial_u": _whole(special.eval_chebyu),
    "chebyshev_polynomial_v": _whole(lambda n, x: special.eval_jacobi(n, -0.5, 0.5, x) / special.binom(n - 0.5, n)),
    "chebyshev_polynomial_w": _whole(
        lambda n, x: (2 * n + 1) * special.eval_jacobi(n, 0.5, -0.5, x) / special.binom(n + 0.5, n)
    ),
    "hermite_polynomial_h": _whole(special.eval_hermite),
    "hermite_polynomial_he": _whole(special.eval_hermitenorm),
    "laguerre_polynomial_l": _whole(special.eval_laguerre),
    "legendre_polynomial_p": _whole(special.eval_legendre),
    "i0": lambda x: np.where(np.isinf(x), np.inf, special.i0(x)).astype(x.dtype),  # SciPy: NaN
    "i0e": special.i0e,
    "i1": lambda x: np.where(np.isinf(x), x, special.i1(x)).astype(x.dtype),
    "i1e": special.i1e,
    "conj": np.conj,
    "angle": np.angle,
    "real": np.real,
    "complex": lambda re, im: re + 1j * im,
    "polar": lambda radius, angle: radius * np.exp(1j * angle),
}


def evaluate(root: Expr, values: dict[str, np.ndarray], *, g=None, r=None, dtype=np.float64) -> np.ndarray:
    """The expression's value; ``values`` holds operands and attributes, ``g`` and ``r`` those leaves' values."""
    found: dict[Expr, np.ndarray] = {}
    with np.errstate(all="ignore"):
        for node in topological([root]):
            if node.kind == "const":
                kinds = {bool: np.bool_, complex: np.complex128}
                kind = kinds.get(type(node.value), dtype)
                found[node] = np.asarray(node.value, dtype=kind)
            elif node.kind in ("input", "attr"):
                found[node] = np.asarray(values[str(node.value)])
            elif node.kind in ("grad", "result"):
                found[node] = np.asarray(g if node.kind == "grad" else r)
            else:
                found[node] = np.asarray(FUNCTIONS[node.kind](*(found[argument] for argument in node.args)))
    return found[root]
