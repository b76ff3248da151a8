"""Histograms, hashes and coordinates against NumPy."""

import functools

import numpy
import pytest

import taeda

points = numpy.random.default_rng(0).normal(size=(40, 2))


@pytest.mark.parametrize("density", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("bins, range", [(7, None), (5, (-1.0, 0.5)), ([-2.0, -0.5, 0.0, 3.0], None)])
def test_histogram_equals_numpys(bins, range, weighted, density):
    x, weight = points[:, 0], numpy.abs(points[:, 1]) if weighted else None
    counts, edges = numpy.histogram(x, bins, range, density, weight)
    given = taeda.tensor(bins, dtype=taeda.float64) if isinstance(bins, list) else bins
    options = {"range": range} if range else {}
    made = taeda.from_numpy(x).histogram(
        given, weight=taeda.from_numpy(weight) if weighted else None, density=density, **options
    )
    numpy.testing.assert_allclose(made.hist.numpy(), counts, rtol=1e-12)
    numpy.testing.assert_allclose(made.bin_edges.numpy(), edges, rtol=1e-12)


@pytest.mark.parametrize("bins, range", [(3, None), ([2, 4], (-1.0, 1.0, -2.0, 0.5))])
def test_histogramdd_equals_numpys(bins, range):
    pairs = None if range is None else [range[:2], range[2:]]
    counts, edges = numpy.histogramdd(points, bins, pairs, density=True)
    made = taeda.histogramdd(taeda.from_numpy(points), bins, range, density=True)
    numpy.testing.assert_allclose(made.hist.numpy(), counts, rtol=1e-12)
    for one, other in zip(made.bin_edges, edges, strict=True):
        numpy.testing.assert_allclose(one.numpy(), other, rtol=1e-12)


def test_edges_and_nan():
    made = taeda.histogram(taeda.tensor([0.0, 1.0, 2.0, float("nan"), 2.5, -0.1]), taeda.tensor([0.0, 1.0, 2.0]))
    assert made.hist.tolist() == [1.0, 2.0]
    assert taeda.histogram(taeda.ones(3), 2).bin_edges.tolist() == [0.5, 1.0, 1.5]


@pytest.mark.parametrize(
    "call, kind, words",
    [
        (lambda x: x.histogram(0), RuntimeError, "bins must be > 0"),
        (lambda x: x.int().histogram(3), NotImplementedError, "histogramdd"),
        (lambda x: x.histogram(3, range=(2.0, 1.0)), RuntimeError, "min should not exceed max"),
        (lambda x: x.histogram(3, range=(0.0, float("inf"))), RuntimeError, "not finite"),
        (lambda x: x.histogram(3, weight=x[:2]), RuntimeError, "same shape"),
        (lambda x: taeda.histogramdd(x, 3), RuntimeError, "at least 2 dimensions"),
        (lambda x: taeda.histogramdd(x.reshape(2, 2), [3]), RuntimeError, "innermost dimension"),
        (lambda x: taeda.unravel_index(x, (2, 2)), TypeError, "integer dtype"),
        (lambda x: taeda.unravel_index(x.long(), (2, -2)), ValueError, "negative"),
        (lambda x: x.hash_tensor(mode=1), RuntimeError, "Unknown hash_tensor mode"),
        (lambda x: x[:0].hash_tensor(), RuntimeError, "reduction dim"),
    ],
)
def test_wrong_arguments(call, kind, words):
    with pytest.raises(kind, match=words):
        call(taeda.arange(4.0))


def test_unravel_index_equals_numpys():
    indices = numpy.array([[3, 7], [11, 0]])
    for one, other in zip(
        taeda.unravel_index(taeda.from_numpy(indices), (3, 2, 2)), numpy.unravel_index(indices, (3, 2, 2)), strict=True
    ):
        numpy.testing.assert_array_equal(one.numpy(), other)


def test_hash_is_the_exclusive_or_of_all_bits():
    x = numpy.random.default_rng(1).normal(size=(3, 5)).astype(numpy.float32)
    bits = x.astype(numpy.float64).view(numpy.uint64)
    t = taeda.from_numpy(x)
    assert t.hash_tensor().item() == functools.reduce(numpy.bitwise_xor, bits.reshape(-1))
    numpy.testing.assert_array_equal(t.hash_tensor(1).numpy(), numpy.bitwise_xor.reduce(bits, 1))
    assert taeda.tensor([-1], dtype=taeda.int8).hash_tensor().item() == 2**64 - 1
