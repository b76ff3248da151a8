"""Pooling over windows and over evenly divided cells. The kernels are in csrc/cpu/pool.cpp and pool_isa.cpp.

The gradient of every maximum is the same: values put back to their places in the plane, which gathering undoes again.
"""

from __future__ import annotations

from taeda.ops.registry import op

# ---- gradients

op(
    "_pool_scatter(Tensor g, Tensor indices, int[] size, int n) -> Tensor",
    where="_C",
    vjp={"g": "_pool_gather(g, indices, n)"},
    out=False,
    doc="Return planes (the last ``n`` dimensions of ``size``) of zeros with ``g`` added at ``indices``.",
)
op(
    "_pool_gather(Tensor input, Tensor indices, int n) -> Tensor",
    where="_C",
    vjp={"input": "_pool_scatter(g, indices, input.shape, n)"},
    out=False,
    doc="Return the elements of the planes (the last ``n`` dimensions) of ``input`` at ``indices``.",
)
op(
    "_avg_pool(Tensor input, int n, int[] kernel_size, int[]? stride, int[] padding, bool ceil_mode, bool count_include_pad,"
    " int? divisor_override) -> Tensor",
    where="_C",
    vjp={
        "input": "_avg_pool_backward(g, input.shape, n, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)"
    },
    out=False,
    doc="Return the means of windows over the last ``n`` dimensions.",
)
op(
    "_avg_pool_backward(Tensor g, int[] size, int n, int[] kernel_size, int[]? stride, int[] padding, bool ceil_mode,"
    " bool count_include_pad, int? divisor_override) -> Tensor",
    where="_C",
    vjp={"g": "_avg_pool(g, n, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)"},
    out=False,
    doc="Return the gradient of ``_avg_pool`` with respect to its input, which had sizes ``size``.",
)
op(
    "_adaptive_avg_pool(Tensor input, int[] output_size, int n) -> Tensor",
    where="_C",
    vjp={"input": "_adaptive_avg_pool_backward(g, input.shape, n)"},
    out=False,
    doc="Return the means of ``output_size`` cells of the last ``n`` dimensions.",
)
op(
    "_adaptive_avg_pool_backward(Tensor g, int[] size, int n) -> Tensor",
    where="_C",
    vjp={"g": "_adaptive_avg_pool(g, g.shape[-n:], n)"},
    out=False,
    doc="Return the gradient of ``_adaptive_avg_pool`` with respect to its input, which had sizes ``size``.",
)

_SHAPES = {1: "length", 2: "height, width", 3: "depth, height, width"}

for _n, _sizes in _SHAPES.items():
    op(
        f"max_pool{_n}d_with_indices(Tensor input, int[{_n}] kernel_size, int[{_n}]? stride=None, int[{_n}] padding=0,"
        f" int[{_n}] dilation=1, bool ceil_mode=False) -> (Tensor values, Tensor indices)",
        vjp={"input": f"_pool_scatter(g_values, indices, input.shape, {_n})"},
        where="torch nn.functional" if _n == 1 else "nn.functional",
        differentiable=("values",),
        out=False,
        doc=f"""Return the maximum of each window, and its place in the flattened plane.

    Args:
        input: (batch, channels, {_sizes}), or without the batch dimension.
        kernel_size: the window's sizes.
        stride: step between windows; default ``kernel_size``.
        padding: -inf on both sides, at most half of the window; default 0.
        dilation: distance of neighbouring elements of a window; default 1.
        ceil_mode: whether a last window that starts inside may reach beyond the end.

    Returns:
        (values, indices). NaN is larger than everything; of equal elements the first one counts.

    Raises:
        RuntimeError: the result would be empty, or an argument has an impossible value.
    """,
    )
    _divisor = ", int? divisor_override=None" if _n > 1 else ""
    op(
        f"avg_pool{_n}d(Tensor input, int[{_n}] kernel_size, int[{_n}]? stride=None, int[{_n}] padding=0, bool ceil_mode=False,"
        f" bool count_include_pad=True{_divisor}) -> Tensor",
        vjp={
            "input": f"_avg_pool_backward(g, input.shape, {_n}, kernel_size, stride, padding, ceil_mode, count_include_pad,"
            f" {'divisor_override' if _n > 1 else 'None'})"
        },
        where="torch nn.functional" if _n == 1 else "nn.functional",
        out=False,
        doc=f"""Return the mean of each window.

    Args:
        input: (batch, channels, {_sizes}), or without the batch dimension.
        kernel_size: the window's sizes.
        stride: step between windows; default ``kernel_size``.
        padding: zeros on both sides, at most half of the window; default 0.
        ceil_mode: whether a last window that starts inside may reach beyond the end.
        count_include_pad: whether padding counts as elements; default True.
        divisor_override: what sums are divided by instead of the number of elements (2-d and 3-d).

    Raises:
        RuntimeError: the result would be empty, or an argument has an impossible value.
    """,
    )
    op(
        f"adaptive_avg_pool{_n}d(Tensor input, int[{_n}] output_size) -> Tensor",
        vjp={"input": f"_adaptive_avg_pool_backward(g, input.shape, {_n})"},
        where="torch nn.functional" if _n == 1 else "nn.functional",
        out=False,
        doc=f"""Return the means of ``output_size`` cells into which the last dimensions are divided as evenly as possible.

    Cell ``c`` of ``n`` over ``size`` elements covers those from ``floor(c * size / n)`` to ``ceil((c + 1) * size / n)``.

    Args:
        input: (batch, channels, {_sizes}), or without the batch dimension; a floating type.
        output_size: the number of cells in each dimension.
    """,
    )
    op(
        f"adaptive_max_pool{_n}d_with_indices(Tensor input, int[{_n}] output_size) -> (Tensor values, Tensor indices)",
        vjp={"input": f"_pool_scatter(g_values, indices, input.shape, {_n})"},
        where="nn.functional",
        differentiable=("values",),
        out=False,
        doc=f"""Return the maxima of ``output_size`` cells, and their places in the flattened plane.

    Cells are those of ``adaptive_avg_pool{_n}d``.

    Args:
        input: (batch, channels, {_sizes}), or without the batch dimension; a floating type.
        output_size: the number of cells in each dimension.
    """,
    )
