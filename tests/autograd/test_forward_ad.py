"""Forward mode: against reverse mode for every operation, against derivatives by hand, nested, with writes and views."""

import pytest

import taeda
from taeda.autograd import forward_ad as fwd
from taeda.autograd import grad, gradcheck, gradgradcheck
from taeda.ops.capabilities import all_rows, jvp_rule
from taeda.testing import assert_close, samples

ROWS = {
    key: row
    for key, row in sorted(all_rows().items())
    if jvp_rule(row) and samples.has_samples(row) and not samples.is_random(row) and not row.name.endswith("_")
}


def vector(*values):
    return taeda.tensor(values, dtype=taeda.float64)


def tangent(tensor, level=None):
    return fwd.unpack_dual(tensor, level=level).tangent


def inner(pairs):
    """The real inner product of two lists of tensors; None counts as zeros."""
    total = 0.0
    for a, b in pairs:
        if a is not None and b is not None:
            total += (a.conj() * b).real.sum().item()
    return total


def split(row, sample):
    """The operation as a function of the tensors that have a gradient, and these tensors."""
    wanted = samples.differentiable_inputs(row) if sample.differentiable is None else sample.differentiable
    bound = sample.bound(row)
    places = [
        (name, index)
        for name in wanted
        if name in bound
        for index, value in enumerate(bound[name] if isinstance(bound[name], (list, tuple)) else [bound[name]])
        if isinstance(value, taeda.Tensor) and (value.is_floating_point() or value.is_complex())
    ]
    tensors = [bound[name][index] if isinstance(bound[name], (list, tuple)) else bound[name] for name, index in places]

    def apply(values):
        given = {name: list(value) if isinstance(value, (list, tuple)) else value for name, value in bound.items()}
        for (name, index), value in zip(places, values, strict=True):
            if isinstance(bound[name], (list, tuple)):
                given[name][index] = value
            else:
                given[name] = value
        names = list(given)
        n = len(sample.args)
        positional, named = [given[name] for name in names[:n]], {name: given[name] for name in names[n:]}
        result = samples.function_of(row)(*positional, **named)
        results = result if isinstance(result, (list, tuple)) else [result]
        return [r for r in results if isinstance(r, taeda.Tensor) and (r.is_floating_point() or r.is_complex())]

    return apply, tensors


def check_not_differentiable_twice(outputs, leaves, seeds):
    """Forward mode goes by the gradient's own derivative: only where that is missing may it be missing too."""
    vectors = [seed.clone().requires_grad_() for seed in seeds.values()]
    slopes = grad(outputs, leaves, vectors, create_graph=True, allow_unused=True)
    with pytest.raises(NotImplementedError):
        grad([s.real.sum() for s in slopes if s is not None], vectors, allow_unused=True)


def check_adjoint(row, sample):
    """<u, J t> = <J^T u, t> for random u and t, so that forward mode is what reverse mode says."""
    apply, tensors = split(row, sample)
    if not tensors:
        return
    taeda.manual_seed(1)
    leaves = [t.detach().clone().requires_grad_() for t in tensors]
    outputs = apply(leaves)
    recorded = [k for k, output in enumerate(outputs) if output.requires_grad]
    seeds = {k: taeda.randn_like(outputs[k]) for k in recorded}
    directions = [taeda.randn_like(t) for t in tensors]
    if not recorded or any(outputs[k].isnan().any() for k in recorded):  # means of nothing
        return
    kept = [outputs[k] for k in recorded]
    pulled = grad(kept, leaves, list(seeds.values()), allow_unused=True, retain_graph=True)
    with fwd.dual_level():
        duals = [fwd.make_dual(t, d) for t, d in zip(tensors, directions, strict=True)]
        try:
            along = [tangent(output) for output in apply(duals)]
        except NotImplementedError:
            check_not_differentiable_twice(kept, leaves, seeds)
            return
    for k in recorded:
        assert along[k] is not None, "a result that has a gradient has no tangent"
        assert along[k].shape == outputs[k].shape and along[k].dtype == outputs[k].dtype
        assert not along[k].requires_grad, "nothing here requires grad, but the tangent does"
    left, right = inner((seeds[k], along[k]) for k in recorded), inner(zip(pulled, directions, strict=True))
    scale = sum(abs(inner([(g, d)])) for g, d in zip(pulled, directions, strict=True))
    assert left == pytest.approx(right, rel=1e-8, abs=1e-9 * max(scale, 1.0))


@pytest.mark.parametrize("key", sorted(ROWS))
def test_forward_mode_is_the_transpose_of_reverse_mode(key):
    row = ROWS[key]
    for sample in samples.samples_of(row):
        check_adjoint(row, sample)


COMPLEX = [
    key
    for key, row in ROWS.items()
    if row.pointwise is not None and "complex" in row.pointwise.types and "float" in row.pointwise.types
]


@pytest.mark.parametrize("key", COMPLEX)
def test_complex_numbers(key):
    for sample in samples.samples_of(ROWS[key], taeda.complex128):
        check_adjoint(ROWS[key], sample)


def check_hessian(row, sample):
    """The tangent of the gradient against the gradient of the gradient: <v, H t> = <H v, t>."""
    apply, tensors = split(row, sample)
    if not tensors:
        return
    taeda.manual_seed(2)
    leaves = [t.detach().clone().requires_grad_() for t in tensors]
    outputs = [output for output in apply(leaves) if output.requires_grad]
    if not outputs:
        return
    seeds = [taeda.randn_like(output) for output in outputs]
    directions = [taeda.randn_like(t) for t in tensors]
    vectors = [taeda.randn_like(t) for t in tensors]
    first = grad(outputs, leaves, seeds, create_graph=True, allow_unused=True)
    used = [k for k, g in enumerate(first) if g is not None and g.requires_grad]
    second = [None] * len(leaves)
    if used:
        second = grad([first[k] for k in used], leaves, [vectors[k] for k in used], allow_unused=True)
    expected = inner(zip(second, directions, strict=True))
    with fwd.dual_level():
        duals = [
            fwd.make_dual(t.detach().clone().requires_grad_(), d) for t, d in zip(tensors, directions, strict=True)
        ]
        outputs = [output for output in apply(duals) if output.requires_grad]
        over_reverse = grad(outputs, duals, seeds, allow_unused=True)
        found = inner((v, None if g is None else tangent(g)) for v, g in zip(vectors, over_reverse, strict=True))
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-8)


TWICE = [key for key, row in ROWS.items() if row.pointwise is not None] + [
    "matmul",
    "softmax",
    "log_softmax",
    "logsumexp",
    "cumprod",
    "var.dim",
    "layer_norm",
    "conv2d",
    "index_put",
    "cat",
    "linear",
]


@pytest.mark.parametrize("key", TWICE)
def test_forward_over_reverse_is_reverse_over_reverse(key):
    for sample in samples.samples_of(ROWS[key])[:3]:
        check_hessian(ROWS[key], sample)


def test_dual_tensors_are_made_and_taken_apart():
    x, t = vector(1, 2), vector(3, 4)
    with fwd.dual_level() as level:
        assert level == 0
        dual = fwd.make_dual(x, t)
        primal, found = fwd.unpack_dual(dual)
        assert found is t and primal.data_ptr() == x.data_ptr()
        assert tangent(x) is None and tangent(primal) is None
        assert tangent(dual * dual).tolist() == [6, 16]
        assert tangent(dual.detach()) is None and tangent(dual.clone().detach_()) is None
        assert tangent(dual > 1) is None and tangent(dual.argmax()) is None
        assert "tangent=tensor([3., 4.]" in repr(dual)
        kept = dual * 2
    assert fwd.unpack_dual(kept) == (kept, None)
    with fwd.dual_level():
        assert tangent(kept) is None and tangent(dual) is None


def test_what_is_wrong_is_said():
    x = vector(1, 2)
    with pytest.raises(RuntimeError, match="no level exists"):
        fwd.make_dual(x, x)
    with pytest.raises(RuntimeError, match="no level is open"):
        fwd.exit_dual_level()
    with fwd.dual_level():
        with pytest.raises(RuntimeError, match="different size than that of the original Tensor"):
            fwd.make_dual(x, vector(1, 2, 3))
        with pytest.raises(ValueError, match="Expected tangent to be floating point or complex"):
            fwd.make_dual(x, taeda.tensor([1, 2]))
        with pytest.raises(ValueError, match="Expected primal"):
            fwd.make_dual(taeda.tensor([1, 2]), x)
        dual = fwd.make_dual(x, x)
        with pytest.raises(RuntimeError, match="out=... arguments don't support automatic differentiation"):
            taeda.add(dual, dual, out=taeda.empty(2, dtype=taeda.float64))
        with pytest.raises(RuntimeError, match="already has a forward gradient at the same level 0"):
            fwd.make_dual(dual, x)
        with fwd.dual_level(), pytest.raises(RuntimeError, match="not the last one"):
            fwd.exit_dual_level(level=0)


def test_tangents_are_computed_without_recording_but_not_when_switched_off():
    with fwd.dual_level():
        dual = fwd.make_dual(vector(2), vector(1))
        with taeda.no_grad():
            assert tangent(dual**2).tolist() == [4]
        with taeda.inference_mode():
            assert tangent(dual**2) is None
        with fwd.set_forward_grad_enabled(False):
            assert tangent(dual**2) is None
        assert tangent(dual**2).tolist() == [4]


def test_levels_nest():
    def third(x):
        with fwd.dual_level():
            a = fwd.make_dual(x, taeda.ones_like(x))
            with fwd.dual_level():
                b = fwd.make_dual(a, taeda.ones_like(a))
                with fwd.dual_level():
                    y = fwd.make_dual(b, taeda.ones_like(b)) ** 5 * x
                    y = tangent(y)
                y = tangent(y)
            return tangent(y)

    assert third(vector(2.0)).item() == pytest.approx(60 * 4 * 2)


def test_an_outer_tangent_is_a_constant_inside():
    # d/dx (x * d/dy (x + y)) = 1: the inner derivative does not see x's own tangent.
    with fwd.dual_level():
        x = fwd.make_dual(vector(3.0), vector(1.0))
        with fwd.dual_level():
            y = fwd.make_dual(vector(5.0), vector(1.0))
            inside = tangent(x + y)
        assert tangent(x * inside).item() == 1.0


def test_writes_carry_tangents_to_views_and_bases():
    with fwd.dual_level():
        x = fwd.make_dual(vector(1, 2, 3), vector(1, 10, 100)) * 1
        view = x[1:]
        other = x.view(3, 1)
        view.mul_(x[0])
        assert x.tolist() == [1, 2, 3]
        assert tangent(x).tolist() == [1, 12, 103] and tangent(view).tolist() == [12, 103]
        assert tangent(other).tolist() == [[1], [12], [103]]
        x.zero_()
        assert tangent(view).tolist() == [0, 0]
        plain = taeda.zeros(3, dtype=taeda.float64)
        row = plain[:2]
        plain[1] = fwd.make_dual(vector(7.0), vector(8.0))[0]
        assert tangent(plain).tolist() == [0, 8, 0] and tangent(row).tolist() == [0, 8]
        plain.copy_(taeda.ones(3))
        assert tangent(plain).tolist() == [0, 0, 0]
        square = fwd.make_dual(taeda.ones(1, 2), taeda.full((1, 2), 3.0)).clone()
        square.squeeze_()
        assert tangent(square).tolist() == [3, 3]


def test_a_write_into_a_part_of_a_dual_tensor_keeps_the_rest():
    x = vector(1, 2)
    with fwd.dual_level():
        dual = fwd.make_dual(x, vector(5, 6))
        dual[:1].mul_(2)
        assert tangent(dual).tolist() == [10, 6] and tangent(x) is None


@pytest.mark.parametrize("write", ["add_", "mul_", "exp_", "sin_", "pow_", "cumsum_"])
def test_in_place_operations(write):
    arguments = {"add_": (2.0,), "mul_": (3.0,), "pow_": (3,), "cumsum_": (0,)}.get(write, ())
    x, t = vector(0.5, 1.5), vector(1.0, -2.0)
    with fwd.dual_level():
        written = fwd.make_dual(x.clone(), t) * 1
        getattr(written, write)(*arguments)
        expected = getattr(fwd.make_dual(x, t), write[:-1])(*arguments)
        assert_close(tangent(written), tangent(expected))


def test_hessians_by_both_orders_are_the_analytic_one():
    def rosenbrock(x):
        return ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum()

    x = vector(0.3, -1.2)
    a, b = x.tolist()
    expected = taeda.tensor([[2 - 400 * (b - 3 * a * a), -400 * a], [-400 * a, 200.0]], dtype=taeda.float64)
    forward_over_reverse, reverse_over_forward = [], []
    for direction in taeda.eye(2, dtype=taeda.float64):
        with fwd.dual_level():
            dual = fwd.make_dual(x.clone().requires_grad_(), direction)
            (slope,) = grad(rosenbrock(dual), dual)
            forward_over_reverse.append(tangent(slope))
        leaf = x.clone().requires_grad_()
        with fwd.dual_level():
            slope = tangent(rosenbrock(fwd.make_dual(leaf, direction)))
        reverse_over_forward.append(grad(slope, leaf)[0])
    assert_close(taeda.stack(forward_over_reverse), expected)
    assert_close(taeda.stack(reverse_over_forward), expected)


def test_gradients_flow_into_tangents():
    x, t = vector(1, 2), vector(3, 4).requires_grad_()
    with fwd.dual_level():
        slope = tangent(fwd.make_dual(x, t).square())
    assert grad(slope.sum(), t)[0].tolist() == [2, 4]


def test_gradcheck_checks_forward_mode():
    x = taeda.randn(3, 4, dtype=taeda.float64, requires_grad=True)
    z = taeda.randn(3, dtype=taeda.complex128, requires_grad=True)
    options = {"check_forward_ad": True, "check_batched_forward_grad": True}
    for fast_mode in (False, True):
        assert gradcheck(lambda a: (a.softmax(-1), a.prod(0), a.var(1)), (x,), fast_mode=fast_mode, **options)
        assert gradcheck(lambda a: (a.abs(), a.exp(), a * a.conj()), (z,), fast_mode=fast_mode, **options)
    assert gradcheck(taeda.sin, (x,), check_backward_ad=False, **options)
    assert gradgradcheck(lambda a: a.softmax(-1), (x,), check_fwd_over_rev=True)

    class Wrong(taeda.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

        @staticmethod
        def jvp(ctx, along):
            return along * 3

    with pytest.raises(RuntimeError, match="forward mode(.|\n)*Jacobian mismatch"):
        gradcheck(Wrong.apply, (x,), check_forward_ad=True)
    with pytest.raises(ValueError, match="at least one of check_forward_ad or check_backward_ad"):
        gradcheck(taeda.sin, (x,), check_backward_ad=False)


class Product(taeda.autograd.Function):
    @staticmethod
    def forward(ctx, a, factor, b):
        result = a * b * factor
        ctx.factor = factor
        ctx.save_for_backward(a, b)
        ctx.save_for_forward(a, b)
        return result, a > 0

    @staticmethod
    def backward(ctx, g, _):
        a, b = ctx.saved_tensors
        return g * b * ctx.factor, None, g * a * ctx.factor

    @staticmethod
    def jvp(ctx, along_a, along_factor, along_b):
        assert along_factor is None
        a, b = ctx.saved_tensors
        total = taeda.zeros_like(a)
        if along_a is not None:
            total = total + along_a * b
        if along_b is not None:
            total = total + a * along_b
        return total * ctx.factor, None


def test_functions_with_a_rule_of_their_own():
    a, b = vector(1, 2).requires_grad_(), vector(3, 4)
    with fwd.dual_level():
        dual = fwd.make_dual(a, vector(1, 1))
        result, positive = Product.apply(dual, 2.0, b)
        assert tangent(result).tolist() == [6, 8] and tangent(positive) is None
        assert tangent(Product.apply(dual, 2.0, dual)[0]).tolist() == [4, 8]
        (slope,) = grad(result.sum(), a)
        assert slope.tolist() == [6, 8]
    assert gradcheck(lambda x, y: Product.apply(x, 2.0, y)[0], (a, b.requires_grad_()), check_forward_ad=True)
    with fwd.dual_level():
        outer = fwd.make_dual(a.detach(), vector(1, 1))
        with fwd.dual_level():
            both = fwd.make_dual(outer, vector(1, 1))
            inside = tangent(Product.apply(both, 1.0, both)[0])
        assert tangent(inside).tolist() == [2, 2]


def test_a_function_without_a_rule_says_so():
    class Plain(taeda.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    with fwd.dual_level(), pytest.raises(NotImplementedError, match="You must implement the jvp function"):
        Plain.apply(fwd.make_dual(vector(1), vector(1)))


def test_jacobians_and_hessians_by_forward_mode():
    from taeda.autograd.functional import hessian, jacobian

    a, b = vector(1, 2), vector(3, 4, 5)

    def func(a, b):
        return a.outer(b).sin(), (a**2).sum() * b

    assert_close(jacobian(func, (a, b), strategy="forward-mode"), jacobian(func, (a, b)))

    def scalar(a, b):
        return (a.outer(b).exp() * 0.01).sum()

    assert_close(
        hessian(scalar, (a, b), outer_jacobian_strategy="forward-mode", vectorize=True), hessian(scalar, (a, b))
    )
    with pytest.raises(RuntimeError, match="not supported together"):
        jacobian(func, (a, b), strategy="forward-mode", strict=True)


def test_layers_have_forward_mode():
    taeda.manual_seed(0)
    model = taeda.nn.Sequential(
        taeda.nn.Conv2d(1, 2, 3), taeda.nn.BatchNorm2d(2), taeda.nn.ReLU(), taeda.nn.Flatten(), taeda.nn.Linear(8, 3)
    ).double()
    x, t = taeda.randn(2, 2, 1, 4, 4, dtype=taeda.float64)
    with fwd.dual_level():
        loss = taeda.nn.functional.cross_entropy(model(fwd.make_dual(x, t)), taeda.tensor([0, 2]))
        along = tangent(loss)
    leaf = x.requires_grad_()
    (slope,) = grad(taeda.nn.functional.cross_entropy(model(leaf), taeda.tensor([0, 2])), leaf)
    assert along.item() == pytest.approx((slope * t).sum().item())


def test_an_operation_whose_gradient_has_none_says_so():
    shapes = vector(1, 2, 3)
    with fwd.dual_level():
        dual = fwd.make_dual(shapes, shapes)
        with pytest.raises(NotImplementedError, match="no forward-mode derivative of _standard_gamma_grad"):
            taeda._standard_gamma_grad(dual, shapes)


def test_lists_of_linear_operations_name_rows_with_gradients():
    from taeda.ops.forward import LINEAR, MULTILINEAR

    rows = all_rows()
    assert {*LINEAR, *MULTILINEAR} <= {key for key, row in rows.items() if row.vjp}
    assert not LINEAR & MULTILINEAR


def test_writes_under_a_batch_of_tangents():
    def write(x):
        y = x.clone()
        y[0] = y[1] * x[2]
        y[1:].mul_(x[0])
        return y

    x = vector(2, 3, 5)
    expected = taeda.tensor([[0, 5, 3], [3, 2, 0], [5, 0, 2]], dtype=taeda.float64)
    assert_close(taeda.func.jacfwd(write)(x), expected)
