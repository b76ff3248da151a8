"""nn: modules, their layers and losses, and the functions behind them."""

from taeda.nn import (
    activation,
    adaptive,
    containers,
    conv,
    dropout,
    embedding,
    functional,
    init,
    linear,
    loss,
    multihead,
    norm,
    padding,
    parallel,
    parameter,
    pooling,
    recurrent,
    shape,
    transformer,
)
from taeda.nn.module import Module

_families = (
    parameter, containers, linear, conv, pooling, norm, dropout, activation, multihead, embedding, loss, adaptive,
    padding, parallel, shape, recurrent, transformer,
)  # fmt: skip

__all__ = ["Module"]
for _family in _families:
    for _name in _family.__all__:
        if _name != "is_lazy":
            globals()[_name] = getattr(_family, _name)
            __all__.append(_name)
for _name in __all__:
    # Their home is here, whichever file they are written in: pickles and messages name this place.
    globals()[_name].__module__ = "taeda.nn"

from taeda.nn import grad, utils  # noqa: E402  (their parts import the layers above)

__all__ += ["functional", "grad", "init", "parameter", "utils"]


def __getattr__(name: str):
    # Other names of what is above, loaded only for programs that use them.
    if name in ("attention", "modules"):
        import importlib

        return importlib.import_module(f"taeda.nn.{name}")
    raise AttributeError(f"taeda has no torch.nn.{name}")
