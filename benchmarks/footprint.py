"""What a package costs before it is used: time to import it, memory after that, room on disk. Each in fresh processes."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
from pathlib import Path

from timing import Timing

_IMPORT = "import time; start = time.perf_counter(); import {name}; print(time.perf_counter() - start)"
_MEMORY = """
import {name}
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmRSS")))
"""


def fresh(program: str) -> float:
    """Run a program in a new interpreter and return the number that it prints."""
    # -I would hide PYTHONPATH, by which a source tree is found.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def import_times(names: list[str], turns: int = 7) -> dict[str, Timing]:
    """Seconds to import each package, in turns. The first turn, which may read the disk, does not count."""
    times: dict[str, list[float]] = {name: [] for name in names}
    for k in range(turns + 1):
        for name in names:
            seconds = fresh(_IMPORT.format(name=name))
            if k:
                times[name].append(seconds)
    return {name: Timing(min(found), statistics.median(found), turns) for name, found in times.items()}


def resident_megabytes(name: str) -> float:
    """MB in memory after importing a package; the interpreter's own share included."""
    return fresh(_MEMORY.format(name=name)) * 1024 / 1e6


def installed_megabytes(name: str) -> float:
    """MB of the package's folder and of the libraries that its wheel brought beside it; without what it depends on."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed")
    folder = Path(spec.origin).parent
    folders = [folder, folder.with_name(f"{name}.libs")]
    files = (path for root in folders for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6
