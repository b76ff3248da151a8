"""`autograd.Function` inside vmap: its own `vmap`, or the same function once more, recorded for all samples.

Note [Functions of batched tensors]: a batched tensor and the samples that it stands for have histories of their own, see
Note [Transforms on one tape]. The results of a Function need both: the batched one is recorded by `Function.apply` as always, and
where somebody follows the samples, they are the results of `_OverBatch`, whose forward and backward are vmap of the Function's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import taeda
from taeda import _wrapped
from taeda.autograd import forward_ad
from taeda.autograd import function as _function
from taeda.autograd.function import Function, FunctionCtx
from taeda.func import _batch

__all__ = ["VmapInfo", "lowering"]


class VmapInfo(NamedTuple):
    """What a Function's own `vmap` is told of the batch."""

    batch_size: int
    randomness: str


def lowering(owner: type[Function], args: tuple[Any, ...]) -> Callable[..., Any] | None:
    """Return what computes a Function's results from its arguments by way of all samples at once.

    None: no argument is batched, or nothing is lost when ``forward`` runs on batched tensors.
    """
    if not _batch.levels:
        return None
    found = [w for w in _wrapped.wrappers_in(args) if isinstance(w, _batch.Batch)]
    if not found:
        return None
    level = max(found, key=lambda wrapper: wrapper.rank).level
    values = [_batch.unwrap(value, level)[0] for value in args if isinstance(value, taeda.Tensor)]
    if owner.vmap is Function.vmap and not any(is_followed(value) for value in values):
        return None
    return functools.partial(_lowered, owner, level)


def is_followed(value: Any) -> bool:
    """Whether derivatives are wanted of what is made of this tensor, in reverse or forward mode."""
    if taeda.is_grad_enabled() and value.requires_grad:
        return True
    return any(
        forward_ad.unpack_dual(value, level=number).tangent is not None for number in range(len(forward_ad._levels))
    )


def _lowered(owner: type[Function], level: Any, *args: Any) -> Any:
    values, dims = zip(*(_batch.unwrap(value, level) for value in args), strict=True)
    with _batch.outside(level):
        if owner.vmap is Function.vmap:
            output, out_dims = _OverBatch.apply(owner, (level.batch_size, level.randomness), dims, *values), 0
        elif owner.generate_vmap_rule:
            raise RuntimeError(
                f"You tried to vmap over {owner.__name__}, but it has both generate_vmap_rule=True and an overriden vmap staticmethod. "
                "Please set generate_vmap_rule=False or delete the overriden vmap staticmethod to avoid ambiguity."
            )
        else:
            output, out_dims = owner.vmap(VmapInfo(level.batch_size, level.randomness), dims, *values)
    if not isinstance(output, tuple):
        return _wrapped_or_plain(output, out_dims, level)
    each = out_dims if isinstance(out_dims, tuple | list) else (out_dims,) * len(output)
    return tuple(_wrapped_or_plain(item, dim, level) for item, dim in zip(output, each, strict=True))


def _wrapped_or_plain(value: Any, dim: int | None, level: Any) -> Any:
    if dim is None or not isinstance(value, taeda.Tensor):
        return value
    return _batch.wrap(value, dim, level)


class _Context(FunctionCtx):
    """What the Function's static methods are given in place of a recorded node."""

    saved_tensors: tuple[Any, ...] = ()
    needs_input_grad: tuple[bool, ...] = ()


@contextmanager
def _entered(level: Any) -> Iterator[None]:
    """Open a level, perhaps again: it is the innermost one now, and its tensors stay its own."""
    level.number = len(_batch.levels) + 1
    with _batch.inside(level):
        yield


def _samples(value: Any, level: Any) -> Any:
    """All samples, in front; equal ones where the value is the same for all."""
    samples, dim = _batch.unwrap(value, level)
    if dim is None:
        return samples.unsqueeze(0).expand([level.batch_size, *samples.shape])
    return samples.movedim(dim, 0)


class _OverBatch(Function):
    """A Function of all samples; the arguments are the Function, the batch, where the samples lie, and the arguments."""

    @staticmethod
    def forward(ctx: Any, owner: type[Function], batch: tuple[int, str], dims: tuple[Any, ...], *values: Any) -> Any:
        ctx.owner, ctx.dims, ctx.inner = owner, dims, _Context()
        ctx.level = _batch.Level(len(_batch.levels) + 1, *batch)
        ctx.inner.needs_input_grad = tuple(ctx.needs_input_grad[3:])
        with _entered(ctx.level):
            args = [_wrapped_or_plain(value, dim, ctx.level) for value, dim in zip(values, dims, strict=True)]
            if owner.setup_context is Function.setup_context:
                output = owner.forward(ctx.inner, *args)
            else:
                output = owner.forward(*args)
                owner.setup_context(ctx.inner, tuple(args), output)
        ctx.set_materialize_grads(ctx.inner.materialize_grads)
        results = output if isinstance(output, tuple) else (output,)
        made = tuple(_samples(t, ctx.level) if isinstance(t, taeda.Tensor) else t for t in results)
        plain = ctx.inner.non_differentiable or ()
        ctx.mark_non_differentiable(*(m for t, m in zip(results, made, strict=True) if any(t is p for p in plain)))
        _OverBatch._keep(ctx, args, values, results, made)
        return made if isinstance(output, tuple) else made[0]

    @staticmethod
    def _keep(ctx: Any, args: list[Any], values: Any, results: Any, made: Any) -> None:
        """Save the samples of what the Function saved: the very arguments and results, whose history goes on from there."""
        known = {id(t): (v, d) for t, v, d in zip(args, values, ctx.dims, strict=True)}
        known |= {id(t): (m, 0) for t, m in zip(results, made, strict=True)}
        pairs = [
            known.get(id(t)) or _batch.unwrap(t, ctx.level)
            for t in (ctx.inner.to_save or ctx.inner.saved_for_forward or ())
        ]
        ctx.saved_dims = [dim for _, dim in pairs]
        ctx.save_for_backward(*(value for value, _ in pairs))
        ctx.save_for_forward(*(value for value, _ in pairs))
        ctx.inner.to_save = ctx.inner.saved_for_forward = None

    @staticmethod
    def _reopen(ctx: Any) -> None:
        ctx.inner.saved_tensors = tuple(
            _wrapped_or_plain(t, dim, ctx.level) for t, dim in zip(ctx.saved_tensors, ctx.saved_dims, strict=True)
        )

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        with _entered(ctx.level):
            _OverBatch._reopen(ctx)
            given = [None if g is None else _batch.wrap(g, 0, ctx.level) for g in grads]
            has_vjp = ctx.owner.vjp is not Function.vjp
            found = ctx.owner.vjp(ctx.inner, *given) if has_vjp else ctx.owner.backward(ctx.inner, *given)
        found = found if isinstance(found, tuple) else (found,)
        return None, None, None, *(_fitted(g, d, ctx.level) for g, d in zip(found, ctx.dims, strict=False))

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        with _entered(ctx.level):
            _OverBatch._reopen(ctx)
            given = [_wrapped_or_plain(t, d, ctx.level) for t, d in zip(tangents[3:], ctx.dims, strict=True)]
            found = ctx.owner.jvp(ctx.inner, *given)
        if isinstance(found, tuple):
            return tuple(None if t is None else _samples(t, ctx.level) for t in found)
        return _samples(found, ctx.level)


def _fitted(grad: Any, dim: int | None, level: Any) -> Any:
    """The gradient of an argument: laid out as its samples are, or summed over them where they share it."""
    if not isinstance(grad, taeda.Tensor):
        return None
    samples = _samples(grad, level)
    return samples.sum(0) if dim is None else samples.movedim(0, dim)


_function._lowering = lowering
