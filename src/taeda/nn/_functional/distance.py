"""Distances and similarities between vectors, and the bilinear form."""

from __future__ import annotations

from typing import Any

import taeda


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between ``x1`` and ``x2`` along ``dim``; lengths count as at least ``eps``."""
    dtype = taeda.promote_types(x1.dtype, x2.dtype)
    if not dtype.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {dtype}")
    x1, x2 = x1.to(dtype), x2.to(dtype)
    if x1.shape != x2.shape:
        x1, x2 = taeda.broadcast_tensors(x1, x2)
    # Each vector is divided by its own length first: the product of two lengths may overflow or vanish.
    unit1, unit2 = (x / _length(x, dim).clamp_min(eps) for x in (x1, x2))
    return (unit1 * unit2).sum(dim)


def _length(x: Any, dim: int) -> Any:
    return taeda.linalg.vector_norm(x, 2, dim, True)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The ``p``-norm of ``x1 - x2 + eps`` along the last dimension.

    Args:
        x1, x2: (N, D) or (D,), broadcast against each other.
        p: the norm's exponent.
        eps: added to the difference; default 1e-6.
        keepdim: whether the last dimension stays, as 1; default False.
    """
    return taeda.linalg.vector_norm(x1 - x2 + eps, p, -1, keepdim)


def pdist(input: Any, p: float = 2.0) -> Any:
    """The distances between all pairs of rows of ``input`` (N, D): N * (N - 1) / 2 of them, row by row."""
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    n = input.size(0)
    if n <= 1:
        return input.sum(1)[:0]  # no pairs, yet part of the graph
    return taeda._C._pdist(input, p)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """``input1 @ weight[k] @ input2 + bias[k]`` for each output k.

    Args:
        input1: (..., D1).
        input2: (..., D2), the same leading sizes.
        weight: (K, D1, D2).
        bias: (K,) or None.
    """
    if input1.dim() != input2.dim() or input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: got "
            f"{list(input1.shape[:-1])} and {list(input2.shape[:-1])}"
        )
    for number, (given, wanted) in enumerate(((input1, 1), (input2, 2)), 1):
        if given.size(-1) != weight.size(wanted):
            raise RuntimeError(
                f"bilinear(): input{number} size does not match weight size: got {given.size(-1)} but expected "
                f"{weight.size(wanted)}"
            )
    if bias is not None and bias.size(0) != weight.size(0):
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.size(0)} but expected {weight.size(0)}"
        )
    k, d1, d2 = weight.shape
    batch = input1.shape[:-1]
    rows1, rows2 = input1.reshape(-1, d1), input2.reshape(-1, d2)
    # (rows, D1) x (D1, K * D2) first, then the second input row by row.
    partial = rows1 @ weight.permute(1, 0, 2).reshape(d1, k * d2)
    result = (partial.view(-1, k, d2) @ rows2.unsqueeze(-1)).squeeze(-1)
    if bias is not None:
        result = result + bias
    return result.reshape(*batch, k)
