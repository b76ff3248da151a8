"""Walks the registry: no blank in the capability matrix, every row at its homes, and what the matrix claims holds."""

from __future__ import annotations

import functools

import pytest

import taeda
from taeda import _C, _ops
from taeda.ops import batching, calling, forward
from taeda.ops.capabilities import CAPABILITIES, all_rows, capabilities, is_public
from taeda.ops.limits import LIMITS

ROWS = all_rows()
PUBLIC = {key: row for key, row in ROWS.items() if is_public(row)}
POINTWISE = {key: row for key, row in PUBLIC.items() if row.pointwise is not None}
ROOTS = {"torch": "taeda", "Tensor": "taeda.Tensor", "_C": "taeda._C"}


def home_of(home: str):
    """The public object that has the functions of a home."""
    path = ROOTS.get(home, f"taeda.{home}").split(".")[1:]
    return functools.reduce(getattr, path, taeda)


def names_at(home: str, inplace: bool = True) -> set[str]:
    """The names that the registry's rows have at a home."""
    found = set()
    for row in ROWS.values():
        if home in row.where:
            names = {row.name, *row.alias}
            found |= names | ({f"{name}_" for name in names} if row.inplace and inplace else set())
    return found


# ---- the matrix


# What else a cell may say of how a thing is done.
HOW = {"jvp": ("linear", "multilinear", "by its gradient"), "vmap": ("a loop over the samples",)}


@pytest.mark.parametrize("key", sorted(PUBLIC))
def test_no_cell_is_blank(key):
    cells = capabilities(PUBLIC[key])
    assert tuple(cells) == CAPABILITIES
    wrong = {
        name: text
        for name, text in cells.items()
        if text not in ("derived", "written", *HOW.get(name, ()))
        and not (text.startswith("no: ") and len(text) > len("no: "))
    }
    assert wrong == {}, f"{key}: give the row what it lacks, or the reason in `notes` or taeda/ops/limits.py"


def test_limits_name_rows_and_capabilities():
    assert set(LIMITS) <= set(CAPABILITIES)
    stray = {
        (capability, key)
        for capability, reasons in LIMITS.items()
        for keys in reasons.values()
        for key in keys.split()
        if key not in ROWS
    }
    assert stray == set()


def test_notes_name_capabilities():
    assert {name for row in ROWS.values() for name in row.notes} <= set(CAPABILITIES)


@pytest.mark.parametrize("module", [batching, calling, forward])
def test_lists_beside_the_rows_name_rows(module):
    known = set(ROWS) | {row.name for row in ROWS.values()}
    lists = {name: value for name, value in vars(module).items() if isinstance(value, frozenset)}
    assert lists
    assert {name: names - known for name, names in lists.items() if names - known} == {}


# ---- names and homes


def test_different_operations_do_not_share_a_name():
    """Rows of one name are its forms: all but one need an overload name, and an alias belongs to one name only."""
    owners: dict[tuple[str, str], set[str]] = {}
    for row in ROWS.values():
        for home in row.where:
            for name in (row.name, *row.alias):
                owners.setdefault((home, name), set()).add(row.name)
    assert {place: names for place, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize("home", ["torch", "Tensor", "nn.functional", "linalg", "special", "_C"])
def test_every_row_is_at_its_home(home):
    place = home_of(home)
    # nn.functional asks for in-place by an argument; only some functions have a second name for it there.
    names = names_at(home, inplace=home != "nn.functional")
    missing = sorted(name for name in names if not callable(getattr(place, name, None)))
    assert missing == []


@pytest.mark.parametrize("home", sorted(_C._homes))
def test_the_core_offers_what_the_registry_lists_and_no_more(home):
    assert set(_C._homes[home]) == names_at(home)


def test_an_operation_of_the_core_is_documented():
    bare = sorted(
        f"{home}.{name}"
        for home, functions in _C._homes.items()
        for name, function in functions.items()
        if home != "_C" and not name.startswith("_") and len((function.__doc__ or "").split("\n\n")) < 2
    )
    assert bare == []


def test_a_composition_and_a_row_are_not_the_same_function_twice():
    """Where both exist under one name at one home, one of them is dead."""
    for home, functions in _ops._compositions().items():
        assert sorted(set(functions) & names_at(home, inplace=False)) == [], home


# ---- what the matrix claims, for the rows whose arguments can be made up


def sample(row, dtype: taeda.dtype, requires_grad: bool = False):
    """A small argument for each operand, a half for each number that has no default: a call, waiting."""
    definition = row.pointwise
    values: dict[str, object] = {
        name: taeda.full((2, 3), 0.5).to(dtype).requires_grad_(requires_grad) for name in definition.inputs
    }
    values |= {name: taeda.ones(2, 3, dtype=taeda.bool) for name in definition.conditions}
    for argument in row.schema.arguments:
        if argument.name not in values and argument.default is None:
            values[argument.name] = {"int": 1, "bool": True, "str": "none"}.get(argument.base, 0.5)
    positional = [values[a.name] for a in row.schema.arguments if a.name in values and not a.keyword_only]
    keywords = {a.name: values[a.name] for a in row.schema.arguments if a.name in values and a.keyword_only}
    function = function_of(row)
    return lambda convert=lambda value: value, **more: function(*map(convert, positional), **keywords, **more)


def function_of(row):
    return getattr(home_of(row.where[0]), row.name)


def kind_of(row) -> taeda.dtype:
    types = row.pointwise.types
    if "float" in types:
        return taeda.float32
    return taeda.complex64 if types == {"complex"} else taeda.int64


@pytest.mark.parametrize("key", sorted(POINTWISE))
def test_pointwise_rows_run_on_meta_as_on_the_cpu(key):
    call = sample(POINTWISE[key], kind_of(POINTWISE[key]))
    real = call()
    shadow = call(lambda value: value.to("meta") if isinstance(value, taeda.Tensor) else value)
    assert shadow.device.type == "meta"
    assert (shadow.shape, shadow.dtype) == (real.shape, real.dtype)


@pytest.mark.parametrize(
    "column, dtype", [("half", taeda.float16), ("half", taeda.bfloat16), ("complex", taeda.complex64)]
)
@pytest.mark.parametrize("key", sorted(POINTWISE))
def test_pointwise_rows_take_the_dtypes_they_claim(key, column, dtype):
    row = POINTWISE[key]
    call = sample(row, dtype)
    if capabilities(row)[column] == "derived":
        assert call().shape == (2, 3)
    else:
        with pytest.raises((RuntimeError, NotImplementedError, TypeError)):
            call()


@pytest.mark.parametrize("key", sorted(POINTWISE))
def test_pointwise_rows_record_history_where_they_have_a_gradient(key):
    row = POINTWISE[key]
    if not kind_of(row).is_floating_point:
        assert capabilities(row)["gradient"] in ("derived", "no: the operands are integers")
        return
    recorded = sample(row, taeda.float32, requires_grad=True)().grad_fn is not None
    assert recorded == (capabilities(row)["gradient"] == "derived")


@pytest.mark.parametrize("key", sorted(POINTWISE))
def test_pointwise_rows_write_out_where_they_claim(key):
    row = POINTWISE[key]
    call = sample(row, kind_of(row))
    expected = call()
    out = taeda.zeros(2, 3, dtype=expected.dtype)
    if capabilities(row)["out"] == "derived" and row.where[0] != "Tensor":
        assert call(out=out) is out
        taeda.testing.assert_close(out, expected, rtol=0, atol=0, equal_nan=True)
    else:
        with pytest.raises(TypeError):
            call(out=out)


def single_tensor(key: str) -> bool:
    row = ROWS[key]
    required = [argument for argument in row.schema.arguments if argument.default is None]
    return [argument.type for argument in required] == ["Tensor"] and not row.overload


@pytest.mark.parametrize("capability, dtype", [("complex", taeda.complex64), ("half", taeda.float16)])
def test_what_cannot_take_a_dtype_says_so(capability, dtype):
    """Rows of LIMITS that take one tensor raise; none quietly computes something."""
    keys = [key for keys in LIMITS[capability].values() for key in keys.split() if single_tensor(key)]
    quiet = []
    for key in keys:
        if key == "view_as_complex":
            continue  # makes complex numbers of pairs: its input is never complex
        try:
            function_of(ROWS[key])(taeda.ones(2, 2, dtype=dtype))
            quiet.append(key)
        except (RuntimeError, NotImplementedError, TypeError):
            pass
    assert quiet == []
