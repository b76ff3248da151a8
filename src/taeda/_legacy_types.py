"""PyTorch's old constructors by type, ``FloatTensor(2, 3)``, and its storages by type, ``FloatStorage(4)``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import taeda
from taeda.storage import TypedStorage, UntypedStorage

__all__ = ["STORAGES", "TENSORS", "TypedStorage", "UntypedStorage"]

_KINDS = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Byte": "uint8",
    "Char": "int8",
    "Short": "int16",
    "Int": "int32",
    "Long": "int64",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}


class _TensorKind(type):
    """The type of ``FloatTensor`` and the others: calling one makes a tensor, and tensors of its dtype count as instances."""

    dtype: Any

    def __call__(cls, *args: Any, device: Any = None) -> taeda.Tensor:
        if device is not None and taeda.device(device).type != "cpu":
            raise RuntimeError(f"legacy constructor expects device type: cpu but device type: {device} was passed")
        if not args:
            return taeda.empty(0, dtype=cls.dtype)
        first = args[0]
        if isinstance(first, taeda.Size) or all(isinstance(size, int) for size in args):
            return taeda.empty(*args, dtype=cls.dtype)
        if len(args) > 1:
            raise TypeError(f"{cls.__name__}: expected sizes or one sequence, but got {len(args)} arguments")
        if isinstance(first, taeda.Tensor):
            if first.dtype != cls.dtype:
                raise TypeError(f"expected {cls.__name__} (got {first.type()}): convert it with .to()")
            return first.detach()
        if isinstance(first, (TypedStorage, UntypedStorage)):
            return taeda.empty(0, dtype=cls.dtype).set_(first)
        return taeda.tensor(first, dtype=cls.dtype)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, taeda.Tensor) and instance.dtype == cls.dtype and not instance.is_meta

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


class _StorageKind(type):
    """The type of ``FloatStorage`` and the others."""

    dtype: Any

    def __call__(cls, *args: Any) -> TypedStorage:
        if len(args) > 1:
            raise TypeError(f"{cls.__name__}: expected a size or a sequence, but got {len(args)} arguments")
        content = args[0] if args else 0
        if isinstance(content, int):
            return TypedStorage(taeda.empty(content, dtype=cls.dtype))
        if not isinstance(content, Iterable):
            raise TypeError(f"{cls.__name__}: expected a size or a sequence, but got {type(content).__name__}")
        return TypedStorage(taeda.tensor(list(content), dtype=cls.dtype))

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype == cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _kinds(meta: type, ending: str, what: str) -> dict[str, Any]:
    made = {}
    for kind, dtype in _KINDS.items():
        name = kind + ending
        doc = f"Makes {what} of {dtype}, from sizes or from data; what has this dtype counts as an instance."
        made[name] = meta(name, (), {"dtype": getattr(taeda, dtype), "__doc__": doc, "__module__": "taeda"})
    return made


TENSORS = _kinds(_TensorKind, "Tensor", "tensors")
STORAGES = _kinds(_StorageKind, "Storage", "storages")


def find(name: str) -> Any:
    """Return the class of that name; KeyError where there is none."""
    return TENSORS[name] if name in TENSORS else STORAGES[name]
