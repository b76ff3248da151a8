"""Looking at the recorded graph, and where its saved tensors are kept."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import taeda
from taeda import _C
from taeda.autograd._backward import GradientEdge

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
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

    A node of an operation shows what it keeps as attributes: `node._saved_self` (the operation's argument `input`),
    `node._saved_result`, arguments that are no tensors likewise; `node._raw_saved_self.register_hooks(pack, unpack)`
    packs a single tensor. `node.metadata` is a dict for the program's own notes.
    """


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return the node that made `tensor` and which of its results `tensor` is; for a leaf, the end of the graph at it.

    Edge cases: a tensor that does not require grad is a RuntimeError.
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    if tensor.grad_fn is not None:
        return GradientEdge(tensor.grad_fn, tensor.output_nr)
    return GradientEdge(_C._accumulate_of(tensor), 0)


def increment_version(tensor: Any) -> None:
    """Count a write that was done behind the library's back, so that a backward that needs the old values fails.

    Args:
        tensor: the tensor that was written, or an iterable of them.
    """
    for written in (tensor,) if isinstance(tensor, taeda.Tensor) else tensor:
        _C._bump_version(written)


class saved_tensors_hooks:
    """A context in which each tensor that is saved for backward goes through `pack_hook`, and comes back through
    `unpack_hook`.

    Args:
        pack_hook: called with a tensor when it is saved; returns anything. It must not write the tensor.
        unpack_hook: called with what `pack_hook` returned when backward needs the tensor; returns a tensor with the
            same values.
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        _C._push_saved_tensors_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *exc_info: object) -> None:
        _C._pop_saved_tensors_hooks()


class save_on_cpu(saved_tensors_hooks):
    """A context in which saved tensors are kept in the CPU's memory, and copied back for backward.

    Args:
        pin_memory: keep tensors of other devices in pinned memory.
        device_type: accepted; the device that each tensor comes from is where it goes back to.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(tensor: Any) -> tuple[Any, Any]:
            copy = tensor.cpu()
            return tensor.device, copy.pin_memory() if pin_memory and copy is not tensor else copy

        def unpack(packed: tuple[Any, Any]) -> Any:
            device, tensor = packed
            return tensor.to(device, non_blocking=pin_memory)

        super().__init__(pack, unpack)


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Return a context in which `saved_tensors_hooks` is a RuntimeError with the message `error_message`.

    Edge cases: entering it where such hooks are in force is that error too.
    """
    outer = _C._refuse_saved_tensors_hooks(error_message)
    try:
        yield
    finally:
        _C._refuse_saved_tensors_hooks(outer)


class _MultiGradHook:
    """Counts, for each backward, which of the tensors have got their gradients."""

    def __init__(self, tensors: Sequence[Any], function: Callable[..., Any], is_any: bool) -> None:
        self.function = function
        self.is_any = is_any
        self.edges = [get_gradient_edge(tensor) for tensor in tensors]
        self.lock = threading.Lock()
        self.run = -1
        self.grads: list[Any] = []
        self.n_missing = 0

    def hook_of(self, index: int) -> Callable[[Any], None]:
        def hook(grad: Any) -> None:
            self.arrived(index, grad)

        return hook

    def arrived(self, index: int, grad: Any) -> None:
        with self.lock:
            run = _C._current_run()
            if run != self.run:
                self.run = run
                self.grads = [None] * len(self.edges)
                self.n_missing = 1 if self.is_any else sum(_C._will_run(self.edges))
            self.n_missing -= 1
            if self.n_missing < 0:  # the function has been called
                return
            self.grads[index] = grad
            if self.n_missing > 0:
                return
            grads, self.grads = self.grads, []
        self.function(grad if self.is_any else grads)


def register_multi_grad_hook(tensors: Sequence[Any], fn: Callable[..., None], *, mode: str = "all") -> Any:
    """Call `fn` in each backward that computes gradients of some of `tensors`; return a handle that removes it.

    Args:
        tensors: tensors that require grad.
        fn: in mode "all" called once, with the list of their gradients (None for those that the backward does not
            reach), when the last of them is there; in mode "any" with the first gradient that is there.
        mode: "all" or "any".
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    counter = _MultiGradHook(tensors, fn, mode == "any")
    handles = [tensor.register_hook(counter.hook_of(index)) for index, tensor in enumerate(tensors)]

    def remove() -> None:
        for handle in handles:
            handle.remove()

    return taeda.utils.hooks.CoreHookHandle(remove)


class _Kept:
    """A saved tensor; copied when its memory is about to be written."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor


class _MutationContext:
    """What has been saved inside `allow_mutation_on_saved_tensors`."""

    def __init__(self) -> None:
        self.by_memory: dict[int, weakref.WeakSet[_Kept]] = {}
        self.is_open = True

    def clear(self) -> None:
        """Forget what was saved: writes no longer copy it, and its backward would see the new values."""
        self.by_memory.clear()

    def pack(self, tensor: Any) -> _Kept:
        kept = _Kept(tensor)
        self.by_memory.setdefault(tensor.untyped_storage().data_ptr(), weakref.WeakSet()).add(kept)
        return kept

    def unpack(self, kept: _Kept) -> Any:
        if not self.is_open:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the graph was "
                "originally recorded."
            )
        return kept.tensor

    def before_write(self, tensor: Any) -> None:
        if not self.by_memory:
            return
        for kept in self.by_memory.pop(tensor.untyped_storage().data_ptr(), ()):
            with taeda.no_grad():
                kept.tensor = kept.tensor.clone()


_mutation = threading.local()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[_MutationContext]:
    """Return a context in which tensors that a backward needs may be written: the old values are copied first.

    It gives an object whose `clear()` forgets what was saved. Backward must be run inside the context.
    """
    if getattr(_mutation, "is_active", False):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    context = _MutationContext()
    _mutation.is_active = True
    outer = _C._set_write_observer(context.before_write)
    try:
        with saved_tensors_hooks(context.pack, context.unpack):
            yield context
    finally:
        _C._set_write_observer(outer)
        _mutation.is_active = False
        context.is_open = False
        context.clear()
