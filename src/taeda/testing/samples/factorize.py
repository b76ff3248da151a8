"""Samples of decompositions, solvers and what follows from them.

A gradient that belongs to a symmetric matrix, or to vectors that are free up to a sign, cannot be compared with differences of
single entries; tests of its own compare it, and its samples here have nothing to differentiate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


def _regular(make: Make, *shape: int) -> Any:
    """Square matrices that are far from singular."""
    return make.tensor(*shape) + 4 * taeda.eye(shape[-1], dtype=make.dtype)


@sampler("cholesky_ex", "cholesky", "eigh", "_eigvalsh", "ldl_factor_ex", "ldl_factor")
def _symmetric(make: Make, row: Op) -> Iterator[Sample]:
    more = ("L",) if row.name == "_eigvalsh" else ()
    yield Sample((make.positive_definite(n=3), *more), {}, "plain", ())
    yield Sample((make.positive_definite(2, n=2), *more), {}, "batch", ())
    yield Sample((make.tensor(0, 2, 2), *more), {}, "empty", ())


@sampler("solve_triangular")
def _solve_triangular(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((_regular(make, 3, 3).triu(), make.tensor(3, 2)), {"upper": True})
    yield Sample((_regular(make, 2, 2, 2).tril(), make.tensor(2, 2, 1)), {"upper": False}, "batch, lower")
    yield Sample((_regular(make, 2, 2).triu(), make.tensor(3, 2)), {"upper": True, "left": False}, "right")


@sampler("cholesky_solve")
def _cholesky_solve(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2), _regular(make, 3, 3)))
    yield Sample((make.tensor(2, 2, 1), _regular(make, 2, 2)), {"upper": True}, "upper, the factor broadcasts")
    yield Sample((make.tensor(0, 2, 1), _regular(make, 0, 2, 2)), {}, "empty")


@sampler("cholesky_inverse")
def _cholesky_inverse(make: Make, row: Op) -> Iterator[Sample]:
    # LAPACK reads the diagonal of a complex factor as real, so that differences of its imaginary parts are 0.
    wanted = () if make.dtype.is_complex else None
    yield Sample((_regular(make, 3, 3),), {}, "plain", wanted)
    yield Sample((_regular(make, 2, 2, 2),), {"upper": True}, "upper, batch", wanted)
    yield Sample((_regular(make, 0, 2, 2),), {}, "empty", wanted)


@sampler("lu_factor_ex", "lu_factor", "inv_ex", "inv", "inverse", "det", "slogdet", "matrix_exp")
def _square(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((_regular(make, 3, 3),))
    yield Sample((_regular(make, 2, 2, 2),), {}, "batch")
    yield Sample((make.tensor(0, 2, 2),), {}, "empty")


@sampler("lu_unpack")
def _lu_unpack(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((*taeda.linalg.lu_factor(_regular(make, 3, 3)),))


@sampler("lu_solve")
def _lu_solve(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((*taeda.linalg.lu_factor(_regular(make, 3, 3)), make.tensor(3, 2)))


@sampler("ldl_solve")
def _ldl_solve(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((*taeda.linalg.ldl_factor(make.positive_definite(n=3)), make.tensor(3, 2)), {}, "plain", ("B",))


@sampler("solve_ex", "solve")
def _solve(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((_regular(make, 3, 3), make.tensor(3, 2)))
    yield Sample((_regular(make, 2, 2, 2), make.tensor(2, 2, 1)), {}, "batch")
    yield Sample((_regular(make, 3, 3), make.tensor(3)), {}, "vector")
    yield Sample((_regular(make, 2, 2), make.tensor(3, 2)), {"left": False}, "right")


@sampler("qr")
def _qr(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2),))
    yield Sample((_regular(make, 2, 2, 2),), {}, "batch")
    yield Sample((make.tensor(3, 2), "r"), {}, "mode=r", ())
    yield Sample((make.tensor(3, 2), "complete"), {}, "mode=complete", ())


@sampler("geqrf")
def _geqrf(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2),))


@sampler("eig", "_eigvals", "svd", "_svdvals")
def _spectral(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((_regular(make, 3, 3),), {}, "plain", ())
    yield Sample((_regular(make, 2, 2, 2),), {}, "batch", ())
    if "svd" in row.name:
        yield Sample((make.tensor(3, 2),), {}, "tall", ())
        yield Sample((make.tensor(0, 3),), {}, "empty", ())


@sampler("_adjoint")
def _adjoint(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3),))
