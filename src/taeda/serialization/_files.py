"""Reading and writing whole files safely: a source that reads at offsets and knows its size, and atomic replacement of
a file.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import secrets
import stat
from collections.abc import Callable
from typing import Any, BinaryIO

import taeda

__all__ = ["Source", "write_atomically"]


class Source:
    """The bytes of a file or of a seekable file object, from the position where it was given.

    Args:
        file: a path or a binary file object.
        use_mmap: map the file instead of reading it; only with a path.
    """

    def __init__(self, file: Any, use_mmap: bool = False) -> None:
        self._owned = isinstance(file, (str, os.PathLike))
        if use_mmap and not self._owned:
            raise ValueError("f must be a string filename in order to use mmap argument")
        self.name = os.fspath(file) if self._owned else str(getattr(file, "name", f"<{type(file).__name__}>"))
        self._file: BinaryIO = open(file, "rb") if self._owned else _check_readable(file)  # noqa: SIM115
        self.start = 0 if self._owned else self._file.tell()
        self._file.seek(0, os.SEEK_END)
        self.size = max(self._file.tell() - self.start, 0)
        self._map: mmap.mmap | None = None
        if use_mmap and self.size:
            # A private map: what a program writes into a loaded tensor must not reach the file.
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc_info: object) -> None:
        # A map stays open for as long as a tensor over it lives.
        if self._owned:
            self._file.close()

    def read(self, offset: int, n_bytes: int) -> bytes:
        """Return `n_bytes` bytes at `offset`; fewer at the end of the file."""
        n_bytes = max(0, min(n_bytes, self.size - offset))
        self._file.seek(self.start + offset)
        data = self._file.read(n_bytes)
        if len(data) != n_bytes:
            raise RuntimeError(f"{self.name}: the file ended while it was read")
        return data

    def tensor(self, offset: int, n_bytes: int) -> Any:
        """Return the `n_bytes` bytes at `offset` as a flat uint8 tensor; the caller has checked that they are there."""
        if self._map is not None and n_bytes:
            return taeda.frombuffer(self._map, dtype=taeda.uint8, count=n_bytes, offset=self.start + offset)
        # The core's allocator gives aligned memory, counts it, and reports a lack of it as such.
        data = taeda.empty(n_bytes, dtype=taeda.uint8)
        self.read_into(offset, data)
        return data

    def read_into(self, offset: int, data: Any) -> None:
        """Fill the flat uint8 tensor `data` with the bytes at `offset`."""
        if data.numel():
            self._file.seek(self.start + offset)
            _read_fully(self._file, memoryview(data.numpy()), self.name)

    def finish(self, offset: int) -> None:
        """Leave a file object that somebody else opened at `offset`, the end of what was read."""
        if not self._owned:
            self._file.seek(self.start + offset)


def _check_readable(file: Any) -> BinaryIO:
    for method in ("read", "seek", "tell"):
        if not hasattr(file, method):
            raise AttributeError(
                f"{type(file).__name__!r} object has no attribute '{method}'. You can only taeda.load from a file "
                "that is seekable. "
                "Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
            )
    return file


def _read_fully(file: Any, target: memoryview, name: str) -> None:
    done = 0
    while done < len(target):
        if hasattr(file, "readinto"):
            n_read = file.readinto(target[done:])
        else:
            piece = file.read(min(len(target) - done, 1 << 24))
            n_read = len(piece)
            target[done : done + n_read] = piece
        if not n_read:
            raise RuntimeError(f"{name}: the file ended while it was read")
        done += n_read


def write_atomically(file: Any, write: Callable[[BinaryIO], None]) -> None:
    """Call `write` with a binary file, so that `file` afterwards holds all of it, or on any failure what it held
    before.

    Args:
        file: a path, or a binary file object, which is written in place.
        write: writes the whole contents.
    """
    if not isinstance(file, (str, os.PathLike)):
        if not hasattr(file, "write"):
            raise AttributeError(
                f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, not {type(file)}"
            )
        write(file)
        if hasattr(file, "flush"):
            file.flush()
        return
    # Through a link the file it leads to is replaced, not the link.
    path = os.path.realpath(os.fspath(file))
    try:
        before: os.stat_result | None = os.stat(path)
    except FileNotFoundError:
        before = None
    if before is not None and not stat.S_ISREG(before.st_mode):
        # A pipe or a device cannot be replaced, and what has been written to it cannot be taken back.
        with open(path, "wb") as target:
            write(target)
        return
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    _replace(path, folder, before, write)


def _replace(path: str, folder: str, before: os.stat_result | None, write: Callable[[BinaryIO], None]) -> None:
    temporary = os.path.join(folder, f".{os.path.basename(path)[:100]}.{secrets.token_hex(6)}.tmp")
    # The mode passes through the umask, as for any new file; an existing file's own mode is kept.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with io.BufferedWriter(io.FileIO(descriptor, "wb"), 1 << 20) as target:
            write(target)
            target.flush()
            if before is not None:
                os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    # The rename itself is durable only once the folder is written.
    with contextlib.suppress(OSError):
        folder_descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(folder_descriptor)
        finally:
            os.close(folder_descriptor)
