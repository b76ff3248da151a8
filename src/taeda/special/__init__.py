"""taeda.special: filled from the registry and the compositions that have their home here."""

from taeda import _ops

globals().update(_ops.namespace("special"))
__all__ = sorted(name for name in _ops.namespace("special") if not name.startswith("_"))
