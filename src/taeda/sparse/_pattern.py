"""Where the elements of a sparse tensor are: `Coordinates` (one column of indices for each element) and `Compressed` (offsets for
each row, or column, and the other index), the latter also for blocks.

A pattern never changes. With values, one for each of its places, it makes a sparse tensor (`taeda.sparse._tensor`). Its `grid` is the
same places as coordinates, which is what most operations are computed with: for blocks a coordinate names a whole block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import taeda
from taeda import _C

__all__ = ["COLUMN_LAYOUTS", "BLOCK_LAYOUTS", "Compressed", "Coordinates", "compress", "layout_name", "sort_order"]

COLUMN_LAYOUTS = (taeda.sparse_csc, taeda.sparse_bsc)
BLOCK_LAYOUTS = (taeda.sparse_bsr, taeda.sparse_bsc)
_NAMES = {
    taeda.strided: "Strided",
    taeda.sparse_coo: "Sparse",
    taeda.sparse_csr: "SparseCsr",
    taeda.sparse_csc: "SparseCsc",
    taeda.sparse_bsr: "SparseBsr",
    taeda.sparse_bsc: "SparseBsc",
}
_MOST_PLACES = 2**62


def layout_name(layout: Any) -> str:
    """Return a layout's name as messages spell it."""
    return _NAMES[layout]


class Coordinates:
    """Places as columns of ``indices`` (sparse dims, elements); the dims after those are dense.

    Args:
        indices: int64.
        shape: of the whole tensor.
        coalesced: whether the columns are sorted and differ; they are then not looked at.
    """

    __slots__ = ("_keys", "_offsets", "coalesced", "indices", "shape")

    layout = taeda.sparse_coo

    def __init__(self, indices: Any, shape: tuple[int, ...], coalesced: bool) -> None:
        self.indices = indices
        self.shape = tuple(shape)
        self.coalesced = coalesced or indices.shape[1] < 2
        self._keys: Any = None
        self._offsets: Any = None

    @property
    def sparse_dim(self) -> int:
        return self.indices.shape[0]

    @property
    def nnz(self) -> int:
        return self.indices.shape[1]

    @property
    def sparse_shape(self) -> tuple[int, ...]:
        return self.shape[: self.sparse_dim]

    @property
    def dense_shape(self) -> tuple[int, ...]:
        return self.shape[self.sparse_dim :]

    def keys(self) -> Any:
        """The place of each element when the sparse dims are laid out in a row."""
        if self._keys is None:
            self._keys = _flat_keys(self.indices, self.sparse_shape)
        return self._keys

    def offsets(self) -> Any:
        """Where the elements of each row of a sorted matrix begin."""
        if self._offsets is None:
            self._offsets = _starts(self.indices[0], self.shape[0])
        return self._offsets

    def grid(self) -> Coordinates:
        return self

    def to_grid(self, values: Any) -> Any:
        return values

    def from_grid(self, values: Any) -> Any:
        return values

    def scatter(self, values: Any) -> Any:
        """Return the dense tensor with these values, and zeros elsewhere; values of one place are added up."""
        numbers = values.to(taeda.uint8) if values.dtype == taeda.bool else values
        flat = taeda.zeros((math.prod(self.sparse_shape), *self.dense_shape), dtype=numbers.dtype)
        if self.nnz and flat.numel():
            flat = flat.index_add(0, self.keys(), numbers)
        return flat.reshape(self.shape).to(values.dtype)

    def gather(self, dense: Any) -> Any:
        """Return the elements of a dense tensor at these places."""
        flat = dense.reshape(math.prod(self.sparse_shape), *self.dense_shape)
        return flat.index_select(0, self.keys())

    def same(self, other: Any) -> bool:
        """Whether the places of ``other`` are these, in this order."""
        if other is self:
            return True
        if not isinstance(other, Coordinates) or other.shape != self.shape or other.indices.shape != self.indices.shape:
            return False
        return other.indices is self.indices or taeda.equal(other.indices, self.indices)


class Compressed:
    """Places in compressed rows (CSR, BSR) or columns (CSC, BSC), of one matrix or of a batch of them.

    Args:
        layout: which of the four.
        offsets: (*batch, rows + 1), or columns.
        plain: (*batch, elements): the other index of each element.
        shape: of the whole tensor: batch, two sparse dims, dense dims.
        block: the shape of a block; (1, 1) without blocks.
    """

    __slots__ = ("_grid", "block", "layout", "offsets", "plain", "shape")

    def __init__(
        self, layout: Any, offsets: Any, plain: Any, shape: tuple[int, ...], block: tuple[int, int] = (1, 1)
    ) -> None:
        self.layout = layout
        self.offsets = offsets
        self.plain = plain
        self.shape = tuple(shape)
        self.block = block
        self._grid: Any = None

    sparse_dim = 2

    @property
    def nnz(self) -> int:
        return self.plain.shape[-1]

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(self.plain.shape[:-1])

    @property
    def dense_shape(self) -> tuple[int, ...]:
        return self.shape[len(self.batch) + 2 :]

    @property
    def is_blocked(self) -> bool:
        return self.layout in BLOCK_LAYOUTS

    @property
    def by_column(self) -> bool:
        return self.layout in COLUMN_LAYOUTS

    def names(self) -> tuple[str, str]:
        """How the two kinds of index are called."""
        return ("ccol_indices", "row_indices") if self.by_column else ("crow_indices", "col_indices")

    def grid(self) -> Coordinates:
        if self._grid is None:
            n_batch = len(self.batch)
            rows, cols = (self.shape[n_batch + k] // self.block[k] for k in (0, 1))
            offsets = self.offsets.to(taeda.int64).reshape(-1, self.offsets.shape[-1])
            n_major = cols if self.by_column else rows
            counts = (offsets[:, 1:] - offsets[:, :-1]).reshape(-1)
            major = _C._expand_offsets(taeda.cat([counts.new_zeros(1), counts.cumsum(0)]))
            minor = self.plain.to(taeda.int64).reshape(-1)
            pair = [minor, major % max(n_major, 1)] if self.by_column else [major % max(n_major, 1), minor]
            lead = _unravel(major // max(n_major, 1), self.batch)
            block = self.block if self.is_blocked else ()
            shape = (*self.batch, rows, cols, *block, *self.dense_shape)
            self._grid = Coordinates(taeda.stack([*lead, *pair]), shape, False)
            if not self.by_column:
                keys = self._grid.keys()
                self._grid.coalesced = self._grid.coalesced or bool((keys[1:] > keys[:-1]).all())
        return self._grid

    def to_grid(self, values: Any) -> Any:
        """Values as this pattern holds them, (*batch, elements, ...), in one row as the grid holds them."""
        return values.flatten(0, len(self.batch)) if self.batch else values

    def from_grid(self, values: Any) -> Any:
        return values.reshape(*self.batch, self.nnz, *values.shape[1:]) if self.batch else values

    def scatter(self, values: Any) -> Any:
        dense = self.grid().scatter(self.to_grid(values))
        return _join_blocks(dense, len(self.batch)) if self.is_blocked else dense

    def gather(self, dense: Any) -> Any:
        if self.is_blocked:
            dense = _split_blocks(dense, len(self.batch), self.block)
        return self.from_grid(self.grid().gather(dense))

    def same(self, other: Any) -> bool:
        if other is self:
            return True
        if not isinstance(other, Compressed) or (other.layout, other.shape, other.block) != (
            self.layout,
            self.shape,
            self.block,
        ):
            return False
        return _equal(other.offsets, self.offsets) and _equal(other.plain, self.plain)


def _equal(a: Any, b: Any) -> bool:
    return a is b or (a.shape == b.shape and a.dtype == b.dtype and taeda.equal(a, b))


def _split_blocks(dense: Any, n_batch: int, block: tuple[int, int]) -> Any:
    """(*batch, R * a, C * b, ...) as (*batch, R, C, a, b, ...)."""
    split = dense.unflatten(n_batch + 1, [-1, block[1]]).unflatten(n_batch, [-1, block[0]])
    return split.transpose(n_batch + 1, n_batch + 2)


def _join_blocks(split: Any, n_batch: int) -> Any:
    joined = split.transpose(n_batch + 1, n_batch + 2)
    return joined.flatten(n_batch + 2, n_batch + 3).flatten(n_batch, n_batch + 1)


def _flat_keys(indices: Any, shape: tuple[int, ...]) -> Any:
    if math.prod(shape) > _MOST_PLACES:
        raise RuntimeError(
            f"sparse: taeda numbers the places of the sparse dims, and a shape of {list(shape)} has too many of them"
        )
    if len(shape) == 0:
        return taeda.zeros(indices.shape[1], dtype=taeda.int64)
    keys = indices[0]
    for dim in range(1, len(shape)):
        keys = keys * shape[dim] + indices[dim]
    return keys


def _unravel(flat: Any, shape: tuple[int, ...]) -> list[Any]:
    """The coordinates of numbered places."""
    rows = []
    for length in reversed(shape):
        rows.append(flat % max(length, 1))
        flat = flat // max(length, 1)
    return rows[::-1]


def sort_order(indices: Any, shape: tuple[int, ...]) -> Any:
    """Return the order that sorts columns of coordinates, the first one counting most; equal ones keep their order."""
    nnz = indices.shape[1]
    if not shape:
        return taeda.arange(nnz)
    # Counting is linear; where a dimension is much longer than the list, comparing is cheaper than counting it.
    if sum(shape) > 4 * nnz + 1024:
        return taeda.argsort(_flat_keys(indices, shape), stable=True)
    order = None
    for dim in range(len(shape) - 1, -1, -1):
        row = indices[dim] if order is None else indices[dim].index_select(0, order)
        step = _C._group(row, shape[dim])[1]
        order = step if order is None else order.index_select(0, step)
    return order


def _starts(index: Any, n: int) -> Any:
    """Where each of 0 .. n - 1 begins in a sorted list."""
    return taeda.searchsorted(index.contiguous(), taeda.arange(n + 1))


def compress(
    grid: Coordinates, layout: Any, n_batch: int, index_dtype: Any = None
) -> tuple[Compressed, Callable[[Any], Any]]:
    """Return a grid's places in a compressed layout, and what puts its values into their order.

    Args:
        grid: places that differ; for blocks the first two dense dims are those of a block.
        layout: of the result.
        n_batch: how many dims precede the matrix.
        index_dtype: of the indices; default int64.

    Raises:
        RuntimeError: the matrices of a batch have different numbers of elements.
    """
    by_column, is_blocked = layout in COLUMN_LAYOUTS, layout in BLOCK_LAYOUTS
    dims = [*range(n_batch), n_batch + 1, n_batch] if by_column else list(range(n_batch + 2))
    lengths = tuple(grid.shape[d] for d in dims)
    is_sorted = grid.coalesced and not by_column
    turned = grid.indices if dims == list(range(grid.sparse_dim)) else grid.indices[dims]
    order = None if is_sorted else sort_order(turned, lengths)
    batch, n_major = lengths[:n_batch], lengths[n_batch]
    n_matrices = math.prod(batch)
    major = _flat_keys(turned[: n_batch + 1], lengths[: n_batch + 1])
    starts = _starts(major, n_matrices * n_major) if is_sorted else _C._group(major, n_matrices * n_major)[0]
    per_matrix = starts[:: max(n_major, 1)] if n_major else starts.new_zeros(n_matrices + 1)
    sizes = per_matrix[1:] - per_matrix[:-1]
    if n_matrices > 1 and not bool((sizes == sizes[0]).all()):
        raise RuntimeError("Expect the same number of specified elements per batch.")
    each = int(sizes[0]) if n_matrices else 0
    rows = taeda.arange(n_matrices).unsqueeze(1) * n_major + taeda.arange(n_major + 1)
    offsets = starts[rows] - (taeda.arange(n_matrices) * each).unsqueeze(1)
    plain = turned[n_batch + 1] if order is None else turned[n_batch + 1].index_select(0, order)
    dtype = index_dtype or taeda.int64
    a, b = grid.dense_shape[:2] if is_blocked else (1, 1)
    shape = (*batch, grid.shape[n_batch] * a, grid.shape[n_batch + 1] * b, *grid.dense_shape[2 if is_blocked else 0 :])
    places = Compressed(
        layout, offsets.reshape(*batch, n_major + 1).to(dtype), plain.reshape(*batch, each).to(dtype), shape, (a, b)
    )
    return places, lambda values: values if order is None else values.index_select(0, order)
