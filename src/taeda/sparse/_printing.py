"""The printed form of sparse tensors: their parts, then size, number of elements and layout."""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _tensor_str
from taeda.sparse._pattern import Coordinates
from taeda.sparse._tensor import sparse_of

__all__ = ["sparse_repr"]


def _part(name: str, tensor: Any, indent: int) -> str:
    prefix = f"{name}=tensor("
    text = (
        f"[], size={tuple(tensor.shape)}"
        if tensor.numel() == 0
        else _tensor_str._contents(tensor, indent + len(prefix))
    )
    return prefix + text + ")"


def sparse_repr(tensor: Any, prefix: str, suffixes: list[str]) -> str:
    """Return the printed form.

    Args:
        tensor: sparse.
        prefix: ``tensor(``, or a subclass's name in its place.
        suffixes: what follows the layout: the history.
    """
    wrapper = sparse_of(tensor)
    pattern, values = wrapper.pattern, wrapper.values
    indent = len(prefix)
    gap = ",\n" + " " * indent
    facts = [f"size={tuple(tensor.shape)}", f"nnz={pattern.nnz}"]
    if values.dtype != taeda.get_default_dtype() and values.dtype not in (taeda.int64, taeda.bool):
        facts.append(f"dtype={values.dtype}")
    facts += [f"layout={tensor.layout}", *suffixes]
    if isinstance(pattern, Coordinates):
        text = prefix + _part("indices", pattern.indices, indent) + gap + _part("values", values, indent)
        return _tensor_str._append_suffixes(text + gap + facts[0], facts[1:], indent)
    major, minor = pattern.names()
    text = gap.join(
        (_part(major, pattern.offsets, indent), _part(minor, pattern.plain, indent), _part("values", values, indent))
    )
    return _tensor_str._append_suffixes(prefix + text, facts, indent)
