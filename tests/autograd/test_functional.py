"""taeda.autograd.functional against derivatives worked out by hand."""

import warnings

import pytest

import taeda
from taeda.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from taeda.testing import assert_close

A = taeda.tensor([1.0, 2.0])
B = taeda.tensor([3.0, 4.0])


def pair(a, b):
    return (a * b).sum(), a * a


def scalar(a, b):
    return (a * a * b).sum() + (b**3).sum()


def test_vjp():
    outputs, products = vjp(pair, (A, B), (taeda.tensor(2.0), taeda.ones(2)))
    assert_close(outputs, (taeda.tensor(11.0), taeda.tensor([1.0, 4.0])))
    assert_close(products, (2 * B + 2 * A, 2 * A))
    assert_close(vjp(lambda a: (a * a).sum(), A)[1], 2 * A)


def test_jvp():
    outputs, products = jvp(pair, (A, B), (taeda.ones(2), taeda.zeros(2)))
    assert_close(outputs[0], taeda.tensor(11.0))
    assert_close(products, (taeda.tensor(7.0), 2 * A))


def test_jacobian():
    blocks = jacobian(pair, (A, B))
    assert_close(blocks[0], (B, A))
    assert_close(blocks[1], (taeda.tensor([[2.0, 0.0], [0.0, 4.0]]), taeda.zeros(2, 2)))
    assert jacobian(lambda a: a.reshape(2, 1) * a, A).shape == (2, 2, 2)
    for options in ({"vectorize": True}, {"strategy": "forward-mode", "vectorize": True}):
        assert_close(jacobian(pair, (A, B), **options), blocks)


def written(a):
    y = a.clone()
    y[0] = 0
    y[1:] *= a[:-1]
    return y


class Square(taeda.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


FUNCTIONS = {
    "pointwise": lambda a: a.exp() * a,
    "writes": written,
    "custom": Square.apply,
    "product": lambda a: a.reshape(2, 2) @ a.reshape(2, 2),
    "indices": lambda a: a[taeda.tensor([0, 0, 2])] ** 2,
    "a mask": lambda a: a[a > 0] ** 2,
    "strides": lambda a: a.as_strided([2, 3], [1, 1]) ** 3,
    "distances": lambda a: taeda.pdist(a.reshape(2, 2)),
    "a transform": lambda a: taeda.fft.rfft(a).real.sin(),
    "several": lambda a: (a * a, taeda.zeros(2, dtype=a.dtype), a[1:].sum(), a[:0]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_rows_and_columns_at_once(name):
    function, x = FUNCTIONS[name], taeda.tensor([0.3, -1.2, 0.7, 2.0], dtype=taeda.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no operation of these is done row by row
        want = jacobian(function, x)
        assert_close(jacobian(function, x, vectorize=True), want)
        if name != "custom":
            assert_close(jacobian(function, x, strategy="forward-mode", vectorize=True), want)
            assert_close(jacobian(function, x, strategy="forward-mode"), want)


@pytest.mark.parametrize("shape", [(0,), (2, 0)])
@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_inputs_without_elements_have_columns_without_elements(shape, strategy):
    x = taeda.ones(shape)
    assert jacobian(lambda a: a.exp(), x, vectorize=True, strategy=strategy).shape == (*shape, *shape)
    assert jacobian(lambda a, b: b * 2, (x, A), vectorize=True, strategy=strategy)[0].shape == (2, *shape)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_hessian_at_once(strategy):
    def function(a, b):
        return (written(a) * b.exp()).sum() + (a**3).sum()

    inputs = (taeda.randn(3, dtype=taeda.float64), taeda.randn(3, dtype=taeda.float64))
    want = hessian(function, inputs)
    assert_close(hessian(function, inputs, vectorize=True, outer_jacobian_strategy=strategy), want)


def test_vectorized_results_can_be_differentiated():
    a = A.clone().requires_grad_()
    result = jacobian(lambda value: value**3, a, create_graph=True, vectorize=True)
    assert_close(taeda.autograd.grad(result.sum(), a)[0], 6 * A)
    assert not jacobian(lambda value: value**3, a, vectorize=True).requires_grad


def test_hessian():
    blocks = hessian(scalar, (A, B))
    assert_close(blocks[0], (taeda.tensor([[6.0, 0.0], [0.0, 8.0]]), taeda.tensor([[2.0, 0.0], [0.0, 4.0]])))
    assert_close(blocks[1], (taeda.tensor([[2.0, 0.0], [0.0, 4.0]]), taeda.tensor([[18.0, 0.0], [0.0, 24.0]])))
    assert_close(hessian(lambda a: (a**3).sum(), A), taeda.tensor([[6.0, 0.0], [0.0, 12.0]]))


@pytest.mark.parametrize("product", [vhp, hvp])
def test_products_with_the_hessian(product):
    value, products = product(scalar, (A, B), (taeda.ones(2), taeda.ones(2)))
    assert_close(value, taeda.tensor(3.0 + 16.0 + 27.0 + 64.0))
    assert_close(products, (taeda.tensor([8.0, 12.0]), taeda.tensor([20.0, 28.0])))


def test_results_record_only_on_request():
    assert not vjp(pair, (A, B), (taeda.tensor(1.0), taeda.ones(2)))[1][0].requires_grad
    assert not jacobian(pair, (A, B))[0][0].requires_grad
    a = A.clone().requires_grad_()
    result = jacobian(lambda value: value**3, a, create_graph=True)
    assert_close(taeda.autograd.grad(result.sum(), a)[0], 6 * A)
    assert jvp(lambda value: value**3, a, taeda.ones(2), create_graph=True)[1].requires_grad


@pytest.mark.parametrize("function", [vjp, jvp])
def test_strict_and_lenient(function):
    def constant(a):
        return taeda.ones(2)

    assert function(constant, A, taeda.ones(2))[1].tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="does not require gradients"):
        function(constant, A, taeda.ones(2), strict=True)
    with pytest.raises(RuntimeError, match="independent of input 1"):
        function(lambda a, b: a * 2, (A, B), A if function is vjp else (A, B), strict=True)


@pytest.mark.parametrize("function", [hvp, vhp])
def test_strict_second_derivatives(function):
    with pytest.raises(RuntimeError, match="jacobian of the user-provided function with respect to input 1"):
        function(lambda a, b: (a * a).sum() + b.sum(), (A, B), (A, B), strict=True)
    with pytest.raises(RuntimeError, match="jacobian of the user-provided function with respect to input 1"):
        hessian(lambda a, b: (a * a).sum() + b.sum(), (A, B), strict=True)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: vjp(pair, (A, B)), RuntimeError, "The vector v can only be None if the user-provided function"),
        (lambda: jvp(pair, (A, B)), RuntimeError, "The vector v can only be None if the input"),
        (lambda: jvp(pair, (A, B), A), RuntimeError, "v is a tuple of invalid length: should be 2 but got 1"),
        (lambda: vjp(lambda a: a, A, taeda.ones(3)), RuntimeError, "v has invalid size"),
        (lambda: jvp(pair, (A, B), (A, taeda.ones(3))), RuntimeError, "Entry 1 in v has invalid size"),
        (lambda: vjp(pair, [A, 2], A), TypeError, "must be either a Tensor or a tuple of Tensors"),
        (lambda: jacobian(lambda a: 3, A), TypeError, "outputs of the user-provided function"),
        (lambda: jacobian(lambda a: a, A, strategy="other"), AssertionError, "Expected strategy"),
        (lambda: jacobian(lambda a: a, A, strict=True, vectorize=True), RuntimeError, "are not supported together"),
        (lambda: jacobian(lambda a, b: a, (A, B), strict=True), RuntimeError, "Output 0 .* independent of input 1"),
        (
            lambda: jacobian(lambda a: a * taeda.rand(2), A, strategy="forward-mode", vectorize=True),
            RuntimeError,
            "random operation",
        ),
        (lambda: hessian(lambda a: a * a, A), RuntimeError, "should contain a single element"),
        (lambda: hvp(lambda a: ((a * a).sum(),), A, A), RuntimeError, "should return a single Tensor"),
    ],
)
def test_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
