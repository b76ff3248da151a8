"""Puts the operations where they belong: the core's rows and the compositions, each in its public homes.

`namespace(home)` is what a public module (`taeda.nn.functional`, `taeda.linalg` ...) fills itself with. Compositions are imported
here because they are also methods of Tensor, which cannot be looked up lazily.
"""

from __future__ import annotations

import collections
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from taeda import _C

__all__ = ["install", "namespace"]

_HOMES: dict[str, dict[str, Callable[..., Any]]] = _C._homes


def _named_tuple(name: str, fields: tuple[str, ...]) -> Callable[[tuple[Any, ...]], Any]:
    """The type of an operation's several results; also found under taeda.return_types."""
    made = collections.namedtuple(name, fields)  # type: ignore[misc]
    made.__module__ = "taeda.return_types"
    RETURN_TYPES[name] = made
    return made._make


RETURN_TYPES: dict[str, type] = {}
_C._set_named_tuple_factory(_named_tuple)

for _name, _function in _HOMES.get("_C", {}).items():
    setattr(_C, _name, _function)


def namespace(home: str) -> dict[str, Callable[..., Any]]:
    """Return the public functions of a home: "torch", "Tensor", "nn.functional", "linalg", "fft", "special"."""
    return {**_HOMES.get(home, {}), **_compositions().get(home, {})}


_exports: dict[str, dict[str, Callable[..., Any]]] | None = None


def _compositions() -> dict[str, dict[str, Callable[..., Any]]]:
    global _exports
    if _exports is None:
        from taeda import _composite
        from taeda._composite import _public

        _exports = _public.EXPORTS
        for info in pkgutil.iter_modules(_composite.__path__):
            importlib.import_module(f"taeda._composite.{info.name}")
    return _exports


def install(package: dict[str, Any]) -> None:
    """Fill the package's namespace and the methods of Tensor."""
    for name, function in _HOMES["torch"].items():
        package.setdefault(name, function)
    for name, function in _HOMES["Tensor"].items():
        setattr(_C.Tensor, name, function)
    exports = _compositions()
    package.update(exports.get("torch", {}))
    for name, function in exports.get("Tensor", {}).items():
        setattr(_C.Tensor, name, function)
