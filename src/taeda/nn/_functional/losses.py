"""Losses: each compares predictions with targets elementwise or by class, then reduces."""

from __future__ import annotations

import math
import warnings
from typing import Any

import taeda
from taeda.nn._functional.primitives import primitive

# The losses of single elements; each has its gradient in one kernel.
_mse = primitive("_mse")
_l1 = primitive("_l1")
_smooth_l1 = primitive("_smooth_l1")
_huber = primitive("_huber")
_bce = primitive("_bce")
_bce_with_logits = primitive("_bce_with_logits")
_bce_with_logits_weighted = primitive("_bce_with_logits_weighted")
_soft_margin = primitive("_soft_margin")
_kl_div = primitive("_kl_div")
_linear = primitive("linear")
_log_sigmoid = primitive("logsigmoid")
_log_softmax = taeda.log_softmax
_CODES = {"none": 0, "mean": 1, "sum": 2}


def reduction_name(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """``reduction``, or what the two older arguments say where one is given."""
    if size_average is None and reduce is None:
        return reduction
    average = True if size_average is None else size_average
    reduces = True if reduce is None else reduce
    name = ("mean" if average else "sum") if reduces else "none"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{name}' instead.", stacklevel=3
    )
    return name


def reduction_code(reduction: str) -> int:
    """The core's word for ``reduction``, or ``ValueError``."""
    if reduction not in _CODES:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return _CODES[reduction]


def reduced(loss: Any, reduction: str) -> Any:
    """``loss`` itself, its mean or its sum."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    reduction_code(reduction)
    return loss


def _broadcast(input: Any, target: Any) -> tuple[Any, Any]:
    """Both in one shape, with a warning where they differ: most often that is a mistake."""
    if target.size() == input.size():
        return input, target
    warnings.warn(
        f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). This will likely "
        "lead to incorrect results due to broadcasting. Please ensure they have the same size.",
        stacklevel=3,
    )
    return tuple(taeda.broadcast_tensors(input, target))


def _weighted(loss: Any, weight: Any, reduction: str) -> Any:
    """The weighted loss, reduced: the mean is over the sum of the weights."""
    if weight.size() != loss.size():
        raise ValueError("Weights and input must have the same size.")
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduced(loss, reduction)


# ---- elementwise -------------------------------------------------------------------------


def mse_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """The squared difference, reduced.

    Args:
        input, target: tensors of one shape.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
        weight: a factor for each element; the mean is then over their sum.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    input, target = _broadcast(input, target)
    if weight is not None:
        return _weighted(_mse(input, target), weight, reduction)
    return reduced(_mse(input, target), reduction)


def l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Any:
    """The absolute difference, reduced; arguments as for ``mse_loss``."""
    reduction = reduction_name(size_average, reduce, reduction)
    input, target = _broadcast(input, target)
    if weight is not None:
        return _weighted(_l1(input, target), weight, reduction)
    return reduced(_l1(input, target), reduction)


def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """``d² / (2 beta)`` where the difference d is less than ``beta``, else ``d - beta / 2``, reduced (Girshick "
    "2015)."""
    reduction = reduction_name(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    input, target = _broadcast(input, target)
    if beta == 0:
        return reduced(_l1(input, target), reduction)
    return reduced(_smooth_l1(input, target, beta), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """``d² / 2`` where the difference d is at most ``delta``, else ``delta * (d - delta / 2)``, reduced (Huber "
    "1964)."""
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    input, target = _broadcast(input, target)
    if weight is not None:
        return _weighted(_huber(input, target, delta), weight, reduction)
    return reduced(_huber(input, target, delta), reduction)


def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """``-(target * log(input) + (1 - target) * log(1 - input))``, reduced; the logarithms count as at least -100.

    Args:
        input: probabilities, of any shape.
        target: numbers from 0 to 1, of the same shape.
        weight: a factor for each element, broadcast.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is "
            f"deprecated. "
            "Please ensure they have the same size."
        )
    if input.numel():
        low, high = input.detach().aminmax()
        if not (low.item() >= 0 and high.item() <= 1):  # so that NaN is refused as well
            raise RuntimeError(
                f"all elements of input should be between 0 and 1\n  they go from {low.item():.6g} to {high.item():.6g}\n"
                "  hint: binary_cross_entropy_with_logits takes numbers of any size"
            )
    loss = _bce(input, target)
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Any:
    """``binary_cross_entropy`` of ``sigmoid(input)``, computed stably.

    Args:
        input: logits, of any shape.
        target: numbers from 0 to 1, of the same shape.
        weight: a factor for each element, broadcast.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
        pos_weight: a factor for the part of each class that the target counts as positive, broadcast.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    if target.size() != input.size():
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")
    if pos_weight is None:
        loss = _bce_with_logits(input, target)
    else:
        loss = _bce_with_logits_weighted(input, target, pos_weight)
    return reduced(loss if weight is None else loss * weight, reduction)


def kl_div(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """``target * (log(target) - input)``: the Kullback-Leibler divergence, reduced.

    Args:
        input: log probabilities.
        target: probabilities, or log probabilities with ``log_target``.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default, over all elements), ``"batchmean"`` (the sum over the batch's size, which is the
            divergence), ``"sum"`` or ``"none"``.
        log_target: whether ``target`` holds logarithms; default False.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    loss = target.exp() * (target - input) if log_target else _kl_div(input, target)
    if reduction == "batchmean":
        return loss.sum() / input.size(0) if input.dim() else loss.sum()
    return reduced(loss, reduction)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """The negative log likelihood of counts under Poisson distributions, reduced.

    Args:
        input: the expected counts, or their logarithms with ``log_input``.
        target: the counts.
        log_input: whether ``input`` holds logarithms; default True.
        full: whether Stirling's approximation of ``log(target!)`` is added; default False.
        eps: added to the expected count before its logarithm is taken.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """The negative log likelihood of ``target`` under normal distributions, reduced.

    Args:
        input: the means.
        target: the values.
        var: the variances: a number, or of the input's shape, possibly without the last dimension or with 1 there.
        full: whether the constant ``log(2 pi) / 2`` is added; default False.
        eps: the least variance; it is not differentiated through.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
    """
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * taeda.ones_like(input)
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if var.size() != input.size():
        if input.size()[:-1] == var.size():
            var = var.unsqueeze(-1)
        elif not (input.size()[:-1] == var.size()[:-1] and var.size(-1) == 1):
            is_broadcastable = var.dim() == input.dim() and all(
                v in (1, size) for v, size in zip(var.shape, input.shape, strict=True)
            )
            if not is_broadcastable:
                raise ValueError("var is of incorrect size")
    if reduction not in _CODES:
        raise ValueError(reduction + " is not valid")
    # The limit on the variance is not part of what is differentiated.
    limited = var.clone()
    with taeda.no_grad():
        limited.clamp_(min=eps)
    loss = 0.5 * (limited.log() + (input - target) ** 2 / limited)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)


def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """``input`` where ``target`` is 1, ``max(0, margin - input)`` where it is -1, reduced."""
    reduction = reduction_name(size_average, reduce, reduction)
    zeros = taeda.zeros_like(input)
    near = taeda.where(target == -1, zeros, input)
    far = taeda.where(target == 1, zeros, (margin - input).clamp_min(0))
    return reduced(near + far, reduction)


def soft_margin_loss(
    input: Any, target: Any, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Any:
    """``log(1 + exp(-target * input))`` for targets 1 and -1, reduced."""
    reduction = reduction_name(size_average, reduce, reduction)
    return reduced(_soft_margin(input, target), reduction)


# ---- by class ----------------------------------------------------------------------------


_nll_loss = primitive("_nll_loss")
_cross_entropy = primitive("_cross_entropy")


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """Minus the log probability of each target class, reduced.

    Args:
        input: log probabilities, (C,), (N, C) or (N, C, ...).
        target: class indices, (), (N,) or (N, ...).
        weight: a factor for each class; the mean is then over the sum of the targets' factors.
        size_average, reduce: older forms of ``reduction``.
        ignore_index: the class that does not count; default -100.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    return _nll_loss(input, target, weight, reduction_code(reduction), ignore_index)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """The cross-entropy between targets and the softmax of ``input``, reduced.

    Args:
        input: logits, (C,), (N, C) or (N, C, ...).
        target: class indices, (), (N,) or (N, ...); or probabilities of the input's shape.
        weight: a factor for each class.
        size_average, reduce: older forms of ``reduction``.
        ignore_index: the class index that does not count; default -100.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
        label_smoothing: the share of each target that is spread evenly over all classes; default 0.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    class_dim = 0 if input.dim() == 1 else 1
    if input.shape == target.shape and target.dtype.is_floating_point:
        return _cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing, class_dim)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    code = reduction_code(reduction)
    if label_smoothing == 0.0:
        return _cross_entropy(input, target, weight, code, ignore_index)[0]
    log_probabilities = _log_softmax(input, class_dim)
    loss = nll_loss(log_probabilities, target, weight, None, ignore_index, None, reduction)
    smooth = _evenly_spread(log_probabilities, target, weight, ignore_index, reduction, class_dim)
    n_classes = input.size(class_dim)
    return (1 - label_smoothing) * loss + label_smoothing / n_classes * smooth


def _evenly_spread(
    log_probabilities: Any, target: Any, weight: Any, ignore_index: int, reduction: str, class_dim: int
) -> Any:
    """The part of label smoothing: minus the (weighted) sum of log probabilities over all classes, reduced."""
    if weight is None:
        loss = -log_probabilities.sum(class_dim)
    else:
        shape = [1] * log_probabilities.dim()
        shape[class_dim] = -1
        loss = -(log_probabilities * weight.view(shape)).sum(class_dim)
    ignored = target == ignore_index
    loss = loss.masked_fill(ignored, 0.0)
    if reduction != "mean":
        return reduced(loss, reduction)
    if weight is None:
        return loss.sum() / (~ignored).sum()
    counted = weight[target.masked_fill(ignored, 0)].masked_fill(ignored, 0.0)
    return loss.sum() / counted.sum()


def _cross_entropy_of_probabilities(
    input: Any, target: Any, weight: Any, reduction: str, label_smoothing: float, class_dim: int
) -> Any:
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    reduction_code(reduction)
    n_classes = input.size(class_dim)
    if weight is not None and (weight.dim() != 1 or weight.numel() != n_classes):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {n_classes} classes or no classes but got "
            f"weight tensor of shape: {list(weight.shape)}"
        )
    if label_smoothing > 0.0:
        target = target * (1 - label_smoothing) + label_smoothing / n_classes
    products = _log_softmax(input, class_dim) * target
    if weight is not None:
        shape = [1] * input.dim()
        shape[class_dim] = -1
        products = products * weight.view(shape)
    if reduction == "mean":
        n_positions = input.numel() // n_classes if n_classes else 0
        return -products.sum() / n_positions if n_positions else -products.sum() / float("nan")
    return -products.sum() if reduction == "sum" else -products.sum(class_dim)


def _check_rows_of_classes(input: Any) -> None:
    if input.dim() > 2 or (input.dim() and input.size(-1) == 0):
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """For each sample the mean over the wrong classes of ``max(0, margin - input[target] + input[i])^p``, reduced.

    Args:
        input: scores, (N, C) or (C,).
        target: class indices, (N,) or ().
        p: 1 (default) or 2.
        margin: by how much the right class shall lead; default 1.
        weight: a factor for each class, applied by target.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    reduction_code(reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    _check_rows_of_classes(input)
    rows, index = (input.reshape(1, -1), target.reshape(1)) if input.dim() <= 1 else (input, target)
    n_classes = rows.size(1)
    if index.dim() != 1 or index.numel() != rows.size(0):
        raise RuntimeError(f"inconsistent target size, expected {rows.size(0)} but got {list(target.shape)}")
    if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < n_classes:
        raise RuntimeError(f"target out of range: the classes are 0 to {n_classes - 1}")
    column = index.unsqueeze(1)
    excess = (margin - rows.gather(1, column) + rows).clamp_min(0)
    if p == 2:
        excess = excess * excess
    if weight is not None:
        excess = excess * weight[index].unsqueeze(1)
    is_target = taeda.arange(n_classes, device=input.device).unsqueeze(0) == column
    loss = excess.masked_fill(is_target, 0.0).sum(1) / n_classes
    if reduction == "none" and input.dim() <= 1:
        return loss.squeeze(0)
    return reduced(loss, reduction)


def multilabel_margin_loss(
    input: Any, target: Any, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
) -> Any:
    """For each sample the mean over (label, other class) of ``max(0, 1 - input[label] + input[other])``, reduced.

    Args:
        input: scores, (N, C) or (C,).
        target: the labels of each sample, of the same shape; those before the first -1 count.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    reduction_code(reduction)
    _check_rows_of_classes(input)
    if target.shape != input.shape and target.numel() != input.numel():
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    rows, labels = (input.reshape(1, -1), target.reshape(1, -1)) if input.dim() <= 1 else (input, target)
    n_classes = rows.size(1)
    if labels.numel() and not -1 <= int(labels.min()) <= int(labels.max()) < n_classes:
        raise RuntimeError(f"target out of range: the labels are -1 to {n_classes - 1}")
    places = taeda.arange(n_classes, device=input.device).expand_as(labels)
    # Labels behind the first -1 do not count.
    counts = places < taeda.where(labels < 0, places, n_classes).amin(1, keepdim=True)
    safe = labels.masked_fill(~counts, 0)
    is_label = (
        taeda.zeros(rows.shape, dtype=taeda.int64, device=input.device).scatter_add_(1, safe, counts.to(taeda.int64))
        > 0
    )
    excess = (1 - rows.gather(1, safe).unsqueeze(2) + rows.unsqueeze(1)).clamp_min(0)  # (N, labels, classes)
    excess = excess.masked_fill(~counts.unsqueeze(2) | is_label.unsqueeze(1), 0.0)
    loss = excess.sum((1, 2)) / n_classes
    if reduction == "none" and input.dim() <= 1:
        return loss.squeeze(0)
    return reduced(loss, reduction)


def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """For each sample the mean over the classes of the binary cross-entropy with logits, reduced."""
    reduction = reduction_name(size_average, reduce, reduction)
    loss = -(target * _log_sigmoid(input) + (1 - target) * _log_sigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.sum(-1) / input.size(-1), reduction)


# ---- by comparison -----------------------------------------------------------------------


def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """``max(0, -target * (input1 - input2) + margin)``: target 1 wants ``input1`` larger, -1 ``input2``; reduced."""
    reduction = reduction_name(size_average, reduce, reduction)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """``1 - cos`` where ``target`` is 1, ``max(0, cos - margin)`` where it is -1, reduced.

    Args:
        input1, input2: (N, D) or (D,).
        target: (N,) or ().
        margin: the cosine from which dissimilar pairs cost; default 0.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    wanted = 2 if target.dim() == 1 else 1
    if input1.dim() != wanted or input2.dim() != wanted:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {wanted}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    epsilon = 1e-12
    product = (input1 * input2).sum(wanted - 1)
    squares1 = (input1 * input1).sum(wanted - 1) + epsilon
    squares2 = (input2 * input2).sum(wanted - 1) + epsilon
    cosine = product / (squares1 * squares2).sqrt()
    zeros = taeda.zeros_like(cosine)
    near = taeda.where(target == 1, 1 - cosine, zeros)
    far = taeda.where(target == -1, (cosine - margin).clamp_min(0), zeros)
    return reduced(near + far, reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)``, reduced (Balntas et al. 2016).

    Args:
        anchor, positive, negative: (N, D) or (D,).
        margin: by how much the positive shall be nearer; default 1.
        p: the distance's norm; default 2.
        eps: added to the differences.
        swap: whether d(positive, negative) counts where it is the smaller; default False.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.
    """
    from taeda.nn._functional.distance import pairwise_distance

    reduction = reduction_name(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    return _triplet(anchor, positive, negative, lambda a, b: pairwise_distance(a, b, p, eps), margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Any = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """``triplet_margin_loss`` with any distance; by default ``pairwise_distance``."""
    from taeda.nn._functional.distance import pairwise_distance

    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(
    anchor: Any, positive: Any, negative: Any, distance: Any, margin: float, swap: bool, reduction: str
) -> Any:
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = taeda.minimum(far, distance(positive, negative))
    return reduced((near - far + margin).clamp_min(0), reduction)


def _check_linear_cross_entropy(
    input: Any, linear_weight: Any, target: Any, linear_bias: Any, ignore_index: Any
) -> None:
    shape = tuple(linear_weight.shape)
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if len(shape) < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {len(shape)}")
    if input.shape[-1] != shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {shape[-1]}, respectively"
        )
    if input.dim() == 1 and len(shape) > 2:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {shape} requires batched input, (N, {shape[-1]}), "
            f"got unbatched input with shape {tuple(input.shape)}"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != shape[:-1]:
        raise RuntimeError(f"expected linear_bias shape {shape[:-1]}, got {tuple(linear_bias.shape)}")
    if ignore_index is not None and target.is_floating_point():
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")


def linear_cross_entropy(
    input: Any,
    linear_weight: Any,
    target: Any,
    *,
    linear_bias: Any = None,
    weight: Any = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Any:
    """``cross_entropy(linear(input, linear_weight, linear_bias), target)``.

    Args:
        input: (N, features), or (features,).
        linear_weight: (classes, features), or (classes, *out, features) for several targets each.
        target: class indices, or probabilities.
        linear_bias: linear_weight.shape[:-1], or None.
        weight, reduction, label_smoothing: as for ``cross_entropy``.
        ignore_index: the class index that does not count; default -100.
        options: accepted for compatibility; the result does not depend on it.
    """
    _check_linear_cross_entropy(input, linear_weight, target, linear_bias, ignore_index)
    logits = _linear(input, linear_weight.flatten(0, -2), None if linear_bias is None else linear_bias.flatten())
    if linear_weight.dim() > 2:
        logits = logits.unflatten(-1, linear_weight.shape[:-1])
    return cross_entropy(
        logits,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
