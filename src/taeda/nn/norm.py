"""Normalization layers: batch, instance, layer, group, root mean square, local response; and their lazy forms."""

from __future__ import annotations

import numbers
from typing import Any

import taeda
from taeda.nn import functional as F
from taeda.nn import init
from taeda.nn.lazy import LazyModuleMixin
from taeda.nn.module import Module
from taeda.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "CrossMapLRN2d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d",
    "InstanceNorm3d", "LayerNorm", "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyInstanceNorm1d",
    "LazyInstanceNorm2d", "LazyInstanceNorm3d", "LocalResponseNorm", "RMSNorm", "SyncBatchNorm",
]  # fmt: skip


class _NormBase(Module):
    """What batch and instance normalization share: parameters, running statistics, their state."""

    # 2: with num_batches_tracked. A state of version 1 lacks it.
    _version = 2
    __constants__ = ["track_running_stats", "momentum", "eps", "num_features", "affine"]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(taeda.empty(num_features, **options)) if affine else None)
        has_bias = affine and bias
        self.register_parameter("bias", Parameter(taeda.empty(num_features, **options)) if has_bias else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", taeda.zeros(num_features, **options) if tracked else None)
        self.register_buffer("running_var", taeda.ones(num_features, **options) if tracked else None)
        counter = taeda.tensor(0, dtype=taeda.int64, device=device) if tracked else None
        self.register_buffer("num_batches_tracked", counter)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the running statistics: mean 0, variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget the running statistics; set the weight to 1 and the bias to 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Any) -> None:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ) -> None:
        version = local_metadata.get("version", None)
        if (version is None or version < 2) and self.track_running_stats:
            counter = self.num_batches_tracked
            known = counter is not None and counter.device.type != "meta"
            state_dict.setdefault(
                prefix + "num_batches_tracked", counter if known else taeda.tensor(0, dtype=taeda.int64)
            )
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class _BatchNorm(_NormBase):
    """Each channel (dimension 1) with mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe 2015).

    Args:
        num_features: the number of channels.
        eps: added to the variance; default 1e-5.
        momentum: the share of a batch's statistics in the running ones; default 0.1; None: a plain average.
        affine: whether there are ``weight`` and ``bias``; default True.
        track_running_stats: whether running statistics are kept, for evaluation; default True.
        device, dtype: of the parameters.
        bias: whether there is a ``bias``; default True.
    """

    def forward(self, input: Any) -> Any:
        """``input`` normalized: by the batch's statistics in training, by the running ones otherwise."""
        self._check_input_dim(input)
        training = self.training
        parameters, buffers = self._parameters, self._buffers
        momentum = 0.0 if self.momentum is None else self.momentum
        mean, var = buffers.get("running_mean"), buffers.get("running_var")
        if training and self.track_running_stats:
            counter = buffers.get("num_batches_tracked")
            if counter is not None:
                counter.add_(1)
                if self.momentum is None:
                    momentum = 1.0 / float(counter)
        by_batch = training or (mean is None and var is None)
        # Running statistics that are not tracked must not be updated in training.
        used = not training or self.track_running_stats
        return F.batch_norm(
            input,
            mean if used else None,
            var if used else None,
            parameters["weight"] if "weight" in parameters else self.weight,
            parameters["bias"] if "bias" in parameters else self.bias,
            by_batch,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    __doc__ = (_BatchNorm.__doc__ or "") + "\n    Shape: (N, C) or (N, C, L), the same out.\n"

    def _check_input_dim(self, input: Any) -> None:
        if input.dim() not in (2, 3):
            raise ValueError(f"expected 2D or 3D input (got {input.dim()}D input)")


class BatchNorm2d(_BatchNorm):
    __doc__ = (_BatchNorm.__doc__ or "") + "\n    Shape: (N, C, H, W), the same out.\n"

    def _check_input_dim(self, input: Any) -> None:
        if input.dim() != 4:
            raise ValueError(f"expected 4D input (got {input.dim()}D input)")


class BatchNorm3d(_BatchNorm):
    __doc__ = (_BatchNorm.__doc__ or "") + "\n    Shape: (N, C, D, H, W), the same out.\n"

    def _check_input_dim(self, input: Any) -> None:
        if input.dim() != 5:
            raise ValueError(f"expected 5D input (got {input.dim()}D input)")


class SyncBatchNorm(_BatchNorm):
    """``BatchNorm`` whose statistics are those of all processes of a group; of the one process that there is.

    Args:
        num_features: the number of channels.
        eps: added to the variance; default 1e-5.
        momentum: the share of a batch's statistics in the running ones; default 0.1; None: a plain average.
        affine: whether there are ``weight`` and ``bias``; default True.
        track_running_stats: whether running statistics are kept, for evaluation; default True.
        process_group: None: taeda runs in one process.
        device, dtype: of the parameters.
        bias: whether there is a ``bias``; default True.

    Shape: (N, C, ...), the same out.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        if process_group is not None:
            raise NotImplementedError("taeda has no process groups: it runs in one process")
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = None

    def _check_input_dim(self, input: Any) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Any, process_group: Any = None) -> Any:
        """``module`` with every batch norm in it replaced by a ``SyncBatchNorm`` that has its parameters and buffers."""
        result = module
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            result = cls(
                module.num_features, module.eps, module.momentum, False, module.track_running_stats, process_group
            )
            result.affine, result.training = module.affine, module.training
            result.weight, result.bias = module.weight, module.bias
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(result, name, getattr(module, name))
        for name, child in module.named_children():
            result.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return result


class _InstanceNorm(_NormBase):
    """Each channel of each sample with mean 0 and variance 1, then scaled and shifted (Ulyanov 2016).

    Args:
        num_features: the number of channels.
        eps: added to the variance; default 1e-5.
        momentum: the share of new statistics in the running ones; default 0.1.
        affine: whether there are ``weight`` and ``bias``; default False.
        track_running_stats: whether running statistics are kept and used in evaluation; default False.
        device, dtype: of the parameters.
        bias: whether there is a ``bias``; default True.
    """

    _n_dims: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _check_input_dim(self, input: Any) -> None:
        n = self._n_dims
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)")

    def forward(self, input: Any) -> Any:
        """``input`` normalized: by its own statistics, or in evaluation by the running ones where they are kept."""
        self._check_input_dim(input)
        n_channels = input.size(-self._n_dims - 1)
        if n_channels != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={input.dim() - self._n_dims - 1} to match num_features "
                    f"({self.num_features}), but got: {n_channels}."
                )
            import warnings

            warnings.warn(
                f"input's size at dim={input.dim() - self._n_dims - 1} does not match num_features. You can "
                f"silence this "
                "warning by not passing in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        batch = input if input.dim() == self._n_dims + 2 else input.unsqueeze(0)
        result = F.instance_norm(
            batch,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result if batch is input else result.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    __doc__ = (_InstanceNorm.__doc__ or "") + "\n    Shape: (N, C, L) or (C, L), the same out.\n"
    _n_dims = 1


class InstanceNorm2d(_InstanceNorm):
    __doc__ = (_InstanceNorm.__doc__ or "") + "\n    Shape: (N, C, H, W) or (C, H, W), the same out.\n"
    _n_dims = 2


class InstanceNorm3d(_InstanceNorm):
    __doc__ = (_InstanceNorm.__doc__ or "") + "\n    Shape: (N, C, D, H, W) or (C, D, H, W), the same out.\n"
    _n_dims = 3


class _LazyNorm(LazyModuleMixin):
    """A normalization that takes ``num_features`` from its first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        # Without parameters and statistics at first: they follow, without a shape.
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=bias)
        self.affine = affine
        self.track_running_stats = track_running_stats
        options = {"device": device, "dtype": dtype}
        if affine:
            self.weight = UninitializedParameter(**options)
            if bias:
                self.bias = UninitializedParameter(**options)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**options)
            self.running_var = UninitializedBuffer(**options)
            self.num_batches_tracked = taeda.tensor(0, dtype=taeda.int64, device=device)

    def reset_parameters(self) -> None:
        """Set all to their initial values, once they have their shapes."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self, input: Any) -> None:
        """Give parameters and statistics the shapes that ``input`` asks for."""
        if not self.has_uninitialized_params():
            return
        self.num_features = input.shape[1]
        for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
            if tensor is not None:
                tensor.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """BatchNorm1d that takes ``num_features`` from its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """BatchNorm2d that takes ``num_features`` from its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """BatchNorm3d that takes ``num_features`` from its first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """InstanceNorm1d that takes ``num_features`` from its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """InstanceNorm2d that takes ``num_features`` from its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """InstanceNorm3d that takes ``num_features`` from its first input."""

    cls_to_become = InstanceNorm3d


def _shape(normalized_shape: Any) -> tuple[int, ...]:
    return (int(normalized_shape),) if isinstance(normalized_shape, numbers.Integral) else tuple(normalized_shape)


class LayerNorm(Module):
    """The last dimensions with mean 0 and variance 1, then scaled and shifted (Ba et al. 2016).

    Args:
        normalized_shape: the sizes of the dimensions normalized over, or the one size.
        eps: added to the variance; default 1e-5.
        elementwise_affine: whether there are ``weight`` and ``bias``; default True.
        bias: whether there is a ``bias``; default True.
        device, dtype: of the parameters.
    """

    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, present in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            values = Parameter(taeda.empty(self.normalized_shape, device=device, dtype=dtype)) if present else None
            self.register_parameter(name, values)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """``input`` normalized."""
        own = self._parameters
        weight = own["weight"] if "weight" in own else self.weight
        bias = own["bias"] if "bias" in own else self.bias
        return F.layer_norm(input, self.normalized_shape, weight, bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Each group of channels of each sample with mean 0 and variance 1, then scaled and shifted (Wu 2018).

    Args:
        num_groups: how many groups the channels form.
        num_channels: the number of channels.
        eps: added to the variance; default 1e-5.
        affine: whether there are ``weight`` and ``bias``; default True.
        device, dtype: of the parameters.
        bias: whether there is a ``bias``; default True.
    """

    __constants__ = ["num_groups", "num_channels", "eps", "affine"]

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, present in (("weight", affine), ("bias", affine and bias)):
            values = Parameter(taeda.empty(num_channels, device=device, dtype=dtype)) if present else None
            self.register_parameter(name, values)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        """``input`` normalized."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        has_bias = self.bias is not None
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={has_bias}"


class RMSNorm(Module):
    """The last dimensions divided by their root mean square, then scaled (Zhang 2019).

    Args:
        normalized_shape: the sizes of the dimensions normalized over, or the one size.
        eps: added to the mean square; default the dtype's machine epsilon.
        elementwise_affine: whether there is a ``weight``; default True.
        device, dtype: of the parameters.
    """

    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = taeda.empty(self.normalized_shape, device=device, dtype=dtype) if elementwise_affine else None
        self.register_parameter("weight", None if weight is None else Parameter(weight))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Any) -> Any:
        """``input`` normalized."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LocalResponseNorm(Module):
    """Each element divided by a power of the mean square over neighbouring channels (Krizhevsky 2012).

    Args:
        size: how many neighbouring channels count.
        alpha, beta, k: the factor of the mean square, the exponent, and what the scaled mean square is added to.
    """

    __constants__ = ["size", "alpha", "beta", "k"]

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Any) -> Any:
        """``input`` normalized."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """LocalResponseNorm of images (N, C, H, W), under the name of Lua Torch."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)
