"""The Python array API standard, version 2025.12, over taeda's tensors: what ``x.__array_namespace__()`` returns.

The functions have the standard's names, arguments and defaults, which differ from PyTorch's where both have a name: ``sort`` gives
the values only, ``std`` divides by n, ``meshgrid`` is in "xy" order. Tensors are taeda's own; gradients go through.
"""

from __future__ import annotations

from math import e, inf, nan, pi
from typing import Any

import taeda
from taeda import bool as bool
from taeda import complex64, complex128, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64
from taeda.array_api import _creation, _elementwise, _info, _reductions, _shapes, fft, linalg
from taeda.array_api._creation import *  # noqa: F403
from taeda.array_api._elementwise import *  # noqa: F403
from taeda.array_api._info import __array_namespace_info__
from taeda.array_api._reductions import *  # noqa: F403
from taeda.array_api._shapes import *  # noqa: F403
from taeda.array_api.linalg import matmul, matrix_transpose, tensordot, vecdot

__array_api_version__ = "2025.12"
newaxis = None

__all__ = [
    *_creation.__all__,
    *_elementwise.__all__,
    *_reductions.__all__,
    *_shapes.__all__,
    "__array_api_version__",
    "__array_namespace_info__",
    "bool",
    "complex64",
    "complex128",
    "e",
    "fft",
    "float32",
    "float64",
    "inf",
    "int8",
    "int16",
    "int32",
    "int64",
    "linalg",
    "matmul",
    "matrix_transpose",
    "nan",
    "newaxis",
    "pi",
    "tensordot",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "vecdot",
]

_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


def namespace_of(api_version: str | None) -> Any:
    """Return this module, which has all of every version up to its own; ValueError for a version that it does not know."""
    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(f"taeda has the array API standard up to {__array_api_version__}, but got {api_version!r}")
    return taeda.array_api


for _module in (_creation, _elementwise, _info, _reductions, _shapes):
    for _name in _module.__all__:
        if getattr(getattr(_module, _name), "__module__", "") == _module.__name__:
            getattr(_module, _name).__module__ = "taeda.array_api"
