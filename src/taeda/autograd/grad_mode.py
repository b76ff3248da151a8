"""Switching the recording of gradients on and off: context managers that also decorate functions and generators."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from typing import Any

from taeda import _C

__all__ = [
    "enable_grad",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
    "set_multithreading_enabled",
    "enforce_grad_layout_policy",
    "is_multithreading_enabled",
]


class _ModeContext:
    """A context manager that can decorate a function: each call of the function enters a fresh copy of it."""

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, *exc_info: object) -> None:
        raise NotImplementedError

    def clone(self) -> Any:
        """Return a new context of the same kind and arguments."""
        return type(self)()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isclass(function):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You should only decorate "
                "functions or methods. "
                "To preserve the current behavior of class decoration, you can directly decorate the `__init__` "
                "method and nothing else.",
                FutureWarning,
                stacklevel=2,
            )
            function.__init__ = self(function.__init__)  # type: ignore[method-assign, misc]
            return function
        if inspect.isgeneratorfunction(function):
            return _wrap_generator(self.clone, function)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapper


def _wrap_generator(make_context: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a generator function whose body runs in the context, while the code between its values does not."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with make_context():
                    value = resume()
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield value
                resume = functools.partial(generator.send, sent)
            except GeneratorExit:
                with make_context():
                    generator.close()
                raise
            except BaseException:
                resume = functools.partial(generator.throw, *_thrown())

    return wrapper


def _thrown() -> tuple[BaseException]:
    """Return the exception being handled as arguments for `generator.throw`."""
    error = sys.exc_info()[1]
    if error is None:
        raise RuntimeError("no exception is being handled")
    return (error,)


class _NoParenthesesContext(_ModeContext):
    """A context that may also decorate without being called: ``@no_grad`` means ``@no_grad()``."""

    _previous: bool

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        context = super().__new__(cls)
        return context if function is None else context(function)


class no_grad(_NoParenthesesContext):
    """A context (and decorator) in which operations record no history, so that their results do not require
    gradients.
    """

    def __enter__(self) -> None:
        self._previous = _C.is_grad_enabled()
        _C._set_grad_enabled(False)

    def __exit__(self, *exc_info: object) -> None:
        _C._set_grad_enabled(self._previous)


class enable_grad(_NoParenthesesContext):
    """A context (and decorator) in which operations record history again, inside `no_grad` too (not inside
    `inference_mode`).
    """

    def __enter__(self) -> None:
        self._previous = _C.is_grad_enabled()
        _C._set_grad_enabled(True)

    def __exit__(self, *exc_info: object) -> None:
        _C._set_grad_enabled(self._previous)


_multithreading = threading.local()


def is_multithreading_enabled() -> bool:
    """Return what `set_multithreading_enabled` has set in this thread."""
    return getattr(_multithreading, "mode", True)


class set_multithreading_enabled(_ModeContext):
    """Note whether backward may use threads of its own; as a context, until its end. It always runs in the thread that
    calls it, in the reverse order of recording: only the kernels are spread over threads.

    Args:
        mode: what `is_multithreading_enabled` returns from now on.
    """

    def __init__(self, mode: bool) -> None:
        self.prev = is_multithreading_enabled()
        self.mode = mode
        _multithreading.mode = mode

    def __enter__(self) -> None:
        _multithreading.mode = self.mode

    def __exit__(self, *exc_info: object) -> None:
        _multithreading.mode = self.prev

    def clone(self) -> set_multithreading_enabled:
        """Return a new context of the same mode."""
        return type(self)(self.mode)


class enforce_grad_layout_policy(_ModeContext):
    """Accepted: an accumulated gradient has the strides of its leaf here in any case; PyTorch may keep others when this
    is off.

    Args:
        enable: changes nothing.
    """

    def __init__(self, enable: bool = True) -> None:
        self.mode = enable

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        pass

    def clone(self) -> enforce_grad_layout_policy:
        """Return a new context of the same mode."""
        return type(self)(self.mode)


class set_grad_enabled(_ModeContext):
    """Switch the recording of history at once; as a context, until its end, and as a decorator, in the function only.

    Args:
        mode: True to record, False not to.
    """

    def __init__(self, mode: bool) -> None:
        self.prev = _C.is_grad_enabled()
        self.mode = mode
        _C._set_grad_enabled(bool(mode))

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        # As a decorator the switch belongs to the function's calls alone.
        _C._set_grad_enabled(self.prev)
        return super().__call__(function)

    def __enter__(self) -> None:
        _C._set_grad_enabled(bool(self.mode))

    def __exit__(self, *exc_info: object) -> None:
        _C._set_grad_enabled(self.prev)

    def clone(self) -> set_grad_enabled:
        """Return a new context of the same mode."""
        return type(self)(self.mode)

    def __str__(self) -> str:
        return f"taeda.autograd.grad_mode.set_grad_enabled(mode={self.mode})"

    __repr__ = __str__


class inference_mode(_ModeContext):
    """A context (and decorator) like `no_grad` whose new tensors can never take part in recording, which makes them
    cheaper.

    Args:
        mode: False leaves inference mode inside of it.
    """

    def __new__(cls, mode: bool | Callable[..., Any] = True) -> Any:
        context = super().__new__(cls)
        if isinstance(mode, bool):
            return context
        context.__init__()  # type: ignore[misc]
        return context(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode
        self._previous = (False, False)

    def __enter__(self) -> None:
        self._previous = (_C.is_inference_mode_enabled(), _C.is_grad_enabled())
        _C._set_inference_mode(self.mode)
        _C._set_grad_enabled(not self.mode)

    def __exit__(self, *exc_info: object) -> None:
        is_inference, is_grad = self._previous
        _C._set_inference_mode(is_inference)
        _C._set_grad_enabled(is_grad)

    def clone(self) -> inference_mode:
        """Return a new context of the same mode."""
        return type(self)(self.mode)
