"""Averaged stochastic gradient descent."""

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
    scalar,
    step_value,
)

__all__ = ["ASGD"]


class ASGD(RuleOptimizer):
    """Gradient descent with a falling learning rate, which also keeps the mean of the parameters (``state["ax"]``).

    Args:
        params: the parameters, or groups of them.
        lr: the first learning rate, a float or a one-element tensor.
        lambd: how fast the learning rate falls and the parameters decay.
        alpha: the power of the learning rate's fall.
        t0: the step at which averaging starts.
        weight_decay: the multiple of the parameter that is added to its gradient.
        foreach: accepted; it changes nothing.
        maximize: go along the gradient instead of against it.
        differentiable: record the step itself, so that it can be differentiated.
        capturable: keep step counters beside the parameters; an error for parameters on the CPU.

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992).
    """

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for entry in self.state.values():
            for name in ("eta", "mu"):
                if name in entry and not isinstance(entry[name], taeda.Tensor):
                    entry[name] = taeda.tensor(float(entry[name]), dtype=taeda.float32)

    def _new_state(self, param, group) -> dict[str, Any]:
        step = new_step(param, group)
        return {
            "step": step,
            "eta": taeda.full_like(step, scalar(group["lr"])),
            "mu": taeda.ones_like(step),
            "ax": taeda.zeros_like(param),
        }

    def _update(self, param, grad, state, group) -> None:
        check_capturable(param, group)
        # Only the parameters are part of a recorded step; the counters are plain numbers even then.
        step = scalar(step_value(state, group))
        lr, lambd = scalar(group["lr"]), group["lambd"]
        eta, mu, average = state["eta"], state["mu"], state["ax"]
        grad = decay_weights(param, grad, group)
        rate = eta.item()
        param.mul_(1 - lambd * rate)
        param.add_(grad, alpha=-rate)
        if mu.item() != 1:
            average.add_(param.sub(average).mul_(mu.item()))
        else:
            average.copy_(param)
        eta.fill_(lr / ((1 + lambd * lr * step) ** group["alpha"]))
        mu.fill_(1 / max(1, step - group["t0"]))
