"""Muon: momentum steps of weight matrices, made nearly orthogonal."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.optim._rules import RuleOptimizer, check_learning_rate, scalar

__all__ = ["Muon"]

_MOST_STEPS = 100


class Muon(RuleOptimizer):
    """Moves each weight matrix along its momentum with all singular values brought near one.

    Args:
        params: matrices only, or groups of them.
        lr: the learning rate.
        weight_decay: the share of each parameter, times ``lr``, that a step takes away.
        momentum: the share of the running mean gradient that survives each step.
        nesterov: look ahead along the running mean.
        ns_coefficients: coefficients of the odd quintic polynomial that the Newton-Schulz iteration applies.
        eps: the smallest norm that a step is divided by before the iteration.
        ns_steps: how often the polynomial is applied.
        adjust_lr_fn: how the learning rate depends on the matrix's shape: ``"original"`` (the default) or
            ``"match_rms_adamw"``.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
    """

    def __init__(
        self,
        params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_learning_rate(lr, "Learning rate should be >= 0 but is: {}")
        if not 0.0 <= momentum:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                if param.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with size: "
                        f"{param.size()}\n  hint: give biases and embeddings to AdamW instead"
                    )

    def _check_grad(self, param, grad, group) -> None:
        if param.is_complex():
            raise RuntimeError("Muon does not support complex parameters")
        super()._check_grad(param, grad, group)

    def _new_state(self, param, group) -> dict[str, Any]:
        return {"momentum_buffer": taeda.zeros_like(param.grad)}

    def _update(self, param, grad, state, group) -> None:
        momentum, lr = group["momentum"], scalar(group["lr"])
        buffer = state["momentum_buffer"]
        buffer.lerp_(grad, 1 - momentum)
        direction = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
        direction = _orthogonalized(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
        param.mul_(1 - lr * group["weight_decay"])
        param.add_(direction, alpha=-lr * _shape_factor(param.shape, group["adjust_lr_fn"]))


def _shape_factor(shape, how: str | None) -> float:
    """What the learning rate is multiplied with for a matrix of that shape."""
    rows, columns = shape
    if how == "match_rms_adamw":
        return 0.2 * max(rows, columns) ** 0.5
    return max(1, rows / columns) ** 0.5


def _orthogonalized(matrix, coefficients, n_steps: int, eps: float):
    """The matrix, in bfloat16, with its singular values moved near one by a Newton-Schulz iteration.

    Applying ``a x + b x^3 + c x^5`` to the singular values needs matrix products only, which half precision does well.
    """
    if n_steps >= _MOST_STEPS:
        raise ValueError(f"Number of steps must be less than {_MOST_STEPS} for computational efficiency")
    if len(matrix.shape) != 2:
        raise ValueError("Input tensor gradient must be a 2D matrix")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    result = matrix.bfloat16()
    tall = matrix.size(0) > matrix.size(1)
    if tall:
        result = result.T
    # Out of place: for a float64 or float32 matrix `bfloat16()` copies, but a bfloat16 one would be overwritten.
    result = result / taeda.linalg.vector_norm(result).clamp(min=eps)
    for _ in range(n_steps):
        gram = result @ result.T
        result = taeda.addmm(result, taeda.addmm(gram, gram, gram, beta=b, alpha=c), result, beta=a)
    return result.T if tall else result
