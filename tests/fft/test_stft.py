"""Short-time Fourier transforms: against SciPy and the definition, and back again."""

import warnings

import numpy
import pytest

import taeda
from taeda.testing import gradcheck


def signal(*shape, seed=0):
    return numpy.random.default_rng(seed).standard_normal(shape)


def by_definition(x, n_fft, hop, window, onesided):
    frames = [x[..., start : start + n_fft] * window for start in range(0, x.shape[-1] - n_fft + 1, hop)]
    transform = numpy.fft.rfft if onesided else numpy.fft.fft
    return numpy.stack([transform(frame) for frame in frames], -1)


@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize("center, mode", [(False, "reflect"), (True, "reflect"), (True, "constant")])
def test_stft_equals_its_definition(center, mode, onesided):
    x, window = signal(2, 50), numpy.hanning(8)
    padded = numpy.pad(x, ((0, 0), (4, 4)), mode=mode) if center else x
    expected = by_definition(padded, 8, 3, window, onesided)
    result = taeda.stft(
        taeda.from_numpy(x),
        8,
        3,
        window=taeda.from_numpy(window),
        center=center,
        pad_mode=mode,
        onesided=onesided,
        return_complex=True,
    )
    numpy.testing.assert_allclose(result.numpy(), expected, rtol=1e-11, atol=1e-12)


def test_stft_equals_scipys():
    scipy_signal = pytest.importorskip("scipy.signal")
    x, window = signal(400), numpy.hanning(32)
    expected = scipy_signal.ShortTimeFFT(window, hop=8, fs=1.0, scale_to=None, phase_shift=None).stft(x, p0=2, p1=49)
    result = taeda.stft(taeda.from_numpy(x), 32, 8, window=taeda.from_numpy(window), center=False, return_complex=True)
    numpy.testing.assert_allclose(result.numpy(), expected, rtol=1e-10, atol=1e-11)


def test_a_short_window_lies_in_the_middle():
    x, window = signal(40), numpy.hanning(6)
    full = numpy.concatenate([[0, 0], window, [0, 0]])
    given = taeda.from_numpy(x), taeda.from_numpy(window)
    result = taeda.stft(given[0], 10, 4, 6, given[1], center=False, normalized=True, return_complex=True)
    numpy.testing.assert_allclose(
        result.numpy(), by_definition(x, 10, 4, full, True) / numpy.sqrt(10), rtol=1e-11, atol=1e-12
    )
    aligned = taeda.stft(given[0], 10, 4, 6, given[1], center=False, return_complex=True, align_to_window=True)
    numpy.testing.assert_allclose(
        aligned.numpy(), by_definition(numpy.pad(x, 2), 10, 4, full, True), rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("n_fft, hop, length", [(16, 4, None), (16, 5, 90), (15, 3, 101)])
def test_istft_undoes_stft(n_fft, hop, length, normalized):
    x, window = taeda.from_numpy(signal(3, 101)), taeda.hann_window(n_fft, dtype=taeda.float64)
    spectrum = x.stft(n_fft, hop, window=window, normalized=normalized, return_complex=True)
    back = spectrum.istft(n_fft, hop, window=window, normalized=normalized, length=length)
    n = back.shape[1]
    assert n == (length or (spectrum.shape[2] - 1) * hop + (n_fft % 2))
    taeda.testing.assert_close(back[:, : n - hop], x[:, : n - hop])


def test_complex_signals_have_two_sides():
    x = taeda.from_numpy(signal(60) + 1j * signal(60, seed=1))
    window = taeda.hann_window(12, dtype=taeda.float64)
    spectrum = x.stft(12, 3, window=window)
    assert spectrum.shape[0] == 12
    taeda.testing.assert_close(spectrum.istft(12, 3, window=window, onesided=False, return_complex=True), x)
    with pytest.raises(RuntimeError, match="Cannot have onesided output"):
        x.stft(12, 3, window=window, onesided=True)


def test_gradients():
    x = taeda.from_numpy(signal(2, 20)).requires_grad_()
    window = taeda.from_numpy(numpy.hanning(8) + 0.1).requires_grad_()
    assert gradcheck(lambda x, w: taeda.stft(x, 8, 3, window=w, return_complex=True), (x, window))
    spectrum = x.stft(8, 3, window=window, return_complex=True).detach().requires_grad_()
    assert gradcheck(lambda s, w: taeda.istft(s, 8, 3, window=w), (spectrum, window))


def test_wrong_arguments():
    x = taeda.ones(2, 50)
    for call, words in [
        (lambda: x.stft(10), "return_complex"),
        (lambda: x.stft(10, 0, return_complex=True), "hop_length > 0"),
        (lambda: x.stft(10, 2, 12, return_complex=True), "win_length"),
        (lambda: x.stft(60, center=False, return_complex=True), "n_fft"),
        (lambda: x[None].stft(10, return_complex=True), "1D or 2D"),
        (lambda: x.stft(10, window=taeda.ones(8), return_complex=True), "window"),
        (lambda: x.istft(10), "complex-valued"),
        (lambda: taeda.zeros(6, 3, dtype=taeda.complex64).istft(12), "frequency dimension"),
        (lambda: taeda.ones(6, 3, dtype=taeda.complex64).istft(10, window=taeda.zeros(10)), "window overlap add min"),
    ]:
        with pytest.raises(RuntimeError, match=words):
            call()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert x.stft(10, return_complex=True).istft(10, length=80).shape == (2, 80)
    assert any("shorter than the length" in str(warning.message) for warning in caught)
