"""Normalizations: batch, instance, layer, group, root mean square, local response, and vectors to length 1."""

from __future__ import annotations

import math
from typing import Any

import taeda
from taeda.nn._functional.padding import pad
from taeda.nn._functional.primitives import primitive

_batch_norm = primitive("_native_batch_norm")
_layer_norm = primitive("layer_norm")
_group_norm = primitive("group_norm")
_rms_norm = primitive("rms_norm")


def _check_more_than_one_value(size: Any) -> None:
    if size[0] * math.prod(size[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")


def _affine_of_empty(input: Any, weight: Any, bias: Any) -> Any:
    """What is left of a normalization without elements: its shape, and gradients of 0."""
    shape = [1, -1, *(1,) * (input.dim() - 2)]
    result = input * 1
    result = result if weight is None else result * weight.view(shape)
    return result if bias is None else result + bias.view(shape)


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Each channel (dimension 1) of ``input`` with mean 0 and variance 1, then scaled and shifted (Ioffe 2015).

    Args:
        input: (N, C, ...).
        running_mean, running_var: (C,), used without ``training``, otherwise updated in place; or None.
        weight, bias: (C,) or None.
        training: whether the batch's own statistics are used; default False.
        momentum: the share of the new statistics in the running ones; default 0.1.
        eps: added to the variance; default 1e-5.
    """
    if training:
        _check_more_than_one_value(input.size())
    if input.numel() == 0:
        return _affine_of_empty(input, weight, bias)
    return _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)[0]


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Each channel of each sample of ``input`` with mean 0 and variance 1, then scaled and shifted (Ulyanov 2016).

    Args:
        input: (N, C, ...).
        running_mean, running_var: (C,) or None; updated in place with the mean over the samples' statistics.
        weight, bias: (C,) or None.
        use_input_stats: whether the input's own statistics are used, not the running ones; default True.
        momentum: the share of the new statistics in the running ones; default 0.1.
        eps: added to the variance; default 1e-5.
    """
    size = input.size()
    if use_input_stats:
        if math.prod(size[2:]) == 1:
            raise ValueError(f"Expected more than 1 spatial element when training, got input size {size}")
    elif running_mean is None or running_var is None:
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    n, c = size[:2]
    # Every sample's channels become channels of one batch of size 1: the batch norm's kernel does the work.
    mean, var = (None if running is None else running.repeat(n) for running in (running_mean, running_var))
    scale, shift = (None if factor is None else factor.repeat(n) for factor in (weight, bias))
    flat = input.reshape(1, n * c, *size[2:])
    result = _batch_norm(flat, scale, shift, mean, var, use_input_stats, momentum, eps)[0].view(size)
    if use_input_stats:
        with taeda.no_grad():
            for running, repeated in ((running_mean, mean), (running_var, var)):
                if running is not None and repeated is not None:
                    running.copy_(repeated.view(n, c).mean(0))
    return result


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """``input`` with mean 0 and variance 1 over its last dimensions, then scaled and shifted (Ba et al. 2016).

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the sizes of the dimensions normalized over.
        weight, bias: of shape ``normalized_shape``, or None.
        eps: added to the variance; default 1e-5.
    """
    return _layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Each group of channels of each sample with mean 0 and variance 1, then scaled and shifted (Wu 2018).

    Args:
        input: (N, C, ...).
        num_groups: how many groups the channels form.
        weight, bias: (C,) or None.
        eps: added to the variance; default 1e-5.
    """
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    size = input.size()
    if num_groups and size[0] * size[1] // num_groups * math.prod(size[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")
    return _group_norm(input, num_groups, weight, bias, eps)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """``input`` divided by its root mean square over its last dimensions, then scaled (Zhang 2019).

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the sizes of the dimensions normalized over.
        weight: of shape ``normalized_shape``, or None.
        eps: added to the mean square; default the dtype's machine epsilon.
    """
    if not input.is_complex():
        return _rms_norm(input, normalized_shape, weight, eps)
    sizes = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    if not sizes or list(input.shape[-len(sizes) :]) != sizes:
        raise RuntimeError(
            f"Given normalized_shape={sizes}, expected input with shape [*, {str(sizes)[1:]}, but got input of size{list(input.shape)}"
        )
    # The plain square, as in PyTorch, not that of the modulus: the function is holomorphic.
    squares = input.square().mean(list(range(-len(sizes), 0)), True)
    result = input * (squares + (taeda.finfo(input.dtype).eps if eps is None else eps)).rsqrt()
    return result if weight is None else result * weight


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """``input`` divided by a power of the mean square over ``size`` neighbouring channels (Krizhevsky 2012).

    Args:
        input: (N, C, ...).
        size: how many neighbouring channels count.
        alpha: the factor of the mean square.
        beta: the exponent.
        k: what the scaled mean square is added to.
    """
    if input.dim() < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.dim()} dimensions)")
    if input.numel() == 0:
        return input
    is_float = input.is_floating_point() or input.is_complex()
    squares = input * input
    padding = [0, 0] * (input.dim() - 2) + [size // 2, (size - 1) // 2]
    # The mean over a window of channels: a difference of sums would lose digits, so the windows are added up.
    windows = pad(squares, padding).unfold(1, size, 1)
    mean = windows.mean(-1) if is_float else windows.sum(-1).div(size, rounding_mode="trunc")
    return input / (mean * alpha + k).pow(beta)


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """``input`` divided by its ``p``-norm along ``dim``, which counts as at least ``eps``."""
    length = taeda.linalg.vector_norm(input, p, dim, True).clamp_min(eps).expand_as(input)
    return input / length if out is None else taeda.div(input, length, out=out)
