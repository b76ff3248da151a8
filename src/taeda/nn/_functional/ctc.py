"""The connectionist temporal classification loss (Graves et al. 2006), over one kernel (csrc/cpu/ctc.cpp)."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.nn._functional.losses import reduction_code


def _lengths(lengths: Any, device: Any) -> Any:
    if isinstance(lengths, taeda.Tensor):
        return lengths.to(device=device, dtype=taeda.int64)
    return taeda.tensor(list(lengths), dtype=taeda.int64, device=device)


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """Minus the log probability of all alignments of each target with its input, reduced.

    Args:
        log_probs: (T, N, C) or (T, C), the result of ``log_softmax`` over the classes.
        targets: (N, S), or all targets one after the other in one dimension.
        input_lengths, target_lengths: (N,) or (), as tensors or sequences.
        blank: the class that stands for no label; default 0.
        reduction: ``"mean"`` (default: of losses divided by their targets' lengths), ``"sum"`` or ``"none"``.
        zero_infinity: whether targets too long for their inputs cost nothing; default False, they cost infinity.
    """
    reduction_code(reduction)
    single = log_probs.dim() == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.reshape(1, -1) if isinstance(targets, taeda.Tensor) and targets.dim() <= 1 else targets
    if log_probs.dim() != 3:
        raise RuntimeError(f"log_probs must be of shape (T, N, C) or (T, C), but got {list(log_probs.shape)}")
    if not isinstance(targets, taeda.Tensor):
        raise TypeError(f"ctc_loss(): argument 'targets' must be Tensor, not {type(targets).__name__}")
    inputs, labels = (_lengths(x, log_probs.device).reshape(-1) for x in (input_lengths, target_lengths))
    if log_probs.size(1) == 0:
        raise RuntimeError("log_probs tensor must not be empty")
    loss = taeda._C._ctc_loss(log_probs, targets, inputs, labels, blank, zero_infinity)[0]
    if reduction == "mean":
        return (loss / labels.clamp_min(1).to(loss.dtype)).mean()
    if reduction == "sum":
        return loss.sum()
    return loss.squeeze(0) if single else loss
