"""Samples of scaled dot-product attention."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("_attention")
def _attention(make: Make, row: Op) -> Iterator[Sample]:
    parts = [make.tensor(1, 2, 3, 4) for _ in range(3)]
    yield Sample((*parts, None, False, 0.5), {}, "plain")
    yield Sample((*(make.tensor(1, 1, 3, 2) for _ in range(3)), None, True, 0.7), {}, "causal")


@sampler("_attention_weights")
def _attention_weights(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 2, 3, 4), make.tensor(1, 2, 3, 4), None, False, 0.5))
