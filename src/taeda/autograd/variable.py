"""The class that tensors with gradients had before they became tensors; the name stays for old programs."""

from __future__ import annotations

from taeda import Tensor as Variable

__all__ = ["Variable"]
