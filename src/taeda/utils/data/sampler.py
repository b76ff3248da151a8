"""Samplers: in which order the indices of a data set come."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

import taeda

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

_T_co = TypeVar("_T_co", covariant=True)

# With replacement, indices are drawn in blocks of this size; a program's random numbers depend on it.
_DRAW_BLOCK = 32


class Sampler(Generic[_T_co]):
    """An iterable of indices (or of lists of indices): subclasses define ``__iter__``, and ``__len__`` where known."""

    def __iter__(self) -> Iterator[_T_co]:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


def _check_count(name: str, value) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


class SequentialSampler(Sampler[int]):
    """The indices 0, 1, 2, ...

    Args:
        data_source: the data set; only its length is used.
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Indices in random order.

    Args:
        data_source: the data set; only its length is used.
        replacement: draw each index independently.
        num_samples: how many indices; by default as many as the data set has. Without replacement, more than that
            means several permutations.
        generator: where they are drawn from; by default a new generator, seeded from the global one at each iteration.
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator=None
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got num_samples={self.num_samples}")

    @property
    def num_samples(self) -> int:
        """How many indices one iteration gives; the data set's present length unless it was set."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def _generator(self) -> taeda.Generator:
        if self.generator is not None:
            return self.generator
        generator = taeda.Generator()
        generator.manual_seed(int(taeda.empty((), dtype=taeda.int64).random_().item()))
        return generator

    def __iter__(self) -> Iterator[int]:
        n_source, n_samples, generator = len(self.data_source), self.num_samples, self._generator()
        if self.replacement:
            for _ in range(n_samples // _DRAW_BLOCK):
                yield from taeda.randint(n_source, (_DRAW_BLOCK,), dtype=taeda.int64, generator=generator).tolist()
            rest = n_samples % _DRAW_BLOCK
            yield from taeda.randint(n_source, (rest,), dtype=taeda.int64, generator=generator).tolist()
        else:
            for _ in range(n_samples // n_source):
                yield from taeda.randperm(n_source, generator=generator).tolist()
            # Drawn even where nothing of it is used: a generator that was passed in must be left as PyTorch leaves it.
            yield from taeda.randperm(n_source, generator=generator).tolist()[: n_samples % n_source]

    def index_tensor(self) -> taeda.Tensor | None:
        """All indices of one iteration at once, from the same random numbers; None where that is not one permutation."""
        if self.replacement or self.num_samples != len(self.data_source):
            return None
        generator = self._generator()
        indices = taeda.randperm(len(self.data_source), generator=generator)
        if self.generator is not None:
            taeda.randperm(len(self.data_source), generator=generator)
        return indices

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order.

    Args:
        indices: the indices.
        generator: where the order is drawn from; by default the global generator.
    """

    indices: Sequence[int]

    def __init__(self, indices: Sequence[int], generator=None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in taeda.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with given probabilities.

    Args:
        weights: one weight for each index; their sum need not be 1.
        num_samples: how many indices.
        replacement: draw each index independently; otherwise none comes twice.
        generator: where they are drawn from; by default the global generator.
    """

    weights: taeda.Tensor
    num_samples: int
    replacement: bool

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator=None) -> None:
        _check_count("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.weights = taeda.as_tensor(weights, dtype=taeda.double)
        if len(self.weights.shape) != 1:
            shape = tuple(self.weights.shape)
            raise ValueError(f"weights should be a 1d sequence but given weights have shape {shape}")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = taeda.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list]):
    """Lists of indices from another sampler.

    Args:
        sampler: the indices.
        batch_size: indices in a list.
        drop_last: leave out a last list that is shorter.
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_count("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        n_indices = len(self.sampler)  # type: ignore[arg-type]  # without a length it is the TypeError that is due
        return n_indices // self.batch_size if self.drop_last else -(-n_indices // self.batch_size)
