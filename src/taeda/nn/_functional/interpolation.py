"""Resizing: arguments and their checks; one kernel does the work (csrc/cpu/resize.cpp)."""

from __future__ import annotations

import math
import warnings
from typing import Any

import taeda
from taeda.nn._functional.sizes import n_tuple

# For each mode the numbers of dimensions that it takes.
_MODES = {
    "nearest": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
    "area": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "trilinear": (5,),
    "bicubic": (4,),
}


def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """``input`` resized.

    Args:
        input: (N, C, L), (N, C, H, W) or (N, C, D, H, W).
        size: the new spatial sizes; or
        scale_factor: what the spatial sizes are multiplied by.
        mode: ``"nearest"`` (default), ``"nearest-exact"``, ``"area"``, ``"linear"`` (3-D input), ``"bilinear"``,
            ``"bicubic"`` (4-D) or ``"trilinear"`` (5-D).
        align_corners: whether the centres of the corners, not their outer edges, coincide; default False.
        recompute_scale_factor: whether the scale follows from the rounded sizes; default False.
        antialias: whether shrinking averages over all inputs that an output covers; for bilinear and bicubic.
    """
    n = input.dim() - 2
    _check_mode(n + 2, mode, align_corners, antialias)
    sizes, factors = _output_sizes(input, size, scale_factor, recompute_scale_factor, n)
    if mode == "area":
        from taeda.nn._functional import pooling

        return getattr(pooling, f"adaptive_avg_pool{n}d")(input, sizes)
    return taeda._C._interpolate(input, sizes, mode, bool(align_corners), antialias, factors)


def _check_mode(n_dims: int, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic "
                "| trilinear"
            )
    if antialias and not (mode in ("bilinear", "bicubic") and n_dims == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input"
        )
    if n_dims not in _MODES.get(mode, ()):
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported "
            f"(got {n_dims}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | area | "
            f"nearest-exact "
            f"(got {mode})"
        )


def _output_sizes(input: Any, size: Any, scale_factor: Any, recompute: bool | None, n: int) -> tuple[Any, Any]:
    """The new sizes, and for each dimension the factor that positions are computed with; none where the sizes say it."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    given = size if size is not None else scale_factor
    if isinstance(given, (list, tuple)) and len(given) != n:
        name = "size" if size is not None else "scale_factor"
        raise ValueError(
            f"Input and {name} must have the same number of spatial dimensions, but got input with spatial "
            f"dimensions of "
            f"{list(input.shape[2:])} and {'output size' if size is not None else name} of {given}. "
        )
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        return ([size] * n if isinstance(size, int) else [int(x) for x in n_tuple(size, n)]), ()
    shape = input.shape
    if isinstance(scale_factor, (int, float)):
        factors = [float(scale_factor)] * n
    else:
        factors = [float(x) for x in n_tuple(scale_factor, n)]
    sizes = [math.floor(shape[2 + k] * factors[k]) for k in range(n)]
    return sizes, () if recompute else factors


def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Any:
    """``interpolate``, under its old name."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """``interpolate(..., mode="nearest")``, under its old name."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """``interpolate(..., mode="bilinear", align_corners=True)``, under its old name."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
