"""Samples of the convolutions."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("conv1d", "conv2d", "conv3d")
def _conv(make: Make, row: Op) -> Iterator[Sample]:
    n = int(row.name[4])
    image, kernel = (4,) * n, (2,) * n
    yield Sample((make.tensor(1, 2, *image), make.tensor(1, 2, *kernel), make.tensor(1)))
    if n == 3:
        image = (3,) * n
    yield Sample((make.tensor(1, *image), make.tensor(2, 1, *kernel)), {"padding": 1}, "no batch, padding")
    yield Sample((make.tensor(1, 1, *image), make.tensor(1, 1, *kernel)), {"stride": 2, "dilation": 2}, "stride")
    yield Sample((make.tensor(1, 2, *image), make.tensor(2, 1, *kernel)), {"groups": 2}, "groups")
    yield Sample((make.tensor(0, 2, *image), make.tensor(1, 2, *kernel)), {}, "empty")


@sampler("conv1d.padding", "conv2d.padding", "conv3d.padding")
def _conv_same(make: Make, row: Op) -> Iterator[Sample]:
    n = int(row.name[4])
    for padding in ("same", "valid"):
        image, kernel = make.tensor(1, 1, *(3,) * n), make.tensor(1, 1, *(2,) * n)
        yield Sample((image, kernel), {"padding": padding}, padding)


@sampler("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _conv_transpose(make: Make, row: Op) -> Iterator[Sample]:
    n = int(row.name[14])
    image, kernel = (2,) * n, (2,) * n
    yield Sample((make.tensor(1, 2, *image), make.tensor(2, 1, *kernel), make.tensor(1)))
    yield Sample(
        (make.tensor(1, *image), make.tensor(1, 2, *kernel)),
        {"stride": 2, "padding": 1, "output_padding": 1},
        "no batch, stride, padding",
    )
    yield Sample((make.tensor(1, 2, *image), make.tensor(2, 1, *kernel)), {"groups": 2, "dilation": 2}, "groups")


@sampler("convolution")
def _convolution(make: Make, row: Op) -> Iterator[Sample]:
    for transposed in (False, True):
        image, kernel = make.tensor(1, 1, 3), make.tensor(1, 1, 2)
        yield Sample((image, kernel, make.tensor(1), (1,), (0,), (1,), transposed, (0,), 1), {}, f"{transposed=}")


@sampler("_convolution_sized")
def _convolution_sized(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(1, 1, 2), make.tensor(1, 1, 2), (1,), (0,), (1,), True, (3,), 1))


@sampler("_convolution_backward")
def _convolution_backward(make: Make, row: Op) -> Iterator[Sample]:
    parts = make.tensor(1, 1, 2), make.tensor(1, 1, 3), make.tensor(1, 1, 2)
    yield Sample((*parts, (1,), (0,), (1,), False, 1, True, True, True))
