"""Samples of reading images at points."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("_grid_sample")
def _grid_sample(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 2, 3, 3), make.tensor(1, 2, 2, 2, low=-0.9, high=0.9), 0, 0, False))
