"""Window functions, from their textbook formulas: ``taeda.hann_window`` and ``taeda.signal.windows``.

A *periodic* window of n points is the symmetric one of n + 1 points without its last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "bartlett",
    "bartlett_window",
    "blackman",
    "blackman_window",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hamming_window",
    "hann",
    "hann_window",
    "kaiser",
    "kaiser_window",
    "nuttall",
]


def _options(options: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The factory options of a window, checked, and whether its gradient is wanted."""
    made = dict(options)
    requires_grad = bool(made.pop("requires_grad", False))
    dtype = made.get("dtype")
    if dtype is not None and not dtype.is_floating_point:
        raise RuntimeError(f"window functions only support floating point dtypes, got {dtype}")
    return made, requires_grad


def _finish(window: Tensor, requires_grad: bool) -> Tensor:
    return window.requires_grad_() if requires_grad else window


def _check_length(name: str, length: int) -> None:
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={length}")


def _sum_of_cosines(n: int, denominator: float, weights: Sequence[float], options: dict[str, Any]) -> Tensor:
    """sum_k (-1)^k weights[k] cos(2 pi k i / denominator) for i < n."""
    place = taeda.arange(n, **{**options, "dtype": options.get("dtype") or taeda.get_default_dtype()})
    window = taeda.full_like(place, weights[0])
    for k, weight in enumerate(weights[1:], start=1):
        window = window + (-1) ** k * weight * taeda.cos(place * (2 * math.pi * k / denominator))
    return window


def _cosine_window(name: str, length: int, periodic: bool, weights: Sequence[float], options: dict[str, Any]) -> Tensor:
    _check_length(name, length)
    made, requires_grad = _options(options)
    if length <= 1:
        return _finish(taeda.ones(length, **made), requires_grad)
    return _finish(_sum_of_cosines(length, length if periodic else length - 1, weights, made), requires_grad)


@public("torch")
def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """Return the Hann window ``(1 - cos(2 pi i / N)) / 2``.

    Args:
        window_length: the number of points.
        periodic: N is the length, for use in a Fourier transform; False: one less, and the window is symmetric.
        options: dtype, layout, device, pin_memory and requires_grad.
    """
    return _cosine_window("hann_window", window_length, periodic, (0.5, 0.5), options)


@public("torch")
def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **options: Any
) -> Tensor:
    """Return the Hamming window ``alpha - beta cos(2 pi i / N)``.

    Args:
        window_length: the number of points.
        periodic: N is the length; False: one less, and the window is symmetric.
        alpha, beta: the weights.
        options: dtype, layout, device, pin_memory and requires_grad.
    """
    return _cosine_window("hamming_window", window_length, periodic, (alpha, beta), options)


@public("torch")
def blackman_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """Return the Blackman window ``0.42 - 0.5 cos(2 pi i / N) + 0.08 cos(4 pi i / N)``.

    Args:
        window_length: the number of points.
        periodic: N is the length; False: one less, and the window is symmetric.
        options: dtype, layout, device, pin_memory and requires_grad.
    """
    return _cosine_window("blackman_window", window_length, periodic, (0.42, 0.5, 0.08), options)


@public("torch")
def bartlett_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """Return the Bartlett window: a triangle that begins at zero.

    Args:
        window_length: the number of points.
        periodic: as if it had one more point; False: the window is symmetric.
        options: dtype, layout, device, pin_memory and requires_grad.
    """
    _check_length("bartlett_window", window_length)
    made, requires_grad = _options(options)
    if window_length <= 1:
        return _finish(taeda.ones(window_length, **made), requires_grad)
    steps = window_length if periodic else window_length - 1
    place = taeda.arange(window_length, **{**made, "dtype": made.get("dtype") or taeda.get_default_dtype()})
    return _finish(1 - taeda.abs(place * (2 / steps) - 1), requires_grad)


@public("torch")
def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, **options: Any) -> Tensor:
    """Return the Kaiser window ``i0(beta sqrt(1 - (2 i / N - 1)^2)) / i0(beta)``.

    Args:
        window_length: the number of points.
        periodic: N is the length; False: one less, and the window is symmetric.
        beta: the shape; larger is narrower.
        options: dtype, layout, device, pin_memory and requires_grad.
    """
    _check_length("kaiser_window", window_length)
    made, requires_grad = _options(options)
    if window_length <= 1:
        return _finish(taeda.ones(window_length, **made), requires_grad)
    return _finish(_kaiser(window_length, window_length if periodic else window_length - 1, beta, made), requires_grad)


def _kaiser(n: int, denominator: float, beta: float, options: dict[str, Any]) -> Tensor:
    place = taeda.arange(n, **{**options, "dtype": options.get("dtype") or taeda.get_default_dtype()})
    inside = 1 - (place * (2 / denominator) - 1) ** 2
    return taeda.i0(beta * taeda.sqrt(taeda.clamp(inside, min=0))) / taeda.i0(taeda.full_like(place[:1], beta))


# ---- taeda.signal.windows: symmetric unless told


def _window_options(name: str, m: int, options: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    if m < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={m}")
    made, requires_grad = dict(options), bool(options.get("requires_grad", False))
    made.pop("requires_grad", None)
    if made.get("layout") not in (None, taeda.strided):
        raise ValueError(f"{name} is implemented for strided tensors only, got: {made['layout']}")
    dtype = made.get("dtype") or taeda.get_default_dtype()
    if dtype not in (taeda.float32, taeda.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    return {**made, "dtype": dtype}, requires_grad


def _steps(m: int, sym: bool) -> int:
    return m - 1 if sym else m


@public("signal.windows")
def general_cosine(M: int, *, a: Sequence[float], sym: bool = True, **options: Any) -> Tensor:
    """Return the window ``sum_k (-1)^k a[k] cos(2 pi k i / (M - 1))``.

    Args:
        M: the number of points.
        a: the weights.
        sym: symmetric; False: periodic.
        options: dtype, layout, device and requires_grad.
    """
    made, requires_grad = _window_options("general_cosine", M, options)
    if not isinstance(a, Sequence):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    if M <= 1:
        return _finish(taeda.ones(M, **made), requires_grad)
    return _finish(_sum_of_cosines(M, _steps(M, sym), a, made), requires_grad)


@public("signal.windows")
def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """Return the window ``alpha - (1 - alpha) cos(2 pi i / (M - 1))``.

    Args:
        M: the number of points.
        alpha: the weight.
        sym: symmetric; False: periodic.
        options: dtype, layout, device and requires_grad.
    """
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, **options)


@public("signal.windows")
def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Return the Hann window of ``M`` points; ``sym=False`` makes it periodic."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


@public("signal.windows")
def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Return the Hamming window of ``M`` points; ``sym=False`` makes it periodic."""
    return general_hamming(M, sym=sym, **options)


@public("signal.windows")
def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Return the Blackman window of ``M`` points; ``sym=False`` makes it periodic."""
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


@public("signal.windows")
def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Return Nuttall's four-term window of ``M`` points; ``sym=False`` makes it periodic."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)


@public("signal.windows")
def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Return the Bartlett window (a triangle) of ``M`` points; ``sym=False`` makes it periodic."""
    made, requires_grad = _window_options("bartlett", M, options)
    if M <= 1:
        return _finish(taeda.ones(M, **made), requires_grad)
    place = taeda.arange(M, **made)
    return _finish(1 - taeda.abs(place * (2 / _steps(M, sym)) - 1), requires_grad)


@public("signal.windows")
def cosine(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Return the window ``sin(pi (i + 1/2) / M)``; ``sym=False`` makes it periodic."""
    made, requires_grad = _window_options("cosine", M, options)
    if M <= 1:
        return _finish(taeda.ones(M, **made), requires_grad)
    length = M if sym else M + 1
    return _finish(taeda.sin((taeda.arange(M, **made) + 0.5) * (math.pi / length)), requires_grad)


@public("signal.windows")
def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """Return the window ``exp(-((i - (M - 1) / 2) / std)^2 / 2)``.

    Args:
        M: the number of points.
        std: the standard deviation, in points.
        sym: symmetric; False: periodic.
        options: dtype, layout, device and requires_grad.
    """
    made, requires_grad = _window_options("gaussian", M, options)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    if M <= 1:
        return _finish(taeda.ones(M, **made), requires_grad)
    place = (taeda.arange(M, **made) - _steps(M, sym) / 2) / (std * math.sqrt(2))
    return _finish(taeda.exp(-(place**2)), requires_grad)


@public("signal.windows")
def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """Return the window ``exp(-|i - center| / tau)``.

    Args:
        M: the number of points.
        center: where it is 1; default: the middle. Only a periodic window takes one.
        tau: the decay, in points.
        sym: symmetric; False: periodic.
        options: dtype, layout, device and requires_grad.
    """
    made, requires_grad = _window_options("exponential", M, options)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    if M <= 1:
        return _finish(taeda.ones(M, **made), requires_grad)
    middle = _steps(M, sym) / 2 if center is None else center
    return _finish(taeda.exp(-taeda.abs(taeda.arange(M, **made) - middle) / tau), requires_grad)


@public("signal.windows")
def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """Return the Kaiser window of ``M`` points.

    Args:
        M: the number of points.
        beta: the shape, not negative; larger is narrower.
        sym: symmetric; False: periodic.
        options: dtype, layout, device and requires_grad.
    """
    made, requires_grad = _window_options("kaiser", M, options)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M <= 1:
        return _finish(taeda.ones(M, **made), requires_grad)
    return _finish(_kaiser(M, _steps(M, sym), beta, made), requires_grad)
