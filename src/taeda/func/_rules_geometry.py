"""Batching rules of sizes and strides given as numbers: they are those of one sample, and samples lie a stride apart."""

from __future__ import annotations

import math
from typing import Any

import taeda
from taeda.func import _batch
from taeda.func._rules import Call, rule

__all__: list[str] = []


def _extent(size: Any, stride: Any, offset: int) -> tuple[int, int] | None:
    """The first and the last place in memory that a geometry reaches; None where it has no elements."""
    if 0 in size:
        return None
    reaches = [(n - 1) * step for n, step in zip(size, stride, strict=True)]
    return offset + sum(r for r in reaches if r < 0), offset + sum(r for r in reaches if r > 0)


@rule("_as_strided")
def _as_strided(call: Call) -> Any:
    x, size, stride, offset = call.arguments[:4]
    reached, own = _extent(size, stride, offset), _extent(x.shape[1:], x.stride()[1:], x.storage_offset())
    if reached is not None and (own is None or reached[0] < own[0] or reached[1] > own[1]):
        raise RuntimeError(
            f"result of as_strided(size={list(size)}, stride={list(stride)}, storage_offset={offset}) would reach beyond the memory of "
            f"its sample inside vmap\n  a sample has shape {tuple(x.shape[1:])}, strides {x.stride()[1:]} and offset {x.storage_offset()}"
        )
    whole = [call.batch_size, *size], [x.stride(0), *stride], offset, x.stride(), x.storage_offset()
    return call.op([x, *whole])


@rule("_as_strided_backward", "_as_strided_of")
def _between_geometries(call: Call) -> Any:
    """Elements of one geometry put where another has them: each sample gets a stretch of memory that holds both."""
    x, size, stride, offset, base_stride, base_offset, base_size = call.arguments
    reached = [
        e for e in (_extent(size, stride, offset), _extent(base_size, base_stride, base_offset)) if e is not None
    ]
    span = max(high for _, high in reached) - min(low for low, _ in reached) + 1 if reached else 1
    b = call.batch_size
    return call.op([x, [b, *size], [span, *stride], offset, [span, *base_stride], base_offset, [b, *base_size]])


@rule("new_empty_strided")
def _new_empty_strided(call: Call) -> Any:
    arguments = list(call.arguments)
    size, stride = call["size"], call["stride"]
    reached = _extent(size, stride, 0)
    arguments[call.op.at("size")] = [call.batch_size, *size]
    arguments[call.op.at("stride")] = [1 if reached is None else reached[1] + 1, *stride]
    return call.op(arguments)


# ---- in place: the batched tensor gets other samples


def _becomes(call: Call, value: Any) -> None:
    taeda._C._rewrap_sample(call.target, _batch.Batch(value, 0, call.level), value, 0)


@rule("resize_", "resize_as_")
def _resize(call: Call) -> None:
    """The first elements of each sample stay; memory that is new holds arbitrary numbers."""
    x, size = call["input"], call.arguments[1]
    if call.op.name == "resize_as_":
        size = size.shape[1:] if call.is_batched("the_template") else size.shape
    flat, n = x.reshape([x.shape[0], -1]), math.prod(size)
    if n > flat.shape[1]:
        larger = flat.new_empty([flat.shape[0], n])
        larger[:, : flat.shape[1]].copy_(flat)
        flat = larger
    _becomes(call, flat[:, :n].reshape([flat.shape[0], *size]))


@rule("_set_tensor_")
def _set_tensor(call: Call) -> None:
    _becomes(call, call.full("source"))
