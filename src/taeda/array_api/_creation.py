"""Creation and data types, in the standard's words."""

from __future__ import annotations

import builtins
import functools
from typing import Any

import taeda
from taeda import Tensor
from taeda.array_api._info import names_of_kind

__all__ = [
    "arange",
    "asarray",
    "astype",
    "can_cast",
    "empty",
    "empty_like",
    "eye",
    "finfo",
    "from_dlpack",
    "full",
    "full_like",
    "iinfo",
    "isdtype",
    "linspace",
    "meshgrid",
    "ones",
    "ones_like",
    "result_type",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
]


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def arange(start: float, /, stop: Any = None, step: float = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the numbers from ``start`` up to but without ``stop``; one argument is ``stop``."""
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ValueError("arange: step must not be zero")
    if (stop - start) * step <= 0:  # nothing, where PyTorch raises
        whole = all(isinstance(value, int) for value in (start, stop, step))
        return taeda.empty(0, dtype=dtype or (taeda.int64 if whole else None), device=device)
    return taeda.arange(start, stop, step, dtype=dtype, device=device)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return numbers, sequences, tensors and arrays of other libraries as a tensor.

    Args:
        copy: True: always copy; False: never, or ValueError; None: where needed.
    """
    made = taeda.asarray(obj, dtype=dtype, device=device, copy=copy or None)
    if copy is False and isinstance(obj, Tensor) and made.data_ptr() != obj.data_ptr():
        raise ValueError("asarray: the conversion needs a copy, but copy=False was given")
    if copy is False and not isinstance(obj, Tensor) and not hasattr(obj, "__dlpack__") and not _has_buffer(obj):
        raise ValueError(f"asarray: {type(obj).__name__} can only be copied, but copy=False was given")
    return made


def _has_buffer(obj: Any) -> bool:
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return a tensor whose elements may be anything."""
    return taeda.empty(_shape(shape), dtype=dtype, device=device)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return zeros."""
    return taeda.zeros(_shape(shape), dtype=dtype, device=device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return ones."""
    return taeda.ones(_shape(shape), dtype=dtype, device=device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return one value everywhere; its kind settles the dtype."""
    return taeda.full(_shape(shape), fill_value, dtype=dtype, device=device)


def empty_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return a tensor of ``x``'s shape whose elements may be anything."""
    return taeda.empty_like(x, dtype=dtype, device=device)


def zeros_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return zeros in ``x``'s shape."""
    return taeda.zeros_like(x, dtype=dtype, device=device)


def ones_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return ones in ``x``'s shape."""
    return taeda.ones_like(x, dtype=dtype, device=device)


def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return one value in ``x``'s shape."""
    return taeda.full_like(x, fill_value, dtype=dtype, device=device)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """Return ones on the ``k``-th diagonal, zeros elsewhere."""
    n_cols = n_rows if n_cols is None else n_cols
    made = taeda.zeros((n_rows, n_cols), dtype=dtype, device=device)
    if -n_rows < k < n_cols:
        made.diagonal(k).fill_(1)
    return made


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Tensor:
    """Return ``num`` numbers at equal distances from ``start`` to ``stop``, which is left out without ``endpoint``."""
    if dtype is None and (isinstance(start, complex) or isinstance(stop, complex)):
        dtype = taeda.complex128 if taeda.get_default_dtype() == taeda.float64 else taeda.complex64
    if endpoint:
        return taeda.linspace(start, stop, num, dtype=dtype, device=device)
    return taeda.linspace(start, stop, num + 1, dtype=dtype, device=device)[:num]


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Return the coordinates of a grid: "xy": the first two change places; "ij": in order."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f'meshgrid: indexing must be "xy" or "ij", but got {indexing!r}')
    return tuple(taeda.meshgrid(*arrays, indexing=indexing)) if arrays else ()


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Return ``x`` with zeros above the ``k``-th diagonal."""
    return taeda.tril(x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Return ``x`` with zeros below the ``k``-th diagonal."""
    return taeda.triu(x, k)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return a tensor over the memory of another library's array."""
    made = taeda.from_dlpack(x)
    if device is not None:
        made = made.to(device)
    return made.clone() if copy else made


# ---- data types


def astype(x: Tensor, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """Return ``x`` in another dtype; without ``copy``, itself where nothing changes."""
    if x.is_complex() and not dtype.is_complex:
        if dtype != taeda.bool:
            raise TypeError(f"astype: a complex array cannot become {dtype}: take real() or imag() first")
    return x.to(device=device or x.device, dtype=dtype, copy=copy)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Return whether the standard's promotion leads from a dtype, or a tensor's, to another."""
    source = from_.dtype if isinstance(from_, Tensor) else from_
    return taeda.promote_types(source, to) == to


def isdtype(dtype: Any, kind: Any) -> bool:
    """Return whether a dtype is of a kind: "bool", "signed integer", "numeric" ...; or is a dtype; or either in a tuple."""
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, one) for one in kind)
    if not isinstance(kind, str):
        return dtype == kind
    if kind == "real floating":
        return dtype.is_floating_point
    return dtype in {getattr(taeda, name) for name in names_of_kind(kind)}


def result_type(*arrays_and_dtypes: Any) -> Any:
    """Return the dtype that all arguments have together; Python's numbers take part by their kind only."""
    dtypes = [one.dtype if isinstance(one, Tensor) else one for one in arrays_and_dtypes]
    numbers = [one for one in dtypes if isinstance(one, (builtins.bool, int, float, complex))]
    dtypes = [one for one in dtypes if not isinstance(one, (builtins.bool, int, float, complex))]
    if not dtypes:
        raise ValueError("result_type: at least one argument must be an array or a dtype")
    together = functools.reduce(taeda.promote_types, dtypes)
    for number in numbers:
        together = taeda.result_type(taeda.empty(1, dtype=together), number)
    return together


def finfo(type: Any, /) -> Any:
    """Return the limits of a floating dtype, or a complex one's parts, or a tensor's."""
    return taeda.finfo(type.dtype if isinstance(type, Tensor) else type)


def iinfo(type: Any, /) -> Any:
    """Return the limits of an integer dtype, or a tensor's."""
    return taeda.iinfo(type.dtype if isinstance(type, Tensor) else type)
