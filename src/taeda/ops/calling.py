"""How calls are judged: which operations take nothing but numbers, and what may be given as ``out=``. By the keys of the rows."""

from __future__ import annotations

# ``add(2, 3)`` is a tensor; every other operation with two operands needs a tensor among them.
NUMBERS_ALONE = frozenset("add sub mul div floor_divide _div_trunc _div_floor".split())

# The dtype of ``out=`` must be the result's own. Elsewhere a result is cast on its way, if the dtype can hold its kind of number.
OUT_EXACT = frozenset(
    "tril triu gather index_select take scatter scatter.value scatter.reduce_old scatter.value_reduce scatter_add scatter_reduce "
    "index_add index_copy masked_select mm bmm addmm baddbmm addbmm mv addmv dot vdot matmul linear multinomial amax amin aminmax "
    "argmax argmin max.dim min.dim median.dim nanmedian.dim mode kthvalue sort topk searchsorted bucketize histc vector_norm "
    "softmax log_softmax cummax cummin logcumsumexp complex polar".split()
)

# These ask other tensors for their shape only, or move between devices, as views do: cpu and meta may stand side by side.
MIXES_DEVICES = frozenset(
    "copy_ _to_copy _set_tensor_ resize_as_ sum_to_size _index _index_put _index_zero index_put _index_backward fill_.tensor".split()
)

# These read their inputs while they write: ``out=`` must not share memory with them.
OUT_APART = frozenset(
    "gather index_select take masked_select cat concat concatenate stack topk kthvalue mode max.dim min.dim aminmax".split()
)
