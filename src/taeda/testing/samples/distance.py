"""Samples of distances between rows."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("_cdist")
def _cdist(make: Make, row: Op) -> Iterator[Sample]:
    for p in (2.0, 1.0, 3.0):
        yield Sample((make.tensor(1, 3, 2), make.tensor(1, 4, 2), p), {}, f"{p=}")


@sampler("_pdist")
def _pdist(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(4, 2), 2.0))
