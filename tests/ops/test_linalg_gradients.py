"""Gradients of both orders of the factorizations, against finite differences."""

import numpy
import pytest

import taeda
from taeda import linalg
from taeda.testing import gradcheck, gradgradcheck

REAL, COMPLEX = numpy.float64, numpy.complex128
both = pytest.mark.parametrize("dtype", [REAL, COMPLEX])


def leaf(shape, dtype=REAL, seed=0):
    generator = numpy.random.default_rng(seed)
    x = generator.normal(size=shape)
    if dtype is COMPLEX:
        x = x + 1j * generator.normal(size=shape)
    return taeda.from_numpy(x.astype(dtype)).requires_grad_()


def check(function, *inputs):
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def away(x):
    """Far from singular."""
    return x + 3 * taeda.eye(x.shape[-1], dtype=x.dtype)


def definite(x):
    return x @ x.mH + taeda.eye(x.shape[-1], dtype=x.dtype)


@both
def test_solutions_and_inverses(dtype):
    a, b, v = leaf((2, 3, 3), dtype), leaf((1, 3, 2), dtype, 1), leaf((2, 3), dtype, 2)
    check(lambda a, b: linalg.solve(away(a), b), a, b)
    check(lambda a, v: linalg.solve(away(a), v), a, v)
    check(lambda a, b: linalg.solve(away(a), b.mT, left=False), a, b)
    check(lambda a: linalg.inv(away(a)), a)
    check(lambda a: taeda.inverse(away(a)), a)
    check(lambda a: linalg.matrix_power(away(a), -2), a)
    check(lambda a, b: linalg.solve_ex(away(a), b).result, a, b)


@both
def test_determinants(dtype):
    a = leaf((2, 3, 3), dtype)
    check(lambda a: linalg.det(a), a)
    check(lambda a: linalg.slogdet(away(a)).logabsdet, a)
    check(lambda a: taeda.logdet(definite(a)).real if dtype is COMPLEX else taeda.logdet(definite(a)), a)
    if dtype is COMPLEX:
        check(lambda a: linalg.slogdet(away(a)).sign, a)


def test_the_determinant_of_a_singular_matrix_has_a_gradient():
    x = taeda.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]], dtype=taeda.float64, requires_grad=True)
    assert gradcheck(linalg.det, (x,))
    (grad,) = taeda.autograd.grad(linalg.det(taeda.zeros(2, 2, requires_grad=True)), [x], allow_unused=True)
    assert grad is None


@both
@pytest.mark.parametrize("upper", [True, False])
def test_inverses_from_factors(dtype, upper):
    a = leaf((2, 3, 3), dtype)
    # The diagonal of a factor is real.
    triangle = (lambda a: a.triu(1)) if upper else (lambda a: a.tril(-1))
    check(lambda a: taeda.cholesky_inverse(triangle(a) + 3 * taeda.eye(3, dtype=a.dtype), upper), a)


@both
@pytest.mark.parametrize("upper", [True, False])
def test_cholesky_and_triangles(dtype, upper):
    a, b = leaf((2, 3, 3), dtype), leaf((2, 3, 2), dtype, 1)
    check(lambda a: linalg.cholesky(definite(a), upper=upper), a)
    check(lambda a, b: linalg.solve_triangular(away(a), b, upper=upper), a, b)
    check(lambda a, b: linalg.solve_triangular(away(a), b.mT, upper=upper, left=False, unitriangular=True), a, b)
    check(lambda a, b: taeda.cholesky_solve(b, linalg.cholesky(definite(a), upper=upper), upper), a, b)
    # Of the factor itself, whose other triangle is not read; batches broadcast.
    check(lambda a, b: taeda.cholesky_solve(b, away(a), upper), a, leaf((1, 3, 2), dtype, 1))
    check(lambda a, b: taeda.cholesky_solve(b, away(a), upper), leaf((3, 3), dtype), b)


@both
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_lu_of_square_tall_and_wide_matrices(dtype, shape):
    a = leaf(shape, dtype)
    check(lambda a: linalg.lu(a)[1:], a)
    check(lambda a: linalg.lu_factor(a).LU, a)


@both
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_lu_solve(dtype, left, adjoint):
    a, b = leaf((2, 3, 3), dtype), leaf((3, 3), dtype, 1)

    def solve(a, b):
        factors, pivots = linalg.lu_factor(a)
        return linalg.lu_solve(factors, pivots, b, left=left, adjoint=adjoint)

    check(solve, a, b)


@both
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_qr_of_square_tall_and_wide_matrices(dtype, shape):
    check(lambda a: tuple(linalg.qr(a)), leaf(shape, dtype))


def test_qr_says_where_it_has_no_gradient():
    a = leaf((4, 2))
    with pytest.raises(RuntimeError, match="not differentiable when mode='complete' and nrows > ncols"):
        linalg.qr(a, "complete").R.sum().backward()
    with pytest.raises(RuntimeError, match="depends on Q, which is not computed when mode='r'"):
        linalg.qr(a, "r").R.sum().backward()


@both
def test_reflections(dtype):
    a, tau, other = leaf((4, 3), dtype), leaf((3,), dtype, 1), leaf((4, 2), dtype, 2)
    check(linalg.householder_product, a, tau)
    check(lambda a, tau, other: taeda.ormqr(a, tau, other, True, True), a, tau, other)


@both
def test_symmetric_eigenvalues_and_vectors(dtype):
    a = leaf((2, 3, 3), dtype)
    check(lambda a: linalg.eigvalsh(a + a.mH), a)
    check(lambda a: linalg.eigh(a + a.mH).eigenvectors.abs(), a)


@both
def test_eigenvalues_and_vectors(dtype):
    a = leaf((3, 3), dtype)
    check(lambda a: linalg.eigvals(a).abs(), a)
    check(lambda a: linalg.eig(a).eigenvectors.abs(), a)


@both
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_singular_values_and_vectors(dtype, shape):
    a = leaf(shape, dtype)
    check(linalg.svdvals, a)

    def invariant(a):
        u, s, vh = linalg.svd(a, full_matrices=False)
        return s, u.abs(), u @ vh

    check(invariant, a)


def test_equal_singular_values_and_eigenvalues_have_a_gradient_of_their_own():
    x = taeda.eye(3, dtype=taeda.float64, requires_grad=True)
    for values in (linalg.svdvals(x), linalg.svd(x).S, linalg.eigvalsh(x), linalg.eigh(x).eigenvalues):
        (grad,) = taeda.autograd.grad(values.sum(), x)
        numpy.testing.assert_allclose(grad.numpy(), numpy.eye(3), atol=1e-12)


@both
@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3)])
def test_pseudoinverses_and_least_squares(dtype, shape):
    a, b = leaf(shape, dtype), leaf((shape[0], 2), dtype, 1)
    check(linalg.pinv, a)
    check(lambda a, b: linalg.lstsq(a, b).solution, a, b)
    if shape[0] > shape[1]:
        check(lambda a, b: linalg.lstsq(a, b, driver="gelsd").residuals, a, b)


@both
def test_pseudoinverses_of_matrices_that_keep_their_rank(dtype):
    a, b = leaf((4, 2), dtype), leaf((2, 3), dtype, 1)
    check(lambda a, b: linalg.pinv(a @ b), a, b)
    check(lambda a: linalg.pinv(a @ a.mH, hermitian=True), a)


@both
def test_the_exponential(dtype):
    check(linalg.matrix_exp, leaf((2, 3, 3), dtype))


@both
def test_ldl_solve(dtype):
    a, b = leaf((3, 3), dtype), leaf((3, 2), dtype, 1)
    for hermitian in (False, True):
        matrix = (a + (a.mH if hermitian else a.mT)).detach()
        packed, pivots = linalg.ldl_factor(matrix, hermitian=hermitian)
        check(lambda b, p=packed, q=pivots, h=hermitian: linalg.ldl_solve(p, q, b, hermitian=h), b)


@both
def test_norms_and_condition_numbers(dtype):
    a = leaf((2, 3, 3), dtype)
    for order in ("fro", "nuc", 2, -2, 1, -1, float("inf"), -float("inf")):
        check(lambda a, order=order: linalg.matrix_norm(a, order), a)
    for order in (None, "fro", "nuc", 1, -2):
        check(lambda a, order=order: linalg.cond(a, order), a)
