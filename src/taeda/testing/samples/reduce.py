"""Samples of the reductions and of softmax."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler

_NEED_ELEMENTS = ("amax", "amin", "aminmax", "argmax", "argmin")
_VARIANCES = ("var", "std", "var_mean", "std_mean")
# Over nothing they are 0 / 0: there is nothing to differentiate.
_QUOTIENTS = ("mean", "nanmean", "vector_norm", *_VARIANCES)


@sampler(
    *"sum nansum mean nanmean prod any all count_nonzero amax amin logsumexp".split(),
    *"vector_norm var std var_mean std_mean argmax argmin aminmax".split(),
)
def _reduction(make: Make, row: Op) -> Iterator[Sample]:
    """Whole tensors, one dim, several; results with and without the dims; empty tensors where that has a value."""
    names = {argument.name: argument for argument in row.schema.arguments}
    many = "[" in names["dim"].type
    if names["dim"].default is not None:
        yield Sample((make.tensor(2, 3),))
        yield Sample((make.tensor(),), {}, "zero-dim", () if row.name in _VARIANCES else None)
    yield Sample((make.tensor(2, 3),), {"dim": 1}, "dim")
    keep = {"keepdim": True} if "keepdim" in names else {}
    yield Sample((make.tensor(2, 3, 2),), {"dim": -2, **keep}, "keepdim")
    if many and row.name != "aminmax":
        yield Sample((make.tensor(2, 3, 2),), {"dim": (0, -1)}, "two dims")
    yield Sample((make.tensor(0, 3),), {"dim": 1}, "empty, other dim")
    if row.name not in _NEED_ELEMENTS:
        yield Sample((make.tensor(0, 3),), {"dim": 0}, "empty", () if row.name in _QUOTIENTS else None)
    yield from _options(make, names)


def _options(make: Make, names: dict[str, Any]) -> Iterator[Sample]:
    if "correction" in names:
        yield Sample((make.tensor(2, 3),), {"dim": 1, "correction": 0}, "correction")
    if "ord" in names:
        for order in (1, 3, 0.5, float("inf"), -float("inf"), 0):
            yield Sample((make.tensor(2, 3), order), {"dim": 1}, f"ord={order}")
    if "dtype" in names and not (make.dtype.is_complex):
        yield Sample((make.tensor(2, 3),), {"dtype": taeda.float64}, "dtype")


@sampler("max", "min")
def _extreme(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(),), {}, "zero-dim")


@sampler("max.dim", "min.dim")
def _extreme_dim(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1))
    yield Sample((make.tensor(2, 3, 2), -2, True), {}, "keepdim")
    yield Sample((make.tensor(), 0), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), 1), {}, "empty")


@sampler("max.other", "min.other")
def _extreme_other(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(2, 3)))
    yield Sample((make.tensor(2, 1), make.tensor(3)), {}, "broadcast")
    yield Sample((make.tensor(), make.tensor()), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), make.tensor(3)), {}, "empty")


@sampler("var.unbiased", "std.unbiased", "var_mean.unbiased", "std_mean.unbiased")
def _unbiased(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), True))
    yield Sample((make.tensor(4), False), {}, "biased")


@sampler("var.dim", "std.dim", "var_mean.dim", "std_mean.dim")
def _unbiased_dim(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1, True))
    yield Sample((make.tensor(2, 3), (0, 1), False, True), {}, "biased, two dims")
    yield Sample((make.tensor(0, 3), 1, True), {}, "empty, other dim")


@sampler("sum_to_size")
def _sum_to_size(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (1, 3)))
    yield Sample((make.tensor(2, 3), (3,)), {}, "fewer dims")
    yield Sample((make.tensor(2, 3), (2, 3)), {}, "as it is")
    yield Sample((make.tensor(0, 3), (1, 3)), {}, "empty")


@sampler("trace")
def _trace(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 3),))
    yield Sample((make.tensor(2, 3),), {}, "wide")
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("_trace_backward")
def _trace_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(), (2, 3)))


@sampler("softmax", "log_softmax")
def _softmax(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1))
    yield Sample((make.tensor(2, 3, 2), -2), {}, "negative dim")
    yield Sample((make.tensor(), 0), {}, "zero-dim")
    yield Sample((make.tensor(0, 3), 0), {}, "empty")
    if not make.dtype.is_complex:
        yield Sample((make.tensor(2, 3), 0), {"dtype": taeda.float64}, "dtype")


@sampler("_softmax_backward", "_log_softmax_backward")
def _softmax_backward(make: Make, row: Op) -> Iterator[Sample]:
    values = make.tensor(2, 3)
    output = values.softmax(1) if row.name == "_softmax_backward" else values.log_softmax(1)
    yield Sample((make.tensor(2, 3), output, 1, make.dtype))


@sampler("_cast")
def _cast(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), taeda.complex128 if make.dtype.is_complex else taeda.float64))


@sampler("_unreduce")
def _unreduce(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2), (2, 3), (1,), False, make.dtype, False))
    yield Sample((make.tensor(), (2, 3), None, False, make.dtype, True), {}, "mean of all")


@sampler("_tie_weights")
def _tie_weights(make: Make, row: Op) -> Iterator[Sample]:
    values = make.tensor(2, 3)
    yield Sample((values, values.amax(1), (1,), False))


@sampler("_pick_along")
def _pick_along(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 1, make.index(2, below=3), False))


@sampler("_put_along")
def _put_along(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2), (2, 3), 1, make.index(2, below=3), False))


@sampler("_prod_others")
def _prod_others(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (1,)))
    yield Sample((make.tensor(2, 3), None), {}, "all")


@sampler("_prod_others_backward")
def _prod_others_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(2, 3), (1,)))


@sampler("_count_numbers")
def _count_numbers(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (1,), True))


@sampler("_var_backward")
def _var_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2), make.tensor(2, 3), (1,), None, False))
    yield Sample((make.tensor(), make.tensor(2, 3), None, 0.0, False), {}, "whole")
