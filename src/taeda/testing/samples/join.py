"""Samples of the operations that put tensors together."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("cat", "concat", "concatenate")
def _cat(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample(([make.tensor(2, 3), make.tensor(1, 3)],))
    yield Sample(([make.tensor(2, 3), make.tensor(2, 1), make.tensor(2, 2)], -1), {}, "negative dim")
    yield Sample(([make.tensor(2, 1, 2)], 1), {}, "one tensor")
    yield Sample(([make.tensor(0), make.tensor(2, 3)], 0), {}, "legacy empty")
    yield Sample(([make.tensor(0, 3), make.tensor(0, 3)], 0), {}, "empty")


@sampler("stack")
def _stack(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample(([make.tensor(2, 3), make.tensor(2, 3)],))
    yield Sample(([make.tensor(2, 3), make.tensor(2, 3)], -1), {}, "negative dim")
    yield Sample(([make.tensor(), make.tensor(), make.tensor()],), {}, "zero-dim")
    yield Sample(([make.tensor(0, 2), make.tensor(0, 2)], 1), {}, "empty")


@sampler("_cat_backward")
def _cat_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2), [1, 2], 0))
    yield Sample((make.tensor(2, 3), [2, 0, 1], 1), {}, "a part of length 0")
