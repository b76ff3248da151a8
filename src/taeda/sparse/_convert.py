"""Conversions between layouts, and a sparse tensor's parts."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.autograd import Function
from taeda.sparse import _tensor
from taeda.sparse._pattern import BLOCK_LAYOUTS, Compressed, Coordinates, compress, layout_name
from taeda.sparse._tensor import build, sparse_of, values_of

__all__ = ["sparse_mask", "to_dense", "to_sparse"]


# ---- to dense


class _FullGradient(Function):  # type: ignore[valid-type, misc]
    """The dense tensor; its gradient is not cut down to the places of the sparse one."""

    @staticmethod
    def forward(ctx: Any, tensor: Any) -> Any:
        wrapper = sparse_of(tensor)
        ctx.layout = wrapper.layout
        ctx.block = wrapper.pattern.block if wrapper.layout in BLOCK_LAYOUTS else None
        return wrapper.pattern.scatter(wrapper.values)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return to_sparse(grad, layout=ctx.layout, blocksize=ctx.block)


def to_dense(tensor: Any, dtype: Any = None, masked_grad: bool | None = None) -> Any:
    """Return the tensor with all its zeros; itself where it is dense."""
    wrapper = sparse_of(tensor)
    if wrapper is None:
        return tensor if dtype is None else tensor.to(dtype)
    if masked_grad is False and taeda.is_grad_enabled() and tensor.requires_grad:
        dense = _FullGradient.apply(tensor)
    else:
        dense = wrapper.pattern.scatter(values_of(tensor))
    return dense if dtype is None else dense.to(dtype)


# ---- to sparse


def to_sparse(
    tensor: Any,
    sparse_dim: int | None = None,
    *,
    layout: Any = None,
    blocksize: Any = None,
    dense_dim: int | None = None,
) -> Any:
    """Return the tensor in a sparse layout; itself where it has that already."""
    layout = layout or taeda.sparse_coo
    if layout is taeda.strided:
        return to_dense(tensor)
    if sparse_dim is not None and layout is not taeda.sparse_coo:
        raise RuntimeError("to_sparse: only one of sparse_dim and a compressed layout can be given")
    if layout is not taeda.sparse_coo and blocksize is None and layout in BLOCK_LAYOUTS:
        raise RuntimeError(
            f"dense_to_sparse: conversion from {layout_name(tensor.layout)} to {layout_name(layout)} without blocksize argument given is not supported"
        )
    if blocksize is not None and layout not in BLOCK_LAYOUTS:
        raise RuntimeError(
            f"to_sparse: conversion from {layout_name(tensor.layout)} to {layout_name(layout)} with blocksize argument given is not supported"
        )
    wrapper = sparse_of(tensor)
    if wrapper is None:
        return _from_dense(tensor, sparse_dim, layout, blocksize, dense_dim)
    if layout is taeda.sparse_coo:
        return _to_coordinates(tensor, sparse_dim)
    pattern = wrapper.pattern
    if pattern.layout is layout and (layout not in BLOCK_LAYOUTS or tuple(blocksize) == pattern.block):
        return tensor
    return _to_compressed(tensor, layout, blocksize)


def _from_dense(tensor: Any, sparse_dim: int | None, layout: Any, blocksize: Any, dense_dim: int | None) -> Any:
    if layout is taeda.sparse_coo:
        if dense_dim is not None:
            sparse_dim = tensor.ndim - dense_dim
        n = tensor.ndim if sparse_dim is None else sparse_dim
        if not 0 <= n <= tensor.ndim or (n == 0 and tensor.ndim):
            raise RuntimeError(
                f"dense_to_sparse: sparse_dim argument must be in [0,{tensor.ndim}] range, but {n} is given"
            )
        return _coordinates_of(tensor, n)
    n = tensor.ndim - (dense_dim or 0)
    if n < 2:
        raise IndexError(
            f"select(): a tensor of size {list(tensor.shape)} with {dense_dim or 0} dense dims has no matrix to compress"
        )
    block = tuple(blocksize) if blocksize is not None else (1, 1)
    if layout in BLOCK_LAYOUTS:
        _check_blocks(tensor, n - 2, block, "dense_to_sparse")
        split = tensor.unflatten(n - 1, [-1, block[1]]).unflatten(n - 2, [-1, block[0]]).transpose(n - 1, n)
        tensor = split
    coordinates = _coordinates_of(tensor, n)
    grid = sparse_of(coordinates).pattern
    pattern, ordered = compress(grid, layout, n - 2)
    return build(pattern, pattern.from_grid(ordered(values_of(coordinates))))


def _check_blocks(tensor: Any, n_batch: int, block: tuple[int, int], what: str) -> None:
    rows, cols = tensor.shape[n_batch], tensor.shape[n_batch + 1]
    if len(block) != 2 or block[0] < 1 or block[1] < 1 or rows % block[0] or cols % block[1]:
        raise RuntimeError(
            f"{what}: tensor sparse size ({rows},{cols}) must be divisible by given blocksize ({','.join(map(str, block))})"
        )


def _coordinates_of(dense: Any, n: int) -> Any:
    """A dense tensor's elements that are not zero; with dense dims, those slices that are not all zero."""
    plain = dense.detach() != 0
    if dense.ndim > n:
        plain = plain.any(list(range(n, dense.ndim)))
    indices = plain.nonzero().T.contiguous() if n else taeda.zeros(0, int(plain), dtype=taeda.int64)
    pattern = Coordinates(indices, tuple(dense.shape), True)
    return build(pattern, pattern.gather(dense))


def _elements(tensor: Any) -> tuple[Coordinates, Any]:
    """The places of single elements, and their values; blocks are taken apart."""
    pattern, values = sparse_of(tensor).pattern, values_of(tensor)
    if isinstance(pattern, Coordinates):
        return pattern, values
    grid, values = pattern.grid(), pattern.to_grid(values)
    if not pattern.is_blocked:
        # By rows, and sorted in each, as they are.
        return Coordinates(grid.indices, grid.shape, False), values
    a, b = pattern.block
    row = (grid.indices[-2] * a).reshape(-1, 1, 1) + taeda.arange(a).reshape(1, a, 1)
    col = (grid.indices[-1] * b).reshape(-1, 1, 1) + taeda.arange(b).reshape(1, 1, b)
    shape = (grid.nnz, a, b)
    lead = [index.reshape(-1, 1, 1).expand(shape).reshape(-1) for index in grid.indices[:-2]]
    indices = taeda.stack([*lead, row.expand(shape).reshape(-1), col.expand(shape).reshape(-1)])
    return Coordinates(indices, pattern.shape, False), values.flatten(0, 2)


def _to_coordinates(tensor: Any, sparse_dim: int | None) -> Any:
    pattern = sparse_of(tensor).pattern
    if isinstance(pattern, Coordinates):
        if sparse_dim is not None and sparse_dim != pattern.sparse_dim:
            raise RuntimeError(
                "to_sparse: conversion from Sparse to Sparse with sparse_dim argument !=self.sparse_dim() is not supported"
            )
        return tensor
    if sparse_dim is not None and sparse_dim != 2:
        raise RuntimeError(
            f"to_sparse: conversion from {layout_name(pattern.layout)} to Sparse with sparse_dim argument other than 2 is not supported"
        )
    return build(*_tensor.unique_values(*_elements(tensor)))


def _to_compressed(tensor: Any, layout: Any, blocksize: Any) -> Any:
    grid, values = _tensor.unique_values(*_elements(tensor))
    n_batch = grid.sparse_dim - 2
    if n_batch < 0:
        raise RuntimeError(f"to_sparse: a tensor with {grid.sparse_dim} sparse dims has no matrix to compress")
    if layout in BLOCK_LAYOUTS:
        block = tuple(blocksize)
        _check_blocks(tensor, n_batch, block, f"{layout_name(sparse_of(tensor).layout)} to {layout_name(layout)}")
        grid, values = _in_blocks(grid, values, block)
    old = sparse_of(tensor).pattern
    dtype = old.plain.dtype if isinstance(old, Compressed) else taeda.int64
    pattern, ordered = compress(grid, layout, n_batch, dtype)
    return build(pattern, pattern.from_grid(ordered(values)))


def _in_blocks(grid: Coordinates, values: Any, block: tuple[int, int]) -> tuple[Coordinates, Any]:
    """Elements put into blocks, as a grid whose first dense dims are a block's."""
    a, b = block
    row, col = grid.indices[-2], grid.indices[-1]
    corner = taeda.stack([*grid.indices[:-2], row // a, col // b])
    lead = grid.shape[: grid.sparse_dim - 2]
    sparse = (*lead, grid.shape[grid.sparse_dim - 2] // a, grid.shape[grid.sparse_dim - 1] // b)
    keys = Coordinates(corner, sparse, False).keys()
    found, place = taeda.unique(keys, return_inverse=True)
    n = found.numel()
    flat = taeda.zeros(n * a * b, *grid.dense_shape, dtype=values.dtype)
    blocks = flat.index_add(0, (place * a + row % a) * b + col % b, values).reshape(n, a, b, *grid.dense_shape)
    indices, rest = [], found
    for length in reversed(sparse):
        indices.append(rest % max(length, 1))
        rest = rest // max(length, 1)
    return Coordinates(taeda.stack(indices[::-1]), (*sparse, a, b, *grid.dense_shape), True), blocks


def sparse_mask(tensor: Any, mask: Any) -> Any:
    """Return the elements of ``tensor`` at the places of ``mask``, in its layout."""
    wrapper = sparse_of(mask)
    if wrapper is None:
        raise RuntimeError(f"sparse_mask: expected mask to be sparse, got one of layout {layout_name(mask.layout)}")
    if tuple(tensor.shape) != tuple(mask.shape):
        raise RuntimeError(
            f"sparse_mask(): operands have incompatible sizes; self has size {list(tensor.shape)} but mask has size {list(mask.shape)}"
        )
    pattern = wrapper.pattern
    if isinstance(pattern, Coordinates) and not pattern.coalesced:
        pattern, _ = _tensor.unique_values(pattern, wrapper.values)
    return build(pattern, _tensor.matched(tensor, pattern))


# ---- parts


def _expect(tensor: Any, name: str, *layouts: Any) -> Any:
    wrapper = sparse_of(tensor)
    if wrapper is None or wrapper.layout not in layouts:
        kind = {
            taeda.sparse_coo: "sparse coordinate",
            taeda.sparse_csr: "sparse row compressed",
            taeda.sparse_csc: "sparse column compressed",
        }[layouts[0]]
        kind = "sparse" if len(layouts) > 2 else kind
        raise RuntimeError(f"{name} expected {kind} tensor layout but got {layout_name(tensor.layout)}")
    return wrapper


_ALL = (taeda.sparse_coo, taeda.sparse_csr, taeda.sparse_csc, taeda.sparse_bsr, taeda.sparse_bsc)
_ROWS = (taeda.sparse_csr, taeda.sparse_bsr)
_COLUMNS = (taeda.sparse_csc, taeda.sparse_bsc)


def indices(tensor: Any) -> Any:
    pattern = _expect(tensor, "indices", taeda.sparse_coo).pattern
    if not pattern.coalesced:
        raise RuntimeError("Cannot get indices on an uncoalesced tensor, please call .coalesce() first")
    return pattern.indices.detach()


def values(tensor: Any) -> Any:
    wrapper = _expect(tensor, "values", *_ALL)
    if wrapper.is_sparse and not wrapper.pattern.coalesced:
        raise RuntimeError("Cannot get values on an uncoalesced tensor, please call .coalesce() first")
    found = values_of(tensor)
    return found.detach() if found is wrapper.values else found


def raw_indices(tensor: Any) -> Any:
    return _expect(tensor, "_indices", taeda.sparse_coo).pattern.indices.detach()


def raw_values(tensor: Any) -> Any:
    return _expect(tensor, "_values", *_ALL).values.detach()


def compressed_part(tensor: Any, name: str) -> Any:
    """Return crow_indices, col_indices, ccol_indices or row_indices."""
    layouts = _ROWS if name in ("crow_indices", "col_indices") else _COLUMNS
    pattern = _expect(tensor, name, *layouts).pattern
    return (pattern.offsets if name in ("crow_indices", "ccol_indices") else pattern.plain).detach()


def nnz(tensor: Any) -> int:
    wrapper = sparse_of(tensor)
    if wrapper is None:
        raise NotImplementedError(
            "Could not run 'aten::_nnz' with arguments from the 'CPU' backend: a dense tensor has no such number\n  hint: count_nonzero()"
        )
    return wrapper.pattern.nnz


def is_coalesced(tensor: Any) -> bool:
    return _expect(tensor, "is_coalesced", taeda.sparse_coo).pattern.coalesced


def set_coalesced(tensor: Any, coalesced: bool) -> Any:
    wrapper = _expect(tensor, "_coalesced_", taeda.sparse_coo)
    wrapper.pattern = Coordinates(wrapper.pattern.indices, wrapper.pattern.shape, coalesced)
    return tensor


def coalesce(tensor: Any) -> Any:
    _expect(tensor, "coalesce", taeda.sparse_coo)
    return _tensor.coalesce(tensor)


# ---- resizing


def resize(tensor: Any, size: Any, sparse_dim: int, dense_dim: int, clear: bool) -> Any:
    """Give a coordinate tensor another shape: its elements stay where they are, or go (``clear``)."""
    from taeda import _C

    wrapper = _expect(tensor, "sparse_resize_", taeda.sparse_coo)
    if tensor.requires_grad:
        raise RuntimeError("sparse_resize_: cannot resize a tensor that requires grad")
    pattern, size = wrapper.pattern, tuple(size)
    if len(size) != sparse_dim + dense_dim:
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {sparse_dim}, dense_dim = {dense_dim}"
        )
    if clear or pattern.nnz == 0:
        indices = taeda.zeros(sparse_dim, 0, dtype=taeda.int64)
        values, coalesced = wrapper.values.new_zeros((0, *size[sparse_dim:])), True
    else:
        _check_growth(pattern, size, sparse_dim)
        indices, values, coalesced = pattern.indices, _grown(wrapper.values, size[sparse_dim:]), pattern.coalesced
    wrapper.pattern, wrapper.values = Coordinates(indices, size, coalesced), values
    _C._rewrap(tensor, wrapper, size)
    return tensor


def _check_growth(pattern: Coordinates, size: tuple[int, ...], sparse_dim: int) -> None:
    if sparse_dim != pattern.sparse_dim or len(size) != len(pattern.shape):
        raise RuntimeError(
            f"changing the number of sparse dimensions (from {pattern.sparse_dim} to {sparse_dim}) on a non-empty sparse tensor is not supported."
        )
    for what, old, new in (
        ("sparse", pattern.sparse_shape, size[:sparse_dim]),
        ("dense", pattern.dense_shape, size[sparse_dim:]),
    ):
        if any(b < a for a, b in zip(old, new, strict=True)):
            raise RuntimeError(
                f"shrinking the size of {what} dimensions (from {list(old)} to {list(new)}) on a non-empty sparse tensor is not supported."
            )


def _grown(values: Any, dense: tuple[int, ...]) -> Any:
    if tuple(values.shape[1:]) == dense:
        return values
    grown = values.new_zeros((values.shape[0], *dense))
    grown[(slice(None), *(slice(length) for length in values.shape[1:]))] = values
    return grown


def parts(tensor: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a tensor's layout, and what `whole` makes it of again: PyTorch's files hold the same."""
    wrapper = sparse_of(tensor)
    pattern = wrapper.pattern
    if isinstance(pattern, Coordinates):
        return pattern.layout, (pattern.indices, wrapper.values, taeda.Size(pattern.shape), pattern.coalesced)
    return pattern.layout, (pattern.offsets, pattern.plain, wrapper.values, taeda.Size(pattern.shape))


def whole(layout: Any, pieces: tuple[Any, ...]) -> Any:
    """Return the tensor of the parts that `parts` gave, after checking them."""
    from taeda.sparse import _create

    if layout is taeda.sparse_coo:
        indices, values, size, *coalesced = pieces
        return _create.sparse_coo_tensor(
            indices, values, size, is_coalesced=coalesced[0] if coalesced else None, check_invariants=True
        )
    offsets, plain, values, size = pieces
    return _create.sparse_compressed_tensor(offsets, plain, values, size, layout=layout)
