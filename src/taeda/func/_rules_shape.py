"""Batching rules of what changes shapes, joins tensors, and reduces without naming dims."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.func._rules import Call, expand, rule, shifted

__all__: list[str] = []


def _resolved(size: Any, numel: int) -> list[int]:
    """Sizes with -1 filled in, for one sample."""
    size = list(size)
    if -1 in size:
        known = 1
        for n in size:
            known *= n if n != -1 else 1
        if known == 0 or numel % known:
            raise RuntimeError(f"shape '{size}' is invalid for input of size {numel}")
        size[size.index(-1)] = numel // known
    return size


def _numel(sizes: Any) -> int:
    n = 1
    for size in sizes:
        n *= size
    return n


@rule("view", "reshape")
def _view(call: Call) -> Any:
    x, size = call.arguments
    return call.op([x, [x.shape[0], *_resolved(size, _numel(x.shape[1:]))]])


@rule("view.dtype")
def _view_dtype(call: Call) -> Any:
    return call.op(call.arguments)


@rule("view_as", "reshape_as", "expand_as")
def _like(call: Call) -> Any:
    x, other = call.arguments
    shape = other.shape[1:] if call.batched[1] else other.shape
    if not call.batched[0]:
        x = expand(x, call.batch_size)
    if call.op.name == "expand_as":
        return _expanded(x, call.ranks[0], list(shape))
    return getattr(x, "view" if call.op.name == "view_as" else "reshape")([x.shape[0], *shape])


@rule("flatten")
def _flatten(call: Call) -> Any:
    x, start, end = call.arguments
    rank = call.ranks[0]
    if rank == 0:
        return x.unsqueeze(-1)
    return x.flatten(shifted(start, rank), shifted(end, rank))


@rule("ravel")
def _ravel(call: Call) -> Any:
    x = call.arguments[0]
    return x.unsqueeze(-1) if call.ranks[0] == 0 else x.flatten(1)


@rule("permute", "_inverse_permute")
def _permute(call: Call) -> Any:
    x, dims = call.arguments
    rank = call.ranks[0]
    if len(dims) != rank:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions "
            f"i.e. input.dim() = {rank} is not equal to len(dims) = {len(dims)}"
        )
    return call.op([x, [0, *(dim % max(rank, 1) + 1 for dim in dims)]])


@rule("t")
def _t(call: Call) -> Any:
    x = call.arguments[0]
    if call.ranks[0] > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {call.ranks[0]}D")
    return x.transpose(1, 2) if call.ranks[0] == 2 else x


def _expanded(x: Any, rank: int, size: list[int]) -> Any:
    shape = list(x.shape[1:])
    if len(size) < rank:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(size)}) must be greater or equal to the number of dimensions in the tensor ({rank})"
        )
    x = x.reshape([x.shape[0], *[1] * (len(size) - rank), *shape])
    return x.expand([x.shape[0], *size])


@rule("expand", "broadcast_to")
def _expand(call: Call) -> Any:
    return _expanded(call.arguments[0], call.ranks[0], list(call.arguments[1]))


@rule("squeeze")
def _squeeze(call: Call) -> Any:
    x = call.arguments[0]
    return x.squeeze([k for k in range(1, x.ndim) if x.shape[k] == 1])


@rule("sum_to_size")
def _sum_to_size(call: Call) -> Any:
    x, size = call.arguments
    rank, size = call.ranks[0], list(size)
    lead = rank - len(size)
    if lead:
        x = x.sum(list(range(1, lead + 1)))
    dims = [k + 1 for k, n in enumerate(size) if n == 1 and x.shape[k + 1] != 1]
    return x.sum(dims, keepdim=True) if dims else x


@rule("split.sizes", "_tensor_split.indices")
def _split(call: Call) -> Any:
    x, sizes, dim = call.arguments
    return call.op([x, sizes, shifted(dim, call.ranks[0])])


@rule("_tensor_split_backward")
def _split_backward(call: Call) -> Any:
    grads, sizes, indices, dim = call.arguments
    grads = [_full(g, flag, call.batch_size) for g, flag in zip(grads, call.batched[0], strict=True)]
    return call.op([grads, [call.batch_size, *sizes], indices, shifted(dim, len(sizes))])


def _full(value: Any, is_batched: bool, batch_size: int) -> Any:
    return value if is_batched else expand(value, batch_size)


@rule("cat", "concat", "concatenate")
def _cat(call: Call) -> Any:
    tensors, dim = call.arguments
    full = [_full(t, flag, call.batch_size) for t, flag in zip(tensors, call.batched[0], strict=True)]
    # An empty one-dimensional tensor may stand anywhere in a list; with a batch in front it no longer looks like one.
    if any(rank > 1 for rank in call.ranks[0]):
        full = [t for t, rank in zip(full, call.ranks[0], strict=True) if not (rank == 1 and t.shape[1] == 0)]
    return taeda.cat(full, shifted(dim, full[0].ndim - 1))


@rule("stack")
def _stack(call: Call) -> Any:
    tensors, dim = call.arguments
    full = [_full(t, flag, call.batch_size) for t, flag in zip(tensors, call.batched[0], strict=True)]
    return taeda.stack(full, shifted(dim, full[0].ndim))


@rule("_cat_backward")
def _cat_backward(call: Call) -> Any:
    x, lengths, dim = call.arguments
    return call.op([x, lengths, shifted(dim, call.ranks[0])])


@rule("roll", "_roll_back")
def _roll(call: Call) -> Any:
    x, shifts, dims = call.arguments
    if call.ranks[0] == 0:
        return x.clone()
    if not dims:  # all elements in a row
        return call.op([x.flatten(1), shifts, [1]]).reshape(x.shape)
    return call.op([x, shifts, shifted(dims, call.ranks[0])])


@rule("rot90")
def _rot90(call: Call) -> Any:
    x, k, dims = call.arguments
    return x.rot90(k, shifted(dims, call.ranks[0]))


@rule("fliplr", "flipud")
def _flip_image(call: Call) -> Any:
    return call.arguments[0].flip(1 if call.op.name == "flipud" else 2)


@rule("diag_embed")
def _diag_embed(call: Call) -> Any:
    x, offset, dim1, dim2 = call.arguments
    rank = call.ranks[0] + 1
    return x.diag_embed(offset, shifted(dim1, rank), shifted(dim2, rank))


@rule("trace")
def _trace(call: Call) -> Any:
    return call.arguments[0].diagonal(0, 1, 2).sum(-1)


@rule("_trace_backward")
def _trace_backward(call: Call) -> Any:
    grad, sizes = call.arguments
    return grad[:, None, None] * taeda.eye(*sizes, dtype=grad.dtype, device=grad.device)


# ---- reductions over everything


@rule("max", "min", "median", "nanmedian")
def _extreme(call: Call) -> Any:
    x = call.arguments[0]
    x = x.unsqueeze(-1) if call.ranks[0] == 0 else x.flatten(1)
    # amax shares a gradient between equal elements, as the reduction over everything does.
    if call.op.name in ("max", "min"):
        return x.amax(-1) if call.op.name == "max" else x.amin(-1)
    return getattr(x, call.op.name)(-1).values


@rule("argmax", "argmin")
def _arg_extreme(call: Call) -> Any:
    x, dim, keepdim = call.arguments
    rank = call.ranks[0]
    if rank == 0:
        return taeda.zeros(x.shape, dtype=taeda.int64)
    if dim is not None:
        return call.op([x, shifted(dim, rank), keepdim])
    found = call.op([x.flatten(1), 1, False])
    return found.reshape([-1, *[1] * rank]) if keepdim else found


@rule("var.unbiased", "std.unbiased", "var_mean.unbiased", "std_mean.unbiased")
def _moments(call: Call) -> Any:
    x, unbiased = call.arguments
    return getattr(taeda, call.op.name)(x, list(range(1, x.ndim)), correction=float(unbiased))


@rule("_all_nonzero")
def _all_nonzero(call: Call) -> Any:
    return call.op(call.arguments)


# ---- in place


@rule("copy_")
def _copy(call: Call) -> Any:
    target, source, non_blocking = call.arguments
    if call.batched[1]:
        rank = call.ranks[0]
        source = source.reshape([source.shape[0], *[1] * (rank - call.ranks[1]), *source.shape[1:]])
    target.copy_(source, non_blocking)


@rule("fill_.tensor")
def _fill(call: Call) -> Any:
    target, value = call.arguments
    if call.batched[1]:
        target.copy_(value.reshape([value.shape[0], *[1] * call.ranks[0]]))
    else:
        target.fill_(value)
