"""Arguments that once ended the process, did not end, or read memory that is not theirs: now results or exceptions."""

from __future__ import annotations

import math

import numpy as np
import pytest

import taeda
from taeda.nn import functional as F

META = taeda.zeros(3, 3, device="meta")
PLACES = taeda.zeros(3, 3, dtype=taeda.int64, device="meta")
HUGE = 2**62


def cube(*shape):
    return taeda.ones(shape)


REFUSED = {
    "an index without data": lambda: taeda.gather(cube(3, 3), 0, PLACES),
    "a factor without data": lambda: cube(3, 3) @ META,
    "a part without data": lambda: taeda.cat([cube(3, 3), META]),
    "boundaries without data": lambda: taeda.searchsorted(META[0], cube(3)),
    "places without data": lambda: cube(3, 3)[PLACES],
    "values without data": lambda: taeda.index_put(cube(3), [taeda.tensor([0])], META[0, 0]),
    "an index to fill without data": lambda: cube(3).index_fill_(0, PLACES[0], cube()),
    "a scatter without data": lambda: cube(3, 3).scatter_(0, PLACES, cube(3, 3)),
    "a window beyond all numbers": lambda: F.avg_pool3d(cube(1, 1, 3, 3, 3), 2**63 - 1, ceil_mode=True),
    "a window beyond 32 bits": lambda: F.max_pool2d(cube(1, 1, 3, 3), 2**31, ceil_mode=True),
    "padding beyond all numbers": lambda: F.conv_transpose1d(cube(1, 2, 2), cube(2, 1, 2), padding=2**63 - 1),
    "more rows than time": lambda: taeda.tril_indices(HUGE, 3),
    "columns beyond all numbers": lambda: taeda.triu_indices(3, 3, 2**63 - 1),
    "steps that overflow in bytes": lambda: taeda.logspace(1, 5, HUGE, out=taeda.empty(0, dtype=taeda.float64)),
    "sizes that overflow in bytes": lambda: taeda.empty(0).resize_(HUGE),
    "more parts than fit in memory": lambda: taeda.chunk(cube(0, 3), HUGE),
    "more sections than fit in memory": lambda: cube(0, 3).tensor_split(HUGE),
    "more slices than fit in memory": lambda: taeda.empty(HUGE, 0).unbind(),
    "pivots out of range": lambda: taeda.linalg.lu_solve(
        cube(3, 3), taeda.tensor([1, 2000000, 3], dtype=taeda.int32), cube(3, 1)
    ),
    "symmetric pivots out of range": lambda: taeda.linalg.ldl_solve(
        cube(3, 3), taeda.tensor([1, 0, -2000000], dtype=taeda.int32), cube(3, 1)
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises((RuntimeError, ValueError, IndexError)) as caught:
        REFUSED[name]()
    assert len(str(caught.value)) > 20


def test_degrees_and_orders_without_end():
    degrees = taeda.tensor([math.inf, 3e38, 2.0])
    assert taeda.special.legendre_polynomial_p(taeda.tensor(0.5), degrees).tolist()[2] == pytest.approx(-0.125)
    assert taeda.special.chebyshev_polynomial_u(taeda.tensor(1), taeda.tensor(2**62)).isnan().item()
    assert taeda.polygamma(2**40, taeda.tensor([-0.5, 0.5, 2.0])).shape == (3,)
    assert taeda.special.zeta(taeda.tensor(3.0), taeda.tensor(-3e9 - 0.5, dtype=taeda.float64)).isnan().item()


def test_counts_without_end():
    counts = taeda.tensor([math.inf, math.nan, 3e38, 4.0])
    drawn = taeda.binomial(counts, taeda.full((4,), 0.3))
    assert drawn[0].item() == math.inf
    assert math.isnan(drawn[1].item())
    assert 0 <= drawn[3].item() <= 4


def test_any_number_of_groups_of_no_channels():
    assert F.group_norm(taeda.ones(1, 0, 3), HUGE).shape == (1, 0, 3)


def test_offsets_of_minus_one_are_no_mark():
    """x[rows, :, columns] over negative strides: an offset of -1 is as good as any other."""
    array = np.arange(12.0).reshape(2, 2, 3)
    x = taeda.tensor(array.tolist()).flip((0, 1, 2))[::-1, ::-1, ::-1]
    rows, columns = taeda.tensor([[0], [1]]), taeda.tensor([0, 1])
    assert x[rows, :, columns].tolist() == array[rows.numpy(), :, columns.numpy()].tolist()


def test_results_after_an_undefined_one_have_their_gradients():
    """The gradient of one factor alone: the backward's first result is undefined, its second has a derivative."""
    fixed = taeda.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=taeda.float64)
    weight = taeda.tensor([[0.5, -1.0], [2.0, 0.3]], dtype=taeda.float64, requires_grad=True)
    assert taeda.testing.gradgradcheck(lambda w: (fixed @ w) ** 3, (weight,))
    assert taeda.testing.gradgradcheck(lambda w: F.linear(fixed, w) ** 3, (weight,))


def test_zero_dim_integers_are_no_dims():
    assert taeda.max(taeda.tensor(-4), taeda.tensor(5)).item() == 5
    assert taeda.min(taeda.tensor(-4), taeda.tensor(5)).item() == -4


def test_division_with_a_rounding_mode_has_complex_gradients():
    x = taeda.tensor([1.0 + 2.0j, -0.5j], dtype=taeda.complex128, requires_grad=True)
    y = taeda.tensor([2.0 - 1.0j, 1.0 + 1.0j], dtype=taeda.complex128, requires_grad=True)
    assert taeda.testing.gradcheck(lambda a, b: taeda.div(a, b, rounding_mode=None), (x, y))


def test_a_mask_without_data_chooses_nothing():
    with pytest.raises(RuntimeError, match="indices should be either on cpu or on the same device"):
        taeda.zeros(2, 3).index_put_((taeda.empty(2, 3, dtype=taeda.bool, device="meta"),), taeda.tensor(1.0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: taeda.empty(70_000, dtype=taeda.bool),
        lambda: taeda.empty_strided((3, 5), (7, 1), dtype=taeda.bool),
        lambda: taeda.empty_like(taeda.zeros(70_000), dtype=taeda.bool),
        lambda: taeda.zeros(2, dtype=taeda.bool).new_empty(70_000),
        lambda: taeda.zeros(2, dtype=taeda.bool).resize_(70_000),
        lambda: taeda.zeros(2, dtype=taeda.bool).new_empty_strided((3, 5), (1, 3)),
    ],
)
def test_bools_are_0_or_1_whatever_the_memory_held(make):
    for size in (15, 70_000):  # what is freed here may be what is used there
        taeda.full((size,), 7, dtype=taeda.uint8)
    assert make().view(taeda.uint8).max() <= 1


def test_bools_of_a_refused_result_are_0_or_1():
    out = taeda.zeros(0, 3, dtype=taeda.bool)
    with pytest.raises(RuntimeError, match="out of bounds for bool"):
        taeda.randint(-3, 5, (200, 350), out=out)
    assert out.view(taeda.uint8).sum() == 0


def test_ranges_without_end():
    with pytest.raises(RuntimeError, match="invalid size, possible overflow"):
        taeda.arange(-1, 2**63 - 1, dtype=taeda.int64)


def test_strides_beyond_memory():
    with pytest.raises(RuntimeError, match="Storage size calculation overflowed"):
        taeda.empty_strided((2, 3), (1, HUGE), dtype=taeda.float16)
    assert taeda.empty_strided((2, 0), (1, HUGE)).shape == (2, 0)


def test_complex_numbers_are_not_drawn_as_integers():
    with pytest.raises(NotImplementedError, match="not implemented for 'ComplexDouble'"):
        taeda.zeros(2, dtype=taeda.complex128).random_()


@pytest.mark.parametrize("pivots", [[1, 2, -3], [-1, -1, -1], [-1, 2, 3], [1, -3, 3]])
def test_halves_of_blocks_of_two(pivots):
    packed, sides = taeda.eye(3), taeda.ones(3, 2)
    with pytest.raises(RuntimeError, match="come in pairs"):
        taeda.linalg.ldl_solve(packed, taeda.tensor(pivots), sides)
    assert taeda.linalg.ldl_solve(packed, taeda.tensor([-2, -2, 3]), sides).shape == (3, 2)


def test_pooling_nothing_into_any_number_of_cells():
    images = taeda.zeros(1, 0, 3, 3)
    for pool in (taeda.nn.functional.adaptive_avg_pool2d, taeda.nn.functional.adaptive_max_pool2d):
        assert pool(images, (HUGE, 1)).shape == (1, 0, HUGE, 1)
