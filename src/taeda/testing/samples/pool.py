"""Samples of pooling."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


def _dims(row: Op) -> int:
    return int(next(character for character in row.name if character.isdigit()))


@sampler("max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices")
def _max_pool(make: Make, row: Op) -> Iterator[Sample]:
    n = _dims(row)
    yield Sample((make.tensor(1, 2, *(4,) * n), 2))
    yield Sample((make.tensor(1, *(3,) * n), 2, 1, 1), {"ceil_mode": True}, "no batch, padding")
    yield Sample((make.tensor(1, 1, *(4,) * n), 2), {"stride": 1, "dilation": 2}, "dilation")
    yield Sample((make.tensor(0, 2, *(4,) * n), 2), {}, "empty")


@sampler("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _avg_pool(make: Make, row: Op) -> Iterator[Sample]:
    n = _dims(row)
    yield Sample((make.tensor(1, 2, *(4,) * n), 2))
    yield Sample((make.tensor(1, *(3,) * n), 2, 1, 1), {"count_include_pad": False}, "no batch, padding")
    yield Sample((make.tensor(1, 1, *(3,) * n), 2), {"ceil_mode": True}, "ceil_mode")
    if n > 1:
        yield Sample((make.tensor(1, 1, *(2,) * n), 2), {"divisor_override": 3}, "divisor")
    yield Sample((make.tensor(0, 2, *(4,) * n), 2), {}, "empty")


@sampler(
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d_with_indices",
)
def _adaptive_pool(make: Make, row: Op) -> Iterator[Sample]:
    n = _dims(row)
    yield Sample((make.tensor(1, 2, *(4,) * n), 2))
    yield Sample((make.tensor(1, *(3,) * n), 2), {}, "no batch, uneven")


@sampler("_pool_scatter")
def _pool_scatter(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 2), make.index(1, 2, below=4), (4,), 1))


@sampler("_pool_gather")
def _pool_gather(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 4), make.index(1, 2, below=4), 1))


@sampler("_avg_pool")
def _private_avg_pool(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 4), 1, (2,), None, (0,), False, True, None))


@sampler("_avg_pool_backward")
def _avg_pool_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 2), (1, 4), 1, (2,), None, (0,), False, True, None))


@sampler("_adaptive_avg_pool")
def _private_adaptive(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 4), (2,), 1))


@sampler("_adaptive_avg_pool_backward")
def _adaptive_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 2), (1, 4), 1))
