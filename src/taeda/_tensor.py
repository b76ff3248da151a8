"""The methods of Tensor that are Python: conversion, printing, copying, exchange with other libraries."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _C, overrides
from taeda._C import Tensor

_TYPE_NAMES = {
    _C.float32: "FloatTensor",
    _C.float64: "DoubleTensor",
    _C.float16: "HalfTensor",
    _C.bfloat16: "BFloat16Tensor",
    _C.uint8: "ByteTensor",
    _C.int8: "CharTensor",
    _C.int16: "ShortTensor",
    _C.int32: "IntTensor",
    _C.int64: "LongTensor",
    _C.bool: "BoolTensor",
    _C.complex64: "ComplexFloatTensor",
    _C.complex128: "ComplexDoubleTensor",
    _C.uint16: "UInt16Tensor",
    _C.uint32: "UInt32Tensor",
    _C.uint64: "UInt64Tensor",
}


def _method(function: Any) -> Any:
    """Attach the function to Tensor under its own name."""
    function.__qualname__ = f"Tensor.{function.__name__}"
    function.__module__ = "taeda"
    setattr(Tensor, function.__name__, function)
    return function


# ---- conversion


@_method
def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return the tensor with another dtype or on another device; itself where nothing changes.

    Forms: ``to(dtype)``, ``to(device, dtype)``, ``to(other)``, each with ``non_blocking``, ``copy`` and ``memory_format``.
    """
    dtype = kwargs.pop("dtype", None)
    device = kwargs.pop("device", None)
    copy = kwargs.pop("copy", False)
    memory_format = kwargs.pop("memory_format", None)
    other = kwargs.pop("other", None)
    kwargs.pop("non_blocking", None)
    if kwargs:
        raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
    flags = []
    for argument in args:
        if isinstance(argument, Tensor):
            other = argument
        elif isinstance(argument, (_C.dtype, _builtin_type)):
            dtype = argument
        elif isinstance(argument, bool):
            flags.append(argument)
        elif isinstance(argument, _C.memory_format):
            memory_format = argument
        elif argument is not None:
            device = argument
    if len(flags) > 1:
        copy = flags[1]
    if other is not None:
        dtype, device = other.dtype, other.device
    if device is not None and not isinstance(device, _C.device):
        device = taeda.device(device)
    same = (dtype is None or dtype == self.dtype) and (
        device is None or device == self.device or device.type == self.device.type == "cpu"
    )
    if same and not copy and (memory_format is None or self.is_contiguous(memory_format=memory_format)):
        return self
    if device is not None and self.is_meta and device.type != "meta":
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    return _C._to_copy(self, dtype=dtype, device=device, memory_format=memory_format)


def _converter(name: str, dtype: Any) -> None:
    def convert(self: Tensor, memory_format=None) -> Tensor:
        return to(self, dtype, memory_format=memory_format)

    convert.__name__ = name
    convert.__doc__ = f"Return the tensor as {str(dtype).rsplit('.', 1)[-1]}; itself where it already is."
    _method(convert)


for _name, _dtype in {
    "float": _C.float32,
    "double": _C.float64,
    "half": _C.float16,
    "bfloat16": _C.bfloat16,
    "byte": _C.uint8,
    "char": _C.int8,
    "short": _C.int16,
    "int": _C.int32,
    "long": _C.int64,
    "bool": _C.bool,
    "cfloat": _C.complex64,
    "cdouble": _C.complex128,
}.items():
    _converter(_name, _dtype)


@_method
def type(self: Tensor, dtype=None, non_blocking: bool = False) -> Any:  # noqa: A001
    """Return PyTorch's name of the tensor's kind, or, given a dtype, the tensor converted to it."""
    if dtype is None:
        return ("torch.sparse." if self.is_sparse else "torch.") + _TYPE_NAMES[self.dtype]
    if isinstance(dtype, str):
        by_name = {name: dtype for dtype, name in _TYPE_NAMES.items()}
        name = dtype.rsplit(".", 1)[-1]
        if name not in by_name:
            raise ValueError(f"invalid type: '{dtype}'")
        dtype = by_name[name]
    return to(self, dtype)


@_method
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Return the tensor in the dtype of ``other``."""
    return to(self, other.dtype)


@_method
def cpu(self: Tensor, memory_format=None) -> Tensor:
    """Return the tensor on the cpu; itself where it already is there."""
    return to(self, "cpu", memory_format=memory_format)


@_method
def cuda(self: Tensor, device=None, non_blocking: bool = False, memory_format=None) -> Tensor:
    """Raise: this build runs on the cpu."""
    raise RuntimeError("taeda has no device 'cuda': this build runs on the cpu (and meta) only")


@_method
def pin_memory(self: Tensor, device=None) -> Tensor:
    """Return the tensor: without an accelerator there is nothing to pin memory for."""
    return self


@_method
def share_memory_(self: Tensor) -> Tensor:
    """Move the tensor's memory to where forked processes share it, and return the tensor."""
    if self.numel() and not getattr(self, "_shared_block", None):
        import mmap

        block = mmap.mmap(-1, max(self.untyped_storage().nbytes(), 1))
        shared = _C._frombuffer(block, dtype=self.dtype).as_strided(self.shape, self.stride(), self.storage_offset())
        with taeda.no_grad():
            shared.copy_(self)
        self.data = shared
    return self


@_method
def resolve_conj(self: Tensor) -> Tensor:
    """Return the tensor: conjugation is never pending."""
    return self


@_method
def resolve_neg(self: Tensor) -> Tensor:
    """Return the tensor: negation is never pending."""
    return self


@_method
def new_tensor(
    self: Tensor,
    data: Any,
    *,
    dtype=None,
    device=None,
    requires_grad: bool = False,
    layout=None,
    pin_memory: bool = False,
) -> Tensor:
    """Return a new tensor with a copy of ``data``, by default in this tensor's dtype."""
    return taeda.tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


@_method
def new(self: Tensor, *args: Any) -> Tensor:
    """Return a new tensor of this tensor's dtype from sizes or data."""
    if not args:
        return self.new_empty(0)
    if isinstance(args[0], (list, tuple)) and not isinstance(args[0], taeda.Size):
        return taeda.tensor(args[0], dtype=self.dtype)
    if isinstance(args[0], Tensor):
        return to(args[0].detach().clone(), self.dtype)
    return self.new_empty(*args)


# ---- exchange


@_method
def numpy(self: Tensor, *, force: bool = False) -> Any:
    """Return a NumPy array that shares the tensor's memory.

    Args:
        force: detach and convert where needed, instead of raising.

    Raises:
        RuntimeError: the tensor requires grad.
        TypeError: NumPy has no such dtype (bfloat16), or there is no data (meta).
    """
    import numpy

    if self.layout is not taeda.strided:
        raise TypeError(f"can't convert {_layout_word(self)} layout tensor to numpy. Use Tensor.to_dense() first.")
    if force:
        self = self.detach()
    if self.requires_grad:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if self.is_meta:
        raise TypeError("can't convert meta device type tensor to numpy: there is no data")
    if self.dtype is _C.bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    return numpy.asarray(memoryview(self)) if self.dim() else numpy.ndarray((), _numpy_dtype(self.dtype), self)


def _layout_word(self: Tensor) -> str:
    from taeda.sparse._pattern import layout_name

    return layout_name(self.layout)


def _numpy_dtype(dtype: Any) -> Any:
    import numpy

    return numpy.dtype(str(dtype).rsplit(".", 1)[-1])


@_method
def __array__(self: Tensor, dtype=None, copy=None) -> Any:
    array = self.numpy()
    if dtype is not None and array.dtype != dtype:
        return array.astype(dtype)
    return array.copy() if copy else array


@_method
def __array_wrap__(self: Tensor, array: Any, context=None, return_scalar: bool = False) -> Tensor:
    return taeda.as_tensor(array)


# NumPy then lets a tensor's own operators answer `array + tensor`.
Tensor.__array_priority__ = 1000


@_method
def __dlpack__(self: Tensor, *, stream=None, max_version=None, dl_device=None, copy=None) -> Any:
    """Return a DLPack capsule that shares the memory (https://dmlc.github.io/dlpack)."""
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return _C._to_dlpack(self.clone() if copy else self)


@_method
def __dlpack_device__(self: Tensor) -> tuple[int, int]:
    return 1, 0


@_method
def __iter__(self: Tensor) -> Any:
    if self.dim() == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


@_method
def __reversed__(self: Tensor) -> Tensor:
    return self if self.dim() == 0 else self.flip(0)


@_method
def __format__(self: Tensor, spec: str) -> str:
    if self.dim() == 0 and not self.is_meta and _builtin_type(self) is Tensor:
        return self.item().__format__(spec)
    return object.__format__(self, spec)


_builtin_type = __builtins__["type"] if isinstance(__builtins__, dict) else __builtins__.type


@_method
def __complex__(self: Tensor) -> complex:
    return complex(self.item())


@_method
def __repr__(self: Tensor, *, tensor_contents=None) -> str:
    from taeda._tensor_str import tensor_repr

    return tensor_repr(self)


@_method
def __deepcopy__(self: Tensor, memo: dict) -> Tensor:
    from taeda._utils import deepcopy_tensor

    return deepcopy_tensor(self, memo)


@_method
def __reduce_ex__(self: Tensor, protocol: int) -> Any:
    from taeda._utils import reduce_tensor

    return reduce_tensor(self, protocol)


@_method
def __copy__(self: Tensor) -> Tensor:
    from taeda._utils import copy_tensor

    return copy_tensor(self)


@_method
def untyped_storage(self: Tensor) -> Any:
    """Return the memory that the tensor is a view of."""
    from taeda.storage import UntypedStorage

    if self.layout is not taeda.strided:
        raise NotImplementedError(
            "Cannot access storage of a sparse tensor: it has indices and values, which have storages of their own"
        )
    return UntypedStorage(self)


@_method
def storage(self: Tensor) -> Any:
    """Return the memory that the tensor is a view of, as elements of its dtype."""
    from taeda.storage import TypedStorage

    if self.layout is not taeda.strided:
        raise NotImplementedError(
            "Cannot access storage of a sparse tensor: it has indices and values, which have storages of their own"
        )
    return TypedStorage(self)


# ---- autograd


@_method
def backward(
    self: Tensor, gradient=None, retain_graph: bool | None = None, create_graph: bool = False, inputs=None
) -> None:
    """Add the gradients of this tensor to the ``.grad`` of the leaves that it was computed from.

    Args:
        gradient: the gradient of this tensor; needed where it has more than one element.
        retain_graph: keep the graph for another backward; default: ``create_graph``.
        create_graph: record the backward itself, for gradients of gradients.
        inputs: only these leaves get gradients.
    """
    from taeda import autograd

    autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)


@_method
def register_hook(self: Tensor, hook: Any) -> Any:
    """Call ``hook(grad)`` whenever this tensor's gradient has been computed; what it returns replaces it.

    Returns:
        a handle with a method ``remove()``.
    """
    return _C._register_hook(self, hook)


@_method
def register_post_accumulate_grad_hook(self: Tensor, hook: Any) -> Any:
    """Call ``hook(tensor)`` after this leaf's ``.grad`` has been updated; returns a handle with ``remove()``."""
    return _C._register_hook(self, hook, True)


@_method
def retain_grad(self: Tensor) -> None:
    """Have backward keep this tensor's gradient in ``.grad`` although it is no leaf."""
    _C._retain_grad(self)


@_method
def dim_order(self: Tensor) -> tuple[int, ...]:
    """Return the dimensions from the outermost to the innermost in memory."""
    return tuple(sorted(range(self.dim()), key=lambda d: -self.stride(d)))


def _cpu_only(self: Tensor) -> int:
    """-1: the cpu has no index."""
    return -1


Tensor.get_device = _cpu_only
Tensor.names = property(lambda self: (None,) * self.dim())


overrides.install()
