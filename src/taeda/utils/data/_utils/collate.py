"""Making a batch of samples: tensors are stacked, containers are walked."""

from __future__ import annotations

import collections.abc
import copy
from collections.abc import Callable, Sequence
from typing import Any

import taeda

_ERROR = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def _is_numpy(value: Any) -> bool:
    # Looking at the name spares the import of NumPy in programs that have no arrays.
    return type(value).__module__ == "numpy"


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def default_convert(data: Any) -> Any:
    """The data with NumPy arrays replaced by tensors, in containers too.

    Args:
        data: anything; what is neither an array nor a container is returned as it is.
    """
    if isinstance(data, (taeda.Tensor, str, bytes)):
        return data
    if _is_numpy(data):
        is_text = type(data).__name__ in ("str_", "bytes_") or data.dtype.kind in "SUO"
        return data if is_text else taeda.as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        return _rebuilt_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if _is_namedtuple(data):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, collections.abc.Sequence):
        return _rebuilt_sequence(data, [default_convert(value) for value in data])
    return data


def _rebuilt_mapping(like, items: dict):
    """The items in a mapping of the same type; in a plain dict where that type cannot be made of them."""
    try:
        if isinstance(like, collections.abc.MutableMapping):
            # A copy keeps what the type's constructor may need, such as a default factory.
            result = copy.copy(like)
            result.update(items)
            return result
        return type(like)(items)
    except TypeError:
        return items


def _rebuilt_sequence(like, items: list):
    """The items in a sequence of the same type; in a list where that type cannot be made of them."""
    try:
        if isinstance(like, collections.abc.MutableSequence):
            result = copy.copy(like)
            for i, item in enumerate(items):
                result[i] = item
            return result
        return type(like)(items)
    except TypeError:
        return items


def collate(batch: Sequence[Any], *, collate_fn_map: dict | None = None) -> Any:
    """Make a batch of samples, by type.

    Args:
        batch: the samples, all of the same structure.
        collate_fn_map: type (or tuple of types) to ``function(batch, collate_fn_map=...)``.
    """
    first = batch[0]
    kind = type(first)
    if collate_fn_map is not None:
        if kind in collate_fn_map:
            return collate_fn_map[kind](batch, collate_fn_map=collate_fn_map)
        for types, function in collate_fn_map.items():
            if isinstance(first, types):
                return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, collections.abc.Mapping):
        items = {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in first}
        return _rebuilt_mapping(first, items)
    if _is_namedtuple(first):
        return kind(*(collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)))
    if isinstance(first, collections.abc.Sequence):
        if any(len(sample) != len(first) for sample in batch):
            sizes = sorted({len(sample) for sample in batch})
            raise RuntimeError(
                f"each element in list of batch should be of equal size\n  the sizes are {sizes}\n"
                "  hint: pad the samples, or pass a collate_fn that does"
            )
        columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)]
        # A tuple of columns comes back as a list: programs assign to a batch's items.
        return columns if isinstance(first, tuple) else _rebuilt_sequence(first, columns)
    if _is_numpy(first) and collate_fn_map is not None:
        return collate_numpy_fn(batch, collate_fn_map=collate_fn_map)
    raise TypeError(_ERROR.format(kind))


def collate_tensor_fn(batch: list, *, collate_fn_map: dict | None = None) -> taeda.Tensor:
    """The tensors, stacked along a new first dimension."""
    return taeda.stack(tuple(batch), 0)


def collate_numpy_fn(batch: Sequence[Any], *, collate_fn_map: dict | None = None) -> taeda.Tensor:
    """The NumPy arrays or numbers, stacked into a tensor of the same dtype."""
    import numpy

    first = batch[0]
    if first.dtype.kind in "SUO":
        raise TypeError(_ERROR.format(first.dtype))
    if first.shape == ():
        return taeda.as_tensor(numpy.asarray(batch))
    return collate([taeda.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map or default_collate_fn_map)


def collate_float_fn(batch: list, *, collate_fn_map: dict | None = None) -> taeda.Tensor:
    """Python floats as a float64 tensor."""
    return taeda.tensor(batch, dtype=taeda.float64)


def collate_int_fn(batch: list, *, collate_fn_map: dict | None = None) -> taeda.Tensor:
    """Python integers as an int64 tensor."""
    return taeda.tensor(batch)


def collate_str_fn(batch: list, *, collate_fn_map: dict | None = None) -> list:
    """Strings as they are."""
    return batch


# Programs add types of their own here. NumPy's are handled apart, so that its import can wait.
default_collate_fn_map: dict[Any, Callable] = {
    taeda.Tensor: collate_tensor_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: list) -> Any:
    """Make a batch of samples: tensors, arrays and numbers are stacked into tensors, in containers too.

    Args:
        batch: the samples, all of the same structure.

    Returns:
        The samples' structure with a tensor in the place of each number, array or tensor; strings stay lists, and a
        tuple becomes a list.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
