"""``__torch_function__``: how a class that derives from Tensor, or a mode, takes part in the operations on its tensors.

An operation that is given an instance of such a class calls ``cls.__torch_function__(func, types, args, kwargs)`` instead of computing.
Tensor's own implementation computes, and gives the results the class. DIFF(torch): functions that are compositions in Python are
not seen as one call; what they are composed of is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import taeda
from taeda import _C

__all__ = [
    "BaseTorchFunctionMode",
    "DisableTorchFunction",
    "DisableTorchFunctionSubclass",
    "TorchFunctionMode",
    "get_default_nowrap_functions",
    "handle_torch_function",
    "has_torch_function",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "wrap_torch_function",
]

_modes: list[TorchFunctionMode] = []


class DisableTorchFunctionSubclass:
    """A context in which classes that derive from Tensor count as plain tensors; modes stay."""

    _how = 1

    def __enter__(self) -> None:
        self._before = _C._disable_overrides(self._how)

    def __exit__(self, *error: Any) -> None:
        _C._disable_overrides(self._before)


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """A context in which neither classes nor modes see operations."""

    _how = 2


def _disabled_torch_function_impl(func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """What a class sets ``__torch_function__`` to, to count as a plain tensor."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def _overloaded(values: Iterable[Any], found: list[Any]) -> list[Any]:
    """The first instance of each class that overrides, derived classes before those that they derive from."""
    for value in values:
        if isinstance(value, list | tuple):
            _overloaded(value, found)
        elif _C._has_override(value) and not any(type(value) is type(other) for other in found):
            place = next((k for k, other in enumerate(found) if isinstance(value, type(other))), len(found))
            found.insert(place, value)
    return found


def _handle(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    relevant = [] if _C._overrides_disabled() else _overloaded((*args, *kwargs.values()), [])
    return _offer(function, relevant, args, kwargs)


def _offer(function: Callable[..., Any], relevant: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    types = tuple(type(value) for value in relevant)
    if _modes and _C._overrides_disabled() < 2:
        mode = _modes.pop()
        _C._change_function_modes(-1)
        try:
            result = mode.__torch_function__(function, types, args, kwargs)
        finally:
            _modes.append(mode)
            _C._change_function_modes(1)
        if result is not NotImplemented:
            return result
    for value in relevant:
        result = type(value).__torch_function__(function, types, args, kwargs)
        if result is not NotImplemented:
            return result
    if not relevant:
        return _disabled_torch_function_impl(function, (), args, kwargs)
    name = f"{getattr(function, '__module__', 'taeda')}.{getattr(function, '__name__', function)}"
    raise TypeError(
        f"no implementation found for '{name}' on types that implement __torch_function__: {[cls.__name__ for cls in types]}"
    )


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """Offer a call to the classes of ``relevant_args`` in turn, derived ones first, and return the first answer.

    Raises:
        TypeError: all return NotImplemented.
    """
    return _offer(public_api, _overloaded(relevant_args, []), args, kwargs)


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Return whether one of the values has a class that overrides operations, or a mode is on."""
    disabled = _C._overrides_disabled()
    return bool(_modes and disabled < 2) or (not disabled and any(_C._has_override(value) for value in relevant_args))


def has_torch_function_unary(value: Any) -> bool:
    """`has_torch_function` of one value."""
    return has_torch_function((value,))


def has_torch_function_variadic(*values: Any) -> bool:
    """`has_torch_function` of several values."""
    return has_torch_function(values)


def is_tensor_like(value: Any) -> bool:
    """Return whether ``value`` is a tensor or its class has ``__torch_function__``."""
    return isinstance(value, taeda.Tensor) or hasattr(type(value), "__torch_function__")


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Return whether ``func`` is a method or property of Tensor."""
    name = getattr(func, "__name__", "")
    return getattr(taeda.Tensor, name, None) is func or name == "__get__"


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that lets a function of the program be overridden; ``dispatcher`` names its tensors."""
    import functools

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def get_default_nowrap_functions() -> set[Any]:
    """Return what Tensor's own ``__torch_function__`` leaves as plain results."""
    return set()


def _converted(value: Any, cls: type) -> Any:
    if cls is taeda.Tensor:
        return value
    if isinstance(value, taeda.Tensor) and not isinstance(value, cls):
        return _C._as_class(value, cls)
    if isinstance(value, list | tuple):
        parts = [_converted(item, cls) for item in value]
        return type(value)._make(parts) if hasattr(value, "_make") else type(value)(parts)
    return value


def _torch_function(cls: type, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Compute ``func`` on plain tensors, and return results of this class.

    Args:
        func: the operation.
        types: the classes among the arguments that override; NotImplemented comes back where ``cls`` derives not from all.
        args: the positional arguments.
        kwargs: the keyword arguments.
    """
    if not all(issubclass(cls, other) for other in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        return _converted(func(*args, **(kwargs or {})), cls)


class TorchFunctionMode:
    """A context in which ``__torch_function__`` of this object sees every operation; to be derived from."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __torch_function__")

    def __enter__(self) -> TorchFunctionMode:
        _modes.append(self)
        _C._change_function_modes(1)
        return self

    def __exit__(self, *error: Any) -> None:
        _modes.pop()
        _C._change_function_modes(-1)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def install() -> None:
    """Give Tensor its implementation, and the core the function that calls it."""
    tensor: Any = taeda.Tensor
    tensor.__torch_function__ = classmethod(_torch_function)
    tensor.as_subclass = lambda self, cls: _C._as_class(self, cls)
    tensor.as_subclass.__doc__ = "Return a view of the tensor as an instance of a class that derives from Tensor."
    _C._set_override_handler(_handle, _disabled_torch_function_impl)
    _C._disabled_torch_function_impl = _disabled_torch_function_impl
