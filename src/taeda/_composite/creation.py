"""Compositions that make tensors: grids, products, block matrices, powers."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "block_diag",
    "cartesian_prod",
    "combinations",
    "empty_permuted",
    "fill",
    "meshgrid",
    "vander",
]


@public("torch")
def meshgrid(*tensors: Tensor, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Return the coordinates of a grid: view ``i`` varies like ``tensors[i]`` along its own dimension.

    Args:
        tensors: vectors or zero-dim tensors of one dtype.
        indexing: "ij" (the default): the grid has the tensors' sizes in order; "xy": the first two change places.
    """
    given = list(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else list(tensors)
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for tensor in given:
        if tensor.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {tensor}")
        if tensor.dtype != given[0].dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.", stacklevel=2
        )
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    swapped = indexing == "xy" and len(given) >= 2
    if swapped:
        given[:2] = given[1::-1]
    shape = [tensor.numel() for tensor in given]
    grids = []
    for place, tensor in enumerate(given):
        own = [1] * len(given)
        own[place] = tensor.numel()
        grids.append(tensor.reshape(own).expand(shape))
    if swapped:
        grids[:2] = grids[1::-1]
    return tuple(grids)


@public("torch")
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Return all combinations of one element from each vector, as rows, in the order of ``itertools.product``."""
    for tensor in tensors:
        if tensor.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(tensor.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return taeda.stack([grid.reshape(-1) for grid in meshgrid(*tensors, indexing="ij")], dim=1)


@public("torch")
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all combinations of ``r`` elements of a vector, as rows.

    Args:
        r: how many elements.
        with_replacement: an element may be taken more than once.
    """
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return taeda.empty(0, dtype=input.dtype, device=input.device)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(input.numel()), r))
    places = taeda.tensor(rows, dtype=taeda.int64).reshape(len(rows), r)
    return input[places]


@public("torch")
def block_diag(*tensors: Tensor) -> Tensor:
    """Return a matrix with the given matrices along its diagonal and zeros elsewhere.

    Args:
        tensors: matrices; vectors and zero-dim tensors count as matrices of one row.
    """
    if not tensors:
        return taeda.empty(1, 0)
    blocks = []
    for tensor in tensors:
        if tensor.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input has {tensor.ndim} dimensions"
            )
        blocks.append(taeda.atleast_2d(tensor))
    columns = sum(block.shape[1] for block in blocks)
    rows, before = [], 0
    for block in blocks:
        height, width = block.shape
        left = block.new_zeros(height, before)
        right = block.new_zeros(height, columns - before - width)
        rows.append(taeda.cat([left, block, right], dim=1))
        before += width
    return taeda.cat(rows, dim=0)


@public("torch")
def vander(x: Tensor, N: int | None = None, *, increasing: bool = False) -> Tensor:
    """Return the matrix of powers of a vector's elements (Vandermonde's).

    Args:
        x: a vector.
        N: the number of columns; default: as many as elements.
        increasing: powers from 0 up; by default from ``N - 1`` down.
    """
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.numel() if N is None else N
    if n < 0:
        raise RuntimeError(f"N must be non-negative, got {n}")
    if x.dtype in (taeda.bool, taeda.uint8, taeda.int8, taeda.int16, taeda.int32):
        x = x.to(taeda.int64)
    columns = [taeda.ones_like(x)]
    for _ in range(1, n):
        columns.append(columns[-1] * x)
    columns = columns[:n]
    if not columns:
        return x.new_empty(x.numel(), 0)
    return taeda.stack(columns if increasing else columns[::-1], dim=1)


@public("torch")
def empty_permuted(size: Sequence[int], physical_layout: Sequence[int], **options: object) -> Tensor:
    """Return an uninitialised tensor whose dimensions lie in memory in the order ``physical_layout``, outermost first.

    Args:
        size: the sizes.
        physical_layout: all dimensions, the one with the largest stride first.
        options: dtype, layout, device, pin_memory and requires_grad, as for ``empty``.
    """
    if sorted(physical_layout) != list(range(len(size))):
        raise RuntimeError(
            f"Number of dimensions in size does not match the length of the physical_layout, or it is no order of them: "
            f"size {list(size)}, physical_layout {list(physical_layout)}"
        )
    strides, step = [0] * len(size), 1
    for dim in reversed(physical_layout):
        strides[dim] = step
        step *= max(size[dim], 1)
    return taeda.empty_strided(size, strides, **options)


@public("torch")
def fill(input: Tensor, value: float | Tensor) -> Tensor:
    """Return a tensor like ``input`` with all elements equal to ``value``, a number or a zero-dim tensor."""
    return input.clone().fill_(value)
