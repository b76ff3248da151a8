"""Gradients of convolutions with respect to their input and weight, by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda
from taeda.nn import functional as F

__all__ = ["conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input", "conv3d_weight"]


def _gradient(convolve: Callable, size: Any, other: Any, grad_output: Any, wants_input: bool, options: tuple) -> Any:
    """The gradient of a convolution, which does not depend on the values that it is taken at."""
    with taeda.enable_grad():
        place = taeda.zeros(tuple(size), dtype=grad_output.dtype, device=grad_output.device, requires_grad=True)
        inputs = (place, other.detach()) if wants_input else (other.detach(), place)
        return taeda.autograd.grad(convolve(*inputs, None, *options), place, grad_output)[0]


def _pair(n: int) -> tuple[Callable, Callable]:
    convolve = getattr(F, f"conv{n}d")

    def of_input(
        input_size: Any,
        weight: Any,
        grad_output: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        return _gradient(convolve, input_size, weight, grad_output, True, (stride, padding, dilation, groups))

    def of_weight(
        input: Any,
        weight_size: Any,
        grad_output: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        return _gradient(convolve, weight_size, input, grad_output, False, (stride, padding, dilation, groups))

    for function, what in ((of_input, "input"), (of_weight, "weight")):
        function.__name__ = function.__qualname__ = f"conv{n}d_{what}"
        function.__doc__ = f"The gradient of ``conv{n}d`` with respect to its {what}."
    return of_input, of_weight


conv1d_input, conv1d_weight = _pair(1)
conv2d_input, conv2d_weight = _pair(2)
conv3d_input, conv3d_weight = _pair(3)
