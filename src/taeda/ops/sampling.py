"""Sampling images at points and aligning sequences: operations whose gradients have kernels, and no second derivatives, as in PyTorch."""

from __future__ import annotations

from taeda.ops.registry import op

op(
    "_not_differentiable(Tensor input, str name) -> Tensor",
    where="_C",
    out=False,
    doc="Raise NotImplementedError: the derivative of ``name`` is not implemented.",
)

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
    vjp={name: "_not_differentiable(g_grad_input, 'grid_sampler_2d_backward')" for name in ("grad", "input", "grid")},
    where="_C",
    out=False,
    doc="Return the gradients of ``_grid_sample``; zeros where not needed.",
)
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
    vjp={name: "_not_differentiable(g, '_ctc_loss_backward')" for name in ("grad", "log_probs")},
    where="_C",
    out=False,
    doc="Return the gradient of ``_ctc_loss``.",
)
