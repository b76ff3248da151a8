"""Parameter and Buffer: tensors that a Module registers when they are assigned to it; and their uninitialized forms."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import taeda

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class _Marked(type(taeda.Tensor)):  # type: ignore[misc]
    """Makes every tensor that carries the class's mark an instance: marked tensors keep their own class."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        mark = cls.__dict__.get("_mark")
        return mark is not None and isinstance(instance, taeda.Tensor) and getattr(instance, mark, False)


class Parameter(taeda.Tensor, metaclass=_Marked):
    """A tensor that becomes a parameter of the Module that it is assigned to.

    Args:
        data: the values, shared and not copied; none gives an empty tensor.
        requires_grad: whether backward fills its ``grad``; default True.
    """

    _mark = "_is_param"
    __torch_function__ = taeda._C._disabled_torch_function_impl  # operations on parameters give plain tensors

    def __new__(cls, data: Any = None, requires_grad: bool = True):
        if data is None:
            data = taeda.empty(0)
        if type(data) in (taeda.Tensor, Parameter):
            return taeda.Tensor._make_subclass(cls, data, requires_grad)
        # A foreign subclass keeps its class; only the mark says that it is a parameter.
        result = data.detach().requires_grad_(requires_grad)
        if type(result) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} requires that detach() "
                f"returns an instance of the same type, but return type {type(result).__name__} was found instead. "
                "To use the type as a Parameter, please correct the detach() semantics defined by its "
                "__torch_dispatch__() implementation."
            )
        result._is_param = True
        return result

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) in memo:
            return memo[id(self)]
        result = type(self)(self.data.clone(), self.requires_grad)
        memo[id(self)] = result
        return result

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, protocol: Any) -> tuple:
        state = {name: value for name, value in self.__dict__.items() if name != "_is_param"}
        if type(self) is Parameter and not state:
            return (_rebuild_parameter, (self.data, self.requires_grad, OrderedDict()))
        return (_rebuild_parameter_of_class, (type(self), self.data, self.requires_grad, state))


def _rebuild_parameter(data: Any, requires_grad: bool, backward_hooks: Any) -> Parameter:
    """The parameter that a pickle describes; the hooks of a tensor are never stored, the place for them is."""
    return Parameter(data, requires_grad)


def _rebuild_parameter_of_class(cls: type, data: Any, requires_grad: bool, state: dict) -> Parameter:
    result = cls(data, requires_grad)
    result.__dict__.update(state)
    return result


taeda._C._set_parameter_type(Parameter)


class Buffer(taeda.Tensor, metaclass=_Marked):
    """A tensor that becomes a buffer of the Module that it is assigned to.

    Args:
        data: the values, shared and not copied; none gives an empty tensor.
        persistent: whether the module's ``state_dict`` holds it; default True.
    """

    _mark = "_is_buffer"
    __torch_function__ = taeda._C._disabled_torch_function_impl

    def __new__(cls, data: Any = None, *, persistent: bool = True):
        if data is None:
            data = taeda.empty(0)
        result = data.detach().requires_grad_(data.requires_grad)
        result.persistent = persistent
        result._is_buffer = True
        return result


def is_lazy(value: Any) -> bool:
    """Whether ``value`` is a parameter or buffer that has no shape yet."""
    return isinstance(value, UninitializedTensorMixin)


class UninitializedTensorMixin:
    """What parameters and buffers without a shape have in common: they turn into real ones on ``materialize``."""

    cls_to_become: Any
    data: Any
    requires_grad: bool

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give this tensor its shape (uninitialized values) and turn it into an ordinary one, in place."""
        plain = self.data
        self.data = taeda.empty(shape, device=device or plain.device, dtype=dtype or plain.dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to initialize the parameters before accessing their attributes."
        )

    def share_memory_(self) -> Any:
        """Not possible before the shape is known: raises RuntimeError."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return (type(self), (self.requires_grad,))


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet; ``materialize(shape)`` makes it a Parameter.

    Args:
        requires_grad, device, dtype: as those of the parameter to come.
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None):
        return taeda.Tensor._make_subclass(cls, taeda.empty(0, device=device, dtype=dtype), requires_grad)

    def __deepcopy__(self, memo: dict) -> UninitializedParameter:
        if id(self) in memo:
            return memo[id(self)]
        result = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        memo[id(self)] = result
        return result


class UninitializedBuffer(UninitializedTensorMixin, taeda.Tensor):
    """A buffer whose shape is not known yet; ``materialize(shape)`` makes it an ordinary tensor."""

    cls_to_become = taeda.Tensor
    __torch_function__ = taeda._C._disabled_torch_function_impl

    def __new__(cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True):
        result = taeda.Tensor._make_subclass(cls, taeda.empty(0, device=device, dtype=dtype), requires_grad)
        result.persistent = persistent
        result._is_buffer = True
        return result
