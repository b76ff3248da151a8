"""Writes plain data with tensors as a pickle that PyTorch's weights-only loader accepts, without using Python's
pickler.

The pickler of the standard library looks up every name that it writes, which would need PyTorch to be installed; and it
would pickle objects that `load` then has to refuse. Here such an object is an error when saving, with its place in the
structure.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pickle import PicklingError, UnpicklingError
from typing import Any

import taeda
from taeda import _C
from taeda.serialization._names import STORAGE_TYPES
from taeda.serialization._pickle_reader import check_key

__all__ = ["TableWriter", "storage_bytes"]

_NESTING_LIMIT = 250


def storage_bytes(tensor: Any) -> Any:
    """Return the whole storage of `tensor` as a flat uint8 NumPy array, without a copy."""
    return _C._storage_bytes(tensor).numpy()


class TableWriter:
    """Writes one object; `storages` then holds, for each key that the pickle names, a tensor whose whole storage is to
    be stored.

    Args:
        legacy: write persistent ids as PyTorch did before its zip format.
    """

    def __init__(self, legacy: bool = False) -> None:
        self.out = bytearray(b"\x80\x02")
        self.legacy = legacy
        self.storages: dict[str, Any] = {}
        self._storage_keys: dict[tuple[int, int], str] = {}
        self._memo: dict[int, int] = {}
        # Keeps what the memo knows by identity alive: views and tuples made while writing would otherwise reuse it.
        self._alive: list[Any] = []
        self._globals: dict[tuple[str, str], int] = {}
        self._n_memo = 0
        self._open: set[int] = set()
        self._where: list[str] = []

    def write(self, value: Any) -> bytes:
        """Return the pickle of `value`."""
        self._value(value)
        self.out += b"."
        return bytes(self.out)

    def _fail(self, reason: str) -> PicklingError:
        return PicklingError(f"cannot save object{''.join(self._where)}: {reason}")

    def _remember(self, value: Any) -> None:
        self._memo[id(value)] = self._put()
        self._alive.append(value)

    def _put(self) -> int:
        index = self._n_memo
        self._n_memo += 1
        self.out += b"q" + bytes([index]) if index < 256 else b"r" + struct.pack("<I", index)
        return index

    def _get(self, index: int) -> None:
        self.out += b"h" + bytes([index]) if index < 256 else b"j" + struct.pack("<I", index)

    def _global(self, module: str, name: str) -> None:
        key = (module, name)
        if key in self._globals:
            self._get(self._globals[key])
            return
        self.out += f"c{module}\n{name}\n".encode()
        self._globals[key] = self._put()

    def _value(self, value: Any) -> None:
        kind = type(value)
        scalar = _SCALARS.get(kind)
        if scalar is not None:
            scalar(self, value)
            return
        if id(value) in self._memo:
            if id(value) in self._open:
                raise self._fail("it contains itself")
            self._get(self._memo[id(value)])
            return
        if id(value) in self._open:
            raise self._fail("it contains itself")
        if len(self._where) > _NESTING_LIMIT:
            raise PicklingError(f"cannot save object: it is nested more than {_NESTING_LIMIT} deep")
        self._open.add(id(value))
        (_COMPOUNDS.get(kind) or self._handler_of_other(value))(self, value)
        self._open.discard(id(value))

    def _handler_of_other(self, value: Any) -> Callable[[TableWriter, Any], None]:
        if isinstance(value, taeda.Tensor):
            return TableWriter._tensor_or_parameter
        if isinstance(value, taeda.Size):
            return TableWriter._size
        if isinstance(value, taeda.dtype):
            return TableWriter._dtype
        if isinstance(value, taeda.device):
            return TableWriter._device
        if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
            # A NumPy number is saved as Python's, which every reader takes without NumPy.
            return TableWriter._numpy_number
        if type(value).__module__ in ("argparse", "types") and type(value).__name__.endswith("Namespace"):
            return TableWriter._namespace
        raise self._fail(
            f"an object of type {type(value).__module__}.{type(value).__qualname__} cannot be saved, because loading "
            "it would have "
            "to run code; tensors, plain containers, numbers and strings can be" + _hint(value)
        )

    # --- scalars

    def _none(self, value: None) -> None:
        self.out += b"N"

    def _bool(self, value: bool) -> None:
        self.out += b"\x88" if value else b"\x89"

    def _int(self, value: int) -> None:
        if 0 <= value < 256:
            self.out += b"K" + bytes([value])
        elif 0 <= value < 65536:
            self.out += b"M" + struct.pack("<H", value)
        elif -(2**31) <= value < 2**31:
            self.out += b"J" + struct.pack("<i", value)
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            size = b"\x8a" + bytes([len(data)]) if len(data) < 256 else b"\x8b" + struct.pack("<I", len(data))
            self.out += size + data

    def _float(self, value: float) -> None:
        self.out += b"G" + struct.pack(">d", value)

    def _str(self, value: str) -> None:
        if id(value) in self._memo:
            self._get(self._memo[id(value)])
            return
        data = value.encode("utf-8", "surrogatepass")
        if len(data) >= 2**32:
            raise self._fail("a string of 4 GiB or more cannot be saved")
        self.out += b"X" + struct.pack("<I", len(data)) + data
        self._remember(value)

    def _complex(self, value: complex) -> None:
        self._global("__builtin__", "complex")
        self._float(value.real)
        self._float(value.imag)
        self.out += b"\x86R"

    def _bytes(self, value: bytes) -> None:
        # Protocol 2 has no bytes; this spelling is the one that PyTorch's loader accepts.
        self._global("_codecs", "encode")
        self._str(value.decode("latin1"))
        self._str("latin1")
        self.out += b"\x86R"

    def _bytearray(self, value: bytearray) -> None:
        self._global("__builtin__", "bytearray")
        self._str(bytes(value).decode("latin1"))
        self._str("latin-1")
        self.out += b"\x86R"

    def _numpy_number(self, value: Any) -> None:
        number = value.item()
        if type(number) not in _SCALARS:
            raise self._fail(f"a NumPy value of type {value.dtype} has no counterpart in Python")
        self._value(number)

    # --- containers

    def _at(self, place: str, value: Any) -> None:
        self._where.append(place)
        self._value(value)
        self._where.pop()

    def _list(self, value: list[Any]) -> None:
        self.out += b"]"
        self._remember(value)
        if value:
            self.out += b"("
            for index, item in enumerate(value):
                self._at(f"[{index}]", item)
            self.out += b"e"

    def _tuple(self, value: tuple[Any, ...]) -> None:
        if not value:
            self.out += b")"
            return
        self.out += b"(" if len(value) > 3 else b""
        for index, item in enumerate(value):
            self._at(f"[{index}]", item)
        self.out += {1: b"\x85", 2: b"\x86", 3: b"\x87"}.get(len(value), b"t")
        self._remember(value)

    def _items(self, value: dict[Any, Any]) -> None:
        if value:
            self.out += b"("
            for key, item in value.items():
                try:
                    check_key(key)
                except UnpicklingError as error:
                    raise self._fail(f"its key {key!r:.60} could not be loaded: {error}") from None
                self._at(".keys()", key)
                self._at(f"[{key!r:.60}]", item)
            self.out += b"u"

    def _dict(self, value: dict[Any, Any]) -> None:
        self.out += b"}"
        self._remember(value)
        self._items(value)

    def _ordered_dict(self, value: OrderedDict[Any, Any]) -> None:
        self._global("collections", "OrderedDict")
        self.out += b")R"
        self._remember(value)
        self._items(value)
        # A module's state_dict carries the versions of its modules as an attribute.
        if vars(value):
            self._at(".__dict__", vars(value))
            self.out += b"b"

    def _counter(self, value: Counter[Any]) -> None:
        self._global("collections", "Counter")
        self._at("", dict(value))
        self.out += b"\x85R"
        self._remember(value)

    def _defaultdict(self, value: defaultdict[Any, Any]) -> None:
        factory = value.default_factory
        if factory not in (None, list, dict, int, float, set, str):
            raise self._fail(f"a defaultdict is saved only with a plain type as its factory, not {factory!r}")
        self._global("collections", "defaultdict")
        if factory is None:
            self.out += b")R"
        else:
            self._global("__builtin__", getattr(factory, "__name__", ""))
            self.out += b"\x85R"
        self._remember(value)
        self._items(value)

    def _set(self, value: Any) -> None:
        self._global("__builtin__", type(value).__name__)
        self._at("", list(value))
        self.out += b"\x85R"
        self._remember(value)

    def _namespace(self, value: Any) -> None:
        self._global(type(value).__module__, type(value).__name__)
        self.out += b")\x81"
        self._remember(value)
        self._at(".__dict__", vars(value))
        self.out += b"b"

    # --- tensors and what belongs to them

    def _size(self, value: Any) -> None:
        self._global("torch", "Size")
        self._tuple(tuple(int(length) for length in value))
        self.out += b"\x85R"
        self._remember(value)

    def _dtype(self, value: Any) -> None:
        self._global("torch", str(value).rpartition(".")[2])

    def _device(self, value: Any) -> None:
        self._global("torch", "device")
        self._str(value.type)
        if value.index is None:
            self.out += b"\x85R"
        else:
            self._int(value.index)
            self.out += b"\x86R"

    def _empty_hooks(self) -> None:
        self._global("collections", "OrderedDict")
        self.out += b")R"

    def _tensor_or_parameter(self, value: Any) -> None:
        name = type(value).__name__
        if name == "Parameter":
            self._global("torch._utils", "_rebuild_parameter")
            self._tensor(value.detach())
            self._bool(value.requires_grad)
            self._empty_hooks()
            self.out += b"\x87R"
        elif type(value) is taeda.Tensor or name == "Buffer":
            self._tensor(value)
        else:
            raise self._fail(f"a tensor of the type {name} cannot be saved; save its .as_subclass(Tensor) instead")
        self._remember(value)

    def _tensor(self, value: Any) -> None:
        tensor = value.detach()
        if tensor.layout is not taeda.strided:
            self._sparse(tensor)
            return
        if any(step < 0 for step in tensor.stride()):
            # PyTorch has no negative strides, so such a view is saved as the contiguous tensor that it shows.
            tensor = tensor.contiguous()
        dtype_name = str(tensor.dtype).rpartition(".")[2]
        if tensor.device.type == "meta":
            self._global("torch._utils", "_rebuild_meta_tensor_no_storage")
            self.out += b"("
            self._dtype(tensor.dtype)
        else:
            is_typed = dtype_name in STORAGE_TYPES
            self._global("torch._utils", "_rebuild_tensor_v2" if is_typed else "_rebuild_tensor_v3")
            self.out += b"("
            self._storage(tensor, STORAGE_TYPES.get(dtype_name))
            self._int(tensor.storage_offset())
        self._tuple(tuple(tensor.shape))
        self._tuple(tuple(tensor.stride()))
        self._bool(value.requires_grad)
        if tensor.device.type != "meta":
            self._empty_hooks()
            if dtype_name not in STORAGE_TYPES:
                self._dtype(tensor.dtype)
        self.out += b"tR"

    def _sparse(self, tensor: Any) -> None:
        from taeda.sparse import _convert

        layout, pieces = _convert.parts(tensor)
        self._global("torch._utils", "_rebuild_sparse_tensor")
        self._global("torch.serialization", "_get_layout")
        self._str(f"torch.{str(layout).rpartition('.')[2]}")
        self.out += b"\x85R("
        for piece in pieces:
            self._value(piece)
        self.out += b"t\x86R"

    def _storage(self, tensor: Any, typed_name: str | None) -> None:
        data = _C._storage_bytes(tensor)
        n_bytes = data.numel()
        identity = (data.data_ptr(), n_bytes)
        key = self._storage_keys.get(identity) if n_bytes else None
        if key is None:
            key = str(len(self.storages))
            self.storages[key] = tensor
            self._storage_keys[identity] = key
        self.out += b"("
        self._str("storage")
        if typed_name is None:
            self._global("torch.storage", "UntypedStorage")
        else:
            self._global("torch", typed_name)
        self._str(key)
        self._str("cpu")
        self._int(n_bytes if typed_name is None else n_bytes // tensor.dtype.itemsize)
        if self.legacy:
            self.out += b"N"
        self.out += b"tQ"


def _hint(value: Any) -> str:
    if hasattr(value, "state_dict"):
        return " (hint: save its state_dict() and load that with load_state_dict)"
    if type(value).__module__ == "numpy":
        return " (hint: save taeda.from_numpy(array))"
    return ""


_SCALARS: dict[type, Callable[[TableWriter, Any], None]] = {
    type(None): TableWriter._none,
    bool: TableWriter._bool,
    int: TableWriter._int,
    float: TableWriter._float,
    str: TableWriter._str,
    complex: TableWriter._complex,
    bytes: TableWriter._bytes,
    bytearray: TableWriter._bytearray,
}
_COMPOUNDS: dict[type, Callable[[TableWriter, Any], None]] = {
    list: TableWriter._list,
    tuple: TableWriter._tuple,
    dict: TableWriter._dict,
    OrderedDict: TableWriter._ordered_dict,
    Counter: TableWriter._counter,
    defaultdict: TableWriter._defaultdict,
    set: TableWriter._set,
    frozenset: TableWriter._set,
}
