"""Rows: what layers do. Images are (batch, channels, height, width) with ``n`` elements altogether."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from operations.table import COLUMNS, IMAGES, Make, Operands, Operation, Step, both_ways, images, matrix, on, one, two

# batch, heads, length, width of a head: about so many elements
ATTENTION = {100: (1, 1, 10, 10), 10_000: (1, 2, 80, 64), 10_000_000: (100, 8, 192, 64)}
# batch, length, features
SEQUENCES = {100: (2, 5, 10), 10_000: (10, 10, 100), 10_000_000: (1000, 100, 100)}


def weighted(m: ModuleType, n: int) -> tuple:
    """Rows, and a square weight and a bias for them."""
    return m.randn(n // COLUMNS, COLUMNS), m.randn(COLUMNS, COLUMNS), m.randn(COLUMNS)


def convolved(groups: bool = False, size: int = 3) -> Operands:
    """Images and a square kernel that keeps the number of channels, or treats each by itself."""

    def make(m: ModuleType, n: int) -> tuple:
        channels = IMAGES[n][1]
        return m.randn(*IMAGES[n]), m.randn(channels, 1 if groups else channels, size, size), m.randn(channels)

    return make


def statistics(m: ModuleType, n: int) -> tuple:
    """Images with running mean, running variance, weight and bias of their channels."""
    channels = IMAGES[n][1]
    return m.randn(*IMAGES[n]), m.zeros(channels), m.ones(channels), m.randn(channels), m.randn(channels)


def heads(m: ModuleType, n: int) -> tuple:
    return tuple(m.randn(*ATTENTION[n]) for _ in range(3))


def signals(m: ModuleType, n: int) -> tuple:
    batch, length, features = SEQUENCES[n]
    return m.randn(batch, features, length), m.randn(features, features, 3)


def sampled(m: ModuleType, n: int) -> tuple:
    """Images, and for each of their points a place to look at."""
    batch, _, height, width = IMAGES[n]
    return m.randn(*IMAGES[n]), m.rand(batch, height, width, 2) * 2 - 1


def classified(m: ModuleType, n: int) -> tuple:
    return m.randn(n // COLUMNS, COLUMNS), m.randint(0, COLUMNS, (n // COLUMNS,))


def log_probabilities(m: ModuleType, n: int) -> tuple:
    x, target = classified(m, n)
    return x.log_softmax(1), target


def odds(m: ModuleType, n: int) -> tuple:
    return m.randn(n), m.rand(n)


def without_grad(layer: Callable[[ModuleType, int], Any], shapes: dict[int, tuple[int, ...]]) -> Make:
    """A layer's forward on its own, for inputs of the given shapes."""

    def make(m: ModuleType, n: int) -> Step:
        m.manual_seed(0)
        net, x = layer(m, shapes[n][-1]), m.randn(*shapes[n])

        def step() -> None:
            with m.no_grad():
                net(x)

        return step

    return make


def resized(mode: str, factor: float, **options: Any) -> Make:
    """``n`` elements in the input where it shrinks, in the result where it doubles."""

    def operands(m: ModuleType, n: int) -> tuple:
        batch, channels, height, width = IMAGES[n]
        part = 2 if factor > 1 else 1
        return (m.randn(batch, channels, height // part, width // part),)

    return on(operands, lambda m, a: m.nn.functional.interpolate(a, scale_factor=factor, mode=mode, **options))


NORMALIZED = (
    Operation("layer_norm", on(matrix, lambda m, a: m.nn.functional.layer_norm(a, (COLUMNS,)))),
    Operation("rms_norm", on(matrix, lambda m, a: m.nn.functional.rms_norm(a, (COLUMNS,))), 10_000),
    Operation("batch_norm, training", on(statistics, lambda m, *a: m.nn.functional.batch_norm(*a, training=True))),
    Operation("batch_norm, evaluation", on(statistics, lambda m, *a: m.nn.functional.batch_norm(*a))),
    Operation("group_norm", on(statistics, lambda m, x, u, v, w, b: m.nn.functional.group_norm(x, 1, w, b))),
    Operation("instance_norm", on(images, lambda m, a: m.nn.functional.instance_norm(a)), 10_000),
    Operation("dropout", on(one, lambda m, a: m.nn.functional.dropout(a))),
)
PRODUCTS = (
    Operation("linear", on(weighted, lambda m, x, w, b: m.nn.functional.linear(x, w, b))),
    Operation("linear to one", on(weighted, lambda m, x, w, b: m.nn.functional.linear(x, w[:1], b[:1])), 10_000),
    Operation("conv1d", on(signals, lambda m, x, w: m.nn.functional.conv1d(x, w, padding=1))),
    Operation("conv2d", on(convolved(), lambda m, x, w, b: m.nn.functional.conv2d(x, w, b, padding=1))),
    Operation("conv2d, 1 x 1", on(convolved(size=1), lambda m, x, w, b: m.nn.functional.conv2d(x, w, b))),
    Operation("conv2d, stride 2", on(convolved(), lambda m, x, w, b: m.nn.functional.conv2d(x, w, b, 2, 1)), 10_000),
    Operation(
        "conv2d by channel",
        on(convolved(True), lambda m, x, w, b: m.nn.functional.conv2d(x, w, b, padding=1, groups=len(b))),
    ),
    Operation(
        "conv_transpose2d", on(convolved(size=2), lambda m, x, w, b: m.nn.functional.conv_transpose2d(x, w, b)), 10_000
    ),
    Operation("attention", on(heads, lambda m, *a: m.nn.functional.scaled_dot_product_attention(*a))),
    Operation(
        "attention, causal",
        on(heads, lambda m, *a: m.nn.functional.scaled_dot_product_attention(*a, is_causal=True)),
        10_000,
    ),
    Operation("LSTM", without_grad(lambda m, k: m.nn.LSTM(k, k, batch_first=True), SEQUENCES), 10_000),
    Operation("GRU", without_grad(lambda m, k: m.nn.GRU(k, k, batch_first=True), SEQUENCES), 10_000),
)
RESIZED = (
    Operation("max_pool2d", on(images, lambda m, a: m.nn.functional.max_pool2d(a, 2))),
    Operation("max_pool2d, 3 by 2", on(images, lambda m, a: m.nn.functional.max_pool2d(a, 3, 2, 1)), 10_000),
    Operation("avg_pool2d", on(images, lambda m, a: m.nn.functional.avg_pool2d(a, 2))),
    Operation("adaptive_avg_pool2d to one", on(images, lambda m, a: m.nn.functional.adaptive_avg_pool2d(a, 1))),
    Operation("interpolate, nearest", resized("nearest", 2)),
    Operation("interpolate, bilinear", resized("bilinear", 2, align_corners=False)),
    Operation("interpolate, bilinear to half", resized("bilinear", 0.5, align_corners=False)),
    Operation("interpolate, bicubic", resized("bicubic", 2, align_corners=False), 10_000),
    Operation("grid_sample", on(sampled, lambda m, a, grid: m.nn.functional.grid_sample(a, grid, align_corners=False))),
    Operation("unfold", on(images, lambda m, a: m.nn.functional.unfold(a, 2, stride=2))),
)
LOSSES = (
    Operation("cross_entropy, both ways", both_ways(classified, lambda m, x, t: m.nn.functional.cross_entropy(x, t))),
    Operation("cross_entropy", on(classified, lambda m, x, t: m.nn.functional.cross_entropy(x, t)), 10_000),
    Operation("nll_loss", on(log_probabilities, lambda m, x, t: m.nn.functional.nll_loss(x, t))),
    Operation("mse_loss", on(two, lambda m, a, b: m.nn.functional.mse_loss(a, b))),
    Operation("mse_loss, both ways", both_ways(two, lambda m, a, b: m.nn.functional.mse_loss(a, b))),
    Operation("l1_loss", on(two, lambda m, a, b: m.nn.functional.l1_loss(a, b)), 10_000),
    Operation("smooth_l1_loss", on(two, lambda m, a, b: m.nn.functional.smooth_l1_loss(a, b)), 10_000),
    Operation(
        "binary_cross_entropy_with_logits",
        on(odds, lambda m, a, b: m.nn.functional.binary_cross_entropy_with_logits(a, b)),
    ),
)
ROWS = NORMALIZED + PRODUCTS + RESIZED + LOSSES
