"""The safetensors format: a header of JSON with each tensor's name, dtype, shape and place, then the bytes of all of
them.

Layout: eight bytes with the header's length (little-endian), the header, the data without gaps. The data starts at a
multiple of eight bytes, and wider elements come first, so that every tensor of a mapped file is aligned.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import taeda
from taeda.serialization._files import Source, write_atomically

__all__ = ["load", "load_file", "metadata", "save", "save_file"]

_DTYPE_NAMES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}
_FORMAT_NAMES = {name: format_name for format_name, name in _DTYPE_NAMES.items()}
# The published limit; it keeps a wrong length in the first eight bytes from reading a huge file as text.
_MAX_HEADER_BYTES = 100_000_000


class _Entry:
    """One tensor of the header, checked: its dtype, shape and span of bytes."""

    __slots__ = ("begin", "dtype", "end", "name", "shape")

    def __init__(self, name: str, fields: Any) -> None:
        if not isinstance(fields, dict) or set(fields) != {"dtype", "shape", "data_offsets"}:
            raise RuntimeError(f"tensor {name!r:.80} needs exactly dtype, shape and data_offsets")
        self.name = name
        if not isinstance(fields["dtype"], str) or fields["dtype"] not in _DTYPE_NAMES:
            raise RuntimeError(f"tensor {name!r:.80} has the unsupported dtype {fields['dtype']!r:.40}")
        self.dtype = getattr(taeda, _DTYPE_NAMES[fields["dtype"]])
        self.shape = tuple(_check_naturals(name, "shape", fields["shape"]))
        offsets = _check_naturals(name, "data_offsets", fields["data_offsets"])
        if len(offsets) != 2:
            raise RuntimeError(f"tensor {name!r:.80} has {len(offsets)} data_offsets, not 2")
        self.begin, self.end = offsets
        n_bytes = math.prod(self.shape) * self.dtype.itemsize
        if self.end - self.begin != n_bytes:
            raise RuntimeError(
                f"tensor {name!r:.80} of shape {self.shape} needs {n_bytes} bytes, its data_offsets [{self.begin}, "
                f"{self.end}] give "
                f"{self.end - self.begin}"
            )


def _check_naturals(name: str, what: str, values: Any) -> list[int]:
    if not isinstance(values, list) or any(type(value) is not int or not 0 <= value < 2**63 for value in values):
        raise RuntimeError(f"tensor {name!r:.80}: {what} must be a list of non-negative integers, not {values!r:.80}")
    return values


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name is there twice")
    return fields


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


class _File:
    """The header of a safetensors file, parsed and checked against the file's length."""

    def __init__(self, source: Source) -> None:
        self.source = source
        if source.size < 8:
            raise RuntimeError(f"the file has {source.size} bytes, too few for a header")
        n_header = int.from_bytes(source.read(0, 8), "little")
        if n_header > _MAX_HEADER_BYTES:
            raise RuntimeError(f"the header's length {n_header} is above the limit of {_MAX_HEADER_BYTES}")
        if n_header > source.size - 8:
            raise RuntimeError(
                f"the header has {n_header} bytes, the file only {source.size - 8} after its length (truncated?)"
            )
        self.data_start = 8 + n_header
        fields = self._parse(source.read(8, n_header))
        self.metadata = _check_metadata(fields.pop("__metadata__", {}))
        self.entries = [_Entry(name, value) for name, value in fields.items()]
        self._check_layout()

    @staticmethod
    def _parse(header: bytes) -> dict[str, Any]:
        if not header.startswith(b"{"):
            raise RuntimeError("the header does not start with '{': this is no safetensors file")
        try:
            fields = json.loads(header.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
        except RecursionError:
            raise RuntimeError("the header is nested too deeply") from None
        except ValueError as error:
            raise RuntimeError(f"the header is no valid JSON: {error!s:.200}") from None
        if not isinstance(fields, dict):
            raise RuntimeError("the header is no JSON object")
        return fields

    def _check_layout(self) -> None:
        # Without gaps and overlaps, every byte of the data belongs to exactly one tensor and nothing hides in the file.
        position = 0
        for entry in sorted(self.entries, key=lambda entry: (entry.begin, entry.end)):
            if entry.begin != position:
                kind = "overlaps another one" if entry.begin < position else "follows a gap"
                raise RuntimeError(f"tensor {entry.name!r:.80} {kind}: it begins at {entry.begin}, expected {position}")
            position = entry.end
        n_data = self.source.size - self.data_start
        if position != n_data:
            raise RuntimeError(f"the tensors need {position} bytes of data, the file has {n_data} (truncated?)")

    def read(self, entry: _Entry, device: str) -> Any:
        if device == "meta":
            return taeda.empty(entry.shape, dtype=entry.dtype, device="meta")
        data = self.source.tensor(self.data_start + entry.begin, entry.end - entry.begin)
        if data.data_ptr() % entry.dtype.itemsize and data.numel():
            data = data.clone()
        if sys.byteorder == "big":
            from taeda.serialization._zip_format import swap_bytes

            swap_bytes(data, entry.dtype)
        return data.view(entry.dtype).view(entry.shape)


def _check_metadata(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or any(not isinstance(text, str) for text in value.values()):
        raise RuntimeError("__metadata__ must map strings to strings")
    return value


def read_safetensors(source: Source, place: Callable[[str], str]) -> dict[str, Any]:
    """Return all tensors of a safetensors file; `place` gives the device for those that the file has on "cpu"."""
    file = _File(source)
    tensors = {entry.name: file.read(entry, place("cpu")) for entry in file.entries}
    source.finish(source.size)
    return tensors


def _naming(source: Source, function: Callable[[Source], Any]) -> Any:
    try:
        return function(source)
    except RuntimeError as error:
        raise RuntimeError(f"{source.name}: {error}") from None


def load_file(filename: Any, device: Any = "cpu", *, mmap: bool = False) -> dict[str, Any]:
    """Return a dictionary of the tensors in the safetensors file `filename`.

    Args:
        filename: a path or a binary file object.
        device: "cpu", or "meta" for shapes without data.
        mmap: map the file instead of reading it; pages are then read when they are first used.

    A truncated, damaged or malformed file is a RuntimeError that names the file and the reason.
    """
    with Source(filename, mmap) as source:
        kind = taeda.device(device).type
        return _naming(source, lambda source: read_safetensors(source, lambda _: kind))


def metadata(filename: Any) -> dict[str, str]:
    """Return the free text that the safetensors file `filename` carries beside its tensors."""
    with Source(filename) as source:
        return _naming(source, lambda source: _File(source).metadata)


def load(data: bytes) -> dict[str, Any]:
    """Return a dictionary of the tensors in `data`, the contents of a safetensors file."""
    import io

    return load_file(io.BytesIO(data))


def save(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the contents of a safetensors file with `tensors`; the arguments are those of `save_file`."""
    import io

    buffer = io.BytesIO()
    write_safetensors(tensors, buffer, metadata)
    return buffer.getvalue()


def save_file(tensors: Mapping[str, Any], filename: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write `tensors` to the safetensors file `filename`, which is replaced only once all is written.

    Args:
        tensors: from names to tensors; strides are not kept, `requires_grad` neither.
        filename: a path or a binary file object.
        metadata: free text to store beside the tensors, from strings to strings.

    Tensors that share memory are a RuntimeError, because the format would store them twice and loading would part them.
    """
    write_atomically(filename, lambda file: write_safetensors(tensors, file, metadata))


def write_safetensors(tensors: Any, file: BinaryIO, metadata: Mapping[str, str] | None = None) -> None:
    """Write `tensors` to an open binary file; see `save_file`."""
    _check_tensors(tensors)
    header: dict[str, Any] = {}
    if metadata is not None:
        header["__metadata__"] = _check_metadata(dict(metadata))
    # Wide elements first: every offset is then a multiple of its element's size without any gap.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    position = 0
    for name in names:
        tensor = tensors[name]
        end = position + tensor.numel() * tensor.dtype.itemsize
        header[name] = {
            "dtype": _FORMAT_NAMES[_dtype_name(tensor)],
            "shape": list(tensor.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > _MAX_HEADER_BYTES:
        raise RuntimeError(f"the header would have {len(text)} bytes, above the limit of {_MAX_HEADER_BYTES}")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name in names:
        _write_data(file, tensors[name])


def _write_data(file: BinaryIO, tensor: Any) -> None:
    if not tensor.numel():
        return
    data = tensor.detach().contiguous().view(-1).view(taeda.uint8)
    if sys.byteorder == "big":
        from taeda.serialization._zip_format import swap_bytes

        data = data.clone()
        swap_bytes(data, tensor.dtype)
    file.write(memoryview(data.numpy()))


def _dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).rpartition(".")[2]


def _check_tensors(tensors: Any) -> None:
    if not isinstance(tensors, Mapping):
        raise ValueError(
            f"a safetensors file holds a dictionary from names to tensors, but received {type(tensors).__name__}"
        )
    spans = []
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, taeda.Tensor):
            raise ValueError(
                f"Key `{name!r:.80}` is invalid: a safetensors file holds only strings with tensors, got "
                f"{type(tensor).__name__}"
            )
        if name == "__metadata__":
            raise ValueError("the name `__metadata__` is reserved")
        if _dtype_name(tensor) not in _FORMAT_NAMES:
            raise ValueError(f"tensor `{name}` has dtype {tensor.dtype}, which safetensors does not have")
        if tensor.device.type == "meta":
            raise RuntimeError(f"tensor `{name}` is on device meta and has no data to save")
        if tensor.numel():
            spans.append((*_memory_span(tensor), name))
    spans.sort()
    for (_, end, name), (begin, _, other) in zip(spans, spans[1:], strict=False):
        if begin < end:
            raise RuntimeError(
                f"Some tensors share memory: `{name}` and `{other}`. They would be stored twice, and no longer share "
                "it when loaded. "
                "Save only one of them, or clone() one first"
            )


def _memory_span(tensor: Any) -> tuple[int, int]:
    """Return the lowest address that `tensor` uses, and the address after the highest."""
    low = sum((length - 1) * step for length, step in zip(tensor.shape, tensor.stride(), strict=True) if step < 0)
    high = sum((length - 1) * step for length, step in zip(tensor.shape, tensor.stride(), strict=True) if step > 0)
    width = tensor.dtype.itemsize
    return tensor.data_ptr() + low * width, tensor.data_ptr() + (high + 1) * width
