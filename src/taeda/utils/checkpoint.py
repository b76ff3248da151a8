"""Checkpointing: what a part of a program saves for backward is dropped, and computed again when backward needs it.

Note [Without re-entry]: the saved tensors of the function go through hooks. Packing one keeps only its number. The first
unpacking runs the function again, with hooks that take its saved tensors by number as they come, and stops as soon as all
that are still wanted are there. So gradients flow through the graph of the first run, and every feature of autograd works.
With re-entry, the function is not recorded at all; its backward records it and runs a backward of its own inside.
"""

from __future__ import annotations

import contextlib
import enum
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import taeda
from taeda.autograd.graph import saved_tensors_hooks

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]


class CheckpointError(RuntimeError):
    """The function did not save the same tensors when it was run again."""


class CheckpointPolicy(enum.Enum):
    """What a policy of `create_selective_checkpoint_contexts` would say of an operation."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


def create_selective_checkpoint_contexts(policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False) -> NoReturn:
    """Always a NotImplementedError: results cannot be chosen by the operation that made them."""
    raise NotImplementedError(
        "taeda has no selective checkpoints: what is run again is a function, not single operations in it. Checkpoint "
        "the functions between the results that are to be kept"
    )


class _Enough(Exception):
    """Stops a function that is being run again: all wanted tensors are there."""


_switches = threading.local()


def _early_stop_default() -> bool | None:
    return getattr(_switches, "early_stop", None)


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Return a context that sets, for the checkpoints made in it, whether running again stops once all is there."""
    outer = _early_stop_default()
    _switches.early_stop = enable
    try:
        yield
    finally:
        _switches.early_stop = outer


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Return a context that sets, for the checkpoints made in it, what `debug` is; None leaves it to them."""
    outer = getattr(_switches, "debug", None)
    _switches.debug = enabled
    try:
        yield
    finally:
        _switches.debug = outer


def noop_context_fn() -> tuple[Any, Any]:
    """Return two contexts that do nothing: the default `context_fn` of `checkpoint`."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the inputs with each tensor detached from its history, requiring grad as it did."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple(
        value.detach().requires_grad_(value.requires_grad) if isinstance(value, taeda.Tensor) else value
        for value in inputs
    )


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn where no input requires grad, so that a checkpoint with re-entry gives no gradients at all."""
    if not any(value.requires_grad for value in inputs if isinstance(value, taeda.Tensor)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=3)


# ---- without re-entry


class _Number:
    """Stands for a saved tensor in the graph: its number among those that the function saves."""

    __slots__ = ("__weakref__", "index")

    def __init__(self, index: int) -> None:
        self.index = index


def _description(tensor: Any) -> dict[str, Any]:
    return {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device}


class _KeepInputs(taeda.autograd.Function):
    """Keeps the function's tensors as a node does: writes to them are noticed, and outer checkpoints drop them."""

    @staticmethod
    def forward(ctx: Any, anchor: Any, *tensors: Any) -> Any:
        ctx.save_for_backward(*tensors)
        return anchor.new_empty(0)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise AssertionError("this node takes no part in a backward")


class _Inputs:
    """The function's arguments, its tensors kept by a node."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        values = (*args, *kwargs.values())
        self.names = tuple(kwargs)
        self.n_args = len(args)
        self.places = [index for index, value in enumerate(values) if isinstance(value, taeda.Tensor)]
        self.plain = [None if isinstance(value, taeda.Tensor) else value for value in values]
        with taeda.enable_grad():
            anchor = taeda.empty(0, requires_grad=True)
            self.kept = _KeepInputs.apply(anchor, *(values[index] for index in self.places))

    def get(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        values = list(self.plain)
        for index, tensor in zip(self.places, self.kept.grad_fn.saved_tensors, strict=True):
            values[index] = tensor.detach().requires_grad_(tensor.requires_grad)
        return tuple(values[: self.n_args]), dict(zip(self.names, values[self.n_args :], strict=True))


class _Checkpoint:
    """One run of a function whose saved tensors are computed again."""

    def __init__(
        self, function: Callable[..., Any], options: _Options, inputs: _Inputs, recompute_context: Any
    ) -> None:
        self.function = function
        self.options = options
        self.inputs = inputs
        self.recompute_context = recompute_context
        self.rng_state = taeda.get_rng_state() if options.preserve_rng_state else None
        self.numbers: list[weakref.ref[_Number]] = []
        self.descriptions: list[dict[str, Any]] = []
        self.found: dict[int, Any] = {}

    def pack(self, tensor: Any) -> _Number:
        number = _Number(len(self.numbers))
        self.numbers.append(weakref.ref(number))
        self.descriptions.append(_description(tensor))
        return number

    def unpack(self, number: _Number) -> Any:
        if number.index not in self.found:
            self.run_again()
        return self.found.pop(number.index)

    def run_again(self) -> None:
        wanted = {index for index, number in enumerate(self.numbers) if number() is not None}
        collector = _Collector(self, wanted)
        args, kwargs = self.inputs.get()
        with contextlib.ExitStack() as stack:
            if self.rng_state is not None:
                stack.enter_context(taeda.random.fork_rng())
                taeda.set_rng_state(self.rng_state)
            stack.enter_context(taeda.enable_grad())
            stack.enter_context(self.recompute_context)
            stack.enter_context(saved_tensors_hooks(collector.pack, collector.unpack))
            with contextlib.suppress(_Enough):
                self.function(*args, **kwargs)
        collector.check(self.options)
        self.found = collector.found


class _Collector:
    """Takes the tensors that a function saves when it is run again."""

    def __init__(self, checkpoint: _Checkpoint, wanted: set[int]) -> None:
        self.expected = checkpoint.descriptions
        self.early_stop = checkpoint.options.early_stop
        self.wanted = wanted
        self.last = max(wanted, default=-1)
        self.descriptions: list[dict[str, Any]] = []
        self.found: dict[int, Any] = {}
        self.is_stopped = False

    def pack(self, tensor: Any) -> Any:
        index = len(self.descriptions)
        self.descriptions.append(_description(tensor))
        if index in self.wanted:
            self.found[index] = tensor.detach()
        if self.early_stop and index == self.last:
            self.is_stopped = True
            raise _Enough
        return tensor.detach()

    def unpack(self, tensor: Any) -> Any:
        # A function may go backward itself.
        return tensor

    def check(self, options: _Options) -> None:
        n_expected, n_found = len(self.expected), len(self.descriptions)
        if not self.is_stopped and n_expected != n_found:
            raise CheckpointError(
                "taeda.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {n_expected}\nNumber of tensors saved during "
                f"recomputation: {n_found}.{self.listing(options)}"
            )
        if options.determinism_check == "none":
            return
        differing = [
            f"tensor at position {index}:\nsaved metadata: {before}\nrecomputed metadata: {after}"
            for index, (before, after) in enumerate(zip(self.expected, self.descriptions, strict=False))
            if index in self.wanted and before != after
        ]
        if differing:
            raise CheckpointError(
                "taeda.utils.checkpoint: Recomputed values for the following tensors have different metadata than "
                "during the forward pass.\n" + "\n".join(differing) + self.listing(options)
            )

    def listing(self, options: _Options) -> str:
        if not options.debug:
            return "\n  hint: debug=True lists all saved tensors of both runs"
        first = "\n".join(f"  {index}: {what}" for index, what in enumerate(self.expected))
        second = "\n".join(f"  {index}: {what}" for index, what in enumerate(self.descriptions))
        return f"\nsaved during forward:\n{first}\nsaved during recomputation:\n{second}"


class _Options:
    """How a checkpoint without re-entry behaves; see `checkpoint`."""

    def __init__(self, preserve_rng_state: bool, determinism_check: str, debug: bool, early_stop: bool) -> None:
        if determinism_check not in ("default", "none"):
            raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
        self.preserve_rng_state = preserve_rng_state
        self.determinism_check = determinism_check
        switched = getattr(_switches, "debug", None)
        self.debug = debug if switched is None else switched
        default = _early_stop_default()
        self.early_stop = early_stop if default is None else default


def _checkpoint(function: Callable[..., Any], context_fn: Any, options: _Options, args: Any, kwargs: Any) -> Any:
    forward_context, recompute_context = context_fn()
    if not taeda.is_grad_enabled():
        with forward_context:
            return function(*args, **kwargs)
    frame = _Checkpoint(function, options, _Inputs(args, kwargs), recompute_context)
    with saved_tensors_hooks(frame.pack, frame.unpack), forward_context:
        return function(*args, **kwargs)


# ---- with re-entry


class CheckpointFunction(taeda.autograd.Function):
    """The function as one node, whose backward runs it again and goes backward through that."""

    @staticmethod
    def forward(ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        """Compute the results, unrecorded."""
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.rng_state = taeda.get_rng_state() if preserve_rng_state else None
        ctx.places = [index for index, value in enumerate(args) if isinstance(value, taeda.Tensor)]
        ctx.plain = [None if isinstance(value, taeda.Tensor) else value for value in args]
        ctx.save_for_backward(*(args[index] for index in ctx.places))
        with taeda.no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Run the function again, recorded, and go backward through it."""
        if not taeda._C._run_reaches_all_leaves():
            raise RuntimeError(
                "When use_reentrant=True, taeda.utils.checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call "
                ".backward() without passing the `inputs` argument."
            )
        values = list(ctx.plain)
        for index, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
            values[index] = tensor
        inputs = detach_variable(tuple(values))
        with contextlib.ExitStack() as stack:
            if ctx.rng_state is not None:
                stack.enter_context(taeda.random.fork_rng())
                taeda.set_rng_state(ctx.rng_state)
            stack.enter_context(taeda.enable_grad())
            outputs = ctx.run_function(*inputs)
        outputs = (outputs,) if isinstance(outputs, taeda.Tensor) else outputs
        pairs = [
            (output, grad)
            for output, grad in zip(outputs, grads, strict=True)
            if isinstance(output, taeda.Tensor) and output.requires_grad
        ]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        taeda.autograd.backward([output for output, _ in pairs], [grad for _, grad in pairs])
        return (None, None, *(value.grad if isinstance(value, taeda.Tensor) else None for value in inputs))


# ---- public


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Return `function(*args, **kwargs)`, which is run again in backward instead of keeping what it saves.

    Args:
        function: what to run; it must do the same each time.
        args: its arguments.
        use_reentrant: False, which is better, records the function as it is. True makes one node of it, whose backward
            runs another: it needs a tensor among `args` that requires grad, and `backward()` without `inputs`.
        context_fn: returns a context for the first run and one for the second. Without re-entry only.
        determinism_check: "default" compares shapes, dtypes and devices of what both runs save; "none" does not.
        debug: list what was saved in errors.
        early_stop: end the second run when all that is needed is there.
        kwargs: arguments by name, for the function; `preserve_rng_state=False` leaves the random numbers of the
            second run to differ.

    Source: Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.
    """
    if use_reentrant is None:
        warnings.warn(
            "taeda.utils.checkpoint: the use_reentrant parameter should be passed explicitly. use_reentrant=False is "
            "recommended; without it, True is assumed.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve_rng_state = kwargs.pop("preserve_rng_state", True)
    if not use_reentrant:
        options = _Options(preserve_rng_state, determinism_check, debug, early_stop)
        return _checkpoint(function, context_fn, options, args, kwargs)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug:
        raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    return CheckpointFunction.apply(function, preserve_rng_state, *args)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Return what the functions make of `input` one after the other, in checkpointed groups.

    Args:
        functions: a `Sequential` or a list of functions of one argument.
        segments: the number of groups; the last one is not checkpointed.
        input: what the first function gets.
        use_reentrant: as for `checkpoint`.
        kwargs: `preserve_rng_state` only.
    """
    if use_reentrant is None:
        warnings.warn(
            "taeda.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. "
            "use_reentrant=False is recommended; without it, True is assumed.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve_rng_state = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps = list(functions.children()) if isinstance(functions, taeda.nn.Sequential) else list(functions)

    def group(start: int, end: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for step in steps[start:end]:
                value = step(value)
            return value

        return run

    length = len(steps) // segments
    start = 0
    for _ in range(segments - 1):
        input = checkpoint(
            group(start, start + length),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve_rng_state,
        )
        start += length
    return group(start, len(steps))(input)
