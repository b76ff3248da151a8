"""RMSprop: steps divided by the root of a running mean square of the gradient."""

from __future__ import annotations

from typing import Any, ClassVar

import taeda
from taeda.optim._rules import (
    RuleOptimizer,
    check_capturable,
    check_learning_rate,
    check_not_negative,
    decay_weights,
    kept,
    kernel,
    new_step,
    scalar,
    step_size,
)

__all__ = ["RMSprop"]


class RMSprop(RuleOptimizer):
    """Moves each parameter against its gradient divided by the root of the gradient's running mean square.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        alpha: the decay rate of the running mean square.
        eps: added to the divisor.
        weight_decay: the multiple of the parameter that is added to its gradient.
        momentum: the share of the running sum of steps that survives each step.
        centered: divide by the root of the running variance instead.
        capturable: keep step counters beside the parameters; an error for parameters on the CPU.
        foreach: accepted; groups are always updated together here.
        maximize: go along the gradient instead of against it.
        differentiable: record the step itself, so that it can be differentiated.

    Source: Hinton, "Neural Networks for Machine Learning", lecture 6 (2012); centered: Graves (2013).
    """

    _late_options: ClassVar[dict[str, Any]] = {**RuleOptimizer._late_options, "momentum": 0, "centered": False}

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(epsilon=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, param, group) -> dict[str, Any]:
        state = {"step": new_step(param, group), "square_avg": taeda.zeros_like(param)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = taeda.zeros_like(param)
        if group["centered"]:
            state["grad_avg"] = taeda.zeros_like(param)
        return state

    def _fused_update(self, group) -> bool:
        rmsprop_step = kernel("rmsprop_step")
        if rmsprop_step is None or group["capturable"]:
            return False
        states, momentum, centered = self.state, group["momentum"], group["centered"]
        params, grads, squares, buffers, means, steps = [], [], [], [], [], []
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            state = states[param]
            if not state:
                self._check_grad(param, grad, group)
                state.update(self._new_state(param, group))
            params.append(param)
            grads.append(grad)
            squares.append(state["square_avg"])
            steps.append(state["step"])
            if momentum > 0:
                buffers.append(state["momentum_buffer"])
            if centered:
                means.append(state["grad_avg"])
        return not params or rmsprop_step(
            params, grads, squares, buffers, means, steps, scalar(group["lr"]), group["alpha"], group["eps"],
            group["weight_decay"], momentum, centered, group["maximize"],
        )  # fmt: skip

    def _update(self, param, grad, state, group) -> None:
        check_capturable(param, group)
        step = state["step"]
        step += 1
        alpha, lr, square = group["alpha"], step_size(group), state["square_avg"]
        grad = decay_weights(param, grad, group)
        square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = state["grad_avg"]
            mean.lerp_(grad, 1 - alpha)
            mean = kept(mean, group)
            divisor = square.addcmul(mean, mean, value=-1).sqrt_()
        else:
            divisor = square.sqrt()
        divisor = divisor.add(group["eps"]) if group["differentiable"] else divisor.add_(group["eps"])
        if group["momentum"] > 0:
            buffer = state["momentum_buffer"].mul_(group["momentum"]).addcdiv_(grad, divisor)
            _move(param, kept(buffer, group), lr)
        elif isinstance(lr, taeda.Tensor):
            _move(param, grad / divisor, lr)
        else:
            param.addcdiv_(grad, divisor, value=-lr)


def _move(param, direction, lr) -> None:
    """Go ``lr`` times ``direction`` down."""
    if isinstance(lr, taeda.Tensor):
        param.sub_(lr * direction)
    else:
        param.add_(direction, alpha=-lr)
