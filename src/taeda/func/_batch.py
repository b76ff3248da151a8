"""Batched tensors: one slice's view of a tensor that holds a whole batch (the data of `vmap`).

A batched tensor of level k looks like one sample; its `Batch` holds the tensor with all samples and says which dimension counts
them. Calls on it go to the batching rules of `taeda.func._rules`. Levels nest: the samples may themselves be batched, of lower levels.
"""

from __future__ import annotations

from typing import Any

import taeda
from taeda import _C, _wrapped

__all__ = ["Batch", "Level", "batch_of", "inside", "levels", "outside", "unwrap", "wrap"]


class Level:
    """One `vmap` that is running."""

    __slots__ = ("batch_size", "number", "randomness")

    def __init__(self, number: int, batch_size: int, randomness: str) -> None:
        self.number = number
        self.batch_size = batch_size
        self.randomness = randomness


# Those that are running, outermost first. While a rule runs, those from its own level on are taken off (see `outside`).
levels: list[Level] = []


class Batch(_wrapped.Wrapper):
    """All the samples of which a batched tensor shows one."""

    __slots__ = ("dim", "level", "value")

    def __init__(self, value: Any, dim: int, level: Level) -> None:
        self.value = value
        self.dim = dim
        self.level = level

    @property
    def rank(self) -> float:  # type: ignore[override]
        return self.level.number

    @property
    def device(self) -> Any:  # type: ignore[override]
        return self.value.device

    def intercept(self, op: Any, form: str, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
        return intercept(self.level, op, form, arguments, outs)

    def item(self, tensor: Any) -> Any:
        raise RuntimeError(
            "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, please "
            "try to rewrite what you're doing with other operations. If error is occurring somewhere inside PyTorch internals, "
            f"please file a bug report.\n  the tensor has shape {tuple(tensor.shape)} in each sample; a branch on its value can be "
            "written with taeda.where"
        )

    def tolist(self, tensor: Any) -> Any:
        raise RuntimeError(
            f"vmap: tolist() needs the values of one sample; the tensor stands for {self.level.batch_size} of them"
        )

    def __repr__(self) -> str:
        return f"BatchedTensor(lvl={self.level.number}, bdim={self.dim}, value={self.value!r})"


def wrap(value: Any, dim: int, level: Level, base: Any = None, base_value: Any = None) -> Any:
    """Return the batched tensor of the samples along ``dim`` of ``value``.

    Args:
        base: the batched tensor that this is a view of, if the samples share memory with those of ``base_value``, its own.
    """
    dim %= value.ndim
    return _C._wrap_sample(Batch(value, dim, level), value, dim, base, base_value)


def batch_of(tensor: Any, level: Level) -> Batch | None:
    """Return what stands for ``tensor`` at this level; None where it is the same for all samples."""
    wrapper = _C._wrapper_of(tensor)
    return wrapper if isinstance(wrapper, Batch) and wrapper.level is level else None


def unwrap(value: Any, level: Level) -> tuple[Any, Any]:
    """Return the samples and their dimension; for lists: of each tensor; for other values the value and None."""
    if isinstance(value, taeda.Tensor):
        batch = batch_of(value, level)
        return (value, None) if batch is None else (batch.value, batch.dim)
    if isinstance(value, list | tuple) and any(isinstance(item, taeda.Tensor) for item in value):
        pairs = [unwrap(item, level) for item in value]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return value, None


class inside:
    """A context in which a level is the innermost that runs."""

    __slots__ = ("level",)

    def __init__(self, level: Level) -> None:
        self.level = level

    def __enter__(self) -> None:
        levels.append(self.level)
        _C._intercept_random(1)

    def __exit__(self, *error: object) -> None:
        levels.pop()
        _C._intercept_random(-1)


class outside:
    """A context in which a level and those inside it are out of the way."""

    __slots__ = ("above",)

    def __init__(self, level: Level) -> None:
        self.above = [other for other in levels if other.number >= level.number]

    def __enter__(self) -> None:
        del levels[len(levels) - len(self.above) :]
        _C._intercept_random(-len(self.above))

    def __exit__(self, *error: object) -> None:
        levels.extend(self.above)
        _C._intercept_random(len(self.above))


def intercept(level: Level, op: Any, form: str, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
    """Run an operation's batching rule outside of its level."""
    from taeda.func import _rules

    with outside(level):
        return _rules.apply(level, op, form, arguments, outs)


def _intercept_random(op: Any, form: str, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
    return intercept(levels[-1], op, form, arguments, outs)


_wrapped.set_random_interceptor(_intercept_random)
