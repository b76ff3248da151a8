"""Losses by class, rows of tables and padding: the fused kernels against NumPy, with both orders of gradients."""

import numpy as np
import pytest

import taeda
from taeda.autograd import gradcheck, gradgradcheck
from taeda.nn import functional as F

rng = np.random.default_rng(5)


def leaf(*shape):
    return taeda.from_numpy(rng.normal(size=shape)).requires_grad_()


def array(tensor):
    return tensor.detach().numpy()


def reference(logits, target, weight, reduction, ignored):
    """The cross-entropy by definition, with the classes last."""
    rows = np.moveaxis(logits, 1, -1).reshape(-1, logits.shape[1])
    largest = rows.max(1, keepdims=True)
    log_probabilities = rows - largest - np.log(np.exp(rows - largest).sum(1, keepdims=True))
    flat = target.reshape(-1)
    counts = flat != ignored
    safe = np.where(counts, flat, 0)
    factors = np.where(counts, np.ones(logits.shape[1])[safe] if weight is None else weight[safe], 0.0)
    losses = np.where(counts, -log_probabilities[np.arange(len(flat)), safe], 0.0) * factors
    if reduction == "none":
        return losses.reshape(target.shape)
    return losses.sum() / (factors.sum() if reduction == "mean" else 1)


@pytest.mark.parametrize("shape", [(6, 5), (2, 5, 3), (2, 300, 4, 2), (3, 4, 300), (70, 200)])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_is_log_softmax_and_nll(shape, reduction, weighted):
    logits = rng.normal(size=shape) * 5
    target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    target[0, ...].flat[0] = 3
    weight = rng.uniform(0.5, 2, shape[1]) if weighted else None
    x = taeda.from_numpy(logits).requires_grad_()
    w = None if weight is None else taeda.from_numpy(weight)
    loss = F.cross_entropy(x, taeda.from_numpy(target), w, ignore_index=3, reduction=reduction)
    np.testing.assert_allclose(array(loss), reference(logits, target, weight, reduction, 3), rtol=1e-10)
    loss.sum().backward()
    y = taeda.from_numpy(logits).requires_grad_()
    composed = F.nll_loss(F.log_softmax(y, 1), taeda.from_numpy(target), w, ignore_index=3, reduction=reduction)
    np.testing.assert_allclose(array(composed), array(loss), rtol=1e-10)
    composed.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", [F.nll_loss, F.cross_entropy])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2), (3,)])
def test_losses_by_class_have_two_derivatives(function, reduction, shape):
    target = taeda.tensor(0) if len(shape) == 1 else taeda.from_numpy(rng.integers(0, 3, (shape[0], *shape[2:])))
    weight = taeda.from_numpy(rng.uniform(0.5, 2, 3))

    def loss(x):
        return function(x, target, weight, ignore_index=1, reduction=reduction)

    x = leaf(*shape)
    assert gradcheck(loss, (x,))
    assert gradgradcheck(loss, (x,))


@pytest.mark.parametrize("dtype", [taeda.float16, taeda.bfloat16, taeda.float32])
def test_losses_by_class_of_narrower_types(dtype):
    logits, target = rng.normal(size=(9, 7)), rng.integers(0, 7, 9)
    x = taeda.from_numpy(logits).to(dtype).requires_grad_()
    loss = F.cross_entropy(x, taeda.from_numpy(target))
    assert loss.dtype == dtype
    loss.backward()
    tolerance = {taeda.float16: 2e-3, taeda.bfloat16: 2e-2, taeda.float32: 1e-6}[dtype]
    np.testing.assert_allclose(array(loss.double()), reference(logits, target, None, "mean", -100), rtol=tolerance)
    wide = taeda.from_numpy(logits).requires_grad_()
    F.cross_entropy(wide, taeda.from_numpy(target)).backward()
    np.testing.assert_allclose(array(x.grad.double()), array(wide.grad), atol=tolerance)


def test_cross_entropy_of_large_logits_keeps_its_digits():
    x = taeda.tensor([[1e6, 1e6 - 2.0], [-1e30, 0.0]], requires_grad=True)
    losses = F.cross_entropy(x, taeda.tensor([0, 0]), reduction="none")
    np.testing.assert_allclose(array(losses), [np.log1p(np.exp(-2.0)), 1e30], rtol=1e-6)
    losses.sum().backward()
    p = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(array(x.grad), [[p - 1, 1 - p], [-1, 1]], rtol=1e-5)


def test_losses_by_class_refuse_what_has_no_class():
    x = leaf(3, 5)
    with pytest.raises(IndexError, match=r"Target 7 is out of bounds\."):
        F.cross_entropy(x, taeda.tensor([0, 7, 1]))
    with pytest.raises(IndexError, match=r"Target -1 is out of bounds\."):
        F.nll_loss(x, taeda.tensor([0, -1, 1]))
    with pytest.raises(RuntimeError, match="expected target dtype to be Long or Byte, but got Int"):
        F.nll_loss(x, taeda.tensor([0, 1, 1], dtype=taeda.int32))
    with pytest.raises(ValueError, match=r"Expected input batch_size \(3\) to match target batch_size \(2\)"):
        F.nll_loss(x, taeda.tensor([0, 1]))
    with pytest.raises(RuntimeError, match="weight tensor should be defined either for all 5 classes"):
        F.nll_loss(x, taeda.tensor([0, 1, 1]), taeda.ones(4, dtype=taeda.float64))
    with pytest.raises(NotImplementedError, match="\"nll_loss_out_frame\" not implemented for 'Long'"):
        F.nll_loss(x.detach().long(), taeda.tensor([0, 1, 1]))
    assert np.isnan(F.cross_entropy(x, taeda.tensor([-100] * 3)).item())
    assert F.cross_entropy(x, taeda.tensor([-100] * 3), reduction="sum").item() == 0


def test_losses_by_class_know_their_shape_on_meta():
    x, target = taeda.empty(4, 5, 2, device="meta"), taeda.zeros(4, 2, dtype=taeda.int64, device="meta")
    assert F.cross_entropy(x, target, reduction="none").shape == (4, 2)
    assert F.nll_loss(x, target).shape == ()


# ---- rows of tables


@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("scaled", [False, True])
def test_the_gradient_of_a_table_adds_up_its_rows(padding, scaled):
    weight, index = leaf(6, 3), np.array([[1, 2, 1], [5, 1, 2]])
    rows = F.embedding(taeda.from_numpy(index), weight, padding_idx=padding, scale_grad_by_freq=scaled)
    np.testing.assert_array_equal(array(rows), array(weight)[index])
    factors = rng.normal(size=(2, 3, 3))
    (rows * taeda.from_numpy(factors)).sum().backward()
    expected = np.zeros((6, 3))
    for place in np.ndindex(2, 3):
        if index[place] != padding:
            expected[index[place]] += factors[place] / ((index == index[place]).sum() if scaled else 1)
    np.testing.assert_allclose(array(weight.grad), expected, rtol=1e-12)


@pytest.mark.parametrize("padding, scaled", [(-1, False), (2, False), (2, True), (-1, True)])
def test_the_gradient_of_a_table_is_linear_and_its_derivative_the_transpose(padding, scaled):
    from taeda import _ops

    index = taeda.tensor([[1, 2, 1], [5, 1, 2]])
    assert gradcheck(lambda g: _ops._HOMES["_C"]["_embedding_backward"](g, index, 6, padding, scaled), (leaf(2, 3, 3),))


def test_a_large_table_gets_the_same_gradient_on_any_number_of_threads():
    index = taeda.from_numpy(rng.integers(0, 50, 4000))
    factors = taeda.from_numpy(rng.normal(size=(4000, 200)).astype(np.float32))
    gradients = []
    before = taeda.get_num_threads()
    for n in (1, 2):
        taeda.set_num_threads(n)
        weight = taeda.zeros(50, 200, requires_grad=True)
        (F.embedding(index, weight) * factors).sum().backward()
        gradients.append(array(weight.grad))
    taeda.set_num_threads(before)
    np.testing.assert_array_equal(*gradients)


def test_rows_that_are_not_there():
    weight = leaf(4, 2)
    with pytest.raises(IndexError, match="index out of range in self"):
        F.embedding(taeda.tensor([0, 4]), weight)
    with pytest.raises(RuntimeError, match="'weight' must be 2-D"):
        F.embedding(taeda.tensor([0]), weight[0])
    with pytest.raises(RuntimeError, match=r"Long, Int; but got torch\.FloatTensor"):
        F.embedding(taeda.tensor([0.0]), weight)
    assert F.embedding(taeda.zeros(0, 3, dtype=taeda.int64), weight).shape == (0, 3, 2)


# ---- padding


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_has_two_derivatives(mode):
    for shape, pad in (((2, 4), (1, 2)), ((1, 3, 4), (2, -1, 0, 2)), ((1, 1, 3, 3, 2), (1, 0, -1, 2, 0, 1))):
        if mode == "constant" or len(shape) > len(pad) // 2:
            assert gradcheck(lambda x, pad=pad: F.pad(x, pad, mode) ** 2, (leaf(*shape),))
            assert gradgradcheck(lambda x, pad=pad: F.pad(x, pad, mode) ** 2, (leaf(*shape),))


def test_padding_of_all_types():
    for dtype in (taeda.bool, taeda.uint8, taeda.int64, taeda.float16, taeda.complex64):
        x = taeda.tensor([[0, 1, 1]]).to(dtype)
        assert F.pad(x, (1, 0), value=1).tolist() == taeda.tensor([[1, 0, 1, 1]]).to(dtype).tolist()
        assert F.pad(x, (2, 1), "reflect").tolist() == taeda.tensor([[1, 1, 0, 1, 1, 1]]).to(dtype).tolist()
    assert taeda.constant_pad_nd(taeda.empty(2, 3, device="meta"), (1, 2)).shape == (2, 6)
