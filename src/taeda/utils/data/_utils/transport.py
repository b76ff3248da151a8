"""What travels between a worker process and its loader: pickles whose large arrays lie in shared memory.

A message is one byte string for a pipe. Tensors and arrays hand their memory out beside the pickle (protocol 5); what is
large goes into one file in a memory file system, which the receiver maps and removes at once, so that nothing is copied
on its side and nothing stays behind.
"""

from __future__ import annotations

import functools
import mmap
import os
import pickle
import tempfile
from typing import Any

# Up to here copying through the pipe is cheaper than making, mapping and removing a file.
_MOST_INLINE_BYTES = 64 * 1024
_ALIGNMENT = 64


@functools.cache
def shared_folder() -> str:
    """The folder whose files live in memory; the temporary folder where the system has none."""
    folder = "/dev/shm"
    return folder if os.path.isdir(folder) and os.access(folder, os.W_OK) else tempfile.gettempdir()


def dump(obj: Any, file_prefix: str) -> bytes:
    """The object as a message.

    Args:
        obj: anything that can be pickled.
        file_prefix: how the names of files in `shared_folder` start, so that they can be cleaned up by name.
    """
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    parts = [buffer.raw() for buffer in buffers]
    name, sizes = None, [part.nbytes for part in parts]
    if sum(sizes) > _MOST_INLINE_BYTES:
        name = _write_file(parts, file_prefix)
    content = [bytes(part) for part in parts] if name is None else sizes
    return pickle.dumps((stream, name, content), protocol=5)


def load(message: bytes) -> Any:
    """The object that a message stands for; each message can be loaded once."""
    stream, name, content = pickle.loads(message)
    if name is None:
        # Arrays over immutable bytes would be read-only.
        return pickle.loads(stream, buffers=[bytearray(part) for part in content])
    path = os.path.join(shared_folder(), name)
    with open(path, "r+b") as file:
        os.unlink(path)
        memory = memoryview(mmap.mmap(file.fileno(), 0))
    offsets, _ = _layout(content)
    buffers = [memory[offset : offset + size] for offset, size in zip(offsets, content)]
    return pickle.loads(stream, buffers=buffers)


def _layout(sizes: list[int]) -> tuple[list[int], int]:
    """Where each array starts in the file, and how long the file is."""
    offsets, end = [], 0
    for size in sizes:
        offsets.append(end)
        end += -(-size // _ALIGNMENT) * _ALIGNMENT
    return offsets, end


def _write_file(parts: list[memoryview], prefix: str) -> str | None:
    """Write the arrays into a new shared file and return its name; None where the file system is full."""
    offsets, total = _layout([part.nbytes for part in parts])
    descriptor, path = tempfile.mkstemp(prefix=prefix, dir=shared_folder())
    try:
        # Writing into pages that a full memory file system cannot give would end the process, so they are asked for.
        os.posix_fallocate(descriptor, 0, total)
        with mmap.mmap(descriptor, total) as memory:
            for part, offset in zip(parts, offsets):
                memory[offset : offset + part.nbytes] = part
    except OSError:
        os.unlink(path)
        return None
    finally:
        os.close(descriptor)
    return os.path.basename(path)


def remove_files(file_prefix: str) -> None:
    """Remove shared files whose messages never arrived."""
    folder = shared_folder()
    for name in os.listdir(folder):
        if name.startswith(file_prefix):
            try:
                os.unlink(os.path.join(folder, name))
            except OSError:
                continue
