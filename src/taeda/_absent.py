"""What stands for the names in ``taeda.ops.absent``: asking for one works, using it raises with the reason.

A program that only imports such a name, or asks ``isinstance(x, taeda.ScriptModule)``, goes on; one that needs it learns why it
cannot have it.
"""

from __future__ import annotations

import types
from typing import Any, NoReturn

from taeda.ops.absent import ABSENT, DTYPE, MODULES, OTHER_NAMES

__all__ = ["AbsentDType", "find", "names"]

_REASONS = {name: reason for reason, names in ABSENT.items() for name in names.split()}


class AbsentDType:
    """A dtype that can be named and compared, but not used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.{self._name}"

    def __reduce__(self) -> str:
        raise NotImplementedError(_message(self._name))


def _message(name: str) -> str:
    return f"taeda has no {name}: {_REASONS[name]}"


class _NoSuchName(NotImplementedError, AttributeError):
    """A name of an absent module: for ``hasattr`` it is not there."""


class _AbsentModule(types.ModuleType):
    """A module of which only the name is there."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        module = self.__name__.removeprefix("taeda.")
        raise _NoSuchName(f"taeda has no {module}.{name}: {MODULES[module]}")


class _Absent(type):
    """The type of classes that are not there: no instance exists, and none can be made."""

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(_message(cls.__name__))

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotImplementedError(_message(cls.__name__))


def _function(name: str) -> Any:
    def absent(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(_message(name))

    absent.__name__ = absent.__qualname__ = name
    absent.__module__ = "taeda"
    absent.__doc__ = f"Raise NotImplementedError: {_REASONS[name]}."
    return absent


def find(name: str) -> Any:
    """Return what stands for an absent name; KeyError where the name is not PyTorch's."""
    if name in MODULES:
        return _AbsentModule(f"taeda.{name}", f"Not there: {MODULES[name]}.")
    why = _REASONS[name]
    if why == DTYPE:
        name = OTHER_NAMES.get(name, name)
        return _dtypes.setdefault(name, AbsentDType(name))
    if name[0].isupper():
        return _Absent(name, (), {"__module__": "taeda", "__doc__": f"Not there: {why}."})
    return _function(name)


def names() -> set[str]:
    """Return all names of the table."""
    return {*_REASONS, *MODULES}


_dtypes: dict[str, AbsentDType] = {}
