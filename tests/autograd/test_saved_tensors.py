"""Hooks on saved tensors, what nodes show of themselves, and hooks on nodes and several tensors."""

import gc
import weakref

import pytest

import taeda
from taeda.autograd import grad, graph
from taeda.autograd.graph import saved_tensors_hooks


def leaf(*values):
    return taeda.tensor(values, dtype=taeda.float64, requires_grad=True)


def test_saved_tensors_go_through_the_hooks():
    packed, unpacked = [], []

    def pack(tensor):
        packed.append(tensor)
        return len(packed) - 1

    def unpack(index):
        unpacked.append(index)
        return packed[index] * 10

    x = leaf(2.0)
    with saved_tensors_hooks(pack, unpack):
        y = x * x
        z = y.exp()  # saves its result
    assert [t.tolist() for t in packed] == [[2.0], [2.0], [pytest.approx(54.598150033144236)]]
    assert not any(t.requires_grad for t in packed) and not unpacked
    (z / z.detach()).backward()
    assert sorted(unpacked) == [0, 1, 2]
    assert x.grad.item() == pytest.approx(4 * 10 * 10)


def test_hooks_nest_and_innermost_wins():
    seen = []

    def hooks(name):
        return saved_tensors_hooks(lambda t: seen.append(name) or t, lambda t: t)

    x = leaf(2.0)
    with hooks("outer"):
        x.sin()
        with hooks("inner"):
            x.sin()
        x.sin()
    x.sin()
    assert seen == ["outer", "inner", "outer"]


def test_hooked_tensors_keep_their_history():
    x = leaf(2.0)
    with saved_tensors_hooks(lambda t: t.numpy().copy(), taeda.from_numpy):
        y = x.exp() * x**3
    (first,) = grad(y, x, create_graph=True)
    (second,) = grad(first, x)
    assert first.item() == pytest.approx((8 + 12) * 7.38905609893065)
    assert second.item() == pytest.approx((8 + 2 * 12 + 12) * 7.38905609893065)


def test_hooks_of_functions_and_their_errors():
    class Square(taeda.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    x = leaf(3.0)
    with saved_tensors_hooks(lambda t: ("packed", t), lambda p: p[1]):
        y = Square.apply(x)
    y.backward()
    assert x.grad.item() == 6.0
    with saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x.exp()
    with pytest.raises(TypeError, match="unpack_hook expected to be a Tensor but got result of type int"):
        y.backward()
    with (
        saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t),
        pytest.raises(RuntimeError, match="modifying its input in place"),
    ):
        (x * 1).sin()


def test_what_hooks_packed_is_freed_with_the_graph():
    class Box:
        def __init__(self, tensor):
            self.tensor = tensor

    alive = []

    def pack(tensor):
        box = Box(tensor)
        alive.append(weakref.ref(box))
        return box

    x = leaf(2.0)
    with saved_tensors_hooks(pack, lambda box: box.tensor):
        y = (x * x).exp()
    y.backward()
    gc.collect()
    assert len(alive) == 3 and not any(box() for box in alive)


def test_hooks_can_be_forbidden():
    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), saved_tensors_hooks(lambda t: t, lambda t: t):
            pass
        with graph.disable_saved_tensors_hooks("nor here"):
            pass
        with pytest.raises(RuntimeError, match="not here"), saved_tensors_hooks(lambda t: t, lambda t: t):
            pass
    with (
        saved_tensors_hooks(lambda t: t, lambda t: t),
        pytest.raises(RuntimeError, match="too late"),
        graph.disable_saved_tensors_hooks("too late"),
    ):
        pass
    with saved_tensors_hooks(lambda t: t, lambda t: t):
        pass


def test_save_on_cpu_changes_nothing():
    x = leaf(1.0, 2.0)
    with graph.save_on_cpu(pin_memory=True):
        y = (x * x).sum()
    y.backward()
    assert x.grad.tolist() == [2, 4]


def test_nodes_show_what_they_keep():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    product = x * y
    assert product.grad_fn._saved_self is x and product.grad_fn._saved_other is y
    power = x.exp()
    assert power.grad_fn._saved_result.tolist() == power.tolist() and power.grad_fn._saved_result.requires_grad
    total = x.cumsum(0)
    assert total.grad_fn._saved_dim == 0
    assert not hasattr(total.grad_fn, "_saved_nothing")
    assert (x * 3).grad_fn._saved_self is None  # the number is all that is needed
    product.grad_fn._raw_saved_self.register_hooks(lambda t: t * 10, lambda t: t)
    assert grad(product.sum(), y)[0].tolist() == [10, 20]
    z = x * y
    z.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.grad_fn._saved_self  # noqa: B018


def test_nodes_have_room_for_notes_that_live_as_long():
    x = leaf(1.0)
    y = x * 2
    y.grad_fn.metadata["note"] = "kept"
    gc.collect()
    assert y.grad_fn.metadata == {"note": "kept"} and (x * 2).grad_fn.metadata == {}


def test_ends_of_the_graph():
    x = leaf(1.0)
    edge = graph.get_gradient_edge(x)
    assert type(edge.node).__name__ == "AccumulateGrad" and edge.node.variable is x and edge.output_nr == 0
    assert isinstance(edge.node, graph.Node)
    y = x * 3
    assert grad((y * y).sum(), edge, taeda.ones(()), retain_graph=True)[0].item() == 18
    assert grad((y * y).sum(), graph.get_gradient_edge(y))[0].item() == 6

    class Twice(taeda.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    z = Twice.apply(x)
    end, number = z.grad_fn.next_functions[0]
    assert end.variable is x and number == 0
    seen = []
    z.grad_fn.register_prehook(lambda grads: (grads[0] * 5,))
    z.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs[0].item(), outputs[0].item())))
    end.register_prehook(lambda grads: (grads[0] + 1,))
    handle = end.register_hook(lambda inputs, outputs: seen.append((inputs, outputs[0].item(), x.grad.item())))
    z.backward(retain_graph=True)
    assert seen == [(10.0, 5.0), ((), 11.0, 11.0)]
    handle.remove()
    z.backward()
    assert len(seen) == 3


def test_one_hook_for_several_tensors():
    x, y, unused = leaf(1.0), leaf(2.0), leaf(3.0)
    middle = x * y
    calls, first = [], []
    handle = graph.register_multi_grad_hook([x, middle, unused, y], calls.append)
    graph.register_multi_grad_hook([x, middle], first.append, mode="any")
    (middle * 2).backward(retain_graph=True)
    assert [None if g is None else g.item() for g in calls[0]] == [4, 2, None, 2]
    assert [g.item() for g in first] == [2]
    grad(middle * 2, y, retain_graph=True)
    assert [None if g is None else g.item() for g in calls[1]] == [None, 2, None, 2]
    handle.remove()
    middle.backward()
    assert len(calls) == 2
    with pytest.raises(ValueError, match="Expects mode to be one of"):
        graph.register_multi_grad_hook([x], calls.append, mode="some")


def test_versions_can_be_counted_up():
    x = leaf(1.0)
    y = x * 1
    z = y.sin()
    graph.increment_version(y)
    graph.increment_version([y, y])
    assert y._version == 3
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_writes_to_saved_results_name_the_writer():
    x = leaf(1.0)
    y = x.exp()
    y.add_(1)  # the write
    with pytest.raises(RuntimeError, match=r"written by AddBackward0, recorded at .*test_saved_tensors.py:\d+"):
        y.backward()


def test_saved_tensors_may_be_written_where_that_is_allowed():
    x = leaf(1.0, 2.0)
    with graph.allow_mutation_on_saved_tensors() as context:
        y = x * 1
        z = y.sin() + y.exp()
        y.add_(1)
        with taeda.no_grad():
            y.mul_(0)
        (slope,) = grad(z.sum(), x, retain_graph=True)
        assert taeda.allclose(slope, x.cos() + x.exp())
        with pytest.raises(RuntimeError, match="cannot be nested"), graph.allow_mutation_on_saved_tensors():
            pass
        context.clear()
    with pytest.raises(AssertionError, match="outside of the 'allow_mutation_on_saved_tensors' context"):
        z.sum().backward()


def test_gradients_that_nobody_wants_are_not_computed():
    x, y = leaf(1.0), leaf(2.0)
    asked = []

    class Product(taeda.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx, g):
            asked.append(ctx.needs_input_grad)
            a, b = ctx.saved_tensors
            return g * b, g * a

    z = Product.apply(x, y)
    assert grad(z, x, retain_graph=True)[0].item() == 2
    z.backward()
    assert asked == [(True, False), (True, True)] and y.grad.item() == 1
