"""Gradient clipping: by the norm of all gradients together, or by value."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import taeda

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _grads(parameters: Any) -> list[Any]:
    if isinstance(parameters, taeda.Tensor):
        parameters = [parameters]
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Any:
    """The norm of all elements of several tensors together, as a tensor.

    Args:
        tensors: a tensor or an iterable of them.
        norm_type: the exponent; default 2; ``inf`` takes the largest.
        error_if_nonfinite: whether a norm that is infinite or no number is an error; default False.
        foreach: accepted for compatibility; the norm does not depend on it.
    """
    tensors = [tensors] if isinstance(tensors, taeda.Tensor) else list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return taeda.tensor(0.0)
    with taeda.no_grad():
        norms = [taeda.linalg.vector_norm(tensor.detach(), norm_type) for tensor in tensors]
        total = taeda.linalg.vector_norm(taeda.stack([norm.to(norms[0].device) for norm in norms]), norm_type)
    if error_if_nonfinite and not bool(taeda.isfinite(total)):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            f"clipped. "
            "To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Any, foreach: bool | None = None) -> None:
    """Scale the gradients of ``parameters`` so that a ``total_norm`` becomes at most ``max_norm``.

    Args:
        parameters: a tensor or an iterable of them.
        max_norm: the largest norm.
        total_norm: the norm of all gradients together, as ``get_total_norm`` returns it.
        foreach: accepted for compatibility.
    """
    with taeda.no_grad():
        # Never more than 1; without a branch, so that nothing has to wait for the value of the norm.
        factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for grad in _grads(parameters):
            grad.mul_(factor.to(grad.device))


def clip_grad_norm_(
    parameters: Iterable[Any] | Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """Scale the gradients of ``parameters`` so that their norm together is at most ``max_norm``; returns that norm.

    Args:
        parameters: a tensor or an iterable of them; those without a gradient do not count.
        max_norm: the largest norm.
        norm_type: the norm's exponent; default 2.
        error_if_nonfinite: whether a norm that is infinite or no number is an error; default False.
        foreach: accepted for compatibility.
    """
    if not isinstance(parameters, taeda.Tensor):
        parameters = list(parameters)
        if not parameters:
            warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """``clip_grad_norm_``, under its old name."""
    warnings.warn(
        "`nn.utils.clip_grad_norm` is now deprecated in favor of `nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Limit each element of the gradients of ``parameters`` to ``[-clip_value, clip_value]``, in place."""
    limit = float(clip_value)
    with taeda.no_grad():
        for grad in _grads(parameters):
            grad.clamp_(min=-limit, max=limit)
