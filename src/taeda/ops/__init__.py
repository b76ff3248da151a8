"""Definitions of operations; and, for programs, the operator library by PyTorch's name: ``taeda.ops.aten``."""


def __getattr__(name: str):
    if name == "aten":
        # By name, because the build reads this package before there is a core to import.
        import importlib

        return importlib.import_module("taeda._aten").aten
    raise AttributeError(f"taeda.ops has no {name!r}")
