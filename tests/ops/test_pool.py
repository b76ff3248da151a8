"""Pooling against its definition in NumPy: maxima with places, means with their ways of counting, cells; gradients."""

from __future__ import annotations

import itertools
import math

import numpy
import pytest

import taeda
import taeda.nn.functional as F
from taeda.autograd import gradcheck, gradgradcheck

RNG = numpy.random.default_rng(0)


def out_size(size, kernel, stride, padding, dilation, ceil_mode):
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    made = (math.ceil(room / stride) if ceil_mode else room // stride) + 1
    return made - 1 if ceil_mode and (made - 1) * stride >= size + padding else made


def windows(sizes, kernel, stride, padding, dilation, ceil_mode):
    """For each result: its index, the coordinates of its window's elements that lie inside, and the window's padded count."""
    shape = [out_size(*axis, ceil_mode) for axis in zip(sizes, kernel, stride, padding, dilation, strict=True)]
    for at in itertools.product(*map(range, shape)):
        starts = [a * s - p for a, s, p in zip(at, stride, padding, strict=True)]
        axes = [[b + i * d for i in range(k)] for b, k, d in zip(starts, kernel, dilation, strict=True)]
        inside = [[i for i in axis if 0 <= i < size] for axis, size in zip(axes, sizes, strict=True)]
        count = math.prod(
            min(b + k, size + p) - b for b, k, size, p in zip(starts, kernel, sizes, padding, strict=True)
        )
        yield shape, at, list(itertools.product(*inside)), count


def random_case():
    n = int(RNG.integers(1, 4))
    kernel, stride, dilation = (RNG.integers(1, high, n).tolist() for high in (5, 4, 3))
    padding = [int(RNG.integers(0, k // 2 + 1)) for k in kernel]
    sizes = [int(RNG.integers(d * (k - 1) + 1, 12)) for k, d in zip(kernel, dilation, strict=True)]
    return n, RNG.standard_normal((2, *sizes)), kernel, stride, padding, dilation, bool(RNG.integers(2))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bfloat16"])
def test_maxima_and_their_places(dtype):
    for _ in range(20):
        n, x, *arguments = random_case()
        x = numpy.round(10 * x)
        values, places = getattr(F, f"max_pool{n}d")(
            taeda.tensor(x).to(getattr(taeda, dtype)), *arguments, return_indices=True
        )
        values, places = values.double().numpy(), places.numpy()
        for _, at, inside, _ in windows(x.shape[1:], *arguments):
            for plane in range(2):
                index = (plane, *at)
                best = max(x[(plane, *i)] for i in inside)
                first = next(i for i in inside if x[(plane, *i)] == best)
                assert values[index] == best
                assert places[index] == numpy.ravel_multi_index(first, x.shape[1:])


def test_nan_is_the_maximum():
    x = taeda.tensor([[1.0, float("nan"), 3.0, 4.0]])
    values, places = F.max_pool1d(x, 2, return_indices=True)
    assert math.isnan(float(values[0, 0])) and float(values[0, 1]) == 4.0
    assert places.tolist() == [[1, 3]]


def test_means_count_as_told():
    for _ in range(30):
        n, x, kernel, stride, padding, _, ceil_mode = random_case()
        count_padding, divisor = bool(RNG.integers(2)), int(RNG.integers(1, 5)) if n > 1 and RNG.integers(2) else None
        extra = () if n == 1 else (divisor,)
        result = getattr(F, f"avg_pool{n}d")(
            taeda.tensor(x), kernel, stride, padding, ceil_mode, count_padding, *extra
        ).numpy()
        for _, at, inside, count in windows(x.shape[1:], kernel, stride, padding, [1] * n, ceil_mode):
            total = sum(x[(0, *i)] for i in inside)
            expected = total / (divisor or (count if count_padding else len(inside)))
            numpy.testing.assert_allclose(result[(0, *at)], expected, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cells_divide_evenly(dtype):
    for _ in range(20):
        n = int(RNG.integers(1, 4))
        sizes, made = RNG.integers(2, 9, n).tolist(), RNG.integers(1, 7, n).tolist()
        x = RNG.standard_normal((2, *sizes)).astype(dtype)
        means = getattr(F, f"adaptive_avg_pool{n}d")(taeda.tensor(x), made).numpy()
        values, places = getattr(F, f"adaptive_max_pool{n}d")(taeda.tensor(x), made, return_indices=True)
        for at in itertools.product(*map(range, made)):
            cell = tuple(
                slice(a * size // m, -(-(a + 1) * size // m)) for a, size, m in zip(at, sizes, made, strict=True)
            )
            numpy.testing.assert_allclose(means[(0, *at)], x[(0, *cell)].mean(), rtol=1e-5, atol=1e-6)
            assert values.numpy()[(1, *at)] == x[(1, *cell)].max()
            assert x[1].reshape(-1)[places.numpy()[(1, *at)]] == x[(1, *cell)].max()


def test_planes_larger_than_one_and_strided_inputs():
    x = RNG.standard_normal((3, 9, 8, 4))
    turned = taeda.tensor(x).permute(0, 3, 1, 2)
    contiguous = taeda.tensor(numpy.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    for pool in (
        lambda t: F.max_pool2d(t, 2),
        lambda t: F.avg_pool2d(t, 3, 1, 1),
        lambda t: F.adaptive_avg_pool2d(t, 1),
    ):
        assert numpy.array_equal(pool(turned).numpy(), pool(contiguous).numpy())
    assert tuple(F.max_pool2d(taeda.empty(0, 3, 8, 8), 3).shape) == (0, 3, 2, 2)


def leaf(*shape):
    return taeda.tensor(RNG.permutation(math.prod(shape)).reshape(shape) * 0.1).requires_grad_()


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: F.max_pool2d(x, 2, 1, 1), (1, 2, 4, 4)),
        (lambda x: F.max_pool1d(x, 2), (2, 4)),
        (lambda x: F.max_pool3d(x, 2), (1, 2, 2, 4)),
        (lambda x: F.avg_pool2d(x, 3, 2, 1, True, False), (1, 2, 4, 5)),
        (lambda x: F.avg_pool1d(x, 2), (1, 2, 4)),
        (lambda x: F.avg_pool3d(x, 2, 1, 1, False, True, 3), (1, 1, 2, 3, 2)),
        (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), (1, 1, 5, 4)),
        (lambda x: F.adaptive_max_pool2d(x, (3, 2)), (1, 1, 5, 4)),
    ],
)
def test_gradients_of_two_orders(function, shape):
    x = leaf(*shape)
    assert gradcheck(function, (x,))
    assert gradgradcheck(function, (x,))


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (lambda x: F.max_pool2d(x, 3, padding=2), RuntimeError, "pad should be at most half of effective kernel size"),
        (lambda x: F.max_pool2d(x, 9), RuntimeError, "Output size is too small"),
        (lambda x: F.max_pool2d(x, 3, stride=0), RuntimeError, "stride should not be zero"),
        (
            lambda x: F.max_pool2d(x[0, 0], 3),
            RuntimeError,
            r"non-empty 3D or 4D \(batch mode\) tensor expected for input",
        ),
        (lambda x: F.max_pool2d(x.bool(), 3), NotImplementedError, "not implemented for 'Bool'"),
        (lambda x: F.max_pool1d(x[0], 9), RuntimeError, "Invalid computed output size: 0"),
        (lambda x: F.avg_pool2d(x, 3, divisor_override=0), RuntimeError, "divisor must be not zero"),
        (lambda x: F.adaptive_avg_pool2d(x, -1), RuntimeError, "must be greater than or equal to 0"),
        (lambda x: F.adaptive_avg_pool2d(x.long(), 2), NotImplementedError, "not implemented for 'Long'"),
    ],
)
def test_errors(call, error, phrase):
    with pytest.raises(error, match=phrase):
        call(taeda.ones(1, 3, 8, 8))
