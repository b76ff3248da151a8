"""Batching rules of the losses by class and of rows of tables: the samples join the batch that these have already."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.func._rules import Call, loop, rule


def _positions(call: Call, target: Any, classes_in: str) -> tuple[Any, Any, list[int]]:
    """One logit tensor and target for all samples, with the shape of a sample's losses."""
    x = call.full(classes_in)
    shape = list(x.shape[1:2] if call.rank(classes_in) > 1 else []) + list(x.shape[3:])
    if call.rank(classes_in) == 1:
        return x, target.reshape(call.batch_size), []
    return x.flatten(0, 1), target.flatten(0, 1), shape


def _factors(call: Call, target: Any) -> Any:
    """What each target counts: the weight of its class, or 0 where it is ignored."""
    ignored = target == call["ignore_index"]
    weight = call["weight"]
    if weight is None:
        return (~ignored).to(taeda.get_default_dtype())
    return weight[target.masked_fill(ignored, 0)].masked_fill(ignored, 0)


def _reduced(call: Call, losses: Any, target: Any, shape: list[int]) -> Any:
    losses = losses.reshape([call.batch_size, *shape])
    if call["reduction"] == 0:
        return losses
    total = losses.flatten(1).sum(1) if shape else losses
    if call["reduction"] == 2:
        return total
    return total / _factors(call, target).to(total.dtype).reshape([call.batch_size, -1]).sum(1)


def _spread(call: Call, target: Any, shape: list[int]) -> Any:
    """The gradient of each single loss, flat as the target is."""
    grad = call.full("grad")
    if call["reduction"] != 0:
        if call["reduction"] == 1:
            grad = grad / _factors(call, target).to(grad.dtype).reshape([call.batch_size, -1]).sum(1)
        grad = grad.reshape([-1, *[1] * len(shape)]).expand([call.batch_size, *shape])
    return grad.reshape(target.shape)


@rule("_nll_loss")
def _nll_loss(call: Call) -> Any:
    if call.is_batched("weight"):
        return loop(call)
    x, target, shape = _positions(call, call.full("target"), "input")
    losses = taeda._C._nll_loss(x, target, call["weight"], 0, call["ignore_index"])
    return _reduced(call, losses, target, shape)


@rule("_nll_loss_backward")
def _nll_loss_backward(call: Call) -> Any:
    if call.is_batched("weight"):
        return loop(call)
    sizes, target = list(call["sizes"]), call.full("target")
    if len(sizes) == 1:
        target, shape, merged = target.reshape(call.batch_size), [], [call.batch_size, *sizes]
    else:
        target, shape, merged = target.flatten(0, 1), [sizes[0], *sizes[2:]], [call.batch_size * sizes[0], *sizes[1:]]
    grad = _spread(call, target, shape)
    dx = taeda._C._nll_loss_backward(grad, merged, target, call["weight"], 0, call["ignore_index"])
    return dx.reshape([call.batch_size, *sizes])


@rule("_cross_entropy")
def _cross_entropy(call: Call) -> Any:
    if call.is_batched("weight"):
        return loop(call)
    x, target, shape = _positions(call, call.full("target"), "input")
    losses, stats = taeda._C._cross_entropy(x, target, call["weight"], 0, call["ignore_index"])
    return _reduced(call, losses, target, shape), stats.reshape(2, call.batch_size, -1).transpose(0, 1)


@rule("_cross_entropy_backward")
def _cross_entropy_backward(call: Call) -> Any:
    if call.is_batched("weight"):
        return loop(call)
    x, target, shape = _positions(call, call.full("target"), "input")
    stats = call.full("stats").transpose(0, 1).reshape(2, -1)
    grad = _spread(call, target, shape)
    dx = taeda._C._cross_entropy_backward(grad, x, target, call["weight"], stats, 0, call["ignore_index"])
    return dx.reshape(call.full("input").shape)


def _own_rows(call: Call, n_rows: int) -> Any:
    """The indices of all samples into their tables, one below the other."""
    index = call.full("indices")
    offset = taeda.arange(call.batch_size, dtype=index.dtype) * n_rows
    return index + offset.reshape([-1, *[1] * (index.ndim - 1)])


@rule("_embedding")
def _embedding(call: Call) -> Any:
    if not call.is_batched("weight"):
        return call.op(call.arguments)
    weight = call["weight"]
    return taeda._C._embedding(weight.flatten(0, 1), _own_rows(call, weight.shape[1]))


@rule("_embedding_backward")
def _embedding_backward(call: Call) -> Any:
    grad, n_rows = call.full("grad"), call["num_weights"]
    if call["padding_idx"] >= 0:
        grad = grad.masked_fill((call.full("indices") == call["padding_idx"]).unsqueeze(-1), 0)
    index, total = _own_rows(call, n_rows), call.batch_size * n_rows
    table = taeda._C._embedding_backward(grad, index, total, -1, call["scale_grad_by_freq"])
    return table.unflatten(0, (call.batch_size, n_rows))


_BY_STEP = frozenset({"log_probs", "direction"})


@rule("_ctc_loss", "_ctc_loss_backward", "_ctc_loss_curvature")
def _ctc_loss(call: Call) -> Any:
    """The samples join N, the second dimension of what there is for each step and the first of everything else."""
    arguments = list(call.arguments)
    for k, (name, rank) in enumerate(zip(call.op.names, call.ranks, strict=True)):
        if isinstance(rank, int):
            value = call.full(name)
            arguments[k] = value.movedim(0, 1).flatten(1, 2) if name in _BY_STEP else value.flatten(0, 1)
    parts = [call.batch_size, call.full("log_probs").shape[2]]
    results = call.op(arguments)
    if isinstance(results, taeda.Tensor):
        return results.unflatten(1, parts).movedim(1, 0)
    return tuple(t.unflatten(0, parts) for t in results)
