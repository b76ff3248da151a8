"""Writes through views: the order of what they record, and second derivatives."""

import warnings

import pytest

import taeda
from taeda.autograd import grad
from taeda.testing import assert_close


@pytest.fixture
def x():
    return taeda.tensor([1.0, 2.0, 3.0, 4.0], dtype=taeda.float64, requires_grad=True)


def late_view(x):
    """A view that is followed to its base's new history by the very operation that reads it."""
    y = x * 1
    v = y[2:]
    y.mul_(2)
    return v.exp() * v


def late_view_in_a_list(x):
    y = x * 1
    v = y[2:]
    y.mul_(2)
    return taeda.stack([v, v]).sum(0) * v


def late_view_added_to_its_twin(x):
    y = x * 1
    u, v = y[:2], y[:2]
    y.mul_(3)
    u.add_(v)
    return v * u


def result_written(x):
    y = x * 1
    y[2:].exp_()
    return y * x


def through_a_transpose(x):
    y = (x * 2).view(2, 2)
    y.t()[1].sigmoid_()
    return y * y


def with_gaps(x):
    y = taeda.empty_strided([2, 2], [3, 1], dtype=x.dtype).copy_(x.view(2, 2))
    y[:, 0].exp_()
    return y


def plain(name):
    def late(x):
        return (2 * x[2:]).exp() * (2 * x[2:])

    def listed(x):
        return 2 * (2 * x[2:]) ** 2

    def twin(x):
        return (6 * x[:2]) ** 2

    def written(x):
        return taeda.cat([x[:2], x[2:].exp()]) * x

    def transposed(x):
        a, b, c, d = (2 * x).unbind()
        return taeda.stack([a, b.sigmoid(), c, d.sigmoid()]).view(2, 2) ** 2

    def gaps(x):
        return taeda.stack([x[0].exp(), x[1], x[2].exp(), x[3]]).view(2, 2)

    return {
        "late_view": late,
        "late_view_in_a_list": listed,
        "late_view_added_to_its_twin": twin,
        "result_written": written,
        "through_a_transpose": transposed,
        "with_gaps": gaps,
    }[name]


FUNCTIONS = [
    late_view,
    late_view_in_a_list,
    late_view_added_to_its_twin,
    result_written,
    through_a_transpose,
    with_gaps,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_first_and_second_derivatives(function, x):
    wanted = plain(function.__name__)
    assert_close(function(x), wanted(x))
    weights = taeda.arange(1.0, 1 + wanted(x).numel(), dtype=x.dtype).reshape(wanted(x).shape)
    found = []
    for f in (function, wanted):
        (first,) = grad((f(x) * weights).sum(), x, create_graph=True)
        (second,) = grad((first * first).sum(), x)
        x.grad = None
        (f(x) * weights).sum().backward()
        found.append((first.detach(), second, x.grad))
    assert_close(found[0], found[1])
    assert_close(found[0][0], found[0][2])


def test_a_view_of_a_leaf_that_was_written(x):
    v = x[1:]
    with taeda.no_grad():
        x.mul_(2)
    assert grad((v * v).sum(), x)[0].tolist() == [0, 8, 12, 16]


def test_the_graph_is_freed_once(x):
    y = x * 1
    y[1:].exp_()
    loss = (y * y).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"), warnings.catch_warnings():
        loss.backward()
