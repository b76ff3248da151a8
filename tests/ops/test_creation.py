"""Creation: values and inferred dtypes against NumPy and PyTorch's rules, filling, triangles, windows, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import taeda
from taeda.autograd import gradcheck


def test_of_a_size():
    assert taeda.zeros(2, 3).tolist() == [[0.0] * 3] * 2
    assert taeda.ones((2,), dtype=taeda.int8).tolist() == [1, 1]
    assert taeda.empty(0, 3).shape == (0, 3)
    assert taeda.full((2,), 2.5).tolist() == [2.5, 2.5]
    assert taeda.empty(2, 3, 4, 5, memory_format=taeda.channels_last).stride() == (60, 1, 15, 3)
    assert taeda.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)


@pytest.mark.parametrize(("value", "dtype"), [(True, "bool"), (1, "int64"), (1.0, "float32"), (1j, "complex64")])
def test_full_infers_its_dtype(value, dtype):
    assert taeda.full((1,), value).dtype == getattr(taeda, dtype)


def test_like():
    x = taeda.zeros(2, 3, dtype=taeda.int16).t()
    assert taeda.ones_like(x).dtype == taeda.int16
    assert taeda.empty_like(x).stride() == (1, 3)
    assert taeda.empty_like(x, memory_format=taeda.contiguous_format).stride() == (2, 1)
    assert taeda.full_like(x, 3, dtype=taeda.float64).tolist() == [[3.0, 3.0]] * 3
    assert x.new_zeros(2).dtype == taeda.int16
    assert x.new_full((1,), 7).tolist() == [7]
    assert taeda.zeros_like(x, device="meta").device.type == "meta"


@pytest.mark.parametrize(
    "arguments", [(5,), (1, 5), (0, 10, 3), (5, 0, -2), (0.0, 1.0, 0.3), (1, 1), (0, 5, 0.5), (-3, 4, 2)]
)
def test_arange(arguments):
    made = taeda.arange(*arguments)
    expected = np.arange(*arguments)
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-6)
    assert made.dtype == (taeda.int64 if expected.dtype.kind == "i" else taeda.float32)


def test_arange_in_other_dtypes():
    assert taeda.arange(5, dtype=taeda.float16).tolist() == [0, 1, 2, 3, 4]
    assert taeda.arange(0, 3, dtype=taeda.uint8).tolist() == [0, 1, 2]
    assert taeda.arange(2**53, 2**53 + 3).tolist() == [2**53, 2**53 + 1, 2**53 + 2]


@pytest.mark.parametrize(
    ("start", "end", "steps"), [(0, 1, 5), (3, -3, 4), (2, 2, 3), (0, 1, 1), (0, 1, 0), (-1, 1, 101)]
)
def test_spaces(start, end, steps):
    linear = taeda.linspace(start, end, steps, dtype=taeda.float64)
    np.testing.assert_allclose(linear.numpy(), np.linspace(start, end, steps), rtol=1e-14, atol=1e-16)
    powers = taeda.logspace(start, end, steps, base=2, dtype=taeda.float64)
    np.testing.assert_allclose(powers.numpy(), np.logspace(start, end, steps, base=2), rtol=1e-13)
    if steps > 1:
        assert linear[-1] == end


def test_matrices():
    np.testing.assert_array_equal(taeda.eye(2, 4).numpy(), np.eye(2, 4))
    for rows, columns, offset in ((3, 4, 0), (4, 3, 1), (3, 3, -2), (2, 2, 5), (0, 3, 0)):
        np.testing.assert_array_equal(
            taeda.tril_indices(rows, columns, offset).numpy(), np.stack(np.tril_indices(rows, offset, columns))
        )
        np.testing.assert_array_equal(
            taeda.triu_indices(rows, columns, offset).numpy(), np.stack(np.triu_indices(rows, offset, columns))
        )


@pytest.mark.parametrize("diagonal", [-5, -1, 0, 2, 9])
def test_triangles(diagonal):
    a = np.arange(1.0, 25).reshape(2, 3, 4)
    for x, oracle in ((taeda.tensor(a), a), (taeda.tensor(a).mT, a.swapaxes(1, 2))):
        np.testing.assert_array_equal(x.tril(diagonal).numpy(), np.tril(oracle, diagonal))
        np.testing.assert_array_equal(x.triu(diagonal).numpy(), np.triu(oracle, diagonal))
        assert x.tril_(diagonal) is x
        np.testing.assert_array_equal(x.numpy(), np.tril(oracle, diagonal))
    assert gradcheck(lambda x: x.tril(diagonal), (taeda.tensor(a, requires_grad=True),))


def test_diagonals():
    v, m = np.array([1.0, 2, 3]), np.arange(12.0).reshape(3, 4)
    for k in (-1, 0, 2):
        np.testing.assert_array_equal(taeda.diag(taeda.tensor(v), k).numpy(), np.diag(v, k))
        np.testing.assert_array_equal(taeda.diag(taeda.tensor(m), k).numpy(), np.diag(m, k))
        np.testing.assert_array_equal(taeda.diagflat(taeda.tensor(m), k).numpy(), np.diagflat(m, k))
    assert taeda.diag_embed(taeda.tensor(m), 1, 0, 2).shape == (5, 3, 5)
    x = taeda.tensor(m, requires_grad=True)
    assert gradcheck(lambda x: (taeda.diag(x, 1), taeda.diagflat(x, -1), taeda.diag_embed(x, 0, 0, 1)), (x,))


def test_filling_in_place():
    x = taeda.ones(3, requires_grad=True)
    y = x * 2
    y[1:].fill_(5)
    y[0].zero_()
    assert y.tolist() == [0, 5, 5]
    value = taeda.tensor(3.0, requires_grad=True)
    z = taeda.zeros(4).fill_(value)
    z.sum().backward()
    assert value.grad == 4
    assert taeda.fill(taeda.zeros(2), 1.5).tolist() == [1.5, 1.5]


def test_copies():
    x = taeda.arange(6.0).view(2, 3)
    assert x.t().clone().stride() == (1, 3)
    assert x.t().clone(memory_format=taeda.contiguous_format).stride() == (2, 1)
    target = taeda.zeros(2, 3, dtype=taeda.int32)
    assert target.copy_(x[:1]) is target and target.tolist() == [[0, 1, 2]] * 2
    a, b = (
        taeda.ones(2, 3, dtype=taeda.float64, requires_grad=True),
        taeda.ones(3, dtype=taeda.float32, requires_grad=True),
    )
    (a * 2).copy_(b).sum().backward()
    assert b.grad.tolist() == [2, 2, 2] and b.grad.dtype == taeda.float32 and a.grad.tolist() == [[0] * 3] * 2


def test_grids_and_products():
    a, b = np.array([1, 2, 3]), np.array([4, 5])
    for indexing in ("ij", "xy"):
        made = taeda.meshgrid(taeda.tensor(a), taeda.tensor(b), indexing=indexing)
        for ours, theirs in zip(made, np.meshgrid(a, b, indexing=indexing), strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs)
    assert taeda.cartesian_prod(taeda.tensor(a), taeda.tensor(b)).tolist() == [[x, y] for x in a for y in b]
    assert taeda.combinations(taeda.tensor(a)).tolist() == [[1, 2], [1, 3], [2, 3]]
    assert taeda.combinations(taeda.tensor(b), 2, True).tolist() == [[4, 4], [4, 5], [5, 5]]
    assert taeda.combinations(taeda.tensor(b), 3).shape == (0, 3)
    assert taeda.block_diag(taeda.ones(1, 2), taeda.tensor(3.0)).tolist() == [[1, 1, 0], [0, 0, 3]]
    for increasing in (False, True):
        np.testing.assert_array_equal(
            taeda.vander(taeda.tensor(a), 4, increasing=increasing).numpy(), np.vander(a, 4, increasing=increasing)
        )


def test_windows():
    for ours, theirs in (
        (taeda.hann_window, np.hanning),
        (taeda.hamming_window, np.hamming),
        (taeda.blackman_window, np.blackman),
        (taeda.bartlett_window, np.bartlett),
    ):
        np.testing.assert_allclose(ours(9, periodic=False, dtype=taeda.float64).numpy(), theirs(9), atol=1e-14)
        np.testing.assert_allclose(ours(9, dtype=taeda.float64).numpy(), theirs(10)[:-1], atol=1e-14)
        assert ours(1).tolist() == [1] and ours(0).shape == (0,)
    np.testing.assert_allclose(
        taeda.kaiser_window(8, periodic=False, beta=5.0, dtype=taeda.float64).numpy(), np.kaiser(8, 5.0), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (lambda: taeda.arange(0, 5, -1), RuntimeError, "inconsistent with step sign"),
        (lambda: taeda.arange(0, 5, 0), RuntimeError, "step must be nonzero"),
        (lambda: taeda.arange(0, math.inf), RuntimeError, "unsupported range"),
        (lambda: taeda.linspace(0, 1, -1), RuntimeError, "number of steps must be non-negative"),
        (lambda: taeda.zeros(-1), RuntimeError, "Dimension size must be non-negative"),
        (lambda: taeda.eye(-1), RuntimeError, "n must be greater or equal to 0"),
        (lambda: taeda.full((2,), 1j, dtype=taeda.float32), RuntimeError, "without overflow"),
        (lambda: taeda.full((2,), 300, dtype=taeda.uint8), RuntimeError, "without overflow"),
        (lambda: taeda.zeros(3).tril(), RuntimeError, "at least 2 dimensions"),
        (lambda: taeda.diag(taeda.zeros(2, 2, 2)), RuntimeError, "Supports 1D or 2D tensors"),
        (lambda: taeda.zeros(2).fill_(taeda.zeros(3)), RuntimeError, "only supports 0-dimension value tensor"),
        (lambda: taeda.zeros(3).copy_(taeda.zeros(5)), RuntimeError, "must match the size of tensor b"),
    ],
)
def test_errors(call, error, phrase):
    with pytest.raises(error, match=phrase):
        call()


def test_whole_numbers_beyond_int64_need_a_dtype():
    assert taeda.tensor([1, 2**63 + 5], dtype=taeda.uint64).tolist() == [1, 2**63 + 5]
    assert taeda.tensor([1.5, 2**63]).tolist() == [1.5, 2.0**63]
    for data in (2**63, [1, 2**63], [[2**63]]):
        with pytest.raises(ValueError, match="Overflow when unpacking long long"):
            taeda.tensor(data)
