"""How operations on sparse tensors are computed: a rule for each, and the writing of results into given tensors.

A rule is called with the operation and its arguments. It works on values with their history (`_tensor.values_of`, `_tensor.build`),
so what it returns has a history of its own. What has no rule is an error: nothing becomes dense unasked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import taeda
from taeda import _C
from taeda.sparse import _tensor
from taeda.sparse._create import zeros_of
from taeda.sparse._pattern import layout_name
from taeda.sparse._tensor import sparse_of

__all__ = ["IN_PLACE", "RULES", "apply", "refuse", "rule"]

# key or name of an operation -> rule
RULES: dict[str, Callable[..., Any]] = {}
# name of an operation -> what writes into its first argument; True: it has done so
IN_PLACE: dict[str, Callable[..., bool]] = {}


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that makes a function the rule of these operations (names, or keys of single overloads)."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            if name in RULES:
                raise ValueError(f"{name} has two rules for sparse tensors")
            RULES[name] = function
        return function

    return register


def refuse(op: Any, wrapper: Any, form: str = "functional") -> NoReturn:
    """Raise PyTorch's error for an operation that a layout does not have."""
    name = op.name + ("_" if form == "inplace" and not op.writes_input else "")
    raise NotImplementedError(
        f"Could not run 'aten::{name}' with arguments from the '{wrapper.backend}' backend: taeda has no {op.key} for tensors of layout "
        f"{wrapper.layout}\n  hint: to_dense() gives the tensor with all its zeros; values() only those elements that are stored"
    )


def apply(wrapper: Any, op: Any, form: str, arguments: tuple[Any, ...], outs: tuple[Any, ...]) -> Any:
    """Answer a call that was given a sparse tensor; ``wrapper`` is that of one of its arguments."""
    found = RULES.get(op.key) or RULES.get(op.name)
    if found is None:
        refuse(op, wrapper, form)
    if outs:
        with taeda.no_grad():
            results = found(op, *arguments)
            results = results if isinstance(results, tuple | list) else (results,)
            for out, result in zip(outs, results, strict=True):
                _write_out(op, out, result)
        return outs[0] if len(outs) == 1 else outs
    if form != "inplace" and not op.writes_input:
        return found(op, *arguments)
    target = arguments[0]
    with taeda.no_grad():
        writer = IN_PLACE.get(op.name)
        if writer is None or not writer(*arguments):
            write(op, target, found(op, *arguments))
    return target


def write(op: Any, target: Any, result: Any) -> None:
    """Put a result in the place of ``target``'s elements."""
    if tuple(result.shape) != tuple(target.shape):
        raise RuntimeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(result.shape)}"
        )
    if not taeda.can_cast(result.dtype, target.dtype):
        raise RuntimeError(
            f"result type {_type_name(result)} can't be cast to the desired output type {_type_name(target)}"
        )
    wrapper, made = sparse_of(target), sparse_of(result)
    if wrapper is None:
        target.copy_(result if made is None else made.pattern.scatter(made.values))
        return
    if made is None or made.layout != wrapper.layout:
        layout = taeda.strided if made is None else made.layout
        raise RuntimeError(
            f"{op.name}: expected a result tensor of layout {layout_name(layout)}, got one of layout {layout_name(wrapper.layout)}"
        )
    wrapper.pattern = made.pattern
    # The result's memory may be that of another argument.
    wrapper.values = made.values.to(target.dtype, copy=True)


def _type_name(tensor: Any) -> str:
    name = str(tensor.dtype).rpartition(".")[2]
    return {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int", "bool": "Bool"}.get(name, name)


def _write_out(op: Any, out: Any, result: Any) -> None:
    wrapper = sparse_of(out)
    if wrapper is None:
        if sparse_of(result) is not None:
            raise RuntimeError(
                f"{op.name}: expected sparse result tensor, got tensor with layout {layout_name(out.layout)}"
            )
        if tuple(out.shape) != tuple(result.shape):
            out.resize_(result.shape)
        out.copy_(result)
        return
    if tuple(out.shape) != tuple(result.shape):
        _C._rewrap(out, wrapper, result.shape)
    write(op, out, result)


# ---- copies


@rule("clone")
def _clone(op: Any, input: Any, memory_format: Any = None) -> Any:
    pattern = sparse_of(input).pattern
    return _tensor.build(pattern, _tensor.values_of(input).clone())


@rule("_to_copy")
def _to_copy(op: Any, input: Any, dtype: Any = None, device: Any = None, memory_format: Any = None) -> Any:
    if device is not None and device.type == "meta":
        raise NotImplementedError("taeda has no sparse tensors on the meta device")
    values = _tensor.values_of(input)
    return _tensor.build(sparse_of(input).pattern, values.to(dtype or input.dtype, copy=True))


@rule("_cast")
def _cast(op: Any, input: Any, dtype: Any) -> Any:
    return _tensor.build(sparse_of(input).pattern, _tensor.values_of(input).to(dtype))


@rule("contiguous")
def _contiguous(op: Any, input: Any, memory_format: Any = None) -> Any:
    return input


@rule("detach", "alias")
def _alias(op: Any, input: Any) -> Any:
    # One object stands for both: a write into one is seen in the other.
    return _C._wrap(sparse_of(input), input.shape, input.dtype, input)


@rule("zeros_like", "empty_like")
def _zeros_like(op: Any, input: Any, memory_format: Any = None, dtype: Any = None, device: Any = None) -> Any:
    return zeros_of(input, input.shape, dtype)


@rule("new_zeros", "new_empty")
def _new_zeros(op: Any, input: Any, size: Any, dtype: Any = None, device: Any = None) -> Any:
    return zeros_of(input, size, dtype)


# ---- writing


@rule("zero_")
def _zero(op: Any, input: Any) -> Any:
    return taeda.zeros_like(input)


@rule("copy_")
def _copy(op: Any, input: Any, src: Any, non_blocking: bool = False) -> Any:
    if (sparse_of(input) is None) != (sparse_of(src) is None):
        raise RuntimeError(
            f"copy_() between dense and sparse Tensors is not implemented! Found self type = {layout_name(input.layout)} and src type = "
            f"{layout_name(src.layout)}\n  hint: to_dense(), or to_sparse()"
        )
    if sparse_of(src).layout != sparse_of(input).layout:
        raise RuntimeError(
            f"copy_: only same layout tensors can be copied, got {layout_name(input.layout)} and {layout_name(src.layout)}"
        )
    return src.to(input.dtype)


from taeda.sparse import _rules_arith, _rules_product, _rules_reduce, _rules_shape  # noqa: E402, F401  (they register themselves)
