"""Padding layers: for each mode and for 1, 2 and 3 dimensions."""

from __future__ import annotations

from typing import Any

from taeda.nn import functional as F
from taeda.nn._functional.sizes import n_tuple
from taeda.nn.module import Module

__all__ = [
    f"{mode}Pad{n}d" for mode in ("Circular", "Constant", "Reflection", "Replication", "Zero") for n in (1, 2, 3)
]


class _Pad(Module):
    """Makes the last dimensions larger.

    Args:
        padding: a number, or for each dimension two, the last dimension first: before it, after it.
    """

    __constants__ = ["padding"]
    _n_dims: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = n_tuple(padding, 2 * self._n_dims)

    def forward(self, input: Any) -> Any:
        """``input`` padded."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Makes the last dimensions larger, filling with a constant.

    Args:
        padding: a number, or for each dimension two, the last dimension first: before it, after it.
        value: what to fill with.
    """

    __constants__ = ["padding", "value"]

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Any:
        """``input`` padded."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    __doc__ = _ConstantPad.__doc__
    _n_dims = 1


class ConstantPad2d(_ConstantPad):
    __doc__ = _ConstantPad.__doc__
    _n_dims = 2


class ConstantPad3d(_ConstantPad):
    __doc__ = _ConstantPad.__doc__
    _n_dims = 3


class ZeroPad1d(ConstantPad1d):
    __doc__ = (_Pad.__doc__ or "").replace("larger", "larger, filling with 0")

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    __doc__ = ZeroPad1d.__doc__

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    __doc__ = ZeroPad1d.__doc__

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ReflectionPad1d(_Pad):
    __doc__ = (_Pad.__doc__ or "").replace("larger", "larger by their reflection, which does not repeat the edge")
    _n_dims, _mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    __doc__ = ReflectionPad1d.__doc__
    _n_dims, _mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    __doc__ = ReflectionPad1d.__doc__
    _n_dims, _mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    __doc__ = (_Pad.__doc__ or "").replace("larger", "larger by repeating the edge")
    _n_dims, _mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    __doc__ = ReplicationPad1d.__doc__
    _n_dims, _mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    __doc__ = ReplicationPad1d.__doc__
    _n_dims, _mode = 3, "replicate"


class CircularPad1d(_Pad):
    __doc__ = (_Pad.__doc__ or "").replace("larger", "larger by continuing at their other end")
    _n_dims, _mode = 1, "circular"

    def _check_input_dim(self, input: Any) -> None:
        n = self._n_dims
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)")

    def forward(self, input: Any) -> Any:
        """``input`` padded."""
        self._check_input_dim(input)
        return super().forward(input)


class CircularPad2d(CircularPad1d):
    __doc__ = CircularPad1d.__doc__ or ""
    _n_dims = 2


class CircularPad3d(CircularPad1d):
    __doc__ = CircularPad1d.__doc__ or ""
    _n_dims = 3
