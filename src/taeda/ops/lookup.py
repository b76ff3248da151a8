"""Looking up rows of a table, and padding: kernels in csrc/cpu/embedding.cpp and csrc/cpu/pad.cpp."""

from __future__ import annotations

from taeda.ops.registry import op

# How often each row is looked up, 0 for the padding row: the gradient of rows of one 1.
_COUNT = (
    "_embedding_backward(_to_copy(indices.unsqueeze(-1) >= 0, grad.dtype), indices, num_weights, padding_idx, False)"
)
_KEPT = f"where({_COUNT} > 0, g / {_COUNT} if scale_grad_by_freq else g, 0)"

op(
    "_embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False) -> Tensor",
    vjp={"weight": "_embedding_backward(g, indices, weight.shape[0], padding_idx, scale_grad_by_freq)"},
    where="_C",
    out=False,
    doc="""Return the rows of ``weight`` that ``indices`` names, in its shape with one dimension more.

    Args:
        weight: the table, (rows, D), of any dtype.
        indices: int64 or int32, of any shape.
        padding_idx: the row that gets no gradient; -1 (default) for none.
        scale_grad_by_freq: whether a row's gradient is divided by how often it was looked up.

    Raises:
        IndexError: an index is out of range (negative ones are).
    """,
)
op(
    "_embedding_backward(Tensor grad, Tensor indices, int num_weights, int padding_idx, bool scale_grad_by_freq) -> Tensor",
    # It is linear: this is its transpose.
    vjp={"grad": f"_embedding({_KEPT} if padding_idx >= 0 or scale_grad_by_freq else g, indices)"},
    where="_C",
    out=False,
    doc="Return the gradient of the table of an embedding, (num_weights, D).",
)
op(
    "_constant_pad(Tensor input, int[] pad, Scalar value=0) -> Tensor",
    vjp={"input": "_constant_pad_backward(g, pad)"},
    where="_C",
    out=False,
    doc="""Return ``input`` with ``value`` added at, or elements taken off, the ends of its last dimensions.

    Args:
        pad: two numbers for each padded dimension, the last dimension first: before it, after it; negative ones crop.
        value: what is added; default 0.
    """,
)
op(
    "_constant_pad_backward(Tensor grad, int[] pad) -> Tensor",
    vjp={"grad": "_constant_pad(g, pad, 0)"},
    where="_C",
    out=False,
    doc="Return ``grad`` padded by the opposite of ``pad`` with zeros.",
)
op(
    "_pad_from_within(Tensor input, int[] pad, str mode) -> Tensor",
    vjp={"input": "_pad_from_within_backward(g, input.shape, pad, mode)"},
    where="_C",
    out=False,
    doc="""Return ``input`` continued at the ends of its last dimensions by elements of its own.

    Args:
        pad: as for ``_constant_pad``.
        mode: "reflect", "replicate" or "circular".
    """,
)
op(
    "_pad_from_within_backward(Tensor grad, int[] sizes, int[] pad, str mode) -> Tensor",
    vjp={"grad": "_pad_from_within(g, pad, mode)"},
    where="_C",
    out=False,
    doc="Return the gradient of the padded tensor's source, of shape ``sizes``.",
)
