"""Losses by class: the negative log likelihood, and fused with the log-softmax the cross-entropy. Kernels: csrc/cpu/loss.cpp."""

from __future__ import annotations

from taeda.ops.registry import op

_ARGS = """input: (C,), (N, C) or (N, C, ...).
        target: class indices, int64 or uint8, of the input's shape without its classes.
        weight: a factor for each class, or None.
        reduction: 0 for the losses themselves, 1 for their mean over the targets' factors, 2 for their sum.
        ignore_index: the target that does not count."""
_REST = "target, weight, reduction, ignore_index"
_ROW = "Tensor target, Tensor? weight, int reduction, int ignore_index"

op(
    f"_nll_loss(Tensor input, {_ROW}) -> Tensor",
    vjp={"input": f"_nll_loss_backward(g, input.shape, {_REST})"},
    where="_C",
    out=False,
    doc=f"""Return minus the element that each target names, weighted and reduced.

    Args:
        {_ARGS}

    Raises:
        IndexError: a target is no class.
    """,
)
op(
    f"_nll_loss_backward(Tensor grad, int[] sizes, {_ROW}) -> Tensor",
    vjp={"grad": f"_nll_loss(g, {_REST})"},  # it is linear, and this is its transpose
    where="_C",
    out=False,
    doc="Return the gradient of the negative log likelihood with respect to its input, of shape ``sizes``.",
)
op(
    f"_cross_entropy(Tensor input, {_ROW}) -> (Tensor out, Tensor stats)",
    vjp={"input": "_cross_entropy_backward(g_out, input, target, weight, stats, reduction, ignore_index)"},
    differentiable=("out",),
    where="_C",
    out=False,
    doc=f"""Return the cross-entropy of the softmax of ``input``, reduced, and what its gradient needs to know of each position.

    Args:
        {_ARGS}

    Raises:
        IndexError: a target is no class.
    """,
)

# With s the softmax, e the target's unit vector and c a position's share of the gradient, the gradient is c (s - e).
_CLASS_DIM = "0 if input.ndim == 1 else 1"
_S = f"input.softmax({_CLASS_DIM})"
_CENTRED = f"(g - (g * {_S}).sum({_CLASS_DIM}, True))"
_SHARE = f"_nll_loss_backward(grad, input.shape, {_REST}).sum({_CLASS_DIM}, True)"  # minus c
op(
    "_cross_entropy_backward(Tensor grad, Tensor input, Tensor target, Tensor? weight, Tensor stats, int reduction, "
    "int ignore_index) -> Tensor",
    vjp={"grad": f"_nll_loss({_CENTRED}, {_REST})", "input": f"-({_SHARE} * {_S} * {_CENTRED})"},
    where="_C",
    out=False,
    doc="Return the gradient of the cross-entropy with respect to its input.",
)
