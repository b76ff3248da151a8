"""Rows: activation functions, and the cores of pointwise losses (a loss is one of these and a mean)."""

from __future__ import annotations

import math

from taeda.ops import atoms as a
from taeda.ops.expr import Expr, attr, const, eq, g, r, variable, where
from taeda.ops.pointwise import pointwise

x = variable("input")
inf, nan = math.inf, math.nan
F = "nn.functional"


def _activation(text: str, expression: Expr, doc: str, **rest) -> None:
    pointwise(text, expression, **{"where": F, "doc": doc, "out": False, **rest})


_activation(
    "sigmoid(Tensor input)",
    a.sigmoid(x),
    "Return ``1 / (1 + exp(-input))``.",
    types="float complex",
    rule="to_float",
    where="torch Tensor nn.functional",
    out=True,
    edges={-inf: 0.0, inf: 1.0, nan: nan, -200.0: 0.0, 200.0: 1.0},
)
_activation(
    "relu(Tensor input)",
    a.maximum(x, 0),
    "Return ``max(input, 0)``; NaN stays NaN. The gradient at 0 is 0.",
    types="int float",
    # From the result, so that the in-place form needs nothing else; NaN lets the gradient pass.
    grad={"input": where(r <= 0, 0, 1)},
    where="torch Tensor nn.functional",
    edges={-inf: 0.0, inf: inf, nan: nan, -1.0: 0.0},
)
_activation(
    "silu(Tensor input)",
    x * a.sigmoid(x),
    "Return ``input * sigmoid(input)``.",
    types="float complex",
    edges={inf: inf, nan: nan, -200.0: 0.0},
)
_activation(
    "mish(Tensor input)",
    x * a.tanh(a.softplus(x)),
    "Return ``input * tanh(softplus(input))``.",
    edges={inf: inf, nan: nan, 90.0: 90.0},
)
_normal = 0.5 * (1 + a.erf(math.sqrt(0.5) * x))  # erfc would keep the digits far to the left, at twice the cost
_activation(
    "_gelu(Tensor input)",
    x * _normal,
    "GELU: ``input`` times the normal distribution's cumulative function of it.",
    where="_C",
    grad={"input": _normal + x * (math.sqrt(0.5 / math.pi) * a.exp(-0.5 * (x * x)))},
)
_cubic = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
# Far out the sigmoid's slope is 0, and the cubic's must not overflow beside it.
_near = a.clamp(x, -30, 30)
_cubic_slope = 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * (_near * _near))
_activation(
    "_gelu_tanh(Tensor input)",
    # (1 + tanh(z)) / 2 is sigmoid(2 z), which does not cancel at negative inputs.
    x * a.sigmoid(2 * _cubic),
    "GELU in its tanh approximation.",
    grad={"input": a.sigmoid(2 * _cubic) + _near * (a.sigmoid(2 * _cubic) * a.sigmoid(-2 * _cubic)) * _cubic_slope},
    where="_C",
)
alpha, slope = attr("alpha"), attr("negative_slope")
_activation(
    "elu(Tensor input, Scalar alpha=1.0)",
    where(x > 0, x, alpha * a.expm1(x)),
    "Return ``input`` where positive, else ``alpha * (exp(input) - 1)``.",
    grad={"input": where(x <= 0, alpha * a.exp(x), 1)},
    edges={-inf: -1.0, inf: inf, nan: nan},
)
_activation(
    "celu(Tensor input, Scalar alpha=1.0)",
    where(x > 0, x, alpha * a.expm1(x / alpha)),
    "Return ``input`` where positive, else ``alpha * (exp(input / alpha) - 1)``.",
    grad={"input": where(x <= 0, a.exp(x / alpha), 1)},
    where="torch Tensor nn.functional",
    check="celu",
)
SELU_ALPHA, SELU_SCALE = (
    1.6732632423543772848170429916717,
    1.0507009873554804934193349852946,
)
_activation(
    "selu(Tensor input)",
    where(x > 0, SELU_SCALE * x, (SELU_SCALE * SELU_ALPHA) * a.expm1(x)),
    "Return the scaled ELU of self-normalising networks (Klambauer et al. 2017).",
    grad={"input": where(x <= 0, (SELU_SCALE * SELU_ALPHA) * a.exp(x), SELU_SCALE)},
    where="torch Tensor nn.functional",
)
_activation(
    "leaky_relu(Tensor input, Scalar negative_slope=0.01)",
    where(x > 0, x, slope * x),
    "Return ``input`` where positive, else ``negative_slope * input``.",
    grad={"input": where(x > 0, 1, slope)},
)
_weight = variable("weight")
_activation(
    "_prelu(Tensor input, Tensor weight)",
    where(x > 0, x, _weight * x),
    "PReLU with a weight that already broadcasts.",
    grad={"input": where(x > 0, 1, _weight), "weight": where(x > 0, 0, x)},
    where="_C",
)
low, high = attr("min_val"), attr("max_val")
_activation(
    "hardtanh(Tensor input, Scalar min_val=-1.0, Scalar max_val=1.0)",
    a.clamp(x, low, high),
    "Return ``input`` limited to [min_val, max_val]. The gradient at the limits is 0.",
    types="int float",
    grad={"input": where((x <= low) | (x >= high), 0, 1)},
    check="hardtanh",
)
_activation(
    "relu6(Tensor input)",
    a.clamp(x, 0, 6),
    "Return ``input`` limited to [0, 6].",
    types="int float",
    grad={"input": where((x <= 0) | (x >= 6), 0, 1)},
)
_activation(
    "hardsigmoid(Tensor input)",
    a.clamp(x + 3, 0, 6) * (1 / 6),
    "Return ``min(max(input + 3, 0), 6) / 6``.",
    grad={"input": where((x > -3) & (x < 3), 1 / 6, 0)},
)
_activation(
    "hardswish(Tensor input)",
    x * (a.clamp(x + 3, 0, 6) * (1 / 6)),
    "Return ``input * hardsigmoid(input)``.",
    grad={"input": where(x <= -3, 0, where(x < 3, x * (1 / 3) + 0.5, 1))},
)
lambd = attr("lambd")
_activation(
    "hardshrink(Tensor input, Scalar lambd=0.5)",
    where((x >= -lambd) & (x <= lambd), 0, x),
    "Return ``input``, and 0 where it lies within ``lambd`` of 0.",
    grad={"input": where((x >= -lambd) & (x <= lambd), 0, 1)},
    where="torch Tensor nn.functional",
    inplace=False,
)
_activation(
    "softshrink(Tensor input, Scalar lambd=0.5)",
    where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0 * x)),
    "Return ``input`` moved by ``lambd`` towards 0, and 0 within ``lambd`` of it. NaN stays NaN.",
    grad={"input": where((x >= -lambd) & (x <= lambd), 0, 1)},
    inplace=False,
    check="softshrink",
)
_activation(
    "tanhshrink(Tensor input)",
    x - a.tanh(x),
    "Return ``input - tanh(input)``.",
    grad={"input": a.tanh(x) * a.tanh(x)},
    types="float complex",
    rule="to_float",
    inplace=False,
)
_size = a.abs_(x)
_activation(
    "softsign(Tensor input)",
    x / (1 + _size),
    "Return ``input / (1 + abs(input))``.",
    types="float complex",
    rule="to_float",
    grad={"input": 1 / ((1 + _size) * (1 + _size))},
    complex_vjp={
        "input": g / (1 + _size) - where(eq(x, 0), 0, x * a.real(g * a.conj(x)) / (_size * ((1 + _size) * (1 + _size))))
    },
    inplace=False,
)
beta, threshold = attr("beta"), attr("threshold")
_activation(
    "softplus(Tensor input, Scalar beta=1.0, Scalar threshold=20.0)",
    where(x * beta > threshold, x, a.softplus(x * beta) / beta),
    "Return ``log(1 + exp(beta * input)) / beta``; ``input`` itself where ``beta * input > threshold``.",
    grad={"input": where(x * beta > threshold, 1, a.sigmoid(x * beta))},
    inplace=False,
    edges={-inf: 0.0, inf: inf, nan: nan},
)
_activation(
    "_softplus(Tensor input)",
    a.softplus(x),
    "``log(1 + exp(input))`` without a threshold.",
    where="_C",
)
_activation(
    "logsigmoid(Tensor input)",
    a.log_sigmoid(x),
    "Return ``log(sigmoid(input))`` without underflow.",
    inplace=False,
    edges={inf: 0.0, -200.0: -200.0, nan: nan},
)
_activation(
    "threshold(Tensor input, Scalar threshold, Scalar value)",
    where(x <= threshold, attr("value"), x),
    "Return ``input`` where it is greater than ``threshold``, else ``value``.",
    types="int float",
    grad={"input": where(x <= threshold, 0, 1)},
    where="torch nn.functional",
)

# ---- losses, before their mean or sum
target = variable("target")
_difference = x - target


def _loss(text: str, expression: Expr, doc: str, **rest) -> None:
    pointwise(text, expression, where="_C", doc=doc, **rest)


_loss("_mse(Tensor input, Tensor target)", _difference * _difference, "The squared difference.")
_loss(
    "_l1(Tensor input, Tensor target)",
    a.abs_(_difference),
    "The absolute difference.",
    types="int float complex",
    rule="real_part",
    complex_vjp={"input": g * a.sgn(_difference), "target": -(g * a.sgn(_difference))},
)
_smooth_slope = where(_difference <= -beta, -1, where(_difference >= beta, 1, _difference / beta))
_loss(
    "_smooth_l1(Tensor input, Tensor target, float beta)",
    where(
        a.abs_(_difference) < beta,
        0.5 * _difference * _difference / beta,
        a.abs_(_difference) - 0.5 * beta,
    ),
    "Smooth L1: quadratic where the difference is less than ``beta``.",
    grad={"input": _smooth_slope, "target": -_smooth_slope},
)
delta = attr("delta")
_huber_slope = where(_difference <= -delta, -delta, where(_difference >= delta, delta, _difference))
_loss(
    "_huber(Tensor input, Tensor target, float delta)",
    where(
        a.abs_(_difference) <= delta,
        0.5 * _difference * _difference,
        delta * (a.abs_(_difference) - 0.5 * delta),
    ),
    "Huber's loss: quadratic where the difference is at most ``delta``.",
    grad={"input": _huber_slope, "target": -_huber_slope},
)
_loss(
    "_bce(Tensor input, Tensor target)",
    # Logarithms are cut off at -100, so that a wrong certainty costs 100 and not infinity.
    -(target * a.maximum(a.log(x), -100) + (1 - target) * a.maximum(a.log1p(-x), -100)),
    "Binary cross-entropy of probabilities.",
    grad={
        "input": (x - target) / a.clamp_min((1 - x) * x, 1e-12),
        "target": a.log1p(-x) - a.log(x),
    },
    check="bce",
)
_loss(
    "_bce_with_logits(Tensor input, Tensor target)",
    (1 - target) * x + a.softplus(-x),
    "Binary cross-entropy of logits.",
    grad={"input": a.sigmoid(x) - target, "target": -x},
)
_positive = variable("pos_weight")
_weighted = 1 + (_positive - 1) * target
_loss(
    "_bce_with_logits_weighted(Tensor input, Tensor target, Tensor pos_weight)",
    (1 - target) * x + _weighted * a.softplus(-x),
    "Binary cross-entropy of logits with a weight for the positive class.",
    grad={
        "input": (1 - target) - _weighted * a.sigmoid(-x),
        "target": (_positive - 1) * a.softplus(-x) - x,
        "pos_weight": target * a.softplus(-x),
    },
)
_loss(
    "_soft_margin(Tensor input, Tensor target)",
    a.softplus(-(target * x)),
    "``log(1 + exp(-target * input))``.",
)
_loss(
    "_kl_div(Tensor input, Tensor target)",
    a.xlogy(target, target) - target * x,
    "``target * (log(target) - input)``, 0 where the target is 0.",
    grad={
        "input": -target,
        # 0 only at 0: a negative target is no probability, and its logarithm says so.
        "target": where((target >= 0) & (target <= 0), const(0), a.log(target) + 1 - x),
    },
)
