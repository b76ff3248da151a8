"""Small helpers for arguments that are a number or one number for each dimension."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def n_tuple(value: Any, n: int) -> tuple:
    """``value`` for each of ``n`` dimensions: a number is repeated, a sequence must have one or ``n`` entries."""
    if isinstance(value, Iterable):
        values = tuple(value)
        return values * n if len(values) == 1 else values
    return (value,) * n


def index_along(tensor: Any, dim: int, selection: Any) -> Any:
    """``tensor[..., selection, ...]`` with ``selection`` at dimension ``dim``."""
    selections: list[Any] = [slice(None)] * tensor.dim()
    selections[dim] = selection
    return tensor[tuple(selections)]


def pooled_size(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows of a pooling fit; with ``ceil_mode`` the last may overhang but must start inside."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (span + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    return count
