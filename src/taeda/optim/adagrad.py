"""Adagrad: steps divided by the root of the sum of all squared gradients."""

from __future__ import annotations

from typing import Any, ClassVar

import taeda
from taeda.optim._rules import (
    RuleOptimizer,
    check_fused,
    check_learning_rate,
    check_not_negative,
    decay_weights,
    new_step,
    scalar,
    step_size,
    step_value,
)

__all__ = ["Adagrad"]


class Adagrad(RuleOptimizer):
    """Moves each parameter against its gradient divided by the root of the sum of all squared gradients so far.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        lr_decay: after ``n`` steps the learning rate is divided by ``1 + n * lr_decay``.
        weight_decay: the multiple of the parameter that is added to its gradient.
        initial_accumulator_value: what the sum starts at.
        eps: added to the divisor.
        foreach, fused: accepted; they change nothing.
        maximize: go along the gradient instead of against it.
        differentiable: record the step itself, so that it can be differentiated.

    Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning" (2011).
    """

    _late_options: ClassVar[dict[str, Any]] = {**RuleOptimizer._late_options, "fused": None}

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(lr_decay=lr_decay, weight_decay=weight_decay)
        check_not_negative(initial_accumulator_value=initial_accumulator_value, epsilon=eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)
        for group in self.param_groups:
            for param in group["params"]:
                self._state_of(param, group)

    def share_memory(self) -> None:
        """Move the sums into memory that child processes share."""
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()

    def _new_state(self, param, group) -> dict[str, Any]:
        start = group["initial_accumulator_value"]
        if param.is_complex():
            start = complex(start, start)
        return {"step": new_step(param, group), "sum": taeda.full_like(param, start)}

    def _check_grad(self, param, grad, group) -> None:
        if grad.is_sparse and group["weight_decay"] != 0:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")

    def _update_places(self, param, grad, total, size: float, eps: float) -> None:
        """Only where the gradient has elements: elsewhere the sum grows by 0, and so the step is 0."""
        grad = grad.coalesce()
        values = grad.values()
        if values.numel() == 0:
            return
        where = tuple(grad.indices())
        sums = total[where] + values * values
        total[where] = sums
        param[where] = param[where] - size * values / (sums.sqrt() + eps)

    def _update(self, param, grad, state, group) -> None:
        step, total = step_value(state, group), state["sum"]
        grad = decay_weights(param, grad, group)
        size = step_size(group) / (1 + (step - 1) * group["lr_decay"])
        if grad.is_sparse:
            self._update_places(param, grad, total, scalar(size), group["eps"])
            return
        total.addcmul_(grad, grad, value=1)
        divisor = total.sqrt() + group["eps"] if group["differentiable"] else total.sqrt().add_(group["eps"])
        if isinstance(size, taeda.Tensor):
            param.sub_(size * grad / divisor)
        else:
            param.addcdiv_(grad, divisor, value=-size)
