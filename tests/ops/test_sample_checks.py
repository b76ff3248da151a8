"""The checks of sample_checks.py find what they are there for: each is handed a wrong kernel or a wrong gradient."""

from __future__ import annotations

import pytest
import sample_checks as checks

import taeda
from taeda.autograd.gradcheck import GradcheckError
from taeda.ops.capabilities import all_rows
from taeda.testing import samples

ROW = all_rows()["sin"]
SAMPLE = samples.samples_of(ROW)[0]


class Sine(taeda.autograd.Function):
    """sin with a gradient and a second gradient that can be bent."""

    @staticmethod
    def forward(ctx, x, bend, second):
        ctx.save_for_backward(x)
        ctx.bend, ctx.second = bend, second
        return taeda.sin(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        slope = x.cos() + ctx.bend * x
        return g * (slope if ctx.second else slope.detach()), None, None


def test_the_right_operation_passes():
    for check in (checks.check_values, checks.check_meta, checks.check_layouts, checks.check_forms):
        check(ROW, SAMPLE)
    checks.check_gradient(ROW, SAMPLE, lambda x: Sine.apply(x, 0.0, True))
    checks.check_second_gradient(ROW, SAMPLE, lambda x: Sine.apply(x, 0.0, True))


def test_a_wrong_kernel_is_found():
    with pytest.raises(AssertionError):
        checks.check_values(ROW, SAMPLE, lambda x: taeda.sin(x) + 1e-6)
    with pytest.raises(AssertionError):
        checks.check_values(ROW, SAMPLE, lambda x: taeda.sin(x).reshape(-1))


def test_a_wrong_gradient_is_found():
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        checks.check_gradient(ROW, SAMPLE, lambda x: Sine.apply(x, 0.01, True))


def test_a_missing_second_gradient_is_found():
    checks.check_gradient(ROW, SAMPLE, lambda x: Sine.apply(x, 0.0, False))
    with pytest.raises(GradcheckError):
        checks.check_second_gradient(ROW, SAMPLE, lambda x: Sine.apply(x, 0.0, False))


def test_a_kernel_that_ignores_strides_is_found():
    def in_order_of_memory(x):
        return taeda.sin(taeda.as_strided(x, (6,), (1,), 0).reshape(x.shape))

    with pytest.raises((AssertionError, RuntimeError)):
        checks.check_layouts(ROW, SAMPLE, in_order_of_memory)


def test_other_shapes_on_meta_are_found():
    def wrong(x):
        return x.new_empty((*x.shape, 1)) if x.device.type == "meta" else taeda.sin(x)

    with pytest.raises(AssertionError):
        checks.check_meta(ROW, SAMPLE, wrong)


def test_half_types_that_are_too_rough_are_found():
    half = samples.samples_of(ROW, taeda.float16)[0]
    with pytest.raises(AssertionError):
        checks.check_half(ROW, half, lambda x: x.sin() + (0.05 if x.dtype == taeda.float16 else 0))


def test_an_ignored_out_is_found():
    with pytest.raises(AssertionError):
        checks.check_forms(ROW, SAMPLE, lambda x, out=None: taeda.sin(x))


def test_samples_are_the_same_each_time_and_apart_from_each_other():
    row = all_rows()["topk"]
    first, second = samples.samples_of(row), samples.samples_of(row)
    assert [samples.source_of(row, a) for a in first] == [samples.source_of(row, b) for b in second]
    assert first[0].args[0] is not second[0].args[0]


@pytest.mark.parametrize("name", samples.LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 3), (), (0, 3), (4,)], ids=str)
def test_layouts_keep_the_elements(name, shape):
    x = taeda.arange(24.0)[: taeda.empty(shape).numel()].reshape(shape)
    y = samples.LAYOUTS[name](x)
    assert y.shape == x.shape
    assert y.tolist() == x.tolist()
    if shape == (2, 3):
        assert y.stride() != x.stride() or y.storage_offset()


def test_the_source_of_a_sample_computes_it():
    for key in ("add", "cat", "clamp.scalar", "index_put", "full", "view.dtype", "conv1d"):
        row = all_rows()[key]
        for sample in samples.samples_of(row, taeda.float32):
            computed = eval(samples.source_of(row, sample), {"torch": taeda})
            checks.compare(row, computed, samples.call(row, sample), key, (1e-5, 1e-5))
