"""The printed form of tensors: options, the number formatter, and `tensor_repr`, the one entry that `Tensor.__repr__`
calls.

Numbers are fetched with `tolist` and laid out as nested lists; only the elements that will be shown are fetched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import taeda
from taeda import _C

__all__ = ["get_printoptions", "printoptions", "set_printoptions", "tensor_repr"]


@dataclasses.dataclass
class PrintOptions:
    """How tensors are printed: digits, when to summarise, and where to break lines."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed from now on.

    Args:
        precision: digits after the decimal point (4).
        threshold: number of elements above which a tensor is summarised (1000); ``math.inf`` never summarises.
        edgeitems: elements shown at each end of each summarised dimension (3).
        linewidth: characters in a line (80).
        profile: ``"default"``, ``"short"`` or ``"full"``; sets the four above, and the other arguments then change
            single ones.
        sci_mode: True for scientific notation, False for fixed, None to decide for each tensor. Unlike the others it is
            set by every call, so that a call without it returns to deciding.
    """
    if profile is not None:
        for name, value in _PROFILES.get(profile, {}).items():
            setattr(_options, name, value)
    for name, value in (
        ("precision", precision),
        ("threshold", threshold),
        ("edgeitems", edgeitems),
        ("linewidth", linewidth),
    ):
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the options now in force as a dictionary, in the form that `set_printoptions` takes."""
    return dataclasses.asdict(_options)


@contextlib.contextmanager
def printoptions(**kwargs: Any) -> Iterator[None]:
    """Return a context manager in which `set_printoptions(**kwargs)` holds; the earlier options return at its end."""
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


class _NumberFormatter:
    """Chooses one notation and one width for a set of real numbers, then formats each of them."""

    def __init__(self, values: list[Any], is_floating: bool):
        self.is_floating = is_floating
        self.int_mode = True
        self.sci_mode = False
        self.width = 1
        if is_floating:
            self._choose_notation(values)
        else:
            self.width = max((len(str(value)) for value in values), default=1)

    def _choose_notation(self, values: list[float]) -> None:
        # Zeros and non-finite numbers have no say in the notation, nor in the width: a lone NaN does not widen the
        # columns.
        finite = [value for value in values if value != 0 and math.isfinite(value)]
        if not finite:
            return
        largest = max(abs(value) for value in finite)
        smallest = min(abs(value) for value in finite)
        self.int_mode = all(value == math.ceil(value) for value in finite)
        self.sci_mode = largest / smallest > 1000.0 or largest > 1.0e8 or (not self.int_mode and smallest < 1.0e-4)
        if _options.sci_mode is not None:
            self.sci_mode = _options.sci_mode
        self.width = max(self.width, max(len(self._spell(value)) for value in finite))

    def _spell(self, value: float) -> str:
        if self.sci_mode:
            return f"{value:.{_options.precision}e}"
        if self.int_mode:
            return f"{value:.0f}" + ("." if math.isfinite(value) else "")
        return f"{value:.{_options.precision}f}"

    def format(self, value: Any) -> str:
        """Return `value` in this notation, filled with spaces on the left up to the common width."""
        return (self._spell(value) if self.is_floating else str(value)).rjust(self.width)


class _ComplexFormatter:
    """Formats complex numbers: real and imaginary parts each have their own notation and width."""

    def __init__(self, values: list[complex]):
        self.real = _NumberFormatter([value.real for value in values], True)
        self.imag = _NumberFormatter([value.imag for value in values], True)
        self.width = self.real.width + self.imag.width + 1

    def format(self, value: complex) -> str:
        """Return `value` as real part, sign, imaginary part and ``j``."""
        imag = self.imag.format(value.imag).lstrip() + "j"
        return self.real.format(value.real) + (imag if imag[0] in "+-" else "+" + imag)


_Formatter = _NumberFormatter | _ComplexFormatter
# Stands between the two ends of a summarised dimension in the nested lists below.
_GAP = object()


def _shown_elements(tensor: Any, summarize: bool) -> Any:
    """Return the elements of `tensor` that will be printed, as nested lists with `_GAP` where some are left out."""
    if not summarize or tensor.dim() == 0:
        return tensor.tolist()
    n_edge = _options.edgeitems
    length = tensor.size(0)
    if length > 2 * n_edge:
        head, tail = (tensor[:n_edge], tensor[length - n_edge :]) if n_edge else (None, None)
    else:
        head, tail = tensor, None
    if tensor.dim() == 1:
        if head is None:
            return [_GAP]
        return head.tolist() if tail is None else [*head.tolist(), _GAP, *tail.tolist()]
    shown = [] if head is None else [_shown_elements(row, summarize) for row in head]
    if head is None or tail is not None:
        shown.append(_GAP)
    if tail is not None:
        shown.extend(_shown_elements(row, summarize) for row in tail)
    return shown


def _flatten(shown: Any, into: list[Any]) -> list[Any]:
    if isinstance(shown, list):
        for item in shown:
            _flatten(item, into)
    elif shown is not _GAP:
        into.append(shown)
    return into


def _layout_vector(items: list[Any], indent: int, formatter: _Formatter) -> str:
    per_line = max(1, (_options.linewidth - indent) // (formatter.width + 2))
    # Between elements the mark carries the space that alignment would give it; alone in the row it does not.
    gap = " ..." if len(items) > 1 else "..."
    words = [gap if item is _GAP else formatter.format(item) for item in items]
    lines = [", ".join(words[start : start + per_line]) for start in range(0, len(words), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _layout(shown: Any, n_dims: int, indent: int, formatter: _Formatter) -> str:
    """Return nested lists as bracketed text; `indent` is the column of the opening bracket."""
    if n_dims == 0:
        return formatter.format(shown)
    if n_dims == 1:
        return _layout_vector(shown, indent, formatter)
    rows = ["..." if item is _GAP else _layout(item, n_dims - 1, indent + 1, formatter) for item in shown]
    return "[" + ("," + "\n" * (n_dims - 1) + " " * (indent + 1)).join(rows) + "]"


def _contents(tensor: Any, indent: int) -> str:
    """Return the numbers of a tensor that has some, without prefix and suffixes."""
    shown = _shown_elements(tensor, tensor.numel() > _options.threshold)
    values = _flatten(shown, [])
    formatter: _Formatter
    if tensor.dtype.is_complex:
        formatter = _ComplexFormatter(values)
    else:
        formatter = _NumberFormatter(values, tensor.dtype.is_floating_point)
    return _layout(shown, tensor.dim(), indent, formatter)


def _is_implied_dtype(dtype: Any) -> bool:
    """Return whether the printed numbers alone tell the dtype, so that it need not be named."""
    default = taeda.get_default_dtype()
    if dtype in (default, taeda.int64, taeda.bool):
        return True
    return dtype == (taeda.complex128 if default == taeda.float64 else taeda.complex64)


def _suffixes(tensor: Any) -> list[str]:
    suffixes = []
    is_meta = tensor.device.type == "meta"
    if tensor.device.type != "cpu":
        suffixes.append(f"device='{tensor.device}'")
    if is_meta or tensor.numel() == 0:
        # "[]" and "..." say nothing about shape and dtype; the shape of `[]` itself is (0,).
        if is_meta or tensor.dim() != 1:
            suffixes.append(f"size={tuple(tensor.shape)}")
        if tensor.dtype != taeda.get_default_dtype():
            suffixes.append(f"dtype={tensor.dtype}")
    else:
        if not _options.edgeitems:
            # Without edge items a summary may show no number at all; the size then stands for them.
            suffixes.append(f"size={tuple(tensor.shape)}")
        if not _is_implied_dtype(tensor.dtype):
            suffixes.append(f"dtype={tensor.dtype}")
    suffixes += _history(tensor)
    if _C._n_dual_levels():
        tangent = _C._unpack_dual(tensor, -1)[1]
        if tangent is not None:
            suffixes.append(f"tangent={tensor_repr(tangent)}")
    return suffixes


def _history(tensor: Any) -> list[str]:
    if tensor.grad_fn is not None:
        return [f"grad_fn=<{type(tensor.grad_fn).__name__}>"]
    return ["requires_grad=True"] if tensor.requires_grad else []


def _append_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    parts = [text]
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options.linewidth:
            parts.append(",\n" + " " * indent + suffix)
            column = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            column += len(suffix) + 2
    return "".join(parts) + ")"


def tensor_repr(tensor: Any, tensor_contents: str | None = None) -> str:
    """Return the printed form of `tensor`, such as ``tensor([1., 2.], grad_fn=<MulBackward0>)``.

    Args:
        tensor: any tensor, of a subclass too (whose name then replaces ``tensor``).
        tensor_contents: text to show in place of the numbers.

    Edge cases: a meta tensor shows ``...`` and its size; an empty one ``[]`` with its size unless that is ``(0,)``.
    """
    # A parameter is shown as the tensor that it holds; its own `__repr__` puts a line above.
    is_plain = type(tensor) is taeda.Tensor or type(tensor) is taeda.nn.Parameter
    prefix = "tensor(" if is_plain else type(tensor).__name__ + "("
    # The history is read before detaching; everything after works on plain data, so that subclasses' operators never
    # run.
    suffixes = _history(tensor) if tensor.layout is not taeda.strided else _suffixes(tensor)
    if tensor.layout is not taeda.strided:
        from taeda.sparse._printing import sparse_repr

        return sparse_repr(tensor, prefix, suffixes)
    with taeda.no_grad():
        if tensor_contents is not None:
            text = tensor_contents
        elif tensor.device.type == "meta":
            text = "..."
        elif tensor.numel() == 0:
            text = "[]"
        else:
            text = _contents(tensor.detach(), len(prefix))
    return _append_suffixes(prefix + text, suffixes, len(prefix))


for _function in (set_printoptions, get_printoptions, printoptions):
    _function.__module__ = "taeda"
