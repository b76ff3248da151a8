"""Storages: the memory that tensors are views of, as Python sees it."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _C

__all__ = ["TypedStorage", "UntypedStorage"]


class UntypedStorage:
    """The bytes that a tensor and all its views share."""

    def __init__(self, tensor: taeda.Tensor) -> None:
        self._bytes = _C._storage_bytes(tensor)
        self._owner = tensor

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return self._bytes.numel()

    size = nbytes
    __len__ = nbytes

    def data_ptr(self) -> int:
        """Return the address of the first byte."""
        return self._bytes.data_ptr()

    @property
    def device(self) -> Any:
        """Where the memory is."""
        return self._owner.device

    def __bytes__(self) -> bytes:
        return bytes(memoryview(self._bytes))

    def __getitem__(self, index: int) -> int:
        return self._bytes[index].item()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, UntypedStorage)
            and other.data_ptr() == self.data_ptr()
            and other.nbytes() == self.nbytes()
        )

    def __hash__(self) -> int:
        return hash(self.data_ptr())

    def tolist(self) -> list[int]:
        """Return the bytes as a list of ints."""
        return self._bytes.tolist()

    def resize_(self, n_bytes: int) -> UntypedStorage:
        """Change the number of bytes; the old ones are kept as far as they fit."""
        _C._storage_resize(self._owner, n_bytes)
        self._bytes = _C._storage_bytes(self._owner)
        return self

    def untyped(self) -> UntypedStorage:
        """Return itself."""
        return self


class TypedStorage:
    """A storage seen as elements of one dtype."""

    def __init__(self, tensor: taeda.Tensor) -> None:
        self._untyped = UntypedStorage(tensor)
        self.dtype = tensor.dtype

    def untyped(self) -> UntypedStorage:
        """Return the bytes."""
        return self._untyped

    def _elements(self) -> taeda.Tensor:
        return self._untyped._bytes.view(self.dtype)

    def size(self) -> int:
        """Return the number of elements."""
        return self._untyped.nbytes() // self.dtype.itemsize

    __len__ = size

    def nbytes(self) -> int:
        """Return the number of bytes."""
        return self._untyped.nbytes()

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return self._untyped.data_ptr()

    def tolist(self) -> list[Any]:
        """Return the elements as Python numbers."""
        return self._elements().tolist()

    def __getitem__(self, index: int) -> Any:
        return self._elements()[index].item()

    def __setitem__(self, index: int, value: Any) -> None:
        self._elements()[index] = value
