"""The memory format of convolutions' weights."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.nn import conv

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def _convert(module: Any, kinds: tuple[Any, ...], memory_format: Any) -> Any:
    for part in module.modules():
        if isinstance(part, kinds):
            part.weight.data = part.weight.detach().clone(memory_format=memory_format)
    return module


def convert_conv2d_weight_memory_format(module: Any, memory_format: Any = None) -> Any:
    """``module`` with the weights of its 2-D convolutions laid out in ``memory_format``."""
    return _convert(module, (conv.Conv2d, conv.ConvTranspose2d), memory_format or taeda.channels_last)


def convert_conv3d_weight_memory_format(module: Any, memory_format: Any = None) -> Any:
    """``module`` with the weights of its 3-D convolutions laid out in ``memory_format``."""
    return _convert(module, (conv.Conv3d, conv.ConvTranspose3d), memory_format or taeda.channels_last_3d)
