"""Sparse gradients of embeddings, and the optimisers that take them, against dense ones."""

import numpy as np
import pytest
from sparse_samples import same

import taeda as torch
from taeda import nn

INDEX = torch.tensor([[1, 4, 1], [0, 2, 4]])


def tables(**options):
    """Two equal embeddings, one with sparse gradients."""
    torch.manual_seed(0)
    dense = nn.Embedding(6, 3, dtype=torch.float64, **options)
    sparse = nn.Embedding(6, 3, dtype=torch.float64, sparse=True, **options)
    sparse.load_state_dict(dense.state_dict())
    return dense, sparse


@pytest.mark.parametrize("options", [{}, {"padding_idx": 1}, {"scale_grad_by_freq": True}])
def test_embedding(options):
    dense, sparse = tables(**options)
    factor = torch.arange(18, dtype=torch.float64).reshape(2, 3, 3)
    for layer in (dense, sparse):
        (layer(INDEX) * factor).sum().backward()
    grad = sparse.weight.grad
    assert grad.layout == torch.sparse_coo and (grad.sparse_dim(), grad.dense_dim()) == (1, 1)
    assert grad._nnz() == (4 if options.get("padding_idx") else 6)
    same(grad, dense.weight.grad.numpy())


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_embedding_bag(mode):
    grads = []
    for is_sparse in (False, True):
        torch.manual_seed(0)
        layer = nn.EmbeddingBag(6, 3, mode=mode, sparse=is_sparse, dtype=torch.float64)
        (layer(INDEX) ** 2).sum().backward()
        grads.append(layer.weight.grad)
    assert grads[1].is_sparse
    same(grads[1], grads[0].numpy())


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1, maximize=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.2),
        lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.1),
    ],
)
def test_optimisers_take_the_same_steps_as_with_dense_gradients(make):
    layers = tables()
    optimisers = [make(layer.parameters()) for layer in layers]
    for _ in range(4):
        for layer, optimiser in zip(layers, optimisers, strict=True):
            optimiser.zero_grad()
            (layer(INDEX) ** 2).sum().backward()
            optimiser.step()
    np.testing.assert_allclose(layers[1].weight.detach().numpy(), layers[0].weight.detach().numpy(), rtol=1e-12)


def test_sparse_adam_moves_only_the_rows_that_were_looked_up():
    dense, sparse = tables()
    optimisers = [torch.optim.Adam(dense.parameters(), lr=0.1), torch.optim.SparseAdam(sparse.parameters(), lr=0.1)]
    start = sparse.weight.detach().clone()
    for layer, optimiser in zip((dense, sparse), optimisers, strict=True):
        for _ in range(3):
            optimiser.zero_grad()
            (layer(INDEX) ** 2).sum().backward()
            optimiser.step()
    looked_up = [0, 1, 2, 4]
    got = sparse.weight.detach()
    assert torch.equal(got[[3, 5]], start[[3, 5]])
    # Adam's eps enters a little differently; rows that always have a gradient move alike.
    np.testing.assert_allclose(got[looked_up].numpy(), dense.weight.detach()[looked_up].numpy(), rtol=1e-5)


def test_others_refuse_sparse_gradients():
    _, sparse = tables()
    sparse(INDEX).sum().backward()
    with pytest.raises(
        RuntimeError, match="Adam does not support sparse gradients, please consider SparseAdam instead"
    ):
        torch.optim.Adam(sparse.parameters()).step()
    with pytest.raises(RuntimeError, match="weight_decay option is not compatible with sparse gradients"):
        torch.optim.Adagrad(sparse.parameters(), weight_decay=0.1).step()


def test_a_graph_layer_learns():
    """Two steps of message passing with a normalised adjacency, as a graph network does them."""
    torch.manual_seed(0)
    n = 20
    edges = torch.stack([torch.arange(n), (torch.arange(n) + 1) % n])
    adjacency = torch.sparse_coo_tensor(
        torch.cat([edges, edges.flip(0)], 1), torch.full((2 * n,), 0.5), (n, n)
    ).coalesce()
    features, target = torch.randn(n, 8), (torch.arange(n) < n // 2).long()
    first, second = nn.Linear(8, 16), nn.Linear(16, 2)
    optimiser = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=0.05)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        hidden = torch.relu(torch.sparse.mm(adjacency, first(features)))
        loss = nn.functional.cross_entropy(adjacency @ second(hidden), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
