"""The loader: an iterable over batches of a data set, made here or in worker processes."""

from __future__ import annotations

import itertools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import taeda
from taeda.utils.data._utils import collate, fetch, in_memory, worker
from taeda.utils.data._utils.errors import ExceptionWrapper
from taeda.utils.data.dataset import Dataset, IterableDataset
from taeda.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["DataLoader"]

_T_co = TypeVar("_T_co", covariant=True)

_FIXED_AFTER_INIT = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class _DatasetKind:
    """Whether samples are found by index or come from a stream."""

    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(kind: int, dataset, auto_collation: bool, collate_fn: Callable, drop_last: bool):
        """What gets the samples of a data set of that kind."""
        cls = fetch._MapDatasetFetcher if kind == _DatasetKind.Map else fetch._IterableDatasetFetcher
        return cls(dataset, auto_collation, collate_fn, drop_last)


class _InfiniteConstantSampler(Sampler):
    """The sampler of a stream: nothing but that there is one more sample to take."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader(Generic[_T_co]):
    """An iterable over the batches of a data set.

    Args:
        dataset: a `Dataset` or `IterableDataset`, or anything with ``__getitem__`` and ``__len__``.
        batch_size: samples in a batch; ``None`` gives single samples.
        shuffle: a new random order for every iteration.
        sampler: the order of indices instead.
        batch_sampler: lists of indices instead.
        num_workers: processes that make batches beside this one; 0 makes them here.
        collate_fn: makes a batch of a list of samples; by default `default_collate`.
        pin_memory: accepted; without an accelerator it does nothing.
        drop_last: leave out a last batch that is shorter.
        timeout: seconds to wait for a batch of a worker; 0 waits for ever.
        worker_init_fn: called in each worker with its number.
        multiprocessing_context: a start method's name, or a context; by default that of `multiprocessing`.
        generator: where the order and the workers' seeds are drawn from; by default the global generator.
        prefetch_factor: batches that each worker makes ahead; 2 by default.
        persistent_workers: keep the workers from one iteration to the next.
        pin_memory_device: accepted; it does nothing.
        in_order: give batches in the order of the sampler; otherwise as workers finish them.

    Edge cases:
        Batches of a `TensorDataset` are taken from its tensors at once; they are new tensors all the same.
    """

    dataset: Dataset
    batch_size: int | None
    num_workers: int
    pin_memory: bool
    drop_last: bool
    timeout: float
    sampler: Sampler | Iterable
    pin_memory_device: str
    prefetch_factor: int | None
    _iterator: _BaseDataLoaderIter | None = None
    __initialized = False

    def __init__(
        self,
        dataset: Dataset[_T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler[list] | Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_worker_options(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order

        if isinstance(dataset, IterableDataset):
            self._dataset_kind = _DatasetKind.Iterable
            _check_stream_options(shuffle, sampler, batch_sampler)
        else:
            self._dataset_kind = _DatasetKind.Map
            shuffle = bool(shuffle)
        _check_batch_options(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None:
            sampler = self._default_sampler(shuffle, generator)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        if collate_fn is None:
            collate_fn = collate.default_collate if self._auto_collation else collate.default_convert
        self.collate_fn = collate_fn
        self.persistent_workers = persistent_workers
        self.__initialized = True
        self._IterableDataset_len_called: int | None = None
        self._iterator = None
        self.check_worker_number_rationality()

    def _default_sampler(self, shuffle, generator) -> Sampler:
        if self._dataset_kind == _DatasetKind.Iterable:
            return _InfiniteConstantSampler()
        if shuffle:
            return RandomSampler(self.dataset, generator=generator)
        return SequentialSampler(self.dataset)

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__initialized and name in _FIXED_AFTER_INIT:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self) -> Any:
        """The context that workers are started in; ``None`` for the default one."""
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            import multiprocessing

            if self.num_workers <= 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                    f"num_workers={self.num_workers}"
                )
            if isinstance(context, str):
                methods = multiprocessing.get_all_start_methods()
                if context not in methods:
                    raise ValueError(
                        "multiprocessing_context option should specify a valid start method in "
                        f"{methods!r}, but got multiprocessing_context={context!r}"
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, multiprocessing.context.BaseContext):
                raise TypeError(
                    "multiprocessing_context option should be a valid context object or a string specifying the start "
                    f"method, but got multiprocessing_context={context}"
                )
        self.__multiprocessing_context = context

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self):
        """What one batch's indices (or one sample's index) come from."""
        return self.batch_sampler if self._auto_collation else self.sampler

    def _get_iterator(self) -> _BaseDataLoaderIter:
        if self.num_workers == 0:
            batches = in_memory.in_memory_batches(self)
            if batches is not None:
                return _InMemoryDataLoaderIter(self, batches)
            return _SingleProcessDataLoaderIter(self)
        self.check_worker_number_rationality()
        return _MultiProcessingDataLoaderIter(self)

    def __iter__(self) -> _BaseDataLoaderIter:
        if not (self.persistent_workers and self.num_workers > 0):
            return self._get_iterator()
        if self._iterator is None:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def __len__(self) -> int:
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        # Remembered, so that a stream that turns out longer can be told apart from one that never named its length.
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warn when there are more workers than processors."""
        if not self.num_workers:
            return
        n_processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        if n_processors is not None and self.num_workers > n_processors:
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested max number "
                f"of worker in current system is {n_processors}, which is smaller than what this DataLoader is going "
                "to create. Please be aware that excessive worker creation might get DataLoader running slow or even "
                "freeze, lower the worker number to avoid potential slowness/freeze if necessary.",
                stacklevel=3,
            )


def _check_worker_options(num_workers, timeout, prefetch_factor, persistent_workers) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_batch_options(batch_size, shuffle, sampler, batch_sampler, drop_last) -> None:
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")


def _check_stream_options(shuffle, sampler, batch_sampler) -> None:
    phrase = "DataLoader with IterableDataset: expected unspecified {0} option, but got {0}={1}"
    if shuffle not in (None, False):
        raise ValueError(phrase.format("shuffle", shuffle))
    if sampler is not None:
        raise ValueError(phrase.format("sampler", sampler))
    if batch_sampler is not None:
        raise ValueError(phrase.format("batch_sampler", batch_sampler))


class _BaseDataLoaderIter:
    """One iteration over a loader's batches."""

    def __init__(self, loader: DataLoader) -> None:
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._auto_collation = loader._auto_collation
        self._drop_last = loader.drop_last
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._collate_fn = loader.collate_fn
        self._persistent_workers = loader.persistent_workers
        self._stated_length = loader._IterableDataset_len_called
        self._num_yielded = 0
        self._sampler_iter = iter(self._index_sampler)
        # Drawn even where no worker needs it: the program's later random numbers are to be PyTorch's.
        self._base_seed = taeda.empty((), dtype=taeda.int64).random_(generator=loader.generator).item()
        if loader.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be "
                "used.",
                stacklevel=4,
            )

    def _reset(self, loader: DataLoader) -> None:
        """Begin anew with the same workers."""
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._stated_length = loader._IterableDataset_len_called

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def _next_index(self) -> Any:
        return next(self._sampler_iter)

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __next__(self) -> Any:
        data = self._next_data()
        self._num_yielded += 1
        if self._stated_length is not None and self._num_yielded > self._stated_length:
            self._warn_about_length()
        return data

    def _warn_about_length(self) -> None:
        text = (
            f"Length of IterableDataset {self._dataset} was reported to be {self._stated_length}(when accessing "
            f"len(dataloader)), but {self._num_yielded} samples have been fetched. "
        )
        if self._num_workers > 0:
            text += (
                "For multiprocessing data-loading, this could be caused by not properly configuring the "
                "IterableDataset replica at each worker: get_worker_info() tells a worker which share is its own."
            )
        warnings.warn(text, stacklevel=3)

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __getstate__(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Makes each batch when it is asked for."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        self._dataset_fetcher = _DatasetKind.create_fetcher(
            self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn, self._drop_last
        )

    def _next_data(self) -> Any:
        return self._dataset_fetcher.fetch(self._next_index())


class _InMemoryDataLoaderIter(_BaseDataLoaderIter):
    """Takes batches from tensors at once."""

    def __init__(self, loader: DataLoader, batches: Iterator[list]) -> None:
        super().__init__(loader)
        self._batches = batches

    def __next__(self) -> list:
        return next(self._batches)


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Lets workers make batches ahead, and gives them out in order."""

    def __init__(self, loader: DataLoader) -> None:
        # Programs without workers are spared the imports.
        import multiprocessing

        from taeda.utils.data._utils.processes import WorkerPool

        super().__init__(loader)
        self._timeout = loader.timeout
        self._in_order = loader.in_order
        self._prefetch_factor: int = loader.prefetch_factor  # type: ignore[assignment]  # set where there are workers
        self._is_shut_down = False
        self._epoch = 0
        context = loader.multiprocessing_context or multiprocessing.get_context()
        self._pool = WorkerPool(
            context,
            self._num_workers,
            dataset_kind=self._dataset_kind,
            dataset=self._dataset,
            auto_collation=self._auto_collation,
            collate_fn=self._collate_fn,
            drop_last=self._drop_last,
            base_seed=self._base_seed,
            init_fn=loader.worker_init_fn,
        )
        self._workers = self._pool.processes
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._next_to_send = 0
        self._next_to_give = 0
        # For each batch that was asked for and not given out: its worker, and the batch once it is here.
        self._worker_of: dict[int, int] = {}
        self._arrived: dict[int, Any] = {}
        self._is_active = [True] * self._num_workers
        self._n_pending = [0] * self._num_workers
        self._turn = itertools.cycle(range(self._num_workers))
        for _ in range(self._prefetch_factor * self._num_workers):
            self._ask_for_batch()

    def _reset(self, loader: DataLoader) -> None:
        super()._reset(loader)
        # What workers still send of the last epoch carries its number and is let go.
        self._epoch += 1
        for worker_id in range(self._num_workers):
            self._pool.put(worker_id, worker.Restart(self._epoch))
        self._begin_epoch()

    def _ask_for_batch(self) -> None:
        """Give the next batch's indices to the worker whose turn it is."""
        most_pending = self._prefetch_factor * self._num_workers // max(1, sum(self._is_active))
        for worker_id in itertools.islice(self._turn, self._num_workers):
            if self._is_active[worker_id] and (self._in_order or self._n_pending[worker_id] < most_pending):
                break
        else:
            return
        try:
            indices = self._next_index()
        except StopIteration:
            return
        number = self._next_to_send
        self._next_to_send += 1
        self._worker_of[number] = worker_id
        self._n_pending[worker_id] += 1
        self._pool.put(worker_id, (number, indices))

    def _next_data(self) -> Any:
        while True:
            self._skip_batches_of_ended_streams()
            if not self._worker_of:
                if not self._persistent_workers:
                    self._shutdown_workers()
                raise StopIteration
            if self._next_to_give in self._arrived:
                number = self._next_to_give
                return self._give(number, self._arrived.pop(number))
            number, data = self._receive()
            self._n_pending[self._worker_of[number]] -= 1
            if isinstance(data, worker.StreamEnd):
                self._is_active[data.worker_id] = False
                if not self._persistent_workers:
                    self._pool.stop(data.worker_id)
                del self._worker_of[number]
                self._ask_for_batch()
            elif number == self._next_to_give or not self._in_order:
                return self._give(number, data)
            else:
                self._arrived[number] = data

    def _skip_batches_of_ended_streams(self) -> None:
        """Let go of batches that a worker was asked for and cannot make, because its stream ended before them."""
        while self._next_to_give < self._next_to_send:
            number = self._next_to_give
            worker_id = self._worker_of.get(number)
            if worker_id is not None and (number in self._arrived or self._is_active[worker_id]):
                return
            self._worker_of.pop(number, None)
            self._next_to_give += 1

    def _give(self, number: int, data: Any) -> Any:
        del self._worker_of[number]
        if number == self._next_to_give:
            self._next_to_give += 1
        self._ask_for_batch()
        if isinstance(data, ExceptionWrapper):
            data.reraise()
        return data

    def _receive(self) -> tuple[int, Any]:
        """The next batch that any worker sends; an error when one is dead, or when it takes too long."""
        deadline = time.monotonic() + self._timeout if self._timeout > 0 else None
        waiting = {worker_id for worker_id in self._worker_of.values() if self._is_active[worker_id]}
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                message = self._pool.receive(waiting, left)
            except RuntimeError:
                self._shutdown_workers()
                raise
            if message is None:
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
            epoch, number, data = message
            if epoch == self._epoch:
                return number, data

    def _shutdown_workers(self) -> None:
        if not self._is_shut_down:
            self._is_shut_down = True
            self._pool.shut_down()

    def __del__(self) -> None:
        # At the interpreter's end the modules that this needs may be gone; daemons are ended by multiprocessing then.
        if not sys.is_finalizing() and hasattr(self, "_pool"):
            self._shutdown_workers()
