"""Runs a PyTorch program unmodified on taeda: ``python -m taeda.as_torch train.py --epochs 3``.

``import torch`` and ``import torch.nn.functional as F`` give taeda's modules. A name that taeda does not have is an
error where it is imported or used, saying so: ``taeda has no torch.X``. The program sees its own ``sys.argv``, is
``__main__``, and its tracebacks begin with its own first line. ``-m module`` and ``-c code`` work as they do for
``python``.

A program can also call `install` before its first ``import torch``.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.abc
import importlib.machinery
import io
import os
import runpy
import sys
import types
from collections.abc import Sequence
from typing import Any

import taeda

__all__ = ["install", "main"]

_USAGE = "usage: python -m taeda.as_torch [-c code | -m module | script.py] [argument ...]"
# The release of PyTorch whose API taeda follows; programs choose code paths by it.
_TORCH_VERSION = "2.13.0"
# Folders whose files in PyTorch define names that here have their home in one package.
_MERGED = ("torch.nn.modules", "torch.utils.data._utils")


def _target(name: str) -> str:
    """Return the name of the module that stands for PyTorch's module `name`."""
    for merged in _MERGED:
        if name == merged or name.startswith(merged + "."):
            return "taeda" + merged.rpartition(".")[0][len("torch") :]
    return "taeda" + name[len("torch") :]


def _is_torch(name: str) -> bool:
    return name == "torch" or name.startswith("torch.")


class _TorchFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers imports of torch and its modules with taeda's."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if not _is_torch(fullname):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        target = _target(name)
        try:
            found = importlib.import_module(target)
        except ModuleNotFoundError as error:
            if error.name is None or not (target + ".").startswith(error.name + "."):
                raise
            raise ModuleNotFoundError(f"taeda has no {name}", name=name) from None
        # The import system takes what stands in sys.modules now; returning the module from create_module instead
        # would overwrite its __spec__ with one that says torch.
        sys.modules[name] = found


_FINDER = _TorchFinder()
_original_import = builtins.__import__


def _import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    """Import as usual, but tell of names that taeda lacks in words that say so."""
    module = _original_import(name, globals, locals, fromlist, level)
    if fromlist and level == 0 and _is_torch(name):
        for item in fromlist:
            if item != "*" and not hasattr(module, item):
                raise ImportError(f"taeda has no {name}.{item}", name=name)
    return module


def install() -> None:
    """Let ``import torch`` mean taeda from now on in this process.

    Edge cases: a RuntimeError when PyTorch has been imported already; calling it twice changes nothing.
    """
    if _FINDER in sys.meta_path:
        return
    loaded = sys.modules.get("torch")
    if loaded is not None and loaded is not taeda:
        raise RuntimeError("taeda.as_torch.install() must be called before PyTorch is imported")
    sys.meta_path.insert(0, _FINDER)
    builtins.__import__ = _import
    taeda.__version__ = f"{_TORCH_VERSION}+taeda.{taeda.__version__}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program that the command line names; return the exit status.

    Args:
        argv: the arguments after the program's name; by default those of this process.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] in ("-h", "--help"):
        print(_USAGE, file=sys.stderr if not args else sys.stdout)
        return 0 if args else 2
    if args[0] in ("-c", "-m") and len(args) < 2:
        print(f"{_USAGE}\nargument expected for the {args[0]} option", file=sys.stderr)
        return 2
    install()
    try:
        _run(args)
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = _without_own_frames(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _run(args: list[str]) -> None:
    if args[0] == "-m":
        # run_module puts the module's own file into argv[0].
        sys.argv = [args[1], *args[2:]]
        sys.path[0] = os.getcwd()
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
        return
    if args[0] == "-c":
        sys.argv = ["-c", *args[2:]]
        sys.path[0] = ""
        _execute(compile(args[1], "<string>", "exec"), None)
        return
    script = args[0]
    try:
        with io.open_code(os.path.abspath(script)) as file:
            source = file.read()
    except OSError as error:
        print(f"taeda.as_torch: can't open file {script!r}: {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
    sys.argv = args
    sys.path[0] = os.path.dirname(os.path.realpath(script))
    _execute(compile(source, script, "exec"), script)


def _execute(code: types.CodeType, path: str | None) -> None:
    """Run `code` as `__main__`."""
    module = types.ModuleType("__main__")
    if path is not None:
        module.__file__ = path
    module.__dict__["__builtins__"] = builtins
    # Pickle, multiprocessing and doctest find the program's classes and functions through sys.modules.
    sys.modules["__main__"] = module
    exec(code, module.__dict__)


def _without_own_frames(traceback: types.TracebackType | None) -> types.TracebackType | None:
    """Return the traceback without the frames of this file and of runpy, which the program's author did not write."""
    frames = []
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if name != __file__ and name not in ("<frozen runpy>", runpy.__file__):
            frames.append(traceback)
        traceback = traceback.tb_next
    rest: types.TracebackType | None = None
    for entry in reversed(frames):
        rest = types.TracebackType(rest, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rest


if __name__ == "__main__":
    # Under its real name, so that there is one finder and one __import__ even if the program imports this module.
    from taeda.as_torch import main as _main

    sys.exit(_main())
