"""Hooks of modules: the registries of global hooks, and the long way round through a module that has hooks.

A module without hooks never comes here: ``Module.__call__`` goes straight to ``forward``.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import taeda
from taeda.utils.hooks import BackwardHook, RemovableHandle

# One entry for each global hook that a call must look at, whatever its kind: a call tests this one dictionary.
present: OrderedDict = OrderedDict()

forward_pre_hooks: OrderedDict = OrderedDict()
forward_hooks: OrderedDict = OrderedDict()
forward_hooks_with_kwargs: OrderedDict = OrderedDict()
forward_hooks_always_called: OrderedDict = OrderedDict()
backward_pre_hooks: OrderedDict = OrderedDict()
backward_hooks: OrderedDict = OrderedDict()
is_full_backward_hook: bool | None = None

buffer_registration_hooks: OrderedDict = OrderedDict()
module_registration_hooks: OrderedDict = OrderedDict()
parameter_registration_hooks: OrderedDict = OrderedDict()


def _register(hooks: OrderedDict, hook: Callable, *extra: OrderedDict) -> RemovableHandle:
    handle = RemovableHandle(hooks, extra_dict=list(extra))
    hooks[handle.id] = hook
    return handle


def _register_called(hooks: OrderedDict, hook: Callable, *extra: OrderedDict) -> RemovableHandle:
    handle = _register(hooks, hook, present, *extra)
    present[handle.id] = True
    return handle


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` whenever any module registers a buffer; a result replaces the buffer."""
    return _register(buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` whenever any module registers one; a result replaces it."""
    return _register(module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` whenever any module registers a parameter; a result replaces it."""
    return _register(parameter_registration_hooks, hook)


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of every module; a result replaces the arguments."""
    return _register_called(forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of every module; a result replaces the output."""
    handle = _register_called(forward_hooks, hook, forward_hooks_with_kwargs, forward_hooks_always_called)
    if with_kwargs:
        forward_hooks_with_kwargs[handle.id] = True
    if always_call:
        forward_hooks_always_called[handle.id] = True
    return handle


def _set_backward_kind(is_full: bool) -> None:
    global is_full_backward_hook
    if is_full_backward_hook is not None and is_full_backward_hook != is_full and backward_hooks:
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module hook. "
            "Please use only one of them."
        )
    is_full_backward_hook = is_full


def register_module_backward_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` at the last operation of every module in backward."""
    _set_backward_kind(False)
    return _register_called(backward_hooks, hook)


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` before the backward of every module; a result replaces grad_output."""
    return _register_called(backward_pre_hooks, hook)


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` after every module's backward; a result replaces grad_input."""
    _set_backward_kind(True)
    return _register_called(backward_hooks, hook)


def call(module: Any, args: tuple, kwargs: dict) -> Any:
    """``module.forward(*args, **kwargs)`` with all hooks, global and the module's own, around it."""
    done: set[int] = set()
    try:
        return _call(module, args, kwargs, done)
    except Exception:
        _call_remaining_always_called(module, args, kwargs, done)
        raise


def _call(module: Any, args: tuple, kwargs: dict, done: set[int]) -> Any:
    full, plain = _backward_hooks_of(module)
    pre = [*backward_pre_hooks.values(), *module._backward_pre_hooks.values()]
    args, kwargs = _run_forward_pre_hooks(module, args, kwargs)
    gates = BackwardHook(module, full, pre) if full or pre else None
    if gates is not None:
        args = gates.setup_input_hook(args)
    result = module.forward(*args, **kwargs)
    result = _run_forward_hooks(module, args, kwargs, result, done)
    if gates is not None:
        if not isinstance(result, (taeda.Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors "
                f"but received {type(result)}",
                stacklevel=4,
            )
        result = gates.setup_output_hook(result)
    if plain:
        _attach_plain_backward_hooks(module, plain, args, result)
    return result


def _backward_hooks_of(module: Any) -> tuple[list, list]:
    """The full and the other backward hooks that apply to ``module``, global ones first."""
    full: list = []
    plain: list = []
    (full if is_full_backward_hook else plain).extend(backward_hooks.values())
    (full if module._is_full_backward_hook else plain).extend(module._backward_hooks.values())
    return full, plain


def _run_forward_pre_hooks(module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    for hook_id, hook in (*forward_pre_hooks.items(), *module._forward_pre_hooks.items()):
        if hook_id in module._forward_pre_hooks_with_kwargs:
            result = hook(module, args, kwargs)
            if result is None:
                continue
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(
                    f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {result}."
                )
            args, kwargs = result
        else:
            result = hook(module, args)
            if result is not None:
                args = result if isinstance(result, tuple) else (result,)
    return args, kwargs


def _after_forward(module: Any) -> list[tuple[int, Callable, bool]]:
    """Each forward hook that applies: its number, itself, whether it wants the keyword arguments."""
    return [(i, hook, i in forward_hooks_with_kwargs) for i, hook in forward_hooks.items()] + [
        (i, hook, i in module._forward_hooks_with_kwargs) for i, hook in module._forward_hooks.items()
    ]


def _run_forward_hooks(module: Any, args: tuple, kwargs: dict, result: Any, done: set[int]) -> Any:
    for hook_id, hook, with_kwargs in _after_forward(module):
        done.add(hook_id)
        replaced = hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
        if replaced is not None:
            result = replaced
    return result


def _call_remaining_always_called(module: Any, args: tuple, kwargs: dict, done: set[int]) -> None:
    """After an exception: the hooks registered with ``always_call`` that have not run yet."""
    for hook_id, hook, with_kwargs in _after_forward(module):
        always = hook_id in forward_hooks_always_called or hook_id in module._forward_hooks_always_called
        if not always or hook_id in done:
            continue
        try:
            hook(module, args, kwargs, None) if with_kwargs else hook(module, args, None)
        except Exception as error:
            warnings.warn(
                f"module forward hook with ``always_call=True`` raised an exception that was silenced as another "
                f"error was raised in forward: {error}",
                stacklevel=4,
            )


def _attach_plain_backward_hooks(module: Any, hooks: list, args: tuple, result: Any) -> None:
    """Hang non-full backward hooks on the operation that made the module's (first) result."""
    found = result
    while not isinstance(found, taeda.Tensor):
        values = list(found.values()) if isinstance(found, dict) else found
        found = next((value for value in values if isinstance(value, taeda.Tensor)), values[0])
    node = found.grad_fn
    if node is None:
        return
    for hook in hooks:
        node.register_hook(lambda grad_input, grad_output, hook=hook: hook(module, grad_input, grad_output))
    _warn_if_plain_hooks_see_too_little(args, result, node)


def _warn_if_plain_hooks_see_too_little(args: tuple, result: Any, node: Any) -> None:
    if not isinstance(result, taeda.Tensor) or not all(isinstance(arg, taeda.Tensor) for arg in args):
        warnings.warn(
            "Using a non-full backward hook on a Module that does not take or return a single Tensor is deprecated "
            "and will be removed in future versions. This hook will be missing some of the grad_output or grad_input. "
            "Please use register_full_backward_hook to get the documented behavior.",
            FutureWarning,
            stacklevel=5,
        )
        return
    direct = {arg.grad_fn for arg in args if arg.grad_fn is not None}
    if any(previous is not None and previous not in direct for previous, _ in node.next_functions) or len(
        node.next_functions
    ) > len(args):
        warnings.warn(
            "Using a non-full backward hook when the forward contains multiple autograd Nodes is deprecated and will "
            "be removed in future versions. This hook will be missing some grad_input. Please use "
            "register_full_backward_hook to get the documented behavior.",
            FutureWarning,
            stacklevel=5,
        )
