"""AdamW: Adam whose weight decay does not pass through the gradient."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.optim.adam import Adam

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam that shrinks each parameter by ``lr * weight_decay`` at each step.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, a float or a one-element tensor.
        betas: the decay rates of the running mean and of the running mean square.
        eps: added to the divisor.
        weight_decay: the share of each parameter, times ``lr``, that a step takes away.
        amsgrad: divide by the largest running mean square so far.
        maximize: go along the gradient instead of against it.
        foreach, capturable, differentiable, fused: as for `Adam`.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019).
    """

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1e-3,
        betas: tuple[float | taeda.Tensor, float | taeda.Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # A state dict saved before the option existed lacks it, or holds Adam's value.
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
