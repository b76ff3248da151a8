"""Resizing: values against NumPy, SciPy-free references written out, and finite differences of both orders."""

from __future__ import annotations

import numpy as np
import pytest

import taeda
from taeda.testing import gradcheck, gradgradcheck

F = taeda.nn.functional


def positions(old, new, align_corners):
    at = np.arange(new)
    if align_corners:
        return at * ((old - 1) / (new - 1) if new > 1 else 0.0)
    return (at + 0.5) * old / new - 0.5


def cubic(x, a=-0.75):
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def matrix(mode, old, new, align_corners):
    """The weights of one dimension, (new, old)."""
    weights = np.zeros((new, old))
    for o, at in enumerate(positions(old, new, align_corners)):
        if mode == "linear":
            at = max(at, 0)
            left = min(int(np.floor(at)), old - 1)
            weights[o, left] += 1 - (at - left)
            weights[o, min(left + 1, old - 1)] += at - left
        else:
            base = int(np.floor(at))
            for tap in range(-1, 3):
                weights[o, np.clip(base + tap, 0, old - 1)] += cubic(at - (base + tap))
    return weights


def draw(*shape, dtype=np.float64):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("sizes", [(5, 7, 9, 4), (6, 6, 3, 13), (1, 8, 4, 1), (5, 5, 5, 5)], ids=str)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_images(mode, sizes, align_corners):
    h, w, new_h, new_w = sizes
    x = draw(2, 3, h, w)
    made = F.interpolate(taeda.tensor(x), (new_h, new_w), mode=mode, align_corners=align_corners).numpy()
    kind = "linear" if mode == "bilinear" else "cubic"
    rows, columns = matrix(kind, h, new_h, align_corners), matrix(kind, w, new_w, align_corners)
    np.testing.assert_allclose(made, np.einsum("ah,bw,nchw->ncab", rows, columns, x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n", [1, 3])
def test_lines_and_volumes(n):
    old, new = (5, 4, 6)[:n], (8, 3, 7)[:n]
    x = draw(2, 2, *old)
    made = F.interpolate(taeda.tensor(x), new, mode="linear" if n == 1 else "trilinear").numpy()
    expected = x
    for axis in range(n):
        weights = matrix("linear", old[axis], new[axis], False)
        expected = np.moveaxis(np.tensordot(weights, expected, (1, axis + 2)), 0, axis + 2)
    np.testing.assert_allclose(made, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "uint8"])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest(mode, dtype):
    x = taeda.tensor(np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5) % 200).to(getattr(taeda, dtype))
    made = F.interpolate(x, (7, 3), mode=mode)
    assert made.dtype is x.dtype
    shift = 0.5 if mode == "nearest-exact" else 0.0
    rows, columns = (np.floor((np.arange(new) + shift) * old / new).astype(int) for old, new in ((4, 7), (5, 3)))
    np.testing.assert_array_equal(made.double().numpy(), x.double().numpy()[:, :, rows][:, :, :, columns])


def test_the_factor_places_the_points():
    x = draw(1, 1, 5)
    made = F.interpolate(taeda.tensor(x), scale_factor=1.5, mode="linear").numpy()  # 7 points, 2/3 apart
    at = np.maximum((np.arange(7) + 0.5) / 1.5 - 0.5, 0)
    np.testing.assert_allclose(made[0, 0], np.interp(at, np.arange(5), x[0, 0]), rtol=1e-12)


def test_antialias_averages_when_shrinking():
    x = draw(1, 1, 1, 12)
    made = F.interpolate(taeda.tensor(x), (1, 4), mode="bilinear", antialias=True).numpy()[0, 0, 0]
    expected = []
    for o in range(4):
        centre = (o + 0.5) * 3
        weights = np.maximum(0, 1 - np.abs(np.arange(12) + 0.5 - centre) / 3)
        expected.append(x[0, 0, 0] @ weights / weights.sum())
    np.testing.assert_allclose(made, expected, rtol=1e-12)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_bytes_round_and_saturate(mode, antialias):
    x = np.random.default_rng(0).integers(0, 256, (1, 2, 6, 6)).astype(np.uint8)
    made = F.interpolate(taeda.tensor(x), (9, 4), mode=mode, antialias=antialias)
    exact = F.interpolate(taeda.tensor(x).double(), (9, 4), mode=mode, antialias=antialias).numpy()
    assert made.dtype is taeda.uint8
    assert np.abs(made.double().numpy() - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-4


CASES = [
    ("nearest", (1, 2, 4), (6,), {}),
    ("nearest-exact", (1, 2, 4, 3), (3, 5), {}),
    ("linear", (1, 2, 4), (7,), {}),
    ("bilinear", (2, 1, 4, 5), (6, 3), {"align_corners": True}),
    ("bilinear", (1, 2, 6, 5), (3, 2), {"antialias": True}),
    ("bicubic", (1, 1, 4, 5), (7, 3), {}),
    ("bicubic", (1, 1, 7, 5), (3, 3), {"antialias": True}),
    ("trilinear", (1, 1, 3, 4, 2), (4, 3, 5), {}),
    ("area", (1, 1, 6, 5), (3, 2), {}),
]


@pytest.mark.parametrize("mode, shape, size, options", CASES, ids=lambda value: str(value))
def test_derivatives(mode, shape, size, options):
    x = taeda.tensor(draw(*shape), requires_grad=True)

    def resize(x):
        return F.interpolate(x, size, mode=mode, **options)

    assert gradcheck(resize, (x,))
    assert gradgradcheck(resize, (x,))


def test_strides_threads_and_meta():
    x = taeda.tensor(draw(3, 40, 50, 2)).permute(0, 3, 1, 2)
    made = F.interpolate(x, (90, 33), mode="bilinear")
    np.testing.assert_array_equal(made.numpy(), F.interpolate(x.contiguous(), (90, 33), mode="bilinear").numpy())
    assert F.interpolate(x.to("meta"), (90, 33), mode="bilinear").shape == (3, 2, 90, 33)
    assert F.interpolate(taeda.zeros(0, 2, 4, 4), (3, 3)).shape == (0, 2, 3, 3)


@pytest.mark.parametrize("channels", [3, 11])
@pytest.mark.parametrize("size", [(9, 12), (3, 4), (9, 4), (5, 7)], ids=str)
@pytest.mark.parametrize(
    "mode, options", [("nearest", {}), ("nearest-exact", {}), ("bilinear", {}), ("bicubic", {"antialias": True})]
)
def test_channels_last_stay_last(mode, options, size, channels):
    x, seed = taeda.tensor(draw(2, channels, 5, 7)), taeda.tensor(draw(2, channels, *size))
    found = []
    for layout in (taeda.contiguous_format, taeda.channels_last):
        leaf = x.clone(memory_format=layout).requires_grad_()
        made = F.interpolate(leaf, size, mode=mode, **options)
        (grad,) = taeda.autograd.grad(made, leaf, seed.clone(memory_format=layout))
        assert made.is_contiguous(memory_format=layout) and grad.is_contiguous(memory_format=layout)
        found.append((made.detach().numpy(), grad.numpy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_volumes_with_channels_last():
    x = taeda.tensor(draw(2, 9, 3, 4, 5))
    last = x.clone(memory_format=taeda.channels_last_3d)
    for mode in ("nearest", "trilinear"):
        made = F.interpolate(last, (5, 2, 6), mode=mode)
        assert made.is_contiguous(memory_format=taeda.channels_last_3d)
        np.testing.assert_allclose(made.numpy(), F.interpolate(x, (5, 2, 6), mode=mode).numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(3, 2), (11, 17), (3, 17), (8, 4)], ids=str)
def test_the_gradient_is_the_transpose(mode, size):
    x, seed = taeda.tensor(draw(2, 3, 7, 9), requires_grad=True), taeda.tensor(draw(2, 3, *size))
    made = F.interpolate(x, size, mode=mode)
    (grad,) = taeda.autograd.grad(made, x, seed)
    way = taeda.tensor(np.random.default_rng(1).standard_normal((2, 3, 7, 9)))
    assert (grad * way).sum().item() == pytest.approx(
        (seed * F.interpolate(way, size, mode=mode)).sum().item(), rel=1e-10
    )


def test_errors():
    with pytest.raises(RuntimeError, match="greater than 0"):
        F.interpolate(taeda.zeros(1, 1, 4, 4), (0, 3))
    with pytest.raises(NotImplementedError, match="not implemented for 'Int'"):
        F.interpolate(taeda.zeros(1, 1, 4, 4, dtype=taeda.int32), (2, 3), mode="bilinear")
