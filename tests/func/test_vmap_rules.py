"""Batching rules at their edges: indices from the end, masks of all lengths, errors, and no loop over the samples."""

import warnings

import pytest

import taeda as torch
from taeda.func import vmap
from taeda.nn import functional as F


@pytest.fixture(autouse=True)
def no_loops():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def check(f, *batches, dims=None):
    dims = dims or (0,) * len(batches)
    n = next(x.shape[0] for x, dim in zip(batches, dims, strict=True) if dim == 0)
    each = [f(*(x if dim is None else x[k] for x, dim in zip(batches, dims, strict=True))) for k in range(n)]
    got = vmap(f, in_dims=dims)(*batches)
    torch.testing.assert_close(got, torch.stack(each), equal_nan=True)


X = torch.tensor([[0.5, -1.0, 2.0, 2.0], [3.0, -0.0, 7.0, 1.0]])


def test_histc():
    check(lambda x: torch.histc(x, 3), X)
    check(lambda x: torch.histc(x, 5, min=-1, max=2), X)
    check(lambda x: torch.histc(x, 4, min=1, max=1), torch.ones(3, 5))
    check(lambda x: torch.histc(x, 4), torch.ones(3, 0))
    check(lambda x: torch.histc(x, 4, min=0, max=3), X.half())
    check(lambda x: torch.histc(x, 2, max=1), torch.tensor([[float("nan"), 0.5], [float("inf"), 1.0]]))
    with pytest.raises(RuntimeError, match="max must be larger than min"):
        vmap(lambda x: torch.histc(x, 3, min=2, max=1))(X)


def test_searches():
    rows, values = X.sort(1).values, torch.randn(2, 5)
    for options in ({}, {"right": True}, {"side": "right"}, {"out_int32": True}):
        for dims in ((0, 0), (0, None), (None, 0)):
            check(
                lambda a, v, o=options: torch.searchsorted(a, v, **o),
                rows if dims[0] == 0 else rows[0],
                values if dims[1] == 0 else values[0],
                dims=dims,
            )
    check(lambda a: torch.searchsorted(a, 1.0), rows)
    check(lambda a, v: torch.searchsorted(a, v, sorter=a.argsort()), X, values)
    check(lambda a, v: torch.searchsorted(a, v), rows.unsqueeze(1).expand(2, 3, 4), torch.randn(2, 3, 6))
    check(lambda v, a: torch.bucketize(v, a, right=True), values.reshape(2, 5, 1), rows)
    check(lambda v, a: torch.bucketize(v.sum(), a), values, rows)


def test_isin():
    check(torch.isin, torch.tensor([[1, 2], [3, 4]]), torch.tensor([[2, 3, 2], [4, 4, 1]]))
    check(lambda a, b: torch.isin(a, b, invert=True), torch.tensor([[1, 2], [3, 4]]), torch.tensor([[2.5, 2], [4, 1]]))
    check(torch.isin, torch.tensor([[1, 2], [3, 4]]), torch.ones(2, 0))
    check(torch.isin, torch.tensor([[True], [False]]), torch.tensor([[False], [False]]))
    check(
        torch.isin, torch.tensor([1.0, float("nan")]), torch.tensor([[1.0, float("nan")], [0.0, 2.0]]), dims=(None, 0)
    )


def test_put_and_take():
    index, source = torch.tensor([[0, -1], [2, -4]]), torch.tensor([[10.0, 20.0], [30.0, 40.0]])
    check(lambda x, i, s: x.put(i, s), X, index, source)
    check(lambda x, i, s: x.put(i.fill_(1), s, accumulate=True), X, index.clone(), source)
    check(lambda x, i, s: x.reshape(2, 2).put(i, s), X, index[0], source, dims=(0, None, 0))
    check(lambda x, i: x.take(i), X, index)
    for call in (lambda x, i: x.take(i), lambda x, i: x.put(i, x[:2])):
        with pytest.raises((IndexError, RuntimeError), match="out of (range|bounds)"):
            vmap(call)(X, torch.tensor([[0, 1], [0, 4]]))
    with pytest.raises((IndexError, RuntimeError), match="out of bounds"):
        vmap(lambda x, i: x.index_fill(0, i, 1.0))(X, torch.tensor([[0], [4]]))


def test_index_fill():
    index, values = torch.tensor([[0, 0], [1, -2]]), torch.tensor([5.0, 6.0])
    check(lambda x, i: x.index_fill(0, i, 3.0), X, index)
    check(lambda x, i, v: x.reshape(2, 2).index_fill(1, i, v), X, torch.tensor([[0], [-1]]), values)
    check(lambda x, v: x.index_fill(0, torch.tensor([1]), v), X, values)


def test_masks():
    mask = torch.tensor([[True, False, True, False], [False, False, True, True]])
    source = torch.arange(8.0).reshape(2, 4) + 10
    check(lambda x, m, s: x.masked_scatter(m, s), X, mask, source)
    check(lambda x, m, s: x.masked_scatter(m, s), X[0], mask, source[:, :2], dims=(None, 0, 0))
    check(lambda x, m, s: x.clone().reshape(2, 2).masked_scatter_(m[:2], s), X, mask, source)
    with pytest.raises((IndexError, RuntimeError)):
        vmap(lambda x, m, s: x.masked_scatter(m, s))(X, torch.ones(2, 4, dtype=torch.bool), source[:, :3])

    def slopes(x, m, s, g):
        x, s = x.requires_grad_(), s.requires_grad_()
        return torch.cat(torch.autograd.grad(x.masked_scatter(m, s), (x, s), g))

    check(slopes, X.clone(), mask, source, torch.randn(2, 4))


def test_gradients_under_a_mask_that_all_share():
    x, mask = torch.randn(3, 2, requires_grad=True), torch.tensor([True, False, True]).reshape(3, 1)
    picked = x.masked_select(mask)
    g = torch.randn(5, 4)
    got = vmap(lambda v: torch.autograd.grad(picked, x, v, retain_graph=True)[0])(g)
    torch.testing.assert_close(got, torch.stack([torch.autograd.grad(picked, x, v, retain_graph=True)[0] for v in g]))


def test_distances():
    a, b = torch.randn(2, 4, 3), torch.randn(2, 5, 3)
    for p in (0.0, 1.0, 2.0, 3.0, float("inf")):
        check(lambda a, b, p=p: torch.cdist(a, b, p), a, b)
        check(lambda a, p=p: torch.pdist(a, p), a)
    check(lambda a, b: torch.cdist(a, b), a, b[0], dims=(0, None))
    check(torch.func.grad(lambda a: torch.pdist(a).sum()), a)
    check(torch.pdist, torch.randn(2, 1, 3))


@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd"])
def test_least_squares(driver):
    a, b = torch.randn(3, 5, 2, dtype=torch.float64), torch.randn(3, 5, 1, dtype=torch.float64)
    for k in range(4):
        check(lambda a, b, k=k: torch.linalg.lstsq(a, b, driver=driver)[k], a, b)
    check(lambda a, b: torch.linalg.lstsq(a, b, driver=driver)[0], a, b[0], dims=(0, None))
    check(torch.func.grad(lambda a, b: torch.linalg.lstsq(a, b, driver=driver)[0].sum()), a, b)


def test_images_and_cells():
    image, grid = torch.randn(2, 3, 2, 5, 5), torch.rand(2, 3, 4, 4, 2) * 2 - 1
    sample = lambda x, g: F.grid_sample(x, g, align_corners=False)  # noqa: E731
    check(sample, image, grid)
    check(sample, image[0], grid, dims=(None, 0))
    check(torch.func.grad(lambda x, g: sample(x, g).sin().sum(), argnums=1), image, grid)
    for kind in (torch.nn.LSTMCell, torch.nn.GRUCell):
        cell = kind(3, 4)
        run = lambda x, c=cell: torch.cat(c(x) if isinstance(c, torch.nn.LSTMCell) else [c(x)])  # noqa: E731
        check(run, torch.randn(2, 5, 3))
        check(torch.func.grad(lambda x, r=run: r(x).sum()), torch.randn(2, 5, 3))


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU])
def test_recurrent_layers(kind):
    net = kind(3, 4, num_layers=2, bidirectional=True)
    x = torch.randn(2, 5, 6, 3)
    check(lambda x: net(x)[0], x)
    check(torch.func.grad(lambda x: net(x)[0].sin().sum()), x)
    names = [name for name, _ in net.named_parameters()]

    def slope(x):
        found = torch.func.grad(lambda p: torch.func.functional_call(net, p, (x,))[0].sin().sum())(
            dict(net.named_parameters())
        )
        return torch.cat([found[name].reshape(-1) for name in names]).detach()

    check(slope, x)


def test_alignments():
    logits = torch.randn(2, 6, 3, 4).log_softmax(-1)
    targets = torch.randint(1, 4, (2, 3, 2))
    lengths, sizes = torch.full((3,), 6), torch.tensor([2, 1, 2])
    f = lambda x, t: F.ctc_loss(x, t, lengths, sizes, reduction="none")  # noqa: E731
    check(f, logits, targets)
    check(torch.func.grad(lambda x, t: f(x, t).sum()), logits, targets)
    check(f, logits, targets[0], dims=(0, None))


def test_norms_with_weights_of_each_sample():
    x, w, b = torch.randn(2, 3, 4, 5), torch.randn(2, 4), torch.randn(2, 4)
    check(lambda x, w, b: F.group_norm(x, 2, w, b), x, w, b)
    check(lambda x, w: F.group_norm(x, 2, w), x[0], w, dims=(None, 0))
    check(lambda x: F.group_norm(x, 2, w[0], b[0]), x)
    check(lambda x, w, b: torch.native_layer_norm(x, [5], w, b, 1e-5)[0], x, torch.randn(2, 5), torch.randn(2, 5))
    for k in range(3):
        slope = torch.func.grad(lambda x, w, b: F.group_norm(x, 2, w, b).sin().sum(), argnums=k)
        check(slope, x, w, b)
        slope = torch.func.grad(lambda x, w, b: F.layer_norm(x, [4], w, b).sin().sum(), argnums=k)
        check(slope, x.mT, w, b)


def test_linear_with_one_output():
    x, w = torch.randn(2, 3, 4), torch.randn(2, 4)
    for k in range(2):
        check(torch.func.grad(lambda x, w: F.linear(x, w).sin().sum(), argnums=k), x, w)
