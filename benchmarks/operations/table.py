"""What a row of the table is, and the operands that the rows share: for a framework's module ``m`` and a number of elements ``n``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Step = Callable[[], object]
Make = Callable[[ModuleType, int], Step]
Operands = Callable[[ModuleType, int], tuple]
SIZES = (100, 10_000, 10_000_000)
COLUMNS = 100  # of the matrices: every size is a multiple
# batch, channels, height, width, and what they multiply to.
IMAGES = {100: (1, 1, 10, 10), 10_000: (1, 4, 50, 50), 10_000_000: (16, 10, 250, 250)}


@dataclass(frozen=True)
class Operation:
    """A row of the table.

    Attributes:
        name: what the row says.
        make: (framework, number of elements) -> the function to time.
        largest: beyond, it is left out.
    """

    name: str
    make: Make
    largest: int = SIZES[-1]


def on(operands: Operands, function: Callable[..., Any]) -> Make:
    """Makes the operands once; ``function(m, *operands)`` is timed."""

    def make(m: ModuleType, n: int) -> Step:
        m.manual_seed(0)
        made = operands(m, n)
        return lambda: function(m, *made)

    return make


def both_ways(operands: Operands, function: Callable[..., Any]) -> Make:
    """Forward and backward of a loss. The first operand's gradient is dropped each time."""

    def make(m: ModuleType, n: int) -> Step:
        m.manual_seed(0)
        x, *rest = operands(m, n)
        x.requires_grad_()

        def step() -> None:
            function(m, x, *rest).backward()
            x.grad = None

        return step

    return make


def one(m: ModuleType, n: int) -> tuple:
    return (m.randn(n),)


def two(m: ModuleType, n: int) -> tuple:
    return m.randn(n), m.randn(n)


def three(m: ModuleType, n: int) -> tuple:
    return m.randn(n), m.randn(n), m.randn(n)


def positive(m: ModuleType, n: int) -> tuple:
    return (m.rand(n) + 0.5,)


def matrix(m: ModuleType, n: int) -> tuple:
    return (m.randn(n // COLUMNS, COLUMNS),)


def matrices(m: ModuleType, n: int) -> tuple:
    return m.randn(n // COLUMNS, COLUMNS), m.randn(n // COLUMNS, COLUMNS)


def square(m: ModuleType, n: int) -> tuple:
    side = int(n**0.5)
    return m.randn(side, side), m.randn(side, side)


def typed(dtype: str) -> Operands:
    """Two vectors of a floating or complex type."""
    return lambda m, n: (m.randn(n).to(getattr(m, dtype)), m.randn(n).to(getattr(m, dtype)))


def integers(dtype: str) -> Operands:
    """Two vectors of an integer type; no zero in the second."""
    return lambda m, n: (
        m.randint(0, 100, (n,)).to(getattr(m, dtype)),
        m.randint(1, 100, (n,)).to(getattr(m, dtype)),
    )


def truths(m: ModuleType, n: int) -> tuple:
    """A vector, and a mask of which half is true."""
    return m.randn(n), m.randn(n) > 0


def images(m: ModuleType, n: int) -> tuple:
    return (m.randn(*IMAGES[n]),)
