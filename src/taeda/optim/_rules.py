"""What the optimizers of this package share: the loop of a step, and small helpers for update rules.

An optimizer of this package states its rule for one parameter (`_new_state`, `_update`) in tensor operations. Where a
fused kernel exists and applies, `_fused_update` does a whole group in one call instead; the kernel decides itself
whether it applies (it looks at dtypes, layouts and devices and touches nothing when it does not), so the rule in
tensor operations stays the definition and the fallback.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import taeda
from taeda.optim.optimizer import Optimizer


class RuleOptimizer(Optimizer):
    """An optimizer whose step treats each parameter by the same rule."""

    # A rule that is not linear in the gradient treats the real and the imaginary part of a complex parameter as two
    # real numbers each.
    _complex_as_real = True
    _sparse_hint = ""
    # Options that groups pickled or saved by older versions may lack, with what was then meant.
    _late_options: ClassVar[dict[str, Any]] = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._late_options.items():
                if name in self.defaults:
                    group.setdefault(name, value)
        for entry in self.state.values():
            if "step" in entry and not isinstance(entry["step"], taeda.Tensor):
                entry["step"] = taeda.tensor(float(entry["step"]), dtype=taeda.float32)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move each parameter that has a gradient once.

        Args:
            closure: evaluates the model again and returns the loss; called with gradients recorded.

        Returns:
            What ``closure`` returned, or ``None``.
        """
        loss = run_closure(closure)
        for group in self.param_groups:
            if group.get("differentiable"):
                with taeda.enable_grad():
                    self._composed_update(group)
            elif not self._fused_update(group):
                with taeda.no_grad():
                    self._composed_update(group)
        return loss

    def _fused_update(self, group: dict[str, Any]) -> bool:
        """Update the whole group in one kernel; False when no kernel applies, and then nothing has changed."""
        return False

    def _composed_update(self, group: dict[str, Any]) -> None:
        """Update the group's parameters one by one, by the rule."""
        todo = []
        for param in group["params"]:
            grad = param.grad
            if grad is not None:
                # All gradients are looked at before the first parameter moves, so that an error leaves no half step.
                self._check_grad(param, grad, group)
                todo.append((param, grad))
        for param, grad in todo:
            state = self._state_of(param, group)
            if group.get("maximize"):
                grad = -grad
            if self._complex_as_real and param.is_complex():
                self._update_as_real(param, grad, state, group)
            else:
                self._update(param, grad, state, group)

    def _state_of(self, param, group) -> dict[str, Any]:
        state = self.state[param]
        if not state:
            state.update(self._new_state(param, group))
        return state

    def _update_as_real(self, param, grad, state, group) -> None:
        views = {
            key: taeda.view_as_real(value) if isinstance(value, taeda.Tensor) and value.is_complex() else value
            for key, value in state.items()
        }
        self._update(taeda.view_as_real(param), taeda.view_as_real(grad), views, group)

    def _check_grad(self, param, grad, group) -> None:
        if grad.is_sparse:
            # AdamW takes Adam's rule, and PyTorch names Adam in this error too.
            name = "Adam" if type(self).__name__ == "AdamW" else type(self).__name__
            raise RuntimeError(f"{name} does not support sparse gradients{self._sparse_hint}")

    def _new_state(self, param, group) -> dict[str, Any]:
        raise NotImplementedError

    def _update(self, param, grad, state, group) -> None:
        raise NotImplementedError


def run_closure(closure: Callable[[], Any] | None) -> Any:
    """The loss that ``closure`` returns, computed with gradients recorded; None without a closure."""
    if closure is None:
        return None
    with taeda.enable_grad():
        return closure()


def kernel(name: str) -> Callable | None:
    """The fused kernel of that name, or None where the core was built without it."""
    table = getattr(getattr(taeda, "_C", None), "optim", None)
    return getattr(table, name, None)


def new_step(param, group) -> taeda.Tensor:
    """A step counter at zero: float32 and 0-dimensional; beside the parameter where a kernel would read it there."""
    device = param.device if group.get("capturable") or group.get("fused") else "cpu"
    return taeda.zeros((), dtype=taeda.float32, device=device)


def step_value(state: dict[str, Any], group: dict[str, Any]):
    """Count one step and return its number: a float, or a tensor where the step itself is recorded or captured."""
    step = state["step"]
    step += 1
    return step if group.get("capturable") or group.get("differentiable") else step.item()


def check_capturable(param, group) -> None:
    """Refuse ``capturable=True`` on a device whose work cannot be captured."""
    if group.get("capturable") and param.device.type == "cpu":
        raise AssertionError(
            "If capturable=True, params and state_steps must be on supported devices: ['cuda'].\n"
            f"  a parameter of shape {tuple(param.shape)} is on {param.device}"
        )


def scalar(value: Any) -> Any:
    """A one-element tensor's value as a Python number; anything else as it is."""
    return value.item() if isinstance(value, taeda.Tensor) else value


def kept(tensor, group):
    """The tensor; a copy of it where the step is recorded, because later steps write to the tensor itself."""
    return tensor.clone() if group.get("differentiable") else tensor


def step_size(group: dict[str, Any]):
    """The learning rate: a number, or a tensor where the step itself is recorded or captured."""
    lr = group["lr"]
    return lr if group.get("differentiable") or group.get("capturable") else scalar(lr)


def root(value: Any) -> Any:
    """The square root of a number or of a tensor."""
    return value.sqrt() if isinstance(value, taeda.Tensor) else value**0.5


def check_learning_rate(lr: Any, phrase: str = "Invalid learning rate: {}") -> None:
    """Refuse a learning rate that is negative, or a tensor of several values."""
    if isinstance(lr, taeda.Tensor) and lr.numel() != 1:
        raise ValueError(f"Tensor lr must be 1-element\n  lr has the shape {tuple(lr.shape)}")
    if not 0.0 <= lr:
        raise ValueError(phrase.format(lr))


def check_not_negative(**values: Any) -> None:
    """Refuse a negative value of an option; the keyword is the name that the error gives."""
    for name, value in values.items():
        if not 0.0 <= value:
            raise ValueError(f"Invalid {name} value: {value}")


def check_betas(betas: tuple) -> None:
    """Refuse decay rates outside [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def check_fused(fused: bool | None, foreach: bool | None, differentiable: bool) -> None:
    """Refuse combinations that exclude each other."""
    if fused:
        if differentiable:
            raise RuntimeError("`fused` does not support `differentiable`")
        if foreach:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def decay_weights(param, grad, group) -> taeda.Tensor:
    """The gradient with weight decay in it; decoupled decay shrinks the parameter instead."""
    weight_decay = group["weight_decay"]
    if isinstance(weight_decay, (int, float)) and weight_decay == 0:
        return grad
    if group.get("decoupled_weight_decay"):
        param.mul_(1 - group["lr"] * weight_decay)
        return grad
    if isinstance(weight_decay, taeda.Tensor):
        return grad + weight_decay * param
    return grad.add(param, alpha=weight_decay)
