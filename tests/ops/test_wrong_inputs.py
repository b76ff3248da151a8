"""Wrong inputs: PyTorch's exception types and phrases, with what was given."""

import pytest

import taeda
from taeda import special

ONES = taeda.ones(4)


@pytest.mark.parametrize(
    "function",
    [
        taeda.pow,
        taeda.remainder,
        taeda.float_power,
        taeda.xlogy,
        taeda.bitwise_and,
        taeda.bitwise_left_shift,
        special.zeta,
        special.xlog1py,
        special.hermite_polynomial_h,
    ],
)
def test_two_numbers_are_no_operands(function):
    with pytest.raises(TypeError, match="received an invalid combination of arguments"):
        function(2, 3)


@pytest.mark.parametrize(("name", "result"), [("add", 5), ("sub", -1), ("mul", 6), ("div", 2 / 3), ("floor_divide", 0)])
def test_arithmetic_takes_two_numbers(name, result):
    made = getattr(taeda, name)(2, 3)
    assert made.shape == () and made.item() == pytest.approx(result)


@pytest.mark.parametrize("function", [taeda.maximum, taeda.minimum, taeda.atan2])
def test_a_number_beside_a_tensor(function):
    with pytest.raises(TypeError, match=r"argument 'other' \(position 2\) must be Tensor, not int"):
        function(ONES, 2)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_complex_numbers_have_no_order(name):
    z = taeda.ones(2, dtype=taeda.complex64)
    with pytest.raises(RuntimeError, match=f"{name} not implemented for complex tensors"):
        getattr(taeda, name)(z, z)


def test_out_of_another_dtype():
    wide = taeda.empty(4, dtype=taeda.float64)
    index = taeda.tensor([0, 1, 2, 3])
    for call in (
        lambda: taeda.gather(ONES, 0, index, out=wide),
        lambda: taeda.mv(taeda.ones(4, 4), ONES, out=wide),
        lambda: taeda.softmax(ONES, 0, out=wide),
        lambda: taeda.multinomial(ONES, 4, out=wide),
    ):
        with pytest.raises(
            RuntimeError, match="Expected out tensor to have dtype float32|int64, but got float64 instead"
        ):
            call()
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype complex64"):
        taeda.complex(ONES, ONES, out=taeda.empty(4, dtype=taeda.complex128))


def test_out_of_another_dtype_where_results_are_cast():
    wide = taeda.empty(4, dtype=taeda.float64)
    assert taeda.add(ONES, ONES, out=wide) is wide
    assert wide.tolist() == [2.0] * 4
    assert taeda.cat([ONES[:2], ONES[2:]], out=wide).tolist() == [1.0] * 4
    with pytest.raises(RuntimeError, match="can't be cast to the desired output type Long"):
        taeda.add(ONES, ONES, out=taeda.empty(4, dtype=taeda.int64))


def test_dtype_and_out_of_a_factory():
    with pytest.raises(RuntimeError, match=r"dtype Float does not match dtype of out parameter \(Double\)"):
        taeda.ones(4, dtype=taeda.float32, out=taeda.empty(4, dtype=taeda.float64))
    assert taeda.ones(4, out=taeda.empty(4, dtype=taeda.float64)).dtype is taeda.float64


def test_out_that_shares_memory_with_an_input():
    x = taeda.arange(8.0)
    for call in (
        lambda: taeda.take(x, taeda.tensor([3, 2, 1, 0]), out=x[:4]),
        lambda: taeda.cat([x[:4], x[4:]], out=x),
        lambda: taeda.masked_select(x, x > 3, out=x[:4]),
        lambda: taeda.kthvalue(x.view(2, 4), 1, 0, out=(x[:4], taeda.empty(4, dtype=taeda.int64))),
    ):
        with pytest.raises(RuntimeError, match="refer to a single memory location"):
            call()
    assert x.tolist() == list(range(8))


def test_ends_of_a_space_that_are_no_numbers():
    for function in (taeda.linspace, taeda.logspace):
        with pytest.raises(
            RuntimeError, match="only supports 0-dimensional start and end tensors, but got start with 1"
        ):
            function(ONES, 2, 3)
        assert function(taeda.tensor(0.0), taeda.tensor(1), 3).shape == (3,)


def test_masks():
    with pytest.raises(RuntimeError, match="value cannot be converted to type float32 without overflow"):
        ONES.masked_fill(ONES > 0, 1j)
    for dtype, number in ((taeda.int64, float("inf")), (taeda.uint8, 300), (taeda.float16, 70000)):
        with pytest.raises(RuntimeError, match="without overflow"):
            ONES.to(dtype).masked_fill(ONES > 0, number)
    assert ONES.half().masked_fill(ONES > 0, float("-inf")).tolist() == [float("-inf")] * 4
    with pytest.raises(RuntimeError, match="boolean tensor, but got a tensor with dtype Int"):
        taeda.where(taeda.tensor([1, 0], dtype=taeda.int32), ONES[:2], ONES[:2])
    old_mask = taeda.tensor([1, 0], dtype=taeda.uint8)
    assert taeda.where(old_mask, ONES[:2], taeda.zeros(2)).tolist() == [1.0, 0.0]


def test_copy_of_another_shape():
    with pytest.raises(RuntimeError, match=r"The size of tensor a \(4\) must match the size of tensor b \(3\)"):
        taeda.ones(4).copy_(taeda.ones(3))
    with pytest.raises(RuntimeError, match=r"output with shape \[4\] doesn't match the broadcast shape \[2, 4\]"):
        taeda.ones(4).copy_(taeda.ones(2, 4))


@pytest.mark.parametrize(
    ("weights", "phrase"),
    [
        ({"fweights": taeda.ones(2, 2, dtype=taeda.int64)}, "fweights to have one or fewer dimensions"),
        ({"aweights": taeda.ones(2, 2)}, "aweights to have one or fewer dimensions"),
        ({"fweights": taeda.ones(4)}, "fweights to have integral dtype"),
        ({"aweights": taeda.ones(4, dtype=taeda.int64)}, "aweights to have floating point dtype"),
        ({"fweights": taeda.ones(3, dtype=taeda.int64)}, "same numel as there are observations"),
        ({"aweights": -taeda.ones(4)}, "aweights cannot be negative"),
    ],
)
def test_weights_of_a_covariance(weights, phrase):
    with pytest.raises(RuntimeError, match=phrase):
        taeda.cov(taeda.ones(2, 4), **weights)
