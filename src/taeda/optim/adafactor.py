"""Adafactor: running mean squares of matrices kept as one number per row and per column."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.optim._rules import RuleOptimizer, check_learning_rate, new_step, scalar

__all__ = ["Adafactor"]


class Adafactor(RuleOptimizer):
    """Divides each gradient by the root of a mean square that is factored into rows and columns, and clips the step.

    Args:
        params: the parameters, or groups of them.
        lr: the largest relative step, a float or a one-element tensor.
        beta2_decay: after ``n`` steps the running mean square takes ``n ** beta2_decay`` of a new square.
        eps: the smallest root mean square (``None``: the dtype's own), and the smallest size of a parameter.
        d: the root mean square that a step is clipped to.
        weight_decay: the share of each parameter, times ``lr``, that a step takes away.
        foreach: accepted; it changes nothing.
        maximize: go along the gradient instead of against it.

    Source: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost" (2018).
    """

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_learning_rate(lr, "Learning rate should be >= 0 but is: {}")
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not 0.0 <= eps[0]:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not 0.0 <= eps[1]:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_grad(self, param, grad, group) -> None:
        if param.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        super()._check_grad(param, grad, group)

    def _new_state(self, param, group) -> dict[str, Any]:
        state = {"step": new_step(param, group)}
        grad = param.grad
        if grad.dim() > 1:
            *batch, rows, columns = grad.shape
            state["row_var"] = grad.new_zeros([*batch, rows, 1])
            state["col_var"] = grad.new_zeros([*batch, 1, columns])
        else:
            state["variance"] = taeda.zeros_like(grad)
        return state

    def _update(self, param, grad, state, group) -> None:
        state["step"] += 1
        step, lr = state["step"].item(), scalar(group["lr"])
        eps1, eps2 = group["eps"]
        if eps1 is None:
            eps1 = taeda.finfo(param.dtype).eps
        n_elements = param.numel()
        parameter_size = taeda.linalg.vector_norm(param).item() / n_elements**0.5
        rate = max(eps2, parameter_size) * min(lr, 1 / step**0.5)
        if group["weight_decay"] != 0:
            param.mul_(1 - lr * group["weight_decay"])

        update = _mean_square(grad, state, step ** group["beta2_decay"], eps1)
        update = update.clamp_(min=eps1 * eps1).rsqrt_().mul_(grad)
        excess = max(1.0, taeda.linalg.vector_norm(update).item() / (n_elements**0.5 * group["d"]))
        param.add_(update, alpha=-rate / excess)


def _mean_square(grad, state, share, eps):
    """The estimate of the gradient's running mean square, after ``share`` of the new one has gone into it."""
    if grad.dim() < 2:
        return state["variance"].lerp_(grad.square(), share).clone()
    rows, columns = state["row_var"], state["col_var"]
    squares = grad.square()
    rows.lerp_(squares.mean(-1, keepdim=True), share)
    columns.lerp_(squares.mean(-2, keepdim=True), share)
    return (rows @ columns).div_(rows.mean(dim=-2, keepdim=True).clamp_(min=eps))
