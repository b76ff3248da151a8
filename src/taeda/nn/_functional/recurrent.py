"""Recurrent networks over sequences: cells, and the loop over steps, directions and layers.

The input's part of all gates is one matrix product for the whole sequence; only the state's part is in the loop. For an
LSTM the loop is one operation too, where nothing stands against it (lstm.py). Packed sequences are lists of steps with ever
fewer rows, so they share the loop with plain ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import taeda
from taeda.nn._functional import lstm
from taeda.nn._functional.dropout import dropout
from taeda.nn._functional.primitives import primitive

_linear = primitive("linear")

State = tuple  # (hidden,) or (hidden, cell)


def lstm_step(gates: Any, cell: Any, w_hr: Any) -> State:
    """The next hidden and cell state from the sum of both parts of the gates (Hochreiter 1997; projection: Sak "
    "2014)."""
    hidden, cell = taeda._C._lstm_gates(gates, cell)
    return (hidden if w_hr is None else _linear(hidden, w_hr)), cell


def gru_step(from_input: Any, from_hidden: Any, hidden: Any) -> Any:
    """The next hidden state from the two parts of the gates, which the new candidate adds up unevenly (Cho 2014)."""
    return taeda._C._gru_gates(from_input, from_hidden, hidden)


def _lstm_direction(w_ih: Any, w_hh: Any, *rest: Any) -> tuple:
    # Two biases, one projection, both or neither follow.
    bias = rest[0] + rest[1] if len(rest) >= 2 else None
    w_hr = rest[-1] if len(rest) in (1, 3) else None
    transposed = w_hh.t()

    def step(projected: Any, state: State) -> State:
        return lstm_step(taeda.addmm(projected, state[0], transposed), state[1], w_hr)

    return (lambda input: _linear(input, w_ih, bias)), step


def _gru_direction(w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> tuple:
    def step(projected: Any, state: State) -> State:
        return (gru_step(projected, _linear(state[0], w_hh, b_hh), state[0]),)

    return (lambda input: _linear(input, w_ih, b_ih)), step


def _rnn_direction(activation: str) -> Callable:
    def direction(w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> tuple:
        bias = None if b_ih is None else b_ih + b_hh
        transposed = w_hh.t()

        def step(projected: Any, state: State) -> State:
            total = taeda.addmm(projected, state[0], transposed)
            return (total.tanh() if activation == "tanh" else total.relu(),)

        return (lambda input: _linear(input, w_ih, bias)), step

    return direction


_DIRECTIONS = {
    "LSTM": _lstm_direction,
    "GRU": _gru_direction,
    "RNN_TANH": _rnn_direction("tanh"),
    "RNN_RELU": _rnn_direction("relu"),
}


def _run_forward(steps: Sequence[Any], state: State, step: Callable) -> tuple[list, State]:
    """All hidden states, and the last state of every sequence; sequences end where a step has fewer rows."""
    outputs, finished = [], []
    for projected in steps:
        rows = projected.size(0)
        if rows < state[0].size(0):
            finished.append(tuple(part[rows:] for part in state))
            state = tuple(part[:rows] for part in state)
        state = step(projected, state)
        outputs.append(state[0])
    if finished:
        state = tuple(taeda.cat(parts) for parts in zip(state, *reversed(finished), strict=True))
    return outputs, state


def _run_backward(steps: Sequence[Any], initial: State, step: Callable) -> tuple[list, State]:
    """The same from the last step to the first; sequences enter where a step has more rows than the one after it."""
    rows = steps[-1].size(0)
    state = initial if rows == initial[0].size(0) else tuple(part[:rows] for part in initial)
    outputs = []
    for projected in reversed(steps):
        more = projected.size(0)
        if more > rows:
            state = tuple(taeda.cat([part, start[rows:more]]) for part, start in zip(state, initial, strict=True))
            rows = more
        state = step(projected, state)
        outputs.append(state[0])
    outputs.reverse()
    return outputs, state


def _lstm_steps(projected: Any, hidden: Any, cell: Any, w_hh: Any, reverse: bool) -> tuple[Any, Any]:
    """All hidden states of an LSTM without projection, and its last cell state."""
    _, step = _lstm_direction(None, w_hh)
    outputs, state = (_run_backward if reverse else _run_forward)(projected.unbind(0), (hidden, cell), step)
    return taeda.stack(outputs), state[1]


def _run_direction(
    mode: str, input: Any, batch_sizes: list[int] | None, initial: State, weights: list[Any], reverse: bool
) -> tuple[Any, State]:
    """One layer in one direction: its outputs in the input's form, and its last state."""
    project, step = _DIRECTIONS[mode](*weights)
    projected = project(input)
    has_projection = len(weights) in (3, 5)
    if (
        mode == "LSTM"
        and batch_sizes is None
        and not has_projection
        and lstm.is_offered(projected, *initial, weights[1])
    ):
        hidden, cell = initial
        output, cell = lstm.sequence(projected, hidden, cell, weights[1], reverse, _lstm_steps)
        return output, (output[0 if reverse else -1], cell)
    steps = projected.unbind(0) if batch_sizes is None else projected.split(batch_sizes)
    outputs, state = (_run_backward if reverse else _run_forward)(steps, initial, step)
    return (taeda.stack(outputs) if batch_sizes is None else taeda.cat(outputs)), state


def run(
    mode: str,
    input: Any,
    batch_sizes: list[int] | None,
    initial: State,
    weights: list[list[Any]],
    bidirectional: bool,
    dropout_p: float,
    training: bool,
) -> tuple[Any, State]:
    """A whole recurrent network.

    Args:
        mode: ``"LSTM"``, ``"GRU"``, ``"RNN_TANH"`` or ``"RNN_RELU"``.
        input: (T, N, features), or the packed (total, features) with ``batch_sizes``.
        batch_sizes: how many sequences reach each step; None for a plain input.
        initial: each part of the state as (layers * directions, N, features).
        weights: for each layer and direction its weights in the order of the layer's own list.
        bidirectional: whether each layer also runs backwards.
        dropout_p: applied to each layer's output but the last one's, in training.
        training: whether dropout applies.

    Returns:
        The outputs in the input's form, and the last state in the form of ``initial``.
    """
    n_directions = 2 if bidirectional else 1
    final: list[State] = []
    n_layers = len(weights) // n_directions
    for layer in range(n_layers):
        results = []
        for direction in range(n_directions):
            k = layer * n_directions + direction
            start = tuple(part[k] for part in initial)
            output, state = _run_direction(mode, input, batch_sizes, start, weights[k], direction == 1)
            results.append(output)
            final.append(state)
        input = results[0] if n_directions == 1 else taeda.cat(results, -1)
        if dropout_p > 0.0 and training and layer < n_layers - 1:
            input = dropout(input, dropout_p, True)
    return input, tuple(taeda.stack(parts) for parts in zip(*final, strict=True))
