"""Joining tensors: cat and stack. Kernels: csrc/cpu/join.cpp."""

from __future__ import annotations

from taeda.ops.registry import op

_CAT_DOC = """Return the tensors laid one after the other along ``dim``.

    Args:
        tensors: at least one; all sizes but the one along ``dim`` must agree. Dtypes are promoted.
        dim: the dimension that grows.

    Edge cases:
        Empty one-dimensional tensors are passed over, whatever the others' shape.
    """
for _name in ("cat", "concat", "concatenate"):
    op(
        f"{_name}(Tensor[] tensors, int dim=0) -> Tensor",
        vjp={"tensors": "_cat_backward(g, sizes_along(tensors, dim), dim)"},
        where="torch",
        doc=_CAT_DOC,
    )
op(
    "_cat_backward(Tensor input, int[] lengths, int dim) -> Tensor[]",
    vjp={"input": "cat(g, dim)"},
    where="_C",
    view=True,
)
op(
    "stack(Tensor[] tensors, int dim=0) -> Tensor",
    vjp={"tensors": "unbind(g, dim)"},
    where="torch",
    doc="""Return the tensors, all of one shape, as the slices of a new dimension.

    Args:
        tensors: at least one.
        dim: where the new dimension is in the result.
    """,
)
