"""Rules for sums, products and functions of single elements."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.sparse import _tensor
from taeda.sparse._pattern import Compressed, Coordinates, compress, layout_name
from taeda.sparse._rules import IN_PLACE, refuse, rule
from taeda.sparse._tensor import build, coalesce, sparse_of, values_of

__all__ = ["add", "as_layout", "gather_broadcast"]

# Functions that keep 0: they are applied to the values alone. Of a sum of elements only the linear ones are the sum of their results.
_LINEAR = ("neg", "positive", "conj_physical", "deg2rad", "rad2deg")
_KEEP_ZERO = (
    "abs", "angle", "asin", "asinh", "atan", "atanh", "ceil", "erf", "erfinv", "expm1", "floor", "frac", "isinf", "isnan", "isneginf",
    "isposinf", "log1p", "_nan_to_num", "relu", "round", "round.decimals", "sgn", "sign", "signbit", "sin", "sinh", "sqrt", "square",
    "tan", "tanh", "trunc", "threshold",
)  # fmt: skip


@rule(*_LINEAR)
def _linear(op: Any, input: Any) -> Any:
    return build(sparse_of(input).pattern, op((values_of(input),)))


@rule(*_KEEP_ZERO)
def _pointwise(op: Any, input: Any, *more: Any) -> Any:
    input = _once(input)
    return build(sparse_of(input).pattern, op((values_of(input), *more)))


def _once(tensor: Any) -> Any:
    return coalesce(tensor) if isinstance(sparse_of(tensor).pattern, Coordinates) else tensor


def _is_number(value: Any) -> bool:
    return not isinstance(value, taeda.Tensor) or (value.ndim == 0 and sparse_of(value) is None)


def as_layout(grid: Coordinates, values: Any, like: Any) -> Any:
    """Return coordinates with values in the layout of the pattern ``like``, whose shape they have."""
    if isinstance(like, Coordinates):
        return build(grid, values)
    grid, values = _tensor.unique_values(grid, values)
    pattern, ordered = compress(grid, like.layout, len(like.batch), like.plain.dtype)
    return build(pattern, pattern.from_grid(ordered(values)))


# ---- sums


@rule("add")
def add(op: Any, input: Any, other: Any, alpha: Any = 1) -> Any:
    """``input + alpha * other``, at least one of them sparse."""
    if _is_number(input) or _is_number(other):
        raise RuntimeError(
            "add(sparse, dense) is not supported for a number: the result would have no zeros left\n  hint: to_dense() + number, or "
            "a new tensor of values() + number"
        )
    a, b = sparse_of(input), sparse_of(other)
    if tuple(input.shape) != tuple(other.shape):
        raise RuntimeError(
            f"add: expected sizes of 'self' and 'other' to match, but {list(input.shape)} != {list(other.shape)} (sparse tensors do "
            "not broadcast in sums)"
        )
    if a is None or b is None:
        return _add_dense(input, other, alpha)
    if a.layout != b.layout:
        raise RuntimeError(
            f"add: expected 'self' and 'other' to have the same layout, got {layout_name(a.layout)} and {layout_name(b.layout)}"
        )
    return _add_sparse(op, input, other, alpha)


def _add_dense(input: Any, other: Any, alpha: Any) -> Any:
    # The result is dense, as one of them is: only the stored elements of the other are looked at.
    dtype = taeda.result_type(input, other)
    sparse_first = sparse_of(input) is not None
    sparse, dense = (input, other) if sparse_first else (other, input)
    values = values_of(sparse).to(dtype)
    dense = dense.to(dtype)
    if sparse_first and alpha != 1:
        dense = dense * alpha
    elif alpha != 1:
        values = values * alpha
    pattern = sparse_of(sparse).pattern
    if isinstance(pattern, Coordinates) and dense.numel():
        flat = dense.reshape(-1, *pattern.dense_shape)
        return flat.index_add(0, pattern.keys(), values).reshape(dense.shape)
    return dense + pattern.scatter(values)


def _add_sparse(op: Any, input: Any, other: Any, alpha: Any) -> Any:
    a, b = sparse_of(input).pattern, sparse_of(other).pattern
    if a.same(b):
        return build(a, op((values_of(input), values_of(other), alpha)))
    dtype = taeda.result_type(input, other)
    left, right = a.grid(), b.grid()
    if left.shape != right.shape or left.sparse_dim != right.sparse_dim:
        raise RuntimeError(
            f"add: expected 'self' and 'other' to have same number of sparse dimensions and the same blocks, but {left.shape} != {right.shape}"
        )
    scaled = values_of(other).to(dtype)
    scaled = scaled if alpha == 1 else scaled * alpha
    values = taeda.cat([a.to_grid(values_of(input).to(dtype)), b.to_grid(scaled)])
    joint = Coordinates(taeda.cat([left.indices, right.indices], 1), left.shape, False)
    if isinstance(a, Compressed):
        return as_layout(joint, values, a)
    if a.coalesced and b.coalesced:
        joint, values = _tensor.unique_values(joint, values)
    return build(joint, values)


@rule("sub")
def _sub(op: Any, input: Any, other: Any, alpha: Any = 1) -> Any:
    return taeda.add(input, other, alpha=-alpha)


@rule("rsub")
def _rsub(op: Any, input: Any, other: Any, alpha: Any = 1) -> Any:
    return taeda.add(other, input, alpha=-alpha) if isinstance(other, taeda.Tensor) else add(op, input, other)


def _add_into(input: Any, other: Any, alpha: Any = 1) -> bool:
    """A sparse gradient touches only its own rows of a dense tensor."""
    wrapper = sparse_of(other) if isinstance(other, taeda.Tensor) else None
    if wrapper is None or sparse_of(input) is not None or not isinstance(wrapper.pattern, Coordinates):
        return False
    if tuple(input.shape) != tuple(other.shape) or not input.is_contiguous() or other.dtype != input.dtype:
        return False
    if input.numel():
        values = wrapper.values if alpha == 1 else wrapper.values * alpha
        input.detach().view(-1, *wrapper.pattern.dense_shape).index_add_(0, wrapper.pattern.keys(), values)
    return True


IN_PLACE["add"] = _add_into
IN_PLACE["sub"] = lambda input, other, alpha=1: _add_into(input, other, -alpha)


# ---- products


@rule("mul")
def _mul(op: Any, input: Any, other: Any) -> Any:
    if _is_number(other) or _is_number(input):
        sparse, number = (input, other) if _is_number(other) else (other, input)
        return build(sparse_of(sparse).pattern, op((values_of(sparse), number)))
    a, b = sparse_of(input), sparse_of(other)
    if a is None:
        input, other, a, b = other, input, b, a
    if b is None:
        return _mul_dense(op, input, other)
    if tuple(input.shape) != tuple(other.shape):
        raise RuntimeError(
            f"mul: expected 'self' and 'other' to have same sizes, but {list(input.shape)} != {list(other.shape)}"
        )
    if a.layout != b.layout:
        raise RuntimeError(
            f"mul: expected 'self' and 'other' to have the same layout, got {layout_name(a.layout)} and {layout_name(b.layout)}"
        )
    input, other = _once(input), _once(other)
    a, b = sparse_of(input).pattern, sparse_of(other).pattern
    if a.same(b):
        return build(a, op((values_of(input), values_of(other))))
    left = a.grid()
    there = taeda.isin(left.keys(), b.grid().keys()).nonzero().squeeze(1)
    common = Coordinates(left.indices.index_select(1, there), left.shape, left.coalesced)
    values = a.to_grid(values_of(input)).index_select(0, there)
    product = op((values, _tensor.matched(_as_grid(other), common)))
    return as_layout(common, product, a)


def _as_grid(tensor: Any) -> Any:
    """A tensor in compressed rows as coordinates, of blocks where it has those."""
    pattern = sparse_of(tensor).pattern
    return tensor if isinstance(pattern, Coordinates) else build(pattern.grid(), pattern.to_grid(values_of(tensor)))


def _mul_dense(op: Any, sparse: Any, dense: Any) -> Any:
    pattern = sparse_of(sparse).pattern
    if taeda.broadcast_shapes(sparse.shape, dense.shape) != sparse.shape:
        raise RuntimeError(
            f"mul: a sparse tensor of shape {list(sparse.shape)} does not broadcast to the dense one's shape {list(dense.shape)}"
        )
    if isinstance(pattern, Compressed) and pattern.is_blocked:
        return build(pattern, op((values_of(sparse), pattern.gather(dense.expand(sparse.shape)))))
    factors = gather_broadcast(pattern.grid(), dense)
    return build(pattern, op((values_of(sparse), pattern.from_grid(factors))))


def gather_broadcast(grid: Coordinates, dense: Any) -> Any:
    """Return the elements of a dense tensor at a grid's places, without writing out the dims that it broadcasts over."""
    dense = dense.reshape(*[1] * (len(grid.shape) - dense.ndim), *dense.shape)
    n = grid.sparse_dim
    keys = None
    for dim in range(n):
        if keys is not None:
            keys = keys * dense.shape[dim]
        if dense.shape[dim] != 1:
            keys = grid.indices[dim] if keys is None else keys + grid.indices[dim]
    rest = dense.shape[n:]
    if keys is None:
        return dense.reshape(1, *rest)
    n_places = 1
    for dim in range(n):
        n_places *= dense.shape[dim]
    return dense.reshape(n_places, *rest).index_select(0, keys)


@rule("div", "div.tensor_mode", "div.scalar_mode", "true_divide", "floor_divide")
def _div(op: Any, input: Any, other: Any, *mode: Any) -> Any:
    wrapper = sparse_of(input) if isinstance(input, taeda.Tensor) else None
    if wrapper is None:
        refuse(op, sparse_of(other))
    if not _is_number(other):
        raise RuntimeError(
            f"Sparse division requires a scalar or zero-dim dense tensor divisor (got shape {list(other.shape)} for divisor)\n"
            "  hint: multiply by the dense reciprocal"
        )
    if mode and mode[0] is not None:
        input = _once(input)
    return build(sparse_of(input).pattern, op((values_of(input), other, *mode)))


@rule("pow")
def _pow(op: Any, input: Any, exponent: Any) -> Any:
    if not isinstance(input, taeda.Tensor) or sparse_of(input) is None:
        refuse(op, sparse_of(exponent))
    if not _is_number(exponent):
        refuse(op, sparse_of(input))
    if exponent == 0:
        raise RuntimeError("pow: cannot raise to zeroth power on sparse tensor; it would make the result tensor dense")
    input = _once(input)
    return build(sparse_of(input).pattern, op((values_of(input), exponent)))
