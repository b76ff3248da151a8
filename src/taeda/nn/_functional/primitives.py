"""The compiled operations that nn.functional builds on, looked up by name in the registry's namespaces."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


@functools.cache
def _compiled() -> dict[str, Callable]:
    """All compiled operations by name: those of nn.functional before private helpers and public ones."""
    from taeda import _ops

    # Not the compositions: some of them lead back here.
    homes = [_ops._HOMES.get(home, {}) for home in ("torch", "_C", "nn.functional")]
    return {**homes[0], **homes[1], **homes[2]}


def find(name: str) -> Callable | None:
    """The compiled operation called ``name``, or None: one of nn.functional, a private helper, or a public one."""
    return _compiled().get(name)


def primitive(name: str) -> Callable:
    """The compiled operation called ``name``; where the core has none, a function that says so when it is called."""
    found = find(name)
    if found is not None:
        return found

    def missing(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"taeda has no {name}: the compiled core was built without this operation")

    missing.__name__ = name
    return missing


def in_place(name: str, function: Callable, input: Any, *args: Any) -> Any:
    """``input`` overwritten by ``function(input, *args)``, through the operation's own in-place form where it "
    "has one."""
    own = find(name + "_") or getattr(type(input), name + "_", None)
    if own is not None:
        return own(input, *args)
    # What backward needs is saved from a copy: the input itself is about to be overwritten.
    return input.copy_(function(input.clone(), *args))
