"""taeda.linalg: filled from the registry and the compositions that have their home here."""

import typing as _typing

from taeda import _C, _ops

if _typing.TYPE_CHECKING:  # the names come from the registry

    def __getattr__(name): ...


LinAlgError = _C._LinAlgError
globals().update(_ops.namespace("linalg"))
__all__ = sorted([*(name for name in _ops.namespace("linalg") if not name.startswith("_")), "LinAlgError"])
