"""What all learning-rate schedules share: the count of epochs, writing rates into the groups, warnings about misuse."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import taeda
from taeda.optim.optimizer import Optimizer

EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed "
    "form is used instead of the new chainable form, where available."
)

_HOW_TO = "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"


def check_optimizer(optimizer: Any) -> None:
    """Refuse anything that is not an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def per_group(name: str, optimizer: Optimizer, value: Any) -> list:
    """One value for each parameter group, from one for all or from a list."""
    n_groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * n_groups
    if len(value) != n_groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {n_groups}."
        )
    return list(value)


def group_values(optimizer: Optimizer, key: str) -> list:
    """The option of that name of each group; tensors are copied, because schedules write into them."""
    values = [group[key] for group in optimizer.param_groups]
    return [value.clone() if isinstance(value, taeda.Tensor) else value for value in values]


def set_group_value(group: dict[str, Any], key: str, value: Any) -> None:
    """Write an option; a tensor keeps its identity, because captured steps read it."""
    if isinstance(group[key], taeda.Tensor):
        group[key].fill_(value.item() if isinstance(value, taeda.Tensor) else value)
    else:
        group[key] = value


def _count_steps(optimizer: Optimizer) -> None:
    """Let the optimizer remember that ``step`` was called, so that a wrong order of calls can be told."""
    step = optimizer.step
    if hasattr(step, "_wrapped_by_lr_sched"):
        return
    # A reference to the optimizer from its own attribute would keep it alive until the garbage collector runs, so the
    # method is unbound here. A step that somebody assigned to the optimizer is no method, and is called as it is.
    optimizer_ref = weakref.ref(optimizer)
    is_method = hasattr(step, "__func__")
    function: Any = getattr(step, "__func__", step)

    @functools.wraps(function)
    def counted_step(*args, **kwargs):
        self: Any = optimizer_ref()
        self._opt_called = True
        return function(self, *args, **kwargs) if is_method else function(*args, **kwargs)

    counted_step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = counted_step  # type: ignore[method-assign]


class LRScheduler:
    """Sets the learning rates of an optimizer's groups, anew at each ``step``; subclasses define ``get_lr``.

    Args:
        optimizer: the optimizer whose groups are written to.
        last_epoch: the number of the last epoch when a run is resumed; -1 for a new run, which also remembers the
            groups' present rates as ``"initial_lr"``.
    """

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        if last_epoch == -1:
            for group in optimizer.param_groups:
                lr = group["lr"]
                group.setdefault("initial_lr", lr.clone() if isinstance(lr, taeda.Tensor) else lr)
        else:
            for i, group in enumerate(optimizer.param_groups):
                if "initial_lr" not in group:
                    raise KeyError(
                        f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                        f"last_epoch >= 0: load the optimizer's state dict before making the scheduler, or start with "
                        "last_epoch=-1"
                    )
        self.base_lrs = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _count_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        """Write the rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything that the schedule remembers, but not its optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the schedule that returned this ``state_dict()`` was."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list:
        """The rates that the last ``step`` wrote, one for each group."""
        return self._last_lr

    def get_lr(self) -> list:
        """The rates of the epoch ``last_epoch``, one for each group."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr(): a subclass of LRScheduler defines it")

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch and write its rates into the groups.

        Args:
            epoch: deprecated; go to this epoch instead.
        """
        if self._step_count == 1:
            self._warn_about_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _warn_about_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. "
                f"Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`. {_HOW_TO}",
                UserWarning,
                stacklevel=3,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in the opposite "
                "order: `optimizer.step()` before `lr_scheduler.step()`. Failure to do this will result in skipping "
                f"the first value of the learning rate schedule. {_HOW_TO}",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: int | None = None) -> None:
        with self._inside_step():
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                # A schedule that follows from its last rate cannot jump, unless it knows a closed form.
                rates = self._get_closed_form_lr() if hasattr(self, "_get_closed_form_lr") else self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_group_value(group, "lr", rate)
        self._last_lr = group_values(self.optimizer, "lr")

    @contextmanager
    def _inside_step(self) -> Iterator[None]:
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _warn_outside_step(self) -> None:
        """Warn a caller of ``get_lr`` who will get the rate of a step that has not been made."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def _rates(self) -> list:
        """The rates that the groups have now."""
        return group_values(self.optimizer, "lr")
