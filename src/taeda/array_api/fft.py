"""The standard's Fourier transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import taeda
from taeda import Tensor

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]


def _one(name: str) -> None:
    function = getattr(taeda.fft, name)

    def transform(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
        return function(x, n, axis, norm)

    _finish(transform, name)


def _many(name: str) -> None:
    function = getattr(taeda.fft, name)

    def transform(
        x: Tensor, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
    ) -> Tensor:
        return function(x, s, axes, norm)

    _finish(transform, name)


def _finish(transform: Any, name: str) -> None:
    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"See ``fft.{name}``; axes by the standard's names."
    globals()[name] = transform
    __all__.append(name)


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    _one(_name)
for _name in ("fftn", "ifftn", "rfftn", "irfftn"):
    _many(_name)


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the frequencies of a transform of length ``n``, of samples ``d`` apart."""
    return taeda.fft.fftfreq(n, d, dtype=dtype, device=device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the frequencies of the first half of a transform of length ``n``, of samples ``d`` apart."""
    return taeda.fft.rfftfreq(n, d, dtype=dtype, device=device)


def fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """Return ``x`` with frequency zero moved to the middle."""
    return taeda.fft.fftshift(x, axes)


def ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """Return the inverse of ``fftshift``."""
    return taeda.fft.ifftshift(x, axes)
