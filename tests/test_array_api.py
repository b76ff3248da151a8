"""The array API standard: every name is there, with the standard's meaning where PyTorch's differs; values against NumPy's."""

import inspect

import numpy
import pytest

import taeda

x2 = numpy.array([[3.0, -1.0, 2.5], [0.0, 4.0, -2.0]])

# The functions of version 2025.12 that go by one array, and their arguments; NumPy follows the standard from version 2 on.
CALLS = [
    ("sum", (), {"axis": 0}),
    ("sum", (), {"axis": (0, 1), "keepdims": True}),
    ("prod", (), {"axis": 1}),
    ("prod", (), {}),
    ("max", (), {"axis": (0, 1)}),
    ("min", (), {"axis": 1, "keepdims": True}),
    ("mean", (), {"axis": 0}),
    ("var", (), {"correction": 1}),
    ("var", (), {}),
    ("std", (), {"axis": 1, "correction": 0.5}),
    ("all", (), {"axis": 1}),
    ("any", (), {"axis": (0, 1)}),
    ("count_nonzero", (), {"axis": 1}),
    ("cumulative_sum", (), {"axis": 1, "include_initial": True}),
    ("cumulative_prod", (), {"axis": 0}),
    ("diff", (), {"axis": 0}),
    ("sort", (), {"axis": 0}),
    ("argsort", (), {}),
    ("argmax", (), {"axis": 1, "keepdims": True}),
    ("argmin", (), {}),
    ("permute_dims", ((1, 0),), {}),
    ("matrix_transpose", (), {}),
    ("flip", (), {}),
    ("flip", (), {"axis": 1}),
    ("roll", (2,), {}),
    ("roll", ((1, 2),), {"axis": (0, 1)}),
    ("repeat", (2,), {"axis": 1}),
    ("tile", ((2, 1, 3),), {}),
    ("expand_dims", (), {"axis": (0, 2)}),
    ("reshape", ((3, 2),), {}),
    ("broadcast_to", ((4, 2, 3),), {}),
    ("moveaxis", (0, 1), {}),
    ("unstack", (), {"axis": 1}),
    ("clip", (), {"min": -1, "max": 3}),
    ("tril", (), {"k": -1}),
    ("triu", (), {"k": 1}),
    ("sign", (), {}),
    ("round", (), {}),
    ("square", (), {}),
    ("nonzero", (), {}),
    ("unique_values", (), {}),
    ("unique_counts", (), {}),
    ("unique_inverse", (), {}),
    ("unique_all", (), {}),
    ("astype", (numpy.int32,), {}),
]


@pytest.fixture
def xp():
    return taeda.ones(1).__array_namespace__()


def compare(result, expected):
    if isinstance(expected, tuple):
        assert len(result) == len(expected)
        for one, other in zip(result, expected, strict=True):
            compare(one, other)
        return
    expected = numpy.asarray(expected)
    assert isinstance(result, taeda.Tensor) and result.shape == expected.shape
    assert str(result.dtype).rsplit(".", 1)[-1] == expected.dtype.name
    rtol = 1e-6 if expected.dtype == numpy.float32 else 1e-12
    numpy.testing.assert_allclose(result.numpy(), expected, rtol=rtol)


@pytest.mark.parametrize("name, args, kwargs", CALLS)
def test_functions_of_one_array_equal_numpys(xp, name, args, kwargs):
    expected = getattr(numpy, name)(x2, *args, **kwargs)
    given = tuple(taeda.int32 if arg is numpy.int32 else arg for arg in args)
    compare(getattr(xp, name)(taeda.from_numpy(x2), *given, **kwargs), expected)


@pytest.mark.parametrize(
    "name", ["add", "atan2", "copysign", "divide", "equal", "floor_divide", "hypot", "less", "logaddexp"]
)
@pytest.mark.parametrize("number", [2, 2.5])
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_python_numbers_take_part_by_their_kind(xp, name, number):
    for dtype in (numpy.float32, numpy.float64):
        a = x2.astype(dtype)
        compare(getattr(xp, name)(taeda.from_numpy(a), number), getattr(numpy, name)(a, dtype(number)))
        compare(getattr(xp, name)(number, taeda.from_numpy(a)), getattr(numpy, name)(dtype(number), a))


def test_what_differs_from_pytorch(xp):
    t = taeda.from_numpy(x2)
    assert xp.sum(taeda.ones(3, dtype=taeda.uint8)).dtype == taeda.uint64
    assert xp.sum(taeda.ones(3, dtype=taeda.int8)).dtype == taeda.int64
    assert xp.sum(taeda.ones(3, dtype=taeda.float32)).dtype == taeda.float32
    assert xp.all(taeda.ones(3, dtype=taeda.uint8)).dtype == taeda.bool
    compare(xp.meshgrid(taeda.arange(3), taeda.arange(2))[0], numpy.meshgrid(numpy.arange(3), numpy.arange(2))[0])
    compare(xp.take(t, taeda.tensor([2, 0]), axis=1), numpy.take(x2, [2, 0], axis=1))
    places = numpy.array([[1, -1], [0, 2]])
    compare(xp.take_along_axis(t, taeda.from_numpy(places), axis=1), numpy.take_along_axis(x2, places, axis=1))
    compare(xp.linspace(0.0, 1.0, 5, endpoint=False, dtype=taeda.float64), numpy.linspace(0.0, 1.0, 5, endpoint=False))
    compare(xp.arange(3, 0, dtype=taeda.int64), numpy.arange(3, 0))
    compare(xp.eye(3, 4, k=-1, dtype=taeda.float64), numpy.eye(3, 4, -1))
    compare(xp.vecdot(t + 1j, t * 1j, axis=0), numpy.vecdot(x2 + 1j, x2 * 1j, axis=0))
    compare(xp.imag(t), numpy.imag(x2))
    compare(xp.sort(t, axis=0, descending=True), -numpy.sort(-x2, axis=0))
    compare(xp.where(t > 0, t, 0), numpy.where(x2 > 0, x2, 0))
    with pytest.raises(ValueError, match="size 2, not 1"):
        xp.squeeze(t, 0)
    with pytest.raises(ValueError, match="axis"):
        xp.cumulative_sum(t)
    with pytest.raises(ValueError, match="copy=False"):
        xp.reshape(t.mT, (6,), copy=False)
    with pytest.raises(TypeError, match="complex"):
        xp.astype(t + 0j, taeda.float64)


def test_dtypes(xp):
    assert xp.isdtype(taeda.int8, "integral") and not xp.isdtype(taeda.bool, "numeric")
    assert xp.isdtype(taeda.float32, ("bool", "real floating")) and xp.isdtype(taeda.uint8, taeda.uint8)
    assert xp.result_type(taeda.int8, taeda.uint8, 3) == taeda.int16
    assert xp.result_type(taeda.ones(1, dtype=taeda.float32), 2.5) == taeda.float32
    assert xp.can_cast(taeda.int8, taeda.int16) and not xp.can_cast(taeda.float32, taeda.int64)
    assert xp.finfo(taeda.complex64).bits == 32 and xp.iinfo(taeda.int8).max == 127
    with pytest.raises(ValueError, match="kind"):
        xp.isdtype(taeda.int8, "number")


def test_inspection(xp):
    info = xp.__array_namespace_info__()
    assert set(info.capabilities()) == {"boolean indexing", "data-dependent shapes", "max dimensions"}
    assert info.default_device() in info.devices()
    assert info.default_dtypes()["indexing"] == taeda.int64
    assert set(info.dtypes(kind=("bool", "unsigned integer"))) == {"bool", "uint8", "uint16", "uint32", "uint64"}
    assert info.dtypes()["complex128"] == taeda.complex128
    assert taeda.__array_namespace_info__ is xp.__array_namespace_info__
    with pytest.raises(ValueError, match="2030.12"):
        taeda.ones(1).__array_namespace__(api_version="2030.12")


_NAMES = """
    abs acos acosh add all any arange argmax argmin argsort asarray asin asinh astype atan atan2 atanh bitwise_and bitwise_invert
    bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor broadcast_arrays broadcast_shapes broadcast_to can_cast ceil clip
    concat conj copysign cos cosh count_nonzero cumulative_prod cumulative_sum diff divide e empty empty_like equal exp expand_dims
    expm1 eye finfo flip floor floor_divide from_dlpack full full_like greater greater_equal hypot iinfo imag inf isdtype isfinite
    isin isinf isnan less less_equal linspace log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor matmul
    matrix_transpose max maximum mean meshgrid min minimum moveaxis multiply nan negative newaxis nextafter nonzero not_equal ones
    ones_like permute_dims pi positive pow prod real reciprocal remainder repeat reshape result_type roll round searchsorted sign
    signbit sin sinh sort sqrt square squeeze stack std subtract sum take take_along_axis tan tanh tensordot tile tril triu trunc
    unique_all unique_counts unique_inverse unique_values unstack var vecdot where zeros zeros_like
"""
_LINALG = """
    cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer
    pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
"""
_FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift"


def test_all_names_are_there_and_explained(xp):
    for module, names in ((xp, _NAMES), (xp.linalg, _LINALG), (xp.fft, _FFT)):
        for name in names.split():
            value = getattr(module, name)
            assert name in module.__all__
            assert not callable(value) or inspect.getdoc(value), name


def test_linear_algebra_and_transforms(xp):
    a = numpy.array([[4.0, 1.0], [1.0, 3.0]])
    t = taeda.from_numpy(a)
    compare(xp.linalg.solve(t, taeda.tensor([1.0, 2.0], dtype=taeda.float64)), numpy.linalg.solve(a, [1.0, 2.0]))
    compare(xp.linalg.cholesky(t, upper=True), numpy.linalg.cholesky(a).T)
    compare(xp.linalg.trace(t, offset=1), numpy.linalg.trace(a, offset=1))
    compare(xp.linalg.vector_norm(t, axis=(0, 1)), numpy.linalg.vector_norm(a, axis=(0, 1)))
    compare(xp.linalg.eigh(t).eigenvalues, numpy.linalg.eigh(a).eigenvalues)
    compare(
        xp.fft.rfftn(taeda.from_numpy(x2), axes=(0, 1), norm="ortho"), numpy.fft.rfftn(x2, axes=(0, 1), norm="ortho")
    )


def test_gradients_go_through(xp):
    t = taeda.from_numpy(x2.copy()).requires_grad_()
    xp.sum(xp.cumulative_sum(xp.square(t), axis=1)).backward()
    numpy.testing.assert_allclose(t.grad.numpy(), 2 * x2 * [3.0, 2.0, 1.0])
