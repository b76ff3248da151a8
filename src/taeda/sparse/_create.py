"""Makers of sparse tensors, and the ordinary factories where a sparse layout is named."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _wrapped
from taeda.sparse import _check
from taeda.sparse._pattern import BLOCK_LAYOUTS, COLUMN_LAYOUTS, Compressed, Coordinates, layout_name
from taeda.sparse._tensor import build, make, sparse_of

__all__ = ["empty_sparse", "make_with_layout", "sparse_compressed_tensor", "sparse_coo_tensor"]

_COMPRESSED = (taeda.sparse_csr, taeda.sparse_csc, taeda.sparse_bsr, taeda.sparse_bsc)


def _index_tensor(indices: Any) -> Any:
    if isinstance(indices, taeda.Tensor):
        if indices.dtype.is_floating_point or indices.dtype.is_complex or indices.dtype == taeda.bool:
            raise TypeError(f"indices must be integers, got {indices.dtype}")
        return indices.detach()
    return taeda.tensor(indices).to(taeda.int64)


def _value_tensor(values: Any, dtype: Any) -> Any:
    values = taeda.as_tensor(values, dtype=dtype)
    return values.reshape(1) if values.ndim == 0 else values


def _check_device(device: Any) -> None:
    if device is not None and taeda.device(device).type != "cpu":
        raise NotImplementedError(f"taeda makes sparse tensors on the cpu only, got device {device}")


def _leaf(tensor: Any, requires_grad: bool) -> Any:
    return tensor.requires_grad_() if requires_grad else tensor


def empty_sparse(size: Any, layout: Any, dtype: Any = None, index_dtype: Any = taeda.int64) -> Any:
    """Return a sparse tensor of zeros: one without elements."""
    size = tuple(size)
    dtype = dtype or taeda.get_default_dtype()
    if layout is taeda.sparse_coo:
        return make(Coordinates(taeda.zeros(len(size), 0, dtype=taeda.int64), size, True), taeda.zeros(0, dtype=dtype))
    if layout in BLOCK_LAYOUTS or len(size) < 2:
        raise RuntimeError(
            f"empty: tensors of layout {layout_name(layout)} need a matrix and no blocks here, got size {list(size)}"
        )
    n_major = size[-1] if layout in COLUMN_LAYOUTS else size[-2]
    offsets = taeda.zeros(*size[:-2], n_major + 1, dtype=index_dtype)
    plain = taeda.zeros(*size[:-2], 0, dtype=index_dtype)
    return make(Compressed(layout, offsets, plain, size), taeda.zeros(*size[:-2], 0, dtype=dtype))


def sparse_coo_tensor(
    indices: Any,
    values: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> Any:
    """Make a tensor of coordinates; the public function is documented in taeda._composite.sparse."""
    _check_device(device)
    if values is None:
        if indices is None and size is None:
            raise TypeError("sparse_coo_tensor(): needs indices and values, or a size")
        return _leaf(empty_sparse(indices if size is None else size, taeda.sparse_coo, dtype), requires_grad)
    indices, values = _index_tensor(indices).to(taeda.int64), _value_tensor(values, dtype)
    if indices.ndim != 2:
        if indices.numel() or indices.ndim > 2:
            raise RuntimeError(
                f"indices must be sparse_dim x nnz, but got: {list(indices.shape)}\n  hint: one row for each sparse dim"
            )
        indices = indices.reshape(1, 0)
    if size is None:
        if indices.shape[1] == 0 and indices.shape[0]:
            lengths = [0] * indices.shape[0]
        else:
            lengths = [length + 1 for length in indices.amax(1).tolist()] if indices.shape[0] else []
        size = (*lengths, *values.shape[1:])
    size = tuple(size)
    _check.check_coordinates(indices, values, size)
    pattern = Coordinates(indices, size, bool(is_coalesced))
    if is_coalesced and _check.wanted(check_invariants) and indices.shape[1] > 1:
        keys = pattern.keys()
        if not bool((keys[1:] > keys[:-1]).all()):
            raise RuntimeError("cannot set is_coalesced to true if indices correspond to uncoalesced COO tensor")
    if requires_grad:
        values = values.detach()
    return _leaf(build(pattern, values), requires_grad)


def sparse_compressed_tensor(
    compressed_indices: Any,
    plain_indices: Any,
    values: Any,
    size: Any = None,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Any:
    """Make a tensor in a compressed layout; the public functions are documented in taeda._composite.sparse."""
    _check_device(device)
    if layout not in _COMPRESSED:
        raise RuntimeError(
            f"sparse_compressed_tensor expected sparse compressed tensor layout but got {'None' if layout is None else layout_name(layout)}"
        )
    offsets, plain, values = (
        _index_tensor(compressed_indices),
        _index_tensor(plain_indices),
        _value_tensor(values, dtype),
    )
    if offsets.ndim < 1 or plain.ndim < 1 or offsets.shape[-1] < 1:
        raise RuntimeError(
            "compressed_indices and plain_indices must have dimensionality >= 1, and compressed_indices at least one entry"
        )
    n_batch = plain.ndim - 1
    block = (1, 1)
    if layout in BLOCK_LAYOUTS:
        if values.ndim == n_batch + 1:
            values = values.reshape(*values.shape, 1, 1)
        if values.ndim < n_batch + 3:
            raise RuntimeError(
                f"values of layout {layout_name(layout)} must have dims (*batch, nnz, rows, columns of a block), got {list(values.shape)}"
            )
        block = (values.shape[n_batch + 1], values.shape[n_batch + 2])
    dense = values.shape[n_batch + (3 if layout in BLOCK_LAYOUTS else 1) :]
    if size is None:
        n_minor = int(plain.max()) + 1 if plain.numel() else 0
        counts = (offsets.shape[-1] - 1, n_minor)
        rows, cols = counts[::-1] if layout in COLUMN_LAYOUTS else counts
        size = (*plain.shape[:-1], rows * block[0], cols * block[1], *dense)
    size = tuple(size)
    if len(size) != n_batch + 2 + len(dense):
        raise RuntimeError(
            f"tensor dimensionality must be sum of batch, base, and dense dimensionalities (={n_batch} + 2 + {len(dense)}) but got {len(size)}"
        )
    pattern = Compressed(layout, offsets, plain, size, block)
    _check.check_compressed(pattern, values, _check.wanted(check_invariants))
    if requires_grad:
        values = values.detach()
    return _leaf(build(pattern, values), requires_grad)


# ---- factories with layout=

_EMPTY = ("zeros", "empty", "zeros_like", "empty_like", "new_zeros", "new_empty")


def make_with_layout(key: str, arguments: tuple[Any, ...], layout: Any) -> Any:
    """Answer a factory's call that names a layout (asked for by the core; see bind/op_function.cpp)."""
    op = _wrapped.operation(key)
    options = dict(zip(op.names, arguments, strict=True))
    first = arguments[0]
    is_like = isinstance(first, taeda.Tensor)
    shape = options["size"] if "size" in options else first.shape
    dtype = options.get("dtype") or (first.dtype if is_like else None)
    _check_device(options.get("device"))
    if layout is taeda.strided:
        name = op.name.removesuffix("_like").removeprefix("new_")
        if name == "full":
            return taeda.full(shape, options["fill_value"], dtype=dtype)
        if name not in ("zeros", "ones", "empty", "rand", "randn"):
            raise NotImplementedError(
                f"taeda has no {op.name} of a sparse tensor with layout strided\n  hint: {name}(shape)"
            )
        return getattr(taeda, name)(shape, dtype=dtype)
    if op.name not in _EMPTY:
        what = (
            "full(...)"
            if op.name in ("ones", "full", "ones_like", "full_like", "new_ones", "new_full")
            else f"{op.name}(...)"
        )
        raise RuntimeError(
            f"{what} is not implemented for sparse layout\n  hint: make a dense tensor, then to_sparse()"
        )
    return empty_sparse(shape, layout, dtype)


def zeros_of(input: Any, size: Any, dtype: Any) -> Any:
    """Return a tensor of zeros in the layout of ``input``."""
    pattern = sparse_of(input).pattern
    if isinstance(pattern, Compressed):
        if pattern.is_blocked or pattern.dense_shape:
            shape = (*pattern.plain.shape[:-1], 0, *sparse_of(input).values.shape[pattern.plain.ndim :])
            none = Compressed(
                pattern.layout, taeda.zeros_like(pattern.offsets), pattern.plain[..., :0], pattern.shape, pattern.block
            )
            return make(none, taeda.zeros(shape, dtype=dtype or input.dtype))
        return empty_sparse(size, pattern.layout, dtype or input.dtype, pattern.plain.dtype)
    if tuple(size) == pattern.shape:
        places = Coordinates(taeda.zeros(pattern.sparse_dim, 0, dtype=taeda.int64), pattern.shape, True)
        return make(places, taeda.zeros(0, *pattern.dense_shape, dtype=dtype or input.dtype))
    return empty_sparse(size, pattern.layout, dtype or input.dtype)
