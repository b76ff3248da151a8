"""The standard's linear algebra."""

from __future__ import annotations

import collections
from typing import Any

import taeda
from taeda import Tensor
from taeda.array_api._reductions import sum as _sum
from taeda.array_api._shapes import _axes

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


def _together(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the dtype that they have together: products need one."""
    dtype = taeda.promote_types(x1.dtype, x2.dtype)
    return x1.to(dtype), x2.to(dtype)


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Return the product of matrices, or of vectors."""
    return taeda.matmul(*_together(x1, x2))


def matrix_transpose(x: Tensor, /) -> Tensor:
    """Return ``x`` with its last two axes exchanged."""
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: expected at least 2 dimensions, but got {x.ndim}")
    return x.mT


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """Return products summed over the last ``axes`` of ``x1`` and first of ``x2``, or over the two lists of axes."""
    return taeda.tensordot(*_together(x1, x2), axes)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Return the dot products along ``axis``, the first vectors conjugated."""
    x1, x2 = _together(x1, x2)
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot: sizes along the axis differ: {x1.shape[axis]} and {x2.shape[axis]}")
    return taeda.linalg.vecdot(x1, x2, dim=axis)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Return the cross products of vectors with three elements along ``axis``."""
    return taeda.linalg.cross(*_together(x1, x2), dim=axis)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Return the products of all pairs of two vectors' elements."""
    return taeda.outer(*_together(x1, x2))


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """Return the diagonals of matrices."""
    return x.diagonal(offset, -2, -1)


def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """Return the sums of the diagonals of matrices."""
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """Return the norms of matrices."""
    return taeda.linalg.matrix_norm(x, ord, keepdim=keepdims)


def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """Return the norm over ``axis``; None: over all."""
    return taeda.linalg.vector_norm(x, ord, None if axis is None else _axes(axis, x.ndim), keepdims)


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """Return the ``n``-th power of square matrices."""
    return taeda.linalg.matrix_power(x, n)


def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """Return how many singular values are larger than ``rtol`` times the largest."""
    return taeda.linalg.matrix_rank(x, rtol=rtol)


def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """Return the pseudo-inverses, without the singular values below ``rtol`` times the largest."""
    return taeda.linalg.pinv(x, rtol=rtol)


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """Return the triangular factors of positive definite matrices."""
    made = taeda.linalg.cholesky(x)
    return made.mH if upper else made


def det(x: Tensor, /) -> Tensor:
    """Return the determinants."""
    return taeda.linalg.det(x)


def inv(x: Tensor, /) -> Tensor:
    """Return the inverses."""
    return taeda.linalg.inv(x)


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Return the solutions of ``x1 @ x = x2``: of vectors where ``x2`` has one dimension, of matrices otherwise."""
    x1, x2 = _together(x1, x2)
    if x2.ndim == 1:
        return taeda.linalg.solve(x1, x2.unsqueeze(-1)).squeeze(-1)
    batch = taeda.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    return taeda.linalg.solve(x1.expand(*batch, *x1.shape[-2:]), x2.expand(*batch, *x2.shape[-2:]))


def eigvals(x: Tensor, /) -> Tensor:
    """Return the eigenvalues, complex."""
    return taeda.linalg.eigvals(x)


def eigvalsh(x: Tensor, /) -> Tensor:
    """Return the eigenvalues of symmetric or Hermitian matrices, in ascending order."""
    return taeda.linalg.eigvalsh(x)


def svdvals(x: Tensor, /) -> Tensor:
    """Return the singular values, in descending order."""
    return taeda.linalg.svdvals(x)


_Eigen = collections.namedtuple("eigh_result", "eigenvalues eigenvectors")  # noqa: PYI024
_Qr = collections.namedtuple("qr_result", "Q R")  # noqa: PYI024
_Svd = collections.namedtuple("svd_result", "U S Vh")  # noqa: PYI024
_Slogdet = collections.namedtuple("slogdet_result", "sign logabsdet")  # noqa: PYI024


def eig(x: Tensor, /) -> Any:
    """Return eigenvalues and eigenvectors, complex."""
    return _Eigen(*taeda.linalg.eig(x))


def eigh(x: Tensor, /) -> Any:
    """Return eigenvalues, in ascending order, and eigenvectors of symmetric or Hermitian matrices."""
    return _Eigen(*taeda.linalg.eigh(x))


def qr(x: Tensor, /, *, mode: str = "reduced") -> Any:
    """Return an orthogonal and a triangular factor; "reduced" or "complete"."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f'qr: mode must be "reduced" or "complete", but got {mode!r}')
    return _Qr(*taeda.linalg.qr(x, mode=mode))


def slogdet(x: Tensor, /) -> Any:
    """Return the signs of the determinants and the logarithms of their absolute values."""
    return _Slogdet(*taeda.linalg.slogdet(x))


def svd(x: Tensor, /, *, full_matrices: bool = True) -> Any:
    """Return the singular value decompositions ``U * S @ Vh``."""
    return _Svd(*taeda.linalg.svd(x, full_matrices=full_matrices))
