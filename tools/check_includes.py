"""Checks the layers of csrc: a folder includes only the folders before it, and itself. Exit status 1 names each breach."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "csrc"
LAYERS = ["base", "tensor", "cpu", "dispatch", "autograd", "bind"]
# Generated files, by the layer that they belong to.
GENERATED = {"kernels.h": "cpu", "pointwise_rows.h": "cpu", "pointwise_loops.h": "cpu", "ops.h": "autograd"}
INCLUDE = re.compile(r'^\s*#include "([^"]+)"', re.MULTILINE)


def breaches(root: Path = ROOT) -> list[str]:
    """Return a line for each include that climbs the layers."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.suffix not in (".h", ".c", ".cpp"):
            continue
        own = LAYERS.index(path.relative_to(root).parts[0])
        for name in INCLUDE.findall(path.read_text()):
            layer = GENERATED.get(name, name.split("/")[0])
            if layer in LAYERS and LAYERS.index(layer) > own:
                found.append(f"{path.relative_to(root.parent)}: {LAYERS[own]} must not include {name}")
    return found


if __name__ == "__main__":
    lines = breaches()
    print("\n".join(lines) or "the layers of csrc hold")
    sys.exit(bool(lines))
