"""Batching rules of what works on the last dimensions and takes any number of leading ones: matrices, attention."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.func._rules import RULES, Call, expand, loop, rule
from taeda.ops import batching

__all__: list[str] = []


def leading(call: Call) -> Any:
    """Pad the samples' leading dimensions to the same number and call the operation on all of them."""
    rank = max(rank for rank in call.ranks if isinstance(rank, int))
    arguments = list(call.arguments)
    for k, own in enumerate(call.ranks):
        if not isinstance(own, int):
            continue
        core = 1 if call.op.names[k] in _VECTORS else 2
        value = arguments[k] if call.batched[k] else expand(arguments[k], call.batch_size)
        missing = rank - 2 - (own - core)
        arguments[k] = value.reshape([value.shape[0], *[1] * missing, *value.shape[1:]]) if missing > 0 else value
    return call.op(arguments)


_VECTORS = frozenset({"pivots", "LU_pivots", "tau"})

for _name in batching.LEADING:
    RULES[_name] = leading


@rule("solve", "solve_ex")
def _solve(call: Call) -> Any:
    """A right-hand side with one dimension less is a vector: say so by a column of its own."""
    if call.ranks[1] != call.ranks[0] - 1:
        return leading(call)
    if not call["left"]:
        return loop(call)
    arguments = list(call.arguments)
    arguments[1] = arguments[1].unsqueeze(-1)
    ranks = [call.ranks[0], call.ranks[1] + 1, *call.ranks[2:]]
    result = leading(Call(call.level, call.op, call.form, arguments, call.batched, ranks))
    return result.squeeze(-1) if call.op.name == "solve" else (result[0].squeeze(-1), result[1])


@rule("_lstsq")
def _lstsq(call: Call) -> Any:
    """What a driver does not compute is a tensor without elements, for each sample too."""
    return tuple(t.new_empty([call.batch_size, 0]) if t.shape == (0,) else t for t in leading(call))


@rule("qr")
def _qr(call: Call) -> Any:
    q, r = leading(call)
    return (q.new_empty([call.batch_size, 0]) if call["mode"] == "r" else q), r


@rule("_attention", "_attention_backward", "_attention_weights")
def _attention(call: Call) -> Any:
    """The samples join the first of the four dimensions."""
    arguments, n = list(call.arguments), call.full("query").shape[1]
    for k, (name, rank) in enumerate(zip(call.op.names, call.ranks, strict=True)):
        if not isinstance(rank, int):
            continue
        value = call.full(name)
        if name == "mask":
            value = value.reshape([call.batch_size, *[1] * (4 - rank), *value.shape[1:]])
            value = value.expand([call.batch_size, n, *value.shape[2:]])
        arguments[k] = value.flatten(0, 1)
    results = call.op(arguments)
    if not isinstance(results, tuple):
        return results.unflatten(0, [call.batch_size, n])
    return tuple(None if t is None else t.unflatten(0, [call.batch_size, n]) for t in results)


# ---- pairs of rows


def _pairs(n: int) -> Any:
    """Where the elements above the diagonal of an (n, n) matrix lie in it, row by row."""
    rows, columns = taeda.triu_indices(n, n, 1)
    return rows * n + columns


@rule("_pdist")
def _pdist(call: Call) -> Any:
    x = call["input"]
    return taeda._C._cdist(x, x, call["p"]).flatten(1).index_select(1, _pairs(x.shape[1]))


@rule("_pair_vector")
def _pair_vector(call: Call) -> Any:
    x = call["input"]
    return (x + x.mT).flatten(1).index_select(1, _pairs(x.shape[1]))


@rule("_pair_matrix")
def _pair_matrix(call: Call) -> Any:
    x, n = call["input"], call["n"]
    above = x.new_zeros([call.batch_size, n * n]).index_copy(1, _pairs(n), x).reshape([call.batch_size, n, n])
    return above + above.mT
