"""`vmap`: a function of one sample, run on a whole batch at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import taeda
from taeda.autograd import forward_ad
from taeda.func import _batch
from taeda.utils import _pytree as pytree

__all__ = ["vmap"]


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that applies ``func`` to each slice of its arguments along a dimension, all slices at once.

    Args:
        func: takes and returns tensors, also in nested lists, tuples and dicts.
        in_dims: which dimension of each argument counts the samples: an int for all, or a structure that matches the arguments; None
            for what is the same for all samples. Default: 0.
        out_dims: where the samples' dimension goes in each result; an int for all, or a structure that matches the results.
        randomness: "error" (default): random operations raise; "different": each sample draws its own numbers; "same": all the same.
        chunk_size: how many samples at a time; None (default): all of them.

    Returns:
        a function with the same arguments as ``func``.

    Raises:
        ValueError: the dims do not fit the arguments, or the sizes along them differ.
        RuntimeError: ``func`` asks for the value of a sample (``item()``), or for random numbers while randomness is "error".

    Edge cases: calls nest; a batch of size zero works where each operation has a batching rule. Operations without one are called once
    for each sample, with one warning.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure, dims = _flat_inputs(func, in_dims, args)
        batch_size = _batch_size(func, leaves, dims)
        if chunk_size is None or chunk_size >= batch_size:
            flat, shape = _run(func, leaves, structure, dims, batch_size, randomness, kwargs)
            return pytree.tree_unflatten(_placed(func, flat, shape, out_dims), shape)
        parts = []
        for start in range(0, batch_size, chunk_size):
            length = min(chunk_size, batch_size - start)
            chunk = [
                leaf if dim is None else leaf.narrow(dim, start, length) for leaf, dim in zip(leaves, dims, strict=True)
            ]
            flat, shape = _run(func, chunk, structure, dims, length, randomness, kwargs)
            parts.append(flat)
        joined = [taeda.cat(pieces, 0) for pieces in zip(*parts, strict=True)]
        return pytree.tree_unflatten(_placed(func, joined, shape, out_dims), shape)

    return wrapped


def _name(func: Callable[..., Any]) -> str:
    return getattr(func, "__name__", repr(func))


def _flat_inputs(func: Callable[..., Any], in_dims: Any, args: tuple[Any, ...]) -> tuple[list[Any], Any, list[Any]]:
    what = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, int | tuple):
        raise ValueError(
            f"{what}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"{what}: got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a function with no inputs."
        )
    leaves, structure = pytree.tree_flatten(args)
    dims = pytree.broadcast_to_and_flatten(in_dims, structure)
    if dims is None:
        raise ValueError(
            f"{what}: in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{pytree.tree_flatten(in_dims)[1]} but inputs has structure {structure}."
        )
    for k, (leaf, dim) in enumerate(zip(leaves, dims, strict=True)):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"{what}: Got in_dim={dim} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(leaf, taeda.Tensor):
            raise ValueError(
                f"{what}: Got in_dim={dim} for an input but the input is of type {type(leaf)}. We cannot vmap over non-Tensor arguments, "
                "please use None as the respective in_dim"
            )
        if not -leaf.ndim <= dim < leaf.ndim:
            raise ValueError(
                f"{what}: Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {leaf.ndim} so expected in_dim to "
                f"satisfy {-leaf.ndim} <= in_dim < {leaf.ndim}."
            )
        dims[k] = dim % leaf.ndim
    return leaves, structure, dims


def _batch_size(func: Callable[..., Any], leaves: list[Any], dims: list[Any]) -> int:
    sizes = [leaf.shape[dim] for leaf, dim in zip(leaves, dims, strict=True) if dim is not None]
    if not sizes:
        raise ValueError("vmap: at least one input must have a dimension to map over: all in_dims are None")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped dimension"
        )
    return sizes[0]


def _run(
    func: Callable[..., Any],
    leaves: list[Any],
    structure: Any,
    dims: list[Any],
    batch_size: int,
    randomness: str,
    kwargs: dict[str, Any],
) -> tuple[list[Any], Any]:
    """Call ``func`` at a level of its own; the flat results have the samples in front."""
    level = _batch.Level(len(_batch.levels) + 1, batch_size, randomness)
    batched = [leaf if dim is None else _batch.wrap(leaf, dim, level) for leaf, dim in zip(leaves, dims, strict=True)]
    arguments = pytree.tree_unflatten(batched, structure)
    with _batch.inside(level):
        results = func(*arguments, **kwargs)
    flat, shape = pytree.tree_flatten(results)
    return [_samples(func, item, level) for item in flat], shape


def _samples(func: Callable[..., Any], result: Any, level: Any) -> Any:
    if not isinstance(result, taeda.Tensor):
        raise ValueError(
            f"vmap({_name(func)}, ...): `{_name(func)}` must only return Tensors, got type {type(result)}. Did you mean to set out_dims= to "
            "None for output?"
        )
    value = _unwrapped(result, level)
    # A tangent of a level that is open outside belongs to all the samples: where the batched tensor itself has one, it moves over.
    for number in range(len(forward_ad._levels)):
        _, tangent = forward_ad.unpack_dual(result, level=number)
        if tangent is None:
            continue
        tangent = _unwrapped(tangent, level)
        plain, own = forward_ad.unpack_dual(value, level=number)
        value = forward_ad.make_dual(plain, tangent if own is None else own + tangent, level=number)
    return value


def _unwrapped(result: Any, level: Any) -> Any:
    """All samples of a result, in front."""
    batch = _batch.batch_of(result, level)
    if batch is None:  # the same for all samples
        return result.unsqueeze(0).expand([level.batch_size, *result.shape])
    return batch.value.movedim(batch.dim, 0)


def _placed(func: Callable[..., Any], flat: list[Any], structure: Any, out_dims: Any) -> list[Any]:
    dims = pytree.broadcast_to_and_flatten(out_dims, structure)
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of `outputs`. out_dims "
            f"has structure {pytree.tree_flatten(out_dims)[1]} but outputs has structure {structure}."
        )
    placed = []
    for result, dim in zip(flat, dims, strict=True):
        if dim is None:
            placed.append(result.select(0, 0))
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"vmap({_name(func)}, ..., out_dims={out_dims}): `out_dims` must be an int or a tuple of int"
            )
        placed.append(result if dim == 0 else result.movedim(0, dim))
    return placed
