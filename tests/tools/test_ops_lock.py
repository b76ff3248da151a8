"""ops.lock says what the definitions say, and a stale one is noticed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # In a process of its own: reading the definitions without the core puts an empty `taeda` into sys.modules.
    return subprocess.run(
        [sys.executable, *(["-c", program] if " " in program else [program]), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_the_lock_is_up_to_date():
    done = run("tools/ops_lock.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_one_line_for_each_operation():
    lines = (ROOT / "ops.lock").read_text().splitlines()[1:]
    keys = [line.split(" | ")[0] for line in lines]
    assert keys == sorted(set(keys))
    assert {"add", "matmul", "layer_norm"} <= set(keys)
    assert all(len(line.split(" | ")) == 6 for line in lines)


def test_a_stale_lock_is_told_with_the_difference(tmp_path):
    text = (ROOT / "ops.lock").read_text()
    stale = tmp_path / "ops.lock"
    stale.write_text("".join(line for line in text.splitlines(True) if not line.startswith("matmul |")))
    program = (
        "import sys, pathlib; sys.path[:0] = ['tools']; import ops_lock; "
        f"ops_lock.LOCK = pathlib.Path({str(stale)!r}); sys.exit(ops_lock.main(True))"
    )
    done = run(program)
    assert done.returncode == 1
    assert "+matmul | " in done.stdout and "make lock" in done.stdout
    assert run(program.replace("main(True)", "main(False)")).returncode == 0
    assert run(program).returncode == 0
