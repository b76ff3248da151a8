"""Module, the base class of everything that holds parameters: registration, calling, conversion, printing.

Its walks are in ``_module_tree``, its state in ``_module_state``, the way through its hooks in ``_module_hooks``.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import taeda
from taeda.nn import _module_hooks
from taeda.nn._module_state import ModuleState
from taeda.nn._module_tree import ModuleTree
from taeda.nn.parameter import Buffer, Parameter
from taeda.utils.hooks import RemovableHandle

_global_hooks_present = _module_hooks.present

# What every module starts with, made anew for each: name and constructor, in the order in which they are kept.
_INITIAL_STATE = (
    ("_parameters", dict),
    ("_buffers", dict),
    ("_non_persistent_buffers_set", set),
    ("_backward_pre_hooks", OrderedDict),
    ("_backward_hooks", OrderedDict),
    ("_is_full_backward_hook", lambda: None),
    ("_forward_hooks", OrderedDict),
    ("_forward_hooks_with_kwargs", OrderedDict),
    ("_forward_hooks_always_called", OrderedDict),
    ("_forward_pre_hooks", OrderedDict),
    ("_forward_pre_hooks_with_kwargs", OrderedDict),
    ("_state_dict_hooks", OrderedDict),
    ("_state_dict_pre_hooks", OrderedDict),
    ("_load_state_dict_pre_hooks", OrderedDict),
    ("_load_state_dict_post_hooks", OrderedDict),
    ("_modules", dict),
)


def _type_name(value: Any) -> str:
    """The name of a value's type as PyTorch's messages give it: ``torch.FloatTensor``, ``int``, ``mymodule.Thing``."""
    if isinstance(value, taeda.Tensor) and type(value) in (taeda.Tensor, Parameter):
        return value.type()
    kind = type(value)
    return kind.__name__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"


def _indented(text: str, n_spaces: int) -> str:
    """``text`` with all lines but the first shifted to the right."""
    return text.replace("\n", "\n" + " " * n_spaces)


def _unimplemented_forward(self, *input: Any) -> None:
    """Raise: a subclass must define ``forward``."""
    raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')


class Module(ModuleTree, ModuleState):
    """The base class of all neural network modules; subclasses define ``forward``.

    Parameters, buffers and modules assigned as attributes are registered: they are found by ``parameters()``,
    ``buffers()`` and ``modules()``, stored by ``state_dict()`` and moved by ``to()``.

    Example:
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = nn.Linear(4, 2)
        ...     def forward(self, x):
        ...         return self.fc(x)
    """

    dump_patches: bool = False
    training: bool
    call_super_init: bool = False
    _compiled_call_impl: Callable | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            given = (
                f"got an unexpected keyword argument '{next(iter(kwargs))}'"
                if kwargs
                else (f"takes 1 positional argument but {len(args) + 1} were given")
            )
            raise TypeError(f"{type(self).__name__}.__init__() {given}")
        state = self.__dict__
        state["training"] = True
        for name, make in _INITIAL_STATE:
            state[name] = make()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    forward: Callable[..., Any] = _unimplemented_forward

    # ---- calling -------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # One lookup of __dict__: a class with __getattr__ has no fast attribute access, and this line runs
        # for every layer of every step.
        state = self.__dict__
        if (
            state["_forward_hooks"]
            or state["_forward_pre_hooks"]
            or state["_backward_hooks"]
            or state["_backward_pre_hooks"]
            or _global_hooks_present
        ):
            return _module_hooks.call(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        return Module.__call__(self, *args, **kwargs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile this module's call in place; see ``taeda.compile``."""
        compiled = getattr(taeda, "compile", None)
        if compiled is None:
            raise NotImplementedError("taeda has no Module.compile: capture and fusion are not part of it yet")
        object.__setattr__(self, "forward", compiled(self.forward, *args, **kwargs))

    # ---- registration --------------------------------------------------------------------

    def _check_name(self, kind: str, name: Any, known: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_type_name(name)}")
        if hasattr(self, name) and name not in known:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            given = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{given}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under ``name``; None reserves the name."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{_type_name(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                    f"explicitly. To express '{name}' as a function of another Tensor, compute the value in the "
                    "forward() method."
                )
            for hook in _module_hooks.parameter_registration_hooks.values():
                param = _replaced(param, hook(self, name, param))
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a buffer under ``name``: a tensor that is no parameter but belongs to the module's state.

        Args:
            name: the attribute's name.
            tensor: the tensor, or None to reserve the name.
            persistent: whether ``state_dict`` holds it; default True.
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None:
            if not isinstance(tensor, taeda.Tensor):
                raise TypeError(
                    f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
                )
            for hook in _module_hooks.buffer_registration_hooks.values():
                tensor = _replaced(tensor, hook(self, name, tensor))
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module under ``name``; None reserves the name."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._check_name("module", name, self._modules)
        for hook in _module_hooks.module_registration_hooks.values():
            module = _replaced(module, hook(self, name, module))
        self._modules[name] = module

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as ``add_module``."""
        self.add_module(name, module)

    # ---- attributes ----------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        # Only called for what is not found in the ordinary way.
        state = self.__dict__
        if "_modules" in state:
            members = state["_modules"]
            if name in members:
                return members[name]
            members = state["_parameters"]
            if name in members:
                return members[name]
            members = state["_buffers"]
            if name in members:
                return members[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, taeda.Tensor):
            if isinstance(value, Parameter):
                self._set_parameter(name, value)
                return
            if isinstance(value, Buffer):
                self._set_buffer(name, value)
                return
        elif isinstance(value, Module):
            self._set_module(name, value)
            return
        state = self.__dict__
        if name in state.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, None)
        elif name in state.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            for hook in _module_hooks.module_registration_hooks.values():
                value = _replaced(value, hook(self, name, value))
            state["_modules"][name] = value
        elif name in state.get("_buffers", ()):
            if value is not None and not isinstance(value, taeda.Tensor):
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as buffer '{name}' "
                    "(torch.nn.Buffer, torch.Tensor or None expected)"
                )
            for hook in _module_hooks.buffer_registration_hooks.values():
                value = _replaced(value, hook(self, name, value))
            state["_buffers"][name] = value
        else:
            object.__setattr__(self, name, value)

    def _set_parameter(self, name: str, value: Parameter) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameters before Module.__init__() call")
        self._forget(name, "_buffers", "_modules")
        self.register_parameter(name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._forget(name, "_parameters", "_modules")
        self.register_buffer(name, value, getattr(value, "persistent", True))

    def _set_module(self, name: str, value: Module) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(
                "cannot assign module before Module.__init__() call\n  hint: start __init__ with super().__init__()"
            )
        self._forget(name, "_parameters", "_buffers")
        for hook in _module_hooks.module_registration_hooks.values():
            value = _replaced(value, hook(self, name, value))
        self._modules[name] = value

    def _forget(self, name: str, *kinds: str) -> None:
        """Remove ``name`` wherever it would hide, or be hidden by, what is about to be registered."""
        self.__dict__.pop(name, None)
        for kind in kinds:
            self.__dict__[kind].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        for kind in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                if kind == "_buffers":
                    self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[0].isdigit())

    def __getstate__(self) -> dict:
        state = self.__dict__.copy()
        state.pop("_compiled_call_impl", None)
        return state

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        for name, make in _INITIAL_STATE:  # objects stored by earlier versions may lack some
            if name not in self.__dict__:
                self.__dict__[name] = make()

    # ---- converting ----------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Call ``fn`` on every module, children first, then this one; returns this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable, recurse: bool = True) -> Module:
        """Replace each parameter, its gradient and each buffer by ``fn`` of it; parameters stay the same objects."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, parameter in self._parameters.items():
            if parameter is None:
                continue
            with taeda.no_grad():
                converted = fn(parameter)
                grad = parameter.grad
                converted_grad = None if grad is None else fn(grad)
            if converted.device.type == parameter.device.type:
                parameter.data = converted
                target = parameter
            else:  # the memory is of another kind: what views the old parameter must not follow
                target = Parameter(converted, parameter.requires_grad)
                self._parameters[name] = target
            if converted_grad is not None:
                target.grad = None  # of the old dtype or shape until now
                target.grad = converted_grad.requires_grad_(grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Move and convert all parameters and buffers, in place.

        Called as ``to(device)``, ``to(dtype)``, ``to(device, dtype)`` or ``to(tensor)`` (its device and dtype); also by
        keyword, with ``non_blocking`` and ``memory_format``. A dtype applies to floating-point and
        complex tensors only.

        Returns:
            This module.
        """
        device, dtype, non_blocking, memory_format = _parse_to(args, kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        if dtype is not None and dtype.is_complex:
            warnings.warn(
                "Complex modules are a new feature under active development whose design may change, and some modules "
                "might not work as expected when using complex tensors as parameters or buffers.",
                stacklevel=2,
            )

        def convert(tensor: Any) -> Any:
            options = {"non_blocking": non_blocking} if non_blocking else {}
            if memory_format is not None and tensor.dim() in (4, 5):
                options["memory_format"] = memory_format
            changes = dtype is not None and (tensor.is_floating_point() or tensor.is_complex())
            return tensor.to(device or tensor.device, dtype if changes else tensor.dtype, **options)

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Module:
        """Move all parameters and buffers to ``device`` without their values, which are uninitialized there."""
        return self._apply(lambda tensor: taeda.empty_like(tensor, device=device), recurse=recurse)

    def cpu(self) -> Module:
        """Move all parameters and buffers to the CPU; returns this module."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Module:
        """Move all parameters and buffers to a CUDA device; returns this module."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def type(self, dst_type: Any) -> Module:
        """Convert all parameters and buffers to ``dst_type``; returns this module."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self) -> Module:
        """Convert floating-point parameters and buffers to float32; returns this module."""
        return self._to_float_dtype(taeda.float32)

    def double(self) -> Module:
        """Convert floating-point parameters and buffers to float64; returns this module."""
        return self._to_float_dtype(taeda.float64)

    def half(self) -> Module:
        """Convert floating-point parameters and buffers to float16; returns this module."""
        return self._to_float_dtype(taeda.float16)

    def bfloat16(self) -> Module:
        """Convert floating-point parameters and buffers to bfloat16; returns this module."""
        return self._to_float_dtype(taeda.bfloat16)

    def _to_float_dtype(self, dtype: Any) -> Module:
        return self._apply(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)

    def share_memory(self) -> Module:
        """Move all parameters and buffers to shared memory; returns this module."""
        return self._apply(lambda tensor: tensor.share_memory_())

    # ---- modes ---------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Module:
        """Set training mode here and in all modules below; returns this module."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """Set evaluation mode here and in all modules below; returns this module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Set ``requires_grad`` of all parameters; returns this module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or, without ``set_to_none``, fill them with zeros."""
        for parameter in self.parameters():
            grad = parameter.grad
            if grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                grad.detach_() if grad.grad_fn is not None else grad.requires_grad_(False)
                grad.zero_()

    # ---- hooks ---------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; a result replaces the arguments.

        Args:
            hook: what to call.
            prepend: whether it comes before the hooks that are there; default False.
            with_kwargs: whether it is called as ``hook(module, args, kwargs)`` and returns both; default False.
        """
        handle = self._register(self._forward_pre_hooks, hook, prepend, self._forward_pre_hooks_with_kwargs)
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        return handle

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; a result replaces the output.

        Args:
            hook: what to call.
            prepend: whether it comes before the hooks that are there; default False.
            with_kwargs: whether it is called as ``hook(module, args, kwargs, output)``; default False.
            always_call: whether it is also called, with None for the output, when ``forward`` raises; default False.
        """
        extra = (self._forward_hooks_with_kwargs, self._forward_hooks_always_called)
        handle = self._register(self._forward_hooks, hook, prepend, *extra)
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        return handle

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before this module's backward; a result replaces ``grad_output``."""
        return self._register(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` after this module's backward.

        A result replaces ``grad_input``. The gradients are tuples, with None for arguments that are no tensors.
        """
        self._set_backward_kind(True)
        return self._register(self._backward_hooks, hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` at this module's last operation in backward.

        Superseded by ``register_full_backward_hook``, which sees the gradients of the module's own inputs.
        """
        self._set_backward_kind(False)
        return self._register(self._backward_hooks, hook, False)

    _is_full_backward_hook: bool | None

    def _set_backward_kind(self, is_full: bool) -> None:
        if self._is_full_backward_hook is (not is_full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. "
                "Please use only one of them."
            )
        self._is_full_backward_hook = is_full

    @staticmethod
    def _register(hooks: OrderedDict, hook: Callable, prepend: bool, *extra: OrderedDict) -> RemovableHandle:
        handle = RemovableHandle(hooks, extra_dict=list(extra))
        hooks[handle.id] = hook
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    # ---- printing ------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed form; to be overridden."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [f"({name}): {_indented(repr(module), 2)}" for name, module in self._modules.items()]
        name = self._get_name()
        if len(extra_lines) == 1 and not child_lines:
            return f"{name}({extra_lines[0]})"
        if not extra_lines and not child_lines:
            return f"{name}()"
        return f"{name}(\n  " + "\n  ".join(extra_lines + child_lines) + "\n)"


def _replaced(value: Any, result: Any) -> Any:
    """A registration hook's result where it gave one, else what was to be registered."""
    return value if result is None else result


def _parse_to(args: tuple, kwargs: dict) -> tuple[Any, Any, bool, Any]:
    """The device, dtype, non_blocking and memory_format that the arguments of ``Module.to`` name."""
    kwargs = dict(kwargs)
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    non_blocking, memory_format = kwargs.pop("non_blocking", False), kwargs.pop("memory_format", None)
    other = kwargs.pop("tensor", kwargs.pop("other", None))
    kwargs.pop("copy", None)
    if kwargs:
        raise TypeError(
            f"to() received an invalid combination of arguments - unexpected keyword {next(iter(kwargs))!r}"
        )
    position = 0
    if args and isinstance(args[0], taeda.Tensor):
        other, position = args[0], 1
    elif args and isinstance(args[0], taeda.dtype):
        dtype, position = args[0], 1
    elif args:
        device, position = args[0], 1
        if len(args) > 1 and (args[1] is None or isinstance(args[1], taeda.dtype)):
            dtype, position = args[1], 2
    if len(args) > position:
        non_blocking = bool(args[position])
    if other is not None:
        device, dtype = other.device, other.dtype
    if device is not None:
        if not isinstance(device, (str, int, taeda.device)):
            raise TypeError(
                f"to() received an invalid combination of arguments - got ({_type_name(device)}), but expected a "
                f"device, "
                "a dtype or a tensor"
            )
        device = taeda.device(device)
    return device, dtype, non_blocking, memory_format
