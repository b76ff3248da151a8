"""What sparse tensors are computed with: products of a matrix in compressed rows, and groupings of indices.

These rows see dense tensors only: ``offsets`` (where each row's elements begin, one more than there are rows), ``col`` and
``values``. taeda.sparse puts them together. Kernels: csrc/cpu/sparse.cpp.
"""

from __future__ import annotations

from taeda.ops.registry import op

op(
    "_expand_offsets(Tensor offsets) -> Tensor",
    where="_C",
    out=False,
    doc="Return for each element of a matrix in compressed rows the row that it is in.",
)
op(
    "_group(Tensor index, int n) -> (Tensor offsets, Tensor order)",
    where="_C",
    out=False,
    doc="Return where each of 0 .. n - 1 begins when ``index`` is sorted, and the order that sorts it (equal ones keep theirs).",
)
op(
    "_sparse_mm(Tensor offsets, Tensor col, Tensor values, Tensor other) -> Tensor",
    vjp={
        "values": "_sparse_dots(offsets, col, g, other.conj_physical())",
        "other": "_sparse_mm_transposed(offsets, col, values, g, other.shape[0])",
    },
    where="_C",
    out=False,
    doc="Return the product of a matrix in compressed rows and a dense one.",
)
op(
    "_sparse_mm_transposed(Tensor offsets, Tensor col, Tensor values, Tensor other, int n_cols) -> Tensor",
    vjp={
        "values": "_sparse_dots(offsets, col, other, g.conj_physical())",
        "other": "_sparse_mm(offsets, col, values, g)",
    },
    where="_C",
    out=False,
    doc="Return the product of the conjugate transpose of a matrix in compressed rows, which has ``n_cols`` columns, and a dense one.",
)
op(
    "_sparse_dots(Tensor offsets, Tensor col, Tensor a, Tensor b) -> Tensor",
    vjp={
        "a": "_sparse_mm(offsets, col, g, b.conj_physical())",
        "b": "_sparse_mm_transposed(offsets, col, g.conj_physical(), a.conj_physical(), b.shape[0])",
    },
    where="_C",
    out=False,
    doc="Return ``a @ b.mT`` at the places of a pattern in compressed rows.",
)
op(
    "_sparse_mm_extreme(Tensor offsets, Tensor col, Tensor values, Tensor other, bool largest) -> (Tensor values_out, Tensor which)",
    differentiable=(),
    where="_C",
    out=False,
    doc="Return the largest (or smallest) product instead of their sum, 0 in empty rows, and the element that it comes from, or -1.",
)
op(
    "_sparse_product(Tensor offsets_a, Tensor col_a, Tensor values_a, Tensor offsets_b, Tensor col_b, Tensor values_b, int n_cols)"
    " -> (Tensor offsets, Tensor col, Tensor values)",
    where="_C",
    out=False,
    doc="Return the product of two matrices in compressed rows, with ``n_cols`` columns; each row's elements are in order.",
)
