"""The loader's side of its worker processes: starting them, noticing their death, and ending them.

Each worker has a pipe for tasks and a pipe for results of its own. Nothing is shared between workers, so that one that
is killed at any point leaves no lock behind which another process, or the loader, would wait for ever; and no thread
works for the loader here, because an iterator may be collected, and its workers ended, in any thread.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from multiprocessing.connection import wait
from typing import Any

from taeda.utils.data._utils import transport
from taeda.utils.data._utils.worker_process import WorkerTask, worker_loop

# How long workers may take to finish the batch that they are at before they are ended.
_GRACE_SECONDS = 5.0


class WorkerPool:
    """A loader's worker processes.

    Args:
        context: a multiprocessing context.
        num_workers: how many.
        **common: the fields of `WorkerTask` that are the same for all of them.
    """

    def __init__(self, context: Any, num_workers: int, **common: Any) -> None:
        self.parent_id = os.getpid()
        self.file_prefix = f"taeda_{self.parent_id}_{os.urandom(6).hex()}_"
        self.processes: list = []
        self.task_pipes: list = []  # writing ends
        self.pipes: list = []  # reading ends, of results
        is_fork = context.get_start_method() == "fork"
        try:
            for worker_id in range(num_workers):
                self._start(context, worker_id, is_fork, {**common, "num_workers": num_workers})
        except BaseException:
            self.shut_down()
            raise

    def _start(self, context: Any, worker_id: int, is_fork: bool, common: dict[str, Any]) -> None:
        task_reader, task_writer = context.Pipe(duplex=False)
        reader, writer = context.Pipe(duplex=False)
        self.task_pipes.append(task_writer)
        self.pipes.append(reader)
        task = WorkerTask(
            worker_id=worker_id,
            tasks=task_reader,
            results=writer,
            file_prefix=self.file_prefix,
            parent_id=self.parent_id,
            foreign_ends=[*self.task_pipes, *self.pipes] if is_fork else [],
            **common,
        )
        process = context.Process(target=worker_loop, args=(task,), daemon=True)
        process.start()
        self.processes.append(process)
        # With these ends in the worker only, its death breaks both pipes.
        task_reader.close()
        writer.close()

    def put(self, worker_id: int, message: Any) -> None:
        """Give a worker a task."""
        try:
            self.task_pipes[worker_id].send(message)
        except (BrokenPipeError, ConnectionResetError):
            # The worker is dead: reported when its next batch is waited for.
            return

    def receive(self, worker_ids: Iterable[int], timeout: float | None) -> Any:
        """The next message of any of these workers; None when ``timeout`` seconds passed without one."""
        pipes = {self.pipes[i]: i for i in worker_ids}
        sentinels = [self.processes[i].sentinel for i in pipes.values()]
        ready = wait([*pipes, *sentinels], timeout)
        if not ready:
            return None
        for pipe in ready:
            if pipe in pipes:
                try:
                    return transport.load(pipe.recv_bytes())  # type: ignore[union-attr]
                except (EOFError, ConnectionResetError):
                    break
        # Only after every message that was sent has been read does a worker's end matter.
        for pipe in pipes:
            if pipe.poll():
                try:
                    return transport.load(pipe.recv_bytes())  # type: ignore[union-attr]
                except (EOFError, ConnectionResetError):
                    continue
        self._raise_worker_death()

    def _raise_worker_death(self) -> None:
        """Report workers that are gone though nobody ended them."""
        deadline = time.monotonic() + 1.0
        while not (dead := [process for process in self.processes if not process.is_alive()]):
            # A pipe closes a moment before its process is gone.
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        ids = ", ".join(str(process.pid) for process in dead)
        lines = [f"DataLoader worker (pid(s) {ids}) exited unexpectedly"]
        for process in dead:
            lines.append(f"  worker process {process.pid} {_how_it_ended(process.exitcode)}")
        if any(process.exitcode in (-signal.SIGKILL, -signal.SIGBUS) for process in dead):
            lines.append("  hint: the system may have run out of memory (dmesg tells); fewer workers need less")
        raise RuntimeError("\n".join(lines))

    def stop(self, worker_id: int) -> None:
        """Tell a worker to end after the tasks that it has."""
        self.put(worker_id, None)

    def shut_down(self) -> None:
        """End all workers, wait for them, and remove what they left."""
        if os.getpid() != self.parent_id:
            # A forked process holds a copy of this object; the workers are not its children.
            return
        for pipe in self.task_pipes:
            try:
                # A worker that does not even take tasks must not hold this up.
                os.set_blocking(pipe.fileno(), False)
                pipe.send(None)
            except OSError:
                continue
            finally:
                pipe.close()
        # A worker that is blocked in sending a batch finds the pipe broken.
        for pipe in self.pipes:
            pipe.close()
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in self.processes:
            if process.is_alive():
                process.terminate()
                process.join(_GRACE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
        transport.remove_files(self.file_prefix)


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is None:
        return "closed its pipe"
    if exit_code >= 0:
        return f"exited with code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = str(-exit_code)
    return f"is killed by signal: {name}"
