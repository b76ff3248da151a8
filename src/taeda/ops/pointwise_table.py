"""The whole pointwise table: importing this module fills ``taeda.ops.pointwise.TABLE`` in a fixed order."""

from __future__ import annotations

from taeda.ops import (
    pointwise_activation,
    pointwise_arith,
    pointwise_compare,
    pointwise_math,
    pointwise_special,
)
from taeda.ops.pointwise import TABLE

__all__ = [
    "TABLE",
    "pointwise_activation",
    "pointwise_arith",
    "pointwise_compare",
    "pointwise_math",
    "pointwise_special",
]
