"""Functions that only rearrange: pixel and channel shuffles, unfold and fold, one-hot."""

from __future__ import annotations

import functools
from typing import Any

import taeda
from taeda import _C
from taeda.nn._functional.padding import pad
from taeda.nn._functional.sizes import n_tuple


def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """(..., C * r², H, W) rearranged to (..., C, H * r, W * r) with r the ``upscale_factor`` (Shi et al. 2016)."""
    if input.dim() < 3:
        raise RuntimeError(
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.dim()} dimension(s)"
        )
    if upscale_factor <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {upscale_factor}")
    *batch, c, h, w = input.shape
    r = upscale_factor
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(batch)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return input.reshape(*batch, c // (r * r), r, r, h, w).permute(order).reshape(*batch, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """(..., C, H * r, W * r) rearranged to (..., C * r², H, W): undoes ``pixel_shuffle``."""
    if input.dim() < 3:
        raise RuntimeError(
            f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.dim()} "
            f"dimension(s)"
        )
    r = downscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *batch, c, h, w = input.shape
    for name, size, dim in (("height", h, -2), ("width", w, -1)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({dim})={size} "
                f"is not divisible by {r}"
            )
    n = len(batch)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return input.reshape(*batch, c, h // r, r, w // r, r).permute(order).reshape(*batch, c * r * r, h // r, w // r)


def channel_shuffle(input: Any, groups: int) -> Any:
    """(N, C, ...) with its channels, seen as ``groups`` rows, read column by column (Zhang et al. 2017)."""
    if input.dim() < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *rest = input.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(n, c, *rest)


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """int64 of shape (*, classes): 1 at each index of ``tensor``, else 0.

    Args:
        tensor: int64 class indices of any shape.
        num_classes: how many classes; -1 (default) takes one more than the largest index.
    """
    if tensor.dtype != taeda.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return taeda.empty(*tensor.shape, num_classes, dtype=taeda.int64, device=tensor.device)
    if num_classes > 0 and _C._wrapper_of(tensor) is not None:  # no sample's values can be looked at
        return (tensor.unsqueeze(-1) == taeda.arange(num_classes, device=tensor.device)).to(taeda.int64)
    if int(tensor.min()) < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(tensor.max())
    if num_classes == -1:
        num_classes = largest + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif largest >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    zeros = taeda.zeros(*tensor.shape, num_classes, dtype=taeda.int64, device=tensor.device)
    return zeros.scatter_(-1, tensor.unsqueeze(-1), 1)


def _window_index(sizes: tuple, kernel: tuple, dilation: tuple, stride: tuple, device: Any) -> tuple[Any, int, int]:
    """Where each element of each window lies in a flattened padded plane: (kernel elements * windows) indices."""
    windows = [(size - d * (k - 1) - 1) // s + 1 for size, k, d, s in zip(sizes, kernel, dilation, stride, strict=True)]
    along = [
        (taeda.arange(k, device=device) * d).unsqueeze(1) + (taeda.arange(n, device=device) * s).unsqueeze(0)
        for k, d, n, s in zip(kernel, dilation, windows, stride, strict=True)
    ]  # each (kernel, windows)
    index = along[0][:, None, :, None] * sizes[1] + along[1][None, :, None, :]
    return index.reshape(-1), kernel[0] * kernel[1], windows[0] * windows[1]


def _fold_arguments(name: str, *given: Any) -> tuple[tuple, ...]:
    """Kernel size, dilation, padding and stride, two numbers each."""
    return _checked_fold_arguments(name, *(tuple(value) if isinstance(value, list) else value for value in given))


@functools.lru_cache(maxsize=256)
def _checked_fold_arguments(name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[tuple, ...]:
    values = [n_tuple(value, 2) for value in (kernel_size, dilation, padding, stride)]
    for what, pair, least in zip(("kernel_size", "dilation", "padding", "stride"), values, (1, 1, 0, 1), strict=True):
        if len(pair) != 2:
            raise RuntimeError(f"It is expected {what} equals to 2, but got size {len(pair)}")
        if min(pair) < least:
            word = "non-negative" if least == 0 else "greater than zero"
            raise RuntimeError(
                f"{name}: {what} should be {word}, but got {what}_height: {pair[0]} {what}_width: {pair[1]}"
            )
    return tuple(values)


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """All sliding windows of ``input`` as columns: (N, C * kernel elements, windows).

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size, dilation, padding, stride: a number or one for each of H and W.
    """
    kernel, dilation, padding, stride = _fold_arguments("unfold", kernel_size, dilation, padding, stride)
    if input.dim() not in (3, 4) or 0 in input.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(input.shape)}"
        )
    batch = input if input.dim() == 4 else input.unsqueeze(0)
    padded = pad(batch, (padding[1], padding[1], padding[0], padding[0])) if any(padding) else batch
    n, c, height, width = padded.shape
    rows, columns = dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1
    if height < rows or width < columns:
        raise RuntimeError(
            f"Given input with spatial size {tuple(batch.shape[2:])}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, calculated shape of the array of sliding blocks has components that must be at "
            f"least one."
        )
    # (N, C, windows along H, windows along W, kernel rows, kernel columns), a view
    windows = padded.unfold(2, rows, stride[0]).unfold(3, columns, stride[1])
    if dilation != (1, 1):
        windows = windows[..., :: dilation[0], :: dilation[1]]
    n_windows = windows.shape[2] * windows.shape[3]
    made = windows.permute(0, 1, 4, 5, 2, 3).clone(memory_format=taeda.contiguous_format)
    made = made.view(n, c * kernel[0] * kernel[1], n_windows)
    return made if input.dim() == 4 else made.squeeze(0)


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The sum of windows given as columns into an image: the transpose of ``unfold``.

    Args:
        input: (N, C * kernel elements, windows) or without N.
        output_size: H and W of the result.
        kernel_size, dilation, padding, stride: a number or one for each of H and W.
    """
    kernel, dilation, padding, stride = _fold_arguments("fold", kernel_size, dilation, padding, stride)
    output = n_tuple(output_size, 2)
    if input.dim() not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    batch = input if input.dim() == 3 else input.unsqueeze(0)
    sizes = (output[0] + 2 * padding[0], output[1] + 2 * padding[1])
    n_elements = kernel[0] * kernel[1]
    if batch.size(1) % n_elements:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={batch.size(1)} and kernel_size={kernel}."
        )
    index, _, n_windows = _window_index(sizes, kernel, dilation, stride, input.device)
    if batch.size(2) != n_windows:
        raise RuntimeError(
            f"Given output_size={output}, kernel_size={kernel}, dilation={dilation}, padding={padding}, "
            f"stride={stride}, "
            f"expected size of input's dimension 2 to match the calculated number of sliding blocks {n_windows}, "
            f"but got "
            f"input.size(2)={batch.size(2)}."
        )
    n, c = batch.size(0), batch.size(1) // n_elements
    plane = taeda.zeros(n, c, sizes[0] * sizes[1], dtype=input.dtype, device=input.device)
    plane = plane.index_add(2, index, batch.reshape(n, c, index.numel())).view(n, c, *sizes)
    result = plane[:, :, padding[0] : padding[0] + output[0], padding[1] : padding[1] + output[1]]
    return result if input.dim() == 3 else result.squeeze(0)
