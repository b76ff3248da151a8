"""Reductions where the registry's samples do not lead: one element, and unsigned numbers above the signed ones."""

import numpy as np
import pytest

import taeda

LARGE = np.array([[1, 2**63 + 5, 7], [2**64 - 1, 0, 2**63 - 1]], dtype=np.uint64)


@pytest.mark.parametrize("name", ["std_mean", "var_mean"])
@pytest.mark.parametrize("options", [{}, {"dim": 0}, {"correction": 1, "keepdim": True}])
def test_the_mean_of_one_element_has_a_gradient(name, options):
    x = taeda.tensor([3.0], requires_grad=True)
    spread, mean = getattr(taeda, name)(x, **options)
    assert taeda.autograd.grad(mean.sum(), x, retain_graph=True)[0].tolist() == [1]
    assert taeda.autograd.grad((mean + spread).sum(), x)[0].isnan().all()


def test_both_gradients_of_a_spread_and_its_mean():
    x = taeda.tensor([1.0, 2.0, 4.0], dtype=taeda.float64, requires_grad=True)
    var, mean = taeda.var_mean(x)
    (got,) = taeda.autograd.grad(2 * var + 3 * mean, x)
    np.testing.assert_allclose(got.numpy(), 2 * (x.detach().numpy() - 7 / 3) + 1)
    assert taeda.autograd.gradcheck(lambda x: taeda.std_mean(x), (x,))


def test_extremes_of_uint64_are_compared_without_sign():
    x = taeda.from_numpy(LARGE.copy())
    assert x.max().item() == 2**64 - 1 and x.min().item() == 0
    np.testing.assert_array_equal(x.amax(0).numpy(), LARGE.max(0))
    np.testing.assert_array_equal(x.amin(1, keepdim=True).numpy(), LARGE.min(1, keepdims=True))
    for name, arg in (("max", np.argmax), ("min", np.argmin)):
        values, indices = getattr(x, name)(1)
        np.testing.assert_array_equal(indices.numpy(), arg(LARGE, 1))
        np.testing.assert_array_equal(values.numpy(), getattr(LARGE, name)(1))
        assert getattr(x, f"arg{name}")().item() == arg(LARGE)
    low, high = taeda.aminmax(x.t(), dim=0)
    np.testing.assert_array_equal(low.numpy(), LARGE.min(1))
    np.testing.assert_array_equal(high.numpy(), LARGE.max(1))
    out = taeda.empty((), dtype=taeda.uint64)
    assert taeda.amax(x, (0, 1), out=out) is out and out.item() == 2**64 - 1
    assert x.to("meta").max().shape == ()
