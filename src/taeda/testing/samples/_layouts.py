"""Ways to lay the same elements out in memory: `LAYOUTS`, each a function from a tensor to an equal one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda

__all__ = ["LAYOUTS", "repeated"]


def _turned(x: Any) -> Any:
    """The last dimension is the slowest in memory."""
    order = tuple(reversed(range(x.dim())))
    return x.permute(order).clone(memory_format=taeda.contiguous_format).permute(order)


def _spaced(x: Any) -> Any:
    """Every other element of a larger tensor, from the second on."""
    if x.dim() == 0:
        return taeda.stack([x, x, x])[1]
    wide = taeda.stack([x, x], dim=-1).flatten(-2)
    return wide[..., 1::2]


def _backwards(x: Any) -> Any:
    """Negative strides."""
    return x.flip(tuple(range(x.dim())))[(slice(None, None, -1),) * x.dim()] if x.dim() else x


def _windowed(x: Any) -> Any:
    """The inner part of a larger tensor."""
    larger = x.new_zeros([length + 2 for length in x.shape])
    inner = larger[(slice(1, -1),) * x.dim()] if x.dim() else larger
    inner.copy_(x)
    return inner


def repeated(x: Any) -> Any:
    """Return a tensor whose first dimension has stride 0: the first entry, again and again. Not equal to ``x``."""
    return x[:1].expand(x.shape) if x.dim() and len(x) else x


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "turned": _turned,
    "spaced": _spaced,
    "backwards": _backwards,
    "windowed": _windowed,
}
