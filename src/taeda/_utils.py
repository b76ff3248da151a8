"""What `copy` and `pickle` need to know about tensors. (Files for other programs are `taeda.serialization`.)"""

from __future__ import annotations

import pickle
from typing import Any

import taeda
from taeda import _C

__all__ = ["copy_tensor", "deepcopy_tensor", "reduce_tensor"]


def _is_dense(tensor: Any) -> bool:
    """Return whether the elements fill one stretch of memory without gaps or overlaps, in any order of dimensions."""
    expected = 1
    for step, length in sorted(
        (step, length) for step, length in zip(tensor.stride(), tensor.shape, strict=True) if length != 1
    ):
        if step != expected:
            return False
        expected *= length
    return True


def reduce_tensor(tensor: Any, protocol: Any = 2) -> tuple[Any, ...]:
    """Return how pickle rebuilds `tensor`: its elements, strides (where they have no gaps), dtype and `requires_grad`.

    From protocol 5 on the elements are a `pickle.PickleBuffer`, so that they can travel out of band without a copy.
    What computed the tensor is left behind: the copy is a leaf. DIFF(torch): tensors that share a storage no longer do
    afterwards; the same tensor pickled twice is still one tensor.
    """
    if tensor.layout is not taeda.strided:
        from taeda.sparse import _convert

        return _rebuild_sparse, (*_convert.parts(tensor), tensor.requires_grad)
    plain = tensor.detach()
    size, stride = tuple(plain.shape), tuple(plain.stride())
    data: Any = None
    if plain.device.type != "meta" and plain.numel():
        if _is_dense(plain):
            flat = plain.as_strided((plain.numel(),), (1,), plain.storage_offset())
        else:
            contiguous = plain.contiguous()
            stride, flat = tuple(contiguous.stride()), contiguous.view(-1)
        array = flat.view(taeda.uint8).numpy()
        data = pickle.PickleBuffer(array) if isinstance(protocol, int) and protocol >= 5 else array.tobytes()
    args = (type(tensor), data, tensor.dtype, str(tensor.device), size, stride, tensor.requires_grad)
    state = getattr(tensor, "__dict__", None)
    return (_rebuild_tensor, args, dict(state)) if state else (_rebuild_tensor, args)


def _rebuild_tensor(
    kind: type, data: Any, dtype: Any, device: str, size: tuple[int, ...], stride: tuple[int, ...], requires_grad: bool
) -> Any:
    """Return the tensor that `reduce_tensor` took apart."""
    if data is None:
        tensor = taeda.empty_strided(size, stride, dtype=dtype, device=device)
    else:
        # Bytes must not change, so that a tensor over them needs a copy; what came out of band can be used as it is.
        buffer = memoryview(bytearray(data) if isinstance(data, bytes) else data)
        if buffer.readonly:
            buffer = memoryview(bytearray(buffer))
        tensor = taeda.frombuffer(buffer, dtype=dtype).as_strided(size, stride, 0)
    if kind is not taeda.Tensor:
        return taeda.Tensor._make_subclass(kind, tensor, requires_grad)
    return tensor.requires_grad_(True) if requires_grad else tensor


def _rebuild_sparse(layout: Any, pieces: tuple[Any, ...], requires_grad: bool) -> Any:
    """Return the sparse tensor that `reduce_tensor` took apart."""
    from taeda.sparse import _convert

    tensor = _convert.whole(layout, pieces)
    return tensor.requires_grad_(True) if requires_grad else tensor


def copy_tensor(tensor: Any) -> Any:
    """Return a new tensor over the same memory, as `copy.copy` is asked for: its attributes are shared too."""
    duplicate = tensor.detach()
    if type(tensor) is not taeda.Tensor:
        duplicate = taeda.Tensor._make_subclass(type(tensor), duplicate, tensor.requires_grad)
    elif tensor.requires_grad:
        duplicate.requires_grad_(True)
    state = getattr(tensor, "__dict__", None)
    if state:
        duplicate.__dict__.update(state)
    return duplicate


def deepcopy_tensor(tensor: Any, memo: dict[int, Any]) -> Any:
    """Return a copy of `tensor`, its gradient and its attributes; tensors of one storage share one in the copy too.

    Edge cases: the result of a recorded operation is a RuntimeError, because its history is not copied.
    """
    if id(tensor) in memo:
        return memo[id(tensor)]
    if not tensor.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
            "If you were "
            "attempting to deepcopy a module, this may be because of a module that keeps a computed tensor as an "
            "attribute (hint: "
            "detach() it first)"
        )
    import copy

    plain = tensor.detach()
    if plain.layout is not taeda.strided:
        duplicate = plain.clone()
    elif plain.device.type == "meta":
        duplicate = taeda.empty_strided(plain.shape, plain.stride(), dtype=plain.dtype, device="meta")
    else:
        duplicate = _copied_view(plain, memo)
    if type(tensor) is not taeda.Tensor:
        duplicate = taeda.Tensor._make_subclass(type(tensor), duplicate, tensor.requires_grad)
    elif tensor.requires_grad:
        duplicate.requires_grad_(True)
    memo[id(tensor)] = duplicate
    if tensor.grad is not None:
        duplicate.grad = copy.deepcopy(tensor.grad, memo)
    state = getattr(tensor, "__dict__", None)
    if state:
        duplicate.__dict__.update(copy.deepcopy(state, memo))
    return duplicate


def _copied_view(plain: Any, memo: dict[int, Any]) -> Any:
    """Return `plain` over a copy of its whole storage, which `memo` keeps for the storage's other tensors."""
    original = _C._storage_bytes(plain)
    if not original.numel():
        return plain.clone()
    # Beside objects' identities, which are plain integers, the key cannot be taken for one of them.
    storages: dict[Any, Any] = memo.setdefault(id(_STORAGES), {})
    key = (original.data_ptr(), original.numel())
    if key not in storages:
        # The original is kept too: its address must not be given to another storage while the copying goes on.
        storages[key] = (original.clone(), original)
    data = storages[key][0]
    usable = data.numel() - data.numel() % plain.dtype.itemsize
    data = data if usable == data.numel() else data[:usable]
    return data.view(plain.dtype).as_strided(plain.shape, plain.stride(), plain.storage_offset())


# Its identity is the key in a deepcopy's memo under which copied storages are kept.
_STORAGES = object()
