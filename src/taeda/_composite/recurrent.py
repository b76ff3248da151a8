"""Whole recurrent networks and embedding bags as functions of their weights: the forms below nn's modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import taeda
from taeda._composite._public import public

if TYPE_CHECKING:
    from taeda import Tensor

__all__ = ["embedding_renorm_"]


def _weights(params: Sequence[Tensor], num_layers: int, bidirectional: bool) -> list[list[Tensor]]:
    """The flat list of parameters, for each layer and direction."""
    runs = num_layers * (2 if bidirectional else 1)
    if len(params) % runs:
        raise RuntimeError(f"got an incorrect number of RNN parameters: {len(params)} for {runs} layers and directions")
    each = len(params) // runs
    return [list(params[k * each : (k + 1) * each]) for k in range(runs)]


def _network(mode: str, name: str) -> None:
    def network(input: Tensor, *args: Any) -> tuple[Tensor, ...]:
        from taeda.nn._functional import recurrent

        # The packed form has the sizes of the steps in second place; then parameters, not a flag, come third.
        packed = not isinstance(args[2], bool)
        sizes = args[0].tolist() if packed else None
        hx, params, _, num_layers, dropout, train, bidirectional, *rest = args[1:] if packed else args
        batch_first = bool(rest and rest[0])
        state = tuple(hx) if mode == "LSTM" else (hx,)
        if batch_first:
            input = input.transpose(0, 1)
        weights = _weights(params, num_layers, bidirectional)
        output, final = recurrent.run(mode, input, sizes, state, weights, bidirectional, dropout, train)
        return (output.transpose(0, 1) if batch_first else output, *final)

    network.__name__ = network.__qualname__ = name
    network.__doc__ = f"""Run a recurrent network on ``input`` and return its outputs and its last state.

    Two forms: ``{name}(input, hx, params, _, num_layers, dropout, train, bidirectional, batch_first)``, and
    ``{name}(data, batch_sizes, hx, params, _, num_layers, dropout, train, bidirectional)`` for packed sequences.
    ``params`` are the weights of all layers and directions, one after the other; see ``nn.{mode.partition("_")[0]}``.
    """
    globals()[name] = public("torch")(network)
    __all__.append(name)


_NETWORKS: dict[str, str] = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN_TANH", "rnn_relu": "RNN_RELU"}
for _name, _mode in _NETWORKS.items():
    _network(_mode, _name)


# ---- embeddings


@public("torch")
def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale the rows of ``input`` that ``indices`` names down to a norm of at most ``max_norm``, in place."""
    from taeda.nn._functional import embedding

    embedding._renormalize(input, indices, max_norm, norm_type)
    return input


_MODES = ("sum", "mean", "max")


def _bag_of(offsets: Tensor, n: int, include_last_offset: bool) -> Tensor:
    """The bag of each of n positions."""
    starts = offsets[:-1] if include_last_offset else offsets
    positions = taeda.arange(n, dtype=taeda.int64, device=offsets.device)
    return taeda.searchsorted(starts.long().contiguous(), positions, right=True) - 1


def _embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the bags of ``nn.functional.embedding_bag``, and of each index its bag, of each bag its size and its maxima.

    Args:
        mode: 0 "sum", 1 "mean", 2 "max".
        padding_idx: the row that does not count; -1 or None: all count.
    """
    padding = None if padding_idx in (None, -1) else padding_idx
    made = taeda.nn.functional.embedding_bag(
        indices,
        weight,
        offsets,
        scale_grad_by_freq=scale_grad_by_freq,
        mode=_MODES[mode],
        sparse=sparse,
        per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset,
        padding_idx=padding,
    )
    bag = _bag_of(offsets, indices.numel(), include_last_offset)
    counted = taeda.ones_like(bag) if padding is None else (indices != padding).long()
    sizes = taeda.zeros(made.shape[0], dtype=taeda.int64).index_add(0, bag, counted)
    if mode != 2:
        return made, bag.to(offsets.dtype), sizes.to(offsets.dtype), offsets[: made.shape[0]].clone()
    return made, bag.to(offsets.dtype), sizes.to(offsets.dtype), _places_of_maxima(weight, indices, bag, made, counted)


def _places_of_maxima(weight: Tensor, indices: Tensor, bag: Tensor, made: Tensor, counted: Tensor) -> Tensor:
    """For each bag and column the row of the table that gave the maximum; -1 for empty bags."""
    with taeda.no_grad():
        rows = weight[indices]
        is_maximum = (rows == made[bag]) & (counted > 0).unsqueeze(1)
        candidates = taeda.where(is_maximum, indices.unsqueeze(1), -1)
        places = taeda.full(made.shape, -1, dtype=taeda.int64)
        return places.scatter_reduce(0, bag.unsqueeze(1).expand_as(candidates), candidates, "amax").to(indices.dtype)


public("torch", name="embedding_bag")(_embedding_bag)
public("torch", name="_embedding_bag")(_embedding_bag)
