"""Sparse tensors for the tests, each beside the dense array that it stands for."""

import numpy as np

import taeda as torch

LAYOUTS = ("coo", "csr", "csc", "bsr", "bsc")


def array(*shape, density=0.4, dtype=np.float64, seed=0):
    """A random array of which a share of the elements is not zero."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    if np.issubdtype(dtype, np.complexfloating):
        values = values + 1j * rng.standard_normal(shape)
    if np.issubdtype(dtype, np.integer):
        values = rng.integers(1, 9, shape)
    return np.where(rng.random(shape) < density, values, 0).astype(dtype)


def sparse(dense, layout="coo"):
    """The array as a sparse tensor, built by hand: not by the conversions that are to be tested."""
    if layout == "coo":
        where = np.nonzero(dense)
        return torch.sparse_coo_tensor(np.stack(where), dense[where], dense.shape, is_coalesced=True)
    block = (2, 3) if layout in ("bsr", "bsc") else (1, 1)
    rows, cols = dense.shape[0] // block[0], dense.shape[1] // block[1]
    blocks = dense.reshape(rows, block[0], cols, block[1]).transpose(0, 2, 1, 3)
    there = (blocks != 0).any((2, 3))
    by_column = layout in ("csc", "bsc")
    if by_column:
        there, blocks = there.T, blocks.transpose(1, 0, 2, 3)
    major, minor = np.nonzero(there)
    offsets = np.concatenate([[0], np.cumsum(there.sum(1))])
    values = blocks[major, minor]
    values = values if layout in ("bsr", "bsc") else values[:, 0, 0]
    return torch.sparse_compressed_tensor(
        torch.tensor(offsets),
        torch.tensor(minor),
        torch.tensor(values),
        dense.shape,
        layout=getattr(torch, f"sparse_{layout}"),
    )


def repeated(dense, seed=1):
    """The array as coordinates without order, in which some places occur twice."""
    where = np.nonzero(dense)
    values = dense[where]
    indices = np.concatenate([np.stack(where), np.stack(where)[:, ::2]], 1)
    values = np.concatenate([values, values[::2]])
    values[: len(where[0])][::2] = 0  # the two of a place give its value in sum
    order = np.random.default_rng(seed).permutation(len(values))
    return torch.sparse_coo_tensor(indices[:, order], values[order], dense.shape)


def same(tensor, dense, layout=None):
    """Hold a tensor against the array that it should be."""
    if layout is not None:
        assert tensor.layout == layout, tensor.layout
    got = tensor.to_dense().detach().numpy()
    assert got.shape == dense.shape
    np.testing.assert_allclose(got, dense, rtol=1e-10, atol=1e-12)
