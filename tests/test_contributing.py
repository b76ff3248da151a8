"""CONTRIBUTING.md's guide to adding an operation, followed literally on a copy of the sources."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def guide() -> tuple[str, str]:
    """The file that the guide names, and the row that it gives."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text[text.index("## Adding an operation") : text.index("## Rules")]
    path = re.search(r"Add the row, say to `([^`]+)`", section)[1]
    row = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    return path, textwrap.dedent(row)


def copy_of_sources(folder: Path) -> Path:
    for part in ("tools", "src/taeda/ops"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def generate(sources: Path, output: Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(sources / "tools/gen.py"), str(output)], capture_output=True, text=True)


def test_the_guides_row_becomes_an_operation_with_a_gradient(tmp_path):
    sources = copy_of_sources(tmp_path / "copy")
    path, row = guide()
    with open(sources / path, "a") as file:
        file.write("\n" + row)
    done = generate(sources, tmp_path / "generated")
    assert done.returncode == 0, done.stderr
    generated = {file.name: file.read_text() for file in (tmp_path / "generated").iterdir()}
    assert "Tensor squareplus(const Tensor& input, double b = 4.0);" in generated["ops.h"]
    assert '"squareplus", "squareplus"' in generated["op_table.cpp"]
    loops = "".join(text for name, text in generated.items() if name.startswith("pointwise_loops"))
    assert "squareplus" in loops
    # A gradient was derived: the recorded form of it is there as well.
    assert any("squareplus" in text for name, text in generated.items() if name.startswith("pointwise_compose"))


def test_a_row_with_a_wrong_schema_is_refused(tmp_path):
    sources = copy_of_sources(tmp_path / "copy")
    path, row = guide()
    with open(sources / path, "a") as file:
        file.write("\n" + row.replace("Tensor input", "Tensr input"))
    done = generate(sources, tmp_path / "generated")
    assert done.returncode != 0
    assert "squareplus" in done.stderr
