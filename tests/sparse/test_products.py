"""Matrix products, against dense arrays and SciPy."""

import numpy as np
import pytest
from sparse_samples import LAYOUTS, array, repeated, same, sparse

import taeda as torch


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128, np.int64])
@pytest.mark.parametrize("columns", [1, 5, 37, 130])
def test_sparse_with_dense(layout, dtype, columns):
    a, d = array(6, 9, dtype=dtype), array(9, columns, density=1.0, dtype=dtype)
    s, dense = sparse(a, layout), torch.tensor(d)
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    for got in (s @ dense, torch.mm(s, dense), torch.sparse.mm(s, dense)):
        assert got.layout == torch.strided and got.dtype == dense.dtype
        np.testing.assert_allclose(got.numpy(), a @ d, **tolerance)
    np.testing.assert_allclose((dense[:6].T @ s).numpy(), d[:6].T @ a, **tolerance)
    np.testing.assert_allclose((s @ dense[:, 0]).numpy(), a @ d[:, 0], **tolerance)
    np.testing.assert_allclose(s.mv(dense[:, 0]).numpy(), a @ d[:, 0], **tolerance)
    np.testing.assert_allclose((dense[:6, 0] @ s).numpy(), d[:6, 0] @ a, **tolerance)


def test_repeated_places_and_views():
    a, d = array(6, 9), array(20, 18, density=1.0)
    same(repeated(a) @ torch.tensor(d)[:18:2, ::3], a @ d[:18:2, ::3])
    same(torch.tensor(d).T[:4, :6] @ repeated(a), d.T[:4, :6] @ a)
    same(repeated(a).t() @ torch.tensor(d[:6]), a.T @ d[:6])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types(dtype):
    a, d = array(6, 9), array(9, 4, density=1.0)
    got = sparse(a).to(dtype) @ torch.tensor(d).to(dtype)
    assert got.dtype == dtype
    np.testing.assert_allclose(got.double().numpy(), a @ d, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_sparse_with_sparse(layout):
    from scipy import sparse as scipy_sparse

    a, b = array(30, 40, density=0.1), array(40, 25, density=0.1, seed=1)
    got = torch.sparse.mm(sparse(a, layout), sparse(b, layout))
    same(got, a @ b, getattr(torch, f"sparse_{layout}"))
    theirs = (scipy_sparse.csr_matrix(a) @ scipy_sparse.csr_matrix(b)).sorted_indices()
    ours = got.to_sparse_csr()
    assert (
        ours.crow_indices().tolist() == theirs.indptr.tolist()
        and ours.col_indices().tolist() == theirs.indices.tolist()
    )
    same(repeated(a) @ repeated(b), a @ b)


def test_sums_with_products():
    a, d, m = array(6, 9), array(9, 4, density=1.0), array(6, 4, density=1.0)
    for layout in LAYOUTS:
        s = sparse(a, layout)
        got = torch.addmm(torch.tensor(m), s, torch.tensor(d), beta=2, alpha=3)
        same(got, 2 * m + 3 * a @ d, torch.strided)
        same(torch.sparse.addmm(torch.tensor(m), s, torch.tensor(d)), m + a @ d)
        same(torch.addmv(torch.tensor(m[:, 0]), s, torch.tensor(d[:, 0]), beta=0.5), 0.5 * m[:, 0] + a @ d[:, 0])
    same(torch.addmm(torch.tensor(m[0]), sparse(a), torch.tensor(d)), m[0] + a @ d)
    same(torch.addmm(sparse(m), sparse(a), sparse(d)), m + a @ d, torch.sparse_coo)
    same(torch.nn.functional.linear(torch.tensor(d.T), sparse(a), torch.tensor(m[:, 0])), d.T @ a.T + m[:, 0])


def test_batches():
    a, d = array(3, 4, 5), array(3, 5, 2, density=1.0)
    same(torch.bmm(sparse(a), torch.tensor(d)), a @ d)
    same(torch.tensor(a).to_sparse() @ torch.tensor(d[0]), a @ d[0])
    full = np.tile(array(4, 5), (3, 1, 1))
    same(torch.tensor(full).to_sparse_csr() @ torch.tensor(d), full @ d)
    same(torch.tensor(d.transpose(0, 2, 1)) @ sparse(array(5, 7)), d.transpose(0, 2, 1) @ array(5, 7))


@pytest.mark.parametrize("reduce", ["sum", "mean", "amax", "amin"])
def test_reductions_of_products(reduce):
    a, d = array(6, 9), array(9, 4, density=1.0)
    a[2] = 0
    want = np.zeros((6, 4))
    for r in range(6):
        there = np.nonzero(a[r])[0]
        if len(there):
            parts = a[r, there, None] * d[there]
            want[r] = {"sum": parts.sum, "mean": parts.mean, "amax": parts.max, "amin": parts.min}[reduce](0)
    same(torch.sparse.mm(sparse(a, "csr"), torch.tensor(d), reduce), want)


def test_sampled_products():
    a, x, y = array(6, 9), array(6, 4, density=1.0), array(4, 9, density=1.0)
    got = torch.sparse.sampled_addmm(sparse(a, "csr"), torch.tensor(x), torch.tensor(y), beta=2, alpha=3)
    same(got, 2 * a + 3 * (x @ y) * (a != 0), torch.sparse_csr)
    batch = np.tile(a, (2, 1, 1))
    got = torch.sparse.sampled_addmm(
        torch.tensor(batch).to_sparse_csr(), torch.tensor(np.stack([x, -x])), torch.tensor(np.stack([y, y]))
    )
    same(got, batch + np.stack([x @ y, -x @ y]) * (a != 0))


def test_products_that_stay_sparse():
    a, d = array(6, 9), array(9, 4, density=1.0)
    a[2] = 0
    s, dense = sparse(a), torch.tensor(d)
    same(torch.smm(s, dense), a @ d, torch.sparse_coo)
    hybrid = torch.hspmm(s, dense)
    assert (hybrid.sparse_dim(), hybrid.dense_dim(), hybrid._nnz()) == (1, 1, (a != 0).any(1).sum())
    same(hybrid, a @ d)
    same(torch.sspaddmm(sparse(array(6, 4)), s, dense, beta=2, alpha=3), 2 * array(6, 4) + 3 * a @ d, torch.sparse_coo)


def test_diagonals():
    from scipy import sparse as scipy_sparse

    rows = array(3, 5, density=1.0)
    for shape in ((5, 5), (4, 6), (6, 4)):
        want = scipy_sparse.dia_matrix((rows, [0, 2, -1]), shape=shape).toarray()
        for layout in (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc):
            same(torch.sparse.spdiags(torch.tensor(rows), torch.tensor([0, 2, -1]), shape, layout), want, layout)
    with pytest.raises(RuntimeError, match="duplicate values"):
        torch.sparse.spdiags(torch.tensor(rows), torch.tensor([0, 2, 2]), (5, 5))


def test_systems_of_equations():
    a = array(5, 5) + 5 * np.eye(5)
    b = array(5, density=1.0)
    got = torch.sparse.spsolve(sparse(a, "csr"), torch.tensor(b))
    np.testing.assert_allclose(a @ got.numpy(), b)


def test_refusals():
    s, d = sparse(array(6, 9)), torch.ones(9, 4, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        s @ d[:5]
    with pytest.raises(RuntimeError, match="same dtype"):
        s @ d.float()
    with pytest.raises(RuntimeError, match="expected strided result tensor"):
        torch.addmm(sparse(array(6, 4)), s, d)
    with pytest.raises(NotImplementedError, match="_sparse_mm_reduce_impl"):
        torch.sparse.mm(s, d, "amax")
    with pytest.raises(NotImplementedError, match="sampled_addmm"):
        torch.sparse.sampled_addmm(s, d[:6], d.T)


def test_structures_that_do_not_hold_together_are_not_followed():
    matrix = torch.ones(3, 3, dtype=torch.float64).to_sparse_csr()
    matrix.col_indices()[0] = 99  # writes into its memory
    with pytest.raises(IndexError, match="index 99 is out of bounds"):
        matrix @ torch.ones(3, 2, dtype=torch.float64)


def test_threads_do_not_change_the_result():
    a, d = array(400, 300, dtype=np.float32), array(300, 65, density=1.0, dtype=np.float32)
    s, dense = sparse(a, "csr"), torch.tensor(d)
    before = torch.get_num_threads()
    results = []
    for n in (1, 2):
        torch.set_num_threads(n)
        results.append((s @ dense).numpy())
    torch.set_num_threads(before)
    assert (results[0] == results[1]).all()
    np.testing.assert_allclose(results[0], a @ d, rtol=1e-3, atol=1e-3)
