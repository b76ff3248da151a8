"""Schedules of the learning rate.

`base` holds what all schedules share, `chained` those that follow from the last rate, `cyclic` those with periods,
`plateau` the one that watches a metric, and `combined` those made of others.
"""

from taeda.optim.lr_scheduler.base import EPOCH_DEPRECATION_WARNING, LRScheduler
from taeda.optim.lr_scheduler.chained import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from taeda.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from taeda.optim.lr_scheduler.cyclic import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from taeda.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    "EPOCH_DEPRECATION_WARNING",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

# The name under which programs older than PyTorch 2 know the base class.
_LRScheduler = LRScheduler

for _name in __all__[1:]:
    globals()[_name].__module__ = __name__
del _name
