"""What an out-of-memory error says about who holds the memory. Nothing is counted beforehand: the program's own objects are
searched when an allocation has failed.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

import taeda

_N_SHOWN = 5
_LEAST = 1 << 20  # bytes; smaller tensors are not worth a line


def _named_tensors() -> Iterator[tuple[str, Any]]:
    """Yield tensors that Python objects hold, with names: best names first."""
    for frame in list(sys._current_frames().values()):
        while frame is not None:
            where = f"in {frame.f_code.co_name}, {frame.f_code.co_filename}:{frame.f_lineno}"
            for name, value in list(frame.f_locals.items()):
                yield from _tensors_in(value, f"{name} {where}")
            frame = frame.f_back
    module_type = getattr(sys.modules.get("taeda.nn"), "Module", ())
    containers = []
    for found in gc.get_objects():
        if module_type and isinstance(found, module_type):
            for name, value in found.__dict__.get("_parameters", {}).items():
                yield from _tensors_in(value, f"{type(found).__name__}.{name}")
        elif type(found) in (dict, list, tuple):
            containers.append(found)
    for container in containers:
        yield from _tensors_in(container, f"in a {type(container).__name__}")


def _tensors_in(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, taeda.Tensor):
        yield name, value
        return
    if type(value) is dict:
        for key, item in list(value.items()):
            if isinstance(item, taeda.Tensor):
                yield f"[{key!r}] {name}", item
    elif type(value) in (list, tuple):
        for index, item in enumerate(value):
            if isinstance(item, taeda.Tensor):
                yield f"[{index}] {name}", item


def _in_words(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.2f} GiB" if n_bytes >= 1 << 30 else f"{n_bytes / 2**20:.2f} MiB"


def memory_report() -> str:
    """Return lines that name the largest tensors that are alive, and how much memory has no name."""
    largest: dict[int, tuple[int, str]] = {}
    for name, tensor in _named_tensors():
        for held, label in ((tensor, name), (_gradient_of(tensor), f"the gradient of {name}")):
            if held is None or held.device.type != "cpu":
                continue
            storage = held.untyped_storage()
            size = storage.nbytes()
            if size >= _LEAST and storage.data_ptr() not in largest:
                kind = str(held.dtype).rpartition(".")[2]
                largest[storage.data_ptr()] = (size, f"{kind} {list(held.shape)}, {label}")
    entries = sorted(largest.values(), reverse=True)
    lines = [f"    {_in_words(size)}: {text}" for size, text in entries[:_N_SHOWN]]
    if len(entries) > _N_SHOWN:
        rest = entries[_N_SHOWN:]
        lines.append(f"    {_in_words(sum(size for size, _ in rest))}: {len(rest)} others")
    unnamed = taeda.memory_stats()["allocated_bytes"] - sum(size for size, _ in entries)
    if unnamed >= _LEAST:
        lines.append(f"    {_in_words(unnamed)}: recorded graphs, and what Python does not show")
    return "\n".join(["  the largest tensors alive:", *lines]) if lines else ""


def _gradient_of(tensor: Any) -> Any:
    return tensor.grad if tensor.is_leaf else None
