"""What operations cannot do, and why: the reasons that ``taeda.ops.capabilities`` cannot derive from a row.

By capability, then reason, then the keys of the rows. A row that is in none of these lists, and whose form settles nothing, can.
"""

from __future__ import annotations

_ORDER = "complex numbers have no order"
_REAL = "defined for real numbers only, as in PyTorch"
_VALUES = "the result's shape, or the result, is read from the elements"

LIMITS: dict[str, dict[str, str]] = {
    "meta": {
        _VALUES: "bincount equal linspace.tensor logspace.tensor masked_select where.nonzero _masked_scatter_backward _nonzero _repeat_indices "
        "_unique _unique_consecutive _unique_dim _expand_offsets _group _sparse_mm _sparse_mm_transposed _sparse_dots "
        "_sparse_mm_extreme _sparse_product",
    },
    "gradient": {
        "the result holds indices": "argmax argmin argsort searchsorted bucketize where.nonzero _expand_offsets _group",
        "taeda.sparse gives its gradient": "_sparse_mm_extreme _sparse_product",
        "the layer gives its gradient": "_lstm_sequence _lstm_sequence_backward",
        "the result is bool": "any all equal",
        "the result counts elements": "count_nonzero bincount histc",
        "PyTorch gives none with reduce=; scatter_reduce has one": "scatter.reduce_old scatter.value_reduce",
        "the bits are read as another type": "view.dtype",
        "cutting the history is its purpose": "detach",
        "it changes the tensor's memory, not its values": "resize_ resize_as_",
    },
    "second gradient": {
        "of numbers of the gamma distribution there is none, as in PyTorch": "_standard_gamma",
    },
    "in-place": {},
    "half": {
        "it gives integers": "tril_indices triu_indices _expand_offsets _group",
        "the input is complex": "view_as_real imag",
        "there are no complex numbers made of halves": "view_as_complex",
        "drawn in float32 and float64 only, as in PyTorch": "binomial _standard_gamma _sample_dirichlet",
    },
    "complex": {
        _ORDER: "amax amin max max.dim max.other min min.dim min.other aminmax argmax argmin sort argsort topk kthvalue "
        "median median.dim nanmedian nanmedian.dim mode searchsorted bucketize histc cummax cummin "
        "max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool1d_with_indices _sparse_mm_extreme "
        "adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices",
        _REAL: "arange arange.start range layer_norm native_layer_norm group_norm "
        "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d nansum nanmean "
        "softmax log_softmax native_dropout_backward",
        "refused, as in PyTorch": "clamp.scalar clamp.tensor _isin",
        "of complex numbers it is composed of other operations": "rms_norm",
        "the gamma distribution is one of real numbers": "_standard_gamma_grad",
        "it draws real numbers": "randint randint.low randint_like randint_like.low bernoulli multinomial",
        "it gives integers": "tril_indices triu_indices bincount randperm _expand_offsets _group",
        "it makes complex numbers out of real ones": "view_as_complex",
    },
}


def reason(capability: str, key: str) -> str:
    """Why the row named ``key`` lacks a capability, or ""."""
    for text, keys in LIMITS.get(capability, {}).items():
        if key in keys.split():
            return text
    return ""
