"""The table of globals that a tensor file may name, each with the function that builds it from plain data.

The names are PyTorch's, because the files are; nothing here imports what a file names.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import taeda
from taeda.serialization._pickle_reader import Builder, Internal, check_key

__all__ = ["STORAGE_TYPES", "StorageType", "StoredBytes", "table"]

# The storage types that PyTorch wrote before storages became untyped; dtypes that came later use the untyped one.
STORAGE_TYPES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
}
_UNTYPED_DTYPES = ("uint16", "uint32", "uint64")
_MAX_NUMEL = 2**63 - 1


class StorageType(Internal):
    """The type that a file gives a storage; `dtype` is None for the untyped one, whose lengths are bytes."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def __repr__(self) -> str:
        return "<storage type>"


class StoredBytes(Internal):
    """One storage of a file: `data` is a flat uint8 tensor, or None where only shapes are wanted (device meta)."""

    __slots__ = ("data", "dtype", "n_bytes")

    def __init__(self, data: Any, n_bytes: int, dtype: Any) -> None:
        self.data = data
        self.n_bytes = n_bytes
        self.dtype = dtype

    def __repr__(self) -> str:
        return "<bare storage>"


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise ValueError(reason)


def _check_sizes(values: Any, what: str) -> tuple[int, ...]:
    _require(isinstance(values, (tuple, list)), f"{what} is not a tuple")
    for value in values:
        _require(
            type(value) is int and 0 <= value <= _MAX_NUMEL, f"{what} holds {value!r:.40}, which is no valid number"
        )
    return tuple(values)


def _tensor_over(stored: Any, dtype: Any, offset: Any, size: Any, stride: Any) -> Any:
    """Return the tensor of the given geometry over `stored`, after checking that it stays inside."""
    _require(isinstance(stored, StoredBytes), "the storage is not one")
    size = _check_sizes(size, "size")
    stride = _check_sizes(stride, "stride")
    _require(type(offset) is int and offset >= 0, f"storage offset {offset!r:.40} is negative or no integer")
    _require(len(size) == len(stride), f"size has {len(size)} entries and stride {len(stride)}")
    numel = math.prod(size)
    _require(numel <= _MAX_NUMEL, "the number of elements does not fit into 64 bits")
    if numel == 0:
        offset = 0  # a slice without elements may begin behind the end of its storage
    extent = 1 + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) if numel else 0
    n_bytes_needed = (offset + extent) * dtype.itemsize
    if n_bytes_needed > stored.n_bytes:
        raise ValueError(
            f"a tensor of size {size}, stride {stride} at offset {offset} needs {n_bytes_needed} bytes of a storage "
            "that has "
            f"{stored.n_bytes}"
        )
    if stored.data is None:
        return taeda.empty_strided(size, stride, dtype=dtype, device="meta")
    # Only whole elements: the view would refuse a tail, which a hostile file may add and which belongs to no element.
    usable = stored.n_bytes - stored.n_bytes % dtype.itemsize
    data = stored.data if usable == stored.n_bytes else stored.data[:usable]
    return data.view(dtype).as_strided(size, stride, offset)


def _with_flags(tensor: Any, requires_grad: Any, metadata: Any) -> Any:
    if metadata is not None:
        _require(type(metadata) is dict, "the metadata is not a dictionary")
        if metadata.get("conj"):
            tensor = tensor.conj()
        if metadata.get("neg"):
            tensor = tensor.neg()
    if requires_grad:
        tensor.requires_grad_(True)
    return tensor


def _rebuild_tensor(stored: Any, offset: Any, size: Any, stride: Any) -> Any:
    _require(isinstance(stored, StoredBytes) and stored.dtype is not None, "the storage has no dtype")
    return _tensor_over(stored, stored.dtype, offset, size, stride)


def _rebuild_tensor_v2(
    stored: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> Any:
    return _with_flags(_rebuild_tensor(stored, offset, size, stride), requires_grad, metadata)


def _rebuild_tensor_v3(
    stored: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Any:
    _require(isinstance(dtype, taeda.dtype), "the dtype is not one")
    return _with_flags(_tensor_over(stored, dtype, offset, size, stride), requires_grad, metadata)


def _rebuild_meta(dtype: Any, size: Any, stride: Any, requires_grad: Any) -> Any:
    _require(isinstance(dtype, taeda.dtype), "the dtype is not one")
    size = _check_sizes(size, "size")
    stride = _check_sizes(stride, "stride")
    _require(len(size) == len(stride), "size and stride differ in length")
    _require(math.prod(size) <= _MAX_NUMEL, "the number of elements does not fit into 64 bits")
    return _with_flags(taeda.empty_strided(size, stride, dtype=dtype, device="meta"), requires_grad, None)


def _layout(name: Any) -> Any:
    _require(type(name) is str and name.startswith("torch."), "the layout is not one")
    layout = getattr(taeda, name[6:], None)
    _require(isinstance(layout, taeda.layout), f"unknown layout {name!r:.40}")
    return layout


def _rebuild_sparse(layout: Any, pieces: Any) -> Any:
    from taeda.sparse import _convert

    _require(isinstance(layout, taeda.layout) and layout is not taeda.strided, "the layout is not a sparse one")
    _require(type(pieces) is tuple and len(pieces) in (3, 4), "the parts of a sparse tensor are not three or four")
    n_tensors = 2 if layout is taeda.sparse_coo else 3
    _require(
        all(isinstance(piece, taeda.Tensor) for piece in pieces[:n_tensors]), "a part of a sparse tensor is no tensor"
    )
    return _convert.whole(
        layout, (*pieces[:n_tensors], _check_sizes(tuple(pieces[n_tensors]), "size"), *pieces[n_tensors + 1 :])
    )


def _rebuild_parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> Any:
    _require(isinstance(data, taeda.Tensor), "the data of a parameter is not a tensor")
    parameter = taeda.nn.Parameter(data, bool(requires_grad))
    problem = _set_attributes(parameter, {} if state is None else state)
    _require(problem is None, str(problem))
    return parameter


def _rebuild_from_type(function: Any, kind: Any, args: Any, state: Any) -> Any:
    _require(
        type(function) is Builder and function.name.startswith("torch._utils._rebuild"), "not a way to rebuild a tensor"
    )
    _require(type(kind) is Builder and kind.name in ("torch.Tensor", "torch.nn.Parameter"), "not a type of tensor")
    _require(type(args) is tuple, "the arguments are not a tuple")
    tensor = function.build(*args)
    # State is a dictionary, or with slots a pair of which only the first matters to plain tensors.
    problem = _set_attributes(tensor, state[0] if type(state) is tuple and state else state)
    _require(problem is None, str(problem))
    return tensor


def _set_attributes(target: Any, state: Any) -> str | None:
    """Set plain attributes without running any setter; return what is wrong with `state`, or None."""
    if not isinstance(state, dict):
        return "it is not a dictionary"
    for name in state:
        # An attribute that hides a method would make the object fail far from here.
        if type(name) is not str or hasattr(type(target), name):
            return f"{name!r:.40} cannot be an attribute's name"
    if state:
        target.__dict__.update(state)
    return None


def _ordered_dict(items: Any = ()) -> Any:
    return OrderedDict((check_key(key), value) for key, value in items)


def _counter(items: Any = ()) -> Any:
    _require(isinstance(items, dict) or items == (), "a Counter is built from a dictionary")
    return Counter(items)


def _defaultdict(factory: Any = None) -> Any:
    factories = {"builtins.list": list, "builtins.dict": dict, "builtins.int": int, "builtins.float": float}
    factories |= {"builtins.set": set, "builtins.str": str}
    if factory is None:
        return defaultdict(None)
    _require(type(factory) is Builder and factory.name in factories, "its factory is not a plain type")
    return defaultdict(factories[factory.name])


def _set_of(items: Any = ()) -> set[Any]:
    _require(isinstance(items, (list, tuple)), "a set is built from a list")
    return {check_key(item) for item in items}


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    _require(type(text) is str and encoding == "latin1", "only bytes spelled as latin1 text are allowed")
    return text.encode("latin1")


def _bytearray_of(data: Any = b"", encoding: Any = None) -> bytearray:
    if encoding is not None:
        data = _encode(data, encoding.replace("-", ""))
    _require(type(data) is bytes, "a bytearray is built from bytes")
    return bytearray(data)


def _complex_of(real: Any, imag: Any) -> complex:
    _require(type(real) is float and type(imag) is float, "its parts are not floats")
    return complex(real, imag)


def _empty_only(make: Any) -> Any:
    def build(*args: Any) -> Any:
        _require(not args, "only an empty one can be built")
        return make()

    return build


def _namespace() -> Any:
    import argparse

    return argparse.Namespace()


def _simple_namespace() -> Any:
    import types

    return types.SimpleNamespace()


def _path(*parts: Any) -> Any:
    import pathlib

    _require(all(type(part) is str for part in parts), "its parts are not strings")
    return pathlib.Path(*parts)


def _device(*args: Any) -> Any:
    _require(all(type(arg) in (str, int) for arg in args), "its parts are not text and number")
    return taeda.device(*args)


def _size(values: Any = ()) -> Any:
    return taeda.Size(_check_sizes(values, "size"))


class _NumpyType(Internal):
    """A NumPy dtype while a file is read: built first, told its byte order afterwards."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype


def _numpy_dtype(spelling: Any, *flags: Any) -> _NumpyType:
    import numpy as np

    # Objects, strings and records are left out: the first would be pointers taken from the file.
    _require(
        type(spelling) is str and re.fullmatch(r"[<>|=]?[biufc]\d{1,2}", spelling) is not None, "no plain number's type"
    )
    return _NumpyType(np.dtype(spelling))


def _set_numpy_byte_order(target: _NumpyType, state: Any) -> str | None:
    if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
        return "it gives no byte order"
    target.dtype = target.dtype.newbyteorder(state[1]) if state[1] in ("<", ">") else target.dtype
    return None


def _numpy_scalar(kind: Any, data: Any) -> Any:
    import numpy as np

    _require(type(kind) is _NumpyType and type(data) is bytes and len(data) == kind.dtype.itemsize, "no plain number")
    return np.frombuffer(data, kind.dtype)[0]


def _numpy_array(kind: Any, shape: Any, code: Any) -> Any:
    import numpy as np

    _require(type(kind) is Builder and kind.name == "numpy.ndarray", "only plain arrays are allowed")
    return np.empty((0,), np.uint8)


def _set_numpy_array(target: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) != 5:
        return "it has not five parts"
    version, shape, kind, is_fortran, data = state
    if type(kind) is not _NumpyType or type(data) is not bytes or type(is_fortran) is not bool:
        return "its parts have the wrong types"
    shape = _check_sizes(shape, "shape")
    if len(shape) > 32 or math.prod(shape) * kind.dtype.itemsize != len(data):
        return "its shape does not fit its data"
    target.__setstate__((1, shape, kind.dtype, is_fortran, data))
    return None


def _is_type(name: str) -> Builder:
    """Return an entry that may be named as a type but not called."""

    def build(*args: Any) -> Any:
        raise ValueError("it cannot be built directly")

    return Builder(name, build)


def _python_entries() -> dict[str, Any]:
    entries: dict[str, Any] = {
        "collections OrderedDict": Builder("OrderedDict", _ordered_dict, _set_attributes),
        "collections Counter": Builder("Counter", _counter),
        "collections defaultdict": Builder("defaultdict", _defaultdict),
        "_codecs encode": Builder("encode", _encode),
        "argparse Namespace": Builder("Namespace", _namespace, _set_attributes),
        "types SimpleNamespace": Builder("SimpleNamespace", _simple_namespace, _set_attributes),
        "pathlib PosixPath": Builder("PosixPath", _path),
        "pathlib._local PosixPath": Builder("PosixPath", _path),
    }
    for module in ("builtins", "__builtin__"):
        entries[f"{module} set"] = Builder("builtins.set", _set_of)
        entries[f"{module} frozenset"] = Builder("frozenset", lambda items=(): frozenset(_set_of(items)))
        entries[f"{module} complex"] = Builder("complex", _complex_of)
        entries[f"{module} bytearray"] = Builder("bytearray", _bytearray_of)
        for make in (list, dict, int, float, str, bytes, tuple):
            entries[f"{module} {make.__name__}"] = Builder(f"builtins.{make.__name__}", _empty_only(make))
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        entries[f"{module} scalar"] = Builder("numpy scalar", _numpy_scalar)
        entries[f"{module} _reconstruct"] = Builder("numpy array", _numpy_array, _set_numpy_array)
    entries["numpy dtype"] = Builder("numpy.dtype", _numpy_dtype, _set_numpy_byte_order)
    entries["numpy ndarray"] = _is_type("numpy.ndarray")
    return entries


def _torch_entries() -> dict[str, Any]:
    entries: dict[str, Any] = {
        "torch._utils _rebuild_tensor": Builder("torch._utils._rebuild_tensor", _rebuild_tensor),
        "torch._utils _rebuild_tensor_v2": Builder("torch._utils._rebuild_tensor_v2", _rebuild_tensor_v2),
        "torch._utils _rebuild_tensor_v3": Builder("torch._utils._rebuild_tensor_v3", _rebuild_tensor_v3),
        "torch._utils _rebuild_parameter": Builder("torch._utils._rebuild_parameter", _rebuild_parameter),
        "torch._utils _rebuild_parameter_with_state": Builder("torch._utils._rebuild_parameter", _rebuild_parameter),
        "torch._utils _rebuild_meta_tensor_no_storage": Builder("torch._utils._rebuild_meta_tensor", _rebuild_meta),
        "torch._tensor _rebuild_from_type_v2": Builder("torch._tensor._rebuild_from_type_v2", _rebuild_from_type),
        "torch._utils _rebuild_sparse_tensor": Builder("torch._utils._rebuild_sparse_tensor", _rebuild_sparse),
        "torch.serialization _get_layout": Builder("torch.serialization._get_layout", _layout),
        "torch Tensor": _is_type("torch.Tensor"),
        "torch.nn.parameter Parameter": _is_type("torch.nn.Parameter"),
        "torch Size": Builder("torch.Size", _size),
        "torch device": Builder("torch.device", _device),
        "torch.storage UntypedStorage": StorageType(None),
        "torch UntypedStorage": StorageType(None),
    }
    for dtype_name, storage_name in STORAGE_TYPES.items():
        dtype = getattr(taeda, dtype_name)
        entries[f"torch {dtype_name}"] = dtype
        entries[f"torch {storage_name}"] = entries[f"torch.cuda {storage_name}"] = StorageType(dtype)
    for dtype_name in _UNTYPED_DTYPES:
        entries[f"torch {dtype_name}"] = getattr(taeda, dtype_name)
    return entries


@functools.cache
def table() -> dict[str, Any]:
    """Return the table of all globals that a file may name."""
    return _python_entries() | _torch_entries()
