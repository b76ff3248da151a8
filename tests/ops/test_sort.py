"""Sorting, selecting by rank, finding and counting, against NumPy; gradients go back to where the elements came from."""

from __future__ import annotations

import math

import numpy as np
import pytest

import taeda
from taeda.autograd import gradcheck, gradgradcheck


def leaf(*shape: int) -> taeda.Tensor:
    values = np.random.default_rng(3).permutation(int(np.prod(shape))).astype(np.float64)
    return taeda.tensor(values.reshape(shape) / 5, requires_grad=True)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
)
@pytest.mark.parametrize("n", [1, 7, 3000])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_is_stable(dtype, n, descending):
    x = taeda.tensor(np.random.default_rng(n).integers(-100, 100, (2, n))).to(getattr(taeda, dtype))
    a = x.to(taeda.float64).numpy()
    values, indices = x.sort(descending=descending)
    expected = np.argsort(-a if descending else a, axis=1, kind="stable")
    np.testing.assert_array_equal(indices.numpy(), expected)
    np.testing.assert_array_equal(values.to(taeda.float64).numpy(), np.take_along_axis(a, expected, 1))


def test_sort_places_nan_and_zeros():
    x = taeda.tensor([2.0, float("nan"), -0.0, 0.0, float("-inf"), float("inf")])
    values, indices = x.sort()
    assert indices.tolist() == [4, 2, 3, 0, 5, 1]
    assert np.signbit(values.numpy()[1]) and not np.signbit(values.numpy()[2])
    assert x.argsort(descending=True).tolist() == [1, 5, 0, 2, 3, 4]


def test_sort_along_any_dimension():
    a = np.random.default_rng(0).random((3, 4, 5))
    for dim in range(-3, 3):
        np.testing.assert_array_equal(taeda.tensor(a).sort(dim)[0].numpy(), np.sort(a, dim))
        np.testing.assert_array_equal(
            taeda.tensor(a).transpose(0, 2).sort(dim)[0].numpy(), np.sort(a.swapaxes(0, 2), dim)
        )
    np.testing.assert_array_equal(taeda.msort(taeda.tensor(a)).numpy(), np.sort(a, 0))
    assert taeda.tensor(3.0).sort()[1] == 0 and taeda.zeros(0, 3).sort(0)[0].shape == (0, 3)


@pytest.mark.parametrize("k", [0, 1, 3, 6])
@pytest.mark.parametrize("largest", [True, False])
def test_topk(k, largest):
    a = np.random.default_rng(1).permutation(30).reshape(5, 6).astype(np.float32)
    values, indices = taeda.tensor(a).topk(k, largest=largest)
    expected = np.argsort(-a if largest else a, axis=1)[:, :k]
    np.testing.assert_array_equal(indices.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(a, expected, 1))


def test_ranks():
    a = np.random.default_rng(2).permutation(35).reshape(5, 7).astype(np.float64)
    x = taeda.tensor(a)
    np.testing.assert_array_equal(x.kthvalue(3, 0)[0].numpy(), np.sort(a, 0)[2])
    np.testing.assert_array_equal(x.median(1)[0].numpy(), np.median(a, 1))
    assert x.median(1, keepdim=True).indices.shape == (5, 1)
    assert taeda.tensor([1.0, 2, 3, 4]).median() == 2
    nan = float("nan")
    assert taeda.tensor([1.0, nan, 3]).median().isnan()
    assert taeda.tensor([1.0, nan, 3]).median(0).indices == 1
    assert taeda.tensor([1.0, nan, 3, 5]).nanmedian() == 3
    assert taeda.tensor([nan, nan]).nanmedian().isnan()
    assert taeda.tensor([3, 1, 2, 3, 1]).mode() == (1, 4)


def test_gradients():
    x = leaf(3, 4)
    for function in (
        lambda x: x.sort(0)[0] ** 2,
        lambda x: x.topk(2, 1)[0] ** 2,
        lambda x: x.kthvalue(2, 0, keepdim=True)[0] ** 2,
        lambda x: x.median(1)[0] ** 2,
        lambda x: x.median() ** 2,
        lambda x: x.nanmedian() ** 2,
        lambda x: x.mode(0)[0] ** 2,
    ):
        assert gradcheck(function, (x,))
        assert gradgradcheck(function, (x,))


@pytest.mark.parametrize("right", [False, True])
def test_searchsorted(right):
    edges, values = np.array([1.0, 3, 3, 5]), np.array([[0.0, 3], [4, 9]])
    side = "right" if right else "left"
    expected = np.searchsorted(edges, values, side)
    ours = taeda.tensor(edges)
    np.testing.assert_array_equal(taeda.searchsorted(ours, taeda.tensor(values), right=right).numpy(), expected)
    np.testing.assert_array_equal(taeda.searchsorted(ours, taeda.tensor(values), side=side).numpy(), expected)
    np.testing.assert_array_equal(taeda.bucketize(taeda.tensor(values), ours, right=right).numpy(), expected)
    assert taeda.searchsorted(ours, 3.0, right=right) == np.searchsorted(edges, 3.0, side)
    shuffled, sorter = taeda.tensor(edges[[2, 0, 3, 1]]), taeda.tensor([1, 0, 3, 2])
    np.testing.assert_array_equal(
        taeda.searchsorted(shuffled, taeda.tensor(values), right=right, sorter=sorter).numpy(), expected
    )
    rows = taeda.stack([ours, ours + 1])
    made = taeda.searchsorted(rows, taeda.tensor(values), right=right, out_int32=True)
    assert made.dtype == taeda.int32
    np.testing.assert_array_equal(made[1].numpy(), np.searchsorted(edges + 1, values[1], side))


def test_unique():
    a = np.array([[3, 1, 2], [1, 3, 3]])
    values, inverse, counts = taeda.unique(taeda.tensor(a), return_inverse=True, return_counts=True)
    expected = np.unique(a, return_counts=True)
    np.testing.assert_array_equal(values.numpy(), expected[0])
    np.testing.assert_array_equal(counts.numpy(), expected[1])
    np.testing.assert_array_equal(values[inverse].numpy(), a)
    rows = np.array([[2, 1], [0, 5], [2, 1], [0, 4]])
    values, inverse = taeda.unique(taeda.tensor(rows), return_inverse=True, dim=0)
    np.testing.assert_array_equal(values.numpy(), np.unique(rows, axis=0))
    np.testing.assert_array_equal(values[inverse].numpy(), rows)
    np.testing.assert_array_equal(taeda.unique(taeda.tensor(rows.T), dim=1).numpy(), np.unique(rows.T, axis=1))
    assert taeda.unique(taeda.tensor([float("nan")] * 2)).shape == (2,)
    values, counts = taeda.unique_consecutive(taeda.tensor([1, 1, 2, 1, 1, 1]), return_counts=True)
    assert values.tolist() == [1, 2, 1] and counts.tolist() == [2, 1, 3]
    big = np.random.default_rng(5).integers(0, 1000, 20000)
    np.testing.assert_array_equal(taeda.unique(taeda.tensor(big)).numpy(), np.unique(big))


def test_isin_and_counting():
    x = taeda.tensor([1, 2, 3, 2])
    assert taeda.isin(x, taeda.tensor([2.0, 2.5])).tolist() == [False, True, False, True]
    assert taeda.isin(x, 2, invert=True).tolist() == [True, False, True, False]
    assert not taeda.isin(taeda.tensor(float("nan")), taeda.tensor([float("nan")]))
    assert taeda.bincount(x, minlength=5).tolist() == [0, 1, 2, 1, 0]
    assert taeda.bincount(x, taeda.tensor([0.5, 1, 2, 4])).tolist() == [0, 0.5, 5, 2]
    a = np.random.default_rng(4).random(1000)
    np.testing.assert_array_equal(
        taeda.histc(taeda.tensor(a), 10, 0.2, 0.8).numpy(), np.histogram(a, 10, (0.2, 0.8))[0]
    )
    assert taeda.histc(taeda.tensor([2.0, 2.0]), 4).tolist() == [0, 0, 2, 0]


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (lambda x: x.topk(9), RuntimeError, "selected index k out of range"),
        (lambda x: x.kthvalue(9), RuntimeError, "selected number k out of range for dimension 1"),
        (lambda x: x.to(taeda.complex64).sort(), RuntimeError, "Sort does not support complex"),
        (lambda x: taeda.zeros(0, 2).median(0), IndexError, "Expected reduction dim 0 to have non-zero size"),
        (lambda x: taeda.bincount(taeda.tensor([-1])), RuntimeError, "only supports 1-d non-negative integral inputs"),
        (lambda x: taeda.histc(x, 0), RuntimeError, "bins must be > 0"),
        (lambda x: taeda.searchsorted(x[0], x[0], side="foo"), RuntimeError, "side can only be 'left' or 'right'"),
        (lambda x: taeda.unique(x, dim=3), IndexError, "Dimension out of range"),
    ],
)
def test_errors(call, error, phrase):
    with pytest.raises(error, match=phrase):
        call(taeda.zeros(3, 4))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int16", "bfloat16"])
@pytest.mark.parametrize("shape", [(3, 11, 70), (2, 1500, 3), (5000,), (40, 100)])
def test_order_along_each_dimension_of_any_layout(dtype: str, shape: tuple[int, ...]) -> None:
    """Lengths on both sides of where sorting goes by bytes, ranks by counting, and strided lines are copied."""
    x = np.random.default_rng(0).integers(-300, 300, shape).astype(np.float64)
    whole = taeda.from_numpy(x).to(getattr(taeda, dtype))
    for t in (whole, whole.permute(*reversed(range(x.ndim))), whole[..., ::2]):
        expected = t.double().numpy()  # bfloat16 has rounded
        for d in range(expected.ndim):
            n = expected.shape[d]
            values, places = t.sort(d, stable=True)
            np.testing.assert_array_equal(values.double().numpy(), np.sort(expected, d))
            np.testing.assert_array_equal(places.numpy(), np.argsort(expected, d, kind="stable"))
            for k in {1, min(5, n), n // 2 + 1}:
                top, _ = t.topk(k, d)
                np.testing.assert_array_equal(top.double().numpy(), np.flip(np.sort(expected, d), d).take(range(k), d))
                ranked, at = t.kthvalue(k, d)
                np.testing.assert_array_equal(ranked.double().numpy(), np.sort(expected, d).take(k - 1, d))
                np.testing.assert_array_equal(
                    np.take_along_axis(expected, np.expand_dims(at.numpy(), d), d).squeeze(d), ranked.double().numpy()
                )
            np.testing.assert_array_equal(t.median(d)[0].double().numpy(), np.sort(expected, d).take((n - 1) // 2, d))


@pytest.mark.parametrize("n", [50, 1000, 1024, 5000, 70_000])
def test_ranks_with_nan(n: int) -> None:
    x = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    x[:: max(n // 7, 1)] = math.nan
    t = taeda.from_numpy(x)
    numbers = np.sort(x[~np.isnan(x)])
    assert t.median().isnan() and x[t.median(0).indices.item()] != x[t.median(0).indices.item()]
    assert t.nanmedian().item() == numbers[(len(numbers) - 1) // 2]
    assert t.kthvalue(3).values.item() == numbers[2]
    assert t.topk(2, largest=False).values.tolist() == numbers[:2].tolist()
    largest = t.topk(12).values
    count = int(np.isnan(x).sum())
    assert largest[:count].isnan().all() and largest[count:].tolist() == numbers[::-1][: 12 - count].tolist()
    assert t.topk(12).indices[:count].tolist() == np.flatnonzero(np.isnan(x)).tolist()
