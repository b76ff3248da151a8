"""The generator of the pointwise table's C++: complete, stable, and quiet when nothing changed."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def generator():
    sys.path.insert(0, str(TOOLS))
    try:
        importlib.import_module("taeda.ops.pointwise_table")
        yield importlib.import_module("gen_pointwise")
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def table():
    return importlib.import_module("taeda.ops.pointwise").TABLE


@pytest.fixture
def generated(generator, tmp_path):
    numbers = generator.generate(tmp_path)
    return tmp_path, numbers


def text_of(folder: Path, pattern: str) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob(pattern)))


def test_every_row_has_its_number(generated, table):
    folder, numbers = generated
    assert numbers == {row.key: row.pointwise.index for row in table}
    header = (folder / "pointwise_rows.h").read_text()
    assert f"kPointwiseOps = {len(table)};" in header
    assert "inline constexpr int add = " in header


def test_every_loop_stands_in_its_files_table(generated):
    folder, _ = generated
    for path in [*folder.glob("pointwise_loops_*_isa.cpp"), *folder.glob("pointwise_once_*.cpp")]:
        text = path.read_text()
        defined = re.findall(r"^void (\w+)\(void\* out_array", text, re.MULTILINE)
        assert defined
        assert len(defined) == len(set(defined))
        assert set(defined) == set(re.findall(r"&(\w+)<", text))


def test_series_are_compiled_once_and_simple_loops_for_each_instruction_set(generated):
    folder, _ = generated
    vectorised, once = text_of(folder, "pointwise_loops_*_isa.cpp"), text_of(folder, "pointwise_once_*.cpp")
    for name in ("add", "sigmoid", "where", "tanh__grad_input", "mul__complex"):
        assert f"void {name}(" in vectorised
    for name in ("lgamma", "digamma", "gcd", "div__complex"):
        assert f"void {name}(" in once
    assert "vm_lgamma" not in vectorised


def test_attributes_are_read_once_for_each_call(generated):
    folder, _ = generated
    body = re.search(r"void leaky_relu\(.*?\n}", text_of(folder, "pointwise_loops_*_isa.cpp"), re.DOTALL).group()
    assert body.index("attribute<T>") < body.index("for (int64_t")


def test_nothing_is_rewritten_when_nothing_changed(generated, generator):
    folder, _ = generated
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    stale = folder / "pointwise_loops_99_isa.cpp"
    stale.write_text("from an older generator")
    generator.generate(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_recorded_gradients_are_found_by_row_and_operand(generated, table):
    folder, _ = generated
    lookup = (folder / "pointwise_compose.cpp").read_text()
    bodies = text_of(folder, "pointwise_compose_[0-9].cpp")
    for row in table:
        for name, gradient in row.pointwise.gradients.items():
            function = f"{row.key.replace('.', '__')}__{name}"
            assert (f"compose::{function}" in lookup) == (gradient.kind == "loop")
            assert (f"Tensor {function}(" in bodies) == (gradient.kind == "loop")
