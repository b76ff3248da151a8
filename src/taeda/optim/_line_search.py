"""A line search for the strong Wolfe conditions, by brackets and cubic interpolation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# The constants of the two conditions: sufficient decrease and curvature (Nocedal and Wright, section 3.1).
_DECREASE = 1e-4
_CURVATURE = 0.9
_MOST_EVALUATIONS = 25


@dataclass
class _Point:
    """What is known at one length along the direction."""

    length: Any
    loss: float
    grad: Any
    slope: Any


def cubic_minimum(a: _Point, b: _Point, bounds: tuple | None = None):
    """Where the cubic through both points, with their slopes, has its minimum, kept inside the bounds."""
    low, high = bounds if bounds is not None else (min(a.length, b.length), max(a.length, b.length))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2.0
    d2 = square**0.5
    if a.length > b.length:
        a, b = b, a
    position = b.length - (b.length - a.length) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(position, low), high)


def strong_wolfe(
    evaluate: Callable[[float], tuple[float, Any]],
    length,
    direction,
    loss: float,
    grad,
    slope,
    tolerance_change: float,
) -> tuple[float, Any, Any, int]:
    """Find a length along ``direction`` at which the loss is lower and its slope flatter by set shares.

    Args:
        evaluate: length to loss and flat gradient there.
        length: the first length to try.
        direction: the flat direction.
        loss, grad, slope: the loss, its gradient and its slope along the direction at length 0.
        tolerance_change: brackets narrower than this, in any element, are given up.

    Returns:
        Loss and gradient at the length found, the length, and how often ``evaluate`` was called.
    """
    search = _Search(evaluate, direction, _Point(0, loss, grad.clone(), slope), tolerance_change)
    best = search.run(length)
    return best.loss, best.grad, best.length, search.n_evaluations


class _Search:
    def __init__(self, evaluate, direction, start: _Point, tolerance_change: float) -> None:
        self.evaluate = evaluate
        self.direction = direction
        self.size = direction.abs().max()
        self.start = start
        self.tolerance_change = tolerance_change
        self.n_evaluations = 0

    def at(self, length) -> _Point:
        loss, grad = self.evaluate(length)
        self.n_evaluations += 1
        return _Point(length, loss, grad, grad.dot(self.direction))

    def decreases(self, point: _Point) -> bool:
        return not point.loss > self.start.loss + _DECREASE * point.length * self.start.slope

    def is_flat(self, point: _Point) -> bool:
        return abs(point.slope) <= -_CURVATURE * self.start.slope

    def run(self, length) -> _Point:
        bracket, n_tries, found = self._bracket(self.at(length))
        return bracket[0] if found else self._zoom(bracket, n_tries)

    def _bracket(self, point: _Point) -> tuple[list[_Point], int, bool]:
        """Two points with a good length between them (or one good point), and how many tries that took."""
        previous, n_tries = self.start, 0
        while n_tries < _MOST_EVALUATIONS:
            if not self.decreases(point) or (n_tries > 1 and point.loss >= previous.loss):
                return [previous, point], n_tries, False
            if self.is_flat(point):
                return [point], n_tries, True
            if point.slope >= 0:
                return [previous, point], n_tries, False
            shortest = point.length + 0.01 * (point.length - previous.length)
            length = cubic_minimum(previous, point, bounds=(shortest, point.length * 10))
            previous, point = point, self.at(length)
            n_tries += 1
        return [self.start, point], n_tries, False

    def _zoom(self, bracket: list[_Point], n_tries: int) -> _Point:
        """Narrow the bracket until a point in it satisfies both conditions; returns the lowest point."""
        was_near_edge = False
        low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        while n_tries < _MOST_EVALUATIONS:
            if abs(bracket[1].length - bracket[0].length) * self.size < self.tolerance_change:
                break
            length, was_near_edge = self._inside(bracket, was_near_edge)
            point = self.at(length)
            n_tries += 1
            if not self.decreases(point) or point.loss >= bracket[low].loss:
                bracket[high] = point
                low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
                continue
            if self.is_flat(point):
                bracket[low] = point
                break
            if point.slope * (bracket[high].length - bracket[low].length) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
        return bracket[low]

    @staticmethod
    def _inside(bracket: list[_Point], was_near_edge: bool) -> tuple[Any, bool]:
        """The next length to try, pushed off the bracket's edge when two tries in a row would be close to one."""
        length = cubic_minimum(bracket[0], bracket[1])
        left, right = sorted((bracket[0].length, bracket[1].length))
        margin = 0.1 * (right - left)
        if min(right - length, length - left) >= margin:
            return length, False
        if was_near_edge or length >= right or length <= left:
            closer_to_right = abs(length - right) < abs(length - left)
            return (right - margin if closer_to_right else left + margin), False
        return length, True
