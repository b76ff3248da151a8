"""Samples of reading images at points."""

from __future__ import annotations

from collections.abc import Iterator

import taeda
from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler

_MODES = ((0, 0, False), (0, 1, True), (0, 2, False), (1, 0, False), (2, 0, True), (2, 2, False))


@sampler("_grid_sample")
def _grid_sample(make: Make, row: Op) -> Iterator[Sample]:
    for mode, padding, align_corners in _MODES:
        image, grid = make.tensor(1, 2, 3, 3), make.tensor(1, 2, 2, 2, low=-0.9, high=0.9)
        yield Sample((image, grid, mode, padding, align_corners), {}, f"{mode=}, {padding=}, {align_corners=}")
    yield Sample(
        (make.tensor(1, 2, 2, 3, 3), make.tensor(1, 1, 2, 1, 3, low=-0.9, high=0.9), 0, 0, False), {}, "volume"
    )


@sampler("_grid_places", "_grid_weights")
def _grid_taps(make: Make, row: Op) -> Iterator[Sample]:
    for mode, padding, align_corners in _MODES:
        given = (make.tensor(1, 2, 2, 2, low=-0.9, high=0.9), (1, 2, 3, 3), mode, padding, align_corners)
        for order in (0, 1, 2) if row.name == "_grid_weights" else (None,):
            note = f"{mode=}, {padding=}, {align_corners=}, {order=}"
            yield Sample(given if order is None else (*given, order), {}, note)


@sampler("_ctc_loss")
def _ctc_loss(make: Make, row: Op) -> Iterator[Sample]:
    # Its gradient is that of the softmax before it as well: tests of the loss are where both are.
    lengths = taeda.tensor([4, 3]), taeda.tensor([2, 1])
    yield Sample(
        (make.tensor(4, 2, 3).log_softmax(-1), taeda.tensor([[1, 2], [1, 0]]), *lengths, 0, False), {}, "plain", ()
    )
