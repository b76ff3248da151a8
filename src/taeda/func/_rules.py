"""Batching rules: how an operation runs on all samples at once.

Most follow from the schema. A rule is given the samples with their dimension at the front, and returns results with theirs at the front:

- pointwise: dimensions are lined up from the right and broadcast;
- "front": the operation itself, with non-negative dims moved up by one and the batch put before sizes (`_front`);
- "fold": the batch is merged with the first dimension, for what treats that one as a batch already (`_fold`);
- written by hand, in the modules of this folder that begin with ``_rules_``;
- none: a loop over the samples, and one warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import taeda
from taeda.func import _batch
from taeda.ops import batching

__all__ = ["RULES", "Call", "apply", "expand", "rule", "to_front"]

# key or name of an operation -> rule
RULES: dict[str, Callable[[Call], Any]] = {}


class Call:
    """One call that a rule has to answer: the operation, and its arguments with the samples in front."""

    __slots__ = ("arguments", "batch_size", "batched", "form", "level", "op", "ranks", "target")

    def __init__(
        self,
        level: Any,
        op: Any,
        form: str,
        arguments: list[Any],
        batched: list[Any],
        ranks: list[Any],
        target: Any = None,
    ) -> None:
        self.level = level
        self.op = op
        self.form = form
        self.arguments = arguments  # tensors have the batch as dimension 0 where `batched`
        self.batched = batched  # for each argument: whether it is; for lists: of each tensor
        self.ranks = ranks  # the number of dimensions of one sample; None for what is no tensor
        self.target = target  # the batched tensor that an in-place call is made on
        self.batch_size: int = level.batch_size

    def __getitem__(self, name: str) -> Any:
        return self.arguments[self.op.at(name)]

    def is_batched(self, name: str) -> bool:
        return self.batched[self.op.at(name)] is True

    def rank(self, name: str) -> int:
        return self.ranks[self.op.at(name)]

    def full(self, name: str) -> Any:
        """The samples of a tensor argument, repeated where it is the same for all; None stays."""
        place = self.op.at(name)
        value = self.arguments[place]
        return value if value is None or self.batched[place] else expand(value, self.batch_size)


def rule(*names: str) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Return a decorator that makes a function the rule of these operations (names, or keys of single overloads)."""

    def register(function: Callable[[Call], Any]) -> Callable[[Call], Any]:
        for name in names:
            if name in RULES:
                raise ValueError(f"{name} has two batching rules")
            RULES[name] = function
        return function

    return register


def expand(value: Any, batch_size: int) -> Any:
    """Return a view of ``value`` with ``batch_size`` equal samples in front."""
    return value.unsqueeze(0).expand([batch_size, *value.shape])


def to_front(value: Any, dim: int | None) -> Any:
    """Return ``value`` with dimension ``dim`` first; unchanged where that is None."""
    return value if dim is None or dim == 0 else value.movedim(dim, 0)


def apply(level: Any, op: Any, form: str, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
    """Answer a call that was intercepted for ``level``; what comes back is batched at that level."""
    given: list[Any] = []
    batched: list[Any] = []
    ranks: list[Any] = []
    for value in arguments:
        samples, dims = _batch.unwrap(value, level)
        if isinstance(value, taeda.Tensor):
            given.append(to_front(samples, dims))
            batched.append(dims is not None)
            ranks.append(value.ndim)
        elif isinstance(dims, list):
            given.append(
                [item if item is None else to_front(item, dim) for item, dim in zip(samples, dims, strict=True)]
            )
            batched.append([dim is not None for dim in dims])
            ranks.append([None if item is None else item.ndim for item in value])
        else:
            given.append(value)
            batched.append(False)
            ranks.append(None)
    writes = form == "inplace" or op.writes_input
    call = Call(level, op, form, given, batched, ranks, arguments[0] if writes else None)
    if outs:
        return _write_outs(call, arguments, outs)
    if writes:
        return _write(call, arguments[0])
    result = _compute(call)
    of = (arguments[0], given[0]) if op.is_view and batched and batched[0] is True else (None, None)
    return _wrap_results(call, result, *of)


def _compute(call: Call) -> Any:
    op = call.op
    if op.is_random:
        return _random(call)
    found = RULES.get(op.key) or RULES.get(op.name)
    if found is not None:
        return found(call)
    if op.is_pointwise:
        return pointwise(call)
    if op.key in batching.DATA_DEPENDENT or op.name in batching.DATA_DEPENDENT:
        raise RuntimeError(
            f"vmap: It looks like you're attempting to use an operation whose result's size depends on the data ({op.name}): the samples' "
            "results would differ in shape.\n  hint: use taeda.where or a mask instead"
        )
    return loop(call)


def _wrap_results(call: Call, result: Any, base: Any = None, base_value: Any = None) -> Any:
    if isinstance(result, taeda.Tensor):
        return _batch.wrap(result, 0, call.level, base, base_value)
    if isinstance(result, list | tuple):
        return tuple(_wrap_results(call, item, base, base_value) for item in result)
    return result


def _write(call: Call, target: Any) -> Any:
    """An in-place call: the result is copied over the samples of the first argument, which keep their memory."""
    op = call.op
    if not call.batched[0]:
        raise RuntimeError(
            f"vmap: {op.name}{'' if op.writes_input else '_'}(self, *extra_args) is not possible because there exists a Tensor `other` in "
            f"extra_args that has more elements than `self`. This happened due to `other` being vmapped over but `self` not being vmapped "
            f"over in a vmap.\n  self has shape {tuple(target.shape)}\n  hint: use the out-of-place form of {op.name}"
        )
    samples = call.arguments[0]
    if op.writes_input:
        writer = RULES.get(op.key) or RULES.get(op.name)
        if op.is_random:
            _random(call)
        elif writer is not None:
            writer(call)
        elif any(flag is True for flag in call.batched[1:]):
            loop(call)
        else:
            op(call.arguments)
        return target
    if op.is_view:  # squeeze_, t_ ...: the geometry changes, not the data
        value = _compute(call)
        taeda._C._rewrap_sample(target, _batch.Batch(value, 0, call.level), value, 0)
        return target
    if taeda.is_grad_enabled() and any(_wants_gradient(value) for value in call.arguments):
        call.arguments[0] = samples.clone()  # whose values gradients may need after the write
    result = _compute(call)
    if tuple(result.shape[1:]) != tuple(target.shape):
        raise RuntimeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(result.shape[1:])}"
        )
    samples.copy_(result)
    return target


def _wants_gradient(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_wants_gradient(item) for item in value)
    return isinstance(value, taeda.Tensor) and value.requires_grad


def _write_outs(call: Call, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
    results = _compute(call)
    results = results if isinstance(results, list | tuple) else (results,)
    for out, result in zip(outs, results, strict=True):
        batch = _batch.batch_of(out, call.level)
        if batch is None:
            raise RuntimeError(
                f"vmap: {call.op.name}(out=...) would write the samples' results into one tensor that is not batched"
            )
        to_front(batch.value, batch.dim).copy_(result)
    return outs[0] if len(outs) == 1 else outs


# ---- the kinds of rule


def pointwise(call: Call) -> Any:
    """Line the dimensions of the samples up from the right, then let the operation broadcast."""
    rank = max(rank for rank in call.ranks if rank is not None)
    arguments = list(call.arguments)
    _keep_weak_dtypes(call, arguments)
    for k, is_batched in enumerate(call.batched):
        if is_batched is True and call.ranks[k] < rank:
            shape = arguments[k].shape
            arguments[k] = arguments[k].reshape([shape[0], *[1] * (rank - call.ranks[k]), *shape[1:]])
    return call.op(arguments)


def _keep_weak_dtypes(call: Call, arguments: list[Any]) -> None:
    """A zero-dim sample does not widen the others' dtype; with the batch in front it would."""
    tensors = [k for k, rank in enumerate(call.ranks) if rank is not None]
    strong = [arguments[k].dtype for k in tensors if call.ranks[k] > 0]
    weak = [k for k in tensors if call.ranks[k] == 0 and call.batched[k]]
    if not strong or not weak:
        return
    kind = max(_kind(dtype) for dtype in strong)
    wide = strong[0]
    for dtype in strong[1:]:
        wide = taeda.promote_types(wide, dtype)
    for k in weak:
        if arguments[k].dtype != wide and _kind(arguments[k].dtype) <= kind:
            arguments[k] = arguments[k].to(wide)


def _kind(dtype: Any) -> int:
    return 0 if dtype == taeda.bool else 3 if dtype.is_complex else 2 if dtype.is_floating_point else 1


_DIM_NAMES = frozenset(
    {
        "dim",
        "dims",
        "dim0",
        "dim1",
        "dim2",
        "axis0",
        "axis1",
        "start_dim",
        "end_dim",
        "source",
        "destination",
        "dimension",
    }
)
_SIZE_NAMES = frozenset({"size", "sizes", "shape"})


def front(*, alike: bool = True, extra: int = 0, all_dims: bool = False, sizes: bool = True) -> Callable[[Call], Any]:
    """Return the rule "the same operation, one dimension further in".

    Args:
        alike: all tensors need the batch; False leaves those alone that are the same for all samples.
        extra: how many dims more than the first tensor's count (unsqueeze: 1).
        all_dims: a missing or empty ``dim`` stands for all dimensions.
        sizes: arguments named size(s) get the batch in front.
    """

    def run(call: Call) -> Any:
        # Dims are those of the first tensor, or of the sizes that a gradient is given back in.
        names = call.op.names
        rank = (
            len(call["sizes"])
            if "sizes" in names and sizes
            else call.rank("input")
            if "input" in names
            else _first_rank(call)
        )
        if rank == 0 and not extra and any(name in _DIM_NAMES for name in call.op.names):
            return _as_one_dim(call)
        arguments = list(call.arguments)
        for k, (name, *_rest) in enumerate(call.op.arguments):
            value = arguments[k]
            if call.ranks[k] is not None:
                if alike and isinstance(call.ranks[k], int) and not call.batched[k]:
                    arguments[k] = expand(value, call.batch_size)
            elif name in _DIM_NAMES:
                if all_dims and (value is None or (isinstance(value, list | tuple) and not value)):
                    arguments[k] = list(range(1, rank + 1))
                elif value is not None:
                    arguments[k] = shifted(value, rank + extra)
            elif name == "memory_format":
                arguments[k] = None  # it speaks of one sample's dimensions
            elif sizes and name in _SIZE_NAMES and not isinstance(value, int):
                arguments[k] = [call.batch_size, *value]
        return call.op(arguments)

    return run


def _first_rank(call: Call) -> int:
    return next(rank for rank in call.ranks if isinstance(rank, int))


def _as_one_dim(call: Call) -> Any:
    """Zero-dim samples count as having one dimension where dims are named; the results give it back."""
    if call.op.is_view or any(rank not in (0, None) for rank in call.ranks):
        return loop(call)
    arguments = [
        (value if is_batched else expand(value, call.batch_size)).unsqueeze(-1) if rank == 0 else value
        for value, is_batched, rank in zip(call.arguments, call.batched, call.ranks, strict=True)
    ]
    for k, (name, *_rest) in enumerate(call.op.arguments):
        if name in _DIM_NAMES:
            arguments[k] = shifted(arguments[k], 1) if arguments[k] not in (None, [], ()) else [1]
        elif name in _SIZE_NAMES and not isinstance(arguments[k], int):
            arguments[k] = [call.batch_size, 1]
    results = call.op(arguments)
    single = isinstance(results, taeda.Tensor)
    fixed = [item.squeeze(-1) if item.ndim == 2 else item for item in ((results,) if single else results)]
    return fixed[0] if single else tuple(fixed)


def shifted(dims: Any, rank: int) -> Any:
    """Return dims of a sample as dims of all samples; IndexError where they do not exist."""
    if isinstance(dims, list | tuple):
        return [shifted(dim, rank) for dim in dims]
    limit = max(rank, 1)
    if not -limit <= dims < limit:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dims})")
    return dims + 1 if dims >= 0 else dims


def fold(spatial: int | None = None) -> Callable[[Call], Any]:
    """Return the rule for what treats its first dimension as a batch: samples (C, ...) become that, (N, C, ...) are merged.

    Args:
        spatial: how many dimensions follow (N, C); None: the argument ``n`` says; 0: the first dimension is always N.
    """

    def run(call: Call) -> Any:
        n = call["n"] if spatial is None else spatial
        is_unbatched = _first_rank(call) == n + 1
        arguments = list(call.arguments)
        inner = 1
        for k, rank in enumerate(call.ranks):
            if not isinstance(rank, int):
                continue
            if not call.batched[k]:
                arguments[k] = expand(arguments[k], call.batch_size)
            if not is_unbatched:
                inner = arguments[k].shape[1]
                arguments[k] = arguments[k].flatten(0, 1)
        for k, name in enumerate(call.op.names):
            if name in _SIZE_NAMES:
                size = list(arguments[k])
                arguments[k] = [call.batch_size, *size] if is_unbatched else [call.batch_size * size[0], *size[1:]]
        results = call.op(arguments)
        if is_unbatched:
            return results
        if isinstance(results, taeda.Tensor):
            return results.unflatten(0, [call.batch_size, inner])
        return tuple(None if t is None else t.unflatten(0, [call.batch_size, inner]) for t in results)

    return run


_warned: set[str] = set()


def loop(call: Call) -> Any:
    """Call the operation once for each sample, and stack the results."""
    op = call.op
    if op.key not in _warned:
        _warned.add(op.key)
        warnings.warn(
            f"There is a performance drop because we have not yet implemented the batching rule for {op.key}: it is called once for each "
            "sample.",
            UserWarning,
            stacklevel=2,
        )
    return each_sample(call)


def each_sample(call: Call, before: Callable[[int], None] | None = None) -> Any:
    """`loop` without the warning; ``before`` is called with the sample's number."""
    if call.batch_size == 0:
        raise RuntimeError(f"vmap: {call.op.name} has no batching rule that could tell the shape of no samples at all")
    results = []
    for b in range(call.batch_size):
        if before is not None:
            before(b)
        results.append(
            call.op([_sample(value, flag, b) for value, flag in zip(call.arguments, call.batched, strict=True)])
        )
    if call.op.writes_input:
        return None
    first = results[0]
    if isinstance(first, taeda.Tensor):
        return taeda.stack(results)
    if isinstance(first, tuple | list):
        return tuple(taeda.stack([result[k] for result in results]) for k in range(len(first)))
    if all(result == first for result in results):
        return first
    raise RuntimeError(f"vmap: {call.op.name} gives one Python value for all samples, but theirs differ")


def _sample(value: Any, is_batched: Any, b: int) -> Any:
    if isinstance(is_batched, list):
        return [_sample(item, flag, b) for item, flag in zip(value, is_batched, strict=True)]
    return value.select(0, b) if is_batched else value


# ---- randomness


def _random(call: Call) -> Any:
    randomness = call.level.randomness
    if randomness == "error":
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness flags on "
            f"vmap or perform the randomness operation out of vmap\n  the operation is {call.op.name}"
        )
    if randomness == "same":
        if not any(flag is True for flag in call.batched):
            return expand_results(call.op(call.arguments), call.batch_size)
        return _same_for_each(call)
    if call.op.key in batching.DRAWN_SIZED:
        return _draw_sized(call)
    if call.op.key in batching.DRAWN_ROWS:
        return _draw_rows(call)
    return _draw_like(call) if call.op.key in batching.DRAWN_LIKE else each_sample(call)


def expand_results(results: Any, batch_size: int) -> Any:
    if isinstance(results, taeda.Tensor):
        return expand(results, batch_size)
    return tuple(expand(item, batch_size) for item in results)


def _same_for_each(call: Call) -> Any:
    generator = next((a for a in call.arguments if isinstance(a, taeda.Generator)), taeda.default_generator)
    state = generator.get_state()
    return each_sample(call, before=lambda _: generator.set_state(state) and None)


def _draw_sized(call: Call) -> Any:
    arguments = list(call.arguments)
    k = call.op.at("size")
    arguments[k] = [call.batch_size, *arguments[k]]
    return call.op(arguments)


def _draw_rows(call: Call) -> Any:
    rows = call.full("input")
    parts = list(rows.shape[:-1])
    made = call.op([rows.reshape([-1, rows.shape[-1]]), *call.arguments[1:]])
    return made.unflatten(0, parts)


def _draw_like(call: Call) -> Any:
    rank = max((rank for rank in call.ranks if isinstance(rank, int)), default=0)
    arguments = list(call.arguments)
    for k, own in enumerate(call.ranks):
        if isinstance(own, int):
            value = arguments[k] if call.batched[k] else expand(arguments[k], call.batch_size)
            arguments[k] = (
                value.reshape([value.shape[0], *[1] * (rank - own), *value.shape[1:]]) if own < rank else value
            )
    if call.op.writes_input and not call.batched[0]:
        raise RuntimeError(
            f"vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same randomness. If this is "
            f"necessary for your usage, please file an issue with functorch.\n  the operation is {call.op.name}"
        )
    return call.op(arguments)


# ---- what follows from the schema: the lists are in taeda.ops.batching

for _name in batching.SHIFTED:
    RULES[_name] = front(sizes=_name != "unflatten")
for _name in batching.REDUCED:
    RULES[_name] = front(all_dims=True)
RULES["unsqueeze"] = front(extra=1)
for _name in batching.POINTWISE:
    RULES[_name] = pointwise
for _name in batching.FOLDED:
    RULES[_name] = fold()
for _name in batching.FOLDED_ALWAYS:
    RULES[_name] = fold(0)
for _name, _n in batching.FOLDED_SPATIAL.items():
    RULES[_name] = fold(_n)


from taeda.func import (  # noqa: E402, F401  (they register themselves)
    _rules_geometry,
    _rules_index,
    _rules_linalg,
    _rules_losses,
    _rules_product,
    _rules_recurrent,
    _rules_search,
    _rules_shape,
)
