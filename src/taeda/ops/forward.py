"""How forward mode differentiates the operations that are not pointwise.

A linear operation is applied to the tangents; a multilinear one to each tangent in turn, beside the other operands. Everything
else goes by the row's own gradient: what it does to a vector is linear in the vector, and the derivative of that, taken
backward, is the product wanted. tests/autograd/test_forward_ad.py holds these lists to the truth.
"""

from __future__ import annotations

# Linear in all its differentiable inputs together: no constant is added, no input multiplies another.
LINEAR = frozenset(
    "clone _to_copy _cast flip fliplr flipud roll _roll_back rot90 tril triu diag_embed gather _gather_backward "
    "index_select _index_select_backward take _take_backward _index _index_backward masked_select _masked_select_backward "
    "cat concat concatenate stack sum mean trace _trace_backward sum_to_size cumsum _select_backward _slice_backward "
    "_narrow_backward _diagonal_backward _as_strided_backward _as_strided_of _unfold_backward _tensor_split_backward "
    "_index_put index_put index_copy index_add scatter scatter_add masked_scatter _masked_scatter_backward put "
    "index_fill.tensor masked_fill.tensor avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d".split()
)
# Linear in each of its differentiable inputs.
MULTILINEAR = frozenset("mm bmm mv dot vdot matmul _cross".split())
