"""Losses by class, rows of tables and padding under vmap: as one call for each sample, without the warning about a loop."""

import warnings

import numpy as np
import pytest

import taeda
from taeda.func import grad, vmap
from taeda.nn import functional as F

rng = np.random.default_rng(8)


def tensor(*shape):
    return taeda.from_numpy(rng.normal(size=shape))


def classes(*shape):
    target = rng.integers(0, 4, shape)
    target.flat[0] = 2
    return taeda.from_numpy(target)


def each(function, in_dims, *arguments):
    n = next(a.shape[0] for a, d in zip(arguments, in_dims, strict=True) if d == 0)
    rows = [[a[i] if d == 0 else a for a, d in zip(arguments, in_dims, strict=True)] for i in range(n)]
    return taeda.stack([function(*row) for row in rows])


def check(function, in_dims, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        together = vmap(function, in_dims)(*arguments)
    np.testing.assert_allclose(
        together.detach().numpy(), each(function, in_dims, *arguments).detach().numpy(), rtol=1e-10
    )


@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_by_class(loss, reduction, weighted):
    weight = taeda.from_numpy(rng.uniform(0.5, 2, 4)) if weighted else None

    def of(x, target):
        return loss(x, target, weight, ignore_index=2, reduction=reduction)

    def slope(x, target):
        return grad(lambda y: (of(y, target) ** 2).sum())(x)

    for x, target in ((tensor(3, 5, 4), classes(3, 5)), (tensor(3, 2, 4, 6), classes(3, 2, 6))):
        check(of, (0, 0), x, target)
        check(slope, (0, 0), x, target)
        check(slope, (None, 0), x[0], target)
        check(slope, (0, None), x, target[1])
    # one position alone: the losses of a per-sample gradient
    check(lambda x, t: loss(x, t, weight, reduction=reduction), (0, 0), tensor(3, 4), classes(3))


def test_rows_of_tables():
    index, tables = taeda.from_numpy(rng.integers(0, 5, (3, 4))), tensor(3, 5, 2)

    def rows(index, table):
        return F.embedding(index, table, padding_idx=1, scale_grad_by_freq=True)

    def slope(index, table):
        return grad(lambda t: (rows(index, t) ** 2).sum())(table)

    for function in (rows, slope):
        check(function, (0, 0), index, tables)
        check(function, (0, None), index, tables[0])
        check(function, (None, 0), index[0], tables)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding(mode):
    x = tensor(3, 2, 5)
    check(lambda x: F.pad(x, (2, -1), mode), (0,), x)
    check(lambda x: grad(lambda y: (F.pad(y, (2, 1), mode) ** 3).sum())(x), (0,), x)
