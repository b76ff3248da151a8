"""Sums of products in index notation: `einsum`, composed of diagonals, permutations, matrix products and sums.

What is done follows from the notation and the shapes alone: it is worked out with *planned* tensors, which have a shape and know how they
are made of the operands, and kept for the next call.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["einsum"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ELLIPSIS = "..."
_NOTHING = (
    "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
    "subscripts list"
)


Make = Callable[[Sequence["Tensor"]], "Tensor"]


class _Planned:
    """A tensor to be: its shape, and what makes it of the operands. Steps that change nothing are left out."""

    def __init__(self, shape: Sequence[int], make: Make) -> None:
        self.shape = tuple(shape)
        self.make = make

    def dim(self) -> int:
        return len(self.shape)

    def diagonal(self, first: int, second: int) -> _Planned:
        make, rest = self.make, [size for dim, size in enumerate(self.shape) if dim not in (first, second)]
        return _Planned([*rest, self.shape[first]], lambda given: make(given).diagonal(0, first, second))

    def sum(self, dims: list[int]) -> _Planned:
        make, rest = self.make, [size for dim, size in enumerate(self.shape) if dim not in dims]
        return _Planned(rest, lambda given: make(given).sum(dims))

    def permute(self, order: list[int]) -> _Planned:
        make = self.make
        if order == sorted(order):
            return self
        return _Planned([self.shape[dim] for dim in order], lambda given: make(given).permute(order))

    def reshape(self, shape: Sequence[int]) -> _Planned:
        make = self.make
        return self if tuple(shape) == self.shape else _Planned(shape, lambda given: make(given).reshape(shape))


def _product(a: _Planned, b: _Planned, is_matrix: bool) -> _Planned:
    """The matrix product, or where nothing is summed over the product of a column and a row of equal batches."""
    left, right = a.make, b.make
    shape = [*a.shape[:-1], b.shape[-1]]
    if is_matrix:
        return _Planned(shape, lambda given: taeda.matmul(left(given), right(given)))
    return _Planned(shape, lambda given: left(given) * right(given))


@dataclass
class _Term:
    """A tensor and the label of each of its dimensions: a letter, or (ellipsis, distance from its end)."""

    tensor: _Planned
    labels: list


@public("torch")
def einsum(*args: Any) -> Tensor:
    """Return the sum of products of tensors that an index notation describes (Einstein's summation convention).

    Args:
        equation: a string such as ``"bij,bjk->bik"``: one group of letters for each operand, one letter for each
            dimension. A letter that the result (after ``->``) lacks is summed over; one that occurs twice in a group takes
            the diagonal; ``...`` stands for the remaining dimensions, which broadcast. Without ``->`` the result has the
            ellipsis' dimensions and then, in alphabetical order, the letters that occur once.
        operands: the tensors, or one list of them. Instead of an equation each operand may be followed by a list of
            numbers below 52 (and ``Ellipsis``), with the result's list at the end.

    Returns:
        A tensor with the dimensions of the result.

    Raises:
        RuntimeError: the equation cannot be read, does not fit the operands, or sizes disagree.
        ValueError: there is no operand.

    Operands are multiplied from left to right, each time as one batched matrix product.
    """
    notation, operands = _read_arguments(args)
    return _plan(notation, tuple([tuple(operand.shape) for operand in operands]))(operands)


@functools.lru_cache(maxsize=1024)
def _plan(notation: str | tuple, shapes: tuple) -> Make:
    """What computes the result of operands of these shapes."""
    groups, output = _read_notation(notation, len(shapes))
    operands = [_Planned(shape, operator.itemgetter(index)) for index, shape in enumerate(shapes)]
    terms = [
        _labelled(index, tensor, group) for index, (tensor, group) in enumerate(zip(operands, groups, strict=True))
    ]
    result_labels = _result_labels(groups, output, terms)
    _check_sizes(terms)
    terms = [_with_diagonals(index, term) for index, term in enumerate(terms)]
    current = terms[0]
    for index, term in enumerate(terms[1:], 1):
        needed = set(result_labels).union(*(set(later.labels) for later in terms[index + 1 :]))
        current = _multiply(current, term, needed)
    current = _sum_out(current, set(result_labels))
    order = [current.labels.index(label) for label in result_labels]
    result = current.tensor.permute(order)
    # An operand of which nothing is asked: the result is a view of it all the same.
    return (lambda given: result.make(given).permute(order)) if result in operands else result.make


# ---- reading


def _read_arguments(args: Sequence[Any]) -> tuple[str | tuple, list[Tensor]]:
    """The notation, which is hashable, and the operands."""
    if len(args) < 2:
        raise ValueError(_NOTHING)
    if isinstance(args[0], str):
        operands = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) else list(args[1:])
        if not operands:
            raise ValueError(_NOTHING)
        return args[0], operands
    numbers = [tuple(given) for given in args[1::2]]
    return (tuple(numbers), tuple(args[-1]) if len(args) % 2 else None), list(args[0 : len(args) // 2 * 2 : 2])


def _read_notation(notation: str | tuple, n_operands: int) -> tuple[list[list[str]], list[str] | None]:
    """The labels of each operand, and those of the result (None: implicit)."""
    if isinstance(notation, str):
        return _read_equation(notation, n_operands)
    numbers, output = notation
    return [_read_numbers(each) for each in numbers], None if output is None else _read_numbers(output)


def _read_numbers(numbers: Sequence[Any]) -> list[str]:
    labels = []
    for number in numbers:
        if number is Ellipsis:
            labels.append(_ELLIPSIS)
        elif 0 <= number < len(_LETTERS):
            labels.append(_LETTERS[number])
        else:
            raise ValueError(f"einsum(): expected subscripts to be in range [0, 52), but got {number}")
    return labels


def _read_equation(equation: str, n_operands: int) -> tuple[list[list[str]], list[str] | None]:
    left, arrow, right = equation.partition("->")
    groups: list[list[str]] = []
    start = 0
    for number, text in enumerate(left.split(",")):
        groups.append(_read_group(text, start, f"operand {number}"))
        start += len(text) + 1
    if len(groups) > n_operands:
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    if len(groups) < n_operands:
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    return groups, _read_group(right, len(left) + 2, "the output") if arrow else None


def _read_group(text: str, start: int, what: str) -> list[str]:
    labels: list[str] = []
    index = 0
    while index < len(text):
        character = text[index]
        if character == ".":
            if _ELLIPSIS in labels:
                raise RuntimeError(f"einsum(): found '.' for {what} for which an ellipsis was already found")
            if text[index : index + 3] != _ELLIPSIS:
                raise RuntimeError(f"einsum(): found '.' for {what} that is not part of any ellipsis")
            labels.append(_ELLIPSIS)
            index += 2
        elif character in _LETTERS:
            labels.append(character)
        elif character != " ":
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {start + index} in the equation string, subscripts must be "
                "in [a-zA-Z]"
            )
        index += 1
    return labels


# ---- labels


def _labelled(index: int, tensor: _Planned, group: list[str]) -> _Term:
    n_letters = sum(label != _ELLIPSIS for label in group)
    has_ellipsis = _ELLIPSIS in group
    if n_letters > tensor.dim() or (n_letters < tensor.dim() and not has_ellipsis):
        relation = "is more than" if has_ellipsis else "does not match"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({n_letters}) {relation} the number of dimensions "
            f"({tensor.dim()}) for operand {index}" + ("" if has_ellipsis else " and no ellipsis was given")
        )
    labels: list = []
    for label in group:
        if label == _ELLIPSIS:
            labels.extend((_ELLIPSIS, distance) for distance in range(tensor.dim() - n_letters, 0, -1))
        else:
            labels.append(label)
    return _Term(tensor, labels)


def _result_labels(groups: list[list[str]], output: list[str] | None, terms: list[_Term]) -> list:
    longest = max((sum(isinstance(label, tuple) for label in term.labels) for term in terms), default=0)
    dots = [(_ELLIPSIS, distance) for distance in range(longest, 0, -1)]
    given = [label for group in groups for label in group if label != _ELLIPSIS]
    if output is None:
        return dots + sorted(label for label in set(given) if given.count(label) == 1)
    labels: list = []
    for label in output:
        if label == _ELLIPSIS:
            labels.extend(dots)
        elif label not in given:
            raise RuntimeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input operand"
            )
        elif label in labels:
            raise RuntimeError(f"einsum(): output subscript {label} appears more than once in the output")
        else:
            labels.append(label)
    return labels


def _check_sizes(terms: list[_Term]) -> None:
    sizes: dict = {}
    for index, term in enumerate(terms):
        for label, size in zip(term.labels, term.tensor.shape, strict=True):
            known = sizes.setdefault(label, size)
            if known == 1:
                sizes[label] = size
            elif size not in (1, known) and term.labels.count(label) == 1:
                name = label if isinstance(label, str) else "in the ellipsis"
                raise RuntimeError(
                    f"einsum(): subscript {name} has size {size} for operand {index} which does not broadcast with "
                    f"previously seen size {known}"
                )


def _with_diagonals(index: int, term: _Term) -> _Term:
    """Takes the diagonal of dimensions that have the same label."""
    tensor, labels = term.tensor, list(term.labels)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if tensor.shape[first] != tensor.shape[second]:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {index} but the sizes don't match, "
                    f"{tensor.shape[second]} != {tensor.shape[first]}"
                )
            tensor = tensor.diagonal(first, second)
            del labels[second], labels[first]
            labels.append(label)
    return _Term(tensor, labels)


# ---- products


def _sum_out(term: _Term, needed: set) -> _Term:
    dims = [dim for dim, label in enumerate(term.labels) if label not in needed]
    if not dims:
        return term
    return _Term(term.tensor.sum(dims), [label for label in term.labels if label in needed])


def _without_repeated(term: _Term, other: _Term) -> _Term:
    """Drops dimensions of size one that the other operand has larger: they broadcast."""
    larger = {label for label, size in zip(other.labels, other.tensor.shape, strict=True) if size != 1}
    dims = [
        dim
        for dim, (label, size) in enumerate(zip(term.labels, term.tensor.shape, strict=True))
        if size == 1 and label in larger
    ]
    if not dims:
        return term
    kept = [dim for dim in range(term.tensor.dim()) if dim not in dims]
    return _Term(term.tensor.reshape([term.tensor.shape[dim] for dim in kept]), [term.labels[dim] for dim in kept])


def _multiply(left: _Term, right: _Term, needed: set) -> _Term:
    """The product of two terms, summed over what nobody needs any more: one batched matrix product."""
    left, right = _without_repeated(left, right), _without_repeated(right, left)
    left, right = _sum_out(left, needed | set(right.labels)), _sum_out(right, needed | set(left.labels))
    shared = [label for label in left.labels if label in right.labels]
    batch = [label for label in shared if label in needed]
    inner = [label for label in shared if label not in needed]
    rows = [label for label in left.labels if label not in shared]
    columns = [label for label in right.labels if label not in shared]
    a, a_sizes = _arranged(left, batch, rows, inner)
    b, b_sizes = _arranged(right, batch, inner, columns)
    sizes = [a_sizes[label] for label in batch + rows] + [b_sizes[label] for label in columns]
    return _Term(_product(a, b, bool(inner)).reshape(sizes), batch + rows + columns)


def _arranged(term: _Term, *parts: list) -> tuple[_Planned, dict]:
    """The term's tensor with each part's dimensions made into one, and the size of each label. An empty batch is left out."""
    order = [term.labels.index(label) for part in parts for label in part]
    sizes = dict(zip(term.labels, term.tensor.shape, strict=True))
    shape = []
    for position, part in enumerate(parts):
        if position == 0 and not part:
            continue
        shape.append(math.prod(sizes[label] for label in part))
    return term.tensor.permute(order).reshape(shape), sizes
