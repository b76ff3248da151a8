"""Sparse tensors: a pattern and a value for each of its places, as the data of a wrapped tensor (`taeda._wrapped`).

History is kept on the values. `values_of` gives a tensor's values with their history, `build` makes a tensor of values with theirs;
between the two an operation is an ordinary one on dense tensors. So gradients follow by themselves, to any order, and the gradient
of a sparse tensor is sparse, with its pattern.
"""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _C, _wrapped
from taeda.autograd import Function
from taeda.sparse._pattern import Compressed, Coordinates, layout_name, sort_order

__all__ = ["Sparse", "build", "coalesce", "make", "matched", "sparse_of", "unique_values", "values_of"]


class Sparse(_wrapped.Wrapper):
    """The places and values of one sparse tensor. A write in place exchanges both, for all tensors that share this object."""

    __slots__ = ("pattern", "values")

    def __init__(self, pattern: Coordinates | Compressed, values: Any) -> None:
        self.pattern = pattern
        self.values = values

    @property
    def layout(self) -> Any:  # type: ignore[override]
        return self.pattern.layout

    @property
    def is_sparse(self) -> bool:  # type: ignore[override]
        return self.pattern.layout is taeda.sparse_coo

    @property
    def is_sparse_csr(self) -> bool:  # type: ignore[override]
        return self.pattern.layout is taeda.sparse_csr

    @property
    def backend(self) -> str:
        """The name of its kind in PyTorch's messages."""
        return "SparseCPU" if self.is_sparse else "SparseCsrCPU"

    def intercept(self, op: Any, form: str, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
        from taeda.sparse import _rules

        return _rules.apply(self, op, form, arguments, outs)

    def item(self, tensor: Any) -> Any:
        return tensor.to_dense().item()

    def tolist(self, tensor: Any) -> Any:
        raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage: a sparse tensor has no nested list\n"
                           "  hint: to_dense().tolist()")  # fmt: skip


def sparse_of(tensor: Any) -> Any:
    """Return the `Sparse` that stands for a tensor; None where it is no sparse one."""
    wrapper = _C._wrapper_of(tensor)
    return wrapper if isinstance(wrapper, Sparse) else None


def make(pattern: Coordinates | Compressed, values: Any) -> Any:
    """Return the sparse tensor with these values, without history."""
    return _C._wrap(Sparse(pattern, values.detach()), pattern.shape, values.dtype)


class _Values(Function):  # type: ignore[valid-type, misc]
    """The values of a sparse tensor."""

    @staticmethod
    def forward(ctx: Any, tensor: Any) -> Any:
        wrapper = sparse_of(tensor)
        ctx.pattern = wrapper.pattern
        return wrapper.values.detach()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        pattern = ctx.pattern
        if isinstance(pattern, Coordinates) and not pattern.coalesced:
            # Elements of one place all have its gradient, which must stand there once.
            pattern, first = _unique(pattern)
            grad = grad.index_select(0, first)
        return build(pattern, grad)


class _Build(Function):  # type: ignore[valid-type, misc]
    """The sparse tensor of a pattern and values."""

    @staticmethod
    def forward(ctx: Any, values: Any, pattern: Any) -> Any:
        ctx.pattern = pattern
        return make(pattern, values)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return matched(grad, ctx.pattern), None


def values_of(tensor: Any) -> Any:
    """Return a sparse tensor's values as a dense tensor, with its history."""
    if taeda.is_grad_enabled() and tensor.requires_grad:
        return _Values.apply(tensor)
    return sparse_of(tensor).values


def build(pattern: Coordinates | Compressed, values: Any) -> Any:
    """Return the sparse tensor with these values, with their history."""
    if taeda.is_grad_enabled() and values.requires_grad:
        return _Build.apply(values, pattern)
    return make(pattern, values)


def _unique(pattern: Coordinates) -> tuple[Coordinates, Any]:
    """The places of ``pattern``, each once, in order; and an element that is at each."""
    order = sort_order(pattern.indices, pattern.sparse_shape)
    sorted_indices = pattern.indices.index_select(1, order)
    is_new = _is_new(sorted_indices)
    first = order[is_new]
    return Coordinates(sorted_indices[:, is_new], pattern.shape, True), first


def _is_new(sorted_indices: Any) -> Any:
    """Which columns differ from the one before."""
    nnz = sorted_indices.shape[1]
    is_new = taeda.ones(nnz, dtype=taeda.bool)
    if nnz > 1:
        is_new[1:] = (sorted_indices[:, 1:] != sorted_indices[:, :-1]).any(0)
    return is_new


def unique_values(pattern: Coordinates, values: Any) -> tuple[Coordinates, Any]:
    """Return sorted places that differ, and the values of each added up."""
    if pattern.coalesced:
        return pattern, values
    order = sort_order(pattern.indices, pattern.sparse_shape)
    indices, values = pattern.indices.index_select(1, order), values.index_select(0, order)
    is_new = _is_new(indices)
    n_unique = int(is_new.sum())
    if n_unique == pattern.nnz:
        return Coordinates(indices, pattern.shape, True), values
    place = is_new.cumsum(0) - 1
    numbers = values.to(taeda.uint8) if values.dtype == taeda.bool else values
    total = taeda.zeros((n_unique, *values.shape[1:]), dtype=numbers.dtype).index_add(0, place, numbers)
    return Coordinates(indices[:, is_new], pattern.shape, True), total.to(values.dtype)


def coalesce(tensor: Any) -> Any:
    """Return a coordinate tensor with each place once and in order; itself where it is so already."""
    wrapper = sparse_of(tensor)
    if wrapper.pattern.coalesced:
        return tensor
    return build(*unique_values(wrapper.pattern, values_of(tensor)))


def matched(tensor: Any, pattern: Coordinates | Compressed) -> Any:
    """Return the elements of a dense or sparse tensor at the places of ``pattern``, as its values; 0 where there is none."""
    wrapper = sparse_of(tensor)
    if wrapper is None:
        return pattern.gather(tensor)
    values = values_of(tensor)
    # Elements of one place count together, so those of a pattern that repeats places are no values of it.
    if (not isinstance(pattern, Coordinates) or pattern.coalesced) and pattern.same(wrapper.pattern):
        return values
    here, there = pattern.grid(), wrapper.pattern.grid()
    if here.shape != there.shape or here.sparse_dim != there.sparse_dim:
        raise NotImplementedError(
            f"taeda cannot match a {layout_name(wrapper.layout)} tensor with a {layout_name(pattern.layout)} one: their blocks or dense "
            f"dims differ, {there.shape} and {here.shape}\n  hint: convert one with to_sparse(layout=...)"
        )
    there, values = unique_values(there, wrapper.pattern.to_grid(values))
    return pattern.from_grid(_look_up(here.keys(), there.keys(), values))


def _look_up(wanted: Any, keys: Any, values: Any) -> Any:
    """The values at the sorted ``keys`` that equal the wanted ones, 0 where none does."""
    if keys.numel() == 0:
        return values.new_zeros((wanted.numel(), *values.shape[1:]))
    at = taeda.searchsorted(keys, wanted).clamp_max(keys.numel() - 1)
    found = keys.index_select(0, at) == wanted
    taken = values.index_select(0, at)
    return taeda.where(found.reshape(-1, *[1] * (values.ndim - 1)), taken, taeda.zeros((), dtype=values.dtype))
