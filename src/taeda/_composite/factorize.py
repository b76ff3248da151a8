"""What follows from factorizations: ranks, pseudoinverses, least squares, and the older names of `taeda.linalg`'s functions."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda import _C
from taeda._composite._public import public
from taeda._composite.linalg import _into
from taeda._ops import RETURN_TYPES

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "diagonal",
    "eigvals",
    "eigvalsh",
    "householder_product",
    "linalg_lu",
    "logdet",
    "lstsq",
    "lu",
    "lu_solve",
    "matrix_rank",
    "orgqr",
    "ormqr",
    "pinv",
    "pinverse",
    "qr",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "triangular_solve",
    "vander",
]


def _tuple_type(name: str, *fields: str) -> Any:
    made = collections.namedtuple(name, fields)  # type: ignore[misc]
    made.__module__ = "taeda.return_types"
    RETURN_TYPES[name] = made
    return made


_Lstsq = _tuple_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
_Svd = _tuple_type("svd", "U", "S", "V")
_Qr = _tuple_type("qr", "Q", "R")
_Lu = _tuple_type("linalg_lu", "P", "L", "U")
_LuInfos = _tuple_type("lu", "LU", "pivots", "info")
_TriangularSolve = _tuple_type("triangular_solve", "solution", "cloned_coefficient")


def _into_all(results: Any, out: Sequence[Tensor] | None) -> Any:
    if out is None:
        return results
    return type(results)(*(_into(result, place) for result, place in zip(results, out, strict=True)))


def _records(*tensors: Tensor) -> bool:
    return taeda.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


# ---- values alone


@public("linalg")
def eigvalsh(input: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """Return the eigenvalues, ascending, of a symmetric or Hermitian matrix.

    Args:
        input: (..., n, n).
        UPLO: which triangle is read, "L" (default) or "U".

    Returns:
        A real tensor of shape (..., n), differentiable also where eigenvalues are equal.
    """
    # The gradient needs the vectors: they are computed at once then, not a second time.
    return _into(taeda.linalg.eigh(input, UPLO)[0] if _records(input) else _C._eigvalsh(input, UPLO), out)


@public("linalg")
def eigvals(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the eigenvalues of a square matrix: complex, (..., n), in no particular order."""
    return _into(taeda.linalg.eig(input)[0] if _records(input) else _C._eigvals(input), out)


@public("linalg")
def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """Return the singular values, descending, of a matrix.

    Args:
        A: (..., m, n).
        driver: only None: PyTorch's other values are for CUDA.

    Returns:
        A real tensor of shape (..., min(m, n)), differentiable also where singular values are equal.
    """
    if driver is not None or _records(A):
        return _into(taeda.linalg.svd(A, False, driver=driver)[1], out)
    return _into(_C._svdvals(A), out)


# ---- LU


@public("linalg", name="lu")
def linalg_lu(A: Tensor, *, pivot: bool = True, out: Sequence[Tensor] | None = None) -> Any:
    """Return the permutation matrix P, the lower triangular L and the upper triangular U with ``P @ L @ U == A``.

    Args:
        A: (..., m, n).
        pivot: exchange rows, as is always done on the CPU; default True.

    Returns:
        P (..., m, m), L (..., m, k) with ones on its diagonal, and U (..., k, n), where k = min(m, n).
    """
    factors, pivots, _ = taeda.linalg.lu_factor_ex(A, pivot=pivot)
    return _into_all(_Lu(*taeda.lu_unpack(factors, pivots)), out)


@public("torch", "Tensor")
def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Sequence[Tensor] | None = None) -> Any:
    """Return the packed LU factorization and its pivots, as `taeda.linalg.lu_factor_ex` does; its info with ``get_infos``."""
    found = _LuInfos(*taeda.linalg.lu_factor_ex(A, pivot=pivot))
    if not get_infos:
        found = found[:2]
    if out is None:
        return found
    return tuple(_into(result, place) for result, place in zip(found, out, strict=True))


@public("torch", "Tensor")
def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``taeda.linalg.lu_solve(LU_data, LU_pivots, b)``."""
    return _into(taeda.linalg.lu_solve(LU_data, LU_pivots, b), out)


# ---- systems with known factors


@public("torch", "Tensor")
def triangular_solve(
    input: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: Sequence[Tensor] | None = None,
) -> Any:
    """Return the solution X of ``A @ X == input`` for a triangular matrix, and a copy of A.

    Args:
        input: (..., n, k).
        A: (..., n, n); the batches broadcast.
        upper: whether A is upper triangular; default True.
        transpose: solve with ``A.mT`` instead; default False.
        unitriangular: take A's diagonal for ones; default False.
    """
    for name, tensor in (("b", input), ("A", A)):
        if tensor.dim() < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, "
                f"but it has {tensor.dim()} dimensions instead"
            )
    solution = taeda.linalg.solve_triangular(
        A.mT if transpose else A, input, upper=upper != transpose, unitriangular=unitriangular
    )
    return _into_all(_TriangularSolve(solution, A.expand(*solution.shape[:-2], *A.shape[-2:]).clone()), out)


@public("torch", "Tensor")
def logdet(input: Tensor) -> Tensor:
    """Return the logarithm of the determinant; of a real matrix with a negative one NaN."""
    sign, magnitude = taeda.slogdet(input)
    if input.is_complex():
        return sign.log() + magnitude
    return taeda.where(sign == -1, math.nan, magnitude)


# ---- ranks, pseudoinverses and least squares


def _tolerance(values: Tensor, size: int, atol: Any, rtol: Any) -> Tensor:
    """The threshold for each matrix: the larger of atol and rtol times the largest value."""
    default = size * taeda.finfo(values.dtype).eps
    if rtol is None:
        if isinstance(atol, taeda.Tensor):
            rtol = taeda.where(atol > 0, 0.0, default)
        else:
            rtol = 0.0 if atol is not None and atol > 0 else default
    bounds = []
    for bound, scale in ((0.0 if atol is None else atol, None), (rtol, values.amax(-1))):
        if isinstance(bound, taeda.Tensor) and bound.is_complex():
            raise RuntimeError(f"tolerances are real numbers, but one is of type {bound.dtype}")
        bounds.append(bound if scale is None else bound * scale)
    low, high = bounds
    low = low if isinstance(low, taeda.Tensor) else taeda.full_like(high, low)
    return taeda.maximum(low, high).unsqueeze(-1)


def _check_at_least_2d(name: str, A: Tensor) -> None:
    if A.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")


@public("linalg")
def matrix_rank(
    input: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return how many singular values are larger than a tolerance, as int64.

    Args:
        input: (..., m, n).
        tol: the same as ``atol`` with ``rtol=0``.
        hermitian: ``input`` is symmetric or Hermitian, so that eigenvalues will do; default False.
        atol, rtol: absolute tolerance (default 0), and relative to the largest singular value (default: the larger size times
            the dtype's epsilon, or 0 with a positive ``atol``); numbers, or tensors that broadcast to the batch.
    """
    _check_at_least_2d("linalg.matrix_rank", input)
    if tol is not None:
        atol, rtol = tol, 0.0
    for name, bound in (("atol", atol), ("rtol", rtol)):
        if isinstance(bound, taeda.Tensor) and bound.is_complex():
            raise RuntimeError(f"torch.linalg.matrix_rank: {name} tensor of complex type is not supported.")
    m, n = input.shape[-2:]
    input = input.detach()
    if input.numel() == 0:
        return _into(taeda.zeros(input.shape[:-2], dtype=taeda.int64, device=input.device), out)
    values = taeda.linalg.eigvalsh(input).abs() if hermitian else taeda.linalg.svdvals(input)
    return _into((values > _tolerance(values, max(m, n), atol, rtol)).sum(-1), out)


def _reciprocal_above(values: Tensor, sizes: Tensor, bound: Tensor) -> Tensor:
    return taeda.where(sizes > bound, 1 / values, 0.0)


def _pinv_value(A: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Tensor:
    A = A.detach()
    size = max(A.shape[-2:])
    if hermitian:
        values, vectors = taeda.linalg.eigh(A)
        sizes = values.abs()
        inverted = _reciprocal_above(values, sizes, _tolerance(sizes, size, atol, rtol))
        return (vectors * inverted.unsqueeze(-2)) @ vectors.mH
    u, s, vh = taeda.linalg.svd(A, False)
    inverted = _reciprocal_above(s, s, _tolerance(s, size, atol, rtol))
    return (vh.mH * inverted.unsqueeze(-2)) @ u.mH


@public("linalg")
def pinv(
    input: Tensor,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the pseudoinverse (Moore and Penrose) of a matrix, from its singular values.

    Args:
        input: (..., m, n).
        rcond: the same as ``rtol``.
        hermitian: ``input`` is symmetric or Hermitian, so that eigenvalues will do; default False.
        atol, rtol: singular values up to the larger of ``atol`` and ``rtol`` times the largest one count as zero; the defaults
            are those of `matrix_rank`.

    Returns:
        A tensor of shape (..., n, m), differentiable where the rank stays the same nearby.
    """
    _check_at_least_2d("linalg.pinv", input)
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(f"linalg.pinv: Expected a floating point or complex tensor as input. Got {input.dtype}")
    if hermitian and input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            "linalg.pinv: A must be batches of square matrices, "
            f"but they are {input.shape[-2]} by {input.shape[-1]} matrices"
        )
    if rcond is not None:
        rtol = rcond
    if input.numel() == 0:
        return _into(input.mT.clone(), out)
    value = _pinv_value(input, atol, rtol, hermitian)
    return _into(_C._with_pinv_gradient(input, value) if _records(input) else value, out)


@public("torch", "Tensor")
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Return ``taeda.linalg.pinv(input, rtol=rcond)``."""
    return pinv(input, rcond)


def _least_squares_sides(input: Tensor, b: Tensor) -> tuple[Tensor, Tensor, bool]:
    """Both sides as matrices with one batch, and whether the right one was a vector."""
    if input.dim() < 2:
        raise RuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions.")
    if b.dim() < 1:
        raise RuntimeError("torch.linalg.lstsq: other must have at least 1 dimension.")
    if input.dtype != b.dtype:
        raise RuntimeError(
            "torch.linalg.lstsq: Expected input and other to have the same dtype, "
            f"but got input's dtype {input.dtype} and other's dtype {b.dtype}"
        )
    is_vector = b.dim() == input.dim() - 1 and b.shape == input.shape[:-1]
    sides = b.unsqueeze(-1) if is_vector else b
    if sides.dim() < 2 or input.shape[-2] != sides.shape[-2]:
        raise RuntimeError(
            "torch.linalg.lstsq: input.size(-2) should match other.size(-2)"
            f" (shapes {list(input.shape)} and {list(b.shape)})"
        )
    batch = taeda.broadcast_shapes(input.shape[:-2], sides.shape[:-2])
    return input.expand(*batch, *input.shape[-2:]), sides.expand(*batch, *sides.shape[-2:]), is_vector


@public("linalg")
def lstsq(input: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """Return the X with the smallest ``norm(input @ X - b)``; where several have it, the smallest of them.

    Args:
        input: (..., m, n).
        b: (..., m, k), or (..., m) with ``input``'s batch exactly.
        rcond: singular values below it, relative to the largest, count as zero; default: the larger size times the dtype's
            epsilon. "gels" takes all for nonzero.
        driver: LAPACK's routine: "gelsy" (default; QR with pivoting), "gels" (QR, full rank), "gelsd" or "gelss" (singular
            values).

    Returns:
        solution (..., n, k); residuals (..., k), the squared norms where m > n, the rank is full, and the driver gives them;
        rank (int64; not with "gels"); singular_values (with "gelsd" and "gelss"). What is not there is empty.
    """
    matrices, sides, is_vector = _least_squares_sides(input, b)
    if driver is None:
        driver = "gelsy"
    if rcond is None:
        rcond = max(input.shape[-2:]) * taeda.finfo(input.dtype).eps
    found = _Lstsq(*_C._lstsq(matrices.detach(), sides.detach(), float(rcond), driver))
    solution, residuals = found.solution, found.residuals
    if _records(matrices, sides):
        solution = pinv(matrices) @ sides
        if residuals.numel():
            residuals = (matrices @ solution - sides).abs().square().sum(-2)
        else:  # what is not there takes part in the graph all the same, as in PyTorch
            residuals = (solution.abs() if solution.is_complex() else solution).reshape(-1)[:0]
    return found._replace(solution=solution.squeeze(-1) if is_vector else solution, residuals=residuals)


# ---- Householder reflections


def _reflect_by_hand(input: Tensor, tau: Tensor) -> Tensor:
    """The product of reflections in differentiable operations: one reflection after the other, the last one first."""
    m, n = input.shape[-2:]
    k = tau.shape[-1]
    vectors = input.narrow(-1, 0, k).tril(-1) + taeda.eye(m, k, dtype=input.dtype, device=input.device)
    identity = taeda.eye(m, n, dtype=input.dtype, device=input.device)
    # Chosen elementwise, so that without reflections the result stays a (constant) function of the input.
    q = taeda.where(taeda.zeros_like(input, dtype=taeda.bool), input, identity)
    for index in reversed(range(k)):
        vector = vectors.narrow(-1, index, 1)
        q = q - tau.narrow(-1, index, 1).unsqueeze(-1) * (vector @ (vector.mH @ q))
    return q


@public("linalg")
def householder_product(input: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the first columns of the product of the reflections that `geqrf` packs.

    Args:
        input: (..., m, n) with m >= n; the vectors are below the diagonal.
        tau: (..., k) with k <= n.

    Returns:
        A tensor of shape (..., m, n).
    """
    value = _C._householder_product(input, tau)
    return _into(_reflect_by_hand(input, tau) if _records(input, tau) else value, out)


@public("torch", "Tensor")
def orgqr(input: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``taeda.linalg.householder_product(input, tau)``."""
    return householder_product(input, tau, out=out)


def _check_ormqr(input: Tensor, tau: Tensor, other: Tensor, left: bool) -> None:
    side = -2 if left else -1
    if input.dim() < 2:
        raise RuntimeError("torch.ormqr: input must have at least 2 dimensions.")
    if other.dim() < 2:
        raise RuntimeError("torch.ormqr: other must have at least 2 dimensions.")
    if other.shape[side] < tau.shape[-1]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be greater than or equal to tau.shape[-1]")
    if other.shape[side] != input.shape[-2]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]")
    if tau.shape[-1] > input.shape[-1]:
        raise RuntimeError("torch.ormqr: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    if tau.shape[-1] != min(other.shape[side], input.shape[-1]):
        raise RuntimeError(f"torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])")
    if input.dim() - tau.dim() != 1:
        raise RuntimeError(
            "torch.ormqr: Expected tau to have one dimension less than input, "
            f"but got tau.ndim equal to {tau.dim()} and input.ndim is equal to {input.dim()}"
        )
    if input.dim() != other.dim():
        raise RuntimeError(
            "torch.ormqr: Expected other to have the same number of dimensions as input, "
            f"but got other.ndim equal to {other.dim()} and input.ndim is equal to {input.dim()}"
        )
    for name, tensor, batch in (("tau", tau, tau.shape[:-1]), ("other", other, other.shape[:-2])):
        if batch != input.shape[:-2]:
            raise RuntimeError(
                f"torch.ormqr: Expected batch dimensions of {name} to be equal to input.shape[:-2], but got {list(batch)}"
            )
        if tensor.dtype != input.dtype:
            raise RuntimeError(
                f"torch.ormqr: Expected input and {name} to have the same dtype, "
                f"but input has dtype {input.dtype} and {name} has dtype {tensor.dtype}"
            )


@public("torch", "Tensor")
def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Return ``other`` multiplied with the whole product Q of the reflections that `geqrf` packs.

    Args:
        input, tau: what `geqrf` gave.
        other: the matrix, (..., m, n).
        left: ``Q @ other`` (default); False: ``other @ Q``.
        transpose: multiply with ``Q.mH`` instead; default False.
    """
    _check_ormqr(input, tau, other, left)
    if not _records(input, tau, other):
        return _into(_C._ormqr(input, tau, other, left, transpose), out)
    m, k = input.shape[-2], tau.shape[-1]
    columns = input.narrow(-1, 0, k)
    q = householder_product(taeda.cat([columns, columns.new_zeros((*columns.shape[:-1], m - k))], -1), tau)
    q = q.mH if transpose else q
    return _into(q @ other if left else other @ q, out)


# ---- older names


@public("torch", "Tensor")
def qr(input: Tensor, some: bool = True, *, out: Sequence[Tensor] | None = None) -> Any:
    """Return ``taeda.linalg.qr(input, "reduced" if some else "complete")``."""
    return _into_all(_Qr(*taeda.linalg.qr(input, "reduced" if some else "complete")), out)


@public("torch", "Tensor")
def svd(input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Sequence[Tensor] | None = None) -> Any:
    """Return U, S and V with ``U @ diag(S) @ V.mH == input``.

    Args:
        input: (..., m, n).
        some: only the first min(m, n) columns of U and V (default); False: all of them.
        compute_uv: False gives zeros for U and V; default True.
    """
    if compute_uv:
        u, s, vh = taeda.linalg.svd(input, not some)
        return _into_all(_Svd(u, s, vh.mH), out)
    m, n = input.shape[-2:]
    s = svdvals(input)
    return _into_all(
        _Svd(input.new_zeros((*input.shape[:-2], m, m)), s, input.new_zeros((*input.shape[:-2], n, n))), out
    )


# ---- tensors as matrices


@public("linalg")
def tensorinv(input: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of ``input`` as a linear map from its last dimensions to its first ``ind``.

    Args:
        input: the first ``ind`` sizes have the product of the others.
        ind: default 2.

    Returns:
        A tensor of shape ``input.shape[ind:] + input.shape[:ind]``.
    """
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    rows, columns = math.prod(input.shape[:ind]), math.prod(input.shape[ind:])
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), "
            f"but got {columns} != {rows}"
        )
    inverse = taeda.linalg.inv(input.reshape(rows, columns))
    return _into(inverse.reshape(*input.shape[ind:], *input.shape[:ind]), out)


@public("linalg")
def tensorsolve(
    input: Tensor, other: Tensor, dims: Sequence[int] | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Return the X with ``tensordot(input, X, X.ndim) == other``.

    Args:
        input: of shape ``other.shape + X.shape``, both with the same number of elements.
        other: the right side.
        dims: dimensions of ``input`` that are moved to its end first; default: none.
    """
    if dims is not None:
        dims = [dims] if isinstance(dims, int) else list(dims)
        input = input.movedim(dims, list(range(-len(dims), 0)))
    shape = input.shape[other.dim() :]
    columns, rows = math.prod(shape), math.prod(input.shape[: other.dim()])
    if columns != rows:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"but got {columns} != {rows}"
        )
    solution = taeda.linalg.solve(input.reshape(rows, columns), other.reshape(-1))
    return _into(solution.reshape(shape), out)


@public("linalg")
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Return the powers 0 to ``N - 1`` of each element, in a new last dimension.

    Args:
        x: (..., n).
        N: how many powers; default n.
    """
    x = x if x.dim() else x.unsqueeze(0)
    count = x.shape[-1] if N is None else N
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    powers = x.unsqueeze(-1).expand(*x.shape, count - 1).cumprod(-1)
    return taeda.cat([taeda.ones_like(powers[..., :1]), powers], -1)


@public("linalg")
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return a view of the diagonals of the matrices in ``dim1`` and ``dim2``, by default the last two."""
    return A.diagonal(offset, dim1, dim2)
