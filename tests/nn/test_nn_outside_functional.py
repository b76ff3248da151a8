"""The functions of networks that are public outside nn.functional: same results, arguments in their own order."""

import numpy as np
import pytest

import taeda
from taeda.nn import functional as F


def close(actual, expected):
    np.testing.assert_allclose(actual.tolist(), expected.tolist(), rtol=1e-6, atol=1e-6)


@pytest.fixture
def x():
    taeda.manual_seed(0)
    return taeda.randn(2, 4, 6)


def test_normalizations_take_the_weights_first(x):
    weight, bias, mean, var = taeda.rand(4), taeda.rand(4), taeda.zeros(4), taeda.ones(4)
    expected = F.batch_norm(x, mean.clone(), var.clone(), weight, bias, True)
    close(taeda.batch_norm(x, weight, bias, mean.clone(), var.clone(), True, 0.1, 1e-5), expected)
    result, batch_mean, invstd = taeda.native_batch_norm(x, weight, bias, mean, var, True, 0.1, 1e-5)
    close(result, expected)
    close(batch_mean, x.mean((0, 2)))
    close(invstd, (x.var((0, 2), unbiased=False) + 1e-5).rsqrt())
    assert taeda.native_batch_norm(x, weight, bias, mean, var, False, 0.1, 1e-5)[1].numel() == 0
    close(
        taeda.instance_norm(x, weight, bias, None, None, True, 0.1, 1e-5), F.instance_norm(x, None, None, weight, bias)
    )
    grouped, group_mean, _ = taeda.native_group_norm(x, weight, bias, 2, 4, 6, 2, 1e-5)
    close(grouped, F.group_norm(x, 2, weight, bias))
    close(group_mean, x.reshape(2, 2, 12).mean(-1))


def test_losses_take_numbers_for_reductions(x):
    a, b, sign = x[0], x[1], taeda.tensor([1.0, -1.0, 1.0, -1.0])
    for number, name in enumerate(("none", "mean", "sum")):
        close(
            taeda.cosine_embedding_loss(a, b, sign, margin=0.1, reduction=number),
            F.cosine_embedding_loss(a, b, sign, 0.1, reduction=name),
        )
        close(
            taeda.triplet_margin_loss(a, b, b + 1, reduction=number), F.triplet_margin_loss(a, b, b + 1, reduction=name)
        )
        close(
            taeda.binary_cross_entropy_with_logits(a, b.sigmoid(), reduction=number),
            F.binary_cross_entropy_with_logits(a, b.sigmoid(), reduction=name),
        )
    close(taeda.kl_div(a, b.softmax(0), 2), F.kl_div(a, b.softmax(0), reduction="sum"))


def test_the_others_lead_to_nn_functional(x):
    image = x.reshape(1, 4, 3, 4)
    close(taeda.pixel_shuffle(image, 2), F.pixel_shuffle(image, 2))
    close(taeda.cosine_similarity(x, x + 1, dim=2), F.cosine_similarity(x, x + 1, dim=2))
    close(taeda.constant_pad_nd(x, [1, 2], 3.0), F.pad(x, (1, 2), value=3.0))
    close(x.prelu(taeda.tensor([0.3])), F.prelu(x, taeda.tensor([0.3])))
    weight, index = taeda.rand(5, 3), taeda.tensor([[0, 4], [2, 2]])
    close(taeda.embedding(weight, index), weight[index])
    close(taeda._safe_softmax(taeda.full((2, 3), float("-inf")), 1), taeda.zeros(2, 3))


def test_cells(x):
    cell = taeda.nn.GRUCell(6, 5)
    state = taeda.rand(2, 5)
    weights = (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
    close(taeda.gru_cell(x[:, 0], state, *weights), cell(x[:, 0], state))
    cell = taeda.nn.LSTMCell(6, 5)
    weights = (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
    for actual, expected in zip(
        taeda.lstm_cell(x[:, 0], (state, state), *weights), cell(x[:, 0], (state, state)), strict=True
    ):
        close(actual, expected)
