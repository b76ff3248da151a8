"""A sampler that gives each of several processes its own share of a data set."""

from __future__ import annotations

import math
from collections.abc import Iterator

import taeda
from taeda.utils.data.dataset import Dataset
from taeda.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


def _process_group():
    distributed = getattr(taeda, "distributed", None)
    if distributed is None or not distributed.is_available():
        raise RuntimeError(
            "Requires distributed package to be available\n  hint: num_replicas and rank may be passed instead"
        )
    return distributed


class DistributedSampler(Sampler):
    """The indices of one process's share; the shares of all processes are equally long.

    Args:
        dataset: the data set, of fixed length.
        num_replicas: how many processes there are; by default those of the process group.
        rank: the number of this process; by default its rank in the process group.
        shuffle: permute before sharing out, by ``seed`` and the epoch.
        seed: the same in all processes.
        drop_last: leave out what is left over; otherwise some samples come twice.
    """

    def __init__(
        self,
        dataset: Dataset,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None:
            num_replicas = _process_group().get_world_size()
        if rank is None:
            rank = _process_group().get_rank()
        if rank >= num_replicas or rank < 0:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        n_samples = len(dataset)
        share = n_samples // num_replicas if drop_last else math.ceil(n_samples / num_replicas)
        self.num_samples = share
        self.total_size = share * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator:
        n_samples = len(self.dataset)
        if self.shuffle:
            generator = taeda.Generator()
            generator.manual_seed(self.seed + self.epoch)
            indices = taeda.randperm(n_samples, generator=generator).tolist()
        else:
            indices = list(range(n_samples))
        if len(indices) < self.total_size:
            indices *= math.ceil(self.total_size / len(indices))
        return iter(indices[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, so that every epoch is permuted differently."""
        self.epoch = epoch
