"""Sampling at points, and the CTC loss by enumeration of all alignments; both with finite differences."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

import taeda
from taeda.testing import gradcheck, gradgradcheck

F = taeda.nn.functional


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def places(grid, sizes, align_corners):
    """Grid coordinates (..., n), last dimension first, as element positions, first dimension first."""
    length = np.array(sizes)
    at = grid[..., ::-1]
    return (at + 1) / 2 * (length - 1) if align_corners else ((at + 1) * length - 1) / 2


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("sizes", [(5, 7), (3, 4, 6)], ids=str)
def test_linear(sizes, padding, align_corners):
    n = len(sizes)
    x, grid = draw(2, 3, *sizes), draw(2, *(4, 70, 2)[:n], n, seed=1)
    made = F.grid_sample(taeda.tensor(x), taeda.tensor(grid), "bilinear", padding, align_corners).numpy()
    modes = {"zeros": "grid-constant", "border": "nearest", "reflection": "mirror" if align_corners else "reflect"}
    for b, c in itertools.product(range(2), range(3)):
        at = np.moveaxis(places(grid[b], sizes, align_corners), -1, 0)
        expected = map_coordinates(x[b, c], at, order=1, mode=modes[padding], cval=0.0)
        np.testing.assert_allclose(made[b, c], expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("mode", ["nearest", "bicubic"])
def test_points_on_elements_give_them(mode):
    x = draw(1, 2, 4, 5)
    lines = [np.linspace(-1, 1, size) for size in (4, 5)]
    grid = np.stack(np.meshgrid(*lines, indexing="ij")[::-1], -1)[None]
    made = F.grid_sample(taeda.tensor(x), taeda.tensor(grid), mode, align_corners=True).numpy()
    np.testing.assert_allclose(made, x, rtol=1e-9, atol=1e-9)


def test_what_is_outside_is_zero_whatever_the_corner_holds():
    x = taeda.full((1, 1, 3, 3), float("inf"))
    made = F.grid_sample(x, taeda.full((1, 1, 2, 2), 5.0), align_corners=False)
    assert (made == 0).all()
    nowhere = F.grid_sample(taeda.ones(1, 1, 3, 3), taeda.full((1, 1, 1, 2), float("nan")), align_corners=False)
    assert (nowhere == 0).all()


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode, n", [("bilinear", 2), ("bilinear", 3), ("bicubic", 2), ("nearest", 2)])
def test_derivatives(mode, n, padding):
    x = taeda.tensor(draw(1, 2, *(4, 3, 5)[:n]), requires_grad=True)
    grid = taeda.tensor(draw(1, *(2, 3, 2)[:n], n, seed=2) * 0.9, requires_grad=mode != "nearest")
    assert gradcheck(lambda x, grid: F.grid_sample(x, grid, mode, padding, align_corners=False), (x, grid))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode, n", [("bilinear", 2), ("bilinear", 3), ("bicubic", 2), ("nearest", 2), ("nearest", 3)])
def test_second_derivatives(mode, n, padding, align_corners):
    x = taeda.tensor(draw(2, 2, *(4, 3, 5)[:n]), requires_grad=True)
    grid = taeda.tensor(draw(2, *(2, 3, 2)[:n], n, seed=2) * 0.9, requires_grad=True)
    assert gradgradcheck(lambda x, grid: F.grid_sample(x, grid, mode, padding, align_corners), (x, grid))


def test_third_derivative_of_a_cubic():
    x = taeda.tensor(draw(1, 1, 5, 5), requires_grad=True)
    grid = taeda.tensor(draw(1, 1, 2, 2, seed=2) * 0.5, requires_grad=True)

    def slope(x, grid):
        (first,) = taeda.autograd.grad(
            F.grid_sample(x, grid, "bicubic", align_corners=False).sum(), grid, create_graph=True
        )
        return first

    assert gradgradcheck(slope, (x, grid))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_forward_mode(mode):
    x, grid = taeda.tensor(draw(1, 2, 4, 5)), taeda.tensor(draw(1, 3, 2, 2, seed=2) * 0.5)
    ways = taeda.tensor(draw(*x.shape, seed=3)), taeda.tensor(draw(*grid.shape, seed=4))

    def sampled(x, grid):
        return F.grid_sample(x, grid, mode, align_corners=False)

    _, made = taeda.func.jvp(sampled, (x, grid), ways)
    step = 1e-6
    ahead, behind = (sampled(x + sign * step * ways[0], grid + sign * step * ways[1]) for sign in (1, -1))
    np.testing.assert_allclose(made.numpy(), ((ahead - behind) / (2 * step)).numpy(), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode, n", [("bilinear", 2), ("bilinear", 3), ("bicubic", 2), ("nearest", 2)])
def test_long_rows_of_points_are_what_points_are_alone(mode, n, padding):
    """The points of a block are computed side by side; far outside, and at the edges, too."""
    x = taeda.tensor(draw(1, 2, *(4, 7, 5)[:n]))
    points = draw(301, n, seed=1) * 2
    points[:6] = [[value] * n for value in (-1, 1, 0, 1e12, -np.inf, np.nan)]
    grid = taeda.tensor(points).reshape(1, 301, *(1,) * (n - 1), n)

    def sampled(grid):
        return F.grid_sample(x, grid, mode, padding, align_corners=False).flatten(2)

    alone = taeda.cat([sampled(grid[:, k : k + 1]) for k in range(301)], 2)
    np.testing.assert_array_equal(sampled(grid).numpy(), alone.numpy())


@pytest.mark.parametrize(
    "sizes, points", [((0, 2, 4, 4), (3, 3)), ((2, 0, 4, 4), (3, 3)), ((2, 1, 4, 4), (0, 3))], ids=str
)
def test_nothing_has_derivatives_of_its_shape(sizes, points):
    x, grid = taeda.zeros(sizes, requires_grad=True), taeda.zeros(sizes[0], *points, 2, requires_grad=True)
    made = F.grid_sample(x, grid, align_corners=False)
    assert made.shape == (*sizes[:2], *points)
    first = taeda.autograd.grad(made.sum(), (x, grid), create_graph=True)
    second = taeda.autograd.grad(sum(part.sum() for part in first), (x, grid))
    assert [part.shape for part in (*first, *second)] == [x.shape, grid.shape] * 2


# ---- CTC


def labelling(path, blank):
    merged = [label for label, _ in itertools.groupby(path)]
    return [label for label in merged if label != blank]


def probability(probs, target, blank):
    """The sum over all paths (T steps, C classes) that spell ``target``."""
    n_steps, n_classes = probs.shape
    return sum(
        math.prod(probs[t, label] for t, label in enumerate(path))
        for path in itertools.product(range(n_classes), repeat=n_steps)
        if labelling(path, blank) == list(target)
    )


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("flat", [False, True])
def test_ctc_sums_over_all_alignments(blank, flat):
    scores = draw(5, 3, 3)
    labels = [label for label in range(3) if label != blank]
    targets = [[labels[0], labels[1]], [labels[1], labels[1]], []]
    input_lengths, target_lengths = (5, 4, 2), tuple(map(len, targets))
    rows = sum(targets, []) if flat else [row + [0] * (2 - len(row)) for row in targets]
    log_probs = taeda.tensor(scores).log_softmax(-1)
    made = F.ctc_loss(log_probs, taeda.tensor(rows), input_lengths, target_lengths, blank, reduction="none").numpy()
    probs = log_probs.exp().numpy()
    expected = [
        -math.log(probability(probs[:length, n], target, blank))
        for n, (target, length) in enumerate(zip(targets, input_lengths, strict=True))
    ]
    np.testing.assert_allclose(made, expected, rtol=1e-10)


def test_ctc_gradient():
    targets = taeda.tensor([[1, 2, 2], [3, 1, 0]])
    scores = taeda.tensor(draw(7, 2, 4), requires_grad=True)

    def loss(scores):
        return F.ctc_loss(scores.log_softmax(-1), targets, (7, 5), (3, 2), reduction="none")

    assert gradcheck(loss, (scores,))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("blank", [0, 3])
@pytest.mark.parametrize("flat", [False, True])
def test_ctc_second_derivatives(flat, blank, reduction):
    labels = [label for label in range(4) if label != blank]
    targets = [[labels[0], labels[1], labels[1]], [], [labels[2]]]
    rows = sum(targets, []) if flat else [row + [labels[0]] * (3 - len(row)) for row in targets]
    scores = taeda.tensor(draw(6, 3, 4), requires_grad=True)

    def loss(scores):
        return F.ctc_loss(scores.log_softmax(-1), taeda.tensor(rows), (6, 5, 3), (3, 0, 1), blank, reduction)

    assert gradcheck(loss, (scores,))
    assert gradgradcheck(loss, (scores,))


def test_ctc_forward_mode():
    targets = taeda.tensor([[1, 2, 2], [3, 1, 0]])
    scores, way = taeda.tensor(draw(7, 2, 4)), taeda.tensor(draw(7, 2, 4, seed=1))

    def loss(scores):
        return F.ctc_loss(scores.log_softmax(-1), targets, (7, 5), (3, 2), reduction="none")

    _, made = taeda.func.jvp(loss, (scores,), (way,))
    expected = (loss(scores + 1e-6 * way) - loss(scores - 1e-6 * way)) / 2e-6
    np.testing.assert_allclose(made.numpy(), expected.numpy(), rtol=1e-7, atol=1e-7)
    # Forward over reverse and reverse over reverse: the same second derivative along the way.
    gradient = taeda.func.grad(lambda x: loss(x).sum())
    _, curved = taeda.func.jvp(gradient, (scores,), (way,))
    leaf = scores.clone().requires_grad_()
    (first,) = taeda.autograd.grad(loss(leaf).sum(), leaf, create_graph=True)
    (again,) = taeda.autograd.grad((first * way).sum(), leaf)
    np.testing.assert_allclose(curved.numpy(), again.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_ctc_second_derivatives_of_targets_too_long(zero_infinity):
    """One sample is impossible, the other is not: only its own derivatives are 0, or no numbers."""
    scores = taeda.tensor(draw(3, 2, 4), requires_grad=True)
    targets = taeda.tensor([[1, 1, 2], [1, 2, 0]])
    loss = F.ctc_loss(scores.log_softmax(-1), targets, (3, 3), (3, 2), reduction="none", zero_infinity=zero_infinity)
    (first,) = taeda.autograd.grad(loss.nan_to_num(posinf=0.0).sum(), scores, create_graph=True)
    (second,) = taeda.autograd.grad(first[:, 1].square().sum(), scores)
    assert second[:, 1].abs().sum() > 0 and second[:, 1].isfinite().all()
    assert (second[:, 0] == 0).all() if zero_infinity else second[:, 0].isnan().any()


def test_ctc_third_derivatives_are_refused():
    scores = taeda.tensor(draw(3, 1, 4), requires_grad=True)
    loss = F.ctc_loss(scores.log_softmax(-1), taeda.tensor([[1, 2]]), (3,), (2,))
    (first,) = taeda.autograd.grad(loss, scores, create_graph=True)
    (second,) = taeda.autograd.grad(first.square().sum(), scores, create_graph=True)
    with pytest.raises(NotImplementedError, match="the CTC loss: its third derivative"):
        second.square().sum().backward()


def test_ctc_targets_too_long():
    scores = taeda.tensor(draw(2, 1, 4), requires_grad=True)
    targets = taeda.tensor([[1, 1, 2]])
    assert F.ctc_loss(scores.log_softmax(-1), targets, (2,), (3,)).item() == math.inf
    loss = F.ctc_loss(scores.log_softmax(-1), targets, (2,), (3,), zero_infinity=True)
    loss.backward()
    assert loss.item() == 0 and (scores.grad == 0).all()


def test_ctc_errors():
    log_probs, targets = taeda.zeros(3, 1, 4), taeda.tensor([[1, 2]])
    with pytest.raises(RuntimeError, match="blank must be in label range"):
        F.ctc_loss(log_probs, targets, (3,), (2,), blank=4)
    with pytest.raises(RuntimeError, match="Expected input_lengths to have value at most 3"):
        F.ctc_loss(log_probs, targets, (4,), (2,))
    with pytest.raises(RuntimeError, match="label range"):
        F.ctc_loss(log_probs, taeda.tensor([[1, 7]]), (3,), (2,))


def test_ctc_without_data():
    """On the meta device the lengths cannot be read; the shapes follow from the sizes."""
    scores = taeda.zeros(5, 2, 4, device="meta", requires_grad=True)
    targets, lengths = (
        taeda.zeros(2, 3, dtype=taeda.int64, device="meta"),
        taeda.zeros(2, dtype=taeda.int64, device="meta"),
    )
    loss = F.ctc_loss(scores.log_softmax(-1), targets, lengths, lengths, reduction="none")
    assert loss.shape == (2,) and loss.device.type == "meta"
    loss.sum().backward()
    assert scores.grad.shape == (5, 2, 4)
    with pytest.raises(RuntimeError, match="same device"):
        F.ctc_loss(taeda.zeros(5, 2, 4), targets, taeda.tensor([5, 5]), taeda.tensor([1, 1]))
