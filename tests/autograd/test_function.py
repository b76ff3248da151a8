"""autograd.Function: operations with a backward written in Python."""

import gc
import weakref

import pytest

import taeda
from taeda.autograd import Function, gradcheck, gradgradcheck
from taeda.autograd.function import once_differentiable
from taeda.autograd.graph import Node


class Power(Function):
    @staticmethod
    def forward(ctx, x, exponent=2):
        ctx.save_for_backward(x)
        ctx.exponent = exponent
        return x**exponent

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * ctx.exponent * x ** (ctx.exponent - 1), None


class PowerInTwoParts(Function):
    @staticmethod
    def forward(x, exponent=2):
        return x**exponent

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.exponent = inputs
        ctx.save_for_backward(x)

    backward = Power.backward


@pytest.fixture
def x():
    return taeda.tensor([1.0, 2.0], dtype=taeda.float64, requires_grad=True)


@pytest.mark.parametrize("function", [Power, PowerInTwoParts])
def test_forward_and_backward(function, x):
    y = function.apply(x, 3)
    assert y.tolist() == [1, 8]
    assert type(y.grad_fn).__name__ == f"{function.__name__}Backward"
    assert isinstance(y.grad_fn, Node)
    y.sum().backward()
    assert x.grad.tolist() == [3, 12]
    assert gradcheck(lambda value: function.apply(value, 3), x)
    assert gradgradcheck(lambda value: function.apply(value, 3), x)


def test_arguments_by_name_reach_setup_context(x):
    assert PowerInTwoParts.apply(x, exponent=3).tolist() == [1, 8]
    assert PowerInTwoParts.apply(x).tolist() == [1, 4]


def test_nothing_is_recorded_where_nothing_requires_grad(x):
    assert Power.apply(x.detach()).grad_fn is None
    with taeda.no_grad():
        assert not Power.apply(x).requires_grad


def test_forward_does_not_record(x):
    class Look(Function):
        @staticmethod
        def forward(ctx, value):
            assert not taeda.is_grad_enabled()
            assert ctx.needs_input_grad == (True,)
            return value * 2

        @staticmethod
        def backward(ctx, grad):
            assert taeda.is_grad_enabled() == Look.is_recording
            return grad * 2

    for Look.is_recording in (False, True):
        taeda.autograd.grad(Look.apply(x).sum(), x, create_graph=Look.is_recording)


def test_several_results_and_undefined_gradients(x):
    class Both(Function):
        @staticmethod
        def forward(ctx, value, materialize):
            ctx.set_materialize_grads(materialize)
            return value * 2, "text", value * 3

        @staticmethod
        def backward(ctx, first, text, second):
            Both.seen = (first, text, second)
            return first * 2, None

    first, text, second = Both.apply(x, True)
    assert text == "text"
    first.sum().backward()
    assert Both.seen[2].tolist() == [0, 0]
    Both.apply(x, False)[0].sum().backward()
    assert Both.seen[2] is None


def test_mark_dirty_and_non_differentiable(x):
    class Double(Function):
        @staticmethod
        def forward(ctx, value):
            value.mul_(2)
            ctx.mark_dirty(value)
            return value

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    y = x * 1
    z = Double.apply(y)
    assert z is y or z.data_ptr() == y.data_ptr()
    z.sum().backward()
    assert x.grad.tolist() == [2, 2]

    class Sign(Function):
        @staticmethod
        def forward(ctx, value):
            positive = value > 0
            rounded = value.round()
            ctx.mark_non_differentiable(positive, rounded)
            return value * 1, positive, rounded

        @staticmethod
        def backward(ctx, grad, *rest):
            return grad

    _, positive, rounded = Sign.apply(x)
    assert not positive.requires_grad
    assert not rounded.requires_grad


def test_once_differentiable(x):
    class Once(Function):
        @staticmethod
        def forward(ctx, value):
            ctx.save_for_backward(value)
            return value * value

        @staticmethod
        @once_differentiable
        def backward(ctx, grad):
            assert not taeda.is_grad_enabled()
            (value,) = ctx.saved_tensors
            return 2 * value * grad

    assert taeda.autograd.grad(Once.apply(x).sum(), x)[0].tolist() == [2, 4]
    (first,) = taeda.autograd.grad(Once.apply(x).sum(), x, taeda.ones_like(x.sum()).requires_grad_(), create_graph=True)
    with pytest.raises(RuntimeError, match="marked with @once_differentiable"):
        first.sum().backward()


def test_writing_what_was_saved_is_an_error_in_backward():
    x = taeda.ones(2, requires_grad=True)
    y = x * 1
    z = Power.apply(y)
    with taeda.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


@pytest.mark.parametrize(
    ("returned", "kind", "message"),
    [
        (lambda grad: (grad, grad, None), RuntimeError, "returned an incorrect number of gradients"),
        (lambda grad: (), RuntimeError, "returned an incorrect number of gradients"),
        (lambda grad: ("text", None), TypeError, "expected Variable or None"),
    ],
)
def test_wrong_returns_of_backward(returned, kind, message, x):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, value):
            return value * 2

        @staticmethod
        def backward(ctx, grad):
            return returned(grad)

    with pytest.raises(kind, match=message):
        Wrong.apply(x).sum().backward()


def test_an_exception_in_backward_arrives(x):
    class Fails(Function):
        @staticmethod
        def forward(ctx, value):
            return value * 2

        @staticmethod
        def backward(ctx, grad):
            raise KeyError("from backward")

    with pytest.raises(KeyError, match="from backward"):
        Fails.apply(x).sum().backward()


def test_misuse(x):
    class OnlyForward(Function):
        @staticmethod
        def forward(ctx, value):
            return value * 2

    class Nothing(Function):
        pass

    class SavesNumbers(Function):
        @staticmethod
        def forward(ctx, value):
            ctx.save_for_backward(3)
            return value

    class Twice(OnlyForward):
        @staticmethod
        def backward(ctx, grad):
            return grad

        @staticmethod
        def vjp(ctx, grad):
            return grad

    with pytest.raises(NotImplementedError, match="either the backward or vjp method"):
        OnlyForward.apply(x).sum().backward()
    with pytest.raises(NotImplementedError, match="must implement the forward"):
        Nothing.apply(x)
    with pytest.raises(TypeError, match="save_for_backward can only save variables, but argument 0 is of type int"):
        SavesNumbers.apply(x)
    with pytest.raises(RuntimeError, match="Implementing both 'backward' and 'vjp'"):
        Twice.apply(x).sum().backward()
    with pytest.raises(RuntimeError, match="should not be instantiated"):
        Power()


def test_the_context_is_freed_with_the_graph(x):
    class Holder:
        pass

    class Keeps(Function):
        @staticmethod
        def forward(ctx, value, holder):
            result = value * 2
            ctx.holder = holder
            ctx.save_for_backward(value, result)
            return result

        @staticmethod
        def backward(ctx, grad):
            return grad * 2, None

    holder = Holder()
    reference = weakref.ref(holder)
    result = Keeps.apply(x, holder)
    result.sum().backward()
    del holder, result
    gc.collect()
    assert reference() is None


def test_a_ring_through_the_context_is_collected(x):
    class Holder:
        pass

    class Rings(Function):
        @staticmethod
        def forward(ctx, value, holder):
            ctx.holder = holder
            return value * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2, None

    holder = Holder()
    reference = weakref.ref(holder)
    holder.result = Rings.apply(x, holder)
    del holder
    gc.collect()
    assert reference() is None
