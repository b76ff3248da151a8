"""Dtypes beside the common ones: unsigned integers in arithmetic, complex log-sums and norms, narrow results."""

import numpy as np
import pytest
import scipy.special

import taeda
from taeda import special  # noqa: F401
from taeda.autograd import gradcheck, gradgradcheck

UNSIGNED = [(taeda.uint16, np.uint16), (taeda.uint32, np.uint32), (taeda.uint64, np.uint64)]


@pytest.mark.parametrize(("dtype", "numpy_dtype"), UNSIGNED)
def test_unsigned_arithmetic_wraps_like_numpys(dtype, numpy_dtype):
    largest = int(np.iinfo(numpy_dtype).max)
    a, b = np.array([5, 2, largest, 0], numpy_dtype), np.array([2, 5, 3, 1], numpy_dtype)
    x, y = (taeda.tensor(v.tolist(), dtype=dtype) if dtype is not taeda.uint64 else taeda.from_numpy(v) for v in (a, b))
    with np.errstate(over="ignore"):
        for name in (
            "add",
            "subtract",
            "multiply",
            "floor_divide",
            "remainder",
            "fmod",
            "maximum",
            "square",
            "abs",
            "sign",
        ):
            operands = (x, y) if name not in ("square", "abs", "sign") else (x,)
            made = getattr(taeda, name)(*operands)
            assert made.dtype is dtype
            assert made.numpy().tolist() == getattr(np, name)(*(a, b)[: len(operands)]).tolist(), name


def complex_numbers(*shape, seed=0):
    draw = np.random.default_rng(seed)
    return draw.standard_normal(shape) + 1j * draw.standard_normal(shape)


@pytest.mark.parametrize("dims", [[0], [1], [0, 1]])
def test_logsumexp_of_complex_numbers(dims):
    z = complex_numbers(3, 4) + 700  # whose exponentials overflow
    made = taeda.logsumexp(taeda.from_numpy(z), dims).numpy()
    np.testing.assert_allclose(made, np.log(np.exp(z - 700).sum(tuple(dims))) + 700, rtol=1e-13)


def test_logsumexp_of_infinite_complex_numbers():
    z = taeda.tensor([-float("inf"), -float("inf")], dtype=taeda.complex128)
    assert taeda.logsumexp(z, 0).real.item() == -float("inf")
    assert taeda.logsumexp(taeda.empty(0, dtype=taeda.complex128), 0).real.item() == -float("inf")


@pytest.mark.parametrize("dim", [0, 1])
def test_logsumexp_of_infinities(dim):
    x = taeda.tensor([[float("inf"), 1.0, -float("inf")], [float("inf"), 2.0, -float("inf")]])
    made = taeda.logsumexp(x if dim == 0 else x.T.contiguous(), dim).tolist()
    assert made == pytest.approx([float("inf"), np.logaddexp(1, 2), -float("inf")])


def test_logcumsumexp_of_complex_numbers():
    z = complex_numbers(5, 2) * 0.3
    made = taeda.logcumsumexp(taeda.from_numpy(z), 0).numpy()
    np.testing.assert_allclose(np.exp(made), np.exp(z).cumsum(0), rtol=1e-13)


@pytest.mark.parametrize(
    "function", [lambda z: taeda.logsumexp(z, 1), lambda z: taeda.logcumsumexp(z, 1), lambda z: taeda.rms_norm(z, (3,))]
)
def test_derivatives_of_complex_numbers(function):
    z = taeda.from_numpy(complex_numbers(2, 3)).requires_grad_()
    assert gradcheck(function, (z,))
    assert gradgradcheck(function, (z,))


def test_rms_norm_of_complex_numbers_takes_the_plain_square():
    z, w = complex_numbers(2, 3), complex_numbers(3, seed=1)
    made = taeda.nn.functional.rms_norm(taeda.from_numpy(z), (3,), taeda.from_numpy(w), 0.1).numpy()
    np.testing.assert_allclose(made, z / np.sqrt((z * z).mean(-1, keepdims=True) + 0.1) * w, rtol=1e-13)
    with pytest.raises(RuntimeError, match="expected input with shape"):
        taeda.rms_norm(taeda.from_numpy(z), (2,))


def test_sum_to_size_counts_bools():
    x = taeda.ones(3, 2, dtype=taeda.bool)
    assert x.sum_to_size(1, 2).tolist() == [[3, 3]]
    assert x.sum_to_size(3, 2).dtype is taeda.bool


@pytest.mark.parametrize("dtype", [taeda.float16, taeda.bfloat16])
def test_a_half_quotient_is_rounded_before_it_is_truncated(dtype):
    a, b = taeda.tensor([5.0, 4.9965], dtype=dtype), taeda.tensor([1.0, 0.9995], dtype=dtype)
    rounded = (a / b).trunc()
    assert taeda.div(a, b, rounding_mode="trunc").tolist() == rounded.tolist()


def test_statistics_of_a_layer_norm_of_halves():
    x = taeda.randn(2, 4, dtype=taeda.float16)
    _, mean, rstd = taeda.native_layer_norm(x, (4,), None, None, 1e-5)
    assert mean.dtype is rstd.dtype is taeda.float16


@pytest.mark.parametrize("q", [1e-3, 0.1, 0.5, 0.9, 0.999])
def test_gamma_numbers_move_with_their_shape(q):
    shapes = np.array([0.05, 0.3, 1, 2.5, 10, 100, 5000.0, 3e6])
    numbers, h = scipy.special.gammaincinv(shapes, q), shapes * 1e-4
    slope = (scipy.special.gammaincinv(shapes + h, q) - scipy.special.gammaincinv(shapes - h, q)) / (2 * h)
    made = taeda._standard_gamma_grad(taeda.from_numpy(shapes), taeda.from_numpy(numbers)).numpy()
    np.testing.assert_allclose(made, slope, rtol=1e-4)


def test_gradient_of_gamma_numbers():
    shapes = taeda.tensor([0.5, 2.0, 30.0], dtype=taeda.float64, requires_grad=True)
    taeda.manual_seed(0)
    numbers = taeda._standard_gamma(shapes)
    numbers.sum().backward()
    assert shapes.grad.tolist() == taeda._standard_gamma_grad(shapes.detach(), numbers.detach()).tolist()
    assert (shapes.grad > 0).all()
