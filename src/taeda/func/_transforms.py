"""Derivatives as functions of functions: `grad`, `vjp`, `jvp`, Jacobians, Hessians. They nest in one another and in `vmap`.

Note [Transforms on one tape]: reverse mode needs no levels. A transform differentiates with respect to fresh aliases of its inputs; where
an outer transform (or the program) also wants derivatives, the aliases are recorded as operations on the outer inputs and the backward pass
is recorded too. What comes back keeps its history exactly where that leads on to somebody else's leaf, see `_released`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import taeda
from taeda import _C
from taeda.autograd import forward_ad
from taeda.func import _batch
from taeda.func._vmap import vmap
from taeda.utils import _pytree as pytree

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "unit_vectors", "vjp"]

Argnums = int | tuple[int, ...]

_depth = 0  # how many derivative transforms are running


class _Transform:
    """While one of these is entered, gradients are recorded and inner transforms know that somebody outside may differentiate."""

    def __enter__(self) -> None:
        global _depth
        _depth += 1
        self._guard = taeda.enable_grad()
        self._guard.__enter__()

    def __exit__(self, *error: Any) -> None:
        global _depth
        _depth -= 1
        self._guard.__exit__(*error)


def _fresh(value: Any) -> Any:
    """An alias that is an input of its own: a leaf, or a recorded view of what is already differentiable."""
    if not isinstance(value, taeda.Tensor):
        return value
    if not (value.dtype.is_floating_point or value.dtype.is_complex):
        return value.view_as(value)
    alias = value.view_as(value)  # not detach(), which would also cut forward mode off
    return alias if value.requires_grad else alias.requires_grad_()


def _check_tensors(values: Any, what: str) -> list[Any]:
    leaves = pytree.tree_leaves(values)
    for leaf in leaves:
        if not isinstance(leaf, taeda.Tensor):
            raise ValueError(f"{what}: Expected all outputs to be Tensors, got {type(leaf)}")
    return leaves


def _somebody_else(outputs: list[Any], inputs: list[Any]) -> bool:
    """Whether the outputs' histories lead to a leaf that is not one of the inputs, or an input has a history itself."""
    return any(t.grad_fn is not None for t in inputs) or _C._reaches_other_leaf(outputs, inputs)


def _released(values: Any, inputs: list[Any]) -> Any:
    """Cut the results off this transform's own leaves where nobody else is at the end of their history."""
    leaves, spec = pytree.tree_flatten(values)
    tensors = [t for t in leaves if isinstance(t, taeda.Tensor) and t.requires_grad]
    if _depth > 0 or not tensors or _somebody_else(tensors, inputs):
        return values
    return pytree.tree_unflatten([_cut(t) if isinstance(t, taeda.Tensor) else t for t in leaves], spec)


def _cut(value: Any) -> Any:
    """The value without reverse-mode history; detach() would take its tangents too."""
    if not forward_ad._levels:
        return value.detach()
    with taeda.no_grad():
        return value.view_as(value)


def _gradients(
    outputs: list[Any], inputs: list[Any], cotangents: list[Any], create_graph: bool, keep: bool = False
) -> list[Any]:
    """Gradients of the outputs that have a history; zeros where an input plays no part."""
    pairs = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
    wanted = [t for t in inputs if isinstance(t, taeda.Tensor) and t.requires_grad]
    found: list[Any] = [None] * len(wanted)
    if pairs and wanted:
        found = list(
            taeda.autograd.grad(
                [y for y, _ in pairs],
                wanted,
                [g for _, g in pairs],
                create_graph=create_graph,
                retain_graph=create_graph or keep,
                allow_unused=True,
            )
        )
    by_input = {id(t): g for t, g in zip(wanted, found, strict=True)}
    return [taeda.zeros_like(t) if by_input.get(id(t)) is None else by_input[id(t)] for t in inputs]


def _select(args: tuple[Any, ...], argnums: Argnums, name: str) -> tuple[list[int], bool]:
    chosen = argnums if isinstance(argnums, tuple) else (argnums,)
    if not chosen:
        raise RuntimeError(f"{name}: argnums must not be empty: there is nothing to differentiate with respect to")
    places = []
    for number in chosen:
        if not isinstance(number, int) or not -len(args) <= number < len(args):
            raise RuntimeError(f"Got argnum={number}, but only {len(args)} positional inputs")
        places.append(number % len(args))
    if len(set(places)) != len(places):
        raise RuntimeError(f"{name}: argnums={argnums} names an argument twice")
    return places, isinstance(argnums, tuple)


def _with_fresh(args: tuple[Any, ...], places: list[int]) -> tuple[tuple[Any, ...], list[Any], Any]:
    """The arguments with fresh ones at ``places``; their leaves, and the structure of those."""
    chosen = pytree.tree_map(_fresh, tuple(args[k] for k in places))
    replaced = list(args)
    for k, value in zip(places, chosen, strict=True):
        replaced[k] = value
    leaves, spec = pytree.tree_flatten(chosen)
    return tuple(replaced), leaves, spec


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of ``func`` and its value.

    Args:
        func: returns a zero-dim tensor; with ``has_aux`` a pair of that and anything else.
        argnums: the argument, or the tuple of arguments, to differentiate with respect to. Default: the first.
        has_aux: also return what else ``func`` returns. Default: False.

    Returns:
        a function returning ``(gradient, value)``, or ``(gradient, (value, aux))``. Gradients have the structure of the arguments.

    Raises:
        RuntimeError: the value is no zero-dim tensor of a floating dtype.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        places, is_tuple = _select(args, argnums, "grad_and_value")
        with _Transform():
            replaced, inputs, spec = _with_fresh(args, places)
            output = func(*replaced, **kwargs)
            aux = None
            if has_aux:
                if not (isinstance(output, tuple) and len(output) == 2):
                    raise RuntimeError(
                        "grad_and_value(f)(*args): output of function f should be a tuple: (output, aux) if has_aux is True"
                    )
                output, aux = output
            if not isinstance(output, taeda.Tensor):
                raise RuntimeError(
                    f"grad_and_value(f)(*args): Expected f(*args) to return a tensor, got {type(output)}"
                )
            if output.ndim != 0:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got tensor with "
                    f"{output.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            create = _depth > 1 or bool(_batch.levels) or _somebody_else([output], _tensors(inputs))
            found = _gradients([output], inputs, [taeda.ones_like(output)], create)
        own = _tensors(inputs)
        grads = _released(pytree.tree_unflatten(found, spec), own)
        value, aux = _released(output, own), _released(aux, own)
        grads = grads if is_tuple else grads[0]
        return (grads, (value, aux)) if has_aux else (grads, value)

    return wrapped


def _tensors(values: list[Any]) -> list[Any]:
    return [t for t in values if isinstance(t, taeda.Tensor)]


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of ``func``; with ``has_aux`` the pair of that and ``func``'s second result.

    See `grad_and_value` for the arguments and errors.
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return wrapped


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return the value of ``func`` at ``primals`` and a function of cotangents that gives the vector-Jacobian products.

    Args:
        func: takes tensors (or nested structures of them) and returns tensors.
        primals: where it is evaluated.
        has_aux: ``func`` returns ``(output, aux)``; aux is returned too. Default: False.

    Returns:
        ``(output, vjp_fn)``, or ``(output, vjp_fn, aux)``. ``vjp_fn(cotangents)`` takes the structure of the output and returns a tuple
        with one product for each primal; it may be called again.

    Raises:
        RuntimeError: the cotangents' structure or shapes differ from the output's.
    """
    with _Transform():
        replaced, inputs, spec = _with_fresh(primals, list(range(len(primals))))
        output = func(*replaced)
        aux = None
        if has_aux:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise RuntimeError(
                    "vjp(f, *primals): output of function f should be a tuple: (output, aux) if has_aux is True"
                )
            output, aux = output
        flat, out_spec = pytree.tree_flatten(output)
        for item in flat:
            if not isinstance(item, taeda.Tensor):
                raise RuntimeError(
                    f"vjp(f, *primals): Expected f(*primals) to return only tensors, got unsupported type {type(item)}"
                )
    own = _tensors(inputs)

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given, given_spec = pytree.tree_flatten(cotangents)
        if given_spec != out_spec:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. cotangents: "
                f"{given_spec}, primal output: {out_spec}"
            )
        for g, y in zip(given, flat, strict=True):
            if tuple(g.shape) != tuple(y.shape):
                raise RuntimeError(
                    f"vjp: a cotangent has shape {tuple(g.shape)}, the output that it belongs to {tuple(y.shape)}"
                )
        with _Transform():
            create = create_graph
            if create is None:
                create = (
                    _depth > 1
                    or bool(_batch.levels)
                    or any(g.requires_grad for g in given)
                    or _somebody_else([y for y in flat if y.requires_grad], own)
                )
            found = _gradients(flat, inputs, given, create, keep=True)
        return _released(pytree.tree_unflatten(found, spec), own)

    result = _released(output, own)
    return (result, vjp_fn, _released(aux, own)) if has_aux else (result, vjp_fn)


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """Return the value of ``func`` and its derivative along ``tangents``, in one pass in forward mode.

    Args:
        func: takes tensors (or nested structures of them) and returns tensors.
        primals: a tuple of the arguments.
        tangents: a tuple of the same structure and shapes: the direction.
        strict: raise where an output does not depend on the inputs. Default: False (zeros).
        has_aux: ``func`` returns ``(output, aux)``; aux is returned too. Default: False.

    Returns:
        ``(output, derivative)``, or ``(output, derivative, aux)``.

    Raises:
        RuntimeError: primals and tangents differ in structure or shape.
    """
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, tuple) or not value:
            raise RuntimeError(f"jvp(f, primals, tangents): Expected {name} to be a non-empty tuple, got {type(value)}")
    points, spec = pytree.tree_flatten(primals)
    directions, direction_spec = pytree.tree_flatten(tangents)
    if spec != direction_spec:
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python structure. For example, if primals is a tuple "
            f"of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with structure {direction_spec}"
        )
    with forward_ad.dual_level() as level:
        duals = pytree.tree_unflatten(
            [forward_ad.make_dual(p, t, level=level) for p, t in zip(points, directions, strict=True)], spec
        )
        output = func(*duals)
        aux = None
        if has_aux:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise RuntimeError(
                    "jvp(f, primals, tangents): output of function f should be a tuple: (output, aux) if has_aux is True"
                )
            output, aux = output
            aux = pytree.tree_map_only(taeda.Tensor, lambda t: forward_ad.unpack_dual(t, level=level).primal, aux)
        flat, out_spec = pytree.tree_flatten(output)
        values, derivatives = [], []
        for item in flat:
            if not isinstance(item, taeda.Tensor):
                raise RuntimeError(
                    f"jvp(f, primals, tangents): Expected f to return only tensors, got unsupported type {type(item)}"
                )
            value, derivative = forward_ad.unpack_dual(item, level=level)
            if derivative is None:
                if strict:
                    raise RuntimeError(
                        "jvp(f, primals, tangents, strict=True): the output does not depend on the inputs"
                    )
                derivative = taeda.zeros_like(value)
            values.append(value)
            derivatives.append(derivative)
    result = (pytree.tree_unflatten(values, out_spec), pytree.tree_unflatten(derivatives, out_spec))
    return (*result, aux) if has_aux else result


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the value of ``func`` at ``primals`` and the linear function that approximates it there.

    The linear function takes tangents with the primals' structure and may be called many times; ``func`` is called once. It is the
    transpose of the vector-Jacobian product, so its graph is kept for as long as the function is.
    """
    with _Transform():
        replaced, inputs, spec = _with_fresh(primals, list(range(len(primals))))
        output = func(*replaced)
        flat, out_spec = pytree.tree_flatten(output)
        probes = [taeda.zeros_like(y).requires_grad_() for y in flat]
        products = _gradients(flat, inputs, probes, True)
    own = _tensors(inputs)

    def jvp_fn(*tangents: Any) -> Any:
        directions, direction_spec = pytree.tree_flatten(tangents)
        if direction_spec != spec:
            raise RuntimeError(f"linearize: the tangents have structure {direction_spec}, the primals {spec}")
        for t, p in zip(directions, inputs, strict=True):
            if tuple(t.shape) != tuple(p.shape) or t.dtype != p.dtype:
                raise RuntimeError(
                    f"linearize: a tangent has shape {tuple(t.shape)} and dtype {t.dtype}, its primal {tuple(p.shape)} and {p.dtype}"
                )
        with _Transform():
            create = _depth > 1 or bool(_batch.levels) or any(t.requires_grad for t in directions)
            found = _gradients(products, probes, directions, create, keep=True)
        return _released(pytree.tree_unflatten(found, out_spec), [*own, *probes])

    return _released(output, own), jvp_fn


# ---- Jacobians


def unit_vectors(tensors: Sequence[Any]) -> list[Any]:
    """For each tensor the unit vectors of all of them together, its own part: shape (total, *shape)."""
    total = sum(t.numel() for t in tensors)
    parts, start = [], 0
    for t in tensors:
        part = taeda.zeros([total, t.numel()], dtype=t.dtype, device=t.device)
        part[start : start + t.numel()].diagonal().fill_(1)
        parts.append(part.reshape([total, *t.shape]))
        start += t.numel()
    return parts


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of ``func`` by reverse mode: one row for each element of the output.

    Args:
        func: takes tensors and returns tensors (or nested structures of them).
        argnums: the argument, or tuple of arguments, to differentiate with respect to. Default: the first.
        has_aux: ``func`` returns ``(output, aux)``. Default: False.
        chunk_size: how many rows at a time; None: all.

    Returns:
        a function. Its result has the output's structure, with the argument's structure in each place, and tensors of shape
        ``(*output.shape, *argument.shape)``; with ``has_aux`` the pair of that and aux.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        places, is_tuple = _select(args, argnums, "jacrev")

        def of_chosen(*chosen: Any) -> Any:
            replaced = list(args)
            for k, value in zip(places, chosen, strict=True):
                replaced[k] = value
            return func(*replaced, **kwargs)

        output, vjp_fn, *rest = vjp(of_chosen, *(args[k] for k in places), has_aux=has_aux)
        flat, out_spec = pytree.tree_flatten(output)
        basis = unit_vectors(flat)
        rows = vmap(lambda *g: vjp_fn(pytree.tree_unflatten(list(g), out_spec)), chunk_size=chunk_size)(*basis)
        columns, in_spec = pytree.tree_flatten(rows)
        sizes = [t.numel() for t in flat]
        results = []
        for y, parts in zip(flat, zip(*(column.split(sizes, 0) for column in columns), strict=True), strict=True):
            shaped = [part.reshape([*y.shape, *part.shape[1:]]) for part in parts]
            made = pytree.tree_unflatten(shaped, in_spec)
            results.append(made if is_tuple else made[0])
        jacobian = pytree.tree_unflatten(results, out_spec)
        return (jacobian, rest[0]) if has_aux else jacobian

    return wrapped


def jacfwd(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of ``func`` by forward mode: one column for each element of the arguments.

    Arguments and result as `jacrev`; ``randomness`` as `vmap`.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        places, is_tuple = _select(args, argnums, "jacfwd")
        inputs, in_spec = pytree.tree_flatten(tuple(args[k] for k in places))
        aux: list[Any] = []

        def along(*directions: Any) -> Any:
            def of_chosen(*chosen: Any) -> Any:
                replaced = list(args)
                for k, value in zip(places, chosen, strict=True):
                    replaced[k] = value
                return func(*replaced, **kwargs)

            tangents = pytree.tree_unflatten(list(directions), in_spec)
            _, derivative, *rest = jvp(of_chosen, tuple(args[k] for k in places), tangents, has_aux=has_aux)
            aux[:] = rest
            return derivative

        columns = vmap(along, out_dims=-1, randomness=randomness)(*unit_vectors(inputs))
        flat, out_spec = pytree.tree_flatten(columns)
        sizes = [t.numel() for t in inputs]
        results = []
        for column in flat:
            shape = column.shape[:-1]
            shaped = [part.reshape([*shape, *t.shape]) for part, t in zip(column.split(sizes, -1), inputs, strict=True)]
            made = pytree.tree_unflatten(shaped, in_spec)
            results.append(made if is_tuple else made[0])
        jacobian = pytree.tree_unflatten(results, out_spec)
        if not has_aux:
            return jacobian
        return jacobian, pytree.tree_map_only(taeda.Tensor, _first_sample, aux[0])

    return wrapped


def _first_sample(value: Any) -> Any:
    """A value that came out of `vmap` by a side door: the same for all samples, so the first will do."""
    wrapper = _C._wrapper_of(value)
    while isinstance(wrapper, _batch.Batch) and wrapper.level not in _batch.levels:
        value = wrapper.value.select(wrapper.dim, 0)
        wrapper = _C._wrapper_of(value)
    return value


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that computes the matrix of second derivatives of ``func``: forward mode over reverse mode.

    Arguments as `jacrev`; for one argument the result has shape ``(*output.shape, *argument.shape, *argument.shape)``.
    """
    return jacfwd(jacrev(func, argnums), argnums)
