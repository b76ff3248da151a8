"""Functions of neural networks that PyTorch also has outside nn.functional, some with arguments in another order.

They lead to nn.functional, which is loaded when one of them is first called: importing this file must cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda
from taeda._composite._public import public

__all__ = ["batch_norm", "embedding", "instance_norm", "native_batch_norm"]

# PyTorch's numbers for reductions.
_REDUCTIONS = ("none", "mean", "sum")

_SAME = (
    "bilinear", "celu_", "channel_shuffle", "conv_tbc", "cosine_similarity",
    "native_channel_shuffle", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "prelu",
    "relu_", "rrelu", "rrelu_", "selu_", "threshold_",
)  # fmt: skip

_LOSSES = ("cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss")


def _forwarding(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(taeda.nn.functional, name)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"See ``nn.functional.{name}``."
    return call


for _name in _SAME:
    globals()[_name] = (
        public("torch", "Tensor")(_forwarding(_name)) if _name == "prelu" else public("torch")(_forwarding(_name))
    )


def _loss(name: str) -> Callable[..., Any]:
    def call(*args: Any, margin: float | None = None, reduction: int = 1) -> Any:
        options = {"reduction": _REDUCTIONS[reduction]}
        if margin is not None:
            options["margin"] = margin
        return getattr(taeda.nn.functional, name)(*args, **options)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"See ``nn.functional.{name}``; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."
    return call


for _name in _LOSSES:
    globals()[_name] = public("torch")(_loss(_name))


@public("torch")
def kl_div(input: Any, target: Any, reduction: int = 1, *, log_target: bool = False) -> Any:
    """See ``nn.functional.kl_div``; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    loss = taeda.nn.functional.kl_div(input, target, reduction="none", log_target=log_target)
    return (lambda x: x, lambda x: x.mean(), lambda x: x.sum())[reduction](loss)


@public("torch")
def poisson_nll_loss(input: Any, target: Any, log_input: bool, full: bool, eps: float, reduction: int) -> Any:
    """See ``nn.functional.poisson_nll_loss``; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return taeda.nn.functional.poisson_nll_loss(
        input, target, log_input, full, eps=eps, reduction=_REDUCTIONS[reduction]
    )


@public("torch")
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Any:
    """See ``nn.functional.ctc_loss``; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return taeda.nn.functional.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _REDUCTIONS[reduction], zero_infinity
    )


@public("torch")
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Any:
    """See ``nn.functional.triplet_margin_loss``; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return taeda.nn.functional.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_REDUCTIONS[reduction]
    )


@public("torch")
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: int = 1
) -> Any:
    """See ``nn.functional.binary_cross_entropy_with_logits``; ``reduction`` is 0 (none), 1 (mean) or 2 (sum)."""
    return taeda.nn.functional.binary_cross_entropy_with_logits(
        input, target, weight, pos_weight=pos_weight, reduction=_REDUCTIONS[reduction]
    )


@public("torch")
def embedding(
    weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Any:
    """The rows of ``weight`` that ``indices`` names; row ``padding_idx`` (-1: none) gets no gradient."""
    padding = None if padding_idx == -1 else padding_idx
    return taeda.nn.functional.embedding(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


@public("torch")
def constant_pad_nd(input: Any, pad: Any, value: Any = 0) -> Any:
    """``input`` with ``value`` added at, or elements taken off, the ends of its last dimensions; see ``F.pad``."""
    return taeda.nn.functional.pad(input, pad, "constant", value)


# ---- normalization


@public("torch")
def batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    """See ``nn.functional.batch_norm``; ``cudnn_enabled`` has no effect."""
    return taeda.nn.functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


@public("torch")
def instance_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Any:
    """See ``nn.functional.instance_norm``; ``cudnn_enabled`` has no effect."""
    return taeda.nn.functional.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


@public("torch")
def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """See ``nn.functional.rms_norm``."""
    return taeda.nn.functional.rms_norm(input, normalized_shape, weight, eps)


@public("torch")
def native_batch_norm(
    input: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Any, Any, Any]:
    """The batch norm of ``input`` and, in training, the batch's mean and 1 / sqrt(variance + eps); else empty ones."""
    result, mean, invstd = taeda._C._native_batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )
    # The statistics have the dtype of the parameters: float32 beside halves where those are.
    kept_as = next((t.dtype for t in (weight, bias, running_mean, running_var) if t is not None), input.dtype)
    if not training:
        mean, invstd = mean.new_empty(0), mean.new_empty(0)
    return result, mean.to(kept_as), invstd.to(kept_as)


@public("torch")
def _native_batch_norm_legit(input: Any, weight: Any, bias: Any, *rest: Any) -> tuple[Any, Any, Any]:
    """``native_batch_norm``; the running statistics may be left out altogether."""
    statistics, options = (rest[:2], rest[2:]) if len(rest) == 5 else ((None, None), rest)
    return native_batch_norm(input, weight, bias, *statistics, *options)


@public("torch")
def _batch_norm_with_update(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: float, eps: float
) -> tuple[Any, Any, Any, Any]:
    """``native_batch_norm`` in training, and an empty reserve."""
    result = native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return (*result, taeda.empty(0, dtype=taeda.uint8))


@public("torch")
def native_group_norm(
    input: Any, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Any, Any, Any]:
    """The group norm of ``input`` (N, C, ...), and the mean and 1 / sqrt(variance + eps) of each group (N, group)."""
    rows = input.reshape(N, group, C // group * HxW)
    mean = rows.mean(-1)
    invstd = (rows.var(-1, unbiased=False) + eps).rsqrt()
    return taeda.group_norm(input, group, weight, bias, eps), mean, invstd


# ---- sampling, softmax


@public("torch")
def grid_sampler_2d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """See ``nn.functional.grid_sample``; the modes are numbers in the order in which it lists them."""
    mode, padding = (
        ("bilinear", "nearest", "bicubic")[interpolation_mode],
        ("zeros", "border", "reflection")[padding_mode],
    )
    return taeda.nn.functional.grid_sample(input, grid, mode, padding, align_corners)


@public("torch")
def grid_sampler_3d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """``grid_sampler_2d`` for volumes."""
    return grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners)


@public("torch")
def grid_sampler(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """``grid_sampler_2d`` or, for volumes, ``grid_sampler_3d``."""
    return grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners)


@public("torch")
def affine_grid_generator(theta: Any, size: Any, align_corners: bool) -> Any:
    """See ``nn.functional.affine_grid``."""
    return taeda.nn.functional.affine_grid(theta, size, align_corners)


@public("torch")
def _upsample_bilinear2d_aa(
    input: Any,
    output_size: Any,
    align_corners: bool,
    scale_factors: Any = None,
    scales_w: float | None = None,
    *,
    scales_h: float | None = None,
) -> Any:
    """The antialiased bilinear resizing of ``nn.functional.interpolate``, by size or by factors.

    Args:
        input: (N, C, H, W).
        output_size: H and W of the result, or None.
        align_corners: whether the centres of the corners coincide.
        scale_factors: two factors, or the first of them.
        scales_w: the second.
        scales_h: the first, by its other name.
    """
    scale_factors = scales_h if scale_factors is None else scale_factors
    if not isinstance(scale_factors, (list, tuple)) and (scale_factors is not None or scales_w is not None):
        scale_factors = (scale_factors, scales_w)
    if output_size is not None:  # with both, sizes say how many places there are, factors where
        factors = [float(factor or 0) for factor in scale_factors or ()]
        return taeda._C._interpolate(input, list(output_size), "bilinear", align_corners, True, factors)
    return taeda.nn.functional.interpolate(
        input, output_size, scale_factors, mode="bilinear", align_corners=align_corners, antialias=True
    )


@public("torch")
def batch_norm_update_stats(input: Any, running_mean: Any, running_var: Any, momentum: float) -> tuple[Any, Any]:
    """Return the mean and the variance (not corrected) of each channel of ``input``, and move the running averages towards them.

    Args:
        input: (N, C, ...).
        running_mean: (C,), written in place; or None.
        running_var: (C,), written in place with the corrected variance (Bessel); or None.
        momentum: how far the running averages move, from 0 to 1.
    """
    if input.ndim < 2:
        raise IndexError(f"Dimension out of range (expected to be in range of [-1, {input.ndim - 1}], but got 1)")
    if input.numel() == 0:
        raise RuntimeError(f"input tensor must have at least one element, but got input_sizes = {list(input.shape)}")
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f'"batch_norm_update_stats_cpu" not implemented for {input.dtype}')
    dims = [dim for dim in range(input.ndim) if dim != 1]
    wide = input if running_mean is None else input.to(running_mean.dtype)
    var, mean = taeda.var_mean(wide, dims, correction=0)
    n = input.numel() // input.shape[1]
    with taeda.no_grad():
        if running_mean is not None:
            running_mean.lerp_(mean, momentum)
        if running_var is not None:
            running_var.lerp_(var * n / (n - 1) if n > 1 else var * float("nan"), momentum)
    return mean, var


@public("torch")
def _safe_softmax(input: Any, dim: int, dtype: Any = None) -> Any:
    """``softmax`` that gives zeros, not NaN, where everything is -inf."""
    nothing = (input == float("-inf")).all(dim, keepdim=True)
    # Filled before, so that no NaN comes up, which a gradient would keep; and after, for the zeros.
    return taeda.softmax(input.masked_fill(nothing, 0.0), dim, dtype=dtype).masked_fill(nothing, 0.0)


@public("torch")
def _softmax_backward_data(grad_output: Any, output: Any, dim: int, input_dtype: Any) -> Any:
    """The gradient of ``softmax`` from that of its ``output``."""
    product = grad_output * output
    return (product - output * product.sum(dim, keepdim=True)).to(input_dtype)


# ---- single steps of recurrent networks


def _cell(kind: str) -> Callable[..., Any]:
    def call(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
        from taeda.nn._functional import recurrent

        from_input = taeda.nn.functional.linear(input, w_ih, b_ih)
        state = hx[0] if kind == "lstm" else hx
        from_hidden = taeda.nn.functional.linear(state, w_hh, b_hh)
        if kind == "lstm":
            return recurrent.lstm_step(from_input + from_hidden, hx[1], None)
        if kind == "gru":
            return recurrent.gru_step(from_input, from_hidden, hx)
        total = from_input + from_hidden
        return total.tanh() if kind == "rnn_tanh" else total.relu()

    call.__name__ = call.__qualname__ = f"{kind}_cell"
    call.__doc__ = (
        f"One step of a recurrent network of the kind {kind}; see ``nn.LSTMCell``, ``nn.GRUCell``, ``nn.RNNCell``."
    )
    return call


for _name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
    globals()[f"{_name}_cell"] = public("torch")(_cell(_name))
