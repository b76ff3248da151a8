"""Small integers compute in their own width: the same values as NumPy's, which wrap around, and as the wide loops'."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import taeda

DTYPES = {
    np.uint8: taeda.uint8,
    np.int8: taeda.int8,
    np.int16: taeda.int16,
    np.int32: taeda.int32,
}
rng = np.random.default_rng(3)
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_xor": np.logical_xor,
}


def full_range(dtype, *shape):
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, shape, dtype=np.int64, endpoint=True).astype(dtype)
    values.flat[:2] = limits.min, limits.max
    return values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name, dtype):
    a, b = full_range(dtype, 37, 53), full_range(dtype, 37, 53)
    for x, y in ((a, b), (a[::2, ::-1], b[::2]), (a, b[0]), (a.T, b.T), (a[:0], b[:0])):
        actual = getattr(taeda, name)(*(taeda.from_numpy(np.ascontiguousarray(v)) for v in (x, y)))
        with np.errstate(over="ignore"):
            expected = BINARY[name](x, y)
        np.testing.assert_array_equal(actual.numpy(), expected)
        assert actual.numpy().dtype == expected.dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_strided_operands(dtype):
    a, b = full_range(dtype, 40, 30), full_range(dtype, 30, 40)
    actual = taeda.from_numpy(a)[::2, 3:] + taeda.from_numpy(b).t()[::2, 3:]
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(actual.numpy(), a[::2, 3:] + b.T[::2, 3:])


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_operand_and_choices(dtype):
    a, b = full_range(dtype, 1000), full_range(dtype, 1000)
    x, y = taeda.from_numpy(a), taeda.from_numpy(b)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal((-x).numpy(), -a)
        np.testing.assert_array_equal(x.abs().numpy(), np.abs(a))
        np.testing.assert_array_equal(x.square().numpy(), a * a)
        np.testing.assert_array_equal(taeda.add(x, y, alpha=3).numpy(), a + dtype(3) * b)
        np.testing.assert_array_equal(taeda.sub(x, y, alpha=-1).numpy(), a + b)
    np.testing.assert_array_equal((~x).numpy(), ~a)
    np.testing.assert_array_equal(x.sign().numpy(), np.sign(a))
    np.testing.assert_array_equal(x.relu().numpy(), np.maximum(a, 0))
    np.testing.assert_array_equal(x.clamp(3, 90).numpy(), np.clip(a, 3, 90))
    np.testing.assert_array_equal(taeda.where(x > y, x, y).numpy(), np.maximum(a, b))
    np.testing.assert_array_equal(x.logical_not().numpy(), a == 0)
    np.testing.assert_array_equal(x.masked_fill(y > 5, 7).numpy(), np.where(b > 5, dtype(7), a))


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_wrap_around_like_the_tensor(dtype):
    a = full_range(dtype, 300)
    x = taeda.from_numpy(a)
    for operation in (operator.add, operator.sub, operator.mul):
        expected = operation(a.astype(np.int64), 300).astype(dtype)
        np.testing.assert_array_equal(operation(x, 300).numpy(), expected)
    np.testing.assert_array_equal((x == 300).numpy(), a == np.int64(300).astype(dtype))


def test_in_place_and_mixed_widths():
    a, b = full_range(np.int8, 100), full_range(np.uint8, 100)
    total = taeda.from_numpy(a) + taeda.from_numpy(b)
    assert total.dtype == taeda.int16
    np.testing.assert_array_equal(total.numpy(), a.astype(np.int16) + b)
    x = taeda.from_numpy(a.copy())
    x += 5
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(x.numpy(), a + np.int8(5))
    x = taeda.from_numpy(a.copy())
    x.mul_(taeda.from_numpy(a))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(x.numpy(), a * a)


def test_truth_values():
    a, b = rng.integers(0, 2, 500).astype(bool), rng.integers(0, 2, 500).astype(bool)
    x, y = taeda.from_numpy(a), taeda.from_numpy(b)
    np.testing.assert_array_equal((x + y).numpy(), a | b)
    np.testing.assert_array_equal((x * y).numpy(), a & b)
    np.testing.assert_array_equal((~x).numpy(), ~a)
    np.testing.assert_array_equal((x ^ y).numpy(), a ^ b)
    np.testing.assert_array_equal((x < y).numpy(), a < b)
    np.testing.assert_array_equal(taeda.maximum(x, y).numpy(), a | b)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_quotients_of_all_pairs(dtype):
    every = np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1).astype(dtype)
    a, b = (x.ravel() for x in np.meshgrid(every, every[every != 0]))
    check_quotients(a, b)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_quotients_of_large_numbers(dtype):
    a, b = full_range(dtype, 4000), full_range(dtype, 4000)
    b[1000:] >>= 8 * np.dtype(dtype).itemsize - 5  # small divisors
    a[1], b[:3] = np.iinfo(dtype).min, (np.iinfo(dtype).max, -1, np.iinfo(dtype).min)
    keep = b != 0
    check_quotients(a[keep], b[keep])


def check_quotients(a, b):
    """The four divisions of integers, computed exactly with 64 bits and wrapped around."""
    wide, divisor = a.astype(np.int64), b.astype(np.int64)
    floor, rest = np.floor_divide(wide, divisor), np.mod(wide, divisor)
    cut = np.fmod(wide, divisor)
    x, y = taeda.tensor(a), taeda.tensor(b)
    assert np.array_equal((x // y).numpy(), floor.astype(a.dtype))
    assert np.array_equal((x % y).numpy(), rest.astype(a.dtype))
    assert np.array_equal(taeda.fmod(x, y).numpy(), cut.astype(a.dtype))
    assert np.array_equal(taeda.div(x, y, rounding_mode="trunc").numpy(), ((wide - cut) // divisor).astype(a.dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", [operator.floordiv, operator.mod, taeda.fmod])
def test_division_by_zero_is_an_error(operation, dtype):
    a, b = full_range(dtype, 500), np.ones(500, dtype)
    b[437] = 0
    for x, y in ((a, b), (a[::2], b[1::2]), (a, b[437:438])):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            operation(taeda.tensor(x.copy()), taeda.tensor(y.copy()))


@pytest.mark.parametrize("dtype", DTYPES)
def test_shifts(dtype):
    a, places = full_range(dtype, 300), rng.integers(0, 70, 300).astype(dtype)
    wide = a.astype(object)
    left = np.array([(int(v) << int(p)) for v, p in zip(wide, places, strict=True)], dtype=object)
    bits = 8 * np.dtype(dtype).itemsize
    left = np.array([v & ((1 << bits) - 1) for v in left], dtype=np.uint64).astype(a.dtype)
    right = np.array([int(v) >> int(p) for v, p in zip(wide, places, strict=True)]).astype(a.dtype)
    assert np.array_equal((taeda.tensor(a) << taeda.tensor(places)).numpy(), left)
    assert np.array_equal((taeda.tensor(a) >> taeda.tensor(places)).numpy(), right)
