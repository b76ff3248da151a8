"""Writes ``ops.lock``: one line for each operation, so that what a change to the definitions or the generator does is a diff.

Usage: ``python tools/ops_lock.py`` writes the file, ``--check`` only says whether it is up to date. Nothing compiled is needed.

A line reads ``key | schema | homes | gradient | forms | types``. The gradient names what the tape keeps of the arguments and
results; ``none`` means that there is no gradient. The forms are what is derived beside the plain call. Types are the
compute types of a pointwise operation's loops.
"""

from __future__ import annotations

import difflib
import sys

from gen import ROOT, load_registry
from gen_vjp import Translator

LOCK = ROOT / "ops.lock"
TITLE = "# Written by `make lock` from src/taeda/ops. key | schema | homes | gradient | forms | types\n"
TYPE_ORDER = ("bool", "int", "uint", "float", "complex")


def lines(registry) -> list[str]:
    return [line(registry[key], registry) for key in sorted(registry)]


def line(row, registry) -> str:
    cells = [row.key, " ".join(row.text.split()), homes(row), gradient(row, registry), forms(row), types(row)]
    return " | ".join(cell or "-" for cell in cells) + "\n"


def homes(row) -> str:
    return " ".join(row.where) + (f" (also {', '.join(row.alias)})" if row.alias else "")


def gradient(row, registry) -> str:
    """For whom there is a gradient, and what it saves."""
    if row.pointwise is not None:
        definition = row.pointwise
        targets = [name for name, found in definition.gradients.items() if found.kind != "none"]
        saved = [*definition.saved_inputs, *(["result"] if definition.saves_result else [])]
    else:
        targets = [name for key in row.vjp for name in key.replace(" ", "").split(",")]
        translator = Translator(row, registry)
        for text in row.vjp.values():
            translator.translate(text)
        tensors = {argument.name for argument in row.schema.arguments if is_tensor(argument.base)}
        results = {result.name for result in row.schema.results}
        saved = sorted(name for name in translator.use.saved if name in tensors | results)
    if not targets:
        return "none"
    return f"{', '.join(targets)}; saves {', '.join(saved) or 'nothing'}"


def is_tensor(kind: str) -> bool:
    return kind in ("Tensor", "Operand", "Tensor[]", "Tensor?[]")


def forms(row) -> str:
    own = {"own": "in-place (own kernel)", True: "in-place"}.get(row.inplace, "")
    rest = [word for word, there in (("out", row.out), ("view", row.view), ("factory", row.factory)) if there]
    return ", ".join([*([own] if own else []), *rest])


def types(row) -> str:
    if row.pointwise is None:
        return ""
    words = [word for word in TYPE_ORDER if word in row.pointwise.types]
    return f"{' '.join(words)}; {row.pointwise.rule}"


def main(check: bool) -> int:
    text = TITLE + "".join(lines(load_registry()))
    if not check:
        LOCK.write_text(text)
        return 0
    old = LOCK.read_text() if LOCK.exists() else ""
    if old == text:
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(old.splitlines(True), text.splitlines(True), "ops.lock", "definitions", n=0)
    )
    print("ops.lock is stale: `make lock` writes it")
    return 1


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
