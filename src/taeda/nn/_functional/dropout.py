"""Dropout in its forms: of elements, of whole channels, and the one that keeps mean and variance (alpha)."""

from __future__ import annotations

import math
import warnings
from typing import Any

import taeda
from taeda.nn._functional.primitives import primitive

_dropout = primitive("_dropout")

# The negative saturation value of SELU: scale * alpha.
_ALPHA = 1.7580993408473766


def _check(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """``input`` with elements set to 0 at probability ``p`` and the others scaled by ``1 / (1 - p)`` (Hinton 2012).

    Args:
        input: any shape.
        p: the probability of an element to be dropped; default 0.5.
        training: whether anything is dropped; default True.
        inplace: whether ``input`` is overwritten; default False.
    """
    _check(p)
    if not training or p == 0.0 or input.numel() == 0:
        return input
    return input.mul_(_kept(input, input.shape, p)) if inplace else _dropout(input, p)[0]


def _kept(input: Any, shape: Any, p: float) -> Any:
    """Noise of ``shape``: 0 at probability ``p``, else what keeps the mean."""
    if p == 1.0:
        return taeda.zeros(shape, dtype=input.dtype, device=input.device)
    return taeda.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1 - p).div_(1 - p)


def _feature_shape(input: Any) -> tuple:
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return (*input.shape[:2], *(1,) * (input.dim() - 2))


def _feature_dropout(input: Any, p: float, training: bool, inplace: bool) -> Any:
    if not training or p == 0.0 or input.numel() == 0:
        return input
    noise = _kept(input, _feature_shape(input), p)
    return input.mul_(noise) if inplace else input * noise


def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """``input`` of shape (N, C, L) or (C, L) with whole channels set to 0 at probability ``p`` (Tompson 2014)."""
    _check(p)
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. Note that dropout1d exists to "
            "provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional "
            "batch dimension (i.e. 2D or 3D inputs)."
        )
    if input.dim() == 3:
        return _feature_dropout(input, p, training, inplace)
    batch = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
    result = _feature_dropout(batch, p, training, inplace)
    return result.squeeze_(0) if inplace else result.squeeze(0)


def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """``input`` of shape (N, C, H, W) with whole channels set to 0 at probability ``p`` (Tompson 2014)."""
    _check(p)
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated and will result in an "
            "error in a future release. To retain the behavior and silence this warning, please use dropout instead. "
            "Note that dropout2d exists to provide channel-wise dropout on inputs with 2 spatial dimensions, a channel "
            "dimension, and an optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired "
            "- input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a "
            "future release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain "
            "the 1D channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _feature_dropout(input, p, training, inplace)


def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """``input`` of shape (N, C, D, H, W) or (C, D, H, W) with whole channels set to 0 at probability ``p``."""
    _check(p)
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated and will result in an "
            "error in a future release. To retain the behavior and silence this warning, please use dropout instead. "
            "Note that dropout3d exists to provide channel-wise dropout on inputs with 3 spatial dimensions, a channel "
            "dimension, and an optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
    if input.dim() != 4:
        return _feature_dropout(input, p, training, inplace)
    batch = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
    result = _feature_dropout(batch, p, training, inplace)
    return result.squeeze_(0) if inplace else result.squeeze(0)


def _alpha_dropout(input: Any, shape: Any, p: float, training: bool, inplace: bool) -> Any:
    _check(p)
    if not training or p == 0.0 or input.numel() == 0:
        return input
    if p == 1.0:
        return input.mul_(0) if inplace else input * 0
    noise = taeda.empty(shape, dtype=input.dtype, device=input.device).bernoulli_(1 - p)
    # Dropped elements become SELU's saturation value; the affine map afterwards restores mean 0 and variance 1.
    scale = 1.0 / math.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    shift = (noise - 1) * (_ALPHA * scale) + _ALPHA * scale * p
    noise = noise * scale
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Dropout that keeps mean and variance of standard-normal ``input``, for SELU networks (Klambauer 2017)."""
    return _alpha_dropout(input, input.shape, p, training, inplace)


def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """``alpha_dropout`` of whole channels."""
    _check(p)
    if not training or p == 0.0 or input.numel() == 0:
        return input
    return _alpha_dropout(input, _feature_shape(input), p, training, inplace)
