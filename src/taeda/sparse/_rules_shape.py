"""Rules for turning, joining and taking apart."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _C
from taeda.sparse._pattern import BLOCK_LAYOUTS, Compressed, Coordinates, layout_name
from taeda.sparse._rules import refuse, rule
from taeda.sparse._tensor import build, sparse_of, values_of

__all__: list[str] = []

_TURNED = {
    taeda.sparse_csr: taeda.sparse_csc,
    taeda.sparse_csc: taeda.sparse_csr,
    taeda.sparse_bsr: taeda.sparse_bsc,
    taeda.sparse_bsc: taeda.sparse_bsr,
}


def _wrap(dim: int, rank: int) -> int:
    limit = max(rank, 1)
    if not -limit <= dim < limit:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})")
    return dim % limit


# ---- turning


def _permuted(op: Any, input: Any, dims: list[int]) -> Any:
    wrapper = sparse_of(input)
    pattern, values = wrapper.pattern, values_of(input)
    if dims == list(range(input.ndim)):
        return build(pattern, values)
    if isinstance(pattern, Compressed):
        return _transposed_compressed(op, input, dims)
    n = pattern.sparse_dim
    if sorted(dims[:n]) != list(range(n)):
        raise RuntimeError(
            f"{op.name}: transposing sparse and dense dimensions with one another is not possible: the first {n} dims are sparse, and the "
            f"order is {dims}"
        )
    shape = tuple(input.shape[d] for d in dims)
    indices = pattern.indices[dims[:n]]
    if values.ndim > 2:
        values = values.permute(0, *[d - n + 1 for d in dims[n:]])
    return build(Coordinates(indices, shape, pattern.coalesced and dims[:n] == list(range(n))), values)


def _transposed_compressed(op: Any, input: Any, dims: list[int]) -> Any:
    pattern: Compressed = sparse_of(input).pattern
    n = len(pattern.batch)
    wanted = list(range(input.ndim))
    wanted[n], wanted[n + 1] = n + 1, n
    if dims != wanted:
        raise RuntimeError(
            f"{op.name}: of a {layout_name(pattern.layout)} tensor the two sparse dims can be exchanged, not {dims}"
        )
    values = values_of(input)
    if pattern.is_blocked:
        values = values.transpose(n + 1, n + 2)
    shape = tuple(input.shape[d] for d in dims)
    turned = Compressed(_TURNED[pattern.layout], pattern.offsets, pattern.plain, shape, pattern.block[::-1])
    return build(turned, values)


@rule("transpose", "swapaxes", "swapdims")
def _transpose(op: Any, input: Any, dim0: int, dim1: int) -> Any:
    a, b = _wrap(dim0, input.ndim), _wrap(dim1, input.ndim)
    dims = list(range(input.ndim))
    dims[a], dims[b] = dims[b], dims[a]
    return _permuted(op, input, dims)


@rule("t")
def _t(op: Any, input: Any) -> Any:
    wrapper = sparse_of(input)
    sparse, dense = (wrapper.pattern.sparse_dim, len(wrapper.pattern.dense_shape))
    if sparse > 2 or dense:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 sparse and 0 dense dimensions, but got {sparse} sparse and {dense} dense dimensions"
        )
    return _permuted(op, input, list(range(input.ndim))[::-1])


@rule("permute")
def _permute(op: Any, input: Any, dims: Any) -> Any:
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of "
            f"dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}"
        )
    dims = [_wrap(d, input.ndim) for d in dims]
    if len(set(dims)) < len(dims):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return _permuted(op, input, dims)


@rule("unsqueeze")
def _unsqueeze(op: Any, input: Any, dim: int) -> Any:
    pattern, values = sparse_of(input).pattern, values_of(input)
    dim = _wrap(dim, input.ndim + 1)
    if not isinstance(pattern, Coordinates):
        refuse(op, sparse_of(input))
    shape = (*input.shape[:dim], 1, *input.shape[dim:])
    n = pattern.sparse_dim
    if dim > n:
        return build(Coordinates(pattern.indices, shape, pattern.coalesced), values.unsqueeze(dim - n + 1))
    zero = taeda.zeros(1, pattern.nnz, dtype=taeda.int64)
    indices = taeda.cat([pattern.indices[:dim], zero, pattern.indices[dim:]])
    return build(Coordinates(indices, shape, pattern.coalesced), values)


@rule("reshape", "flatten")
def _reshape(op: Any, input: Any, *shape: Any) -> Any:
    raise RuntimeError(
        f"reshape is not implemented for sparse tensors\n  hint: to_dense().{op.name}(...), or a new tensor of other indices"
    )


# ---- taking apart


@rule("select")
def _select(op: Any, input: Any, dim: int, index: int) -> Any:
    dim = _wrap(dim, input.ndim)
    length = input.shape[dim]
    if not -length <= index < length:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {dim}"
        )
    index %= length
    wrapper = sparse_of(input)
    pattern, values = wrapper.pattern, values_of(input)
    if isinstance(pattern, Compressed):
        if dim < len(pattern.batch):
            one = Compressed(
                pattern.layout, pattern.offsets.select(dim, index), pattern.plain.select(dim, index),
                (*input.shape[:dim], *input.shape[dim + 1 :]), pattern.block,
            )  # fmt: skip
            return build(one, values.select(dim, index))
        if pattern.layout in BLOCK_LAYOUTS:
            refuse(op, wrapper)
        pattern, values = pattern.grid(), pattern.to_grid(values)
    shape = (*input.shape[:dim], *input.shape[dim + 1 :])
    n = pattern.sparse_dim
    if dim >= n:
        return build(Coordinates(pattern.indices, shape, pattern.coalesced), values.select(dim - n + 1, index))
    there = (pattern.indices[dim] == index).nonzero().squeeze(1)
    taken = values.index_select(0, there)
    if n == 1:
        return taken.sum(0, dtype=taken.dtype)
    rest = taeda.cat([pattern.indices[:dim], pattern.indices[dim + 1 :]]).index_select(1, there)
    return build(Coordinates(rest, shape, pattern.coalesced), taken)


@rule("unbind")
def _unbind(op: Any, input: Any, dim: int = 0) -> Any:
    return tuple(input.select(dim, k) for k in range(input.shape[_wrap(dim, input.ndim)]))


@rule("_slice")
def _slice(op: Any, input: Any, dim: int, start: int | None, stop: int | None, step: int) -> Any:
    dim = _wrap(dim, input.ndim)
    first, last, step = slice(start, stop, step).indices(input.shape[dim])
    if step != 1:
        return taeda.index_select(input, dim, taeda.arange(first, max(first, last), step))
    return taeda.narrow(input, dim, first, max(last - first, 0))


@rule("narrow")
def _narrow(op: Any, input: Any, dim: int, start: int, length: int) -> Any:
    pattern, values = sparse_of(input).pattern, values_of(input)
    if not isinstance(pattern, Coordinates):
        refuse(op, sparse_of(input))
    dim = _wrap(dim, input.ndim)
    start = start + input.shape[dim] if start < 0 else start
    if length < 0 or start < 0 or start + length > input.shape[dim]:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({input.shape[dim]}).")
    shape = (*input.shape[:dim], length, *input.shape[dim + 1 :])
    n = pattern.sparse_dim
    if dim >= n:
        return build(Coordinates(pattern.indices, shape, pattern.coalesced), values.narrow(dim - n + 1, start, length))
    row = pattern.indices[dim]
    there = ((row >= start) & (row < start + length)).nonzero().squeeze(1)
    indices = pattern.indices.index_select(1, there)
    indices[dim] -= start
    return build(Coordinates(indices, shape, pattern.coalesced), values.index_select(0, there))


@rule("index_select")
def _index_select(op: Any, input: Any, dim: int, index: Any) -> Any:
    pattern, values = sparse_of(input).pattern, values_of(input)
    if not isinstance(pattern, Coordinates):
        refuse(op, sparse_of(input))
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    dim, index = _wrap(dim, input.ndim), index.reshape(-1).to(taeda.int64)
    n, length = pattern.sparse_dim, input.shape[dim]
    shape = (*input.shape[:dim], index.numel(), *input.shape[dim + 1 :])
    if dim >= n:
        return build(Coordinates(pattern.indices, shape, pattern.coalesced), values.index_select(dim - n + 1, index))
    if index.numel() and not bool(((index >= -length) & (index < length)).all()):
        raise IndexError(
            f"index_select(): index contains elements that are out of range for dimension {dim} with size {length}"
        )
    index = taeda.where(index < 0, index + length, index)
    # Elements are grouped by their coordinate; each index takes a whole group.
    starts, order = _C._group(pattern.indices[dim], length)
    counts = (starts[1:] - starts[:-1]).index_select(0, index)
    ends = counts.cumsum(0)
    taker = _C._expand_offsets(taeda.cat([ends.new_zeros(1), ends]))
    within = taeda.arange(taker.numel()) - (ends - counts).index_select(0, taker)
    source = order.index_select(0, starts.index_select(0, index).index_select(0, taker) + within)
    indices = pattern.indices.index_select(1, source)
    indices[dim] = taker
    return build(Coordinates(indices, shape, False), values.index_select(0, source))


# ---- joining


@rule("cat")
def _cat(op: Any, tensors: Any, dim: int = 0) -> Any:
    for position, tensor in enumerate(tensors):
        if sparse_of(tensor) is None:
            raise RuntimeError(f"Concatenating sparse tensors, but a dense tensor was found at position {position}.")
        if not isinstance(sparse_of(tensor).pattern, Coordinates):
            refuse(op, sparse_of(tensor))
    first = tensors[0]
    patterns = [sparse_of(tensor).pattern for tensor in tensors]
    dim, n = _wrap(dim, first.ndim), patterns[0].sparse_dim
    for position, tensor in enumerate(tensors):
        if patterns[position].sparse_dim != n or tensor.ndim != first.ndim:
            raise RuntimeError(
                f"All tensors must have the same number of sparse and dense dimensions: position {position} has {patterns[position].sparse_dim} "
                f"and {tensor.ndim - patterns[position].sparse_dim}, position 0 {n} and {first.ndim - n}"
            )
        if any(a != b for d, (a, b) in enumerate(zip(tensor.shape, first.shape, strict=True)) if d != dim):
            raise RuntimeError(
                f"All tensors must have the same shape: {list(first.shape)} (except in the concatenating dimension), but found shape: "
                f"{list(tensor.shape)} at position {position}"
            )
    values = [values_of(tensor) for tensor in tensors]
    dtype = values[0].dtype
    for value in values[1:]:
        dtype = taeda.promote_types(dtype, value.dtype)
    lengths = [tensor.shape[dim] for tensor in tensors]
    shape = (*first.shape[:dim], sum(lengths), *first.shape[dim + 1 :])
    indices, starts = [], [sum(lengths[:k]) for k in range(len(lengths))]
    for k, pattern in enumerate(patterns):
        moved = pattern.indices
        if dim < n and starts[k]:
            moved = moved.clone()
            moved[dim] += starts[k]
        elif dim >= n:
            values[k] = _placed(values[k], dim - n + 1, starts[k], sum(lengths))
        indices.append(moved)
        values[k] = values[k].to(dtype)
    ordered = dim == 0 and n > 0 and all(pattern.coalesced for pattern in patterns)
    return build(Coordinates(taeda.cat(indices, 1), shape, ordered), taeda.cat(values))


def _placed(values: Any, dim: int, start: int, length: int) -> Any:
    """Values with zeros before and after, along a dense dim."""
    before, after = list(values.shape), list(values.shape)
    before[dim], after[dim] = start, length - start - values.shape[dim]
    return taeda.cat([values.new_zeros(before), values, values.new_zeros(after)], dim)


@rule("stack")
def _stack(op: Any, tensors: Any, dim: int = 0) -> Any:
    shape = tensors[0].shape
    for position, tensor in enumerate(tensors):
        if tensor.shape != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and {list(tensor.shape)} at entry {position}"
            )
    dim = _wrap(dim, len(shape) + 1)
    return taeda.cat([tensor.unsqueeze(dim) for tensor in tensors], dim)
