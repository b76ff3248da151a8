"""Which operations run on a whole batch at once under `vmap`, and how: the kinds of batching rule, by name or key.

A pointwise row needs no entry. `taeda.func._rules` makes the rules; those of ``WRITTEN`` are functions of their own there (a test
holds this list against them). What is in no list is called once for each sample.
"""

from __future__ import annotations

from taeda.ops.registry import Op

# The operation itself, with its dims moved up by one and the batch put before its sizes.
SHIFTED = frozenset(
    "clone _to_copy _cast alias detach contiguous zeros_like ones_like full_like empty_like new_empty new_zeros "
    "new_ones new_full tril triu flip gather _gather_backward scatter scatter_add scatter_reduce _scatter_count "
    "unflatten transpose swapaxes swapdims movedim moveaxis squeeze.dim squeeze.dims select _select_backward _slice "
    "_slice_backward narrow _narrow_backward diagonal _diagonal_backward unfold _unfold_backward split "
    "split_with_sizes chunk _tensor_split unbind view_as_real view_as_complex real imag _times_i cumsum cumprod "
    "_cumprod_backward cummax cummin logcumsumexp sort argsort topk kthvalue median.dim nanmedian.dim mode softmax "
    "log_softmax _softmax_backward _log_softmax_backward _pick_along _put_along max.dim min.dim _scaled "
    "_no_second_derivative native_dropout_backward _fft_c2c _fft_r2c _fft_c2r _adjoint _constant_pad "
    "_constant_pad_backward _pad_from_within _pad_from_within_backward _fft_r2c_backward _fft_c2r_backward "
    "_standard_gamma_grad _require zero_ fill_ _cross".split()
)
# The same, where a missing ``dim`` stands for all dimensions of the sample.
REDUCED = frozenset(
    "sum nansum mean prod _prod_others _prod_others_backward count_nonzero _count_numbers nanmean any all amax amin "
    "aminmax var std var_mean std_mean var.dim std.dim var_mean.dim std_mean.dim _var_backward vector_norm "
    "logsumexp _unreduce _tie_weights".split()
)
# Several tensors that broadcast, though their row is not of the pointwise table.
POINTWISE = frozenset("clamp clamp.scalar clamp.tensor div.tensor_mode div.scalar_mode max.other min.other".split())
# The batch joins the first dimension, which is one of images already; an argument ``n`` says how many dimensions an image has. Of
# those of FOLDED_ALWAYS the first dimension always is one.
FOLDED = frozenset(
    "_avg_pool _avg_pool_backward _adaptive_avg_pool _adaptive_avg_pool_backward _pool_scatter _pool_gather".split()
)
FOLDED_ALWAYS = frozenset(
    "_cdist _cdist_backward _grid_sample _grid_sample_backward _grid_places _grid_weights _lstm_gates "
    "_lstm_gates_backward _gru_gates _gru_gates_backward".split()
)
FOLDED_SPATIAL = {
    name.format(n): n
    for n in (1, 2, 3)
    for name in ("max_pool{}d_with_indices", "avg_pool{}d", "adaptive_avg_pool{}d", "adaptive_max_pool{}d_with_indices")
}
# Leading dimensions are a batch to them already.
LEADING = frozenset(
    "cholesky cholesky_ex cholesky_solve cholesky_inverse inv inv_ex inverse det _det_backward slogdet geqrf "
    "_householder_product lu_factor lu_factor_ex lu_unpack ldl_factor ldl_factor_ex ldl_solve lu_solve "
    "solve_triangular eigh _eigvalsh eig _eigvals svd _svdvals matrix_exp _with_pinv_gradient _ormqr".split()
)
WRITTEN = frozenset(
    "_add_epsilon _all_nonzero _as_strided _as_strided_backward _as_strided_of _attention _attention_backward "
    "_attention_weights _batch_norm_backward _cat_backward _convolution_backward _convolution_sized _cross_entropy "
    "_cross_entropy_backward _ctc_loss _ctc_loss_backward _ctc_loss_curvature _embedding _embedding_backward "
    "_group_norm_backward _index _index_backward _index_put _index_select_backward _index_zero _interpolate "
    "_interpolate_backward _inverse_permute _isin _layer_norm_backward _linear_backward _lstm_sequence "
    "_lstm_sequence_backward _lstsq _masked_scatter_backward _masked_select_backward _matmul_backward "
    "_native_batch_norm _nll_loss _nll_loss_backward _pair_matrix _pair_vector _pdist _rms_norm_backward _roll_back "
    "_set_tensor_ _take_backward _tensor_split.indices _tensor_split_backward _trace_backward addbmm addmm addmv "
    "argmax argmin baddbmm bmm broadcast_to bucketize cat concat concatenate conv1d conv2d conv3d conv_transpose1d "
    "conv_transpose2d conv_transpose3d convolution copy_ diag_embed dot expand expand_as fill_.tensor flatten fliplr "
    "flipud group_norm histc index_add index_copy index_fill index_fill.tensor index_put index_select layer_norm "
    "linear masked_fill masked_fill.tensor masked_scatter matmul max median min mm mv nanmedian native_layer_norm "
    "new_empty_strided permute put qr ravel reshape reshape_as resize_ resize_as_ rms_norm roll rot90 searchsorted "
    "solve solve_ex split.sizes squeeze stack std.unbiased std_mean.unbiased sum_to_size t take trace var.unbiased "
    "var_mean.unbiased vdot view view.dtype view_as".split()
)
# Random numbers for all samples in one draw: with the batch put before the size, or in the shape of the samples.
DRAWN_SIZED = frozenset("rand randn randint randint.low normal.size".split())
DRAWN_LIKE = frozenset(
    "rand_like randn_like randint_like randint_like.low uniform_ normal_ random_ random_.from random_.to bernoulli_ "
    "exponential_ cauchy_ log_normal_ geometric_ bernoulli bernoulli.p bernoulli_.tensor binomial poisson _dropout "
    "normal normal.mean normal.std _standard_gamma _sample_dirichlet".split()
)
# Rows of probabilities, of which there may be several.
DRAWN_ROWS = frozenset({"multinomial"})
# The sizes of their results would differ from sample to sample.
DATA_DEPENDENT = frozenset(
    "_nonzero where.nonzero masked_select _unique _unique_consecutive _unique_dim equal bincount "
    "_repeat_indices".split()
)


def is_random(row: Op) -> bool:
    """Return whether the result depends on the state of the generator of random numbers."""
    return row.key in DRAWN_LIKE or any(argument.type == "Generator?" for argument in row.schema.arguments)


def kind(row: Op) -> str:
    """Return how a row is batched: "derived", "written", "a loop", or "no: " and the reason."""
    for names, text in (
        (DATA_DEPENDENT, "no: the size of the result depends on the data"),
        (WRITTEN, "written"),
        (
            SHIFTED | REDUCED | POINTWISE | FOLDED | FOLDED_ALWAYS | LEADING | FOLDED_SPATIAL.keys() | {"unsqueeze"},
            "derived",
        ),
    ):
        if row.key in names or row.name in names:
            return text
    if row.pointwise is not None or row.key in DRAWN_SIZED | DRAWN_LIKE | DRAWN_ROWS:
        return "derived"
    if not any(argument.type.startswith(("Tensor", "Operand")) for argument in row.schema.arguments):
        return "no: it takes no tensor"
    return "a loop over the samples"
