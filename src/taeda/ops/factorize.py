"""Factorizations of matrices and what follows from them: solutions, inverses, determinants, eigenvalues, singular values.

The kernels (``csrc/cpu/linalg_*.cpp``) call LAPACK. Gradients are matrix algebra in public operations, so that they have
gradients themselves; the formulas are those of Giles (2008), Townsend (2016), Boeddeker et al. (2017) and Walter (2010).
What is composed of these rows is in ``taeda/_composite/factorize.py``.
"""

from __future__ import annotations

from typing import Any

from taeda.ops.registry import op

_NOTES = {"half": "LAPACK has no routines for half precision, and PyTorch takes none here"}
_BATCH = "A batch of matrices gives a batch of results. float32, float64 and complex numbers of both."


def _row(text: str, *, gradient: str = "", **options: Any) -> None:
    """Add a row that takes no half precision; ``gradient`` says why it has none."""
    notes = _NOTES | ({"gradient": gradient} if gradient else {})
    op(text, notes=notes, **{"where": "linalg", **options})


def _lines(*lines: str) -> str:
    return "\n".join(lines)


# ---- helpers of the gradients

op(
    "_adjoint(Tensor input) -> Tensor",
    vjp={"input": "_adjoint(g)"},
    where="_C",
    out=False,
    doc="Return the matrices conjugated and transposed; of real ones a view.",
)
op(
    "_require(Tensor input, bool condition, str message) -> Tensor",
    vjp={"input": "g"},
    where="_C",
    out=False,
    doc="Return ``input`` itself, or raise RuntimeError with the message where the condition does not hold.",
)
op(
    "_with_pinv_gradient(Tensor input, Tensor value) -> Tensor",
    vjp={
        "input": _lines(
            "h = g.mH",
            "ph = result.mH",
            "t = matmul(matmul(h, result), ph)",
            "r = matmul(matmul(ph, result), h)",
            "t - matmul(input, matmul(result, t)) + r - matmul(matmul(r, result), input) - matmul(matmul(ph, g), ph)",
        )
    },
    where="_C",
    out=False,
    doc="Return ``value``, which is the pseudoinverse of ``input``, with the gradient that follows from that (Golub and Pereyra).",
)

# ---- Cholesky's factorization


def _cholesky_gradient(grad: str, factor: str) -> str:
    return _lines(
        f"lower = {factor}.mH if upper else {factor}",
        f"grad = {grad}.mH if upper else {grad}",
        "phi = matmul(lower.mH, grad).tril()",
        "middle = (phi + phi.tril(-1).mH) * 0.5",
        "right = solve_triangular(lower, middle, upper=False, left=False)",
        "made = solve_triangular(lower.mH, right, upper=True)",
        "(made + made.mH) * 0.5",
    )


_row(
    "cholesky_ex(Tensor input, *, bool upper=False, bool check_errors=False) -> (Tensor L, Tensor info)",
    vjp={"input": _cholesky_gradient("g_L", "L")},
    differentiable=("L",),
    doc=f"""Return Cholesky's factor and, instead of an error, a number for each matrix: 0 where all went well.

    Args:
        input: (..., n, n), symmetric or Hermitian, positive definite; only one triangle is read.
        upper: return the upper factor, and read the upper triangle; default False.
        check_errors: raise LinAlgError as ``cholesky`` does; default False.

    Returns:
        L, and info (int32): k where the leading minor of order k is not positive. {_BATCH}
    """,
)
_row(
    "cholesky(Tensor input, bool upper=False) -> Tensor",
    vjp={"input": _cholesky_gradient("g", "result")},
    where="torch Tensor linalg",
    doc=f"""Return the lower triangular L with ``L @ L.mH == input``.

    Args:
        input: (..., n, n), symmetric or Hermitian, positive definite; only one triangle is read.
        upper: return ``L.mH``, and read the upper triangle; default False.

    Raises:
        LinAlgError: a matrix is not positive definite.

    {_BATCH}
    """,
)

_row(
    "cholesky_solve(Tensor input, Tensor input2, bool upper=False) -> Tensor",
    vjp={
        "input, input2": _lines(
            "side = cholesky_solve(g, input2, upper=upper)",
            "h = matmul(side, result.mH) if needs_input2 else side",
            "both = h + h.mH if needs_input2 else side",
            "low = matmul(both, input2.tril()).tril() if needs_input2 and not upper else side",
            "made = matmul(input2.triu(), both).triu() if needs_input2 and upper else low",
            "(side.sum_to_size(input.shape), negative(made).sum_to_size(input2.shape) if needs_input2 else side)",
        )
    },
    where="torch Tensor",
    doc=f"""Return the solution X of ``A @ X == input`` from A's factor by `taeda.linalg.cholesky`.

    Args:
        input: (..., n, k).
        input2: the factor, (..., n, n); the batches broadcast.
        upper: whether the factor is the upper one; default False.

    {_BATCH}
    """,
)
_row(
    "cholesky_inverse(Tensor input, bool upper=False) -> Tensor",
    vjp={
        "input": _lines(
            "middle = matmul(matmul(result, g + g.mH), result)",
            "negative(matmul(input.triu(), middle).triu() if upper else matmul(middle, input.tril()).tril())",
        )
    },
    where="torch Tensor",
    doc=f"""Return the inverse of the matrix whose factor by `taeda.linalg.cholesky` is ``input``.

    Args:
        input: the factor, (..., n, n).
        upper: whether it is the upper one; default False.

    Raises:
        LinAlgError: the factor has a zero on its diagonal.

    {_BATCH}
    """,
)

# ---- triangular systems

_row(
    "solve_triangular(Tensor input, Tensor B, *, bool upper, bool left=True, bool unitriangular=False) -> Tensor",
    vjp={
        "input, B": _lines(
            "side = solve_triangular(input.mH, g, upper=not upper, left=left, unitriangular=unitriangular)",
            "product = matmul(side, result.mH) if left else matmul(result.mH, side)",
            "edge = 1 if unitriangular else 0",
            "triangle = (product.triu(edge) if upper else product.tril(0 - edge)) if needs_input else side",
            "(negative(triangle).sum_to_size(input.shape) if needs_input else side, side.sum_to_size(B.shape))",
        )
    },
    doc=f"""Return the solution X of ``input @ X == B`` for a triangular matrix.

    Args:
        input: (..., n, n); the other triangle is not read. Zeros on its diagonal give infinities, no error.
        B: (..., n, k), or (..., k, n) with ``left=False``.
        upper: whether ``input`` is upper triangular.
        left: False solves ``X @ input == B``; default True.
        unitriangular: take the diagonal for ones, without reading it; default False.

    The batches broadcast. {_BATCH}
    """,
)

# ---- LU

_LU_GRADIENT = _lines(
    "plu = lu_unpack(LU, pivots, True, True)",
    "m = A.shape[-2]",
    "n = A.shape[-1]",
    "k = plu[1].shape[-1]",
    "lh = plu[1].narrow(-2, 0, k).mH",
    "uh = plu[2].narrow(-1, 0, k).mH",
    "gl = g_LU.narrow(-1, 0, k).tril(-1)",
    "gu = g_LU.narrow(-2, 0, k).triu()",
    # What the rows of L, or the columns of U, beyond the square part ask of it.
    "low = gl.narrow(-2, k, m - k)",
    "high = gu.narrow(-1, k, n - k)",
    "below = matmul(lh, gl.narrow(-2, 0, k)) - matmul(high, plu[2].narrow(-1, k, n - k).mH)",
    "above = matmul(gu.narrow(-1, 0, k), uh) - matmul(plu[1].narrow(-2, k, m - k).mH, low)",
    "inner = solve_triangular(lh, below.tril(-1) + above.triu(), upper=True, unitriangular=True)",
    "square = solve_triangular(uh, inner, upper=False, left=False)",
    "wide = solve_triangular(lh, high, upper=True, unitriangular=True)",
    "tall = solve_triangular(uh, low, upper=False, left=False)",
    "matmul(plu[0], cat([square, wide], -1) if m <= n else cat([square, tall], -2))",
)
_PIVOT = "pivot: exchange rows, as is always done on the CPU; default True."
_row(
    "lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, Tensor pivots, Tensor info)",
    vjp={"A": _LU_GRADIENT},
    differentiable=("LU",),
    doc=f"""Return the LU factorization in one matrix, its row exchanges, and a number for each matrix instead of an error.

    Args:
        A: (..., m, n).
        {_PIVOT}
        check_errors: raise LinAlgError as ``lu_factor`` does; default False.

    Returns:
        LU: U in the upper triangle, L without its diagonal of ones below; pivots (int32): row i was exchanged with row
        ``pivots[i] - 1``; info (int32): k where ``U[k - 1, k - 1]`` is the first zero, else 0. {_BATCH}
    """,
)
_row(
    "lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)",
    vjp={"A": _LU_GRADIENT},
    differentiable=("LU",),
    doc=f"""Return the LU factorization in one matrix, and its row exchanges, for ``lu_solve``.

    Args:
        A: (..., m, n).
        {_PIVOT}

    Raises:
        LinAlgError: U has a zero on its diagonal.

    {_BATCH}
    """,
)
_row(
    "lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True) -> (Tensor P, Tensor L, Tensor U)",
    vjp={
        "LU_data": _lines(
            "m = LU_data.shape[-2]",
            "n = LU_data.shape[-1]",
            "k = L.shape[-1]",
            "square = g_L.narrow(-2, 0, k).tril(-1) + g_U.narrow(-1, 0, k).triu()",
            "cat([square, g_U.narrow(-1, k, n - k)], -1) if m <= n else cat([square, g_L.narrow(-2, k, m - k)], -2)",
        )
    },
    differentiable=("L", "U"),
    where="torch",
    doc=f"""Return the permutation matrix P and the factors L and U that ``lu_factor`` has packed: ``P @ L @ U``.

    Args:
        LU_data: (..., m, n).
        LU_pivots: int32, (..., min(m, n)).
        unpack_data: False gives empty tensors for L and U; default True.
        unpack_pivots: False gives an empty tensor for P; default True.

    {_BATCH}
    """,
)
_row(
    "lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor",
    vjp={
        "B": "lu_solve(LU, pivots, g, left=left, adjoint=not adjoint).sum_to_size(B.shape)",
        "LU": _lines(
            "side = lu_solve(LU, pivots, g, left=left, adjoint=not adjoint)",
            "x = matmul(result, side.mH) if adjoint else matmul(side, result.mH)",
            "y = matmul(side.mH, result) if adjoint else matmul(result.mH, side)",
            "plu = lu_unpack(LU, pivots, True, True)",
            "rows = matmul(plu[0].mH, x if left else y)",
            "made = matmul(rows, plu[2].mH).tril(-1) + matmul(plu[1].mH, rows).triu()",
            "negative(made).sum_to_size(LU.shape)",
        ),
    },
    doc=f"""Return the solution X of ``A @ X == B`` from A's LU factorization.

    Args:
        LU, pivots: what ``lu_factor`` gave.
        B: (..., n, k), or (..., k, n) with ``left=False``.
        left: False solves ``X @ A == B``; default True.
        adjoint: solve with ``A.mH`` instead; default False.

    The batches broadcast. {_BATCH}
    """,
)

# ---- solutions and inverses


def _solve_gradient(grad: str) -> dict[str, str]:
    return {
        "A, B": _lines(
            f"side = solve(A.mH, {grad}, left=left)",
            # A vector on the right has one dimension less than the matrices.
            "is_vector = result.ndim == A.ndim - 1",
            "x = result.unsqueeze(-1) if is_vector else result",
            "s = side.unsqueeze(-1) if is_vector else side",
            "made = (matmul(s, x.mH) if left else matmul(x.mH, s)) if needs_A else side",
            "(negative(made).sum_to_size(A.shape) if needs_A else side, side.sum_to_size(B.shape))",
        )
    }


_SOLVE = """A: (..., n, n).
        B: (..., n, k), or (..., k, n) with ``left=False``; or vectors: (n,), or (..., n) with A's batch exactly.
        left: False solves ``X @ A == B``; default True."""
_row(
    "solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor info)",
    vjp=_solve_gradient("g_result"),
    differentiable=("result",),
    doc=f"""Return the solution X of ``A @ X == B`` and, instead of an error, a number for each matrix: 0 where all went well.

    Args:
        {_SOLVE}
        check_errors: raise LinAlgError as ``solve`` does; default False.

    The batches broadcast. {_BATCH}
    """,
)
_row(
    "solve(Tensor A, Tensor B, *, bool left=True) -> Tensor",
    vjp=_solve_gradient("g"),
    doc=f"""Return the solution X of ``A @ X == B``.

    Args:
        {_SOLVE}

    Raises:
        LinAlgError: a matrix is singular.

    The batches broadcast. {_BATCH}
    """,
)
_row(
    "inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)",
    vjp={"A": "negative(matmul(matmul(inverse.mH, g_inverse), inverse.mH))"},
    differentiable=("inverse",),
    doc=f"""Return the inverse and, instead of an error, a number for each matrix: 0 where all went well.

    Args:
        A: (..., n, n).
        check_errors: raise LinAlgError as ``inv`` does; default False.

    Returns:
        inverse, NaN where there is none; info (int32): k where the k-th pivot is the first zero. {_BATCH}
    """,
)
_INVERSE_DOC = f"""Return the inverse of a square matrix. ``solve(A, B)`` is faster and more exact than ``inv(A) @ B``.

    Args:
        A: (..., n, n).

    Raises:
        LinAlgError: a matrix is singular.

    {_BATCH}
    """
_row("inv(Tensor A) -> Tensor", vjp={"A": "negative(matmul(matmul(result.mH, g), result.mH))"}, doc=_INVERSE_DOC)
_row(
    "inverse(Tensor input) -> Tensor",
    vjp={"input": "negative(matmul(matmul(result.mH, g), result.mH))"},
    where="torch Tensor",
    doc=_INVERSE_DOC.replace("A:", "input:"),
)

# ---- determinants

op(
    "_det_backward(Tensor grad, Tensor input) -> Tensor",
    vjp={
        "grad": "(g * _det_backward(ones_like(grad), input).conj_physical()).sum([-2, -1])",
        "input": _lines(
            "bh = inv_ex(input)[0].mH",
            "d = (det(input)).conj_physical().unsqueeze(-1).unsqueeze(-1)",
            "weight = grad.unsqueeze(-1).unsqueeze(-1)",
            "s = (g.conj_physical() * weight * bh).sum([-2, -1], keepdim=True)",
            "d * (s * bh - weight * matmul(matmul(bh, g.mH), bh))",
        ),
    },
    where="_C",
    out=False,
    doc="Return ``grad`` times the matrices of cofactors, conjugated: the gradient of the determinant, of singular matrices too.",
)
_row(
    "det(Tensor A) -> Tensor",
    vjp={"A": "_det_backward(g, A)"},
    where="torch Tensor linalg",
    doc=f"""Return the determinant of a square matrix.

    Args:
        A: (..., n, n); of no elements, the determinant is 1.

    {_BATCH}
    """,
)
_row(
    "slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)",
    vjp={
        "A": _lines(
            "weight = complex(g_logabsdet, negative((g_sign.conj_physical() * sign).imag)) if A.is_complex() else g_logabsdet",
            "weight.unsqueeze(-1).unsqueeze(-1) * inv_ex(A)[0].mH",
        )
    },
    where="torch Tensor linalg",
    doc=f"""Return the sign of the determinant and the logarithm of its magnitude, which overflows less easily.

    Args:
        A: (..., n, n).

    Returns:
        sign: -1, 0 or 1, of complex matrices a number of magnitude one or 0; logabsdet: real, -inf where sign is 0. {_BATCH}
    """,
)

# ---- QR

_QR_R = (
    "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
    "Please use linalg.qr(A, mode='reduced') if you are going to require a gradient through this operation."
)
_QR_COMPLETE = "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
_row(
    "qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)",
    vjp={
        "A": _lines(
            "m = A.shape[-2]",
            "n = A.shape[-1]",
            f'asked = _require(g_R, mode != "r", "{_QR_R}")',
            f'given = _require(asked, m <= n or mode != "complete", "{_QR_COMPLETE}")',
            # Of a wide matrix [X Y] = Q [U V], X = Q U is differentiated; Y = Q V adds to Q's gradient.
            "p = R.shape[-2]",
            "u = R.narrow(-1, 0, p)",
            "gv = given.narrow(-1, p, n - p)",
            "gq = g_Q + matmul(A.narrow(-1, p, n - p), gv.mH)",
            "t = (matmul(given.narrow(-1, 0, p), u.mH) - matmul(Q.mH, gq)).triu()",
            "twice = t + t.mH",
            "s = twice - diag_embed(twice.diagonal(0, -2, -1)) * 0.5",
            "gx = solve_triangular(u.mH, gq + matmul(Q, s), upper=False, left=False)",
            "cat([gx, matmul(Q, gv)], -1)",
        )
    },
    doc=f"""Return Q with orthonormal columns and the upper triangular R with ``Q @ R == A``.

    Args:
        A: (..., m, n).
        mode: "reduced" (default): Q is (..., m, k) with k = min(m, n); "complete": (..., m, m); "r": only R is computed,
            Q is empty.

    {_BATCH} The gradient exists where the first k columns are independent, and not for "r" or a tall "complete" Q.
    """,
)
_row(
    "geqrf(Tensor input) -> (Tensor a, Tensor tau)",
    gradient="PyTorch gives none; qr has one",
    where="torch Tensor",
    doc=f"""Return the QR factorization as LAPACK packs it: R in the upper triangle, reflections below, their factors in tau.

    Args:
        input: (..., m, n).

    {_BATCH}
    """,
)
_row(
    "_householder_product(Tensor input, Tensor tau) -> Tensor",
    where="_C",
    out=False,
    doc="Return the first columns of the product of the reflections that ``geqrf`` packs.",
)
_row(
    "_ormqr(Tensor input, Tensor tau, Tensor other, bool left, bool transpose) -> Tensor",
    where="_C",
    out=False,
    doc="Return ``other`` multiplied with the product of the reflections that ``geqrf`` packs.",
)
_row(
    "_lstsq(Tensor input, Tensor b, float rcond, str driver)"
    " -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)",
    where="_C",
    out=False,
    doc="Return least-squares solutions by one of LAPACK's drivers; the batches are equal.",
)

# ---- LDL^T

_row(
    "ldl_factor_ex(Tensor input, *, bool hermitian=False, bool check_errors=False) -> (Tensor LD, Tensor pivots, Tensor info)",
    gradient="PyTorch gives none",
    doc=f"""Return the LDL factorization of a symmetric matrix as LAPACK packs it, and a number for each matrix.

    Args:
        input: (..., n, n); the lower triangle is read.
        hermitian: take complex matrices for Hermitian ones; default False.
        check_errors: raise LinAlgError where a pivot is zero; default False.

    {_BATCH}
    """,
)
_row(
    "ldl_factor(Tensor input, *, bool hermitian=False) -> (Tensor LD, Tensor pivots)",
    gradient="PyTorch gives none",
    doc=f"""Return the LDL factorization of a symmetric matrix as LAPACK packs it, for ``ldl_solve``.

    Args:
        input: (..., n, n); the lower triangle is read.
        hermitian: take complex matrices for Hermitian ones; default False.

    Raises:
        LinAlgError: a pivot is zero.

    {_BATCH}
    """,
)
_row(
    "ldl_solve(Tensor LD, Tensor pivots, Tensor B, *, bool hermitian=False) -> Tensor",
    vjp={
        "B": "(ldl_solve(LD, pivots, g, hermitian=True) if hermitian else"
        " ldl_solve(LD, pivots, g.conj_physical()).conj_physical()).sum_to_size(B.shape)"
    },
    doc=f"""Return the solution X of ``A @ X == B`` from A's LDL factorization.

    Args:
        LD, pivots: what ``ldl_factor`` gave.
        B: (..., n, k).
        hermitian: as it was given to ``ldl_factor``; default False.

    The batches broadcast. {_BATCH}
    """,
)

# ---- eigenvalues

_row(
    "eigh(Tensor input, str UPLO='L') -> (Tensor eigenvalues, Tensor eigenvectors)",
    vjp={
        "input": _lines(
            "vh = eigenvectors.mH",
            "x = matmul(vh, g_eigenvectors)",
            "gap = eigenvalues.unsqueeze(-2) - eigenvalues.unsqueeze(-1) + diag_embed(ones_like(eigenvalues))",
            "core = x / gap - diag_embed(x.diagonal(0, -2, -1)) + diag_embed(g_eigenvalues)",
            "matmul(matmul(eigenvectors, core), vh) if has_eigenvectors"
            " else matmul(eigenvectors * g_eigenvalues.unsqueeze(-2), vh)",
        )
    },
    doc=f"""Return the eigenvalues, ascending, and the eigenvectors of a symmetric or Hermitian matrix.

    Args:
        input: (..., n, n).
        UPLO: which triangle is read, "L" (default) or "U".

    Returns:
        eigenvalues: real, (..., n); eigenvectors: in the columns of (..., n, n), each up to its sign or phase. {_BATCH} The
        gradient of the vectors exists where the eigenvalues differ.
    """,
)
_row(
    "_eigvalsh(Tensor input, str UPLO) -> Tensor",
    vjp={
        "input": _lines(
            "found = eigh(input, UPLO)",
            "matmul(found[1] * g.unsqueeze(-2), found[1].mH)",
        )
    },
    where="_C",
    out=False,
    doc="Return the eigenvalues of ``eigh`` alone.",
)
_row(
    "eig(Tensor input) -> (Tensor eigenvalues, Tensor eigenvectors)",
    vjp={
        "input": _lines(
            "vh = eigenvectors.mH",
            "x = matmul(vh, g_eigenvectors)",
            "w = eigenvalues.conj_physical()",
            "gap = w.unsqueeze(-2) - w.unsqueeze(-1) + diag_embed(ones_like(w))",
            # Vectors have length one: what the gradient asks along themselves does not count.
            "y = (x - matmul(vh, eigenvectors) * x.diagonal(0, -2, -1).real.unsqueeze(-2)) / gap",
            "full = y - diag_embed(y.diagonal(0, -2, -1)) + diag_embed(g_eigenvalues)",
            "core = full if has_eigenvectors else diag_embed(g_eigenvalues)",
            "made = solve(vh, matmul(core, vh))",
            "made if input.is_complex() else made.real",
        )
    },
    doc=f"""Return the eigenvalues and the right eigenvectors of a square matrix, both complex.

    Args:
        input: (..., n, n).

    Returns:
        eigenvalues: (..., n), in no particular order; eigenvectors: in the columns of (..., n, n), of length one, each up to
        its phase. {_BATCH} The gradient exists where the eigenvalues differ.
    """,
)
_row(
    "_eigvals(Tensor input) -> Tensor",
    vjp={
        "input": _lines(
            "found = eig(input)",
            "vh = found[1].mH",
            "made = solve(vh, g.unsqueeze(-1) * vh)",
            "made if input.is_complex() else made.real",
        )
    },
    where="_C",
    out=False,
    doc="Return the eigenvalues of ``eig`` alone.",
)

# ---- singular values

_row(
    "svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)",
    vjp={
        "A": _lines(
            "m = A.shape[-2]",
            "n = A.shape[-1]",
            "k = S.shape[-1]",
            "u = U.narrow(-1, 0, k)",
            "vh = Vh.narrow(-2, 0, k)",
            "gu = g_U.narrow(-1, 0, k)",
            "gvh = g_Vh.narrow(-2, 0, k)",
            "x = matmul(u.mH, gu)",
            "y = matmul(vh, gvh.mH)",
            "a = x - x.mH",
            "b = y - y.mH",
            "square = S * S",
            "gap = square.unsqueeze(-2) - square.unsqueeze(-1) + diag_embed(ones_like(S))",
            "turn = a / gap * S.unsqueeze(-2) + b / gap * S.unsqueeze(-1) + diag_embed(g_S)",
            "core = turn + diag_embed(a.diagonal(0, -2, -1) / (S * 2)) if A.is_complex() else turn",
            # What U's and V's gradients ask outside the spaces that their columns span.
            "middle = matmul(matmul(u, core), vh)",
            "tall = middle + matmul((gu - matmul(u, x)) / S.unsqueeze(-2), vh) if m > k else middle",
            "whole = tall + matmul(u / S.unsqueeze(-2), gvh - matmul(y.mH, vh)) if n > k else tall",
            "whole if has_U or has_Vh else matmul(u * g_S.unsqueeze(-2), vh)",
        )
    },
    doc=f"""Return U, S and Vh of the singular value decomposition ``A == U @ diag(S) @ Vh``.

    Args:
        A: (..., m, n).
        full_matrices: U and Vh are square (default); False: only the first min(m, n) columns and rows.
        driver: only None: PyTorch's other values are for CUDA.

    Returns:
        U, S (real, descending) and Vh. {_BATCH} The gradients of U and Vh exist where the singular values differ and, of
        matrices that are not square, are not zero.
    """,
)
_row(
    "_svdvals(Tensor input) -> Tensor",
    vjp={
        "input": _lines(
            "found = svd(input, False)",
            "matmul(found[0] * g.unsqueeze(-2), found[2])",
        )
    },
    where="_C",
    out=False,
    doc="Return the singular values of ``svd`` alone.",
)

# ---- the exponential

op(
    "matrix_exp(Tensor input) -> Tensor",
    vjp={
        "input": _lines(
            "n = input.shape[-1]",
            "h = input.mH",
            # The exponential of [[H, G], [0, H]] has the derivative of exp at H in the direction of G at its top right.
            "top = cat([h, g], -1)",
            "bottom = cat([zeros_like(h), h], -1)",
            "matrix_exp(cat([top, bottom], -2)).narrow(-2, 0, n).narrow(-1, n, n)",
        )
    },
    where="torch Tensor linalg",
    out=False,
    doc=f"""Return the exponential of a square matrix, ``I + A + A @ A / 2 + ...``, by scaling and squaring (Higham, 2005).

    Args:
        input: (..., n, n). float16 and bfloat16 are computed in float32.

    {_BATCH}
    """,
)
