"""Wrapped tensors: where a call that is given one goes.

A wrapped tensor has no data of its own; a Python object stands for it (``_C._wrapper_of``): a `taeda.func` batch, a sparse matrix.
Such an object is a `Wrapper`. When an operation is given wrapped tensors, the one of the highest ``rank`` decides what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import taeda
from taeda import _C
from taeda.ops import batching

__all__ = ["Operation", "Wrapper", "operation", "set_random_interceptor", "wrappers_in"]


class Wrapper:
    """What stands for a wrapped tensor. Subclasses say how operations on it are computed."""

    __slots__ = ()

    rank: float = 0
    layout = taeda.strided
    is_sparse = False
    is_sparse_csr = False
    is_nested = False
    device = taeda.device("cpu")

    def intercept(self, op: Operation, form: str, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
        """Compute one operation; ``form`` is "functional", "inplace" or "out"."""
        raise NotImplementedError(f"taeda has no {op.key} for {type(self).__name__}")

    def item(self, tensor: Any) -> Any:
        """What ``tensor.item()`` gives."""
        raise NotImplementedError(f"{type(self).__name__} has no item()")

    def tolist(self, tensor: Any) -> Any:
        """What ``tensor.tolist()`` gives."""
        raise NotImplementedError(f"{type(self).__name__} has no tolist()")


class Operation:
    """One row of the registry as the rules for wrapped tensors see it."""

    __slots__ = (
        "arguments",
        "function",
        "has_inplace",
        "is_pointwise",
        "is_random",
        "is_view",
        "key",
        "n_positional",
        "name",
        "names",
        "results",
        "writer",
        "writes_input",
    )

    def __init__(self, key: str) -> None:
        facts = _C._describe_op(key)
        self.key = key
        self.name: str = facts["name"]
        self.arguments: tuple[tuple[str, int, bool, bool, int], ...] = facts["arguments"]
        self.names = tuple(argument[0] for argument in self.arguments)
        self.n_positional = sum(not argument[3] for argument in self.arguments)
        self.results: tuple[tuple[str, bool], ...] = facts["results"]
        self.is_pointwise: bool = facts["is_pointwise"]
        self.is_view: bool = facts["is_view"]
        self.writes_input: bool = facts["writes_input"]
        self.has_inplace: bool = facts["has_inplace"]
        self.is_random: bool = facts["draws"] or key in batching.DRAWN_LIKE
        self.function: Callable[..., Any] = _C._op_function(key, False)
        self.writer: Callable[..., Any] | None = _C._op_function(key, True) if self.has_inplace else None

    def __call__(self, arguments: Any, in_place: bool = False) -> Any:
        """Call the operation with one value for each argument of its schema."""
        n = self.n_positional
        function = self.writer if in_place and not self.writes_input else self.function
        assert function is not None
        return function(*arguments[:n], **dict(zip(self.names[n:], arguments[n:], strict=True)))

    def at(self, name: str) -> int:
        """The place of an argument."""
        return self.names.index(name)


_operations: dict[str, Operation] = {}


def operation(key: str) -> Operation:
    """Return the `Operation` of a registry key."""
    found = _operations.get(key)
    if found is None:
        found = _operations[key] = Operation(key)
    return found


def wrappers_in(values: Any) -> Iterator[Any]:
    """Yield the wrappers of the tensors among ``values``, also of those in lists."""
    for value in values:
        if isinstance(value, taeda.Tensor):
            wrapper = _C._wrapper_of(value)
            if wrapper is not None:
                yield wrapper
        elif isinstance(value, list | tuple):
            yield from wrappers_in(value)


_random_interceptor: Callable[..., Any] | None = None


def set_random_interceptor(function: Callable[..., Any]) -> None:
    """Name what handles calls that draw random numbers while they are intercepted and no argument is wrapped."""
    global _random_interceptor
    _random_interceptor = function


def _handle(key: str, form: str, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
    op = operation(key)
    top = max(wrappers_in((*arguments, *outs)), key=lambda wrapper: wrapper.rank, default=None)
    if top is None:
        assert _random_interceptor is not None
        return _random_interceptor(op, form, arguments, outs)
    return top.intercept(op, form, arguments, outs)


_C._set_intercept_handler(_handle)
