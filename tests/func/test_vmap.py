"""vmap against a Python loop over the samples."""

import warnings

import numpy as np
import pytest

import taeda as torch
from taeda.func import vmap


def by_loop(f, in_dims, *args):
    """The definition: the results of the samples, stacked."""
    in_dims = in_dims if isinstance(in_dims, tuple) else (in_dims,) * len(args)
    n = next(a.shape[d] for a, d in zip(args, in_dims, strict=True) if d is not None)
    results = [f(*(a if d is None else a.select(d, b) for a, d in zip(args, in_dims, strict=True))) for b in range(n)]
    if isinstance(results[0], tuple | list):
        return [torch.stack([r[k] for r in results]) for k in range(len(results[0]))]
    return torch.stack(results)


def check(f, *args, in_dims=0):
    got, want = vmap(f, in_dims=in_dims)(*args), by_loop(f, in_dims, *args)
    single = isinstance(want, torch.Tensor)
    for g, w in zip([got] if single else got, [want] if single else want, strict=True):
        assert g.dtype == w.dtype
        torch.testing.assert_close(g, w)


def sample(*shape, dtype=torch.float64, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).to(dtype)


ONE = {
    "sum": lambda x: x.sum(),
    "sum_dim": lambda x: x.sum(0),
    "mean_keepdim": lambda x: x.mean(-1, keepdim=True),
    "max": lambda x: x.max(),
    "max_dim": lambda x: tuple(x.max(1)),
    "argmax": lambda x: x.argmax(),
    "var": lambda x: x.var(),
    "softmax": lambda x: x.softmax(0),
    "logsumexp": lambda x: x.logsumexp(1),
    "norm": lambda x: torch.linalg.vector_norm(x),
    "cumsum": lambda x: x.cumsum(0),
    "sort": lambda x: tuple(x.sort(0)),
    "topk": lambda x: tuple(x.topk(2, 1)),
    "flip": lambda x: x.flip(0),
    "roll": lambda x: x.roll(1),
    "roll_dim": lambda x: x.roll(1, 0),
    "t": lambda x: x.t(),
    "permute": lambda x: x.permute(1, 0),
    "reshape": lambda x: x.reshape(-1),
    "view": lambda x: x.view(2, 2, -1),
    "flatten": lambda x: x.flatten(),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "unsqueeze_last": lambda x: x.unsqueeze(-1),
    "squeeze": lambda x: x[:1].squeeze(),
    "expand": lambda x: x[0].expand(3, -1),
    "slice": lambda x: x[1:, ::2],
    "slice_negative": lambda x: x[::-1],
    "select": lambda x: x[-1],
    "none": lambda x: x[:, None],
    "ellipsis": lambda x: x[..., 0],
    "index": lambda x: x[torch.tensor([0, 2, 2])],
    "index_second": lambda x: x[:, torch.tensor([1, 0])],
    "index_pair": lambda x: x[torch.tensor([0, 1]), torch.tensor([1, 2])],
    "index_apart": lambda x: x.reshape(2, 2, -1)[torch.tensor([0, 1]), :, torch.tensor([1, 0])],
    "mask": lambda x: x[torch.tensor([True, False, True, True])],
    "split": lambda x: x.split(2),
    "chunk": lambda x: x.chunk(2, 1),
    "unbind": lambda x: x.unbind(0),
    "diagonal": lambda x: x.diagonal(),
    "trace": lambda x: x[:, :4].trace(),
    "tril": lambda x: x.tril(),
    "clone": lambda x: x.clone(),
    "cast": lambda x: x.to(torch.float32),
    "zeros_like": lambda x: torch.zeros_like(x),
    "new_zeros": lambda x: x.new_zeros(2),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, x),
    "matmul": lambda x: x @ x.T,
    "matvec": lambda x: x @ x[0],
    "vecvec": lambda x: x[0] @ x[1],
    "vecmat": lambda x: x[:, 0] @ x,
    "outer": lambda x: torch.outer(x[0], x[1]),
    "cat": lambda x: torch.cat([x, x], 1),
    "stack": lambda x: torch.stack([x, x], -1),
    "gather": lambda x: x.gather(1, x.argsort(1)),
    "scatter": lambda x: torch.zeros_like(x).scatter(1, x.argsort(1), x),
    "prod": lambda x: x.prod(),
    "median": lambda x: x.median(),
    "layer_norm": lambda x: torch.nn.functional.layer_norm(x, [5]),
    "gelu": lambda x: torch.nn.functional.gelu(x),
    "normalize": lambda x: torch.nn.functional.normalize(x, dim=0),
    "unfold": lambda x: x.unfold(0, 2, 1),
    "movedim": lambda x: x.movedim(0, 1),
    "unflatten": lambda x: x.unflatten(0, (2, 2)),
    "count_nonzero": lambda x: (x > 0).count_nonzero(),
    "any": lambda x: (x > 1).any(),
    "all_dim": lambda x: (x > -1).all(0),
    "aminmax": lambda x: tuple(x.aminmax()),
    "take": lambda x: x.take(torch.tensor([0, 7, -1])),
    "kthvalue": lambda x: tuple(x.kthvalue(2, 0)),
    "tensor_split": lambda x: x.tensor_split(3),
    "repeat": lambda x: x.repeat(2, 1),
    "triu_sum": lambda x: x.triu(1).sum(0),
    "std_mean": lambda x: torch.std_mean(x, 0),
    "diff": lambda x: x.diff(dim=0),
}  # fmt: skip


@pytest.mark.parametrize("in_dim", [0, 1, -1])
@pytest.mark.parametrize("name", ONE)
def test_one_argument(name, in_dim):
    x = sample(3, 4, 5).movedim(0, in_dim)
    check(ONE[name], x, in_dims=in_dim)


@pytest.mark.parametrize("in_dims", [(0, 0), (0, None), (None, 0), (1, 0), (0, 1)])
@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: a * b[0] + b,
        lambda a, b: a @ b.T,
        lambda a, b: torch.nn.functional.linear(a, b),
        lambda a, b: torch.nn.functional.linear(a, b, b[:, 0]),
        lambda a, b: torch.atan2(a, b[-1]),
        lambda a, b: torch.cat([a, b], 0),
        lambda a, b: torch.addmm(a @ b.T, a, b.T, beta=0.5),
        lambda a, b: torch.where(a > b, a, b),
        lambda a, b: torch.dist(a, b),
        lambda a, b: torch.maximum(a, b).sum(0),
    ],
)
def test_two_arguments(f, in_dims):
    a = sample(3, 4, 5, seed=1) if in_dims[0] != 1 else sample(4, 3, 5, seed=1)
    b = sample(3, 4, 5, seed=2) if in_dims[1] != 1 else sample(4, 3, 5, seed=2)
    if in_dims[0] is None:
        a = a[0]
    if in_dims[1] is None:
        b = b[0]
    check(f, a, b, in_dims=in_dims)


def test_batched_indices():
    x, i = sample(3, 4, 5), torch.from_numpy(np.random.default_rng(0).integers(0, 4, (3, 2)))
    check(lambda x, i: x[i], x, i)
    check(lambda x, i: x[:, i], x, i)
    check(lambda x, i: x[i, i], x, i)
    check(lambda x, i: x[i], x[0], i, in_dims=(None, 0))
    check(lambda x, i: x[:, i], x[0], i, in_dims=(None, 0))
    check(lambda x, i: x[i[0]], x, i)
    check(lambda x, i: x.index_select(1, i), x, i)
    check(lambda x, i: torch.nn.functional.embedding(i, x), x, i)
    check(lambda x, i: torch.nn.functional.one_hot(i, 5), x, i)


def test_writing():
    def f(x, y):
        z = x.clone()
        z[0] = y
        z[:, 1] += 1.0
        z.mul_(2)
        z[torch.tensor([1, 2])] = 0.0
        return z.exp_()

    check(f, sample(3, 4, 5), sample(3, 5))


def test_writing_into_what_all_samples_share():
    shared = sample(5)
    with pytest.raises(RuntimeError, match="vmap: .* is not possible because there exists a Tensor"):
        vmap(lambda y: shared.add_(y))(sample(3, 5))


def test_convolution_with_own_weights():
    x, w, b = sample(2, 3, 4, 8, 8), sample(2, 6, 4, 3, 3), sample(2, 6)
    conv = lambda x, w, b: torch.nn.functional.conv2d(x, w, b, stride=2, padding=1)  # noqa: E731
    check(conv, x, w, b)
    check(conv, x, w[0], b[0], in_dims=(0, None, None))
    check(conv, x[0], w, b, in_dims=(None, 0, 0))
    check(lambda x, w: torch.nn.functional.conv2d(x, w, groups=2), x, w[:, :, :2])
    check(lambda x, w: torch.nn.functional.conv_transpose2d(x, w, stride=2), x, w.transpose(1, 2))


def test_pooling_and_norms():
    x = sample(2, 3, 4, 8, 8)
    check(lambda x: torch.nn.functional.max_pool2d(x, 2), x)
    check(lambda x: torch.nn.functional.avg_pool2d(x, 3, 1, 1), x)
    check(lambda x: torch.nn.functional.adaptive_avg_pool2d(x, 3), x)
    check(lambda x: torch.nn.functional.max_pool2d(x, 2), x[0])
    check(lambda x: torch.nn.functional.batch_norm(x, None, None, training=True), x)
    check(lambda x: torch.nn.functional.group_norm(x, 2), x)


def test_nested():
    x, y = sample(3, 4), sample(5, 4)
    got = vmap(vmap(torch.dot, in_dims=(None, 0)), in_dims=(0, None))(x, y)
    torch.testing.assert_close(got, x @ y.T)


def test_zero_dim_samples():
    check(lambda x: x.sum(), sample(4))
    check(lambda x: x.sum(0), sample(4))
    check(lambda x: x.softmax(-1), sample(4))
    check(lambda x: x.unsqueeze(0), sample(4))
    check(lambda x, y: x * y, sample(4), sample(4, 3, dtype=torch.float32))


def test_results_and_dims():
    x = sample(3, 4, 5)
    a, b = vmap(lambda x: (x.T, {"k": x.sum()}), out_dims=(1, {"k": 0}))(x)
    assert a.shape == (5, 3, 4)
    torch.testing.assert_close(b["k"], x.sum((1, 2)))
    constant = vmap(lambda x: torch.ones(2))(x)
    assert constant.shape == (3, 2)
    torch.testing.assert_close(vmap(lambda x: x * 2, chunk_size=2)(x), x * 2)


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (lambda x: vmap(lambda x: x.sum().item())(x), RuntimeError, r"calling .item\(\) on a Tensor"),
        (lambda x: vmap(lambda x: x if x.sum() > 0 else -x)(x), RuntimeError, r"calling .item\(\) on a Tensor"),
        (lambda x: vmap(lambda x: x.nonzero())(x), RuntimeError, "depends on the data"),
        (lambda x: vmap(lambda x: x[x > 0])(x), RuntimeError, "mask"),
        (lambda x: vmap(lambda x: torch.randn(2) + x[0])(x), RuntimeError, "randomness error mode"),
        (lambda x: vmap(lambda x, y: x)(x, torch.ones(4)), ValueError, "same size in the mapped dimension"),
        (lambda x: vmap(lambda x: x, in_dims=7)(x), ValueError, "Got in_dim=7"),
        (lambda x: vmap(lambda x: x, in_dims=None)(x), ValueError, "in_dims"),
        (lambda x: vmap(lambda x: 3)(x), ValueError, "must only return Tensors"),
        (lambda x: vmap(lambda x: x.sum(2))(x), IndexError, "Dimension out of range"),
        (lambda x: vmap(lambda x: x, randomness="some")(x), RuntimeError, "randomness"),
    ],
)
def test_errors(call, error, phrase):
    with pytest.raises(error, match=phrase):
        call(sample(3, 4, 5))


def test_randomness():
    x = sample(3, 4)
    torch.manual_seed(0)
    different = vmap(lambda x: torch.rand(2) + 0 * x[:2], randomness="different")(x)
    assert len({tuple(row) for row in different.tolist()}) == 3
    torch.manual_seed(0)
    torch.testing.assert_close(different, torch.rand(3, 2).double() + 0 * x[:, :2])
    same = vmap(lambda x: torch.rand(2) + 0 * x[:2], randomness="same")(x)
    assert len({tuple(row) for row in same.tolist()}) == 1
    dropped = vmap(lambda x: torch.nn.functional.dropout(x, 0.5), randomness="same")(torch.ones(3, 50))
    assert torch.equal(dropped[0], dropped[1])
    dropped = vmap(lambda x: torch.nn.functional.dropout(x, 0.5), randomness="different")(torch.ones(3, 50))
    assert not torch.equal(dropped[0], dropped[1])


DRAWS = {
    "normal": lambda x: torch.normal(x, x[:, :1].abs()),
    "normal of one": lambda x: torch.normal(x.sum(), torch.ones(3, dtype=x.dtype)),
    "binomial": lambda x: torch.binomial(torch.full_like(x, 90.0), torch.tensor(0.4, dtype=x.dtype)),
    "bernoulli": lambda x: torch.zeros_like(x).bernoulli_(torch.tensor([0.3, 0.5, 0.6, 0.4])),
    "gamma": lambda x: torch._standard_gamma(x.abs() + 1),
    "dirichlet": lambda x: torch._sample_dirichlet(x.abs() + 1),
    "multinomial": lambda x: torch.multinomial(x.abs(), 3),
    "multinomial of a row": lambda x: torch.multinomial(x[0].abs(), 90, replacement=True),
    "multinomial of what all share": lambda x: torch.multinomial(torch.ones(9), 9) + 0 * x[0, 0].long(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_of_each_sample(name):
    row = sample(5, 4)
    torch.manual_seed(0)
    draw, x = DRAWS[name], row.expand(40, 5, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = vmap(draw, randomness="different")(x)
    assert drawn.shape == (40, *draw(row).shape) and drawn.dtype == draw(row).dtype
    assert len({tuple(one.reshape(-1).tolist()) for one in drawn}) > 30
    one = torch.stack([draw(row) for _ in range(40)]).double()
    spread = torch.cat([one, drawn.double()]).std(0) + 0.1
    assert ((drawn.double().mean(0) - one.mean(0)).abs() < 1.2 * spread).all()


def test_gradient_through_vmap():
    x = sample(3, 4).requires_grad_()
    w = sample(4, 2).requires_grad_()
    y = vmap(lambda x: (x @ w).tanh().sum())(x)
    y.sum().backward()
    x2, w2 = x.detach().requires_grad_(), w.detach().requires_grad_()
    (x2 @ w2).tanh().sum().backward()
    torch.testing.assert_close(x.grad, x2.grad)
    torch.testing.assert_close(w.grad, w2.grad)


def test_nothing_is_left_behind():
    from taeda.func import _batch

    with pytest.raises(ZeroDivisionError):
        vmap(lambda x: 1 / 0)(sample(3))
    assert _batch.levels == []
    torch.rand(2)
