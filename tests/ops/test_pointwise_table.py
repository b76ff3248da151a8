"""The pointwise table without the core: derived gradients against finite differences, extremes, ties, and what is saved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy_atoms import FUNCTIONS, evaluate

from taeda.ops.atoms import ATOMS
from taeda.ops.expr import const, g, is_const, leaves, topological, variable, where
from taeda.ops.pointwise import RULES, TYPE_WORDS, pointwise
from taeda.ops.pointwise_table import TABLE

inf, nan = math.inf, math.nan
ROWS = {row.key: row for row in TABLE}
ATTRIBUTES = {
    "alpha": 1.5,
    "value": -0.75,
    "scale": 2.0,
    "negative_slope": 0.01,
    "min_val": -1.0,
    "max_val": 1.0,
    "lambd": 0.5,
    "beta": 1.25,
    "threshold": 20.0,
    "delta": 0.9,
    "decimals": 2.0,
    "n": 1.0,
    "eps": nan,
    "nan": 0.5,
    "posinf": 9.0,
    "neginf": -9.0,
}
# Points inside the domain, away from kinks, steps and ties; two for rows whose pieces lie elsewhere.
POINTS = {
    "default": ([-1.7, -0.63, 0.31, 0.84, 2.27], [0.71, -1.31, 1.93, -0.47, 0.59], [0.37, 0.61, 1.29, 0.83, -0.55]),
    "positive": ([0.27, 0.84, 1.61, 2.7, 5.3], [0.71, 1.31, 1.93, 0.47, 2.9], [0.37, 0.61, 1.29, 0.83, 1.7]),
    "unit": ([0.13, 0.38, 0.61, 0.74, 0.93], [0.71, 0.31, 0.23, 0.47, 0.59], [0.37, 0.61, 1.29, 0.83, 1.7]),
    "above_one": ([1.13, 1.6, 2.7, 4.4, 9.3], [0.71, 1.31, 1.93, 0.47, 2.9], []),
}
DOMAIN = {
    **dict.fromkeys(
        (
            "sqrt rsqrt log log2 log10 log1p pow xlogy lgamma digamma _polygamma entr _kl_div igamma igammac polar"
        ).split(),
        "positive",
    ),
    **dict.fromkeys(("asin acos atanh erfinv ndtri logit _bce xlog1py").split(), "unit"),
    "acosh": "above_one",
    "zeta": "above_one",
}


def row_values(row, dtype=np.float64):
    definition = row.pointwise
    points = iter(POINTS[DOMAIN.get(row.name, "default")])
    values = {name: np.asarray(ATTRIBUTES[name], dtype=dtype) for name in definition.attributes}
    for name in definition.inputs:
        if name in definition.conditions:
            values[name] = np.array([True, False, True, False, True])
        else:
            values[name] = np.array(next(points), dtype=dtype)
    return values


def gradients(rows, *, complex_numbers=False):
    for row in rows:
        for name, gradient in row.pointwise.gradients.items():
            form = gradient.complex if complex_numbers else gradient.real
            if form is not None and row.pointwise.rule != "to_complex":
                yield pytest.param(row, name, form, id=f"{row.key}-{name}")


def difference(expression, values, name, step):
    up = evaluate(expression, values | {name: values[name] + step})
    down = evaluate(expression, values | {name: values[name] - step})
    return (up - down) / (2 * abs(step))


# Piecewise constant by PyTorch's definition although the pieces' slope is another: nothing to compare.
BY_DEFINITION = {"round.decimals", "nextafter", "heaviside"}


@pytest.mark.parametrize(("row", "name", "form"), [p for p in gradients(TABLE) if p.values[0].key not in BY_DEFINITION])
def test_gradient_agrees_with_finite_differences(row, name, form):
    values = row_values(row)
    result = evaluate(row.pointwise.expression, values)
    upstream = np.array([0.7, -1.1, 0.3, 1.9, -0.4])
    found = evaluate(form, values, g=upstream, r=result)
    expected = upstream * difference(row.pointwise.expression, values, name, 1e-6)
    np.testing.assert_allclose(np.broadcast_to(found, expected.shape), expected, rtol=3e-6, atol=1e-8)


COMPLEX_POINTS = np.array([0.31 + 0.4j, -0.6 + 0.7j, 1.4 - 0.3j, -1.1 - 0.8j])


@pytest.mark.parametrize(("row", "name", "form"), list(gradients(TABLE, complex_numbers=True)))
def test_complex_gradient_agrees_with_finite_differences(row, name, form):
    """For a real loss L of a complex x, the gradient's parts are dL/dRe(x) and dL/dIm(x)."""
    definition = row.pointwise
    expression = definition.expression if definition.complex_expression is None else definition.complex_expression
    shifts = {operand: 0.35 * k * (1 - 0.6j) for k, operand in enumerate(definition.inputs)}
    values = {operand: COMPLEX_POINTS + shift for operand, shift in shifts.items()}
    values |= {operand: np.array([True, False, True, False]) for operand in definition.conditions}
    values |= {attribute: np.asarray(ATTRIBUTES[attribute]) for attribute in definition.attributes}
    upstream = np.array([0.7 - 0.2j, -1.1j, 0.3 + 0.5j, 1.9])
    if definition.rule == "real_part":
        upstream = upstream.real
    result = evaluate(expression, values, dtype=np.complex128)

    def loss(step):
        up = evaluate(expression, values | {name: values[name] + step}, dtype=np.complex128)
        down = evaluate(expression, values | {name: values[name] - step}, dtype=np.complex128)
        return np.real(np.conj(upstream) * (up - down)) / 2e-6

    found = evaluate(form, values, g=upstream, r=result, dtype=np.complex128)
    np.testing.assert_allclose(found, loss(1e-6) + 1j * loss(1e-6j), rtol=2e-5, atol=1e-7)


# ---- extremes

EXTREMES = np.array(
    [
        0.0,
        -0.0,
        1e-38,
        -1e-38,
        1e-20,
        -1e-20,
        0.5,
        -0.5,
        1,
        -1,
        30,
        -30,
        90,
        -90,
        200,
        -200,
        3e38,
        -3e38,
        inf,
        -inf,
        nan,
    ]
)
# Where the value itself is infinite or has no slope, float32 and float64 may differ in how they say so.
UNBOUNDED = {"lgamma", "digamma", "_polygamma", "reciprocal", "logit", "sinc", "_frexp_mantissa"}


def one_operand_rows():
    rows = (row for row in TABLE if len(row.pointwise.inputs) == 1 and "float" in row.pointwise.types)
    return [p for p in gradients(rows) if p.values[0].key not in UNBOUNDED]


@pytest.mark.parametrize(("row", "name", "form"), one_operand_rows())
def test_float32_gradient_stays_usable_at_extremes(row, name, form):
    """Computed in float32, a gradient is what float64 says, wherever that is an ordinary float32 number."""
    exact_values = row_values(row) | {name: EXTREMES.astype(np.float32).astype(np.float64)}
    values = row_values(row, np.float32) | {name: EXTREMES.astype(np.float32)}
    exact = evaluate(form, exact_values, g=np.float64(1), r=evaluate(row.pointwise.expression, exact_values))
    result = evaluate(row.pointwise.expression, values, dtype=np.float32)
    found = evaluate(form, values, g=np.float32(1), r=result, dtype=np.float32)
    exact, found = np.broadcast_to(exact, EXTREMES.shape), np.broadcast_to(found, EXTREMES.shape)
    ordinary = np.isfinite(exact) & (np.abs(exact) < 3e38) & np.isfinite(EXTREMES)
    np.testing.assert_allclose(found[ordinary], exact[ordinary], rtol=2e-3, atol=2e-7, err_msg=str(EXTREMES[ordinary]))


@pytest.mark.parametrize("row", [row for row in TABLE if row.pointwise.edges], ids=lambda row: row.key)
def test_edges(row):
    edges = row.pointwise.edges
    (name,) = row.pointwise.inputs
    defaults = {argument.name: argument.default for argument in row.schema.arguments}
    values = {attribute: np.asarray(float(defaults[attribute])) for attribute in row.pointwise.attributes}
    found = evaluate(row.pointwise.expression, values | {name: np.array(list(edges))})
    np.testing.assert_allclose(found, list(edges.values()), rtol=1e-12, atol=1e-80)


# PyTorch's conventions where a function has a kink, a step or a tie: key, operand, operands' values -> gradient.
CONVENTIONS = [
    ("relu", "input", (0.0,), 0),
    ("relu", "input", (nan,), 1),
    ("abs", "input", (0.0,), 0),
    ("abs", "input", (-2.0,), -1),
    ("hardtanh", "input", (1.0,), 0),
    ("relu6", "input", (6.0,), 0),
    ("relu6", "input", (0.0,), 0),
    ("hardsigmoid", "input", (3.0,), 0),
    ("hardswish", "input", (-3.0,), 0),
    ("hardswish", "input", (3.0,), 1),
    ("hardshrink", "input", (0.5,), 0),
    ("softshrink", "input", (-0.5,), 0),
    ("leaky_relu", "input", (0.0,), 0.01),
    ("elu", "input", (nan,), 1),
    ("threshold", "input", (20.0,), 0),
    ("maximum", "input", (2.0, 2.0), 0.5),
    ("maximum", "other", (2.0, 2.0), 0.5),
    ("maximum", "input", (nan, 2.0), 1),
    ("maximum", "other", (nan, 2.0), 1),
    ("fmax", "input", (2.0, 2.0), 1),
    ("fmax", "other", (2.0, 2.0), 0),
    ("fmax", "other", (nan, 2.0), 1),
    ("fmin", "input", (1.0, nan), 1),
    ("clamp", "input", (1.0, 1.0, 2.0), 1),
    ("clamp", "input", (2.0, 1.0, 2.0), 1),
    ("clamp", "min", (1.0, 1.0, 2.0), 0),
    ("clamp", "min", (0.0, 1.0, 2.0), 1),
    ("clamp", "min", (0.0, 2.0, 1.0), 0),
    ("clamp", "max", (0.0, 2.0, 1.0), 1),
    ("clamp", "input", (nan, 1.0, 2.0), 0),
    ("clamp_min", "input", (1.0, 1.0), 1),
    ("clamp_min", "min", (1.0, 1.0), 0),
    ("pow", "input", (0.0, 0.0), 0),
    ("pow", "input", (0.0, 1.0), 1),
    ("pow", "input", (nan, 0.0), 0),
    ("pow", "exponent", (0.0, 2.0), 0),
    ("pow", "exponent", (0.0, 0.0), 0),
    ("pow", "exponent", (0.0, -1.0), -inf),
    ("pow", "exponent", (-2.0, 2.0), nan),
    ("xlogy", "input", (0.0, 0.0), 0),
    ("xlogy", "input", (0.0, 2.0), math.log(2)),
    ("atan2", "input", (0.0, 0.0), 0),
    ("atan2", "other", (0.0, 0.0), 0),
    ("hypot", "input", (0.0, 0.0), nan),
    ("copysign", "input", (0.0, 1.0), 0),
    ("copysign", "input", (2.0, -0.0), -1),
    ("sinc", "input", (0.0,), 0),
    ("sqrt", "input", (0.0,), inf),
    ("sgn", "input", (3.0,), 0),
    ("floor", "input", (0.3,), 0),
    ("_nan_to_num", "input", (inf,), 0),
    ("_smooth_l1", "input", (0.0, 0.0), 0),
    ("_l1", "input", (1.0, 1.0), 0),
    ("frac", "input", (0.3,), 1),
    ("fmod", "other", (7.5, 2.0), -3),
    ("remainder", "other", (-7.5, 2.0), 4),
    ("i1", "input", (0.0,), 0.5),
]


@pytest.mark.parametrize(("key", "name", "operands", "expected"), CONVENTIONS)
def test_conventions_at_kinks_and_ties(key, name, operands, expected):
    definition = ROWS[key].pointwise
    values = {attribute: np.asarray(ATTRIBUTES[attribute]) for attribute in definition.attributes}
    values |= {operand: np.asarray(value) for operand, value in zip(definition.inputs, operands, strict=True)}
    result = evaluate(definition.expression, values)
    found = evaluate(definition.gradients[name].real, values, g=np.float64(1), r=result)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_blocked_gradient_is_zero_even_if_infinite():
    for key in ("relu", "hardtanh", "threshold", "_masked_scale", "where", "maximum", "clamp_min", "leaky_relu"):
        for gradient in ROWS[key].pointwise.gradients.values():
            if gradient.kind == "loop":
                # No product with a factor that a condition makes zero: 0 * inf would be NaN.
                for node in topological([gradient.real]):
                    if node.kind == "mul":
                        assert not any(part.kind == "where" for part in node.args), (key, gradient.real)


# ---- what is kept for backward


def test_which_operations_save_their_result():
    """Programs may overwrite the result of any other operation before backward, as in PyTorch."""
    saving = {row.name for row in TABLE if row.pointwise.saves_result}
    assert saving == {
        "exp", "exp2", "expm1", "sqrt", "rsqrt", "reciprocal", "tan", "tanh", "sigmoid", "relu", "hypot", "sgn",
        "i0e", "i1", "i1e", "polar",
    }  # fmt: skip


def test_what_common_operations_save():
    saved = {key: set(ROWS[key].pointwise.saved_inputs) for key in ROWS}
    assert saved["add"] == saved["sub"] == saved["neg"] == set()
    assert saved["sigmoid"] == saved["tanh"] == saved["relu"] == saved["exp"] == set()
    assert saved["mul"] == {"input", "other"}
    assert saved["where"] == {"condition"}
    assert saved["silu"] == {"input"}


def test_additions_pass_the_gradient_on():
    add = ROWS["add"].pointwise.gradients
    assert add["input"].kind == "pass"
    assert add["other"].unit_attribute == "alpha"
    assert ROWS["floor"].pointwise.gradients["input"].kind == "zero"
    assert ROWS["eq"].pointwise.gradients["input"].kind == "none"


# ---- the table as a whole


def test_the_table_is_consistent():
    assert len(TABLE) >= 120
    assert [row.pointwise.index for row in TABLE] == list(range(len(TABLE)))
    for row in TABLE:
        definition = row.pointwise
        assert definition.rule in RULES
        assert definition.types and definition.types <= set(TYPE_WORDS)
        assert row.doc or row.name.startswith("_"), f"{row.key} has no documentation"
        assert ("input" in definition.inputs) or definition.rule == "to_complex", row.key


@pytest.mark.parametrize("row", [row for row in TABLE if "float" in row.pointwise.types], ids=lambda row: row.key)
def test_every_row_can_be_evaluated(row):
    used = {node.kind for node in topological([row.pointwise.expression])} & set(ATOMS)
    assert used <= set(FUNCTIONS), "the reference evaluator lacks an atom"


def test_recorded_gradients_use_public_operations_only():
    from taeda.ops.registry import REGISTRY

    names = {row.name for row in REGISTRY.values()} | {"real"}
    for row in TABLE:
        for operand, gradient in row.pointwise.gradients.items():
            for form in gradient.forms:
                for node in topological([form]):
                    if node.kind in ATOMS and leaves(node, "input"):
                        public = ATOMS[node.kind].public.partition("(")[0]
                        assert public in names, f"{row.key}, gradient of {operand}: {node.kind}"


def test_special_values_simplify():
    """A power with the exponent 2 throughout is one product, in both directions."""
    from taeda.ops.expr import substitute

    definition = ROWS["pow"].pointwise
    two = {variable("exponent"): const(2)}
    x = variable("input")
    assert substitute(definition.expression, two) is x * x
    assert substitute(definition.gradients["input"].real, two) is g * (2 * x)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("bad(Tensor input)", {"rule": "sideways"}, "unknown rule"),
        ("bad(Tensor input)", {"types": "float quaternion"}, "unknown types"),
        ("bad(Scalar alpha, Tensor input)", {}, "operands come first"),
        ("bad(Tensor other)", {}, "no argument"),
    ],
)
def test_rows_that_contradict_themselves_are_rejected(text, options, message):
    before = len(TABLE)
    with pytest.raises(ValueError, match=message):
        pointwise(text, variable("input") * 2, **options)
    assert len(TABLE) == before


def test_a_row_without_a_derivative_says_so():
    from taeda.ops.atoms import gcd

    with pytest.raises(ValueError, match="gcd has no derivative"):
        pointwise("bad(Tensor input, Tensor other)", gcd(variable("input"), variable("other")), types="float")


def test_zero_gradients_are_recognised():
    assert is_const(ROWS["sign"].pointwise.gradients["input"].real, 0)
    assert ROWS["where"].pointwise.gradients["other"].real is where(variable("condition", boolean=True), 0, g)
