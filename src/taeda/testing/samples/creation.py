"""Samples of what makes tensors, fills them, copies them, and moves their entries about."""

from __future__ import annotations

from collections.abc import Iterator

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("empty", "zeros", "ones")
def _of_size(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample(((2, 3),), {"dtype": make.dtype})
    yield Sample(((),), {"dtype": make.dtype}, "zero-dim")
    yield Sample(((2, 0),), {"dtype": make.dtype}, "empty")


@sampler("empty_like", "zeros_like", "ones_like", "clone")
def _like(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(),), {}, "zero-dim")
    yield Sample((make.tensor(0, 3),), {}, "empty")
    yield Sample((make.tensor(1, 2, 2, 3),), {"memory_format": taeda.channels_last}, "channels last")


@sampler("new_empty", "new_zeros", "new_ones")
def _new(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1), (2, 3)))
    yield Sample((make.tensor(1), ()), {"dtype": taeda.int32}, "zero-dim, dtype")
    yield Sample((make.tensor(1), (0, 3)), {}, "empty")


@sampler("full", "full_like", "new_full")
def _full(make: Make, row: Op) -> Iterator[Sample]:
    for shape, note in (((2, 3), "plain"), ((), "zero-dim"), ((0, 3), "empty")):
        value = make.number()
        if row.name == "full":
            yield Sample((shape, value), {"dtype": make.dtype}, note)
        elif row.name == "full_like":
            yield Sample((make.tensor(*shape), value), {}, note)
        else:
            yield Sample((make.tensor(1), shape, value), {}, note)


@sampler("empty_strided", "new_empty_strided")
def _strided(make: Make, row: Op) -> Iterator[Sample]:
    first = () if row.name == "empty_strided" else (make.tensor(1),)
    keywords = {"dtype": make.dtype} if row.name == "empty_strided" else {}
    yield Sample((*first, (2, 3), (1, 2)), keywords)
    yield Sample((*first, (0, 3), (3, 1)), keywords, "empty")


@sampler("scalar_tensor")
def _scalar_tensor(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.number(),), {"dtype": make.dtype})


@sampler("arange", "arange.start", "range")
def _arange(make: Make, row: Op) -> Iterator[Sample]:
    if row.key == "arange":
        yield Sample((4,), {"dtype": make.dtype})
        yield Sample((0,), {}, "empty")
        return
    yield Sample((1, 4), {"dtype": make.dtype})
    yield Sample((4, 1, -1), {"dtype": make.dtype}, "downwards")
    yield Sample((0.25, 2, 0.5), {}, "fractions")


@sampler("linspace", "logspace")
def _linspace(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((0, 2, 5), {"dtype": make.dtype})
    yield Sample((1, -1, 4), {"dtype": make.dtype}, "downwards")
    yield Sample((3, 5, 1), {}, "one step")
    yield Sample((3, 5, 0), {}, "empty")


@sampler("linspace.tensor", "logspace.tensor")
def _linspace_of_tensors(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(), make.tensor(), 4), {"dtype": make.dtype})


@sampler("eye")
def _eye(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((3,), {"dtype": make.dtype})
    yield Sample((2, 3), {"dtype": make.dtype}, "wide")
    yield Sample((0,), {}, "empty")


@sampler("tril_indices", "triu_indices")
def _triangle_indices(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((3, 3))
    yield Sample((2, 3, 1), {}, "offset")
    yield Sample((0, 3), {}, "empty")


@sampler("zero_")
def _zero(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(),), {}, "zero-dim")
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("fill_", "fill_.tensor")
def _fill(make: Make, row: Op) -> Iterator[Sample]:
    for shape, note in (((2, 3), "plain"), ((), "zero-dim"), ((0, 3), "empty")):
        yield Sample((make.tensor(*shape), make.tensor() if row.overload == "tensor" else make.number()), {}, note)


@sampler("tril", "triu")
def _triangle(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 3),))
    yield Sample((make.tensor(2, 2, 3), 1), {}, "batch, above")
    yield Sample((make.tensor(3, 2), -1), {}, "below")
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("diag_embed")
def _diag_embed(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(2), 1, 0, 1), {}, "offset")
    yield Sample((make.tensor(2, 2), -1, 0, 2), {}, "dims")
    yield Sample((make.tensor(2, 0),), {}, "empty")


@sampler("_to_copy")
def _to_copy(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(2, 3), taeda.complex128), {}, "dtype")


@sampler("copy_")
def _copy(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(2, 3)))
    yield Sample((make.tensor(2, 3), make.tensor(3)), {}, "broadcast")
    yield Sample((make.tensor(), make.tensor()), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), make.tensor(3)), {}, "empty")


@sampler("flip")
def _flip(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (1,)))
    yield Sample((make.tensor(2, 3), (0, -1)), {}, "two dims")
    yield Sample((make.tensor(2, 3), ()), {}, "no dim")
    yield Sample((make.tensor(), ()), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), (1,)), {}, "empty")


@sampler("fliplr", "flipud")
def _fliplr(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("roll")
def _roll(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1, 1))
    yield Sample((make.tensor(2, 3), (1, -4), (0, -1)), {}, "two dims")
    yield Sample((make.tensor(2, 3), 2), {}, "flat")
    yield Sample((make.tensor(0, 3), 1, 1), {}, "empty")


@sampler("_roll_back")
def _roll_back(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (1,), (1,)))


@sampler("rot90")
def _rot90(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(2, 1, 3), -1, (0, 2)), {}, "backwards")
    yield Sample((make.tensor(2, 3), 2), {}, "half a turn")
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("_repeat_indices")
def _repeat_indices(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.index(4, below=3),))
