"""Looking up rows of a table: one by one, and reduced over bags of indices."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.nn._functional.primitives import primitive


class _SparseRows:
    """Rows of a table whose gradient is a sparse tensor: one element for each row that was looked up."""

    _function: Any = None

    @classmethod
    def get(cls) -> Any:
        if cls._function is None:

            class SparseRows(taeda.autograd.Function):  # type: ignore[valid-type, misc]
                @staticmethod
                def forward(ctx, weight, index, padding_row, scale_grad_by_freq):
                    ctx.save_for_backward(index)
                    ctx.options = tuple(weight.shape), padding_row, scale_grad_by_freq
                    return weight.index_select(0, index)

                @staticmethod
                def backward(ctx, grad):
                    (index,) = ctx.saved_tensors
                    shape, padding_row, scale_grad_by_freq = ctx.options
                    if scale_grad_by_freq and index.numel():
                        counts = taeda.zeros(shape[0], dtype=grad.dtype)
                        counts = counts.index_add(0, index, taeda.ones(index.numel(), dtype=grad.dtype))
                        grad = grad / counts.index_select(0, index).unsqueeze(1)
                    if padding_row >= 0:
                        counted = index != padding_row
                        index, grad = index[counted], grad[counted]
                    return taeda.sparse_coo_tensor(index.unsqueeze(0), grad, shape), None, None, None

            cls._function = SparseRows
        return cls._function


_rows = primitive("_embedding")


def _embedding(weight: Any, index: Any, padding_row: int, scale_grad_by_freq: bool, sparse: bool) -> Any:
    """The rows of ``weight`` at ``index``; row ``padding_row`` gets no gradient."""
    if sparse and taeda.is_grad_enabled() and weight.requires_grad and index.dtype in (taeda.int64, taeda.int32):
        rows = _SparseRows.get().apply(weight, index.reshape(-1).to(taeda.int64), padding_row, scale_grad_by_freq)
        return rows.view(*index.shape, weight.size(1))
    return _rows(weight, index, padding_row, scale_grad_by_freq)


def _renormalize(weight: Any, index: Any, max_norm: float, norm_type: float) -> None:
    """Scale the rows that ``index`` names down to ``max_norm``, in place and unseen by autograd."""
    with taeda.no_grad():
        rows = index.reshape(-1)  # one that occurs twice is written twice, with the same values
        norms = taeda.linalg.vector_norm(weight.detach()[rows], norm_type, 1)
        too_long = norms > max_norm
        rows = rows[too_long]
        if rows.numel():
            factors = (max_norm / (norms[too_long] + 1e-7)).unsqueeze(1)
            weight.detach().index_copy_(0, rows, weight.detach()[rows] * factors)


def _row_number(padding_idx: int | None, n_rows: int) -> int:
    """``padding_idx`` counted from 0, or -1 for none."""
    if padding_idx is None:
        return -1
    if not -n_rows <= padding_idx < n_rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % n_rows


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of ``weight`` that ``input`` names.

    Args:
        input: integer indices, of any shape (*).
        weight: the table, (rows, D).
        padding_idx: the row that gets no gradient; default none.
        max_norm: rows that are longer are scaled down, in place; default none.
        norm_type: the norm that ``max_norm`` is about; default 2.
        scale_grad_by_freq: whether a row's gradient is divided by how often it occurs; default False.
        sparse: whether the gradient is a sparse tensor; default False.

    Returns:
        (*, D).
    """
    padding_row = -1 if padding_idx is None else _row_number(padding_idx, weight.size(0))
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    return _embedding(weight, input, padding_row, scale_grad_by_freq, sparse)


def _bags(input: Any, offsets: Any, include_last_offset: bool) -> tuple[Any, Any, int]:
    """The flat indices, the number of the bag that each belongs to, and how many bags there are."""
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                f"sequences. However, found offsets of type {type(offsets)}"
            )
        n_bags, length = input.shape
        return (
            input.reshape(-1),
            taeda.arange(n_bags).repeat_interleave(length) if length else input.reshape(-1),
            n_bags,
        )
    if input.dim() != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if offsets.numel() and int(offsets[0]) != 0:
        raise RuntimeError(
            f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            f"However, got {int(offsets[0])}"
        )
    if offsets.numel() and int(offsets[-1]) > input.numel():
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length: {input.numel()}, but got offsets[-1] of "
            f"{int(offsets[-1])}"
        )
    starts = offsets[:-1] if include_last_offset else offsets
    positions = taeda.arange(input.numel(), dtype=taeda.int64)
    # A position belongs to the last bag that starts at or before it; empty bags share their start with the next.
    bag = taeda.searchsorted(starts.to(taeda.int64).contiguous(), positions, right=True) - 1
    return input, bag, starts.numel()


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """The sum, mean or maximum of the rows of ``weight`` in each bag of indices.

    Args:
        input: integer indices, (bags, length), or (total,) with ``offsets``.
        weight: the table, (rows, D).
        offsets: where in ``input`` each bag begins.
        max_norm, norm_type, scale_grad_by_freq, sparse: as for ``embedding``.
        mode: ``"mean"`` (default), ``"sum"`` or ``"max"``.
        per_sample_weights: a factor for each index, of the input's shape; with ``"sum"`` only.
        include_last_offset: whether the last offset is the end of the last bag; default False.
        padding_idx: the row that does not count; default none.

    Returns:
        (bags, D); zeros for an empty bag.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None:
        if input.size() != per_sample_weights.size():
            raise ValueError(
                f"embedding_bag: If per_sample_weights ({per_sample_weights.size()}) is not None, then it must "
                f"have the "
                f"same shape as the input ({input.size()})"
            )
        if mode != "sum":
            raise NotImplementedError(
                "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
                f"(got mode='{mode}'). Please open a feature request on GitHub."
            )
    if mode == "max" and (scale_grad_by_freq or sparse):
        what = "scaling the gradient by the frequency" if scale_grad_by_freq else "sparse weights"
        raise ValueError(f"max mode does not support {what}")
    index, bag, n_bags = _bags(input, offsets, include_last_offset)
    if max_norm is not None:
        _renormalize(weight, index, max_norm, norm_type)
    factors = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    if padding_idx is not None:
        counted = index != _row_number(padding_idx, weight.size(0))
        index, bag = index[counted], bag[counted]
        factors = None if factors is None else factors[counted]
    rows = _embedding(weight, index, -1, scale_grad_by_freq, sparse)
    if mode == "max":
        return _largest(rows, bag, n_bags)
    if weight.dtype in (taeda.float16, taeda.bfloat16):  # added up in float
        rows = rows.float()
    if factors is not None:
        rows = rows * factors.unsqueeze(1)
    total = taeda.zeros(n_bags, weight.size(1), dtype=rows.dtype, device=weight.device).index_add(0, bag, rows)
    if mode == "sum":
        return total.to(weight.dtype)
    count = taeda.zeros(n_bags, dtype=rows.dtype).index_add(0, bag, taeda.ones(bag.numel(), dtype=rows.dtype))
    return (total / count.clamp_min(1).unsqueeze(1)).to(weight.dtype)


def _largest(rows: Any, bag: Any, n_bags: int) -> Any:
    """The elementwise maximum of the rows of each bag; the bags are sorted, so each is one stretch of rows."""
    counts = taeda.zeros(n_bags, dtype=taeda.int64).index_add(0, bag, taeda.ones_like(bag))
    longest = int(counts.max()) if n_bags else 0
    if longest == 0:
        return taeda.zeros(n_bags, rows.size(1), dtype=rows.dtype)
    starts = taeda.searchsorted(bag.contiguous(), taeda.arange(n_bags, dtype=bag.dtype))
    places = starts.unsqueeze(1) + taeda.arange(longest).unsqueeze(0)
    beyond = taeda.arange(longest).unsqueeze(0) >= counts.unsqueeze(1)
    padded = rows.index_select(0, places.clamp_max(rows.size(0) - 1).reshape(-1)).view(n_bags, longest, -1)
    maxima = padded.masked_fill(beyond.unsqueeze(2), float("-inf")).max(1)[0]
    return maxima.masked_fill((counts == 0).unsqueeze(1), 0.0)
