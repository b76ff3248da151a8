"""What this build consists of."""

from __future__ import annotations

import taeda
from taeda import _C


def show_config() -> str:
    """Return a text that names the kernels, libraries and threads in use."""
    libraries = _C._libraries() if hasattr(_C, "_libraries") else {}
    lines = [
        f"taeda {taeda.__version__}",
        f"kernels: {_C._active_isa()}",
        f"threads: {taeda.get_num_threads()} (OpenMP)",
    ]
    lines += [f"{name}: {state}" for name, state in libraries.items()]
    return "\n".join(lines)


show_config.__module__ = "taeda"
