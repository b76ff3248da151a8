"""Samples of interpolation."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("_interpolate")
def _interpolate(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 1, 2, 3), (4, 5), "bilinear", False, False, ()))
    yield Sample((make.tensor(1, 2, 3), (5,), "nearest", False, False, ()), {}, "nearest")
