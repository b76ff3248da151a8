"""gradcheck and gradgradcheck: right gradients pass, and each kind of wrong one is found."""

import pytest

import taeda
from taeda.autograd import Function, gradcheck, gradgradcheck
from taeda.autograd.gradcheck import GradcheckError


def real(*shape):
    return taeda.randn(*shape, dtype=taeda.float64).requires_grad_()


def complex_(*shape):
    return taeda.randn(*shape, dtype=taeda.complex128).requires_grad_()


class TooLarge(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x * grad


class Unsteady(Function):
    n_calls = 0

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        Unsteady.n_calls += 1
        return grad * (2 + 1e-7 * Unsteady.n_calls)


class Additive(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2 + 1e-6


class WrongWhenBothAreDefined(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    @staticmethod
    def backward(ctx, first, second):
        if second is None:
            return first * 2
        if first is None:
            return second * 3
        return first * 7 + second * 3


CASES = [
    (lambda a, b: a @ b, lambda: (real(2, 3), real(3, 2))),
    (lambda a: (a.sin(), a.sum()), lambda: (real(3),)),
    (lambda a, factor: a * factor, lambda: (real(2, 2), 3.0)),
    (lambda a: a[::2].t(), lambda: (real(3, 2),)),
    (lambda a: a * a, lambda: (real(4, 2).detach().t().requires_grad_(),)),
    (lambda a: (a, a.argmax()), lambda: (real(3),)),
    (lambda a: a.sum(), lambda: (real(0, 3),)),
    (lambda a: a.detach() * 0, lambda: (real(2),)),
    (lambda z: z * z, lambda: (complex_(3),)),
    (lambda z: z.abs(), lambda: (complex_(3),)),
    (lambda z, a: z * a, lambda: (complex_(2), real(2))),
]


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize(("function", "inputs"), CASES)
def test_right_gradients_pass(function, inputs, fast_mode):
    taeda.manual_seed(0)
    assert gradcheck(function, inputs(), fast_mode=fast_mode)
    assert gradgradcheck(function, inputs(), fast_mode=fast_mode)


def test_a_single_tensor_and_batched_gradients():
    taeda.manual_seed(0)
    assert gradcheck(taeda.exp, real(3), check_batched_grad=True, check_grad_dtypes=True)
    assert gradgradcheck(taeda.exp, real(2), taeda.ones(2, dtype=taeda.float64, requires_grad=True))


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (TooLarge.apply, "Jacobian mismatch for output 0 with respect to input 0"),
        (Unsteady.apply, "Backward is not reentrant"),
        (Additive.apply, "backward not multiplied by grad_output"),
        (WrongWhenBothAreDefined.apply, "undefined output grads"),
        (lambda x: x.detach() * 2, "expected to be zero"),
    ],
)
def test_wrong_gradients_are_found(function, message, fast_mode):
    taeda.manual_seed(0)
    x = real(3)
    with pytest.raises(GradcheckError, match=message):
        gradcheck(function, x, fast_mode=fast_mode)
    assert not gradcheck(function, x, fast_mode=fast_mode, raise_exception=False)


def test_nondeterminism_may_be_allowed():
    taeda.manual_seed(0)
    assert gradcheck(Unsteady.apply, real(3), nondet_tol=1e-3)


def test_wrong_second_derivative_is_found():
    taeda.manual_seed(0)

    class Half(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return (2 * x).detach() * grad

    assert gradcheck(Half.apply, real(3))
    with pytest.raises(GradcheckError):
        gradgradcheck(Half.apply, real(3))


def test_inputs_are_left_as_they_were():
    x = real(4)
    before = x.tolist()
    gradcheck(taeda.sin, x)
    gradcheck(taeda.sin, x, fast_mode=True)
    assert x.tolist() == before
    assert x.grad is None


def test_unusable_inputs():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(taeda.sin, taeda.ones(2, dtype=taeda.float64))
    with pytest.raises(RuntimeError, match="stride 0"):
        gradcheck(taeda.sin, taeda.ones(1, dtype=taeda.float64).expand(3).requires_grad_())
    with pytest.warns(UserWarning, match="not a double precision"):
        gradcheck(lambda x: x * 2, taeda.ones(2, requires_grad=True), atol=1.0, rtol=1.0)
