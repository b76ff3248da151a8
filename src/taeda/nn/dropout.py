"""Dropout layers."""

from __future__ import annotations

from typing import Any

from taeda.nn import functional as F
from taeda.nn.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _Dropout(Module):
    """Calls a function of nn.functional in training and returns its input otherwise.

    Args:
        p: the probability of being dropped; default 0.5.
        inplace: whether the input is overwritten; default False.
    """

    __constants__ = ["p", "inplace"]
    _function: Any

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0.0 or p > 1.0:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """``input`` with parts of it dropped in training."""
        return type(self)._function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    __doc__ = (_Dropout.__doc__ or "").replace(
        "Calls a function of nn.functional in training and returns its input otherwise.",
        "In training sets elements to 0 at probability ``p`` and scales the others by ``1 / (1 - p)`` (Hinton 2012).",
    )
    _function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """In training sets whole channels of (N, C, L) or (C, L) to 0 at probability ``p`` (Tompson 2014)."""

    _function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """In training sets whole channels of (N, C, H, W) to 0 at probability ``p`` (Tompson 2014)."""

    _function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """In training sets whole channels of (N, C, D, H, W) or (C, D, H, W) to 0 at probability ``p``."""

    _function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """In training drops elements so that mean and variance of SELU networks stay (Klambauer 2017)."""

    _function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels."""

    _function = staticmethod(F.feature_alpha_dropout)
