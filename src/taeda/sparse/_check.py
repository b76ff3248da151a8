"""Whether indices, values and a shape make a sparse tensor; and the switch for the checks that cost time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda
from taeda.sparse._pattern import Compressed

__all__ = ["check_compressed", "check_coordinates", "check_sparse_tensor_invariants"]

_state: dict[str, bool] = {"enabled": False}


class check_sparse_tensor_invariants:  # noqa: N801  (PyTorch's name)
    """Switch the checks of indices on or off: as a function pair, for a block (``with``) or for a function (decorator).

    Args:
        enable: whether indices are checked when a tensor is made of them; default True.

    Edge cases:
        without the switch, shapes and ranges are checked all the same; what it adds is the order of indices in rows.
    """

    def __init__(self, enable: bool = True) -> None:
        self.state = enable
        self.saved_state: bool | None = None

    @staticmethod
    def is_enabled() -> bool:
        """Return whether the checks are on."""
        return _state["enabled"]

    @staticmethod
    def enable() -> None:
        """Switch the checks on."""
        _state["enabled"] = True

    @staticmethod
    def disable() -> None:
        """Switch the checks off."""
        _state["enabled"] = False

    def __enter__(self) -> None:
        if self.saved_state is not None:
            raise RuntimeError(
                "This context manager instance is already activated. Use a different context manager instance for context nesting."
            )
        self.saved_state = _state["enabled"]
        _state["enabled"] = self.state

    def __exit__(self, *error: Any) -> None:
        assert self.saved_state is not None
        _state["enabled"], self.saved_state = self.saved_state, None

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import functools

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.state):
                return function(*args, **kwargs)

        return checked


check_sparse_tensor_invariants.__module__ = "taeda.sparse"


def wanted(check_invariants: bool | None) -> bool:
    """Return whether a tensor's maker asked for all checks."""
    return _state["enabled"] if check_invariants is None else bool(check_invariants)


def check_coordinates(indices: Any, values: Any, size: tuple[int, ...]) -> None:
    """Raise RuntimeError unless indices, values and shape of a coordinate tensor fit together."""
    sparse_dim, dense_dim = indices.shape[0], values.ndim - 1
    if len(size) != sparse_dim + dense_dim:
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {sparse_dim}, dense_dim = "
            f"{dense_dim}"
        )
    if indices.shape[1] != values.shape[0]:
        raise RuntimeError(
            f"indices and values must have same nnz, but got nnz from indices: {indices.shape[1]}, nnz from values: {values.shape[0]}"
        )
    if tuple(values.shape[1:]) != tuple(size[sparse_dim:]):
        raise RuntimeError(
            f"values has incorrect size, expected [{', '.join(map(str, (values.shape[0], *size[sparse_dim:])))}], got {list(values.shape)}"
        )
    if indices.numel() == 0:
        return
    for dim, (low, high) in enumerate(zip(indices.amin(1).tolist(), indices.amax(1).tolist(), strict=True)):
        if low < 0:
            raise RuntimeError(f"found negative index {low} for dim {dim}")
        if high >= size[dim]:
            raise RuntimeError(
                f"size is inconsistent with indices: for dim {dim}, size is {size[dim]} but found index {high}"
            )


def _require(condition: Any, text: str) -> None:
    if not bool(condition):
        raise RuntimeError(f"{text} is not satisfied.")


def check_compressed(pattern: Compressed, values: Any, full: bool) -> None:
    """Raise RuntimeError unless indices, values and shape of a compressed tensor fit together."""
    major, minor = pattern.names()
    n_batch = len(pattern.batch)
    sparse = pattern.shape[n_batch : n_batch + 2]
    for length, step in zip(sparse, pattern.block, strict=True):
        if step < 1 or length % step:
            raise RuntimeError(
                f"tensor sparse size ({sparse[0]},{sparse[1]}) must be divisible by given blocksize {pattern.block}"
            )
    counts = [length // step for length, step in zip(sparse, pattern.block, strict=True)]
    n_major, n_minor = counts[::-1] if pattern.by_column else counts
    word = "columns" if pattern.by_column else "rows"
    if pattern.offsets.shape[-1] != n_major + 1:
        raise RuntimeError(
            f"{major}.shape[-1] must be equal to the number of {word} + 1 (={n_major + 1}), but got {pattern.offsets.shape[-1]}"
        )
    if tuple(pattern.offsets.shape[:-1]) != pattern.batch:
        raise RuntimeError(
            f"all batch dimensions of {major}, {minor} and values must be equal: {list(pattern.offsets.shape)}, {list(pattern.plain.shape)}"
        )
    block = pattern.block if pattern.is_blocked else ()
    expected = (*pattern.plain.shape, *block, *pattern.dense_shape)
    if tuple(values.shape) != expected:
        raise RuntimeError(
            f"number of dimensions and sizes of values must fit {minor} and size: expected {list(expected)}, got {list(values.shape)}"
        )
    if pattern.offsets.dtype != pattern.plain.dtype or pattern.plain.dtype not in (taeda.int32, taeda.int64):
        raise RuntimeError(
            f"{major} and {minor} must be int32 or int64 alike, got {pattern.offsets.dtype} and {pattern.plain.dtype}"
        )
    _require((pattern.offsets[..., 0] == 0).all(), f"`{major}[..., 0] == 0`")
    _require((pattern.offsets[..., -1] == pattern.nnz).all(), f"`{major}[..., -1] == nnz`")
    steps = pattern.offsets[..., 1:] - pattern.offsets[..., :-1]
    _require(
        (steps >= 0).all(),
        f"`0 <= {major}[..., 1:] - {major}[..., :-1] <= {'nrows' if pattern.by_column else 'ncols'}`",
    )
    if pattern.plain.numel():
        limit = "nrows" if pattern.by_column else "ncols"
        _require(((pattern.plain >= 0) & (pattern.plain < n_minor)).all(), f"`0 <= {minor} < {limit}`")
    if full and pattern.plain.numel():
        _require(
            _is_sorted(pattern),
            f"`{minor}[..., {major}[..., i - 1]:{major}[..., i]] for all i are sorted and distinct along the last dimension values`",
        )


def _is_sorted(pattern: Compressed) -> Any:
    grid = pattern.grid()
    rows = list(grid.indices)
    if pattern.by_column:
        rows[-2:] = rows[:-3:-1]
    keys = rows[0]
    lengths = grid.sparse_shape if not pattern.by_column else (*grid.sparse_shape[:-2], *grid.sparse_shape[:-3:-1])
    for row, length in zip(rows[1:], lengths[1:], strict=True):
        keys = keys * length + row
    return (keys[1:] > keys[:-1]).all()
