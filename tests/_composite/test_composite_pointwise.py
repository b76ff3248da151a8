"""Compositions that work element by element."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

import taeda

inf, nan = math.inf, math.nan


def test_frexp_takes_numbers_apart():
    x = taeda.tensor([8.0, -0.3, 0.0, inf, 1e-40], requires_grad=True)
    result = taeda.frexp(x)
    assert type(result).__name__ == "frexp"
    assert result.exponent.dtype == taeda.int32
    assert result.mantissa.tolist()[0] == 0.5
    assert result.exponent.tolist()[:3] == [4, -1, 0]
    finite = taeda.tensor([8.0, -0.3], requires_grad=True)
    (slope,) = taeda.autograd.grad(taeda.frexp(finite).mantissa.sum(), finite)
    assert slope.tolist() == [1 / 16, 2.0]
    with pytest.raises(RuntimeError, match="only supports floating-point"):
        taeda.frexp(taeda.tensor([1]))


def test_float_power_computes_in_double():
    result = taeda.float_power(taeda.tensor([1, 2]), 0.5)
    assert result.dtype == taeda.float64
    assert result.tolist() == [1.0, math.sqrt(2)]
    assert taeda.float_power(2, taeda.tensor([3])).tolist() == [8.0]
    assert taeda.float_power(taeda.tensor([1j]), 2).dtype == taeda.complex128
    with pytest.raises(RuntimeError, match="requires dtype"):
        taeda.ones(2).float_power_(2)


def test_nan_to_num():
    x = taeda.tensor([nan, inf, -inf, 1.5])
    limits = taeda.finfo(taeda.float32)
    assert taeda.nan_to_num(x).tolist() == [0.0, limits.max, limits.min, 1.5]
    assert x.nan_to_num(1.0, 2.0, 3.0).tolist() == [1.0, 2.0, 3.0, 1.5]
    assert taeda.nan_to_num(x.half()).tolist()[1] == 65504.0
    assert taeda.nan_to_num(taeda.tensor([1, 2])).tolist() == [1, 2]
    assert x.nan_to_num_(0.0, 0.0, 0.0) is x
    assert x.tolist() == [0.0, 0.0, 0.0, 1.5]


def test_polygamma_and_relatives():
    points = [0.3, 1.7, 4.2]
    x = taeda.tensor(points, dtype=taeda.float64)
    for n in range(4):
        np.testing.assert_allclose(taeda.polygamma(n, x).tolist(), special.polygamma(n, points), rtol=1e-12)
        np.testing.assert_allclose(x.polygamma(n).tolist(), special.polygamma(n, points), rtol=1e-12)
    expected = [special.multigammaln(point + 1, 3) for point in points]
    np.testing.assert_allclose(taeda.mvlgamma(x + 1, 3).tolist(), expected, rtol=1e-12)
    np.testing.assert_allclose(taeda.special.psi(x).tolist(), special.psi(points), rtol=1e-13)
    np.testing.assert_allclose(taeda.special.gammainc(x, x).tolist(), special.gammainc(points, points), rtol=1e-12)


def test_complex_helpers():
    z = taeda.tensor([1 + 2j, 3 + 0j])
    assert taeda.conj(z).tolist() == [1 - 2j, 3 + 0j]
    assert taeda.isreal(z).tolist() == [False, True]
    x = taeda.tensor([1.0])
    assert x.conj() is x
    assert taeda.isreal(x).tolist() == [True]


def test_positive():
    x = taeda.tensor([1.0])
    assert taeda.positive(x) is x
    with pytest.raises(RuntimeError, match="on a bool tensor is not supported"):
        taeda.positive(taeda.tensor([True]))


def test_closeness():
    a = taeda.tensor([1.0, inf, nan, 0.0])
    b = taeda.tensor([1.0 + 1e-6, inf, nan, 1e-9])
    assert taeda.isclose(a, b).tolist() == [True, True, False, True]
    assert taeda.isclose(a, b, equal_nan=True).tolist() == [True] * 4
    assert taeda.isclose(taeda.tensor([1.0]), taeda.tensor([inf])).tolist() == [False]
    assert taeda.allclose(a, a, equal_nan=True)
    assert not taeda.allclose(a, a)
    assert taeda.equal(taeda.tensor([1, 2]), taeda.tensor([1, 2]))
    assert not taeda.equal(taeda.tensor([1, 2]), taeda.tensor([1]))
    with pytest.raises(RuntimeError, match="did not match"):
        taeda.isclose(a, a.double())
