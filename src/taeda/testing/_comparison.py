"""`assert_close`: compares tensors, arrays, numbers, and containers of them, and says precisely what differs."""

from __future__ import annotations

import cmath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import taeda

__all__ = ["assert_close"]

# Relative and absolute tolerance by dtype; exact types have none.
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


@dataclass
class _Options:
    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool

    def tolerances(self, *dtypes: Any) -> tuple[float, float]:
        """Return the given tolerances, or the widest that the dtypes imply."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        pairs = [_TOLERANCES.get(str(dtype).rpartition(".")[2], (0.0, 0.0)) for dtype in dtypes]
        return max(rtol for rtol, _ in pairs), max(atol for _, atol in pairs)


class _Difference(Exception):
    """Something differs: the kind of exception to raise, the message, and where in the containers."""

    def __init__(self, message: str, place: tuple[Any, ...], kind: type[Exception] = AssertionError) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.kind = kind


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless ``abs(actual - expected) <= atol + rtol * abs(expected)`` everywhere.

    Args:
        actual: a tensor, array, number, bool or None, or a sequence or mapping of such.
        expected: what `actual` should be.
        allow_subclasses: accept inputs of which one's type derives from the other's; otherwise the types must be equal.
        rtol: relative tolerance; with `atol` either both or neither. By default by dtype: float16 1e-3, bfloat16
            1.6e-2, float32 1.3e-6, float64 1e-7, the complex ones as their parts, others 0.
        atol: absolute tolerance; by default 1e-5, for float64 1e-7, for exact types 0.
        equal_nan: whether NaN equals NaN.
        check_device: also require the same device.
        check_dtype: also require the same dtype; otherwise both are promoted.
        check_layout: also require the same layout.
        check_stride: also require the same strides.
        msg: replaces the message; a function gets the message and returns the one to use.
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    options = _Options(allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride)
    try:
        with taeda.no_grad():
            # All comparisons are set up before the first is made: unusable inputs are told before differences.
            for compare in list(_pairs(actual, expected, options, ())):
                compare()
    except _Difference as difference:
        raise difference.kind(_message(difference, msg)) from None


def _message(difference: _Difference, msg: str | Callable[[str], str] | None) -> str:
    text = difference.message
    if difference.place:
        text += "\n\nThe failure occurred for item " + "".join(f"[{key!r}]" for key in difference.place)
    if msg is None or difference.kind is not AssertionError:
        return text
    return msg(text) if callable(msg) else msg


def _pairs(actual: Any, expected: Any, options: _Options, place: tuple[Any, ...]) -> Iterator[Callable[[], None]]:
    """Yield one comparison for each pair of items in the two structures."""
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            raise _Difference(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", place)
        for index in range(len(actual)):
            yield from _pairs(actual[index], expected[index], options, (*place, index))
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        _check_keys(actual, expected, place)
        for key in _sorted_if_possible(list(actual)):
            yield from _pairs(actual[key], expected[key], options, (*place, key))
    else:
        yield _pair(actual, expected, options, place)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _sorted_if_possible(keys: list[Any]) -> list[Any]:
    try:
        return sorted(keys)
    except TypeError:
        return keys


def _check_keys(actual: Mapping[Any, Any], expected: Mapping[Any, Any], place: tuple[Any, ...]) -> None:
    missing = set(expected) - set(actual)
    additional = set(actual) - set(expected)
    if missing or additional:
        raise _Difference(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {_sorted_if_possible(list(missing))}\n"
            f"Additional keys in the actual mapping: {_sorted_if_possible(list(additional))}",
            place,
        )


def _pair(actual: Any, expected: Any, options: _Options, place: tuple[Any, ...]) -> Callable[[], None]:
    if actual is None or expected is None:
        return lambda: _compare_none(actual, expected, place)
    if _is_bool(actual) and _is_bool(expected):
        return lambda: _compare_bools(bool(actual), bool(expected), place)
    if _is_number(actual) and _is_number(expected):
        return lambda: _compare_numbers(_plain(actual), _plain(expected), options, place)
    if _is_tensor_like(actual) and _is_tensor_like(expected) and _are_related(actual, expected, options):
        a, e = taeda.as_tensor(actual), taeda.as_tensor(expected)
        return lambda: _compare_tensors(a, e, options, place)
    raise _Difference(
        f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.",
        place,
        TypeError,
    )


def _numpy_kind(value: Any) -> str:
    """Return the kind of a NumPy scalar ("b", "i", "f", ...), "" for anything else."""
    kind = type(value)
    return (
        value.dtype.kind
        if kind.__module__ == "numpy" and kind.__name__ != "ndarray" and hasattr(value, "dtype")
        else ""
    )


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or _numpy_kind(value) == "b"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, complex)) or _numpy_kind(value) in ("i", "u", "f", "c")


def _plain(value: Any) -> Any:
    return value.item() if _numpy_kind(value) else value


def _is_tensor_like(value: Any) -> bool:
    return isinstance(value, taeda.Tensor) or hasattr(value, "__array_interface__") or hasattr(value, "__dlpack__")


def _are_related(actual: Any, expected: Any, options: _Options) -> bool:
    if not options.allow_subclasses:
        return type(actual) is type(expected)
    return isinstance(actual, type(expected)) or isinstance(expected, type(actual))


def _compare_none(actual: Any, expected: Any, place: tuple[Any, ...]) -> None:
    if actual is not expected:
        raise _Difference(f"None mismatch: {actual} is not {expected}", place)


def _compare_bools(actual: bool, expected: bool, place: tuple[Any, ...]) -> None:
    if actual is not expected:
        raise _Difference(f"Booleans mismatch: {actual} is not {expected}", place)


def _number_dtype(value: Any) -> Any:
    if isinstance(value, complex):
        return taeda.complex128
    return taeda.float64 if isinstance(value, float) else taeda.int64


def _compare_numbers(actual: Any, expected: Any, options: _Options, place: tuple[Any, ...]) -> None:
    rtol, atol = options.tolerances(_number_dtype(actual), _number_dtype(expected))
    if options.check_dtype and type(actual) is not type(expected):
        raise _Difference(f"The (d)types do not match: {type(actual)} != {type(expected)}.", place)
    if actual == expected or (options.equal_nan and cmath.isnan(actual) and cmath.isnan(expected)):
        return
    difference = abs(actual - expected)
    if cmath.isfinite(difference) and difference <= atol + rtol * abs(expected):
        return
    is_exact = rtol == 0 and atol == 0
    relative = difference / abs(expected) if expected != 0 else float("inf")
    lines = [
        f"Scalars are not {'equal' if is_exact else 'close'}!",
        "",
        f"Expected {expected} but got {actual}.",
        f"Absolute difference: {difference}" + ("" if is_exact else f" (up to {atol} allowed)"),
        f"Relative difference: {relative}" + ("" if is_exact else f" (up to {rtol} allowed)"),
    ]
    raise _Difference("\n".join(lines), place)


def _check_attributes(actual: Any, expected: Any, options: _Options, place: tuple[Any, ...]) -> None:
    checks = [("shape", True, actual.shape, expected.shape)]
    checks.append(("layout", options.check_layout, actual.layout, expected.layout))
    checks.append(("device", options.check_device, actual.device, expected.device))
    checks.append(("dtype", options.check_dtype, actual.dtype, expected.dtype))
    checks.append(("stride()", options.check_stride, actual.stride(), expected.stride()))
    for name, is_wanted, a, e in checks:
        if is_wanted and a != e:
            raise _Difference(f"The values for attribute '{name}' do not match: {a} != {e}.", place)


def _compare_tensors(actual: Any, expected: Any, options: _Options, place: tuple[Any, ...]) -> None:
    _check_attributes(actual, expected, options, place)
    if actual.device.type == "meta" or expected.device.type == "meta":
        # Without data, equal attributes are all that can be asked for.
        return
    if actual.layout is not taeda.strided or expected.layout is not taeda.strided:
        if actual.layout == expected.layout:
            _compare_sparse(actual, expected, options, place)
            return
        actual, expected = actual.to_dense(), expected.to_dense()
    rtol, atol = options.tolerances(actual.dtype, expected.dtype)
    if actual.dtype != expected.dtype:
        dtype = taeda.promote_types(actual.dtype, expected.dtype)
        actual, expected = actual.to(dtype), expected.to(dtype)
    matches = _matches(actual, expected, rtol, atol, options.equal_nan)
    if not bool(matches.all()):
        raise _Difference(_describe(actual, expected, matches, rtol, atol), place)


_PARTS = {
    taeda.sparse_coo: ("COO", "indices", "values"),
    taeda.sparse_csr: ("CSR", "crow_indices", "col_indices", "values"),
    taeda.sparse_csc: ("CSC", "ccol_indices", "row_indices", "values"),
    taeda.sparse_bsr: ("BSR", "crow_indices", "col_indices", "values"),
    taeda.sparse_bsc: ("BSC", "ccol_indices", "row_indices", "values"),
}


def _compare_sparse(actual: Any, expected: Any, options: _Options, place: tuple[Any, ...]) -> None:
    """Two tensors of one sparse layout: the same places, and close values."""
    name, *parts = _PARTS[actual.layout]
    if actual.is_sparse:
        actual, expected = actual.coalesce(), expected.coalesce()
    counts = actual._nnz(), expected._nnz()
    if counts[0] != counts[1]:
        text = f"The number of specified values in sparse {name} tensors does not match: {counts[0]} != {counts[1]}"
        raise _Difference(text, place)
    plain = replace(options, check_layout=False, check_dtype=False)
    for part in parts:
        try:
            _compare_tensors(getattr(actual, part)(), getattr(expected, part)(), plain, place)
        except _Difference as difference:
            text = str(difference.message).replace("Tensor-likes are", f"Sparse {name} {part} are", 1)
            raise _Difference(text, place) from None


def _widened(tensor: Any) -> Any:
    """Return `tensor` in a dtype in which differences of narrow and unsigned numbers do not wrap around."""
    if tensor.is_floating_point() or tensor.is_complex():
        return tensor
    return tensor.to(taeda.float64 if tensor.dtype == taeda.uint64 else taeda.int64)


def _matches(actual: Any, expected: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    """Return where two tensors of one dtype and shape agree. Equal numbers do, infinite ones too."""
    matches = actual == expected
    if equal_nan:
        matches = matches | ((actual != actual) & (expected != expected))
    if rtol == 0 and atol == 0:
        return matches
    actual, expected = _widened(actual), _widened(expected)
    difference = (actual - expected).abs()
    return matches | (difference.isfinite() & (difference <= atol + rtol * expected.abs()))


def _describe(actual: Any, expected: Any, matches: Any, rtol: float, atol: float) -> str:
    """Return what differs between two tensors of one dtype and shape."""
    is_exact = rtol == 0 and atol == 0
    actual, expected = _widened(actual), _widened(expected)
    if actual.dim() == 0:
        return _describe_scalar(actual.item(), expected.item(), is_exact, rtol, atol)
    absolute = (actual - expected).abs().reshape(-1)
    relative = absolute / expected.abs().reshape(-1)
    is_same = matches.reshape(-1)
    absolute = absolute.masked_fill(is_same, 0)
    relative = relative.masked_fill(is_same, 0)
    n_total = matches.numel()
    n_wrong = n_total - int(matches.sum().item())
    lines = [
        f"Tensor-likes are not {'equal' if is_exact else 'close'}!",
        "",
        f"Mismatched elements: {n_wrong} / {n_total} ({n_wrong / n_total:.1%})",
        _greatest("absolute", absolute, tuple(matches.shape), "" if is_exact else f" (up to {atol} allowed)"),
        _greatest("relative", relative, tuple(matches.shape), "" if is_exact else f" (up to {rtol} allowed)"),
    ]
    return "\n".join(lines)


def _describe_scalar(actual: Any, expected: Any, is_exact: bool, rtol: float, atol: float) -> str:
    difference = abs(actual - expected)
    relative = difference / abs(expected) if expected != 0 else float("inf")
    allowed = ("", "") if is_exact else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
    return "\n".join(
        [
            f"Scalars are not {'equal' if is_exact else 'close'}!",
            "",
            f"Expected {expected} but got {actual}.",
            f"Absolute difference: {difference}{allowed[0]}",
            f"Relative difference: {relative}{allowed[1]}",
        ]
    )


def _greatest(kind: str, differences: Any, shape: tuple[int, ...], allowed: str) -> str:
    position = int(differences.argmax().item())
    greatest = differences[position].item()
    index = []
    for length in reversed(shape):
        position, rest = divmod(position, length)
        index.append(rest)
    return f"Greatest {kind} difference: {greatest} at index {tuple(reversed(index))}{allowed}"
