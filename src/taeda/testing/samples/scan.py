"""Samples of the running sums, products and extremes."""

from __future__ import annotations

from collections.abc import Iterator

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp")
def _running(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1))
    yield Sample((make.tensor(2, 3, 2), -2), {}, "negative dim")
    yield Sample((make.tensor(), 0), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), 0), {}, "empty")
    yield Sample((make.tensor(2, 0), 0), {}, "empty, other dim")
    if row.name in ("cumsum", "cumprod") and not make.dtype.is_complex:
        yield Sample((make.tensor(2, 3), 0), {"dtype": taeda.float64}, "dtype")


@sampler("_all_nonzero")
def _all_nonzero(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(2, 0),), {}, "empty")


@sampler("_cumprod_backward")
def _cumprod_backward(make: Make, row: Op) -> Iterator[Sample]:
    values = make.tensor(2, 3)
    yield Sample((make.tensor(2, 3), values, values.cumprod(1), 1), {}, "plain", ())
