"""Expressions: interning, simplification, walks that stay linear, and derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy_atoms import evaluate

from taeda.ops import atoms as a
from taeda.ops.expr import (
    attr,
    build,
    const,
    derivative,
    eq,
    g,
    leaves,
    r,
    scale,
    substitute,
    topological,
    uses,
    variable,
    where,
)

x, y = variable("x"), variable("y")


def test_equal_nodes_are_one_object():
    assert x * y + 1 is variable("x") * variable("y") + 1
    assert x * y is not y * x
    assert const(1) is not const(1.0)
    assert const(0.0) is not const(-0.0)
    assert const(True) is not const(1)


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (x + 0, x),
        (0 + x, x),
        (x - 0, x),
        (0 - x, -x),
        (x * 1, x),
        (x * -1, -x),
        (x / 1, x),
        (build("neg", -x), x),
        (x + -y, x - y),
        (-x + y, y - x),
        (x - -y, x + y),
        (-x * -y, x * y),
        (x + x, 2 * x),
        (2 * (3 * x), 6 * x),
        (x * (1 / y), x / y),
        (x**0, const(1)),
        (x**1, x),
        (x**2, x * x),
        (x**0.5, a.sqrt(x)),
        (where(True, x, y), x),
        (where(x > 0, y, y), y),
        (where(~(x > 0), x, y), where(x > 0, y, x)),
        (~~(x > 0), x > 0),
        ((x > 0) & True, x > 0),
        ((x > 0) | True, const(True)),
        (const(2) < 3, const(True)),
        (a.conj(a.conj(x)), x),
        (a.conj(2 * x), 2 * a.conj(x)),
    ],
)
def test_simplification(made, wanted):
    assert made is wanted


def test_zero_times_something_is_kept_because_of_nan():
    assert (0 * x).kind == "mul"


def test_zero_as_a_gradients_factor_is_zero():
    assert scale(g, const(0)) is const(0)
    assert scale(g, where(x > 0, 1, 0)) is where(x > 0, g, 0)


def test_an_expression_is_no_condition():
    with pytest.raises(TypeError, match="no truth value"):
        bool(x > 0)


def test_a_deep_chain_of_squares_stays_linear():
    chain = x
    for _ in range(2000):  # as a tree: 2 ** 2000 leaves
        chain = chain * chain
    assert len(topological([chain])) == 2001
    assert leaves(chain, "input") == ["x"]
    assert len(topological([derivative(chain, ["x"])["x"]])) < 10_000
    replaced = substitute(chain, {x: y})
    assert leaves(replaced, "input") == ["y"]
    assert len(repr(chain)) < 10_000_000


def test_substitution_simplifies_anew():
    assert substitute(x * y + 1, {y: const(0), x: const(5)}) is const(1)
    assert substitute(x**y, {y: const(2)}) is x * x


def test_leaves_and_uses():
    expression = x * attr("alpha") + y
    assert leaves(expression, "input") == ["x", "y"]
    assert leaves(expression, "attr") == ["alpha"]
    assert uses(g * r, r)
    assert not uses(g * x, r)


def test_derivatives_are_the_atoms_own():
    assert derivative(a.sigmoid(x), ["x"])["x"] is r * (1 - r)
    assert derivative(a.tanh(x), ["x"])["x"] is 1 - r * r
    assert derivative(x * y, ["x", "y"]) == {"x": y, "y": x}
    assert derivative(x + y, ["x"])["x"] is const(1)
    assert derivative(a.floor(x), ["x"])["x"] is const(0)
    # The result stands for the outermost atom only.
    assert not uses(derivative(2 * a.exp(x), ["x"])["x"], r)


def test_a_derivative_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="gcd has no derivative"):
        derivative(a.gcd(x, y), ["x"])


def test_stable_where_elementary_spellings_are_not():
    """With 1 / (1 + exp(-x)) in place of the atom, these derivatives are NaN at +-200."""
    points = np.array([-200.0, -90.0, -30.0, 0.0, 30.0, 90.0, 200.0], dtype=np.float32)
    for expression in (x * a.sigmoid(x), x * a.tanh(a.softplus(x)), a.log_sigmoid(x), a.softplus(x)):
        slope = evaluate(derivative(expression, ["x"])["x"], {"x": points}, dtype=np.float32)
        assert np.isfinite(slope).all(), expression


def test_wrong_number_of_operands():
    with pytest.raises(TypeError, match="exp takes 1 operands"):
        a.exp(x, y)


# Truth values and complex numbers.
NOT_HERE = {"and", "or", "xor", "not", "conj", "real", "complex", "polar"}


@pytest.mark.parametrize("name", sorted(n for n, atom in a.ATOMS.items() if atom.derivative and n not in NOT_HERE))
def test_every_atom_agrees_with_finite_differences(name):
    atom = a.ATOMS[name]
    operands = [variable(letter) for letter in "abc"[: atom.arity]]
    values = {"a": np.array([0.31, 0.62, 0.83]), "b": np.array([0.55, 0.37, 0.21]), "c": np.array([0.9, 0.8, 0.7])}
    if name in ("acosh", "zeta"):
        values["a"] = values["a"] + 1
    if name == "polygamma":
        values["a"] = np.array([1.0, 2.0, 3.0])
    if name == "frexp_mantissa":
        values["a"] = np.array([0.31, 1.62, 7.3])
    if name == "where":
        operands[0] = operands[0] > 0.5
    node = build(name, *operands)
    value = evaluate(node, values)
    factors = atom.partials(node.args, node)
    for operand, factor in zip(operands, factors, strict=True):
        if factor is None or operand.kind != "input":
            continue
        expected = difference(node, values, str(operand.value))
        found = evaluate(build("add", factor, 0), values, r=value)
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7, err_msg=f"{name}, {operand}")


def difference(node, values, name, step=1e-6):
    """The central difference quotient."""
    up = evaluate(node, values | {name: values[name] + step})
    down = evaluate(node, values | {name: values[name] - step})
    if up.dtype == bool:
        return np.zeros_like(values[name])
    return (up - down) / (2 * step)


def test_constants_print_as_numbers():
    assert repr(const(math.pi) * x) == f"({math.pi} * x)"
    assert repr(where(eq(x, 0), 1, x)) == "where((x == 0), 1, x)"
