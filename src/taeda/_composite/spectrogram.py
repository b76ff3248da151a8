"""Short-time Fourier transforms: windows sliding over signals, and back."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["istft", "stft"]

_SMALLEST_ENVELOPE = 1e-11  # below, dividing by the windows' sum would blow up rounding errors


def _fail(call: str, input: Tensor, options: dict[str, Any], problem: str) -> NoReturn:
    told = ", ".join(f"{name}={_told(value)}" for name, value in options.items())
    raise RuntimeError(f"{call}({input.type()}{list(input.shape)}, {told}): {problem}")


def _told(value: Any) -> str:
    return f"{value.type()}{list(value.shape)}" if isinstance(value, taeda.Tensor) else str(value)


def _full_window(window: Tensor | None, win_length: int, n_fft: int, like: Tensor) -> Tensor:
    """The window in the middle of n_fft elements; ones where there is none."""
    if window is None:
        window = taeda.ones(win_length, dtype=like.real.dtype if like.is_complex() else like.dtype, device=like.device)
    left = (n_fft - win_length) // 2
    return taeda.constant_pad_nd(window, [left, n_fft - win_length - left]) if win_length < n_fft else window


def _sidedness(onesided: bool | None, is_complex: bool) -> bool:
    if onesided and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    return not is_complex if onesided is None else onesided


@public("torch", "Tensor")
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Return the Fourier transforms of windows that slide over a signal.

    Args:
        input: (length,) or (batch, length), real or complex.
        n_fft: the elements of each window that are transformed.
        hop_length: the distance of neighbouring windows; default: n_fft // 4.
        win_length: the length of ``window``; shorter than n_fft, it is put in the middle of zeros. Default: n_fft.
        window: (win_length,), factors of the elements. Default: ones.
        center: pad the signal, so that window t is centred at element t * hop_length.
        pad_mode: how, see ``nn.functional.pad``.
        normalized: divide by sqrt(n_fft).
        onesided: only the first n_fft // 2 + 1 frequencies; default: where signal and window are real.
        return_complex: False gives real and imaginary parts as a last dimension. Real signals need to say.
        align_to_window: without ``center``: let the first window, not the zeros around it, begin with the signal.

    Returns:
        (batch, frequencies, windows), complex.
    """
    n_hop = n_fft // 4 if hop_length is None else hop_length
    n_window = n_fft if win_length is None else win_length
    options = {
        "n_fft": n_fft,
        "hop_length": n_hop,
        "win_length": n_window,
        "window": window,
        "normalized": int(normalized),
        "onesided": onesided,
        "return_complex": return_complex,
        "align_to_window": align_to_window,
    }
    is_complex = input.is_complex() or (window is not None and window.is_complex())
    if return_complex is None:
        if not is_complex:
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will further require that "
                "return_complex=True in a future PyTorch release."
            )
        return_complex = True
    if center and align_to_window is not None:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    _check_signal(input, n_fft, n_hop, n_window, window, center, options)
    signal = input if input.ndim == 2 else input.unsqueeze(0)
    if center:
        half = n_fft // 2
        signal = taeda.nn.functional.pad(signal.unsqueeze(1), (half, half), mode=pad_mode).squeeze(1)
    elif align_to_window:
        left = (n_fft - n_window) // 2
        signal = taeda.constant_pad_nd(signal, [left, n_fft - n_window - left])
    if not 0 < n_fft <= signal.shape[1]:
        _fail("stft", signal, options, f"expected 0 < n_fft < {signal.shape[1]}, but got n_fft={n_fft}")
    onesided = _sidedness(onesided, is_complex)
    frames = signal.unfold(1, n_fft, n_hop)
    if window is not None or n_window < n_fft:
        frames = frames * _full_window(window, n_window, n_fft, signal)
    norm = "ortho" if normalized else None
    transformed = (taeda.fft.rfft if onesided else taeda.fft.fft)(frames, norm=norm).transpose(1, 2)
    transformed = transformed if input.ndim == 2 else transformed.squeeze(0)
    return transformed if return_complex else taeda.view_as_real(transformed)


def _check_signal(input: Tensor, n_fft: int, hop: int, length: int, window: Any, center: bool, options: dict) -> None:
    def fail(problem: str) -> NoReturn:
        _fail("stft", input, options, problem)

    if not (input.is_floating_point() or input.is_complex()):
        fail("expected a tensor of floating point or complex values")
    if input.ndim not in (1, 2):
        fail("expected a 1D or 2D tensor")
    if n_fft <= 0 or (not center and n_fft > input.shape[-1] and not options["align_to_window"]):
        fail(f"expected 0 < n_fft < {input.shape[-1]}, but got n_fft={n_fft}")
    if hop <= 0:
        fail(f"expected hop_length > 0, but got hop_length={hop}")
    if not 0 < length <= n_fft:
        fail(f"expected 0 < win_length <= n_fft, but got win_length={length}")
    if window is not None and (window.ndim != 1 or window.shape[0] != length):
        fail(
            f"expected a 1D window tensor of size equal to win_length={length}, but got window with size "
            f"{list(window.shape)}"
        )


@public("torch", "Tensor")
def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """Return the signal whose ``stft`` is given: the least-squares estimate (Griffin and Lim, 1984).

    Args:
        input: (frequencies, windows) or (batch, frequencies, windows), complex.
        n_fft, hop_length, win_length, window, center, normalized, onesided: as given to ``stft``.
        length: cut the signal, or fill it up with zeros, to this length. Default: what the windows cover.
        return_complex: the signal is complex; only without ``onesided``.

    Raises:
        RuntimeError: shapes do not fit, or the windows leave parts of the signal uncovered.
    """
    n_hop = n_fft // 4 if hop_length is None else hop_length
    n_window = n_fft if win_length is None else win_length
    options = {
        "n_fft": n_fft,
        "hop_length": n_hop,
        "win_length": n_window,
        "window": window,
        "center": int(center),
        "normalized": int(normalized),
        "onesided": onesided,
        "length": length,
        "return_complex": int(return_complex),
    }
    onesided = _check_spectrogram(input, n_fft, n_hop, n_window, window, onesided, return_complex, options)
    spectrum = input if input.ndim == 3 else input.unsqueeze(0)
    frames = spectrum.transpose(1, 2)
    norm = "ortho" if normalized else None
    if return_complex:
        frames = taeda.fft.ifft(frames, norm=norm)
    else:
        frames = taeda.fft.irfft(frames if onesided else frames[..., : n_fft // 2 + 1], n_fft, norm=norm)
    full = _full_window(window, n_window, n_fft, frames)
    signal = _overlap_add(frames * full, n_fft, n_hop)
    envelope = _overlap_add((full * full).expand(1, spectrum.shape[2], n_fft), n_fft, n_hop)

    covered = signal.shape[1]
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else covered - (n_fft // 2 if center else 0)
    signal, envelope = signal[:, start:end], envelope[:, start:end]
    if envelope.numel() == 0:
        raise RuntimeError("istft: min(): no element of the signal is left: its length is 0")
    if not envelope.is_meta and float(envelope.abs().min()) <= _SMALLEST_ENVELOPE:
        _fail(
            "istft", input, options, f"window overlap add min: 1: the windows leave parts uncovered (center={center})"
        )
    signal = signal / envelope
    if end > covered:
        warnings.warn(
            "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail. "
            "Please check your center and hop_length settings.",
            stacklevel=2,
        )
        signal = taeda.constant_pad_nd(signal, [0, end - covered])
    return signal if input.ndim == 3 else signal.squeeze(0)


def _overlap_add(frames: Tensor, n_fft: int, hop: int) -> Tensor:
    """(batch, windows, n_fft) to the sums of what lies over each other: (batch, length)."""
    length = n_fft + hop * (frames.shape[1] - 1)
    return taeda._C._unfold_backward(frames, [frames.shape[0], length], 1, n_fft, hop)


def _check_spectrogram(input, n_fft, hop, length, window, onesided, return_complex, options) -> bool:  # noqa: ANN001
    def fail(problem: str) -> NoReturn:
        _fail("istft", input, options, problem)

    if not input.is_complex():
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        )
    if input.numel() == 0:
        fail("input tensor cannot be empty.")
    if input.ndim not in (2, 3):
        fail(f"expected a tensor with 3 or 4 dimensions, but got {input.ndim + 1}")
    if return_complex:
        onesided = _sidedness(onesided, True)
    elif window is not None and window.is_complex():
        raise RuntimeError("Complex windows are incompatible with return_complex=False")
    found = input.shape[-2]
    onesided = found != n_fft if onesided is None else onesided
    if onesided and found != n_fft // 2 + 1:
        fail(
            "expected the frequency dimension (3rd to the last) of the input tensor to match n_fft / 2 + 1 when "
            f"onesided=True, but got {found}"
        )
    if not onesided and found != n_fft:
        fail(
            "expected the frequency dimension (3rd to the last) of the input tensor to match n_fft when "
            f"onesided=False, but got {found}"
        )
    if not 0 < hop <= length:
        fail("expected 0 < hop_length <= win_length")
    if not 0 < length <= n_fft:
        fail("expected 0 < win_length <= n_fft")
    if window is not None and (window.ndim != 1 or window.shape[0] != length):
        fail("Invalid window shape. window has to be 1D and length of `win_length`")
    return onesided
