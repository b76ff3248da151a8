"""What the standard's inspection API tells: devices, dtypes, capabilities."""

from __future__ import annotations

from typing import Any

import taeda

__all__ = ["__array_namespace_info__"]

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]


def names_of_kind(kind: Any) -> tuple[str, ...]:
    """The dtypes' names of a kind, or of several in a tuple; None: of all."""
    if kind is None:
        return _KINDS["bool"] + _KINDS["numeric"]
    if isinstance(kind, tuple):
        return tuple(name for one in kind for name in names_of_kind(one))
    if kind not in _KINDS:
        raise ValueError(f"unrecognized kind of dtype: {kind!r}, expected one of {', '.join(_KINDS)}")
    return _KINDS[kind]


class __array_namespace_info__:  # noqa: N801 (the standard's name)
    """Answers what devices and dtypes there are, and what is possible."""

    def capabilities(self) -> dict[str, Any]:
        """Return whether shapes may depend on values, and how many dimensions a tensor may have (None: any number)."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self) -> Any:
        """Return the cpu."""
        return taeda.device("cpu")

    def devices(self) -> list[Any]:
        """Return the devices that compute: the cpu."""
        return [taeda.device("cpu")]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """Return the dtypes of what is made without one."""
        real = taeda.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": taeda.complex128 if real == taeda.float64 else taeda.complex64,
            "integral": taeda.int64,
            "indexing": taeda.int64,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """Return the standard's dtypes by name; of one kind, or of several in a tuple."""
        return {name: getattr(taeda, name) for name in names_of_kind(kind)}
