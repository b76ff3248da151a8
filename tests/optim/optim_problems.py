"""Small problems that the tests of optimizers share."""

import numpy as np

import taeda


def start_and_gradients(seed=0, shape=(3, 4), steps=6):
    """A starting point and a fixed sequence of gradients, as float64 arrays."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), [rng.standard_normal(shape) for _ in range(steps)]


def run(optimizer_class, start, gradients, dtype=None, **options):
    """The parameter after each step with the given gradients, as float64 arrays, and the optimizer."""
    param = taeda.nn.Parameter(taeda.tensor(start, dtype=dtype or taeda.float64))
    optimizer = optimizer_class([param], **options)
    found = []
    for gradient in gradients:
        param.grad = taeda.tensor(gradient, dtype=param.dtype)
        optimizer.step()
        found.append(param.detach().to(taeda.float64).numpy().copy())
    return found, optimizer
