"""Ways to fill a parameter; each draws from the generator as PyTorch's function of the same name does."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import taeda

__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_",
    "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
    "constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal", "sparse", "uniform",
    "xavier_normal", "xavier_uniform",
]  # fmt: skip

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on the weights' standard deviation that keeps a signal's through a nonlinearity.

    Args:
        nonlinearity: its name as in nn.functional.
        param: the negative slope of ``"leaky_relu"``; default 0.01.
    """
    if nonlinearity in _LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is None:
            slope = 0.01
        elif isinstance(param, (int, float)) and not isinstance(param, bool):
            slope = param
        else:
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Fill ``tensor`` with draws from the uniform distribution on [a, b); returns it."""
    with taeda.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Fill ``tensor`` with draws from the normal distribution; returns it."""
    with taeda.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Any:
    """Fill ``tensor`` with draws from the normal distribution limited to [a, b]; returns it."""

    def below(x: float) -> float:
        return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0

    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be "
            "incorrect.",
            stacklevel=2,
        )
    if not a < b:
        raise ValueError(f"trunc_normal_ needs a < b, but got a={a} and b={b}")
    is_likely = below((b - mean) / std) - below((a - mean) / std) > _LEAST_SHARE_OF_NORMAL
    propose = _normal_proposals if is_likely else _uniform_proposals
    with taeda.no_grad():
        values, rejected = propose(tensor, mean, std, a, b, generator)
        while bool(rejected.any()):
            others, still = propose(tensor, mean, std, a, b, generator)
            values = taeda.where(rejected, others, values)
            rejected = rejected & still
        return tensor.copy_(values)


# Where less of the normal distribution lies within the limits, uniform proposals are accepted more often.
_LEAST_SHARE_OF_NORMAL = 0.3


def _normal_proposals(tensor: Any, mean: float, std: float, a: float, b: float, generator: Any) -> tuple[Any, Any]:
    """Normal draws, and which of them lie beyond the limits."""
    values = taeda.empty_like(tensor, requires_grad=False).normal_(mean, std, generator=generator)
    return values, (values < a) | (values > b)


def _uniform_proposals(tensor: Any, mean: float, std: float, a: float, b: float, generator: Any) -> tuple[Any, Any]:
    """Uniform draws within the limits, and which to reject so that the rest is normal (Robert 1995)."""
    values = taeda.empty_like(tensor, requires_grad=False).uniform_(a, b, generator=generator)
    nearest = min(max(mean, a), b)  # where the density is greatest
    density = (((nearest - mean) ** 2 - (values - mean) ** 2) / (2 * std * std)).exp()
    return values, taeda.empty_like(values).uniform_(generator=generator) > density


def constant_(tensor: Any, val: float) -> Any:
    """Fill ``tensor`` with ``val``; returns it."""
    with taeda.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Any) -> Any:
    """Fill ``tensor`` with 1; returns it."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Any) -> Any:
    """Fill ``tensor`` with 0; returns it."""
    with taeda.no_grad():
        return tensor.zero_()


def eye_(tensor: Any) -> Any:
    """Fill a matrix with the identity, as far as it goes; returns it."""
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with taeda.no_grad():
        tensor.copy_(taeda.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))
    return tensor


def dirac_(tensor: Any, groups: int = 1) -> Any:
    """Fill a convolution's weight so that it passes on as many channels as it can unchanged; returns it."""
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.size(0) % groups:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = tensor.size(0) // groups
    centre = tuple(size // 2 for size in tensor.shape[2:])
    with taeda.no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, tensor.size(1))):
                tensor[(group * per_group + channel, channel, *centre)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Any) -> tuple[int, int]:
    """How many inputs each output depends on, and how many outputs each input acts on."""
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.size(1) * field, tensor.size(0) * field


def _calculate_correct_fan(tensor: Any, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode == "fan_in" else fan_out


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill ``tensor`` uniformly with variance ``2 gain² / (fan_in + fan_out)`` (Glorot 2010); returns it."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / float(fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Fill ``tensor`` normally with variance ``2 gain² / (fan_in + fan_out)`` (Glorot 2010); returns it."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def _warn_if_empty(tensor: Any) -> bool:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return True
    return False


def kaiming_uniform_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Fill ``tensor`` uniformly with variance ``gain² / fan`` (He 2015); returns it.

    Args:
        tensor: at least 2 dimensions.
        a: the negative slope of the leaky ReLU that follows; default 0.
        mode: ``"fan_in"`` (default) keeps the variance forward, ``"fan_out"`` backward.
        nonlinearity: what follows; default ``"leaky_relu"``.
        generator: what to draw from; default the global one.
    """
    if _warn_if_empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Fill ``tensor`` normally with variance ``gain² / fan`` (He 2015); arguments as for ``kaiming_uniform_``."""
    if _warn_if_empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> Any:
    """Fill ``tensor``, seen as a matrix of its first dimension, with orthogonal rows or columns; returns it."""
    import numpy

    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    n_rows = tensor.size(0)
    n_columns = tensor.numel() // n_rows
    with taeda.no_grad():
        flat = taeda.empty(n_rows, n_columns, dtype=tensor.dtype, device=tensor.device).normal_(
            0, 1, generator=generator
        )
        matrix = (flat.t() if n_rows < n_columns else flat).to(taeda.float64)
        q, r = numpy.linalg.qr(matrix.numpy())
        # With the diagonal of r positive the distribution is uniform over orthogonal matrices (Mezzadri 2006).
        q = taeda.from_numpy(q * numpy.sign(numpy.diagonal(r)))
        tensor.copy_((q.t() if n_rows < n_columns else q).reshape(tensor.shape))
        return tensor.mul_(gain)


def sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    """Fill a matrix normally, with the share ``sparsity`` of each column set to 0 (Martens 2010); returns it."""
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    n_rows, n_columns = tensor.shape
    n_zeros = math.ceil(sparsity * n_rows)
    with taeda.no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(n_columns):
            rows = taeda.randperm(n_rows)[:n_zeros]
            tensor[rows, column] = 0
    return tensor


def _old_name(function: Callable) -> Callable:
    """The function under the name without underscore that PyTorch deprecated."""
    new, old = function.__name__, function.__name__[:-1]

    def deprecated(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    deprecated.__name__ = deprecated.__qualname__ = old
    deprecated.__doc__ = f"``{new}``, under its old name."
    return deprecated


uniform = _old_name(uniform_)
normal = _old_name(normal_)
constant = _old_name(constant_)
eye = _old_name(eye_)
dirac = _old_name(dirac_)
xavier_uniform = _old_name(xavier_uniform_)
xavier_normal = _old_name(xavier_normal_)
kaiming_uniform = _old_name(kaiming_uniform_)
kaiming_normal = _old_name(kaiming_normal_)
orthogonal = _old_name(orthogonal_)
sparse = _old_name(sparse_)
