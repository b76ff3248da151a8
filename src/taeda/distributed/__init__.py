"""taeda.distributed: what programs ask before they run in several processes. They run in one."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
]


def is_available() -> bool:
    """Return False: there is no communication between processes."""
    return False


def is_initialized() -> bool:
    """Return False."""
    return False


def is_gloo_available() -> bool:
    """Return False."""
    return False


def is_mpi_available() -> bool:
    """Return False."""
    return False


def is_nccl_available() -> bool:
    """Return False."""
    return False


def is_torchelastic_launched() -> bool:
    """Return False."""
    return False


def get_rank(group: Any = None) -> int:
    """Raise ValueError: no group of processes was set up."""
    raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")


def get_world_size(group: Any = None) -> int:
    """Raise ValueError: no group of processes was set up."""
    raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")


def init_process_group(*args: Any, **kwargs: Any) -> NoReturn:
    """Raise NotImplementedError: programs run in one process."""
    raise NotImplementedError("taeda has no distributed training: programs run in one process, on all its cores")
