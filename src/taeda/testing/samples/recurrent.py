"""Samples of the gates of recurrent cells."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("_lstm_gates")
def _lstm_gates(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 12), make.tensor(2, 3)))


@sampler("_gru_gates")
def _gru_gates(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 9), make.tensor(2, 9), make.tensor(2, 3)))
