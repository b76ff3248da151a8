"""``pad`` and its modes: constant values, reflected, repeated or continued around."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.nn._functional.primitives import find


def constant_pad(input: Any, pad: Any, value: float = 0.0) -> Any:
    """``input`` with ``value`` added at, or elements taken off, the ends of its last dimensions."""
    result = input
    for i in range(len(pad) // 2):
        axis = input.dim() - 1 - i
        before, after = int(pad[2 * i]), int(pad[2 * i + 1])
        size = input.size(axis) + before + after
        if size < 0:
            raise RuntimeError(
                f"The input size {input.size(axis)}, plus negative padding {before} and {after} resulted in a negative "
                "output size, which is invalid. Check dimension "
                f"{axis} of your input."
            )
        start = max(-before, 0)
        if before < 0 or after < 0:
            result = result.narrow(axis, start, max(result.size(axis) - start - max(-after, 0), 0))
        ends = [
            taeda.full(
                (*result.shape[:axis], n, *result.shape[axis + 1 :]), value, dtype=input.dtype, device=input.device
            )
            for n in (max(before, 0), max(after, 0))
        ]
        if before > 0 or after > 0:
            result = taeda.cat([ends[0], result, ends[1]], axis)
    return result.clone() if result is input or result._is_view() else result


# One pass over the data where the core has it.
_constant_pad = find("constant_pad_nd") or constant_pad


def _reflected(size: int, before: int, after: int, axis: int, sizes: Any) -> list[int]:
    if before >= size or after >= size:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
            f"({before}, {after}) at dimension {axis} of input {list(sizes)}"
        )
    return [abs(i) if i < size else 2 * (size - 1) - i for i in range(-before, size + after)]


def _repeated(size: int, before: int, after: int, axis: int, sizes: Any) -> list[int]:
    return [min(max(i, 0), size - 1) for i in range(-before, size + after)]


def _circular(size: int, before: int, after: int, axis: int, sizes: Any) -> list[int]:
    if before > size or after > size:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    if before + after + size < 0:
        raise RuntimeError("Negative padding value is resulting in an empty dimension")
    # What a negative number cuts off at one end is not there to continue at the other.
    kept = list(range(max(-before, 0), size - max(-after, 0)))
    return kept[len(kept) - max(before, 0) :] + kept + kept[: max(after, 0)]


_SOURCES = {"reflect": _reflected, "replicate": _repeated, "circular": _circular}


def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """``input`` made larger (or, by negative numbers, smaller) at the ends of its last dimensions.

    Args:
        input: any shape for ``"constant"``; for the other modes 1 to 3 padded dimensions behind 1 or 2 others.
        pad: two numbers for each padded dimension, the last dimension first: before it, after it.
        mode: ``"constant"`` (default), ``"reflect"`` (without repeating the edge), ``"replicate"`` or ``"circular"``.
        value: what ``"constant"`` fills with; default 0.
    """
    pad = list(pad)
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if mode == "constant":
        if len(pad) > 2 * input.dim():
            raise RuntimeError(
                f"Padding length should be less than or equal to two times the input dimension but got padding length "
                f"{len(pad)} and input of dimension {input.dim()}"
            )
        return _constant_pad(input, pad, 0.0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    n_padded = len(pad) // 2
    if mode not in _SOURCES or n_padded not in (1, 2, 3) or input.dim() not in (n_padded + 1, n_padded + 2):
        if mode not in _SOURCES:
            raise NotImplementedError(f"Unrecognised padding mode {mode}")
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
            f" (got input of {input.dim()} dimensions and {n_padded} padded dimensions)"
        )
    result = input
    for i in range(n_padded):
        before, after = int(pad[2 * i]), int(pad[2 * i + 1])
        axis = input.dim() - 1 - i
        if before == 0 and after == 0:
            continue
        if input.size(axis) == 0:
            raise RuntimeError(f"Expected a non-zero size at dimension {axis} for padding, got {list(input.shape)}")
        source = _SOURCES[mode](input.size(axis), before, after, axis, input.shape)
        result = result.index_select(axis, taeda.tensor(source, dtype=taeda.int64, device=input.device))
    return result.clone() if result is input else result
