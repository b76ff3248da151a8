"""`Function`: operations whose backward is written in Python.

Note [The context is the node]: the object that forward and backward get as `ctx` is the recorded node itself, an
instance of a class made for each `Function`. The core sets `needs_input_grad` on it before forward, and after forward
takes what was marked (`to_save`, `dirty_tensors`, `non_differentiable`, `materialize_grads`); in backward it calls
`apply_backward`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import taeda
from taeda import _C

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "NestedIOFunction", "once_differentiable"]


class FunctionCtx:
    """What forward can tell about its run; the first argument of forward, backward and setup_context."""

    to_save: tuple[Any, ...] | None = None
    saved_for_forward: tuple[Any, ...] | None = None
    dirty_tensors: tuple[Any, ...] | None = None
    non_differentiable: tuple[Any, ...] | None = None
    materialize_grads: bool = True

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep inputs or results for backward, where `saved_tensors` gives them back; only tensors and None are
        allowed.

        A saved tensor that is written before backward is an error there. Other values can be set as attributes of
        `ctx`.
        """
        for index, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, taeda.Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {index} is of type "
                    f"{type(tensor).__name__} "
                    "(hint: set it as an attribute of ctx)"
                )
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for `jvp`, where `saved_tensors` gives them back; only tensors and None are allowed."""
        for index, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, taeda.Tensor):
                raise TypeError(
                    "save_for_forward expects all arguments to be tensors; you should save non-tensors as attributes "
                    f"on ctx. Argument {index} is of type {type(tensor).__name__}."
                )
        self.saved_for_forward = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Tell that forward has written these inputs in place; they must be returned too."""
        self.dirty_tensors = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Tell that these results have no gradient; backward still gets an argument for each, of zeros."""
        self.non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Set whether gradients that nothing defined come to backward as zeros (True, the default) or as None."""
        self.materialize_grads = value


class BackwardCFunction(FunctionCtx, _C._FunctionNode):
    """The base of the node classes of all Functions."""

    _forward_cls: type[Function]

    def apply(self, *grads: Any) -> Any:
        """Return what backward returns for these gradients of the results."""
        return self.apply_backward(*grads)

    def apply_backward(self, *grads: Any) -> Any:
        """Called by the engine with one gradient for each result."""
        owner = self._forward_cls
        has_backward = owner.backward is not Function.backward
        has_vjp = owner.vjp is not Function.vjp
        if has_backward and has_vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only "
                "implement one of them."
            )
        return owner.vjp(self, *grads) if has_vjp else owner.backward(self, *grads)

    def apply_jvp(self, *tangents: Any) -> Any:
        """Called by the core with the tangents of the inputs, when some input has one."""
        return self._forward_cls.jvp(self, *tangents)


class _FunctionMeta(type):
    """Makes the node class of each Function when the Function is defined."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(name + "Backward", (BackwardCFunction,), {"_forward_cls": cls})
        cls._backward_cls.__module__ = cls.__module__


class Function(metaclass=_FunctionMeta):
    """The base of operations with a backward of their own: write static `forward` and `backward`, and call `apply`.

    `forward(ctx, *args)` computes the result and may save tensors on `ctx`; or `forward(*args)` computes and
    `setup_context(ctx, inputs, output)` saves. `backward(ctx, *grads)` gets one gradient for each result and returns
    one for each argument of forward, None for those without.
    """

    generate_vmap_rule = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results; recording is off while it runs."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save on `ctx` what backward needs, where forward takes no `ctx`."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradients for the arguments of forward."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    # A second name of backward; see the check in `apply_backward`.
    @staticmethod
    def vjp(ctx: Any, *grad_outputs: Any) -> Any:
        """Return the gradients for the arguments of forward; another name for `backward`."""
        return Function.backward(ctx, *grad_outputs)

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Forward-mode derivatives; without a rule, an error."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> tuple[Any, Any]:
        """Return the results for all samples and where these lie in them: the rule of `taeda.func.vmap`, if it needs one of its own.

        `info` has the `batch_size` and the `randomness`; `in_dims` says for each argument where its samples lie, or None.
        """
        raise NotImplementedError("To use autograd.Function with vmap, it must override the vmap staticmethod.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self).__name__} should not be instantiated. Methods on autograd functions are all static, so you "
            "should invoke them on the "
            f"class itself: {type(self).__name__}.apply(...)"
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Return forward's results, recorded so that backward runs for them."""
        has_context = cls.setup_context is not Function.setup_context
        inputs = _bind_defaults(cls.forward, args, kwargs) if has_context else args
        if _lowering is not None and (lowered := _lowering(cls, inputs)) is not None:
            return cls._apply_lowered(lowered, inputs, kwargs, has_context)
        node = cls._backward_cls()
        if not has_context:
            return _C._apply_function(node, functools.partial(cls.forward, node, **kwargs), inputs)

        def forward(*values: Any) -> Any:
            output = cls.forward(*values)
            cls.setup_context(node, values, output)
            return output

        return _C._apply_function(node, forward, inputs)

    @classmethod
    def _apply_lowered(
        cls, lowered: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], has_context: bool
    ) -> Any:
        """Return the results for batched tensors; see Note [Functions of batched tensors]."""
        node, is_recording = cls._backward_cls(), taeda.is_grad_enabled()

        def forward(*values: Any) -> Any:
            with taeda.set_grad_enabled(is_recording):
                output = lowered(*values)
            if has_context:
                cls.setup_context(node, values, output)
            else:
                cls.forward(node, *values, **kwargs)  # for what it saves
            return output

        return _C._apply_function(node, forward, args)


# Set by taeda.func._custom.
_lowering: Callable[..., Any] | None = None


class NestedIOFunction(Function):
    """A name of old programs: a `Function` of nested structures, made as an instance. PyTorch's no longer runs either."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"taeda has no {cls.__name__}: a NestedIOFunction is called as an instance, which PyTorch gave up\n"
            "  hint: write a Function with static methods, and flatten the structures with taeda.utils._pytree"
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Raise NotImplementedError."""
        return cls()


def _bind_defaults(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return all arguments by position: setup_context gets one tuple of inputs, whichever way they were passed."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args


class _RefuseBackward(Function):
    """Passes tensors on; going backward through it is an error. Stands behind the results of a function that is not
    recorded.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Any) -> Any:
        ctx.set_materialize_grads(False)
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, a backward that uses operations without recording, such that a second derivative is an error,
    not zero.
    """

    @functools.wraps(function)
    def wrapper(ctx: Any, *args: Any) -> Any:
        with taeda.no_grad():
            outputs = function(ctx, *args)
        if not _C.is_grad_enabled():
            return outputs
        # Gradients of constants have no second derivative to get wrong.
        if not any(isinstance(arg, taeda.Tensor) and arg.requires_grad for arg in args):
            return outputs
        values = outputs if isinstance(outputs, tuple) else (outputs,)
        refused = [_refuse(value) for value in values]
        return tuple(refused) if isinstance(outputs, tuple) else refused[0]

    return wrapper


def _refuse(value: Any) -> Any:
    if not isinstance(value, taeda.Tensor) or not (value.is_floating_point() or value.is_complex()):
        return value
    return _RefuseBackward.apply(value.detach().requires_grad_(True))[0]
