"""Kernels that treat long runs differently: blocks of indices, tables beyond the caches, masks without branches, streamed fills."""

from __future__ import annotations

import numpy as np
import pytest

import taeda

RANDOM = np.random.default_rng(0)
FAR = 300_000  # elements: more than a table may have before it is fetched ahead


@pytest.mark.parametrize("places", [50, FAR])
@pytest.mark.parametrize("n", [1, 1023, 1024, 1050, 70_001])
def test_scattered_sums(places, n):
    index, source = RANDOM.integers(0, places, n), RANDOM.standard_normal(n)
    expected = np.zeros(places)
    np.add.at(expected, index, source)
    i, s = taeda.tensor(index), taeda.tensor(source)
    zeros = taeda.zeros(places, dtype=taeda.float64)
    np.testing.assert_allclose(zeros.scatter_add(0, i, s), expected, atol=1e-10)
    np.testing.assert_allclose(zeros.index_add(0, i, s), expected, atol=1e-10)
    np.testing.assert_allclose(zeros.index_put((i,), s, accumulate=True), expected, atol=1e-10)
    # along the first of two dimensions, and by a number
    wide = taeda.zeros(places, 2, dtype=taeda.float64).scatter_add(0, i[:, None].expand(-1, 2), taeda.stack((s, -s), 1))
    np.testing.assert_allclose(wide, np.stack((expected, -expected), 1), atol=1e-10)
    np.testing.assert_array_equal(zeros.scatter(0, i, 7.0), np.where(np.isin(np.arange(places), index), 7.0, 0.0))


@pytest.mark.parametrize("bad", [-1, FAR, 2**40])
@pytest.mark.parametrize("at", [0, 1500, 2999])
def test_a_bad_index_is_found_anywhere(bad, at):
    index = taeda.zeros(3000, dtype=taeda.int64)
    index[at] = bad
    with pytest.raises(RuntimeError, match=f"index {bad} is out of bounds"):
        taeda.zeros(FAR).scatter_add_(0, index, taeda.ones(3000))


@pytest.mark.parametrize("reduce", ["amax", "amin"])
def test_scattered_extremes_keep_nan(reduce):
    index, source = RANDOM.integers(0, 100, 5000), RANDOM.standard_normal(5000)
    source[17] = np.nan
    start = RANDOM.standard_normal(100)
    start[(index[17] + 1) % 100] = np.nan
    expected = start.copy()
    (np.maximum if reduce == "amax" else np.minimum).at(expected, index, source)
    found = taeda.tensor(start).scatter_reduce(0, taeda.tensor(index), taeda.tensor(source), reduce)
    assert np.isnan(expected).sum() == 2
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("n", [5, 40_003])
def test_masked_writes(dtype, n):
    a, mask = RANDOM.integers(0, 99, n).astype(dtype), RANDOM.random(n) < 0.4
    expected = a.copy()
    expected[mask] = 3
    x = taeda.tensor(a)
    x[taeda.tensor(mask)] = 3
    np.testing.assert_array_equal(x, expected)
    apart = taeda.tensor(np.repeat(a, 2))[::2]
    apart[taeda.tensor(mask)] = 3
    np.testing.assert_array_equal(apart, expected)
    source = np.arange(mask.sum()).astype(dtype)
    expected[mask] = source
    np.testing.assert_array_equal(taeda.tensor(a).masked_scatter(taeda.tensor(mask), taeda.tensor(source)), expected)
    nothing = taeda.tensor(a).masked_scatter(taeda.zeros(n, dtype=taeda.bool), taeda.tensor(source[:0]))
    np.testing.assert_array_equal(nothing, a)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float64", "complex128"])
@pytest.mark.parametrize("count", [1, 3000, 9_000_001])
def test_fills(dtype, count):
    made = taeda.full((count,), 3, dtype=getattr(taeda, dtype))
    assert (made.numpy() == 3).all()
    part = taeda.zeros(count + 2, dtype=getattr(taeda, dtype))
    part[1:-1].fill_(2)
    assert part[0] == part[-1] == 0 and (part[1:-1].numpy() == 2).all()


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "int64", "complex128"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_stack_along_the_last_dimension(dtype, count):
    parts = [RANDOM.integers(0, 99, (7, 211)).astype(dtype) for _ in range(count)]
    np.testing.assert_array_equal(taeda.stack([taeda.tensor(part) for part in parts], -1), np.stack(parts, -1))
    columns = [taeda.tensor(part.reshape(-1, 1)) for part in parts]
    np.testing.assert_array_equal(taeda.cat(columns, 1), np.concatenate([part.reshape(-1, 1) for part in parts], 1))


@pytest.mark.parametrize(("mode", "numpy_mode"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
@pytest.mark.parametrize("pad", [(2, 3), (0, 4), (5, 0), (0, 0)])
def test_pads_from_within(mode, numpy_mode, pad):
    a = RANDOM.standard_normal((2, 3, 11))
    expected = np.pad(a, ((0, 0), (0, 0), pad), mode=numpy_mode)
    np.testing.assert_array_equal(taeda.nn.functional.pad(taeda.tensor(a), pad, mode=mode), expected)


def test_losses_of_many_rows():
    x, target = RANDOM.standard_normal((5000, 7)), RANDOM.integers(0, 7, 5000)
    target[[3, 4998, 4999]] = 255  # ignored, and no class
    kept = target != 255
    expected = -x[kept, target[kept]].mean()
    found = taeda.nn.functional.nll_loss(taeda.tensor(x), taeda.tensor(target), ignore_index=255)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 64, 65, 1000])
def test_places_in_a_sorted_sequence(n, right):
    edges = np.sort(RANDOM.integers(0, 50, n)).astype(np.float32)
    values = RANDOM.integers(-2, 55, 300).astype(np.float32)
    found = taeda.searchsorted(taeda.tensor(edges), taeda.tensor(values), right=right)
    np.testing.assert_array_equal(found, np.searchsorted(edges, values, "right" if right else "left"))


@pytest.mark.parametrize("at", [None, 0, 4095, 4096, 9999])
def test_equal_sees_each_element(at):
    a = taeda.randn(10_000)
    b = a.clone()
    if at is not None:
        b[at] += 1
    assert taeda.equal(a, b) is (at is None)
    a[5] = b[5] = float("nan")
    assert not taeda.equal(a, b)
