"""The pointwise part of recurrent cells in one pass. The kernels are in csrc/cpu/recurrent.cpp and recurrent_isa.cpp.

The second derivatives are spelled out. Of the LSTM, with i, f, z, o the activated gates, t = tanh(new cell), dc the whole gradient of
the new cell, a0 .. a3 and b the cotangents of the gates' and the old cell's gradients, and s' = s (1 - s), z' = 1 - z^2, t' = 1 - t^2:
all is dc K + a3 g t o' with K = a0 z i' + a1 cell f' + a2 i z' + b f, the derivative of the new cell along the cotangents.
Of the GRU, with Q the derivative of the candidate's argument along the cotangents, all is g K with
K = (1 - z) c' Q + (a1 + b1) (h - c) z' + e z.
"""

from __future__ import annotations

from taeda.ops.registry import op


def _lstm_second_derivatives() -> dict[str, str]:
    i, f, o = (f"gates.chunk(4, 1)[{k}].sigmoid()" for k in (0, 1, 3))
    z, t = "gates.chunk(4, 1)[2].tanh()", "new_cell.tanh()"
    di, df, do = (f"({s} * (1 - {s}))" for s in (i, f, o))
    dz, dt = f"(1 - {z} * {z})", f"(1 - {t} * {t})"
    a0, a1, a2, a3 = (f"g_grad_gates.chunk(4, 1)[{k}]" for k in range(4))
    b = "g_grad_cell"
    dc = f"(g_cell + g_hidden * {o} * {dt})"
    k = f"({a0} * {z} * {di} + {a1} * cell * {df} + {a2} * {i} * {dz} + {b} * {f})"
    bar = f"(g_hidden * {dt} * ({a3} * {do} - {o} * {t} * {k} * 2))"  # of the new cell
    parts = [
        f"{bar} * {z} * {di} + {dc} * ({a0} * {z} * {di} * (1 - {i} * 2) + {a2} * {di} * {dz})",
        f"{bar} * cell * {df} + {dc} * ({a1} * cell * {df} * (1 - {f} * 2) + {b} * {df})",
        f"{bar} * {i} * {dz} + {dc} * ({a0} * {di} * {dz} - {a2} * {i} * {z} * {dz} * 2)",
        f"g_hidden * {do} * ({dt} * {k} + {a3} * {t} * (1 - {o} * 2))",
    ]
    return {
        "g_hidden": f"{o} * {dt} * {k} + {a3} * {t} * {do}",
        "g_cell": k,
        "gates": f"cat([{', '.join(parts)}], 1)",
        "cell": f"{bar} * {f} + {dc} * {a1} * {df}",
    }


def _gru_second_derivatives() -> dict[str, str]:
    x, y = "from_input.chunk(3, 1)", "from_hidden.chunk(3, 1)"
    r, z = (f"({x}[{k}] + {y}[{k}]).sigmoid()" for k in (0, 1))
    m = f"{y}[2]"
    c = f"({x}[2] + {r} * {m}).tanh()"
    dr, dz, dc = f"({r} * (1 - {r}))", f"({z} * (1 - {z}))", f"(1 - {c} * {c})"
    a, b = "g_grad_input.chunk(3, 1)", "g_grad_from_hidden.chunk(3, 1)"
    of_reset, of_update = f"({a}[0] + {b}[0])", f"({a}[1] + {b}[1])"
    q = f"({of_reset} * {m} * {dr} + {a}[2] + {b}[2] * {r})"
    p = f"(grad * ((1 - {z}) * {c} * {dc} * {q} * (-2) - {of_update} * {dc} * {dz}))"  # of the candidate's argument
    reset = f"{p} * {m} * {dr} + grad * (1 - {z}) * {dc} * ({of_reset} * {m} * {dr} * (1 - {r} * 2) + {b}[2] * {dr})"
    update = f"grad * (({of_update} * (hidden - {c}) * (1 - {z} * 2) + g_grad_hidden) * {dz} - {dz} * {dc} * {q})"
    return {
        "grad": f"(1 - {z}) * {dc} * {q} + {of_update} * (hidden - {c}) * {dz} + g_grad_hidden * {z}",
        "from_input": f"cat([{reset}, {update}, {p}], 1)",
        "from_hidden": f"cat([{reset}, {update}, {p} * {r} + grad * (1 - {z}) * {dc} * {of_reset} * {dr}], 1)",
        "hidden": f"grad * {of_update} * {dz}",
    }


op(
    "_lstm_gates(Tensor gates, Tensor cell) -> (Tensor hidden, Tensor new_cell)",
    vjp={"gates, cell": "_lstm_gates_backward(g_hidden, g_new_cell, gates, cell, new_cell)"},
    where="_C",
    out=False,
    doc="""Return the next hidden and cell state of an LSTM (Hochreiter and Schmidhuber 1997).

    Args:
        gates: (batch, 4 * hidden): the input, forget, candidate and output gates before their activations.
        cell: (batch, hidden).
    """,
)
op(
    "_lstm_gates_backward(Tensor g_hidden, Tensor g_cell, Tensor gates, Tensor cell, Tensor new_cell)"
    " -> (Tensor grad_gates, Tensor grad_cell)",
    vjp=_lstm_second_derivatives(),
    where="_C",
    out=False,
    doc="Return the gradients of ``_lstm_gates``.",
)
op(
    "_lstm_sequence(Tensor projected, Tensor hidden, Tensor cell, Tensor w_hh, bool reverse, bool keeps)"
    " -> (Tensor output, Tensor last_cell, Tensor cells, Tensor gates)",
    where="_C",
    out=False,
    doc="""Return all hidden states of an LSTM layer (Hochreiter and Schmidhuber 1997) and its last cell state.

    Args:
        projected: (steps, batch, 4 * hidden) of float32 or float64: the input's part of the gates, in the order of ``_lstm_gates``.
        hidden, cell: (batch, hidden), where it starts.
        w_hh: (4 * hidden, hidden).
        reverse: whether it runs from the last step to the first.
        keeps: whether the cell states and gates of all steps are returned as well, for the gradient; else they are empty.
    """,
)
op(
    "_lstm_sequence_backward(Tensor g_output, Tensor g_cell, Tensor hidden, Tensor cell, Tensor w_hh, Tensor output, Tensor cells,"
    " Tensor gates, bool reverse) -> (Tensor grad_projected, Tensor grad_hidden, Tensor grad_cell, Tensor grad_w_hh)",
    where="_C",
    out=False,
    doc="Return the gradients of ``_lstm_sequence``.",
)
op(
    "_gru_gates(Tensor from_input, Tensor from_hidden, Tensor hidden) -> Tensor",
    vjp={"from_input, from_hidden, hidden": "_gru_gates_backward(g, from_input, from_hidden, hidden)"},
    where="_C",
    out=False,
    doc="""Return the next hidden state of a GRU (Cho et al. 2014), whose reset gate applies after the product.

    Args:
        from_input, from_hidden: (batch, 3 * hidden): the input's and the state's parts of the reset and update gates and the candidate.
        hidden: (batch, hidden).
    """,
)
op(
    "_gru_gates_backward(Tensor grad, Tensor from_input, Tensor from_hidden, Tensor hidden)"
    " -> (Tensor grad_input, Tensor grad_from_hidden, Tensor grad_hidden)",
    vjp=_gru_second_derivatives(),
    where="_C",
    out=False,
    doc="Return the gradients of ``_gru_gates``.",
)
