"""Scaled dot-product attention by tiles. The kernels are in csrc/cpu/attention.cpp and attention_isa.cpp.

The second derivatives are spelled out with the weights P = softmax(scale * Q K^T + mask), which the kernels never hold as a whole.
With g the gradient of the result O = P V and dP = g V^T the first ones are

    dS = P * (dP - sum(dP * P)),   dQ = scale * dS K,   dK = scale * dS^T Q,   dV = P^T g

and theirs, for the cotangents A, B, C of dQ, dK, dV, follow from X = scale * (A K^T + Q B^T), the cotangent of dS.
"""

from __future__ import annotations

from taeda.ops.registry import op

# Keys and values of heads that several heads of queries share, repeated; and a gradient of such summed again.
_REPEATED = (
    "{0}.unsqueeze(2).expand([{0}.shape[0], {0}.shape[1], query.shape[1] // {0}.shape[1], {0}.shape[2], {0}.shape[3]])"
    ".flatten(1, 2)"
)
_SUMMED = (
    "({1}).reshape([{0}.shape[0], {0}.shape[1], query.shape[1] // {0}.shape[1], {0}.shape[2], {0}.shape[3]]).sum(2)"
)


def _repeated(name: str) -> str:
    return _REPEATED.format(name)


def _summed(name: str, text: str) -> str:
    return _SUMMED.format(name, text)


def _second_derivatives() -> dict[str, str]:
    k, v = _repeated("key"), _repeated("value")
    # The cotangents have the shapes of key and value.
    b, c = (
        f"{cotangent}.unsqueeze(2).expand([key.shape[0], key.shape[1], query.shape[1] // key.shape[1], {name}.shape[2],"
        f" {name}.shape[3]]).flatten(1, 2)"
        for cotangent, name in (("g_grad_key", "key"), ("g_grad_value", "value"))
    )
    p = "_attention_weights(query, key, mask, is_causal, scale)"
    x = f"((g_grad_query.matmul({k}.mT) + query.matmul(({b}).mT)) * scale)"
    dp = f"grad.matmul({v}.mT)"
    ds = f"_softmax_backward({dp}, {p}, -1, query.dtype)"
    of_dp = f"_softmax_backward({x}, {p}, -1, query.dtype)"
    of_p = f"(grad.matmul(({c}).mT) + {x} * ({dp} - ({dp} * {p}).sum(-1, True)) - {dp} * ({x} * {p}).sum(-1, True))"
    of_s = f"_softmax_backward({of_p}, {p}, -1, query.dtype)"
    of_key = f"({ds}.mT.matmul(g_grad_query) + {of_s}.mT.matmul(query)) * scale"
    return {
        "grad": f"{p}.matmul({c}) + {of_dp}.matmul({v})",
        "query": f"({ds}.matmul({b}) + {of_s}.matmul({k})) * scale",
        "key": _summed("key", of_key),
        "value": _summed("value", f"{of_dp}.mT.matmul(grad)"),
    }


op(
    "_attention(Tensor query, Tensor key, Tensor value, Tensor? mask, bool is_causal, float scale) -> (Tensor out, Tensor lse)",
    vjp={"query, key, value": "_attention_backward(g_out, query, key, value, mask, out, lse, is_causal, scale)"},
    differentiable=("out",),
    where="_C",
    out=False,
    doc="""Return ``softmax(scale * query @ key.mT + mask) @ value`` and the logarithms of the sums of the exponentials.

    Args:
        query: (batch, heads, L, E).
        key, value: (batch, heads or a divisor of them, S, E) and (..., S, Ev).
        mask: expands to (batch, heads, L, S): where attention is allowed, or what is added; gets no gradient. Or None.
        is_causal: whether query i sees the keys up to i only.
        scale: the factor of the products.

    Edge cases: queries that see nothing give zeros.
    Source: Dao et al. 2022, "FlashAttention"; Dao 2023, "FlashAttention-2".
    """,
)
op(
    "_attention_backward(Tensor grad, Tensor query, Tensor key, Tensor value, Tensor? mask, Tensor out, Tensor lse, bool is_causal,"
    " float scale) -> (Tensor grad_query, Tensor grad_key, Tensor grad_value)",
    vjp=_second_derivatives(),
    where="_C",
    out=False,
    doc="Return the gradients of ``_attention``.",
)
op(
    "_attention_weights(Tensor query, Tensor key, Tensor? mask, bool is_causal, float scale) -> Tensor",
    vjp={
        "query": f"_softmax_backward(g, result, -1, query.dtype).matmul({_repeated('key')}) * scale",
        "key": _summed("key", "_softmax_backward(g, result, -1, query.dtype).mT.matmul(query) * scale"),
    },
    where="_C",
    out=False,
    doc="Return ``softmax(scale * query @ key.mT + mask)``, the weights that ``_attention`` does not keep.",
)
