"""Signal processing: `taeda.signal.windows`."""

from taeda.signal import windows

__all__ = ["windows"]
