"""Compositions that join, index, find and sort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = [
    "argwhere",
    "column_stack",
    "dstack",
    "hstack",
    "index_reduce",
    "isin",
    "msort",
    "nonzero",
    "row_stack",
    "take_along_dim",
    "unique",
    "unique_consecutive",
    "vstack",
]

# ---- joining


@public("torch")
def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the tensors laid side by side: along the second dimension, vectors along their only one."""
    made = [taeda.atleast_1d(tensor) for tensor in tensors]
    if not made:
        raise RuntimeError("hstack expects a non-empty TensorList")
    return taeda.cat(made, dim=0 if made[0].ndim == 1 else 1, out=out)


@public("torch")
def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the tensors laid one below the other; vectors are rows."""
    if not tensors:
        raise RuntimeError("vstack expects a non-empty TensorList")
    return taeda.cat([taeda.atleast_2d(tensor) for tensor in tensors], dim=0, out=out)


@public("torch")
def row_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the tensors laid one below the other; vectors are rows. The same as ``vstack``."""
    return vstack(tensors, out=out)


@public("torch")
def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the tensors laid one behind the other, along the third dimension."""
    if not tensors:
        raise RuntimeError("dstack expects a non-empty TensorList")
    return taeda.cat([taeda.atleast_3d(tensor) for tensor in tensors], dim=2, out=out)


@public("torch")
def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the tensors laid side by side; vectors are columns."""
    if not tensors:
        raise RuntimeError("column_stack expects a non-empty TensorList")
    return taeda.hstack([tensor.reshape(-1, 1) if tensor.ndim <= 1 else tensor for tensor in tensors], out=out)


# ---- indexing


@public("torch", "Tensor")
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
    """Return the indices of the elements that are not zero, one row each, in row-major order.

    Args:
        out: receives the rows.
        as_tuple: return one index vector for each dimension instead, so that ``x[x.nonzero(as_tuple=True)]`` works.
    """
    if as_tuple:
        return taeda.where(input)
    rows = taeda._C._nonzero(input)
    return rows if out is None else out.resize_(rows.shape).copy_(rows)


@public("Tensor", name="where")
def _where(input: Tensor, condition: Tensor, other: Tensor | float) -> Tensor:
    """Return ``input`` where ``condition`` is true and ``other`` elsewhere."""
    return taeda.where(condition, input, other)


@public("torch", "Tensor")
def argwhere(input: Tensor) -> Tensor:
    """Return the indices of the elements that are not zero, one row each."""
    return taeda._C._nonzero(input)


@public("torch", "Tensor")
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the elements that ``indices`` names along ``dim``; the other dimensions are broadcast.

    Args:
        indices: int64, such as ``argsort`` gives.
        dim: the dimension; by default both tensors are flattened.
    """
    if indices.dtype != taeda.int64:
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {indices.dtype}")
    if dim is None:
        return taeda.gather(input.reshape(-1), 0, indices.reshape(-1), out=out)
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    # As in NumPy, an index may count from the end here.
    counted = taeda.where(indices < 0, indices + input.shape[dim], indices)
    dim = dim + input.ndim if dim < 0 else dim
    if all(a == b or d == dim for d, (a, b) in enumerate(zip(input.shape, indices.shape, strict=True))):
        return taeda.gather(input, dim, counted, out=out)
    shape = list(
        taeda.broadcast_shapes(*([1 if d == dim else size for d, size in enumerate(t.shape)] for t in (input, indices)))
    )
    wide, places = list(shape), list(shape)
    wide[dim], places[dim] = input.shape[dim], indices.shape[dim]
    return taeda.gather(input.expand(wide), dim, counted.expand(places), out=out)


def _index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, include_self: bool) -> Tensor:
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    if input.ndim == 0:
        return (
            input.reshape(1)
            .scatter_reduce(0, index.reshape(-1), source.reshape(-1), reduce, include_self=include_self)
            .reshape(())
        )
    shape = [1] * source.ndim
    shape[dim] = index.numel()
    places = index.reshape(shape).expand(source.shape)
    return input.scatter_reduce(dim, places, source, reduce, include_self=include_self)


@public("torch", "Tensor")
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """Return a copy of ``input`` in which the slices of ``source`` that ``index`` sends to one place are reduced.

    Args:
        dim: the dimension.
        index: a vector with a place for each slice of ``source``.
        source: of ``input``'s dtype and shape, except along ``dim``.
        reduce: "prod", "mean", "amax" or "amin".
        include_self: whether ``input``'s own slices take part.
    """
    made = _index_reduce(input, dim, index, source, reduce, include_self)
    return made if out is None else out.resize_(made.shape).copy_(made)


@public("Tensor", name="index_reduce_")
def index_reduce_(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """The in-place form of ``index_reduce``."""
    return input.copy_(_index_reduce(input, dim, index, source, reduce, include_self))


# ---- finding and sorting


@public("torch")
def isin(
    elements: Tensor | float, test_elements: Tensor | float, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Return for each element whether it is among ``test_elements``.

    Args:
        elements: a tensor or a number.
        test_elements: a tensor or a number.
        assume_unique: accepted for PyTorch's sake; it changes nothing.
        invert: return the opposite.
    """
    if not isinstance(elements, taeda.Tensor) and not isinstance(test_elements, taeda.Tensor):
        raise TypeError("isin: one of elements and test_elements must be a tensor")
    made = [t if isinstance(t, taeda.Tensor) else taeda.tensor(t) for t in (elements, test_elements)]
    return taeda._C._isin(*made, invert)


@public("torch", "Tensor")
def msort(input: Tensor) -> Tensor:
    """Return the elements in ascending order along the first dimension."""
    return taeda.sort(input, dim=0)[0]


def _chosen(made: Sequence[Tensor], return_inverse: bool, return_counts: bool) -> Tensor | tuple[Tensor, ...]:
    output, inverse, counts = made
    chosen = (output, *((inverse,) if return_inverse else ()), *((counts,) if return_counts else ()))
    return chosen if len(chosen) > 1 else output


@public("torch", "Tensor")
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """Return the different elements in ascending order.

    Args:
        sorted: accepted for PyTorch's sake; the result is always sorted.
        return_inverse: also return, for each element of ``input``, its place in the result.
        return_counts: also return how often each occurs.
        dim: compare the slices along this dimension; by default single elements.
    """
    made = taeda._C._unique(input, return_inverse) if dim is None else taeda._C._unique_dim(input, dim, False)
    return _chosen(made, return_inverse, return_counts)


@public("torch", "Tensor")
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Tensor | tuple[Tensor, ...]:
    """Return the elements without those that equal the one before.

    Args:
        return_inverse: also return, for each element of ``input``, its place in the result.
        return_counts: also return how often each occurs in a row.
        dim: compare the slices along this dimension; by default single elements.
    """
    made = (
        taeda._C._unique_consecutive(input, return_inverse) if dim is None else taeda._C._unique_dim(input, dim, True)
    )
    return _chosen(made, return_inverse, return_counts)
