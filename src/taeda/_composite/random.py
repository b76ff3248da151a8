"""Dropout in PyTorch's functional forms, over one kernel that draws a mask and applies it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import taeda
from taeda import _C
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "alpha_dropout",
    "alpha_dropout_",
    "dropout",
    "dropout_",
    "feature_alpha_dropout",
    "feature_alpha_dropout_",
    "feature_dropout",
    "feature_dropout_",
    "native_dropout",
]


def _check(p: float) -> None:
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p}")


@public("torch")
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return ``input`` with elements set to 0 at probability ``p`` and the others scaled by ``1 / (1 - p)``.

    Args:
        input: floating, any shape.
        p: the probability of an element to be dropped.
        train: whether anything is dropped; otherwise the result is ``input``.

    Raises:
        RuntimeError: ``p`` is not in [0, 1].
    """
    _check(p)
    if not train or p == 0 or input.numel() == 0:
        return input
    return _C._dropout(input, p)[0]


@public("torch")
def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """``dropout`` that overwrites ``input``."""
    _check(p)
    if not train or p == 0 or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0)
    return input.mul_(taeda.empty_like(input).bernoulli_(1 - p).div_(1 - p))


@public("torch")
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Return dropout's result and the bool mask of what was kept; all of it unless ``train`` is true or None.

    Args:
        input: floating, any shape.
        p: the probability of an element to be dropped.
        train: whether anything is dropped.
    """
    if (train is None or train) and input.numel():
        return tuple(_C._dropout(input, p))
    return input.clone(), taeda.ones_like(input, dtype=taeda.bool)


def _feature_noise(input: Tensor, p: float) -> Tensor:
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    shape = (*input.shape[:2], *(1,) * (input.dim() - 2))
    if p == 1:
        return taeda.zeros(shape, dtype=input.dtype, device=input.device)
    return taeda.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1 - p).div_(1 - p)


@public("torch")
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return ``input`` of shape (N, C, ...) with whole channels set to 0 at probability ``p``, the others scaled.

    Args:
        input: floating, two dimensions or more.
        p: the probability of a channel to be dropped.
        train: whether anything is dropped; otherwise the result is ``input``.
    """
    _check(p)
    if not train or p == 0 or input.numel() == 0:
        return input
    return input * _feature_noise(input, p)


@public("torch")
def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """``feature_dropout`` that overwrites ``input``."""
    _check(p)
    if not train or p == 0 or input.numel() == 0:
        return input
    return input.mul_(_feature_noise(input, p))


@public("torch")
def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout that keeps mean and variance of standard-normal ``input``, for SELU networks (Klambauer 2017)."""
    _check(p)
    return taeda.nn.functional.alpha_dropout(input, p, train)


@public("torch")
def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """``alpha_dropout`` that overwrites ``input``."""
    _check(p)
    return taeda.nn.functional.alpha_dropout(input, p, train, True)


@public("torch")
def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``alpha_dropout`` of whole channels."""
    _check(p)
    return taeda.nn.functional.feature_alpha_dropout(input, p, train)


@public("torch")
def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """``feature_alpha_dropout`` that overwrites ``input``."""
    _check(p)
    return taeda.nn.functional.feature_alpha_dropout(input, p, train, True)
