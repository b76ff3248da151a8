"""Every operation on every sample: layouts, forms, meta tensors, dtypes, first and second gradients.

The samples are taeda.testing.samples; a new row of the registry is checked here as soon as it has some, a pointwise row at once.
"""

from __future__ import annotations

import math
import re
from functools import partial

import pytest
import references
import sample_checks as checks

import taeda
from taeda.ops.capabilities import all_rows, capabilities, is_public
from taeda.testing import samples

ROWS = {key: row for key, row in sorted(all_rows().items()) if samples.has_samples(row)}
each_row = pytest.mark.parametrize("key", sorted(ROWS))


def with_gradient(name):
    """Rows whose capability it is; what is drawn at random has a gradient by definition only, unless it is a mask."""
    keys = [key for key, row in ROWS.items() if capabilities(row)[name] in ("derived", "written")]
    return pytest.mark.parametrize(
        "key", [key for key in keys if not samples.is_random(ROWS[key]) or key == "_dropout"]
    )


def on_all(key, check, dtype=None):
    """Run a check on each sample; the message says which one failed, as Python."""
    row = ROWS[key]
    for sample in samples.samples_of(row, dtype):
        try:
            check(row, sample)
        except Exception as error:
            if not is_public(row) and isinstance(error, NotImplementedError):
                continue  # a private operation may refuse what no public one asks of it
            raise AssertionError(f"{key}, {sample.note}: {samples.source_of(row, sample)}") from error


def test_every_public_operation_has_samples():
    missing = [key for key, row in all_rows().items() if is_public(row) and key not in ROWS]
    assert [key for key in missing if key not in samples.WITHOUT] == []


@each_row
def test_meta(key):
    if capabilities(ROWS[key])["meta"].startswith("no"):
        with pytest.raises(RuntimeError, match="meta"):
            checks.check_meta(ROWS[key], samples.samples_of(ROWS[key])[0])
    else:
        on_all(key, checks.check_meta)


@pytest.mark.parametrize("key", [key for key in ROWS if not checks.depends_on_layout(ROWS[key])])
def test_layouts(key):
    on_all(key, checks.check_layouts)


@each_row
def test_forms(key):
    on_all(key, checks.check_forms)


@with_gradient("gradient")
def test_gradient(key):
    on_all(key, checks.check_gradient)


@with_gradient("second gradient")
def test_second_gradient(key):
    on_all(key, checks.check_second_gradient)


@pytest.mark.slow
@with_gradient("gradient")
def test_gradient_element_by_element(key):
    on_all(key, partial(checks.check_gradient, projected_beyond=math.inf))


@pytest.mark.slow
@with_gradient("second gradient")
def test_second_gradient_element_by_element(key):
    on_all(key, partial(checks.check_second_gradient, projected_beyond=math.inf))


# ---- values and dtypes

with_reference = pytest.mark.parametrize(
    "key", [key for key, row in ROWS.items() if references.of(row) is not None and not samples.is_random(row)]
)


@with_reference
def test_values(key):
    on_all(key, checks.check_values)


REFUSALS = (
    "not implemented for|not support|unsupported|only support|no longer supported|expected|must|does not|cannot|can't"
)


def accepted(key, dtype):
    """The samples that an operation takes in a dtype. The plain one is refused where the matrix says so, and only there."""
    row, taken = ROWS[key], []
    try:
        given = samples.samples_of(row, dtype)
    except (RuntimeError, NotImplementedError) as error:  # a sample that is sorted, say
        assert re.search(REFUSALS, str(error), re.IGNORECASE), error
        return taken
    for sample in given:
        try:
            checks.run(row, sample)
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            assert re.search(REFUSALS, str(error), re.IGNORECASE), error
        else:
            taken.append(sample)
    column = "complex" if dtype.is_complex else "half" if dtype in (taeda.float16, taeda.bfloat16) else ""
    if column and is_public(row) and any(x.dtype == dtype for x in checks.tensors_of(given[0])):
        claim = capabilities(row)[column]
        assert (given[0] in taken) == (not claim.startswith("no")), f"the matrix says {claim!r}"
    return taken


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64"])
@with_reference
def test_values_of_other_dtypes(key, dtype):
    for sample in accepted(key, getattr(taeda, dtype)):
        checks.check_values(ROWS[key], sample)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@each_row
def test_half(key, dtype):
    for sample in accepted(key, getattr(taeda, dtype)):
        # Bits; statistics that belong to the input; positions, which PyTorch rounds as well before it weighs.
        if key not in ("view.dtype", "_batch_norm_backward", "_grid_sample", "_grid_weights"):
            checks.check_half(ROWS[key], sample)


@with_gradient("gradient")
def test_gradient_of_complex_numbers(key):
    for sample in accepted(key, taeda.complex128) if is_public(ROWS[key]) else []:
        checks.check_gradient(ROWS[key], sample)


@with_gradient("second gradient")
def test_second_gradient_of_complex_numbers(key):
    for sample in accepted(key, taeda.complex128) if is_public(ROWS[key]) else []:
        checks.check_second_gradient(ROWS[key], sample)


# ---- forward mode and vmap


@with_gradient("gradient")
def test_forward_mode(key):
    on_all(key, checks.check_forward_mode)


def is_mapped(row):
    """What has a shape that follows from the elements cannot be mapped over, nor what writes or draws."""
    fixed = not capabilities(row)["meta"].startswith("no")
    return is_public(row) and fixed and not samples.is_random(row) and not row.name.endswith("_")


@pytest.mark.parametrize("key", [key for key, row in ROWS.items() if is_mapped(row)])
def test_vmap(key):
    on_all(key, checks.check_vmap)
