"""`odd`: a tensor of given shape whose memory is laid out in one of many ways, for programs that the fuzzer prints."""

from __future__ import annotations

import math
from typing import Any

import taeda
from taeda.testing.samples._layouts import LAYOUTS, repeated
from taeda.testing.samples._make import Make

__all__ = ["ODD_LAYOUTS", "known", "odd"]

ODD_LAYOUTS = ("plain", *LAYOUTS, "repeated", "overlapping", "leaf", "result", "special", "meta")


def odd(shape: tuple[int, ...], dtype: str, layout: str, seed: int) -> Any:
    """Return a tensor of numbers that follow from ``seed``.

    Args:
        shape: its sizes.
        dtype: the dtype's name.
        layout: "plain", a key of `LAYOUTS`, "repeated" (stride 0), "overlapping" (elements that share memory), "leaf" and
            "result" (recorded by autograd), "special" (infinities, NaN and the largest numbers) or "meta".
        seed: another one gives other numbers.
    """
    kind = getattr(taeda, dtype)
    if layout == "meta":
        return taeda.empty(shape, dtype=kind, device="meta")
    x = Make(str(seed), kind).tensor(*shape)
    if layout in LAYOUTS:
        return LAYOUTS[layout](x)
    if layout == "repeated":
        return repeated(x)
    if layout == "overlapping" and x.numel():
        return Make(str(seed), kind).tensor(sum(shape) + 1).as_strided(shape, (1,) * len(shape))
    if layout == "special" and x.numel():
        return _with_special(x, kind)
    if layout in ("leaf", "result") and (kind.is_floating_point or kind.is_complex):
        x.requires_grad_()
        return x * 1 if layout == "result" else x
    return x


def known(result: Any) -> Any:
    """Return an operation's (first) result to go on with; an empty tensor in place of one whose elements nobody could go through.

    A view of a few elements can have any number of them: ``expand`` makes it, and its sum would take days.
    """
    first = result[0] if isinstance(result, (tuple, list)) else result
    is_vast = isinstance(first, taeda.Tensor) and not first.is_meta and first.numel() > 1 << 24
    return taeda.empty(0, dtype=first.dtype) if is_vast else first


def _with_special(x: Any, kind: Any) -> Any:
    flat = x.reshape(-1)
    if kind.is_floating_point or kind.is_complex:
        values: list[Any] = [math.inf, -math.inf, math.nan, -0.0, 3e38]
    elif kind == taeda.bool:
        return x
    else:
        limits = taeda.iinfo(kind)
        values = [limits.max, limits.min, 0]
    for place, value in enumerate(values[: flat.numel()]):
        flat[place] = value
    return flat.reshape(x.shape)
