"""Window functions, symmetric unless ``sym=False``; written in `taeda._composite.windows`."""

from taeda import _ops

globals().update(_ops.namespace("signal.windows"))

__all__ = sorted(_ops.namespace("signal.windows"))
