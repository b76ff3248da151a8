"""Control flow and numbers in the words of PyTorch's compilers, and futures: here all of it is plain Python, run at once."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

import taeda

__all__ = [
    "Future",
    "compile",
    "cond",
    "fork",
    "sym_float",
    "sym_int",
    "sym_ite",
    "sym_max",
    "sym_min",
    "sym_not",
    "sym_sqrt",
    "sym_sum",
    "wait",
]


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()) -> Any:
    """Return ``true_fn(*operands)`` where ``pred`` is true, else ``false_fn(*operands)``.

    Args:
        pred: a bool, or a tensor with one element.
        operands: the arguments of either function.
    """
    if not isinstance(pred, (bool, taeda.Tensor)):
        raise RuntimeError(f"Expected pred to be bool or tensor, but got {pred}.")
    if isinstance(pred, taeda.Tensor) and pred.numel() != 1:
        raise RuntimeError(f"Expected pred to be bool or single-element tensor, but got {pred}.")
    if not callable(true_fn) or not callable(false_fn):
        raise RuntimeError("Expect both branches to be callable.")
    if not isinstance(operands, (tuple, list)):
        raise RuntimeError(f"Expect operands to be a tuple of possibly nested dict/list/tuple, but got {operands}.")
    return (true_fn if pred else false_fn)(*operands)


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "eager",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """Return the function or module itself: taeda compiles its operations when it is built, and no programs.

    Without ``model``, return a decorator that does so. The options are accepted and change nothing.
    """
    if model is None:
        return lambda function: function
    if not callable(model):
        raise RuntimeError(f"compile expects a function or a module, but got {type(model).__name__}")
    return model


# ---- numbers


def sym_float(a: Any) -> float:
    """Return ``float(a)``."""
    return float(a)


def sym_int(a: Any) -> int:
    """Return ``a`` without its fraction, as an int."""
    return int(a)


def sym_not(a: Any) -> bool:
    """Return ``not a``."""
    return not a


def sym_sqrt(a: Any) -> float:
    """Return the square root of a number."""
    return math.sqrt(a)


def sym_ite(b: bool, t: Any, f: Any) -> Any:
    """Return ``t`` if ``b`` else ``f``."""
    if not isinstance(b, bool):
        raise TypeError(f"sym_ite: the condition must be a bool, but got {type(b).__name__}")
    return t if b else f


def _extreme(a: Any, b: Any, pick: Callable[..., Any]) -> Any:
    if isinstance(a, float) or isinstance(b, float):
        return pick(float(a), float(b))
    return pick(a, b)


def sym_max(a: Any, b: Any) -> Any:
    """Return the larger number, as a float where one of them is."""
    return _extreme(a, b, builtins.max)


def sym_min(a: Any, b: Any) -> Any:
    """Return the smaller number, as a float where one of them is."""
    return _extreme(a, b, builtins.min)


def sym_sum(args: Sequence[Any]) -> Any:
    """Return the sum of numbers."""
    return builtins.sum(args)


# ---- futures


class Future:
    """A result that may come later, with functions that are called when it does."""

    def __init__(self, *, devices: Sequence[Any] | None = None) -> None:
        import threading

        self._done = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Future], Any]] = []

    def done(self) -> bool:
        """Return whether the result, or an exception, is there."""
        return self._done.is_set()

    def wait(self) -> Any:
        """Wait for the result and return it; an exception is raised."""
        self._done.wait()
        return self.value()

    def value(self) -> Any:
        """Return the result, which must be there."""
        if not self.done():
            raise RuntimeError("Future.value(): the result is not there yet")
        if self._error is not None:
            raise self._error
        return self._value

    def set_result(self, result: Any) -> None:
        """Give the result; only once."""
        self._finish(result, None)

    def set_exception(self, result: BaseException) -> None:
        """Give an exception in the place of the result."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._finish(None, result)

    def _finish(self, value: Any, error: BaseException | None) -> None:
        if self.done():
            raise RuntimeError("Future can only be marked completed once")
        self._value, self._error = value, error
        self._done.set()
        for callback in self._callbacks:
            callback(self)
        self._callbacks.clear()

    def add_done_callback(self, callback: Callable[[Future], Any]) -> None:
        """Call ``callback(self)`` when the result is there: at once, where it already is."""
        if self.done():
            callback(self)
        else:
            self._callbacks.append(callback)

    def then(self, callback: Callable[[Future], Any]) -> Future:
        """Return the future of ``callback(self)``."""
        made = Future()

        def run(done: Future) -> None:
            try:
                made.set_result(callback(done))
            except Exception as error:  # it belongs to whoever waits for the result
                made.set_exception(error)

        self.add_done_callback(run)
        return made


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
    """Run ``func(*args, **kwargs)`` and return its result as a future."""
    made = Future()
    try:
        made.set_result(func(*args, **kwargs))
    except Exception as error:  # it is raised where the result is waited for
        made.set_exception(error)
    return made


def wait(future: Future) -> Any:
    """Return the result of a future."""
    return future.wait()
