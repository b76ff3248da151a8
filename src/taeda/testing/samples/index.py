"""Samples of reading and writing at indices and masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("gather")
def _gather(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2), 0, make.index(2, 2, below=3)))
    yield Sample((make.tensor(2, 3), -1, make.index(2, 5, below=3)), {}, "negative dim")
    yield Sample((make.tensor(), 0, make.index(below=1)), {}, "zero-dim")
    yield Sample((make.tensor(2, 3), 1, make.index(2, 0, below=3)), {}, "no indices")


@sampler("_gather_backward")
def _gather_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 2), (3, 2), 0, make.index(2, 2, below=3)))


@sampler("index_select")
def _index_select(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2), 0, make.index(4, below=3)))
    yield Sample((make.tensor(2, 3), -1, make.index(below=3)), {}, "zero-dim index")
    yield Sample((make.tensor(), 0, make.index(1, below=1)), {}, "zero-dim")
    yield Sample((make.tensor(2, 3), 1, make.index(0, below=3)), {}, "no indices")


@sampler("_index_select_backward")
def _index_select_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(4, 2), (3, 2), 0, make.index(4, below=3)))


@sampler("take")
def _take(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.index(4, below=6)))
    yield Sample((make.tensor(2, 3), make.index(below=6)), {}, "zero-dim")
    yield Sample((make.tensor(2, 3), make.index(0, below=6)), {}, "no indices")


@sampler("_take_backward")
def _take_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(4), (2, 3), make.index(4, below=6)))


@sampler("put")
def _put(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.index(3, below=6, distinct=True), make.tensor(3)))
    yield Sample((make.tensor(2, 3), make.index(4, below=6), make.tensor(4), True), {}, "accumulate")
    yield Sample((make.tensor(2, 3), make.index(0, below=6), make.tensor(0)), {}, "no indices")


_MODES = {"scatter.reduce_old": ("add", "multiply"), "scatter.value_reduce": ("add", "multiply")}


@sampler("scatter", "scatter.value", "scatter.reduce_old", "scatter.value_reduce", "scatter_add")
def _scatter(make: Make, row: Op) -> Iterator[Sample]:
    for mode in _MODES.get(row.key, (None,)):
        keywords = {} if mode is None else {"reduce": mode}

        def source(*shape: int) -> Any:
            return make.number() if "value" in row.overload else make.tensor(*shape)

        note = "plain" if mode is None else mode
        yield Sample((make.tensor(2, 4), 1, make.index(2, 3, below=4, distinct=True), source(2, 3)), keywords, note)
        yield Sample((make.tensor(3, 2), 0, make.index(1, 2, below=3), source(1, 2)), keywords, f"{note}, smaller")
        yield Sample((make.tensor(2, 3), 1, make.index(2, 0, below=3), source(2, 0)), keywords, f"{note}, none")
        yield Sample((make.tensor(), 0, make.index(below=1), source()), keywords, f"{note}, zero-dim")


@sampler("scatter_reduce")
def _scatter_reduce(make: Make, row: Op) -> Iterator[Sample]:
    for mode in ("sum", "prod", "mean", "amax", "amin"):
        for include_self in (True, False):
            yield Sample(
                (make.tensor(2, 3), 1, make.index(2, 4, below=3), make.tensor(2, 4), mode),
                {"include_self": include_self},
                f"{mode}, {include_self=}",
            )
    yield Sample((make.tensor(2, 3), 1, make.index(2, 0, below=3), make.tensor(2, 0), "sum"), {}, "no indices")


@sampler("_scatter_count")
def _scatter_count(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1, make.index(2, 4, below=3), True))


@sampler("index_add", "index_copy")
def _index_add(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(4, 2), 0, make.index(3, below=4, distinct=True), make.tensor(3, 2)))
    yield Sample((make.tensor(2, 3), -1, make.index(1, below=3), make.tensor(2, 1)), {}, "negative dim")
    yield Sample((make.tensor(2, 3), 1, make.index(0, below=3), make.tensor(2, 0)), {}, "no indices")
    if row.name == "index_add":
        yield Sample((make.tensor(3), 0, make.index(4, below=3), make.tensor(4)), {"alpha": 2}, "alpha, repeated")


@sampler("index_fill", "index_fill.tensor")
def _index_fill(make: Make, row: Op) -> Iterator[Sample]:
    def value() -> Any:
        return make.tensor() if row.overload == "tensor" else make.number()

    yield Sample((make.tensor(3, 2), 0, make.index(2, below=3), value()))
    yield Sample((make.tensor(), 0, make.index(1, below=1), value()), {}, "zero-dim")
    yield Sample((make.tensor(2, 3), 1, make.index(0, below=3), value()), {}, "no indices")


@sampler("_index")
def _index(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2), [make.index(4, below=3)]))
    yield Sample((make.tensor(2, 2, 3), [make.index(2, 1, below=2), None, make.index(2, below=3)]), {}, "apart")
    yield Sample((make.tensor(2, 3), [make.mask(2, 3)]), {}, "mask")


@sampler("_index_backward")
def _index_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(4, 2), (3, 2), [make.index(4, below=3)]))


@sampler("_index_zero")
def _index_zero(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2), [make.index(2, below=3)]))


@sampler("index_put", "_index_put")
def _index_put(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(4, 2), [make.index(3, below=4, distinct=True)], make.tensor(3, 2), False))
    yield Sample((make.tensor(3, 2), [make.index(4, below=3)], make.tensor(2), True), {}, "accumulate, broadcast")
    yield Sample((make.tensor(2, 3), [make.mask(2, 3)], make.tensor(), False), {}, "mask")
    yield Sample((make.tensor(2, 3), [make.index(0, below=2)], make.tensor(3), False), {}, "no indices")


@sampler("_nonzero", "where.nonzero")
def _nonzero(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.mask(2, 3),))
    yield Sample((make.mask(),), {}, "zero-dim")
    yield Sample((make.mask(0, 3),), {}, "empty")


@sampler("masked_select")
def _masked_select(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.mask(2, 3)))
    yield Sample((make.tensor(2, 1), make.mask(3)), {}, "broadcast")
    yield Sample((make.tensor(), make.mask()), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), make.mask(3)), {}, "empty")


@sampler("_masked_select_backward")
def _masked_select_backward(make: Make, row: Op) -> Iterator[Sample]:
    mask = make.mask(2, 3)
    yield Sample((make.tensor(int(mask.sum())), (2, 3), mask))


@sampler("masked_fill.tensor")
def _masked_fill(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.mask(2, 3), make.tensor()))
    yield Sample((make.tensor(2, 1), make.mask(3), make.tensor()), {}, "broadcast")
    yield Sample((make.tensor(), make.mask(), make.tensor()), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), make.mask(3), make.tensor()), {}, "empty")


@sampler("masked_scatter")
def _masked_scatter(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.mask(2, 3), make.tensor(7)))
    yield Sample((make.tensor(2, 3), make.mask(3), make.tensor(2, 4)), {}, "broadcast")
    yield Sample((make.tensor(0, 3), make.mask(3), make.tensor(1)), {}, "empty")


@sampler("_masked_scatter_backward")
def _masked_scatter_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.mask(2, 3), (7,)))
