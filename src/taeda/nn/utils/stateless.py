"""Calling a module with other parameters and buffers than its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import taeda

__all__ = ["functional_call"]


def _tied_names(module: Any) -> dict[str, set[str]]:
    """For each name of a tensor all names of the same tensor."""
    by_tensor: dict[int, set[str]] = {}
    members = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for name, tensor in members:
        by_tensor.setdefault(id(tensor), set()).add(name)
    return {name: by_tensor[id(tensor)] for name, tensor in members}


def _with_tied(module: Any, given: dict[str, Any]) -> dict[str, Any]:
    """``given``, and the same tensor under all names that the module ties to each."""
    tied = _tied_names(module)
    result = dict(given)
    for name, tensor in given.items():
        for other in tied.get(name, ()):
            if other in given and given[other] is not tensor:
                raise ValueError(
                    f"functional_call got multiple values for keys {sorted({name, other})}, which are tied. "
                    f"Consider using "
                    "tie_weights=False"
                )
            result[other] = tensor
    return result


@contextmanager
def _swapped(module: Any, given: dict[str, Any]) -> Iterator[None]:
    """Put the given tensors in the places of the module's own for the duration."""
    undo = []
    try:
        for name, tensor in given.items():
            path, _, leaf = name.rpartition(".")
            owner = module.get_submodule(path)
            for members in (owner._parameters, owner._buffers):
                if leaf in members:
                    undo.append((members, leaf, members[leaf]))
                    members[leaf] = tensor
                    break
            else:
                if leaf in owner.__dict__:
                    undo.append((owner.__dict__, leaf, owner.__dict__[leaf]))
                    owner.__dict__[leaf] = tensor
                else:
                    raise AttributeError(f"{owner._get_name()} has no attribute `{leaf}`")
        yield
    finally:
        # Last first: a name may have been given twice through tied weights.
        for members, leaf, original in reversed(undo):
            members[leaf] = original


def _check_names(module: Any, given: dict[str, Any]) -> None:
    own = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    own |= {name for name, _ in module.named_buffers(remove_duplicate=False)}
    unexpected, missing = sorted(set(given) - own), sorted(own - set(given))
    if unexpected or missing:
        problems = []
        if unexpected:
            problems.append("Unexpected key(s): " + ", ".join(map(repr, unexpected)) + ".")
        if missing:
            problems.append("Missing key(s): " + ", ".join(map(repr, missing)) + ".")
        raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(problems))


def functional_call(
    module: Any,
    parameters_and_buffers: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with the given tensors in the places of its own.

    Args:
        module: what to call; it is left as it was.
        parameters_and_buffers: tensors by dotted name, or several such dictionaries.
        args: the arguments, a tuple or one value.
        kwargs: the arguments by name.
        tie_weights: whether a tensor given under one name stands under all names tied to it; default True.
        strict: whether exactly the module's names must be given; default False.
    """
    given: dict[str, Any] = {}
    several = (parameters_and_buffers,) if isinstance(parameters_and_buffers, dict) else parameters_and_buffers
    for part in several:
        repeated = given.keys() & part.keys()
        if repeated:
            raise ValueError(
                f"{sorted(repeated)} appeared in multiple dictionaries; behavior of functional call is ambiguous"
            )
        given.update(part)
    for name, tensor in given.items():
        if not isinstance(tensor, taeda.Tensor):
            raise TypeError(f"{name} is not a tensor, but {type(tensor).__name__}")
    if tie_weights:
        given = _with_tied(module, given)
    if strict:
        _check_names(module, given)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, given):
        return module(*args, **(kwargs or {}))
