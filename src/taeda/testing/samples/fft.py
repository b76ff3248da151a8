"""Samples of the Fourier transforms' kernels; the public functions are compositions."""

from __future__ import annotations

from collections.abc import Iterator

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("_fft_c2c")
def _c2c(make: Make, row: Op) -> Iterator[Sample]:
    for dims, note in (((1,), "plain"), ((0, 1), "two dims")):
        yield Sample((make.tensor(2, 3, dtype=taeda.complex128), dims, 0, True), {}, note)


@sampler("_fft_r2c")
def _r2c(make: Make, row: Op) -> Iterator[Sample]:
    for onesided in (True, False):
        yield Sample((make.tensor(2, 4), (1,), 0, onesided), {}, f"{onesided=}")


@sampler("_fft_c2r")
def _c2r(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3, dtype=taeda.complex128), (1,), 0, 4))
