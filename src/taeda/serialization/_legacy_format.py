"""PyTorch's format before the zip archive: four pickles in a row, then each storage as a count and its elements."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any, BinaryIO

import taeda
from taeda.serialization._files import Source
from taeda.serialization._names import StorageType, StoredBytes, table
from taeda.serialization._pickle_reader import TableReader, TruncatedPickleError, check_result
from taeda.serialization._pickle_writer import TableWriter, storage_bytes
from taeda.serialization._zip_format import swap_bytes

__all__ = ["MAGIC", "read_legacy", "write_legacy"]

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_FIRST_WINDOW = 1 << 20


class _LazyStorages:
    """Storages are named in the pickle before their data comes: the tensors are allocated first and filled later."""

    def __init__(self, source: Source, place: Callable[[str], str]) -> None:
        self.source = source
        self.place = place
        self.by_key: dict[str, StoredBytes] = {}
        self._n_bytes = 0

    def __call__(self, persistent_id: Any) -> StoredBytes:
        if type(persistent_id) is not tuple or len(persistent_id) not in (5, 6) or persistent_id[0] != "storage":
            raise UnpicklingError("a persistent id is not that of a storage")
        _, kind, key, location, length, *view = persistent_id
        if (
            type(kind) is not StorageType
            or type(key) is not str
            or type(location) is not str
            or type(length) is not int
        ):
            raise UnpicklingError("a persistent id has parts of the wrong types")
        if view not in ([], [None]):
            raise UnpicklingError("a storage that is a view of another one, as files before 2017 had, is not supported")
        if key in self.by_key:
            stored = self.by_key[key]
            return stored if stored.dtype == kind.dtype else StoredBytes(stored.data, stored.n_bytes, kind.dtype)
        n_bytes = length * (kind.dtype.itemsize if kind.dtype is not None else 1)
        self._n_bytes += n_bytes
        # All storages together cannot be larger than the file that holds them; checked before allocating.
        if length < 0 or self._n_bytes > self.source.size:
            raise UnpicklingError(
                f"the storages need {self._n_bytes} bytes, the file has {self.source.size} (truncated?)"
            )
        data = None if self.place(location) == "meta" else taeda.empty(n_bytes, dtype=taeda.uint8)
        stored = self.by_key[key] = StoredBytes(data, n_bytes, kind.dtype)
        return stored


def read_legacy(source: Source, place: Callable[[str], str]) -> Any:
    """Return the object in a file of the legacy format; `place` is that of `read_zip`."""
    storages = _LazyStorages(source, place)
    # The pickles are small and the storages large; only where the pickles do not fit is everything read.
    n_window = min(source.size, _FIRST_WINDOW)
    while True:
        try:
            value, keys, is_swapped, position = _read_pickles(source.read(0, n_window), storages)
            break
        except TruncatedPickleError:
            if n_window == source.size:
                raise
            n_window = min(source.size, n_window * 8)
            storages = _LazyStorages(source, place)
    for key in keys:
        position = _fill(source, storages.by_key.get(key), key, position, is_swapped)
    missing = storages.by_key.keys() - set(keys)
    if missing:
        raise UnpicklingError(f"the data of {len(missing)} storages is missing")
    check_result(value)
    source.finish(position)
    return value


def _read_pickles(data: bytes, storages: _LazyStorages) -> tuple[Any, list[str], bool, int]:
    reader = TableReader(data, {})
    if reader.load() != _MAGIC_NUMBER:
        raise UnpicklingError("the magic number is wrong")
    reader = TableReader(data, {}, None, reader.position)
    if reader.load() != _PROTOCOL:
        raise UnpicklingError("the protocol version is not 1001")
    reader = TableReader(data, {}, None, reader.position)
    system = reader.load()
    if type(system) is not dict or type(system.get("little_endian")) is not bool:
        raise UnpicklingError("the description of the writing system is malformed")
    reader = TableReader(data, table(), storages, reader.position)
    value = reader.load()
    reader = TableReader(data, {}, None, reader.position)
    keys = reader.load()
    if type(keys) is not list or any(type(key) is not str for key in keys) or len(set(keys)) != len(keys):
        raise UnpicklingError("the list of storages is malformed")
    return value, keys, system["little_endian"] != (sys.byteorder == "little"), reader.position


def _fill(source: Source, stored: StoredBytes | None, key: str, position: int, is_swapped: bool) -> int:
    """Read the data of one storage and return the position after it."""
    if stored is None:
        raise UnpicklingError(f"the storage {key!r:.60} belongs to no tensor")
    header = source.read(position, 8)
    if len(header) < 8:
        raise UnpicklingError("the file is truncated: the length of a storage is missing")
    (length,) = struct.unpack("<q", header)
    width = stored.dtype.itemsize if stored.dtype is not None else 1
    if length * width != stored.n_bytes:
        raise UnpicklingError(
            f"the storage {key!r:.60} should have {stored.n_bytes} bytes, the file has {length * width}"
        )
    position += 8
    if position + stored.n_bytes > source.size:
        raise UnpicklingError(f"the file is truncated: the storage {key!r:.60} reaches past its end")
    if stored.data is not None and stored.n_bytes:
        source.read_into(position, stored.data)
        if is_swapped:
            swap_bytes(stored.data, stored.dtype)
    return position + stored.n_bytes


def write_legacy(value: Any, file: BinaryIO) -> None:
    """Write `value` to `file` in the legacy format."""
    writer = TableWriter(legacy=True)
    pickle = writer.write(value)
    system: dict[str, Any] = {"protocol_version": _PROTOCOL, "little_endian": sys.byteorder == "little"}
    system["type_sizes"] = {"short": 2, "int": 4, "long": 4}
    for part in (_MAGIC_NUMBER, _PROTOCOL, system):
        file.write(TableWriter().write(part))
    file.write(pickle)
    file.write(TableWriter().write(list(writer.storages)))
    for tensor in writer.storages.values():
        data = memoryview(storage_bytes(tensor))
        n_elements = len(data) // tensor.dtype.itemsize
        file.write(struct.pack("<q", n_elements))
        file.write(data[: n_elements * tensor.dtype.itemsize])
