"""Rows: reading and writing by numbers, slices, masks and indices."""

from __future__ import annotations

from types import ModuleType

from operations.table import COLUMNS, Operation, integers, matrices, matrix, on, one, truths


def by_row(m: ModuleType, n: int) -> tuple:
    """A matrix, and as many row numbers as it has rows."""
    return m.randn(n // COLUMNS, COLUMNS), m.randint(0, n // COLUMNS, (n // COLUMNS,))


def by_rows(m: ModuleType, n: int) -> tuple:
    """A matrix, row numbers and what is to be written there."""
    return (*by_row(m, n), m.randn(n // COLUMNS, COLUMNS))


def in_rows(m: ModuleType, n: int) -> tuple:
    """A matrix, for each of its elements a column number, and another matrix."""
    return (
        m.randn(n // COLUMNS, COLUMNS),
        m.randint(0, COLUMNS, (n // COLUMNS, COLUMNS)),
        m.randn(n // COLUMNS, COLUMNS),
    )


def in_columns(m: ModuleType, n: int) -> tuple:
    """The same by row numbers."""
    index = m.randint(0, n // COLUMNS, (n // COLUMNS, COLUMNS))
    return m.randn(n // COLUMNS, COLUMNS), index, m.randn(n // COLUMNS, COLUMNS)


def spread(m: ModuleType, n: int) -> tuple:
    """A vector of a tenth of the elements, for each element a place there, and the elements."""
    return m.zeros(n // 10), m.randint(0, n // 10, (n,)), m.randn(n)


def labels(m: ModuleType, n: int) -> tuple:
    """So many labels that their one-hot vectors have ``n`` elements."""
    return (m.randint(0, COLUMNS, (n // COLUMNS,)),)


def chosen(m: ModuleType, n: int) -> tuple:
    """A matrix, row numbers and column numbers, one pair for each row."""
    return (*by_row(m, n), m.randint(0, COLUMNS, (n // COLUMNS,)))


def set_to(target, key, value) -> None:
    target[key] = value


BASIC = (
    Operation("a[0]", on(matrix, lambda m, a: a[0]), 100),
    Operation("a[:, 1]", on(matrix, lambda m, a: a[:, 1]), 100),
    Operation("a[:, 1:50]", on(matrix, lambda m, a: a[:, 1:50]), 100),
    Operation("a[..., ::2]", on(matrix, lambda m, a: a[..., ::2]), 100),
    Operation("a[:, None]", on(matrix, lambda m, a: a[:, None]), 100),
    Operation("a[0, 1].item()", on(matrix, lambda m, a: a[0, 1].item()), 100),
    Operation("a[0] = 1", on(matrix, lambda m, a: set_to(a, 0, 1.0)), 100),
    Operation("a[0] = b", on(matrices, lambda m, a, b: set_to(a, 0, b[0])), 100),
    Operation("a[:, :50] = 0", on(matrix, lambda m, a: set_to(a, (slice(None), slice(0, 50)), 0.0))),
    Operation("a[:] = b", on(matrices, lambda m, a, b: set_to(a, slice(None), b))),
)
GATHERED = (
    Operation("index_select", on(by_row, lambda m, a, i: a.index_select(0, i))),
    Operation("index_select of columns", on(in_rows, lambda m, a, i, b: a.index_select(1, i[0]))),
    Operation("a[index]", on(by_row, lambda m, a, i: a[i])),
    Operation("a[:, index]", on(in_rows, lambda m, a, i, b: a[:, i[0]]), 10_000),
    Operation("a[index, index]", on(chosen, lambda m, a, i, j: a[i, j])),
    Operation("a[list]", on(one, lambda m, a: a[[0, 3, 5, 7]]), 100),
    Operation("embedding", on(by_row, lambda m, a, i: m.nn.functional.embedding(i, a)), 10_000),
    Operation("gather of rows", on(in_rows, lambda m, a, i, b: a.gather(1, i))),
    Operation("gather of columns", on(in_columns, lambda m, a, i, b: a.gather(0, i))),
    Operation("gather one of each row", on(in_rows, lambda m, a, i, b: a.gather(1, i[:, :1]))),
    Operation("take_along_dim", on(in_rows, lambda m, a, i, b: m.take_along_dim(a, i, 1)), 10_000),
    Operation("repeat_interleave", on(matrix, lambda m, a: a.repeat_interleave(2, 0))),
)
WRITTEN = (
    Operation("a[index] = b", on(by_rows, lambda m, a, i, b: set_to(a, i, b))),
    Operation("a[index] = 0", on(by_rows, lambda m, a, i, b: set_to(a, i, 0.0)), 10_000),
    Operation("a[index, index] = 0", on(chosen, lambda m, a, i, j: set_to(a, (i, j), 0.0)), 10_000),
    Operation("index_put_ accumulating", on(by_rows, lambda m, a, i, b: a.index_put_((i,), b, accumulate=True))),
    Operation("index_put_ on a vector, accumulating", on(spread, lambda m, a, i, b: a.index_put_((i,), b, True))),
    Operation("index_add_", on(by_rows, lambda m, a, i, b: a.index_add_(0, i, b))),
    Operation("index_add_ on a vector", on(spread, lambda m, a, i, b: a.index_add_(0, i, b))),
    Operation("index_copy_", on(by_rows, lambda m, a, i, b: a.index_copy_(0, i, b)), 10_000),
    Operation("index_fill_", on(by_row, lambda m, a, i: a.index_fill_(0, i, 1.0)), 10_000),
    Operation("scatter of rows", on(in_rows, lambda m, a, i, b: a.scatter(1, i, b))),
    Operation("scatter_ a number", on(in_rows, lambda m, a, i, b: a.scatter_(1, i[:, :1], 1.0)), 10_000),
    Operation("scatter_add_ of rows", on(in_rows, lambda m, a, i, b: a.scatter_add_(1, i, b))),
    Operation("scatter_add_ of columns", on(in_columns, lambda m, a, i, b: a.scatter_add_(0, i, b))),
    Operation("scatter_add_ on a vector", on(spread, lambda m, a, i, b: a.scatter_add_(0, i, b))),
    Operation("scatter_reduce amax", on(spread, lambda m, a, i, b: a.scatter_reduce(0, i, b, "amax"))),
    Operation("one_hot", on(labels, lambda m, i: m.nn.functional.one_hot(i, COLUMNS))),
)
MASKED = (
    Operation("masked_select", on(truths, lambda m, a, k: a.masked_select(k))),
    Operation("a[mask]", on(truths, lambda m, a, k: a[k])),
    Operation("rows by mask", on(matrix, lambda m, a: a[a[:, 0] > 0]), 10_000),
    Operation("a[mask] = 0", on(truths, lambda m, a, k: set_to(a, k, 0.0))),
    Operation("a[mask] = b", on(truths, lambda m, a, k: set_to(a, k, a[k])), 10_000),
    Operation("masked_fill", on(truths, lambda m, a, k: a.masked_fill(k, 0.0))),
    Operation("masked_fill_ by a row", on(matrix, lambda m, a: a.masked_fill_(a[0] > 9, 0.0)), 10_000),
    Operation("masked_scatter", on(truths, lambda m, a, k: a.masked_scatter(k, a))),
    Operation("nonzero", on(truths, lambda m, a, k: k.nonzero())),
    Operation("nonzero of a matrix", on(matrix, lambda m, a: (a > 0).nonzero()), 10_000),
    Operation("where of a mask", on(truths, lambda m, a, k: m.where(k)), 10_000),
    Operation("int64 a[mask]", on(integers("int64"), lambda m, a, b: a[a > 50]), 10_000),
)
ROWS = BASIC + GATHERED + WRITTEN + MASKED
