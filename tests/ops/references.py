"""What NumPy and SciPy say: for each operation, by key or name, a function of its arguments as arrays.

The functions take the arguments by the schema's names; `of(row)` finds one. A pointwise row without an entry is computed from
its expression by numpy_atoms, whose atoms are NumPy's and SciPy's functions.
"""

from __future__ import annotations

import ast
import functools

import numpy as np
from numpy_atoms import FUNCTIONS, evaluate
from scipy import signal, special

REFERENCES = {}


def reference(*keys):
    def register(function):
        for key in keys:
            assert key not in REFERENCES, key
            REFERENCES[key] = function
        return function

    return register


def of(row):
    """The reference of a row, as a function of its arguments by name; None where there is none."""
    found = REFERENCES[row.key] if row.key in REFERENCES else REFERENCES.get(row.name)
    if row.pointwise is None:
        return found
    if found is None:
        # Rows whose name is an atom with the same operand: the library's function itself.
        own = row.name in FUNCTIONS and len(row.schema.arguments) == 1
        found = (lambda input: FUNCTIONS[row.name](input)) if own else functools.partial(_by_expression, row)
    return functools.partial(_in_float, found) if row.pointwise.rule == "to_float" else found


def _in_float(function, **arguments):
    """NumPy would compute small integers and bool in float16."""
    return function(**{name: _widened(value) for name, value in arguments.items()})


def _widened(value):
    is_whole = isinstance(value, (np.ndarray, np.generic)) and not np.issubdtype(value.dtype, np.inexact)
    return value.astype(np.float64) if is_whole else value


def _by_expression(row, **arguments):
    definition = row.pointwise
    arrays = {name: np.asarray(value) for name, value in arguments.items() if not isinstance(value, str)}
    operands = [arrays[name] for name in definition.inputs if name not in definition.conditions]
    kind = np.result_type(*operands)
    if definition.rule == "to_float" and not np.issubdtype(kind, np.inexact):
        kind = np.dtype(np.float64)
    for name in definition.inputs:
        arrays[name] = arrays[name].astype(bool if name in definition.conditions else kind)
    for name in definition.attributes:
        default = row.schema.argument(name).default
        value = arguments.get(name, None if default is None else ast.literal_eval(default))
        arrays[name] = np.asarray(np.nan if value is None else value)
        if kind.kind in "iu" and not definition.expression.is_bool:
            arrays[name] = arrays[name].astype(kind)
    is_complex = np.issubdtype(kind, np.complexfloating)
    expression = definition.expression
    if is_complex and definition.complex_expression is not None:
        expression = definition.complex_expression
    found = evaluate(expression, arrays, dtype=kind.type)
    return np.broadcast_to(found, np.broadcast_shapes(*(arrays[name].shape for name in definition.inputs)))


# ---- arithmetic and comparison

for _name, _function in {
    "add": lambda input, other, alpha=1: input + alpha * other,
    "sub": lambda input, other, alpha=1: input - alpha * other,
    "rsub": lambda input, other, alpha=1: other - alpha * input,
    "mul": lambda input, other: np.multiply(input, other),
    "div": lambda input, other: np.true_divide(input, other),
    "floor_divide": lambda input, other: np.floor_divide(input, other),
    "remainder": lambda input, other: np.remainder(input, other),
    "fmod": lambda input, other: np.fmod(input, other),
    "pow": lambda input, exponent: np.power(input, exponent),
    "lerp": lambda input, end, weight: input + weight * (end - input),
    "addcmul": lambda input, tensor1, tensor2, value=1: input + value * tensor1 * tensor2,
    "addcdiv": lambda input, tensor1, tensor2, value=1: input + value * tensor1 / tensor2,
    "square": lambda input: np.square(input),
    "reciprocal": lambda input: 1 / np.asarray(input),
    "maximum": lambda input, other: np.maximum(input, other),
    "minimum": lambda input, other: np.minimum(input, other),
    "clamp": lambda input, min=None, max=None: np.clip(input, min, max),
    "clamp_min": lambda input, min: np.maximum(input, min),
    "clamp_max": lambda input, max: np.minimum(input, max),
    "where": lambda condition, input, other: np.where(condition, input, other),
    "masked_fill": lambda input, mask, value: np.where(mask, value, input),
    "bitwise_and": lambda input, other: np.bitwise_and(input, other),
    "bitwise_or": lambda input, other: np.bitwise_or(input, other),
    "bitwise_xor": lambda input, other: np.bitwise_xor(input, other),
    "bitwise_left_shift": lambda input, other: np.left_shift(input, other),
    "bitwise_right_shift": lambda input, other: np.right_shift(input, other),
    "gcd": lambda input, other: np.gcd(input, other),
    "lcm": lambda input, other: np.lcm(input, other),
    "logaddexp": lambda input, other: FUNCTIONS["logaddexp"](input, other),
    "hypot": lambda input, other: np.hypot(input, other),
    "atan2": lambda input, other: np.arctan2(input, other),
    "copysign": lambda input, other: np.copysign(input, other),
    "heaviside": lambda input, values: np.heaviside(input, values),
    "deg2rad": lambda input: np.deg2rad(input),
    "rad2deg": lambda input: np.rad2deg(input),
    "sinc": lambda input: np.sinc(input),
    "ndtr": lambda input: special.ndtr(input),
    "log_ndtr": lambda input: special.log_ndtr(input),
    "entr": lambda input: special.entr(input),
    "logit": lambda input, eps=None: special.logit(input if eps is None else np.clip(input, eps, 1 - eps)),
    "xlogy": lambda input, other: special.xlogy(input, other),
    "xlog1py": lambda input, other: special.xlog1py(input, other),
    "zeta": lambda input, other: special.zeta(input, other),
    "modified_bessel_i0": lambda input: special.i0(input),
    "modified_bessel_i1": lambda input: special.i1(input),
    "logical_not": lambda input: np.logical_not(input),
    "isposinf": lambda input: np.isposinf(input),
    "isneginf": lambda input: np.isneginf(input),
}.items():
    REFERENCES[_name] = _function
REFERENCES["bitwise_not"] = lambda input: np.invert(input)
REFERENCES["round.decimals"] = lambda input, decimals: np.round(input, decimals)
REFERENCES["sign"] = REFERENCES["sgn"] = lambda input: (
    input
    if input.dtype == bool
    else input / np.maximum(np.abs(input), 1e-300)
    if np.iscomplexobj(input)
    else np.sign(input)
)


@reference("div.tensor_mode", "div.scalar_mode")
def _div(input, other, rounding_mode):
    quotient = np.true_divide(np.asarray(input, np.result_type(input, np.float64)), other)
    return {None: lambda q: q, "floor": np.floor, "trunc": np.trunc}[rounding_mode](quotient)


# ---- reductions

_AXIS = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "nansum": np.nansum, "nanmean": np.nanmean, "any": np.any}
_AXIS |= {"all": np.all, "amax": np.max, "amin": np.min}


def _axes(dim):
    return tuple(dim) if isinstance(dim, (list, tuple)) else dim


for _name, _function in _AXIS.items():
    REFERENCES[_name] = lambda input, dim=None, keepdim=False, dtype=None, f=_function: f(
        input, axis=_axes(dim), keepdims=keepdim
    )
for _name, _function in {"var": np.var, "std": np.std}.items():
    REFERENCES[_name] = lambda input, dim=None, correction=1, keepdim=False, f=_function: f(
        input, axis=_axes(dim), ddof=correction, keepdims=keepdim
    )
    REFERENCES[f"{_name}.unbiased"] = lambda input, unbiased, f=_function: f(input, ddof=int(unbiased))
    REFERENCES[f"{_name}.dim"] = lambda input, dim, unbiased, keepdim=False, f=_function: f(
        input, axis=_axes(dim), ddof=int(unbiased), keepdims=keepdim
    )
    REFERENCES[f"{_name}_mean.unbiased"] = REFERENCES[f"{_name}_mean.dim"] = (
        lambda input, unbiased, dim=None, keepdim=False, f=_function: (
            f(input, axis=_axes(dim), ddof=int(unbiased), keepdims=keepdim),
            np.mean(input, axis=_axes(dim), keepdims=keepdim),
        )
    )
    REFERENCES[f"{_name}_mean"] = lambda input, dim=None, correction=1, keepdim=False, f=_function: (
        f(input, axis=_axes(dim), ddof=correction, keepdims=keepdim),
        np.mean(input, axis=_axes(dim), keepdims=keepdim),
    )
for _name, _function in {"argmax": np.argmax, "argmin": np.argmin}.items():
    REFERENCES[_name] = lambda input, dim=None, keepdim=False, f=_function: f(input, axis=dim, keepdims=keepdim)
for _name, _function, _place in (("max", np.max, np.argmax), ("min", np.min, np.argmin)):
    REFERENCES[_name] = lambda input, f=_function: f(input)
    REFERENCES[f"{_name}.other"] = lambda input, other, f=_function: f(np.broadcast_arrays(input, other), axis=0)
    REFERENCES[f"{_name}.dim"] = lambda input, dim, keepdim=False, f=_function, at=_place: (
        (f(input, axis=dim, keepdims=keepdim), at(input, axis=dim, keepdims=keepdim)) if np.ndim(input) else (input, 0)
    )


@reference("aminmax")
def _aminmax(input, dim=None, keepdim=False):
    return np.min(input, axis=dim, keepdims=keepdim), np.max(input, axis=dim, keepdims=keepdim)


@reference("count_nonzero")
def _count_nonzero(input, dim=None):
    return np.count_nonzero(input, axis=_axes(dim))


@reference("logsumexp")
def _logsumexp(input, dim, keepdim=False):
    with np.errstate(divide="ignore"):
        return np.log(np.sum(np.exp(_widened(input)), axis=_axes(dim), keepdims=keepdim))


@reference("vector_norm")
def _vector_norm(input, ord=2, dim=None, keepdim=False, dtype=None):
    sizes = np.abs(input)
    axes = _axes(dim)
    if ord in (np.inf, -np.inf):
        return (np.max if ord > 0 else np.min)(sizes, axis=axes, keepdims=keepdim)
    if ord == 0:
        return np.sum(sizes != 0, axis=axes, keepdims=keepdim).astype(sizes.dtype)
    return np.sum(sizes**ord, axis=axes, keepdims=keepdim) ** (1 / ord)


@reference("softmax")
def _softmax(input, dim, dtype=None):
    return special.softmax(_widened(input), axis=dim) if input.ndim and input.size else np.ones_like(input)


@reference("log_softmax")
def _log_softmax(input, dim, dtype=None):
    return special.log_softmax(_widened(input), axis=dim) if input.ndim and input.size else np.zeros_like(input)


REFERENCES["trace"] = lambda input: np.trace(input)


@reference("sum_to_size")
def _sum_to_size(input, size):
    lead = input.ndim - len(size)
    found = input.sum(axis=tuple(range(lead)))
    axes = tuple(k for k, n in enumerate(size) if n == 1 and found.shape[k] != 1)
    return found.sum(axis=axes, keepdims=True)


# ---- scans and sorting


def _along(function):
    return lambda input, dim, dtype=None: function(input, axis=dim) if input.ndim else input


for _name, _function in {
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "logcumsumexp": lambda x, axis: np.log(np.cumsum(np.exp(x), axis=axis)),
}.items():
    REFERENCES[_name] = _along(_function)


@reference("sort")
def _sort(input, dim=-1, descending=False, stable=False):
    if not input.ndim:
        return input, 0
    keys = input.astype(np.int8) if input.dtype == bool else input
    order = np.argsort(-keys if descending else keys, axis=dim, kind="stable")
    return np.take_along_axis(input, order, axis=dim), order


REFERENCES["argsort"] = lambda **arguments: _sort(**arguments)[1]


@reference("topk")
def _topk(input, k, dim=-1, largest=True, sorted=True):
    if not input.ndim:
        return input, 0
    values, order = _sort(input, dim, largest)
    return np.take(values, range(k), axis=dim), np.take(order, range(k), axis=dim)


@reference("kthvalue")
def _kthvalue(input, k, dim=-1, keepdim=False):
    if not input.ndim:
        return input, 0
    values, order = _sort(input, dim)
    place = [k - 1] if keepdim else k - 1
    return np.take(values, place, axis=dim), np.take(order, place, axis=dim)


@reference("median.dim", "nanmedian.dim")
def _median(input, dim=-1, keepdim=False):
    return _kthvalue(input, (input.shape[dim] + 1) // 2 if input.ndim else 1, dim, keepdim)


REFERENCES["median"] = REFERENCES["nanmedian"] = lambda input: np.sort(input, axis=None)[(input.size - 1) // 2]


@reference("searchsorted")
def _searchsorted(sorted_sequence, input, out_int32=False, right=False, side=None, sorter=None):
    side = side or ("right" if right else "left")
    if sorted_sequence.ndim == 1:
        return np.searchsorted(sorted_sequence, input, side=side, sorter=sorter)
    return np.stack([np.searchsorted(row, values, side=side) for row, values in zip(sorted_sequence, input)])


@reference("bucketize")
def _bucketize(input, boundaries, out_int32=False, right=False):
    return np.searchsorted(boundaries, input, side="right" if right else "left")


REFERENCES["equal"] = lambda input, other: np.array_equal(input, other)
REFERENCES["bincount"] = lambda input, weights=None, minlength=0: (
    None if np.iscomplexobj(weights) else np.bincount(input, weights, minlength)
)
REFERENCES["_isin"] = lambda elements, test_elements, invert: np.isin(elements, test_elements, invert=invert)


@reference("histc")
def _histc(input, bins=100, min=0, max=0):
    return np.histogram(input, bins, (min, max) if min != max or not input.size else None)[0]


# ---- products

for _name in ("mm", "bmm", "matmul"):
    REFERENCES[_name] = lambda input, other=None, mat2=None: np.matmul(input, other if mat2 is None else mat2)
REFERENCES["mv"] = lambda input, vec: input @ vec
REFERENCES["dot"] = lambda input, tensor: np.dot(input, tensor)
REFERENCES["_cross"] = lambda input, other, dim: np.cross(input, other, axis=dim)
REFERENCES["vdot"] = lambda input, other: np.vdot(input, other)
REFERENCES["linear"] = lambda input, weight, bias=0: input @ weight.T + bias
REFERENCES["addmm"] = lambda input, mat1, mat2, beta=1, alpha=1: beta * input + alpha * (mat1 @ mat2)
REFERENCES["addmv"] = lambda input, mat, vec, beta=1, alpha=1: beta * input + alpha * (mat @ vec)
REFERENCES["baddbmm"] = lambda input, batch1, batch2, beta=1, alpha=1: beta * input + alpha * (batch1 @ batch2)
REFERENCES["addbmm"] = lambda input, batch1, batch2, beta=1, alpha=1: beta * input + alpha * (batch1 @ batch2).sum(0)


# ---- convolutions and pooling


def _several(value, n):
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * n


def _conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    n = weight.ndim - 2
    batch = input if input.ndim == n + 2 else input[None]
    step, spread = _several(stride, n), _several(dilation, n)
    reach = [d * (k - 1) for d, k in zip(spread, weight.shape[2:])]
    same = [(r // 2, r - r // 2) for r in reach]
    around = same if padding == "same" else [(p, p) for p in _several(0 if padding == "valid" else padding, n)]
    batch = np.pad(batch, [(0, 0), (0, 0), *around])
    wide = np.zeros((*weight.shape[:2], *(r + 1 for r in reach)), weight.dtype)
    wide[(..., *(slice(None, None, d) for d in spread))] = weight
    per_group = weight.shape[0] // groups
    out = []
    for image in batch:
        parts = np.split(image, groups)
        planes = [
            sum(
                signal.correlate(parts[o // per_group][c], wide[o, c].conj(), mode="valid")
                for c in range(wide.shape[1])
            )
            for o in range(wide.shape[0])
        ]
        out.append(np.stack(planes)[(slice(None), *(slice(None, None, s) for s in step))])
    shape = [(i - r - 1) // s + 1 for i, r, s in zip(batch.shape[2:], reach, step)]
    found = np.stack(out) if out else np.zeros((0, weight.shape[0], *shape), input.dtype)
    if bias is not None:
        found = found + bias.reshape(-1, *(1,) * n)
    return found if input.ndim == n + 2 else found[0]


for _n in (1, 2, 3):
    REFERENCES[f"conv{_n}d"] = _conv


@reference("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _avg_pool(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, **more):
    if ceil_mode or not count_include_pad or more.get("divisor_override") or input.dtype.kind == "i":
        return None  # those have tests of their own, with figures written out
    n = input.ndim - 1 if input.ndim < 3 else input.ndim - 2
    n = {2: 1, 3: 1}.get(input.ndim, n)
    return None if padding else _windows(input, _several(kernel_size, 1)[0], n)


def _windows(input, size, n):
    """The means of blocks that do not overlap."""
    for axis in range(input.ndim - n, input.ndim):
        input = np.stack(np.split(input, input.shape[axis] // size, axis=axis), axis=axis)
        input = input.mean(axis=axis + 1)
    return input


# ---- indices

REFERENCES["gather"] = lambda input, dim, index: np.take_along_axis(input, index, dim) if input.ndim else input
REFERENCES["index_select"] = lambda input, dim, index: (
    np.take(input, np.atleast_1d(index), axis=dim) if input.ndim else input
)
REFERENCES["take"] = lambda input, index: np.take(input, index)
REFERENCES["masked_select"] = lambda input, mask: np.broadcast_arrays(input, mask)[0][
    np.broadcast_arrays(input, mask)[1]
]
REFERENCES["where.nonzero"] = lambda condition: np.nonzero(np.atleast_1d(condition)) if condition.ndim else None


def _writes(change):
    """An operation that changes a copy of its input."""

    def run(input, **arguments):
        found = np.array(input)
        change(found, **arguments)
        return found

    return run


def _put(found, index, source, accumulate=False):
    (np.add.at if accumulate else lambda a, i, v: a.__setitem__(i, v))(found.reshape(-1), index, source)


def _places(index, dim):
    at = list(np.indices(index.shape))
    at[dim] = index
    return tuple(at)


_SCATTER = {None: lambda a, i, v: a.__setitem__(i, v), "add": np.add.at, "sum": np.add.at, "multiply": np.multiply.at}
_SCATTER |= {"prod": np.multiply.at, "amax": np.maximum.at, "amin": np.minimum.at}


def _scatter(found, dim, index, src=None, value=None, reduce=None):
    source = value if src is None else src
    if not found.ndim:
        found, index = found.reshape(1), index.reshape(1)
        source = np.reshape(source, -1)
    if np.ndim(source) == index.ndim and index.ndim:
        source = source[tuple(slice(n) for n in index.shape)]
    _SCATTER[reduce](found, _places(index, dim), source)


REFERENCES["put"] = _writes(_put)
REFERENCES["scatter"] = _writes(_scatter)
REFERENCES["scatter_add"] = _writes(functools.partial(_scatter, reduce="add"))


@reference("scatter_reduce")
def _scatter_reduce(input, dim, index, src, reduce, include_self=True):
    if reduce == "mean" or not include_self:
        return None
    found = np.array(input)
    _scatter(found, dim, index, src, reduce=reduce)
    return found


@reference("index_put")
def _index_put(input, indices, values, accumulate=False):
    found = np.array(input)
    (np.add.at if accumulate else lambda a, i, v: a.__setitem__(i, v))(found, tuple(indices), values)
    return found


def _moved(function):
    """A change of whole slices, which are brought to the front first."""

    def run(input, dim, index, **arguments):
        found = np.array(np.atleast_1d(input))
        slices = np.moveaxis(found, dim, 0)
        arguments = {
            name: np.moveaxis(value, dim, 0) if np.ndim(value) == found.ndim else value
            for name, value in arguments.items()
        }
        function(slices, np.atleast_1d(index), **arguments)
        return found.reshape(np.shape(input))

    return run


REFERENCES["index_add"] = _moved(lambda x, index, source, alpha=1: np.add.at(x, index, alpha * source))
REFERENCES["index_copy"] = _moved(lambda x, index, source: x.__setitem__(index, source))
REFERENCES["index_fill"] = _moved(lambda x, index, value: x.__setitem__(index, value))


@reference("masked_scatter")
def _masked_scatter(input, mask, source):
    found = np.array(input)
    flags = np.broadcast_to(mask, found.shape)
    found[flags] = source.reshape(-1)[: flags.sum()]
    return found


# ---- joining, views, creation

for _name in ("cat", "concat", "concatenate"):
    REFERENCES[_name] = lambda tensors, dim=0: np.concatenate(
        [x for x in tensors if x.shape != (0,)] or tensors, axis=dim
    )
REFERENCES["stack"] = lambda tensors, dim=0: np.stack(tensors, axis=dim)
for _name in ("view", "reshape"):
    REFERENCES[_name] = lambda input, size=None, shape=None: input.reshape(shape if size is None else size)
for _name in ("view_as", "reshape_as"):
    REFERENCES[_name] = lambda input, other: input.reshape(other.shape)
REFERENCES["ravel"] = lambda input: input.reshape(-1)
REFERENCES["permute"] = lambda input, dims: np.transpose(input, dims)
for _name in ("transpose", "swapaxes", "swapdims"):
    REFERENCES[_name] = lambda input, **dims: np.swapaxes(input, *dims.values()) if input.ndim else input
REFERENCES["t"] = lambda input: input.T
for _name in ("movedim", "moveaxis"):
    REFERENCES[_name] = lambda input, source, destination: np.moveaxis(input, source, destination)
REFERENCES["broadcast_to"] = lambda input, size: np.broadcast_to(input, size)
REFERENCES["expand_as"] = lambda input, other: np.broadcast_to(input, other.shape)
REFERENCES["unsqueeze"] = lambda input, dim: np.expand_dims(input, dim)
REFERENCES["squeeze.dim"] = REFERENCES["squeeze.dims"] = lambda input, dim: np.squeeze(
    input, tuple(k for k in np.atleast_1d(dim) % input.ndim if input.shape[k] == 1)
)
REFERENCES["view.dtype"] = None  # read from the bits: tests of its own
REFERENCES["squeeze"] = lambda input: np.squeeze(input)
REFERENCES["select"] = lambda input, dim, index: np.take(input, index, axis=dim)
REFERENCES["narrow"] = lambda input, dim, start, length: np.take(
    input, range(start % (input.shape[dim] + 1) if start >= 0 else start, start + length), axis=dim
)
REFERENCES["diagonal"] = lambda input, offset=0, dim1=0, dim2=1: np.diagonal(input, offset, dim1, dim2)
REFERENCES["unbind"] = lambda input, dim=0: [np.take(input, k, axis=dim) for k in range(input.shape[dim])]
REFERENCES["split_with_sizes"] = REFERENCES["split.sizes"] = lambda input, dim=0, split_sizes=None, split_size=None: (
    np.split(input, np.cumsum(split_sizes or split_size)[:-1], axis=dim)
)
for _name in ("contiguous", "alias", "detach", "clone"):
    REFERENCES[_name] = lambda input, memory_format=None: input
REFERENCES["real"] = lambda input: np.real(input)
REFERENCES["imag"] = lambda input: np.imag(input)
REFERENCES["view_as_complex"] = lambda input: input[..., 0] + 1j * input[..., 1]
REFERENCES["view_as_real"] = lambda input: np.stack([np.real(input), np.imag(input)], axis=-1)


def _unless_whole(dtype, values):
    """Integers are cut in a way of the library's own."""
    return values if dtype is None or dtype.is_floating_point or dtype.is_complex else None


REFERENCES["zeros"] = lambda size, dtype=None: np.zeros(size)
REFERENCES["ones"] = lambda size, dtype=None: np.ones(size)
REFERENCES["full"] = lambda size, fill_value, dtype=None: np.full(size, fill_value)
REFERENCES["full_like"] = lambda input, fill_value: np.full_like(input, fill_value)
REFERENCES["zeros_like"] = lambda input, memory_format=None: np.zeros_like(input)
REFERENCES["ones_like"] = lambda input, memory_format=None: np.ones_like(input)
REFERENCES["arange"] = lambda end, dtype=None: np.arange(end)
REFERENCES["arange.start"] = lambda start, end, step=1, dtype=None: np.arange(start, end, step)
REFERENCES["linspace"] = lambda start, end, steps, dtype=None: _unless_whole(dtype, np.linspace(start, end, steps))
REFERENCES["logspace"] = lambda start, end, steps, base=10.0, dtype=None: _unless_whole(
    dtype, np.logspace(start, end, steps, base=base)
)
REFERENCES["eye"] = lambda n, m=None, dtype=None: np.eye(n, m)
REFERENCES["tril_indices"] = lambda row, col, offset=0: np.stack(np.tril_indices(row, offset, col))
REFERENCES["triu_indices"] = lambda row, col, offset=0: np.stack(np.triu_indices(row, offset, col))
REFERENCES["tril"] = lambda input, diagonal=0: np.tril(input, diagonal)
REFERENCES["triu"] = lambda input, diagonal=0: np.triu(input, diagonal)
REFERENCES["flip"] = lambda input, dims: np.flip(input, dims)
REFERENCES["fliplr"] = lambda input: np.fliplr(input)
REFERENCES["flipud"] = lambda input: np.flipud(input)
REFERENCES["roll"] = lambda input, shifts, dims=None: np.roll(input, shifts, axis=_axes(dims))
REFERENCES["rot90"] = lambda input, k=1, dims=(0, 1): np.rot90(input, k, dims)


# ---- normalisations


@reference("layer_norm")
def _layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    axes = tuple(range(-len(normalized_shape), 0))
    found = (input - input.mean(axes, keepdims=True)) / np.sqrt(input.var(axes, keepdims=True) + eps)
    return found * (1 if weight is None else weight) + (0 if bias is None else bias)


@reference("rms_norm")
def _rms_norm(input, normalized_shape, weight=1, eps=2.0**-52):
    axes = tuple(range(-len(normalized_shape), 0))
    return input / np.sqrt(np.mean(input**2, axes, keepdims=True) + eps) * weight


@reference("group_norm")
def _group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    groups = input.reshape(len(input), num_groups, -1)
    found = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(groups.var(-1, keepdims=True) + eps)
    shape = (-1, *(1,) * (input.ndim - 2))
    found = found.reshape(input.shape)
    return found if weight is None else found * weight.reshape(shape) + bias.reshape(shape)
