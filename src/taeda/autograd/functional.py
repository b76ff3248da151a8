"""Derivatives of functions: products with the Jacobian and the Hessian, and both matrices whole, by reverse mode or,
where the matrices have fewer columns than rows, by forward mode.

A product with the Jacobian from the right is formed by going backward twice: `vjp` is linear in its vector, and the
derivative of that linear function is the product wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import taeda
from taeda.autograd._backward import grad
from taeda.autograd.forward_ad import push_forward

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _as_tuple(values: Any, what: str, function: str) -> tuple[bool, tuple[Any, ...]]:
    """Return whether `values` was a tuple, and a tuple of tensors."""
    is_tuple = isinstance(values, tuple)
    values = values if is_tuple else (values,)
    for index, value in enumerate(values):
        if not isinstance(value, taeda.Tensor):
            place = f"Value at index {index} in the tuple" if is_tuple else "Value"
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but the "
                f"{place} has type {type(value)}."
            )
    return is_tuple, values


def _unwrap(values: tuple[Any, ...], is_tuple: bool) -> Any:
    return values if is_tuple else values[0]


def _prepare_inputs(inputs: tuple[Any, ...], keep_history: bool) -> tuple[Any, ...]:
    """Return tensors that the function is differentiated for: with `keep_history` still connected to the caller's
    graph.
    """
    if keep_history:
        return tuple(
            tensor.view_as(tensor) if tensor.requires_grad else tensor.clone().requires_grad_() for tensor in inputs
        )
    return tuple(tensor.detach().requires_grad_() for tensor in inputs)


def _finish(values: tuple[Any, ...], keep_history: bool) -> tuple[Any, ...]:
    return values if keep_history else tuple(value.detach() for value in values)


def _check_vectors(vectors: Any, targets: tuple[Any, ...], is_target_tuple: bool, function: str) -> tuple[Any, ...]:
    """Return the vectors as a tuple; without any, the ones that a single scalar implies."""
    if vectors is None:
        if len(targets) != 1 or targets[0].numel() != 1:
            whose = "user-provided function returns" if function == "vjp" else "input to the user-provided function is"
            raise RuntimeError(f"The vector v can only be None if the {whose} a single Tensor with a single element.")
        return (taeda.ones_like(targets[0]),)
    _, values = _as_tuple(vectors, "v", function)
    if len(values) != len(targets):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(targets)} but got {len(values)}.")
    for index, (value, target) in enumerate(zip(values, targets, strict=True)):
        if value.shape != target.shape:
            place = f"Entry {index} in " if is_target_tuple else ""
            raise RuntimeError(f"{place}v has invalid size: should be {target.shape} but got {value.shape}.")
    return tuple(values)


def _check_outputs(outputs: tuple[Any, ...], strict: bool) -> None:
    if strict:
        for index, output in enumerate(outputs):
            if not output.requires_grad:
                raise RuntimeError(
                    f"Output {index} of the user-provided function does not require gradients. The outputs must be "
                    "computed in a differentiable manner from the input when running in strict mode."
                )


def _check_slopes(slopes: tuple[Any, ...], strict: bool) -> None:
    if strict:
        for index, slope in enumerate(slopes):
            if not slope.requires_grad:
                raise _independent_slope(index)


def _independent_slope(index: int) -> RuntimeError:
    return RuntimeError(
        "While computing the hessian, found that the jacobian of the user-provided function with respect to input "
        f"{index} is independent of the input. This is not allowed in strict mode. You should ensure that your "
        "function "
        "is twice differentiable and that the jacobian depends on the inputs (this would be violated by a linear "
        "function for example)."
    )


def _grad_or_zero(
    outputs: tuple[Any, ...], inputs: tuple[Any, ...], vectors: Any, create_graph: bool, strict: bool, what: str
) -> tuple[Any, ...]:
    """Return the gradients, zeros for inputs that the outputs do not depend on; with `strict` that is an error."""
    pairs = [(output, vector) for output, vector in zip(outputs, vectors, strict=True) if output.requires_grad]
    found: tuple[Any, ...] = (None,) * len(inputs)
    if pairs:
        kept, kept_vectors = zip(*pairs, strict=True)
        found = grad(kept, inputs, kept_vectors, create_graph=create_graph, retain_graph=True, allow_unused=True)
    results = []
    for index, (value, tensor) in enumerate(zip(found, inputs, strict=True)):
        if value is None:
            if strict:
                if what == "jacobian":
                    raise _independent_slope(index)
                raise RuntimeError(
                    f"{what} of the user-provided function is independent of input {index}. This is not allowed in strict mode."
                )
            value = taeda.zeros_like(tensor)
        results.append(value)
    return tuple(results)


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return `func(*inputs)`, and the product of the vector `v` with the Jacobian of `func` at `inputs`.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: a tensor or a tuple of them.
        v: of the shapes of the results; may be None for a single scalar.
        create_graph: record, so that both results can be differentiated again.
        strict: a result that does not depend on an input is an error, rather than a gradient of zeros.
    """
    with taeda.enable_grad():
        is_inputs_tuple, inputs = _as_tuple(inputs, "inputs", "vjp")
        inputs = _prepare_inputs(inputs, create_graph)
        is_outputs_tuple, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "vjp")
        _check_outputs(outputs, strict)
        vectors = _check_vectors(v, outputs, is_outputs_tuple, "vjp")
        products = _grad_or_zero(outputs, inputs, vectors, create_graph, strict, "The output")
    outputs, products = _finish(outputs, create_graph), _finish(products, create_graph)
    return _unwrap(outputs, is_outputs_tuple), _unwrap(products, is_inputs_tuple)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return `func(*inputs)`, and the product of the Jacobian of `func` at `inputs` with the vector `v`.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: a tensor or a tuple of them.
        v: of the shapes of the inputs; may be None for a single scalar.
        create_graph: record, so that both results can be differentiated again.
        strict: a result that does not depend on an input is an error, rather than a derivative of zeros.
    """
    with taeda.enable_grad():
        is_inputs_tuple, inputs = _as_tuple(inputs, "inputs", "jvp")
        inputs = _prepare_inputs(inputs, create_graph)
        vectors = _check_vectors(v, inputs, is_inputs_tuple, "jvp")
        is_outputs_tuple, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "jvp")
        _check_outputs(outputs, strict)
        # The value of these does not matter: what follows is linear in them, and only its derivative is used.
        weights = tuple(taeda.zeros_like(output, requires_grad=True) for output in outputs)
        pulled = _grad_or_zero(outputs, inputs, weights, True, strict, "The output")
        products = _grad_or_zero(pulled, weights, vectors, create_graph, False, "The output")
    outputs, products = _finish(outputs, create_graph), _finish(products, create_graph)
    return _unwrap(outputs, is_outputs_tuple), _unwrap(products, is_outputs_tuple)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian of `func` at `inputs`.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: a tensor or a tuple of them.
        create_graph: record, so that the result can be differentiated again.
        strict: a result that does not depend on an input is an error, rather than zeros.
        vectorize: form all rows, or columns, in one run of `taeda.func.vmap`, which takes more memory. Cannot be `strict`.
        strategy: "reverse-mode" goes backward once for each element of the results, "forward-mode" runs `func` once
            for each element of the inputs. Both give the same numbers. Forward mode cannot be `strict`.

    Shape: for each result and input (tuples where these are), the result's shape followed by the input's.
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs '
            'than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        if strict:
            raise RuntimeError(
                'jacobian: `strict=True` and `strategy="forward-mode"` are not supported together (yet). Please either '
                'set `strict=False` or `strategy="reverse-mode"`.'
            )
        columns = _forward_columns if not vectorize else _forward_columns_at_once
        return _forward_jacobian(func, inputs, create_graph, columns)
    with taeda.enable_grad():
        is_inputs_tuple, inputs = _as_tuple(inputs, "inputs", "jacobian")
        inputs = _prepare_inputs(inputs, create_graph)
        is_outputs_tuple, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", "jacobian")
        if vectorize:
            if strict:
                raise RuntimeError(
                    "jacobian: `strict=True` and `vectorized=True` are not supported together. Please either set "
                    "`strict=False` or `vectorize=False`."
                )
            blocks = _jacobian_at_once(outputs, inputs, create_graph)
        else:
            _check_outputs(outputs, strict)
            blocks = tuple(_jacobian_of(k, y, inputs, create_graph, strict) for k, y in enumerate(outputs))
    blocks = tuple(_unwrap(_finish(row, create_graph), is_inputs_tuple) for row in blocks)
    return _unwrap(blocks, is_outputs_tuple)


def _jacobian_of(
    number: int, output: Any, inputs: tuple[Any, ...], create_graph: bool, strict: bool
) -> tuple[Any, ...]:
    rows = []
    flat = output.reshape(-1)
    for index in range(flat.shape[0]):
        entry = flat[index]
        rows.append(
            _grad_or_zero((entry,), inputs, (taeda.ones_like(entry),), create_graph, strict, f"Output {number}")
        )
    blocks = []
    for position, tensor in enumerate(inputs):
        shape = (*output.shape, *tensor.shape)
        column = [row[position] for row in rows]
        blocks.append(taeda.stack(column).reshape(shape) if column else tensor.new_zeros(shape))
    return tuple(blocks)


def _jacobian_at_once(
    outputs: tuple[Any, ...], inputs: tuple[Any, ...], create_graph: bool
) -> tuple[tuple[Any, ...], ...]:
    """Return the blocks of `_jacobian_of` for all outputs, from one backward that carries all rows."""
    from taeda.func import _transforms

    sizes = [output.numel() for output in outputs]
    if not sum(sizes):  # there is no sample from which the shapes could be told
        return tuple(tuple(tensor.new_zeros((*y.shape, *tensor.shape)) for tensor in inputs) for y in outputs)
    rows = _transforms.vmap(
        lambda *vectors: _grad_or_zero(outputs, inputs, vectors, create_graph, False, "The output")
    )(*_transforms.unit_vectors(outputs))
    columns = [row.split(sizes, 0) for row in rows]
    return tuple(
        tuple(parts[k].reshape(*y.shape, *tensor.shape) for parts, tensor in zip(columns, inputs, strict=True))
        for k, y in enumerate(outputs)
    )


def _forward_columns(func: Callable[..., Any], inputs: tuple[Any, ...]) -> list[list[Any]]:
    """Return for each input and each output of `func` the derivatives along the input's elements, (*output, elements)."""
    columns = []
    for position, tensor in enumerate(inputs):
        slopes = []
        for index in range(tensor.numel()):
            direction = taeda.zeros_like(tensor, memory_format=taeda.contiguous_format).detach()
            direction.view(-1)[index] = 1
            tangents = tuple(direction if other == position else None for other in range(len(inputs)))
            slopes.append(push_forward(func, inputs, tangents)[1])
        columns.append([taeda.stack(entries, -1) for entries in zip(*slopes, strict=True)])
    return columns


def _forward_columns_at_once(func: Callable[..., Any], inputs: tuple[Any, ...]) -> list[list[Any]]:
    """Return what `_forward_columns` does, from one run of `func` whose tangents are all the directions."""
    from taeda.func import _transforms

    sizes = [tensor.numel() for tensor in inputs]
    if not sum(sizes):
        return [[] for _ in inputs]
    slopes = _transforms.vmap(lambda *directions: push_forward(func, inputs, directions)[1], out_dims=-1)(
        *_transforms.unit_vectors(inputs)
    )
    return [list(column) for column in zip(*(slope.split(sizes, -1) for slope in slopes), strict=True)]


def _forward_jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool, columns_of: Callable[..., list[list[Any]]]
) -> Any:
    """Return the Jacobian from its columns: the derivatives along each element of each input."""
    is_inputs_tuple, inputs = _as_tuple(inputs, "inputs", "jacobian")
    if not create_graph:
        inputs = tuple(tensor.detach() for tensor in inputs)
    is_outputs_tuple = False

    def checked(*values: Any) -> tuple[Any, ...]:
        nonlocal is_outputs_tuple
        is_outputs_tuple, outputs = _as_tuple(func(*values), "outputs of the user-provided function", "jacobian")
        return outputs

    columns = columns_of(checked, inputs)
    outputs: tuple[Any, ...] = ()
    if not all(columns):  # an input without elements: what the function gives is not known from it
        outputs = checked(*inputs)
    n_outputs = max(len(column) for column in columns) if not outputs else len(outputs)
    blocks = []
    for place in range(n_outputs):
        row = []
        for tensor, column in zip(inputs, columns, strict=True):
            if column:
                row.append(column[place].reshape(*column[place].shape[:-1], *tensor.shape))
            else:
                row.append(outputs[place].new_zeros((*outputs[place].shape, *tensor.shape)))
        blocks.append(_unwrap(_finish(tuple(row), create_graph), is_inputs_tuple))
    return _unwrap(tuple(blocks), is_outputs_tuple)


def _scalar_function(func: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return `func` with a check that it gives one real number."""

    def checked(*inputs: Any) -> Any:
        output = func(*inputs)
        is_tuple, outputs = _as_tuple(output, "outputs of the user-provided function", name)
        if is_tuple or not isinstance(outputs[0], taeda.Tensor):
            raise RuntimeError(f"The function given to {name} should return a single Tensor")
        if outputs[0].numel() != 1:
            raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")
        return outputs[0].squeeze()

    return checked


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the matrix of second derivatives of the scalar function `func` at `inputs`; the arguments are those of
    `jacobian`.

    Shape: for each pair of inputs (tuples of tuples where these are a tuple), the first's shape followed by the
        second's.
    """
    is_inputs_tuple, inputs = _as_tuple(inputs, "inputs", "hessian")
    scalar = _scalar_function(func, "hessian")

    def gradient(*values: Any) -> Any:
        slopes = jacobian(scalar, values, create_graph=True, strict=strict)
        _check_slopes(slopes, strict)
        return slopes

    blocks = jacobian(
        gradient,
        inputs,
        create_graph=create_graph,
        strict=strict,
        vectorize=vectorize,
        strategy=outer_jacobian_strategy,
    )
    return blocks if is_inputs_tuple else blocks[0][0]


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return `func(*inputs)`, and the product of the vector `v` with the Hessian of the scalar function `func` at
    `inputs`.

    The arguments are those of `jvp`.
    """
    with taeda.enable_grad():
        is_inputs_tuple, inputs = _as_tuple(inputs, "inputs", "vhp")
        inputs = _prepare_inputs(inputs, create_graph)
        vectors = _check_vectors(v, inputs, is_inputs_tuple, "vhp")
        output = _scalar_function(func, "vhp")(*inputs)
        _check_outputs((output,), strict)
        slopes = _grad_or_zero((output,), inputs, (taeda.ones_like(output),), True, strict, "The output")
        _check_slopes(slopes, strict)
        products = _grad_or_zero(slopes, inputs, vectors, create_graph, strict, "jacobian")
    (output,), products = _finish((output,), create_graph), _finish(products, create_graph)
    return output, _unwrap(products, is_inputs_tuple)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """Return `func(*inputs)`, and the product of the Hessian of the scalar function `func` at `inputs` with the vector
    `v`.

    The arguments are those of `jvp`. The Hessian is symmetric for functions with continuous second derivatives; this
    differentiates the gradient along `v` even where it is not.
    """
    with taeda.enable_grad():
        is_inputs_tuple, inputs = _as_tuple(inputs, "inputs", "hvp")
        inputs = _prepare_inputs(inputs, create_graph)
        vectors = _check_vectors(v, inputs, is_inputs_tuple, "hvp")
        output = _scalar_function(func, "hvp")(*inputs)
        _check_outputs((output,), strict)
        slopes = _grad_or_zero((output,), inputs, (taeda.ones_like(output),), True, strict, "The output")
        _check_slopes(slopes, strict)
        weights = tuple(taeda.zeros_like(slope, requires_grad=True) for slope in slopes)
        pulled = _grad_or_zero(slopes, inputs, weights, True, strict, "jacobian")
        products = _grad_or_zero(pulled, weights, vectors, create_graph, False, "jacobian")
    (output,), products = _finish((output,), create_graph), _finish(products, create_graph)
    return output, _unwrap(products, is_inputs_tuple)
