"""Adamax: Adam with the largest recent gradient in the place of the mean square."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.optim._rules import (
    RuleOptimizer,
    check_betas,
    check_capturable,
    check_learning_rate,
    check_not_negative,
    decay_weights,
    kept,
    new_step,
    step_size,
    step_value,
)

__all__ = ["Adamax"]


class Adamax(RuleOptimizer):
    """Moves each parameter along a running mean of its gradient, divided by the gradient's decaying maximum.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        betas: the decay rates of the running mean and of the maximum.
        eps: added to each gradient's size before the maximum is taken.
        weight_decay: the multiple of the parameter that is added to its gradient.
        foreach: accepted; it changes nothing.
        maximize: go along the gradient instead of against it.
        differentiable: record the step itself, so that it can be differentiated.
        capturable: keep step counters beside the parameters; an error for parameters on the CPU.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), section 7.
    """

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _new_state(self, param, group) -> dict[str, Any]:
        return {
            "step": new_step(param, group),
            "exp_avg": taeda.zeros_like(param),
            "exp_inf": taeda.zeros_like(param),
        }

    def _update(self, param, grad, state, group) -> None:
        check_capturable(param, group)
        step = step_value(state, group)
        beta1, beta2 = group["betas"]
        mean, largest = state["exp_avg"], state["exp_inf"]
        grad = decay_weights(param, grad, group)
        mean.lerp_(grad, 1 - beta1)
        largest.copy_(taeda.maximum(kept(largest.mul_(beta2), group), grad.abs().add_(group["eps"])))
        size = step_size(group) / (1 - beta1**step)
        if isinstance(size, taeda.Tensor):
            param.sub_(size * kept(mean, group) / kept(largest, group))
        else:
            param.addcdiv_(kept(mean, group), kept(largest, group), value=-size)
