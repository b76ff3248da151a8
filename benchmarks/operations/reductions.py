"""Rows: reductions, running sums, statistics, softmax, sorting, distances."""

from __future__ import annotations

from types import ModuleType

from operations.table import COLUMNS, Operation, integers, matrices, matrix, on, one, truths, two, typed


def points(m: ModuleType, n: int) -> tuple:
    """Two sets of points in ten dimensions between which there are ``n`` distances."""
    side = int(n**0.5)
    return m.randn(side, 10), m.randn(side, 10)


def ordered(m: ModuleType, n: int) -> tuple:
    return m.linspace(0, 1, 1000), m.rand(n)


REDUCTIONS = (
    Operation("sum", on(one, lambda m, a: a.sum())),
    Operation("sum of rows", on(matrix, lambda m, a: a.sum(1))),
    Operation("sum of columns", on(matrix, lambda m, a: a.sum(0))),
    Operation("float64 sum", on(typed("float64"), lambda m, a, b: a.sum())),
    Operation("bfloat16 sum", on(typed("bfloat16"), lambda m, a, b: a.sum())),
    Operation("int64 sum", on(integers("int64"), lambda m, a, b: a.sum())),
    Operation("sum of a mask", on(truths, lambda m, a, k: k.sum())),
    Operation("mean", on(one, lambda m, a: a.mean())),
    Operation("mean of rows", on(matrix, lambda m, a: a.mean(-1, keepdim=True))),
    Operation("mean of rows and columns", on(matrix, lambda m, a: a.view(-1, 10, 10).mean((0, 2)))),
    Operation("prod", on(one, lambda m, a: a.prod())),
    Operation("max", on(one, lambda m, a: a.max())),
    Operation("min", on(one, lambda m, a: a.min())),
    Operation("max of rows", on(matrix, lambda m, a: a.max(1))),
    Operation("min of columns", on(matrix, lambda m, a: a.min(0))),
    Operation("amax of rows", on(matrix, lambda m, a: a.amax(1))),
    Operation("argmax", on(one, lambda m, a: a.argmax())),
    Operation("argmax of rows", on(matrix, lambda m, a: a.argmax(1))),
    Operation("any", on(truths, lambda m, a, k: (~(k | ~k)).any())),
    Operation("all", on(truths, lambda m, a, k: (k | ~k).all())),
    Operation("count_nonzero", on(truths, lambda m, a, k: k.count_nonzero())),
    Operation("var", on(one, lambda m, a: a.var())),
    Operation("std of rows", on(matrix, lambda m, a: a.std(1))),
    Operation("norm", on(one, lambda m, a: a.norm())),
    Operation("norm of rows", on(matrix, lambda m, a: a.norm(dim=-1))),
    Operation("logsumexp of rows", on(matrix, lambda m, a: a.logsumexp(1))),
    Operation("median", on(one, lambda m, a: a.median())),
    Operation("median of rows", on(matrix, lambda m, a: a.median(1))),
    Operation("equal", on(one, lambda m, a: m.equal(a, a.view(-1)))),
    Operation("allclose", on(two, lambda m, a, b: m.allclose(a, a)), 10_000),
)
RUNNING = (
    Operation("cumsum", on(matrix, lambda m, a: a.cumsum(1))),
    Operation("cumsum of columns", on(matrix, lambda m, a: a.cumsum(0))),
    Operation("cumsum of a vector", on(one, lambda m, a: a.cumsum(0))),
    Operation("int64 cumsum", on(integers("int64"), lambda m, a, b: a.cumsum(0))),
)
NORMALIZED = (
    Operation("softmax of rows", on(matrix, lambda m, a: m.softmax(a, 1))),
    Operation("softmax of columns", on(matrix, lambda m, a: m.softmax(a, 0))),
    Operation("log_softmax of rows", on(matrix, lambda m, a: m.log_softmax(a, 1))),
    Operation("normalize", on(matrix, lambda m, a: m.nn.functional.normalize(a, dim=-1))),
    Operation("cosine_similarity", on(matrices, lambda m, a, b: m.nn.functional.cosine_similarity(a, b))),
    Operation("pairwise_distance", on(matrices, lambda m, a, b: m.nn.functional.pairwise_distance(a, b)), 10_000),
    Operation("cdist", on(points, lambda m, a, b: m.cdist(a, b))),
)
SORTED = (
    Operation("sort", on(one, lambda m, a: a.sort())),
    Operation("sort of rows", on(matrix, lambda m, a: a.sort(1))),
    Operation("int64 argsort", on(integers("int64"), lambda m, a, b: a.argsort())),
    Operation("topk", on(one, lambda m, a: a.topk(10))),
    Operation("topk of rows", on(matrix, lambda m, a: a.topk(5, 1))),
    Operation("kthvalue of rows", on(matrix, lambda m, a: a.kthvalue(COLUMNS // 2, 1))),
    Operation("unique", on(integers("int64"), lambda m, a, b: m.unique(a))),
    Operation("searchsorted", on(ordered, lambda m, edges, a: m.searchsorted(edges, a))),
    Operation("bincount", on(integers("int64"), lambda m, a, b: m.bincount(a))),
)
ROWS = REDUCTIONS + RUNNING + NORMALIZED + SORTED
