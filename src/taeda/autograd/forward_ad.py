"""Forward mode: derivatives along a direction, computed beside the values instead of backward through a recording.

Inside a `dual_level`, `make_dual` gives a tensor a tangent; every operation on it gives its results theirs; `unpack_dual`
takes them out. Levels nest, for derivatives of derivatives. What is done is recorded for reverse mode as always, tangents
too, so that both modes can be combined in either order.
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import taeda
from taeda import _C

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "set_forward_grad_enabled",
    "unpack_dual",
]

# The core's numbers of the open levels, outermost first. The core numbers levels anew each time; callers count from 0.
_levels: list[int] = []


class UnpackedDualTensor(NamedTuple):
    """A tensor without its tangent, and the tangent, None where it has none."""

    primal: Any
    tangent: Any


def enter_dual_level() -> int:
    """Open a level and return its number: 0, or one more than that of the level inside which it is opened."""
    _levels.append(_C._enter_dual_level())
    return len(_levels) - 1


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the innermost level; all tangents of that level are gone then.

    Args:
        level: its number, if it is to be checked; closing another one than the innermost is a RuntimeError.
    """
    if not _levels:
        raise RuntimeError("Trying to exit a forward AD level, but no level is open.")
    if level is not None and level != len(_levels) - 1:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    _C._exit_dual_level(_levels.pop())


class dual_level(contextlib.ContextDecorator):
    """A context in which tensors can have tangents; it gives the level's number."""

    def __enter__(self) -> int:
        self._numbers = [*getattr(self, "_numbers", ()), enter_dual_level()]
        return self._numbers[-1]

    def __exit__(self, *exc_info: object) -> None:
        exit_dual_level(level=self._numbers.pop())


def _check_dtype(tensor: Any, what: str) -> None:
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise ValueError(f"Expected {what} to be floating point or complex, but got: {tensor.dtype}")


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """Return a view of `tensor` that has the tangent `tangent`.

    Args:
        tensor: the value, of a floating-point or complex dtype; it has no tangent itself afterwards.
        tangent: of the same shape; it is converted to the dtype of `tensor`.
        level: the number of an open level; the innermost by default.
    """
    if not _levels:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    _check_dtype(tensor, "primal")
    _check_dtype(tangent, "tangent")
    if tangent.dtype != tensor.dtype:
        tangent = tangent.to(tensor.dtype)
    return _C._make_dual(tensor, tangent, -1 if level is None else level)


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """Return a view of `tensor` without its tangent, and the tangent, None where it has none.

    Args:
        tensor: any tensor.
        level: the number of an open level; the innermost by default. Without an open level there are no tangents.
    """
    if not _levels:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(*_C._unpack_dual(tensor, -1 if level is None else level))


class set_forward_grad_enabled:
    """Switch at once whether operations compute tangents in this thread; as a context, until its end.

    Args:
        mode: False leaves results without tangents.
    """

    def __init__(self, mode: bool) -> None:
        self.prev = _C._is_forward_enabled()
        _C._set_forward_enabled(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        _C._set_forward_enabled(self.prev)


_set_fwd_grad_enabled = set_forward_grad_enabled
_is_fwd_grad_enabled = _C._is_forward_enabled


def push_forward(func: Any, inputs: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]]:
    """Return the results of `func(*inputs)` as a tuple, and their tangents along `tangents` (zeros where nothing
    depends on the inputs).

    Args:
        func: takes tensors, returns a tensor or a sequence.
        inputs: the point.
        tangents: the direction, one tensor for each input, None for an input that stays as it is.
    """
    with dual_level():
        duals = (
            value if tangent is None else make_dual(value, tangent)
            for value, tangent in zip(inputs, tangents, strict=True)
        )
        results = func(*duals)
        values = tuple(results) if isinstance(results, (tuple, list)) else (results,)
        unpacked = [unpack_dual(value) if isinstance(value, taeda.Tensor) else (value, None) for value in values]
        primals = tuple(primal for primal, _ in unpacked)
        slopes = [
            taeda.zeros_like(primal) if tangent is None and isinstance(primal, taeda.Tensor) else tangent
            for primal, tangent in unpacked
        ]
    return primals, slopes
