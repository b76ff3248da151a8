"""Sparse tensors (``torch.sparse``): products, sums and softmax of them. Makers and conversions are in the package and on tensors."""

from __future__ import annotations

from typing import Any, NoReturn

import taeda
from taeda.sparse._check import check_sparse_tensor_invariants
from taeda.sparse._functions import (
    addmm,
    as_sparse_gradcheck,
    log_softmax,
    mm,
    sampled_addmm,
    softmax,
    spdiags,
    spsolve,
    sum,  # noqa: A004
)

__all__ = [
    "addmm",
    "as_sparse_gradcheck",
    "check_sparse_tensor_invariants",
    "log_softmax",
    "mm",
    "sampled_addmm",
    "softmax",
    "spdiags",
    "spsolve",
    "sum",
    "to_sparse_semi_structured",
]

_SEMI_STRUCTURED = "the 2:4 layout is one of GPUs' tensor cores, and taeda runs on the cpu"


def to_sparse_semi_structured(original_tensor: Any, transposed: bool = False) -> NoReturn:
    """Raise NotImplementedError: the layout exists for GPUs only."""
    raise NotImplementedError(f"taeda has no semi-structured sparse tensors: {_SEMI_STRUCTURED}")


class SparseSemiStructuredTensor:
    """Not there: the layout exists for GPUs only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"taeda has no {type(self).__name__}: {_SEMI_STRUCTURED}")


class SparseSemiStructuredTensorCUSPARSELT(SparseSemiStructuredTensor):
    """Not there: the layout exists for GPUs only."""


class SparseSemiStructuredTensorCUTLASS(SparseSemiStructuredTensor):
    """Not there: the layout exists for GPUs only."""


def _typed(name: str, dtype: Any) -> Any:
    def make(*args: Any, device: Any = None) -> Any:
        if args and isinstance(args[0], taeda.Tensor):
            return taeda.sparse_coo_tensor(*args, dtype=dtype, device=device)
        size = args[0] if len(args) == 1 and not isinstance(args[0], int) else args
        return taeda.sparse_coo_tensor(tuple(size), dtype=dtype, device=device)

    make.__name__ = make.__qualname__ = name
    make.__module__ = "taeda.sparse"
    make.__doc__ = f"Return a coordinate tensor of {dtype}, from indices, values and size or from a size; sparse_coo_tensor is its modern form."
    return make


for _name, _dtype in {
    "FloatTensor": taeda.float32,
    "DoubleTensor": taeda.float64,
    "HalfTensor": taeda.float16,
    "BFloat16Tensor": taeda.bfloat16,
    "ByteTensor": taeda.uint8,
    "CharTensor": taeda.int8,
    "ShortTensor": taeda.int16,
    "IntTensor": taeda.int32,
    "LongTensor": taeda.int64,
}.items():
    globals()[_name] = _typed(_name, _dtype)

for _function in (addmm, as_sparse_gradcheck, log_softmax, mm, sampled_addmm, softmax, spdiags, spsolve, sum):
    _function.__module__ = "taeda.sparse"
