"""The reference of operations: complete, its examples run, its links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from pathlib import Path

import pytest

import taeda
from taeda.ops.capabilities import all_rows, is_public
from taeda.testing import samples

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def pages():
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module("docs").pages()
    finally:
        sys.path.remove(str(TOOLS))


def test_every_public_operation_has_its_section(pages):
    missing = [
        row.key
        for row in all_rows().values()
        if is_public(row) and f"\n## {row.name}\n" not in pages[f"{row.module}.md"]
    ]
    assert missing == []


def test_every_operation_with_samples_has_an_example(pages):
    text = "".join(pages.values())
    bare = [
        row.key
        for row in all_rows().values()
        if is_public(row) and row.key not in samples.WITHOUT and not re.search(rf"\n>>> .*\b{row.name}\(", text)
    ]
    assert bare == []


def test_the_examples_give_what_they_show(pages):
    runner = doctest.DocTestRunner(verbose=False)
    failures = []
    for name, text in pages.items():
        test = doctest.DocTestParser().get_doctest(text, {"torch": taeda}, name, name, 0)
        runner.run(test, out=failures.append)
    assert runner.tries > 200
    assert runner.failures == 0, "".join(failures)


def test_links_lead_to_sections(pages):
    for file, _, place in re.findall(r"\]\(([\w.]+\.md)(#([^)]+))?\)", pages["README.md"]):
        headings = {
            re.sub(r"[^\w-]", "", line[3:].lower()) for line in pages[file].splitlines() if line.startswith("## ")
        }
        assert not place or place in headings, (file, place)
