"""Convolutions and transposed convolutions of one to three dimensions. The kernels are in csrc/cpu/conv.cpp."""

from __future__ import annotations

from taeda.ops.registry import op

_HOMES = "torch nn.functional"

op(
    "_convolution_sized(Tensor input, Tensor weight, int[] stride, int[] padding, int[] dilation, bool transposed,"
    " int[] size, int groups) -> Tensor",
    where="_C",
    vjp={
        "input, weight": "_convolution_backward(g, input, weight, stride, padding, dilation, transposed, groups,"
        " needs_input, needs_weight, False)",
    },
    out=False,
    doc="Return a convolution with padding in front as given and as much behind as the last sizes in ``size`` ask for.",
)
op(
    "_convolution_backward(Tensor g, Tensor input, Tensor weight, int[] stride, int[] padding, int[] dilation,"
    " bool transposed, int groups, bool want_input, bool want_weight, bool want_bias)"
    " -> (Tensor input_grad, Tensor weight_grad, Tensor bias_grad)",
    where="_C",
    vjp={
        "g": "(_convolution_sized(g_input_grad, weight, stride, padding, dilation, transposed, g.shape, groups) if want_input else zeros_like(g))"
        " + (_convolution_sized(input, g_weight_grad, stride, padding, dilation, transposed, g.shape, groups) if want_weight else zeros_like(g))"
        " + (g_bias_grad.reshape([-1, 1] if weight.ndim == 3 else [-1, 1, 1] if weight.ndim == 4 else [-1, 1, 1, 1]) if want_bias else zeros_like(g))",
        "input": "_convolution_backward(g, input, g_weight_grad, stride, padding, dilation, transposed, groups, True, False, False)[0]"
        " if want_weight else zeros_like(input)",
        "weight": "_convolution_backward(g, g_input_grad, weight, stride, padding, dilation, transposed, groups, False, True, False)[1]"
        " if want_input else zeros_like(weight)",
    },
    out=False,
    doc="Return the gradients of a convolution; those that are not wanted are undefined.",
)

_ARGS = """input: (batch, in_channels, {sizes}), or without the batch dimension.
        weight: (out_channels, in_channels / groups, {kernel}).
        bias: (out_channels,), or None.
        stride: step between neighbouring results, one int or one for each dimension; default 1.
        padding: zeros on both sides of each dimension, an int or a list; ``"valid"`` (none) or ``"same"`` (as many as keep
            the sizes; only for stride 1; an odd number has the extra zero at the end). Default 0.
        dilation: distance of neighbouring taps; default 1.
        groups: the channels are cut into so many parts that have nothing to do with each other; default 1."""
_RAISES = """RuntimeError: the channels of input and weight do not fit together, the kernel is larger than the padded input, or an
            argument has an impossible value."""

_NAMES = {
    1: ("length", "size"),
    2: ("height, width", "kernel_height, kernel_width"),
    3: ("depth, height, width", "kernel_depth, kernel_height, kernel_width"),
}

for _n, (_sizes, _kernel) in _NAMES.items():
    _same = ", ".join(f"dilation[{d}] * (weight.shape[{d + 2}] - 1) // 2" for d in range(_n))
    _zeros = ", ".join("0" for _ in range(_n))
    _doc = f"""Return the {_n}-d convolution (cross-correlation) of ``input`` with ``weight``.

    Args:
        {_ARGS.format(sizes=_sizes, kernel=_kernel)}

    Returns:
        A tensor whose sizes are ``(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1``.

    Raises:
        {_RAISES}

    Source: a matrix product with the unfolded input, which is made block by block while it is packed.
    """
    op(
        f"conv{_n}d(Tensor input, Tensor weight, Tensor? bias=None, int[{_n}] stride=1, int[{_n}] padding=0,"
        f" int[{_n}] dilation=1, int groups=1) -> Tensor",
        vjp={
            "input, weight, bias": "_convolution_backward(g, input, weight, stride, padding, dilation, False, groups,"
            " needs_input, needs_weight, needs_bias)",
        },
        where=_HOMES,
        out=False,
        doc=_doc,
    )
    op(
        f"conv{_n}d(Tensor input, Tensor weight, Tensor? bias=None, int[{_n}] stride=1, str padding='valid',"
        f" int[{_n}] dilation=1, int groups=1) -> Tensor",
        overload="padding",
        vjp={
            "input, weight, bias": f"_convolution_backward(g, input, weight, stride,"
            f" [{_same}] if padding == 'same' else [{_zeros}], dilation, False, groups, needs_input, needs_weight, needs_bias)",
        },
        where=_HOMES,
        out=False,
        doc=_doc,
    )

for _n, (_sizes, _kernel) in _NAMES.items():
    op(
        f"conv_transpose{_n}d(Tensor input, Tensor weight, Tensor? bias=None, int[{_n}] stride=1, int[{_n}] padding=0,"
        f" int[{_n}] output_padding=0, int groups=1, int[{_n}] dilation=1) -> Tensor",
        vjp={
            "input, weight, bias": "_convolution_backward(g, input, weight, stride, padding, dilation, True, groups,"
            " needs_input, needs_weight, needs_bias)",
        },
        where=_HOMES,
        out=False,
        doc=f"""Return the {_n}-d transposed convolution: the gradient of a convolution with respect to its input.

    Args:
        input: (batch, in_channels, {_sizes}), or without the batch dimension.
        weight: (in_channels, out_channels / groups, {_kernel}).
        bias: (out_channels,), or None.
        stride: step between the places that neighbouring inputs reach; default 1.
        padding: what is cut off on both sides; default 0.
        output_padding: what is added at the end, to choose among the sizes that a strided convolution takes to one;
            less than stride or dilation. Default 0.
        groups: the channels are cut into so many parts that have nothing to do with each other; default 1.
        dilation: distance of neighbouring taps; default 1.

    Returns:
        A tensor whose sizes are ``(size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1``.

    Raises:
        RuntimeError: the channels do not fit together, the result would be empty, or an argument has an impossible value.
    """,
    )

op(
    "convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed,"
    " int[] output_padding, int groups) -> Tensor",
    vjp={
        "input, weight, bias": "_convolution_backward(g, input, weight, stride, padding, dilation, transposed, groups,"
        " needs_input, needs_weight, needs_bias)",
    },
    where="torch",
    out=False,
    doc="""Return a convolution of one to three dimensions, or a transposed one; see ``conv2d`` and ``conv_transpose2d``.

    Lists of one number stand for all dimensions; ``output_padding`` only counts where ``transposed``.
    """,
)
