"""The comparison behind `gradcheck`: recorded gradients against central differences.

Note [Real coordinates]: complex tensors are treated as pairs of real numbers. A gradient with respect to a complex `z =
x + iy` is `dL/dx + i dL/dy` for a real `L`; seeding a complex result with 1 makes `L` its real part, with `i` its
imaginary part. So every Jacobian here is a real matrix, with one row for each real coordinate of the input and one
column for each of the result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import taeda
from taeda.autograd._backward import grad
from taeda.autograd.forward_ad import push_forward
from taeda.autograd.gradcheck import GradcheckError

__all__ = ["GradcheckOptions", "backward_of", "run_gradcheck"]


@dataclass
class GradcheckOptions:
    """The numbers and switches of one check; see `taeda.autograd.gradcheck`."""

    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_undefined_grad: bool
    check_grad_dtypes: bool
    check_batched_grad: bool
    fast_mode: bool
    check_forward: bool = False
    check_forward_linear: bool = False
    check_backward: bool = True


def _is_differentiable(value: Any) -> bool:
    return isinstance(value, taeda.Tensor) and value.requires_grad


def _outputs_of(func: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    outputs = func(*inputs)
    return tuple(outputs) if isinstance(outputs, (tuple, list)) else (outputs,)


def _coordinates(tensor: Any) -> Any:
    """Return the real coordinates of `tensor` as a flat float64 NumPy array."""
    import numpy as np

    array = tensor.detach().resolve_conj().numpy() if tensor.is_complex() else tensor.detach().double().numpy()
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(flat.real.dtype).astype(np.float64) if np.iscomplexobj(flat) else flat.astype(np.float64)


def _coordinates_or_zero(gradient: Any, tensor: Any) -> Any:
    import numpy as np

    if gradient is None:
        return np.zeros(tensor.numel() * (2 if tensor.is_complex() else 1))
    return _coordinates(gradient)


def _check_inputs(inputs: tuple[Any, ...], options: GradcheckOptions) -> None:
    n_checked = 0
    for index, value in enumerate(inputs):
        if not _is_differentiable(value):
            continue
        n_checked += 1
        if value.dtype not in (taeda.float64, taeda.complex128):
            warnings.warn(
                f"Input #{index} requires gradient and is not a double precision floating point or complex. This "
                "check will likely "
                "fail if all the inputs are not of double precision floating point or complex.",
                stacklevel=4,
            )
        if any(step == 0 and length > 1 for step, length in zip(value.stride(), value.shape, strict=True)):
            raise RuntimeError(
                f"The {index}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to "
                "compute the numerical gradients correctly. You should call .contiguous on the input before passing "
                "it to gradcheck."
            )
        value.retain_grad()
    if not n_checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them have "
            "requires_grad=True."
        )


def _perturbations(tensor: Any) -> Iterator[Callable[[float], None]]:
    """Yield, for each real coordinate of `tensor`, a function that sets it to its value plus a step."""
    import numpy as np

    # Through NumPy's view of the same memory: writing does not count as a change that would void what was recorded.
    array = tensor.detach().numpy()
    parts = (array.real, array.imag) if np.iscomplexobj(array) else (array,)
    for index in np.ndindex(array.shape):
        for part in parts:
            original = part[index]

            def shift(step: float, part: Any = part, index: Any = index, original: Any = original) -> None:
                part[index] = original + step

            yield shift


def _values(func: Callable[..., Any], inputs: tuple[Any, ...], positions: list[int]) -> list[Any]:
    with taeda.no_grad():
        outputs = _outputs_of(func, inputs)
    # A copy: a function may return its input, which the next step changes.
    return [_coordinates(outputs[position]).copy() for position in positions]


def _numeric_jacobians(
    func: Callable[..., Any], inputs: tuple[Any, ...], positions: list[int], eps: float
) -> list[list[Any]]:
    """Return for each checked input, for each output, the Jacobian by central differences."""
    import numpy as np

    sizes = [len(value) for value in _values(func, inputs, positions)]
    jacobians = []
    for tensor in inputs:
        if not _is_differentiable(tensor):
            continue
        rows: list[list[Any]] = [[] for _ in positions]
        for shift in _perturbations(tensor):
            shift(eps)
            above = _values(func, inputs, positions)
            shift(-eps)
            below = _values(func, inputs, positions)
            shift(0.0)
            for row, high, low in zip(rows, above, below, strict=True):
                row.append((high - low) / (2 * eps))
        jacobians.append([np.array(row).reshape(len(row), size) for row, size in zip(rows, sizes, strict=True)])
    return jacobians


def _seeds(output: Any) -> Iterator[Any]:
    """Yield one gradient for each real coordinate of `output`."""
    for index in range(output.numel()):
        for value in (1, 1j) if output.is_complex() else (1,):
            seed = taeda.zeros_like(output, memory_format=taeda.contiguous_format).detach()
            seed.view(-1)[index] = value
            yield seed


def _pull(output: Any, tensors: list[Any], seed: Any) -> tuple[Any, ...]:
    return grad(output, tensors, seed, retain_graph=True, allow_unused=True)


def _recorded_jacobians(output: Any, tensors: list[Any]) -> list[Any]:
    """Return for each tensor the Jacobian of `output` that the recorded graph gives."""
    import numpy as np

    columns: list[list[Any]] = [[] for _ in tensors]
    for seed in _seeds(output):
        for column, gradient, tensor in zip(columns, _pull(output, tensors, seed), tensors, strict=True):
            column.append(_coordinates_or_zero(gradient, tensor))
    return [
        np.array(column).reshape(len(column), -1).T if column else np.zeros((len(_coordinates(tensor)), 0))
        for column, tensor in zip(columns, tensors, strict=True)
    ]


def _as_printed(array: Any) -> str:
    return str(taeda.as_tensor(array))


def _mismatch(numeric: Any, recorded: Any, output_index: int, input_index: int, note: str = "") -> GradcheckError:
    return GradcheckError(
        f"{note}Jacobian mismatch for output {output_index} with respect to input {input_index},\n"
        f"numerical:{_as_printed(numeric)}\nanalytical:{_as_printed(recorded)}\n"
    )


def _is_close(recorded: Any, numeric: Any, rtol: float, atol: float) -> bool:
    import numpy as np

    return bool(np.allclose(recorded, numeric, rtol=rtol, atol=atol, equal_nan=True))


def run_gradcheck(func: Callable[..., Any], inputs: Any, options: GradcheckOptions) -> None:
    """Raise `GradcheckError` unless the gradients that `func` records agree with its differences."""
    inputs = (inputs,) if isinstance(inputs, taeda.Tensor) else tuple(inputs)
    _check_inputs(inputs, options)
    outputs = _outputs_of(func, inputs)
    tensors = [value for value in inputs if _is_differentiable(value)]
    input_indices = [index for index, value in enumerate(inputs) if _is_differentiable(value)]
    positions = [index for index, output in enumerate(outputs) if _is_differentiable(output)]
    if not positions:
        _check_constant(func, inputs, outputs, input_indices, options)
        return
    if options.check_forward:
        compare_forward(func, inputs, input_indices, positions, options)
    if not options.check_backward:
        return
    compare = _compare_projections if options.fast_mode else _compare_jacobians
    compare(func, inputs, outputs, tensors, input_indices, positions, options)
    _check_gradient_types(outputs, tensors, positions, options)
    if options.check_undefined_grad:
        _check_undefined(outputs, tensors, positions)
    if options.check_batched_grad:
        _check_batched(outputs, tensors, positions, options)


def _check_constant(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    outputs: tuple[Any, ...],
    input_indices: list[int],
    options: GradcheckOptions,
) -> None:
    """A function that records nothing claims that its derivative is zero."""
    positions = [
        index
        for index, output in enumerate(outputs)
        if isinstance(output, taeda.Tensor) and (output.is_floating_point() or output.is_complex())
    ]
    for row in _numeric_jacobians(func, inputs, positions, options.eps):
        for jacobian in row:
            if not _is_close(jacobian, 0 * jacobian, options.rtol, options.atol):
                raise GradcheckError("Numerical gradient for function expected to be zero")


def _compare_jacobians(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    outputs: tuple[Any, ...],
    tensors: list[Any],
    input_indices: list[int],
    positions: list[int],
    options: GradcheckOptions,
) -> None:
    import numpy as np

    numeric = _numeric_jacobians(func, inputs, positions, options.eps)
    for column, position in enumerate(positions):
        recorded = _recorded_jacobians(outputs[position], tensors)
        again = _recorded_jacobians(outputs[position], tensors)
        for row, input_index in enumerate(input_indices):
            if not _is_close(recorded[row], numeric[row][column], options.rtol, options.atol):
                raise _mismatch(numeric[row][column], recorded[row], position, input_index)
            if not np.allclose(recorded[row], again[row], rtol=0, atol=options.nondet_tol, equal_nan=True):
                raise _not_reentrant(options)


# ---- forward mode


def _slopes_along(
    func: Callable[..., Any], inputs: tuple[Any, ...], index: int, tangent: Any, positions: list[int]
) -> list[Any]:
    """Return the coordinates of the outputs' tangents for a tangent of one input."""
    tangents = tuple(tangent if other == index else None for other in range(len(inputs)))
    with taeda.enable_grad():  # the function may go backward inside
        _, slopes = push_forward(lambda *values: _outputs_of(func, values), inputs, tangents)
    return [_coordinates(slopes[position]) for position in positions]


def _tangent_from(tensor: Any, coordinates: Any) -> Any:
    return _seed_from(tensor.detach(), coordinates)


def compare_forward(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    input_indices: list[int],
    positions: list[int],
    options: GradcheckOptions,
) -> None:
    """Compare forward mode with differences: the whole Jacobian, or in fast mode its product with one direction."""
    import numpy as np

    random = np.random.default_rng(0)
    numeric = None if options.fast_mode else _numeric_jacobians(func, inputs, positions, options.eps)
    for row, index in enumerate(input_indices):
        tensor = inputs[index]
        n = len(_coordinates(tensor))
        if numeric is None:
            directions = random.standard_normal((1, n)) / max(1.0, n) ** 0.5
            differences = [
                [slope]
                for slope in _directional_difference(func, inputs, tensor, directions[0], positions, options.eps)
            ]
        else:
            directions, differences = np.eye(n), numeric[row]
        found = [
            _slopes_along(func, inputs, index, _tangent_from(tensor, direction), positions) for direction in directions
        ]
        for column, position in enumerate(positions):
            for along, difference in zip(found, differences[column], strict=True):
                if not _is_close(along[column], difference, options.rtol, options.atol):
                    note = "While comparing forward mode with differences: "
                    raise _mismatch(difference, along[column], position, index, note)
        if options.check_forward_linear and n:
            _check_forward_linear(func, inputs, index, positions, options)


def _check_forward_linear(
    func: Callable[..., Any], inputs: tuple[Any, ...], index: int, positions: list[int], options: GradcheckOptions
) -> None:
    import numpy as np

    random = np.random.default_rng(1)
    n = len(_coordinates(inputs[index]))
    first, second = random.standard_normal((2, n))
    slopes = [
        _slopes_along(func, inputs, index, _tangent_from(inputs[index], direction), positions)
        for direction in (first, second, first - 2 * second)
    ]
    for a, b, both in zip(*slopes, strict=True):
        if not _is_close(both, a - 2 * b, options.rtol, options.atol):
            raise GradcheckError("gradcheck failed while testing batched forward mode: tangents do not add up")


def _not_reentrant(options: GradcheckOptions) -> GradcheckError:
    return GradcheckError(
        "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives "
        "different values, "
        "although analytical gradient matches numerical gradient. The tolerance for nondeterminism was "
        f"{options.nondet_tol}."
    )


def _compare_projections(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    outputs: tuple[Any, ...],
    tensors: list[Any],
    input_indices: list[int],
    positions: list[int],
    options: GradcheckOptions,
) -> None:
    """Compare `u^T J v` for random `u` and `v`: two evaluations for each input rather than two for each of its
    elements.
    """
    import numpy as np

    # A fixed seed of its own: the check is the same each time, and the program's random numbers stay as they were.
    random = np.random.default_rng(0)
    for row, input_index in enumerate(input_indices):
        tensor = tensors[row]
        direction = random.standard_normal(len(_coordinates(tensor)))
        direction /= max(float(np.linalg.norm(direction)), 1e-300)
        slopes = _directional_difference(func, inputs, tensor, direction, positions, options.eps)
        for position, slope in zip(positions, slopes, strict=True):
            weights = random.uniform(0.1, 1.0, len(slope))
            seed = _seed_from(outputs[position], weights)
            pulled, again = (
                _coordinates_or_zero(_pull(outputs[position], [tensor], seed)[0], tensor) for _ in range(2)
            )
            recorded = float(np.dot(direction, pulled))
            numeric = float(np.dot(slope, weights))
            # Each entry of the Jacobian may be off by atol; this is how far that can move the projection.
            atol = options.atol * max(1.0, float(np.abs(direction).sum() * np.abs(weights).sum()))
            if not _is_close(recorded, numeric, options.rtol, atol):
                note = "In fast mode, comparing one random projection of each Jacobian:\n"
                raise _mismatch(np.float64(numeric), np.float64(recorded), position, input_index, note)
            if not np.allclose(pulled, again, rtol=0, atol=options.nondet_tol, equal_nan=True):
                raise _not_reentrant(options)


def _directional_difference(
    func: Callable[..., Any], inputs: tuple[Any, ...], tensor: Any, direction: Any, positions: list[int], eps: float
) -> list[Any]:
    """Return the derivative of each output along `direction` in the coordinates of `tensor`."""
    import numpy as np

    array = tensor.detach().numpy()
    original = array.copy()
    step = direction.astype(np.float64)
    step = step.view(np.complex128) if np.iscomplexobj(array) else step
    step = step.reshape(array.shape)
    array[...] = original + eps * step
    above = _values(func, inputs, positions)
    array[...] = original - eps * step
    below = _values(func, inputs, positions)
    array[...] = original
    return [(high - low) / (2 * eps) for high, low in zip(above, below, strict=True)]


def _seed_from(output: Any, weights: Any) -> Any:
    """Return the gradient whose real coordinates are `weights`."""
    import numpy as np

    values = weights.view(np.complex128) if output.is_complex() else weights
    return taeda.from_numpy(np.ascontiguousarray(values)).to(output.dtype).reshape(output.shape)


def _check_gradient_types(
    outputs: tuple[Any, ...], tensors: list[Any], positions: list[int], options: GradcheckOptions
) -> None:
    """Check shapes and dtypes of gradients, and that a gradient of zeros comes back as zeros."""
    for position in positions:
        zeros = taeda.zeros_like(outputs[position]).detach()
        for gradient, tensor in zip(_pull(outputs[position], tensors, zeros), tensors, strict=True):
            if gradient is None:
                continue
            if gradient.shape != tensor.shape:
                raise GradcheckError(
                    f"grad is incorrect size: {tuple(gradient.shape)} instead of {tuple(tensor.shape)}"
                )
            if options.check_grad_dtypes and gradient.dtype != tensor.dtype:
                raise GradcheckError(f"Gradient has dtype mismatch: {gradient.dtype} for an input of {tensor.dtype}")
            if not _is_close(_coordinates(gradient), 0 * _coordinates(tensor), 0.0, 0.0):
                raise GradcheckError("backward not multiplied by grad_output")


def _check_undefined(outputs: tuple[Any, ...], tensors: list[Any], positions: list[int]) -> None:
    """Check that leaving the gradients of some results undefined is the same as giving zeros for them."""
    checked = [outputs[position] for position in positions]
    if len(checked) < 2:
        return
    for index, output in enumerate(checked):
        alone = _pull(output, tensors, taeda.ones_like(output).detach())
        seeds = [
            taeda.ones_like(o).detach() if k == index else taeda.zeros_like(o).detach() for k, o in enumerate(checked)
        ]
        together = grad(checked, tensors, seeds, retain_graph=True, allow_unused=True)
        for a, b, tensor in zip(alone, together, tensors, strict=True):
            if not _is_close(_coordinates_or_zero(a, tensor), _coordinates_or_zero(b, tensor), 1e-8, 1e-12):
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads: the gradients differ from those "
                    "with zeros in their place."
                )


def _check_batched(
    outputs: tuple[Any, ...], tensors: list[Any], positions: list[int], options: GradcheckOptions
) -> None:
    for position in positions:
        output = outputs[position]
        seeds = [taeda.ones_like(output).detach() * factor for factor in (1.0, -0.5)]
        batched = grad(output, tensors, taeda.stack(seeds), retain_graph=True, allow_unused=True, is_grads_batched=True)
        for index, seed in enumerate(seeds):
            for whole, single, tensor in zip(batched, _pull(output, tensors, seed), tensors, strict=True):
                entry = None if whole is None else whole[index]
                if not _is_close(
                    _coordinates_or_zero(entry, tensor),
                    _coordinates_or_zero(single, tensor),
                    options.rtol,
                    options.atol,
                ):
                    raise GradcheckError(
                        "gradcheck failed while testing batched gradient computation: they differ from single ones"
                    )


def backward_of(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any, is_spread: bool
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the first derivative of `func` as a function of its inputs and of the results' gradients, and arguments
    for it.
    """
    inputs = (inputs,) if isinstance(inputs, taeda.Tensor) else tuple(inputs)
    if grad_outputs is None:
        outputs = [output for output in _outputs_of(func, inputs) if _is_differentiable(output)]
        given = tuple(_random_gradient(output, is_spread) for output in outputs)
    else:
        given = (grad_outputs,) if isinstance(grad_outputs, taeda.Tensor) else tuple(grad_outputs)
    n_given = len(given)

    def first_derivative(*args: Any) -> tuple[Any, ...]:
        values, seeds = args[: len(args) - n_given], args[len(args) - n_given :]
        with taeda.enable_grad():
            # Differences are taken with recording off; the inner derivative needs it in any case.
            results = [output for output in _outputs_of(func, values) if _is_differentiable(output)]
            wanted = [value for value in values if _is_differentiable(value)]
            gradients = grad(results, wanted, seeds, create_graph=True, allow_unused=True)
        return tuple(gradient for gradient in gradients if gradient is not None)

    return first_derivative, (*inputs, *given)


def _random_gradient(output: Any, is_spread: bool) -> Any:
    from taeda.testing import make_tensor

    return make_tensor(
        tuple(output.shape),
        dtype=output.dtype,
        device=output.device,
        low=-1,
        high=1,
        requires_grad=True,
        noncontiguous=is_spread,
    )
