"""SparseAdam: Adam that moves only the rows that a sparse gradient names."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.optim._rules import RuleOptimizer, check_betas, check_learning_rate, scalar

__all__ = ["SparseAdam"]


class SparseAdam(RuleOptimizer):
    """Adam for sparse gradients: elements without a gradient keep their value and their running means.

    Args:
        params: dense parameters with sparse gradients, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        betas: the decay rates of the running mean and of the running mean square.
        eps: added to the divisor.
        maximize: go along the gradient instead of against it.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), with the means of absent rows kept.
    """

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_learning_rate(lr)
        if not 0.0 < eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        sparse = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, param in enumerate(group["params"])
            if param.is_sparse
        ]
        if sparse:
            raise ValueError(f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")

    def _check_grad(self, param, grad, group) -> None:
        if not grad.is_sparse:
            raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")

    def _state_of(self, param, group) -> dict[str, Any]:
        state = self.state[param]
        if not state:
            state.update(step=0, exp_avg=taeda.zeros_like(param), exp_avg_sq=taeda.zeros_like(param))
        return state

    def _update(self, param, grad, state, group) -> None:
        state["step"] += 1
        # Repeated indices have to be added up first: the rule is not linear in the gradient.
        grad = grad.coalesce()
        values = grad.values()
        if values.numel() == 0:
            return
        where = tuple(grad.indices())
        beta1, beta2 = group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        old_mean, old_square = mean[where], square[where]
        new_mean = old_mean + (values - old_mean) * (1 - beta1)
        new_square = old_square + (values * values - old_square) * (1 - beta2)
        mean[where], square[where] = new_mean, new_square
        correction = (1 - beta2 ** state["step"]) ** 0.5 / (1 - beta1 ** state["step"])
        rate = scalar(group["lr"]) * correction
        param[where] = param[where] - rate * new_mean / (new_square.sqrt() + group["eps"])
