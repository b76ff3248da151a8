"""Rprop: steps whose size depends only on whether the gradient's sign stays."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.optim._rules import RuleOptimizer, check_capturable, check_learning_rate, new_step, scalar

__all__ = ["Rprop"]


class Rprop(RuleOptimizer):
    """Moves each element by a step of its own, which grows while the gradient keeps its sign and shrinks when it turns.

    Args:
        params: the parameters, or groups of them.
        lr: the first step size, a float or a one-element tensor.
        etas: the factors by which a step shrinks and grows.
        step_sizes: the smallest and the largest step.
        capturable: keep step counters beside the parameters; an error for parameters on the CPU.
        foreach: accepted; it changes nothing.
        maximize: go along the gradient instead of against it.
        differentiable: record the step itself, so that it can be differentiated.

    Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning" (1993).
    """

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}\n  0 < etas[0] < 1 < etas[1] must hold")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _new_state(self, param, group) -> dict[str, Any]:
        size = scalar(group["lr"])
        if param.is_complex():
            size = complex(size, size)
        return {
            "step": new_step(param, group),
            "prev": taeda.zeros_like(param),
            "step_size": taeda.full_like(param, size),
        }

    def _update(self, param, grad, state, group) -> None:
        check_capturable(param, group)
        state["step"] += 1
        shrink, grow = group["etas"]
        smallest, largest = group["step_sizes"]
        previous, size = state["prev"], state["step_size"]
        agreement = grad.mul(previous.clone() if group["differentiable"] else previous)
        turned = agreement < 0
        factor = taeda.ones_like(grad).masked_fill(agreement > 0, grow).masked_fill(turned, shrink)
        size.mul_(factor).clamp_(smallest, largest)
        # After a turn the step is left out, and the next sign counts as no change: the minimum was jumped over.
        grad = grad.masked_fill(turned, 0)
        param.addcmul_(grad.sign(), size.clone() if group["differentiable"] else size, value=-1)
        previous.copy_(grad)
