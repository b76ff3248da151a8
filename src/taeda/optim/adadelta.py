"""Adadelta: steps as large as recent steps were, so that no unit of the gradient remains in them."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.optim._rules import (
    RuleOptimizer,
    check_capturable,
    check_learning_rate,
    check_not_negative,
    decay_weights,
    new_step,
    step_size,
)

__all__ = ["Adadelta"]


class Adadelta(RuleOptimizer):
    """Scales the gradient by the ratio of the running sizes of past steps and of past gradients.

    Args:
        params: the parameters, or groups of them.
        lr: a factor on each step, a float or a one-element tensor.
        rho: the decay rate of both running mean squares.
        eps: added under both roots.
        weight_decay: the multiple of the parameter that is added to its gradient.
        foreach: accepted; it changes nothing.
        capturable: keep step counters beside the parameters; an error for parameters on the CPU.
        maximize: go along the gradient instead of against it.
        differentiable: record the step itself, so that it can be differentiated.

    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012).
    """

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative(epsilon=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, param, group) -> dict[str, Any]:
        return {
            "step": new_step(param, group),
            "square_avg": taeda.zeros_like(param),
            "acc_delta": taeda.zeros_like(param),
        }

    def _update(self, param, grad, state, group) -> None:
        check_capturable(param, group)
        state["step"] += 1
        rho, eps, lr = group["rho"], group["eps"], step_size(group)
        square, travelled = state["square_avg"], state["acc_delta"]
        grad = decay_weights(param, grad, group)
        square.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        # Nothing here works in place on an intermediate result, so that a recorded step can go backward.
        delta = travelled.add(eps).sqrt() / square.add(eps).sqrt() * grad
        travelled.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        if isinstance(lr, taeda.Tensor):
            param.sub_(lr * delta)
        else:
            param.add_(delta, alpha=-lr)
