"""backward and grad: what their arguments mean and which of them are refused, in which words."""

import pytest

import taeda
from taeda.autograd import backward, grad
from taeda.autograd.graph import GradientEdge, Node, get_gradient_edge


@pytest.fixture
def x():
    return taeda.tensor([1.0, 2.0], requires_grad=True)


def test_backward_adds_to_grad(x):
    backward((x * x).sum())
    backward([x * 3, x.sum()], [taeda.tensor([1.0, 0.0]), None])
    assert x.grad.tolist() == [2 + 3 + 1, 4 + 1]


def test_inputs_limit_where_gradients_go(x):
    y = taeda.ones(2, requires_grad=True)
    backward((x * y).sum(), inputs=[y])
    assert x.grad is None
    assert y.grad.tolist() == [1, 2]
    middle = x * 2
    backward(middle.sum(), inputs=middle)
    assert middle.grad.tolist() == [1, 1]


def test_grad_returns_and_leaves_grad_alone(x):
    y = x * x
    (first,) = grad(y, x, taeda.tensor([1.0, 10.0]))
    assert first.tolist() == [2, 40]
    assert x.grad is None


def test_higher_derivatives(x):
    (first,) = grad((x**3).sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    assert second.tolist() == [6, 12]


def test_unused_inputs(x):
    other = taeda.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph. Set allow_unused=True"):
        grad(x.sum(), [x, other])
    assert grad(x.sum(), [x, other], allow_unused=True)[1] is None
    assert grad(x.sum(), [x, other], materialize_grads=True)[1].tolist() == [0, 0, 0]


def test_batched_gradients(x):
    (jacobian,) = grad(x * x, x, taeda.tensor([[1.0, 0.0], [0.0, 1.0]]), is_grads_batched=True)
    assert jacobian.tolist() == [[2, 0], [0, 4]]
    y = taeda.ones(3, requires_grad=True)
    rows = grad((x * x, x.sum()), [x, y], (taeda.ones(5, 2), taeda.zeros(5)), is_grads_batched=True, allow_unused=True)
    assert rows[0].tolist() == [[2, 4]] * 5 and rows[1] is None
    assert not rows[0].requires_grad
    (kept,) = grad(x**3, x, taeda.ones(2, 2), is_grads_batched=True, create_graph=True)
    assert grad(kept.sum(), x)[0].tolist() == [12, 24]
    assert grad(x * x, x, taeda.ones(0, 2), is_grads_batched=True)[0].shape == (0, 2)


def test_batched_gradients_run_the_graph_once(x):
    calls = []
    y = x * 2
    y.register_hook(lambda g: calls.append(tuple(g.shape)))
    grad(y.exp(), x, taeda.ones(7, 2), is_grads_batched=True)
    assert calls == [(2,)]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: backward(x * 2), RuntimeError, "grad can be implicitly created only for scalar outputs"),
        (
            lambda x: backward((x * 1j).sum()),
            RuntimeError,
            "grad can be implicitly created only for real scalar outputs but got torch.complex64",
        ),
        (
            lambda x: backward(x.detach().sum()),
            RuntimeError,
            "element 0 of tensors does not require grad and does not have a grad_fn",
        ),
        (
            lambda x: backward([x.sum(), x.detach().sum()]),
            RuntimeError,
            "element 1 of tensors does not require grad and does not have a grad_fn",
        ),
        (
            lambda x: backward(x * 2, taeda.ones(3)),
            RuntimeError,
            r"Mismatch in shape: grad_output\[0\] has a shape of torch.Size\(\[3\]\) and output\[0\] has a shape of "
            r"torch.Size\(\[2\]\)",
        ),
        (lambda x: backward(x * 1j, taeda.ones(2)), RuntimeError, "required to have the same dtype"),
        (lambda x: backward(x * 2, [3]), TypeError, "gradients can be either Tensors or None, but got int"),
        (lambda x: backward([x.sum(), x.sum()], [None]), RuntimeError, "got 2 tensors and 1 gradients"),
        (lambda x: backward(x.sum(), inputs=[]), RuntimeError, "cannot be empty"),
        (lambda x: backward(3), TypeError, "not iterable"),
        (lambda x: backward(["x"]), TypeError, "expected Tensor"),
        (lambda x: grad(x.sum(), []), RuntimeError, "cannot be empty"),
        (lambda x: grad(x.sum(), [3]), RuntimeError, "all inputs have to be Tensors"),
        (
            lambda x: grad(x.sum(), taeda.ones(2)),
            RuntimeError,
            "One of the differentiated Tensors does not require grad",
        ),
        (
            lambda x: grad(x.sum(), x, allow_unused=False, materialize_grads=True),
            ValueError,
            "Expected allow_unused to be True or not passed",
        ),
        (
            lambda x: grad(x * x, x, taeda.ones(3, 3), is_grads_batched=True),
            RuntimeError,
            "If `is_grads_batched=True`, we interpret the first dimension",
        ),
        (lambda x: grad(x.sum(), x, is_grads_batched=True), ValueError, "Tensor of dimensionality 0"),
        (
            lambda x: grad((x, x.sum()), x, (taeda.ones(3, 2), taeda.ones(2)), is_grads_batched=True),
            ValueError,
            r"same size in the mapped dimension, got sizes \[3, 2\]",
        ),
    ],
)
def test_refused(call, kind, message, x):
    with pytest.raises(kind, match=message):
        call(x)


def test_a_second_backward_needs_retain_graph(x):
    y = (x * x).sum()
    backward(y, retain_graph=True)
    backward(y)
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        backward(y)


def test_old_name_of_grad_tensors(x):
    with pytest.warns(FutureWarning, match="grad_variables"):
        backward(x * 2, grad_variables=taeda.ones(2))
    assert x.grad.tolist() == [2, 2]


def test_gradient_edges(x):
    y = x * x
    edge = get_gradient_edge(y)
    assert isinstance(edge, GradientEdge)
    assert edge.node == y.grad_fn
    (gradient,) = grad(edge, x, taeda.ones(2), retain_graph=True)
    assert gradient.tolist() == [2, 4]
    (gradient,) = grad(y.sum(), get_gradient_edge(x))
    assert gradient.tolist() == [2, 4]
    with pytest.raises(RuntimeError, match="must be given"):
        grad(get_gradient_edge(x * 2), x)
    with pytest.raises(RuntimeError, match="does not require gradients"):
        get_gradient_edge(taeda.ones(1))


def test_nodes_are_instances_of_node(x):
    node = (x * x).grad_fn
    assert isinstance(node, Node)
    assert isinstance(node.next_functions[0][0], Node)
    assert not isinstance(x, Node)
