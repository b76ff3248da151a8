"""The pooling functions that are public in the package itself: those of `nn.functional`, without the places of maxima."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["adaptive_max_pool1d", "max_pool1d", "max_pool2d", "max_pool3d"]


def _values(name: str, input: Tensor, kernel_size: Any, stride: Any, *rest: Any) -> Tensor:
    from taeda.nn import functional

    stride = kernel_size if stride is None or stride == [] else stride
    return getattr(functional, name)(input, kernel_size, stride, *rest)


@public("torch")
def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """Return the maximum of each window over the last dimension; see ``nn.functional.max_pool1d``."""
    return _values("max_pool1d", input, kernel_size, stride, padding, dilation, ceil_mode)


@public("torch")
def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """Return the maximum of each window over the last two dimensions; see ``nn.functional.max_pool2d``."""
    return _values("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode)


@public("torch")
def max_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """Return the maximum of each window over the last three dimensions; see ``nn.functional.max_pool3d``."""
    return _values("max_pool3d", input, kernel_size, stride, padding, dilation, ceil_mode)


@public("torch")
def adaptive_max_pool1d(input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    """Return the maxima of ``output_size`` cells of the last dimension, and their places."""
    from taeda.nn import functional

    return functional.adaptive_max_pool1d_with_indices(input, output_size)
