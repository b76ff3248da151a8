"""`make_tensor`: tensors of random values for tests, of any dtype and range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import taeda

__all__ = ["make_tensor"]

_INT_BITS = {"uint8": (0, 8), "uint16": (0, 16), "uint32": (0, 32), "uint64": (0, 64)}
_INT_BITS |= {"int8": (1, 8), "int16": (1, 16), "int32": (1, 32), "int64": (1, 64)}


def _name(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _representable(dtype: Any) -> tuple[float, float]:
    """Return the lowest number of `dtype` and the number up to which random values go."""
    if dtype == taeda.bool:
        return 0, 2
    if dtype.is_floating_point or dtype.is_complex:
        largest = taeda.finfo(dtype).max
        return -largest, largest
    is_signed, n_bits = _INT_BITS[_name(dtype)]
    # Random integers are drawn as int64, so that the upper half of uint64 is not reached.
    return (-(2 ** (n_bits - 1)), 2 ** (n_bits - 1) - 1) if is_signed else (0, min(2**n_bits - 1, 2**63 - 1))


def _default_range(dtype: Any) -> tuple[float, float]:
    if dtype == taeda.bool:
        return 0, 2
    if _name(dtype) == "uint8":
        return 0, 10
    if dtype.is_floating_point or dtype.is_complex:
        return -9, 9
    return (-9, 10) if _INT_BITS[_name(dtype)][0] else (0, 10)


def _range(dtype: Any, low: float | None, high: float | None) -> tuple[float, float]:
    """Return the range to draw from: the given ends or the defaults, cut to what `dtype` can hold."""
    for value in (low, high):
        if value is not None and math.isnan(value):
            raise ValueError(f"`low` and `high` cannot be NaN, but got low={low} and high={high}")
    default_low, default_high = _default_range(dtype)
    low = default_low if low is None else low
    high = default_high if high is None else high
    lowest, highest = _representable(dtype)
    if low > high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if high < lowest or low > highest:
        raise ValueError(
            f"The value interval specified by low={low} and high={high} lies outside of what {dtype} can represent: "
            f"[{lowest}, {highest}]"
        )
    low = max(low, lowest)
    if dtype.is_floating_point or dtype.is_complex:
        return low, min(high, highest)
    # Integers lie in [low, high): the end may be one above the largest number, where randint can express that.
    high = min(high, highest if dtype in (taeda.bool, taeda.int64, taeda.uint64) else highest + 1)
    low, high = math.ceil(low), math.ceil(high)
    if low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    return low, high


def _draw(shape: tuple[int, ...], dtype: Any, device: Any, low: float, high: float) -> Any:
    if dtype.is_complex:
        part = taeda.float32 if _name(dtype) == "complex64" else taeda.float64
        return taeda.view_as_complex(_draw((*shape, 2), part, device, low, high))
    if dtype.is_floating_point:
        if high - low > taeda.finfo(dtype).max:
            # The width of the range itself would overflow.
            return _draw(shape, dtype, device, low / 2, high / 2).mul_(2)
        if _name(dtype) in ("float16", "bfloat16"):
            return _draw(shape, taeda.float32, device, low, high).to(dtype)
        return taeda.empty(shape, dtype=dtype, device=device).uniform_(low, high)
    return taeda.randint(int(low), int(high), shape, dtype=taeda.int64, device=device).to(dtype)


def make_tensor(
    *shape: int | Sequence[int],
    dtype: Any,
    device: Any = "cpu",
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Any:
    """Return a tensor of random values, uniform in ``[low, high)``.

    Args:
        shape: sizes, one by one or as one sequence.
        dtype: dtype of the result.
        device: device of the result.
        low: smallest value; by default -9, for unsigned integers and bool 0. Complex numbers have both parts in the
            range.
        high: end of the range; by default 9 for floating and complex dtypes, 10 for integers, 2 for bool.
        requires_grad: whether the result records gradients.
        noncontiguous: return a view of every second element; nothing is different for fewer than two elements.
        exclude_zero: replace zeros, by the smallest positive number or one.
        memory_format: as for `contiguous`; not together with `noncontiguous`.
    """
    sizes: tuple[Any, ...] = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else tuple(shape)
    if noncontiguous and memory_format is not None:
        raise ValueError(
            f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got {noncontiguous=} and "
            f"{memory_format=}"
        )
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got {dtype=}")
    low, high = _range(dtype, low, high)
    is_spread = noncontiguous and math.prod(sizes) > 1
    result = _draw((*sizes[:-1], 2 * sizes[-1]) if is_spread else sizes, dtype, device, low, high)
    if is_spread:
        result = result[..., 1::2]
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        smallest = taeda.finfo(dtype).tiny if dtype.is_floating_point or dtype.is_complex else 1
        result[result == 0] = smallest
    return result.requires_grad_(requires_grad) if requires_grad else result
