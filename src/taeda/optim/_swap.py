"""Running an optimizer on other tensors than its own for a while."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import taeda
from taeda.optim.optimizer import Optimizer

__all__ = ["swap_in_optimizer_params_and_state"]


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: dict[str, taeda.Tensor], swapin_optim_state: dict[str, Any]
) -> Iterator[None]:
    """Let the optimizer work on other parameters and state inside a ``with`` block, and put its own back after it.

    Args:
        optimizer: the optimizer, with its state already made.
        swapin_parameters: the tensors to use, in the order of the optimizer's own parameters.
        swapin_optim_state: a dict as `Optimizer.state_dict` returns it. Tensors in it are changed in place; whatever
            else the optimizer assigns inside the block is forgotten.
    """
    own_state, own_groups = optimizer.state, optimizer.param_groups
    tensors = list(swapin_parameters.values())
    n_own = sum(len(group["params"]) for group in own_groups)
    if len(tensors) != n_own:
        raise ValueError(f"expected {n_own} parameters to swap in, but got {len(tensors)}")
    groups = [
        {**group, "params": [tensors[number] for number in group["params"]]}
        for group in swapin_optim_state["param_groups"]
    ]
    state: defaultdict = defaultdict(dict)
    for key, value in swapin_optim_state["state"].items():
        state[tensors[key] if isinstance(key, int) else key] = dict(value)
    optimizer.state, optimizer.param_groups = state, groups
    try:
        yield
    finally:
        optimizer.state, optimizer.param_groups = own_state, own_groups
