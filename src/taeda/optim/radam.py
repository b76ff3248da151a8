"""RAdam: Adam that leaves the division out while the running mean square is still uncertain."""

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
    root,
    step_size,
    step_value,
)

__all__ = ["RAdam"]

# Below this many effective samples the variance of the adaptive step is not defined, and the step is plain momentum.
_MIN_SAMPLES = 5.0


class RAdam(RuleOptimizer):
    """Adam with steps rectified by how certain the running mean square is.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        betas: the decay rates of the running mean and of the running mean square.
        eps: added to the divisor.
        weight_decay: the multiple of the parameter that is added to its gradient.
        decoupled_weight_decay: shrink the parameter by ``lr * weight_decay`` instead.
        foreach: accepted; it changes nothing.
        maximize: go along the gradient instead of against it.
        capturable: keep step counters beside the parameters; an error for parameters on the CPU.
        differentiable: record the step itself, so that it can be differentiated.

    Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond" (2020).
    """

    _late_options: ClassVar[dict[str, Any]] = {**RuleOptimizer._late_options, "decoupled_weight_decay": False}

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _new_state(self, param, group) -> dict[str, Any]:
        return {
            "step": new_step(param, group),
            "exp_avg": taeda.zeros_like(param),
            "exp_avg_sq": taeda.zeros_like(param),
        }

    def _update(self, param, grad, state, group) -> None:
        check_capturable(param, group)
        step = step_value(state, group)
        beta1, beta2 = group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        grad = decay_weights(param, grad, group)
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)

        correction1, correction2 = 1 - beta1**step, 1 - beta2**step
        most_samples = 2 / (1 - beta2) - 1
        samples = most_samples - 2 * step * (beta2**step) / correction2
        direction = kept(mean, group) / correction1 * step_size(group)
        if isinstance(samples, taeda.Tensor):
            # A captured step cannot branch on a value, so both branches are computed.
            trusted = (samples > _MIN_SAMPLES).to(param.dtype)
            scale = self._scale(square, samples.clamp(min=_MIN_SAMPLES), most_samples, correction2, group)
            param.add_(direction * (scale * trusted + (1 - trusted)), alpha=-1.0)
        elif samples > _MIN_SAMPLES:
            param.add_(direction * self._scale(square, samples, most_samples, correction2, group), alpha=-1.0)
        else:
            param.add_(direction, alpha=-1.0)

    @staticmethod
    def _scale(square, samples, most_samples, correction2, group):
        """The rectified factor that the adaptive step takes for each element."""
        variance_ratio = (samples - 4) * (samples - 2) * most_samples
        variance_ratio = variance_ratio / ((most_samples - 4) * (most_samples - 2) * samples)
        divisor = square.sqrt()
        divisor = divisor.add(group["eps"]) if group["differentiable"] else divisor.add_(group["eps"])
        return root(correction2) / divisor * root(variance_ratio)
