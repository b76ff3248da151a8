"""Checks (or with --fix, sets) the layout of the C++ files with clang-format: ``check_format.py CLANG_FORMAT [--fix]``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(clang_format: str, fix: bool) -> int:
    files = [str(path) for path in sorted((ROOT / "csrc").rglob("*")) if path.suffix in (".h", ".c", ".cpp")]
    return subprocess.run([clang_format, *(["-i"] if fix else ["--dry-run", "--Werror"]), *files]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--fix" in sys.argv))
