"""Fourier transforms against NumPy in double precision, their gradients against finite differences."""

import numpy
import pytest

import taeda
from taeda.testing import gradcheck, gradgradcheck

# Each radix, products of them, primes with a pass of their own, and primes that need the convolution.
LENGTHS = [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    11,
    12,
    13,
    16,
    17,
    24,
    25,
    31,
    32,
    37,
    49,
    60,
    64,
    97,
    100,
    128,
    143,
    210,
    256,
    289,
    1000,
    1009,
    4096,
]
ROUNDING = {numpy.complex64: 2e-6, numpy.complex128: 4e-15}


def signal(shape, dtype=numpy.complex128, seed=0):
    rng = numpy.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


def error(result, expected):
    """The largest error, relative to the mean size of the elements: that is how an FFT's errors are bounded."""
    assert result.shape == expected.shape
    return numpy.abs(result - expected).max() / numpy.sqrt((numpy.abs(expected) ** 2).mean())


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("n", LENGTHS)
def test_all_lengths_equal_numpys(n, dtype):
    for batch in ((), (3,), (37,)):  # one alone, fewer than a vector, several vectors and a rest
        x = signal((*batch, n), dtype)
        wide, real = x.astype(numpy.complex128), x.real.copy()
        t, r = taeda.from_numpy(x), taeda.from_numpy(real)
        bound = ROUNDING[dtype] * max(1, numpy.log2(n) / 3)
        assert error(taeda.fft.fft(t).numpy(), numpy.fft.fft(wide)) < bound
        assert error(taeda.fft.ifft(t).numpy(), numpy.fft.ifft(wide)) < bound
        assert error(taeda.fft.rfft(r).numpy(), numpy.fft.rfft(real.astype(float))) < bound
        assert error(taeda.fft.fft(r).numpy(), numpy.fft.fft(real.astype(float))) < bound
        assert error(taeda.fft.ifft(r).numpy(), numpy.fft.ifft(real.astype(float))) < bound
        half = numpy.fft.rfft(real.astype(float))
        assert (
            error(taeda.fft.irfft(taeda.from_numpy(half.astype(dtype)), n).numpy(), numpy.fft.irfft(half, n))
            < 2 * bound
        )


@pytest.mark.parametrize("name", ["fft", "ifft", "hfft", "irfft", "rfft", "ihfft"])
@pytest.mark.parametrize("norm", [None, "forward", "ortho", "backward"])
def test_lengths_dims_and_norms_of_one_dimension(name, norm):
    x = signal((5, 6, 7))
    x = x.real.copy() if name in ("rfft", "ihfft") else x
    for dim in (0, 1, -1):
        for n in (None, 4, 9):
            expected = getattr(numpy.fft, name)(x, n, dim, norm)
            result = getattr(taeda.fft, name)(taeda.from_numpy(x), n, dim, norm).numpy()
            numpy.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize("dim, s", [(None, None), ((0, 2), None), ((2, 0), (4, 8)), ((1,), (3,)), ((-1, -2), (9, 5))])
def test_several_dimensions(name, dim, s):
    x = signal((5, 6, 7))
    x = x.real.copy() if name == "rfftn" else x
    expected = getattr(numpy.fft, name)(x, s, dim)
    numpy.testing.assert_allclose(
        getattr(taeda.fft, name)(taeda.from_numpy(x), s, dim).numpy(), expected, rtol=1e-12, atol=1e-13
    )
    if dim == (-1, -2):
        two = getattr(taeda.fft, name[:-1] + "2")(taeda.from_numpy(x), s, dim).numpy()
        numpy.testing.assert_allclose(two, expected, rtol=1e-12, atol=1e-13)


def test_hermitian_transforms_of_several_dimensions_undo_each_other():
    real = taeda.from_numpy(signal((4, 6, 5)).real.copy())
    half = taeda.fft.ihfftn(real)
    taeda.testing.assert_close(taeda.fft.hfftn(half, s=real.shape), real)
    taeda.testing.assert_close(half, taeda.fft.rfftn(real, norm="forward").conj())
    taeda.testing.assert_close(taeda.fft.hfft2(taeda.fft.ihfft2(real), s=real.shape[1:]), real)


def test_any_strides_and_out():
    x = signal((6, 8, 10))
    t = taeda.from_numpy(x)
    for view in (t.permute(2, 0, 1), t[::2, 1::3], t.flip(0)[:, :, 3:]):
        numpy.testing.assert_allclose(
            taeda.fft.fftn(view).numpy(), numpy.fft.fftn(view.numpy()), rtol=1e-12, atol=1e-12
        )
    turned = taeda.from_numpy(x[:, ::-1, ::-2])
    numpy.testing.assert_allclose(
        taeda.fft.fft(turned, dim=1).numpy(), numpy.fft.fft(x[:, ::-1, ::-2], axis=1), rtol=1e-12, atol=1e-12
    )
    out = taeda.empty(0, dtype=taeda.complex128)
    assert taeda.fft.fft(t, out=out) is out and out.shape == t.shape
    with pytest.raises(RuntimeError, match="expects a complex output"):
        taeda.fft.fft(t, out=taeda.empty(3))


def test_other_dtypes_and_meta():
    assert taeda.fft.fft(taeda.arange(4)).dtype == taeda.complex64
    assert taeda.fft.irfft(taeda.ones(4, dtype=taeda.bool)).dtype == taeda.float32
    with pytest.raises(RuntimeError, match="Unsupported dtype Half"):
        taeda.fft.fft(taeda.ones(4, dtype=taeda.float16))
    meta = taeda.empty(3, 8, device="meta")
    assert taeda.fft.rfft(meta, 10).shape == (3, 6) and taeda.fft.rfft(meta).is_meta


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda x: taeda.fft.fft(x, n=0), RuntimeError, "Invalid number of data points"),
        (lambda x: taeda.fft.fft(x, norm="both"), RuntimeError, "Invalid normalization mode"),
        (lambda x: taeda.fft.fft(x, dim=3), IndexError, "Dimension out of range"),
        (lambda x: taeda.fft.rfft(x + 0j), RuntimeError, "expects a real input"),
        (lambda x: taeda.fft.fftn(x, s=(2,), dim=(0, 1)), RuntimeError, "same length"),
        (lambda x: taeda.fft.fftn(x, s=(2, 2, 2)), RuntimeError, "only has 2 dimensions"),
        (lambda x: taeda.fft.fftn(x, dim=(0, 0)), RuntimeError, "must be unique"),
        (lambda x: taeda.fft.rfftn(x, dim=()), RuntimeError, "at least one axis"),
        (lambda x: taeda.fft.fft([1.0]), TypeError, "must be Tensor"),
    ],
)
def test_wrong_arguments(call, kind, words):
    with pytest.raises(kind, match=words):
        call(taeda.ones(3, 4))


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_gradients_of_first_and_second_order(n):
    x = taeda.from_numpy(signal((3, n))).requires_grad_()
    real = taeda.from_numpy(signal((n, 4)).real.copy()).requires_grad_()
    for function, value in [
        (lambda v: taeda.fft.fftn(v, norm="ortho"), x),
        (lambda v: taeda.fft.ifft(v, 4), x),
        (lambda v: taeda.fft.rfftn(v, dim=(1, 0)), real),
        (lambda v: taeda.fft.fft(v, dim=0), real),
        (lambda v: taeda.fft.ihfft(v, dim=0), real),
        (lambda v: taeda.fft.irfftn(v, s=(4, 5)), x),
        (lambda v: taeda.fft.hfft(v, 6), x),
    ]:
        assert gradcheck(function, (value,))
        assert gradgradcheck(function, (value,))


def test_frequencies_and_shifts_equal_numpys():
    for n in (1, 4, 5):
        numpy.testing.assert_allclose(taeda.fft.fftfreq(n, 0.5, dtype=taeda.float64).numpy(), numpy.fft.fftfreq(n, 0.5))
        numpy.testing.assert_allclose(
            taeda.fft.rfftfreq(n, 2.0, dtype=taeda.float64).numpy(), numpy.fft.rfftfreq(n, 2.0)
        )
    x = numpy.arange(30.0).reshape(5, 6)
    for dim in (None, 0, (0, 1)):
        t = taeda.from_numpy(x)
        numpy.testing.assert_array_equal(taeda.fft.fftshift(t, dim).numpy(), numpy.fft.fftshift(x, dim))
        numpy.testing.assert_array_equal(taeda.fft.ifftshift(t, dim).numpy(), numpy.fft.ifftshift(x, dim))
    assert taeda.fft.fftfreq(3, requires_grad=True).requires_grad


def test_the_result_does_not_depend_on_the_number_of_threads():
    x = taeda.from_numpy(signal((64, 1000), numpy.complex64))
    threads = taeda.get_num_threads()
    try:
        taeda.set_num_threads(1)
        alone = taeda.fft.fft(x)
        taeda.set_num_threads(2)
        assert taeda.equal(taeda.view_as_real(alone), taeda.view_as_real(taeda.fft.fft(x)))
    finally:
        taeda.set_num_threads(threads)
