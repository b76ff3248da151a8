"""Convolutions against a direct sum, their transposes as adjoints, gradients of two orders, errors."""

from __future__ import annotations

import itertools

import numpy
import pytest

import taeda
import taeda.nn.functional as F
from taeda.autograd import gradcheck, gradgradcheck

RNG = numpy.random.default_rng(0)


def direct(x, w, b, stride, padding, dilation, groups):
    """The definition: one product for each tap."""
    n = w.ndim - 2
    x = numpy.pad(x, [(0, 0), (0, 0)] + [(p, p) for p in padding])
    sizes = [(x.shape[2 + d] - dilation[d] * (w.shape[2 + d] - 1) - 1) // stride[d] + 1 for d in range(n)]
    out = numpy.zeros((x.shape[0], w.shape[0], *sizes), dtype=numpy.result_type(x, w))
    per_group, made = w.shape[1], w.shape[0] // groups
    for tap in itertools.product(*(range(k) for k in w.shape[2:])):
        window = tuple(
            slice(tap[d] * dilation[d], tap[d] * dilation[d] + (sizes[d] - 1) * stride[d] + 1, stride[d])
            for d in range(n)
        )
        for g in range(groups):
            part = x[(slice(None), slice(g * per_group, (g + 1) * per_group), *window)]
            rows = slice(g * made, (g + 1) * made)
            out[:, rows] += numpy.einsum("nc...,oc->no...", part, w[(rows, slice(None), *tap)])
    return out if b is None else out + b.reshape(-1, *[1] * n)


def random_case(dtype="float64"):
    n, groups = int(RNG.integers(1, 4)), int(RNG.integers(1, 4))
    kernel, stride, padding, dilation = (
        RNG.integers(low, high, n).tolist() for low, high in ((1, 4), (1, 4), (0, 3), (1, 3))
    )
    sizes = [
        int(RNG.integers(max(1, d * (k - 1) + 1 - 2 * p), 14))
        for k, p, d in zip(kernel, padding, dilation, strict=True)
    ]
    c_in, c_out = (int(RNG.integers(1, 9)) * groups for _ in range(2))
    x, w = (RNG.integers(-4, 5, shape).astype(dtype) for shape in ((2, c_in, *sizes), (c_out, c_in // groups, *kernel)))
    return n, x, w, RNG.integers(-4, 5, c_out).astype(dtype), (stride, padding, dilation, groups)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "int8"])
def test_convolutions_agree_with_the_definition(dtype):
    """Small integers are exact in every type, so results must be equal."""
    for _ in range(25):
        n, x, w, b, arguments = random_case(dtype)
        result = getattr(F, f"conv{n}d")(*map(taeda.tensor, (x, w, b)), *arguments)
        assert numpy.array_equal(result.numpy(), direct(x, w, b, *arguments).astype(dtype)), (
            x.shape,
            w.shape,
            arguments,
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_are_adjoint_to_the_convolution(dtype):
    """A linear map's gradients satisfy <y(x, w), g> = <x, dx> = <w, dw>, exactly in small integers."""
    for _ in range(25):
        n, x, w, _, arguments = random_case(dtype)
        tx, tw = (taeda.tensor(a).requires_grad_() for a in (x, w))
        y = getattr(F, f"conv{n}d")(tx, tw, None, *arguments)
        g = RNG.integers(-4, 5, tuple(y.shape)).astype(dtype)
        y.backward(taeda.tensor(g))
        total = (y.detach().numpy() * g).sum()
        assert total == (tx.grad.numpy() * x).sum() == (tw.grad.numpy() * w).sum(), (x.shape, w.shape, arguments)


def test_transposed_convolutions_are_the_adjoint():
    for _ in range(25):
        n, x, w, _, (stride, padding, dilation, groups) = random_case()
        y = direct(x, w, None, stride, padding, dilation, groups)
        sizes = zip(x.shape[2:], y.shape[2:], stride, padding, dilation, w.shape[2:], strict=True)
        extra = [size - ((out - 1) * s - 2 * p + d * (k - 1) + 1) for size, out, s, p, d, k in sizes]
        g = RNG.integers(-4, 5, y.shape).astype("float64")
        turned = getattr(F, f"conv_transpose{n}d")(
            *map(taeda.tensor, (g, w)), None, stride, padding, extra, groups, dilation
        )
        assert tuple(turned.shape) == x.shape
        assert (turned.numpy() * x).sum() == (y * g).sum()


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_padding_keeps_the_sizes(kernel):
    x, w = RNG.standard_normal((2, 3, 9)), RNG.standard_normal((4, 3, kernel))
    before = (kernel - 1) // 2
    padded = numpy.pad(x, [(0, 0), (0, 0), (before, kernel - 1 - before)])
    result = F.conv1d(taeda.tensor(x), taeda.tensor(w), padding="same")
    numpy.testing.assert_allclose(result.numpy(), direct(padded, w, None, [1], [0], [1], 1))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_summed_in_float32(dtype):
    x, w = (taeda.tensor(RNG.standard_normal(s)).to(getattr(taeda, dtype)) for s in ((2, 8, 6, 6), (5, 8, 3, 3)))
    expected = F.conv2d(x.float(), w.float())
    assert F.conv2d(x, w).dtype == x.dtype
    assert float((F.conv2d(x, w).float() - expected).abs().max()) <= float(expected.abs().max()) * 2.0**-8


def test_unbatched_strided_and_empty_inputs():
    x, w = RNG.standard_normal((3, 8, 9)), RNG.standard_normal((4, 3, 3, 3))
    expected = direct(x[None], w, None, [1, 1], [1, 1], [1, 1], 1)
    tx, tw = taeda.tensor(x), taeda.tensor(w)
    numpy.testing.assert_allclose(F.conv2d(tx, tw, padding=1).numpy(), expected[0])
    last = taeda.tensor(numpy.ascontiguousarray(x.transpose(1, 2, 0))).permute(2, 0, 1)
    numpy.testing.assert_allclose(F.conv2d(last[None], tw, padding=1).numpy(), expected)
    assert tuple(F.conv2d(taeda.ones(0, 3, 8, 8), taeda.ones(4, 3, 3, 3)).shape) == (0, 4, 6, 6)
    assert tuple(F.conv2d(taeda.empty(2, 3, 8, 8, device="meta"), taeda.empty(4, 3, 3, 3, device="meta")).shape) == (
        2,
        4,
        6,
        6,
    )


def test_results_do_not_depend_on_the_number_of_threads():
    x, w = (
        taeda.tensor(RNG.standard_normal(s).astype("float32")).requires_grad_()
        for s in ((3, 16, 15, 17), (24, 16, 3, 3))
    )
    threads, results = taeda.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            taeda.set_num_threads(n)
            x.grad = w.grad = None
            y = F.conv2d(x, w, padding=1)
            (y * y).sum().backward()
            results.append([t.detach().numpy().copy() for t in (y, x.grad, w.grad)])
    finally:
        taeda.set_num_threads(threads)
    for other in results[1:]:
        assert all(numpy.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def leaf(*shape, dtype="float64"):
    values = RNG.standard_normal(shape) + (1j * RNG.standard_normal(shape) if dtype == "complex128" else 0)
    return taeda.tensor(values).requires_grad_()


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x, w, b: F.conv2d(x, w, b, 2, 1, 2, 2), ((1, 2, 5, 5), (2, 1, 2, 2), (2,))),
        (lambda x, w: F.conv1d(x, w, None, 1, "same"), ((1, 2, 5), (2, 2, 4))),
        (lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1, 2), ((1, 2, 3, 3), (2, 1, 3, 3), (2,))),
        (lambda x, w: F.conv3d(x, w), ((1, 1, 3, 3, 3), (2, 1, 2, 2, 2))),
        (lambda x, w, b: F.conv2d(x, w, b), ((2, 4, 4), (2, 2, 2, 2), (2,))),
    ],
)
def test_gradients_of_two_orders(function, shapes, dtype):
    inputs = tuple(leaf(*shape, dtype=dtype) for shape in shapes)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize(
    ("weight", "arguments", "phrase"),
    [
        ((4, 2, 3, 3), {}, r"expected input\[1, 3, 8, 8\] to have 2 channels, but got 3 channels instead"),
        ((4, 3, 9, 9), {}, "Kernel size can't be greater than actual input size"),
        ((4, 3, 3, 3), {"stride": 0}, "non-positive stride is not supported"),
        ((4, 3, 3, 3), {"padding": -1}, "negative padding is not supported"),
        ((4, 3, 3, 3), {"dilation": 0}, "dilation should be greater than zero"),
        ((4, 3, 3, 3), {"groups": 0}, "non-positive groups is not supported"),
        ((4, 3, 3, 3), {"bias": (5,)}, "expected bias to be 1-dimensional with 4 elements"),
        ((4, 3, 3, 3), {"padding": "same", "stride": 2}, "padding='same' is not supported for strided convolutions"),
        ((4, 3, 3, 3), {"padding": "much"}, "Invalid padding string"),
    ],
)
def test_errors_say_what_does_not_fit(weight, arguments, phrase):
    if "bias" in arguments:
        arguments = {**arguments, "bias": taeda.ones(*arguments["bias"])}
    with pytest.raises(RuntimeError, match=phrase):
        F.conv2d(taeda.ones(1, 3, 8, 8), taeda.ones(*weight), **arguments)


def test_transposed_errors():
    with pytest.raises(RuntimeError, match="to have 4 channels, but got 3 channels"):
        F.conv_transpose2d(taeda.ones(1, 3, 8, 8), taeda.ones(4, 4, 3, 3))
    with pytest.raises(RuntimeError, match="output padding must be smaller than either stride or dilation"):
        F.conv_transpose2d(taeda.ones(1, 3, 8, 8), taeda.ones(3, 4, 3, 3), stride=2, output_padding=2)
