"""Matrix products of groups: experts that share one call."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn

import taeda

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["grouped_mm", "scaled_grouped_mm", "scaled_mm"]


class ScalingType(Enum):
    """How the scales of low-precision factors are laid out."""

    TensorWise = 0
    RowWise = 1
    BlockWise1x16 = 2
    BlockWise1x32 = 3
    BlockWise1x128 = 4
    BlockWise128x128 = 5


class SwizzleType(Enum):
    """How the scales of low-precision factors are ordered in memory."""

    NO_SWIZZLE = 0
    SWIZZLE_32_4_4 = 1


def _bounds(offs: Tensor | None, n: int) -> list[tuple[int, int]]:
    if offs is None:
        raise RuntimeError("grouped_mm: Have to provide offsets if there is a 2d matrix")
    if offs.ndim != 1 or offs.dtype not in (taeda.int32, taeda.int64):
        raise RuntimeError(
            f"grouped_mm: Offsets have to be a vector of int32, but got {offs.dtype} of {offs.ndim} dimensions"
        )
    ends = offs.tolist()
    starts = [0, *ends[:-1]]
    if any(not 0 <= start <= end <= n for start, end in zip(starts, ends, strict=True)):
        raise RuntimeError(
            f"grouped_mm: offsets must ascend and stay within the dimension's {n} elements, but got {ends}"
        )
    return list(zip(starts, ends, strict=True))


def grouped_mm(
    mat_a: Tensor, mat_b: Tensor, *, offs: Tensor | None = None, bias: Tensor | None = None, out_dtype: Any = None
) -> Tensor:
    """Return the products of groups of matrices, which need not be equally large.

    Args:
        mat_a: (M, K), or (groups, M, K).
        mat_b: (K, N), or (groups, K, N).
        offs: where each group ends: in the rows of ``mat_a``, where it alone has two dimensions; in the columns of ``mat_b``,
            where that alone has; in K, where both have. None for two batches.
        bias: not there, as in PyTorch.
        out_dtype: of the result; default: ``mat_a``'s.

    Returns:
        (M, N); (groups, M, N) where both have two dimensions or both three. What belongs to no group is zero.
    """
    if bias is not None:
        raise RuntimeError("grouped_mm: Bias not supported yet")
    if mat_a.ndim not in (2, 3) or mat_b.ndim not in (2, 3):
        raise RuntimeError(f"grouped_mm: mat_a and mat_b have to be 2 or 3d, but got {mat_a.ndim}d and {mat_b.ndim}d")
    if mat_a.shape[-1] != mat_b.shape[-2]:
        raise RuntimeError(
            f"grouped_mm: contraction dimension of mat_a and mat_b must match, but got {list(mat_a.shape)} and "
            f"{list(mat_b.shape)}"
        )
    if mat_a.ndim == 3 and mat_b.ndim == 3:
        made = taeda.bmm(mat_a, mat_b)
    elif mat_a.ndim == 2 and mat_b.ndim == 2:
        bounds = _bounds(offs, mat_a.shape[1])
        made = taeda.stack([mat_a[:, start:end] @ mat_b[start:end] for start, end in bounds])
    else:
        made = _along_one(mat_a, mat_b, offs)
    return made if out_dtype is None else made.to(out_dtype)


def _along_one(mat_a: Tensor, mat_b: Tensor, offs: Tensor | None) -> Tensor:
    """One operand is a batch; the groups of the other are parts of its rows or columns."""
    by_rows = mat_a.ndim == 2
    batch, whole = (mat_b, mat_a.shape[0]) if by_rows else (mat_a, mat_b.shape[1])
    bounds = _bounds(offs, whole)
    if len(bounds) != batch.shape[0]:
        raise RuntimeError(f"grouped_mm: {len(bounds)} offsets for {batch.shape[0]} matrices: there must be as many")
    if by_rows:
        parts = [mat_a[start:end] @ matrix for (start, end), matrix in zip(bounds, mat_b.unbind(0), strict=True)]
        rest = [whole - bounds[-1][1] if bounds else whole, mat_b.shape[-1]]
    else:
        parts = [matrix @ mat_b[:, start:end] for (start, end), matrix in zip(bounds, mat_a.unbind(0), strict=True)]
        rest = [mat_a.shape[1], whole - bounds[-1][1] if bounds else whole]
    return taeda.cat([*parts, mat_a.new_zeros(rest)], 0 if by_rows else 1)


_NO_FLOAT8 = "there is no float8, which it multiplies; scale the operands and multiply them in bfloat16"


def scaled_mm(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise NotImplementedError: it multiplies matrices of float8, which is not there."""
    raise NotImplementedError(f"taeda has no scaled_mm: {_NO_FLOAT8}")


def scaled_grouped_mm(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise NotImplementedError: it multiplies matrices of float8, which is not there."""
    raise NotImplementedError(f"taeda has no scaled_grouped_mm: {_NO_FLOAT8}")
