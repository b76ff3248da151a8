"""Samples as Python source: what documentation shows and the fuzzer prints."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Sample

__all__ = ["source_of", "text_of"]

_PREFIX = {"torch": "torch.", "nn.functional": "torch.nn.functional.", "_C": "torch._C."}
_DEFAULTS = (taeda.float32, taeda.int64, taeda.bool, taeda.complex64)


def source_of(row: Op, sample: Sample) -> str:
    """Return the call of a sample as an expression in which the package is called ``torch``."""
    args = [text_of(value) for value in sample.args]
    args += [f"{name}={text_of(value)}" for name, value in sample.kwargs.items()]
    if row.where[0] == "Tensor":
        return f"{args[0]}.{row.name}({', '.join(args[1:])})"
    return f"{_PREFIX.get(row.where[0], f'torch.{row.where[0]}.')}{row.name}({', '.join(args)})"


def text_of(value: Any) -> str:
    """Return an expression whose value is ``value``, a tensor or what else a schema takes."""
    if isinstance(value, taeda.Tensor):
        dtype = "" if value.dtype in _DEFAULTS else f", dtype={_dtype(value.dtype)}"
        if value.numel() == 0:
            dtype = "" if value.dtype == taeda.float32 else f", dtype={_dtype(value.dtype)}"
            return f"torch.empty({tuple(value.shape)}{dtype})"
        return f"torch.tensor({_numbers(value.tolist())}{dtype})"
    if isinstance(value, (list, tuple)) and any(isinstance(entry, taeda.Tensor) for entry in value):
        return "[" + ", ".join(text_of(entry) for entry in value) + "]"
    if isinstance(value, (taeda.dtype, taeda.memory_format)):
        return _dtype(value)
    if isinstance(value, float) and value != value or value in (float("inf"), -float("inf")):
        return f'float("{value}")'
    return repr(value)


def _dtype(value: Any) -> str:
    return "torch." + str(value).rpartition(".")[2]


def _numbers(value: Any) -> str:
    """Nested lists of numbers, with as many digits as float32 tells apart."""
    if isinstance(value, list):
        return "[" + ", ".join(_numbers(entry) for entry in value) + "]"
    if isinstance(value, float):
        return f"{value:.7g}" if value != round(value) else f"{value:.1f}"
    if isinstance(value, complex):
        return f"{value.real:.7g}{value.imag:+.7g}j"
    return repr(value)
