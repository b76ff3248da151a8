"""Attention by tiles: against softmax(Q K^T) V in NumPy, and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

import taeda
from taeda.testing import gradcheck, gradgradcheck

F = taeda.nn.functional


def reference(q, k, v, mask=None, is_causal=False, scale=None):
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    groups = q.shape[-3] // k.shape[-3]
    k, v = np.repeat(k, groups, -3), np.repeat(v, groups, -3)
    scores = scale * q @ np.swapaxes(k, -1, -2)
    if is_causal:
        mask = np.tril(np.ones(scores.shape[-2:], bool))
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    top = scores.max(-1, keepdims=True)
    e = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = e.sum(-1, keepdims=True)
    return np.where(total > 0, e / np.where(total > 0, total, 1), 0) @ v


def draw(*shapes, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(
    "sizes",
    [(2, 3, 3, 5, 7, 8, 8), (1, 4, 2, 200, 300, 6, 5), (1, 1, 1, 500, 130, 3, 9), (1, 2, 1, 13, 600, 20, 4)],
    ids=str,
)
def test_values(sizes, is_causal):
    batch, heads, kv_heads, n_queries, n_keys, width, value_width = sizes
    arrays = draw(
        (batch, heads, n_queries, width), (batch, kv_heads, n_keys, width), (batch, kv_heads, n_keys, value_width)
    )
    made = F.scaled_dot_product_attention(
        *map(taeda.tensor, arrays), is_causal=is_causal, enable_gqa=heads != kv_heads, scale=0.7
    )
    np.testing.assert_allclose(made.numpy(), reference(*arrays, is_causal=is_causal, scale=0.7), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float16", 2e-3), ("bfloat16", 2e-2)])
def test_dtypes(dtype, tolerance):
    arrays = draw((2, 2, 40, 16), (2, 2, 50, 16), (2, 2, 50, 16))
    tensors = [taeda.tensor(a, dtype=getattr(taeda, dtype)) for a in arrays]
    made = F.scaled_dot_product_attention(*tensors)
    assert made.dtype is getattr(taeda, dtype)
    expected = reference(*(t.double().numpy() for t in tensors))
    np.testing.assert_allclose(made.double().numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["bool", "float", "row"])
def test_masks(kind):
    rng = np.random.default_rng(3)
    q, k, v = draw((2, 3, 150, 4), (2, 3, 270, 4), (2, 3, 270, 4))
    mask = {
        "bool": rng.random((2, 1, 150, 270)) > 0.4,
        "float": np.where(rng.random((150, 270)) > 0.3, rng.standard_normal((150, 270)), -np.inf),
        "row": rng.random((2, 1, 1, 270)) > 0.5,
    }[kind]
    if kind != "row":
        mask[..., 7, :] = False if kind == "bool" else -np.inf  # sees nothing
    made = F.scaled_dot_product_attention(*map(taeda.tensor, (q, k, v)), attn_mask=taeda.tensor(mask)).numpy()
    np.testing.assert_allclose(made, reference(q, k, v, mask), rtol=1e-10, atol=1e-12)
    if kind != "row":
        assert (made[:, :, 7] == 0).all()


def test_queries_that_see_nothing_have_no_gradient():
    q, k, v = (taeda.tensor(a, requires_grad=True) for a in draw((1, 1, 3, 4), (1, 1, 5, 4), (1, 1, 5, 4)))
    mask = taeda.ones(3, 5, dtype=taeda.bool)
    mask[1] = False
    F.scaled_dot_product_attention(q, k, v, mask).sum().backward()
    assert (q.grad[0, 0, 1] == 0).all()
    assert all(taeda.isfinite(x.grad).all() for x in (q, k, v))


def test_nan_reaches_only_its_query():
    q, k, v = draw((1, 1, 4, 4), (1, 1, 5, 4), (1, 1, 5, 4))
    q[0, 0, 2, 1] = np.nan
    made = F.scaled_dot_product_attention(*map(taeda.tensor, (q, k, v))).numpy()
    assert np.isnan(made[0, 0, 2]).all() and np.isfinite(made[0, 0, [0, 1, 3]]).all()


@pytest.mark.parametrize(
    "shapes",
    [((6, 4), (5, 4), (5, 3)), ((3, 6, 4), (3, 5, 4), (3, 5, 3)), ((2, 1, 3, 6, 4), (2, 2, 3, 5, 4), (1, 2, 3, 5, 3))],
    ids=str,
)
def test_leading_dimensions(shapes):
    arrays = draw(*shapes)
    made = F.scaled_dot_product_attention(*map(taeda.tensor, arrays)).numpy()
    lead = np.broadcast_shapes(*(a.shape[:-2] for a in arrays))
    expanded = [np.broadcast_to(a, (*lead, *a.shape[-2:])) for a in arrays]
    expanded = [a.reshape(-1, 1, *a.shape[-2:]) for a in expanded]
    np.testing.assert_allclose(made.reshape(-1, 1, 6, 3), reference(*expanded), rtol=1e-10, atol=1e-12)


def test_strides():
    packed = taeda.tensor(draw((2, 40, 3, 4, 5))[0])  # (batch, length, q k v, heads, width)
    q, k, v = (packed[:, :, i].transpose(1, 2) for i in range(3))
    made = F.scaled_dot_product_attention(q, k, v)
    copies = F.scaled_dot_product_attention(q.contiguous(), k.contiguous(), v.contiguous())
    np.testing.assert_allclose(made.numpy(), copies.numpy(), rtol=1e-12)


@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_do_not_depend_on_threads(threads):
    arrays = draw((1, 2, 1000, 8), (1, 2, 900, 8), (1, 2, 900, 8), dtype=np.float32)

    def gradients():
        tensors = [taeda.tensor(a, requires_grad=True) for a in arrays]
        F.scaled_dot_product_attention(*tensors, is_causal=True).square().sum().backward()
        return [t.grad.numpy() for t in tensors]

    before = taeda.get_num_threads()
    expected = gradients()
    try:
        taeda.set_num_threads(threads)
        for made, other in zip(gradients(), expected, strict=True):
            np.testing.assert_array_equal(made, other)
    finally:
        taeda.set_num_threads(before)


@pytest.mark.parametrize("option", ["plain", "causal", "bool", "float", "gqa", "dropout"])
def test_derivatives(option):
    heads = 1 if option == "gqa" else 2
    q, k, v = (taeda.tensor(a, requires_grad=True) for a in draw((1, 2, 4, 3), (1, heads, 5, 3), (1, heads, 5, 2)))
    mask = None
    if option == "bool":
        mask = taeda.tensor(np.random.default_rng(1).random((4, 5)) > 0.3)
    if option == "float":
        mask = taeda.tensor(draw((4, 5), seed=2)[0])

    def attend(q, k, v):
        taeda.manual_seed(0)
        p = 0.3 if option == "dropout" else 0.0
        return F.scaled_dot_product_attention(
            q, k, v, mask, dropout_p=p, is_causal=option == "causal", enable_gqa=option == "gqa"
        )

    assert gradcheck(attend, (q, k, v))
    if option != "dropout":
        assert gradgradcheck(attend, (q, k, v))


def test_gradient_of_a_float_mask():
    tensors = [taeda.tensor(a, requires_grad=True) for a in draw((1, 2, 4, 3), (1, 2, 5, 3), (1, 2, 5, 2), (4, 5))]
    assert gradcheck(F.scaled_dot_product_attention, tuple(tensors))


def test_gradients_of_large_sizes():
    # Several tiles each way, in both directions: the derivative along a random direction.
    arrays = draw((1, 2, 210, 5), (1, 1, 410, 5), (1, 1, 410, 4), (1, 2, 210, 4))
    q, k, v = (taeda.tensor(a, requires_grad=True) for a in arrays[:3])
    F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).backward(taeda.tensor(arrays[3]))
    step = 1e-6
    for index, tensor in enumerate((q, k, v)):
        direction = draw(tensor.shape, seed=index + 5)[0]
        ends = []
        for sign in (-1, 1):
            moved = list(arrays[:3])
            moved[index] = moved[index] + sign * step * direction
            ends.append((reference(*moved, is_causal=True) * arrays[3]).sum())
        expected = (ends[1] - ends[0]) / (2 * step)
        np.testing.assert_allclose((tensor.grad.numpy() * direction).sum(), expected, rtol=1e-6)


def test_empty():
    made = F.scaled_dot_product_attention(taeda.ones(2, 3, 0, 4), taeda.ones(2, 3, 5, 4), taeda.ones(2, 3, 5, 4))
    assert made.shape == (2, 3, 0, 4)
    made = F.scaled_dot_product_attention(taeda.ones(2, 3, 2, 4), taeda.ones(2, 3, 0, 4), taeda.ones(2, 3, 0, 4))
    assert made.shape == (2, 3, 2, 4) and (made == 0).all()


def test_errors():
    q = taeda.ones(1, 2, 3, 4)
    with pytest.raises(RuntimeError, match="same dtype"):
        F.scaled_dot_product_attention(q, q.double(), q)
    with pytest.raises(RuntimeError, match="should not be set when is_causal=True"):
        F.scaled_dot_product_attention(q, q, q, taeda.ones(3, 3), is_causal=True)
    with pytest.raises(RuntimeError, match="divide the number of heads"):
        F.scaled_dot_product_attention(taeda.ones(1, 3, 3, 4), q, q, enable_gqa=True)
    with pytest.raises(RuntimeError, match="attn_mask dtype"):
        F.scaled_dot_product_attention(q, q, q, taeda.ones(3, 3, dtype=taeda.int64))
