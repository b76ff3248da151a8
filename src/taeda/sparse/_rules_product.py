"""Rules for matrix products. A product with a dense matrix is dense, of two sparse matrices sparse."""

from __future__ import annotations

import math
from typing import Any

import taeda
from taeda import _C
from taeda.autograd import Function
from taeda.sparse import _tensor
from taeda.sparse._pattern import Compressed, Coordinates, compress, layout_name
from taeda.sparse._rules import refuse, rule
from taeda.sparse._tensor import build, make, sparse_of, values_of

__all__ = ["conjugate_transpose", "csr_parts", "product"]


def _conj(tensor: Any) -> Any:
    return tensor.conj_physical() if tensor.dtype.is_complex else tensor


def conjugate_transpose(matrix: Any) -> Any:
    return _conj(matrix.transpose(-2, -1))


def csr_parts(pattern: Coordinates | Compressed, values: Any) -> tuple[Any, Any, Any]:
    """Return a matrix as offsets of its rows, columns and values; elements of one place may stand side by side."""
    if isinstance(pattern, Compressed) and pattern.layout is taeda.sparse_csr and not pattern.batch:
        return pattern.offsets, pattern.plain, values
    grid, values = pattern.grid(), pattern.to_grid(values)
    if grid.coalesced:
        return grid.offsets(), grid.indices[1], values
    offsets, order = _C._group(grid.indices[0], grid.shape[0])
    return offsets, grid.indices[1].index_select(0, order), values.index_select(0, order)


def _check_shapes(a: Any, b: Any) -> None:
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        )
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {a.dtype} != {b.dtype}")


def _check_matrix(op: Any, tensor: Any) -> None:
    wrapper = sparse_of(tensor)
    if wrapper.pattern.dense_shape:
        raise RuntimeError(
            f"{op.name}: expected a sparse matrix of numbers, but it has {len(wrapper.pattern.dense_shape)} dense dims"
        )


def product(op: Any, a: Any, b: Any) -> Any:
    """Return the product of two matrices, or batches of them, at least one of them sparse."""
    sparse_a, sparse_b = sparse_of(a), sparse_of(b)
    for tensor, wrapper in ((a, sparse_a), (b, sparse_b)):
        if wrapper is not None:
            _check_matrix(op, tensor)
    _check_shapes(a, b)
    if a.ndim == 3 or b.ndim == 3:
        return _batched(op, a, b)
    if sparse_a is not None and sparse_b is not None:
        if sparse_a.layout != sparse_b.layout or sparse_a.layout not in (taeda.sparse_coo, taeda.sparse_csr):
            raise RuntimeError(
                f"{op.name}: taeda multiplies two sparse matrices of layout Sparse or SparseCsr, got {layout_name(sparse_a.layout)} and "
                f"{layout_name(sparse_b.layout)}"
            )
        return _SparseProduct.apply(a, b)
    if sparse_a is not None:
        return _sparse_dense(a, b)
    return _dense_sparse(a, b)


def _sparse_dense(a: Any, b: Any) -> Any:
    pattern, values = sparse_of(a).pattern, values_of(a)
    if isinstance(pattern, Compressed):
        if pattern.layout is taeda.sparse_csc:
            return _C._sparse_mm_transposed(pattern.offsets, pattern.plain, _conj(values), b, a.shape[0])
        if pattern.is_blocked:
            return _blocks_dense(pattern, values, b)
    return _C._sparse_mm(*csr_parts(pattern, values), b)


def _dense_sparse(a: Any, b: Any) -> Any:
    """By the transposes: the rows of the sparse matrix are then weights of whole rows."""
    pattern, values = sparse_of(b).pattern, values_of(b)
    turned = a.mT
    if isinstance(pattern, Compressed):
        if pattern.layout is taeda.sparse_csc:
            return _C._sparse_mm(pattern.offsets, pattern.plain, values, turned).mT
        if pattern.is_blocked:
            return _blocks_dense(*_blocks_transposed(pattern, values), turned).mT
    offsets, col, values = csr_parts(pattern, values)
    return _C._sparse_mm_transposed(offsets, col, _conj(values), turned, b.shape[1]).mT


def _blocks_transposed(pattern: Compressed, values: Any) -> tuple[Compressed, Any]:
    layout = taeda.sparse_bsr if pattern.layout is taeda.sparse_bsc else taeda.sparse_bsc
    turned = Compressed(layout, pattern.offsets, pattern.plain, pattern.shape[::-1], pattern.block[::-1])
    return turned, values.mT


def _blocks_dense(pattern: Compressed, values: Any, dense: Any) -> Any:
    """Each block times the rows that it meets, added up by rows of blocks."""
    grid = pattern.grid()
    n_rows, n_cols = grid.sparse_shape
    strips = dense.reshape(n_cols, pattern.block[1], dense.shape[1]).index_select(0, grid.indices[1])
    parts = values.bmm(strips)
    total = taeda.zeros(n_rows, pattern.block[0], dense.shape[1], dtype=dense.dtype)
    return total.index_add(0, grid.indices[0], parts).reshape(pattern.shape[0], dense.shape[1])


def _batched(op: Any, a: Any, b: Any) -> Any:
    """A batch of sparse matrices is one matrix with the single ones along its diagonal."""
    wrapper = sparse_of(a)
    blocked = isinstance(wrapper.pattern, Compressed) and wrapper.pattern.is_blocked if wrapper else False
    if wrapper is None or sparse_of(b) is not None or a.ndim != 3 or b.ndim not in (2, 3) or blocked:
        refuse(op, wrapper or sparse_of(b))
    grid = wrapper.pattern.grid()
    if grid.sparse_dim != 3:
        refuse(op, wrapper)
    n_batch, n_rows, n_cols = a.shape
    b = b.expand(n_batch, *b.shape[-2:])
    if b.shape[0] != n_batch:
        raise RuntimeError(f"{op.name}: batches of {n_batch} and {b.shape[0]} matrices cannot be multiplied")
    batch, row, col = grid.indices
    diagonal = Coordinates(
        taeda.stack([batch * n_rows + row, batch * n_cols + col]), (n_batch * n_rows, n_batch * n_cols), grid.coalesced
    )
    parts = csr_parts(diagonal, wrapper.pattern.to_grid(values_of(a)))
    return _C._sparse_mm(*parts, b.reshape(n_batch * n_cols, b.shape[2])).reshape(n_batch, n_rows, b.shape[2])


class _SparseProduct(Function):  # type: ignore[valid-type, misc]
    """The product of two sparse matrices; the gradients have the patterns of their factors."""

    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        ctx.save_for_backward(a, b)
        left, right = sparse_of(a), sparse_of(b)
        offsets, col, values = _C._sparse_product(
            *csr_parts(left.pattern, left.values), *csr_parts(right.pattern, right.values), b.shape[1]
        )
        shape = (a.shape[0], b.shape[1])
        if left.layout is taeda.sparse_csr:
            dtype = left.pattern.plain.dtype
            return make(Compressed(taeda.sparse_csr, offsets.to(dtype), col.to(dtype), shape), values)
        return make(Coordinates(taeda.stack([_C._expand_offsets(offsets), col]), shape, True), values)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved_tensors
        grad_a = grad_b = None
        if ctx.needs_input_grad[0]:
            grad_a = _at_places(grad, conjugate_transpose(b), a)
        if ctx.needs_input_grad[1]:
            grad_b = _at_places(conjugate_transpose(a), grad, b)
        return grad_a, grad_b


def _at_places(a: Any, b: Any, like: Any) -> Any:
    """The product of ``a`` and ``b`` at the places of ``like``."""
    pattern = sparse_of(like).pattern
    if isinstance(pattern, Coordinates) and not pattern.coalesced:
        pattern = sparse_of(_tensor.coalesce(like.detach())).pattern
    if sparse_of(a) is not None and sparse_of(b) is not None:
        a, b = (_in_rows(tensor) for tensor in (a, b))
    return build(pattern, _tensor.matched(a @ b, pattern))


def _in_rows(tensor: Any) -> Any:
    """A matrix in compressed rows, from compressed columns or coordinates."""
    wrapper = sparse_of(tensor)
    if wrapper.layout is taeda.sparse_csr:
        return tensor
    grid, values = _tensor.unique_values(wrapper.pattern.grid(), wrapper.pattern.to_grid(values_of(tensor)))
    pattern, ordered = compress(grid, taeda.sparse_csr, 0)
    return build(pattern, ordered(values))


# ---- the operations


@rule("mm", "bmm")
def _mm(op: Any, input: Any, mat2: Any) -> Any:
    rank = 2 if op.name == "mm" else 3
    if input.ndim != rank or mat2.ndim != rank:
        raise RuntimeError(
            f"{op.name}: expected tensors of {rank} dims, got shapes {list(input.shape)} and {list(mat2.shape)}"
        )
    return product(op, input, mat2)


@rule("mv")
def _mv(op: Any, input: Any, vec: Any) -> Any:
    if vec.ndim != 1 or input.ndim != 2 or sparse_of(vec) is not None:
        raise RuntimeError(
            f"{op.name}: expected a matrix and a dense vector, got shapes {list(input.shape)} and {list(vec.shape)}"
        )
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({input.shape[0]}), mat ({input.shape[0]}x{input.shape[1]}), vec ({vec.shape[0]})"
        )
    return product(op, input, vec.unsqueeze(1)).squeeze(1)


@rule("matmul")
def _matmul(op: Any, input: Any, other: Any) -> Any:
    if other.ndim == 1:
        return _mv(op, input, other)
    if input.ndim == 1:
        return _mv(op, other.transpose(0, 1), input)
    if sparse_of(input) is None and input.ndim > 2 and other.ndim == 2:
        return product(op, input.reshape(-1, input.shape[-1]), other).reshape(*input.shape[:-1], other.shape[1])
    return product(op, input, other)


@rule("addmm", "addmv")
def _addmm(op: Any, input: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    result = _mv(op, mat1, mat2) if op.name == "addmv" else product(op, mat1, mat2)
    if sparse_of(result) is None and sparse_of(input) is not None:
        raise RuntimeError(
            f"{op.name}: expected strided result tensor, got tensor with layout {layout_name(input.layout)}"
        )
    if alpha != 1:
        result = result * alpha
    if beta == 0:
        return result
    if sparse_of(result) is not None and sparse_of(input) is None:
        raise RuntimeError(
            f"{op.name}: the product of two sparse matrices cannot be added to a dense tensor\n  hint: to_dense() the product"
        )
    return input + result if beta == 1 else input * beta + result


@rule("linear")
def _linear(op: Any, input: Any, weight: Any, bias: Any = None) -> Any:
    result = taeda.matmul(input, weight.transpose(0, 1))
    return result if bias is None else result + bias


@rule("_matmul_backward")
def _no_backward(op: Any, g: Any, input: Any, other: Any, want_input: bool, want_other: bool) -> Any:
    """Of products that were recorded as dense ones, whose gradient turned out sparse."""
    grad_input = taeda.matmul(g, conjugate_transpose(other)) if want_input else taeda.zeros_like(input)
    grad_other = taeda.matmul(conjugate_transpose(input), g) if want_other else taeda.zeros_like(other)
    return grad_input, grad_other


def sampled(pattern: Compressed, a: Any, b: Any) -> Any:
    """Return the values of ``a @ b`` at the places of a pattern in compressed rows."""
    if pattern.batch:
        n = math.prod(pattern.batch)
        grid = pattern.grid()
        lead = grid.indices[:-2]
        flat = lead[0]
        for row, length in zip(lead[1:], pattern.batch[1:], strict=True):
            flat = flat * length + row
        n_rows, n_cols = pattern.shape[-2:]
        both = Coordinates(
            taeda.stack([flat * n_rows + grid.indices[-2], flat * n_cols + grid.indices[-1]]),
            (n * n_rows, n * n_cols),
            False,
        )
        offsets, order = _C._group(both.indices[0], both.shape[0])
        dots = _C._sparse_dots(
            offsets, both.indices[1].index_select(0, order), a.reshape(n * n_rows, -1), b.mT.reshape(n * n_cols, -1)
        )
        back = taeda.empty_like(order)
        back[order] = taeda.arange(order.numel())
        return pattern.from_grid(dots.index_select(0, back))
    return _C._sparse_dots(pattern.offsets, pattern.plain, a, b.mT)
