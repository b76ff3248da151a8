"""Batching rules of finding and counting."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _C
from taeda.func._rules import Call, loop, rule

__all__: list[str] = []


def _found(call: Call, rows: Any, values: Any, **options: Any) -> Any:
    """Search the samples' values, of any shape, in one sorted row for each sample."""
    flat = values.reshape([call.batch_size, -1])
    return taeda.searchsorted(rows, flat, **options).reshape(values.shape)


def _values(call: Call, rows: Any) -> Any:
    value = call["input"]
    return (
        call.full("input")
        if isinstance(value, taeda.Tensor)
        else taeda.full([call.batch_size], value, dtype=rows.dtype)
    )


@rule("searchsorted")
def _searchsorted(call: Call) -> Any:
    rows_batched = call.is_batched("sorted_sequence") or call.is_batched("sorter")
    if call.rank("sorted_sequence") == 1 and not rows_batched:
        return call.op(call.arguments)
    rows, sorter = call.full("sorted_sequence"), call.full("sorter")
    values = _values(call, rows)
    options = {name: call[name] for name in ("out_int32", "right", "side")}
    if call.rank("sorted_sequence") == 1:
        return _found(call, rows, values, sorter=sorter, **options)
    return taeda.searchsorted(rows, values, sorter=sorter, **options)


@rule("bucketize")
def _bucketize(call: Call) -> Any:
    if not call.is_batched("boundaries"):
        return call.op(call.arguments)
    rows = call["boundaries"]
    return _found(call, rows, _values(call, rows), out_int32=call["out_int32"], right=call["right"])


@rule("_isin")
def _isin(call: Call) -> Any:
    """An element is in a set if it stands at its place in the sorted set."""
    elements, tests = call["elements"], call["test_elements"]
    if not call.is_batched("test_elements"):
        return call.op(call.arguments)
    elements, tests = call.full("elements"), tests.reshape([call.batch_size, -1])
    dtype = taeda.promote_types(elements.dtype, tests.dtype)
    dtype = taeda.uint8 if dtype == taeda.bool else dtype
    if tests.shape[1] == 0:
        return taeda.full_like(elements, call["invert"], dtype=taeda.bool)
    flat, tests = elements.reshape([call.batch_size, -1]).to(dtype), tests.to(dtype).sort(1).values
    if dtype.is_floating_point:  # NaN, sorted last, is equal to nothing: the largest number may stand there once more
        n_numbers = (tests == tests).sum(1, keepdim=True)
        tests = taeda.where(tests == tests, tests, tests.gather(1, (n_numbers - 1).clamp(min=0)))
    places = taeda.searchsorted(tests, flat).clamp(max=tests.shape[1] - 1)
    is_in = tests.gather(1, places) == flat
    return (is_in != call["invert"]).reshape(elements.shape)


@rule("histc")
def _histc(call: Call) -> Any:
    """The kernel's arithmetic, step by step: each is rounded to the elements' dtype there too."""
    x, bins = call["input"].reshape([call.batch_size, -1]), call["bins"]
    low, high = (taeda.full([call.batch_size, 1], float(call[name]), dtype=x.dtype) for name in ("min", "max"))
    if not x.dtype.is_floating_point or bins <= 0 or float(call["min"]) > float(call["max"]):
        return call.op(call.arguments)  # which says what is wrong
    if float(call["min"]) == float(call["max"]) and x.shape[1]:
        low, high = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
        if _C._wrapper_of(x) is not None or not bool((low.isfinite() & high.isfinite()).all()):
            return loop(call)
    is_point = low == high
    low, high = taeda.where(is_point, low - 1, low), taeda.where(is_point, high + 1, high)
    counted = (x >= low) & (x <= high)
    places = taeda.where(counted, (x - low) * bins / (high - low), 0).to(taeda.int64).clamp(max=bins - 1)
    counts = taeda.zeros([call.batch_size, bins], dtype=taeda.int64)
    return counts.scatter_add(1, places, counted.to(taeda.int64)).to(x.dtype)
