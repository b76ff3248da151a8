"""Samples of the losses by class."""

from __future__ import annotations

from collections.abc import Iterator

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("_nll_loss", "_cross_entropy")
def _by_class(make: Make, row: Op) -> Iterator[Sample]:
    for reduction in (0, 1, 2):
        scores, target = make.tensor(3, 4), make.index(3, below=4)
        yield Sample((scores, target, None, reduction, -100), {}, f"{reduction=}", ("input",))
    scores, target = make.tensor(3, 4), taeda.tensor([0, 1, 3])
    yield Sample((scores, target, make.tensor(4, low=0.2), 1, 1), {}, "weights, an ignored class", ("input",))
