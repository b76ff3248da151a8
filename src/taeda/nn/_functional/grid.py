"""Sampling an image at given points, and the points of an affine map (spatial transformers, Jaderberg et al. 2015)."""

from __future__ import annotations

import warnings
from typing import Any

import taeda

GRID_SAMPLE_INTERPOLATION_MODES = {"bilinear": 0, "nearest": 1, "bicubic": 2}
GRID_SAMPLE_PADDING_MODES = {"zeros": 0, "border": 1, "reflection": 2}


def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """The points that affine maps send a regular grid to, for ``grid_sample``.

    Args:
        theta: (N, 2, 3) or (N, 3, 4).
        size: the size of the image to come, (N, C, H, W) or (N, C, D, H, W).
        align_corners: whether -1 and 1 are the centres of the corners, not their outer edges; default False.

    Returns:
        (N, H, W, 2) or (N, D, H, W, 3): x, y (and z) of each point.
    """
    if align_corners is None:
        _warn_of_default("affine_grid")
        align_corners = False
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    n = len(size) - 2
    if n not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. "
            f"Got size {size}."
        )
    if theta.dim() != 3 or tuple(theta.shape[-2:]) != (n, n + 1):
        raise ValueError(
            f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {size}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    spatial = tuple(size[2:])
    axes = []
    for axis, length in enumerate(spatial):
        line = taeda.linspace(-1, 1, length, dtype=theta.dtype) if length > 1 else taeda.zeros(1, dtype=theta.dtype)
        if not align_corners:
            line = line * ((length - 1) / length)
        shape = [1] * n
        shape[axis] = length
        axes.append(line.view(shape).expand(spatial))
    points = taeda.stack([*reversed(axes), taeda.ones(spatial, dtype=theta.dtype)], -1)
    result = points.reshape(1, -1, n + 1) @ theta.transpose(1, 2)
    return result.view(theta.size(0), *spatial, n)


def _warn_of_default(name: str) -> None:
    warnings.warn(
        f"Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
        f"align_corners=True if the old behavior is desired. See the documentation of {name} for details.",
        stacklevel=3,
    )


def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Any:
    """``input`` sampled at the points of ``grid``.

    Args:
        input: (N, C, H, W) or (N, C, D, H, W).
        grid: (N, Ho, Wo, 2) or (N, Do, Ho, Wo, 3): x, y (and z), from -1 to 1 over the input.
        mode: ``"bilinear"`` (default; trilinear for 5-D input), ``"nearest"`` or ``"bicubic"`` (4-D only).
        padding_mode: what lies outside: ``"zeros"`` (default), the ``"border"`` or its ``"reflection"``.
        align_corners: whether -1 and 1 are the centres of the corners, not their outer edges; default False.
    """
    if mode not in GRID_SAMPLE_INTERPOLATION_MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in GRID_SAMPLE_PADDING_MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    if align_corners is None:
        _warn_of_default("grid_sample")
        align_corners = False
    if input.dtype != grid.dtype:
        raise RuntimeError(
            f"grid_sampler(): expected input and grid to have same dtype, but input has {input.dtype} and grid has "
            f"{grid.dtype}"
        )
    modes = GRID_SAMPLE_INTERPOLATION_MODES[mode], GRID_SAMPLE_PADDING_MODES[padding_mode]
    return taeda._C._grid_sample(input, grid, *modes, align_corners)
