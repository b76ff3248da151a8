"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any, ClassVar

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

__all__ = ["NAdam"]


class NAdam(RuleOptimizer):
    """Adam whose running mean looks one step ahead, with a momentum that grows over the first steps.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        betas: the decay rates of the running mean and of the running mean square.
        eps: added to the divisor.
        weight_decay: the multiple of the parameter that is added to its gradient.
        momentum_decay: how fast the momentum grows to ``betas[0]``.
        decoupled_weight_decay: shrink the parameter by ``lr * weight_decay`` instead.
        foreach: accepted; it changes nothing.
        maximize: go along the gradient instead of against it.
        capturable: keep step counters beside the parameters; an error for parameters on the CPU.
        differentiable: record the step itself, so that it can be differentiated.

    Source: Dozat, "Incorporating Nesterov Momentum into Adam" (2016).
    """

    _late_options: ClassVar[dict[str, Any]] = {**RuleOptimizer._late_options, "decoupled_weight_decay": False}

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_learning_rate(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for entry in self.state.values():
            if "mu_product" in entry and not isinstance(entry["mu_product"], taeda.Tensor):
                entry["mu_product"] = taeda.tensor(float(entry["mu_product"]), dtype=taeda.float32)

    def _new_state(self, param, group) -> dict[str, Any]:
        step = new_step(param, group)
        return {
            "step": step,
            "mu_product": taeda.ones_like(step),
            "exp_avg": taeda.zeros_like(param),
            "exp_avg_sq": taeda.zeros_like(param),
        }

    def _update(self, param, grad, state, group) -> None:
        check_capturable(param, group)
        step = step_value(state, group)
        beta1, beta2 = group["betas"]
        mean, square, mu_product = state["exp_avg"], state["exp_avg_sq"], state["mu_product"]
        grad = decay_weights(param, grad, group)
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (step * group["momentum_decay"]))
        next_mu = beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * group["momentum_decay"]))
        mu_product *= mu
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)

        lr = step_size(group)
        divisor = square.div(1 - beta2**step).sqrt()
        if group["differentiable"] or group["capturable"]:
            divisor = divisor.add(group["eps"])
            product = kept(mu_product, group)
            param.addcdiv_(grad * (-lr * (1.0 - mu) / (1.0 - product)), divisor)
            param.addcdiv_(kept(mean, group) * (-lr * next_mu / (1.0 - product * next_mu)), divisor)
        else:
            divisor = divisor.add_(group["eps"])
            product = mu_product.item()
            param.addcdiv_(grad, divisor, value=-lr * (1.0 - mu) / (1.0 - product))
            param.addcdiv_(mean, divisor, value=-lr * next_mu / (1.0 - product * next_mu))
