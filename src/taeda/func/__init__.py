"""Functions of functions: derivatives (`grad`, `vjp`, `jvp`, `jacrev`, `jacfwd`, `hessian`, `linearize`) and batching (`vmap`)."""

from __future__ import annotations

from typing import Any

from taeda import _C
from taeda.func import _custom  # noqa: F401  (it registers itself)
from taeda.func._batch import Batch as _Batch
from taeda.func._modules import functional_call, replace_all_batch_norm_modules_, stack_module_state
from taeda.func._rearrange import rearrange
from taeda.func._transforms import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, linearize, vjp
from taeda.func._vmap import vmap

__all__ = [
    "debug_unwrap",
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "rearrange",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]


def debug_unwrap(tensor: Any, *, recurse: bool = True) -> Any:
    """Return the tensor with all samples of a batched one, for a look at its values; other tensors as they are."""
    wrapper = _C._wrapper_of(tensor)
    if not isinstance(wrapper, _Batch):
        return tensor
    return debug_unwrap(wrapper.value) if recurse else wrapper.value


def functionalize(func: Any, *, remove: str = "mutations") -> Any:
    """Return a function with the same results as ``func`` that leaves its arguments as they were.

    Writes into the arguments go to copies. (PyTorch's also rewrites the operations inside for its compiler.)
    """
    import functools

    import taeda
    from taeda.utils import _pytree as pytree

    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        copied = pytree.tree_map_only(taeda.Tensor, lambda t: t.clone(), (args, kwargs))
        return func(*copied[0], **copied[1])

    return wrapped
