"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import taeda

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _checked_device(parameter: Any, known: Any) -> Any:
    if known is not None and parameter.device != known:
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
    return parameter.device


def parameters_to_vector(parameters: Iterable[Any]) -> Any:
    """The elements of all ``parameters``, one after the other, in one vector."""
    device, parts = None, []
    for parameter in parameters:
        device = _checked_device(parameter, device)
        parts.append(parameter.reshape(-1))
    return taeda.cat(parts)


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Let ``parameters`` be views of consecutive parts of ``vec``."""
    if not isinstance(vec, taeda.Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    device, start = None, 0
    for parameter in parameters:
        device = _checked_device(parameter, device)
        n = parameter.numel()
        parameter.data = vec[start : start + n].view_as(parameter).data
        start += n
