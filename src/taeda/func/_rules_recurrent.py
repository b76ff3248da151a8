"""Batching rules of whole recurrent layers: the samples join their batch, which is the second dimension."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.func._rules import Call, loop, rule

__all__: list[str] = []

_BY_STEP = frozenset(
    {"projected", "g_output", "output", "cells", "gates"}
)  # (steps, batch, ...); states are (batch, ...)


def _joined(call: Call) -> list[Any]:
    arguments = list(call.arguments)
    for k, name in enumerate(call.op.names):
        if name in _BY_STEP:
            arguments[k] = call.full(name).movedim(0, 1).flatten(1, 2)
        elif isinstance(call.ranks[k], int) and name != "w_hh":
            arguments[k] = call.full(name).flatten(0, 1)
    return arguments


def _apart(call: Call, t: Any, dim: int) -> Any:
    return t.unflatten(dim, [call.batch_size, -1]).movedim(dim, 0)


@rule("_lstm_sequence")
def _lstm_sequence(call: Call) -> Any:
    if call.is_batched("w_hh") or call.batch_size == 0:
        return loop(call)
    output, last, cells, gates = call.op(_joined(call))
    kept = [_apart(call, t, 1) if call["keeps"] else t.new_empty([call.batch_size, *t.shape]) for t in (cells, gates)]
    return _apart(call, output, 1), _apart(call, last, 0), *kept


@rule("_lstm_sequence_backward")
def _lstm_sequence_backward(call: Call) -> Any:
    """Each sample's weights have a gradient of their own: products with the states that the steps began with."""
    if call.is_batched("w_hh") or call.batch_size == 0:
        return loop(call)
    projected, hidden, cell, _ = call.op(_joined(call))
    g, output, first = _apart(call, projected, 1), call.full("output"), call.full("hidden").unsqueeze(1)
    before = taeda.cat([output[:, 1:], first] if call["reverse"] else [first, output[:, :-1]], 1)
    weights = g.flatten(1, 2).mT @ before.flatten(1, 2)
    return g, _apart(call, hidden, 0), _apart(call, cell, 0), weights
