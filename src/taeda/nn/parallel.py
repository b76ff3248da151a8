"""DataParallel, which divides a batch among accelerators, and without any is its module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taeda.nn.module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """A module that calls another: there are no accelerators to divide a batch among.

    Args:
        module: what is called; it is found under ``module``, also in the state's names.
        device_ids: which accelerators; must be empty or None.
        output_device: where results are gathered; without effect.
        dim: the dimension that would be divided; default 0.
    """

    def __init__(
        self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        if device_ids:
            raise RuntimeError(
                f"taeda has no accelerators that DataParallel could use, but got device_ids={device_ids}"
            )
        self.module = module
        self.device_ids: list[Any] = []
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The module's result."""
        return self.module(*inputs, **kwargs)
