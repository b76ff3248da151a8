"""Convolutions and transposed convolutions over 1, 2 or 3 dimensions, and their lazy forms."""

from __future__ import annotations

import math
from typing import Any

import taeda
from taeda.nn import functional as F
from taeda.nn import init
from taeda.nn._functional.sizes import n_tuple
from taeda.nn.lazy import LazyModuleMixin
from taeda.nn.module import Module
from taeda.nn.parameter import Parameter, UninitializedParameter

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
    "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
]  # fmt: skip

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: sizes, checks, parameters, their initialization and printed form."""

    __constants__ = [
        "stride", "padding", "dilation", "groups", "padding_mode", "output_padding", "in_channels", "out_channels",
        "kernel_size",
    ]  # fmt: skip
    _n_dims: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple,
        stride: tuple,
        padding: Any,
        dilation: tuple,
        transposed: bool,
        output_padding: tuple,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}")
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {set(_PADDING_MODES)}, but got padding_mode='{padding_mode}'"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._explicit_padding()
        first, second = (in_channels, out_channels) if transposed else (out_channels, in_channels)
        self.weight = Parameter(taeda.empty((first, second // groups, *kernel_size), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(taeda.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _explicit_padding(self) -> list[int]:
        """The padding as ``F.pad`` takes it: the last dimension first, before and after."""
        if self.padding == "valid":
            return [0] * (2 * len(self.kernel_size))
        result = []
        for i in reversed(range(len(self.kernel_size))):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                result += [total // 2, total - total // 2]
            else:
                result += [self.padding[i]] * 2
        return result

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from ``±1 / sqrt(fan_in)``."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        n = len(self.kernel_size)
        if self.padding != (0,) * n:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * n:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * n:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    """A convolution over ``_n_dims`` dimensions.

    Args:
        in_channels, out_channels: the sizes of dimension 1 of input and output.
        kernel_size: the window's size.
        stride: the step between windows; default 1.
        padding: how much is added at both ends, or ``"same"`` or ``"valid"``; default 0.
        dilation: the step between the elements of a window; default 1.
        groups: into how many separate convolutions the channels are divided; default 1.
        bias: whether there is a ``bias``; default True.
        padding_mode: ``"zeros"`` (default), ``"reflect"``, ``"replicate"`` or ``"circular"``.
        device, dtype: of the parameters.
    """

    _convolve: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        n = self._n_dims
        padding = padding if isinstance(padding, str) else n_tuple(padding, n)
        sizes = n_tuple(kernel_size, n), n_tuple(stride, n), padding, n_tuple(dilation, n)
        super().__init__(in_channels, out_channels, *sizes, False, (0,) * n, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Any) -> Any:
        """The convolution of ``input``."""
        own = self._parameters  # found at once, where self.weight would first be looked for in vain
        weight = own["weight"] if "weight" in own else self.weight
        bias = own["bias"] if "bias" in own else self.bias
        return self._conv_forward(input, weight, bias)

    def _conv_forward(self, input: Any, weight: Any, bias: Any) -> Any:
        convolve = type(self)._convolve
        if self.padding_mode == "zeros":
            return convolve(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        padded = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        return convolve(padded, weight, bias, self.stride, 0, self.dilation, self.groups)


class Conv1d(_Conv):
    __doc__ = (_Conv.__doc__ or "").replace("``_n_dims`` dimensions", "1 dimension: (N, C, L) or (C, L)")
    _n_dims = 1
    _convolve = staticmethod(F.conv1d)


class Conv2d(_Conv):
    __doc__ = (_Conv.__doc__ or "").replace("``_n_dims`` dimensions", "2 dimensions: (N, C, H, W) or (C, H, W)")
    _n_dims = 2
    _convolve = staticmethod(F.conv2d)


class Conv3d(_Conv):
    __doc__ = (_Conv.__doc__ or "").replace("``_n_dims`` dimensions", "3 dimensions: (N, C, D, H, W) or (C, D, H, W)")
    _n_dims = 3
    _convolve = staticmethod(F.conv3d)


class _ConvTransposeNd(_ConvNd):
    """The transpose of a convolution over ``_n_dims`` dimensions: what its backward does to gradients.

    Args:
        in_channels, out_channels: the sizes of dimension 1 of input and output.
        kernel_size: the window's size.
        stride: the step between windows in the output; default 1.
        padding: how much the output is cut at both ends; default 0.
        output_padding: how much the output is extended at its end; default 0.
        groups: into how many separate convolutions the channels are divided; default 1.
        bias: whether there is a ``bias``; default True.
        dilation: the step between the elements of a window; default 1.
        padding_mode: only ``"zeros"``.
        device, dtype: of the parameters.
    """

    _convolve: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        n = self._n_dims
        sizes = n_tuple(kernel_size, n), n_tuple(stride, n), n_tuple(padding, n), n_tuple(dilation, n)
        super().__init__(
            in_channels,
            out_channels,
            *sizes,
            True,
            n_tuple(output_padding, n),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Any, output_size: Any = None) -> Any:
        """The transposed convolution of ``input``; ``output_size`` chooses among the sizes that a stride allows."""
        output_padding = self.output_padding if output_size is None else self._padding_for(input, output_size)
        return type(self)._convolve(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )

    def _padding_for(self, input: Any, output_size: Any) -> list[int]:
        n = self._n_dims
        output_size = list(output_size)
        n_lead = input.dim() - n
        if len(output_size) == n_lead + n:
            output_size = output_size[n_lead:]
        if len(output_size) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have {n} or {n_lead + n} elements "
                f"(got {len(output_size)})"
            )
        least = [
            (input.size(d + n_lead) - 1) * self.stride[d]
            - 2 * self.padding[d]
            + self.dilation[d] * (self.kernel_size[d] - 1)
            + 1
            for d in range(n)
        ]
        most = [size + stride - 1 for size, stride in zip(least, self.stride, strict=True)]
        if any(not low <= size <= high for low, size, high in zip(least, output_size, most, strict=True)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to {most} "
                f"(for an input of {input.size()[2:]})"
            )
        return [size - low for size, low in zip(output_size, least, strict=True)]


class ConvTranspose1d(_ConvTransposeNd):
    __doc__ = (_ConvTransposeNd.__doc__ or "").replace("``_n_dims`` dimensions", "1 dimension")
    _n_dims = 1
    _convolve = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTransposeNd):
    __doc__ = (_ConvTransposeNd.__doc__ or "").replace("``_n_dims``", "2")
    _n_dims = 2
    _convolve = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTransposeNd):
    __doc__ = (_ConvTransposeNd.__doc__ or "").replace("``_n_dims``", "3")
    _n_dims = 3
    _convolve = staticmethod(F.conv_transpose3d)


class _LazyConv(LazyModuleMixin):
    """A convolution that takes ``in_channels`` from its first input."""

    cls_to_become: Any
    # Of the convolution that it is mixed into.
    _n_dims: int
    groups: int
    transposed: bool
    kernel_size: tuple[int, ...]

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        device, dtype = kwargs.get("device"), kwargs.get("dtype")
        arguments = self._named(args, kwargs)
        has_bias = arguments.pop("bias", True)
        super().__init__(0, 0, kernel_size, bias=False, **arguments)  # both numbers of channels follow
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if has_bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def _named(self, args: tuple, kwargs: dict) -> dict:
        """The arguments behind ``kernel_size`` by name, whichever way they were given."""
        import inspect

        names = [name for name in inspect.signature(self.cls_to_become).parameters]
        return {**dict(zip(names[3:], args, strict=False)), **kwargs}

    def reset_parameters(self) -> None:
        """Draw all parameters, once they have their shapes."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Any, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that ``input`` asks for."""
        if not self.has_uninitialized_params():
            return
        n = self._n_dims
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {type(self).__name__}, but got input of "
                f"size: {input.shape}"
            )
        self.in_channels = input.shape[-n - 1]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        self.weight.materialize((first, second // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class LazyConv1d(_LazyConv, Conv1d):
    """Conv1d that takes ``in_channels`` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """Conv2d that takes ``in_channels`` from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """Conv3d that takes ``in_channels`` from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConv, ConvTranspose1d):
    """ConvTranspose1d that takes ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConv, ConvTranspose2d):
    """ConvTranspose2d that takes ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConv, ConvTranspose3d):
    """ConvTranspose3d that takes ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose3d
