"""Small arguments for every operation of the registry, for tests, documentation and fuzzing.

`samples_of(row, dtype)` gives a row's samples. A pointwise row needs none written: they follow from its schema. Every other row
has a generator in the file of its family, which carries the family's name in `taeda.ops`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import taeda
from taeda.ops.batching import is_random
from taeda.ops.capabilities import all_rows
from taeda.ops.registry import Op
from taeda.testing.samples import pointwise
from taeda.testing.samples._layouts import LAYOUTS, repeated
from taeda.testing.samples._make import SAMPLERS, Make, Sample
from taeda.testing.samples._odd import ODD_LAYOUTS, known, odd
from taeda.testing.samples._source import source_of, text_of

__all__ = [
    "LAYOUTS",
    "ODD_LAYOUTS",
    "Make",
    "Sample",
    "WITHOUT",
    "call",
    "default_dtype",
    "differentiable_inputs",
    "function_of",
    "has_samples",
    "is_random",
    "known",
    "odd",
    "repeated",
    "samples_of",
    "source_of",
    "text_of",
]

# Rows without samples, and why.
WITHOUT: dict[str, str] = {
    "_require": "it only passes its input on, or raises",
    "_no_second_derivative": "it does nothing but raise",
    "_set_tensor_": "it hands out the memory of another tensor; Tensor.data's setter is its only use",
}
_ROOTS = {"torch": "taeda", "Tensor": "taeda.Tensor", "_C": "taeda._C"}


def _generator(row: Op) -> Callable[..., Any] | None:
    _load()
    if row.samples is not None:
        return row.samples
    found = SAMPLERS.get(row.key) or SAMPLERS.get(row.name)
    return pointwise.derived if found is None and row.pointwise is not None else found


@functools.cache
def _load() -> None:
    """Import the families' files, which fill `SAMPLERS`."""
    all_rows()
    for info in pkgutil.iter_modules(__path__):
        importlib.import_module(f"taeda.testing.samples.{info.name}")


def has_samples(row: Op) -> bool:
    """Return whether ``row`` has a generator of samples, or needs none because it is pointwise."""
    return _generator(row) is not None


def samples_of(row: Op, dtype: Any = None) -> list[Sample]:
    """Return the samples of a row: the plain one first, then options, broadcast, zero-dim and empty ones.

    Args:
        row: an operation of the registry.
        dtype: of the operands; default: `default_dtype`.

    Returns:
        Fresh tensors, the same ones in each call. Empty for a row that is in `WITHOUT`.

    Raises:
        LookupError: nobody has written samples for this row.
    """
    if row.key in WITHOUT:
        return []
    generator = _generator(row)
    if generator is None:
        raise LookupError(
            f"{row.key} has no samples: write a generator in src/taeda/testing/samples/{row.module}.py, or give the "
            "reason why there can be none in WITHOUT"
        )
    return list(generator(Make(row.key, dtype or default_dtype(row)), row))


def default_dtype(row: Op) -> Any:
    """Return the dtype in which an operation is usually looked at: float64 where it takes real numbers."""
    if row.pointwise is None:
        return taeda.complex128 if row.key in ("view_as_real", "imag") else taeda.float64
    types = row.pointwise.types
    if "float" in types:
        return taeda.float64
    return taeda.complex128 if types == {"complex"} else taeda.int64


def function_of(row: Op) -> Callable[..., Any]:
    """Return the public function of an operation, from the first of its homes."""
    path = _ROOTS.get(row.where[0], f"taeda.{row.where[0]}").split(".")[1:]
    return getattr(functools.reduce(getattr, path, taeda), row.name)


def call(row: Op, sample: Sample, **more: Any) -> Any:
    """Return the operation's result for a sample. Random operations start from seed 0."""
    if is_random(row):
        taeda.manual_seed(0)
    return function_of(row)(*sample.args, **sample.kwargs, **more)


def differentiable_inputs(row: Op) -> tuple[str, ...]:
    """Return the names of the arguments with respect to which the operation has a gradient."""
    if row.pointwise is None:
        return tuple(name.strip() for names in row.vjp for name in names.split(","))
    return tuple(name for name, gradient in row.pointwise.gradients.items() if gradient.kind != "none")
