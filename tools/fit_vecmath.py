"""Fits the polynomials of csrc/cpu/vecmath*.h: minimax in a relative sense, by Remez' exchange in high precision.

Run it (it needs mpmath) to print each function's coefficients, lowest first, with the largest error before rounding.
The headers hold the printed numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 60
Function = Callable[[mp.mpf], mp.mpf]


def remez(function: Function, weight: Function, low: float, high: float, degree: int) -> tuple[list[mp.mpf], mp.mpf]:
    """The coefficients of the polynomial p that minimises max |weight * (p - function)| on [low, high], and that maximum."""
    low, high = mp.mpf(low), mp.mpf(high)
    count = degree + 2
    nodes = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * k / (count - 1)) for k in range(count)]
    grid_size = 40 * count
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * k / grid_size) for k in range(grid_size + 1)]
    values = [(x, function(x), weight(x)) for x in grid]
    worst = mp.mpf(0)
    coefficients: list[mp.mpf] = []
    for _ in range(12):
        system = mp.matrix(count, count)
        right = mp.matrix(count, 1)
        for row, x in enumerate(nodes):
            for column in range(degree + 1):
                system[row, column] = x**column
            system[row, degree + 1] = (-1) ** row / weight(x)
            right[row] = function(x)
        solution = mp.lu_solve(system, right)
        coefficients = [solution[k] for k in range(degree + 1)]
        errors = [(w * (mp.polyval(coefficients[::-1], x) - f), x) for x, f, w in values]
        worst = max(abs(error) for error, _ in errors)
        if worst <= abs(solution[degree + 1]) * mp.mpf("1.001"):
            break
        nodes = _alternation(errors, count) or nodes
    return coefficients, worst


def _alternation(errors: list[tuple[mp.mpf, mp.mpf]], count: int) -> list[mp.mpf] | None:
    """The places of the largest errors with alternating signs."""
    extremes: list[tuple[mp.mpf, mp.mpf]] = []
    for error, x in errors:
        if extremes and (error > 0) == (extremes[-1][0] > 0):
            if abs(error) > abs(extremes[-1][0]):
                extremes[-1] = (error, x)
        else:
            extremes.append((error, x))
    while len(extremes) > count:
        extremes.pop(0 if abs(extremes[0][0]) < abs(extremes[-1][0]) else -1)
    return [x for _, x in extremes] if len(extremes) == count else None


def show(
    name: str, function: Function, weight: Function, low: float, high: float, degree: int, *, is_float: bool
) -> None:
    """Prints one fit as C++ literals."""
    coefficients, worst = remez(function, weight, low, high, degree)
    suffix, digits = ("f", 9) if is_float else ("", 17)
    text = ", ".join(mp.nstr(c, digits, min_fixed=0, max_fixed=0).replace("e+0", "") + suffix for c in coefficients)
    print(f"{name}: error 2^{float(mp.log(worst, 2)):.1f}\n    {text}")


def _series(function: Function, order: int) -> Function:
    """`function` of x, with its removable singularity at 0 filled in by a nearby value."""
    tiny = mp.mpf(10) ** (-40 // order)
    return lambda x: function(x if abs(x) > tiny else tiny)


def _exponentials() -> None:
    half = mp.log(2) / 2
    rest = _series(lambda r: (mp.expm1(r) - r) / r**2, 3)
    for is_float, degree in ((True, 4), (False, 10)):
        show("exp", rest, lambda r: r**2 / mp.exp(r) + mp.mpf("1e-30"), -half, half, degree, is_float=is_float)
    minus = _series(lambda r: (mp.expm1(r) - r - r**2 / 2) / r**3, 4)
    for is_float, degree in ((True, 4), (False, 10)):
        show("expm1", minus, lambda r: r**2 + mp.mpf("1e-30"), -half, half, degree, is_float=is_float)
    show("2^r", lambda r: mp.power(2, r), lambda r: mp.power(2, -r), -0.5, 0.5, 6, is_float=False)
    two = _series(lambda r: mp.expm1(r * mp.log(2)) / r, 2)
    for is_float, degree in ((True, 5), (False, 7), (False, 11)):
        show("exp2", two, lambda r: r + mp.mpf("1e-30"), -0.5, 0.5, degree, is_float=is_float)


def _logarithms() -> None:
    low, high = mp.sqrt(0.5) - 1, mp.sqrt(2) - 1
    log = _series(lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3, 4)
    show("log", log, lambda f: f**2 + mp.mpf("1e-30"), low, high, 8, is_float=True)
    # log((1+s)/(1-s)) = 2s + s^3 * p(s^2)
    ratio = _series(lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z, 2)
    show(
        "log by a ratio", ratio, lambda z: z + mp.mpf("1e-30"), 0, (3 - 2 * mp.sqrt(2)) ** 2 * 1.0001, 6, is_float=False
    )
    third = _series(lambda z: ((2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z - mp.mpf(2) / 3) / z, 3)
    show(
        "log for pow", third, lambda z: z**2 + mp.mpf("1e-30"), 0, (3 - 2 * mp.sqrt(2)) ** 2 * 1.0001, 6, is_float=False
    )
    log2 = _series(lambda z: 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) / mp.log(2), 2)
    show("log2 for pow", log2, lambda z: mp.mpf(1), 0, (3 - 2 * mp.sqrt(2)) ** 2 * 1.0001, 5, is_float=False)


def _trigonometry() -> None:
    quarter = (mp.pi / 4) ** 2 * mp.mpf("1.0001")
    sine = _series(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 2)
    cosine = _series(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, 3)
    tangent = _series(lambda z: (mp.tan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 2)
    show("sin", sine, lambda z: z + mp.mpf("1e-30"), 0, quarter, 2, is_float=True)
    show("cos", cosine, lambda z: z**2 + mp.mpf("1e-30"), 0, quarter, 2, is_float=True)
    show("tan", tangent, lambda z: z + mp.mpf("1e-30"), 0, quarter, 8, is_float=False)
    half = (mp.pi / 2) ** 2 * mp.mpf("1.0001")
    show("sin up to pi/2", sine, lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)), 1e-30, half, 7, is_float=False)
    arcsine = _series(lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 2)
    for is_float, degree in ((True, 4), (False, 11)):
        show("asin", arcsine, lambda z: z + mp.mpf("1e-30"), 0, 0.25, degree, is_float=is_float)
    arctangent = _series(lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 2)
    for is_float, degree in ((True, 3), (False, 10)):
        show(
            "atan",
            arctangent,
            lambda z: z + mp.mpf("1e-30"),
            0,
            (mp.sqrt(2) - 1) ** 2 * 1.0001,
            degree,
            is_float=is_float,
        )
    show("atan up to 1", arctangent, lambda z: z + mp.mpf("1e-30"), 0, 1, 11, is_float=False)


def _hyperbolic() -> None:
    sine = _series(lambda z: (mp.sinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 2)
    show("sinh", sine, lambda z: z + mp.mpf("1e-30"), 0, 1, 3, is_float=True)
    tangent = _series(lambda z: (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 2)
    show("tanh", tangent, lambda z: z + mp.mpf("1e-30"), 0, 0.3**2, 2, is_float=True)
    arcsine = _series(lambda z: (mp.asinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 2)
    show("asinh", arcsine, lambda z: z + mp.mpf("1e-30"), 0, 0.25, 5, is_float=True)
    arctangent = _series(lambda z: (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 2)
    show("atanh", arctangent, lambda z: z + mp.mpf("1e-30"), 0, 0.25, 5, is_float=True)


def _errors() -> None:
    erf = _series(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, 2)
    show("erf", erf, lambda z: mp.mpf(1), 0, 0.92**2, 6, is_float=True)
    show("-log(erfc)", lambda x: -mp.log(mp.erfc(x)), lambda x: mp.erfc(x), 0.92, 3.95, 8, is_float=True)

    show("erf up to 3/4", erf, lambda z: mp.mpf(1), 0, 0.75**2, 10, is_float=False)

    def scaled(t: mp.mpf) -> mp.mpf:
        x = 3 * (1 + t) / (1 - t)
        return (x + 3) * mp.exp(x * x) * mp.erfc(x)

    show("erfcx (x+3), t=(x-3)/(x+3)", scaled, lambda t: 1 / scaled(t), -1, (10.5 - 3) / 13.5, 9, is_float=False)

    def level(t: mp.mpf) -> mp.mpf:
        x = 3.5 * (1 + t) / (1 - t)
        return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)

    show("erfcx (1+2x), t=(x-3.5)/(x+3.5)", level, lambda t: 1 / level(t), -2.75 / 4.25, 24 / 31, 20, is_float=False)


if __name__ == "__main__":
    for family in (_exponentials, _logarithms, _trigonometry, _hyperbolic, _errors):
        family()
