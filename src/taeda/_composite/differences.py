"""Derivatives of sampled functions, norms that are brought down to a bound, and the backward of a pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["gradient", "max_pool2d_with_indices_backward", "norm_except_dim", "renorm"]

_RENORM_MARGIN = 1e-7  # keeps the new norm just below the bound, as PyTorch does


def _spacings(input: Tensor, spacing: Any, dim: Any) -> tuple[list[Any], list[int]]:
    """The distance of the samples, or their places, for each dimension to differentiate."""
    rank = input.ndim
    dims = list(range(rank)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    for d in dims:
        if not -max(rank, 1) <= d < max(rank, 1):
            raise IndexError(f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {d})")
    dims = [d % max(rank, 1) for d in dims]
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    single = not isinstance(spacing, (list, tuple))
    if not single and len(spacing) != len(dims):
        wanted = (
            f"'self.dim() = {rank}', since dim argument was not given"
            if dim is None
            else f"'dim' argument of length {len(dims)}"
        )
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
            f"{wanted}, but got a list of length {len(spacing)}"
        )
    return [spacing] * len(dims) if single else list(spacing), dims


@public("torch", "Tensor")
def gradient(
    input: Tensor, *, spacing: Any = 1, dim: int | Sequence[int] | None = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """Return the derivative of a sampled function along each dimension, by finite differences of second order.

    Args:
        input: the samples; each dimension that is differentiated has at least ``edge_order + 1``.
        spacing: the distance of neighbouring samples: a number, a number for each dimension, or for each dimension a tensor
            with the samples' places, which need not be equally far apart. Default: 1.
        dim: the dimensions; default: all.
        edge_order: 1 or 2, the order of accuracy at the two ends, where there are only neighbours on one side.

    Source: the formulas of Fornberg (1988).
    """
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if input.dtype == taeda.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if input.dtype == taeda.bool:
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported: convert the input")
    spacings, dims = _spacings(input, 1 if spacing is None else spacing, dim)
    if input.ndim == 0:
        return ()
    for d in dims:
        if input.shape[d] < edge_order + 1:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    made = []
    for step, d in zip(spacings, dims, strict=True):
        if isinstance(step, taeda.Tensor) and step.ndim > 0:
            if step.shape != (input.shape[d],):
                raise RuntimeError(
                    f"torch.gradient expected a place for each of the {input.shape[d]} samples along dim {d}, but got "
                    f"shape {list(step.shape)}"
                )
            made.append(_gradient_at_places(input, step, d, edge_order))
        else:
            made.append(_gradient_evenly(input, step, d, edge_order))
    return tuple(made)


def _gradient_evenly(x: Tensor, step: Any, d: int, edge_order: int) -> Tensor:
    n = x.shape[d]

    def at(k: int) -> Tensor:
        return x.narrow(d, k % n, 1)

    inner = (x.narrow(d, 2, n - 2) - x.narrow(d, 0, n - 2)) / (2 * step)
    if edge_order == 1:
        first, last = (at(1) - at(0)) / step, (at(-1) - at(-2)) / step
    else:
        first = (-1.5 * at(0) + 2 * at(1) - 0.5 * at(2)) / step
        last = (0.5 * at(-3) - 2 * at(-2) + 1.5 * at(-1)) / step
    return taeda.cat([first, inner, last], d)


def _gradient_at_places(x: Tensor, places: Tensor, d: int, edge_order: int) -> Tensor:
    n = x.shape[d]
    gaps = places.diff().reshape([-1 if k == d else 1 for k in range(x.ndim)])

    def at(k: int) -> Tensor:
        return x.narrow(d, k % n, 1)

    def gap(k: int) -> Tensor:
        return gaps.narrow(d, k % (n - 1), 1)

    before, behind = gaps.narrow(d, 0, n - 2), gaps.narrow(d, 1, n - 2)
    both = before + behind
    inner = (
        -behind / (before * both) * x.narrow(d, 0, n - 2)
        + (behind - before) / (before * behind) * x.narrow(d, 1, n - 2)
        + before / (behind * both) * x.narrow(d, 2, n - 2)
    )
    if edge_order == 1:
        first, last = (at(1) - at(0)) / gap(0), (at(-1) - at(-2)) / gap(-1)
    else:
        a, b = gap(0), gap(1)
        first = -(2 * a + b) / (a * (a + b)) * at(0) + (a + b) / (a * b) * at(1) - a / (b * (a + b)) * at(2)
        a, b = gap(-2), gap(-1)
        last = b / (a * (a + b)) * at(-3) - (a + b) / (a * b) * at(-2) + (a + 2 * b) / (b * (a + b)) * at(-1)
    return taeda.cat([first, inner, last], d)


@public("torch", "Tensor")
def renorm(input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` with each slice along ``dim`` scaled down to a norm of at most ``maxnorm``.

    Args:
        input: at least two dimensions, floating or complex.
        p: the order of the norm, positive.
        dim: the dimension; the norm is over all others.
        maxnorm: the bound; slices below it stay as they are.
    """
    if isinstance(p, complex):
        raise RuntimeError("renorm: p must be real-valued")
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if isinstance(maxnorm, complex):
        raise RuntimeError("renorm: maxnorm must be real-valued")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    rank = input.ndim
    if rank < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {rank} dimensions")
    if not -rank <= dim < rank:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {dim})")
    others = [d for d in range(rank) if d != dim % rank]
    narrow = input.dtype in (taeda.float16, taeda.bfloat16)
    norms = taeda.linalg.vector_norm(input, p, others, keepdim=True, dtype=taeda.float32 if narrow else None)
    factor = taeda.where(norms > maxnorm, maxnorm / (norms + _RENORM_MARGIN), 1.0)
    made = input * factor.to(input.dtype)
    return made if out is None else out.resize_(made.shape).copy_(made)


@public("Tensor", name="renorm_")
def renorm_in_place(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The in-place form of ``renorm``."""
    return input.copy_(renorm(input, p, dim, maxnorm))


@public("torch")
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """Return the norm of order ``pow`` over all dimensions but ``dim``, which are kept with size one; -1: over all."""
    if dim == -1:
        return taeda.norm(v, pow)
    return taeda.linalg.vector_norm(v, pow, [d for d in range(v.ndim) if d != dim % v.ndim], keepdim=True)


@public("torch", name="max_pool2d_with_indices_backward")
def max_pool2d_with_indices_backward(
    grad_output: Tensor,
    input: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """Return the gradient of a 2-d max pooling: each element of ``grad_output`` goes to where its maximum was.

    Args:
        grad_output: of the pooling's result.
        input: what was pooled.
        kernel_size, stride, padding, dilation, ceil_mode: as given to the pooling; ``indices`` says it all.
        indices: places within each plane, from the pooling.
    """
    if grad_output.shape != indices.shape:
        raise RuntimeError(
            f"max_pool2d_with_indices_backward: expected grad_output of shape {list(indices.shape)}, but got "
            f"{list(grad_output.shape)}"
        )
    planes = input.shape[:-2]
    count = math.prod(planes)
    flat = grad_output.new_zeros([count, input.shape[-2] * input.shape[-1]])
    made = flat.scatter_add(1, indices.reshape(count, -1), grad_output.reshape(count, -1)).reshape(input.shape)
    # Where the gradient goes depends on the input, how large it is does not: a derivative of zero, but one.
    return made + input.masked_fill(taeda.ones_like(input, dtype=taeda.bool), 0) if input.requires_grad else made
