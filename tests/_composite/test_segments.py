"""Segments, chunks, unchecked indexing, finite differences and bounded norms: by their definitions and against NumPy."""

import numpy
import pytest

import taeda
from taeda.testing import gradcheck, gradgradcheck

data = numpy.random.default_rng(0).normal(size=(6, 2))
FUNCTIONS = {"sum": numpy.sum, "mean": numpy.mean, "max": numpy.max, "min": numpy.min, "prod": numpy.prod}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_segment_reduce_by_its_definition(name):
    parts = data[:1], data[1:4], data[4:6]
    expected = numpy.stack([FUNCTIONS[name](part, axis=0) for part in parts])
    t = taeda.from_numpy(data.copy()).requires_grad_()
    lengths, offsets = taeda.tensor([1, 3, 2]), taeda.tensor([0, 1, 4, 6])
    numpy.testing.assert_allclose(taeda.segment_reduce(t, name, lengths=lengths).detach().numpy(), expected)
    numpy.testing.assert_allclose(taeda.segment_reduce(t, name, offsets=offsets).detach().numpy(), expected)
    assert gradcheck(lambda x: taeda.segment_reduce(x, name, lengths=lengths), (t,))
    rows = taeda.tensor([[1, 1], [0, 2], [2, 0], [1, 1], [1, 1], [2, 0]])
    along = taeda.segment_reduce(t.detach(), name, lengths=rows, axis=1, initial=1.5).numpy()
    assert along.shape == (6, 2) and along[2, 1] == 1.5


def test_empty_segments():
    t, lengths = taeda.ones(2), taeda.tensor([0, 2])
    assert [taeda.segment_reduce(t, name, lengths=lengths)[0].item() for name in ("sum", "prod", "max", "min")] == [
        0,
        1,
        -numpy.inf,
        numpy.inf,
    ]
    assert taeda.segment_reduce(t, "mean", lengths=lengths)[0].isnan()
    with pytest.raises(RuntimeError, match="sum to data.size"):
        taeda.segment_reduce(t, "sum", lengths=taeda.tensor([1]))
    with pytest.raises(RuntimeError, match="Either lengths or offsets"):
        taeda.segment_reduce(t, "sum")


def test_chunks_side_by_side():
    a, b = taeda.arange(6.0).reshape(3, 2), taeda.arange(4.0).reshape(2, 2)
    assert taeda._chunk_cat([a, b], 0, 2).tolist() == [[0, 1, 2, 3, 0, 1], [4, 5, 0, 0, 2, 3]]
    assert [part.tolist() for part in a.unsafe_chunk(2)] == [[[0, 1], [2, 3]], [[4, 5]]]
    assert [part.shape[0] for part in a.unsafe_split_with_sizes([1, 2])] == [1, 2]


def test_masked_indexing_never_looks_outside():
    x = taeda.arange(4.0, dtype=taeda.float64).requires_grad_()
    mask, places = taeda.tensor([True, False, True]), taeda.tensor([3, 99, 0])
    assert taeda._unsafe_masked_index(x, mask, [places], 7).tolist() == [3.0, 7.0, 0.0]
    assert gradcheck(lambda v: taeda._unsafe_masked_index(v, mask, [places], 7), (x,))
    added = taeda._unsafe_masked_index_put_accumulate(x, mask, [places], taeda.ones(3, dtype=taeda.float64))
    assert added.tolist() == [1.0, 1.0, 2.0, 4.0]
    rows = taeda._unsafe_masked_index_put_accumulate(
        taeda.zeros(2, 3), taeda.ones(2, 1, dtype=taeda.bool), [None, taeda.tensor([1])], taeda.ones(2, 1)
    )
    assert rows.tolist() == [[0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_equals_numpys(edge_order):
    x = numpy.random.default_rng(1).normal(size=(5, 6))
    places = [numpy.cumsum(numpy.random.default_rng(seed).uniform(0.5, 2, size=n)) for seed, n in ((2, 5), (3, 6))]
    t = taeda.from_numpy(x)
    for spacing, given in [
        ((), 1),
        ((2.0,), 2.0),
        ((2.0, 0.5), [2.0, 0.5]),
        (places, [taeda.from_numpy(p) for p in places]),
    ]:
        for one, other in zip(
            t.gradient(spacing=given, edge_order=edge_order),
            numpy.gradient(x, *spacing, edge_order=edge_order),
            strict=True,
        ):
            numpy.testing.assert_allclose(one.numpy(), other, rtol=1e-10, atol=1e-12)
    assert gradcheck(lambda v: taeda.gradient(v, spacing=2.0, dim=1, edge_order=edge_order)[0], (t.requires_grad_(),))
    with pytest.raises(RuntimeError, match="at least edge_order"):
        t[:1].gradient(dim=0)


def test_renorm_bounds_each_slice():
    x = taeda.from_numpy(data.copy()).requires_grad_()
    for p in (1, 2, float("inf")):
        made = taeda.renorm(x, p, 0, 0.7)
        norms = numpy.linalg.norm(made.detach().numpy(), p, axis=1)
        before = numpy.linalg.norm(data, p, axis=1)
        numpy.testing.assert_allclose(norms, numpy.minimum(before, 0.7), rtol=1e-6)
    assert gradcheck(lambda v: taeda.renorm(v, 2, 0, 0.7), (x,)) and gradgradcheck(
        lambda v: taeda.renorm(v, 2, 0, 0.7), (x,)
    )
    assert taeda.equal(x.detach().clone().renorm_(2, 0, 0.7), taeda.renorm(x.detach(), 2, 0, 0.7))
    with pytest.raises(RuntimeError, match="maxnorm to be >= 0"):
        taeda.renorm(x, 2, 0, -1)
    numpy.testing.assert_allclose(
        taeda.norm_except_dim(x, 2, 1).detach().numpy(), numpy.linalg.norm(data, axis=0, keepdims=True)
    )


def test_pooling_backward_sends_gradients_to_the_maxima():
    x = taeda.randn(2, 3, 6, 6, requires_grad=True)
    pooled, indices = taeda.nn.functional.max_pool2d(x, 3, 2, 1, return_indices=True)
    g = taeda.randn(pooled.shape)
    (expected,) = taeda.autograd.grad(pooled, x, g)
    made = taeda.ops.aten.max_pool2d_with_indices_backward.default(g, x, [3, 3], [2, 2], [1, 1], [1, 1], False, indices)
    taeda.testing.assert_close(made.detach(), expected)


def test_the_operator_library_by_name():
    x = taeda.arange(5.0)
    assert (
        str(taeda.ops.aten.add.Tensor) == "aten.add.Tensor" and taeda.ops.aten.add.Tensor.name() == "aten::add.Tensor"
    )
    assert taeda.ops.aten.slice.Tensor(x, 0, 1, 4, 2).tolist() == [1.0, 3.0]
    assert taeda.ops.aten.add(x, x, alpha=2).tolist() == (3 * x).tolist()
    assert taeda.ops.aten.add.default.overloadpacket is taeda.ops.aten.add
    with pytest.raises(AttributeError, match="no overload"):
        _ = taeda.ops.aten.add.nonsense
