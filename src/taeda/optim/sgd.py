"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any, ClassVar

import taeda
from taeda.optim._rules import (
    RuleOptimizer,
    check_fused,
    check_learning_rate,
    check_not_negative,
    decay_weights,
    kept,
    kernel,
    scalar,
    step_size,
)

__all__ = ["SGD"]


class SGD(RuleOptimizer):
    """Moves each parameter against its gradient, or against a running sum of gradients (momentum).

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        momentum: the share of the running sum that survives each step.
        dampening: how much of a new gradient is kept out of the running sum.
        weight_decay: the multiple of the parameter that is added to its gradient.
        nesterov: look ahead along the running sum.
        maximize: go along the gradient instead of against it.
        foreach: accepted; groups are always updated together here.
        differentiable: record the step itself, so that it can be differentiated.
        fused: accepted; the fused kernel is used wherever it applies.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).
    """

    _complex_as_real = False
    _late_options: ClassVar[dict[str, Any]] = {**RuleOptimizer._late_options, "nesterov": False, "fused": False}

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | taeda.Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening\n"
                f"  momentum is {momentum}, dampening is {dampening}"
            )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _fused_update(self, group) -> bool:
        sgd_step = kernel("sgd_step")
        if sgd_step is None:
            return False
        momentum, states = group["momentum"], self.state
        params, grads, buffers, first = [], [], [], []
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            params.append(param)
            grads.append(grad)
            if momentum != 0:
                buffer = states[param].get("momentum_buffer") if param in states else None
                first.append(buffer is None)
                buffers.append(taeda.empty_like(param) if buffer is None else buffer)
        if not params:
            return True
        done = sgd_step(
            params, grads, buffers if momentum != 0 else None, scalar(group["lr"]), momentum, group["dampening"],
            scalar(group["weight_decay"]), group["nesterov"], group["maximize"], first,
        )  # fmt: skip
        if done:
            for param, buffer, is_first in zip(params, buffers, first):
                if is_first:
                    states[param]["momentum_buffer"] = buffer
        return done

    def _check_grad(self, param, grad, group) -> None:
        """Gradients of any layout are taken: a sparse one moves its own elements only, unless the weights decay."""

    def _state_of(self, param, group) -> dict[str, Any]:
        # Plain gradient descent keeps nothing, and then `state` must not even have an entry.
        return self.state[param] if group["momentum"] != 0 else {}

    def _update(self, param, grad, state, group) -> None:
        grad = decay_weights(param, grad, group)
        momentum = group["momentum"]
        if momentum != 0:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = grad.clone() if group["differentiable"] else grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else kept(buffer, group)
        lr = step_size(group)
        if isinstance(lr, taeda.Tensor):
            param.addcmul_(grad, lr, value=-1)
        else:
            param.add_(grad, alpha=-lr)
