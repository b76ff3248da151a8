"""Attention and transformer layers: against NumPy, and by what masks and modes must leave unchanged."""

import math

import numpy as np
import pytest

import taeda
from taeda import nn

rng = np.random.default_rng(3)


def array(tensor):
    return tensor.detach().numpy()


def tensor(values):
    return taeda.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def test_heads_by_definition():
    layer = nn.MultiheadAttention(6, 2, batch_first=True).double()
    q, k, v = rng.normal(size=(2, 3, 6)), rng.normal(size=(2, 4, 6)), rng.normal(size=(2, 4, 6))
    weight, bias = array(layer.in_proj_weight), array(layer.in_proj_bias)
    projected = [x @ weight[i * 6 : i * 6 + 6].T + bias[i * 6 : i * 6 + 6] for i, x in enumerate((q, k, v))]
    heads = [x.reshape(2, -1, 2, 3).transpose(0, 2, 1, 3) for x in projected]
    weights = softmax(heads[0] @ heads[1].transpose(0, 1, 3, 2) / math.sqrt(3))
    joined = (weights @ heads[2]).transpose(0, 2, 1, 3).reshape(2, 3, 6)
    expected = joined @ array(layer.out_proj.weight).T + array(layer.out_proj.bias)
    result, returned = layer(tensor(q), tensor(k), tensor(v))
    np.testing.assert_allclose(array(result), expected, atol=1e-10)
    np.testing.assert_allclose(array(returned), weights.mean(1), atol=1e-10)
    fast, none = layer(tensor(q), tensor(k), tensor(v), need_weights=False)
    assert none is None
    np.testing.assert_allclose(array(fast), expected, atol=1e-10)


@pytest.mark.parametrize("options", [{"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 5, "vdim": 7}])
def test_extra_keys_and_other_sizes(options):
    layer = nn.MultiheadAttention(6, 3, **options).double()
    k, v = options.get("kdim", 6), options.get("vdim", 6)
    result, weights = layer(
        tensor(rng.normal(size=(2, 1, 6))), tensor(rng.normal(size=(4, 1, k))), tensor(rng.normal(size=(4, 1, v)))
    )
    n_keys = 4 if "kdim" in options else 5
    assert result.shape == (2, 1, 6) and weights.shape == (1, 2, n_keys)
    np.testing.assert_allclose(array(weights).sum(-1), np.ones((1, 2)), atol=1e-12)


def test_masked_keys_do_not_count():
    layer = nn.MultiheadAttention(4, 2, batch_first=True).double()
    x = rng.normal(size=(1, 5, 4))
    mask = taeda.tensor([[False, False, False, True, True]])
    masked, weights = layer(tensor(x), tensor(x), tensor(x), key_padding_mask=mask)
    assert array(weights)[..., 3:].tolist() == np.zeros((1, 5, 2)).tolist()
    short = layer(tensor(x), tensor(x[:, :3]), tensor(x[:, :3]))[0]
    np.testing.assert_allclose(array(masked), array(short), atol=1e-12)
    with pytest.raises(RuntimeError, match="The shape of the 2D attn_mask"):
        layer(tensor(x), tensor(x), tensor(x), attn_mask=taeda.zeros(2, 2, dtype=taeda.float64))
    with pytest.raises(AssertionError, match="embed_dim must be divisible by num_heads"):
        nn.MultiheadAttention(4, 3)


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_causal_mask_hides_the_future(norm_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=norm_first).double()
    encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8)).double()
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=taeda.float64)
    assert mask[0].tolist() == [0.0] + [-math.inf] * 4
    x = rng.normal(size=(2, 5, 8))
    changed = x.copy()
    changed[:, 3:] = rng.normal(size=(2, 2, 8))
    one, other = encoder(tensor(x), mask), encoder(tensor(changed), mask)
    np.testing.assert_allclose(array(one)[:, :3], array(other)[:, :3], atol=1e-12)
    assert abs(array(one)[:, 3:] - array(other)[:, 3:]).max() > 1e-3


def test_encoder_layer_is_its_two_blocks():
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0).double()
    x = tensor(rng.normal(size=(3, 2, 4)))
    middle = layer.norm1(x + layer.self_attn(x, x, x)[0])
    expected = layer.norm2(middle + layer.linear2(layer.linear1(middle).relu()))
    np.testing.assert_allclose(array(layer(x)), array(expected), atol=1e-12)
    with pytest.raises(RuntimeError, match="activation should be relu/gelu, not tanh"):
        nn.TransformerEncoderLayer(4, 2, activation="tanh")


def test_layers_of_a_stack_are_separate_copies():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 3)
    assert len({id(parameter) for parameter in encoder.parameters()}) == 36
    assert encoder.layers[0].linear1.weight.tolist() == encoder.layers[2].linear1.weight.tolist()


def test_the_whole_transformer_learns_from_both_sides():
    model = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)
    src, tgt = taeda.randn(2, 5, 8), taeda.randn(2, 3, 8)
    result = model(src, tgt, tgt_mask=nn.Transformer.generate_square_subsequent_mask(3))
    assert result.shape == (2, 3, 8)
    result.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with pytest.raises(RuntimeError, match="the batch number of src and tgt must be equal"):
        model(taeda.randn(3, 5, 8), tgt)
    with pytest.raises(RuntimeError, match="must be equal to d_model"):
        model(taeda.randn(2, 5, 9), taeda.randn(2, 3, 9))


def test_evaluation_without_gradients_zeroes_what_is_padded():
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 1).eval()
    mask = taeda.tensor([[False, False, True], [False, True, True]])
    with taeda.no_grad():
        result = encoder(taeda.randn(2, 3, 4), src_key_padding_mask=mask)
    assert result[mask].tolist() == [[0.0] * 4] * 3
    assert bool((result[~mask] != 0).any())


def test_any_backend_may_be_asked_for():
    from taeda.nn.attention import SDPBackend, sdpa_kernel

    q = tensor(rng.normal(size=(1, 3, 4)))
    plain = nn.functional.scaled_dot_product_attention(q, q, q)
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        assert nn.functional.scaled_dot_product_attention(q, q, q).tolist() == plain.tolist()
    with pytest.raises(AssertionError, match="must be an instance of SDPBackend"), sdpa_kernel([3]):
        pass
