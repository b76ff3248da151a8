"""taeda.fft: filled from the registry and the compositions that have their home here."""

from taeda import _ops

globals().update(_ops.namespace("fft"))
__all__ = sorted(name for name in _ops.namespace("fft") if not name.startswith("_"))
