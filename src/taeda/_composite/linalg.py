"""Products of vectors, matrices and tensors that are compositions of `matmul`, views and pointwise operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "addr",
    "chain_matmul",
    "ger",
    "inner",
    "kron",
    "linalg_matmul",
    "matrix_power",
    "multi_dot",
    "outer",
    "tensordot",
    "vecdot",
]


def _into(result: Tensor, out: Tensor | None) -> Tensor:
    if out is None:
        return result
    if out.shape != result.shape:
        out.resize_(result.shape)
    return out.copy_(result)


@public("torch", "Tensor")
def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the products of all pairs of elements of two vectors.

    Args:
        input: (n,).
        vec2: (m,).

    Returns:
        A tensor of shape (n, m), of the promoted dtype.
    """
    for name, vector in (("self", input), ("vec2", vec2)):
        if vector.dim() != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {vector.dim()}-D")
    return _into(input.unsqueeze(1) * vec2.unsqueeze(0), out)


@public("torch", "Tensor")
def ger(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``outer(input, vec2)``."""
    return outer(input, vec2, out=out)


@public("torch", "Tensor")
def addr(
    input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """Return ``beta * input + alpha * outer(vec1, vec2)``.

    Args:
        input: what is added; broadcast to (n, m).
        vec1: (n,).
        vec2: (m,).
        beta, alpha: factors. With ``beta=0`` the values of ``input`` do not count, NaN included.
    """
    for name, vector in (("vec1", vec1), ("vec2", vec2)):
        if vector.dim() != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {vector.dim()}-D")
    dtype = taeda.promote_types(taeda.promote_types(input.dtype, vec1.dtype), vec2.dtype)
    for name, factor in (("beta", beta), ("alpha", alpha)):
        if not dtype.is_floating_point and not dtype.is_complex and isinstance(factor, (float, complex)):
            raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
    added = input.expand(vec1.shape[0], vec2.shape[0])
    product = outer(vec1, vec2)
    if dtype == taeda.bool:
        product = product & bool(alpha)
        return _into(product if not beta else product | added, out)
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return _into(product.to(dtype), out)
    return _into((added if beta == 1 else added * beta) + product, out)


@public("torch", "Tensor")
def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the sums of products over the last dimension of both tensors.

    Args:
        input: (..., n).
        other: (..., n).

    Returns:
        A tensor with the other dimensions of ``input`` and then those of ``other``. A zero-dim tensor multiplies.
    """
    if input.dim() == 0 or other.dim() == 0:
        return _into(input * other, out)
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return _into(tensordot(input, other, [[-1], [-1]]), out)


@public("torch", "Tensor")
def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the Kronecker product: each element of ``input`` times the whole of ``other``, as blocks of one tensor."""
    ndim = max(input.dim(), other.dim())
    a_sizes = [1] * (ndim - input.dim()) + list(input.shape)
    b_sizes = [1] * (ndim - other.dim()) + list(other.shape)
    a = input.reshape([size for pair in a_sizes for size in (pair, 1)])
    b = other.reshape([size for pair in b_sizes for size in (1, pair)])
    return _into((a * b).reshape([a * b for a, b in zip(a_sizes, b_sizes, strict=True)]), out)


def _contracted(a: Tensor, b: Tensor, dims: Any) -> tuple[list[int], list[int]]:
    if isinstance(dims, taeda.Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        return list(range(-dims, 0)), list(range(dims))
    first, second = ([dim] if isinstance(dim, int) else list(dim) for dim in dims)
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    return first, second


@public("torch")
def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> Tensor:
    """Return the sums of products of two tensors over several dimensions at once.

    Args:
        a, b: tensors of one dtype.
        dims: a number n, for the last n dimensions of ``a`` and the first n of ``b``; or two lists of dimensions, paired
            in order. Default 2.

    Returns:
        A tensor with the remaining dimensions of ``a`` and then those of ``b``.

    Raises:
        RuntimeError: paired sizes differ, or the lists' lengths do.
    """
    first, second = _contracted(a, b, dims)
    for i, j in zip(first, second, strict=True):
        n, m = a.shape[i], b.shape[j]
        if n == m:
            continue
        if n != 1 and m != 1:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {n} in dim {i} and second has size {m} in dim {j}"
            )
        # A single element pairs with all of the other's: their sum.
        if n == 1:
            b = b.sum(j, keepdim=True)
        else:
            a = a.sum(i, keepdim=True)
    first = [dim % a.dim() for dim in first]
    second = [dim % b.dim() for dim in second]
    a_kept = [dim for dim in range(a.dim()) if dim not in first]
    b_kept = [dim for dim in range(b.dim()) if dim not in second]
    n_inner, n_rows, n_columns = 1, 1, 1
    for dim in first:
        n_inner *= a.shape[dim]
    for dim in a_kept:
        n_rows *= a.shape[dim]
    for dim in b_kept:
        n_columns *= b.shape[dim]
    left = a.permute(a_kept + first).reshape(n_rows, n_inner)
    right = b.permute(second + b_kept).reshape(n_inner, n_columns)
    sizes = [a.shape[dim] for dim in a_kept] + [b.shape[dim] for dim in b_kept]
    return _into(taeda.mm(left, right).reshape(sizes), out)


@public("linalg", name="matmul")
def linalg_matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``taeda.matmul(input, other)``."""
    return _into(taeda.matmul(input, other), out)


@public("linalg")
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the dot products of vectors along ``dim`` of two tensors that broadcast; ``x`` is conjugated."""
    conjugated = x.conj_physical() if x.is_complex() else x
    if dim == -1 and x.dim() and y.dim():
        product = taeda.matmul(conjugated.unsqueeze(-2), y.unsqueeze(-1)).squeeze(-1).squeeze(-1)
    else:
        product = (conjugated * y).sum(dim)
    return _into(product, out)


def _cheapest_order(sizes: list[int]) -> list[list[int]]:
    """Where to split each stretch of matrices so that multiplying them takes the fewest operations (dynamic programming)."""
    n = len(sizes) - 1
    cost = [[0] * n for _ in range(n)]
    split = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for start in range(n - length):
            end = start + length
            options = [
                cost[start][middle] + cost[middle + 1][end] + sizes[start] * sizes[middle + 1] * sizes[end + 1]
                for middle in range(start, end)
            ]
            cost[start][end] = min(options)
            split[start][end] = start + options.index(cost[start][end])
    return split


@public("linalg")
def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the product of two or more matrices, multiplied in the order that takes the fewest operations.

    The first and the last one may be vectors: a row and a column, whose dimensions are gone from the result.
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    from_vector, to_vector = tensors[0].dim() == 1, tensors[-1].dim() == 1
    if from_vector:
        tensors[0] = tensors[0].unsqueeze(0)
    if to_vector:
        tensors[-1] = tensors[-1].unsqueeze(1)
    for index, tensor in enumerate(tensors):
        if tensor.dim() != 2:
            raise RuntimeError(f"multi_dot(): tensor {index} must be 2D but got {tensor.dim()}D")
    for index, (left, right) in enumerate(zip(tensors, tensors[1:], strict=False)):
        if left.shape[1] != right.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {index} and {index + 1} with shapes {list(left.shape)} and {list(right.shape)} "
                "cannot be multiplied"
            )
    split = _cheapest_order([tensors[0].shape[0], *(tensor.shape[1] for tensor in tensors)])

    def product(start: int, end: int) -> Tensor:
        if start == end:
            return tensors[start]
        middle = split[start][end]
        return taeda.mm(product(start, middle), product(middle + 1, end))

    result = product(0, len(tensors) - 1)
    if from_vector:
        result = result.squeeze(0)
    if to_vector:
        result = result.squeeze(-1)
    return _into(result, out)


@public("torch")
def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the product of matrices, multiplied in the order that takes the fewest operations."""
    if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)):
        matrices = tuple(matrices[0])
    for matrix in matrices:
        if matrix.dim() != 2:
            raise RuntimeError(f"Tensor dimension is {matrix.dim()}, expected 2 instead.")
    return _into(matrices[0], out) if len(matrices) == 1 else multi_dot(matrices, out=out)


@public("torch", "Tensor", "linalg")
def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` multiplied with itself ``n`` times, by repeated squaring; for a batch each matrix by itself.

    Args:
        input: (..., m, m).
        n: the exponent. With 0 the result is the identity; with less, the inverse is multiplied.
    """
    if input.dim() < 2 or input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            f"linalg.matrix_power: A must be batches of square matrices, but they are {list(input.shape)} matrices"
            if input.dim() >= 2
            else "linalg.matrix_power: The input tensor A must have at least 2 dimensions."
        )
    if n < 0:
        return matrix_power(taeda.linalg.inv(input), -n, out=out)
    if n == 0:
        # Chosen elementwise, not written anew: the result stays a (constant) function of the input.
        identity = taeda.eye(input.shape[-1], dtype=input.dtype, device=input.device)
        return _into(taeda.where(taeda.zeros_like(input, dtype=taeda.bool), input, identity), out)
    result, square = None, input
    while n:
        if n & 1:
            result = square if result is None else taeda.matmul(result, square)
        n >>= 1
        if n:
            square = taeda.matmul(square, square)
    return _into(result.clone() if result is input else result, out)
