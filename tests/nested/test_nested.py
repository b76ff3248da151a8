"""Nested tensors: made, asked, padded, and through an encoder."""

from __future__ import annotations

import numpy as np
import pytest

import taeda
from taeda import nested, nn
from taeda.testing import gradcheck


def test_what_it_is_made_of():
    tensors = [taeda.arange(6.0).reshape(2, 3), taeda.ones(4, 3)]
    made = nested.nested_tensor(tensors)
    assert made.is_nested and made.dim() == 3 and made.dtype is taeda.float32 and made.numel() == 18 and len(made) == 2
    assert made.size(0) == 2 and made.size(-1) == 3
    with pytest.raises(RuntimeError, match="dimension 1 is irregular"):
        made.size(1)
    with pytest.raises(IndexError, match="Dimension out of range"):
        made.size(3)
    tensors[0].zero_()
    assert made.unbind()[0][1, 2] == 5  # a copy
    assert nested.nested_tensor([[1.0, 2.0], [3.0]], dtype=taeda.float64).dtype is taeda.float64
    assert "nested_tensor([" in repr(made)


def test_padding():
    made = nested.nested_tensor([taeda.ones(2, 3), taeda.ones(1, 4)]).to_padded_tensor(-1.0)
    expected = np.full((2, 2, 4), -1.0)
    expected[0, :2, :3] = expected[1, :1, :4] = 1
    np.testing.assert_array_equal(made.numpy(), expected)
    wide = nested.to_padded_tensor(nested.nested_tensor([taeda.ones(2), taeda.ones(1)]), 0.0, (3, 4))
    assert wide.shape == (3, 4) and wide.sum() == 3
    with pytest.raises(RuntimeError, match="Truncation is not supported"):
        nested.to_padded_tensor(nested.nested_tensor([taeda.ones(2)]), 0.0, (1, 1))


def test_gradients_flow_through_the_padded_form():
    a, b = taeda.ones(2, 3, dtype=taeda.float64, requires_grad=True), taeda.zeros(1, 3, dtype=taeda.float64)
    assert gradcheck(lambda a: nested.as_nested_tensor([a, b]).to_padded_tensor(0.0).square(), (a,))
    assert not nested.nested_tensor([a]).requires_grad
    assert nested.nested_tensor([a], requires_grad=True).requires_grad


def test_errors():
    with pytest.raises(RuntimeError, match="same dimension"):
        nested.nested_tensor([taeda.ones(2), taeda.ones(2, 2)])
    with pytest.raises(TypeError, match="list of tensors"):
        nested.as_nested_tensor([1, 2])


@pytest.mark.parametrize("batch_first", [False, True])
def test_an_encoder_keeps_sequences_apart(batch_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=batch_first)
    encoder = nn.TransformerEncoder(layer, 2).eval()
    sequences = [taeda.randn(5, 8), taeda.randn(3, 8)]
    made = encoder(nested.nested_tensor(sequences)).unbind()
    for sequence, result in zip(sequences, made, strict=True):
        alone = encoder(sequence.unsqueeze(0) if batch_first else sequence.unsqueeze(1))
        np.testing.assert_allclose(result.detach().numpy(), alone.detach().reshape(-1, 8).numpy(), rtol=1e-4, atol=1e-5)
