"""Reductions over any dimensions of tensors in any layout beside NumPy: each way in which the core walks through memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import taeda

DTYPES = ("float32", "float64", "int64", "uint8", "int16", "bfloat16", "bool")
SHAPES = ((5, 4, 6, 7), (3, 70, 2, 33), (2, 3, 40, 130), (600, 3, 5, 2))
SUBSETS = [dims for n in (1, 2, 3) for dims in itertools.combinations(range(4), n)]
Layout = Callable[[np.ndarray], np.ndarray]
LAYOUTS: dict[str, Layout] = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, 2, 3, 1),
    "reversed": lambda x: x.transpose(3, 2, 1, 0),
    "every second": lambda x: x[:, ::2, :, ::2],
    "without edges": lambda x: x[1:, :, :, :-1],
}


def _whole(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Small whole numbers, so that every sum is exact and extremes are tied."""
    x = np.random.default_rng(len(dtype) + shape[0]).integers(0, 5, shape)
    return x > 1 if dtype == "bool" else x.astype("float32" if dtype == "bfloat16" else dtype)


def _tensor(x: np.ndarray, dtype: str) -> taeda.Tensor:
    return taeda.from_numpy(x).to(getattr(taeda, dtype))


def _cases(dtype: str) -> Iterator[tuple[np.ndarray, taeda.Tensor]]:
    for shape, layout in itertools.product(SHAPES, LAYOUTS.values()):
        x = _whole(shape, dtype)
        strides = [s // x.itemsize for s in layout(x).strides]
        start = (layout(x).__array_interface__["data"][0] - x.__array_interface__["data"][0]) // x.itemsize
        yield layout(x), _tensor(x, dtype).as_strided(layout(x).shape, strides, start)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_and_extremes_over_any_dimensions(dtype: str) -> None:
    for x, t in _cases(dtype):
        exact = x.astype(np.float64)
        for dims in SUBSETS:
            total = t.sum(dims).double().numpy() if dtype != "bfloat16" else t.sum(dims, dtype=taeda.float32).numpy()
            np.testing.assert_array_equal(total, exact.sum(dims))
            np.testing.assert_array_equal(t.count_nonzero(dims).numpy(), np.count_nonzero(x, dims))
            np.testing.assert_array_equal((t > 3).any(dims).numpy(), (x > 3).any(dims))
            np.testing.assert_array_equal((t < 3).all(dims).numpy(), (x < 3).all(dims))
            for name in ("amax", "amin"):
                np.testing.assert_array_equal(getattr(t, name)(dims).double().numpy(), getattr(exact, name[1:])(dims))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bool"])
def test_places_of_extremes_along_each_dimension(dtype: str) -> None:
    for x, t in _cases(dtype):
        for d in range(4):
            np.testing.assert_array_equal(t.argmax(d).numpy(), x.argmax(d))
            values, places = t.min(d)
            np.testing.assert_array_equal(places.numpy(), x.argmin(d))
            np.testing.assert_array_equal(values.double().numpy(), x.min(d).astype(np.float64))
            low, high = taeda.aminmax(t, dim=d)
            np.testing.assert_array_equal(low.double().numpy(), x.min(d).astype(np.float64))
            np.testing.assert_array_equal(high.double().numpy(), x.max(d).astype(np.float64))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_and_norms_over_any_dimensions(dtype: str) -> None:
    for x, t in _cases(dtype):
        exact = x.astype(np.float64)
        for dims in SUBSETS:
            np.testing.assert_allclose(t.var(dims, correction=0).numpy(), exact.var(dims), rtol=2e-5, atol=1e-6)
            np.testing.assert_allclose(t.mean(dims).numpy(), exact.mean(dims), rtol=1e-6)
            for p, expected in (
                (1, np.abs(exact).sum(dims)),
                (2, np.sqrt((exact**2).sum(dims))),
                (3, np.cbrt((np.abs(exact) ** 3).sum(dims))),
                (math.inf, np.abs(exact).max(dims)),
            ):
                np.testing.assert_allclose(taeda.linalg.vector_norm(t, p, dims).numpy(), expected, rtol=1e-5)
            shifted = np.exp(exact - exact.max(dims, keepdims=True)).sum(dims)
            np.testing.assert_allclose(t.logsumexp(dims).numpy(), np.log(shifted) + exact.max(dims), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_nan_reaches_its_own_result_only(dtype: type) -> None:
    for width, row in itertools.product((4, 8, 13, 32, 100, 513, 2049, 5000), (0, 3, 16)):
        for place in {0, width // 2, width - 1}:
            x = np.random.default_rng(width).standard_normal((17, width)).astype(dtype)
            x[row, place] = math.nan
            t = taeda.from_numpy(x)
            for ours, numpys in ((t.amax(1), x.max(1)), (t.amin(1), x.min(1)), (taeda.aminmax(t, dim=1)[1], x.max(1))):
                np.testing.assert_array_equal(ours.numpy(), numpys)
            np.testing.assert_array_equal(t.argmax(1).numpy(), x.argmax(1))
            assert t.sum(1).isnan().tolist() == [k == row for k in range(17)]
            np.testing.assert_allclose(t.nansum(1).numpy(), np.nansum(x.astype(np.float64), 1), rtol=1e-4, atol=1e-4)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    t = taeda.rand(60, 40, 50, 30)
    before = taeda.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            taeda.set_num_threads(threads)
            found.append([[t.sum(d), t.var(d), t.norm(dim=d)] for d in (None, 0, 3, (0, 3), (1, 2), (0, 2, 3))])
    finally:
        taeda.set_num_threads(before)
    for other in found[1:]:
        for ours, theirs in zip(itertools.chain(*found[0]), itertools.chain(*other), strict=True):
            assert taeda.equal(ours, theirs)


@pytest.mark.parametrize("shape", [(3_000_000,), (30_000, 100), (3, 1_000_000)])
def test_long_float32_sums_stay_accurate(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random(shape, dtype=np.float32)
    t = taeda.from_numpy(x)
    for dim in (None, 0, len(shape) - 1):
        exact = x.sum(dim, dtype=np.float64)
        np.testing.assert_allclose(t.sum(dim).numpy(), exact, rtol=2.5e-7)


def test_a_result_is_that_of_its_row_alone() -> None:
    """However rows are grouped: one alone, eight together, the last of nineteen."""
    for width in (32, 100, 500, 3000):
        t = taeda.randn(19, width)
        for reduce in (taeda.sum, taeda.amax, lambda x, dim: taeda.linalg.vector_norm(x, 2, dim)):
            together = reduce(t, dim=1)
            assert [reduce(t[k : k + 1], dim=1).item() for k in range(19)] == together.tolist()
