"""`backward` and `grad`: checks of the arguments, then one call of the core's engine."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import taeda
from taeda import _C

__all__ = ["GradientEdge", "backward", "grad"]


class GradientEdge(NamedTuple):
    """One result of a recorded node, which can stand for the tensor where gradients start or are wanted."""

    node: Any
    output_nr: int
    ownership_token: Any = None


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return (values,) if isinstance(values, (taeda.Tensor, GradientEdge)) else tuple(values)


def _check_outputs(tensors: tuple[Any, ...]) -> None:
    for index, tensor in enumerate(tensors):
        if not isinstance(tensor, GradientEdge) and not tensor.requires_grad:
            raise RuntimeError(f"element {index} of tensors does not require grad and does not have a grad_fn")


def _implicit_grad(output: Any) -> Any:
    if output.numel() != 1:
        raise RuntimeError(
            f"grad can be implicitly created only for scalar outputs\n  the output has shape {tuple(output.shape)}\n"
            "  hint: reduce it first (output.sum()), or pass a gradient of its shape"
        )
    if not output.dtype.is_floating_point:
        raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {output.dtype}")
    return taeda.ones_like(output)


def _check_grad(index: int, grad: Any, output: Any, is_batched: bool) -> None:
    shape = grad.shape[1:] if is_batched else grad.shape
    if tuple(shape) != tuple(output.shape):
        if is_batched:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the "
                "remaining dimensions are expected to match the shape of corresponding output, but a mismatch was "
                "detected: "
                f"grad_output[{index}] has a shape of {grad.shape} and output[{index}] has a shape of {output.shape}."
            )
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{index}] has a shape of {grad.shape} and output[{index}] has a shape of "
            f"{output.shape}."
        )
    if grad.dtype.is_complex != output.dtype.is_complex:
        raise RuntimeError(
            "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
            f"grad_output[{index}] has a dtype of {grad.dtype} and output[{index}] has a dtype of {output.dtype}."
        )


def _make_grads(outputs: tuple[Any, ...], grads: Any, is_batched: bool = False) -> tuple[Any, ...]:
    """Return one gradient for each output: the given one, checked, or ones for a scalar without."""
    if grads is None:
        grads = (None,) * len(outputs)
    grads = _as_tuple(grads)
    if len(grads) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients")
    made: list[Any] = []
    for index, (output, grad) in enumerate(zip(outputs, grads, strict=True)):
        if isinstance(output, GradientEdge):
            if not isinstance(grad, taeda.Tensor):
                raise RuntimeError(
                    f"a GradientEdge has no shape, so that the gradient of element {index} must be given"
                )
            made.append(grad)
            continue
        if not isinstance(output, taeda.Tensor):
            raise TypeError(f"expected Tensor as element {index} in argument 0, but got {type(output).__name__}")
        if isinstance(grad, taeda.Tensor):
            _check_grad(index, grad, output, is_batched)
            made.append(grad)
        elif grad is None:
            made.append(_implicit_grad(output) if output.requires_grad else None)
        else:
            raise TypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    return tuple(made)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add to `.grad` of the leaves the gradients of `tensors`.

    Args:
        tensors: one tensor or several, where the gradients start.
        grad_tensors: the gradient of each, of its shape; None for a scalar means one.
        retain_graph: keep what was saved, for another backward; by default as `create_graph`.
        create_graph: record the backward itself, for higher derivatives.
        grad_variables: the old name of `grad_tensors`.
        inputs: the tensors whose `.grad` is wanted, rather than all leaves'.
    """
    keep_graph = create_graph if retain_graph is None else retain_graph
    if grad_tensors is None and inputs is None and grad_variables is None and type(tensors) is taeda.Tensor:
        # The usual `loss.backward()`, without the general case's tuples.
        if not tensors.requires_grad:
            _check_outputs((tensors,))
        _C._run_backward((tensors,), (_implicit_grad(tensors),), keep_graph, create_graph, None, True, True)
        return
    if grad_variables is not None:
        warnings.warn("'grad_variables' is deprecated. Use 'grad_tensors' instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only "
                "use `grad_tensors`."
            )
        grad_tensors = grad_variables
    if inputs is not None:
        inputs = _as_tuple(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        _check_inputs(inputs)
        for tensor in inputs:
            # The results of operations drop their gradients unless they are told to keep them.
            if isinstance(tensor, taeda.Tensor):
                tensor.retain_grad()
    tensors = _as_tuple(tensors)
    grads = _make_grads(tensors, grad_tensors)
    _check_outputs(tensors)
    _C._run_backward(tensors, grads, keep_graph, create_graph, inputs, True, True)


def _check_inputs(inputs: Sequence[Any]) -> None:
    for tensor in inputs:
        if isinstance(tensor, GradientEdge):
            continue
        if not isinstance(tensor, taeda.Tensor):
            raise RuntimeError(f"all inputs have to be Tensors or GradientEdges, but got {type(tensor).__name__}")
        if not tensor.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of `outputs` for each of `inputs`, leaving every `.grad` as it is.

    Args:
        outputs: one tensor or several, where the gradients start.
        inputs: one tensor or several, whose gradients are returned.
        grad_outputs: the gradient of each output, of its shape; None for a scalar means one.
        retain_graph: keep what was saved, for another backward; by default as `create_graph`.
        create_graph: record the backward itself, for higher derivatives.
        only_inputs: must be True.
        allow_unused: return None for an input that the outputs do not depend on; otherwise that is an error.
        is_grads_batched: `grad_outputs` have a first dimension of many gradients; the results then have one too.
        materialize_grads: return zeros rather than None, which implies `allow_unused`.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True).", FutureWarning, stacklevel=2
        )
    outputs, inputs = _as_tuple(outputs), _as_tuple(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    grads = _make_grads(outputs, grad_outputs, is_grads_batched)
    _check_outputs(outputs)
    _check_inputs(inputs)
    keep_graph = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        results = _batched_grad(outputs, inputs, grads, keep_graph, create_graph)
    else:
        results = _C._run_backward(outputs, grads, keep_graph, create_graph, inputs, True, False)
    if not allow_unused and any(result is None for result in results):
        position = next(index for index, result in enumerate(results) if result is None)
        shape = "" if isinstance(inputs[position], GradientEdge) else f", of shape {tuple(inputs[position].shape)},"
        raise RuntimeError(
            f"The differentiated Tensor at index {position} appears to not have been used in the graph. Set "
            f"allow_unused=True if this is the desired behavior.\n  inputs[{position}]{shape} does not lead to the outputs"
        )
    if materialize_grads:
        results = tuple(
            _zeros_like_input(tensor, create_graph) if result is None else result
            for result, tensor in zip(results, inputs, strict=True)
        )
    return results


def _zeros_like_input(tensor: Any, requires_grad: bool) -> Any:
    if isinstance(tensor, GradientEdge):
        raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
    return taeda.zeros_like(tensor, requires_grad=requires_grad)


def _batched_grad(
    outputs: tuple[Any, ...], inputs: tuple[Any, ...], grads: tuple[Any, ...], keep_graph: bool, create_graph: bool
) -> tuple[Any, ...]:
    """Return the results of one backward for each entry of the gradients' first dimension, all of them in one run."""
    from taeda.func import vmap

    used: list[int] = []

    def vjp(*rows: Any) -> list[Any]:
        found = _C._run_backward(outputs, rows, keep_graph, create_graph, inputs, True, False)
        used.extend(k for k, value in enumerate(found) if value is not None)
        return [found[k] for k in used]

    results: list[Any] = [None] * len(inputs)
    for k, value in zip(used, vmap(vjp)(*grads), strict=True):
        results[k] = value
    return tuple(results)


for _function in (backward, grad):
    _function.__module__ = "taeda.autograd"
