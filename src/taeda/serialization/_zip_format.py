"""PyTorch's zip format: an archive of stored (never compressed) records, `data.pkl` and one record for each storage."""

from __future__ import annotations

import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any, BinaryIO

from taeda.serialization._files import Source
from taeda.serialization._names import StorageType, StoredBytes, table
from taeda.serialization._pickle_reader import TableReader, check_result
from taeda.serialization._pickle_writer import TableWriter, storage_bytes

__all__ = ["ZipArchive", "read_zip", "write_zip"]

_ALIGNMENT = 64
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
# The padding's tag in the local header is the one that PyTorch writes.
_PADDING_TAG = 0x4246
_MAX_PICKLE_BYTES = 1 << 30


class _SourceFile:
    """The part of a file object's interface that `zipfile` needs to read a directory from a `Source`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._source.size)[whence]
        if self._position < 0:
            raise OSError("a position before the start of the file")
        return self._position

    def read(self, n_bytes: int = -1) -> bytes:
        data = self._source.read(self._position, self._source.size if n_bytes < 0 else n_bytes)
        self._position += len(data)
        return data


class ZipArchive:
    """The directory of an archive, checked: all records stored, inside the file, and not overlapping."""

    def __init__(self, source: Source) -> None:
        self.source = source
        try:
            with zipfile.ZipFile(_SourceFile(source)) as archive:  # type: ignore[arg-type]
                entries = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
            raise RuntimeError(
                "PytorchStreamReader failed reading zip archive: failed finding central directory (truncated file?): "
                f"{error}"
            ) from None
        self._spans: dict[str, tuple[int, int, int]] = {}
        previous_end, previous_name = 0, ""
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            name = entry.filename
            if (
                entry.compress_type != zipfile.ZIP_STORED
                or entry.compress_size != entry.file_size
                or entry.flag_bits & 1
            ):
                raise RuntimeError(f"record {name!r} is compressed or encrypted, which no tensor file is")
            if name in self._spans:
                raise RuntimeError(f"record {name!r} is there twice")
            if entry.header_offset < previous_end:
                raise RuntimeError(f"records {previous_name!r} and {name!r} overlap")
            start = self._data_offset(entry)
            previous_end, previous_name = start + entry.file_size, name
            if previous_end > source.size:
                raise RuntimeError(f"record {name!r} reaches past the end of the file (truncated?)")
            self._spans[name] = (start, entry.file_size, entry.CRC)
        self.folder = self._find_folder()

    def _data_offset(self, entry: zipfile.ZipInfo) -> int:
        header = self.source.read(entry.header_offset, _LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise RuntimeError(f"record {entry.filename!r} has no header at byte {entry.header_offset}")
        *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        return entry.header_offset + _LOCAL_HEADER.size + name_length + extra_length

    def _find_folder(self) -> str:
        folders = [
            name[: -len("data.pkl")] for name in self._spans if name.endswith("data.pkl") and name.count("/") <= 1
        ]
        if len(folders) != 1:
            raise RuntimeError("the archive has no record data.pkl: it is a zip file, but no tensor file")
        if folders[0] + "constants.pkl" in self._spans:
            raise RuntimeError("this is a TorchScript archive, which holds a program; taeda.load reads only data")
        return folders[0]

    def __contains__(self, name: str) -> bool:
        return self.folder + name in self._spans

    def size(self, name: str) -> int:
        """Return the length in bytes of the record `name`."""
        return self._spans[self.folder + name][1]

    def read(self, name: str) -> bytes:
        """Return the contents of a small record, after checking its sum."""
        start, n_bytes, crc = self._spans[self.folder + name]
        if n_bytes > _MAX_PICKLE_BYTES:
            raise RuntimeError(f"record {name!r} has {n_bytes} bytes, more than any tensor file's")
        data = self.source.read(start, n_bytes)
        _check_sum(name, data, crc)
        return data

    def tensor(self, name: str, is_mapped: bool) -> Any:
        """Return the contents of a record as a flat uint8 tensor; mapped ones are not summed, because that would read
        them.
        """
        start, n_bytes, crc = self._spans[self.folder + name]
        data = self.source.tensor(start, n_bytes)
        if not is_mapped and n_bytes:
            _check_sum(name, memoryview(data.numpy()), crc)
        return data


def _check_sum(name: str, data: Any, expected: int) -> None:
    if zlib.crc32(data) != expected:
        raise RuntimeError(f"record {name!r} is damaged: its check sum differs from the stored one")


class _StorageLoader:
    """Turns the persistent ids of `data.pkl` into storages, each read once."""

    def __init__(self, archive: ZipArchive, place: Callable[[str], str], is_mapped: bool) -> None:
        self.archive = archive
        self.place = place
        self.is_mapped = is_mapped
        self.is_swapped = False
        if "byteorder" in archive:
            order = archive.read("byteorder")
            if order not in (b"little", b"big"):
                raise RuntimeError(f"unknown byte order {order!r:.40}")
            self.is_swapped = order.decode() != sys.byteorder
        if self.is_swapped and is_mapped:
            raise RuntimeError("the file's byte order is not this machine's, so that it cannot be mapped (mmap=True)")
        self._loaded: dict[str, StoredBytes] = {}

    def __call__(self, persistent_id: Any) -> StoredBytes:
        if type(persistent_id) is not tuple or len(persistent_id) != 5 or persistent_id[0] != "storage":
            raise UnpicklingError("a persistent id is not that of a storage")
        _, kind, key, location, length = persistent_id
        if (
            type(kind) is not StorageType
            or type(key) is not str
            or type(location) is not str
            or type(length) is not int
        ):
            raise UnpicklingError("a persistent id has parts of the wrong types")
        if key not in self._loaded:
            self._loaded[key] = self._load(kind, key, location, length)
        stored = self._loaded[key]
        # The same bytes under a second type: tensors of two dtypes can share one storage.
        return stored if stored.dtype == kind.dtype else StoredBytes(stored.data, stored.n_bytes, kind.dtype)

    def _load(self, kind: StorageType, key: str, location: str, length: int) -> StoredBytes:
        name = f"data/{key}"
        if name not in self.archive:
            raise RuntimeError(f"the record {name!r} of a storage is missing")
        n_bytes = length * (kind.dtype.itemsize if kind.dtype is not None else 1)
        if length < 0 or n_bytes != self.archive.size(name):
            raise RuntimeError(
                f"the storage {key!r} should have {n_bytes} bytes, its record has {self.archive.size(name)}"
            )
        if self.place(location) == "meta":
            return StoredBytes(None, n_bytes, kind.dtype)
        data = self.archive.tensor(name, self.is_mapped)
        if self.is_swapped:
            swap_bytes(data, kind.dtype)
        if self.is_mapped and kind.dtype is not None and data.data_ptr() % kind.dtype.itemsize:
            # Kernels rely on aligned elements; files of other writers need not place them so.
            data = data.clone()
        return StoredBytes(data, n_bytes, kind.dtype)


def swap_bytes(data: Any, dtype: Any) -> None:
    """Reverse the bytes of each element of the flat uint8 tensor `data` in place."""
    if dtype is None:
        raise RuntimeError("an untyped storage of another byte order cannot be read")
    width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
    if width > 1 and data.numel():
        data.numpy().view(f"u{width}").byteswap(inplace=True)


def read_zip(source: Source, place: Callable[[str], str], is_mapped: bool) -> Any:
    """Return the object in a file of PyTorch's zip format.

    Args:
        source: the file.
        place: from the device in the file ("cpu", "cuda:0") to where the storage is wanted: "cpu" or "meta".
        is_mapped: whether the source is a map of the file.
    """
    archive = ZipArchive(source)
    reader = TableReader(archive.read("data.pkl"), table(), _StorageLoader(archive, place, is_mapped))
    value = reader.load()
    check_result(value)
    return value


def write_zip(value: Any, file: BinaryIO, name: str) -> None:
    """Write `value` to `file` in PyTorch's zip format; `name` is the folder inside the archive."""
    writer = TableWriter()
    pickle = writer.write(value)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        _add_record(archive, f"{name}/data.pkl", pickle)
        _add_record(archive, f"{name}/.format_version", b"1")
        _add_record(archive, f"{name}/.storage_alignment", str(_ALIGNMENT).encode())
        _add_record(archive, f"{name}/byteorder", sys.byteorder.encode())
        for key, tensor in writer.storages.items():
            data = memoryview(storage_bytes(tensor))
            _add_record(archive, f"{name}/data/{key}", data)
        _add_record(archive, f"{name}/version", b"3\n")


def _add_record(archive: zipfile.ZipFile, name: str, data: Any) -> None:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_STORED
    info.file_size = len(data)
    is_large = len(data) >= 1 << 30
    # A reader that maps the file then finds each storage aligned for vector loads.
    position = archive.start_dir + _LOCAL_HEADER.size + len(name.encode()) + (20 if is_large else 0) + 4
    padding = -position % _ALIGNMENT
    info.extra = struct.pack("<2H", _PADDING_TAG, padding) + b"Z" * padding
    with archive.open(info, "w", force_zip64=is_large) as record:
        for start in range(0, len(data), 1 << 26):
            record.write(data[start : start + (1 << 26)])


def archive_name(file: Any) -> str:
    """Return the folder's name inside an archive, as PyTorch chooses it: the file's name without suffix, or
    "archive".
    """
    if not isinstance(file, (str, os.PathLike)):
        return "archive"
    stem = os.path.splitext(os.path.basename(os.fspath(file)))[0]
    return str(stem) or "archive"
