"""Tensors from Python data, and the questions that one asks about them."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _C
from taeda._C import Tensor

__all__ = [
    "as_tensor",
    "asarray",
    "from_dlpack",
    "from_numpy",
    "frombuffer",
    "is_complex",
    "is_floating_point",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "is_storage",
    "is_tensor",
    "numel",
    "set_default_device",
    "set_default_dtype",
    "set_default_tensor_type",
    "tensor",
    "typename",
]


def tensor(data: Any, *, dtype=None, device=None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """Return a new tensor that holds a copy of ``data``.

    Args:
        data: a number, nested sequences of numbers, a NumPy array, anything with a buffer, or a tensor.
        dtype: default: that of the data; Python floats become the default dtype, ints int64.
        device: default: the cpu.
        requires_grad: whether operations on it are recorded.
        pin_memory: accepted; without an accelerator there is nothing to pin for.

    Raises:
        ValueError: the nested sequences have different lengths.
        TypeError, RuntimeError: something in the data is no number.
    """
    if isinstance(data, Tensor) and data.layout is not taeda.strided:
        result = data.detach().to(dtype or data.dtype, copy=True)
        return result.requires_grad_() if requires_grad else result
    result = _C._tensor_from_data(data.detach() if isinstance(data, Tensor) else data, dtype)
    if device is not None:
        result = result.to(device)
    return result.requires_grad_() if requires_grad else result


def as_tensor(data: Any, dtype=None, device=None) -> Tensor:
    """Return ``data`` as a tensor, sharing its memory and history where that is possible.

    A tensor of the right dtype is returned as it is, a NumPy array is wrapped without a copy, other data is copied.
    """
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype) if dtype is not None or device is not None else data
    result = _C._as_tensor(data, dtype)
    return result if device is None else result.to(device)


def asarray(obj: Any, *, dtype=None, device=None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """Return ``obj`` as a tensor; ``copy`` True always copies, False never does (ValueError where it must), None if needed."""
    result = as_tensor(obj, dtype=dtype, device=device)
    shares = isinstance(obj, Tensor) and result.data_ptr() == obj.data_ptr()
    shares = shares or (
        not isinstance(obj, Tensor) and hasattr(obj, "__array_interface__") and _shares_memory(result, obj)
    )
    if copy is True and shares:
        result = result.detach().clone()
    elif copy is False and not shares:
        raise ValueError("can't alias this object: asarray(copy=False) needs data that a tensor can share")
    if isinstance(obj, Tensor) and not requires_grad:
        result = result.detach() if result.requires_grad and not obj.requires_grad else result
    return result.requires_grad_() if requires_grad else result


def _shares_memory(result: Tensor, array: Any) -> bool:
    return result.numel() == 0 or result.data_ptr() == array.__array_interface__["data"][0]


def from_numpy(ndarray: Any) -> Tensor:
    """Return a tensor that shares the array's memory: a write to one is seen in the other."""
    # The class is asked first: an array makes a dictionary when it is asked itself.
    if not hasattr(type(ndarray), "__array_interface__") and not hasattr(ndarray, "__array_interface__"):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    return _C._from_buffer(ndarray)


def frombuffer(buffer: Any, *, dtype, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """Return a 1-d tensor over the memory of an object with Python's buffer interface.

    Args:
        buffer: the object; where it is read-only, so is the tensor.
        dtype: how the bytes are read.
        count: elements to take; -1: all.
        offset: bytes to skip.
        requires_grad: whether operations on it are recorded.
    """
    result = _C._frombuffer(buffer, dtype=dtype, count=count, offset=offset)
    return result.requires_grad_() if requires_grad else result


def from_dlpack(ext_tensor: Any) -> Tensor:
    """Return a tensor that shares the memory of another library's array (anything with ``__dlpack__``), or of a capsule."""
    return _C._from_dlpack(ext_tensor.__dlpack__() if hasattr(ext_tensor, "__dlpack__") else ext_tensor)


def is_tensor(obj: Any) -> bool:
    """Return whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj: Any) -> bool:
    """Return whether ``obj`` is a tensor's storage."""
    from taeda.storage import UntypedStorage

    return isinstance(obj, UntypedStorage)


def is_complex(input: Tensor) -> bool:
    """Return whether the dtype is complex."""
    return input.is_complex()


def is_floating_point(input: Tensor) -> bool:
    """Return whether the dtype is a real floating type."""
    return input.is_floating_point()


def is_signed(input: Tensor) -> bool:
    """Return whether the dtype has negative numbers."""
    return input.is_signed()


def is_nonzero(input: Tensor) -> bool:
    """Return whether the only element is not zero; RuntimeError where there is not exactly one."""
    return bool(input)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Return whether both have the same shape."""
    return input.shape == other.shape


def numel(input: Tensor) -> int:
    """Return the number of elements."""
    return input.numel()


def typename(obj: Any) -> str:
    """Return the name of the object's type; for a tensor PyTorch's name of its kind, such as ``torch.FloatTensor``."""
    if isinstance(obj, Tensor):
        return obj.type()
    module = getattr(type(obj), "__module__", "")
    return f"{module}.{type(obj).__qualname__}" if module and module != "builtins" else type(obj).__qualname__


def set_default_dtype(d, /) -> None:
    """Set the dtype that new floating tensors have where none is given: a real floating dtype."""
    _C.set_default_dtype(d)


def set_default_tensor_type(t, /) -> None:
    """Set the default dtype by PyTorch's old type names, such as ``torch.DoubleTensor``."""
    names = {
        "FloatTensor": taeda.float32,
        "DoubleTensor": taeda.float64,
        "HalfTensor": taeda.float16,
        "BFloat16Tensor": taeda.bfloat16,
    }
    name = t if isinstance(t, str) else getattr(t, "__name__", str(t))
    name = name.rsplit(".", 1)[-1]
    if name not in names:
        raise TypeError(f"only floating-point types are supported as the default type, got {name}")
    _C.set_default_dtype(names[name])


def set_default_device(device) -> None:
    """Set the device of new tensors: only the cpu can be it."""
    if device is not None and taeda.device(device).type != "cpu":
        raise NotImplementedError(f"taeda makes new tensors on the cpu only, got default device {device}")


for _name in __all__:
    globals()[_name].__module__ = "taeda"
