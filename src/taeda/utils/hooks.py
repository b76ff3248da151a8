"""Handles of registered hooks, and the gates that let a module's backward hooks see its gradients."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any

import taeda

__all__ = ["BackwardHook", "CoreHookHandle", "RemovableHandle", "unserializable_hook", "warn_if_has_hooks"]


class RemovableHandle:
    """What a hook's registration returns: ``remove()`` takes the hook away; also a context manager.

    Args:
        hooks_dict: the ordered dictionary that holds the hook under ``handle.id``.
        extra_dict: one more dictionary, or a list of them, that hold an entry under the same number.
    """

    id: int
    next_id: int = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        # A strong reference would keep the owner's hooks, and so the owner, alive as long as the handle.
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        if extra_dict is None:
            extra_dict = ()
        elif not isinstance(extra_dict, (list, tuple)):
            extra_dict = (extra_dict,)
        self.extra_dict_ref = tuple(weakref.ref(entries) for entries in extra_dict)

    def remove(self) -> None:
        """Take the hook away; doing so twice is harmless."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            entries = reference()
            if entries is not None:
                entries.pop(self.id, None)

    def __getstate__(self) -> tuple:
        return (self.hooks_dict_ref(), self.id, tuple(reference() for reference in self.extra_dict_ref))

    def __setstate__(self, state: tuple) -> None:
        hooks_dict, self.id = state[0], state[1]
        # A dead reference comes back as a dictionary of its own, so that remove() stays harmless.
        self.hooks_dict_ref = weakref.ref(OrderedDict() if hooks_dict is None else hooks_dict)
        extra = state[2] if len(state) > 2 else ()
        self.extra_dict_ref = tuple(weakref.ref(OrderedDict() if entries is None else entries) for entries in extra)
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()


class CoreHookHandle(RemovableHandle):
    """The handle of a hook that the core holds, on a tensor or a node.

    Args:
        remove: takes the hook away.
    """

    def __init__(self, remove: Any) -> None:
        self._remove = remove
        super().__init__(OrderedDict())

    def remove(self) -> None:
        """Take the hook away; doing so twice is harmless."""
        remove, self._remove = self._remove, None
        if remove is not None:
            remove()

    def __getstate__(self) -> tuple:
        raise TypeError(
            "the handle of a hook on a tensor or a node cannot be pickled: the hook belongs to this process"
        )


def unserializable_hook(function: Any) -> Any:
    """Mark a hook on a tensor as one that may be lost, without a warning, when the tensor is saved."""
    function.__torch_unserializable__ = True
    return function


def warn_if_has_hooks(tensor: Any) -> None:
    """Warn of each hook on ``tensor`` that saving will lose."""
    import warnings

    for hook in (getattr(tensor, "_backward_hooks", None) or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized. If this is expected, you can decorate "
                "the function with @taeda.utils.hooks.unserializable_hook to suppress this warning",
                stacklevel=2,
            )


_gate_class = None


def _gate() -> Any:
    """The autograd function behind BackwardHook, made on first use: autograd need not be loaded to import this."""
    global _gate_class
    if _gate_class is None:

        class BackwardHookFunction(taeda.autograd.Function):
            """The identity on tensors, whose backward asks ``on_backward`` what to pass on."""

            @staticmethod
            def forward(ctx, on_backward, *tensors):
                ctx.on_backward = on_backward
                ctx.set_materialize_grads(False)
                ctx.mark_non_differentiable(*(tensor for tensor in tensors if not tensor.requires_grad))
                return tuple(tensor.view_as(tensor) for tensor in tensors)

            @staticmethod
            def backward(ctx, *grads):
                return (None, *ctx.on_backward(grads))

        _gate_class = BackwardHookFunction
    return _gate_class


class BackwardHook:
    """Shows a module's gradients to its full backward hooks: one gate before its inputs, one behind its outputs.

    Args:
        module: handed to the hooks as their first argument.
        user_hooks: called with ``(module, grad_input, grad_output)``; a result replaces ``grad_input``.
        user_pre_hooks: called with ``(module, grad_output)`` beforehand; a result replaces ``grad_output``.
    """

    def __init__(self, module: Any, user_hooks: list, user_pre_hooks: list) -> None:
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs: tuple | None = None
        self.n_inputs = -1
        self.input_positions: list[int] | None = None
        self.n_outputs = -1
        self.output_positions: list[int] | None = None

    def setup_input_hook(self, args: tuple) -> tuple:
        """``args`` with their tensors passed through the gate at the module's entry."""
        result, positions = self._pass_gate(args, self._at_inputs)
        self.n_inputs, self.input_positions = len(args), positions
        return result

    def setup_output_hook(self, output: Any) -> Any:
        """``output`` (a tensor or a tuple) with its tensors passed through the gate at the module's exit."""
        is_tuple = isinstance(output, tuple)
        outputs = output if is_tuple else (output,)
        result, positions = self._pass_gate(outputs, self._at_outputs)
        self.n_outputs, self.output_positions = len(outputs), positions
        return result if is_tuple else result[0]

    def _pass_gate(self, values: tuple, on_backward: Any) -> tuple[tuple, list[int] | None]:
        positions = [i for i, value in enumerate(values) if isinstance(value, taeda.Tensor)]
        tensors = [values[i] for i in positions]
        if not (taeda.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)):
            return values, None
        passed = list(values)
        for i, tensor in zip(positions, _gate().apply(on_backward, *tensors), strict=True):
            passed[i] = tensor
        result = type(values)(*passed) if hasattr(values, "_fields") else tuple(passed)
        return result, positions

    def _at_outputs(self, grads: tuple) -> tuple:
        grad_outputs = _spread(grads, self.output_positions, self.n_outputs)
        for hook in self.user_pre_hooks:
            replaced = hook(self.module, grad_outputs)
            if replaced is None:
                continue
            replaced = replaced if isinstance(replaced, tuple) else (replaced,)
            if len(replaced) != self.n_outputs:
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, "
                    f"got {len(replaced)}, but expected {self.n_outputs}"
                )
            grad_outputs = replaced
        self.grad_outputs = grad_outputs
        if self.input_positions is None:  # no input requires grad: this is the last place the gradient passes
            self._call_hooks((None,) * max(self.n_inputs, 1))
            self.grad_outputs = None
        return tuple(grad_outputs[i] for i in self.output_positions or ())

    def _at_inputs(self, grads: tuple) -> tuple:
        if self.grad_outputs is None:
            raise RuntimeError(
                "Module backward hook for grad_input is called before the grad_output one. This happens because "
                "the gradient in your nn.Module flows to the Module's input without passing through the Module's "
                "output. Make sure that the output depends on the input and that the loss is computed based on the "
                "output."
            )
        grad_inputs = self._call_hooks(_spread(grads, self.input_positions, self.n_inputs))
        self.grad_outputs = None
        return tuple(grad_inputs[i] for i in self.input_positions or ())

    def _call_hooks(self, grad_inputs: tuple) -> tuple:
        for hook in self.user_hooks:
            replaced = hook(self.module, grad_inputs, self.grad_outputs)
            if replaced is None:
                continue
            replaced = replaced if isinstance(replaced, tuple) else (replaced,)
            if self.input_positions is None and any(grad is not None for grad in replaced):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or "
                    "None for all gradients."
                )
            if len(replaced) != len(grad_inputs):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, "
                    f"got {len(replaced)}, but expected {len(grad_inputs)}"
                )
            grad_inputs = replaced
        return grad_inputs


def _spread(grads: tuple, positions: list[int] | None, length: int) -> tuple:
    """``grads`` at their ``positions`` among ``length`` places, None elsewhere."""
    spread: list = [None] * length
    for position, grad in zip(positions or (), grads, strict=True):
        spread[position] = grad
    return tuple(spread)
