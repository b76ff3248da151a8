"""Samples of the random operations."""

from __future__ import annotations

from collections.abc import Iterator

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("rand", "randn")
def _of_size(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample(((2, 3),), {"dtype": make.dtype})
    yield Sample(((),), {"dtype": make.dtype}, "zero-dim")
    yield Sample(((2, 0),), {"dtype": make.dtype}, "empty")


@sampler("rand_like", "randn_like")
def _like(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
    yield Sample((make.tensor(0, 3),), {}, "empty")


@sampler("randint", "randint.low", "randint_like", "randint_like.low")
def _randint(make: Make, row: Op) -> Iterator[Sample]:
    bounds = (-3, 5) if row.overload == "low" else (5,)
    for shape, note in (((2, 3), "plain"), ((), "zero-dim"), ((0, 3), "empty")):
        if row.name == "randint_like":
            yield Sample((make.tensor(*shape), *bounds), {}, note)
        else:
            yield Sample((*bounds, shape), {}, note)


@sampler("randperm")
def _randperm(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((5,))
    yield Sample((0,), {}, "empty")


@sampler("normal", "normal.mean", "normal.std", "normal.size")
def _normal(make: Make, row: Op) -> Iterator[Sample]:
    for shape, note in (((2, 3), "plain"), ((), "zero-dim"), ((0, 3), "empty")):
        mean, std = make.tensor(*shape), make.tensor(*shape, low=0.5)
        if row.overload == "size":
            yield Sample((1.0, 2.0, shape), {"dtype": make.dtype}, note)
        elif row.overload:
            yield Sample((mean, 2.0) if row.overload == "mean" else (1.0, std), {}, note)
        else:
            yield Sample((mean, std), {}, note)


@sampler(
    "uniform_",
    "normal_",
    "exponential_",
    "cauchy_",
    "log_normal_",
    "geometric_",
    "random_",
    "bernoulli_",
    "random_.from",
    "random_.to",
    "bernoulli_.tensor",
)
def _in_place(make: Make, row: Op) -> Iterator[Sample]:
    arguments = {"geometric_": (0.4,), "random_.from": (-2, 3), "random_.to": (4,), "bernoulli_": (0.4,)}
    for shape, note in (((2, 3), "plain"), ((), "zero-dim"), ((0, 3), "empty")):
        more = arguments.get(row.key, ())
        if row.key == "bernoulli_.tensor":
            more = (taeda.full(shape, 0.5),)
        yield Sample((make.tensor(*shape), *more), {}, note)


@sampler("bernoulli", "bernoulli.p")
def _bernoulli(make: Make, row: Op) -> Iterator[Sample]:
    for shape, note in (((2, 3), "plain"), ((), "zero-dim"), ((0, 3), "empty")):
        yield Sample((make.tensor(*shape, low=0.1, high=0.9), *((0.4,) if row.overload else ())), {}, note)


@sampler("multinomial")
def _multinomial(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(4, low=0.1), 2))
    yield Sample((make.tensor(2, 3, low=0.1), 5, True), {}, "replacement")


@sampler("poisson", "_standard_gamma", "_sample_dirichlet")
def _rates(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3, low=0.3),))
    yield Sample((make.tensor(0, 3, low=0.3),), {}, "empty")


@sampler("binomial")
def _binomial(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((taeda.full((2, 3), 5, dtype=make.dtype), make.tensor(2, 3, low=0.1, high=0.9)))


@sampler("_dropout")
def _dropout(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 0.4))


@sampler("native_dropout_backward")
def _native_dropout_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.mask(2, 3), 1.5))
    yield Sample((make.tensor(0, 3), make.mask(0, 3), 1.5), {}, "empty")
