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


def test_logcumsumexp_neither_overflows_nor_loses_minus_infinity():
    x = numpy.array([-numpy.inf, 1000.0, 1000.0, -1000.0])
    got = taeda.from_numpy(x).logcumsumexp(0).numpy()
    numpy.testing.assert_allclose(got, numpy.logaddexp.accumulate(x))
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
