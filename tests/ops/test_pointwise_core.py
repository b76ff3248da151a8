"""The pointwise table in the core: every loop against NumPy, both orders of gradients, dtypes, errors, writing in place."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy_atoms import evaluate
from test_pointwise_table import ATTRIBUTES, TABLE, row_values

import taeda
from taeda import _ops
from taeda.autograd import gradcheck, gradgradcheck

FUNCTIONS = {
    name: function
    for home in ("special", "nn.functional", "torch", "_C")
    for name, function in _ops._HOMES.get(home, {}).items()
}
TORCH_DTYPES = {np.float32: taeda.float32, np.float64: taeda.float64}
FLOAT_ROWS = [row for row in TABLE if "float" in row.pointwise.types]


def call(row, operands, **changed):
    attributes = {name: ATTRIBUTES[name] for name in row.pointwise.attributes} | changed
    for name, value in attributes.items():
        kind = row.schema.argument(name).base
        attributes[name] = None if value != value else int(value) if kind == "int" else value
    return FUNCTIONS[row.name](*operands, **attributes)


def tensors(row, values, dtype):
    made = []
    for name in row.pointwise.inputs:
        is_condition = name in row.pointwise.conditions
        made.append(taeda.tensor(values[name].tolist(), dtype=taeda.bool if is_condition else dtype))
    return made


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("row", FLOAT_ROWS, ids=lambda row: row.key)
def test_loops_agree_with_numpy(row, dtype):
    values = row_values(row, dtype)
    # Enough elements for whole vectors and a rest, so that the vectorised body and its tail are both met.
    long = {name: np.tile(value, 11) if value.ndim else value for name, value in values.items()}
    exact = {name: value.astype(np.float64) if value.dtype != bool else value for name, value in long.items()}
    expected = evaluate(row.pointwise.expression, exact)
    found = np.array(call(row, tensors(row, long, TORCH_DTYPES[dtype])).tolist())
    tolerance = 3e-6 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance / 10)


def differentiable_rows():
    return [row for row in FLOAT_ROWS if any(gradient.kind != "none" for gradient in row.pointwise.gradients.values())]


@pytest.mark.parametrize("row", differentiable_rows(), ids=lambda row: row.key)
def test_gradients_of_both_orders(row):
    """The loops of the gradients, and their recorded form: gradients of gradients."""
    operands = tensors(row, row_values(row), taeda.float64)
    for name, operand in zip(row.pointwise.inputs, operands, strict=True):
        if row.pointwise.gradients[name].kind != "none":
            operand.requires_grad_()
    assert gradcheck(lambda *given: call(row, given), tuple(operands))
    assert gradgradcheck(lambda *given: call(row, given), tuple(operands))


COMPLEX_ROWS = [
    row
    for row in TABLE
    if "complex" in row.pointwise.types and not row.pointwise.conditions and len(row.pointwise.inputs) <= 2
]
COMPLEX_ROWS = [
    row for row in COMPLEX_ROWS if any(gradient.kind == "loop" for gradient in row.pointwise.gradients.values())
]


@pytest.mark.parametrize("row", COMPLEX_ROWS, ids=lambda row: row.key)
def test_complex_gradients_of_both_orders(row):
    points = ([0.31 + 0.4j, -0.6 + 0.7j, 1.4 - 0.3j], [0.9 - 0.5j, 1.1 + 0.2j, -0.7 + 0.4j])
    operands = [taeda.tensor(part, dtype=taeda.complex128, requires_grad=True) for part in points]
    operands = tuple(operands[: len(row.pointwise.inputs)])
    assert gradcheck(lambda *given: call(row, given), operands)
    assert gradgradcheck(lambda *given: call(row, given), operands)


@pytest.mark.parametrize("row", [row for row in TABLE if row.pointwise.edges], ids=lambda row: row.key)
def test_edges(row):
    defaults = {argument.name: argument.default for argument in row.schema.arguments}
    attributes = {name: float(defaults[name]) for name in row.pointwise.attributes}
    for dtype in (taeda.float32, taeda.float64):
        values = list(row.pointwise.edges) * 5
        found = FUNCTIONS[row.name](taeda.tensor(values, dtype=dtype), **attributes)
        expected = list(row.pointwise.edges.values()) * 5
        np.testing.assert_allclose(found.tolist(), expected, rtol=1e-6, atol=1e-30)


# ---- dtypes


@pytest.mark.parametrize(
    ("function", "given", "result"),
    [
        ("sin", "int64", "float32"),
        ("sin", "bool", "float32"),
        ("sin", "float16", "float16"),
        ("sin", "bfloat16", "bfloat16"),
        ("abs", "complex64", "float32"),
        ("abs", "int8", "int8"),
        ("angle", "int64", "float32"),
        ("angle", "complex128", "float64"),
        ("square", "bool", "int64"),
        ("floor", "int32", "int32"),
        ("isnan", "complex64", "bool"),
        ("bitwise_not", "uint8", "uint8"),
        ("sgn", "complex64", "complex64"),
        ("reciprocal", "uint8", "float32"),
    ],
)
def test_result_dtypes(function, given, result):
    operand = taeda.ones(3, dtype=getattr(taeda, given))
    assert getattr(taeda, function)(operand).dtype == getattr(taeda, result)


def test_integers_wrap_around():
    assert (taeda.tensor([127], dtype=taeda.int8) + 1).tolist() == [-128]
    assert (taeda.tensor([250], dtype=taeda.uint8) * 2).tolist() == [244]
    assert taeda.tensor([-128], dtype=taeda.int8).abs().tolist() == [-128]
    lowest = taeda.tensor([-(2**63)])
    assert (lowest // -1).tolist() == [-(2**63)]
    assert (lowest % -1).tolist() == [0]


def test_integer_division():
    x = taeda.tensor([7, -7, 7, -7])
    y = taeda.tensor([2, 2, -2, -2])
    assert (x // y).tolist() == [3, -4, -4, 3]
    assert (x % y).tolist() == [1, 1, -1, -1]
    assert taeda.fmod(x, y).tolist() == [1, -1, 1, -1]
    assert taeda.div(x, y, rounding_mode="trunc").tolist() == [3, -3, -3, 3]
    assert taeda.div(x, 2, rounding_mode="floor").tolist() == [3, -4, 3, -4]
    for operation in (lambda: x // 0, lambda: x % 0, lambda: taeda.fmod(x, 0)):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            operation()


def test_integer_powers():
    x = taeda.tensor([3, -1, 2, 0])
    assert (x**2).tolist() == [9, 1, 4, 0]
    assert (x ** taeda.tensor([-1, -1, -2, 0])).tolist() == [0, -1, 0, 1]
    assert (2 ** taeda.tensor([0, 1, 10])).tolist() == [1, 2, 1024]


@pytest.mark.parametrize("exponent", [2, 3, 0.5, -1, -0.5, 1.7])
def test_powers_with_one_exponent_agree_with_the_general_loop(exponent):
    x = taeda.linspace(0.1, 4, 37, dtype=taeda.float64).requires_grad_()
    alone = x**exponent
    # One other exponent among them keeps the shortcut from being taken.
    mixed = x ** taeda.tensor([exponent] * 36 + [exponent + 1], dtype=taeda.float64)
    np.testing.assert_allclose(alone.tolist()[:36], mixed.tolist()[:36], rtol=1e-13)
    (slope,) = taeda.autograd.grad(alone.sum(), x)
    (general,) = taeda.autograd.grad(mixed.sum(), x)
    np.testing.assert_allclose(slope.tolist()[:36], general.tolist()[:36], rtol=1e-13)


# ---- errors


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda b, i, f: b - b, r"Subtraction, the `-` operator, with two bool tensors is not supported"),
        (lambda b, i, f: i - b, r"Subtraction, the `-` operator, with a bool tensor is not supported"),
        (lambda b, i, f: -b, r"Negation, the `-` operator, on a bool tensor is not supported"),
        (lambda b, i, f: taeda.add(i, i, alpha=0.5), "argument alpha must not be a floating point number"),
        (lambda b, i, f: taeda.add(f, f, alpha=1j), "argument alpha must not be a complex number"),
        (lambda b, i, f: i**-1, "Integers to negative integer powers are not allowed"),
        (lambda b, i, f: taeda.addcdiv(i, i, i), "Integer division with addcdiv is no longer supported"),
        (lambda b, i, f: taeda.where(i, f, f), "where expected condition to be a boolean tensor"),
        (lambda b, i, f: f.masked_fill(i, 1.0), "masked_fill_ only supports boolean masks"),
        (lambda b, i, f: f.masked_fill(b, f), "only supports a 0-dimensional value tensor"),
        (lambda b, i, f: taeda.div(f, f, rounding_mode="up"), "div expected rounding_mode to be one of"),
        (lambda b, i, f: taeda.clamp(f), "At least one of 'min' or 'max' must not be None"),
        (lambda b, i, f: taeda.complex(f, f.double()), "Expected object of scalar type"),
        (lambda b, i, f: taeda.bitwise_and(f, f), "not implemented for 'Float'"),
        (lambda b, i, f: taeda.polygamma(-1, f), "does not support negative n"),
        (lambda b, i, f: f + taeda.ones(3), "must match the size of tensor"),
    ],
)
def test_errors_carry_the_known_phrase(operation, message):
    with pytest.raises(RuntimeError, match=message):
        operation(taeda.tensor([True, False]), taeda.tensor([1, 2]), taeda.tensor([1.0, 2.0]))


# ---- writing in place, and what may be overwritten


def test_in_place_forms_keep_what_backward_needs():
    x = taeda.tensor([-1.0, 0.5, 2.0], dtype=taeda.float64, requires_grad=True)
    for name, arguments in (("sin", ()), ("mul", (3,)), ("exp", ()), ("clamp", (0, 1)), ("pow", (2,)), ("sigmoid", ())):
        (expected,) = taeda.autograd.grad(getattr(x, name)(*arguments).sum(), x)
        (found,) = taeda.autograd.grad(getattr(x * 1, name + "_")(*arguments).sum(), x)
        assert found.tolist() == expected.tolist(), name


def test_results_that_nothing_needs_may_be_overwritten():
    x = taeda.tensor([1.0, 2.0], requires_grad=True)
    y = x**2
    y += 1
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_overwriting_what_is_needed_is_an_error():
    x = taeda.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    y += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_out_receives_the_result():
    out = taeda.empty(0)
    returned = taeda.add(taeda.tensor([1.0, 2.0]), 1, out=out)
    assert returned is out
    assert out.tolist() == [2.0, 3.0]
    with pytest.raises(RuntimeError, match="can't be cast"):
        taeda.add(taeda.tensor([1.0]), 1, out=taeda.empty(1, dtype=taeda.int64))


def test_aliases_are_the_same_operation():
    x = taeda.tensor([0.5, -0.25])
    for alias, name in (("absolute", "abs"), ("arcsin", "asin"), ("negative", "neg"), ("fix", "trunc")):
        assert getattr(taeda, alias)(x).tolist() == getattr(taeda, name)(x).tolist()
        assert getattr(x, alias)().tolist() == getattr(x, name)().tolist()
    assert taeda.greater(x, 0).tolist() == taeda.gt(x, 0).tolist()
    assert taeda.clip(x, 0, 1).tolist() == taeda.clamp(x, 0, 1).tolist()


def test_numbers_on_either_side():
    x = taeda.tensor([1.0, 2.0], dtype=taeda.float64)
    assert (0.1 + x).tolist() == [1.1, 2.1]
    assert (3 - x).tolist() == [2.0, 1.0]
    assert (1 / x).tolist() == [1.0, 0.5]
    assert x.clamp(min=1.3).tolist() == [1.3, 2.0]
    assert taeda.where(x > 1, 0.1, x).tolist() == [1.0, 0.1]


def test_a_mask_keeps_the_tensors_dtype():
    assert taeda.tensor([1, 2]).masked_fill(taeda.tensor([True, False]), 1.5).tolist() == [1, 2]
    half = taeda.ones(2, dtype=taeda.float16).masked_fill(taeda.tensor([True, False]), -math.inf)
    assert half.dtype == taeda.float16
    assert half.tolist() == [-math.inf, 1.0]


@pytest.mark.parametrize("dtype", [taeda.int64, taeda.float32, taeda.bool, taeda.uint8], ids=str)
@pytest.mark.parametrize("value", [1.75, True, 2 + 0j, taeda.tensor(2.5, dtype=taeda.float64)], ids=str)
def test_a_tensor_fills_as_the_number_that_it_holds(dtype, value):
    value = value if isinstance(value, taeda.Tensor) else taeda.tensor(value)
    x, mask = taeda.tensor([0, 1, 1]).to(dtype), taeda.tensor([True, False, True])
    want = [
        taeda.tensor(value.item().real).to(dtype).item(),
        x[1].item(),
        taeda.tensor(value.item().real).to(dtype).item(),
    ]
    assert x.masked_fill(mask, value).tolist() == want
    assert x.masked_fill(mask, value).dtype == dtype
    assert x.clone().masked_fill_(mask, value).tolist() == want


@pytest.mark.parametrize(
    ("dtype", "value"), [(taeda.int64, math.nan), (taeda.uint8, 300), (taeda.float32, 1j), (taeda.int8, -1e9)], ids=str
)
def test_a_tensor_whose_number_does_not_fit_does_not_fill(dtype, value):
    with pytest.raises(RuntimeError, match="value cannot be converted to type"):
        taeda.ones(2, dtype=dtype).masked_fill(taeda.tensor([True, False]), taeda.tensor(value))


def test_gradient_of_a_filling_value_of_another_dtype():
    x = taeda.ones(2, requires_grad=True)
    value = taeda.tensor(3.0, dtype=taeda.float64, requires_grad=True)
    found = taeda.autograd.grad(x.masked_fill(taeda.tensor([True, False]), value).sum(), (x, value))
    assert found[0].tolist() == [0, 1] and found[1].item() == 1 and found[1].dtype == taeda.float64


@pytest.mark.parametrize("exponent", [2, 3, 0.5, -1, -0.5])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_powers_with_one_exponent(exponent, dtype):
    rng = np.random.default_rng(5)
    x = (rng.normal(size=41) + 1j * rng.normal(size=41)).astype(dtype)
    close = {"rtol": 20 * np.finfo(dtype).eps}
    np.testing.assert_allclose((taeda.tensor(x) ** exponent).numpy(), x.astype(np.complex128) ** exponent, **close)
    exponents = np.full(41, exponent, dtype)
    np.testing.assert_allclose(taeda.pow(taeda.tensor(x), taeda.tensor(exponents)).numpy(), x**exponents, **close)
    exponents[7] = 1.5j
    np.testing.assert_allclose(taeda.pow(taeda.tensor(x), taeda.tensor(exponents)).numpy(), x**exponents, **close)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_quotients_and_sizes_at_the_ends_of_the_range(dtype):
    huge, tiny = float(np.finfo(dtype).max) / 4, float(np.finfo(dtype).tiny) * 8
    parts = [huge, -huge, tiny, 1.0, -2.5, 0.0, -0.0, np.inf]
    z = np.array([complex(a, b) for a in parts for b in parts], dtype)
    finite = z[np.isfinite(z)]
    wide = finite.astype(np.clongdouble)
    np.testing.assert_allclose(taeda.tensor(finite).abs().numpy(), np.abs(wide), rtol=4 * np.finfo(dtype).eps)
    assert np.array_equal(taeda.tensor(z).abs().numpy() == np.inf, np.isinf(z))
    np.testing.assert_allclose(taeda.tensor(z).angle().numpy(), np.angle(z), rtol=4 * np.finfo(dtype).eps)
    assert taeda.tensor(np.array([complex(np.nan, 1)] * 9, dtype)).angle().isnan().all()
    divisor = finite[finite != 0]
    by_itself = (taeda.tensor(divisor) / taeda.tensor(divisor)).numpy()
    np.testing.assert_allclose(
        by_itself, np.ones_like(divisor), rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps
    )
    assert (taeda.tensor(divisor) / taeda.tensor(np.array(complex(np.inf, 1), dtype))).abs().max().item() == 0
