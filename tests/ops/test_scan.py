"""Running operations against NumPy, their gradients against finite differences."""

import numpy
import pytest

import taeda
from taeda.testing import gradcheck, gradgradcheck

SHAPES = [((5,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 130, 3), 1), ((2, 3, 70), -1), ((0, 3), 0), ((0, 3), 1)]


def data(shape, seed=0):
    return numpy.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("shape, dim", SHAPES)
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_sums_and_products_equal_numpys(name, shape, dim):
    x = data(shape)
    expected = getattr(numpy, name)(x, axis=dim)
    numpy.testing.assert_allclose(getattr(taeda, name)(taeda.from_numpy(x), dim).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("shape, dim", [case for case in SHAPES if 0 not in case[0]])
def test_extremes_equal_numpys_and_point_at_themselves(shape, dim):
    x = numpy.round(data(shape), 1)  # ties
    t = taeda.from_numpy(x)
    for name, function in (("cummax", numpy.maximum), ("cummin", numpy.minimum)):
        values, indices = getattr(t, name)(dim)
        numpy.testing.assert_array_equal(values.numpy(), function.accumulate(x, axis=dim))
        numpy.testing.assert_array_equal(numpy.take_along_axis(x, indices.numpy(), dim), values.numpy())


def test_the_last_of_equal_extremes_is_named_and_nan_stays():
    values, indices = taeda.tensor([1.0, 3.0, 3.0, float("nan"), 5.0]).cummax(0)
    assert indices.tolist() == [0, 1, 2, 3, 3]
    assert values[:3].tolist() == [1.0, 3.0, 3.0] and values[3:].isnan().all()


@pytest.mark.parametrize("dtype", ["int16", "int64", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 300), (40, 33), (33, 100), (5, 3)])
def test_running_extremes_of_every_type(dtype, shape):
    t = taeda.from_numpy(numpy.random.default_rng(2).integers(-9, 9, shape)).to(getattr(taeda, dtype))
    if dtype.startswith("float"):
        t[:, shape[1] // 2] = float("nan")
    x = t.double().numpy()
    for dim in (0, 1):
        for name, function in (("cummax", numpy.maximum), ("cummin", numpy.minimum)):
            values, indices = getattr(t, name)(dim)
            expected = function.accumulate(x, axis=dim)
            numpy.testing.assert_array_equal(values.double().numpy(), expected)
            lines, best, at = (numpy.moveaxis(a, dim, -1) for a in (x, expected, indices.numpy()))
            for line, extremes, places in zip(lines, best, at, strict=True):
                equal = (line == extremes[:, None]) | (numpy.isnan(line) & numpy.isnan(extremes[:, None]))
                last = [numpy.flatnonzero(row[: k + 1])[-1] for k, row in enumerate(equal)]
                assert places.tolist() == last


def test_logcumsumexp_neither_overflows_nor_loses_minus_infinity():
    x = numpy.array([-numpy.inf, 1000.0, 1000.0, -1000.0])
    got = taeda.from_numpy(x).logcumsumexp(0).numpy()
    numpy.testing.assert_allclose(got, numpy.logaddexp.accumulate(x))
    x = data((50, 70)) * 30
    for dim in (0, 1):
        got = taeda.from_numpy(x).logcumsumexp(dim).numpy()
        numpy.testing.assert_allclose(got, numpy.logaddexp.accumulate(x, axis=dim), rtol=1e-13, atol=1e-13)
    x[:, 20] = numpy.nan
    got = taeda.from_numpy(x).logcumsumexp(1).numpy()
    assert numpy.isfinite(got[:, :20]).all() and numpy.isnan(got[:, 20:]).all()
    assert taeda.full((2,), float("inf")).logcumsumexp(0).tolist() == [float("inf")] * 2


def test_integers_become_int64_and_a_dtype_can_be_asked_for():
    assert taeda.ones(3, dtype=taeda.uint8).cumsum(0).dtype == taeda.int64
    assert taeda.tensor([True, True]).cumsum(0).tolist() == [1, 2]
    assert taeda.ones(3, dtype=taeda.int32).cumsum(0, dtype=taeda.float32).dtype == taeda.float32


def test_a_long_float32_sum_stays_accurate():
    assert abs(taeda.full((1_000_000,), 0.1).cumsum(0)[-1].item() - 100_000) < 0.1


def test_strided_negative_and_zero_dim_inputs():
    x = data((4, 6))
    t = taeda.from_numpy(x)
    numpy.testing.assert_allclose(t[::-1, ::2].T.cumsum(1).numpy(), numpy.cumsum(x[::-1, ::2].T, 1), rtol=1e-12)
    assert taeda.tensor(3.0).cumsum(0).item() == 3.0


def test_a_wrong_dim_is_an_index_error():
    with pytest.raises(IndexError, match="Dimension out of range"):
        taeda.ones(2, 3).cumsum(2)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp"])
def test_gradients_of_both_orders(name):
    x = taeda.from_numpy(data((3, 4)) + 0.1).requires_grad_()
    assert gradcheck(lambda t: getattr(t, name)(1), (x,))
    assert gradgradcheck(lambda t: getattr(t, name)(1), (x,))


@pytest.mark.parametrize("zeros", [(1,), (0,), (3,), (1, 2)])
def test_the_gradient_of_a_product_with_zeros(zeros):
    x = data((2, 4))
    x[0, list(zeros)] = 0
    t = taeda.from_numpy(x).requires_grad_()
    assert gradcheck(lambda t: t.cumprod(1), (t,))
    assert gradgradcheck(lambda t: t.cumprod(1), (t,))
    assert gradgradcheck(lambda t: t.cumprod(0), (t,))


def test_the_gradients_of_a_complex_product_with_a_zero():
    t = taeda.tensor([0.5 + 1j, 0.0, -0.3 + 0.2j], dtype=taeda.complex128, requires_grad=True)
    assert gradcheck(lambda t: t.cumprod(0), (t,))
    assert gradgradcheck(lambda t: t.cumprod(0), (t,))


def test_gradients_of_extremes_go_to_the_winners():
    t = taeda.tensor([1.0, 3.0, 2.0, 4.0], requires_grad=True)
    t.cummax(0).values.sum().backward()
    assert t.grad.tolist() == [1.0, 2.0, 0.0, 1.0]


def test_third_derivative_of_products():
    x = taeda.tensor([[1.5, -0.5, 2.0, 0.75], [0.3, 1.2, -2.0, 1.0]], dtype=taeda.float64, requires_grad=True)

    @taeda.enable_grad()  # differences are taken without
    def second(t):
        t = t if t.requires_grad else t.clone().requires_grad_()
        (first,) = taeda.autograd.grad(t.prod(1).sin().sum(), t, create_graph=True)
        return taeda.autograd.grad((first**2).sum(), t, create_graph=True)[0]

    assert gradcheck(second, (x,))
    with_zero = taeda.tensor([[0.0, 1.0, 2.0]], dtype=taeda.float64, requires_grad=True)
    with pytest.raises(NotImplementedError, match="products with a zero"):
        second(with_zero).sum().backward()
