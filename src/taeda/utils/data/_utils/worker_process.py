"""The loop of a worker process: take the indices of a batch, make the batch, send it."""

from __future__ import annotations

import os
import queue
import random
import threading
from dataclasses import dataclass, field
from typing import Any

import taeda
from taeda.utils.data._utils import MP_STATUS_CHECK_INTERVAL, transport, worker
from taeda.utils.data._utils.errors import ExceptionWrapper


@dataclass
class WorkerTask:
    """Everything that a worker process is started with."""

    worker_id: int
    num_workers: int
    dataset_kind: int
    dataset: Any
    auto_collation: bool
    collate_fn: Any
    drop_last: bool
    base_seed: int
    init_fn: Any
    tasks: Any  # the reading end of a pipe: (number, indices), Restart, or None, which ends the worker
    results: Any  # the writing end of a pipe
    file_prefix: str
    parent_id: int
    # Ends of pipes that a forked process inherits and must not hold open.
    foreign_ends: list = field(default_factory=list)


def _seed_everything(task: WorkerTask) -> int:
    import numpy

    seed = task.base_seed + task.worker_id
    random.seed(seed)
    taeda.manual_seed(seed)
    # NumPy takes 32 bits only, and neighbouring seeds must not give related numbers: its own mixing spreads them.
    words = [task.worker_id, task.base_seed & 0xFFFFFFFF, task.base_seed >> 32, 0]
    numpy.random.seed(numpy.random.SeedSequence(words).generate_state(4))
    return seed


def worker_loop(task: WorkerTask) -> None:
    """Run until told to stop, or until the loader's process is gone."""
    for end in task.foreign_ends:
        end.close()
    # The parent's pool of threads does not survive a fork, and processes are the parallelism here.
    taeda.set_num_threads(1)
    try:
        seed = _seed_everything(task)
        worker._worker_info = worker.WorkerInfo(
            id=task.worker_id, num_workers=task.num_workers, seed=seed, dataset=task.dataset
        )
        _Worker(task).run()
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        # The main process reports the interrupt; a closed pipe says that nobody wants the batch any more.
        pass
    finally:
        if not _parent_is_alive(task):
            transport.remove_files(task.file_prefix)


def _parent_is_alive(task: WorkerTask) -> bool:
    return os.getppid() == task.parent_id


def _receive_tasks(pipe: Any, tasks: queue.SimpleQueue) -> None:
    """Move tasks from the pipe into a queue until the end.

    A thread of its own does this, so that the loader never waits with a task while this process waits with a batch.
    """
    message: Any = ...
    while message is not None:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            message = None
        tasks.put(message)


class _Worker:
    def __init__(self, task: WorkerTask) -> None:
        self.task = task
        self.where = f"in DataLoader worker process {task.worker_id}"
        self.epoch = 0
        self.fetcher: Any = None
        self.stream_ended = False
        self.start_error: ExceptionWrapper | None = None
        self.tasks: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=_receive_tasks, args=(task.tasks, self.tasks), daemon=True).start()
        try:
            if task.init_fn is not None:
                task.init_fn(task.worker_id)
            self.make_fetcher()
        except Exception:
            # Told in the place of the first batch.
            self.start_error = ExceptionWrapper(where=self.where)

    def make_fetcher(self) -> None:
        from taeda.utils.data.dataloader import _DatasetKind

        task = self.task
        self.fetcher = _DatasetKind.create_fetcher(
            task.dataset_kind, task.dataset, task.auto_collation, task.collate_fn, task.drop_last
        )

    def run(self) -> None:
        while _parent_is_alive(self.task):
            try:
                message = self.tasks.get(timeout=MP_STATUS_CHECK_INTERVAL)
            except queue.Empty:
                # The pipe ends with the loader's process, unless another process that it forked holds it open too.
                continue
            if message is None:
                return
            if isinstance(message, worker.Restart):
                self.restart(message)
            elif not self.stream_ended:
                number, indices = message
                self.send(number, self.make_batch(indices))

    def restart(self, message: worker.Restart) -> None:
        self.epoch = message.epoch
        self.stream_ended = False
        try:
            self.make_fetcher()
        except Exception:
            self.start_error = ExceptionWrapper(where=self.where)

    def make_batch(self, indices: Any) -> Any:
        if self.start_error is not None:
            error, self.start_error = self.start_error, None
            return error
        try:
            return self.fetcher.fetch(indices)
        except Exception as error:
            from taeda.utils.data.dataloader import _DatasetKind

            if isinstance(error, StopIteration) and self.task.dataset_kind == _DatasetKind.Iterable:
                self.stream_ended = True
                return worker.StreamEnd(self.task.worker_id)
            return ExceptionWrapper(where=self.where)

    def send(self, number: int, batch: Any) -> None:
        try:
            message = transport.dump((self.epoch, number, batch), self.task.file_prefix)
        except Exception:
            error = ExceptionWrapper(where=f"{self.where} while sending a batch")
            message = transport.dump((self.epoch, number, error), self.task.file_prefix)
        self.task.results.send_bytes(message)
