"""Rules for reductions."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.sparse import _tensor
from taeda.sparse._pattern import Coordinates
from taeda.sparse._rules import refuse, rule
from taeda.sparse._rules_arith import as_layout
from taeda.sparse._tensor import build, coalesce, sparse_of, values_of

__all__ = ["reduced_dims", "sum_dims"]


def reduced_dims(dim: Any, rank: int) -> list[int]:
    """Return dims counted from 0, in order; all of them for None or an empty list."""
    if dim is None or (isinstance(dim, list | tuple) and not dim):
        return list(range(rank))
    dims = []
    for d in [dim] if isinstance(dim, int) else dim:
        if not -rank <= d < rank:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {d})")
        if d % rank in dims:
            raise RuntimeError(f"dim {d % rank} appears multiple times in the list of dims")
        dims.append(d % rank)
    return sorted(dims)


def _sum_type(values: Any, dtype: Any) -> Any:
    """Sums of integers are int64."""
    if dtype is None:
        dtype = values.dtype if values.dtype.is_floating_point or values.dtype.is_complex else taeda.int64
    return values.to(dtype)


def sum_dims(tensor: Any, dim: Any, keepdim: bool = False, dtype: Any = None) -> Any:
    """Return the sum over dims: sparse as long as a sparse dim is left (or kept with length 1), else dense."""
    wrapper = sparse_of(tensor)
    dims = reduced_dims(dim, tensor.ndim)
    values = _sum_type(values_of(tensor), dtype)
    if len(dims) == tensor.ndim:
        total = values.sum()
        return total.reshape([1] * tensor.ndim) if keepdim else total
    grid = wrapper.pattern.grid()
    values = wrapper.pattern.to_grid(values)
    n = grid.sparse_dim
    dense_dims = [d - n + 1 for d in dims if d >= n]
    if dense_dims:
        values = values.sum(dense_dims, keepdim)
    gone = [d for d in dims if d < n]
    if len(gone) == n and not keepdim:
        return values.sum(0)
    rows = []
    for d in range(n):
        if d not in gone:
            rows.append(grid.indices[d])
        elif keepdim:
            rows.append(taeda.zeros_like(grid.indices[d]))
    shape = [1 if d in dims else length for d, length in enumerate(tensor.shape) if keepdim or d not in dims]
    summed = Coordinates(taeda.stack(rows), tuple(shape), grid.coalesced and not gone)
    if keepdim:
        return as_layout(summed, values, wrapper.pattern)
    return build(*_tensor.unique_values(summed, values))


@rule("sum")
def _sum(op: Any, input: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    wrapper = sparse_of(input)
    partial = len(reduced_dims(dim, input.ndim)) < input.ndim
    if partial and not wrapper.is_sparse:
        if not keepdim:
            raise RuntimeError(
                "reduction operations on CSR tensors with keepdim=False is unsupported\n  hint: keepdim=True, or to_sparse()"
            )
        if wrapper.layout is not taeda.sparse_csr:
            refuse(op, wrapper)
    return sum_dims(input, dim, keepdim, dtype)


@rule("any")
def _any(op: Any, input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    if len(reduced_dims(dim, input.ndim)) < input.ndim or keepdim:
        refuse(op, sparse_of(input))
    return values_of(coalesce(input) if sparse_of(input).is_sparse else input).any()


@rule("vector_norm")
def _vector_norm(op: Any, input: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    # Zeros add nothing to a norm of positive order; of others they decide the result.
    if ord < 0 or (dim is not None and len(reduced_dims(dim, input.ndim)) < input.ndim):
        refuse(op, sparse_of(input))
    values = values_of(coalesce(input) if sparse_of(input).is_sparse else input)
    if values.numel() == 0:
        values = values.new_zeros(1)
    norm = taeda.linalg.vector_norm(values, ord, dtype=dtype)
    return norm.reshape([1] * input.ndim) if keepdim else norm
