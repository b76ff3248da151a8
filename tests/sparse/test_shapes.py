"""Reductions, softmax, and turning, joining and taking apart, against dense arrays."""

import numpy as np
import pytest
from sparse_samples import LAYOUTS, array, repeated, same, sparse

import taeda as torch


@pytest.mark.parametrize("dim", [None, 0, 1, 2, -1, (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("sparse_dims", [1, 2, 3])
def test_sums(dim, sparse_dims):
    a = array(4, 3, 5)
    s = torch.tensor(a).to_sparse(sparse_dims)
    want = a.sum(dim)
    dims = range(3) if dim is None else [d % 3 for d in ([dim] if isinstance(dim, int) else dim)]
    left = torch.sparse_coo if any(d not in dims for d in range(sparse_dims)) else torch.strided
    for got in (torch.sparse.sum(s, dim), s.sum(dim)):
        same(got, want, left)
    same(s.sum(dim, keepdim=True), a.sum(dim, keepdims=True))


def test_sums_of_other_kinds():
    a = array(6, 9)
    for layout in LAYOUTS:
        same(sparse(a, layout).sum(), a.sum())
    same(sparse(a, "csr").sum(0, keepdim=True), a.sum(0, keepdims=True), torch.sparse_csr)
    same(sparse(a, "csr").sum(1, keepdim=True), a.sum(1, keepdims=True), torch.sparse_csr)
    with pytest.raises(RuntimeError, match="keepdim=False is unsupported"):
        sparse(a, "csr").sum(0)
    ints = torch.sparse_coo_tensor([[0, 1]], torch.tensor([200, 100], dtype=torch.uint8), (3,))
    assert ints.sum().item() == 300 and ints.sum().dtype == torch.int64
    assert torch.sparse.sum(sparse(a), dtype=torch.float32).dtype == torch.float32
    same(repeated(a).sum(0), a.sum(0))
    assert bool(sparse(a).any()) and not bool(torch.zeros(3).to_sparse().any())
    np.testing.assert_allclose(sparse(a).norm().item(), np.linalg.norm(a))
    np.testing.assert_allclose(torch.norm(repeated(a), 1).item(), abs(a).sum())


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("sparse_dims", [1, 2, 3])
def test_softmax_leaves_out_what_is_not_stored(dim, sparse_dims):
    a = array(4, 3, 5)
    s = torch.tensor(a).to_sparse(sparse_dims)
    stored = torch.sparse_coo_tensor(s.indices(), torch.ones_like(s.values()), s.shape).to_dense().numpy() != 0
    with np.errstate(invalid="ignore", divide="ignore"):
        powers = np.where(stored, np.exp(a - a.max()), 0)
        want = powers / powers.sum(dim, keepdims=True)
        same(torch.sparse.softmax(s, dim), np.where(stored, want, 0), torch.sparse_coo)
        same(torch.sparse.log_softmax(s, dim), np.where(stored, np.log(want), 0), torch.sparse_coo)
    assert torch.sparse.softmax(s, dim, dtype=torch.float32).dtype == torch.float32


@pytest.mark.parametrize("layout", LAYOUTS)
def test_transposes(layout):
    a = array(6, 9)
    s = sparse(a, layout)
    turned = {"csr": "csc", "csc": "csr", "bsr": "bsc", "bsc": "bsr"}.get(layout, layout)
    for got in (s.t(), s.T, s.mT, s.transpose(0, 1), s.permute(1, 0)):
        same(got, a.T, getattr(torch, f"sparse_{turned}"))


def test_permutations():
    a = array(4, 3, 5)
    same(sparse(a).permute(2, 0, 1), a.transpose(2, 0, 1))
    same(torch.tensor(a).to_sparse(1).transpose(1, 2), a.transpose(0, 2, 1))
    with pytest.raises(RuntimeError, match="transposing sparse and dense dimensions"):
        torch.tensor(a).to_sparse(1).transpose(0, 1)
    with pytest.raises(RuntimeError, match="reshape is not implemented for sparse tensors"):
        sparse(a).reshape(12, 5)


@pytest.mark.parametrize("sparse_dims", [1, 2, 3])
def test_taking_apart(sparse_dims):
    a = array(4, 3, 5)
    s = torch.tensor(a).to_sparse(sparse_dims)
    for dim in range(3):
        for index in (0, 2, -1):
            same(s.select(dim, index), a.take(index, dim))
        same(s.narrow(dim, 1, 2), a.take([1, 2], dim))
        for index in ([2, 0, 2], []):
            same(s.index_select(dim, torch.tensor(index, dtype=torch.int64)), a.take(np.array(index, int), dim))
        for part, want in zip(s.unbind(dim), np.moveaxis(a, dim, 0), strict=True):
            same(part, want)
        same(s.unsqueeze(dim), np.expand_dims(a, dim))
    same(s[1], a[1])
    same(s[1, 2], a[1, 2])
    same(s[1:3, ..., 1:], a[1:3, ..., 1:])
    same(s[::2], a[::2])
    same(s[None], a[None])
    assert s[1, 2, 3].item() == a[1, 2, 3]
    with pytest.raises(IndexError, match="out of range"):
        s.index_select(0, torch.tensor([9]))


def test_rows_of_compressed_matrices():
    a = array(6, 9)
    for layout in ("csr", "csc"):
        same(sparse(a, layout)[1], a[1], torch.sparse_coo)
        same(sparse(a, layout).select(1, 2), a[:, 2], torch.sparse_coo)
        assert sparse(a, layout)[1, 2].item() == a[1, 2]


@pytest.mark.parametrize("sparse_dims", [1, 2])
def test_joining(sparse_dims):
    a, b = array(4, 3, 5), array(4, 3, 5, seed=1)
    s, t = torch.tensor(a).to_sparse(sparse_dims), torch.tensor(b).to_sparse(sparse_dims)
    for dim in range(3):
        same(torch.cat([s, t, s], dim), np.concatenate([a, b, a], dim), torch.sparse_coo)
        if dim <= sparse_dims:
            same(torch.stack([s, t], dim), np.stack([a, b], dim), torch.sparse_coo)
    same(torch.cat([s, t]).coalesce(), np.concatenate([a, b]))
    same(torch.vstack([s, t]), np.vstack([a, b]))
    same(torch.hstack([s, t]), np.hstack([a, b]))
    with pytest.raises(RuntimeError, match="a dense tensor was found at position 1"):
        torch.cat([s, torch.ones(4, 3, 5)])


def test_order_is_known_where_it_is_kept():
    s = sparse(array(4, 5))
    for kept in (s[1], s[1:], s.unsqueeze(0), torch.cat([s, s]), s * 2, s.sum(0)):
        assert kept.is_coalesced()
        keys = kept.indices()[-1] if kept.ndim == 1 else kept.indices()[-2] * kept.shape[-1] + kept.indices()[-1]
        assert (keys[1:] > keys[:-1]).all()
    assert not s.t().is_coalesced() and not torch.cat([s, s], 1).is_coalesced()
