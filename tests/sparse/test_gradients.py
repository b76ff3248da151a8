"""Gradients of and through sparse tensors, against finite differences of the stored values."""

import numpy as np
import pytest
from sparse_samples import LAYOUTS, array, repeated, same, sparse

import taeda as torch

check = torch.sparse.as_sparse_gradcheck(torch.autograd.gradcheck)
second = torch.sparse.as_sparse_gradcheck(torch.autograd.gradgradcheck)


def leaf(dense, layout="coo"):
    return sparse(dense, layout).requires_grad_()


A, B = array(4, 6), array(4, 6, seed=1)
D = torch.tensor(array(6, 3, density=1.0), requires_grad=True)
SAME = torch.tensor(array(4, 6, density=1.0, seed=2), requires_grad=True)

ONE = {
    "to_dense": lambda s: s.to_dense(),
    "neg": lambda s: -s,
    "scaled": lambda s: 3 * s / 2,
    "sin": lambda s: s.sin(),
    "square": lambda s: s**2,
    "transpose": lambda s: s.t(),
    "sum": lambda s: s.sum(),
    "values": lambda s: s.values() ** 2,
    "clone": lambda s: s.clone(),
    "norm": lambda s: s.norm(),
    "csr": lambda s: s.to_sparse_csr(),
    "bsr": lambda s: s.to_sparse_bsr((2, 3)),
    "coo": lambda s: s.to_sparse(),
    "mm": lambda s: s @ D.detach(),
    "mm_from_left": lambda s: D.detach()[:4].T @ s,
    "mv": lambda s: s @ D.detach()[:, 0],
}
COO_ONLY = {
    "sum_rows": lambda s: torch.sparse.sum(s, 0),
    "softmax": lambda s: torch.sparse.softmax(s, 0),
    "log_softmax": lambda s: torch.sparse.log_softmax(s, 1),
    "select": lambda s: s[1],
    "index_select": lambda s: s.index_select(1, torch.tensor([3, 0, 3])),
    "narrow": lambda s: s[1:3],
    "unsqueeze": lambda s: s.unsqueeze(1),
    "stack": lambda s: torch.stack([s, 2 * s]),
    "coalesce": lambda s: (s + s.t().t()).coalesce(),
    "hspmm": lambda s: torch.hspmm(s, D.detach()),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ONE)
def test_of_one_tensor(name, layout):
    assert check(ONE[name], leaf(A, layout))


@pytest.mark.parametrize("name", COO_ONLY)
def test_of_coordinates(name):
    assert check(COO_ONLY[name], leaf(A))


@pytest.mark.parametrize("name", ["to_dense", "square", "mm", "norm", "values"])
def test_second_derivatives(name):
    assert second(ONE[name], leaf(A))
    assert second(ONE[name], leaf(A, "csr"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_of_two_tensors(layout):
    s, t = leaf(A, layout), leaf(B, layout)
    assert check(lambda s, t: s + 2 * t, (s, t))
    assert check(lambda s, t: s * t, (s, t))
    assert check(lambda s, d: d + s, (s, SAME))
    assert check(lambda s, d: s * d, (s, SAME))
    assert check(lambda s, d: s * d, (s, SAME[:1].detach().requires_grad_()))
    assert check(lambda s, d: s @ d, (s, D))
    assert check(lambda s, d: torch.addmm(torch.ones(4, 3, dtype=torch.float64), s, d, alpha=2), (s, D))


@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_of_two_sparse_factors(layout):
    b = array(6, 5, seed=3)
    assert check(lambda s, t: torch.sparse.mm(s, t), (leaf(A, layout), leaf(b, layout)))
    s, t = leaf(A, layout), leaf(b, layout)
    (s @ t).sum().backward()
    same(s.grad, (np.ones((4, 5)) @ b.T * (A != 0)) * 1.0, s.layout)
    same(t.grad, (A.T @ np.ones((4, 5))) * (b != 0), t.layout)


@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin"])
def test_of_reductions_of_products(reduce):
    a = A.copy()
    a[2] = 0
    assert check(lambda s, d: torch.sparse.mm(s, d, reduce), (leaf(a, "csr"), D))


def test_of_sampled_products():
    x, y = (
        torch.tensor(array(4, 2, density=1.0), requires_grad=True),
        torch.tensor(array(2, 6, density=1.0), requires_grad=True),
    )
    assert check(lambda s, x, y: torch.sparse.sampled_addmm(s, x, y, beta=2, alpha=3), (leaf(A, "csr"), x, y))
    assert second(lambda s, x, y: torch.sparse.sampled_addmm(s, x, y), (leaf(A, "csr"), x, y))


def test_of_complex_products():
    a, d = (
        array(4, 6, dtype=np.complex128),
        torch.tensor(array(6, 3, density=1.0, dtype=np.complex128), requires_grad=True),
    )
    for layout in LAYOUTS:
        assert check(lambda s, d: s @ d, (leaf(a, layout), d))
        assert check(lambda s, d: d[:4].T @ s, (leaf(a, layout), d))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_gradient_has_the_pattern_of_its_tensor(layout):
    s = leaf(A, layout)
    torch.sparse.mm(s, D).sum().backward()
    assert s.grad.layout == s.layout and s.grad._nnz() == s._nnz()
    full = np.ones((4, 3)) @ D.detach().numpy().T
    stored = A != 0 if layout not in ("bsr", "bsc") else s.grad.to_dense().numpy() != 0
    same(s.grad, full * stored)
    before = s.grad.to_dense()
    torch.sparse.mm(s, D).sum().backward()
    same(s.grad, 2 * before.numpy())


def test_values_get_gradients_through_repeated_places():
    values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    s = torch.sparse_coo_tensor([[0, 0, 1], [2, 2, 1]], values, (2, 3))
    (grad,) = torch.autograd.grad((s * s).to_dense().sum(), values)
    assert grad.tolist() == [6, 6, 6]  # the place of the first two holds 3
    (grad,) = torch.autograd.grad((s @ torch.ones(3, 1)).sum(), values)
    assert grad.tolist() == [1, 1, 1]
    whole = repeated(A).requires_grad_()
    (whole @ D).sum().backward()
    same(whole.grad, (np.ones((4, 3)) @ D.detach().numpy().T) * (A != 0))


def test_dense_inputs_get_gradients_through_conversions():
    x = torch.tensor(A, requires_grad=True)
    for convert in (
        lambda x: x.to_sparse(),
        lambda x: x.to_sparse(1),
        lambda x: x.to_sparse_csc(),
        lambda x: x.to_sparse_bsr((2, 2)),
    ):
        (grad,) = torch.autograd.grad(
            (convert(x) @ D if convert(x).dense_dim() == 0 else convert(x).to_dense() @ D).sum(), x
        )
        stored = (
            np.ones_like(A)
            if convert(x).dense_dim()
            else convert(torch.tensor(A)).sparse_mask(convert(torch.tensor(A))).to_dense().numpy() != 0
        )
        got = grad.numpy()
        np.testing.assert_allclose(got[stored != 0], (np.ones((4, 3)) @ D.detach().numpy().T)[stored != 0])
    (grad,) = torch.autograd.grad(x.sparse_mask(sparse(B)).sum(), x)
    assert (grad.numpy() == (B != 0)).all()


def test_the_full_gradient_on_request():
    s = leaf(A)
    s.to_dense(masked_grad=False).sum().backward()
    assert s.grad._nnz() == A.size
    same(s.grad, np.ones_like(A))


def test_sparse_and_dense_gradients_add_up():
    s, x = sparse(A), torch.tensor(B, requires_grad=True)
    (s * x).sum().backward()
    same(x.grad, A)
    for order in (1, -1):
        weight = torch.zeros(4, 6, dtype=torch.float64, requires_grad=True)
        parts = [
            torch.nn.functional.embedding(torch.tensor([1, 1]), weight, sparse=True).sum(),
            (weight * SAME.detach()).sum(),
        ][::order]
        (parts[0] + parts[1]).backward()
        want = SAME.detach().numpy() + np.array([0, 2, 0, 0])[:, None]
        same(weight.grad, want, torch.strided)


def test_hooks_and_retained_gradients_see_sparse_ones():
    s, seen = leaf(A), []
    t = s * 2
    t.retain_grad()
    s.register_hook(lambda g: seen.append(g.layout))
    (t @ D).sum().backward()
    assert seen == [torch.sparse_coo] and t.grad.layout == torch.sparse_coo
    same(s.grad, 2 * t.grad.to_dense().numpy())


def test_nothing_is_recorded_without_grad():
    s = leaf(A)
    with torch.no_grad():
        assert not (s * 2).requires_grad and not s.values().requires_grad
    assert not s.detach().requires_grad and (s * 2).grad_fn is not None


def test_writing_into_tensors_with_history():
    s = leaf(A)
    t = s * 2
    t.mul_(3).add_(s)
    t.to_dense().sum().backward()
    same(s.grad, 7.0 * (A != 0))
    x = torch.tensor(B, requires_grad=True)
    y = x * 1
    y.mul_(sparse(A))
    y.sum().backward()
    same(x.grad, A)
    s, x = leaf(A), torch.tensor(B, requires_grad=True)
    y = x * 1
    y.add_(s)
    y.sum().backward()
    same(x.grad, np.ones_like(A))
    same(s.grad, np.ones_like(A))  # what was recorded is the sum of two whole tensors
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        s.add_(s)


def test_gradcheck_of_sparse_inputs():
    assert torch.autograd.gradcheck(lambda s: s.sin(), leaf(A), masked=True)
    assert torch.autograd.gradgradcheck(lambda s: s.sin(), leaf(A), masked=True)
    with pytest.raises(ValueError, match="dense when masked is set to False"):
        torch.autograd.gradcheck(lambda s: s.sin(), leaf(A))

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, s):
            return s.to_dense()

        @staticmethod
        def backward(ctx, g):
            return (2 * g).sparse_mask(sparse(A))

    assert not torch.autograd.gradcheck(Wrong.apply, leaf(A), masked=True, raise_exception=False)


def test_hooks_on_saved_tensors_beside_and_of_sparse_ones():
    s, x = leaf(A), torch.tensor(B, requires_grad=True)
    with torch.autograd.graph.save_on_cpu():
        y = (x * x).sum() + (s * s).sum()
    y.backward()
    same(x.grad, 2 * B)
    same(s.grad, 2 * A)
