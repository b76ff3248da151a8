"""The fused gates of LSTM and GRU: against their definition in NumPy, and derivatives of both orders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

import taeda
from taeda.testing import gradcheck, gradgradcheck


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize("n", [1, 5, 33])
def test_lstm(n):
    gates, cell = draw((3, 4 * n), (3, n))
    i, f, z, o = np.split(gates, 4, 1)
    expected = expit(f) * cell + expit(i) * np.tanh(z)
    hidden, made = taeda._C._lstm_gates(taeda.tensor(gates), taeda.tensor(cell))
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(hidden.numpy(), expit(o) * np.tanh(expected), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n", [1, 5, 33])
def test_gru(n):
    x, y, hidden = draw((3, 3 * n), (3, 3 * n), (3, n))
    r, z = expit(x[:, :n] + y[:, :n]), expit(x[:, n : 2 * n] + y[:, n : 2 * n])
    candidate = np.tanh(x[:, 2 * n :] + r * y[:, 2 * n :])
    made = taeda._C._gru_gates(*map(taeda.tensor, (x, y, hidden)))
    np.testing.assert_allclose(made.numpy(), (1 - z) * candidate + z * hidden, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_lower_precision(dtype):
    arrays = draw((4, 12), (4, 3))
    exact = taeda._C._lstm_gates(*map(taeda.tensor, arrays))
    made = taeda._C._lstm_gates(*(taeda.tensor(a, dtype=getattr(taeda, dtype)) for a in arrays))
    for a, b in zip(made, exact, strict=True):
        assert a.dtype is getattr(taeda, dtype)
        np.testing.assert_allclose(a.double().numpy(), b.numpy(), atol=4 * taeda.finfo(getattr(taeda, dtype)).eps)


def test_derivatives():
    gates, cell = (taeda.tensor(a, requires_grad=True) for a in draw((2, 12), (2, 3)))
    assert gradcheck(taeda._C._lstm_gates, (gates, cell))
    assert gradgradcheck(taeda._C._lstm_gates, (gates, cell))
    parts = tuple(taeda.tensor(a, requires_grad=True) for a in draw((2, 9), (2, 9), (2, 3)))
    assert gradcheck(taeda._C._gru_gates, parts)
    assert gradgradcheck(taeda._C._gru_gates, parts)
