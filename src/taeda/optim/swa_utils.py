"""Averages of a model's weights over training: stochastic weight averaging and exponential moving averages."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Literal

import taeda
from taeda.nn import Module
from taeda.optim.lr_scheduler.base import LRScheduler, check_optimizer, group_values, per_group
from taeda.optim.optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """A function that moves a list of averages towards a list of values by ``1 - decay``, in place."""
    _check_decay(decay)

    @taeda.no_grad()
    def ema_update(ema_param_list, current_param_list, _):
        for average, value in zip(ema_param_list, current_param_list):
            if average.is_floating_point() or average.is_complex():
                average.lerp_(value, 1 - decay)
            else:
                average.copy_(average * decay + value * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> Callable:
    """A function that makes a list of averages equal averages of one value more, in place."""

    @taeda.no_grad()
    def swa_update(averaged_param_list, current_param_list, num_averaged):
        for average, value in zip(averaged_param_list, current_param_list):
            if average.is_floating_point() or average.is_complex():
                average.lerp_(value, 1 / (float(num_averaged) + 1))
            else:
                average.add_((value - average) // (num_averaged + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """A function that returns an average moved towards a value by ``1 - decay``."""
    _check_decay(decay)

    @taeda.no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable:
    """A function that returns the equal average of ``num_averaged`` values' average and one value more."""

    @taeda.no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose weights are the average of those that the model had at each ``update_parameters``.

    Args:
        model: the model; it is copied.
        device: where the copy lives; by default where the model does.
        avg_fn: ``(average, value, count)`` to the new average; by default an equal average.
        multi_avg_fn: ``(averages, values, count)``, for lists of tensors and in place, instead of ``avg_fn``.
        use_buffers: average buffers too; otherwise they are copied from the model.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization" (2018).
    """

    n_averaged: taeda.Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable | None = None,
        multi_avg_fn: Callable | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", taeda.tensor(0, dtype=taeda.long, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """What the averaged model returns."""
        return self.module(*args, **kwargs)

    def _tensors(self, model: Module) -> list:
        return list(itertools.chain(model.parameters(), model.buffers() if self.use_buffers else ()))

    def update_parameters(self, model: Module) -> None:
        """Take the model's present weights into the average."""
        averages = self._tensors(self.module)
        values = [value.detach().to(average.device) for average, value in zip(averages, self._tensors(model))]
        with taeda.no_grad():
            if self.n_averaged == 0:
                for average, value in zip(averages, values):
                    average.copy_(value)
            else:
                self._average(averages, values)
            if not self.use_buffers:
                for own, other in zip(self.module.buffers(), model.buffers()):
                    own.copy_(other.detach().to(own.device))
            self.n_averaged += 1

    def _average(self, averages: list, values: list) -> None:
        count = self.n_averaged.item()
        if self.avg_fn is not None:
            for average, value in zip(averages, values):
                average.copy_(self.avg_fn(average, value, self.n_averaged))
            return
        # Averages of different dtypes cannot be in one list: an averaging function may treat a list as a whole.
        by_dtype: dict[Any, tuple[list, list]] = {}
        for average, value in zip(averages, values):
            group = by_dtype.setdefault(average.dtype, ([], []))
            group[0].append(average)
            group[1].append(value)
        update = self.multi_avg_fn or get_swa_multi_avg_fn()
        for group_averages, group_values_ in by_dtype.values():
            update(group_averages, group_values_, count)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch-norm layers anew, by one pass over the data.

    Args:
        loader: batches; of a list or tuple the first item is the model's input.
        model: the model; it is run in training mode and left in the mode it was in.
        device: where inputs are moved first.
    """
    from taeda.nn.norm import _BatchNorm

    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        return
    momenta = {layer: layer.momentum for layer in layers}
    was_training = model.training
    for layer in layers:
        layer.reset_running_stats()
        # Without a momentum the layer keeps an equal average over all batches.
        layer.momentum = None
    model.train()
    try:
        with taeda.no_grad():
            for batch in loader:
                inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(inputs if device is None else inputs.to(device))
    finally:
        for layer, momentum in momenta.items():
            layer.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """Moves the rates to the fixed ones that weight averaging is done at, over some epochs.

    Args:
        optimizer: the optimizer.
        swa_lr: the rate to arrive at; one for all groups, or a list.
        anneal_epochs: epochs until then.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: the last epoch when resuming, else -1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float,
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        for rate, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, epoch: int) -> float:
        """How much of the way to the averaging rate is gone at that epoch."""
        position = max(0.0, min(1.0, epoch / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * position)) / 2 if self._anneal_strategy == "cos" else position

    def get_lr(self) -> list:
        self._warn_outside_step()
        # Before the first step, and where no annealing is asked for, the step counter decides as PyTorch's does.
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for rate, group in zip(group_values(self.optimizer, "lr"), self.optimizer.param_groups):
            target = group["swa_lr"]
            # The rate that annealing set out from follows from the present one, whoever changed it in between.
            start = target if before == 1 else (rate - before * target) / (1 - before)
            rates.append(target * now + start * (1 - now))
        return rates
