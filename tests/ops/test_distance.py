"""Distances between rows: against SciPy, and derivatives of both orders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance

import taeda
from taeda.testing import gradcheck, gradgradcheck

F = taeda.nn.functional
METRICS = {
    0.0: lambda a, b: (a[:, None] != b[None]).sum(-1).astype(float),
    1.0: lambda a, b: distance.cdist(a, b, "cityblock"),
    2.0: lambda a, b: distance.cdist(a, b),
    3.5: lambda a, b: distance.cdist(a, b, "minkowski", p=3.5),
    float("inf"): lambda a, b: distance.cdist(a, b, "chebyshev"),
}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("p", METRICS)
@pytest.mark.parametrize("sizes", [(3, 4, 5), (70, 90, 3), (1, 200, 1)], ids=str)
def test_values(p, sizes):
    rows, others, width = sizes
    a, b = draw(rows, width), draw(others, width, seed=1)
    b[0] = a[0]
    made = taeda.cdist(taeda.tensor(a), taeda.tensor(b), p=p).numpy()
    np.testing.assert_allclose(made, METRICS[p](a, b), rtol=1e-10, atol=1e-12)
    pairs = F.pdist(taeda.tensor(b), p).numpy()
    np.testing.assert_allclose(pairs, METRICS[p](b, b)[np.triu_indices(others, 1)], rtol=1e-10, atol=1e-12)


def test_no_cancellation():
    a = taeda.tensor([[10000.0, 1.0]])
    assert taeda.cdist(a, a + taeda.tensor([[0.0, 0.25]])).item() == 0.25


def test_batches_broadcast_and_promote():
    a, b = draw(2, 1, 4, 3), draw(3, 5, 3, seed=1)
    made = taeda.cdist(taeda.tensor(a), taeda.tensor(b, dtype=taeda.float32))
    assert made.shape == (2, 3, 4, 5) and made.dtype is taeda.float64
    np.testing.assert_allclose(made[1, 2].numpy(), distance.cdist(a[1, 0], b[2]), rtol=1e-6)
    assert taeda.cdist(taeda.ones(0, 3), taeda.ones(4, 3)).shape == (0, 4)
    assert F.pdist(taeda.ones(1, 3)).shape == (0,)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, float("inf")])
def test_derivatives(p):
    a, b = (taeda.tensor(draw(*shape, seed=k), requires_grad=True) for k, shape in enumerate(((2, 3, 4), (2, 2, 4))))
    assert gradcheck(lambda a, b: taeda.cdist(a, b, p=p), (a, b))
    assert gradgradcheck(lambda a, b: taeda.cdist(a, b, p=p), (a, b))
    x = taeda.tensor(draw(4, 3), requires_grad=True)
    assert gradcheck(lambda x: F.pdist(x, p), (x,))
    assert gradgradcheck(lambda x: F.pdist(x, p), (x,))


def test_equal_rows_have_no_gradient():
    x = taeda.ones(3, 2, requires_grad=True)
    F.pdist(x).sum().backward()
    assert (x.grad == 0).all()
