"""Distances between rows. The kernels are in csrc/cpu/distance.cpp and distance_isa.cpp.

With u = x1 - x2 and d = |u|, the slope of d is k = sign(u) (|u| / d)^(p - 1), and that of k along U is
(p - 1) / d ((|u| / d)^(p - 2) U - k (k . U)), which the second derivatives are made of.
"""

from __future__ import annotations

from taeda.ops.registry import op

_U = "(x1.unsqueeze(-2) - x2.unsqueeze(-3))"
_COTANGENT = "g.unsqueeze(-2)"
# Where the distance is 0 everything is: as if it were infinite.
_D = "dist.masked_fill(dist.eq(0), inf).unsqueeze(-1)"
_SLOPE = f"({_U}.sign() * ({_U}.abs() / {_D}) ** (p - 1))"
_ALONG = f"({_SLOPE} * {_COTANGENT}).sum(-1, True)"
_BEND = f"((({_U}.abs() / {_D}) ** (p - 2) * {_COTANGENT} - {_SLOPE} * {_ALONG}) * (p - 1) / {_D} * grad.unsqueeze(-1))"

op(
    "_cdist(Tensor x1, Tensor x2, float p) -> Tensor",
    vjp={
        "x1": "_cdist_backward(g, x1, x2, p, result)",
        "x2": "_cdist_backward(g.transpose(1, 2), x2, x1, p, result.transpose(1, 2))",
    },
    where="_C",
    out=False,
    doc="""Return the ``p``-norm of the difference of each row of ``x1`` and each of ``x2``.

    Args:
        x1: (batch, P, M), of a floating type.
        x2: (batch, R, M).
        p: the order, not negative; 0 counts differing entries, inf takes the largest.

    Returns:
        (batch, P, R). Rows that are equal have no gradient.
    """,
)
op(
    "_cdist_backward(Tensor grad, Tensor x1, Tensor x2, float p, Tensor dist) -> Tensor",
    vjp={
        "grad": f"zeros_like(grad) if p == 0 else {_ALONG}.squeeze(-1)",
        "x1": f"zeros_like(x1) if p in (0.0, 1.0, inf) else {_BEND}.sum(-2)",
        "x2": f"zeros_like(x2) if p in (0.0, 1.0, inf) else -{_BEND}.sum(-3)",
    },
    where="_C",
    out=False,
    doc="Return the gradient of ``_cdist``, which gave ``dist``, with respect to ``x1``.",
)
op(
    "_pdist(Tensor input, float p) -> Tensor",
    vjp={
        "input": "_cdist_backward(_pair_matrix(g, input.shape[0]).unsqueeze(0), input.unsqueeze(0), input.unsqueeze(0), p,"
        " _pair_matrix(result, input.shape[0]).unsqueeze(0)).squeeze(0)"
    },
    where="_C",
    out=False,
    doc="Return the ``p``-norm of the difference of each row (N, M) and each that follows it: N * (N - 1) / 2, row by row.",
)
op(
    "_pair_matrix(Tensor input, int n) -> Tensor",
    vjp={"input": "_pair_vector(g)"},
    where="_C",
    out=False,
    doc="Return the symmetric matrix (n, n) with a zero diagonal whose upper triangle is ``input``, row by row.",
)
op(
    "_pair_vector(Tensor input) -> Tensor",
    vjp={"input": "_pair_matrix(g, input.shape[0])"},
    where="_C",
    out=False,
    doc="Return the upper triangle of ``input + input.mT`` without the diagonal, row by row.",
)
