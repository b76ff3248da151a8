"""Resizing: one dimension after the other, each output a weighted sum of a few inputs; and sampling at given points."""

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
_CUBIC = -0.75  # Keys' parameter; with antialias -0.5, as in Pillow
_CUBIC_ANTIALIAS = -0.5


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
    _check_mode(input, mode, align_corners, antialias)
    n = input.dim() - 2
    sizes, factors = _output_sizes(input, size, scale_factor, recompute_scale_factor, n)
    if mode == "area":
        from taeda.nn._functional import pooling

        return getattr(pooling, f"adaptive_avg_pool{n}d")(input, sizes)
    if 0 in sizes or 0 in input.shape[1:]:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input (H: {list(input.shape[2:])}) output "
            f"{list(sizes)}"
        )
    result = input
    # The last dimension first: it is contiguous while the others are still at their old size.
    for axis in reversed(range(n)):
        result = _resize(result, axis + 2, sizes[axis], factors[axis], mode, bool(align_corners), antialias)
    return result.clone() if result is input else result


def _check_mode(input: Any, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic "
                "| trilinear"
            )
    if antialias and not (mode in ("bilinear", "bicubic") and input.dim() == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input"
        )
    if mode not in _MODES or input.dim() not in _MODES[mode]:
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported "
            f"(got {input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | area | "
            f"nearest-exact "
            f"(got {mode})"
        )


def _output_sizes(input: Any, size: Any, scale_factor: Any, recompute: bool | None, n: int) -> tuple[tuple, tuple]:
    """The new sizes, and for each dimension the factor that positions are computed with, or None."""
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
        return tuple(int(x) for x in n_tuple(size, n)), (None,) * n
    factors = tuple(float(x) for x in n_tuple(scale_factor, n))
    sizes = tuple(int(math.floor(x * factor)) for x, factor in zip(input.shape[2:], factors, strict=True))
    return sizes, (None,) * n if recompute else factors


def _scale(old: int, new: int, factor: float | None, align_corners: bool) -> float:
    """How far apart in the input neighbouring outputs are."""
    if align_corners:
        return (old - 1) / (new - 1) if new > 1 else 0.0
    return 1.0 / factor if factor else old / new


def _resize(
    input: Any, dim: int, new: int, factor: float | None, mode: str, align_corners: bool, antialias: bool
) -> Any:
    old = input.size(dim)
    scale = _scale(old, new, factor, align_corners)
    # Positions are computed in float32 unless the values are float64: rounding decides which neighbour is nearest.
    dtype = taeda.float64 if input.dtype == taeda.float64 else taeda.float32
    if mode in ("nearest", "nearest-exact"):
        positions = taeda.arange(new, dtype=taeda.float32, device=input.device)
        if mode == "nearest-exact":
            positions = positions + 0.5
        elif new == old:
            return input
        index = (positions * scale).floor().to(taeda.int64).clamp_max(old - 1)
        return input.index_select(dim, index)
    if new == old and not (factor and factor != 1.0) and not antialias:
        return input
    if antialias:
        index, weights = _antialiased_taps(old, new, scale, mode, dtype)
    elif mode == "bicubic":
        index, weights = _cubic_taps(old, new, scale, align_corners, dtype)
    else:
        index, weights = _linear_taps(old, new, scale, align_corners, dtype)
    return _weighted_sum(input, dim, index, weights)


def _weighted_sum(input: Any, dim: int, index: list, weights: list) -> Any:
    """The sum over taps of ``input`` at ``index`` times ``weights``, each a vector over the outputs of ``dim``."""
    shape = [1] * input.dim()
    shape[dim] = -1
    computed = input if input.dtype in (taeda.float32, taeda.float64) else input.to(taeda.float32)
    result = None
    for places, factors in zip(index, weights, strict=True):
        term = computed.index_select(dim, places) * factors.view(shape)
        result = term if result is None else result + term
    if input.dtype.is_floating_point:
        return result.to(input.dtype)
    return result.round().clamp(0, 255).to(input.dtype)


def _positions(new: int, scale: float, align_corners: bool, dtype: Any) -> Any:
    outputs = taeda.arange(new, dtype=dtype)
    return outputs * scale if align_corners else (outputs + 0.5) * scale - 0.5


def _linear_taps(old: int, new: int, scale: float, align_corners: bool, dtype: Any) -> tuple[list, list]:
    positions = _positions(new, scale, align_corners, dtype).clamp_min(0)
    left = positions.floor().to(taeda.int64).clamp_max(old - 1)
    right = (left + 1).clamp_max(old - 1)
    share = (positions - left.to(dtype)).clamp(0, 1)
    return [left, right], [1 - share, share]


def _cubic_weights(share: Any, a: float) -> list:
    """The four weights of Keys' cubic convolution for a point ``share`` of the way from the second to the third."""

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(share + 1), near(share), near(1 - share), far(2 - share)]


def _cubic_taps(old: int, new: int, scale: float, align_corners: bool, dtype: Any) -> tuple[list, list]:
    positions = _positions(new, scale, align_corners, dtype)
    base = positions.floor()
    left = base.to(taeda.int64)
    return [(left + tap).clamp(0, old - 1) for tap in (-1, 0, 1, 2)], _cubic_weights(positions - base, _CUBIC)


def _antialiased_taps(old: int, new: int, scale: float, mode: str, dtype: Any) -> tuple[list, list]:
    """The taps of a triangle or cubic filter that is widened by the scale when shrinking."""
    half_width = 2.0 if mode == "bicubic" else 1.0
    support = half_width * scale if scale >= 1.0 else half_width
    inverse = 1.0 / scale if scale >= 1.0 else 1.0
    # The filter is centred as without align_corners, whose scale alone counts: so does PyTorch.
    centres = (taeda.arange(new, dtype=dtype) + 0.5) * scale
    first = (centres - support + 0.5).to(taeda.int64).clamp_min(0)
    behind = (centres + support + 0.5).to(taeda.int64).clamp_max(old)
    n_taps = int((behind - first).max())
    places = first.unsqueeze(0) + taeda.arange(n_taps).unsqueeze(1)  # (taps, outputs)
    distance = ((places.to(dtype) - centres + 0.5) * inverse).abs()
    if mode == "bicubic":
        a = _CUBIC_ANTIALIAS
        near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
        far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
        weights = taeda.where(distance < 1, near, taeda.where(distance < 2, far, taeda.zeros_like(far)))
    else:
        weights = (1 - distance).clamp_min(0)
    weights = weights.masked_fill(places >= behind, 0.0)
    weights = weights / weights.sum(0, keepdim=True)
    return list(places.clamp_max(old - 1).unbind(0)), list(weights.unbind(0))


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
