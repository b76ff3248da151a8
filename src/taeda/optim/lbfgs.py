"""L-BFGS: a quasi-Newton method that remembers the last steps and changes of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import taeda
from taeda.optim._rules import check_learning_rate, scalar
from taeda.optim.optimizer import Optimizer

__all__ = ["LBFGS"]

# A pair of step and gradient change goes into the memory only when their product is this far from zero: the estimate
# of the curvature has to stay positive.
_LEAST_CURVATURE = 1e-10


class LBFGS(Optimizer):
    """Goes along ``-H g``, where ``H`` is the inverse Hessian as the last ``history_size`` steps suggest it.

    Args:
        params: the parameters, in one group.
        lr: the step along the direction, or the first one that the line search tries.
        max_iter: the most iterations for one ``step``.
        max_eval: the most evaluations of the closure for one ``step``; by default ``max_iter * 1.25``.
        tolerance_grad: stop when no element of the gradient is larger.
        tolerance_change: stop when neither the parameters nor the loss change by more.
        history_size: how many steps are remembered.
        line_search_fn: ``None`` or ``"strong_wolfe"``.

    Source: Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.4 and section 3.5.
    """

    def __init__(
        self,
        params,
        lr: float | taeda.Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_learning_rate(lr)
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    # ---- all parameters as one vector; a complex number counts as two real ones

    def _flat_grad(self):
        parts = []
        for param in self._params:
            if param.grad is None:
                part = param.new_zeros(param.numel())
            elif param.grad.is_sparse:
                part = param.grad.to_dense().reshape(-1)
            else:
                part = param.grad.reshape(-1)
            parts.append(taeda.view_as_real(part).reshape(-1) if part.is_complex() else part)
        return taeda.cat(parts, 0)

    def _move(self, length: float, direction) -> None:
        offset = 0
        for param in self._params:
            real = taeda.view_as_real(param) if param.is_complex() else param
            n_elements = real.numel()
            real.add_(direction[offset : offset + n_elements].view_as(real), alpha=length)
            offset += n_elements

    def _evaluate_at(self, closure, start: list, length: float, direction) -> tuple[float, Any]:
        """The loss and the flat gradient ``length`` along ``direction``; the parameters are put back."""
        self._move(length, direction)
        loss = float(closure())
        grad = self._flat_grad()
        for param, old in zip(self._params, start):
            param.copy_(old)
        return loss, grad

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Run up to ``max_iter`` iterations.

        Args:
            closure: clears the gradients, evaluates the model, calls ``backward`` and returns the loss.

        Returns:
            What ``closure`` returned at first.
        """

        def evaluate():
            with taeda.enable_grad():
                return closure()

        with taeda.no_grad():
            return self._iterate(evaluate)

    def _iterate(self, closure) -> Any:
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss = float(first_loss)
        n_evaluations = 1
        state["func_evals"] += 1
        grad = self._flat_grad()
        if grad.abs().max() <= group["tolerance_grad"]:
            return first_loss

        memory = _Memory.from_state(state, group["history_size"])
        length, n_iterations = state.get("t"), 0
        while n_iterations < group["max_iter"]:
            n_iterations += 1
            state["n_iter"] += 1
            direction = memory.next_direction(grad, length, is_first=state["n_iter"] == 1)
            memory.previous_grad = grad.clone()
            memory.previous_loss = loss
            lr = scalar(group["lr"])
            length = min(1.0, 1.0 / grad.abs().sum().item()) * lr if state["n_iter"] == 1 else lr
            slope = grad.dot(direction)
            if slope > -group["tolerance_change"]:
                break
            loss, grad, length, n_new = self._advance(
                closure, length, direction, loss, grad, slope, is_last=n_iterations == group["max_iter"]
            )
            n_evaluations += n_new
            state["func_evals"] += n_new
            if n_iterations == group["max_iter"] or n_evaluations >= group["max_eval"]:
                break
            if grad.abs().max() <= group["tolerance_grad"]:
                break
            if direction.mul(length).abs().max() <= group["tolerance_change"]:
                break
            if abs(loss - memory.previous_loss) < group["tolerance_change"]:
                break
        memory.to_state(state, length)
        return first_loss

    def _advance(self, closure, length, direction, loss, grad, slope, *, is_last: bool):
        """Go along ``direction``; returns the loss and gradient there, the length gone and the evaluations made."""
        group = self.param_groups[0]
        if group["line_search_fn"] is None:
            self._move(length, direction)
            if is_last:
                # Nobody looks at the loss after the last iteration, so it is not evaluated.
                return loss, grad, length, 0
            loss = float(closure())
            return loss, self._flat_grad(), length, 1
        if group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        from taeda.optim._line_search import strong_wolfe

        start = [param.clone() for param in self._params]
        loss, grad, length, n_new = strong_wolfe(
            lambda step: self._evaluate_at(closure, start, step, direction),
            length,
            direction,
            loss,
            grad,
            slope,
            tolerance_change=group["tolerance_change"],
        )
        self._move(length, direction)
        return loss, grad, length, n_new


class _Memory:
    """The steps and gradient changes remembered so far, and the direction they give."""

    def __init__(self, history_size: int) -> None:
        self.history_size = history_size
        self.changes: list = []  # of the gradient
        self.steps: list = []
        self.inverse_products: list = []
        self.scale: Any = 1
        self.direction: Any = None
        self.previous_grad: Any = None
        self.previous_loss: Any = None
        self.weights: list | None = None

    _NAMES: ClassVar[dict[str, str]] = {
        "d": "direction",
        "old_dirs": "changes",
        "old_stps": "steps",
        "ro": "inverse_products",
        "H_diag": "scale",
        "prev_flat_grad": "previous_grad",
        "prev_loss": "previous_loss",
        "al": "weights",
    }

    @classmethod
    def from_state(cls, state: dict[str, Any], history_size: int) -> _Memory:
        memory = cls(history_size)
        for key, name in cls._NAMES.items():
            if key in state:
                setattr(memory, name, state[key])
        return memory

    def to_state(self, state: dict[str, Any], length) -> None:
        state["t"] = length
        for key, name in self._NAMES.items():
            # The weights exist only once a second direction was computed.
            if key != "al" or self.weights is not None:
                state[key] = getattr(self, name)

    def next_direction(self, grad, length, *, is_first: bool):
        if is_first:
            self.direction = grad.neg()
            self.changes, self.steps, self.inverse_products, self.scale = [], [], [], 1
            return self.direction
        self._remember(grad.sub(self.previous_grad), self.direction.mul(length))
        self.direction = self._two_loops(grad)
        return self.direction

    def _remember(self, change, step) -> None:
        product = change.dot(step)
        if product <= _LEAST_CURVATURE:
            return
        if len(self.changes) == self.history_size:
            for memory in (self.changes, self.steps, self.inverse_products):
                memory.pop(0)
        self.changes.append(change)
        self.steps.append(step)
        self.inverse_products.append(1.0 / product)
        self.scale = product / change.dot(change)

    def _two_loops(self, grad):
        """``-H grad``, without ever forming ``H``."""
        count = len(self.changes)
        if self.weights is None:
            self.weights = [None] * self.history_size
        result = grad.neg()
        for i in range(count - 1, -1, -1):
            self.weights[i] = self.steps[i].dot(result) * self.inverse_products[i]
            result.add_(self.changes[i] * -self.weights[i])
        result = result.mul(self.scale)
        for i in range(count):
            correction = self.changes[i].dot(result) * self.inverse_products[i]
            result.add_(self.steps[i] * (self.weights[i] - correction))
        return result
