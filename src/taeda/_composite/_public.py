"""The decorator that gives a composition its public homes.

A composition is an operation that is written in Python over other operations. `src/taeda/__init__.py` reads `EXPORTS` and puts
each function where it belongs: into the package ("torch"), on tensors ("Tensor") or into a public module ("nn.functional").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["EXPORTS", "public"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

MODULES = {
    "torch": "taeda",
    "nn.functional": "taeda.nn.functional",
    "linalg": "taeda.linalg",
    "fft": "taeda.fft",
    "special": "taeda.special",
    "signal.windows": "taeda.signal.windows",
}

# home -> name -> function
EXPORTS: dict[str, dict[str, Callable[..., Any]]] = {}


def public(*homes: str, name: str = "") -> Callable[[_Function], _Function]:
    """Return a decorator that offers a function under each of ``homes``.

    Args:
        homes: "torch", "Tensor", or a public module such as "linalg". On "Tensor" the first argument is the tensor.
        name: the public name; default: the function's.

    Raises:
        ValueError: the home is unknown, or has another function of that name.
    """

    def register(function: _Function) -> _Function:
        public_name = name or function.__name__
        for home in homes:
            if home != "Tensor" and home not in MODULES:
                raise ValueError(f"{public_name}: unknown home {home!r}")
            names = EXPORTS.setdefault(home, {})
            if public_name in names:
                raise ValueError(f"{home}.{public_name} is defined twice")
            names[public_name] = function
        home = next((home for home in homes if home in MODULES), None)
        if home is not None:
            function.__module__ = MODULES[home]
        return function

    return register
