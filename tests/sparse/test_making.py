"""Making sparse tensors, their parts, conversions between layouts, printing, copies and files."""

import copy
import io
import pickle

import numpy as np
import pytest
from sparse_samples import LAYOUTS, array, repeated, same, sparse

import taeda as torch


def test_what_a_coordinate_tensor_says_of_itself():
    s = torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3))
    assert isinstance(s, torch.Tensor)
    assert (s.layout, s.is_sparse, s.is_sparse_csr) == (torch.sparse_coo, True, False)
    assert (s.shape, s.dtype, str(s.device), s.ndim, s.numel()) == ((2, 3), torch.float32, "cpu", 2, 6)
    assert (s._nnz(), s.sparse_dim(), s.dense_dim(), s.is_coalesced()) == (3, 2, 0, False)
    assert s.type() == "torch.sparse.FloatTensor"
    assert s._indices().tolist() == [[0, 1, 1], [2, 0, 2]] and s._values().tolist() == [3, 4, 5]


def test_the_smallest_size_is_inferred():
    assert torch.sparse_coo_tensor([[0, 4]], [1.0, 2.0]).shape == (5,)
    assert torch.sparse_coo_tensor([[0, 4]], [[1.0, 2.0], [3, 4]]).shape == (5, 2)
    assert torch.sparse_csr_tensor([0, 1, 2], [0, 3], [1.0, 2.0]).shape == (2, 4)
    assert torch.sparse_csc_tensor([0, 1, 2], [0, 3], [1.0, 2.0]).shape == (4, 2)
    assert torch.sparse_bsr_tensor([0, 1], [1], [[[1.0, 2.0]]]).shape == (1, 4)


def test_a_size_alone_makes_zeros():
    for s in (
        torch.sparse_coo_tensor((2, 3)),
        torch.sparse_coo_tensor(size=(2, 3)),
        torch.zeros(2, 3, layout=torch.sparse_coo),
    ):
        assert s._nnz() == 0 and s.is_coalesced() and s.dtype == torch.float32
        same(s, np.zeros((2, 3)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_by_hand_and_to_dense(layout):
    dense = array(6, 9)
    same(sparse(dense, layout), dense, getattr(torch, f"sparse_{layout}"))


@pytest.mark.parametrize("target", LAYOUTS)
@pytest.mark.parametrize("source", ("dense", "repeated", *LAYOUTS))
def test_every_layout_becomes_every_other(source, target):
    dense = array(6, 9)
    start = (
        torch.tensor(dense) if source == "dense" else repeated(dense) if source == "repeated" else sparse(dense, source)
    )
    block = {"blocksize": (2, 3)} if target in ("bsr", "bsc") else {}
    got = start.to_sparse(layout=getattr(torch, f"sparse_{target}"), **block)
    same(got, dense, getattr(torch, f"sparse_{target}"))
    if target == "csr":
        where = np.nonzero(dense)
        if source not in ("bsr", "bsc", "repeated"):  # their blocks, and sums that came out as 0, hold zeros too
            assert got.col_indices().tolist() == where[1].tolist()
            assert got.crow_indices().tolist() == np.searchsorted(where[0], np.arange(7)).tolist()


def test_conversion_agrees_with_scipy():
    from scipy import sparse as scipy_sparse

    dense = array(7, 5)
    csr, csc = scipy_sparse.csr_matrix(dense), scipy_sparse.csc_matrix(dense)
    ours = torch.tensor(dense).to_sparse_csr()
    assert ours.crow_indices().tolist() == csr.indptr.tolist() and ours.values().tolist() == csr.data.tolist()
    ours = torch.tensor(dense).to_sparse().to_sparse_csc()
    assert ours.ccol_indices().tolist() == csc.indptr.tolist() and ours.row_indices().tolist() == csc.indices.tolist()
    theirs = torch.sparse_csr_tensor(
        torch.from_numpy(csr.indptr), torch.from_numpy(csr.indices), torch.from_numpy(csr.data), csr.shape
    )
    assert theirs.crow_indices().dtype == torch.int32
    same(theirs, dense)
    same(theirs.to_sparse_csc(), dense)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_dense_dims(dim):
    dense = array(3, 4, 5)
    s = torch.tensor(dense).to_sparse(dim)
    assert (s.sparse_dim(), s.dense_dim(), s.values().ndim) == (dim, 3 - dim, 1 + 3 - dim)
    same(s, dense)
    same(torch.tensor(dense).to_sparse_csr(dense_dim=1), dense)


def test_batches_of_compressed_matrices():
    dense = array(4, 6, density=1.0)
    batch = np.stack([dense, 2 * dense, -dense]).reshape(3, 1, 4, 6) * (np.arange(6) % 2)
    for layout, block in ((torch.sparse_csr, None), (torch.sparse_csc, None), (torch.sparse_bsr, (2, 2))):
        s = torch.tensor(batch).to_sparse(layout=layout, blocksize=block)
        same(s, batch, layout)
        same(s[1], batch[1])
    with pytest.raises(RuntimeError, match="Expect the same number of specified elements per batch"):
        torch.tensor(array(2, 3, 4)).to_sparse_csr()


def test_zero_dims_and_empties():
    same(torch.tensor(2.0).to_sparse(), np.array(2.0))
    assert torch.tensor(0.0).to_sparse()._nnz() == 0
    same(torch.zeros(0, 3).to_sparse(), np.zeros((0, 3)))
    same(torch.zeros(2, 3).to_sparse_csr(), np.zeros((2, 3)))
    same(torch.zeros(2, 0).to_sparse_csr(), np.zeros((2, 0)))


def test_coalesce_adds_up_what_is_repeated():
    dense = array(5, 4)
    s = repeated(dense)
    c = s.coalesce()
    assert not s.is_coalesced() and c.is_coalesced() and c.coalesce() is c
    same(s, dense)
    same(c, dense)
    keys = c.indices()[0] * 4 + c.indices()[1]
    assert (keys[1:] > keys[:-1]).all()
    with pytest.raises(RuntimeError, match="Cannot get values on an uncoalesced tensor"):
        s.values()
    huge = torch.sparse_coo_tensor([[7, 3, 7]], [1.0, 2.0, 3.0], (10**12,)).coalesce()
    assert huge.indices().tolist() == [[3, 7]] and huge.values().tolist() == [2, 4]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: torch.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,)), "size is 3 but found index 5"),
        (lambda: torch.sparse_coo_tensor([[0, -1]], [1.0, 2.0], (3,)), "found negative index -1 for dim 0"),
        (lambda: torch.sparse_coo_tensor([[0, 1]], [1.0, 2.0, 3.0], (3,)), "must have same nnz"),
        (lambda: torch.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3, 3)), "is not satisfied: len\\(size\\) = 2"),
        (lambda: torch.sparse_csr_tensor([0, 2, 1], [0, 1], [1.0, 2.0], (2, 2)), "\\[..., -1\\] == nnz"),
        (lambda: torch.sparse_csr_tensor([0, 1, 2], [0, 5], [1.0, 2.0], (2, 2)), "0 <= col_indices < ncols"),
        (lambda: torch.sparse_csr_tensor([0, 2], [0, 1], [1.0, 2.0], (2, 2)), "number of rows \\+ 1"),
        (
            lambda: torch.sparse_csr_tensor([0, 2, 2], [1, 0], [1.0, 2.0], (2, 2), check_invariants=True),
            "sorted and distinct",
        ),
        (lambda: torch.zeros(2, 3).to_sparse_bsr((2, 2)), "must be divisible by given blocksize"),
        (lambda: torch.ones(2).values(), "values expected sparse tensor layout but got Strided"),
        (lambda: torch.ones(2, 2).to_sparse_csr().indices(), "sparse coordinate tensor layout but got SparseCsr"),
        (lambda: torch.ones(2, 2).to_sparse().crow_indices(), "sparse row compressed tensor layout but got Sparse"),
        (lambda: torch.ones(2, layout=torch.sparse_coo), "not implemented for sparse layout"),
    ],
)
def test_what_does_not_hold_together_is_refused(make, text):
    with pytest.raises(RuntimeError, match=text):
        make()


def test_the_switch_for_checks():
    unsorted = ([0, 2, 2], [1, 0], [1.0, 2.0], (2, 2))
    check = torch.sparse.check_sparse_tensor_invariants
    assert not check.is_enabled()
    torch.sparse_csr_tensor(*unsorted)
    with check(), pytest.raises(RuntimeError, match="sorted and distinct"):
        torch.sparse_csr_tensor(*unsorted)
    with pytest.raises(RuntimeError, match="sorted and distinct"):
        check()(torch.sparse_csr_tensor)(*unsorted)
    assert not check.is_enabled()


def test_printing():
    s = torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3), dtype=torch.float64)
    assert repr(s) == (
        "tensor(indices=tensor([[0, 1, 1],\n                       [2, 0, 2]]),\n       values=tensor([3., 4., 5.]),\n"
        "       size=(2, 3), nnz=3, dtype=torch.float64, layout=torch.sparse_coo)"
    )
    assert repr(s.float().coalesce().to_sparse_csr()) == (
        "tensor(crow_indices=tensor([0, 1, 3]),\n       col_indices=tensor([2, 0, 2]),\n       values=tensor([3., 4., 5.]), "
        "size=(2, 3), nnz=3,\n       layout=torch.sparse_csr)"
    )
    assert repr(torch.zeros(0, 3, layout=torch.sparse_coo)) == (
        "tensor(indices=tensor([], size=(2, 0)),\n       values=tensor([], size=(0,)),\n       size=(0, 3), nnz=0, layout=torch.sparse_coo)"
    )
    assert "requires_grad=True)" in repr(s.requires_grad_()) and "grad_fn=<" in repr(s * 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_copies_and_files(layout):
    dense = array(6, 9)
    s = sparse(dense, layout)
    file = io.BytesIO()
    torch.save({"s": s}, file)
    file.seek(0)
    for twin in (pickle.loads(pickle.dumps(s)), copy.deepcopy(s), s.clone(), torch.load(file)["s"], torch.tensor(s)):
        same(twin, dense, s.layout)
        assert twin._values().data_ptr() != s._values().data_ptr()
    assert pickle.loads(pickle.dumps(s.requires_grad_())).requires_grad
    same(s.detach().to(torch.float32).double(), dense.astype(np.float32).astype(np.float64), s.layout)


def test_a_hostile_file_cannot_name_places_outside():
    s = torch.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3,))
    s._indices()[0, 1] = 9
    file = io.BytesIO()
    torch.save(s, file)
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError, match="found index 9"):
        torch.load(file)


def test_factories_and_likes():
    s, r = sparse(array(6, 9)), sparse(array(6, 9), "csr")
    for like in (s, r):
        for zeros in (torch.zeros_like(like), torch.empty_like(like), like.new_zeros(6, 9)):
            same(zeros, np.zeros((6, 9)), like.layout)
        same(torch.zeros_like(like, layout=torch.strided), np.zeros((6, 9)), torch.strided)
    same(torch.zeros_like(torch.ones(2, 3), layout=torch.sparse_csr), np.zeros((2, 3)), torch.sparse_csr)
    assert torch.zeros(2, 3, layout=torch.sparse_coo, dtype=torch.int64, requires_grad=False).dtype == torch.int64


def test_resizing():
    s = torch.sparse_coo_tensor([[0, 1]], [[1.0, 2.0], [3.0, 4.0]], (2, 2))
    s.sparse_resize_((4, 3), 1, 1)
    same(s, np.array([[1, 2, 0], [3, 4, 0], [0, 0, 0], [0, 0, 0]]))
    with pytest.raises(RuntimeError, match="shrinking the size of sparse dimensions"):
        s.sparse_resize_((1, 3), 1, 1)
    s.sparse_resize_and_clear_((2, 2), 2, 0)
    assert s.shape == (2, 2) and s._nnz() == 0
    assert s.resize_as_sparse_(torch.zeros(3, 3).to_sparse()).shape == (3, 3)


def test_sparse_mask_takes_the_places_of_the_mask():
    dense, mask = array(6, 9, density=1.0), array(6, 9, seed=2)
    for layout in LAYOUTS:
        places = sparse(mask, layout)
        got = torch.tensor(dense).sparse_mask(places)
        stored = sparse(np.where(mask != 0, 1.0, 0), layout)._values() * 0 + 1
        wanted = (
            torch.sparse_coo_tensor(*_coo(places), (6, 9)).to_dense().numpy() if layout in ("bsr", "bsc") else mask != 0
        )
        assert stored.shape == got._values().shape
        same(got, np.where(wanted, dense, 0), places.layout)
    thin = array(6, 9, seed=3)
    same(sparse(thin).sparse_mask(sparse(mask)), np.where(mask != 0, thin, 0))


def _coo(blocked):
    """The places of all elements of a blocked tensor, those that are 0 too."""
    ones = torch.sparse_compressed_tensor(
        *((blocked.crow_indices(), blocked.col_indices()) if blocked.layout == torch.sparse_bsr else (blocked.ccol_indices(), blocked.row_indices())),
        torch.ones_like(blocked.values()), blocked.shape, layout=blocked.layout,
    ).to_sparse()  # fmt: skip
    return ones.indices(), ones.values()


def test_old_names_of_types():
    s = torch.sparse.FloatTensor(torch.tensor([[0, 1]]), torch.ones(2), torch.Size([3]))
    assert s.dtype == torch.float32 and s.shape == (3,)
    assert torch.sparse.DoubleTensor(2, 3).shape == (2, 3)


def test_what_needs_memory_of_its_own_is_refused():
    s = torch.ones(2, 2).to_sparse()
    with pytest.raises(TypeError, match="can't convert Sparse layout tensor to numpy"):
        s.numpy()
    with pytest.raises(NotImplementedError, match="Cannot access storage"):
        s.untyped_storage()
    with pytest.raises(RuntimeError, match="doesn't have storage"):
        s.tolist()


def test_operations_without_a_rule_say_so():
    s, r = torch.ones(2, 2).to_sparse(), torch.ones(2, 2).to_sparse_csr()
    for call, name in (
        (lambda x: x.cos(), "cos"),
        (lambda x: x.exp(), "exp"),
        (lambda x: x > 1, "gt"),
        (lambda x: x.cumsum(0), "cumsum"),
    ):
        with pytest.raises(
            NotImplementedError, match=f"Could not run 'aten::{name}' with arguments from the 'SparseCPU' backend"
        ):
            call(s)
        with pytest.raises(NotImplementedError, match="'SparseCsrCPU' backend"):
            call(r)


def test_a_parameter_and_its_data():
    p = torch.nn.Parameter(sparse(array(4, 5)))
    assert p.is_sparse and p.requires_grad and p.data.is_sparse
    p.data = sparse(2 * array(4, 5))
    same(p, 2 * array(4, 5))
    p.data = torch.ones(2, 2)
    assert p.layout == torch.strided and p.sum().item() == 4
    module = torch.nn.Module()
    module.register_buffer("a", sparse(array(4, 5)))
    module.float().load_state_dict({"a": sparse(3 * array(4, 5)).float()})
    torch.testing.assert_close(module.a, sparse(3 * array(4, 5)).float())


def test_assert_close_compares_places_and_values():
    s = sparse(array(4, 5))
    for layout in ("coo", "csr"):
        t = s.to_sparse(layout=getattr(torch, f"sparse_{layout}"))
        torch.testing.assert_close(t, t + 1e-9 * t)
        with pytest.raises(AssertionError, match=f"Sparse {layout.upper()} values are not close"):
            torch.testing.assert_close(t, 2 * t)
        more = (torch.ones(4, 5).double() + s).to_sparse(layout=t.layout)
        with pytest.raises(AssertionError, match="number of specified values"):
            torch.testing.assert_close(t, more)
    with pytest.raises(AssertionError, match="attribute 'layout'"):
        torch.testing.assert_close(s, s.to_sparse_csr())
    torch.testing.assert_close(s, s.to_sparse_csr(), check_layout=False)
