"""make_tensor: ranges, dtypes, layouts and the arguments that it refuses."""

import pytest

import taeda
from taeda.testing import make_tensor

DTYPES = "bool uint8 int8 int16 int32 int64 uint16 float16 bfloat16 float32 float64 complex64 complex128".split()


def parts(tensor):
    values = tensor.reshape(-1).tolist()
    return [part for value in values for part in ((value.real, value.imag) if isinstance(value, complex) else (value,))]


@pytest.mark.parametrize("name", DTYPES)
def test_default_range(name):
    dtype = getattr(taeda, name)
    tensor = make_tensor((20, 30), dtype=dtype)
    assert tensor.dtype == dtype
    assert tensor.shape == (20, 30)
    low = 0 if name in ("bool", "uint8", "uint16") else -9
    values = parts(tensor)
    assert min(values) >= low
    assert max(values) <= 9
    assert len(set(values)) > (1 if name == "bool" else 5)


@pytest.mark.parametrize("name", [name for name in DTYPES if name != "bool"])
def test_given_range_is_cut_to_the_dtype(name):
    values = parts(make_tensor(500, dtype=getattr(taeda, name), low=3, high=6))
    assert min(values) >= 3
    assert max(values) <= 6
    assert all(value == value for value in parts(make_tensor(50, dtype=getattr(taeda, name), low=-1e300, high=1e300)))


def test_sizes_may_come_one_by_one_or_not_at_all():
    assert make_tensor(2, 3, dtype=taeda.float32).shape == (2, 3)
    assert make_tensor((), dtype=taeda.float32).shape == ()
    assert make_tensor([0, 3], dtype=taeda.float32).shape == (0, 3)


def test_noncontiguous():
    tensor = make_tensor(4, 5, dtype=taeda.float32, noncontiguous=True)
    assert tensor.shape == (4, 5)
    assert not tensor.is_contiguous()
    assert make_tensor(1, dtype=taeda.float32, noncontiguous=True).is_contiguous()


def test_exclude_zero():
    assert 0 not in make_tensor(1000, dtype=taeda.int64, low=0, high=3, exclude_zero=True).tolist()
    assert make_tensor(2, dtype=taeda.float32, low=0, high=0, exclude_zero=True).gt(0).all()


def test_requires_grad():
    tensor = make_tensor(3, dtype=taeda.float64, requires_grad=True)
    assert tensor.requires_grad
    assert tensor.is_leaf
    with pytest.raises(ValueError, match="requires_grad"):
        make_tensor(3, dtype=taeda.int64, requires_grad=True)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": taeda.float32, "low": 2, "high": 1},
        {"dtype": taeda.int64, "low": 1, "high": 1},
        {"dtype": taeda.float32, "low": float("nan")},
        {"dtype": taeda.uint8, "low": 1000, "high": 2000},
        {"dtype": taeda.float32, "noncontiguous": True, "memory_format": taeda.contiguous_format},
    ],
)
def test_unusable_arguments(options):
    with pytest.raises(ValueError):
        make_tensor(3, **options)


def test_seed_decides_the_values():
    taeda.manual_seed(3)
    first = make_tensor(5, dtype=taeda.float32).tolist()
    taeda.manual_seed(3)
    assert make_tensor(5, dtype=taeda.float32).tolist() == first
