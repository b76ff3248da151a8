"""Attention (Vaswani et al. 2017): scaled dot products, and several heads with their projections."""

from __future__ import annotations

import math
import warnings
from typing import Any

import taeda
from taeda.nn._functional.dropout import dropout
from taeda.nn._functional.padding import pad
from taeda.nn._functional.primitives import primitive

_linear = primitive("linear")
_softmax = taeda.softmax


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """``softmax(query @ key.T * scale + mask) @ value``.

    Args:
        query: (..., L, E).
        key: (..., S, E).
        value: (..., S, Ev).
        attn_mask: broadcast to (..., L, S); bool: where attention is allowed; otherwise added.
        dropout_p: the probability of dropping a weight; default 0, and it is applied whenever it is given.
        is_causal: whether position i sees positions up to i only; excludes ``attn_mask``.
        scale: the factor of the products; default ``1 / sqrt(E)``.
        enable_gqa: whether key and value heads (third-last dimension) are shared by groups of query heads.

    Edge cases: a query that may attend to nothing gives zeros.
    """
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        if tensor.dim() < 2:
            raise RuntimeError(
                "scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, "
                "but got "
                f"{name}.dim: {tensor.dim()} instead."
            )
        if tensor.dtype != query.dtype:
            raise RuntimeError(
                "Expected query, key, and value to have the same dtype, but got query.dtype: "
                f"{query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
            )
    if is_causal and attn_mask is not None:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if not 0.0 <= dropout_p <= 1.0:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if enable_gqa:
        _check_groups(query, key, value)
    if scale is None:
        scale = 1.0 / math.sqrt(query.size(-1)) if query.size(-1) else 1.0
    if _is_tiled(query, key, value, attn_mask, dropout_p, enable_gqa):
        return _tiled(query, key, value, attn_mask, is_causal, scale, enable_gqa)
    if enable_gqa:
        groups = query.size(-3) // key.size(-3)
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(query.size(-3) // value.size(-3), -3)
    scores = (query * scale) @ key.transpose(-2, -1)
    if is_causal:
        attn_mask = taeda.ones(query.size(-2), key.size(-2), dtype=taeda.bool, device=query.device).tril()
    weights = _masked_softmax(scores, attn_mask)
    if dropout_p > 0.0:
        weights = dropout(weights, dropout_p, True)
    return weights @ value


def _check_groups(query: Any, key: Any, value: Any) -> None:
    if min(query.dim(), key.dim(), value.dim()) < 3:
        raise RuntimeError("scaled_dot_product_attention: enable_gqa needs inputs of at least 3 dimensions")
    heads, kv_heads = query.size(-3), (key.size(-3), value.size(-3))
    if any(n == 0 or heads % n for n in kv_heads):
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query, but got "
            f"{heads} in query, {kv_heads[0]} in key and {kv_heads[1]} in value"
        )


def _is_tiled(query: Any, key: Any, value: Any, mask: Any, dropout_p: float, enable_gqa: bool) -> bool:
    """Whether the fused kernel computes this: it knows neither dropout nor gradients of masks nor complex numbers."""
    if dropout_p > 0.0 or not query.dtype.is_floating_point:
        return False
    if mask is not None and (mask.requires_grad and taeda.is_grad_enabled()):
        return False
    if enable_gqa and key.size(-3) != value.size(-3):
        return False
    return bool(query.numel() and key.numel() and value.numel())


def _tiled(query: Any, key: Any, value: Any, mask: Any, is_causal: bool, scale: float, enable_gqa: bool) -> Any:
    """Attention by the fused kernel, which takes (batch, heads, length, width)."""
    sizes, key_sizes, value_sizes = tuple(query.shape), tuple(key.shape), tuple(value.shape)
    if key_sizes[-1] != sizes[-1] or value_sizes[-2] != key_sizes[-2]:
        raise RuntimeError(
            f"scaled_dot_product_attention: the sizes of query {list(sizes)}, key {list(key_sizes)} and value "
            f"{list(value_sizes)} do not fit together"
        )
    lead = sizes[:-2]
    if not enable_gqa and not (lead == key_sizes[:-2] == value_sizes[:-2]):
        lead = taeda.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
        query, key, value = (x.expand(*lead, *x.shape[-2:]) for x in (query, key, value))
    if mask is not None:
        mask = _mask_of_heads(mask, lead, query.size(-2), key.size(-2))
    query, key, value = _with_heads(query), _with_heads(key), _with_heads(value)
    result = taeda._C._attention(query, key, value, mask, is_causal, scale)[0]
    return result if len(lead) == 2 else result.reshape(*lead, *result.shape[-2:])


def _with_heads(x: Any) -> Any:
    if x.dim() == 4:
        return x
    return x.flatten(0, -4) if x.dim() > 4 else x.unsqueeze(-3) if x.dim() == 3 else x.unsqueeze(0).unsqueeze(0)


def _mask_of_heads(mask: Any, lead: tuple, n_queries: int, n_keys: int) -> Any:
    """``mask`` in the form that goes with ``_with_heads``."""
    mask = mask.detach()
    if len(lead) == 2 or mask.dim() <= 2:
        return mask
    return _with_heads(mask.expand(*lead, n_queries, n_keys))


def _masked_softmax(scores: Any, mask: Any) -> Any:
    if mask is None:
        return _softmax(scores, -1)
    if mask.dtype == taeda.bool:
        nowhere = ~mask.any(-1, keepdim=True)
        weights = _softmax(scores.masked_fill(~mask, float("-inf")), -1)
        return weights.masked_fill(nowhere, 0.0)
    scores = scores + mask
    nowhere = (scores == float("-inf")).all(-1, keepdim=True)
    return _softmax(scores, -1).masked_fill(nowhere, 0.0)


def _canonical_mask(
    mask: Any, name: str, other_type: Any, other_name: str, dtype: Any, check_other: bool = True
) -> Any:
    """A mask as numbers to add: -inf where a bool mask says True."""
    if mask is None:
        return None
    if mask.dtype != taeda.bool and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=3,
        )
    if mask.dtype != taeda.bool:
        return mask
    return taeda.zeros_like(mask, dtype=dtype).masked_fill_(mask, float("-inf"))


def _check_shapes(query: Any, key: Any, value: Any, key_padding_mask: Any, attn_mask: Any, n_heads: int) -> bool:
    """Whether the inputs come as a batch; raises where they do not fit together."""
    if query.dim() not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
        )
    is_batched = query.dim() == 3
    word, wanted = ("batched (3-D)", 3) if is_batched else ("unbatched (2-D)", 2)
    if key.dim() != wanted or value.dim() != wanted:
        raise AssertionError(
            f"For {word} `query`, expected `key` and `value` to be {wanted}-D but found {key.dim()}-D and "
            f"{value.dim()}-D "
            "tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != wanted - 1:
        raise AssertionError(
            f"For {word} `query`, expected `key_padding_mask` to be `None` or {wanted - 1}-D but found "
            f"{key_padding_mask.dim()}-D tensor instead"
        )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"For {word} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D "
                f"tensor instead"
            )
        if not is_batched and attn_mask.dim() == 3:
            expected = (n_heads, query.shape[0], key.shape[0])
            if tuple(attn_mask.shape) != expected:
                raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {tuple(attn_mask.shape)}")
    return is_batched


def _packed_projection(query: Any, key: Any, value: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Query, key and value projected by the three parts of one matrix; equal inputs share one product."""
    size = query.size(-1)
    if key is value:
        if query is key:
            projected = _linear(query, weight, bias)
            return projected.unflatten(-1, (3, size)).unbind(-2)
        q_bias, kv_bias = (None, None) if bias is None else bias.split([size, 2 * size])
        q_weight, kv_weight = weight.split([size, 2 * size])
        k, v = _linear(key, kv_weight, kv_bias).unflatten(-1, (2, size)).unbind(-2)
        return _linear(query, q_weight, q_bias), k, v
    weights = weight.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(_linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))


def _extended(mask: Any, n: int) -> Any:
    return None if mask is None else pad(mask, (0, n))


def _checked_attn_mask(attn_mask: Any, target_len: int, source_len: int, n_rows: int) -> Any:
    if attn_mask is None:
        return None
    if attn_mask.dim() == 2:
        wanted: tuple[int, ...] = (target_len, source_len)
        if tuple(attn_mask.shape) != wanted:
            raise RuntimeError(f"The shape of the 2D attn_mask is {attn_mask.shape}, but should be {wanted}.")
        return attn_mask.unsqueeze(0)
    wanted = (n_rows, target_len, source_len)
    if tuple(attn_mask.shape) != wanted:
        raise RuntimeError(f"The shape of the 3D attn_mask is {attn_mask.shape}, but should be {wanted}.")
    return attn_mask


def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Any, Any]:
    """Attention of several heads between projected inputs, projected again.

    Args:
        query: (L, N, E) or (L, E).
        key, value: (S, N, E) or (S, E).
        embed_dim_to_check: E.
        num_heads: how many heads E is divided into.
        in_proj_weight, in_proj_bias: the three projections in one (3E, E), (3E,).
        bias_k, bias_v: one more key and value, (1, 1, E), or None.
        add_zero_attn: whether one more key and value of zeros is added.
        dropout_p: the probability of dropping a weight, in training.
        out_proj_weight, out_proj_bias: the last projection.
        training: whether dropout applies; default True.
        key_padding_mask: (N, S): the keys to leave out (True), or numbers to add.
        need_weights: whether the weights are returned; default True.
        attn_mask: (L, S) or (N * heads, L, S): the pairs to leave out (True), or numbers to add.
        use_separate_proj_weight: whether the three following matrices take the place of ``in_proj_weight``.
        q_proj_weight, k_proj_weight, v_proj_weight: as it says.
        static_k, static_v: projected keys and values to use instead, (N * heads, S, E / heads).
        average_attn_weights: whether the returned weights are averaged over the heads; default True.
        is_causal: a hint that ``attn_mask`` is the causal mask.

    Returns:
        The result (L, N, E) or (L, E), and the weights (N, L, S), (N, heads, L, S) or None.
    """
    is_batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if not is_batched:
        same_kv, same_qk = key is value, query is key
        query = query.unsqueeze(1)
        key = query if same_qk else key.unsqueeze(1)
        value = key if same_kv else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    target_len, n, embed_dim = query.shape
    if embed_dim != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed_dim}")
    head_dim = embed_dim // num_heads
    if head_dim * num_heads != embed_dim:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    mask_type = None if attn_mask is None else attn_mask.dtype
    key_padding_mask = _canonical_mask(key_padding_mask, "key_padding_mask", mask_type, "attn_mask", query.dtype)
    attn_mask = _canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
    attn_mask = _checked_attn_mask(attn_mask, target_len, key.shape[0], n * num_heads)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _projected(query, key, value, in_proj_weight, in_proj_bias, separate)
    if bias_k is not None and bias_v is not None:
        k, v = taeda.cat([k, bias_k.repeat(1, n, 1)]), taeda.cat([v, bias_v.repeat(1, n, 1)])
        attn_mask, key_padding_mask = _extended(attn_mask, 1), _extended(key_padding_mask, 1)
    q = q.reshape(target_len, n * num_heads, head_dim).transpose(0, 1)
    k = static_k if static_k is not None else k.reshape(k.shape[0], n * num_heads, head_dim).transpose(0, 1)
    v = static_v if static_v is not None else v.reshape(v.shape[0], n * num_heads, head_dim).transpose(0, 1)
    if add_zero_attn:
        zeros = taeda.zeros(n * num_heads, 1, head_dim, dtype=k.dtype, device=k.device)
        k, v = taeda.cat([k, zeros], 1), taeda.cat([v, zeros], 1)
        attn_mask, key_padding_mask = _extended(attn_mask, 1), _extended(key_padding_mask, 1)
    mask = _merged_mask(attn_mask, key_padding_mask, n, num_heads, k.size(1))
    heads, weights = _attend(q, k, v, mask, dropout_p if training else 0.0, need_weights)
    joined = heads.transpose(0, 1).reshape(target_len * n, embed_dim)
    result = _linear(joined, out_proj_weight, out_proj_bias).view(target_len, n, -1)
    if weights is not None:
        weights = weights.view(n, num_heads, target_len, k.size(1))
        weights = weights.mean(1) if average_attn_weights else weights
        weights = weights if is_batched else weights.squeeze(0)
    return (result if is_batched else result.squeeze(1)), weights


def _projected(
    query: Any, key: Any, value: Any, weight: Any, bias: Any, separate: tuple | None
) -> tuple[Any, Any, Any]:
    """Query, key and value projected, by three matrices or by the parts of one."""
    if separate is None:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        return _packed_projection(query, key, value, weight, bias)
    if key.shape[:2] != value.shape[:2]:
        raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}")
    for name, projection in zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), separate, strict=True):
        if projection is None:
            raise AssertionError(f"use_separate_proj_weight is True but {name} is None")
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(_linear(x, w, b) for x, w, b in zip((query, key, value), separate, biases, strict=True))


def _attend(q: Any, k: Any, v: Any, mask: Any, dropout_p: float, need_weights: bool) -> tuple[Any, Any]:
    """What each head attends to, and the weights where they are wanted: they keep the fused form from being used."""
    if not need_weights:
        return scaled_dot_product_attention(q, k, v, mask, dropout_p), None
    scores = q * math.sqrt(1.0 / q.size(-1)) @ k.transpose(-2, -1)
    weights = _softmax(scores if mask is None else scores + mask, -1)
    if dropout_p > 0.0:
        weights = dropout(weights, dropout_p)
    return weights @ v, weights


def _merged_mask(attn_mask: Any, key_padding_mask: Any, n: int, n_heads: int, source_len: int) -> Any:
    """Both masks in one that broadcasts against (N * heads, L, S)."""
    if key_padding_mask is None:
        return attn_mask
    if tuple(key_padding_mask.shape) != (n, source_len):
        raise AssertionError(
            f"expecting key_padding_mask shape of {(n, source_len)}, but got {tuple(key_padding_mask.shape)}"
        )
    padding = key_padding_mask.view(n, 1, 1, source_len).expand(-1, n_heads, -1, -1).reshape(n * n_heads, 1, source_len)
    return padding if attn_mask is None else attn_mask + padding
