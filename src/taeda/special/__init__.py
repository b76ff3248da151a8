"""taeda.special: filled from the registry and the compositions that have their home here."""

import typing as _typing

from taeda import _ops

if _typing.TYPE_CHECKING:  # the names come from the registry

    def __getattr__(name: str) -> _typing.Any: ...


globals().update(_ops.namespace("special"))
__all__ = sorted(name for name in _ops.namespace("special") if not name.startswith("_"))
