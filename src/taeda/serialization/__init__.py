"""Saving to files and loading from them: PyTorch's zip format and its predecessor, and safetensors.

`_pickle_reader` and `_pickle_writer` know the pickle grammar, `_names` the objects it may name, `_zip_format`,
`_legacy_format` and `safetensors` the containers, `_files` how to read at offsets and how to replace a file atomically.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import taeda
from taeda.serialization import safetensors
from taeda.serialization._files import Source, write_atomically

__all__ = ["load", "safetensors", "save"]

_TAR_MAGIC_OFFSET = 257


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Save `obj` to a file that both taeda and PyTorch (``weights_only=True``) load.

    Args:
        obj: tensors, parameters, numbers, strings, sizes, dtypes and devices in any nesting of dictionaries, lists,
            tuples, sets; for a name that ends in ``.safetensors``, a flat dictionary from names to tensors.
        f: a path, or a file object opened for writing bytes. A path is replaced only once everything is written and on
            the disk, so that a failure leaves the earlier file.
        pickle_module: accepted and not used, because no pickler runs.
        pickle_protocol: must be 2, the protocol of such files.

    Tensors that share a storage still do when loaded; strides are kept.
    Edge cases: an object that loading could only restore by running code is a `pickle.PicklingError` that says where it
    is. DIFF(torch): PyTorch pickles such objects.
    """
    if pickle_protocol != 2:
        raise ValueError(f"taeda.save writes pickle protocol 2, got pickle_protocol={pickle_protocol}")
    if isinstance(f, (str, os.PathLike)) and os.fspath(f).endswith(".safetensors"):
        safetensors.save_file(obj, f)
        return
    # Imported here: a program that only computes never needs the formats.
    from taeda.serialization._legacy_format import write_legacy
    from taeda.serialization._zip_format import archive_name, write_zip

    if _use_new_zipfile_serialization:
        write_atomically(f, lambda file: write_zip(obj, file, archive_name(f)))
    else:
        write_atomically(f, lambda file: write_legacy(obj, file))


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Return the object that the file `f` holds: PyTorch's zip format, the format before it, or safetensors, told by
    content.

    Args:
        f: a path, or a seekable file object opened for reading bytes.
        map_location: where storages go: None, a device, a dictionary from device names in the file to device names, or
            a function of (storage, device name). ``"meta"`` gives shapes without data.
        pickle_module: accepted and not used.
        weights_only: accepted; False changes nothing, because nothing that a file names is ever run. DIFF(torch):
            PyTorch then unpickles anything.
        mmap: map the file instead of reading it (paths only): pages are read when first used, and changes stay in
            memory.

    Edge cases: a truncated, damaged or malformed file is a RuntimeError, an object that is not plain data a
    `pickle.UnpicklingError`; both name the file and the reason.
    """
    if pickle_load_args.keys() - {"encoding", "errors"}:
        raise TypeError(f"load() got an unexpected keyword argument '{next(iter(pickle_load_args))}'")
    with Source(f, bool(mmap)) as source:
        try:
            return _load_from(source, _placement(map_location), bool(mmap))
        except UnpicklingError as error:
            raise UnpicklingError(f"{source.name}: {error}") from error.__cause__
        except RuntimeError as error:
            raise RuntimeError(f"{source.name}: {error}") from error.__cause__


def _load_from(source: Source, place: Callable[[str], str], is_mapped: bool) -> Any:
    head = source.read(0, 512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        from taeda.serialization._zip_format import read_zip

        value = read_zip(source, place, is_mapped)
        source.finish(source.size)
        return value
    from taeda.serialization._legacy_format import MAGIC, read_legacy

    if head.startswith(MAGIC):
        if is_mapped:
            raise RuntimeError("mmap can only be used with files saved with the zip format or safetensors")
        return read_legacy(source, place)
    if head[8:9] == b"{":
        return safetensors.read_safetensors(source, place)
    if not head:
        raise EOFError(f"{source.name}: Ran out of input, the file is empty")
    if head[_TAR_MAGIC_OFFSET : _TAR_MAGIC_OFFSET + 5] == b"ustar":
        raise RuntimeError("tar files, as PyTorch wrote before version 0.1.10, are not supported")
    if head[0] == 0x80:
        raise UnpicklingError("invalid magic number; this is a pickle, but not a tensor file")
    raise UnpicklingError(
        f"invalid magic number; corrupt file? It starts with {head[:8]!r}, which no format does that taeda.load reads "
        "(PyTorch zip, "
        "PyTorch legacy, safetensors)"
    )


def _placement(map_location: Any) -> Callable[[str], str]:
    """Return a function from the device named in the file to "cpu" or "meta"."""
    if map_location is None:
        return _require_cpu
    if callable(map_location) and not isinstance(map_location, taeda.device):
        return _placement_by_function(map_location)
    if isinstance(map_location, dict):
        return lambda location: (
            _device_type(map_location[location]) if location in map_location else _require_cpu(location)
        )
    kind = _device_type(map_location)
    return lambda location: kind


def _placement_by_function(function: Callable[[Any, str], Any]) -> Callable[[str], str]:
    def place(location: str) -> str:
        # The function sees a storage as PyTorch gives it one; only its device is of interest, since all are on the CPU.
        result = function(taeda.empty(0, dtype=taeda.uint8).untyped_storage(), location)
        if result is None:
            return _require_cpu(location)
        device = getattr(result, "device", None)
        return _device_type(device) if device is not None else "cpu"

    return place


def _device_type(device: Any) -> str:
    kind = taeda.device(device).type
    if kind not in ("cpu", "meta"):
        raise RuntimeError(
            f"Attempting to deserialize object on device {device}, but taeda has only the devices cpu and meta"
        )
    return str(kind)


def _require_cpu(location: str) -> str:
    kind = location.partition(":")[0]
    if kind in ("cpu", "meta"):
        return kind
    raise RuntimeError(
        f"Attempting to deserialize object on a {kind.upper()} device but taeda.cuda.is_available() is False. If you "
        "are running on a "
        "CPU-only machine, please use taeda.load with map_location=taeda.device('cpu') to map your storages to the CPU."
    )
