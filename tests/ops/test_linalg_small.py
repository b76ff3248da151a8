"""Small matrices, which kernels of their own compute in the lanes of vectors: sizes around each threshold, batches that do not fill
the lanes, and matrices that are left to LAPACK. Against NumPy and SciPy.
"""

import numpy
import pytest
import scipy.linalg

import taeda
from taeda import linalg

ORDERS = [1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 25, 32, 33]
COUNTS = [1, 3, 8, 11]
DTYPES = [numpy.float32, numpy.float64]
everywhere = [
    pytest.mark.parametrize("dtype", DTYPES),
    pytest.mark.parametrize("count", COUNTS),
    pytest.mark.parametrize("n", ORDERS),
]


def for_all_sizes(function):
    for mark in everywhere:
        function = mark(function)
    return function


def data(shape, dtype=numpy.float64, seed=0):
    return numpy.random.default_rng(seed).normal(size=shape).astype(dtype)


def well(shape, dtype=numpy.float64, seed=0):
    """Far from singular, in an order of rows that asks for exchanges."""
    n = shape[-1]
    return numpy.ascontiguousarray((data(shape, dtype, seed) + 2 * n * numpy.eye(n, dtype=dtype))[..., ::-1, :])


def definite(shape, dtype=numpy.float64, seed=0):
    x = data(shape, dtype, seed)
    return (x @ numpy.swapaxes(x, -1, -2) + shape[-1] * numpy.eye(shape[-1])).astype(dtype)


def tensor(x):
    return taeda.from_numpy(numpy.ascontiguousarray(x))


def near(actual, expected, dtype=numpy.float64, factor=200):
    """Up to rounding, relative to the largest number."""
    expected = numpy.asarray(expected)
    scale = max(1.0, float(numpy.max(numpy.abs(expected), initial=0)))
    numpy.testing.assert_allclose(
        numpy.asarray(actual), expected, rtol=0, atol=factor * scale * float(numpy.finfo(dtype).eps)
    )


def transposed(x):
    return numpy.swapaxes(x, -1, -2)


# ---- LU


@for_all_sizes
def test_lu_and_what_is_made_of_it(n, count, dtype):
    a, b = well((count, n, n), dtype), data((count, n, 3), dtype, 1)
    t, sides = tensor(a), tensor(b)
    factors, pivots = linalg.lu_factor(t)
    for k in range(count):
        expected, rows = scipy.linalg.lu_factor(a[k])
        near(factors[k], expected, dtype)
        numpy.testing.assert_array_equal(pivots[k].numpy(), rows + 1)
    wide = a.astype(numpy.float64)
    near(linalg.inv(t), numpy.linalg.inv(wide), dtype)
    near(linalg.solve(t, sides), numpy.linalg.solve(wide, b), dtype)
    near(linalg.solve(t, sides.mT, left=False), transposed(numpy.linalg.solve(transposed(wide), b)), dtype)
    near(linalg.lu_solve(factors, pivots, sides), numpy.linalg.solve(wide, b), dtype)
    near(linalg.lu_solve(factors, pivots, sides, adjoint=True), numpy.linalg.solve(transposed(wide), b), dtype)
    sign, size = numpy.linalg.slogdet(wide)
    found = linalg.slogdet(t)
    numpy.testing.assert_array_equal(found.sign.numpy(), sign)
    near(found.logabsdet, size, dtype)
    if n <= 9:
        numpy.testing.assert_allclose(
            linalg.det(t).numpy(), numpy.linalg.det(wide), rtol=1e-4 if dtype == numpy.float32 else 1e-11
        )


@pytest.mark.parametrize(("m", "n"), [(3, 5), (5, 3), (8, 2), (9, 16), (16, 9), (32, 17)])
def test_lu_of_matrices_that_are_not_square(m, n):
    a = data((9, m, n))
    p, lower, upper = linalg.lu(tensor(a))
    near(p @ lower @ upper, a)


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_rows_are_exchanged_by_each_matrix_for_itself(n):
    rows = numpy.stack([numpy.random.default_rng(k).permutation(n) for k in range(13)])
    a = numpy.eye(n)[rows] * 3
    t = tensor(a)
    numpy.testing.assert_array_equal(linalg.det(t).numpy(), numpy.round(numpy.linalg.det(a)))
    numpy.testing.assert_array_equal(linalg.inv(t).numpy(), transposed(a) / 9)
    numpy.testing.assert_array_equal((linalg.solve(t, t)).numpy(), numpy.broadcast_to(numpy.eye(n), a.shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [2, 3, 4, 8, 16])
def test_singular_matrices_are_named_and_the_others_are_not_harmed(n, dtype):
    a = well((11, n, n), dtype)
    a[5] = numpy.arange(n * n).reshape(n, n) % 5
    a[5, -1] = a[5, 0] * 2
    a[7] = 0
    t = tensor(a)
    for call in (linalg.inv, lambda t: linalg.solve(t, t)):
        with pytest.raises(linalg.LinAlgError, match=r"\(Batch element 5\)"):
            call(t)
    inverse, info = linalg.inv_ex(t)
    fine = [k for k in range(11) if k not in (5, 7)]
    assert (info.numpy() != 0).tolist() == [k in (5, 7) for k in range(11)] and info[7].item() == 1
    near(inverse[taeda.tensor(fine)], numpy.linalg.inv(a[fine].astype(numpy.float64)), dtype)
    assert inverse[5].isnan().all() and inverse[7].isnan().all()
    assert linalg.det(t)[5].item() == 0 and linalg.det(t)[7].item() == 0
    assert linalg.slogdet(t).logabsdet[5].item() == -numpy.inf and linalg.slogdet(t).sign[5].item() == 0
    factors, _, info = linalg.lu_factor_ex(t)
    assert info[7].item() == 1 and (factors[7] == 0).all()


def test_nan_stays_in_its_own_matrix():
    a = well((9, 4, 4))
    a[2, 1, 1] = numpy.nan
    a[6, 0, 3] = numpy.inf
    others = [0, 1, 3, 4, 5, 7, 8]
    t = tensor(a)
    for result in (linalg.inv(t), linalg.solve(t, t), linalg.lu_factor(t)[0], linalg.det(t), taeda.matrix_exp(t)):
        assert result[2].isnan().any()
        assert result[taeda.tensor(others)].isfinite().all()
    near(linalg.inv(t)[taeda.tensor(others)], numpy.linalg.inv(a[others]))


@pytest.mark.parametrize("n", [3, 8, 16])
def test_strides_are_read_as_they_are(n):
    a = well((2, 6, n, n))
    t = tensor(a)
    for view, expected in (
        (t.mT, transposed(a)),
        (t[:, ::2], a[:, ::2]),
        (t[:, :, :, : n - 1][:, :, : n - 1], a[:, :, : n - 1, : n - 1]),
        (t.flip(-1).transpose(0, 1), numpy.swapaxes(a[..., ::-1], 0, 1)),
        (t[:1].expand(4, 6, n, n), numpy.repeat(a[:1], 4, 0)),
        (t[0, 0].expand(9, n, n), numpy.repeat(a[:1, 0], 9, 0)),
    ):
        b = data((*expected.shape[:-1], 2), seed=3)
        near(linalg.solve(view, tensor(b)), numpy.linalg.solve(expected, b))
        near(linalg.solve(view, tensor(transposed(b)).mT), numpy.linalg.solve(expected, b))
        near(linalg.inv(view), numpy.linalg.inv(expected))
        near(linalg.svdvals(view), numpy.linalg.svd(expected, compute_uv=False))
        q, r = linalg.qr(view)
        near(q @ r, expected)


@pytest.mark.parametrize("n", [2, 4, 9, 16])
def test_batches_that_broadcast(n):
    a, b = well((5, 1, n, n)), data((7, n, 2))
    expected = numpy.linalg.solve(a, b)
    near(linalg.solve(tensor(a), tensor(b)), expected)
    factors, pivots = linalg.lu_factor(tensor(a))
    near(linalg.lu_solve(factors, pivots, tensor(b)), expected)
    near(linalg.solve(tensor(a[0, 0]), tensor(b)), numpy.linalg.solve(a[0, 0], b))
    positive = definite((5, 1, n, n))
    lower = numpy.linalg.cholesky(positive)
    near(taeda.cholesky_solve(tensor(b), tensor(lower)), numpy.linalg.solve(positive, b))
    near(linalg.solve_triangular(tensor(lower), tensor(b), upper=False), numpy.linalg.solve(lower, b))


# ---- Cholesky and triangles


@for_all_sizes
def test_cholesky_and_what_is_made_of_it(n, count, dtype):
    a, b = definite((count, n, n), dtype), data((count, n, 2), dtype, 1)
    wide = a.astype(numpy.float64)
    lower = numpy.linalg.cholesky(wide)
    half = numpy.tril(a) + numpy.triu(numpy.full((n, n), numpy.nan, dtype), 1)  # the other triangle is not read
    near(linalg.cholesky(tensor(half)), lower, dtype)
    near(linalg.cholesky(tensor(transposed(half)), upper=True), transposed(lower), dtype)
    for factor, upper in ((lower, False), (transposed(lower), True)):
        given = tensor(factor.astype(dtype))
        near(taeda.cholesky_solve(tensor(b), given, upper), numpy.linalg.solve(wide, b), dtype)
        near(taeda.cholesky_solve(tensor(b[..., :1]), given, upper), numpy.linalg.solve(wide, b[..., :1]), dtype)
        near(taeda.cholesky_inverse(given, upper), numpy.linalg.inv(wide), dtype)


@pytest.mark.parametrize("n", [2, 4, 8, 16, 40])
def test_minors_that_are_not_positive_are_named(n):
    a = definite((11, n, n))
    a[4, 1, 1] = -1
    a[9] = 0
    factors, info = linalg.cholesky_ex(tensor(a))
    assert info.tolist() == [{4: 2, 9: 1}.get(k, 0) for k in range(11)]
    good = [k for k in range(11) if k not in (4, 9)]
    near(factors[taeda.tensor(good)], numpy.linalg.cholesky(a[good]))
    near(factors[4, 0, 0], numpy.sqrt(a[4, 0, 0]))
    with pytest.raises(linalg.LinAlgError, match=r"\(Batch element 4\).*order 2"):
        linalg.cholesky(tensor(a))


@pytest.mark.parametrize("n", [2, 16, 40])
def test_factors_with_zeros_on_their_diagonal(n):
    lower = numpy.linalg.cholesky(definite((9, n, n)))
    lower[3, 1, 1] = 0
    with pytest.raises(
        linalg.LinAlgError, match=r"cholesky_inverse: \(Batch element 3\): The diagonal element 2 is zero"
    ):
        taeda.cholesky_inverse(tensor(lower))
    assert not linalg.solve_triangular(tensor(lower), tensor(numpy.ones((9, n, 1))), upper=False)[3].isfinite().all()


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 9, 16, 33, 100])
def test_triangles_from_both_sides(n, upper, unit):
    a = well((9, n, n))[:, ::-1] / n
    triangle = numpy.triu(a) if upper else numpy.tril(a)
    if unit:
        triangle = triangle - triangle * numpy.eye(n) + numpy.eye(n)
    for sides in (1, 3):
        b = data((9, n, sides))
        for given in (tensor(a), tensor(transposed(a)).mT):
            x = linalg.solve_triangular(given, tensor(b), upper=upper, unitriangular=unit).numpy()
            numpy.testing.assert_allclose(triangle @ x, b, atol=1e-8 * numpy.abs(x).max())
            x = linalg.solve_triangular(
                given, tensor(transposed(b)), upper=upper, left=False, unitriangular=unit
            ).numpy()
            numpy.testing.assert_allclose(x @ triangle, transposed(b), atol=1e-8 * numpy.abs(x).max())
        x = linalg.solve_triangular(tensor(a[0]), tensor(b[0]), upper=upper, unitriangular=unit).numpy()
        numpy.testing.assert_allclose(triangle[0] @ x, b[0], atol=1e-8 * numpy.abs(x).max())


# ---- QR and least squares


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 2), (3, 3), (4, 4), (5, 3), (3, 5), (8, 8), (16, 9), (9, 16), (32, 4), (33, 3), (17, 17)]
)
def test_qr(shape, count, dtype):
    a = data((count, *shape), dtype)
    for mode in ("reduced", "complete", "r"):
        found = linalg.qr(tensor(a), mode)
        if mode == "r":
            near(found.R, numpy.linalg.qr(a.astype(numpy.float64), "r"), dtype)
            continue
        expected = numpy.linalg.qr(a.astype(numpy.float64), mode)
        near(found.R, expected[1], dtype)
        near(found.Q @ found.R, a, dtype)
        near(
            found.Q.mT @ found.Q,
            numpy.broadcast_to(numpy.eye(found.Q.shape[-1]), (count, *[found.Q.shape[-1]] * 2)),
            dtype,
        )
        numpy.testing.assert_array_equal(numpy.tril(found.R.numpy(), -1), 0)


def test_qr_of_zeros_dependent_columns_and_extreme_numbers():
    a = data((10, 4, 4))
    a[1] = 0
    a[2, :, 2] = a[2, :, 0]
    a[3] *= 1e200
    a[4] *= 1e-200
    a[5] = numpy.eye(4)
    q, r = linalg.qr(tensor(a))
    for k in range(10):
        near((q[k] @ r[k]).numpy() / max(numpy.abs(a[k]).max(), 1e-300), a[k] / max(numpy.abs(a[k]).max(), 1e-300))
        near(q[k].mT @ q[k], numpy.eye(4))
    a[6, 0, 0] = numpy.nan
    found = linalg.qr(tensor(a))
    assert found.R[6].isnan().any() and found.R[7].isfinite().all()


@pytest.mark.parametrize("driver", ["gelsy", "gels", "gelsd", "gelss"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 2), (4, 3), (8, 8), (12, 5), (32, 16), (33, 16), (3, 5), (60, 40)])
@pytest.mark.parametrize("count", [1, 9])
def test_least_squares(shape, count, dtype, driver):
    m, n = shape
    a = data((count, m, n), dtype)
    a[..., :n, :] += 2 * numpy.eye(n, dtype=dtype)[: min(m, n)] if m >= n else 0
    b = data((count, m, 2), dtype, 1)
    found = linalg.lstsq(tensor(a), tensor(b), driver=driver)
    for k in range(count):
        expected, residuals, rank, values = numpy.linalg.lstsq(a[k].astype(numpy.float64), b[k], rcond=None)
        near(found.solution[k], expected, dtype, 2000)
        if driver != "gels":
            assert found.rank[k].item() == rank
        if found.residuals.numel():
            near(found.residuals[k], residuals, dtype, 2000)
        if found.singular_values.numel():
            near(found.singular_values[k], values, dtype)


@pytest.mark.parametrize("dtype", [numpy.float32, numpy.complex64, numpy.complex128])
def test_least_squares_of_larger_matrices(dtype):
    a, b = data((120, 50)), data((120, 3), seed=1)
    if numpy.issubdtype(dtype, numpy.complexfloating):
        a, b = a + 1j * data((120, 50), seed=2), b + 1j * data((120, 3), seed=3)
    found = linalg.lstsq(tensor(a.astype(dtype)), tensor(b.astype(dtype)))
    expected, _, rank, _ = numpy.linalg.lstsq(a, b, rcond=None)
    near(found.solution, expected, dtype, 2000)
    assert found.rank.item() == rank == 50
    narrow = a.copy()
    narrow[:, 1] = narrow[:, 0] * (1 + 1e-9)  # dependent in the eyes of the tolerance that is given, and not exactly
    assert linalg.lstsq(tensor(narrow.astype(dtype)), tensor(b.astype(dtype)), rcond=1e-6).rank.item() == 49


@pytest.mark.parametrize("count", [1, 9, 40])
@pytest.mark.parametrize("shape", [(6, 4), (40, 20)])
def test_least_squares_of_matrices_without_full_rank(shape, count):
    m, n = shape
    a, b = data((count, m, n)), data((count, m, 1), seed=1)
    a[::3, :, 1] = a[::3, :, 0]
    found = linalg.lstsq(tensor(a), tensor(b))
    for k in range(count):
        expected, _, rank, _ = numpy.linalg.lstsq(a[k], b[k], rcond=None)
        assert found.rank[k].item() == rank == n - (k % 3 == 0)
        near(found.solution[k], expected, factor=1e5)


# ---- eigenvalues and singular values


def check_symmetric(a, dtype, lower=True):
    """``a``: what is given; its symmetric completion is what must come back."""
    half = numpy.tril(a) if lower else numpy.triu(a)
    full = (half + transposed(half) - half * numpy.eye(a.shape[-1])).astype(numpy.float64)
    values, vectors = linalg.eigh(tensor(a), "L" if lower else "U")
    near(values, numpy.linalg.eigvalsh(full), dtype)
    near(linalg.eigvalsh(tensor(a), "L" if lower else "U"), values, dtype)
    v = vectors.numpy()
    near(full @ v, v * values.numpy()[..., None, :], dtype)
    near(transposed(v) @ v, numpy.broadcast_to(numpy.eye(a.shape[-1]), a.shape), dtype)
    assert (numpy.diff(values.numpy(), axis=-1) >= 0).all()


@for_all_sizes
def test_symmetric_matrices(n, count, dtype):
    a = data((count, n, n), dtype)  # each triangle is a matrix of its own
    check_symmetric(a, dtype)
    check_symmetric(a, dtype, lower=False)


@pytest.mark.parametrize("n", [63, 64, 65, 100])
@pytest.mark.parametrize("dtype", DTYPES)
def test_symmetric_matrices_of_middle_size(n, dtype):
    check_symmetric(data((2, n, n), dtype), dtype)
    check_symmetric(data((n, n), dtype), dtype, lower=False)


@pytest.mark.parametrize("n", [3, 8, 16, 20, 40])
def test_symmetric_matrices_of_special_kinds(n):
    x = data((n, 1))
    ones = numpy.ones((n, n))
    q = numpy.linalg.qr(data((n, n)))[0]
    repeated = (q * numpy.array([1.0] * (n - 1) + [5.0])) @ q.T
    graded = (q * numpy.logspace(0, -18, n)) @ q.T
    kinds = [
        0 * ones,
        numpy.eye(n),
        ones,
        x @ x.T,
        numpy.diag(numpy.arange(n) + 0.0),
        -ones,
        repeated,
        (graded + graded.T) / 2,
    ]
    kinds.append(numpy.diag(numpy.ones(n - 1), 1) + numpy.diag(numpy.ones(n - 1), -1))
    check_symmetric(numpy.stack(kinds), numpy.float64)
    for kind in kinds:
        check_symmetric(kind, numpy.float64)
    numpy.testing.assert_array_equal(
        linalg.eigvalsh(tensor(numpy.diag(numpy.arange(n)[::-1] + 0.0))).numpy(), numpy.arange(n)
    )


@pytest.mark.parametrize("n", [3, 16, 40])
@pytest.mark.parametrize("scale", [1e250, 1e-250])
def test_numbers_whose_squares_leave_the_range(n, scale):
    a = data((9, n, n))
    a[4] *= scale
    a = a + transposed(a)
    values, vectors = linalg.eigh(tensor(a))
    u, s, vh = linalg.svd(tensor(a))
    for k in (3, 4):
        size = numpy.abs(a[k]).max()
        near(values[k].numpy() / size, numpy.linalg.eigvalsh(a[k] / size))
        near(a[k] / size @ vectors[k].numpy(), vectors[k].numpy() * (values[k].numpy() / size))
        near(s[k].numpy() / size, numpy.linalg.svd(a[k] / size, compute_uv=False))
        near((u[k].numpy() * (s[k].numpy() / size)) @ vh[k].numpy(), a[k] / size)


@pytest.mark.parametrize("n", [3, 16, 40])
def test_numbers_that_are_not_finite(n):
    a = data((9, n, n))
    a = a + transposed(a)
    a[2, 1, 0] = a[2, 0, 1] = numpy.nan
    a[5, 2, 2] = numpy.inf
    values, vectors = linalg.eigh(tensor(a))
    for k in range(9):
        assert values[k].isnan().all().item() == (k in (2, 5)) and vectors[k].isnan().all().item() == (k in (2, 5))
    near(values[3], numpy.linalg.eigvalsh(a[3]))
    for call in (linalg.svd, linalg.svdvals):
        with pytest.raises(linalg.LinAlgError, match=r"linalg.svd: \(Batch element 2\).*non-finite"):
            call(tensor(a))
    with pytest.raises(RuntimeError, match="should not contain infs or NaNs"):
        linalg.eig(tensor(a))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    "shape",
    [(1, 1), (2, 2), (3, 3), (4, 4), (5, 3), (3, 5), (8, 8), (16, 9), (9, 16), (24, 24), (25, 25), (1, 7), (24, 2)],
)
def test_singular_values(shape, count, dtype):
    a = data((count, *shape), dtype)
    expected = numpy.linalg.svd(a.astype(numpy.float64), compute_uv=False)
    near(linalg.svdvals(tensor(a)), expected, dtype)
    for full in (False, True):
        u, s, vh = linalg.svd(tensor(a), full_matrices=full)
        k = s.shape[-1]
        near(s, expected, dtype)
        near((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a, dtype)
        for q in (u, vh.mT):
            near(q.mT @ q, numpy.broadcast_to(numpy.eye(q.shape[-1]), (count, *[q.shape[-1]] * 2)), dtype)


@pytest.mark.parametrize("count", [9, 40])
@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_singular_values_of_matrices_without_full_rank(n, count):
    a = data((count, n, n))
    a[::5, :, 1] = a[::5, :, 0]
    a[3] = 0
    a[4] = 1
    u, s, vh = linalg.svd(tensor(a))
    near(s, numpy.linalg.svd(a, compute_uv=False))
    near(linalg.svdvals(tensor(a)), s)
    near((u * s.unsqueeze(-2)) @ vh, a)
    near(u.mT @ u, numpy.broadcast_to(numpy.eye(n), a.shape))
    near(vh @ vh.mT, numpy.broadcast_to(numpy.eye(n), a.shape))
    assert linalg.matrix_rank(tensor(a)).tolist() == numpy.linalg.matrix_rank(a).tolist()


# ---- eigenvalues of any matrices


def check_general(a, dtype):
    values, vectors = linalg.eig(tensor(a))
    w, v = values.numpy().astype(complex), vectors.numpy().astype(complex)
    scale = numpy.abs(a).max() * a.shape[-1]
    numpy.testing.assert_allclose(a @ v, v * w[..., None, :], atol=100 * scale * float(numpy.finfo(dtype).eps))
    numpy.testing.assert_allclose(numpy.linalg.norm(v, axis=-2), 1, atol=1e-5 if dtype == numpy.float32 else 1e-12)
    near(numpy.sort_complex(linalg.eigvals(tensor(a)).numpy()), numpy.sort_complex(values.numpy()), dtype, 1e4)
    return w


@for_all_sizes
def test_matrices_of_any_kind(n, count, dtype):
    a = data((count, n, n), dtype)
    w = check_general(a, dtype)
    expected = numpy.linalg.eigvals(a.astype(numpy.float64))
    near(w.sum(-1), expected.sum(-1), dtype, 1e3)
    for k in range(count):  # each found one is near an expected one
        assert numpy.abs(w[k][:, None] - expected[k][None]).min(1).max() < (1e-2 if dtype == numpy.float32 else 1e-6)


@pytest.mark.parametrize("n", [2, 3, 4, 8, 20, 64, 65])
def test_matrices_of_special_kinds(n):
    q = numpy.linalg.qr(data((n, n)))[0]
    cycle = numpy.roll(numpy.eye(n), 1, 0)
    upper = numpy.triu(data((n, n)) + 3 * numpy.diag(numpy.arange(n)))
    graded = data((n, n)) * numpy.logspace(0, 6, n)
    for a in (numpy.eye(n), 0 * q, q, cycle, upper, upper.T, numpy.ones((n, n)), data((n, n)).round(), graded):
        check_general(a, numpy.float64)
    check_general(numpy.stack([q, cycle, upper, q - q.T, q + q.T]), numpy.float64)
    triangular = numpy.sort(linalg.eigvals(tensor(upper.T)).real.numpy())
    numpy.testing.assert_array_equal(triangular, numpy.sort(numpy.diag(upper)))


# ---- exponentials and products


def exponential(a):
    """By its series, of a matrix halved twelve times, in the widest type that there is: SciPy's loses digits of matrices like these."""
    a = a.astype(numpy.clongdouble if a.dtype.kind == "c" else numpy.longdouble) / 2**12
    result = term = numpy.eye(len(a), dtype=a.dtype)
    for k in range(1, 14):
        term = term @ a / k
        result = result + term
    for _ in range(12):
        result = result @ result
    return result


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 9, 16, 17])
def test_exponentials(n, count, dtype):
    sizes = numpy.geomspace(1e-4, 30, count)[:, None, None] / n  # each with a number of squarings of its own
    a = (data((count, n, n)) * sizes).astype(dtype)
    found = linalg.matrix_exp(tensor(a)).numpy()
    for k in range(count):
        expected = exponential(a[k])
        near(found[k] / numpy.abs(expected).max(), expected / numpy.abs(expected).max(), dtype, 500)


@pytest.mark.parametrize("size", [1e-3, 0.1, 0.5, 1.5, 3.5, 20.0])
@pytest.mark.parametrize("dtype", [numpy.float32, numpy.float64, numpy.complex64, numpy.complex128])
def test_exponentials_of_every_degree(size, dtype):
    a = data((20, 20))
    a = (a * size / numpy.abs(a).sum(0).max()).astype(dtype)
    expected = exponential(a)
    near(
        linalg.matrix_exp(tensor(a)).numpy() / numpy.abs(expected).max(),
        expected / numpy.abs(expected).max(),
        dtype,
        100,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 7, 8, 9, 30])
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (1, 1, 1),
        (2, 2, 2),
        (3, 3, 3),
        (4, 4, 4),
        (5, 4, 1),
        (1, 5, 7),
        (6, 6, 6),
        (2, 20, 2),
        (7, 8, 1),
        (1, 16, 9),
        (16, 16, 1),
    ],
)
def test_products_of_few_elements(m, k, n, count, dtype):
    a, b, c = data((count, m, k), dtype), data((count, k, n), dtype, 1), data((count, m, n), dtype, 2)
    t, u, v = tensor(a), tensor(b), tensor(c)
    near(t @ u, a @ b, dtype)
    near(tensor(transposed(a)).mT @ tensor(transposed(b)).mT, a @ b, dtype)
    near(t @ u[:1], a @ b[:1], dtype)
    near(taeda.baddbmm(v, t, u, beta=0.5, alpha=-2), 0.5 * c - 2 * (a @ b), dtype)
    near(taeda.baddbmm(v[:, :1, :1], t, u), c[:, :1, :1] + a @ b, dtype)
    nan = taeda.full((count, m, n), numpy.nan, dtype=t.dtype)
    near(taeda.baddbmm(nan, t, u, beta=0), a @ b, dtype)
    near(taeda.bmm(t, u, out=taeda.empty_like(v)), a @ b, dtype)


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("n", [2, 5, 20])
def test_complex_products_with_factors(n, count):
    a, b, c = (data((count, n, n), seed=k) + 1j * data((count, n, n), seed=k + 10) for k in range(3))
    t, u, v = tensor(a), tensor(b), tensor(c)
    near(t @ u, a @ b)
    near(taeda.baddbmm(v, t, u, beta=0.5 + 1j, alpha=-2j), (0.5 + 1j) * c - 2j * (a @ b))
    near(taeda.baddbmm(v.mT, t, u), transposed(c) + a @ b)
    near(taeda.baddbmm(v[:1, :1], t.mH, u, alpha=3), c[:1, :1] + 3 * (numpy.conj(transposed(a)) @ b))


def test_the_number_of_threads_changes_nothing():
    a, symmetric = data((1003, 6, 6)), definite((1003, 6, 6))
    t, s = tensor(a), tensor(symmetric)
    calls = [
        lambda: linalg.inv(t),
        lambda: linalg.det(t),
        lambda: linalg.cholesky(s),
        lambda: linalg.eigh(s)[1],
        lambda: linalg.svd(t)[0],
        lambda: linalg.eig(t)[1],
        lambda: linalg.qr(t)[0],
        lambda: linalg.lstsq(t, s).solution,
        lambda: linalg.matrix_exp(t),
        lambda: t @ s,
    ]
    before = taeda.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            taeda.set_num_threads(threads)
            found.append([call() for call in calls])
    finally:
        taeda.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        assert taeda.equal(one, two)
