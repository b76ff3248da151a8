"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import taeda
from taeda.nn.utils.stateless import functional_call

__all__ = ["functional_call", "replace_all_batch_norm_modules_", "stack_module_state"]


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and the buffers of equal modules, each stacked along a new first dimension, for `vmap`.

    Raises:
        RuntimeError: there are none, they differ in class, or some are training and some are not.
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not all(model.training == models[0].training for model in models):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    if not all(type(model) is type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = {
        name: _stacked([dict(model.named_parameters())[name] for model in models])
        for name, _ in models[0].named_parameters()
    }
    buffers = {
        name: _stacked([dict(model.named_buffers())[name] for model in models]) for name, _ in models[0].named_buffers()
    }
    return parameters, buffers


def _stacked(tensors: list[Any]) -> Any:
    wants = [t.requires_grad for t in tensors]
    if any(wants) != all(wants):
        raise RuntimeError("Expected parameters from each model to have the same .requires_grad")
    return taeda.stack([t.detach() for t in tensors]).requires_grad_(all(wants))


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Let all batch norms in ``root`` keep no running statistics, which `vmap` could not update in place; returns ``root``."""
    from taeda.nn import BatchNorm1d, BatchNorm2d, BatchNorm3d

    for module in root.modules():
        if isinstance(module, BatchNorm1d | BatchNorm2d | BatchNorm3d):
            module.running_mean = None
            module.running_var = None
            module.num_batches_tracked = None
            module.track_running_stats = False
    return root
