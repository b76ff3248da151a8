"""Decompositions of large matrices that need only a few of their vectors: random projections, and LOBPCG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._eigenpairs import differentiable
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]


def _range_basis(A: Tensor, q: int, niter: int, M: Tensor | None) -> Tensor:
    """Orthonormal columns that nearly span A's range: Halko, Martinsson and Tropp (2009), algorithm 4.4."""

    def times(x: Tensor, adjoint: bool = False) -> Tensor:
        left, shift = (A.mH, None if M is None else M.mH) if adjoint else (A, M)
        return left @ x if shift is None else left @ x - shift @ x

    start = taeda.randn(A.shape[-1], q, dtype=A.dtype, device=A.device)
    basis = taeda.linalg.qr(times(start)).Q
    for _ in range(niter):
        basis = taeda.linalg.qr(times(basis, adjoint=True)).Q
        basis = taeda.linalg.qr(times(basis)).Q
    return basis


def _thin_svd(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``svd(a, full_matrices=False)`` with LAPACK's signs, on which the mean of a random projection's result depends.

    The kernels for small matrices choose other signs. All vectors of a matrix that is not square are LAPACK's work always.
    """
    m, n = a.shape[-2:]
    u, s, vh = taeda.linalg.svd(a, full_matrices=m != n and max(m, n) <= 24)
    k = min(m, n)
    return u[..., :k], s, vh[..., :k, :]


@public("torch")
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> Any:
    """Return the ``q`` largest singular values of ``A`` and their vectors, approximately: U, S and V.

    Args:
        A: (..., m, n).
        q: how many; a little more than the rank that matters. Default 6.
        niter: rounds of power iteration, each of which sharpens the result; default 2.
        M: subtracted from ``A`` first, broadcast; default: nothing.

    Returns:
        U (..., m, q), S (..., q) and V (..., n, q) with ``U @ diag(S) @ V.mH`` near ``A``. It draws random numbers.
    """
    q = 6 if q is None else q
    niter = 2 if niter is None else niter
    shift = None if M is None else M.expand(A.shape)
    # The side with fewer vectors than there are rows or columns is the one that is projected.
    if A.shape[-2] < A.shape[-1] or A.shape[-1] > q:
        basis = _range_basis(A.mH, q, niter, None if shift is None else shift.mH)
        u, s, vh = _thin_svd((A if shift is None else A - shift) @ basis)
        return u, s, basis @ vh.mH
    basis = _range_basis(A, q, niter, shift)
    u, s, vh = _thin_svd(basis.mH @ (A if shift is None else A - shift))
    return basis @ u, s, vh.mH


@public("torch")
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """Return the ``q`` first principal components of the rows of ``A``, approximately: U, S and V.

    Args:
        A: (..., m, n): m observations of n variables.
        q: how many; default: the smallest of 6, m and n.
        center: subtract each column's mean first; default True.
        niter: rounds of power iteration; default 2.

    Returns:
        U, S and V as of `svd_lowrank`: the components are V's columns.
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if not (A.is_floating_point() or A.is_complex()):
        raise ValueError(f"pca_lowrank expects a floating point or complex tensor, but got {A.dtype}")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter=niter)


# ---- LOBPCG


def _orthonormal(x: Tensor, B: Tensor | None) -> Tensor:
    """Columns with ``x.mH @ B @ x`` the identity that span what ``x`` spans; directions that depend on others are dropped."""
    gram = x.mH @ (x if B is None else B @ x)
    scale = gram.diagonal().clamp(min=0).sqrt()
    scale = taeda.where(scale > 0, scale, 1.0)
    values, vectors = taeda.linalg.eigh(gram / scale.unsqueeze(0) / scale.unsqueeze(1))
    kept = values > values[-1] * values.shape[0] * taeda.finfo(values.dtype).eps
    vectors, values = vectors[:, kept], values[kept]
    return (x / scale) @ (vectors / values.sqrt())


def _best_in(span: Tensor, A: Tensor, count: int, largest: bool) -> tuple[Tensor, Tensor]:
    """The extreme eigenvalues of A as the span sees it, and their vectors: Rayleigh and Ritz."""
    small = span.mH @ (A @ span)
    values, turn = taeda.linalg.eigh((small + small.mH) * 0.5)
    if largest:
        values, turn = values.flip(0), turn.flip(1)
    return values[:count], span @ turn[:, :count]


def _iterate(
    A: Tensor, B: Tensor | None, X: Tensor, iK: Tensor | None, niter: int, tol: float, largest: bool
) -> tuple[Tensor, Tensor]:
    """Knyazev's iteration (2001) on one matrix: the best vectors in the span of the last ones, the residual and the last step."""

    def weighted(x: Tensor) -> Tensor:
        return x if B is None else B @ x

    scale = taeda.linalg.matrix_norm(A) / math.sqrt(A.shape[-1])
    span, before = _orthonormal(X, B), None
    for _ in range(niter + 1):
        values, x = _best_in(span, A, X.shape[-1], largest)
        residual = A @ x - weighted(x) * values
        error = taeda.linalg.vector_norm(residual, dim=0)
        if bool((error <= tol * (scale + values.abs())).all()):
            break
        parts = [x, residual if iK is None else iK @ residual]
        if before is not None:
            parts.append(x - before @ (weighted(before).mH @ x))
        before = x
        span = _orthonormal(taeda.cat(parts, 1), B)
    return values, x


@public("torch")
def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: dict[str, int] | None = None,
    ortho_fparams: dict[str, float] | None = None,
    ortho_bparams: dict[str, bool] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return ``k`` extreme eigenvalues of a symmetric matrix and their vectors, by LOBPCG.

    Args:
        A: (..., m, m), symmetric or Hermitian.
        k: how many; default: X's columns, or 1. m must be at least 3 k.
        B: positive definite, for ``A x = value B x``; default: the identity.
        X: (..., m, n), where to start; default: random numbers.
        n: how many columns to start with; default k.
        iK: the preconditioner, a matrix near A's inverse; default: none.
        niter: at most so many rounds; default 1000. Negative: no bound.
        tol: the error, relative to A, at which it stops; default: the root of the dtype's epsilon.
        largest: the largest eigenvalues (default) or the smallest.
        method: "basic" or "ortho"; both run the same iteration, which orthonormalizes.
        tracker, ortho_iparams, ortho_fparams, ortho_bparams: PyTorch's tuning of its own iteration; only None.

    Returns:
        The eigenvalues, (..., k), and the vectors, (..., m, k). A gradient through the vectors exists where the values are
        distinct, and costs a solution with ``A`` for each of them.
    """
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg: method must be 'basic' or 'ortho', but got {method!r}")
    if tracker is not None or ortho_iparams or ortho_fparams or ortho_bparams:
        raise NotImplementedError("taeda has no lobpcg with a tracker or parameters of the orthogonalization")
    m = A.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    n = (k if n is None else n) if X is None else X.shape[-1]
    if m < 3 * n:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than 3 x the number of "
            f"requested eigenpairs (={n})"
        )
    tol = taeda.finfo(A.dtype).eps ** 0.5 if tol is None else tol
    niter = 1000 if niter is None else 100_000 if niter < 0 else niter
    with taeda.no_grad():
        batch = A.shape[:-2]
        start = taeda.randn(*batch, m, n, dtype=A.dtype, device=A.device) if X is None else X.expand(*batch, m, n)
        values, vectors = [], []
        for index in range(math.prod(batch)):
            pick = [None if t is None else t.expand(*batch, *t.shape[-2:]).reshape(-1, m, m)[index] for t in (A, B, iK)]
            found = _iterate(
                pick[0], pick[1], start.reshape(-1, m, n)[index], pick[2], niter, tol, largest is not False
            )
            values.append(found[0][:k])
            vectors.append(found[1][:, :k])
        made = taeda.stack(values).reshape(*batch, k), taeda.stack(vectors).reshape(*batch, m, k)
    return _with_derivatives(A, B, *made)


def _with_derivatives(A: Tensor, B: Tensor | None, values: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The same pairs as functions of A and B. With B = L L^H, L^H x is an eigenvector of L^-1 A L^-H."""
    given = [t for t in (A, B) if t is not None]
    is_recorded = taeda.is_grad_enabled() and any(t.requires_grad for t in given)
    if not (is_recorded or taeda._C._n_dual_levels()):
        return values, vectors
    if B is None:
        return differentiable(A, values, vectors)
    root = taeda.linalg.cholesky(B)
    half = taeda.linalg.solve_triangular(root, A, upper=False)
    plain = taeda.linalg.solve_triangular(root.mH, half, upper=True, left=False)
    values, turned = differentiable(plain, values, root.detach().mH @ vectors)
    return values, taeda.linalg.solve_triangular(root.mH, turned, upper=True)
