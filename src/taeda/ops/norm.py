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
    # Where the statistics may be given instead: the condition for computing them, and the given ones as columns.
    computed: str = ""
    given: tuple[str, str] = ("", "")


def _second_derivatives(form: _Rows) -> dict[str, str]:
    """The gradients of a layer's backward function with respect to grad, input and weight."""

    def rows(text: str) -> str:
        return form.rows.format(text)

    def back(text: str) -> str:
        return form.back.format(text)

    def mean(text: str) -> str:
        return form.mean.format(text)

    def if_computed(text: str, otherwise: str) -> str:
        return f"({text}) if {form.computed} else ({otherwise})" if form.computed else text

    def projected(text: str) -> str:
        without_mean = f"{text} - {mean(text)}" if form.center else text
        return if_computed(f"r * ({without_mean} - xhat * {mean(f'{text} * xhat')})", f"r * {text}")

    epsilon = "({} + eps)" if form.center else "_add_epsilon({}, eps)"
    normalised = [
        f"x = {rows('input')}",
        f"centred = x - ({if_computed(mean('x'), form.given[0])})" if form.center else "centred = x",
        f"r = {if_computed(epsilon.format(mean('centred.square()')) + '.rsqrt()', form.given[1])}",
        "xhat = centred * r",
        f"v = {rows('g_grad_input')}",
    ]
    # What only computed statistics need costs nothing where they are given: r stands there for a tensor.
    covariance = f"{mean('v * weighed')} - along_v * along_weighed" + (
        f" - {mean('v')} * {mean('weighed')}" if form.center else ""
    )
    of_statistics = [
        f"weighed = {rows(form.weigh.format('grad'))}",
        f"along_v = {if_computed(mean('v * xhat'), 'r')}",
        f"along_weighed = {if_computed(mean('weighed * xhat'), 'r')}",
        f"covariance = {if_computed(covariance, 'r')}",
        f"u = {rows(form.spread.format('grad', 'g_grad_weight'))}",
        f"h = {if_computed('u - r * (v * along_weighed + weighed * along_v)', 'u')}",
        f"projected = {projected('h')}",
    ]
    of_bias = f" + {form.add.format('g_grad_bias')}" if form.center else ""
    to_input = [f"projected = {projected('v')}", f"whole = {back('projected')}"]
    of_grad = f"{form.weigh.format('whole')} + {form.spread.format(back('xhat'), 'g_grad_weight')}{of_bias}"
    return {
        "grad": "\n".join([*normalised, *to_input, of_grad]),
        "input": "\n".join(
            [*normalised, *of_statistics, back(if_computed("projected - r * r * xhat * covariance", "projected"))]
        ),
        "weight": "\n".join([*normalised, *to_input, form.collect.format("(grad * whole)")]),
    }


# ---- batch norm: rows are the channels

_channel_rows = _Rows(
    rows="{}.transpose(0, 1).flatten(1)",
    back="({}).reshape(input.transpose(0, 1).shape).transpose(0, 1)",
    weigh="({0} if weight is None else ({0}.transpose(1, -1) * weight).transpose(1, -1))",
    spread="({}.transpose(1, -1) * {}).transpose(1, -1)",
    add="(zeros_like(input).transpose(1, -1) + {}).transpose(1, -1)",
    collect="({}).transpose(1, -1).sum_to_size(weight.shape)",
    mean="({}).mean(1, True)",
    computed="training",
    given=("mean.unsqueeze(1)", "invstd.unsqueeze(1)"),
)

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
    vjp=_second_derivatives(_channel_rows),
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
