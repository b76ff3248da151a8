"""Rows: views (which cost a call and no more), copies, joining, splitting, and the making of tensors."""

from __future__ import annotations

import itertools
from types import ModuleType

from operations.table import COLUMNS, Make, Operation, Step, images, matrices, matrix, on, one, positive, square, two


def many(m: ModuleType, n: int) -> tuple:
    return ([m.randn(max(n // 50, 1)) for _ in range(50)],)


def cube(m: ModuleType, n: int) -> tuple:
    return (m.randn(n // COLUMNS, 10, 10),)


def weights(m: ModuleType, n: int) -> tuple:
    """Rows of a hundred weights."""
    return (m.rand(n // COLUMNS, COLUMNS),)


def from_list(m: ModuleType, n: int) -> Step:
    numbers = list(itertools.islice(itertools.cycle((0.5, 1.5, -2.0)), n))
    return lambda: m.tensor(numbers)


def from_array(name: str) -> Make:
    """``from_numpy`` or ``as_tensor`` of an array, which is not copied."""

    def make(m: ModuleType, n: int) -> Step:
        import numpy

        array = numpy.zeros(n, numpy.float32)
        return lambda: getattr(m, name)(array)

    return make


VIEWS = (
    Operation("view", on(matrix, lambda m, a: a.view(-1)), 100),
    Operation("reshape", on(matrix, lambda m, a: a.reshape(10, -1)), 100),
    Operation("flatten", on(cube, lambda m, a: a.flatten(1)), 100),
    Operation("unsqueeze", on(matrix, lambda m, a: a.unsqueeze(0)), 100),
    Operation("squeeze", on(matrix, lambda m, a: a.squeeze(0)), 100),
    Operation("transpose", on(cube, lambda m, a: a.transpose(1, 2)), 100),
    Operation("t", on(matrix, lambda m, a: a.t()), 100),
    Operation("a.T", on(matrix, lambda m, a: a.T), 100),
    Operation("permute", on(cube, lambda m, a: a.permute(2, 0, 1)), 100),
    Operation("expand", on(cube, lambda m, a: a.expand(5, -1, -1, -1)), 100),
    Operation("detach", on(matrix, lambda m, a: a.detach()), 100),
    Operation("contiguous, of what is", on(matrix, lambda m, a: a.contiguous()), 100),
    Operation("chunk", on(matrix, lambda m, a: a.chunk(4, 1)), 100),
    Operation("split", on(matrix, lambda m, a: a.split(25, 1)), 100),
    Operation("split by sizes", on(matrix, lambda m, a: m.split(a, [30, 70], dim=1)), 100),
    Operation("unbind", on(cube, lambda m, a: a.unbind(2)), 100),
    Operation("narrow", on(matrix, lambda m, a: a.narrow(1, 5, 20)), 100),
    Operation("a.shape", on(matrix, lambda m, a: a.shape), 100),
    Operation("a.size(0)", on(matrix, lambda m, a: a.size(0)), 100),
)
COPIES = (
    Operation("clone", on(one, lambda m, a: a.clone())),
    Operation("copy_", on(two, lambda m, a, b: a.copy_(b))),
    Operation("fill_", on(one, lambda m, a: a.fill_(1.5))),
    Operation("zero_", on(one, lambda m, a: a.zero_()), 10_000),
    Operation("a.t().contiguous()", on(square, lambda m, a, b: a.t().contiguous())),
    Operation("permute, copied", on(cube, lambda m, a: a.permute(1, 0, 2).contiguous()), 10_000),
    Operation("channels to the end, copied", on(images, lambda m, a: a.permute(0, 2, 3, 1).contiguous())),
    Operation("narrow by one, copied", on(matrix, lambda m, a: a[:, 1:].contiguous())),
    Operation("transposed and flattened", on(cube, lambda m, a: a.transpose(1, 2).reshape(len(a), 100))),
    Operation("expand, copied", on(matrix, lambda m, a: a[:, :1].expand(-1, COLUMNS).contiguous()), 10_000),
    Operation("repeat", on(matrix, lambda m, a: a[: max(len(a) // 4, 1)].repeat(2, 2))),
    Operation("roll", on(matrix, lambda m, a: a.roll(1, 1))),
    Operation("flip", on(matrix, lambda m, a: a.flip(1))),
    Operation("tril", on(square, lambda m, a, b: a.tril())),
    Operation("triu", on(square, lambda m, a, b: a.triu(1)), 10_000),
    Operation("diagonal, copied", on(square, lambda m, a, b: a.diagonal().clone()), 10_000),
    Operation("tolist", on(one, lambda m, a: a.tolist()), 10_000),
    Operation("numpy()", on(one, lambda m, a: a.numpy()), 100),
)
JOINED = (
    Operation("cat of 2", on(two, lambda m, a, b: m.cat([a, b])), 10_000),
    Operation("cat of 2, by columns", on(matrices, lambda m, a, b: m.cat((a, b), dim=1))),
    Operation("cat of 50", on(many, lambda m, a: m.cat(a))),
    Operation("stack of 2, last", on(two, lambda m, a, b: m.stack((a, b), -1)), 10_000),
    Operation("stack of 50", on(many, lambda m, a: m.stack(a))),
    Operation("pad", on(matrix, lambda m, a: m.nn.functional.pad(a, (1, 1)))),
    Operation("pad of images", on(images, lambda m, a: m.nn.functional.pad(a, (1, 1, 1, 1)))),
    Operation(
        "pad by reflection", on(images, lambda m, a: m.nn.functional.pad(a, (1, 1, 1, 1), mode="reflect")), 10_000
    ),
    Operation("meshgrid", on(square, lambda m, a, b: m.meshgrid(a[0], b[0], indexing="ij")), 100),
)
CREATED = (
    Operation("arange", lambda m, n: lambda: m.arange(n, dtype=m.float32)),
    Operation("int64 arange", lambda m, n: lambda: m.arange(n), 10_000),
    Operation("linspace", lambda m, n: lambda: m.linspace(0, 1, n), 10_000),
    Operation("zeros", lambda m, n: lambda: m.zeros(n)),
    Operation("ones", lambda m, n: lambda: m.ones(n), 10_000),
    Operation("full", lambda m, n: lambda: m.full((n,), 2.5), 10_000),
    Operation("empty", lambda m, n: lambda: m.empty(n), 10_000),
    Operation("eye", lambda m, n: lambda: m.eye(int(n**0.5)), 10_000),
    Operation("zeros_like", on(one, lambda m, a: m.zeros_like(a)), 10_000),
    Operation("ones_like", on(one, lambda m, a: m.ones_like(a)), 10_000),
    Operation("new_zeros", on(one, lambda m, a: a.new_zeros(a.shape)), 10_000),
    Operation("rand", lambda m, n: lambda: m.rand(n)),
    Operation("randn", lambda m, n: lambda: m.randn(n)),
    Operation("randint", lambda m, n: lambda: m.randint(0, 100, (n,)), 10_000),
    Operation("randperm", lambda m, n: lambda: m.randperm(n), 10_000),
    Operation("uniform_", on(one, lambda m, a: a.uniform_(-1, 1))),
    Operation("normal_", on(one, lambda m, a: a.normal_(0, 0.02))),
    Operation("bernoulli", on(positive, lambda m, a: m.bernoulli(a - 0.5)), 10_000),
    Operation("multinomial", on(weights, lambda m, a: m.multinomial(a, 1)), 10_000),
    Operation("tensor of a number", lambda m, n: lambda: m.tensor(1.5), 100),
    Operation("tensor of a list", from_list, 10_000),
    Operation("from_numpy", from_array("from_numpy"), 100),
    Operation("as_tensor of an array", from_array("as_tensor"), 100),
)
ROWS = VIEWS + COPIES + JOINED + CREATED
