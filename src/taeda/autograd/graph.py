"""Looking at the recorded graph, and where its saved tensors are kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from taeda import _C

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "save_on_cpu",
    "saved_tensors_hooks",
]

Node = _C.Node


class GradientEdge(NamedTuple):
    """One result of a recorded node: where a gradient enters the graph."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return the node that made `tensor` and which of its results `tensor` is.

    Edge cases: a tensor that does not require grad, or a leaf (whose gradient goes into no node), is a RuntimeError.
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    if tensor.grad_fn is None:
        raise RuntimeError(
            "taeda has no gradient edge for a leaf, because no node accumulates its gradient; use the leaf itself"
        )
    return GradientEdge(tensor.grad_fn, tensor.output_nr)


class saved_tensors_hooks:
    """A context in which each tensor that is saved for backward goes through `pack_hook`, and comes back through
    `unpack_hook`.
    """

    def __init__(self, pack_hook: Any, unpack_hook: Any) -> None:
        if not hasattr(_C, "_push_saved_tensors_hooks"):
            raise NotImplementedError(
                "taeda has no saved_tensors_hooks: the core keeps saved tensors without a place for hooks"
            )
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        _C._push_saved_tensors_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *exc_info: object) -> None:
        _C._pop_saved_tensors_hooks()


class save_on_cpu(contextlib.nullcontext):  # type: ignore[type-arg]
    """A context in which saved tensors are kept in the CPU's memory: all are there already, so that it changes nothing.

    Args:
        pin_memory: accepted; there is no other device to copy to.
        device_type: accepted likewise.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__()


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Return a context in which `saved_tensors_hooks` is a RuntimeError with the message `error_message`."""
    original = saved_tensors_hooks.__init__

    def refuse(self: Any, pack_hook: Any, unpack_hook: Any) -> None:
        raise RuntimeError(error_message)

    saved_tensors_hooks.__init__ = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        saved_tensors_hooks.__init__ = original  # type: ignore[method-assign]
