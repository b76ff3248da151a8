"""Functions of float64 in vectors: as precise as the C library's nearly everywhere, and the same at the edges."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

import taeda

rng = np.random.default_rng(11)
EDGES = np.array(
    [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        2.0,
        -2.0,
        math.inf,
        -math.inf,
        math.nan,
        5e-324,
        -5e-324,
        1e-310,
        -1e-310,
        2.2e-308,
    ]
    + [1e-9, -1e-9, 0.4142135623730950, 2.414213562373095, 1048575.9, 1048576.1, -1e7, 1e22, 1e300, -1e300, 1.7e308]
    + [26.5, 27.3, -27.3, 6.0, 0.75, 709.0, 3.0, -3.0, 7.0, 1e15 + 1, 2.0**53 + 2]
)
FUNCTIONS: dict[str, tuple[Callable, Callable]] = {
    "sin": (taeda.sin, np.sin),
    "cos": (taeda.cos, np.cos),
    "tan": (taeda.tan, np.tan),
    "asin": (taeda.asin, np.arcsin),
    "acos": (taeda.acos, np.arccos),
    "atan": (taeda.atan, np.arctan),
    "asinh": (taeda.asinh, np.arcsinh),
    "acosh": (taeda.acosh, np.arccosh),
    "atanh": (taeda.atanh, np.arctanh),
    "erf": (taeda.erf, special.erf),
    "erfc": (taeda.erfc, np.vectorize(math.erfc)),  # SciPy's is zero already where it is subnormal
}
OF_TWO: dict[str, tuple[Callable, Callable]] = {
    "pow": (taeda.pow, np.power),
    "atan2": (taeda.atan2, np.arctan2),
    "hypot": (taeda.hypot, np.hypot),
    "fmod": (taeda.fmod, np.fmod),
    "remainder": (taeda.remainder, np.remainder),
}


def values() -> np.ndarray:
    """Of all sizes, around the borders of the formulas, and beside multiples of pi / 2; no multiple of a vector's length."""
    scaled = rng.standard_normal(400) * 10.0 ** rng.uniform(-12, 12, 400)
    near = np.arange(-40, 41) * (math.pi / 2)
    return np.concatenate([EDGES, scaled, rng.uniform(-3, 3, 400), rng.uniform(-1, 1, 400), near, 1 + scaled * 1e-13])


def agree(found: taeda.Tensor, expected: np.ndarray, ulps: float) -> None:
    """Within so many units in the last place of both; NaN, infinities and the sign of zero alike."""
    got = found.numpy()
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    finite = np.isfinite(expected) & np.isfinite(got)
    same = ~finite & ((got == expected) | np.isnan(expected))
    assert np.all(finite | same)
    error = np.abs(got[finite] - expected[finite]) / np.spacing(np.abs(expected[finite]))
    assert error.max() <= ulps, (error.max(), got[finite][error.argmax()], expected[finite][error.argmax()])
    zero = finite & (expected == 0) & (got == 0)
    assert np.array_equal(np.signbit(got[zero]), np.signbit(expected[zero]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_edges(name: str) -> None:
    function, exact = FUNCTIONS[name]
    x = values()
    with np.errstate(all="ignore"):
        expected = exact(x)
    agree(function(taeda.tensor(x)), expected, 4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_element_is_computed_like_many(name: str) -> None:
    """The rest of a loop, which does not fill a vector, takes the functions of the oldest machines: hardly other values."""
    function, _ = FUNCTIONS[name]
    x = taeda.tensor(EDGES)
    one_by_one = taeda.stack([function(x[k]) for k in range(len(EDGES))])
    agree(function(x), one_by_one.numpy(), 4)


@pytest.mark.parametrize("name", OF_TWO)
def test_values_and_edges_of_two(name: str) -> None:
    function, exact = OF_TWO[name]
    a, b = (x.ravel() for x in np.meshgrid(EDGES, EDGES))
    mixed = rng.uniform(-4, 4, 2000) * 10.0 ** rng.integers(-3, 4, 2000)
    powers = rng.uniform(0, 30, 2000)
    a, b = np.concatenate([a, mixed, powers]), np.concatenate([b, mixed[::-1], rng.uniform(-9, 9, 2000)])
    with np.errstate(all="ignore"):
        expected = exact(a, b)
    found = function(taeda.tensor(a), taeda.tensor(b))
    if (
        name == "remainder"
    ):  # NumPy gives NaN where one operand is infinite and the signs differ, and 0 the divisor's sign
        plain = np.isfinite(a) & np.isfinite(b) & (expected != 0)
        return agree(found[taeda.tensor(plain)], expected[plain], 1)
    agree(found, expected, 0 if name == "fmod" else 3)


def test_powers_are_within_a_unit_or_so() -> None:
    """However large the exponent: the logarithm has some 65 bits."""
    if np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("this machine has nothing wider than float64 to compare with")
    x, y = rng.uniform(0, 60, 3000), rng.uniform(-150, 150, 3000)
    exact = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
    ordinary = (exact > 1e-300) & (exact < 1e300)
    got = taeda.pow(taeda.tensor(x), taeda.tensor(y)).numpy()[ordinary]
    error = np.abs(got.astype(np.longdouble) - exact[ordinary]) / np.spacing(got)
    assert error.max() <= 1.5


def test_floor_division() -> None:
    """As Python does it, also where the rounded quotient is a whole number too high; zeros have the quotient's sign."""
    for dtype in (np.float32, np.float64):
        a = np.concatenate([rng.integers(-60, 60, 500) * 0.1, rng.uniform(-1e6, 1e6, 500)]).astype(dtype)
        b = np.concatenate([rng.choice([0.1, -0.1, 0.3, 2.0, -7.0], 500), rng.uniform(-9, 9, 500)]).astype(dtype)
        found = taeda.floor_divide(taeda.tensor(a), taeda.tensor(b)).numpy()
        assert np.array_equal(found, np.floor_divide(a, b))
    ends = taeda.tensor([1.0, -1.0, 0.0, -0.0, math.inf, 5.0, -5.0])
    by = taeda.tensor([0.0, 0.0, 0.0, 2.0, 2.0, math.inf, math.inf])
    assert str((ends // by).tolist()) == "[inf, -inf, nan, -0.0, nan, 0.0, -1.0]"
