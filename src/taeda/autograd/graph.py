"""Looking at the recorded graph, and where its saved tensors are kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import taeda
from taeda import _C
from taeda.autograd._backward import GradientEdge

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "save_on_cpu",
    "saved_tensors_hooks",
]


_NODE_KINDS = (_C._Node, _C._FunctionNode, _C._AccumulateGrad)


class _AnyNode(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _NODE_KINDS)


class Node(metaclass=_AnyNode):
    """Any recorded node: those of operations, of `Function`s, and the ends of the graph at leaves are instances of
    it.
    """


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return the node that made `tensor` and which of its results `tensor` is; for a leaf, the end of the graph at it.

    Edge cases: a tensor that does not require grad is a RuntimeError.
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    if tensor.grad_fn is not None:
        return GradientEdge(tensor.grad_fn, tensor.output_nr)
    # Leaves have no node of their own; what an operation on the leaf would lead to stands for one.
    with taeda.enable_grad():
        return GradientEdge(tensor.view_as(tensor).grad_fn.next_functions[0][0], 0)


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
