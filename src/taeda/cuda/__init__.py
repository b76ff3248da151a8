"""taeda.cuda: what programs ask before they use a GPU. There is none: the questions are answered, the rest raises."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "set_device",
    "synchronize",
]


def is_available() -> bool:
    """Return False."""
    return False


def is_initialized() -> bool:
    """Return False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return False."""
    return False


def device_count() -> int:
    """Return 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Do nothing, as PyTorch without a GPU."""


def manual_seed_all(seed: int) -> None:
    """Do nothing, as PyTorch without a GPU."""


def empty_cache() -> None:
    """Do nothing, as PyTorch without a GPU."""


def memory_allocated(device: Any = None) -> int:
    """Return 0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """Return 0."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Return 0."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Do nothing."""


def _raising(name: str) -> None:
    def absent(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"cuda.{name}: taeda has no CUDA devices: this build runs on the cpu. Ask cuda.is_available() first"
        )

    absent.__name__ = absent.__qualname__ = name
    absent.__doc__ = "Raise RuntimeError: there is no CUDA device."
    globals()[name] = absent


for _name in ("current_device", "get_device_name", "set_device", "synchronize"):
    _raising(_name)
