"""Samples of views and of what changes a tensor's shape."""

from __future__ import annotations

from collections.abc import Iterator

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("view", "reshape")
def _view(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (3, 2)))
    yield Sample((make.tensor(2, 6), (2, -1, 2)), {}, "inferred")
    yield Sample((make.tensor(), (1, 1)), {}, "zero-dim")
    yield Sample((make.tensor(1), ()), {}, "to zero-dim")
    yield Sample((make.tensor(0, 3), (3, 0)), {}, "empty")


@sampler("view.dtype")
def _view_dtype(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((taeda.tensor([[1.0, -2.5], [0.5, 3.0]]), taeda.int32))
    yield Sample((taeda.tensor([1.0, -2.5]), taeda.int16), {}, "smaller")
    yield Sample((taeda.tensor([[1, 0, 2, 0]], dtype=taeda.int16), taeda.int32), {}, "larger")


@sampler("view_as", "reshape_as")
def _view_as(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(3, 2)), {}, "plain", ("input",))
    yield Sample((make.tensor(), make.tensor(1)), {}, "zero-dim", ("input",))
    yield Sample((make.tensor(0, 3), make.tensor(0)), {}, "empty", ("input",))


@sampler("flatten")
def _flatten(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(2, 1, 3, 2), 1, -2), {}, "some dims")
    yield Sample((make.tensor(),), {}, "zero-dim")
    yield Sample((make.tensor(2, 0, 3),), {}, "empty")


@sampler("ravel", "squeeze", "contiguous", "alias", "detach")
def _whole(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 1, 3),))
    yield Sample((make.tensor(),), {}, "zero-dim")
    yield Sample((make.tensor(0, 1),), {}, "empty")
    if row.name == "contiguous":
        yield Sample((make.tensor(1, 2, 2, 2),), {"memory_format": taeda.channels_last}, "channels last")


@sampler("unflatten")
def _unflatten(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 6), 1, (2, 3)))
    yield Sample((make.tensor(6, 2), -2, (-1, 2)), {}, "inferred")
    yield Sample((make.tensor(0, 4), 1, (2, 2)), {}, "empty")


@sampler("permute", "_inverse_permute")
def _permute(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3, 2), (2, 0, 1)))
    yield Sample((make.tensor(2, 3), (-1, 0)), {}, "negative dims")
    yield Sample((make.tensor(), ()), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), (1, 0)), {}, "empty")


@sampler("transpose", "swapaxes", "swapdims")
def _transpose(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 0, 1))
    yield Sample((make.tensor(2, 3, 2), -1, 0), {}, "negative dim")
    yield Sample((make.tensor(), 0, -1), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), 0, 1), {}, "empty")


@sampler("t")
def _t(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(3),), {}, "one dim")
    yield Sample((make.tensor(),), {}, "zero-dim")
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("movedim", "moveaxis")
def _movedim(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 0, 1))
    yield Sample((make.tensor(2, 1, 3), (0, -1), (1, 0)), {}, "two dims")
    yield Sample((make.tensor(0, 3), 0, -1), {}, "empty")


@sampler("expand", "broadcast_to")
def _expand(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 1), (2, 3)))
    yield Sample((make.tensor(3), (2, -1) if row.name == "expand" else (2, 3)), {}, "new dim")
    yield Sample((make.tensor(), (2,)), {}, "zero-dim")
    yield Sample((make.tensor(1, 3), (0, 3)), {}, "to empty")


@sampler("expand_as")
def _expand_as(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 1), make.tensor(2, 3)), {}, "plain", ("input",))
    yield Sample((make.tensor(), make.tensor(0, 2)), {}, "zero-dim to empty", ("input",))


@sampler("unsqueeze")
def _unsqueeze(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1))
    yield Sample((make.tensor(2, 3), -1), {}, "negative dim")
    yield Sample((make.tensor(), 0), {}, "zero-dim")
    yield Sample((make.tensor(0), 0), {}, "empty")


@sampler("squeeze.dim")
def _squeeze_dim(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 1, 3), 1))
    yield Sample((make.tensor(2, 3), -1), {}, "nothing to drop")
    yield Sample((make.tensor(0, 1), 1), {}, "empty")


@sampler("squeeze.dims")
def _squeeze_dims(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 2, 1), (0, 2)))
    yield Sample((make.tensor(1, 2, 1), (-1, 1)), {}, "one of them long")


@sampler("select")
def _select(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1, 2))
    yield Sample((make.tensor(2, 3), -2, -1), {}, "negative")
    yield Sample((make.tensor(2, 0), 0, 1), {}, "empty")


@sampler("_select_backward")
def _select_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2), (2, 3), 1, 2))


@sampler("_slice")
def _slice(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(5, 2), 0, 1, 4, 2))
    yield Sample((make.tensor(5), 0, None, None, -1), {}, "backwards")
    yield Sample((make.tensor(2, 5), 1, -2, None, 1), {}, "negative start")
    yield Sample((make.tensor(5), 0, 3, 1, 1), {}, "to empty")


@sampler("_slice_backward")
def _slice_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 2), (5, 2), 0, 1, 4, 2))
    yield Sample((make.tensor(5), (5,), 0, None, None, -1), {}, "backwards")


@sampler("narrow")
def _narrow(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1, 1, 2))
    yield Sample((make.tensor(3, 2), 0, -2, 1), {}, "negative start")
    yield Sample((make.tensor(2, 3), 1, 3, 0), {}, "to empty")


@sampler("_narrow_backward")
def _narrow_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 2), (2, 3), 1, 1, 2))


@sampler("diagonal")
def _diagonal(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 3),))
    yield Sample((make.tensor(2, 3), 1), {}, "offset")
    yield Sample((make.tensor(2, 2, 3), -1, 2, 0), {}, "dims")
    yield Sample((make.tensor(2, 3), 5), {}, "to empty")
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("_diagonal_backward")
def _diagonal_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2), (2, 3), 1, 0, 1))


@sampler("_as_strided")
def _as_strided(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(6), (2, 3), (3, 1), 0, (1,), 0))
    yield Sample((make.tensor(6), (2, 2), (1, 1), 1, (1,), 0), {}, "overlapping")


@sampler("_as_strided_backward")
def _as_strided_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 2), (2, 2), (1, 1), 1, (1,), 0, (6,)))


@sampler("_as_strided_of")
def _as_strided_of(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(6), (2, 2), (1, 1), 1, (1,), 0, (6,)))


@sampler("unfold")
def _unfold(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(5), 0, 3, 1))
    yield Sample((make.tensor(2, 4), -1, 2, 2), {}, "steps")
    yield Sample((make.tensor(0, 4), 1, 2, 1), {}, "empty")


@sampler("_unfold_backward")
def _unfold_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 3), (5,), 0, 3, 1))


@sampler("split")
def _split(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(5, 2), 2))
    yield Sample((make.tensor(2, 3), 3, -1), {}, "one part")
    yield Sample((make.tensor(0, 3), 2), {}, "empty")


@sampler("split.sizes", "split_with_sizes")
def _split_sizes(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(5, 2), (2, 3)))
    yield Sample((make.tensor(2, 3), (1, 0, 2), -1), {}, "a part of length 0")


@sampler("chunk", "_tensor_split")
def _chunk(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(5, 2), 2))
    yield Sample((make.tensor(2, 3), 5, -1), {}, "more parts than entries")
    yield Sample((make.tensor(0, 3), 2), {}, "empty")


@sampler("_tensor_split.indices")
def _tensor_split_indices(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(5, 2), (1, 3)))
    yield Sample((make.tensor(5), (3, 1)), {}, "decreasing")


@sampler("_tensor_split_backward")
def _tensor_split_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample(([make.tensor(1, 2), make.tensor(2, 2), make.tensor(2, 2)], (5, 2), (1, 3), 0))


@sampler("unbind")
def _unbind(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(2, 3), -1), {}, "negative dim")
    yield Sample((make.tensor(2, 0),), {}, "empty")


@sampler("view_as_real", "imag", "_times_i")
def _complex_parts(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(),), {}, "zero-dim")
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("real")
def _real(make: Make, row: Op) -> Iterator[Sample]:
    yield from _complex_parts(make, row)
    yield Sample((make.tensor(2, 3, dtype=taeda.complex128),), {}, "complex")


@sampler("view_as_complex")
def _view_as_complex(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3, 2),))
    yield Sample((make.tensor(2),), {}, "to zero-dim")
    yield Sample((make.tensor(0, 2),), {}, "empty")


@sampler("resize_")
def _resize(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (3, 2)))
    yield Sample((make.tensor(2, 3), (2,)), {}, "smaller")
    yield Sample((make.tensor(2, 3), (0, 3)), {}, "to empty")


@sampler("resize_as_")
def _resize_as(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(3, 2)))
    yield Sample((make.tensor(2, 3), make.tensor(0)), {}, "to empty")
