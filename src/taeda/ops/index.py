"""Indexing: reading and writing elements that index tensors or masks name.

Kernels: csrc/cpu/gather.cpp (reading along one dimension), scatter.cpp (writing along one), advanced_index.cpp (several index
tensors at once: ``x[i, :, j]``), masked.cpp. All rest on the two walks of csrc/cpu/indexing.h.
"""

from __future__ import annotations

from taeda.ops.registry import op

# ---- reading along one dimension

op(
    "gather(Tensor input, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
    vjp={"input": "_gather_backward(g, input.shape, dim, index)"},
    doc="""Return the elements ``input[index[i][j]][j]`` (for ``dim=0``; likewise for others), in ``index``'s shape.

    Args:
        dim: the dimension that ``index`` counts along.
        index: int64 or int32, with as many dimensions as ``input`` and nowhere larger except along ``dim``.
        sparse_grad: accepted for PyTorch's sake; gradients are always dense.

    Raises:
        RuntimeError: an index is out of bounds (negative ones are).
    """,
)
op(
    "_gather_backward(Tensor input, int[] sizes, int dim, Tensor index) -> Tensor",
    vjp={"input": "g.gather(dim, index)"},
    where="_C",
    out=False,
)
op(
    "index_select(Tensor input, int dim, Tensor index) -> Tensor",
    vjp={"input": "_index_select_backward(g, input.shape, dim, index)"},
    doc="""Return a copy of the slices of dimension ``dim`` that ``index`` names, in its order.

    Args:
        index: a vector of int64 or int32.

    Raises:
        IndexError: an index is out of range (negative ones are).
    """,
)
op(
    "_index_select_backward(Tensor input, int[] sizes, int dim, Tensor index) -> Tensor",
    vjp={"input": "g.index_select(dim, index)"},
    where="_C",
    out=False,
)
op(
    "take(Tensor input, Tensor index) -> Tensor",
    vjp={"input": "_take_backward(g, input.shape, index)"},
    doc="Return the elements at the places ``index`` of the flattened ``input``, in ``index``'s shape.",
)
op(
    "_take_backward(Tensor input, int[] sizes, Tensor index) -> Tensor",
    vjp={"input": "g.take(index)"},
    where="_C",
    out=False,
)
op(
    "put(Tensor input, Tensor index, Tensor source, bool accumulate=False) -> Tensor",
    vjp={
        "input": "g if accumulate else g.put(index, g.new_zeros(source.shape), False)",
        "source": "g.take(index).reshape(source.shape)",
    },
    inplace="own",
    out=False,
    doc="""Return a copy of ``input`` with ``source``'s elements at the places ``index`` of the flattened tensor.

    Args:
        index: int64; negative indices count from the end.
        source: as many elements as ``index``.
        accumulate: add instead of replacing.
    """,
)

# ---- writing along one dimension

_SCATTER_DOC = """Return a copy of ``input`` with ``out[index[i][j]][j] = src[i][j]`` (for ``dim=0``; likewise for others).

    Args:
        dim: the dimension that ``index`` counts along.
        index: int64 or int32, with as many dimensions as ``input`` and nowhere larger except along ``dim``.
        src: at least as large as ``index``, of ``input``'s dtype; or one number for all places (``value``).
        reduce: "add" or "multiply" combines instead of replacing; it has no gradient.

    Edge cases:
        Where places repeat, the last one wins, and the gradient is as if each had.
    """
op(
    "scatter(Tensor input, int dim, Tensor index, Tensor src) -> Tensor",
    vjp={"input": "g.scatter(dim, index, 0)", "src": "g.gather(dim, index)"},
    inplace="own",
    doc=_SCATTER_DOC,
)
op(
    "scatter(Tensor input, int dim, Tensor index, Scalar value) -> Tensor",
    overload="value",
    vjp={"input": "g.scatter(dim, index, 0)"},
    inplace="own",
)
op(
    "scatter(Tensor input, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor",
    overload="reduce_old",
    inplace="own",
)
op(
    "scatter(Tensor input, int dim, Tensor index, Scalar value, *, str reduce) -> Tensor",
    overload="value_reduce",
    inplace="own",
)
op(
    "scatter_add(Tensor input, int dim, Tensor index, Tensor src) -> Tensor",
    vjp={"input": "g", "src": "g.gather(dim, index)"},
    inplace="own",
    doc="""Return a copy of ``input`` with ``out[index[i][j]][j] += src[i][j]`` (for ``dim=0``; likewise for others).

    Args:
        dim: the dimension that ``index`` counts along.
        index: int64 or int32, with as many dimensions as ``input`` and nowhere larger except along ``dim``.
        src: at least as large as ``index``, of ``input``'s dtype.
    """,
)

# The gradients of scatter_reduce, by reduction. Of equal extremes each takes an equal share.
_IS_SELF = "_to_copy(input == result, g.dtype)"
_IS_SRC = "_to_copy(src == result.gather(dim, index), g.dtype)"
_SHARE = f"(g / {_IS_SELF}.scatter_add(dim, index, {_IS_SRC}))"
_MEAN = "(g / _scatter_count(g, dim, index, include_self))"
_NONZERO_SELF = "input.masked_fill(input == 0, 1)"
_PROD_SELF = (
    f"conj_physical(conj_physical(g) * {_NONZERO_SELF}.scatter_reduce(dim, index, src, 'prod', include_self=include_self)"
    f" / {_NONZERO_SELF})"
)
# A factor of zero: the product of the others counts, which is only known without the zeros. Of two zeros, each is the other's only
# factor of zero, their sum less itself: that is 0, but its derivative is not.
_ZEROS = "_to_copy(src == 0, g.dtype)"
_COUNT = f"g.new_zeros(g.shape).scatter_add(dim, index, {_ZEROS}).gather(dim, index)"
_OTHER_ZERO = "zeros_like(g).scatter_add(dim, index, src.masked_fill(src != 0, 0)).gather(dim, index) - src"
_REST = f"where({_COUNT} == 1, 1, where({_COUNT} == 2, {_OTHER_ZERO}, 0))"
_WITHOUT_ZEROS = "input.scatter_reduce(dim, index, src.masked_fill(src == 0, 1), 'prod', include_self=include_self)"
_PROD_SRC = (
    f"conj_physical(where(src == 0, (conj_physical(g) * {_WITHOUT_ZEROS}).gather(dim, index) * ({_REST}), "
    "(conj_physical(g) * result).gather(dim, index) / src.masked_fill(src == 0, 1)))"
)


def _unless_self(gradient: str) -> str:
    """The gradient of ``input``, which does not matter at the written places when it is not included."""
    return f"({gradient} if include_self else {gradient}.scatter(dim, index, 0))"


def _by_reduction(total: str, mean: str, prod: str, extreme: str) -> str:
    return f"{total} if reduce == 'sum' else {mean} if reduce == 'mean' else {prod} if reduce == 'prod' else {extreme}"


op(
    "scatter_reduce(Tensor input, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True) -> Tensor",
    vjp={
        "input": _by_reduction(
            _unless_self("g"), _unless_self(_MEAN), _unless_self(_PROD_SELF), _unless_self(f"({_IS_SELF} * {_SHARE})")
        ),
        "src": _by_reduction(
            "g.gather(dim, index)",
            f"{_MEAN}.gather(dim, index)",
            f"({_PROD_SRC})",
            f"({_IS_SRC} * {_SHARE}.gather(dim, index))",
        ),
    },
    inplace="own",
    doc="""Return a copy of ``input`` in which all values that ``index`` sends to one place are reduced to one.

    Args:
        dim: the dimension that ``index`` counts along.
        index: int64 or int32, with as many dimensions as ``input`` and nowhere larger except along ``dim``.
        src: at least as large as ``index``, of ``input``'s dtype.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether ``input``'s own value takes part.
    """,
)
op(
    "_scatter_count(Tensor input, int dim, Tensor index, bool include_self) -> Tensor",
    vjp={"input": "zeros_like(g)"},  # only the shape matters
    where="_C",
    out=False,
)

# ---- whole slices along one dimension

op(
    "index_add(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
    vjp={"input": "g", "source": "(g.index_select(dim, index) * alpha).reshape(source.shape)"},
    inplace="own",
    doc="""Return a copy of ``input`` with ``alpha * source`` added to the slices that ``index`` names.

    Args:
        dim: the dimension.
        index: a vector of int64 or int32; indices may repeat.
        source: of ``input``'s dtype and shape, with one slice for each index.
        alpha: a factor.
    """,
)
op(
    "index_copy(Tensor input, int dim, Tensor index, Tensor source) -> Tensor",
    vjp={"input": "g.index_fill(dim, index, 0)", "source": "g.index_select(dim, index).reshape(source.shape)"},
    inplace="own",
    doc="""Return a copy of ``input`` whose slices that ``index`` names are ``source``'s.

    Args:
        dim: the dimension.
        index: a vector of int64 or int32.
        source: of ``input``'s dtype and shape, with one slice for each index.
    """,
)
# A zero-dim tensor would also do for a number, but has a gradient: its row comes first.
op(
    "index_fill(Tensor input, int dim, Tensor index, Tensor value) -> Tensor",
    overload="tensor",
    vjp={"input": "g.index_fill(dim, index, 0)", "value": "(g - g.index_fill(dim, index, 0)).sum()"},
    inplace="own",
    out=False,
    doc="""Return a copy of ``input`` with ``value`` in the slices that ``index`` names.

    Args:
        dim: the dimension.
        index: a vector of int64 or int32; negative indices count from the end.
        value: a number or a zero-dim tensor.
    """,
)
op(
    "index_fill(Tensor input, int dim, Tensor index, Scalar value) -> Tensor",
    vjp={"input": "g.index_fill(dim, index, 0)"},
    inplace="own",
    out=False,
)

# ---- several index tensors at once

op(
    "_index(Tensor input, Tensor?[] indices) -> Tensor",
    vjp={"input": "_index_backward(g, input.shape, indices)"},
    where="_C",
)
op(
    "_index_backward(Tensor input, int[] sizes, Tensor?[] indices) -> Tensor",
    vjp={"input": "_index(g, indices)"},
    where="_C",
    out=False,
)
_INDEX_PUT_VJP = {"input": "g if accumulate else _index_zero(g, indices)", "values": "_index(g, indices)"}
op(
    "_index_put(Tensor input, Tensor?[] indices, Tensor values, bool accumulate) -> Tensor",
    vjp=_INDEX_PUT_VJP,
    where="_C",
    inplace="own",
    out=False,
)
op(
    "_index_zero(Tensor input, Tensor?[] indices) -> Tensor",
    vjp={"input": "_index_zero(g, indices)"},
    where="_C",
    out=False,
)
op(
    "index_put(Tensor input, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
    vjp=_INDEX_PUT_VJP,
    inplace="own",
    out=False,
    doc="""Return a copy of ``input`` with ``values`` at the places that the index tensors name: ``input[indices] = values``.

    Args:
        indices: one index tensor or mask for each of the first dimensions.
        values: of ``input``'s dtype; broadcast to the indexed shape.
        accumulate: add instead of replacing; places may repeat.
    """,
)

# ---- masks

op("_nonzero(Tensor input) -> Tensor", where="_C", out=False)
op("where(Tensor condition) -> Tensor[]", overload="nonzero", where="torch")
op(
    "masked_select(Tensor input, Tensor mask) -> Tensor",
    vjp={"input": "_masked_select_backward(g, input.shape, mask)"},
    doc="""Return the elements under the mask, in row-major order, as one dimension.

    Args:
        mask: bool; it and ``input`` are broadcast together.
    """,
)
op(
    "_masked_select_backward(Tensor input, int[] sizes, Tensor mask) -> Tensor",
    vjp={"input": "g.masked_select(mask)"},
    where="_C",
    out=False,
)
op(
    "masked_scatter(Tensor input, Tensor mask, Tensor source) -> Tensor",
    vjp={"input": "g.masked_fill(mask, 0)", "source": "_masked_scatter_backward(g, mask, source.shape)"},
    inplace="own",
    out=False,
    doc="""Return a copy of ``input`` whose elements under the mask are ``source``'s first elements, in order.

    Args:
        mask: bool; broadcast to ``input``'s shape.
        source: of ``input``'s dtype, with at least as many elements as the mask takes.
    """,
)
op(
    "_masked_scatter_backward(Tensor input, Tensor mask, int[] sizes) -> Tensor",
    vjp={"input": "g.new_zeros(input.shape).masked_scatter(mask, g)"},
    where="_C",
    out=False,
)
