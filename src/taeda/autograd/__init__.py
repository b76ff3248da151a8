"""Derivatives: running the recorded graph backward, switching the recording, and operations with a backward of their
own.
"""

from __future__ import annotations

import importlib
from typing import Any

from taeda.autograd._backward import backward, grad
from taeda.autograd.grad_mode import (
    enable_grad,
    enforce_grad_layout_policy,
    inference_mode,
    is_multithreading_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)

# Imported at once, because the function has its module's name and must win over it.
from taeda.autograd.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "NestedIOFunction",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "enforce_grad_layout_policy",
    "forward_ad",
    "functional",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_multithreading_enabled",
    "kineto_available",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]

# What a first tensor does not need is loaded on first use.
_LAZY = {
    "Function": "taeda.autograd.function",
    "NestedIOFunction": "taeda.autograd.function",
    "detect_anomaly": "taeda.autograd.anomaly_mode",
    "set_detect_anomaly": "taeda.autograd.anomaly_mode",
}
_LAZY_MODULES = ("anomaly_mode", "forward_ad", "function", "functional", "graph", "variable")


def kineto_available() -> bool:
    """Return whether PyTorch's library of profilers is there: False."""
    return False


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"taeda.autograd.{name}")
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
    elif name == "Variable":
        # The class that tensors with gradients had before they became tensors.
        value = importlib.import_module("taeda").Tensor
    else:
        raise AttributeError(f"module 'taeda.autograd' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_LAZY_MODULES, "Variable"})
