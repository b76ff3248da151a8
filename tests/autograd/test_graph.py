"""The tape and its engine: long chains, order, writes, views, hooks, and errors that name the line."""

import gc
import threading

import numpy
import pytest

import taeda
from taeda.autograd import gradcheck, gradgradcheck


def leaf(*values):
    return taeda.tensor(values, dtype=taeda.float64, requires_grad=True)


def test_a_chain_of_a_million_operations_runs_back_and_is_freed():
    x = leaf(1.0)
    y = x
    for _ in range(1_000_000):
        y = y + 1
    y.backward()
    assert x.grad.tolist() == [1.0] and y.item() == 1_000_001
    del y
    z = x
    for _ in range(1_000_000):
        z = z * 1
    del z  # freed without a backward
    gc.collect()


def test_shared_subexpressions_are_visited_once():
    x = leaf(1.0)
    y = x
    for _ in range(200):  # 2**200 paths
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad.item() == pytest.approx(1.0)


def test_gradients_accumulate_and_can_be_cleared():
    x = leaf(2.0, 3.0)
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [8.0, 12.0]
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_two_leaves_never_share_one_gradient():
    x, y = leaf(1.0), leaf(1.0)
    (x + y).backward()
    x.grad.add_(5)
    assert y.grad.item() == 1.0


def test_backward_twice_names_the_node_and_its_line():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()  # the line
    y.backward()
    with pytest.raises(
        RuntimeError, match=r"backward through the graph a second time(.|\n)*MulBackward0(.|\n)*test_graph.py:\d+"
    ):
        y.backward()
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()


def test_a_write_to_a_saved_tensor_names_both_sides():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y.exp() * y
    y.add_(1)
    with pytest.raises(
        RuntimeError,
        match=r"modified by an inplace operation(.|\n)*AddBackward0(.|\n)*MulBackward0, recorded at .*test_graph.py:\d+",
    ):
        z.sum().backward()


def test_a_leaf_that_requires_grad_cannot_be_written():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 1
    with taeda.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0]


def test_writes_through_views_change_the_history_of_the_base():
    def write(x, y):
        base = x * 1
        view = base[1:]
        view[::2] *= y
        row = base.view(2, 3)[1]
        row.copy_(row.clone().sin())
        return base, view, row

    x = taeda.randn(6, dtype=taeda.float64, requires_grad=True)
    y = taeda.randn(3, dtype=taeda.float64, requires_grad=True)
    assert gradcheck(write, (x, y))
    assert gradgradcheck(write, (x, y))


def test_a_write_that_needs_grad_makes_a_plain_base_need_it():
    w = leaf(3.0)
    base = taeda.zeros(2, dtype=taeda.float64)
    other = base[:1]
    base[1] = w[0] * 2
    assert base.requires_grad and other.requires_grad
    base.sum().backward()
    assert w.grad.item() == 2.0


def test_views_of_several_results_and_of_no_grad_cannot_be_written():
    x = leaf(1.0, 2.0) * 1
    with pytest.raises(RuntimeError, match="multiple views"):
        x.unbind()[0].mul_(2)
    with taeda.no_grad():
        view = x[:1]
    with pytest.raises(RuntimeError, match="no_grad mode"):
        view.mul_(2)


def test_in_place_operations_keep_what_their_gradient_needs():
    def chain(x):
        y = x * 1
        return y.sin_().mul_(3).add_(x).pow_(2).exp_()

    assert gradcheck(chain, (taeda.randn(4, dtype=taeda.float64, requires_grad=True),))


def test_hooks_see_whole_gradients_and_may_replace_them():
    x = leaf(1.0)
    seen = []
    y = x * 2
    y.register_hook(lambda grad: seen.append(grad.item()) or grad * 10)
    handle = x.register_hook(lambda grad: seen.append(grad.item()))
    (y + y * 3).backward()
    assert seen == [4.0, 80.0] and x.grad.item() == 80.0
    handle.remove()
    x.grad = None
    (x * 1).backward()
    assert seen == [4.0, 80.0] and x.grad.item() == 1.0


def test_hooks_after_accumulation_and_on_nodes():
    x = leaf(1.0)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.item()))
    y = x * 2
    y.grad_fn.register_prehook(lambda grads: (grads[0] * 5,))
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs[0].item(), outputs[0].item())))
    y.backward()
    assert seen == [(10.0, 5.0), 10.0]


def test_retain_grad_follows_a_tensor_that_is_written_and_forgets_a_dead_one():
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    dead = y * 1
    dead.retain_grad()
    z = dead * 5
    del dead
    gc.collect()
    z.backward()
    assert y.grad.item() == 5.0 and x.grad.item() == 30.0


def test_grad_stops_at_its_inputs_and_leaves_grad_alone():
    x, unused = leaf(2.0), leaf(1.0)
    y = x * x
    z = y * y
    gx, gy = taeda.autograd.grad(z, (x, y))
    assert gx.item() == 32.0 and gy.item() == 8.0 and x.grad is None
    with pytest.raises(RuntimeError, match="Set allow_unused=True"):
        taeda.autograd.grad((x * x).sum(), (unused,))
    assert taeda.autograd.grad((x * x).sum(), (unused,), allow_unused=True) == (None,)


def test_gradients_of_gradients():
    x = leaf(2.0)
    y = x**3
    for expected in (12.0, 12.0, 6.0):
        (y,) = taeda.autograd.grad(y.sum(), x, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_a_backward_inside_a_backward():
    class Nested(taeda.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            with taeda.enable_grad():
                inner = x.detach().requires_grad_()
                (inner * inner).sum().backward()
            return grad * inner.grad

    x = leaf(3.0)
    (Nested.apply(x) * 2).backward()
    assert x.grad.item() == 12.0


def test_a_failing_backward_leaves_the_graph_usable():
    class Fails(taeda.autograd.Function):
        fail = True

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            if Fails.fail:
                raise ValueError("not today")
            return grad * 2

    x = leaf(1.0)
    y = Fails.apply(x * 1) + x
    with pytest.raises(ValueError, match="not today"):
        y.backward(retain_graph=True)
    Fails.fail = False
    x.grad = None
    y.backward()
    assert x.grad.item() == 3.0


def test_the_graph_can_be_walked():
    x = leaf(1.0, 2.0)
    y = (x * 2).sum()
    node = y.grad_fn
    assert type(node).__name__ == "SumBackward0" and node.name() == "SumBackward0"
    multiply, number = node.next_functions[0]
    assert multiply.name() == "MulBackward0" and number == 0
    end = multiply.next_functions[0][0]
    assert end.name() == "torch::autograd::AccumulateGrad" and end.variable is x
    assert "test_graph.py" in node.recorded_at


def test_broadcast_and_mixed_dtypes_give_gradients_of_the_inputs_shape_and_dtype():
    x = taeda.ones(3, 1, requires_grad=True)
    y = taeda.ones(1, 4, dtype=taeda.float64, requires_grad=True)
    (x * y + 1).sum().backward()
    assert x.grad.shape == (3, 1) and x.grad.dtype == taeda.float32 and x.grad.tolist() == [[4.0]] * 3
    assert y.grad.shape == (1, 4) and y.grad.dtype == taeda.float64


def test_a_real_tensor_beside_a_complex_one_gets_a_real_gradient():
    x = leaf(2.0)
    z = taeda.tensor([1 + 3j], dtype=taeda.complex128)
    (x * z).abs().sum().backward()
    numpy.testing.assert_allclose(x.grad.numpy(), abs(1 + 3j))
    assert x.grad.dtype == taeda.float64


def test_graphs_of_other_threads_meet():
    x = leaf(1.0)
    made = []
    thread = threading.Thread(target=lambda: made.append(x * 3))
    thread.start()
    thread.join()
    (made[0] * x).backward()
    assert x.grad.item() == 6.0


def test_detach_shares_memory_and_modes_nest():
    x = leaf(1.0) * 1
    d = x.detach()
    d.add_(1)
    assert x.item() == 2.0 and not d.requires_grad and d.is_leaf
    with taeda.no_grad():
        with taeda.enable_grad():
            assert (x * 1).requires_grad
        assert not (x * 1).requires_grad
    with taeda.inference_mode():
        y = x * 1
    assert y.is_inference() and not y.requires_grad


def test_hooks_of_leaves_run_as_soon_as_the_gradient_is_whole():
    order = []
    first, second = leaf(1.0), leaf(1.0)
    x = leaf(3.0) * 1
    a = x * first
    a.register_hook(lambda grad: order.append("a"))
    b = a * second + second  # used twice: whole only when both have run
    c = b * first.detach()
    first.register_post_accumulate_grad_hook(lambda t: order.append("first"))
    second.register_post_accumulate_grad_hook(lambda t: order.append(("second", t.grad.item())))
    x.register_hook(lambda grad: order.append("x"))
    c.backward()
    assert order == [("second", 4.0), "a", "first", "x"]
