"""`rearrange`: dimensions named, reordered, split and joined in one expression (Rogozhnikov, "Einops", ICLR 2022)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import taeda

__all__ = ["rearrange"]

_TOKEN = re.compile(r"\.\.\.|[A-Za-z_]\w*|\d+|[()]")
_ELLIPSIS = "..."
_BARE = "... outside of parentheses"


def _parse(side: str, pattern: str) -> list[list[str]]:
    """The groups of names of one side: ``"b (h w) c"`` gives ``[["b"], ["h", "w"], ["c"]]``."""
    if _TOKEN.sub("", side).strip():
        raise ValueError(f"rearrange: {pattern!r} has characters that are no part of an expression")
    groups: list[list[str]] = []
    inside: list[str] | None = None
    for token in _TOKEN.findall(side):
        if token == "(":
            if inside is not None:
                raise ValueError(f"rearrange: parentheses in {pattern!r} must not nest")
            inside = []
        elif token == ")":
            if inside is None:
                raise ValueError(f"rearrange: unbalanced parentheses in {pattern!r}")
            groups.append(inside)
            inside = None
        elif token.isdigit() and token != "1":
            raise ValueError(f"rearrange: only 1 may stand for an unnamed dimension, got {token} in {pattern!r}")
        elif inside is None:
            groups.append([] if token == "1" else [_BARE if token == _ELLIPSIS else token])
        elif token != "1":
            inside.append(token)
    if inside is not None:
        raise ValueError(f"rearrange: unbalanced parentheses in {pattern!r}")
    return groups


def _sizes(groups: list[list[str]], shape: Sequence[int], given: dict[str, int], pattern: str) -> dict[str, int]:
    """The size of each name; one in a group may follow from the others."""
    sizes = dict(given)
    for names, size in zip(groups, shape, strict=True):
        known = math.prod(sizes.get(name, 1) for name in names)
        unknown = [name for name in names if name not in sizes]
        if len(unknown) > 1:
            raise ValueError(f"rearrange: the sizes of {unknown} in {pattern!r} are not known; name all but one")
        if (unknown and (known == 0 or size % known)) or (not unknown and known != size):
            raise ValueError(f"rearrange: a dimension of size {size} cannot be ({' '.join(names) or '1'}) with {given}")
        if unknown:
            sizes[unknown[0]] = size // known
    return sizes


def _spelled_out(groups: list[list[str]], n_rest: int) -> list[list[str]]:
    """The ellipsis replaced by names of its own: a group for each dimension, or all in the group that it stands in."""
    rest = [f"...{k}" for k in range(n_rest)]
    result: list[list[str]] = []
    for names in groups:
        if names == [_BARE]:
            result.extend([name] for name in rest)
        else:
            result.append([part for name in names for part in (rest if name == _ELLIPSIS else [name])])
    return result


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Return ``tensor`` with its dimensions reordered, split and joined as the pattern says.

    Args:
        tensor: a tensor, or a sequence of equal ones, which are stacked first.
        pattern: ``"b c (h h2) (w w2) -> b h w (c h2 w2)"``: names for the dimensions before and after; parentheses join,
            ``...`` stands for any number of dimensions, ``1`` for one of size 1.
        axes_lengths: sizes of names that do not follow from the tensor's.

    Raises:
        ValueError: the pattern cannot be read, both sides name different dimensions, or sizes do not fit.
    """
    if not isinstance(tensor, taeda.Tensor):
        tensor = taeda.stack(list(tensor))
    left, arrow, right = pattern.partition("->")
    if not arrow:
        raise ValueError(f"rearrange: {pattern!r} has no '->'")
    before, after = _parse(left, pattern), _parse(right, pattern)
    if any(_ELLIPSIS in names for names in before):
        raise ValueError(
            f"rearrange: an ellipsis inside parentheses on the left of {pattern!r} could be split in many ways"
        )
    has_rest = [_BARE] in before
    n_rest = tensor.ndim - len(before) + 1 if has_rest else 0
    if n_rest < 0 or (not has_rest and tensor.ndim != len(before)):
        raise ValueError(f"rearrange: {pattern!r} names {len(before)} dimensions, the tensor has {tensor.ndim}")
    before, after = _spelled_out(before, n_rest), _spelled_out(after, n_rest)
    old, new = [name for names in before for name in names], [name for names in after for name in names]
    if sorted(old) != sorted(new) or len(set(old)) != len(old):
        raise ValueError(f"rearrange: both sides of {pattern!r} must name the same dimensions, each once")
    unknown = axes_lengths.keys() - set(old)
    if unknown:
        raise ValueError(f"rearrange: {sorted(unknown)} do not occur in {pattern!r}")
    sizes = _sizes(before, tensor.shape, axes_lengths, pattern)
    split = tensor.reshape([sizes[name] for name in old])
    moved = split.permute([old.index(name) for name in new])
    return moved.reshape([math.prod(sizes[name] for name in names) for names in after])
