"""Sampling images at points and aligning sequences: operations whose gradients have kernels.

The gradients of ``_grid_sample`` are differentiated in a form that has derivatives of every order: an output is the sum over its
taps of weight times element. The weights are polynomials between two elements, and ``_grid_weights`` has their derivatives. With
cotangents u of the input's gradient and v of the grid's all is the derivative of ``sum(grad * sampled)`` along (u, v): what the
weights W make of u, and what V = sum_d v_d dW/dx_d makes of the input.
"""

from __future__ import annotations

from taeda.ops.registry import op


def _lines(*lines: str) -> str:
    return "\n".join(lines)


_MODES = "mode, padding, align_corners"
_PLACES = f"places = _grid_places(grid, input.shape, {_MODES})"  # (N, taps, points)
_ALONG = (  # V, in the same shape
    "v = g_grad_grid.reshape([places.shape[0], 1, places.shape[2], grid.shape[-1]])",
    f"along = (_grid_weights(grid, input.shape, {_MODES}, 1) * v).sum([3])",
)
_SPREAD = "spread = places.unsqueeze(1).expand([-1, input.shape[1], -1, -1])"
_TAKEN = "taken = input.flatten(2).unsqueeze(2).expand([-1, -1, places.shape[1], -1]).gather(3, spread)"
_GRAD = "grad.flatten(2).unsqueeze(2)"
_GRID_SECOND = {
    "grad": _lines(
        _PLACES,
        *_ALONG,
        _SPREAD,
        _TAKEN,
        f"_grid_sample(g_grad_input, grid, {_MODES}) + (taken * along.unsqueeze(1)).sum([2]).reshape(grad.shape)",
    ),
    "input": _lines(
        _PLACES,
        *_ALONG,
        _SPREAD,
        f"parts = {_GRAD} * along.unsqueeze(1)",
        "zeros_like(input.flatten(2)).scatter_add(2, spread.flatten(2), parts.flatten(2)).reshape(input.shape)",
    ),
    "grid": _lines(
        f"first = _grid_sample_backward(grad, g_grad_input, grid, {_MODES}, False, True)",
        _PLACES,
        _SPREAD,
        _TAKEN,
        f"dots = (taken * {_GRAD}).sum([1])",
        "n = grid.shape[-1]",
        f"second = _grid_weights(grid, input.shape, {_MODES}, 2).reshape([places.shape[0], places.shape[1], places.shape[2], n, n])",
        "v = g_grad_grid.reshape([places.shape[0], 1, places.shape[2], n, 1])",
        "first[1] + (second * (dots.unsqueeze(-1).unsqueeze(-1) * v)).sum([1, 3]).reshape(grid.shape)",
    ),
}

op(
    "_grid_sample(Tensor input, Tensor grid, int mode, int padding, bool align_corners) -> Tensor",
    vjp={"input, grid": "_grid_sample_backward(g, input, grid, mode, padding, align_corners, needs_input, needs_grid)"},
    where="_C",
    out=False,
    doc="""Return ``input`` sampled at the points of ``grid`` (Jaderberg et al. 2015).

    Args:
        input: (N, C, H, W) or (N, C, D, H, W).
        grid: (N, Ho, Wo, 2) or (N, Do, Ho, Wo, 3): x, y (and z), from -1 to 1 over the input.
        mode: 0 (linear), 1 (nearest) or 2 (cubic; images only).
        padding: what lies outside: 0 (zeros), 1 (the border) or 2 (the reflection).
        align_corners: whether -1 and 1 are the centres of the corners, not their outer edges.
    """,
)
op(
    "_grid_sample_backward(Tensor grad, Tensor input, Tensor grid, int mode, int padding, bool align_corners, bool needs_input,"
    " bool needs_grid) -> (Tensor grad_input, Tensor grad_grid)",
    vjp=_GRID_SECOND,
    where="_C",
    out=False,
    doc="Return the gradients of ``_grid_sample``; zeros where not needed.",
)
op(
    "_grid_places(Tensor grid, int[] sizes, int mode, int padding, bool align_corners) -> Tensor",
    where="_C",
    out=False,
    doc="""Return where ``_grid_sample`` reads: (N, taps, points) places in a plane; those outside are moved inside.

    Args:
        grid, mode, padding, align_corners: as there.
        sizes: the input's.
    """,
)
op(
    "_grid_weights(Tensor grid, int[] sizes, int mode, int padding, bool align_corners, int order) -> Tensor",
    vjp={
        "grid": _lines(
            "n = grid.shape[-1]",
            "more = _grid_weights(grid, sizes, mode, padding, align_corners, order + 1)",
            "slopes = more.reshape([g.shape[0], g.shape[1], g.shape[2], g.shape[3], n])",
            "(slopes * g.unsqueeze(-1)).sum([1, 3]).reshape(grid.shape)",
        )
    },
    where="_C",
    out=False,
    doc="""Return the weights of what ``_grid_sample`` reads, 0 outside: (N, taps, points, 1), or all their derivatives of an order.

    Args:
        grid, mode, padding, align_corners: as there.
        sizes: the input's.
        order: of the derivatives; each of the grid's coordinates multiplies the last dimension by their number.
    """,
)
_CTC = "log_probs, targets, input_lengths, target_lengths, log_alpha, blank, zero_infinity"
op(
    "_ctc_loss(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, int blank, bool zero_infinity)"
    " -> (Tensor loss, Tensor log_alpha)",
    vjp={
        "log_probs": "_ctc_loss_backward(g_loss, log_probs, targets, input_lengths, target_lengths, log_alpha, blank, zero_infinity)"
    },
    differentiable=("loss",),
    where="_C",
    out=False,
    doc="""Return each sample's loss, minus the logarithm of the probability of all alignments (Graves et al. 2006).

    Args:
        log_probs: (T, N, C), the result of ``log_softmax``, of float32 or float64: its gradient is that of the softmax as well.
        targets: (N, S), or all labels one after the other.
        input_lengths, target_lengths: (N,).
        blank: the class that stands for no label.
        zero_infinity: whether targets too long for their inputs cost nothing rather than infinity.

    Returns:
        The losses (N,), and for each sample and time the logarithms of the states' probabilities.
    """,
)
op(
    "_ctc_loss_backward(Tensor grad, Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, Tensor log_alpha,"
    " int blank, bool zero_infinity) -> Tensor",
    vjp={
        "grad": f"(g * _ctc_loss_backward(ones_like(grad), {_CTC})).sum([0, 2])",
        "log_probs": f"_ctc_loss_curvature(g, grad, {_CTC})",
    },
    where="_C",
    out=False,
    doc="Return the gradient of ``_ctc_loss``.",
)
op(
    "_ctc_loss_curvature(Tensor direction, Tensor grad, Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths,"
    " Tensor log_alpha, int blank, bool zero_infinity) -> Tensor",
    # The second derivatives are symmetric: what is done to a direction is its own transpose.
    vjp={
        "direction": f"_ctc_loss_curvature(g, grad, {_CTC})",
        "grad": f"(g * _ctc_loss_curvature(direction, ones_like(grad), {_CTC})).sum([0, 2])",
        "log_probs": "_no_second_derivative(g, 'the CTC loss: its third derivative')",
    },
    where="_C",
    out=False,
    doc="Return the derivative of ``_ctc_loss_backward`` along ``direction``, which has the shape of ``log_probs``.",
)
