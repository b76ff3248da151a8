"""Short rows, transposed operands and double-precision functions beside NumPy: sizes around those of the vectors in the loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

import taeda

WIDTHS = (1, 3, 7, 8, 31, 33, 64, 65, 72, 100, 127, 500, 4096, 4097)


def _rows(width: int, dtype: type) -> np.ndarray:
    """Quarters, so that sums are exact and extremes are tied, with a NaN and an infinity."""
    x = np.round(np.random.default_rng(width).standard_normal((70, width)) * 4) / 4
    if width > 5:
        x[0, width // 2] = math.nan
        x[35, width - 1] = math.inf
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", WIDTHS)
def test_rows_reduce_as_in_numpy(width: int, dtype: type) -> None:
    whole = _rows(width, dtype)
    for x, t in (
        (whole, taeda.from_numpy(whole)),
        (whole[:, : width - width // 3], taeda.from_numpy(whole)[:, : width - width // 3]),
    ):
        np.testing.assert_array_equal(t.sum(1).numpy(), x.sum(1))
        values, indices = t.max(1)
        np.testing.assert_array_equal(values.numpy(), x.max(1))
        np.testing.assert_array_equal(indices.numpy(), x.argmax(1))
        np.testing.assert_array_equal(t.argmin(1).numpy(), x.argmin(1))
        np.testing.assert_array_equal((t > 0).any(1).numpy(), (x > 0).any(1))
        finite = np.where(np.isfinite(x), x, 0)
        np.testing.assert_allclose(
            taeda.from_numpy(finite).var(1, correction=0).numpy(), finite.astype(np.float64).var(1), rtol=1e-5
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_log_softmax_of_rows(width: int) -> None:
    x = np.random.default_rng(width).standard_normal((9, width))
    shifted = x - x.max(1, keepdims=True)
    expected = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    np.testing.assert_allclose(taeda.log_softmax(taeda.from_numpy(x), 1).numpy(), expected, atol=1e-13)
    np.testing.assert_allclose(taeda.softmax(taeda.from_numpy(x), 1).numpy(), np.exp(expected), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.int64, np.complex128])
@pytest.mark.parametrize("shape", [(100, 100), (37, 53), (16, 64), (4, 4), (3, 130), (300, 7), (33, 36)])
def test_transposed_operands(shape: tuple[int, int], dtype: type) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 100, shape).astype(dtype), rng.integers(0, 100, shape[::-1]).astype(dtype)
    ta, tb = taeda.from_numpy(a), taeda.from_numpy(b)
    np.testing.assert_array_equal(ta.t().contiguous().numpy(), a.T)
    np.testing.assert_array_equal((ta + tb.t()).numpy(), a + b.T)


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_double_angles_of_any_size(name: str) -> None:
    x = np.concatenate(
        [
            np.arange(-700_000, 700_000, 971) * (math.pi / 2),  # beside the zeros, where digits cancel
            [1e300, -1e22, 2.0**20, -(2.0**52), 5e-324, 1e-310, 0.5, -0.0, math.inf, -math.inf, math.nan],
        ]
    )
    got = getattr(taeda.from_numpy(x), name)().numpy()
    with np.errstate(invalid="ignore"):
        expected = np.array([getattr(math, name)(v) if math.isfinite(v) else math.nan for v in x])
    np.testing.assert_allclose(got, expected, rtol=5e-16, atol=0)
    np.testing.assert_array_equal(np.signbit(got[x == 0]), np.signbit(expected[x == 0]))


def test_double_erf() -> None:
    x = np.concatenate([np.linspace(-7, 7, 4001), [5e-324, -0.0, math.inf, -math.inf, math.nan, 1e-300]])
    expected = np.array([math.erf(v) for v in x])
    np.testing.assert_allclose(taeda.from_numpy(x).erf().numpy(), expected, rtol=5e-16, atol=0)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_integer_division_of_the_smallest(dtype: type) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = np.array([low, low + 1, -7, -3, -1, 0, 1, 3, 7, high], dtype=dtype)
    x, y = (v.ravel() for v in np.meshgrid(values, values[values != 0]))
    with np.errstate(over="ignore"):
        quotient, rest = x // y, x % y
    np.testing.assert_array_equal((taeda.from_numpy(x) // taeda.from_numpy(y)).numpy(), quotient)
    np.testing.assert_array_equal((taeda.from_numpy(x) % taeda.from_numpy(y)).numpy(), rest)


@pytest.mark.parametrize("dtype", [taeda.float32, taeda.float64])
def test_limits_keep_nan(dtype: taeda.dtype) -> None:
    x = taeda.tensor([math.nan, -5.0, 5.0, 0.5, math.inf, -math.inf], dtype=dtype)
    np.testing.assert_array_equal(x.clamp(-1, 1).numpy(), [math.nan, -1, 1, 0.5, 1, -1])
    nan = taeda.tensor(math.nan, dtype=dtype)
    assert taeda.maximum(x, nan).isnan().all() and taeda.minimum(nan, x).isnan().all()
