"""Speed and size, side by side with PyTorch in one process where it is installed: ``python benchmarks/run.py [--only REGEX]``.

The two frameworks take turns at each case, with the same number of threads. A ratio is PyTorch's best time over taeda's best,
so more is better; beside it stands the ratio that is asked for. Without PyTorch only taeda's figures are shown.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import math
import os
import platform
import re
import statistics
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from cases import CASES, LOADER_LIMIT, LOADER_NAME, Case, loader  # noqa: E402
from footprint import import_times, installed_megabytes, resident_megabytes  # noqa: E402
from operations import OPERATIONS, SIZES  # noqa: E402
from timing import TURN_SECONDS, alternate  # noqa: E402

# name -> what it is at most, for the figures that are no ratio.
FOOTPRINT = {"import": 0.15, "resident memory after import": 60.0, "installed size without NumPy": 120.0}
Row = dict[str, Any]
TURN_OF_OPERATIONS = 0.01  # seconds


def main() -> int:
    arguments = parse_arguments()
    wanted = re.compile(arguments.only, re.IGNORECASE)
    modules = frameworks(arguments.threads)
    environment = describe(modules, arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in environment.items()), end="\n\n", flush=True)
    print(heading(), flush=True)
    rows = []
    measured = operations if arguments.operations else measure
    for row in measured(modules, wanted, arguments.seconds):
        rows.append(row)
        print(table_line(row), flush=True)
    if not rows:
        print(f"no case matches {arguments.only!r}", file=sys.stderr)
        return 2
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"environment": environment, "rows": rows}, indent=2) + "\n")
    if arguments.operations and len(modules) == 2:
        summarise([row["ratio"] for row in rows if "ratio" in row])
        return 0
    judged = [row["reached"] for row in rows if "reached" in row]
    print(f"\n{sum(judged)} of {len(judged)} required figures reached")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="REGEX", help="only the cases whose name matches")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="of both (default: %(default)s)"
    )
    parser.add_argument("--operations", action="store_true", help="the single operations at three sizes instead")
    parser.add_argument("--seconds", type=float, help="for each case and framework (default: 4; 0.1 for operations)")
    arguments = parser.parse_args()
    if arguments.seconds is None:
        arguments.seconds = 0.1 if arguments.operations else 4.0
    return arguments


def frameworks(threads: int) -> dict[str, ModuleType]:
    """PyTorch, where it is installed, and taeda."""
    names = [name for name in ("torch", "taeda") if importlib.util.find_spec(name) is not None]
    modules = {name: importlib.import_module(name) for name in names}
    for module in modules.values():
        module.set_num_threads(threads)
    return modules


def describe(modules: dict[str, ModuleType], threads: int) -> dict[str, str]:
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as cpuinfo:
            model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), model)
    versions = {name: str(module.__version__) for name, module in modules.items()}
    return {**versions, "threads": str(threads), "Python": platform.python_version(), "on": model}


def measure(modules: dict[str, ModuleType], wanted: re.Pattern[str], seconds: float) -> Iterator[Row]:
    for case in CASES:
        if wanted.search(case.name):
            yield speed_row(case, modules, seconds)
            gc.collect()
    if wanted.search(LOADER_NAME):
        yield loader_row(modules, seconds)
    yield from footprint_rows(list(modules), wanted)


def operations(modules: dict[str, ModuleType], wanted: re.Pattern[str], seconds: float) -> Iterator[Row]:
    for operation in OPERATIONS:
        for n in SIZES:
            if wanted.search(operation.name) and n <= operation.largest:
                case = Case(f"{operation.name}, {n:,}", partial(operation.make, n=n), 1.0)
                yield speed_row(case, modules, seconds, TURN_OF_OPERATIONS)
                gc.collect()


def summarise(ratios: list[float]) -> None:
    slower = sum(ratio < 1 for ratio in ratios)
    middle = math.exp(statistics.fmean(map(math.log, ratios))) if ratios else math.nan
    print(f"\n{len(ratios)} ratios, geometric mean {middle:.2f}, {slower} below 1")


def speed_row(case: Case, modules: dict[str, ModuleType], seconds: float, turn_seconds: float = TURN_SECONDS) -> Row:
    row: Row = {"name": case.name, "required": f">= {case.required:g} x"}
    functions = {}
    for name, module in modules.items():
        try:
            functions[name] = case.make(module)
            functions[name]()
        except (NotImplementedError, AttributeError, RuntimeError) as error:
            # One case that a framework cannot run must not cost the others; the table says so.
            functions.pop(name, None)
            row["reached"] = False
            row[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    for name, timing in alternate(functions, seconds, turn_seconds).items() if functions else ():
        row[name] = {"best": timing.best, "median": timing.median, "turns": timing.turns}
    if len(functions) == 2:
        row["ratio"] = row["torch"]["best"] / row["taeda"]["best"]
        row["ratio of medians"] = row["torch"]["median"] / row["taeda"]["median"]
        row["reached"] = row["ratio"] >= case.required
    return row


def loader_row(modules: dict[str, ModuleType], seconds: float) -> Row:
    """How much longer a DataLoader takes than slicing: within each framework, so that less is better."""
    row: Row = {"name": LOADER_NAME, "required": f"<= {LOADER_LIMIT:g} x"}
    for name, module in modules.items():
        timings = alternate(loader(module), seconds / 2)
        row[name] = {"best": timings["loader"].best, "median": timings["loader"].median}
        row[f"{name} over slicing"] = timings["loader"].best / timings["by hand"].best
    row["ratio"] = row["taeda over slicing"]
    row["reached"] = row["ratio"] <= LOADER_LIMIT
    return row


def footprint_rows(names: list[str], wanted: re.Pattern[str]) -> Iterator[Row]:
    for name, limit in FOOTPRINT.items():
        if not wanted.search(name):
            continue
        if name == "import":
            row = {"name": name, "required": f"<= {limit:g} s"}
            for package, timing in import_times(names).items():
                row[package] = {"best": timing.best, "median": timing.median}
            value = row["taeda"]["best"]
        else:
            figure = resident_megabytes if name.startswith("resident") else installed_megabytes
            row = {"name": name, "required": f"<= {limit:g} MB", **{package: figure(package) for package in names}}
            value = row["taeda"]
        yield {**row, "reached": value <= limit}


def heading() -> str:
    columns = f"{'torch best / median':>21} {'taeda best / median':>21} {'ratio':>7} {'required':>9}"
    return f"{'':56} {columns}\n{'-' * 119}"


def table_line(row: Row) -> str:
    cells = [cell(row.get(name)) for name in ("torch", "taeda")]
    ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
    mark = {True: "", False: "  not reached", None: ""}[row.get("reached")]
    line = f"{row['name']:56} {cells[0]:>21} {cells[1]:>21} {ratio:>7} {row['required']:>9}{mark}"
    reasons = [f"    {name}: {row[name]}" for name in ("torch", "taeda") if isinstance(row.get(name), str)]
    if "torch over slicing" in row:
        reasons.append(f"    torch's own loader: {row['torch over slicing']:.2f} x its slicing")
    return "\n".join([line, *reasons])


def cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return "failed"
    if isinstance(value, float):
        return f"{value:.1f} MB"
    return f"{duration(value['best'])} / {duration(value['median'])}"


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


if __name__ == "__main__":
    sys.exit(main())
