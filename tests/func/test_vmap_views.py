"""Views of samples inside vmap: their strides, and writes into them while gradients are recorded."""

import warnings

import pytest

import taeda as torch
from taeda.func import grad, jacrev, jvp, vmap

X = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [-1.0, 0.5, 2.0, 9.0]], dtype=torch.float64)


def row_zeroed(x):
    y = x.clone()
    y[0] = 0
    return y


def products(x):
    y = x.sin()
    y[1:] *= x[:-1]
    y[::2].exp_()
    return y


def through_a_matrix(x):
    y = (x * 2).reshape(2, 2)
    y.t()[0].mul_(y[1] * 1)
    y.diagonal().add_(x[0])
    return y


def seen_by_other_views(x):
    y = x * 1
    whole, tail = y.view(2, 2), y[2:]
    tail.mul_(x[0])
    return whole * tail


def into_a_view_of_a_view(x):
    y = (x.exp() * 1).view(2, 2)
    y[1][0] = x[3] * x[2]
    y.view(-1)[1:3].copy_(y[0] * 2)
    return y


def with_strides(x):
    y, step = x.clone(), x.stride(0)
    y.as_strided([2], [3 * y.stride(0)]).mul_(x[1])
    return y * x.as_strided([2, 2], [step, 2 * step]).reshape(-1)


def by_indices(x):
    y = x.clone()
    y[torch.tensor([0, 2])] *= x[1]
    y[1:3] = y[2:] * 2
    y[-1], y.view(2, 2)[0] = x[0], x[3]
    y[None, 1:].clamp_(max=5).masked_fill_(x[1:] > 6.5, 2)
    return y


FUNCTIONS = [
    by_indices,
    row_zeroed,
    products,
    through_a_matrix,
    seen_by_other_views,
    into_a_view_of_a_view,
    with_strides,
]


def loss(f):
    return lambda x: (f(x) ** 2).sum()


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("dim", [0, 1])
def test_gradients_of_each_sample(f, dim):
    x = X if dim == 0 else X.t().contiguous()
    want = torch.stack([grad(loss(f))(row.clone()) for row in X])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(vmap(grad(loss(f)), in_dims=dim)(x), want)
        over = grad(lambda x: vmap(loss(f), in_dims=dim)(x).sum())(x)
    torch.testing.assert_close(over if dim == 0 else over.t(), want)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_second_derivatives_and_forward_mode(f):
    want = torch.stack([jacrev(jacrev(loss(f)))(row.clone()) for row in X])
    torch.testing.assert_close(vmap(jacrev(jacrev(loss(f))))(X), want)
    along = torch.ones(4, dtype=X.dtype)
    slopes = torch.stack([jvp(f, (row.clone(),), (along,))[1] for row in X])
    torch.testing.assert_close(vmap(lambda x: jvp(f, (x,), (along,))[1])(X), slopes)
    torch.testing.assert_close(jvp(vmap(f), (X,), (torch.ones_like(X),))[1], slopes)


def test_two_levels():
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    want = torch.stack([torch.stack([grad(loss(products))(row) for row in part]) for part in x])
    torch.testing.assert_close(vmap(vmap(grad(loss(products))))(x), want)
    torch.testing.assert_close(vmap(vmap(grad(loss(products))), in_dims=2)(x.permute(1, 2, 0)), want)


def test_strides_are_those_of_a_sample():
    seen = []
    vmap(lambda x: seen.append((x.stride(), x.t().stride(), x.is_contiguous())) or x)(torch.ones(2, 3, 4))
    vmap(lambda x: seen.append((x.stride(), x.t().stride(), x.is_contiguous())) or x, in_dims=2)(torch.ones(3, 4, 2))
    assert seen == [((4, 1), (1, 4), True), ((8, 2), (2, 8), False)]


def test_a_copy_is_not_a_view():
    def f(x):
        x.t().reshape(-1).zero_()
        x.reshape(-1)[0] = 7
        return x

    got = vmap(f)(torch.arange(8.0).reshape(2, 2, 2))
    assert got.tolist() == [[[7, 1], [2, 3]], [[7, 5], [6, 7]]]


def test_views_stay_inside_their_sample():
    with pytest.raises(RuntimeError, match="beyond the memory of its sample"):
        vmap(lambda x: x.as_strided([2], [4]))(X)
    with pytest.raises(RuntimeError, match="beyond the memory of its sample"):
        vmap(lambda x: x[1:].as_strided([2], [1], 0))(X)


def test_geometry_in_place():
    x = torch.arange(6.0).reshape(2, 3)
    assert vmap(lambda x: x.clone().resize_(2))(x).tolist() == [[0, 1], [3, 4]]
    assert vmap(lambda x: x.clone().resize_(2, 2).reshape(-1)[:3])(x).tolist() == x.tolist()
    assert vmap(lambda x: torch.empty_like(x).set_(x * 2))(x).tolist() == (x * 2).tolist()
    assert vmap(lambda x: x.new_empty_strided([3, 2], [1, 3]).copy_(x[:2]))(x).tolist() == [[[0, 1]] * 3, [[3, 4]] * 3]
