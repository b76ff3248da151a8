"""Activations: elementwise functions with an ``inplace`` argument, gates, softmax and its relatives."""

from __future__ import annotations

import warnings
from typing import Any

import taeda
from taeda.nn._functional.primitives import in_place, primitive

_elu = primitive("elu")
_selu = primitive("selu")
_celu = primitive("celu")
_silu = primitive("silu")
_mish = primitive("mish")
_gelu = primitive("_gelu")
_gelu_tanh = primitive("_gelu_tanh")
_prelu = primitive("_prelu")
_threshold = primitive("threshold")
_leaky_relu = primitive("leaky_relu")
_hardtanh = primitive("hardtanh")
_hardsigmoid = primitive("hardsigmoid")
_hardswish = primitive("hardswish")
_softsign = primitive("softsign")
_tanhshrink = primitive("tanhshrink")
_relu = taeda.relu
_softmax = taeda.softmax
_log_softmax = taeda.log_softmax


def relu(input: Any, inplace: bool = False) -> Any:
    """``max(input, 0)`` elementwise; NaN stays NaN."""
    return input.relu_() if inplace else _relu(input)


def relu_(input: Any) -> Any:
    """``relu`` in place."""
    return input.relu_()


def relu6(input: Any, inplace: bool = False) -> Any:
    """``min(max(input, 0), 6)`` elementwise."""
    return hardtanh(input, 0.0, 6.0, inplace)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """``input`` where positive, else ``alpha * (exp(input) - 1)`` (Clevert et al. 2015)."""
    return in_place("elu", _elu, input, alpha) if inplace else _elu(input, alpha)


def elu_(input: Any, alpha: float = 1.0) -> Any:
    """``elu`` in place."""
    return elu(input, alpha, True)


def selu(input: Any, inplace: bool = False) -> Any:
    """The self-normalizing ELU (Klambauer et al. 2017): ``1.0507 * elu(input, 1.6733)``."""
    return in_place("selu", _selu, input) if inplace else _selu(input)


def selu_(input: Any) -> Any:
    """``selu`` in place."""
    return selu(input, True)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """``max(0, input) + min(0, alpha * (exp(input / alpha) - 1))`` (Barron 2017)."""
    return in_place("celu", _celu, input, alpha) if inplace else _celu(input, alpha)


def celu_(input: Any, alpha: float = 1.0) -> Any:
    """``celu`` in place."""
    return celu(input, alpha, True)


def silu(input: Any, inplace: bool = False) -> Any:
    """``input * sigmoid(input)``."""
    return in_place("silu", _silu, input) if inplace else _silu(input)


def mish(input: Any, inplace: bool = False) -> Any:
    """``input * tanh(softplus(input))`` (Misra 2019)."""
    return in_place("mish", _mish, input) if inplace else _mish(input)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """``input`` where positive, else ``negative_slope * input``."""
    if inplace:
        return in_place("leaky_relu", _leaky_relu, input, negative_slope)
    return _leaky_relu(input, negative_slope)


def leaky_relu_(input: Any, negative_slope: float = 0.01) -> Any:
    """``leaky_relu`` in place."""
    return leaky_relu(input, negative_slope, True)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """``input`` limited to ``[min_val, max_val]``; the gradient is 0 at and beyond both ends."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return in_place("hardtanh", _hardtanh, input, min_val, max_val) if inplace else _hardtanh(input, min_val, max_val)


def hardtanh_(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """``hardtanh`` in place."""
    return hardtanh(input, min_val, max_val, True)


def hardsigmoid(input: Any, inplace: bool = False) -> Any:
    """``relu6(input + 3) / 6``."""
    return in_place("hardsigmoid", _hardsigmoid, input) if inplace else _hardsigmoid(input)


def hardswish(input: Any, inplace: bool = False) -> Any:
    """``input * relu6(input + 3) / 6`` (Howard et al. 2019)."""
    return in_place("hardswish", _hardswish, input) if inplace else _hardswish(input)


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """``input`` where it is greater than ``threshold``, else ``value``."""
    if inplace:
        return in_place("threshold", _threshold, input, threshold, value)
    return _threshold(input, threshold, value)


def threshold_(input: Any, threshold: float, value: float) -> Any:
    """``threshold`` in place."""
    return in_place("threshold", _threshold, input, threshold, value)


def gelu(input: Any, approximate: str = "none") -> Any:
    """``input`` times the normal distribution function of it (Hendrycks 2016); ``"tanh"`` approximates that."""
    if approximate == "none":
        return _gelu(input)
    if approximate == "tanh":
        return _gelu_tanh(input)
    raise RuntimeError("approximate argument must be either none or tanh.")


def softsign(input: Any) -> Any:
    """``input / (1 + |input|)``."""
    return _softsign(input)


def tanhshrink(input: Any) -> Any:
    """``input - tanh(input)``."""
    return _tanhshrink(input)


def sigmoid(input: Any) -> Any:
    """``1 / (1 + exp(-input))``."""
    return input.sigmoid()


def tanh(input: Any) -> Any:
    """The hyperbolic tangent."""
    return input.tanh()


def prelu(input: Any, weight: Any) -> Any:
    """``input`` where positive, else ``weight * input``, with one weight or one for each channel (dimension 1).

    Args:
        input: any shape.
        weight: a scalar or a vector of 1 or as many elements as ``input`` has channels.
    """
    if weight.numel() != 1:
        if input.dim() == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.size(1) if input.dim() >= 2 else 1
        if channels != weight.numel():
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} "
                f"and channel size = {channels}."
            )
    if weight.dim() > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.dim()}")
    if input.dim() >= 2:
        weight = weight.reshape(1, -1, *(1,) * (input.dim() - 2))
    elif input.dim() == 0:
        weight = weight.reshape(())
    return _prelu(input, weight)


def rrelu(
    input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Any:
    """``leaky_relu`` whose slope is drawn anew for each element in training, and the mean slope otherwise (Xu 2015).

    Args:
        input: any shape.
        lower, upper: the ends of the interval that slopes are drawn from.
        training: whether slopes are drawn; default False.
        inplace: whether ``input`` is overwritten; default False.
    """
    if lower > upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound, but got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    negative = input <= 0
    # Slopes are drawn for negative elements only, in double precision: the generator advances as PyTorch's does.
    drawn = taeda.empty(int(negative.sum()), dtype=taeda.float64).uniform_(lower, upper)
    slopes = taeda.ones_like(input, requires_grad=False)
    slopes[negative] = drawn.to(input.dtype)
    return input.mul_(slopes) if inplace else input * slopes


def rrelu_(input: Any, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Any:
    """``rrelu`` in place."""
    return rrelu(input, lower, upper, training, True)


def glu(input: Any, dim: int = -1) -> Any:
    """The first half of ``input`` along ``dim`` times the sigmoid of the second half (Dauphin et al. 2016)."""
    if input.dim() == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.size(dim) % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {input.size(dim)}")
    first, second = input.chunk(2, dim)
    return first * second.sigmoid()


def _implicit_dim(name: str, n_dims: int, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if n_dims in (0, 1, 3) else 1


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """``exp(input) / sum(exp(input))`` along ``dim``.

    Args:
        input: any shape.
        dim: the dimension that sums to 1.
        dtype: what ``input`` is converted to first; default none.
    """
    if dim is None:
        dim = _implicit_dim("softmax", input.dim(), _stacklevel)
    return _softmax(input, dim) if dtype is None else _softmax(input, dim, dtype=dtype)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """``softmax(-input)`` along ``dim``."""
    if dim is None:
        dim = _implicit_dim("softmin", input.dim(), _stacklevel)
    return softmax(-input, dim, dtype=dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """The logarithm of ``softmax``, computed stably.

    Args:
        input: any shape.
        dim: the dimension whose exponentials sum to 1.
        dtype: what ``input`` is converted to first; default none.
    """
    if dim is None:
        dim = _implicit_dim("log_softmax", input.dim(), _stacklevel)
    return _log_softmax(input, dim) if dtype is None else _log_softmax(input, dim, dtype=dtype)


def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Any:
    """A draw from the Gumbel-softmax distribution (Jang et al. 2016).

    Args:
        logits: unnormalized log probabilities.
        tau: the temperature; smaller is closer to one-hot.
        hard: whether the result is one-hot, with the gradient of the soft one; default False.
        eps: has no effect.
        dim: the dimension that the distribution is along.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    gumbels = -taeda.empty_like(logits).exponential_().log()
    soft = softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = taeda.zeros_like(logits).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft
