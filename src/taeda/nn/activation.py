"""Activation layers."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.nn import functional as F
from taeda.nn import init
from taeda.nn.module import Module
from taeda.nn.parameter import Parameter

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax", "Softmax2d",
    "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class _InPlace(Module):
    """A function of nn.functional without arguments but ``inplace``, which is printed where it is set."""

    __constants__ = ["inplace"]

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """``max(input, 0)``.

    Args:
        inplace: whether the input is overwritten; default False.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.relu(input, self.inplace)


class SELU(_InPlace):
    """The self-normalizing exponential linear unit (Klambauer et al. 2017).

    Args:
        inplace: whether the input is overwritten; default False.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.selu(input, self.inplace)


class SiLU(_InPlace):
    """``input * sigmoid(input)``.

    Args:
        inplace: whether the input is overwritten; default False.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.silu(input, self.inplace)


class Mish(_InPlace):
    """``input * tanh(softplus(input))`` (Misra 2019).

    Args:
        inplace: whether the input is overwritten; default False.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.mish(input, self.inplace)


class Hardsigmoid(_InPlace):
    """``relu6(input + 3) / 6``.

    Args:
        inplace: whether the input is overwritten; default False.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class Hardswish(_InPlace):
    """``input * relu6(input + 3) / 6`` (Howard et al. 2019).

    Args:
        inplace: whether the input is overwritten; default False.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class _Alpha(Module):
    """A function with the arguments ``alpha`` and ``inplace``."""

    __constants__ = ["alpha", "inplace"]

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class ELU(_Alpha):
    """``input`` where positive, else ``alpha * (exp(input) - 1)`` (Clevert et al. 2015).

    Args:
        alpha: minus the limit at -inf; default 1.
        inplace: whether the input is overwritten; default False.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.elu(input, self.alpha, self.inplace)


class CELU(_Alpha):
    """``max(0, input) + min(0, alpha * (exp(input / alpha) - 1))`` (Barron 2017).

    Args:
        alpha: minus the limit at -inf; default 1.
        inplace: whether the input is overwritten; default False.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.celu(input, self.alpha, self.inplace)


class LeakyReLU(Module):
    """``input`` where positive, else ``negative_slope * input``.

    Args:
        negative_slope: the slope for negative inputs; default 0.01.
        inplace: whether the input is overwritten; default False.
    """

    __constants__ = ["inplace", "negative_slope"]

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class RReLU(Module):
    """LeakyReLU whose slope is drawn anew for each element in training (Xu 2015).

    Args:
        lower, upper: the ends of the interval that slopes are drawn from; their mean serves in evaluation.
        inplace: whether the input is overwritten; default False.
    """

    __constants__ = ["lower", "upper", "inplace"]

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


class PReLU(Module):
    """``input`` where positive, else ``weight * input`` with a learned weight (He 2015).

    Args:
        num_parameters: 1 (default), or one for each channel (dimension 1).
        init: the initial weight; default 0.25.
        device, dtype: of the weight.
    """

    __constants__ = ["num_parameters"]

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(taeda.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to its initial value."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class Hardtanh(Module):
    """``input`` limited to ``[min_val, max_val]``.

    Args:
        min_val, max_val: the limits; default -1 and 1.
        inplace: whether the input is overwritten; default False.
        min_value, max_value: the limits under their old names.
    """

    __constants__ = ["min_val", "max_val", "inplace"]

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        for old, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                import warnings

                warnings.warn(
                    f"keyword argument `{old}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=2
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if self.min_val > self.max_val:
            raise AssertionError(f"min_val must be less than max_val, but got {self.min_val} and {self.max_val}")

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """``min(max(input, 0), 6)``.

    Args:
        inplace: whether the input is overwritten; default False.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Threshold(Module):
    """``input`` where it is greater than ``threshold``, else ``value``.

    Args:
        threshold, value: as it says.
        inplace: whether the input is overwritten; default False.
    """

    __constants__ = ["threshold", "value", "inplace"]

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}" + (", inplace=True" if self.inplace else "")


class Sigmoid(Module):
    """``1 / (1 + exp(-input))``."""

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return input.sigmoid()


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return input.tanh()


class LogSigmoid(Module):
    """``log(sigmoid(input))``, computed stably."""

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.logsigmoid(input)


class Softsign(Module):
    """``input / (1 + |input|)``."""

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.softsign(input)


class Tanhshrink(Module):
    """``input - tanh(input)``."""

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.tanhshrink(input)


class GELU(Module):
    """``input * Phi(input)`` with the normal distribution function (Hendrycks 2016).

    Args:
        approximate: ``"none"`` (default) or ``"tanh"``.
    """

    __constants__ = ["approximate"]

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class GLU(Module):
    """The first half of the input along ``dim`` times the sigmoid of the second (Dauphin et al. 2016).

    Args:
        dim: the dimension that is halved; default -1.
    """

    __constants__ = ["dim"]

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class _Lambda(Module):
    """A function with the argument ``lambd``."""

    __constants__ = ["lambd"]

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Lambda):
    """``input`` where its absolute value is greater than ``lambd``, else 0.

    Args:
        lambd: the limit; default 0.5.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.hardshrink(input, self.lambd)


class Softshrink(_Lambda):
    """``input`` moved by ``lambd`` towards 0, and 0 where it is nearer than that.

    Args:
        lambd: the distance; default 0.5.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.softshrink(input, self.lambd)


class Softplus(Module):
    """``log(1 + exp(beta * input)) / beta``.

    Args:
        beta: the sharpness; default 1.
        threshold: where ``beta * input`` is greater, the result is ``input``; default 20.
    """

    __constants__ = ["beta", "threshold"]

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class _AlongDim(Module):
    """A function with the argument ``dim``."""

    __constants__ = ["dim"]

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """``exp(input) / sum(exp(input))`` along ``dim``.

    Args:
        dim: the dimension that sums to 1.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.softmax(input, self.dim, _stacklevel=5)


class Softmin(_AlongDim):
    """``softmax(-input)`` along ``dim``.

    Args:
        dim: the dimension that sums to 1.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.softmin(input, self.dim, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """The logarithm of ``softmax`` along ``dim``, computed stably.

    Args:
        dim: the dimension whose exponentials sum to 1.
    """

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        return F.log_softmax(input, self.dim, _stacklevel=5)


class Softmax2d(Module):
    """``softmax`` over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Any) -> Any:
        """The function of ``input``."""
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3, _stacklevel=5)
