"""Norms, distances, differences, integrals, covariances and quantiles against NumPy and SciPy."""

import numpy
import pytest
import scipy.spatial.distance

import taeda
from taeda.autograd import gradcheck

INF = float("inf")


def data(*shape, seed=0):
    return numpy.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("order", [0, 1, 2, 3.5, INF, -INF])
def test_norm_and_dist_equal_numpys(order):
    x, y = data(7), data(7, seed=1)
    t, u = taeda.from_numpy(x), taeda.from_numpy(y)
    numpy.testing.assert_allclose(t.norm(order).item(), numpy.linalg.norm(x, order), rtol=1e-12)
    numpy.testing.assert_allclose(taeda.dist(t, u, order).item(), numpy.linalg.norm(x - y, order), rtol=1e-12)


def test_norm_over_dimensions_and_its_errors():
    x = data(3, 4, 5)
    expected = numpy.sqrt((x**2).sum((0, 2), keepdims=True))
    numpy.testing.assert_allclose(
        taeda.norm(taeda.from_numpy(x), dim=(0, 2), keepdim=True).numpy(), expected, rtol=1e-12
    )
    with pytest.raises(RuntimeError, match="Order frob not supported"):
        taeda.norm(taeda.ones(3, 3), "frob")
    matrix = data(3, 4)
    singular = numpy.linalg.svd(matrix, compute_uv=False)
    numpy.testing.assert_allclose(taeda.norm(taeda.from_numpy(matrix), "nuc").item(), singular.sum(), rtol=1e-12)


@pytest.mark.parametrize("order, name", [(1.0, "cityblock"), (2.0, "euclidean"), (INF, "chebyshev")])
def test_cdist_equals_scipys(order, name):
    x, y = data(5, 3), data(4, 3, seed=1)
    got = taeda.cdist(taeda.from_numpy(x), taeda.from_numpy(y), order).numpy()
    numpy.testing.assert_allclose(got, scipy.spatial.distance.cdist(x, y, name), rtol=1e-12)
    assert taeda.cdist(taeda.ones(2, 0), taeda.ones(3, 0)).tolist() == [[0.0] * 3] * 2
    with pytest.raises(RuntimeError, match="same number of columns"):
        taeda.cdist(taeda.ones(2, 3), taeda.ones(2, 4))


@pytest.mark.parametrize("n", [0, 1, 2, 9])
@pytest.mark.parametrize("dim", [0, 1])
def test_diff_equals_numpys(n, dim):
    x = data(4, 5)
    numpy.testing.assert_array_equal(
        taeda.diff(taeda.from_numpy(x), n, dim).numpy(), numpy.diff(x, min(n, x.shape[dim]), dim)
    )


def test_diff_of_bools_and_with_ends():
    assert taeda.tensor([True, False, False]).diff().tolist() == [True, False]
    ends = taeda.tensor([1, 4]).diff(prepend=taeda.tensor([0]), append=taeda.tensor([9]))
    assert ends.tolist() == [1, 3, 5]


def test_integrals_by_the_trapezoidal_rule():
    y, x = data(3, 6), numpy.sort(data(6))
    t = taeda.from_numpy(y)
    numpy.testing.assert_allclose(taeda.trapezoid(t, taeda.from_numpy(x)).numpy(), numpy.trapezoid(y, x), rtol=1e-12)
    numpy.testing.assert_allclose(taeda.trapz(t, dx=0.5, dim=0).numpy(), numpy.trapezoid(y, dx=0.5, axis=0), rtol=1e-12)
    numpy.testing.assert_allclose(taeda.cumulative_trapezoid(t)[:, -1].numpy(), numpy.trapezoid(y), rtol=1e-12)


def test_covariance_and_correlation_equal_numpys():
    x = data(3, 8)
    t = taeda.from_numpy(x)
    counts, weights = numpy.array([1, 2, 1, 3, 1, 1, 2, 1]), numpy.abs(data(8, seed=2))
    numpy.testing.assert_allclose(t.cov().numpy(), numpy.cov(x), rtol=1e-12)
    got = t.cov(correction=0, fweights=taeda.from_numpy(counts), aweights=taeda.from_numpy(weights)).numpy()
    numpy.testing.assert_allclose(got, numpy.cov(x, ddof=0, fweights=counts, aweights=weights), rtol=1e-12)
    numpy.testing.assert_allclose(t.corrcoef().numpy(), numpy.corrcoef(x), rtol=1e-12)


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint"])
def test_quantiles_equal_numpys(method):
    x = data(4, 9)
    levels = numpy.array([0.0, 0.3, 0.5, 1.0])
    t, q = taeda.from_numpy(x), taeda.from_numpy(levels)
    numpy.testing.assert_allclose(
        t.quantile(q, 1, interpolation=method).numpy(), numpy.quantile(x, levels, 1, method=method), rtol=1e-12
    )
    x[1, 2] = numpy.nan
    got = t.nanquantile(q, 1, keepdim=True, interpolation=method).numpy()
    numpy.testing.assert_allclose(got, numpy.nanquantile(x, levels, 1, method=method, keepdims=True), rtol=1e-12)
    assert t.quantile(0.5, 1).isnan().tolist() == [False, True, False, False]


def test_cross_products_equal_numpys():
    x, y = data(4, 3), data(4, 3, seed=1)
    t, u = taeda.from_numpy(x), taeda.from_numpy(y)
    numpy.testing.assert_allclose(taeda.linalg.cross(t, u).numpy(), numpy.cross(x, y), rtol=1e-12)
    numpy.testing.assert_allclose(t.T.cross(u.T).numpy(), numpy.cross(x, y).T, rtol=1e-12)
    with pytest.raises(RuntimeError, match="no dimension of size 3"):
        taeda.cross(taeda.ones(2), taeda.ones(2))


def test_gradients():
    x = taeda.from_numpy(data(3, 5)).requires_grad_()
    y = taeda.from_numpy(data(4, 5, seed=1)).requires_grad_()
    assert gradcheck(taeda.cdist, (x, y))
    assert gradcheck(lambda t: t.quantile(0.3, 1), (x,))
    assert gradcheck(lambda t: t.cov(), (x,))
    assert gradcheck(lambda t: t.diff(2).norm(), (x,))
