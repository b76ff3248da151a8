"""Batches of a `TensorDataset` (or of a `Subset` of one), taken from its tensors at once instead of row by row.

What comes out is what fetching and collating would give: new tensors, in the same order, from the same random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import taeda
from taeda.utils.data._utils import collate
from taeda.utils.data.dataset import Subset, TensorDataset
from taeda.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler


def in_memory_batches(loader) -> Iterator[list] | None:
    """An iterator over the loader's batches; None where the loader's samples are more than rows of tensors."""
    if loader.collate_fn is not collate.default_collate or not loader._auto_collation:
        return None
    # A program may have said what becomes of tensors in a batch.
    if collate.default_collate_fn_map.get(taeda.Tensor) is not collate.collate_tensor_fn:
        return None
    dataset = loader.dataset
    while type(dataset) is Subset:
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or any(type(tensor) is not taeda.Tensor for tensor in dataset.tensors):
        return None
    return _batches(loader, dataset.tensors)


def _batches(loader, tensors: tuple) -> Iterator[list]:
    batch_sampler = loader.batch_sampler
    sampler = getattr(batch_sampler, "sampler", None)
    rows = _row_numbers(loader.dataset)
    whole = None
    if type(batch_sampler) is BatchSampler:
        if type(sampler) is SequentialSampler and sampler.data_source is loader.dataset:
            whole = rows if rows is not None else range(len(loader.dataset))
        elif type(sampler) is RandomSampler and sampler.data_source is loader.dataset:
            whole = sampler.index_tensor()
            if whole is not None and rows is not None:
                whole = rows[whole]
    if whole is None:
        # Any other sampler is asked batch by batch: it may depend on what the program does in between.
        for indices in batch_sampler:
            index = taeda.tensor(list(map(int, indices)), dtype=taeda.int64)
            yield [tensor[index if rows is None else rows[index]] for tensor in tensors]
        return
    yield from _slices_of(whole, tensors, batch_sampler)


def _slices_of(whole, tensors: tuple, batch_sampler: BatchSampler) -> Iterator[list]:
    """The batches when all row numbers are known beforehand: a range, or a tensor of numbers."""
    batch_size, n_rows = batch_sampler.batch_size, len(whole)
    end = n_rows - n_rows % batch_size if batch_sampler.drop_last else n_rows
    take = _batch_taker(tensors)
    is_range = isinstance(whole, range)
    if take is not None:
        index = None if is_range else whole
        for start in range(0, end, batch_size):
            yield take(tensors, index, start, min(start + batch_size, end))
    elif is_range:
        for start in range(0, end, batch_size):
            # Copies: a program may write into a batch, and that must not change the data set.
            yield [tensor[start : min(start + batch_size, end)].clone() for tensor in tensors]
    else:
        for start in range(0, end, batch_size):
            index = whole[start : min(start + batch_size, end)]
            yield [tensor[index] for tensor in tensors]


def _batch_taker(tensors: tuple) -> Callable | None:
    """The core's function that takes a batch of rows from all tensors in one call; None where it does not apply."""
    take = getattr(getattr(getattr(taeda, "_C", None), "loading", None), "take_rows", None)
    if take is None:
        return None
    plain = all(not t.requires_grad and t.device.type == "cpu" and t.is_contiguous() for t in tensors)
    return take if plain else None


def _row_numbers(dataset) -> taeda.Tensor | None:
    """The rows of the tensors that a subset stands for; None for the whole data set."""
    rows = None
    while type(dataset) is Subset:
        indices = dataset.indices
        if not isinstance(indices, taeda.Tensor):
            indices = taeda.tensor(list(indices), dtype=taeda.int64)
        rows = indices if rows is None else indices[rows]
        dataset = dataset.dataset
    if rows is None:
        return None
    n_rows = len(dataset)
    # Negative numbers count from the end in a data set; the core's row copy takes them as they are.
    return taeda.where(rows < 0, rows + n_rows, rows)
