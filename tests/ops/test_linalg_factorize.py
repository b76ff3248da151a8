"""Factorizations and what follows from them, against NumPy and SciPy, in four dtypes."""

import numpy
import pytest
import scipy.linalg

import taeda
from taeda import linalg

DTYPES = [numpy.float32, numpy.float64, numpy.complex64, numpy.complex128]
BATCHES = [(), (3,), (2, 1), (0,)]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def close(dtype):
    return {"rtol": 2e-3, "atol": 2e-4} if numpy.finfo(dtype).eps > 1e-10 else {"rtol": 1e-8, "atol": 1e-10}


def data(shape, dtype=numpy.float64, seed=0):
    generator = numpy.random.default_rng(seed)
    x = generator.normal(size=shape)
    if numpy.issubdtype(dtype, numpy.complexfloating):
        x = x + 1j * generator.normal(size=shape)
    return x.astype(dtype)


def well(shape, dtype=numpy.float64, seed=0):
    """Square matrices far from singular."""
    n = shape[-1]
    return data(shape, dtype, seed) + (2 * n * numpy.eye(n)).astype(dtype)


def definite(shape, dtype=numpy.float64, seed=0):
    x = data(shape, dtype, seed)
    return x @ numpy.conj(numpy.swapaxes(x, -1, -2)) + numpy.eye(shape[-1], dtype=dtype)


def check(actual, expected, dtype):
    numpy.testing.assert_allclose(actual.numpy(), expected, **close(dtype))


def tensor(x):
    return taeda.from_numpy(x)


# ---- solutions, inverses, determinants


@every_dtype
@pytest.mark.parametrize("batch", BATCHES)
def test_inverses_determinants_and_solutions_equal_numpys(dtype, batch):
    a, b = well((*batch, 4, 4), dtype), data((*batch, 4, 2), dtype, 1)
    t, u = tensor(a), tensor(b)
    check(linalg.inv(t), numpy.linalg.inv(a), dtype)
    check(t.inverse(), numpy.linalg.inv(a), dtype)
    check(linalg.det(t), numpy.linalg.det(a), dtype)
    sign, magnitude = numpy.linalg.slogdet(a)
    check(t.slogdet().sign, sign, dtype)
    check(linalg.slogdet(t).logabsdet, magnitude, dtype)
    check(linalg.solve(t, u), numpy.linalg.solve(a, b), dtype)
    check(linalg.solve(t, u.mT, left=False) @ t, numpy.swapaxes(b, -1, -2), dtype)


@every_dtype
def test_strided_and_reversed_matrices_are_read_as_they_are(dtype):
    a = well((6, 8, 8), dtype)
    t = tensor(a)
    for view, expected in (
        (t.mT, numpy.swapaxes(a, -1, -2)),
        (t[::2, ::-1], a[::2, ::-1]),
        (t[:, ::2, ::2], a[:, ::2, ::2]),
        (t[:1].expand(3, 8, 8), numpy.repeat(a[:1], 3, 0)),
    ):
        check(linalg.inv(view), numpy.linalg.inv(expected), dtype)
        check(linalg.det(view), numpy.linalg.det(expected), dtype)
        check(linalg.svdvals(view), numpy.linalg.svd(expected, compute_uv=False), dtype)


def test_vectors_batches_that_broadcast_and_empty_matrices():
    a, b = well((2, 3, 3)), data((2, 3))
    check(linalg.solve(tensor(a), tensor(b)), numpy.linalg.solve(a, b[..., None])[..., 0], numpy.float64)
    check(linalg.solve(tensor(a), tensor(b[0])), numpy.linalg.solve(a, b[0][:, None])[..., 0], numpy.float64)
    wide = data((5, 1, 3, 2))
    check(linalg.solve(tensor(a), tensor(wide)), numpy.linalg.solve(a, wide), numpy.float64)
    none = taeda.zeros(0, 0)
    assert linalg.det(none).item() == 1 and linalg.inv(none).shape == (0, 0)
    assert linalg.solve(taeda.zeros(2, 0, 0), taeda.zeros(2, 0, 3)).shape == (2, 0, 3)
    assert linalg.eigh(none).eigenvalues.shape == (0,) and linalg.slogdet(none).logabsdet.item() == 0
    assert linalg.svd(taeda.zeros(3, 0)).U.tolist() == numpy.eye(3).tolist()
    assert linalg.qr(taeda.zeros(3, 0), "complete").Q.tolist() == numpy.eye(3).tolist()


def test_meta_tensors_have_the_shapes():
    a = taeda.empty(2, 4, 3, device="meta")
    assert [t.shape for t in linalg.svd(a)] == [(2, 4, 4), (2, 3), (2, 3, 3)]
    assert [t.shape for t in linalg.qr(a)] == [(2, 4, 3), (2, 3, 3)]
    square = taeda.empty(2, 4, 4, device="meta", dtype=taeda.complex64)
    assert linalg.eigh(square).eigenvalues.dtype == taeda.float32
    assert linalg.solve(square, taeda.empty(4, 5, device="meta", dtype=taeda.complex64)).shape == (2, 4, 5)


@pytest.mark.parametrize("n", [130, 300])
def test_large_matrices_take_the_blocked_routines(n):
    a = well((n, n))
    check(linalg.inv(tensor(a)), numpy.linalg.inv(a), numpy.float64)
    symmetric = a + a.T
    check(linalg.eigvalsh(tensor(symmetric)), numpy.linalg.eigvalsh(symmetric), numpy.float64)


# ---- LU


@every_dtype
@pytest.mark.parametrize("shape", [(4, 4), (3, 5, 3), (2, 3, 5), (0, 3), (3, 0), (0, 4, 4)])
def test_the_factors_of_lu_multiply_to_the_matrix(dtype, shape):
    a = data(shape, dtype)
    p, lower, upper = linalg.lu(tensor(a))
    check(p @ lower @ upper, a, dtype)
    k = min(shape[-2:])
    assert lower.shape[-1] == k and upper.shape[-2] == k
    numpy.testing.assert_array_equal(numpy.triu(lower.numpy(), 1), 0)
    numpy.testing.assert_array_equal(numpy.tril(upper.numpy(), -1), 0)
    if a.size and a.ndim == 2:
        expected, pivots = scipy.linalg.lu_factor(a)
        check(linalg.lu_factor(tensor(a)).LU, expected, dtype)
        numpy.testing.assert_array_equal(linalg.lu_factor(tensor(a)).pivots.numpy(), pivots + 1)


@every_dtype
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_lu_solve_on_both_sides_and_with_the_adjoint(dtype, left, adjoint):
    a, b = well((3, 4, 4), dtype), data((3, 4, 4), dtype, 1)
    x = linalg.lu_solve(*linalg.lu_factor(tensor(a)), tensor(b), left=left, adjoint=adjoint).numpy()
    matrix = numpy.conj(numpy.swapaxes(a, -1, -2)) if adjoint else a
    numpy.testing.assert_allclose(matrix @ x if left else x @ matrix, b, **close(dtype))


def test_the_older_names_of_lu():
    a, b = tensor(well((3, 3))), tensor(data((3, 2)))
    factors, pivots, info = taeda.lu(a, get_infos=True)
    assert info.item() == 0 and len(a.lu()) == 2
    check(b.lu_solve(factors, pivots), numpy.linalg.solve(a.numpy(), b.numpy()), numpy.float64)
    p, lower, upper = taeda.lu_unpack(factors, pivots, unpack_data=False)
    assert lower.numel() == 0 and upper.numel() == 0 and p.shape == (3, 3)


# ---- Cholesky, LDL, triangles


@every_dtype
@pytest.mark.parametrize("batch", BATCHES)
def test_cholesky_and_the_solutions_from_its_factor(dtype, batch):
    a, b = definite((*batch, 4, 4), dtype), data((*batch, 4, 2), dtype, 1)
    t, u = tensor(a), tensor(b)
    lower = linalg.cholesky(t)
    check(lower, numpy.linalg.cholesky(a), dtype)
    check(taeda.cholesky(t, upper=True), numpy.conj(numpy.swapaxes(numpy.linalg.cholesky(a), -1, -2)), dtype)
    for upper in (False, True):
        factor = t.cholesky(upper)
        check(taeda.cholesky_solve(u, factor, upper), numpy.linalg.solve(a, b), dtype)
        check(taeda.cholesky_inverse(factor, upper), numpy.linalg.inv(a), dtype)


@every_dtype
@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("unitriangular", [True, False])
def test_triangular_systems_in_any_layout(dtype, upper, left, unitriangular):
    a, b = well((2, 4, 4), dtype), data((3, 1, 4, 4), dtype, 1)
    triangle = numpy.triu(a) if upper else numpy.tril(a)
    if unitriangular:
        triangle[:, range(4), range(4)] = 1
    for view in (tensor(a), tensor(numpy.swapaxes(a, -1, -2).copy()).mT):
        x = linalg.solve_triangular(view, tensor(b), upper=upper, left=left, unitriangular=unitriangular).numpy()
        numpy.testing.assert_allclose(
            triangle @ x if left else x @ triangle, numpy.broadcast_to(b, x.shape), **close(dtype)
        )


def test_triangular_solve_returns_the_matrix_too():
    a, b = numpy.triu(well((3, 3))), data((3, 2))
    solution, copy = taeda.triangular_solve(tensor(b), tensor(a), transpose=True)
    check(solution, numpy.linalg.solve(a.T, b), numpy.float64)
    numpy.testing.assert_array_equal(copy.numpy(), a)


@every_dtype
@pytest.mark.parametrize("hermitian", [True, False])
def test_ldl_factors_solve_indefinite_systems(dtype, hermitian):
    x = data((3, 5, 5), dtype)
    turned = numpy.swapaxes(x, -1, -2)
    a, b = x + (numpy.conj(turned) if hermitian else turned), data((3, 5, 2), dtype, 1)
    packed, pivots = linalg.ldl_factor(tensor(a), hermitian=hermitian)
    check(linalg.ldl_solve(packed, pivots, tensor(b), hermitian=hermitian), numpy.linalg.solve(a, b), dtype)
    assert linalg.ldl_factor_ex(tensor(a), hermitian=hermitian).info.tolist() == [0, 0, 0]


# ---- QR and reflections


@every_dtype
@pytest.mark.parametrize("shape", [(4, 4), (3, 5, 3), (2, 3, 5), (0, 3), (0, 5, 3)])
def test_q_is_orthonormal_and_r_triangular(dtype, shape):
    a = data(shape, dtype)
    for mode in ("reduced", "complete"):
        q, r = linalg.qr(tensor(a), mode)
        check(q @ r, a, dtype)
        check(q.mH @ q, numpy.broadcast_to(numpy.eye(q.shape[-1]), (*shape[:-2], q.shape[-1], q.shape[-1])), dtype)
        numpy.testing.assert_array_equal(numpy.tril(r.numpy(), -1), 0)
    only = linalg.qr(tensor(a), "r")
    assert only.Q.shape == (0,)
    check(only.R, linalg.qr(tensor(a)).R.numpy(), dtype)


@every_dtype
def test_reflections_multiply_out_and_apply(dtype):
    a = data((2, 5, 3), dtype)
    packed, tau = taeda.geqrf(tensor(a))
    q = linalg.householder_product(packed, tau)
    check(q @ packed[..., :3, :].triu(), a, dtype)
    check(taeda.orgqr(packed, tau), q.numpy(), dtype)
    whole = linalg.qr(tensor(a), "complete").Q
    for left, transpose in ((True, False), (True, True), (False, False), (False, True)):
        other = tensor(data((2, 5, 2) if left else (2, 2, 5), dtype, 1))
        matrix = whole.mH if transpose else whole
        expected = matrix @ other if left else other @ matrix
        check(taeda.ormqr(packed, tau, other, left, transpose), expected.numpy(), dtype)


# ---- least squares, ranks, pseudoinverses


@every_dtype
@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd", "gelss"])
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 5, 3)])
def test_least_squares_by_every_driver(dtype, driver, shape):
    a, b = data(shape, dtype), data((*shape[:-1], 2), dtype, 1)
    found = linalg.lstsq(tensor(a), tensor(b), driver=driver)
    expected = numpy.linalg.pinv(a) @ b
    check(found.solution, expected, dtype)
    if driver != "gels":
        numpy.testing.assert_array_equal(found.rank.numpy(), 3)
    if driver in ("gelsd", "gelss"):
        check(found.singular_values, numpy.linalg.svd(a, compute_uv=False), dtype)
    if shape[-2] > shape[-1] and driver != "gelsy":
        check(found.residuals, (abs(a @ expected - b) ** 2).sum(-2), dtype)
    else:
        assert found.residuals.numel() == 0


def test_least_squares_of_vectors_and_deficient_matrices():
    a = data((4, 1)) @ data((1, 3), seed=1)
    found = linalg.lstsq(tensor(a), tensor(data((4,))))
    assert found.rank.item() == 1
    check(found.solution, numpy.linalg.pinv(a) @ data((4,)), numpy.float64)


@every_dtype
def test_ranks_and_pseudoinverses(dtype):
    a = data((2, 5, 2), dtype) @ data((2, 2, 4), dtype, 1)
    numpy.testing.assert_array_equal(linalg.matrix_rank(tensor(a)).numpy(), [2, 2])
    check(linalg.pinv(tensor(a)), numpy.linalg.pinv(a, rcond=1e-5), dtype)
    symmetric = a @ numpy.conj(numpy.swapaxes(a, -1, -2))
    numpy.testing.assert_array_equal(linalg.matrix_rank(tensor(symmetric), hermitian=True).numpy(), [2, 2])
    check(linalg.pinv(tensor(symmetric), rtol=1e-4, hermitian=True), numpy.linalg.pinv(symmetric, rcond=1e-4), dtype)
    assert linalg.pinv(taeda.zeros(2, 0, 3)).shape == (2, 3, 0)


def test_tolerances_are_absolute_relative_or_both():
    t = taeda.tensor([[4.0, 0, 0], [0, 1.0, 0], [0, 0, 0.1]], dtype=taeda.float64)
    assert linalg.matrix_rank(t, atol=0.5).item() == 2
    assert linalg.matrix_rank(t, rtol=0.5).item() == 1
    assert linalg.matrix_rank(t, atol=2.0, rtol=0.01).item() == 1
    assert linalg.matrix_rank(t, 0.05).item() == 3
    batch = taeda.stack([t, t])
    assert linalg.matrix_rank(batch, atol=taeda.tensor([0.5, 2.0], dtype=taeda.float64)).tolist() == [2, 1]


# ---- errors


def test_singular_matrices_raise_with_pytorchs_words():
    singular = taeda.tensor([[1.0, 2.0], [2.0, 4.0]])
    batch = taeda.stack([taeda.eye(2), taeda.zeros(2, 2)])
    assert issubclass(linalg.LinAlgError, RuntimeError)
    for call, text in (
        (
            lambda: linalg.inv(singular),
            r"linalg.inv: The diagonal element 2 is zero, the inversion could not be completed",
        ),
        (lambda: linalg.inv(batch), r"linalg.inv: \(Batch element 1\): The diagonal element 1 is zero"),
        (lambda: linalg.solve(singular, taeda.ones(2)), "The solver failed because the input matrix is singular"),
        (
            lambda: linalg.cholesky(-batch),
            r"\(Batch element 0\): .*the leading minor of order 1 is not positive-definite",
        ),
        (
            lambda: linalg.lu_factor(singular),
            r"U\[2,2\] is zero and using it on lu_solve would result in a division by zero",
        ),
        (lambda: linalg.svd(singular * float("nan")), "input matrix contained non-finite values"),
        (lambda: linalg.matrix_power(singular, -1), "the input matrix is singular"),
    ):
        with pytest.raises(linalg.LinAlgError, match=text):
            call()


def test_the_ex_forms_tell_by_a_number():
    singular = taeda.tensor([[1.0, 2.0], [2.0, 4.0]])
    assert linalg.inv_ex(singular).info.item() == 2
    assert linalg.inv_ex(singular).info.dtype == taeda.int32
    assert linalg.solve_ex(singular, taeda.ones(2)).info.item() == 2
    assert linalg.cholesky_ex(-singular).info.item() == 1
    assert linalg.lu_factor_ex(singular).info.item() == 2
    with pytest.raises(linalg.LinAlgError):
        linalg.inv_ex(singular, check_errors=True)


def test_wrong_arguments_raise_with_pytorchs_words():
    for call, kind, text in (
        (
            lambda: linalg.inv(taeda.ones(2, 3)),
            RuntimeError,
            "A must be batches of square matrices, but they are 2 by 3 matrices",
        ),
        (lambda: linalg.inv(taeda.ones(3)), RuntimeError, "The input tensor A must have at least 2 dimensions."),
        (
            lambda: linalg.inv(taeda.ones(2, 2, dtype=taeda.int64)),
            RuntimeError,
            "Expected a floating point or complex tensor",
        ),
        (
            lambda: linalg.inv(taeda.ones(2, 2, dtype=taeda.float16)),
            RuntimeError,
            "Low precision dtypes not supported. Got Half",
        ),
        (
            lambda: linalg.solve(taeda.eye(2), taeda.ones(3, 2)),
            RuntimeError,
            r"for the equation AX = B \(2x2 and 3x2\)",
        ),
        (
            lambda: linalg.solve(taeda.eye(2), taeda.ones(2).double()),
            RuntimeError,
            "Expected A and B to have the same dtype",
        ),
        (
            lambda: linalg.lu(taeda.eye(2), pivot=False),
            RuntimeError,
            "LU without pivoting is not implemented on the CPU",
        ),
        (lambda: linalg.eigh(taeda.eye(2), "X"), RuntimeError, "Expected UPLO argument to be 'L' or 'U', but got X"),
        (lambda: linalg.qr(taeda.eye(2), "x"), RuntimeError, "qr received unrecognized mode 'x'"),
        (lambda: linalg.eig(taeda.eye(2) * float("inf")), RuntimeError, "input tensor should not contain infs or NaNs"),
        (lambda: linalg.svd(taeda.eye(2), driver="gesvd"), RuntimeError, "only supported on CUDA inputs"),
        (
            lambda: linalg.lstsq(taeda.eye(2), taeda.eye(2), driver="x"),
            RuntimeError,
            "parameter `driver` should be one of",
        ),
        (lambda: linalg.tensorinv(taeda.ones(2, 3)), RuntimeError, "Expected self to satisfy the requirement"),
        (
            lambda: taeda.cholesky(taeda.eye(2).half()),
            NotImplementedError,
            "\"cholesky_cpu\" not implemented for 'Half'",
        ),
    ):
        with pytest.raises(kind, match=text):
            call()


# ---- out=


def test_results_can_be_written_to_given_tensors():
    a = tensor(well((3, 3)))
    out = taeda.empty(3, 3, dtype=taeda.float64)
    assert linalg.inv(a, out=out) is out
    check(out, numpy.linalg.inv(a.numpy()), numpy.float64)
    values, vectors = taeda.empty(0, dtype=taeda.float64), taeda.empty(0, dtype=taeda.float64)
    linalg.eigh(a + a.mT, out=(values, vectors))
    check(values, numpy.linalg.eigvalsh(a.numpy() + a.numpy().T), numpy.float64)
