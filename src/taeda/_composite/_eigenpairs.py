"""Derivatives of a few eigenpairs of a symmetric matrix, when the others are not known.

With M = value - A, one matrix for each pair, a vector moves by the solution of ``M dx = dA x`` outside the span of the given
vectors, and within it as in a full decomposition. M is singular on the pairs themselves, so a multiple of the projection on their
span is added: what is solved for lies outside and does not notice.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import taeda

if TYPE_CHECKING:
    from taeda import Tensor


def _outside(A: Tensor, values: Tensor, vectors: Tensor, x: Tensor) -> Tensor:
    """Column i: the solution of ``(values[i] - A) y = x[:, i]`` outside the span of ``vectors``."""
    span = vectors @ vectors.mH
    shift = values.abs().amax(-1).detach() * 4
    shift = taeda.where(shift > 0, shift, 1.0).unsqueeze(-1).unsqueeze(-1)
    identity = taeda.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    within = (shift * span - A).unsqueeze(-3)
    right = (x - span @ x).mT.unsqueeze(-1)
    found = taeda.linalg.solve(values.unsqueeze(-1).unsqueeze(-1) * identity + within, right).squeeze(-1).mT
    return found - span @ found


def _gaps(values: Tensor) -> Tensor:
    """Entry (i, j): value j less value i, ones on the diagonal."""
    return values.unsqueeze(-2) - values.unsqueeze(-1) + taeda.diag_embed(taeda.ones_like(values))


@functools.cache
def _function() -> Any:
    class Eigenpairs(taeda.autograd.Function):  # type: ignore[valid-type, misc]
        @staticmethod
        def forward(A: Tensor, values: Tensor, vectors: Tensor) -> Any:
            return values.clone(), vectors.clone()

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(inputs[0], *output)
            ctx.save_for_forward(inputs[0], *output)

        @staticmethod
        def backward(ctx: Any, g_values: Any, g_vectors: Any) -> Any:
            A, values, vectors = ctx.saved_tensors
            grad = None
            if g_values is not None:
                grad = (vectors * g_values.unsqueeze(-2)) @ vectors.mH
            if g_vectors is not None:
                turn = vectors.mH @ g_vectors / _gaps(values)
                turn = turn - taeda.diag_embed(turn.diagonal(0, -2, -1))
                moved = vectors @ turn + _outside(A, values, vectors, g_vectors)
                grad = moved @ vectors.mH if grad is None else grad + moved @ vectors.mH
            return grad, None, None

        @staticmethod
        def jvp(ctx: Any, tangent: Any, *_: Any) -> Any:
            A, values, vectors = ctx.saved_tensors
            moves = tangent @ vectors
            turn = vectors.mH @ moves
            of_values = turn.diagonal(0, -2, -1)
            turn = turn / _gaps(values)
            turn = turn - taeda.diag_embed(turn.diagonal(0, -2, -1))
            return of_values.real.clone(), vectors @ turn + _outside(A, values, vectors, moves)

    return Eigenpairs


def differentiable(A: Tensor, values: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Return copies of eigenvalues and orthonormal eigenvectors of ``A`` that have derivatives with respect to it.

    Args:
        A: (..., m, m), symmetric or Hermitian.
        values: (..., k).
        vectors: (..., m, k). Their derivatives exist where the values are distinct, and differ from all others of ``A``.
    """
    return _function().apply(A, values, vectors)
