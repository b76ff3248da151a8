"""taeda.ops.aten: operations by the names of PyTorch's operator library, with its overload objects.

A name is looked up when it is first asked for: among the core's rows, the compositions, and the methods of Tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taeda import _C, _ops

__all__ = ["OpOverload", "OpOverloadPacket", "aten"]

# Overloads differ in what they take; here one function takes it all, so an overload only has another name.
_OVERLOADS = frozenset(
    "default Tensor Scalar Tensor_Scalar Scalar_Tensor Tensor_Tensor Scalar_Scalar Tensor_mode Scalar_mode self other dim "
    "int out int_Scalar int_Tensor dim_IntList dim_int IntList bool float complex dim_max unary_out start start_step source "
    "input vec sizes dimname Tensor_out Scalar_out values binary dtype dtype_layout correction ScalarOpt_dim p value src "
    "reduce value_reduce two fro ord_str str bins_tensor bin_ct int_bins TensorList_bins array indices sections "
    "tensor_indices_or_sections Tensor_sizes dims".split()
)


class OpOverload:
    """One form of an operation: ``taeda.ops.aten.add.Tensor``."""

    def __init__(self, packet: OpOverloadPacket, overload: str) -> None:
        self.overloadpacket = packet
        self._overloadname = overload
        self.__name__ = f"{packet.__name__}.{overload}"
        self.__doc__ = packet.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.overloadpacket(*args, **kwargs)

    def name(self) -> str:
        """Return the full name: ``aten::add.Tensor``."""
        own = "" if self._overloadname == "default" else f".{self._overloadname}"
        return f"aten::{self.overloadpacket.__name__}{own}"

    def __str__(self) -> str:
        return f"aten.{self.__name__}"

    def __repr__(self) -> str:
        return f"<OpOverload(op='aten.{self.overloadpacket.__name__}', overload='{self._overloadname}')>"


class OpOverloadPacket:
    """All forms of an operation: ``taeda.ops.aten.add``."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.__name__ = name
        self.__doc__ = function.__doc__
        self._qualified_op_name = f"aten::{name}"
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "self" in kwargs:
            kwargs["input"] = kwargs.pop("self")
        return self._function(*args, **kwargs)

    def overloads(self) -> list[str]:
        """Return the names of the forms that are known."""
        from taeda.ops.registry import REGISTRY

        return [row.overload or "default" for row in REGISTRY.values() if row.name == self.__name__] or ["default"]

    def __getattr__(self, overload: str) -> OpOverload:
        if overload not in _OVERLOADS and overload not in self.overloads():
            raise AttributeError(f"The underlying op of 'aten.{self.__name__}' has no overload name '{overload}'")
        made = OpOverload(self, overload)
        setattr(self, overload, made)
        return made

    def __str__(self) -> str:
        return f"aten.{self.__name__}"

    __repr__ = __str__


def _slice(input: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    """Return the view ``input[start:end:step]`` along ``dim``."""
    return _C._slice(input, dim, start, end, step)


_OWN = {"slice": _slice}
# The operator library puts a module's name in front: linalg_det, fft_fft, special_erf.
_PREFIXES = {"linalg_": "linalg", "fft_": "fft", "special_": "special"}
_HOMES = ("torch", "nn.functional", "_C", "linalg", "special", "fft")


def _find(name: str) -> Callable[..., Any] | None:
    if name in _OWN:
        return _OWN[name]
    for prefix, home in _PREFIXES.items():
        found = _ops.namespace(home).get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if found is not None:
            return found
    for home in _HOMES:
        found = _ops.namespace(home).get(name)
        if found is not None:
            return found
    method = getattr(_C.Tensor, name, None)
    return method if callable(method) else None


class _Namespace:
    """``taeda.ops.aten``."""

    def __getattr__(self, name: str) -> OpOverloadPacket:
        found = None if name.startswith("__") and name not in _REFLECTED else _find(name)
        if found is None:
            raise AttributeError(f"taeda.ops.aten has no operation {name!r}")
        packet = OpOverloadPacket(name, found)
        setattr(self, name, packet)
        return packet

    def __repr__(self) -> str:
        return "<taeda.ops.aten>"


_REFLECTED = {"__and__", "__or__", "__xor__", "__lshift__", "__rshift__", "__iand__", "__ior__", "__ixor__"}

aten = _Namespace()
