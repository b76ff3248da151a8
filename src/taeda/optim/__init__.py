"""Optimizers: algorithms that move parameters along their gradients.

`optimizer` holds the base class, `_rules` what the algorithms share, one file each the algorithms, `lr_scheduler`
schedules of the learning rate and `swa_utils` averages of weights (both loaded on first use).
"""

from taeda.optim._swap import swap_in_optimizer_params_and_state
from taeda.optim.adadelta import Adadelta
from taeda.optim.adafactor import Adafactor
from taeda.optim.adagrad import Adagrad
from taeda.optim.adam import Adam
from taeda.optim.adamax import Adamax
from taeda.optim.adamw import AdamW
from taeda.optim.asgd import ASGD
from taeda.optim.lbfgs import LBFGS
from taeda.optim.muon import Muon
from taeda.optim.nadam import NAdam
from taeda.optim.optimizer import Optimizer
from taeda.optim.radam import RAdam
from taeda.optim.rmsprop import RMSprop
from taeda.optim.rprop import Rprop
from taeda.optim.sgd import SGD
from taeda.optim.sparse_adam import SparseAdam

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
    "swap_in_optimizer_params_and_state",
]

for _name in __all__:
    if _name not in ("lr_scheduler", "swa_utils"):
        globals()[_name].__module__ = __name__
del _name


def __getattr__(name: str):
    if name in ("lr_scheduler", "swa_utils"):
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
