"""Pooling: maxima with or without their places, averages, power means, random windows, and their undoing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import taeda
from taeda.nn._functional.primitives import primitive
from taeda.nn._functional.sizes import n_tuple

_max_pool1d = primitive("max_pool1d_with_indices")
_max_pool2d = primitive("max_pool2d_with_indices")
_max_pool3d = primitive("max_pool3d_with_indices")
_adaptive_max_pool1d = primitive("adaptive_max_pool1d_with_indices")
_adaptive_max_pool2d = primitive("adaptive_max_pool2d_with_indices")
_adaptive_max_pool3d = primitive("adaptive_max_pool3d_with_indices")
_adaptive_avg_pool1d = primitive("adaptive_avg_pool1d")
_adaptive_avg_pool2d = primitive("adaptive_avg_pool2d")
_adaptive_avg_pool3d = primitive("adaptive_avg_pool3d")

avg_pool1d = primitive("avg_pool1d")
avg_pool2d = primitive("avg_pool2d")
avg_pool3d = primitive("avg_pool3d")


def _max_pool_pair(name: str, n: int, kernel: Callable) -> tuple[Callable, Callable]:
    """``max_pool{n}d_with_indices`` and ``max_pool{n}d`` over one kernel."""

    def with_indices(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> tuple[Any, Any]:
        if stride is None or stride == []:
            stride = kernel_size
        return kernel(input, kernel_size, stride, padding, dilation, ceil_mode)

    def without(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        if stride is None or stride == []:
            stride = kernel_size
        both = kernel(input, kernel_size, stride, padding, dilation, ceil_mode)
        return both if return_indices else both[0]

    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    with_indices.__doc__ = f"The results of ``{name}`` and the places of the maxima in the flattened input planes."
    without.__name__ = without.__qualname__ = name
    without.__doc__ = f"""The maximum of each window over the last {n} dimension(s).

    Args:
        input: (N, C, ...) or (C, ...).
        kernel_size: the window's size, a number or one for each dimension.
        stride: the step between windows; default ``kernel_size``.
        padding: how many implicit -inf are added at both ends; at most half the window.
        dilation: the step between the elements of a window.
        ceil_mode: whether a last window may overhang; default False.
        return_indices: whether the places of the maxima are returned as well; default False.
    """
    return with_indices, without


max_pool1d_with_indices, max_pool1d = _max_pool_pair("max_pool1d", 1, _max_pool1d)
max_pool2d_with_indices, max_pool2d = _max_pool_pair("max_pool2d", 2, _max_pool2d)
max_pool3d_with_indices, max_pool3d = _max_pool_pair("max_pool3d", 3, _max_pool3d)


def _full_output_size(name: str, output_size: Any, input: Any, n: int) -> Any:
    """``output_size`` with the input's own sizes where it says None."""
    sizes = n_tuple(output_size, n)
    if n == 1 and len(sizes) != 1:
        raise RuntimeError(f"{name}() argument 'output_size' should contain one int (got {len(sizes)})")
    if len(sizes) == 0:
        raise RuntimeError(f"{name}: output_size must be {n}")
    if n > 1 and input.dim() <= len(sizes):
        raise ValueError(f"Input dimension should be at least {len(sizes) + 1}, got {input.dim()}")
    if len(sizes) != n or input.dim() <= n:
        return sizes  # the kernel says what is wrong
    return tuple(own if size is None else size for size, own in zip(sizes, input.shape[-n:], strict=True))


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """The mean of each of ``output_size`` equal stretches of the last dimension."""
    return _adaptive_avg_pool1d(input, _full_output_size("adaptive_avg_pool1d", output_size, input, 1))


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """The mean of each cell when the last 2 dimensions are divided evenly into ``output_size`` cells."""
    return _adaptive_avg_pool2d(input, _full_output_size("adaptive_avg_pool2d", output_size, input, 2))


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """The mean of each cell when the last 3 dimensions are divided evenly into ``output_size`` cells."""
    return _adaptive_avg_pool3d(input, _full_output_size("adaptive_avg_pool3d", output_size, input, 3))


def adaptive_max_pool1d_with_indices(input: Any, output_size: Any, return_indices: bool = False) -> tuple[Any, Any]:
    """The results of ``adaptive_max_pool1d`` and the places of the maxima."""
    return _adaptive_max_pool1d(input, _full_output_size("adaptive_max_pool1d", output_size, input, 1))


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each of ``output_size`` equal stretches of the last dimension."""
    both = adaptive_max_pool1d_with_indices(input, output_size)
    return both if return_indices else both[0]


def adaptive_max_pool2d_with_indices(input: Any, output_size: Any, return_indices: bool = False) -> tuple[Any, Any]:
    """The results of ``adaptive_max_pool2d`` and the places of the maxima."""
    return _adaptive_max_pool2d(input, _full_output_size("adaptive_max_pool2d", output_size, input, 2))


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each cell when the last 2 dimensions are divided evenly into ``output_size`` cells."""
    both = adaptive_max_pool2d_with_indices(input, output_size)
    return both if return_indices else both[0]


def adaptive_max_pool3d_with_indices(input: Any, output_size: Any, return_indices: bool = False) -> tuple[Any, Any]:
    """The results of ``adaptive_max_pool3d`` and the places of the maxima."""
    return _adaptive_max_pool3d(input, _full_output_size("adaptive_max_pool3d", output_size, input, 3))


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each cell when the last 3 dimensions are divided evenly into ``output_size`` cells."""
    both = adaptive_max_pool3d_with_indices(input, output_size)
    return both if return_indices else both[0]


def _lp_pool(input: Any, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool, n: int) -> Any:
    average = (avg_pool1d, avg_pool2d, avg_pool3d)[n - 1]
    arguments = (kernel_size, kernel_size if stride is None else stride, 0, ceil_mode)
    mean = average(input.pow(norm_type), *arguments)
    # The sign is kept apart, so that an odd power of negative values has a root.
    power_sum = mean.sign() * mean.abs().relu() * math.prod(n_tuple(kernel_size, n))
    return power_sum.pow(1.0 / norm_type)


def lp_pool1d(input: Any, norm_type: float, kernel_size: int, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The ``norm_type``-norm of each window over the last dimension."""
    return _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, 1)


def lp_pool2d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The ``norm_type``-norm of each window over the last 2 dimensions."""
    return _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, 2)


def lp_pool3d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The ``norm_type``-norm of each window over the last 3 dimensions."""
    return _lp_pool(input, norm_type, kernel_size, stride, ceil_mode, 3)


# ---- undoing max pooling -----------------------------------------------------------------


def _unpooled_size(input: Any, kernel: tuple, stride: tuple, padding: tuple, output_size: Any, n: int) -> tuple:
    default = tuple(
        (size - 1) * s + k - 2 * p for size, k, s, p in zip(input.shape[-n:], kernel, stride, padding, strict=True)
    )
    if output_size is None:
        return default
    output_size = tuple(output_size)
    if len(output_size) == n + 2:
        output_size = output_size[2:]
    if len(output_size) != n:
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of "
            f"'{len(output_size)}'"
        )
    for axis in range(n):
        least, most = default[axis] - stride[axis], default[axis] + stride[axis]
        if not least < output_size[axis] < most:
            raise ValueError(f'invalid output_size "{output_size}" (dim {axis} must be between {least} and {most})')
    return output_size


def _max_unpool(input: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Any, n: int) -> Any:
    kernel, padding = n_tuple(kernel_size, n), n_tuple(padding, n)
    stride = kernel if stride is None else n_tuple(stride, n)
    if indices.dtype != taeda.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    if indices.shape != input.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )
    sizes = _unpooled_size(input, kernel, stride, padding, output_size, n)
    lead = input.shape[:-n]
    n_places = math.prod(sizes)
    flat_index = indices.flatten(-n)
    if flat_index.numel() and not 0 <= int(flat_index.min()) <= int(flat_index.max()) < n_places:
        raise RuntimeError(f"Found an invalid max index: {int(flat_index.max())} (output volumes are of size {sizes})")
    plane = taeda.zeros(*lead, n_places, dtype=input.dtype, device=input.device)
    return plane.scatter(-1, flat_index, input.flatten(-n)).view(*lead, *sizes)


def max_unpool1d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """The maxima of ``max_pool1d`` put back where they came from, with 0 elsewhere."""
    return _max_unpool(input, indices, kernel_size, stride, padding, output_size, 1)


def max_unpool2d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """The maxima of ``max_pool2d`` put back where they came from, with 0 elsewhere."""
    return _max_unpool(input, indices, kernel_size, stride, padding, output_size, 2)


def max_unpool3d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """The maxima of ``max_pool3d`` put back where they came from, with 0 elsewhere."""
    return _max_unpool(input, indices, kernel_size, stride, padding, output_size, 3)


# ---- pooling over random windows ---------------------------------------------------------


def _window_starts(samples: Any, size: int, n_windows: int, kernel: int) -> Any:
    """Where each pseudo-random window begins, from one number in [0, 1) for each plane: (N, C, windows)."""
    if n_windows == 1:
        return taeda.full((*samples.shape, 1), size - kernel, dtype=taeda.int64)
    # In the samples' own type: its rounding decides where windows begin.
    spacing = taeda.tensor(size - kernel, dtype=samples.dtype) / taeda.tensor(n_windows - 1, dtype=samples.dtype)
    steps = taeda.arange(n_windows - 1, dtype=samples.dtype)
    offset = samples.unsqueeze(-1)
    starts = ((steps + offset) * spacing).to(taeda.int64) - (offset * spacing).to(taeda.int64)
    last = taeda.full((*samples.shape, 1), size - kernel, dtype=taeda.int64)
    return taeda.cat([starts, last], -1)


def _fractional_sizes(input: Any, output_size: Any, output_ratio: Any, n: int, name: str) -> tuple:
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is not None:
        return n_tuple(output_size, n)
    ratios = n_tuple(output_ratio, n)
    if len(ratios) > n:
        raise ValueError(f"{name} requires output_ratio to either be a single Int or tuple of Ints.")
    return tuple(int(size * ratio) for size, ratio in zip(input.shape[-n:], ratios, strict=True))


def _fractional_max_pool(
    input: Any, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Any, n: int
) -> tuple[Any, Any]:
    name = f"fractional_max_pool{n}d"
    output = _fractional_sizes(input, output_size, output_ratio, n, name)
    kernel = n_tuple(kernel_size, n)
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(f"{name}: Expected {n + 1}D or {n + 2}D tensor, but got: {list(input.shape)}")
    sizes = input.shape[-n:]
    for size, out, k in zip(sizes, output, kernel, strict=True):
        if out + k - 1 > size:
            raise RuntimeError(f"{name}(): pool size {k} too large relative to input size {size} for output size {out}")
    batch = input if input.dim() == n + 2 else input.unsqueeze(0)
    planes = batch.shape[:2]
    if samples is None:
        samples = taeda.rand(*planes, n, dtype=input.dtype, device=input.device)
    samples = samples[: planes[0]]  # given ones may be for a larger batch
    # Index of each window element within its flattened plane, built up one dimension after the other. The samples
    # are given with the last dimension first.
    index = taeda.zeros((*planes, 1, 1), dtype=taeda.int64)
    for axis in range(n):
        starts = _window_starts(samples[..., n - 1 - axis if n == 2 else axis], sizes[axis], output[axis], kernel[axis])
        places = starts.unsqueeze(-1) + taeda.arange(kernel[axis])  # (N, C, windows, elements)
        index = index[:, :, :, None, :, None] * sizes[axis] + places[:, :, None, :, None, :]
        index = index.reshape(*planes, index.size(2) * index.size(3), index.size(4) * index.size(5))
    values = batch.detach().flatten(2).gather(2, index.flatten(2)).view(index.shape)
    places = index.gather(-1, values.argmax(-1, keepdim=True)).squeeze(-1)
    maxima = taeda._C._pool_gather(batch.flatten(2), places, 1)
    shape = (*planes, *output) if input.dim() == n + 2 else (planes[1], *output)
    return maxima.reshape(shape), places.reshape(shape)


def fractional_max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> tuple[Any, Any]:
    """The results of ``fractional_max_pool2d`` and the places of the maxima."""
    return _fractional_max_pool(input, kernel_size, output_size, output_ratio, _random_samples, 2)


def fractional_max_pool2d(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """The maxima of windows whose places are drawn pseudo-randomly (Graham 2014).

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: the window's size.
        output_size: the result's H and W; or
        output_ratio: their ratio to the input's.
        return_indices: whether the places of the maxima are returned as well; default False.
    """
    both = _fractional_max_pool(input, kernel_size, output_size, output_ratio, _random_samples, 2)
    return both if return_indices else both[0]


def fractional_max_pool3d_with_indices(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> tuple[Any, Any]:
    """The results of ``fractional_max_pool3d`` and the places of the maxima."""
    return _fractional_max_pool(input, kernel_size, output_size, output_ratio, _random_samples, 3)


def fractional_max_pool3d(
    input: Any,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """``fractional_max_pool2d`` for (N, C, T, H, W) or (C, T, H, W)."""
    both = _fractional_max_pool(input, kernel_size, output_size, output_ratio, _random_samples, 3)
    return both if return_indices else both[0]
