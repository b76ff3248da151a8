"""Normalisation layers: fused kernels (``csrc/cpu/norm_*.cpp``) for forward and backward.

The second derivatives are spelled out in public operations. All four layers share one form: with the rows X, their mean and
r = 1 / sqrt(variance + eps), xhat = (X - mean) * r and P = grad * weight,

    grad_input  = r * (P - mean(P) - xhat * mean(P * xhat)),   grad_weight = sum(grad * xhat),   grad_bias = sum(grad)

and the gradient of that for the cotangents V, u, t of the three follows in :func:`_second_derivatives`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from taeda.ops.registry import op


@dataclass(frozen=True)
class _Rows:
    """How a layer's tensors become rows over whose last dimension it normalises, as texts of expressions."""

    rows: str  # a tensor of the input's shape -> rows
    back: str  # and back
    weigh: str  # tensor of the input's shape * weight
    spread: str  # tensor of the input's shape * a vector of the weight's shape
    add: str  # a vector of the weight's shape, to be added to a tensor of the input's shape
    collect: str  # the sum of a tensor of the input's shape over all but the weight's dimensions
    mean: str  # of rows
    center: bool = True


def _second_derivatives(form: _Rows) -> dict[str, str]:
    """The gradients of a layer's backward function with respect to grad, input and weight."""

    def rows(text: str) -> str:
        return form.rows.format(text)

    def back(text: str) -> str:
        return form.back.format(text)

    def mean(text: str) -> str:
        return form.mean.format(text)

    x = rows("input")
    centred = f"({x} - {mean(x)})" if form.center else x
    squares = mean(f"({centred}).square()")
    r = f"({squares} + eps).rsqrt()" if form.center else f"_add_epsilon({squares}, eps).rsqrt()"
    xhat = f"({centred} * {r})"
    weighed, v = rows(form.weigh.format("grad")), rows("g_grad_input")

    def project(text: str) -> str:
        without_mean = f"{text} - {mean(text)}" if form.center else text
        return f"({r} * ({without_mean} - {xhat} * {mean(f'({text} * {xhat})')}))"

    u_grad = form.spread.format("grad", "g_grad_weight")
    h = f"({rows(u_grad)} - {r} * ({v} * {mean(f'({weighed} * {xhat})')} + {weighed} * {mean(f'({v} * {xhat})')}))"
    means = f" - {mean(v)} * {mean(weighed)}" if form.center else ""
    covariance = f"({mean(f'({v} * {weighed})')}{means} - {mean(f'({v} * {xhat})')} * {mean(f'({weighed} * {xhat})')})"
    projected = back(project(v))
    of_bias = f" + {form.add.format('g_grad_bias')}" if form.center else ""
    return {
        "grad": f"{form.weigh.format(projected)} + {form.spread.format(back(xhat), 'g_grad_weight')}{of_bias}",
        "input": back(f"({project(h)} - {r} * {r} * {xhat} * {covariance})"),
        "weight": form.collect.format(f"(grad * {projected})"),
    }


def _either(condition: str, yes: dict[str, str], no: dict[str, str]) -> dict[str, str]:
    return {name: f"(({yes[name]}) if {condition} else ({no[name]}))" for name in yes}


# ---- batch norm: rows are the channels

_channel_rows = _Rows(
    rows="{}.transpose(0, 1).flatten(1)",
    back="({}).reshape(input.transpose(0, 1).shape).transpose(0, 1)",
    weigh="({0} if weight is None else ({0}.transpose(1, -1) * weight).transpose(1, -1))",
    spread="({}.transpose(1, -1) * {}).transpose(1, -1)",
    add="(zeros_like(input).transpose(1, -1) + {}).transpose(1, -1)",
    collect="({}).transpose(1, -1).sum_to_size(weight.shape)",
    mean="({}).mean(1, True)",
)
_scaled = "({0}.transpose(1, -1) * invstd).transpose(1, -1)"
_shifted = "((input.transpose(1, -1) - mean) * invstd).transpose(1, -1)"
_fixed_statistics = {
    "grad": f"{_scaled.format(_channel_rows.weigh.format('g_grad_input'))}"
    f" + {_channel_rows.spread.format(_shifted, 'g_grad_weight')} + {_channel_rows.add.format('g_grad_bias')}",
    "input": _channel_rows.spread.format("grad", "(g_grad_weight * invstd)"),
    "weight": _channel_rows.collect.format(f"(grad * {_scaled.format('g_grad_input')})"),
}

op(
    "_native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, "
    "float momentum, float eps) -> (Tensor out, Tensor mean, Tensor invstd)",
    vjp={"input, weight, bias": "_batch_norm_backward(g_out, input, weight, mean, invstd, training, eps)"},
    differentiable=("out",),
    where="_C",
    out=False,
    doc="""Return the batch norm of ``input`` and the statistics used: the mean and 1 / sqrt(variance + eps) of each channel.

    In training the running statistics are updated in place: ``(1 - momentum) * old + momentum * new``, the variance unbiased.
    """,
)
op(
    "_batch_norm_backward(Tensor grad, Tensor input, Tensor? weight, Tensor mean, Tensor invstd, bool training, float eps)"
    " -> (Tensor grad_input, Tensor grad_weight, Tensor grad_bias)",
    vjp=_either("training", _second_derivatives(_channel_rows), _fixed_statistics),
    where="_C",
    out=False,
    doc="Return the gradients of batch norm.",
)

# ---- layer norm and root mean square norm: rows are what the normalised shape spans

_span_rows = _Rows(
    rows="{}.flatten(input.ndim - len(normalized_shape))",
    back="({}).reshape(input.shape)",
    weigh="({0} if weight is None else {0} * weight)",
    spread="({} * {})",
    add="{}",
    collect="({}).sum_to_size(weight.shape)",
    mean="({}).mean(-1, True)",
)
_uncentred = _second_derivatives(replace(_span_rows, center=False))

_LAYER_ARGS = """normalized_shape: the sizes of the last dimensions, over which is normalised.
        weight, bias: factors and summands of that shape, or None.
        eps: added to the variance; default 1e-5."""
op(
    "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, "
    "bool cudnn_enable=True) -> Tensor",
    vjp={
        "input, weight, bias": "_layer_norm_backward(g, input, normalized_shape, weight, needs_weight or needs_bias, eps)"
    },
    where="torch",
    out=False,
    doc=f"""Return ``input`` with mean 0 and variance 1 over its last dimensions, scaled and shifted (Ba et al. 2016).

    Args:
        {_LAYER_ARGS}
        cudnn_enable: has no effect.
    """,
)
op(
    "native_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, float eps)"
    " -> (Tensor out, Tensor mean, Tensor rstd)",
    vjp={
        "input, weight, bias": "_layer_norm_backward(g_out, input, normalized_shape, weight, needs_weight or needs_bias, eps)"
    },
    differentiable=("out",),
    where="torch",
    out=False,
    doc=f"""Return the layer norm of ``input`` with the mean and 1 / sqrt(variance + eps) of each row.

    Args:
        {_LAYER_ARGS}
    """,
)
op(
    "rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
    vjp={"input, weight": "_rms_norm_backward(g, input, normalized_shape, weight, needs_weight, eps)"},
    where="_C",
    out=False,
    doc="The root mean square norm of real numbers; the public function composes that of complex ones.",
)
op(
    "_add_epsilon(Tensor input, float? eps) -> Tensor",
    vjp={"input": "g"},
    where="_C",
    out=False,
    doc="Return ``input + eps``; None stands for the dtype's machine epsilon.",
)
op(
    "_rms_norm_backward(Tensor grad, Tensor input, int[] normalized_shape, Tensor? weight, bool affine, float? eps)"
    " -> (Tensor grad_input, Tensor grad_weight)",
    vjp=_uncentred,
    where="_C",
    out=False,
    doc="Return the gradients of the root mean square norm; that of weight only when ``affine``.",
)
op(
    "_layer_norm_backward(Tensor grad, Tensor input, int[] normalized_shape, Tensor? weight, bool affine, float eps)"
    " -> (Tensor grad_input, Tensor grad_weight, Tensor grad_bias)",
    vjp=_second_derivatives(_span_rows),
    where="_C",
    out=False,
    doc="Return the gradients of layer norm; of weight and bias only when ``affine``.",
)

# ---- group norm: rows are groups of channels

_group_rows = _Rows(
    rows="{}.reshape([input.shape[0], num_groups, -1])",
    back="({}).reshape(input.shape)",
    weigh=_channel_rows.weigh,
    spread=_channel_rows.spread,
    add=_channel_rows.add,
    collect=_channel_rows.collect,
    mean="({}).mean(-1, True)",
)
op(
    "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, "
    "bool cudnn_enabled=True) -> Tensor",
    vjp={"input, weight, bias": "_group_norm_backward(g, input, num_groups, weight, eps)"},
    where="torch",
    out=False,
    doc="""Return ``input`` with mean 0 and variance 1 over each group of channels of each sample (Wu and He 2018).

    Args:
        num_groups: how many groups the channels (dimension 1) form.
        weight, bias: one factor and one summand for each channel, or None.
        eps: added to the variance; default 1e-5.
        cudnn_enabled: has no effect.
    """,
)
op(
    "_group_norm_backward(Tensor grad, Tensor input, int num_groups, Tensor? weight, float eps)"
    " -> (Tensor grad_input, Tensor grad_weight, Tensor grad_bias)",
    vjp=_second_derivatives(_group_rows),
    where="_C",
    out=False,
    doc="Return the gradients of group norm.",
)
