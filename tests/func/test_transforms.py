"""Derivatives of functions: against analytic ones, against finite differences, and nested in one another."""

import numpy as np
import pytest

import taeda as torch
from taeda import func


def sample(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def f(x):
    return (x.sin() * x.roll(1)).sum() + (x**3).prod()


def df(x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


def test_grad():
    x = sample(4)
    g = func.grad(f)(x)
    torch.testing.assert_close(g, df(x))
    assert not g.requires_grad


def test_grad_and_value_with_aux():
    x = sample(4)
    g, (value, aux) = func.grad_and_value(lambda x: (f(x), x * 2), has_aux=True)(x)
    torch.testing.assert_close(g, df(x))
    torch.testing.assert_close(value, f(x))
    torch.testing.assert_close(aux, 2 * x)
    assert not value.requires_grad
    assert not aux.requires_grad


def test_argnums_and_structures():
    p = {"w": sample(3), "b": sample(1, seed=1)}
    x = sample(3, seed=2)
    g = func.grad(lambda p, x: ((p["w"] * x).sum() + p["b"]).pow(2).sum())(p, x)
    e = 2 * ((p["w"] * x).sum() + p["b"])
    torch.testing.assert_close(g["w"], e * x)
    torch.testing.assert_close(g["b"], e)
    a, b = func.grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(x, 2 * x)
    torch.testing.assert_close(a, 2 * x)
    torch.testing.assert_close(b, x)
    with pytest.raises(RuntimeError, match="only 1 positional inputs"):
        func.grad(f, argnums=1)(x)
    with pytest.raises(RuntimeError, match="scalar tensor"):
        func.grad(lambda x: x)(x)


def test_higher_derivatives():
    x = torch.tensor(0.7, dtype=torch.float64)
    g = torch.sin
    for expected in (torch.cos(x), -torch.sin(x), -torch.cos(x), torch.sin(x)):
        g = func.grad(g)
        torch.testing.assert_close(g(x), expected)


def test_tape_outside():
    w = sample(3).requires_grad_()
    x = sample(3, seed=1)
    g = func.grad(lambda x: (w * x**2).sum())(x)
    assert g.requires_grad
    g.sum().backward()
    torch.testing.assert_close(w.grad, 2 * x)


def test_under_no_grad():
    with torch.no_grad():
        g = func.grad(f)(sample(4))
    torch.testing.assert_close(g, df(sample(4)))


def test_vjp():
    x, v = sample(4), sample(4, seed=1)
    y, pull = func.vjp(lambda x: (x.sin(), {"s": x.sum()}), x)
    (g,) = pull((v, {"s": torch.tensor(2.0, dtype=torch.float64)}))
    torch.testing.assert_close(g, v * x.cos() + 2)
    torch.testing.assert_close(y[0], x.sin())
    (again,) = pull((v, {"s": torch.tensor(0.0, dtype=torch.float64)}))
    torch.testing.assert_close(again, v * x.cos())
    with pytest.raises(RuntimeError, match="structure"):
        pull(v)


def test_jvp():
    x, t = sample(4), sample(4, seed=1)
    y, d = func.jvp(lambda x: x.sin() * x.sum(), (x,), (t,))
    torch.testing.assert_close(y, x.sin() * x.sum())
    torch.testing.assert_close(d, x.cos() * t * x.sum() + x.sin() * t.sum())


def test_linearize():
    x, t = sample(4), sample(4, seed=1)
    y, push = func.linearize(lambda x: x.sin() * x.sum(), x)
    torch.testing.assert_close(y, x.sin() * x.sum())
    torch.testing.assert_close(push(t), x.cos() * t * x.sum() + x.sin() * t.sum())
    torch.testing.assert_close(push(2 * t), 2 * push(t))


def jacobian_of_quadratic(a, x):
    return torch.diag(x.cos()) @ a


@pytest.mark.parametrize("jac", [func.jacrev, func.jacfwd])
def test_jacobians(jac):
    x, a = sample(3), sample(4, 3, seed=1)
    got = jac(lambda x: (a @ x).sin())(x)
    torch.testing.assert_close(got, torch.diag((a @ x).cos()) @ a)
    two = jac(lambda x, y: x.outer(y), argnums=(0, 1))(x, a[0])
    assert two[0].shape == (3, 3, 3)
    torch.testing.assert_close(two[1], torch.einsum("i,jk->ijk", x, torch.eye(3, dtype=x.dtype)))


def test_jacrev_in_chunks_and_with_aux():
    x, a = sample(3), sample(4, 3, seed=1)
    got, aux = func.jacrev(lambda x: ((a @ x).sin(), x.sum()), has_aux=True, chunk_size=2)(x)
    torch.testing.assert_close(got, torch.diag((a @ x).cos()) @ a)
    torch.testing.assert_close(aux, x.sum())


def test_hessian():
    x = sample(4)
    h = func.hessian(f)(x)
    n = torch.autograd.functional.hessian(f, x)
    torch.testing.assert_close(h, n)
    torch.testing.assert_close(func.jacrev(func.jacrev(f))(x), n)
    torch.testing.assert_close(func.jacfwd(func.jacfwd(f))(x), n)
    torch.testing.assert_close(func.jacrev(func.jacfwd(f))(x), n)


def test_gradient_of_each_sample():
    x, w = sample(5, 3), sample(3, seed=1)
    loss = lambda w, x: (w @ x).tanh()  # noqa: E731
    got = func.vmap(func.grad(loss), in_dims=(None, 0))(w, x)
    want = torch.stack([func.grad(loss)(w, row) for row in x])
    torch.testing.assert_close(got, want)
    hess = func.vmap(func.hessian(loss), in_dims=(None, 0))(w, x)
    want = torch.stack([func.hessian(loss)(w, row) for row in x])
    torch.testing.assert_close(hess, want)


def test_grad_of_vmap_and_jvp_of_grad():
    x, v = sample(5, 3), sample(5, 3, seed=1)
    got = func.grad(lambda x: func.vmap(f)(x).sum())(x)
    torch.testing.assert_close(got, torch.stack([df(row) for row in x]))
    _, hv = func.jvp(func.grad(f), (x[0],), (v[0],))
    torch.testing.assert_close(hv, func.hessian(f)(x[0]) @ v[0])
    _, d = func.jvp(func.vmap(f), (x,), (v,))
    torch.testing.assert_close(d, (torch.stack([df(row) for row in x]) * v).sum(1))
    out = func.vmap(lambda x, v: func.jvp(f, (x,), (v,))[1])(x, v)
    torch.testing.assert_close(out, d)
    g = func.grad(lambda x: func.jvp(f, (x,), (v[0],))[1])(x[0])
    torch.testing.assert_close(g, func.hessian(f)(x[0]) @ v[0])


def test_per_sample_gradients_of_a_network():
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(27, 4)
    ).double()
    parameters = {k: v.detach() for k, v in net.named_parameters()}
    x, y = sample(6, 1, 8, 8), torch.arange(6) % 4

    def loss(parameters, x, y):
        return torch.nn.functional.cross_entropy(func.functional_call(net, parameters, (x[None],)), y[None])

    got = func.vmap(func.grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    for b in range(6):
        want = func.grad(loss)(parameters, x[b], y[b])
        for name, value in want.items():
            torch.testing.assert_close(got[name][b], value)


def test_ensemble():
    nets = [torch.nn.Linear(3, 2).double() for _ in range(4)]
    parameters, buffers = func.stack_module_state(nets)
    x = sample(5, 3)
    got = func.vmap(lambda p, b, x: func.functional_call(nets[0], (p, b), (x,)), in_dims=(0, 0, None))(
        parameters, buffers, x
    )
    torch.testing.assert_close(got, torch.stack([net(x) for net in nets]))
    with pytest.raises(RuntimeError, match="at least one model"):
        func.stack_module_state([])
