"""Norms of matrices, condition numbers, and slices bounded in norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public
from taeda._composite.linalg import _into

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["cond", "frobenius_norm", "linalg_norm", "matrix_norm", "norm", "nuclear_norm"]


def _two_dims(input: Tensor, dim: Any) -> tuple[int, int]:
    dims = [dim] if isinstance(dim, int) else list(dim)
    if len(dims) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dims}")
    wrapped = []
    for d in dims:
        if not -input.dim() <= d < input.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-input.dim()}, {input.dim() - 1}], but got {d})"
            )
        wrapped.append(d % input.dim())
    if wrapped[0] == wrapped[1]:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dims[0]}, {dims[1]})")
    return wrapped[0], wrapped[1]


def _largest(values: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """The largest along a dimension; 0 of no numbers, as a norm of nothing is."""
    return values.amax(dim, keepdim) if values.shape[dim] else values.sum(dim, keepdim)


def _singular_norm(input: Tensor, ord: Any, dims: tuple[int, int], keepdim: bool) -> Tensor:
    values = taeda.linalg.svdvals(input.movedim(dims, (-2, -1)))
    result = values.sum(-1) if ord == "nuc" else _largest(values, -1) if ord > 0 else values.amin(-1)
    if keepdim:
        for dim in sorted(dims):
            result = result.unsqueeze(dim)
    return result


def _check_order(ord: Any) -> None:
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    elif abs(ord) not in (1, 2, math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")


@public("linalg")
def matrix_norm(
    input: Tensor,
    ord: int | float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return a norm of the matrices in two dimensions.

    Args:
        input: (..., m, n).
        ord: "fro" (default): the root of the sum of squares; "nuc": the sum of the singular values; 2 and -2: the largest and
            the smallest of them; 1 and -1: the largest and the smallest sum of magnitudes of a column; inf and -inf: of a row.
        dim: the two dimensions; default: the last two.
        keepdim: keep them with size one; default False.
        dtype: convert to it first.
    """
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(
            f"linalg.matrix_norm: Expected a floating point or complex tensor as input. Got {input.dtype}"
        )
    if input.dim() < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    _check_order(ord)
    dims = _two_dims(input, dim)
    vector_norm = taeda.linalg.vector_norm
    if ord == "fro":
        return _into(vector_norm(input, 2, dims, keepdim, dtype=dtype), out)
    if ord == "nuc" or abs(ord) == 2:
        return _into(_singular_norm(input if dtype is None else input.to(dtype), ord, dims, keepdim), out)
    summed, kept = dims if abs(ord) == 1 else dims[::-1]
    sums = vector_norm(input, 1, summed, keepdim, dtype=dtype)
    if not keepdim and kept > summed:
        kept -= 1
    return _into(_largest(sums, kept, keepdim) if ord > 0 else sums.amin(kept, keepdim), out)


@public("linalg", name="norm")
def linalg_norm(
    input: Tensor,
    ord: int | float | str | None = None,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
) -> Tensor:
    """Return a norm of vectors or matrices.

    Args:
        input: any tensor.
        ord: of matrices as in `matrix_norm`, of vectors any number as in `vector_norm`; None: the root of the sum of squares.
        dim: one dimension, of vectors, or two, of matrices; None: all, which with an ``ord`` must be one or two.
        keepdim: keep them with size one; default False.
        dtype: convert to it first.
    """
    dims = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if dims is not None and ord is not None and len(dims) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {dims}")
    if dims is None and ord is not None and input.dim() not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {input.dim()}D."
        )
    if isinstance(ord, str) or (ord is not None and (len(dims) if dims is not None else input.dim()) == 2):
        return matrix_norm(input, ord, (0, 1) if dims is None else dims, keepdim, dtype=dtype, out=out)
    return _into(taeda.linalg.vector_norm(input, 2.0 if ord is None else ord, dims, keepdim, dtype=dtype), out)


@public("torch", "Tensor")
def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    out: Tensor | None = None,
    dtype: Any = None,
) -> Tensor:
    """Return the vector norm of ``input`` over ``dim``, or the nuclear norm of matrices.

    Args:
        p: the order; "fro" and None mean 2; "nuc": the sum of the singular values.
        dim: the dimensions to reduce; default: all.
        keepdim: keep them with size one.
        out: receives the result.
        dtype: convert to it first.
    """
    if p == "nuc":
        return matrix_norm(input, "nuc", (0, 1) if dim is None else dim, keepdim, dtype=dtype, out=out)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
    order = 2.0 if p is None or p == "fro" else p
    return _into(taeda.linalg.vector_norm(input, order, dim, keepdim, dtype=dtype), out)


@public("torch")
def nuclear_norm(
    input: Tensor, dim: Sequence[int] | None = None, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Return the sum of the singular values of the matrices in ``dim``; None: of ``input``, a matrix."""
    return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, out=out)


@public("torch")
def frobenius_norm(
    input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Return the root of the sum of squares over ``dim``; None: over all dimensions."""
    return _into(taeda.linalg.vector_norm(input, 2, dim, keepdim), out)


@public("linalg")
def cond(input: Tensor, p: int | float | str | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the condition number: a norm of the matrix times that of its inverse.

    Args:
        input: (..., m, n); square unless ``p`` is None, 2 or -2.
        p: the norm, as in `matrix_norm`; None means 2, the ratio of the largest and the smallest singular value.

    Returns:
        A real tensor of the batch's shape; inf for singular matrices.
    """
    if input.dim() < 2:
        raise RuntimeError("linalg.cond: The input tensor A must have at least 2 dimensions.")
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if not isinstance(p, str) and p is not None and abs(p) not in (1, 2, math.inf):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if input.numel() == 0:
        real = input.abs().dtype if input.is_complex() else input.dtype
        return _into(taeda.zeros(input.shape[:-2], dtype=real, device=input.device), out)
    if p is None or p in (2, -2):
        values = taeda.linalg.svdvals(input)
        largest, smallest = values[..., 0], values[..., -1]
        return _into(smallest / largest if p == -2 else largest / smallest, out)
    if input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            "linalg.cond: A must be batches of square matrices, "
            f"but they are {input.shape[-2]} by {input.shape[-1]} matrices"
        )
    inverse, info = taeda.linalg.inv_ex(input)
    singular = info != 0
    if bool(singular.any()):
        # The norm of what there is no inverse of must not reach the gradient as NaN.
        inverse = inverse.masked_fill(singular.unsqueeze(-1).unsqueeze(-1), 0.0)
    result = matrix_norm(input, p) * matrix_norm(inverse, p)
    return _into(result.masked_fill(singular, math.inf), out)
