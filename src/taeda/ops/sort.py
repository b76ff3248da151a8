"""Sorting, selecting by rank, finding and counting. Kernels: csrc/cpu/sort.cpp and search.cpp.

In all of them NaN is larger than every number, and equal elements keep their order.
"""

from __future__ import annotations

from taeda.ops.registry import op

_PUT_BACK = {"input": "_gather_backward(g_values, input.shape, dim, indices)"}
_PUT_BACK_REDUCED = {"input": "_put_along(g_values, input.shape, dim, indices, keepdim)"}
_VALUES = ("values",)

op(
    "sort(Tensor input, int dim=-1, bool descending=False, bool stable=False) -> (Tensor values, Tensor indices)",
    vjp=_PUT_BACK,
    differentiable=_VALUES,
    doc="""Return the elements in order along ``dim``, and where each came from.

    Args:
        dim: the dimension.
        descending: largest first.
        stable: accepted for PyTorch's sake; the order of equal elements is always kept.

    Edge cases:
        NaN comes after every number (before, when descending).
    """,
)
op(
    "argsort(Tensor input, int dim=-1, bool descending=False, bool stable=False) -> Tensor",
    doc="""Return the indices that put the elements in order along ``dim``.

    Args:
        dim: the dimension.
        descending: largest first.
        stable: accepted for PyTorch's sake; the order of equal elements is always kept.
    """,
)
op(
    "topk(Tensor input, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)",
    vjp=_PUT_BACK,
    differentiable=_VALUES,
    doc="""Return the ``k`` largest elements along ``dim`` and their indices.

    Args:
        k: how many; at most the dimension's size.
        dim: the dimension.
        largest: False: the smallest.
        sorted: in order; False leaves the order open.
    """,
)
op(
    "kthvalue(Tensor input, int k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    vjp=_PUT_BACK_REDUCED,
    differentiable=_VALUES,
    doc="""Return the ``k``-th smallest element (counted from 1) along ``dim`` and its index.

    Args:
        k: from 1 to the dimension's size.
        dim: the dimension.
        keepdim: keep the dimension with size one.
    """,
)
for _name, _nan in (("median", "A NaN among them is the result."), ("nanmedian", "NaN are left out.")):
    op(
        f"{_name}(Tensor input) -> Tensor",
        vjp={"input": "g * _tie_weights(input, result, None, False)"},
        doc=f"""Return the median: of an even number of elements, the lower of the two in the middle. {_nan}

    Args:
        dim: reduce this dimension and return the indices too; by default all elements.
        keepdim: keep the dimension with size one.
    """,
    )
    op(
        f"{_name}(Tensor input, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
        overload="dim",
        vjp=_PUT_BACK_REDUCED,
        differentiable=_VALUES,
    )
op(
    "mode(Tensor input, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    vjp=_PUT_BACK_REDUCED,
    differentiable=_VALUES,
    doc="""Return the most frequent element along ``dim`` (the smallest of several) and the index of its last occurrence.

    Args:
        dim: the dimension.
        keepdim: keep the dimension with size one.
    """,
)

# ---- finding

op(
    "searchsorted(Tensor sorted_sequence, Operand input, *, bool out_int32=False, bool right=False, str? side=None,"
    " Tensor? sorter=None) -> Tensor",
    where="torch",
    doc="""Return where each value would have to be put into the sorted last dimension to keep it sorted.

    Args:
        sorted_sequence: one sorted row for all values, or one for each row of ``input``.
        input: the values: a tensor or a number.
        out_int32: return int32 instead of int64.
        right: after equal elements instead of before them; the same as ``side="right"``.
        side: "left" or "right".
        sorter: int64 indices that sort ``sorted_sequence``, where that is not sorted itself.
    """,
)
op(
    "bucketize(Operand input, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor",
    where="torch",
    doc="""Return the number of the bucket that each value falls into.

    Args:
        input: the values: a tensor or a number.
        boundaries: the sorted limits between the buckets.
        out_int32: return int32 instead of int64.
        right: a value equal to a limit belongs to the bucket above it; by default to the one below.
    """,
)
op(
    "_unique(Tensor input, bool return_inverse) -> (Tensor output, Tensor inverse, Tensor counts)",
    where="_C",
    out=False,
)
op(
    "_unique_consecutive(Tensor input, bool return_inverse) -> (Tensor output, Tensor inverse, Tensor counts)",
    where="_C",
    out=False,
)
op(
    "_unique_dim(Tensor input, int dim, bool consecutive) -> (Tensor output, Tensor inverse, Tensor counts)",
    where="_C",
    out=False,
)
op(
    "equal(Tensor input, Tensor other) -> bool",
    doc="Return whether both have the same shape and the same elements; a NaN equals nothing.",
)
op("_isin(Tensor elements, Tensor test_elements, bool invert) -> Tensor", where="_C", out=False)

# ---- counting

op(
    "bincount(Tensor input, Tensor? weights=None, int minlength=0) -> Tensor",
    out=False,
    doc="""Return how often each of the numbers 0, 1, 2, ... occurs.

    Args:
        input: non-negative integers in one dimension.
        weights: what each occurrence counts; default 1.
        minlength: the least length of the result.
    """,
)
op(
    "histc(Tensor input, int bins=100, Scalar min=0, Scalar max=0) -> Tensor",
    doc="""Return how many elements fall into each of ``bins`` equal intervals from ``min`` to ``max``.

    Args:
        bins: the number of intervals.
        min, max: the range, both ends included; equal: the elements' own. Elements outside are not counted.
    """,
)
