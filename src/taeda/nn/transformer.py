"""The transformer (Vaswani et al. 2017): layers, stacks of them, and encoder and decoder together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import taeda
from taeda.nn import functional as F
from taeda.nn import init
from taeda.nn.containers import ModuleList
from taeda.nn.dropout import Dropout
from taeda.nn.linear import Linear
from taeda.nn.module import Module
from taeda.nn.multihead import MultiheadAttention
from taeda.nn.norm import LayerNorm

__all__ = [
    "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
]  # fmt: skip


def _activation(activation: str | Callable) -> Callable:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    return F.relu if activation == "relu" else F.gelu


def _causal_mask(size: int, device: Any, dtype: Any) -> Any:
    """What to add to scores so that position i sees positions up to i only."""
    return taeda.full((size, size), float("-inf"), dtype=dtype or taeda.get_default_dtype(), device=device).triu(1)


def _is_causal(mask: Any, is_causal: bool | None, size: int | None) -> bool:
    """Whether ``mask`` is the causal mask; found out by looking where nobody said."""
    if is_causal is not None:
        return is_causal
    if mask is None or mask.dim() != 2 or mask.dtype == taeda.bool:
        return False
    wanted = _causal_mask(size if size is not None else mask.size(-2), mask.device, mask.dtype)
    return tuple(mask.shape) == tuple(wanted.shape) and bool((mask == wanted).all())


def _sequence_length(source: Any, batch_first: bool) -> int:
    return source.size(0) if source.dim() == 2 else source.size(1 if batch_first else 0)


class TransformerEncoderLayer(Module):
    """Self-attention and a feed-forward network, each with dropout, a residual and layer norm.

    Args:
        d_model: the size of each position's vector.
        nhead: how many heads.
        dim_feedforward: the size of the feed-forward network's middle; default 2048.
        dropout: default 0.1.
        activation: the feed-forward network's: ``"relu"`` (default), ``"gelu"`` or a function.
        layer_norm_eps: default 1e-5.
        batch_first: whether inputs are (N, T, E), not (T, N, E); default False.
        norm_first: whether layer norm comes before, not after attention and feed-forward; default False.
        bias: whether linear layers and layer norms have biases; default True.
        device, dtype: of the parameters.
    """

    __constants__ = ["norm_first"]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        options = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **options
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = _activation(activation)

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("activation", F.relu)

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """``src`` transformed.

        Args:
            src: (T, N, E), (N, T, E) with ``batch_first``, or (T, E).
            src_mask: (T, T) or (N * heads, T, T): pairs to leave out (True), or numbers to add.
            src_key_padding_mask: (N, T): positions to leave out (True), or numbers to add.
            is_causal: a hint that ``src_mask`` is the causal mask.
        """
        x = src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), src_mask, src_key_padding_mask, is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, src_mask, src_key_padding_mask, is_causal))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(self, x: Any, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False) -> Any:
        x = self.self_attn(
            x,
            x,
            x,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            need_weights=False,
            is_causal=is_causal,
        )[0]
        return self.dropout1(x)

    def _ff_block(self, x: Any) -> Any:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to the encoder's result, and a feed-forward network; see TransformerEncoderLayer.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation: as for TransformerEncoderLayer; so are
        layer_norm_eps, batch_first, norm_first, bias, device, dtype.
    """

    __constants__ = ["norm_first"]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        options = {"device": device, "dtype": dtype}
        attention = {"dropout": dropout, "batch_first": batch_first, "bias": bias, **options}
        self.self_attn = MultiheadAttention(d_model, nhead, **attention)
        self.multihead_attn = MultiheadAttention(d_model, nhead, **attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **options)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **options)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _activation(activation)

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("activation", F.relu)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """``tgt`` transformed in view of ``memory``, the encoder's result; masks as for TransformerEncoderLayer."""

        def own(x: Any) -> Any:
            return self._sa_block(x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)

        def other(x: Any) -> Any:
            return self._mha_block(x, memory, memory_mask, memory_key_padding_mask, memory_is_causal)

        x = tgt
        if self.norm_first:
            x = x + own(self.norm1(x))
            x = x + other(self.norm2(x))
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + own(x))
        x = self.norm2(x + other(x))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(self, x: Any, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False) -> Any:
        masks = {"attn_mask": attn_mask, "key_padding_mask": key_padding_mask, "is_causal": is_causal}
        return self.dropout1(self.self_attn(x, x, x, need_weights=False, **masks)[0])

    def _mha_block(self, x: Any, memory: Any, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False) -> Any:
        masks = {"attn_mask": attn_mask, "key_padding_mask": key_padding_mask, "is_causal": is_causal}
        return self.dropout2(self.multihead_attn(x, memory, memory, need_weights=False, **masks)[0])

    def _ff_block(self, x: Any) -> Any:
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


def _copies(module: Module, n: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(n)])


class TransformerEncoder(Module):
    """A stack of encoder layers.

    Args:
        encoder_layer: what is copied for each layer.
        num_layers: how many.
        norm: applied to the result; default none.
        enable_nested_tensor: whether padded positions leave the layers as 0 in evaluation without gradients, as they
            do where PyTorch runs its layers on nested tensors; default True.
        mask_check: accepted for compatibility.
    """

    __constants__ = ["norm"]

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Any:
        """``src`` through all layers; masks as for TransformerEncoderLayer. A nested ``src`` gives a nested result."""
        if getattr(src, "is_nested", False):
            return self._forward_nested(src, mask, src_key_padding_mask, is_causal)
        src_key_padding_mask = _as_numbers(src_key_padding_mask, src)
        mask = _as_numbers(mask, src)
        zeroes_padding = mask is None and self._zeroes_padding(src, src_key_padding_mask)
        batch_first = (
            getattr(getattr(self.layers[0], "self_attn", None), "batch_first", False) if self.layers else False
        )
        is_causal = _is_causal(mask, is_causal, _sequence_length(src, batch_first))
        output = src
        for layer in self.layers:
            output = layer(output, src_mask=mask, is_causal=is_causal, src_key_padding_mask=src_key_padding_mask)
        if zeroes_padding:
            output = output.masked_fill((src_key_padding_mask != 0).unsqueeze(-1), 0.0)
        return output if self.norm is None else self.norm(output)

    def _forward_nested(self, src: Any, mask: Any, src_key_padding_mask: Any, is_causal: bool | None) -> Any:
        if src_key_padding_mask is not None:
            raise ValueError("src_key_padding_mask is not supported for nested inputs: their sizes say what is padding")
        lengths = [sequence.size(0) for sequence in src.unbind()]
        padded = src.to_padded_tensor(0.0)
        places = taeda.arange(padded.size(1), device=src.device)
        padding = places.unsqueeze(0) >= taeda.tensor(lengths, device=src.device).unsqueeze(1)
        batch_first = self.layers[0].self_attn.batch_first
        result = self(padded if batch_first else padded.transpose(0, 1), mask, padding, is_causal)
        rows = (result if batch_first else result.transpose(0, 1)).unbind(0)
        return taeda.nested.as_nested_tensor([row[:length] for row, length in zip(rows, lengths, strict=True)])

    def _zeroes_padding(self, src: Any, padding_mask: Any) -> bool:
        """Whether padded positions leave the layers as 0.

        They do where PyTorch runs its layers on nested tensors: in evaluation without gradients, batch first, with the
        padding at the ends. What reads them afterwards (a decoder without a mask for them) depends on it.
        """
        layer = self.layers[0] if len(self.layers) else None
        if padding_mask is None or src.dim() != 3 or not self.enable_nested_tensor or self.training:
            return False
        if not isinstance(layer, TransformerEncoderLayer) or layer.norm_first or not layer.self_attn.batch_first:
            return False
        attention = layer.self_attn
        is_plain = attention.in_proj_bias is not None and attention._qkv_same_embed_dim and attention.num_heads % 2 == 0
        if not is_plain or layer.norm1.eps != layer.norm2.eps or layer.activation not in (F.relu, F.gelu):
            return False
        if taeda.is_grad_enabled() and (src.requires_grad or any(p.requires_grad for p in layer.parameters())):
            return False
        is_padded = (padding_mask != 0).to(taeda.int64)
        return bool((is_padded[:, 1:] >= is_padded[:, :-1]).all())


def _as_numbers(mask: Any, like: Any) -> Any:
    """A bool mask as numbers to add, so that both masks are of one kind."""
    if mask is None or mask.dtype != taeda.bool:
        return mask
    return taeda.zeros_like(mask, dtype=like.dtype).masked_fill_(mask, float("-inf"))


class TransformerDecoder(Module):
    """A stack of decoder layers.

    Args:
        decoder_layer: what is copied for each layer.
        num_layers: how many.
        norm: applied to the result; default none.
    """

    __constants__ = ["norm"]

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """``tgt`` through all layers in view of ``memory``; masks as for TransformerDecoderLayer."""
        batch_first = (
            getattr(getattr(self.layers[0], "self_attn", None), "batch_first", False) if self.layers else False
        )
        tgt_is_causal = _is_causal(tgt_mask, tgt_is_causal, _sequence_length(tgt, batch_first))
        output = tgt
        for layer in self.layers:
            output = layer(
                output,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=tgt_is_causal,
                memory_is_causal=memory_is_causal,
            )
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    """An encoder and a decoder.

    Args:
        d_model: the size of each position's vector; default 512.
        nhead: how many heads; default 8.
        num_encoder_layers, num_decoder_layers: default 6 and 6.
        dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype: as for
            TransformerEncoderLayer.
        custom_encoder, custom_decoder: modules to use instead of the usual ones.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        options = {"device": device, "dtype": dtype}
        layer = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        if custom_encoder is not None:
            self.encoder = custom_encoder
        else:
            encoder_layer = TransformerEncoderLayer(*layer, **options)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
            self.encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm)
        if custom_decoder is not None:
            self.decoder = custom_decoder
        else:
            decoder_layer = TransformerDecoderLayer(*layer, **options)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **options)
            self.decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm)
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """``tgt`` decoded in view of the encoded ``src``; masks as for the layers."""
        is_batched = src.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if is_batched and src.size(batch_dim) != tgt.size(batch_dim):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Any:
        """(sz, sz) of 0 where attention is allowed to position i from i on backwards, -inf elsewhere."""
        return _causal_mask(sz, device, dtype)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)
