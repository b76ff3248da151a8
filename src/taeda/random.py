"""Seeds and states of the default random number generator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from taeda import _C
from taeda._C import Generator, Tensor, default_generator

__all__ = [
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, so that what follows is reproducible, and return it.

    Args:
        seed: -2**63 <= seed < 2**64; a negative seed counts from 2**64.
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator from the system's entropy and return the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed that the default generator was last given."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Return the default generator's state as a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator to a state that ``get_rng_state`` returned."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices=None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:
    """Run the block with a copy of the generator's state: afterwards it is what it was before."""
    if not enabled:
        yield
        return
    state = _C.default_generator.get_state()
    try:
        yield
    finally:
        _C.default_generator.set_state(state)


def thread_safe_generator() -> Generator | None:
    """Return the generator of this thread if it is one of a data loader's, else None, which stands for the default generator.

    A ``DataLoader`` has processes and no threads, and each has a default generator of its own: it is always None.
    """
    return None
