"""Sampling an image at given points, and the points of an affine map (spatial transformers, Jaderberg et al. 2015)."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import taeda
from taeda.nn._functional.interpolation import _CUBIC, _cubic_weights

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
    _check_grid(input, grid, mode)
    n = input.dim() - 2
    sizes = tuple(input.shape[2:])
    points = [_unnormalized(grid[..., n - 1 - axis], sizes[axis], align_corners) for axis in range(n)]
    sampler = _Sampler(input, padding_mode, align_corners)
    if mode == "bicubic":
        return sampler.cubic(points)
    points = [sampler.inside(point, axis) for axis, point in enumerate(points)]
    return sampler.nearest(points) if mode == "nearest" else sampler.linear(points)


def _check_grid(input: Any, grid: Any, mode: str) -> None:
    n = input.dim() - 2
    if n not in (2, 3) or grid.dim() != input.dim():
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if input.size(0) != grid.size(0):
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.size(-1) != n:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {n} in last dimension, but got grid with sizes "
            f"{list(grid.shape)}"
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            f"grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
            f"{list(input.shape)}"
        )
    if n == 3 and mode == "bicubic":
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")


def _unnormalized(coordinate: Any, size: int, align_corners: bool) -> Any:
    """A coordinate from -1 to 1 as a position among the input's elements."""
    return (coordinate + 1) / 2 * (size - 1) if align_corners else ((coordinate + 1) * size - 1) / 2


class _Sampler:
    """Reads an image at positions; all of them are (N, *output) tensors, one for each spatial dimension."""

    def __init__(self, input: Any, padding_mode: str, align_corners: bool) -> None:
        self.input, self.padding_mode, self.align_corners = input, padding_mode, align_corners
        self.sizes = tuple(input.shape[2:])
        self.flat = input.flatten(2)

    def inside(self, position: Any, axis: int) -> Any:
        """``position`` moved into the image as the padding mode says; zeros stay where they are."""
        size = self.sizes[axis]
        if self.padding_mode == "reflection":
            position = self._reflected(position, size)
        if self.padding_mode != "zeros":
            position = position.clamp(0, size - 1)
        return position

    def _reflected(self, position: Any, size: int) -> Any:
        low, span = (0.0, float(size - 1)) if self.align_corners else (-0.5, float(size))
        if span == 0:
            return taeda.zeros_like(position)
        distance = (position - low).abs()
        rest = distance.fmod(span)
        is_even = (distance / span).floor().fmod(2) == 0
        return taeda.where(is_even, rest + low, span - rest + low)

    def read(self, places: list) -> Any:
        """The values at whole-numbered ``places``, 0 outside the image: (N, C, *output)."""
        n, c = self.input.shape[:2]
        output = places[0].shape[1:]
        index = taeda.zeros(places[0].shape, dtype=taeda.int64, device=self.input.device)
        valid = taeda.ones(places[0].shape, dtype=taeda.bool, device=self.input.device)
        for place, size in zip(places, self.sizes, strict=True):
            valid = valid & (place >= 0) & (place < size)
            place = place.detach()
            whole = place.masked_fill(place != place, 0.0).clamp(0, size - 1).to(taeda.int64)
            index = index * size + whole
        gathered = self.flat.gather(2, index.flatten(1).unsqueeze(1).expand(n, c, index[0].numel() if n else 0)).view(
            n, c, *output
        )
        return gathered.masked_fill(~valid.unsqueeze(1), 0.0)

    def nearest(self, positions: list) -> Any:
        return self.read([position.round() for position in positions])

    def linear(self, positions: list) -> Any:
        bases = [position.detach().floor() for position in positions]
        shares = [position - base for position, base in zip(positions, bases, strict=True)]
        result = None
        for corner in itertools.product((0, 1), repeat=len(positions)):
            weight = 1.0
            for step, share in zip(corner, shares, strict=True):
                weight = weight * (share if step else 1 - share)
            value = self.read([base + step for step, base in zip(corner, bases, strict=True)])
            term = value * weight.unsqueeze(1)
            result = term if result is None else result + term
        return result

    def cubic(self, positions: list) -> Any:
        bases = [position.detach().floor() for position in positions]
        weights = [_cubic_weights(position - base, _CUBIC) for position, base in zip(positions, bases, strict=True)]
        result = None
        for row in range(4):
            line = None
            y = self.inside(bases[0] + (row - 1), 0)
            for column in range(4):
                x = self.inside(bases[1] + (column - 1), 1)
                term = self.read([y, x]) * weights[1][column].unsqueeze(1)
                line = term if line is None else line + term
            term = line * weights[0][row].unsqueeze(1)
            result = term if result is None else result + term
        return result
