"""Rows: comparisons, tests and logic. Their results are bool and have no gradient."""

from __future__ import annotations

from taeda.ops import atoms as a
from taeda.ops.expr import build, eq, ne, variable
from taeda.ops.pointwise import pointwise

x, y = variable("input"), variable("other")
ALL = "bool int uint float complex"

for name, alias, meaning in (
    ("eq", (), "equals"),
    ("ne", ("not_equal",), "differs from"),
):
    pointwise(
        f"{name}(Tensor input, Operand other)",
        build(name, x, y),
        types=ALL,
        rule="to_bool",
        alias=alias,
        doc=f"Return where ``input`` {meaning} ``other``, as a bool tensor. NaN differs from everything.",
    )
for name, alias, meaning in (
    ("lt", "less", "is less than"),
    ("le", "less_equal", "is at most"),
    ("gt", "greater", "is greater than"),
    ("ge", "greater_equal", "is at least"),
):
    pointwise(
        f"{name}(Tensor input, Operand other)",
        build(name, x, y),
        types="bool int uint float",
        rule="to_bool",
        alias=alias,
        doc=f"Return where ``input`` {meaning} ``other``, as a bool tensor. False where either is NaN.",
    )

for name, value, meaning in (
    ("logical_and", ne(x, 0) & ne(y, 0), "both are not zero"),
    ("logical_or", ne(x, 0) | ne(y, 0), "at least one is not zero"),
    ("logical_xor", ne(x, 0) ^ ne(y, 0), "exactly one is not zero"),
):
    pointwise(
        f"{name}(Tensor input, Tensor other)",
        value,
        types=ALL,
        rule="to_bool",
        doc=f"Return where {meaning}, as a bool tensor.",
    )
pointwise(
    "logical_not(Tensor input)",
    eq(x, 0),
    types=ALL,
    rule="to_bool",
    doc="Return where ``input`` is zero, as a bool tensor.",
)

for name, value, types, meaning in (
    ("isnan", a.isnan(x), ALL, "not a number"),
    ("isinf", a.isinf(x), ALL, "infinite"),
    ("isfinite", a.isfinite(x), ALL, "neither infinite nor NaN"),
    ("isposinf", a.isinf(x) & (x > 0), "bool int uint float", "plus infinity"),
    ("isneginf", a.isinf(x) & (x < 0), "bool int uint float", "minus infinity"),
):
    pointwise(
        f"{name}(Tensor input)",
        value,
        types=types,
        rule="to_bool",
        inplace=False,
        out=name in ("isposinf", "isneginf"),
        doc=f"Return where ``input`` is {meaning}, as a bool tensor.",
    )
pointwise(
    "signbit(Tensor input)",
    a.signbit(x),
    types="bool int uint float",
    rule="to_bool",
    inplace=False,
    doc="Return where ``input`` is negative, as a bool tensor; -0.0 counts.",
)
