"""Methods of Tensor that few programs need: element-wise Python functions, memory by hand, and PyTorch's names for what is not here.

A name that another part of taeda defines wins: `_method` only fills what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import taeda
from taeda._C import Tensor


def _give(name: str, value: Any) -> None:
    if not hasattr(Tensor, name):
        setattr(Tensor, name, value)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__qualname__ = f"Tensor.{function.__name__}"
    function.__module__ = "taeda"
    _give(function.__name__, function)
    return function


# ---- Python functions of elements


def _only_numbers(self: Tensor, name: str) -> None:
    if self.requires_grad:
        raise RuntimeError(f"{name}: the tensor requires grad, and a Python function of its elements has no gradient")
    if self.is_meta:
        raise TypeError(f"{name} needs elements: the tensor is on the meta device")


def _write_elements(self: Tensor, values: list[Any]) -> Tensor:
    return self.copy_(taeda.tensor(values, dtype=self.dtype).reshape(self.shape))


@_method
def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replace each element by ``callable(element)``. Slow: a Python call for each."""
    _only_numbers(self, "apply_")
    return _write_elements(self, [callable(value) for value in self.reshape(-1).tolist()])


@_method
def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replace each element by ``callable(element, other)``, the other from ``tensor``, which is broadcast."""
    _only_numbers(self, "map_")
    pairs = zip(self.reshape(-1).tolist(), tensor.expand(self.shape).reshape(-1).tolist(), strict=True)
    return _write_elements(self, [callable(a, b) for a, b in pairs])


@_method
def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """Replace each element by ``callable(element, a, b)``, the others from ``x`` and ``y``, which are broadcast."""
    _only_numbers(self, "map2_")
    others = [other.expand(self.shape).reshape(-1).tolist() for other in (x, y)]
    return _write_elements(self, [callable(*three) for three in zip(self.reshape(-1).tolist(), *others, strict=True)])


# ---- writing


@_method
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write ``fill_value`` on the main diagonal.

    Args:
        wrap: for matrices with more rows than columns: begin again after each block of columns, with a row between.

    Raises:
        RuntimeError: fewer than two dimensions, or more than two of different sizes.
    """
    if self.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if self.ndim > 2 and len(set(self.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    step = sum(self.stride())
    offset = self.storage_offset()
    n = min(self.shape)
    self.as_strided([n], [step], offset).fill_(fill_value)
    if wrap and self.ndim == 2 and self.shape[0] > self.shape[1] + 1:
        rows, columns = self.shape
        for start in range(columns + 1, rows, columns + 1):
            count = min(columns, rows - start)
            self.as_strided([count], [step], offset + start * self.stride(0)).fill_(fill_value)
    return self


@_method
def addr_(self: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """The in-place form of ``addr``."""
    return self.copy_(taeda.addr(self, vec1, vec2, beta=beta, alpha=alpha))


@_method
def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Make the tensor a view of other memory: of a tensor or a storage, or, without ``source``, of none.

    Args:
        storage_offset, size, stride: the geometry; default: the tensor's, or all elements of the storage.
    """
    if source is None:
        self.data = self.new_empty(0)
        return self
    if isinstance(source, Tensor):
        if source.dtype != self.dtype:
            raise RuntimeError(f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}")
        whole = source.detach()
        if size is not None:
            whole = whole.as_strided(size, stride or _contiguous(size), storage_offset)
    else:
        bytes_ = source.untyped()._bytes
        n = bytes_.numel() // self.dtype.itemsize - storage_offset
        shape = [n] if size is None else list(size)
        elements = bytes_[: bytes_.numel() // self.dtype.itemsize * self.dtype.itemsize].view(self.dtype)
        whole = elements.as_strided(shape, stride or _contiguous(shape), storage_offset)
    self.data = whole
    return self


def _contiguous(size: Any) -> list[int]:
    strides, step = [], 1
    for n in reversed(list(size)):
        strides.append(step)
        step *= max(n, 1)
    return strides[::-1]


@_method
def resize(self: Tensor, *sizes: Any) -> Tensor:
    """Return the elements in another shape of as many; ``resize_`` changes the number."""
    shape = list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else list(sizes)
    if math.prod(shape) != self.numel():
        raise RuntimeError(
            f"requested resize to {shape} ({math.prod(shape)} elements in total), but the given tensor has a size of "
            f"{list(self.shape)} ({self.numel()} elements). autograd's resize can only change the shape of a given tensor"
        )
    return self.contiguous().view(shape)


@_method
def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """Return the elements in the shape of ``tensor``, which has as many."""
    return resize(self, tensor.shape)


@_method
def slice_inverse(
    self: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """Return, for the slice ``self`` of a tensor like ``src``, a view of that whole tensor."""
    if taeda._C._slice(src, dim, start, end, step).shape != self.shape:
        raise RuntimeError(
            f"slice_inverse: a tensor of shape {list(self.shape)} is no such slice of one of shape {list(src.shape)}"
        )
    return self.as_strided(src.shape, src.stride(), src.storage_offset())


@_method
def module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    """Return what a module keeps when ``other`` is loaded into this tensor: this one, written, or ``other`` itself."""
    if assign:
        return other.detach()
    return self.copy_(other).detach()


# ---- the array API standard


@_method
def __array_namespace__(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """Return the functions of the Python array API standard: the module ``taeda.array_api``."""
    from taeda.array_api import namespace_of

    return namespace_of(api_version)


@_method
def to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """Return the tensor on another device, in the standard's words."""
    if stream is not None:
        raise ValueError("to_device: there are no streams on the cpu")
    return self.to(device)


# ---- questions


@_method
def is_nonzero(self: Tensor) -> bool:
    """Return whether the only element is not zero."""
    return taeda.is_nonzero(self)


@_method
def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Return whether the shapes are equal."""
    return self.shape == other.shape


@_method
def is_distributed(self: Tensor) -> bool:
    """Return False: a tensor lies in one process."""
    return False


@_method
def const_data_ptr(self: Tensor) -> int:
    """Return the address of the first element, for reading."""
    return self.data_ptr()


@_method
def storage_type(self: Tensor) -> Any:
    """Return the class of the tensor's storage: ``FloatStorage`` ..."""
    from taeda._legacy_types import STORAGES

    return next(kind for kind in STORAGES.values() if kind.dtype == self.dtype)


@_method
def dense_dim(self: Tensor) -> int:
    """Return the number of dimensions that are stored densely: all."""
    return self.ndim


@_method
def sparse_dim(self: Tensor) -> int:
    """Return the number of dimensions that are stored sparsely: none."""
    return 0


@_method
def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """Return the tensor, which is dense, in ``dtype`` where one is given."""
    return self if dtype is None else self.to(dtype)


@_method
def dequantize(self: Tensor) -> Tensor:
    """Return the tensor in float32; it is not quantised."""
    return self.to(taeda.float32)


for _name in ("is_ipu", "is_maia", "is_mtia", "is_vulkan", "is_xla"):
    _give(_name, property(lambda self: False, doc="False: the tensor is on the cpu."))
_give("__rdiv__", Tensor.__rtruediv__)
_give("volatile", property(lambda self: False, doc="False: replaced by ``no_grad`` long ago."))
_give("name", property(lambda self: None, doc="None: tensors have no names."))
_give("grad_dtype", property(lambda self: self.dtype, doc="The dtype of this tensor's gradient: its own."))


# ---- what is not here


def _raising(name: str, kind: type[Exception], message: str) -> None:
    def absent(self: Tensor, *args: Any, **kwargs: Any) -> NoReturn:
        raise kind(message)

    absent.__name__ = name
    absent.__doc__ = f"Raise {kind.__name__}: {message}."
    _method(absent)


# The layout that PyTorch's message asks for, by method.
_SPARSE = {
    "indices": "sparse coordinate tensor",
    "values": "sparse tensor",
    "coalesce": "sparse coordinate tensor",
    "is_coalesced": "sparse coordinate tensor",
    "crow_indices": "sparse row compressed tensor",
    "col_indices": "sparse row compressed tensor",
    "ccol_indices": "sparse column compressed tensor",
    "row_indices": "sparse column compressed tensor",
}
for _name, _layout in _SPARSE.items():
    _raising(_name, RuntimeError, f"{_name} expected {_layout} layout but got Strided")

for _name in (
    "resize_as_sparse_ smm sparse_mask sparse_resize_ sparse_resize_and_clear_ sspaddmm to_sparse to_sparse_bsc "
    "to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr"
).split():
    _raising(_name, NotImplementedError, f"taeda has no Tensor.{_name}: there are no sparse tensors of this kind")
for _name in (
    "int_repr q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme"
).split():
    _raising(_name, NotImplementedError, f"taeda has no Tensor.{_name}: there are no quantised tensors")
_raising(
    "chalf", NotImplementedError, "taeda has no complex32: no operation is defined on it; cfloat() gives complex64"
)
_raising("to_mkldnn", NotImplementedError, "taeda has no oneDNN layout: operations pack what they read themselves")
_raising(
    "to_padded_tensor", NotImplementedError, "taeda has no to_padded_tensor for strided tensors: it fills nested ones"
)
_raising("index", NotImplementedError, "taeda has no first-class dimensions: index with x[...] or index_select")
for _name, _why in {
    "eig": "`torch.linalg.eig` returns complex tensors",
    "symeig": "use `torch.linalg.eigh`",
    "solve": "`torch.solve` is deprecated in favor of `torch.linalg.solve`, which has its arguments reversed",
    "lstsq": "`torch.lstsq` is deprecated in favor of `torch.linalg.lstsq`",
}.items():
    _raising(_name, RuntimeError, f"This function was deprecated since version 1.9 and is now removed. {_why}")
_raising("reinforce", RuntimeError, "reinforce() was removed: differentiate the logarithm of the probability instead")
_raising("record_stream", RuntimeError, "record_stream: the cpu has no streams")
for _name in ("xpu", "ipu", "mtia"):
    _raising(_name, RuntimeError, f"taeda has no device '{_name}': this build runs on the cpu (and meta) only")
