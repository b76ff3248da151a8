"""Sums, products and functions of single elements, against dense arrays."""

import numpy as np
import pytest
from sparse_samples import LAYOUTS, array, repeated, same, sparse

import taeda as torch


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sparse_with_sparse(layout):
    a, b = array(6, 9, seed=1), array(6, 9, seed=2)
    s, t = sparse(a, layout), sparse(b, layout)
    same(s + t, a + b, s.layout)
    same(s - t, a - b, s.layout)
    same(torch.add(s, t, alpha=3), a + 3 * b, s.layout)
    same(s + s, 2 * a, s.layout)
    same(s * t, a * b, s.layout)
    same(s * s, a * a, s.layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sparse_with_numbers_and_dense(layout):
    a, d = array(6, 9), array(6, 9, density=1.0, seed=3)
    s, dense = sparse(a, layout), torch.tensor(d)
    same(s * 2, 2 * a, s.layout)
    same(2 * s, 2 * a, s.layout)
    same(s * torch.tensor(2.5), 2.5 * a, s.layout)
    same(s / 4, a / 4, s.layout)
    same(s * dense, a * d, s.layout)
    same(dense * s, a * d, s.layout)
    same(dense + s, a + d, torch.strided)
    same(torch.sub(dense, s, alpha=2), d - 2 * a, torch.strided)
    same(s - dense, a - d, torch.strided)
    same(s * dense[:1], a * d[:1], s.layout)
    same(s * dense[:, 2:3], a * d[:, 2:3], s.layout)
    same(s * dense[0], a * d[0], s.layout)


def test_what_repeats_places_counts_in_sum():
    a, b, d = array(5, 4), array(5, 4, seed=4), array(5, 4, density=1.0)
    s, t = repeated(a), repeated(b, seed=5)
    same(s + t, a + b)
    same(s * t, a * b)
    same(s * torch.tensor(d), a * d)
    same(torch.tensor(d) + s, a + d)
    same(s.abs(), abs(a))
    same(s.neg(), -a)
    same(s**2, a**2)


def test_dense_dims_take_part():
    a, b = array(4, 3, 5), array(4, 3, 5, seed=7)
    s, t = torch.tensor(a).to_sparse(1), torch.tensor(b).to_sparse(1)
    same(s + t, a + b)
    same(s * t, a * b)
    same(s * torch.tensor(b), a * b)
    same(torch.tensor(b) + s, a + b)
    same(s * torch.tensor(b[:, :, :1]), a * b[:, :, :1])


@pytest.mark.parametrize("layout", ["coo", "csr", "bsc"])
@pytest.mark.parametrize(
    "name",
    ["abs", "asinh", "atan", "ceil", "deg2rad", "erf", "expm1", "floor", "frac", "neg", "positive", "rad2deg", "relu", "round", "sgn",
     "sign", "sin", "sinh", "square", "tan", "tanh", "trunc", "nan_to_num"],
)  # fmt: skip
def test_functions_that_keep_zero(name, layout):
    a = array(6, 9)
    same(
        getattr(torch, name)(sparse(a, layout)),
        getattr(torch, name)(torch.tensor(a)).numpy(),
        getattr(torch, f"sparse_{layout}"),
    )


@pytest.mark.parametrize("name", ["asin", "atanh", "sqrt", "log1p", "erfinv", "isnan", "isinf", "signbit"])
def test_functions_of_small_numbers(name):
    a = np.clip(abs(array(6, 9)), 0, 0.9)
    same(getattr(torch, name)(sparse(a)), getattr(torch, name)(torch.tensor(a)).numpy())


def test_promotion():
    s = torch.sparse_coo_tensor([[0, 1]], [1, 2], (3,))
    assert (
        (s * 1.5).dtype == torch.float32 and (s + s.double()).dtype == torch.float64 and (s / 2).dtype == torch.float32
    )
    assert (s.double() * torch.ones(3)).dtype == torch.float64 and s.bool().dtype == torch.bool
    assert s.bool().to_dense().tolist() == [True, True, False]


def test_in_place():
    a, b, d = array(4, 5), array(4, 5, seed=1), array(4, 5, density=1.0)
    s = sparse(a)
    twin = s.detach()
    assert s.add_(sparse(b)) is s
    same(s, a + b)
    same(twin, a + b)  # one tensor's memory, as of dense ones
    same(s.mul_(2), 2 * (a + b))
    same(s.neg_(), -2 * (a + b))
    same(s.copy_(sparse(a)), a)
    same(s.zero_(), 0 * a)
    dense = torch.tensor(d)
    dense.add_(sparse(b), alpha=2).sub_(sparse(a))
    same(dense, d + 2 * b - a)
    same(dense.mul_(sparse(a)), (d + 2 * b - a) * a)
    with pytest.raises(RuntimeError, match="can't be cast"):
        torch.sparse_coo_tensor([[0]], [1], (3,)).mul_(1.5)
    with pytest.raises(RuntimeError, match="between dense and sparse Tensors is not implemented"):
        dense.copy_(sparse(a))


def test_out():
    a, b = array(4, 5), array(4, 5, seed=1)
    out = torch.sparse_coo_tensor((2, 2), dtype=torch.float64)
    assert torch.add(sparse(a), sparse(b), out=out) is out
    same(out, a + b)
    dense = torch.empty(0, dtype=torch.float64)
    torch.mm(sparse(a), torch.tensor(b.T), out=dense)
    same(dense, a @ b.T)


def test_refusals():
    s, d = sparse(array(4, 5)), torch.ones(4, 5)
    with pytest.raises(RuntimeError, match="add\\(sparse, dense\\) is not supported"):
        s + 1
    with pytest.raises(RuntimeError, match="Sparse division requires a scalar"):
        s / d
    with pytest.raises(RuntimeError, match="cannot raise to zeroth power"):
        s**0
    with pytest.raises(RuntimeError, match="expected sizes of 'self' and 'other' to match"):
        s + s[0]
    with pytest.raises(RuntimeError, match="same layout"):
        s + s.to_sparse_csr()
    with pytest.raises(NotImplementedError, match="reciprocal|div"):
        2 / s
