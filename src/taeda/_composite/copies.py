"""The ``..._copy`` forms of views: the same elements in memory of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda
from taeda._composite._public import public

__all__ = ["nonzero_static"]


def _copy_of(name: str, view: Callable[..., Any]) -> None:
    def copied(input: taeda.Tensor, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        made = view(input, *args, **kwargs)
        if isinstance(made, tuple):
            parts = tuple(part.clone(memory_format=taeda.contiguous_format) for part in made)
            return parts if out is None else tuple(to.copy_(part) for to, part in zip(out, parts, strict=True))
        made = made.clone(memory_format=taeda.contiguous_format)
        return made if out is None else out.resize_(made.shape).copy_(made)

    copied.__name__ = copied.__qualname__ = f"{name}_copy"
    copied.__doc__ = f"Return a copy of what ``{name}`` gives as a view; the same arguments, and ``out``."
    homes = ("torch", "Tensor") if name == "narrow" else ("torch",)
    globals()[copied.__name__] = public(*homes)(copied)
    __all__.append(copied.__name__)


def _narrow(input: taeda.Tensor, dim: int, start: int, length: int) -> taeda.Tensor:
    if dim >= input.dim():  # an IndexError below zero, as PyTorch has it
        raise RuntimeError(f"narrow_copy(): dim {dim} is out of range for a tensor of {input.dim()} dimensions")
    return input.narrow(dim, start, length)


for _name, _view in {
    "alias": lambda x: x,
    "as_strided": lambda x, *a, **k: x.as_strided(*a, **k),
    "detach": lambda x: x.detach(),
    "diagonal": lambda x, *a, **k: x.diagonal(*a, **k),
    "expand": lambda x, *a, **k: x.expand(*a, **k),
    "narrow": _narrow,
    "permute": lambda x, *a, **k: x.permute(*a, **k),
    "select": lambda x, *a, **k: x.select(*a, **k),
    "slice": lambda x, dim=0, start=None, end=None, step=1: taeda._C._slice(x, dim, start, end, step),
    "split": lambda x, *a, **k: x.split(*a, **k),
    "split_with_sizes": lambda x, *a, **k: x.split_with_sizes(*a, **k),
    "squeeze": lambda x, *a, **k: x.squeeze(*a, **k),
    "t": lambda x: x.t(),
    "transpose": lambda x, *a, **k: x.transpose(*a, **k),
    "unbind": lambda x, *a, **k: x.unbind(*a, **k),
    "unfold": lambda x, *a, **k: x.unfold(*a, **k),
    "unsqueeze": lambda x, *a, **k: x.unsqueeze(*a, **k),
    "view": lambda x, *a, **k: x.view(*a, **k),
    "view_as_complex": lambda x: taeda.view_as_complex(x),
    "view_as_real": lambda x: taeda.view_as_real(x),
}.items():
    _copy_of(_name, _view)


@public("torch", "Tensor")
def nonzero_static(input: taeda.Tensor, *, size: int, fill_value: int = -1) -> taeda.Tensor:
    """Return the indices of the elements that are not zero in a result of fixed length.

    Args:
        size: the number of rows; more indices are cut off.
        fill_value: what rows without an index hold.
    """
    if size < 0:
        raise RuntimeError(f"nonzero_static: 'size' must be an non-negative integer, got {size}")
    rows = input.nonzero()[:size]
    return taeda.cat([rows, rows.new_full((size - rows.shape[0], rows.shape[1]), fill_value)])
