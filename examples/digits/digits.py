"""The data and the network of the digits example, for taeda and PyTorch alike.

Every function takes the framework as its argument `torch`: `import taeda as torch` or `import torch`, nothing else differs.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SPLIT_SEED = 0  # the split is fixed: figures of different runs and frameworks are about the same held-out fifth


def load_data(torch: ModuleType) -> tuple[Any, Any, Any, Any]:
    """Return training images and labels, then held-out ones; images are float32 (N, 1, 8, 8) in [0, 1]."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(numpy.float32)[:, None]
    split = train_test_split(images, digits.target, test_size=0.2, random_state=SPLIT_SEED, stratify=digits.target)
    train_images, test_images, train_labels, test_labels = split
    return (
        torch.from_numpy(train_images.copy()),
        torch.from_numpy(train_labels.astype(numpy.int64)),
        torch.from_numpy(test_images.copy()),
        torch.from_numpy(test_labels.astype(numpy.int64)),
    )


def make_network(torch: ModuleType) -> Any:
    """Return the network: three convolutions with batch norm, two poolings, dropout, two linear layers."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Conv2d(64, 128, 3, padding=1),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128 * 2 * 2, 128),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(128, 10),
    )


def shift_at_random(torch: ModuleType, images: Any) -> Any:
    """Return the images moved by up to one pixel in each direction, all of a batch alike; what comes in is empty."""
    down, right = torch.randint(0, 3, (2,)).tolist()
    height, width = images.shape[-2:]
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    return padded[..., down : down + height, right : right + width]
