"""The package's names that few programs use, by the module that defines them: loaded when one is first asked for."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["find", "names"]

_MODULES = ("taeda._settings", "taeda._control", "taeda._autocast")


def find(name: str) -> Any:
    """Return what the package offers under the name; KeyError where it offers nothing."""
    if name.startswith("_"):
        raise KeyError(name)
    for module_name in _MODULES:
        module = importlib.import_module(module_name)
        if name in module.__all__:
            value = getattr(module, name)
            if getattr(value, "__module__", "") == module_name:
                value.__module__ = "taeda"
            return value
    if name.endswith(("Tensor", "Storage")):
        from taeda import _legacy_types, storage

        return getattr(storage, name) if name in storage.__all__ else _legacy_types.find(name)
    from taeda import _absent

    return _absent.find(name)


def names() -> set[str]:
    """Return all these names."""
    from taeda import _absent, _legacy_types, storage

    own = {name for module in _MODULES for name in importlib.import_module(module).__all__}
    return own | {*_legacy_types.TENSORS, *_legacy_types.STORAGES, *storage.__all__} | _absent.names()
