"""Batching rules of indexing: what takes tensors of indices."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.func._rules import Call, expand, loop, rule, shifted

__all__: list[str] = []


@rule("index_select")
def _index_select(call: Call) -> Any:
    x, dim, index = call.arguments
    if call.ranks[0] == 0:
        return call.full("input").clone()
    if not call.batched[2]:
        return x.index_select(shifted(dim, call.ranks[0]), index)
    x, index = call.full("input"), index.reshape([call.batch_size, -1])
    dim = shifted(dim, call.ranks[0]) % x.ndim
    shape = list(x.shape)
    shape[dim] = index.shape[1]
    spread = index.reshape([call.batch_size, *[-1 if k == dim else 1 for k in range(1, x.ndim)]]).expand(shape)
    return x.gather(dim, spread)


@rule("_index_select_backward")
def _index_select_backward(call: Call) -> Any:
    g, sizes, dim, index = call.arguments
    if not sizes:
        return call.full("input").reshape([call.batch_size, -1]).sum(1)
    dim = shifted(dim, len(sizes)) % (len(sizes) + 1)
    g = call.full("input")
    if not call.batched[3]:
        return call.op([g, [call.batch_size, *sizes], dim, index])
    spread = index.reshape([call.batch_size, *[-1 if k == dim else 1 for k in range(1, g.ndim)]]).expand(g.shape)
    return taeda.zeros([call.batch_size, *sizes], dtype=g.dtype, device=g.device).scatter_add(dim, spread, g)


def _along(call: Call, name: str) -> tuple[Any, int, Any]:
    """The samples, the dim, and the index spread over the samples' shape, for index_add and the like."""
    x, dim, index = call.full("input"), call["dim"], call["index"]
    if call.rank("input") == 0:
        x = x.unsqueeze(-1)
    return x, shifted(dim, max(call.rank("input"), 1)) % x.ndim, index


@rule("index_add", "index_copy")
def _index_add(call: Call) -> Any:
    x, dim, index = _along(call, "source")
    source = call.full("source")
    if call.rank("input") > 0 and call.is_batched("index"):
        spread = index.reshape([call.batch_size, *[-1 if k == dim else 1 for k in range(1, x.ndim)]]).expand(
            source.shape
        )
        if call.op.name == "index_add":
            return x.scatter_add(dim, spread, source * call["alpha"])
        return x.scatter(dim, spread, source)
    if call.rank("input") == 0:
        return loop(call)
    arguments = [x, dim, index, source, *call.arguments[4:]]
    return call.op(arguments)


@rule("index_fill", "index_fill.tensor")
def _index_fill(call: Call) -> Any:
    if not call.is_batched("index") and not call.is_batched("value") and call.rank("input") > 0:
        return call.op([call["input"], shifted(call["dim"], call.rank("input")), call["index"], call["value"]])
    x, dim, index = _along(call, "index")
    index = call.full("index").reshape([call.batch_size, -1])
    value = call["value"]
    shape = list(x.shape)
    shape[dim] = index.shape[1]
    if isinstance(value, taeda.Tensor):
        value = call.full("value").reshape([-1, *[1] * (x.ndim - 1)]).to(x.dtype).expand(shape)
    spread = _from_start(index, x.shape[dim]).reshape(
        [call.batch_size, *[-1 if k == dim else 1 for k in range(1, x.ndim)]]
    )
    return x.scatter(dim, spread.expand(shape), value).reshape(call.full("input").shape)


def _from_start(index: Any, length: int) -> Any:
    """Indices that may count from the end, so that they do not."""
    return taeda.where(index < 0, index + length, index)


@rule("take")
def _take(call: Call) -> Any:
    x, index = call.arguments
    if not call.batched[0]:
        return x.take(index)
    flat = x.reshape([call.batch_size, -1])
    index = call.full("index")
    places = _from_start(index.reshape([call.batch_size, -1]), flat.shape[1])
    return flat.gather(1, places).reshape(index.shape)


@rule("put")
def _put_flat(call: Call) -> Any:
    x = call.full("input")
    flat, source = x.reshape([call.batch_size, -1]), call.full("source").reshape([call.batch_size, -1])
    places = _from_start(call.full("index").reshape([call.batch_size, -1]), flat.shape[1])
    if places.shape != source.shape:
        return loop(call)  # which says what is wrong
    made = flat.scatter_add(1, places, source) if call["accumulate"] else flat.scatter(1, places, source)
    return made.reshape(x.shape)


@rule("_take_backward")
def _take_backward(call: Call) -> Any:
    g, sizes, index = call.full("input"), call["sizes"], call.full("index")
    flat = taeda.zeros([call.batch_size, taeda.Size(sizes).numel()], dtype=g.dtype, device=g.device)
    index = _from_start(index.reshape([call.batch_size, -1]), flat.shape[1])
    return flat.scatter_add(1, index, g.reshape([call.batch_size, -1])).reshape([call.batch_size, *sizes])


# ---- x[indices]


def _plain_indices(call: Call, name: str) -> tuple[list[Any], list[bool], list[int]]:
    """Indices without masks: those become tensors of numbers, as they are the same for all samples."""
    place = call.op.at(name)
    indices, flags, ranks = call.arguments[place], call.batched[place], call.ranks[place]
    if not isinstance(flags, list):
        flags, ranks = [False] * len(indices), [None if i is None else i.ndim for i in indices]
    made: list[Any] = []
    made_flags: list[bool] = []
    made_ranks: list[int] = []
    for index, flag, rank in zip(indices, flags, ranks, strict=True):
        if index is None or index.dtype not in (taeda.bool, taeda.uint8):
            made.append(index)
            made_flags.append(flag)
            made_ranks.append(0 if rank is None else rank)
            continue
        if flag:
            raise RuntimeError(
                "vmap: It looks like you're attempting to use a boolean mask that differs between the samples as an index: the results would "
                "differ in shape.\n  hint: use taeda.where(mask, x, 0)"
            )
        for part in index.nonzero().unbind(1):
            made.append(part)
            made_flags.append(False)
            made_ranks.append(1)
    return made, made_flags, made_ranks


def _adjacent_at(indices: list[Any]) -> int:
    """Where the dimensions of the indices' shape come to lie: at the first index, or in front where a slice separates them."""
    places = [k for k, index in enumerate(indices) if index is not None]
    if not places or places[-1] - places[0] + 1 != len(places):
        return 0
    return places[0]


def _lined_up(indices: list[Any], flags: list[bool], ranks: list[int]) -> tuple[list[Any], int]:
    """Batched indices with their own dimensions broadcast against each other, the batch in front."""
    wide = max((rank for index, rank in zip(indices, ranks, strict=True) if index is not None), default=0)
    lined = []
    for index, flag, rank in zip(indices, flags, ranks, strict=True):
        if index is not None and flag:
            index = index.reshape([index.shape[0], *[1] * (wide - rank), *index.shape[1:]])
        lined.append(index)
    return lined, wide


@rule("_index")
def _index(call: Call) -> Any:
    x = call["input"]
    indices, flags, ranks = _plain_indices(call, "indices")
    at = _adjacent_at(indices)
    if not any(flags):
        # The batch is one more whole dimension in front; it stays there unless the indices' shape is put before it.
        result = taeda._C._index(x, [None, *indices])
        places = [k for k, index in enumerate(indices) if index is not None]
        apart = bool(places) and places[-1] - places[0] + 1 != len(places)
        wide = max((rank for index, rank in zip(indices, ranks, strict=True) if index is not None), default=0)
        return result.movedim(wide, 0) if apart else result
    lined, wide = _lined_up(indices, flags, ranks)
    if not call.is_batched("input"):
        result = taeda._C._index(x, lined)
        return result.movedim(at, 0)
    rows = taeda.arange(call.batch_size).reshape([-1, *[1] * wide])
    result = taeda._C._index(x, [rows, *lined])
    # With the rows as first index the indices' shape comes first: (B, indices ..., rest); a sample wants it at `at`.
    return result if at == 0 else result.movedim(list(range(1, wide + 1)), list(range(1 + at, 1 + at + wide)))


def _put_values(call: Call, values: Any, is_batched: bool, rank: int, wide: int, at: int, result_rank: int) -> Any:
    """Values of a sample, shaped (indices ..., rest) or with the rest before it, brought to (B, indices ..., rest)."""
    if not is_batched:
        values = expand(values, call.batch_size)
    values = values.reshape([values.shape[0], *[1] * (result_rank - rank), *values.shape[1:]])
    return values if at == 0 else values.movedim(list(range(1 + at, 1 + at + wide)), list(range(1, wide + 1)))


def _put(
    call: Call,
    x: Any,
    indices: list[Any],
    flags: list[bool],
    ranks: list[int],
    values: Any,
    v_batched: bool,
    v_rank: int,
    accumulate: bool,
) -> Any:
    """``x`` has the batch in front; rows are named by an index of their own, so one call serves all samples."""
    at = _adjacent_at(indices)
    lined, wide = _lined_up(indices, flags, ranks)
    n_indexed = sum(index is not None for index in indices)
    result_rank = x.ndim - 1 - n_indexed + wide
    values = _put_values(call, values, v_batched, v_rank, wide, at, result_rank)
    rows = taeda.arange(call.batch_size).reshape([-1, *[1] * wide])
    return taeda._C._index_put(x, [rows, *lined], values, accumulate)


@rule("_index_put", "index_put")
def _index_put(call: Call) -> Any:
    indices, flags, ranks = _plain_indices(call, "indices")
    values = call["values"]
    return _put(
        call,
        call.full("input"),
        indices,
        flags,
        ranks,
        values,
        call.is_batched("values"),
        call.rank("values"),
        call["accumulate"],
    )


@rule("_index_backward")
def _index_backward(call: Call) -> Any:
    g, sizes = call["input"], call["sizes"]
    indices, flags, ranks = _plain_indices(call, "indices")
    zeros = taeda.zeros([call.batch_size, *sizes], dtype=g.dtype, device=g.device)
    return _put(call, zeros, indices, flags, ranks, g, call.is_batched("input"), call.rank("input"), True)


@rule("_index_zero")
def _index_zero(call: Call) -> Any:
    g = call.full("input")
    indices, flags, ranks = _plain_indices(call, "indices")
    return _put(call, g, indices, flags, ranks, taeda.zeros([], dtype=g.dtype, device=g.device), False, 0, False)


@rule("masked_fill", "masked_fill.tensor")
def _masked_fill(call: Call) -> Any:
    x, mask, value = call["input"], call["mask"], call["value"]
    if mask.dtype != taeda.bool:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    rank = max(call.rank("input"), call.rank("mask"))
    x, mask = (
        t.reshape([t.shape[0], *[1] * (rank - call.rank(name)), *t.shape[1:]]) if call.is_batched(name) else t
        for t, name in ((x, "input"), (mask, "mask"))
    )
    if isinstance(value, taeda.Tensor):
        value = value.to(x.dtype)
        value = value.reshape([-1, *[1] * rank]) if call.is_batched("value") else value
        return taeda.where(mask, value, x)
    return (
        x.masked_fill(mask, value)
        if call.is_batched("input") or not call.is_batched("mask")
        else taeda.where(mask, value, x)
    )


# ---- as many elements as the mask is True


def _flat_mask(call: Call, rank: int, shape: Any) -> Any:
    """The mask broadcast to the samples' shape, flat."""
    mask = _padded_to(call.full("mask"), rank)
    return mask.expand([call.batch_size, *shape]).reshape([call.batch_size, -1])


def _padded_to(x: Any, rank: int) -> Any:
    return x.reshape([x.shape[0], *[1] * (rank + 1 - x.ndim), *x.shape[1:]])


def _places(mask: Any) -> Any:
    """How many elements each sample's mask takes before each of its elements that it takes."""
    return (mask.cumsum(1) - 1).clamp(min=0)


@rule("masked_scatter")
def _masked_scatter(call: Call) -> Any:
    x, source = call.full("input"), call.full("source").reshape([call.batch_size, -1])
    if source.shape[1] == 0 or call["mask"].dtype != taeda.bool or call["source"].dtype != x.dtype:
        return loop(call)
    shape = taeda.broadcast_shapes(x.shape[1:], call["mask"].shape[1 if call.is_batched("mask") else 0 :])
    mask = _flat_mask(call, len(shape), shape)
    wide = _padded_to(x, len(shape)).expand([call.batch_size, *shape])
    taken = source.gather(1, _places(mask)).reshape(wide.shape)
    return taeda.where(mask.reshape(wide.shape), taken, wide)


@rule("_masked_scatter_backward")
def _masked_scatter_backward(call: Call) -> Any:
    g, sizes = call.full("input"), list(call["sizes"])
    mask = _flat_mask(call, g.ndim - 1, g.shape[1:])
    made = taeda.zeros([call.batch_size, taeda.Size(sizes).numel()], dtype=g.dtype, device=g.device)
    if made.shape[1]:
        made = made.scatter_add(1, _places(mask), g.reshape([call.batch_size, -1]).masked_fill(~mask, 0))
    return made.reshape([call.batch_size, *sizes])


@rule("_masked_select_backward")
def _masked_select_backward(call: Call) -> Any:
    g, sizes = call.full("input"), list(call["sizes"])
    shape = taeda.broadcast_shapes(sizes, call["mask"].shape[1 if call.is_batched("mask") else 0 :])
    mask = _flat_mask(call, len(shape), shape)
    if g.shape[1]:
        whole = g.gather(1, _places(mask)).masked_fill(~mask, 0).reshape([call.batch_size, *shape])
    else:
        whole = taeda.zeros([call.batch_size, *shape], dtype=g.dtype, device=g.device)
    lead = len(shape) - len(sizes)
    return whole.sum_to_size([call.batch_size, *[1] * lead, *sizes]).reshape([call.batch_size, *sizes])
