"""Products of groups of matrices, against one product for each."""

import pytest

import taeda
from taeda.testing import assert_close, gradcheck

offs = taeda.tensor([2, 2, 5], dtype=taeda.int32)


def random(*shape):
    return taeda.randn(*shape, dtype=taeda.float64)


def test_groups_of_rows_columns_and_the_inner_dimension():
    a, b = random(6, 4), random(3, 4, 2)
    made = taeda.nn.functional.grouped_mm(a, b, offs=offs)
    assert_close(made, taeda.cat([a[:2] @ b[0], a[2:5] @ b[2], taeda.zeros(1, 2, dtype=taeda.float64)]))
    c, d = random(3, 2, 4), random(4, 5)
    assert_close(taeda.nn.functional.grouped_mm(c, d, offs=offs), taeda.cat([c[0] @ d[:, :2], c[2] @ d[:, 2:]], 1))
    e, f = random(2, 5), random(5, 3)
    inner = taeda.nn.functional.grouped_mm(e, f, offs=offs)
    assert_close(inner[2], e[:, 2:] @ f[2:])
    assert inner[1].count_nonzero() == 0
    assert_close(taeda.nn.functional.grouped_mm(c, b), taeda.bmm(c, b))


def test_gradients_and_wrong_arguments():
    a, b = random(5, 4).requires_grad_(), random(3, 4, 2).requires_grad_()
    assert gradcheck(lambda x, y: taeda.nn.functional.grouped_mm(x, y, offs=offs), (a, b))
    with pytest.raises(RuntimeError, match="provide offsets"):
        taeda.nn.functional.grouped_mm(a, b)
    with pytest.raises(RuntimeError, match="contraction dimension"):
        taeda.nn.functional.grouped_mm(a, b.mT, offs=offs)
    with pytest.raises(RuntimeError, match="there must be as many"):
        taeda.nn.functional.grouped_mm(a, b[:2], offs=offs)
    with pytest.raises(NotImplementedError, match="float8"):
        taeda.nn.functional.scaled_mm(a, b)
