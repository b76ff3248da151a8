"""Runs random programs of operations and reports those that end the process: ``python tools/fuzz.py --seconds 600``.

A program follows from its number and the seed: statements over odd tensors (strides of all kinds, overlaps, NaN, no data), made of
the samples' arguments with some of them changed. An exception is fine, whatever it is; a signal, or a statement that does not
end, is not: then the program is reduced and written to build/fuzz/ as Python. ``--program N`` prints one.
"""

from __future__ import annotations

import argparse
import inspect
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path("build/fuzz")
BATCH = 400  # programs of one process
HANG_SECONDS = 20
MEMORY_BYTES = 1 << 30
HANG = "does not end"
DTYPES = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128".split()
FRAME = '''"""Ends the process, or does not end: found by tools/fuzz.py, seed {seed}, program {number}."""

import taeda as torch
from taeda.testing.samples import known, odd

PROGRAM = r"""
{program}
"""
torch.set_memory_limit({memory})
values = {{"torch": torch, "odd": odd, "known": known}}
for line in PROGRAM.strip().splitlines():
    print(line, flush=True)
    try:
        exec(line, values)
    except Exception as error:
        print("   ", type(error).__name__, str(error).split("\\n")[0])
'''


class Programs:
    """Random programs: number -> lines of Python."""

    def __init__(self, seed: int, only: str = "", without: str = "") -> None:
        from taeda import _ops
        from taeda.ops.capabilities import all_rows, is_public
        from taeda.testing import samples

        self.seed = seed
        self.samples = samples
        rows = all_rows()
        keys = [key for key in sorted(rows) if is_public(rows[key]) and samples.has_samples(rows[key])]
        unwanted = without.split(",") if without else []

        def wanted(key: str) -> bool:
            return only in key and not any(part in key for part in unwanted)

        self.rows = [rows[key] for key in keys if wanted(key)]
        self.composed = [
            (home, name, function)
            for home, functions in sorted(_ops._compositions().items())
            for name, function in sorted(functions.items())
            if wanted(name) and not name.startswith("_")
        ]

    def lines(self, number: int) -> list[str]:
        chance = random.Random(f"{self.seed}:{number}")
        lines: list[str] = []
        for place in range(chance.randint(1, 5)):
            is_composed = self.composed and (chance.random() < 0.25 or not self.rows)
            lines += self._composed(chance, place) if is_composed else self._statement(chance, place)
        lines.append("print(*(v for k, v in sorted(values().items()) if k[0] == 'r'), file=sink)")
        return lines

    def _statement(self, chance: random.Random, place: int) -> list[str]:
        row = chance.choice(self.rows)
        dtype = getattr(self._torch(), chance.choice(DTYPES))
        try:
            sample = chance.choice(self.samples.samples_of(row, dtype))
        except (RuntimeError, NotImplementedError, TypeError, ValueError):  # not in this dtype
            sample = chance.choice(self.samples.samples_of(row))
        args = [self._argument(chance, value, place) for value in sample.args]
        kwargs = [f"{name}={self._argument(chance, value, place)}" for name, value in sample.kwargs.items()]
        return self._call(chance, row, args, kwargs, place)

    def _composed(self, chance: random.Random, place: int) -> list[str]:
        """A call of a function in Python: its signature says no more than names, so that arguments go by those."""
        home, name, function = chance.choice(self.composed)
        args, kwargs = [], []
        for parameter in inspect.signature(function).parameters.values():
            is_needed = parameter.default is parameter.empty and parameter.kind not in (2, 4)
            if not (is_needed or (parameter.kind not in (2, 4) and chance.random() < 0.25)):
                continue
            text = self._guessed(chance, parameter.name, place)
            if parameter.kind in (0, 1) and is_needed:
                args.append(text)
            else:
                kwargs.append(f"{parameter.name}={text}")
        if home == "Tensor":
            of = args.pop(0) if args else self._odd(chance, (2,), "float32")
            return [f"r{place} = {of}.{name}({', '.join(args + kwargs)})"]
        prefix = "torch" if home == "torch" else f"torch.{home}"
        return [f"r{place} = {prefix}.{name}({', '.join(args + kwargs)})"]

    def _guessed(self, chance: random.Random, name: str, place: int) -> str:
        if name in (
            "dim",
            "dims",
            "axis",
            "n",
            "k",
            "offset",
            "size",
            "sizes",
            "shape",
            "repeats",
            "indices",
            "sections",
        ):
            several = repr(tuple(chance.choice([-1, 0, 1, 2, 3]) for _ in range(chance.randint(0, 3))))
            one = str(chance.choice([-2, -1, 0, 0, 1, 1, 2, 3, 2**40, -(2**63)]))
            return chance.choice([several, one, one])
        if name == "out":
            return self._odd(chance, (chance.randint(0, 3),), chance.choice(DTYPES))
        shape = tuple(chance.choice([0, 1, 2, 2, 3, 3, 4]) for _ in range(chance.randint(0, 4)))
        dtype = chance.choice(["float32", "float32", "float64", *DTYPES])
        tensor = self._odd(chance, shape, dtype)
        if name in ("tensors", "operands", "arrays") or chance.random() < 0.05:
            return f"[{tensor}, {self._odd(chance, shape, dtype)}]"
        other = chance.choice(["0", "1", "2", "-1", "1.5", "True", "None", "'mean'", "(1, 2)", "torch.float64"])
        return (
            tensor if name in ("input", "other", "x", "tensor", "target", "weight") or chance.random() < 0.5 else other
        )

    def _call(self, chance: random.Random, row, args: list[str], kwargs: list[str], place: int) -> list[str]:
        name = f"r{place}"
        form = chance.random()
        prefix = {"torch": "torch", "_C": "torch._C"}.get(row.where[0], f"torch.{row.where[0]}")
        call = f"{prefix}.{row.name}({', '.join(args + kwargs)})"
        if "Tensor" in row.where and (form < 0.2 or row.where[0] == "Tensor"):
            suffix = "_" if row.inplace and chance.random() < 0.7 else ""
            call = f"{args[0]}.{row.name}{suffix}({', '.join(args[1:] + kwargs)})"
        elif row.out and form < 0.35:
            out = self._odd(chance, (chance.randint(0, 3),), chance.choice(DTYPES))
            call = f"{prefix}.{row.name}({', '.join([*args, *kwargs, f'out={self._known(chance, place) or out}'])})"
        lines = [f"{name} = {call}"]
        if chance.random() < 0.3:
            lines.append(f"known({name}).sum().backward()")
        return lines

    def _argument(self, chance: random.Random, value, place: int) -> str:
        torch = self._torch()
        if isinstance(value, torch.Tensor):
            return self._tensor(chance, value, place)
        if isinstance(value, (list, tuple)) and any(isinstance(entry, torch.Tensor) for entry in value):
            return "[" + ", ".join(self._argument(chance, entry, place) for entry in value) + "]"
        if chance.random() < 0.75:
            return self.samples.text_of(value)
        return self._changed(chance, value)

    def _changed(self, chance: random.Random, value) -> str:
        if isinstance(value, bool):
            return str(not value)
        if isinstance(value, int):
            return str(chance.choice([-1, 0, 1, 2, -2, 5, -7, 2**31, -(2**31) - 1, 2**62, 2**63 - 1, -(2**63)]))
        if isinstance(value, float):
            return chance.choice(["float('nan')", "float('inf')", "-1e308", "0.0", "1e-320", "2"])
        if isinstance(value, (list, tuple)) and all(isinstance(entry, int) for entry in value):
            entries = list(value)
            how = chance.randrange(3)
            if how == 0 or not entries:
                entries.insert(chance.randint(0, len(entries)), chance.choice([-1, 0, 1, 2, 3]))
            elif how == 1:
                entries.pop(chance.randrange(len(entries)))
            else:
                entries[chance.randrange(len(entries))] = chance.choice([-1, 0, 1, 4, -3, 2**40, 2**62, -(2**63)])
            return repr(tuple(entries))
        return (
            chance.choice(["None", "0", "'x'", "()", "1.5"]) if chance.random() < 0.3 else self.samples.text_of(value)
        )

    def _tensor(self, chance: random.Random, value, place: int) -> str:
        shape, dtype = tuple(value.shape), str(value.dtype).rpartition(".")[2]
        what = chance.random()
        if what < 0.12 and place:
            return self._known(chance, place)
        if what < 0.27:  # another shape
            sizes = list(shape)
            if sizes and chance.random() < 0.7:
                sizes[chance.randrange(len(sizes))] = chance.choice([0, 1, 2, 5, 17])
            else:
                sizes.insert(chance.randint(0, len(sizes)), chance.choice([0, 1, 3]))
            shape = tuple(sizes)
        elif what < 0.35:
            dtype = chance.choice(DTYPES)
        elif what < 0.5 and value.dtype == self._torch().int64:  # indices as they are, or just outside
            offset = chance.choice(["", "", " + 1", " - 1", " * 1000000007"])
            return f"({self.samples.text_of(value)}{offset})"
        return self._odd(chance, shape, dtype)

    def _odd(self, chance: random.Random, shape: tuple[int, ...], dtype: str) -> str:
        weights = [4] + [2] * (len(self.samples.ODD_LAYOUTS) - 2) + [0.3]
        layout = chance.choices(self.samples.ODD_LAYOUTS, weights)[0]
        return f"odd({shape}, {dtype!r}, {layout!r}, {chance.randrange(1000)})"

    def _known(self, chance: random.Random, place: int) -> str:
        """The result of an earlier statement; a tuple's first."""
        if not place:
            return ""
        return f"known(r{chance.randrange(place)})"

    @staticmethod
    def _torch():
        import taeda

        return taeda


def run_lines(lines: list[str], sink) -> None:
    import taeda
    from taeda.testing.samples import known, odd

    values: dict[str, object] = {"torch": taeda, "odd": odd, "known": known, "sink": sink}
    values["values"] = lambda: dict(values)
    for line in lines:
        try:
            exec(line, values)
        except Exception:  # noqa: S110 - refusing is what an operation may do
            pass


def work(programs: Programs, first: int, count: int, note: Path) -> None:
    """Run programs in this process; the note says which one is running."""
    import warnings

    import taeda

    warnings.simplefilter("ignore")
    taeda.set_memory_limit(MEMORY_BYTES)
    taeda.set_num_threads(2)
    with open(os.devnull, "w") as sink, open(note, "wb", buffering=0) as out:
        for number in range(first, first + count):
            out.seek(0)
            out.write(b"%12d" % number)
            run_lines(programs.lines(number), sink)


def ends_badly(command: list[str], note: Path | None = None) -> str:
    """How a process ended: "" where all is well, else the signal's name or "does not end"."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seen, since = b"", time.monotonic()
    while True:
        try:
            _, errors = process.communicate(timeout=1)
            break
        except subprocess.TimeoutExpired:
            now = note.read_bytes() if note and note.exists() else b""
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > HANG_SECONDS:
                process.kill()
                process.communicate()
                return HANG
    if process.returncode < 0:
        return signal.Signals(-process.returncode).name
    if process.returncode and (b"Sanitizer" in errors or b"runtime error" in errors):
        lines = errors.decode(errors="replace").splitlines()
        return next(line for line in lines if "Sanitizer" in line or "runtime error" in line)
    return errors.decode(errors="replace") or f"exit status {process.returncode}" if process.returncode else ""


def frame(lines: list[str], seed: int, number: int) -> str:
    shown = [line for line in lines if "sink" not in line]
    return FRAME.format(seed=seed, number=number, program="\n".join(shown), memory=MEMORY_BYTES)


def reduced(lines: list[str], seed: int, number: int) -> list[str]:
    """The program without the statements that its end does not need; as it is where it ends well on its own."""

    def fails(candidate: list[str]) -> bool:
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(frame(candidate, seed, number))
            file.flush()
            return bool(ends_badly([sys.executable, file.name]))

    if not fails(lines):
        return lines
    for line in list(lines):
        fewer = [other for other in lines if other is not line]
        if fewer and fails(fewer):
            lines = fewer
    return lines


def hunt(programs: Programs, options: list[str], seconds: float, first: int) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    seed, number, found = programs.seed, first, 0
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "note"
        while time.monotonic() < until:
            note.write_bytes(b"")
            command = [sys.executable, __file__, *options, "--work", str(number), str(note)]
            end = ends_badly(command, note)
            if not end:
                number += BATCH
                continue
            if not note.read_bytes().strip():
                print(end)
                return 2
            number = int(note.read_bytes())
            found += 1
            lines = programs.lines(number)
            text = frame(lines if end == HANG else reduced(lines, seed, number), seed, number)
            path = FOLDER / f"seed_{seed}_program_{number}.py"
            path.write_text(text)
            print(f"---- {end}: {path}\n{text}", flush=True)
            number += 1
    print(f"{number - first} programs, {found} ended badly")
    return 1 if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only operations whose key has this in it")
    parser.add_argument("--first", type=int, default=0, help="the first program's number")
    parser.add_argument("--program", type=int, help="print a program and leave")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--without", default="", help="parts of keys that are left out, with commas between")
    options = parser.parse_args()
    programs = Programs(options.seed, options.only, options.without)
    if options.program is not None:
        print(frame(programs.lines(options.program), options.seed, options.program))
        return 0
    if options.work:
        work(programs, int(options.work[0]), BATCH, Path(options.work[1]))
        return 0
    same = ["--seed", str(options.seed), "--only", options.only, "--without", options.without]
    return hunt(programs, same, options.seconds, options.first)


if __name__ == "__main__":
    sys.exit(main())
