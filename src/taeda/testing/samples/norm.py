"""Samples of the normalisations."""

from __future__ import annotations

from collections.abc import Iterator

from taeda.ops.registry import Op
from taeda.testing.samples._make import Make, Sample, sampler


@sampler("layer_norm", "native_layer_norm")
def _layer_norm(make: Make, row: Op) -> Iterator[Sample]:
    tail = (1e-5,) if row.name == "native_layer_norm" else ()
    weights = make.tensor(3), make.tensor(3)
    yield Sample((make.tensor(2, 3), (3,), *weights, *tail))
    yield Sample((make.tensor(2, 2, 3), (2, 3), None, None, 1e-3), {}, "two dims, no weights")
    yield Sample((make.tensor(0, 3), (3,), *weights, *tail), {}, "empty")


@sampler("rms_norm")
def _rms_norm(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), (3,), make.tensor(3)))
    yield Sample((make.tensor(2, 2, 3), (2, 3)), {"eps": 1e-3}, "two dims, no weight")
    yield Sample((make.tensor(0, 3), (3,), make.tensor(3)), {}, "empty")


@sampler("group_norm")
def _group_norm(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 4), 2, make.tensor(4), make.tensor(4)))
    yield Sample((make.tensor(1, 2, 3), 1), {}, "no weights")


@sampler("_native_batch_norm")
def _batch_norm(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(3, 2), make.tensor(2), make.tensor(2), None, None, True, 0.1, 1e-5))
    mean, var = make.tensor(2), make.tensor(2, low=0.5)
    yield Sample(
        (make.tensor(3, 2, 2), make.tensor(2), make.tensor(2), mean, var, False, 0.1, 1e-5),
        {},
        "running averages",
        ("input", "weight", "bias"),
    )


@sampler("_batch_norm_backward")
def _batch_norm_backward(make: Make, row: Op) -> Iterator[Sample]:
    image = make.tensor(3, 2)
    mean, invstd = image.mean(0), image.var(0, correction=0).add(1e-5).rsqrt()
    inputs = (make.tensor(3, 2), image, make.tensor(2), mean, invstd)
    # Its derivative counts the mean and the deviation as functions of the input, which differences cannot see.
    yield Sample((*inputs, True, 1e-5), {}, "plain", ("grad", "weight"))


@sampler("_layer_norm_backward")
def _layer_norm_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(2, 3), (3,), make.tensor(3), True, 1e-5))


@sampler("_rms_norm_backward")
def _rms_norm_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 3), make.tensor(2, 3), (3,), make.tensor(3), True, None))


@sampler("_group_norm_backward")
def _group_norm_backward(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2, 4), make.tensor(2, 4), 2, make.tensor(4), 1e-5))


@sampler("_add_epsilon")
def _add_epsilon(make: Make, row: Op) -> Iterator[Sample]:
    yield Sample((make.tensor(2), None))
