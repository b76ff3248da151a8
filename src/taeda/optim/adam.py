"""Adam: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from typing import Any, ClassVar

import taeda
from taeda.optim._rules import (
    RuleOptimizer,
    check_betas,
    check_capturable,
    check_fused,
    check_learning_rate,
    check_not_negative,
    decay_weights,
    kept,
    kernel,
    new_step,
    root,
    scalar,
    step_size,
    step_value,
)

__all__ = ["Adam"]


class Adam(RuleOptimizer):
    """Moves each parameter along a running mean of its gradient, divided by the root of a running mean square.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        betas: the decay rates of the running mean and of the running mean square; both floats or both tensors.
        eps: added to the divisor.
        weight_decay: the multiple of the parameter that is added to its gradient.
        amsgrad: divide by the largest running mean square so far.
        foreach: accepted; groups are always updated together here.
        maximize: go along the gradient instead of against it.
        capturable: keep step counters beside the parameters; an error for parameters on the CPU.
        differentiable: record the step itself, so that it can be differentiated.
        fused: accepted; the fused kernel is used wherever it applies.
        decoupled_weight_decay: shrink the parameter by ``lr * weight_decay`` instead, as AdamW does.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015); amsgrad: Reddi et al. (2018).
    """

    _sparse_hint = ", please consider SparseAdam instead"
    _late_options: ClassVar[dict[str, Any]] = {
        **RuleOptimizer._late_options,
        "amsgrad": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-3,
        betas: tuple[float | taeda.Tensor, float | taeda.Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        _check_tensors(lr, betas, foreach, capturable)
        check_learning_rate(lr)
        check_not_negative(epsilon=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _new_state(self, param, group) -> dict[str, Any]:
        state = {
            "step": new_step(param, group),
            "exp_avg": taeda.zeros_like(param),
            "exp_avg_sq": taeda.zeros_like(param),
        }
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = taeda.zeros_like(param)
        return state

    def _fused_update(self, group) -> bool:
        adam_step = kernel("adam_step")
        # Sparse gradients and complex parameters are for the rule, and must not get their state made here first.
        if adam_step is None or group["capturable"]:
            return False
        states, amsgrad = self.state, group["amsgrad"]
        params, grads, means, squares, largest, steps = [], [], [], [], [], []
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
            means.append(state["exp_avg"])
            squares.append(state["exp_avg_sq"])
            steps.append(state["step"])
            if amsgrad:
                largest.append(state["max_exp_avg_sq"])
        beta1, beta2 = group["betas"]
        return not params or adam_step(
            params, grads, means, squares, largest, steps, scalar(group["lr"]), scalar(beta1), scalar(beta2),
            group["weight_decay"], group["eps"], amsgrad, group["maximize"], group["decoupled_weight_decay"],
        )  # fmt: skip

    def _update(self, param, grad, state, group) -> None:
        check_capturable(param, group)
        step = step_value(state, group)
        beta1, beta2 = group["betas"]
        if not (group["differentiable"] or group["capturable"]):
            beta1, beta2 = scalar(beta1), scalar(beta2)
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        grad = decay_weights(param, grad, group)
        if isinstance(beta1, taeda.Tensor):
            mean.lerp_(grad, (1 - beta1).to(device=grad.device, dtype=grad.dtype))
        else:
            mean.lerp_(grad, 1 - beta1)
        if isinstance(beta2, taeda.Tensor):
            square.mul_(beta2).addcmul_(grad, grad * (1 - beta2))
        else:
            square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)

        correction1, correction2 = 1 - beta1**step, 1 - beta2**step
        largest = square
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]
            largest.copy_(taeda.maximum(largest.clone() if group["differentiable"] else largest, square))
        size = step_size(group) / correction1
        if isinstance(size, taeda.Tensor):
            # Folding the tensor step size into the divisor keeps it on its device, and differentiable.
            divisor = (largest.sqrt() / (root(correction2) * -size)).add_(group["eps"] / -size)
            param.addcdiv_(kept(mean, group), divisor)
        else:
            divisor = (largest.sqrt() / root(correction2)).add_(group["eps"])
            param.addcdiv_(kept(mean, group), divisor, value=-size)


def _check_tensors(lr, betas, foreach, capturable) -> None:
    """Refuse tensors as options where PyTorch does."""
    if isinstance(lr, taeda.Tensor):
        if foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_learning_rate(lr)
    are_tensors = [isinstance(beta, taeda.Tensor) for beta in betas]
    if any(are_tensors) and not all(are_tensors):
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate(betas):
        if are_tensors[i]:
            if foreach and not capturable:
                raise ValueError(f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True")
            if beta.numel() != 1:
                raise ValueError(f"Tensor betas[{i}] must be 1-element")
