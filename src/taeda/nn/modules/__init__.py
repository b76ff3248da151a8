"""The layers under the module paths that they have in PyTorch, for programs that import them from there."""

import sys
from types import ModuleType

from taeda import nn
from taeda.nn import (
    _module_hooks,
    activation,
    adaptive,
    containers,
    conv,
    dropout,
    embedding,
    lazy,
    linear,
    loss,
    module,
    multihead,
    norm,
    padding,
    pooling,
    recurrent,
    shape,
    transformer,
)
from taeda.nn.modules import utils as utils

# PyTorch's file -> the files here that hold what it holds.
_SOURCES = {
    "activation": (activation, multihead),
    "adaptive": (adaptive,),
    "batchnorm": (norm,),
    "channelshuffle": (shape,),
    "container": (containers,),
    "conv": (conv,),
    "distance": (shape,),
    "dropout": (dropout,),
    "flatten": (shape,),
    "fold": (shape,),
    "instancenorm": (norm,),
    "lazy": (lazy,),
    "linear": (linear,),
    "loss": (loss,),
    "module": (module, _module_hooks),
    "normalization": (norm,),
    "padding": (padding,),
    "pixelshuffle": (shape,),
    "pooling": (pooling,),
    "rnn": (recurrent,),
    "sparse": (embedding,),
    "transformer": (transformer,),
    "upsampling": (shape,),
}


def _alias(name: str, sources: tuple) -> ModuleType:
    path = f"{__name__}.{name}"
    made = ModuleType(path, f"What PyTorch has in ``nn.modules.{name}``.")
    for source in sources:
        for key, value in vars(source).items():
            if not key.startswith("__"):
                made.__dict__.setdefault(key, value)
    sys.modules[path] = made
    return made


for _name, _files in _SOURCES.items():
    globals()[_name] = _alias(_name, _files)
for _name in nn.__all__:
    globals().setdefault(_name, getattr(nn, _name))

__all__ = [name for name in nn.__all__ if isinstance(getattr(nn, name), type)]
