"""An LSTM layer over a whole sequence as one operation (csrc/cpu/recurrent_sequence.cpp), with its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda
from taeda import _C
from taeda.autograd.function import Function
from taeda.nn.parameter import Parameter

# What the operation computes, step by step in operations that have derivatives of every order.
Steps = Callable[[Any, Any, Any, Any, bool], tuple[Any, Any]]


def is_offered(*tensors: Any) -> bool:
    """Whether one operation may stand for the steps: plain tensors of one dtype, and nothing that follows each operation."""
    dtype = tensors[0].dtype
    return (
        dtype in (taeda.float32, taeda.float64)
        and not _C._n_dual_levels()
        and all(type(x) in (taeda.Tensor, Parameter) and x.dtype == dtype for x in tensors)
        and not any(_C._wrapper_of(x) is not None for x in tensors)
    )


class _Sequence(Function):
    @staticmethod
    def forward(ctx: Any, projected: Any, hidden: Any, cell: Any, weight: Any, reverse: bool, steps: Steps) -> Any:
        output, last, cells, gates = taeda._C._lstm_sequence(projected, hidden, cell, weight, reverse, True)
        ctx.save_for_backward(projected, hidden, cell, weight, output, cells, gates)
        ctx.reverse, ctx.steps = reverse, steps
        return output, last

    @staticmethod
    def backward(ctx: Any, g_output: Any, g_cell: Any) -> Any:
        projected, hidden, cell, weight, output, cells, gates = ctx.saved_tensors
        if not taeda.is_grad_enabled():
            grads = taeda._C._lstm_sequence_backward(
                g_output, g_cell, hidden, cell, weight, output, cells, gates, ctx.reverse
            )
            return *grads, None, None
        # To be differentiated again: once more in single steps, whose gradients are recorded.
        inputs = (projected, hidden, cell, weight)
        wanted = [x for x, is_needed in zip(inputs, ctx.needs_input_grad, strict=False) if is_needed]
        made = iter(taeda.autograd.grad(ctx.steps(*inputs, ctx.reverse), wanted, (g_output, g_cell), create_graph=True))
        grads = [next(made) if is_needed else None for is_needed in ctx.needs_input_grad[:4]]
        return *grads, None, None


def sequence(projected: Any, hidden: Any, cell: Any, weight: Any, reverse: bool, steps: Steps) -> tuple[Any, Any]:
    """All hidden states of an LSTM, and the last cell state.

    Args:
        projected: (T, N, 4 * features), the input's part of all gates with the biases.
        hidden, cell: (N, features), the state that it starts from.
        weight: (4 * features, features), of the hidden state.
        reverse: whether it runs from the last step to the first.
        steps: the same in single steps; second derivatives go through it.
    """
    tensors = (projected, hidden, cell, weight)
    if taeda.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return _Sequence.apply(*tensors, reverse, steps)
    return taeda._C._lstm_sequence(*tensors, reverse, False)[:2]
