"""Samples of tables of rows and of padding."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("_embedding")
def _embedding(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(4, 2), make.index(2, 3, below=4)))
    yield Sample((make.tensor(4, 2), make.index(0, below=4)), {}, "no indices")


@sampler("_constant_pad")
def _constant_pad(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (1, 2)))
    yield Sample((make.tensor(2, 3), (-1, 1, 0, 1)), {}, "cut")


@sampler("_pad_from_within")
def _pad_from_within(make: Make, row: Op) -> Iterator[Sample]:
    for mode in ("reflect", "replicate", "circular"):
        yield Sample((make.tensor(1, 2, 4), (1, 2), mode), {}, mode)
