"""Resizing by interpolation. The kernels are in csrc/cpu/resize.cpp and resize_isa.cpp.

Resizing is linear, so that the gradient of the one row is the other.
"""

from __future__ import annotations

from taeda.ops.registry import op

_ARGS = """mode: "nearest", "nearest-exact", "linear", "bilinear", "trilinear" or "bicubic"; one matrix of weights for each dimension.
        align_corners: whether the centres of the corners, not their outer edges, coincide.
        antialias: whether shrinking averages over all inputs that an output covers.
        factors: for each dimension what the sizes were multiplied by, which positions follow; 0 or nothing: the sizes' ratio."""

op(
    "_interpolate(Tensor input, int[] output_size, str mode, bool align_corners, bool antialias, float[] factors) -> Tensor",
    vjp={"input": "_interpolate_backward(g, input.shape, mode, align_corners, antialias, factors)"},
    where="_C",
    out=False,
    doc=f"""Return ``input`` resized.

    Args:
        input: (batch, channels, ...), of a floating type or uint8; the nearest modes move elements as they are.
        output_size: the new sizes of the dimensions from the third on.
        {_ARGS}
    """,
)
op(
    "_interpolate_backward(Tensor g, int[] input_size, str mode, bool align_corners, bool antialias, float[] factors) -> Tensor",
    vjp={"g": "_interpolate(g, g.shape[2:], mode, align_corners, antialias, factors)"},
    where="_C",
    out=False,
    doc=f"""Return the gradient of ``_interpolate`` with respect to its input.

    Args:
        g: the gradient of the result.
        input_size: all sizes of the input.
        {_ARGS}
    """,
)
