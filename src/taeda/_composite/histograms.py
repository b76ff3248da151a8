"""Histograms of one and of several dimensions, with their bins' edges, and hashes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda import _ops
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["hash_tensor", "histogram", "histogramdd", "unravel_index"]

_SHORT = {
    taeda._C.float32: "float",
    taeda._C.float64: "double",
    taeda._C.int64: "long int",
    taeda._C.int32: "int",
    taeda._C.float16: "c10::Half",
}


def _short(dtype: Any) -> str:
    return _SHORT.get(dtype, str(dtype).rsplit(".", 1)[-1])


def _check(points: Tensor, weight: Tensor | None) -> None:
    if weight is not None:
        if weight.dtype != points.dtype:
            raise RuntimeError(
                "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same "
                f"dtype, but got input({_short(points.dtype)}), and weight({_short(weight.dtype)})"
            )
        if weight.shape != points.shape[:-1]:
            raise RuntimeError(
                "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor "
                f"excluding its innermost dimension, but got input with shape {list(points.shape)} and weight with shape "
                f"{list(weight.shape)}"
            )
    if points.dtype not in (taeda.float32, taeda.float64):
        name = {"half": "Half"}.get(_short(points.dtype)) or points.type().removeprefix("torch.").removesuffix("Tensor")
        raise NotImplementedError(f"\"histogramdd\" not implemented for '{name.replace('Complex', 'Complex')}'")


def _outer_edges(points: Tensor, range: Sequence[float] | None, dims: int) -> list[tuple[float, float]]:
    """Where the first bin of each dimension begins and the last ends."""
    if range is not None:
        if len(range) != 2 * dims:
            raise RuntimeError(
                f"torch.histogramdd: for a {dims}-dimensional histogram range should have {2 * dims} elements, but got "
                f"{len(range)}"
            )
        ends = [(float(range[2 * d]), float(range[2 * d + 1])) for d in _range(dims)]
    elif points.numel() == 0:
        ends = [(0.0, 1.0)] * dims
    else:
        low, high = points.reshape(-1, dims).aminmax(dim=0)
        ends = list(zip(low.tolist(), high.tolist(), strict=True))
    for d, (low, high) in enumerate(ends):
        if not (math.isfinite(low) and math.isfinite(high)):
            raise RuntimeError(f"torch.histogramdd: dimension {d}'s range [{low:g}, {high:g}] is not finite")
        if low > high:
            raise RuntimeError(
                f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension {d}"
            )
    return [(low - 0.5, high + 0.5) if low == high else (low, high) for low, high in ends]


_range = range


def _edges(points: Tensor, bins: Sequence[Any], range: Any) -> list[Tensor]:
    dims = points.shape[-1]
    if all(isinstance(count, taeda.Tensor) for count in bins):
        for d, edges in enumerate(bins):
            if edges.dtype != points.dtype:
                raise RuntimeError(
                    "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with "
                    f"dtype {_short(points.dtype)} and bins for dimension {d} with dtype {_short(edges.dtype)}"
                )
            if edges.ndim != 1:
                raise RuntimeError(
                    f"torch.histogramdd: bins tensor should have one dimension, but got {edges.ndim} dimensions in the "
                    f"bins tensor for dimension {d}"
                )
            if edges.numel() == 0:
                raise RuntimeError(
                    "torch.histogramdd: bins tensor should have at least 1 element, but got 0 elements in the bins "
                    f"tensor for dimension {d}"
                )
        return list(bins)
    for d, count in enumerate(bins):
        if count <= 0:
            raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {count} for dimension {d}")
    ends = _outer_edges(points, range, dims)
    return [
        taeda.linspace(low, high, count + 1, dtype=points.dtype, device=points.device)
        for (low, high), count in zip(ends, bins, strict=True)
    ]


def _counts(points: Tensor, edges: list[Tensor], weight: Tensor | None, density: bool) -> Tensor:
    """How many points, or how much weight, lies in each bin; the last edge belongs to the last bin."""
    points = points.detach().reshape(-1, len(edges))
    shape = [len(edge) - 1 for edge in edges]
    place = points.new_zeros(len(points), dtype=taeda.int64)
    inside = points.new_ones(len(points), dtype=taeda.bool)
    for d, edge in enumerate(edges):
        column = points[:, d].contiguous()
        index = taeda.searchsorted(edge.detach().contiguous(), column, right=True) - 1
        index = taeda.where(column == edge[-1], shape[d] - 1, index)
        inside = inside & (column >= edge[0]) & (column <= edge[-1])
        place = place * shape[d] + index
    total = math.prod(shape)
    place = taeda.where(inside, place, total)  # one bin more, for what lies outside
    if weight is None:
        made = taeda.bincount(place, minlength=total + 1)[:total].to(points.dtype)
    else:
        made = points.new_zeros(total + 1).index_add(0, place, weight.detach().reshape(-1))[:total]
    made = made.reshape(shape)
    if density:
        made = made / made.sum()
        for d, edge in enumerate(edges):
            made = made / edge.diff().reshape([-1 if k == d else 1 for k in range(len(edges))])
    return made


_make_histogram = _ops._named_tuple("histogram", ("hist", "bin_edges"))
_make_histogramdd = _ops._named_tuple("histogramdd", ("hist", "bin_edges"))


@public("torch", "Tensor")
def histogram(
    input: Tensor,
    bins: int | Tensor = 100,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
    out: Any = None,
) -> Any:
    """Return how many elements lie between neighbouring edges, and the edges: ``(hist, bin_edges)``.

    Args:
        input: float32 or float64, any shape.
        bins: the number of bins of equal width, or their edges in ascending order. Default: 100.
        range: lower end of the first and upper end of the last bin; default: minimum and maximum.
        weight: what each element counts; default: 1.
        density: divide by the sum and by each bin's width, so that the integral is 1.
        out: two tensors that receive the results.

    Each bin contains its lower edge, the last its upper one too. Elements outside, and NaN, do not count.
    """
    if isinstance(bins, taeda.Tensor) and range is not None:
        raise TypeError("histogram() received an invalid combination of arguments: range= goes with a number of bins")
    points = input.reshape(-1, 1)
    _check(points, None if weight is None else weight.reshape(-1))
    edges = _edges(points, [bins], range)
    made = _counts(points, edges, weight, density), edges[0]
    return _make_histogram([_into(value, to) for value, to in zip(made, out or (None, None), strict=True)])


def _into(value: Tensor, out: Tensor | None) -> Tensor:
    return value if out is None else out.resize_(value.shape).copy_(value)


@public("torch")
def histogramdd(
    input: Tensor,
    bins: int | Sequence[int] | Sequence[Tensor],
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Return how many points lie in each cell of a grid, and the grid's edges: ``(hist, bin_edges)``.

    Args:
        input: (..., dims), float32 or float64.
        bins: the number of bins, for all dimensions or for each; or the edges of each dimension.
        range: lower and upper end of each dimension, one after the other: 2 * dims numbers. Default: what the points cover.
        weight: (...), what each point counts; default: 1.
        density: divide by the sum and by each cell's volume.
    """
    dims = _last_size(input)
    if input.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    if isinstance(range, (list, tuple)) and any(isinstance(ends, (list, tuple)) for ends in range):
        raise TypeError(
            "histogramdd(): argument 'range' must be tuple of floats, two for each dimension, one after the other"
        )
    every = [bins] * dims if isinstance(bins, int) else list(bins)
    if len(every) != dims:
        raise RuntimeError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    _check(input, weight)
    edges = _edges(input, every, range)
    return _make_histogramdd([_counts(input, edges, weight, density), tuple(edges)])


def _last_size(input: Tensor) -> int:
    if input.ndim == 0:
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    return input.shape[-1]


# ---- places and hashes


@public("torch")
def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return the coordinates, one tensor for each dimension, of elements of a tensor numbered in row-major order.

    Args:
        indices: integers, any shape.
        shape: the sizes of the tensor; an int for one dimension.
    """
    if not isinstance(indices, taeda.Tensor):
        raise TypeError(f"expected 'indices' to be a tensor, but got {type(indices)}")
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == taeda.bool:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    if not isinstance(shape, (int, Sequence)) or isinstance(shape, str):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    sizes = [shape] if isinstance(shape, int) else list(shape)
    for size in sizes:
        if not isinstance(size, int):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(size)}")
        if size < 0:
            raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    if 0 in sizes and indices.numel():
        raise RuntimeError(f"ZeroDivisionError: a tensor of shape {tuple(sizes)} has no elements to find")
    coordinates = []
    for size in reversed(sizes):
        coordinates.append(indices.remainder(size) if size else indices.clone())
        indices = indices.div(size, rounding_mode="floor") if size else indices
    return tuple(reversed(coordinates))


@public("torch", "Tensor")
def hash_tensor(
    input: Tensor, dim: int | Sequence[int] | None = (), *, keepdim: bool = False, mode: int = 0, out: Any = None
) -> Tensor:
    """Return the exclusive or of the elements' bits, as int64 or float64, in uint64.

    Args:
        dim: the dimensions to reduce; default: all.
        keepdim: keep them with size one.
        mode: 0 is the only one.

    Raises:
        IndexError: a dimension to reduce is empty; RuntimeError where it is not named.
    """
    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    if input.is_complex():
        kind = "ComplexFloat" if input.dtype == taeda.complex64 else "ComplexDouble"
        raise NotImplementedError(f"\"xor_sum_cpu\" not implemented for '{kind}'")
    dims = [dim] if isinstance(dim, int) else list(dim or ())
    if not dims and input.numel() == 0:
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
            "the 'dim' argument."
        )
    rank = max(input.ndim, 1)
    for d in dims:
        if not -rank <= d < rank:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {d})")
    dims = sorted({d % rank for d in dims}) if dims else list(_range(input.ndim))
    bits = input.detach()
    bits = bits.double().view(taeda.int64) if bits.is_floating_point() else bits.to(taeda.int64)
    for d in dims if input.ndim else ():
        if input.shape[d] == 0:
            raise IndexError(f"hash_tensor: Expected reduction dim {d} to have non-zero size.")
        bits = _folded(bits, d)
    kept = [size for d, size in enumerate(bits.shape) if keepdim or d not in dims]
    return _into(bits.reshape(kept).view(taeda.uint64), out)


def _folded(bits: Tensor, dim: int) -> Tensor:
    """The exclusive or along a dimension, halving it again and again."""
    while (n := bits.shape[dim]) > 1:
        half = n // 2
        joined = bits.narrow(dim, 0, half) ^ bits.narrow(dim, half, half)
        bits = taeda.cat([joined, bits.narrow(dim, n - 1, 1)], dim) if n % 2 else joined
    return bits
