"""taeda.amp: automatic mixed precision by PyTorch's names; it can only be switched off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taeda._autocast import GradScaler, autocast

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]


def is_autocast_available(device_type: str) -> bool:
    """Return False: see ``autocast``."""
    return False


def custom_fwd(fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: Any = None) -> Any:
    """Return the forward of an autograd function as it is: without autocast there is nothing to convert."""
    return (lambda function: function) if fwd is None else fwd


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """Return the backward of an autograd function as it is."""
    return (lambda function: function) if bwd is None else bwd
