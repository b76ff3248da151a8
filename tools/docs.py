"""Writes the reference of operations: ``python tools/docs.py build/docs/reference``.

One page for each family of the registry. Signatures, texts and capabilities come from the rows, shapes, dtypes and examples from
running their samples, so that what the pages say is what the package does; tests/tools/test_docs.py runs the examples again.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128".split()
# Their elements are whatever the memory held.
WITHOUT_VALUES = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "resize_", "resize_as_"}
MOST_SHAPES = 4


def pages() -> dict[str, str]:
    """Return the pages' texts by file name."""
    from taeda.ops.capabilities import all_rows, is_public

    families: dict[str, dict[str, list[Any]]] = {}
    for row in all_rows().values():
        if is_public(row):
            families.setdefault(row.module, {}).setdefault(row.name, []).append(row)
    made = {f"{family}.md": page(family, names) for family, names in families.items()}
    composed = compositions()
    made["composed.md"] = page_of_compositions(composed)
    made["README.md"] = index(families, sorted(composed))
    return made


def compositions() -> dict[str, tuple[list[str], Any]]:
    """The public functions that are written in Python over other operations: name -> homes and function."""
    from taeda import _ops

    found: dict[str, tuple[list[str], Any]] = {}
    for home, functions in _ops._compositions().items():
        for name, function in functions.items():
            key = name if home in ("torch", "Tensor") else f"{home}.{name}"
            known = next((place for place, (_, other) in found.items() if other is function), key)
            found.setdefault(known, ([], function))[0].append(f"`{home_of(home)}{name}`")
    return found


def page_of_compositions(composed: dict[str, tuple[list[str], Any]]) -> str:
    lines = ["# Compositions", "", "Functions in Python over other operations. They can what these can.", ""]
    for name, (homes, function) in sorted(composed.items()):
        try:
            signature = str(inspect.signature(function))
        except (TypeError, ValueError):
            signature = "(...)"
        lines += [f"## {name}", "", "```text", name + signature, "```", "", ", ".join(homes), ""]
        lines += [text_of_doc(inspect.getdoc(function) or ""), ""]
    return "\n".join(lines) + "\n"


def index(families: dict[str, dict[str, list[Any]]], composed: list[str]) -> str:
    lines = [
        "# Operations",
        "",
        "One page for each family. [What each operation can do](../opboard.html) at a glance: the capability matrix.",
        "",
    ]
    for family, names in sorted(families.items()):
        links = ", ".join(f"[{name}]({family}.md#{name.lower()})" for name in sorted(names))
        lines += [f"## [{title_of(family)}]({family}.md)", "", links, ""]
    links = ", ".join(f"[{name}](composed.md#{name.lower().replace('.', '')})" for name in composed)
    return "\n".join([*lines, "## [Compositions](composed.md)", "", links, ""])


def title_of(family: str) -> str:
    return family.replace("_", ", ").capitalize()


def page(family: str, names: dict[str, list[Any]]) -> str:
    import importlib

    text = inspect.getdoc(importlib.import_module(f"taeda.ops.{family}")) or ""
    lines = [f"# {title_of(family)}", "", text.split("\n\n")[0], ""]
    for name, rows in sorted(names.items()):
        lines += section(name, rows)
    return "\n".join(lines) + "\n"


def section(name: str, rows: list[Any]) -> list[str]:
    """One operation: its forms have one text, and each its own row of facts."""
    lines = [f"## {name}", "", "```text", *(" ".join(row.text.split()) for row in rows), "```", ""]
    homes = ", ".join(f"`{home_of(home)}{name}`" for home in rows[0].where)
    aliases = "".join(f", also `{alias}`" for alias in rows[0].alias)
    lines += [homes + aliases, ""]
    doc = next((row.doc for row in rows if row.doc), "")
    if doc:
        lines += [text_of_doc(doc), ""]
    for row in rows:
        lines += facts(row, is_only=len(rows) == 1)
    lines += example(rows)
    return lines


def home_of(home: str) -> str:
    return {"torch": "torch.", "Tensor": "Tensor."}.get(home, f"torch.{home}.")


def text_of_doc(doc: str) -> str:
    """The docstring as Markdown: its indented sections as lists."""
    made = []
    for line in inspect.cleandoc(doc).splitlines():
        plain = line.strip()
        if line.startswith((" ", "\t")) and plain:
            name, colon, rest = plain.partition(": ")
            is_argument = colon and name.replace("_", "").replace(", ", "").isalnum()
            made.append(f"- `{name}`: {rest}" if is_argument else f"  {plain}")
        else:
            made.append(line.replace("``", "`"))
    return "\n".join(made).replace("``", "`")


def facts(row: Any, is_only: bool) -> list[str]:
    """The table of what a row takes and can."""
    from taeda.ops.capabilities import capabilities

    cells = {"shapes": shapes_of(row), "dtypes": dtypes_of(row)} | {
        name: text.replace("derived", "yes").replace("written", "yes")
        for name, text in capabilities(row).items()
        if name not in ("cpu", "docs")
    }
    lines = ["" if is_only else f"`{row.key}`", "", "| | |", "| --- | --- |"]
    return [*lines[0 if not is_only else 2 :], *(f"| {name} | {text} |" for name, text in cells.items() if text), ""]


def shapes_of(row: Any) -> str:
    """What goes in and what comes out, for some of the samples."""
    from taeda.testing import samples

    found: list[str] = []
    for sample in samples.samples_of(row) if samples.has_samples(row) else []:
        given = ", ".join(str(tuple(x.shape)) for x in tensors_of((*sample.args, *sample.kwargs.values())))
        made = ", ".join(str(tuple(x.shape)) for x in tensors_of([samples.call(row, sample)]))
        text = f"`{given} -> {made}`"
        if given and text not in found:
            found.append(text)
    return "; ".join(found[:MOST_SHAPES])


def tensors_of(values: Any) -> list[Any]:
    import taeda

    found = []
    for value in values:
        if isinstance(value, taeda.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += tensors_of(value)
    return found


def dtypes_of(row: Any) -> str:
    """The dtypes in which the plain sample runs."""
    import taeda
    from taeda.testing import samples

    if row.key in samples.WITHOUT or not samples.has_samples(row):
        return ""
    taken = []
    for name in DTYPES:
        dtype = getattr(taeda, name)
        try:
            sample = samples.samples_of(row, dtype)[0]
            samples.call(row, sample)
        except (RuntimeError, NotImplementedError, TypeError, ValueError):
            continue
        follows = any(x.dtype == dtype for x in tensors_of((*sample.args, *sample.kwargs.values())))
        if follows or dtype in sample.kwargs.values():
            taken.append(name)
    return ", ".join(taken)


def example(rows: list[Any]) -> list[str]:
    """The plain sample of the first form that has one, as a session."""
    import taeda
    from taeda.testing import samples

    row = next((row for row in rows if samples.has_samples(row) and row.key not in samples.WITHOUT), None)
    if row is None:
        return []
    wanted = taeda.float32 if samples.default_dtype(row) == taeda.float64 else samples.default_dtype(row)
    sample = plain_sample(row, wanted)
    call = samples.source_of(row, sample) + (".shape" if row.name in WITHOUT_VALUES else "")
    seed = ["torch.manual_seed(0)"] if samples.is_random(row) else []
    lines = ["```python", *(f">>> _ = {line}" for line in seed), f">>> {call}"]
    if seed:
        taeda.manual_seed(0)
    shown = repr(eval(call, {"torch": taeda}))
    return ["Example:", "", *lines, *(line or "<BLANKLINE>" for line in shown.splitlines()), "", "```", ""]


def plain_sample(row: Any, dtype: Any) -> Any:
    from taeda.testing import samples

    return samples.samples_of(row, dtype)[0]


def main(folder: Path) -> int:
    sys.path.insert(0, str(ROOT / "tools"))
    import opboard

    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for name, text in made.items():
        (folder / name).write_text(text)
    opboard.main(folder.parent / "opboard.html")
    print(f"wrote {len(made)} pages, {sum(map(len, made.values())) / 1000:.0f} kB, to {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
