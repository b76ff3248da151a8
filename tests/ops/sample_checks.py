"""What is checked of an operation for one of its samples; each function raises where the operation does not hold to it.

The checks take the function to check, so that tests can also hand them a wrong one.
"""

from __future__ import annotations

import warnings

import numpy as np
import references

import taeda
from taeda.testing import assert_close, gradcheck, gradgradcheck, samples

# Results whose elements are not determined.
UNDEFINED = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"}
# Memory is part of what these do; other strides are another result, or none.
BY_LAYOUT = {"view", "view.dtype", "view_as", "view_as_complex", "_as_strided", "resize_", "resize_as_"}
TOLERANCES = {
    taeda.float16: (4e-3, 4e-3),
    taeda.bfloat16: (3e-2, 3e-2),
    taeda.float32: (2e-5, 2e-5),
    taeda.complex64: (2e-5, 2e-5),
    taeda.float64: (1e-9, 1e-9),
    taeda.complex128: (1e-9, 1e-9),
}


def results(value):
    """The tensors of a result, as a list."""
    if isinstance(value, taeda.Tensor):
        return [value]
    return [entry for entry in value if isinstance(entry, taeda.Tensor)] if isinstance(value, (tuple, list)) else []


def run(row, sample, function=None, **more):
    """The result of a sample. Writing operations get a copy of their tensor, random ones the same seed."""
    if samples.is_random(row):
        taeda.manual_seed(0)
    args = sample.args
    if row.name.endswith("_"):
        args = (args[0].clone(memory_format=taeda.preserve_format), *args[1:])
    return (function or samples.function_of(row))(*args, **sample.kwargs, **more)


def compare(row, got, expected, what, tolerance=None):
    """Equal numbers, shapes and dtypes of all tensors of two results."""
    got_tensors, expected_tensors = results(got), results(expected)
    assert len(got_tensors) == len(expected_tensors), f"{what}: another number of results"
    if not got_tensors:
        assert got == expected, what
    for mine, other in zip(got_tensors, expected_tensors):
        assert (mine.shape, mine.dtype) == (other.shape, other.dtype), what
        if row.key in UNDEFINED:
            continue
        rtol, atol = tolerance or TOLERANCES.get(mine.dtype, (0, 0))
        assert_close(mine, other, rtol=rtol, atol=atol, equal_nan=True, msg=lambda text: f"{what}: {text}")  # noqa: B023


def depends_on_layout(row):
    """Random numbers are drawn in the order of memory."""
    return row.key in BY_LAYOUT or samples.is_random(row)


def check_meta(row, sample, function=None):
    """Without data, the same shapes and dtypes; a mask's values are a shape, so that a mask without them is refused."""
    if any(x.dtype == taeda.bool for x in tensors_of(sample)) and row.name in ("_index", "index_put", "_index_put"):
        return
    shadow = run(row, sample.map(lambda x: x.to("meta")), function, **_on_meta(row))
    real = run(row, sample, function)
    assert len(results(shadow)) == len(results(real))
    for mine, other in zip(results(shadow), results(real)):
        assert mine.device.type == "meta", "the result left the meta device"
        assert (mine.shape, mine.dtype) == (other.shape, other.dtype), f"{mine.shape, mine.dtype} on meta"


def _on_meta(row):
    return {"device": "meta"} if row.factory and not _has_tensor(row) else {}


def _has_tensor(row):
    return any(argument.type in ("Tensor", "Operand") for argument in row.schema.arguments)


def check_layouts(row, sample, function=None):
    """The same elements in another order of memory: the same result. Stride 0 counts as another layout of its copy."""
    expected = run(row, sample, function)
    for name, layout in samples.LAYOUTS.items():
        compare(row, run(row, sample.map(layout), function), expected, f"{name} inputs")
    if row.module == "factorize":
        return  # equal rows are a singular matrix
    wide = sample.map(lambda x: samples.repeated(x) if x.is_floating_point() or x.is_complex() else x)
    if not row.name.endswith("_"):
        dense = wide.map(lambda x: x.clone(memory_format=taeda.contiguous_format))
        compare(row, run(row, wide, function), run(row, dense, function), "expanded inputs")


def check_forms(row, sample, function=None):
    """The method, ``out=`` and the in-place form give what the function gives."""
    expected = run(row, sample, function)
    if "Tensor" in row.where and isinstance(sample.args[0], taeda.Tensor):
        compare(row, run(row, sample, getattr(taeda.Tensor, row.name)), expected, "method")
    if row.out and "Tensor" != row.where[0]:
        _check_out(row, sample, expected, function)
    if row.inplace and "Tensor" in row.where:
        _check_inplace(row, sample, expected)


def _check_out(row, sample, expected, function):
    tensors = results(expected)
    for shapes in ([x.shape for x in tensors], [(0,)] * len(tensors)):
        out = [taeda.empty(shape, dtype=x.dtype) for shape, x in zip(shapes, tensors)]
        given = out[0] if isinstance(expected, taeda.Tensor) else tuple(out)
        got = run(row, sample, function, out=given)
        assert all(mine is other for mine, other in zip(results(got), out)), "out= is not what is returned"
        compare(row, got, expected, f"out= of shape {list(shapes[0])}")


def _check_inplace(row, sample, expected):
    first = sample.args[0]
    if not isinstance(first, taeda.Tensor) or row.view:
        return
    mine = first.clone()
    if (expected.shape, expected.dtype) != (first.shape, first.dtype):
        return
    got = run(row, samples.Sample((mine, *sample.args[1:]), sample.kwargs), getattr(taeda.Tensor, f"{row.name}_"))
    assert got is mine or row.inplace == "own"
    compare(row, mine, expected, "in place")


def of_tensors(row, sample, function=None):
    """The operation as a function of the inputs that have a gradient, and those inputs, for gradcheck."""
    wanted = samples.differentiable_inputs(row) if sample.differentiable is None else sample.differentiable
    bound = sample.bound(row)
    flat = []

    def take(value):
        if isinstance(value, taeda.Tensor) and (value.is_floating_point() or value.is_complex()):
            flat.append(value.detach().clone().requires_grad_())
            return _Slot(len(flat) - 1)
        return [take(entry) for entry in value] if isinstance(value, (list, tuple)) and name in wanted else value

    for name in bound:
        if name in wanted:
            bound[name] = take(bound[name])
    positional = len(sample.args)

    def apply(*tensors):
        values = [_fill(value, tensors) for value in bound.values()]
        names = list(bound)[positional:]
        arguments = samples.Sample(tuple(values[:positional]), dict(zip(names, values[positional:])))
        got = run(row, arguments, function)
        return tuple(x for x in results(got) if x.is_floating_point() or x.is_complex())

    return apply, tuple(flat)


class _Slot:
    """The place of a differentiable tensor among the arguments."""

    def __init__(self, index):
        self.index = index


def _fill(value, tensors):
    if isinstance(value, _Slot):
        return tensors[value.index]
    return [_fill(entry, tensors) for entry in value] if isinstance(value, list) else value


def check_gradient(row, sample, function=None, projected_beyond=40):
    """Against differences of the values. Beyond so many elements, along random directions instead of one by one."""
    apply, tensors = of_tensors(row, sample, function)
    if tensors:
        gradcheck(apply, tensors, fast_mode=sum(x.numel() for x in tensors) > projected_beyond)


def check_second_gradient(row, sample, function=None, projected_beyond=12):
    apply, tensors = of_tensors(row, sample, function)
    if tensors and any(x.requires_grad for x in apply(*tensors)):
        gradgradcheck(apply, tensors, fast_mode=sum(x.numel() for x in tensors) > projected_beyond)


def check_half(row, sample, function=None):
    """Half types give what float32 gives for the same numbers, rounded."""
    halves = (taeda.float16, taeda.bfloat16)
    wide = sample.map(lambda x: x.float() if x.dtype in halves else x)
    wide.args = tuple(taeda.float32 if isinstance(value, taeda.dtype) else value for value in wide.args)
    wide.kwargs = {name: taeda.float32 if value in halves else value for name, value in wide.kwargs.items()}
    for mine, other in zip(results(run(row, sample, function)), results(run(row, wide, function))):
        assert mine.shape == other.shape
        if row.key in UNDEFINED or samples.is_random(row):
            continue
        rtol, atol = TOLERANCES.get(mine.dtype, (0, 0))
        assert_close(mine.to(other.dtype), other, rtol=rtol, atol=atol, equal_nan=True)


def tensors_of(sample):
    found = []
    sample.map(lambda x: found.append(x) or x)
    return found


def check_values(row, sample, function=None):
    """What NumPy or SciPy says, for the samples that the reference takes."""
    got = run(row, sample, function)
    reference = references.of(row)
    arguments = {name: _array(value) for name, value in sample.bound(row).items()}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing
        expected = reference(**arguments)
    if expected is None:
        return
    expected = expected if isinstance(expected, (tuple, list)) else [expected]
    mine = results(got) or [got]
    assert len(mine) == len(expected)
    for x, y in zip(mine, expected):
        x, y = np.asarray(_array(x)), np.asarray(y)
        assert x.shape == y.shape, f"shape {x.shape}, not {y.shape}"
        rtol, atol = (1e-4, 1e-5) if x.dtype in (np.float32, np.complex64) else (1e-9, 1e-11)
        kind = np.result_type(x.dtype, y.dtype) if x.dtype != bool else bool
        np.testing.assert_allclose(x.astype(kind), y.astype(kind), rtol=rtol, atol=atol)


def _array(value):
    if isinstance(value, taeda.Tensor):
        return value.numpy()
    return [_array(entry) for entry in value] if isinstance(value, (list, tuple)) and value else value


def check_forward_mode(row, sample, function=None):
    """For a direction v and a seed u, u . (J v) by forward mode is (J^T u) . v by reverse mode."""
    from taeda.autograd import forward_ad

    apply, tensors = of_tensors(row, sample, function)
    if not tensors:
        return
    ways = [_spread_numbers(x, 1) for x in tensors]
    outputs = [x for x in apply(*tensors) if x.requires_grad]
    if not outputs:
        return
    seeds = [_spread_numbers(x, 2) for x in outputs]
    pulled = taeda.autograd.grad(outputs, tensors, seeds, allow_unused=True)
    expected = sum(_inner(p, way) for p, way in zip(pulled, ways) if p is not None)
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(x.detach(), way) for x, way in zip(tensors, ways)]
        tangents = [forward_ad.unpack_dual(x).tangent for x in apply(*duals)]
    tangents = [t for t, x in zip(tangents, apply(*tensors)) if x.requires_grad]
    found = sum(_inner(seed, t) for seed, t in zip(seeds, tangents) if t is not None)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def _spread_numbers(x, step):
    """Numbers that depend on the place only."""
    values = taeda.arange(x.numel(), dtype=taeda.float64).mul(0.37 * step).add(step).sin().reshape(x.shape)
    return values.to(x.dtype) if not x.is_complex() else taeda.complex(values, values.cos()).to(x.dtype)


def _inner(a, b):
    """The real inner product; complex numbers count as pairs."""
    return (a.conj() * b).sum().real.item() if a.is_complex() else (a * b).sum().item()


def check_vmap(row, sample, function=None):
    """Mapping over a new first or last dimension of the first tensor is a loop over its slices."""
    first = sample.args[0]
    if not isinstance(first, taeda.Tensor) or row.factory:
        return
    slices = [first, first.flip(tuple(range(first.dim()))).contiguous()]

    def apply(x):
        return (function or samples.function_of(row))(x, *sample.args[1:], **sample.kwargs)

    expected = [apply(x) for x in slices]
    for dim in (0,) if row.key in BY_LAYOUT else (0, -1):
        got = taeda.func.vmap(apply, in_dims=dim)(taeda.stack(slices, dim))
        for place, entry in enumerate(results(got)):
            compare(row, entry, taeda.stack([results(one)[place] for one in expected]), f"vmap over dim {dim}")
