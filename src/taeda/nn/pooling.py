"""Pooling layers."""

from __future__ import annotations

from typing import Any

from taeda.nn import functional as F
from taeda.nn._functional.sizes import n_tuple
from taeda.nn.module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d",
    "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d",
    "MaxUnpool3d",
]  # fmt: skip


class _MaxPool(Module):
    """The maximum of each window.

    Args:
        kernel_size: the window's size, a number or one for each dimension.
        stride: the step between windows; default ``kernel_size``.
        padding: how many implicit -inf are added at both ends; default 0.
        dilation: the step between the elements of a window; default 1.
        return_indices: whether the places of the maxima are returned as well, for MaxUnpool; default False.
        ceil_mode: whether a last window may overhang; default False.
    """

    __constants__ = ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"]
    _function: Any

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        """The maxima, or a pair of them and their places."""
        return type(self)._function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    __doc__ = (_MaxPool.__doc__ or "") + "\n    Shape: (N, C, L) or (C, L).\n"
    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    __doc__ = (_MaxPool.__doc__ or "") + "\n    Shape: (N, C, H, W) or (C, H, W).\n"
    _function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    __doc__ = (_MaxPool.__doc__ or "") + "\n    Shape: (N, C, D, H, W) or (C, D, H, W).\n"
    _function = staticmethod(F.max_pool3d)


class _MaxUnpool(Module):
    """The maxima of max pooling put back where they came from, with 0 elsewhere.

    Args:
        kernel_size: the window's size.
        stride: the step between windows; default ``kernel_size``.
        padding: what was added at both ends; default 0.
    """

    _n_dims: int
    _function: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        n = self._n_dims
        self.kernel_size = n_tuple(kernel_size, n)
        self.stride = n_tuple(stride if stride is not None else kernel_size, n)
        self.padding = n_tuple(padding, n)

    def forward(self, input: Any, indices: Any, output_size: Any = None) -> Any:
        """``input`` at the places ``indices``; ``output_size`` chooses among the sizes that a stride allows."""
        return type(self)._function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    __doc__ = (_MaxUnpool.__doc__ or "") + "\n    Shape: (N, C, L) or (C, L).\n"
    _n_dims = 1
    _function = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    __doc__ = (_MaxUnpool.__doc__ or "") + "\n    Shape: (N, C, H, W) or (C, H, W).\n"
    _n_dims = 2
    _function = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    __doc__ = (_MaxUnpool.__doc__ or "") + "\n    Shape: (N, C, D, H, W) or (C, D, H, W).\n"
    _n_dims = 3
    _function = staticmethod(F.max_unpool3d)


class AvgPool1d(Module):
    """The mean of each window over the last dimension.

    Args:
        kernel_size: the window's size.
        stride: the step between windows; default ``kernel_size``.
        padding: how many implicit zeros are added at both ends; default 0.
        ceil_mode: whether a last window may overhang; default False.
        count_include_pad: whether padding counts in the mean; default True.
    """

    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = n_tuple(kernel_size, 1)
        self.stride = n_tuple(stride if stride is not None else kernel_size, 1)
        self.padding = n_tuple(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Any) -> Any:
        """The means."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    """The mean of each window.

    Args:
        kernel_size: the window's size, a number or one for each dimension.
        stride: the step between windows; default ``kernel_size``.
        padding: how many implicit zeros are added at both ends; default 0.
        ceil_mode: whether a last window may overhang; default False.
        count_include_pad: whether padding counts in the mean; default True.
        divisor_override: what sums are divided by instead of the window's size; default none.
    """

    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"]
    _function: Any

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Any) -> Any:
        """The means."""
        return type(self)._function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    __doc__ = (_AvgPool.__doc__ or "") + "\n    Shape: (N, C, H, W) or (C, H, W).\n"
    _function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    __doc__ = (_AvgPool.__doc__ or "") + "\n    Shape: (N, C, D, H, W) or (C, D, H, W).\n"
    _function = staticmethod(F.avg_pool3d)


class _AdaptiveAvgPool(Module):
    """The mean of each cell when the last dimensions are divided evenly.

    Args:
        output_size: how many cells, a number or one for each dimension; None keeps a dimension's size.
    """

    __constants__ = ["output_size"]
    _function: Any

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Any) -> Any:
        """The means."""
        return type(self)._function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    __doc__ = (_AdaptiveAvgPool.__doc__ or "") + "\n    Shape: (N, C, L) or (C, L).\n"
    _function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    __doc__ = (_AdaptiveAvgPool.__doc__ or "") + "\n    Shape: (N, C, H, W) or (C, H, W).\n"
    _function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    __doc__ = (_AdaptiveAvgPool.__doc__ or "") + "\n    Shape: (N, C, D, H, W) or (C, D, H, W).\n"
    _function = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(Module):
    """The maximum of each cell when the last dimensions are divided evenly.

    Args:
        output_size: how many cells, a number or one for each dimension; None keeps a dimension's size.
        return_indices: whether the places of the maxima are returned as well; default False.
    """

    __constants__ = ["output_size", "return_indices"]
    _function: Any

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        """The maxima, or a pair of them and their places."""
        return type(self)._function(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    __doc__ = (_AdaptiveMaxPool.__doc__ or "") + "\n    Shape: (N, C, L) or (C, L).\n"
    _function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    __doc__ = (_AdaptiveMaxPool.__doc__ or "") + "\n    Shape: (N, C, H, W) or (C, H, W).\n"
    _function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    __doc__ = (_AdaptiveMaxPool.__doc__ or "") + "\n    Shape: (N, C, D, H, W) or (C, D, H, W).\n"
    _function = staticmethod(F.adaptive_max_pool3d)


class _LPPool(Module):
    """The ``norm_type``-norm of each window.

    Args:
        norm_type: the exponent.
        kernel_size: the window's size.
        stride: the step between windows; default ``kernel_size``.
        ceil_mode: whether a last window may overhang; default False.
    """

    __constants__ = ["norm_type", "kernel_size", "stride", "ceil_mode"]
    _function: Any

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        """The norms."""
        return type(self)._function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        sizes = f"kernel_size={self.kernel_size}, stride={self.stride}"
        return f"norm_type={self.norm_type}, {sizes}, ceil_mode={self.ceil_mode}"


class LPPool1d(_LPPool):
    __doc__ = (_LPPool.__doc__ or "") + "\n    Shape: (N, C, L) or (C, L).\n"
    _function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    __doc__ = (_LPPool.__doc__ or "") + "\n    Shape: (N, C, H, W) or (C, H, W).\n"
    _function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    __doc__ = (_LPPool.__doc__ or "") + "\n    Shape: (N, C, D, H, W) or (C, D, H, W).\n"
    _function = staticmethod(F.lp_pool3d)


class _FractionalMaxPool(Module):
    """The maxima of windows whose places are drawn pseudo-randomly (Graham 2014).

    Args:
        kernel_size: the window's size.
        output_size: the result's sizes; or
        output_ratio: their ratio, between 0 and 1, to the input's.
        return_indices: whether the places of the maxima are returned as well; default False.
    """

    __constants__ = ["kernel_size", "return_indices", "output_size", "output_ratio"]
    _n_dims: int
    _function: Any

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__()
        n, name = self._n_dims, type(self).__name__
        if not all(size > 0 for size in n_tuple(kernel_size, n)):
            raise ValueError(f"kernel_size must greater than zero, but got {kernel_size}")
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        self.kernel_size = n_tuple(kernel_size, n)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else n_tuple(output_size, n)
        self.output_ratio = None if output_ratio is None else n_tuple(output_ratio, n)
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Any) -> Any:
        """The maxima, or a pair of them and their places."""
        return type(self)._function(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    __doc__ = (_FractionalMaxPool.__doc__ or "") + "\n    Shape: (N, C, H, W) or (C, H, W).\n"
    _n_dims = 2
    _function = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    __doc__ = (_FractionalMaxPool.__doc__ or "") + "\n    Shape: (N, C, T, H, W) or (C, T, H, W).\n"
    _n_dims = 3
    _function = staticmethod(F.fractional_max_pool3d)
