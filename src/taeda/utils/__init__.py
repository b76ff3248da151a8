"""Tools beside the tensors and the layers; each module here is loaded on first use."""

import importlib
import importlib.util


def __getattr__(name: str):
    # A listed set of names would have to be kept in step with the folder; the import system knows it already.
    if not name.startswith("__") and importlib.util.find_spec(f"{__name__}.{name}") is not None:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
