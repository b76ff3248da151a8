"""Sequences of different lengths: padded to one tensor, or packed without padding."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import taeda

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence",
    "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip

PackedSequence_ = namedtuple("PackedSequence_", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])


class PackedSequence(PackedSequence_):
    """The steps of several sequences one after the other, without padding; made by ``pack_padded_sequence``.

    Attributes:
        data: (total, *): the first step of all sequences, longest first, then the second ...
        batch_sizes: how many sequences reach each step.
        sorted_indices: where each sorted sequence was originally, or None.
        unsorted_indices: where each original sequence is now, or None.
    """

    def __new__(cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None):
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:  # the older form: one pair of data and sizes
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("PackedSequence expects (data, batch_sizes) or all of its fields")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created "
                "manually. They "
                "should be instantiated by functions like pack_sequence and pack_padded_sequence in nn.utils.rnn. "
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _converted(self, data: Any) -> PackedSequence:
        if data is self.data:
            return self

        def moved(index: Any) -> Any:
            return None if index is None else index.to(data.device)

        return type(self)(data, self.batch_sizes, moved(self.sorted_indices), moved(self.unsorted_indices))

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With ``data`` moved or converted as by ``Tensor.to``."""
        return self._converted(self.data.to(*args, **kwargs))

    def cpu(self) -> PackedSequence:
        """On the CPU."""
        return self._converted(self.data.cpu())

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """On a CUDA device."""
        return self._converted(self.data.cuda(*args, **kwargs))

    def pin_memory(self) -> PackedSequence:
        """With ``data`` in page-locked memory."""
        return self._converted(self.data.pin_memory())

    def double(self) -> PackedSequence:
        """As float64."""
        return self.to(dtype=taeda.float64)

    def float(self) -> PackedSequence:
        """As float32."""
        return self.to(dtype=taeda.float32)

    def half(self) -> PackedSequence:
        """As float16."""
        return self.to(dtype=taeda.float16)

    def long(self) -> PackedSequence:
        """As int64."""
        return self.to(dtype=taeda.int64)

    def int(self) -> PackedSequence:
        """As int32."""
        return self.to(dtype=taeda.int32)

    def short(self) -> PackedSequence:
        """As int16."""
        return self.to(dtype=taeda.int16)

    def char(self) -> PackedSequence:
        """As int8."""
        return self.to(dtype=taeda.int8)

    def byte(self) -> PackedSequence:
        """As uint8."""
        return self.to(dtype=taeda.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether ``data`` is on a CUDA device."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether ``data`` is in page-locked memory."""
        return self.data.is_pinned()


def bind(optional: Any, fn: Callable) -> Any:
    """``fn(optional)``, or None for None."""
    return None if optional is None else fn(optional)


def invert_permutation(permutation: Any) -> Any:
    """The permutation that undoes ``permutation``; None for None."""
    if permutation is None:
        return None
    positions = taeda.arange(permutation.numel(), dtype=permutation.dtype, device=permutation.device)
    return taeda.empty_like(permutation).scatter_(0, permutation, positions)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The sequences of a padded tensor without their padding.

    Args:
        input: (T, N, *), or (N, T, *) with ``batch_first``.
        lengths: of each sequence; a tensor on the CPU or a list.
        batch_first: whether the batch comes first; default False.
        enforce_sorted: whether the lengths must fall; default True. Otherwise the sequences are sorted.
    """
    if isinstance(lengths, taeda.Tensor):
        if lengths.device.type != "cpu":
            raise RuntimeError(
                f"'lengths' argument should be a 1D CPU int64 tensor, but got 1D {lengths.device.type} tensor"
            )
        lengths = lengths.to(taeda.int64)
    else:
        lengths = taeda.tensor(list(lengths), dtype=taeda.int64)
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = lengths.sort(descending=True)
        input = input.index_select(0 if batch_first else 1, sorted_indices.to(input.device))
    if batch_first:
        input = input.transpose(0, 1)
    sizes = lengths.tolist()
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(sizes) != input.size(1):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size={input.size(1)})"
        )
    if any(later > earlier for earlier, later in zip(sizes, sizes[1:], strict=False)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if "
            "you do "
            "not need ONNX exportability."
        )
    if sizes[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if sizes[0] > input.size(0):
        raise RuntimeError(
            f"The expanded size of the tensor ({sizes[0]}) must be at most the input's length ({input.size(0)})"
        )
    batch_sizes = [sum(length > step for length in sizes) for step in range(sizes[0])]
    data = taeda.cat([input[step, :n] for step, n in enumerate(batch_sizes)])
    return PackedSequence(data, taeda.tensor(batch_sizes, dtype=taeda.int64), sorted_indices, None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Any]:
    """The padded tensor of packed sequences, and their lengths, in their original order.

    Args:
        sequence: what to pad.
        batch_first: whether the result is (N, T, *), not (T, N, *); default False.
        padding_value: what fills the ends; default 0.
        total_length: to what length to pad; default the longest sequence's.
    """
    batch_sizes = sequence.batch_sizes.tolist()
    longest = len(batch_sizes)
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {longest}"
            )
        longest = total_length
    n = batch_sizes[0]
    lengths = [sum(size > i for size in batch_sizes) for i in range(n)]
    steps = []
    for step in sequence.data.split(batch_sizes):
        missing = n - step.size(0)
        if missing:
            rest = taeda.full((missing, *step.shape[1:]), padding_value, dtype=step.dtype, device=step.device)
            step = taeda.cat([step, rest])
        steps.append(step)
    padded = taeda.stack(steps)
    if longest > padded.size(0):
        shape = (longest - padded.size(0), *padded.shape[1:])
        padded = taeda.cat([padded, taeda.full(shape, padding_value, dtype=padded.dtype, device=padded.device)])
    if batch_first:
        padded = padded.transpose(0, 1)
    sizes = taeda.tensor(lengths, dtype=taeda.int64)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(0 if batch_first else 1, sequence.unsorted_indices)
        sizes = sizes[sequence.unsorted_indices.cpu()]
    return padded, sizes


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Any:
    """Tensors (L, *) of different L in one: (T, N, *) or, with ``batch_first``, (N, T, *).

    Args:
        sequences: a list of tensors, or a tensor, whose rows they then are.
        batch_first: whether the batch comes first; default False.
        padding_value: what fills the ends; default 0.
        padding_side: ``"right"`` (default) or ``"left"``.
    """
    if isinstance(sequences, taeda.Tensor):
        sequences = sequences.unbind(0)
    if not isinstance(sequences, (list, tuple)):
        if not hasattr(sequences, "__iter__"):
            raise RuntimeError(
                f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
            )
        sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(sequence.size(0) for sequence in sequences)
    rows = []
    for sequence in sequences:
        missing = longest - sequence.size(0)
        if missing:
            shape = (missing, *sequence.shape[1:])
            rest = taeda.full(shape, padding_value, dtype=sequence.dtype, device=sequence.device)
            sequence = taeda.cat([rest, sequence] if padding_side == "left" else [sequence, rest])
        rows.append(sequence)
    return taeda.stack(rows, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences of a padded tensor as a list of tensors of their own lengths."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(padded_sequences, lengths, strict=True)]


def pack_sequence(sequences: list[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Tensors (L, *) packed; with ``enforce_sorted`` (default) their lengths must fall."""
    lengths = taeda.tensor([sequence.size(0) for sequence in sequences], dtype=taeda.int64)
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The packed sequences as a list of tensors, in their original order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
