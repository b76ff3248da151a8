"""What a worker process knows about itself, and what it and its loader say to each other beside batches."""

from __future__ import annotations

from typing import Any


class WorkerInfo:
    """What `get_worker_info` returns in a worker: ``id``, ``num_workers``, ``seed`` and the worker's ``dataset``."""

    id: int
    num_workers: int
    seed: int
    dataset: Any

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise RuntimeError(f"Cannot assign attributes to {type(self).__name__} objects")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value}' for key, value in self.__dict__.items())})"


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """What a worker process is to know about itself; ``None`` in the main process."""
    return _worker_info


class Restart:
    """Says to a worker that the epoch with this number begins."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch


class StreamEnd:
    """Sent in the place of a batch when the stream of the worker with this number has no more samples."""

    def __init__(self, worker_id: int) -> None:
        self.worker_id = worker_id
