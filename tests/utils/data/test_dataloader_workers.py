"""Worker processes: batches, seeds, errors, and how they end."""

import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import taeda
from taeda.utils import data
from taeda.utils.data._utils import transport


class Function(data.Dataset):
    def __init__(self, n, function):
        self.n, self.function = n, function

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return self.function(index)


def wait_until(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- batches


def test_batches_come_in_order():
    def slow_first(index):
        if index < 2:
            time.sleep(0.2)
        return index

    loader = data.DataLoader(Function(9, slow_first), batch_size=2, num_workers=2)
    for _ in range(2):
        assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]
    slow_zero = Function(9, lambda index: time.sleep(0.3) or index if index == 0 else index)
    loose = data.DataLoader(slow_zero, batch_size=1, num_workers=2, in_order=False)
    found = [batch.item() for batch in loose]
    assert sorted(found) == list(range(9)) and found[0] != 0


@pytest.mark.parametrize("n_elements", [3, 100_000])
def test_tensors_of_every_kind_travel(n_elements):
    def sample(index):
        return {
            "float": taeda.full((n_elements,), float(index)),
            "half": taeda.full((n_elements,), float(index), dtype=taeda.bfloat16),
            "bool": taeda.ones(n_elements, dtype=taeda.bool),
            "complex": taeda.full((2, 2), 1j * index),
            "empty": taeda.zeros(0, 3),
            "scalar": taeda.tensor(index),
            "turned": taeda.arange(6).reshape(2, 3).t(),
            "array": np.full(n_elements, index, dtype=np.int16),
            "text": "x" * index,
        }

    for index, found in enumerate(data.DataLoader(Function(3, sample), batch_size=None, num_workers=1)):
        expected = data.default_convert(sample(index))
        for key, value in expected.items():
            if key == "text":
                assert found[key] == value
            else:
                assert found[key].dtype is value.dtype and found[key].shape == value.shape
                assert found[key].tolist() == value.tolist()
                found[key].fill_(1)


def test_shared_files_are_gone_afterwards():
    loader = data.DataLoader(Function(8, lambda index: taeda.zeros(100_000)), num_workers=2)
    iterator = iter(loader)
    prefix = iterator._pool.file_prefix
    next(iterator)
    del iterator
    gc.collect()
    assert not [name for name in os.listdir(transport.shared_folder()) if name.startswith(prefix)]


def test_a_full_file_system_falls_back_to_the_pipe(monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    (batch,) = data.DataLoader(Function(1, lambda index: taeda.arange(100_000)), batch_size=None, num_workers=1)
    assert batch.tolist() == list(range(100_000))


def test_streams_of_unequal_length():
    class Shares(data.IterableDataset):
        def __iter__(self):
            worker = data.get_worker_info()
            return iter([worker.id] * (2 * worker.id + 1))

    found = [batch.tolist() for batch in data.DataLoader(Shares(), num_workers=2, batch_size=2)]
    assert found == [[0], [1, 1], [1]]
    loader = data.DataLoader(Shares(), num_workers=2, batch_size=2, persistent_workers=True)
    assert [batch.tolist() for batch in loader] == [batch.tolist() for batch in loader] == found


def test_persistent_workers_stay():
    loader = data.DataLoader(
        Function(4, lambda index: os.getpid()), batch_size=None, num_workers=1, persistent_workers=True
    )
    first, second = set(loader), set(loader)
    assert first == second and len(first) == 1
    iterator = iter(loader)
    next(iterator)
    again = iter(loader)
    assert again is iterator and len(list(again)) == 4
    fresh = data.DataLoader(Function(4, lambda index: os.getpid()), batch_size=None, num_workers=1)
    assert set(fresh) != set(fresh)


def test_the_in_memory_data_set_in_workers():
    x = taeda.arange(10)
    taeda.manual_seed(0)
    loader = data.DataLoader(data.TensorDataset(x), batch_size=4, shuffle=True, num_workers=2)
    # Printed by torch.utils.data.DataLoader with the same arguments: workers do not change the order.
    assert [batch[0].tolist() for batch in loader] == [[6, 7, 1, 4], [2, 0, 9, 8], [3, 5]]


@pytest.mark.skipif(sys.platform == "win32", reason="fork only")
def test_spawned_workers(tmp_path):
    script = tmp_path / "spawn.py"
    script.write_text(
        textwrap.dedent(
            """
            import taeda
            from taeda.utils import data

            if __name__ == "__main__":
                dataset = data.TensorDataset(taeda.arange(5))
                loader = data.DataLoader(dataset, batch_size=2, num_workers=1, multiprocessing_context="spawn")
                print([batch[0].tolist() for batch in loader])
            """
        )
    )
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "[[0, 1], [2, 3], [4]]", result.stderr


# ---- seeds


def test_workers_draw_pytorchs_numbers():
    def draws(index):
        worker = data.get_worker_info()
        return index, worker.id, worker.seed, taeda.rand(1).item(), random.random(), np.random.rand()

    # Printed by the same program with torch, torch.manual_seed(0), num_workers=2.
    taeda.manual_seed(0)
    assert list(data.DataLoader(Function(4, draws), batch_size=None, num_workers=2)) == [
        [0, 0, 900450186894289455, 0.7821398973464966, 0.21315340548154382, 0.8371640508861415],
        [1, 1, 900450186894289456, 0.6938178539276123, 0.7733861492043289, 0.6702704958690073],
        [2, 0, 900450186894289455, 0.053598999977111816, 0.2764485855185723, 0.38757835109739946],
        [3, 1, 900450186894289456, 0.29795897006988525, 0.1634220007200502, 0.07589687641367027],
    ]
    assert data.get_worker_info() is None


def test_worker_init_fn_runs_before_the_first_sample():
    def start(worker_id):
        taeda.manual_seed(100 + worker_id)

    taeda.manual_seed(100)
    expected = taeda.rand(1).item()
    (found,) = data.DataLoader(
        Function(1, lambda index: taeda.rand(1).item()), batch_size=None, num_workers=1, worker_init_fn=start
    )
    assert found == expected


def test_large_tasks_and_large_batches_do_not_wait_for_each_other():
    indices = [list(range(40_000))] * 12

    class Text(data.Dataset):
        def __getitems__(self, batch):
            return ["x" * 300_000, len(batch)]

    loader = data.DataLoader(Text(), batch_sampler=indices, collate_fn=list, num_workers=1, prefetch_factor=6)
    assert [batch[1] for batch in loader] == [40_000] * 12


def test_worker_info():
    def info(index):
        worker = data.get_worker_info()
        try:
            worker.id = 5
        except RuntimeError as error:
            return worker.num_workers, len(worker.dataset), str(error), taeda.get_num_threads()

    (found,) = data.DataLoader(Function(1, info), batch_size=None, num_workers=1)
    assert found == [1, 1, "Cannot assign attributes to WorkerInfo objects", 1]


# ---- errors


@pytest.mark.parametrize(
    ("error", "raised_type"),
    [
        (KeyError("key"), KeyError),
        (ValueError("value"), ValueError),
        (UnicodeDecodeError("utf8", b"", 0, 1, "x"), RuntimeError),
    ],
)
def test_errors_come_back_with_their_traceback(error, raised_type):
    def fail(index):
        raise error

    with pytest.raises(raised_type) as raised:
        list(data.DataLoader(Function(1, fail), num_workers=1))
    text = str(raised.value)
    assert text.startswith(f"Caught {type(error).__name__} in DataLoader worker process 0.\nOriginal Traceback")
    assert "in fail" in text and "raise error" in text


def test_iteration_goes_on_after_an_error():
    def sometimes(index):
        if index == 1:
            raise ValueError("bad sample")
        return index

    iterator = iter(data.DataLoader(Function(3, sometimes), batch_size=None, num_workers=1))
    assert next(iterator) == 0
    with pytest.raises(ValueError, match="bad sample"):
        next(iterator)
    assert next(iterator) == 2


def test_an_error_of_worker_init_fn():
    def start(worker_id):
        raise ZeroDivisionError("in init")

    with pytest.raises(ZeroDivisionError, match="Caught ZeroDivisionError in DataLoader worker process 0"):
        list(data.DataLoader([1], num_workers=1, worker_init_fn=start))


def test_a_batch_that_cannot_be_sent():
    with pytest.raises(Exception, match="in DataLoader worker process 0 while sending a batch"):
        list(data.DataLoader(Function(1, lambda index: lambda: 1), batch_size=None, num_workers=1))


def test_a_killed_worker_is_reported_at_once():
    def die(index):
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    started = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly"):
        list(data.DataLoader(Function(8, die), batch_size=None, num_workers=2))
    assert time.monotonic() - started < 10


def test_a_worker_that_exits_is_reported():
    with pytest.raises(RuntimeError, match=r"exited unexpectedly\n  worker process \d+ exited with code 3"):
        list(data.DataLoader(Function(1, lambda index: os._exit(3)), num_workers=1))


def test_timeout():
    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.2 seconds"):
        list(data.DataLoader(Function(1, lambda index: time.sleep(3)), num_workers=1, timeout=0.2))


# ---- the end


def test_workers_end_with_their_iterator():
    loader = data.DataLoader(Function(1000, lambda index: index), num_workers=2)
    iterator = iter(loader)
    next(iterator)
    pids = [process.pid for process in iterator._workers]
    assert all(is_running(pid) for pid in pids)
    started = time.monotonic()
    del iterator
    gc.collect()
    # Reaped, not only ended: no zombies.
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    assert time.monotonic() - started < 5


def test_workers_blocked_in_sending_end_too():
    loader = data.DataLoader(Function(1000, lambda index: "x" * 1_000_000), batch_size=None, num_workers=1)
    iterator = iter(loader)
    next(iterator)
    time.sleep(0.3)
    started = time.monotonic()
    iterator._shutdown_workers()
    assert not any(process.is_alive() for process in iterator._workers)
    assert time.monotonic() - started < 4


def test_workers_end_when_the_main_process_is_killed(tmp_path):
    script = tmp_path / "orphans.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            import taeda
            from taeda.utils import data

            class Slow(data.Dataset):
                def __len__(self):
                    return 10**6

                def __getitem__(self, index):
                    return "x" * 100_000

            iterator = iter(data.DataLoader(Slow(), num_workers=2))
            next(iterator)
            print(*[process.pid for process in iterator._workers], flush=True)
            time.sleep(60)
            """
        )
    )
    main = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in main.stdout.readline().split()]
    assert len(pids) == 2 and all(is_running(pid) for pid in pids)
    main.kill()
    main.wait()
    main.stdout.close()
    assert wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_the_program_ends_while_workers_run(tmp_path):
    script = tmp_path / "ends.py"
    script.write_text(
        textwrap.dedent(
            """
            import taeda
            from taeda.utils import data

            iterator = iter(data.DataLoader(list(range(1000)), num_workers=2))
            next(iterator)
            print("done", flush=True)
            """
        )
    )
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


def test_an_iterator_inherited_by_a_fork_leaves_the_workers_alone():
    iterator = iter(data.DataLoader(Function(20, lambda index: index), batch_size=None, num_workers=1))
    next(iterator)
    pid = os.fork()
    if pid == 0:
        iterator.__del__()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert list(iterator) == list(range(1, 20))
