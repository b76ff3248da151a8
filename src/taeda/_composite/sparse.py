"""Makers of sparse tensors, conversions and parts. What they do is in taeda.sparse, which is loaded with the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["sparse_coo_tensor", "sparse_compressed_tensor", "to_dense", "to_sparse"]


# ---- makers


@public("torch")
def sparse_coo_tensor(
    indices: Any = None,
    values: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> Tensor:
    """Return a sparse tensor made of coordinates and values.

    Args:
        indices: (sparse dims, elements); or a size alone, for a tensor of zeros.
        values: (elements, *dense dims); values of one place count together. Their history is kept.
        size: of the tensor; default: the smallest that holds all indices.
        dtype: default: that of the values.
        device: the cpu.
        pin_memory: accepted; without an accelerator there is nothing to pin for.
        requires_grad: whether operations on it are recorded.
        check_invariants: whether ``is_coalesced`` is checked; shapes and ranges always are.
        is_coalesced: True: each place occurs once, and they are in order.

    Raises:
        RuntimeError: indices, values and size do not fit together.
    """
    from taeda.sparse import _create

    return _create.sparse_coo_tensor(
        indices, values, size, dtype=dtype, device=device, requires_grad=requires_grad,
        check_invariants=check_invariants, is_coalesced=is_coalesced,
    )  # fmt: skip


@public("torch")
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
) -> Tensor:
    """Return a sparse tensor in compressed rows (sparse_csr, sparse_bsr) or columns (sparse_csc, sparse_bsc).

    Args:
        compressed_indices: (*batch, rows + 1), or columns: where the elements of each row begin.
        plain_indices: (*batch, elements): the other index of each element.
        values: (*batch, elements, *dense dims); with blocks (*batch, elements, rows and columns of a block, *dense dims).
        size: of the tensor; default: the smallest that holds all indices.
        dtype: default: that of the values.
        layout: one of the four.
        device: the cpu.
        pin_memory: accepted; without an accelerator there is nothing to pin for.
        requires_grad: whether operations on it are recorded.
        check_invariants: whether the order in each row is checked; shapes and ranges always are.

    Raises:
        RuntimeError: indices, values and size do not fit together.
    """
    from taeda.sparse import _create

    return _create.sparse_compressed_tensor(
        compressed_indices, plain_indices, values, size, dtype=dtype, layout=layout, device=device,
        requires_grad=requires_grad, check_invariants=check_invariants,
    )  # fmt: skip


@public("torch")
def sparse_csr_tensor(crow_indices: Any, col_indices: Any, values: Any, size: Any = None, **options: Any) -> Tensor:
    """Return a tensor in compressed rows; see ``sparse_compressed_tensor``."""
    return sparse_compressed_tensor(crow_indices, col_indices, values, size, layout=taeda.sparse_csr, **options)


@public("torch")
def sparse_csc_tensor(ccol_indices: Any, row_indices: Any, values: Any, size: Any = None, **options: Any) -> Tensor:
    """Return a tensor in compressed columns; see ``sparse_compressed_tensor``."""
    return sparse_compressed_tensor(ccol_indices, row_indices, values, size, layout=taeda.sparse_csc, **options)


@public("torch")
def sparse_bsr_tensor(crow_indices: Any, col_indices: Any, values: Any, size: Any = None, **options: Any) -> Tensor:
    """Return a tensor in compressed rows of blocks; see ``sparse_compressed_tensor``."""
    return sparse_compressed_tensor(crow_indices, col_indices, values, size, layout=taeda.sparse_bsr, **options)


@public("torch")
def sparse_bsc_tensor(ccol_indices: Any, row_indices: Any, values: Any, size: Any = None, **options: Any) -> Tensor:
    """Return a tensor in compressed columns of blocks; see ``sparse_compressed_tensor``."""
    return sparse_compressed_tensor(ccol_indices, row_indices, values, size, layout=taeda.sparse_bsc, **options)


# ---- conversions


@public("Tensor")
def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """Return the tensor with all its zeros; itself where it is dense.

    Args:
        dtype: of the result.
        masked_grad: False: the gradient of a sparse tensor is not cut down to its pattern; default True.
    """
    from taeda.sparse import _convert

    return _convert.to_dense(self, dtype, masked_grad)


@public("Tensor")
def to_sparse(
    self: Tensor,
    sparse_dim: int | None = None,
    *,
    layout: Any = None,
    blocksize: Any = None,
    dense_dim: int | None = None,
) -> Tensor:
    """Return the tensor in a sparse layout: of a dense one the elements that are not zero.

    Args:
        sparse_dim: how many dims have indices, the others are dense; default all. For sparse_coo.
        layout: default sparse_coo.
        blocksize: rows and columns of a block, for sparse_bsr and sparse_bsc.
        dense_dim: how many dims at the end are dense; default none.
    """
    from taeda.sparse import _convert

    return _convert.to_sparse(self, sparse_dim, layout=layout, blocksize=blocksize, dense_dim=dense_dim)


@public("Tensor")
def to_sparse_coo(self: Tensor) -> Tensor:
    """Return the tensor as coordinates and values."""
    return to_sparse(self)


@public("Tensor")
def to_sparse_csr(self: Tensor, dense_dim: int | None = None) -> Tensor:
    """Return the tensor in compressed rows."""
    return to_sparse(self, layout=taeda.sparse_csr, dense_dim=dense_dim)


@public("Tensor")
def to_sparse_csc(self: Tensor, dense_dim: int | None = None) -> Tensor:
    """Return the tensor in compressed columns."""
    return to_sparse(self, layout=taeda.sparse_csc, dense_dim=dense_dim)


@public("Tensor")
def to_sparse_bsr(self: Tensor, blocksize: Any, dense_dim: int | None = None) -> Tensor:
    """Return the tensor in compressed rows of blocks."""
    return to_sparse(self, layout=taeda.sparse_bsr, blocksize=blocksize, dense_dim=dense_dim)


@public("Tensor")
def to_sparse_bsc(self: Tensor, blocksize: Any, dense_dim: int | None = None) -> Tensor:
    """Return the tensor in compressed columns of blocks."""
    return to_sparse(self, layout=taeda.sparse_bsc, blocksize=blocksize, dense_dim=dense_dim)


@public("Tensor")
def sparse_mask(self: Tensor, mask: Tensor) -> Tensor:
    """Return the tensor's elements at the places of a sparse ``mask``, in the mask's layout."""
    from taeda.sparse import _convert

    return _convert.sparse_mask(self, mask)


@public("Tensor")
def coalesce(self: Tensor) -> Tensor:
    """Return a coordinate tensor in which each place occurs once, in order; itself where it is so."""
    from taeda.sparse import _convert

    return _convert.coalesce(self)


# ---- parts


@public("Tensor")
def is_coalesced(self: Tensor) -> bool:
    """Return whether each place of a coordinate tensor occurs once, in order."""
    from taeda.sparse import _convert

    return _convert.is_coalesced(self)


@public("Tensor")
def _coalesced_(self: Tensor, coalesced: bool) -> Tensor:
    """Say whether each place occurs once, in order; nothing is checked."""
    from taeda.sparse import _convert

    return _convert.set_coalesced(self, coalesced)


@public("Tensor")
def indices(self: Tensor) -> Tensor:
    """Return the indices (sparse dims, elements) of a coalesced coordinate tensor."""
    from taeda.sparse import _convert

    return _convert.indices(self)


@public("Tensor")
def values(self: Tensor) -> Tensor:
    """Return a sparse tensor's values, with their history; a coordinate tensor must be coalesced."""
    from taeda.sparse import _convert

    return _convert.values(self)


@public("Tensor")
def _indices(self: Tensor) -> Tensor:
    """Return the indices of a coordinate tensor as they are stored."""
    from taeda.sparse import _convert

    return _convert.raw_indices(self)


@public("Tensor")
def _values(self: Tensor) -> Tensor:
    """Return the values as they are stored, without history."""
    from taeda.sparse import _convert

    return _convert.raw_values(self)


def _part(name: str, text: str) -> None:
    def part(self: Tensor) -> Tensor:
        from taeda.sparse import _convert

        return _convert.compressed_part(self, name)

    part.__name__ = part.__qualname__ = name
    part.__module__ = "taeda"
    part.__doc__ = f"Return {text}."
    public("Tensor", name=name)(part)


_part("crow_indices", "where the elements of each row begin, of a tensor in compressed rows")
_part("col_indices", "the column of each element of a tensor in compressed rows")
_part("ccol_indices", "where the elements of each column begin, of a tensor in compressed columns")
_part("row_indices", "the row of each element of a tensor in compressed columns")


def _copy(name: str) -> None:
    def copy(input: Tensor) -> Tensor:
        return getattr(input, name)().clone()

    copy.__name__ = copy.__qualname__ = f"{name}_copy"
    copy.__doc__ = f"Return a copy of ``input.{name}()``."
    public("torch", name=f"{name}_copy")(copy)


for _name in ("crow_indices", "col_indices", "ccol_indices", "row_indices", "indices", "values"):
    _copy(_name)


@public("Tensor")
def _nnz(self: Tensor) -> int:
    """Return how many elements a sparse tensor stores."""
    from taeda.sparse import _convert

    return _convert.nnz(self)


@public("Tensor")
def sparse_dim(self: Tensor) -> int:
    """Return how many dims have indices: 0 of a dense tensor."""
    if self.layout is taeda.strided:
        return 0
    from taeda.sparse import _tensor

    return _tensor.sparse_of(self).pattern.sparse_dim


@public("Tensor")
def dense_dim(self: Tensor) -> int:
    """Return how many dims are dense: all of a dense tensor."""
    if self.layout is taeda.strided:
        return self.ndim
    from taeda.sparse import _tensor

    return len(_tensor.sparse_of(self).pattern.dense_shape)


# ---- resizing


@public("Tensor")
def sparse_resize_(self: Tensor, size: Any, sparse_dim: int, dense_dim: int) -> Tensor:
    """Give a coordinate tensor another shape; its elements stay where they are."""
    from taeda.sparse import _convert

    return _convert.resize(self, size, sparse_dim, dense_dim, False)


@public("Tensor")
def sparse_resize_and_clear_(self: Tensor, size: Any, sparse_dim: int, dense_dim: int) -> Tensor:
    """Give a coordinate tensor another shape, without elements."""
    from taeda.sparse import _convert

    return _convert.resize(self, size, sparse_dim, dense_dim, True)


@public("torch", "Tensor")
def resize_as_sparse_(input: Tensor, the_template: Tensor) -> Tensor:
    """Give a coordinate tensor the shape of another; its elements stay where they are."""
    from taeda.sparse import _convert

    return _convert.resize(input, the_template.shape, the_template.sparse_dim(), the_template.dense_dim(), False)


# ---- products with sparse results


@public("torch", "Tensor")
def smm(input: Tensor, mat: Tensor) -> Tensor:
    """Return the product of a sparse and a dense matrix as a sparse one, with all elements of those rows that have some."""
    return hspmm(input, mat).to_dense().sparse_mask(_full_rows(input, mat.shape[1]))


def _full_rows(matrix: Tensor, n_cols: int) -> Tensor:
    rows = matrix._indices()[0].unique()
    n = rows.numel()
    index = taeda.stack([rows.repeat_interleave(n_cols), taeda.arange(n_cols).repeat(n)])
    ones = taeda.ones(n * n_cols, dtype=matrix.dtype)
    return sparse_coo_tensor(index, ones, (matrix.shape[0], n_cols), is_coalesced=True)


@public("torch")
def hspmm(mat1: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the product of a sparse and a dense matrix with one sparse dim: only the rows in which ``mat1`` has elements."""
    if not mat1.is_sparse:
        raise RuntimeError(f"hspmm: expected a matrix of layout Sparse, got {mat1.layout}")
    product = taeda.mm(mat1, mat2)
    rows = mat1._indices()[0].unique()
    result = sparse_coo_tensor(rows.unsqueeze(0), product.index_select(0, rows), product.shape, is_coalesced=True)
    return result if out is None else out.copy_(result)


@public("torch", "Tensor")
def sspaddmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """Return ``beta * input + alpha * (mat1 @ mat2)`` as a sparse matrix; ``input`` and ``mat1`` are sparse."""
    result = input * beta + smm(mat1, mat2) * alpha
    return result if out is None else out.copy_(result)


@public("torch")
def spmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Return ``mm(input, mat2)``; an old name."""
    return taeda.mm(input, mat2)


@public("torch")
def dsmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Return ``mm(input, mat2)``; an old name."""
    return taeda.mm(input, mat2)


@public("torch")
def hsmm(mat1: Tensor, mat2: Tensor) -> Tensor:
    """Return ``hspmm(mat1, mat2)``; an old name."""
    return hspmm(mat1, mat2)


@public("torch")
def saddmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return ``sspaddmm(input, mat1, mat2)``; an old name."""
    return sspaddmm(input, mat1, mat2, beta=beta, alpha=alpha)
