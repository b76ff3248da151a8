"""Data sets, samplers, and the loader that makes batches of them.

`dataset` and `sampler` say what there is and in which order it comes, `dataloader` iterates over batches, `_utils`
holds how: fetching, collating, worker processes and what travels between them.
"""

from taeda.utils.data._utils.collate import default_collate, default_convert
from taeda.utils.data._utils.worker import get_worker_info
from taeda.utils.data.dataloader import DataLoader, _DatasetKind
from taeda.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from taeda.utils.data.distributed import DistributedSampler
from taeda.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "_DatasetKind",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]

for _name in __all__:
    if _name != "_DatasetKind":
        globals()[_name].__module__ = __name__
del _name
