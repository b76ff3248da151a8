"""``pad`` and its modes: constant values, reflected, repeated or continued around."""

from __future__ import annotations

from typing import Any

from taeda.nn._functional.primitives import primitive

_constant_pad = primitive("_constant_pad")
_pad_from_within = primitive("_pad_from_within")
_MODES = ("reflect", "replicate", "circular")


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
    if mode not in _MODES or n_padded not in (1, 2, 3) or input.dim() not in (n_padded + 1, n_padded + 2):
        if mode not in _MODES:
            raise NotImplementedError(f"Unrecognised padding mode {mode}")
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
            f" (got input of {input.dim()} dimensions and {n_padded} padded dimensions)"
        )
    return _pad_from_within(input, pad, mode)
