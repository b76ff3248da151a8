"""Samples of sorting, selection, search and counting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("sort", "argsort")
def _sort(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(3, 2), 0, True), {}, "descending")
    yield Sample((make.tensor(2, 3),), {"dim": -1, "stable": True}, "stable")
    yield Sample((make.tensor(),), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), 0), {}, "empty")


@sampler("topk")
def _topk(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 5), 2))
    yield Sample((make.tensor(5, 2), 3, 0, False), {}, "smallest")
    yield Sample((make.tensor(2, 3), 0), {}, "none")
    yield Sample((make.tensor(), 1), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), 2), {}, "empty")


@sampler("kthvalue")
def _kthvalue(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 5), 2))
    yield Sample((make.tensor(5, 2), 3, 0, True), {}, "keepdim")
    yield Sample((make.tensor(), 1), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), 2), {}, "empty")


@sampler("median", "nanmedian")
def _median(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 5),))
    yield Sample((make.tensor(),), {}, "zero-dim")
    yield Sample((make.tensor(4),), {}, "an even number")


@sampler("median.dim", "nanmedian.dim", "mode")
def _median_dim(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 5), 1))
    yield Sample((make.tensor(4, 2), 0, True), {}, "keepdim")
    yield Sample((make.tensor(), 0), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), 1), {}, "empty")


@sampler("searchsorted")
def _searchsorted(make: Make, row: Op) -> Iterator[Sample]:
    edges = make.tensor(5).sort().values
    yield Sample((edges, make.tensor(2, 3)))
    yield Sample((make.tensor(2, 5).sort().values, make.tensor(2, 3)), {"right": True}, "rows")
    yield Sample((edges, make.number()), {"side": "left"}, "a number")
    plain = make.tensor(4)
    yield Sample((plain, make.tensor(3)), {"sorter": plain.argsort(), "out_int32": True}, "sorter")
    yield Sample((edges, make.tensor(0)), {}, "empty")


@sampler("bucketize")
def _bucketize(make: Make, row: Op) -> Iterator[Sample]:
    edges = make.tensor(5).sort().values
    yield Sample((make.tensor(2, 3), edges))
    yield Sample((make.tensor(), edges), {"right": True}, "zero-dim")
    yield Sample((make.number(), edges), {"out_int32": True}, "a number")
    yield Sample((make.tensor(0, 3), edges), {}, "empty")


@sampler("_unique", "_unique_consecutive")
def _unique(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((_with_repeats(make, 6), True))
    yield Sample((make.tensor(0), False), {}, "empty")


@sampler("_unique_dim")
def _unique_dim(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((_with_repeats(make, 6).reshape(3, 2), 0, False))
    yield Sample((_with_repeats(make, 6).reshape(3, 2), 1, True), {}, "consecutive")


def _with_repeats(make: Make, count: int) -> Any:
    return make.tensor(3)[make.index(count, below=3)]


@sampler("equal")
def _equal(make: Make, row: Op) -> Iterator[Sample]:
    same = make.tensor(2, 3)
    yield Sample((same, same.clone()))
    yield Sample((same, make.tensor(2, 3)), {}, "other values")
    yield Sample((same, make.tensor(3)), {}, "other shape")
    yield Sample((make.tensor(), make.tensor()), {}, "zero-dim")
    yield Sample((make.tensor(0), make.tensor(0)), {}, "empty")


@sampler("_isin")
def _isin(make: Make, row: Op) -> Iterator[Sample]:
    elements = make.tensor(2, 3)
    yield Sample((elements, elements.flatten()[:2], False))
    yield Sample((elements, make.tensor(0), True), {}, "empty")


@sampler("bincount")
def _bincount(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.index(6, below=4),))
    yield Sample((make.index(6, below=4), make.tensor(6)), {}, "weights")
    yield Sample((make.index(0, below=4),), {"minlength": 3}, "empty")


@sampler("histc")
def _histc(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 4, -2, 2))
    yield Sample((make.tensor(6), 3), {}, "range of the data")
    yield Sample((make.tensor(0), 3), {}, "empty")
