"""Recurrent layers: RNN, LSTM and GRU over whole sequences, and their cells for single steps."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

import taeda
from taeda.nn import functional as F
from taeda.nn import init
from taeda.nn._functional import recurrent as _recurrent
from taeda.nn.module import Module
from taeda.nn.parameter import Parameter
from taeda.nn.utils.rnn import PackedSequence

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]

_N_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What RNN, LSTM and GRU share.

    Args:
        mode: ``"RNN_TANH"``, ``"RNN_RELU"``, ``"LSTM"`` or ``"GRU"``.
        input_size: the size of each step's input.
        hidden_size: that of the hidden state.
        num_layers: how many layers; default 1.
        bias: whether there are biases; default True.
        batch_first: whether inputs are (N, T, *), not (T, N, *); default False.
        dropout: applied to each layer's output but the last's in training; default 0.
        bidirectional: whether each layer also runs backwards; default False.
        proj_size: the size that an LSTM's hidden states are projected to; default 0, they are not.
        device, dtype: of the parameters.
    """

    __constants__ = [
        "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional",
        "proj_size",
    ]  # fmt: skip

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_sizes(hidden_size, num_layers, dropout, proj_size)
        if mode not in _N_GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        gate_size = _N_GATES[mode] * hidden_size
        out_size = proj_size or hidden_size
        for layer in range(num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                in_size = input_size if layer == 0 else out_size * (2 if bidirectional else 1)
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (gate_size, in_size),
                    "weight_hh": (gate_size, out_size),
                }
                if bias:
                    shapes.update(bias_ih=(gate_size,), bias_hh=(gate_size,))
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for kind, shape in shapes.items():
                    name = f"{kind}_l{layer}{suffix}"
                    setattr(self, name, Parameter(taeda.empty(shape, device=device, dtype=dtype)))
                    names.append(name)
                self._all_weights.append(names)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from ``±1 / sqrt(hidden_size)``."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do: the kernels take the weights as they lie."""

    @property
    def all_weights(self) -> list[list[Any]]:
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def check_input(self, input: Any, batch_sizes: Any) -> None:
        """Raise where ``input`` does not fit."""
        expected_dim = 2 if batch_sizes is not None else 3
        if input.dim() != expected_dim:
            raise RuntimeError(f"input must have {expected_dim} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def check_hidden_size(
        self, hx: Any, expected_hidden_size: tuple, msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise where a state's shape is not the expected one."""
        if tuple(hx.size()) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.size())))

    def _state_sizes(self, n: int) -> list[tuple]:
        """The shape of each part of the state for a batch of ``n``."""
        n_rows = self.num_layers * (2 if self.bidirectional else 1)
        sizes = [(n_rows, n, self.proj_size or self.hidden_size)]
        return [*sizes, (n_rows, n, self.hidden_size)] if self.mode == "LSTM" else sizes

    def _run(self, input: Any, batch_sizes: list[int] | None, state: tuple) -> tuple[Any, tuple]:
        return _recurrent.run(
            self.mode, input, batch_sizes, state, self.all_weights, self.bidirectional, self.dropout, self.training
        )

    def _check_given(self, hx: Any, is_batched: bool, is_packed: bool) -> None:
        """Raise where a given state has another number of dimensions than the input."""
        if is_packed:
            return
        if is_batched and hx.dim() != 3:
            raise RuntimeError(f"For batched 3-D input, hx should also be 3-D but got {hx.dim()}-D tensor")
        if not is_batched and hx.dim() != 2:
            raise RuntimeError(f"For unbatched 2-D input, hx should also be 2-D but got {hx.dim()}-D tensor")

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """The hidden states of the last layer at every step, and the last state of every layer.

        Args:
            input: (T, N, *), (N, T, *) with ``batch_first``, (T, *) without a batch, or a PackedSequence.
            hx: the first state, (layers * directions, N, hidden_size), for an LSTM a pair; default zeros.
        """
        is_packed = isinstance(input, PackedSequence)
        batch_sizes = sorted_indices = unsorted_indices = None
        is_batched = True
        if is_packed:
            packed = input
            input, sizes, sorted_indices, unsorted_indices = packed
            batch_sizes = sizes.tolist()
            n = batch_sizes[0]
        else:
            if input.dim() not in (2, 3):
                raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D instead")
            is_batched = input.dim() == 3
            batch_dim = 0 if self.batch_first else 1
            if not is_batched:
                input = input.unsqueeze(batch_dim)
            n = input.size(batch_dim)
        state = self._initial_state(input, hx, n, is_batched, is_packed, sorted_indices)
        self.check_input(input, batch_sizes)
        if not is_packed and self.batch_first:
            input = input.transpose(0, 1)
        if not is_packed and input.size(0) == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        output, state = self._run(input, batch_sizes, state)
        if unsorted_indices is not None:
            state = tuple(part.index_select(1, unsorted_indices) for part in state)
        if is_packed:
            output = PackedSequence(output, packed.batch_sizes, sorted_indices, unsorted_indices)
        else:
            output = output.transpose(0, 1) if self.batch_first else output
            if not is_batched:
                output = output.squeeze(batch_dim)
                state = tuple(part.squeeze(1) for part in state)
        return output, state if self.mode == "LSTM" else state[0]

    def _initial_state(
        self, input: Any, hx: Any, n: int, is_batched: bool, is_packed: bool, sorted_indices: Any
    ) -> tuple:
        sizes = self._state_sizes(n)
        if hx is None:
            return tuple(taeda.zeros(size, dtype=input.dtype, device=input.device) for size in sizes)
        parts = tuple(hx) if self.mode == "LSTM" else (hx,)
        if self.mode == "LSTM" and not is_packed:
            wanted = 3 if is_batched else 2
            if parts[0].dim() != wanted or parts[1].dim() != wanted:
                kind = "batched 3-D" if is_batched else "unbatched 2-D"
                raise RuntimeError(
                    f"For {kind} input, hx and cx should also be {wanted}-D but got ({parts[0].dim()}-D, "
                    f"{parts[1].dim()}-D) tensors"
                )
        else:
            self._check_given(parts[0], is_batched, is_packed)
        if not is_batched:
            parts = tuple(part.unsqueeze(1) for part in parts)
        if sorted_indices is not None:
            parts = tuple(part.index_select(1, sorted_indices) for part in parts)
        messages: tuple[str, ...] = ("Expected hidden size {}, got {}",)
        if self.mode == "LSTM":
            messages = ("Expected hidden[0] size {}, got {}", "Expected hidden[1] size {}, got {}")
        for part, size, message in zip(parts, sizes, messages, strict=True):
            self.check_hidden_size(part, size, message)
        return parts

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size != 0:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.batch_first is not False:
            text += f", batch_first={self.batch_first}"
        if self.dropout != 0:
            text += f", dropout={self.dropout}"
        if self.bidirectional is not False:
            text += f", bidirectional={self.bidirectional}"
        return text


def _check_sizes(hidden_size: Any, num_layers: int, dropout: Any, proj_size: int) -> None:
    is_number = isinstance(dropout, numbers.Number) and not isinstance(dropout, bool)
    if not is_number or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    if not isinstance(hidden_size, int):
        raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
    if hidden_size <= 0:
        raise ValueError("hidden_size must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


class RNN(RNNBase):
    """``h = tanh(W_ih x + b_ih + W_hh h + b_hh)`` at each step (Elman 1990); arguments as for RNNBase.

    Args:
        nonlinearity: ``"tanh"`` (default) or ``"relu"``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """The long short-term memory (Hochreiter and Schmidhuber 1997); arguments as for RNNBase, without ``mode``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Any, batch_sizes: Any) -> tuple:
        """The shape of the cell state for ``input``."""
        n = int(batch_sizes[0]) if batch_sizes is not None else input.size(0 if self.batch_first else 1)
        return self._state_sizes(n)[1]


class GRU(RNNBase):
    """The gated recurrent unit (Cho et al. 2014); arguments as for RNNBase, without ``mode`` and ``proj_size``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share.

    Args:
        input_size, hidden_size: of input and state.
        bias: whether there are biases.
        num_chunks: how many gates.
        device, dtype: of the parameters.
    """

    __constants__ = ["input_size", "hidden_size", "bias"]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        options = {"device": device, "dtype": dtype}
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        n_rows = num_chunks * hidden_size
        self.weight_ih = Parameter(taeda.empty((n_rows, input_size), **options))
        self.weight_hh = Parameter(taeda.empty((n_rows, hidden_size), **options))
        self.register_parameter("bias_ih", Parameter(taeda.empty(n_rows, **options)) if bias else None)
        self.register_parameter("bias_hh", Parameter(taeda.empty(n_rows, **options)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from ``±1 / sqrt(hidden_size)``."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _batched(self, input: Any, parts: tuple | None, n_parts: int) -> tuple[Any, tuple, bool]:
        """Input and state with a batch dimension, and whether they came with one."""
        name = self._get_name()
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for i, part in enumerate(parts or ()):
            if part.dim() not in (1, 2):
                what = f"hx[{i}]" if n_parts > 1 else "hidden"
                raise ValueError(f"{name}: Expected {what} to be 1D or 2D, got {part.dim()}D instead")
        is_batched = input.dim() == 2
        if not is_batched:
            input = input.unsqueeze(0)
        if input.size(1) != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {input.size(1)} expected {self.input_size}")
        if parts is None:
            zeros = taeda.zeros(input.size(0), self.hidden_size, dtype=input.dtype, device=input.device)
            parts = (zeros,) * n_parts
        elif not is_batched:
            parts = tuple(part.unsqueeze(0) for part in parts)
        for i, part in enumerate(parts):
            if part.size(0) != input.size(0):
                raise RuntimeError(
                    f"Input batch size {input.size(0)} doesn't match hidden{i if n_parts > 1 else ''} batch size "
                    f"{part.size(0)}"
                )
            if part.size(1) != self.hidden_size:
                raise RuntimeError(
                    f"hidden{i if n_parts > 1 else ''} has inconsistent hidden_size: got {part.size(1)}, expected "
                    f"{self.hidden_size}"
                )
        return input, parts, is_batched

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = self.__dict__.get("nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"


class RNNCell(RNNCellBase):
    """One step of RNN.

    Args:
        input_size, hidden_size: of input and state.
        bias: whether there are biases; default True.
        nonlinearity: ``"tanh"`` (default) or ``"relu"``.
        device, dtype: of the parameters.

    Shape: (N, input_size) and (N, hidden_size), or without N, to (N, hidden_size).
    """

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The next hidden state."""
        input, (hidden,), is_batched = self._batched(input, None if hx is None else (hx,), 1)
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        total = F.linear(input, self.weight_ih, self.bias_ih) + F.linear(hidden, self.weight_hh, self.bias_hh)
        result = total.tanh() if self.nonlinearity == "tanh" else total.relu()
        return result if is_batched else result.squeeze(0)


class LSTMCell(RNNCellBase):
    """One step of LSTM.

    Args:
        input_size, hidden_size: of input and state.
        bias: whether there are biases; default True.
        device, dtype: of the parameters.

    Shape: (N, input_size) and a pair of (N, hidden_size), or without N, to a pair of (N, hidden_size).
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """The next hidden and cell state."""
        input, (hidden, cell), is_batched = self._batched(input, None if hx is None else tuple(hx), 2)
        gates = F.linear(input, self.weight_ih, self.bias_ih) + F.linear(hidden, self.weight_hh, self.bias_hh)
        hidden, cell = _recurrent.lstm_step(gates, cell, None)
        return (hidden, cell) if is_batched else (hidden.squeeze(0), cell.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of GRU.

    Args:
        input_size, hidden_size: of input and state.
        bias: whether there are biases; default True.
        device, dtype: of the parameters.

    Shape: (N, input_size) and (N, hidden_size), or without N, to (N, hidden_size).
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The next hidden state."""
        input, (hidden,), is_batched = self._batched(input, None if hx is None else (hx,), 1)
        from_input = F.linear(input, self.weight_ih, self.bias_ih)
        result = _recurrent.gru_step(from_input, F.linear(hidden, self.weight_hh, self.bias_hh), hidden)
        return result if is_batched else result.squeeze(0)
