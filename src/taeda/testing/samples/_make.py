"""What the families of samples are made with: `Sample`, the maker of its tensors, and the table of generators."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import taeda
from taeda.ops.registry import Op

__all__ = ["SAMPLERS", "Make", "Sample", "sampler"]


@dataclass(eq=False)
class Sample:
    """One call of an operation: what is passed, and what is special about it.

    Attributes:
        args: the positional arguments.
        kwargs: the arguments passed by name.
        note: what the sample is there for: "plain", "empty", "zero-dim" ...
        differentiable: names of the arguments whose gradient is worth checking; None for all that have one.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    note: str = "plain"
    differentiable: tuple[str, ...] | None = None

    def bound(self, row: Op) -> dict[str, Any]:
        """Return the arguments by their names in the schema, in its order; further keywords follow."""
        names = [argument.name for argument in row.schema.arguments if not argument.keyword_only]
        return dict(zip(names, self.args, strict=False)) | self.kwargs

    def map(self, convert: Callable[[Any], Any]) -> Sample:
        """Return the sample with each tensor, also those in lists, replaced by what ``convert`` makes of it."""

        def each(value: Any) -> Any:
            if isinstance(value, taeda.Tensor):
                return convert(value)
            if isinstance(value, (list, tuple)):
                return type(value)(each(entry) for entry in value)
            return value

        kwargs = {name: each(value) for name, value in self.kwargs.items()}
        return Sample(tuple(each(value) for value in self.args), kwargs, self.note, self.differentiable)


class Make:
    """Makes a sample's tensors: always the same ones for one operation and dtype.

    Numbers have three decimals, none occurs twice and none is a multiple of a quarter, so that there are no ties, and
    differences do not step over the usual kinks.
    """

    def __init__(self, seed: str, dtype: Any) -> None:
        self.dtype = dtype
        self.real = {taeda.complex64: taeda.float32, taeda.complex128: taeda.float64}.get(dtype, dtype)
        self._random = random.Random(seed)
        self._used: set[float] = set()

    def tensor(self, *shape: int, low: float = -2.0, high: float = 2.0, dtype: Any = None) -> Any:
        """Return a tensor of numbers between ``low`` and ``high``; integers go three times as far."""
        dtype = self.dtype if dtype is None else dtype
        count = math.prod(shape)
        if dtype == taeda.bool:
            values: list[Any] = [self._random.random() < 0.5 for _ in range(count)]
        elif dtype.is_complex:
            values = [complex(self._number(low, high), self._number(low, high)) for _ in range(count)]
        elif dtype.is_floating_point:
            values = [self._number(low, high) for _ in range(count)]
        else:
            lowest = max(math.ceil(3 * low), 0) if dtype == taeda.uint8 else math.ceil(3 * low)
            values = [self._random.randint(lowest, max(lowest, math.floor(3 * high))) for _ in range(count)]
        return taeda.tensor(values, dtype=dtype).reshape(shape)

    def _number(self, low: float, high: float) -> float:
        for _ in range(100):
            value = round(self._random.uniform(low, high), 3)
            if value not in self._used and value * 4 != round(value * 4):
                break
        self._used.add(value)
        return value

    def index(self, *shape: int, below: int, distinct: bool = False) -> Any:
        """Return int64 indices below ``below``; with ``distinct``, none occurs twice along the last dimension."""
        count = math.prod(shape)
        if distinct:
            rows = count // shape[-1] if count else 0
            values = [value for _ in range(rows) for value in self._random.sample(range(below), shape[-1])]
        else:
            values = [self._random.randrange(below) for _ in range(count)]
        return taeda.tensor(values, dtype=taeda.int64).reshape(shape)

    def mask(self, *shape: int) -> Any:
        return self.tensor(*shape, dtype=taeda.bool)

    def positive_definite(self, *batch: int, n: int) -> Any:
        """Return matrices with positive eigenvalues."""
        root = self.tensor(*batch, n, n)
        return root @ root.mT.conj() + n * taeda.eye(n, dtype=self.dtype)

    def number(self, low: float = -2.0, high: float = 2.0) -> Any:
        """Return a Python number that the maker's dtype can hold."""
        return self.tensor(low=low, high=high).item()


Generator = Callable[[Make, Op], Iterator[Sample]]

# The key of a row ("max.dim") or a name that covers all its rows ("max") -> what makes its samples.
SAMPLERS: dict[str, Generator] = {}


def sampler(*keys: str) -> Callable[[Generator], Generator]:
    """Return a decorator that makes a generator the source of samples for the rows of these keys."""

    def register(generator: Generator) -> Generator:
        for key in keys:
            if key in SAMPLERS:
                raise ValueError(f"{key} has samples already")
            SAMPLERS[key] = generator
        return generator

    return register
