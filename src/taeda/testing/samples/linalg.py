"""Samples of products of matrices and vectors, and of the decompositions."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("mm")
def _mm(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(3, 2)))
    yield Sample((make.tensor(2, 0), make.tensor(0, 3)), {}, "empty sum")
    yield Sample((make.tensor(0, 2), make.tensor(2, 3)), {}, "empty")


@sampler("bmm")
def _bmm(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 2, 3), make.tensor(2, 3, 1)))
    yield Sample((make.tensor(2, 2, 0), make.tensor(2, 0, 3)), {}, "empty sum")
    yield Sample((make.tensor(0, 2, 3), make.tensor(0, 3, 2)), {}, "empty")


@sampler("_cross")
def _cross(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(2, 3), 1))
    yield Sample((make.tensor(3, 2), make.tensor(3, 2), -2), {}, "vectors that are not dense")
    yield Sample((make.tensor(0, 3), make.tensor(0, 3), 1), {}, "empty")


@sampler("addmm", "addmv", "baddbmm", "addbmm")
def _add_product(make: Make, row: Op) -> Iterator[Sample]:
    batch = (2,) if row.name in ("baddbmm", "addbmm") else ()
    kept = batch if row.name == "baddbmm" else ()
    right = (3,) if row.name == "addmv" else (3, 4)

    def factors() -> tuple:
        return make.tensor(*batch, 2, 3), make.tensor(*batch, *right)

    result = (*kept, 2) if row.name == "addmv" else (*kept, 2, 4)
    yield Sample((make.tensor(*result), *factors()))
    yield Sample((make.tensor(*result), *factors()), {"beta": 2, "alpha": 3}, "factors")
    yield Sample((make.tensor(*result), *factors()), {"beta": 0}, "beta=0")
    yield Sample((make.tensor(result[-1]), *factors()), {}, "broadcast")


@sampler("mv")
def _mv(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(3)))
    yield Sample((make.tensor(2, 0), make.tensor(0)), {}, "empty sum")


@sampler("dot", "vdot")
def _dot(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3), make.tensor(3)))
    yield Sample((make.tensor(0), make.tensor(0)), {}, "empty")


@sampler("matmul")
def _matmul(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(3, 2)))
    yield Sample((make.tensor(3), make.tensor(3)), {}, "vectors")
    yield Sample((make.tensor(2, 3), make.tensor(3)), {}, "matrix, vector")
    yield Sample((make.tensor(3), make.tensor(2, 3, 2)), {}, "vector, batch")
    yield Sample((make.tensor(2, 1, 2, 3), make.tensor(3, 3, 1)), {}, "broadcast")
    yield Sample((make.tensor(0, 2, 3), make.tensor(3, 2)), {}, "empty")


@sampler("linear")
def _linear(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(4, 3), make.tensor(4)))
    yield Sample((make.tensor(3), make.tensor(4, 3)), {}, "one input, no bias")
    yield Sample((make.tensor(2, 1, 3), make.tensor(4, 3), make.tensor(4)), {}, "batches")
    yield Sample((make.tensor(3), make.tensor(3)), {}, "one output")
    yield Sample((make.tensor(0, 3), make.tensor(4, 3), make.tensor(4)), {}, "empty")


@sampler("_matmul_backward")
def _matmul_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 2), make.tensor(2, 3), make.tensor(3, 2), True, True))


@sampler("_linear_backward")
def _linear_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 4), make.tensor(2, 3), make.tensor(4, 3), make.tensor(4), True, True, True))


@sampler("_scaled")
def _scaled(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), 2))
