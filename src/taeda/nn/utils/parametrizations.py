"""Ready parametrizations: weight-normalized and spectrally normalized weights."""

from __future__ import annotations

from typing import Any

import taeda
from taeda.nn import functional as F
from taeda.nn.module import Module
from taeda.nn.utils import parametrize
from taeda.nn.utils.weight_norm import norm_except_dim

__all__ = ["spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    """A weight from its length and its direction."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        """The weight."""
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        """Length and direction of a weight."""
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """``module`` with a parameter computed from its length and direction (Salimans 2016).

    Args:
        module: what holds the parameter.
        name: its name; default ``"weight"``.
        dim: the dimension along which lengths are separate; default 0; None: one length.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def upgrade(state_dict: dict, prefix: str, *rest: Any) -> None:
        # States stored by the older weight_norm have other names.
        g, v = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if g in state_dict and v in state_dict:
            state_dict[f"{prefix}parametrizations.{name}.original0"] = state_dict.pop(g)
            state_dict[f"{prefix}parametrizations.{name}.original1"] = state_dict.pop(v)

    module._register_load_state_dict_pre_hook(upgrade)
    return module


class _SpectralNorm(Module):
    """A weight divided by its largest singular value, which power iteration estimates."""

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        n_dims = weight.dim()
        if not -n_dims <= dim < n_dims:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{n_dims}, {n_dims - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % n_dims
        self.eps = eps
        if n_dims > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight)
            options = {"dtype": weight.dtype, "device": weight.device}
            u = taeda.empty(matrix.size(0), **options).normal_(0, 1)
            v = taeda.empty(matrix.size(1), **options).normal_(0, 1)
            self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
            self._power_method(matrix, 15)  # a good start: each training step adds only a little

    def _matrix(self, weight: Any) -> Any:
        return weight.movedim(self.dim, 0).reshape(weight.size(self.dim), -1)

    def _power_method(self, matrix: Any, n_iterations: int) -> None:
        with taeda.no_grad():
            for _ in range(n_iterations):
                self._u.copy_(F.normalize(matrix @ self._v, dim=0, eps=self.eps))
                self._v.copy_(F.normalize(matrix.t() @ self._u, dim=0, eps=self.eps))

    def forward(self, weight: Any) -> Any:
        """The normalized weight."""
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._power_method(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix @ v)

    def right_inverse(self, value: Any) -> Any:
        """``value``, which is assumed to be normalized."""
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """``module`` with a parameter divided by its largest singular value (Miyato 2018).

    Args:
        module: what holds the parameter.
        name: its name; default ``"weight"``.
        n_power_iterations: how many steps of power iteration each reading in training makes; default 1.
        eps: the least length of a vector that is divided by its length.
        dim: the dimension that makes the rows; default 0, and 1 for transposed convolutions.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, taeda.Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = 1 if getattr(module, "transposed", False) else 0
    parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module
