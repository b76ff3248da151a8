"""Joining and indexing against NumPy: values, gradients of both orders, out of bounds, large tensors in several threads."""

from __future__ import annotations

import numpy as np
import pytest

import taeda
from taeda.autograd import gradcheck, gradgradcheck


def array(*shape: int) -> np.ndarray:
    return np.arange(float(np.prod(shape)), dtype=np.float64).reshape(shape)


def leaf(*shape: int) -> taeda.Tensor:
    return taeda.tensor(array(*shape) / 7 + 0.25, requires_grad=True)


def check_gradients(function, *inputs):
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


# ---- joining


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cat(dim):
    parts = [array(2, 3, 4), array(2, 3, 4) + 100]
    made = taeda.cat([taeda.tensor(part) for part in parts], dim)
    np.testing.assert_array_equal(made.numpy(), np.concatenate(parts, dim))
    turned = taeda.cat([taeda.tensor(part).transpose(0, 2) for part in parts], dim)
    np.testing.assert_array_equal(turned.numpy(), np.concatenate([part.swapaxes(0, 2) for part in parts], dim))
    check_gradients(lambda a, b: taeda.cat([a, b, a], dim) ** 2, leaf(2, 2, 2), leaf(2, 2, 2))


def test_cat_promotes_and_passes_over_empty_vectors():
    made = taeda.cat([taeda.ones(2, 2, dtype=taeda.int32), taeda.empty(0), taeda.ones(1, 2, dtype=taeda.float64)])
    assert made.dtype == taeda.float64 and made.shape == (3, 2)
    empty = taeda.empty(0, dtype=taeda.float64, requires_grad=True)
    check_gradients(lambda a, b: taeda.cat([a, b], 0), leaf(2, 2), empty)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_stack(dim):
    a, b = array(2, 3), array(2, 3) + 9
    np.testing.assert_array_equal(taeda.stack([taeda.tensor(a), taeda.tensor(b)], dim).numpy(), np.stack([a, b], dim))
    check_gradients(lambda a, b: taeda.stack([a, b], dim) ** 2, leaf(2, 3), leaf(2, 3))


def test_numpys_stacks():
    a, b = array(2, 2), array(2, 2) + 5
    ours = [taeda.tensor(a), taeda.tensor(b)]
    for name in ("hstack", "vstack", "dstack", "column_stack"):
        np.testing.assert_array_equal(getattr(taeda, name)(ours).numpy(), getattr(np, name)([a, b]))
        rows = getattr(taeda, name)([t[0] for t in ours]).numpy()
        np.testing.assert_array_equal(rows, getattr(np, name)([a[0], b[0]]))


def test_large_cat_in_threads():
    a, b = np.random.rand(700, 300), np.random.rand(700, 500)
    np.testing.assert_array_equal(taeda.cat([taeda.tensor(a), taeda.tensor(b)], 1).numpy(), np.concatenate([a, b], 1))
    np.testing.assert_array_equal(taeda.cat([taeda.tensor(a), taeda.tensor(a)], 0).numpy(), np.concatenate([a, a], 0))


# ---- one dimension

INDEX = np.array([[0, 2, 1, 0], [1, 0, 0, 2]])


@pytest.mark.parametrize("dim", [0, 1])
def test_gather_and_scatter(dim):
    a = array(3, 4)
    places = INDEX if dim == 0 else INDEX.T[:3]
    np.testing.assert_array_equal(
        taeda.tensor(a).gather(dim, taeda.tensor(places)).numpy(), np.take_along_axis(a, places, dim)
    )
    index = taeda.tensor(places)
    check_gradients(lambda x: x.gather(dim, index) ** 2, leaf(3, 4))
    src = array(*places.shape) + 50
    expected = a.copy()
    np.add.at(
        expected,
        np.ix_(*map(np.arange, places.shape))[:dim] + (places,) + np.ix_(*map(np.arange, places.shape))[dim + 1 :],
        src,
    )
    np.testing.assert_array_equal(taeda.tensor(a).scatter_add(dim, index, taeda.tensor(src)).numpy(), expected)
    check_gradients(lambda x, s: x.scatter_add(dim, index, s) ** 2, leaf(3, 4), leaf(*places.shape))
    unique = taeda.tensor(np.argsort(a[:, ::-1], dim))
    check_gradients(lambda x, s: x.scatter(dim, unique, s) ** 2, leaf(3, 4), leaf(3, 4))
    check_gradients(lambda x: x.scatter(dim, index, 2.5) ** 2, leaf(3, 4))


def test_index_of_int32_and_any_strides():
    a = array(3, 4)
    index = taeda.tensor(INDEX.T.copy(), dtype=taeda.int32).t()
    x = taeda.tensor(a.T.copy()).t()
    np.testing.assert_array_equal(x.gather(0, index).numpy(), np.take_along_axis(a, INDEX, 0))
    np.testing.assert_array_equal(x[::-1].gather(0, index).numpy(), np.take_along_axis(a[::-1], INDEX, 0))


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_scatter_reduce(reduce, include_self):
    combine = {"sum": np.sum, "mean": np.mean, "prod": np.prod, "amax": np.max, "amin": np.min}[reduce]
    a, places, src = np.array([1.0, 2, 3, 4]), np.array([0, 2, 0, 2, 2]), np.array([5.0, -1, 0.5, 7, 2])
    expected = a.copy()
    for k in range(4):
        if (places == k).any():
            expected[k] = combine(np.concatenate([a[k : k + 1][: int(include_self)], src[places == k]]))
    index = taeda.tensor(places)
    made = taeda.tensor(a).scatter_reduce(0, index, taeda.tensor(src), reduce, include_self=include_self)
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-14)
    again = (
        taeda.tensor(a).index_reduce(0, index, taeda.tensor(src), reduce, include_self=include_self)
        if reduce != "sum"
        else made
    )
    np.testing.assert_allclose(again.numpy(), expected, rtol=1e-14)
    check_gradients(
        lambda x, s: x.scatter_reduce(0, index, s, reduce, include_self=include_self),
        taeda.tensor(a, requires_grad=True),
        taeda.tensor(src, requires_grad=True),
    )


def test_scatter_reduce_of_a_product_with_zeros():
    index = taeda.tensor([0, 0, 1])
    x = taeda.tensor([2.0, 3.0], dtype=taeda.float64, requires_grad=True)
    src = taeda.tensor([0.0, 5.0, 4.0], dtype=taeda.float64, requires_grad=True)
    x.scatter_reduce(0, index, src, "prod").sum().backward()
    assert x.grad.tolist() == [0, 4] and src.grad.tolist() == [10, 0, 3]


@pytest.mark.parametrize("include_self", [True, False])
def test_second_derivatives_of_a_scattered_product_with_zeros(include_self):
    """No, one, two and three factors of zero at a place; and zeros in the tensor that is written into."""
    index = taeda.tensor([0, 0, 1, 1, 2, 2, 2, 3, 3, 3])
    x = taeda.tensor([0.0, 0.0, 3.0, 1.5], dtype=taeda.float64, requires_grad=True)
    values = [2.0, 5.0, 0.0, 4.0, 0.0, 7.0, 0.0, 0.0, 0.0, 0.0]
    src = taeda.tensor(values, dtype=taeda.float64, requires_grad=True)

    def product(x, src):
        return x.scatter_reduce(0, index, src, "prod", include_self=include_self)

    def by_hand(x, src):
        places = [src[:2].prod(), src[2:4].prod(), src[4:7].prod(), src[7:].prod()]
        return taeda.stack(places) * (x if include_self else x * 0 + 1)

    found = []
    for function in (product, by_hand):
        first = taeda.autograd.grad(
            function(x, src).square().sum() + function(x, src).sum(), (x, src), create_graph=True
        )
        weights = taeda.arange(14, dtype=taeda.float64)
        found.append((*first, *taeda.autograd.grad((taeda.cat(first) * weights).sum(), (x, src))))
    for mine, expected in zip(*found, strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), expected.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_whole_slices(dim):
    a, places = array(3, 4), np.array([2, 0, 2])
    x, index = taeda.tensor(a), taeda.tensor(places)
    np.testing.assert_array_equal(x.index_select(dim, index).numpy(), np.take(a, places, dim))
    check_gradients(lambda x: x.index_select(dim, index) ** 2, leaf(3, 4))
    source = np.take(a, places, dim) + 40
    expected = a.copy()
    np.add.at(expected, places if dim == 0 else (slice(None), places), 2 * source)
    np.testing.assert_array_equal(x.index_add(dim, index, taeda.tensor(source), alpha=2).numpy(), expected)
    check_gradients(lambda x, s: x.index_add(dim, index, s, alpha=2) ** 2, leaf(3, 4), leaf(*source.shape))
    once = taeda.tensor([2, 0])
    part = np.take(a, [2, 0], dim) + 40
    expected = a.copy()
    expected[[2, 0] if dim == 0 else (slice(None), [2, 0])] = part
    np.testing.assert_array_equal(x.index_copy(dim, once, taeda.tensor(part)).numpy(), expected)
    check_gradients(lambda x, s: x.index_copy(dim, once, s) ** 2, leaf(3, 4), leaf(*part.shape))
    expected[[-1, 0] if dim == 0 else (slice(None), [-1, 0])] = 9
    np.testing.assert_array_equal(taeda.tensor(expected).index_fill(dim, taeda.tensor([-1, 0]), 9).numpy(), expected)
    value = taeda.tensor(2.0, dtype=taeda.float64, requires_grad=True)
    check_gradients(lambda x, v: x.index_fill(dim, once, v) ** 2, leaf(3, 4), value)


def test_take_and_put():
    a = array(3, 4)
    places = np.array([[0, 11], [-1, 5]])
    index = taeda.tensor(places)
    for x, oracle in ((taeda.tensor(a), a), (taeda.tensor(a).t(), a.T)):
        np.testing.assert_array_equal(x.take(index).numpy(), np.take(oracle, places))
        expected = oracle.copy()
        np.put(expected, places, [1.0, 2, 3, 4])
        np.testing.assert_array_equal(x.put(index, taeda.tensor([[1.0, 2], [3, 4]]).double()).numpy(), expected)
    check_gradients(lambda x: x.take(index) ** 2, leaf(3, 4))
    check_gradients(lambda x, s: x.put(index, s, True) ** 2, leaf(3, 4), leaf(2, 2))
    np.testing.assert_array_equal(
        taeda.take_along_dim(taeda.tensor(a), taeda.tensor(a).argsort(1, descending=True), 1).numpy(), a[:, ::-1]
    )
    assert taeda.take_along_dim(taeda.tensor(a), taeda.tensor([[-1]]), 1).tolist() == [[3], [7], [11]]


# ---- several index tensors

MASK = np.array([[True, False, True], [False, False, True]])
KEYS = {
    "one": (np.array([1, 0, -1]),),
    "second": (slice(None), np.array([[2], [-3]])),
    "pair": (np.array([0, 1]), np.array([[2], [0]])),
    "apart": (np.array([0, 1]), slice(None), np.array([3, 1])),
    "after_slice": (slice(None), np.array([0, 1]), np.array([3, 1])),
    "with_none": (None, np.array([0, 1]), None),
    "with_integer": (1, np.array([0, 2])),
    "ellipsis": (..., np.array([0, 2])),
    "mask": (MASK,),
    "mask_of_last": (..., np.array([True, False, True, True])),
    "mask_and_index": (np.array([True, True]), np.array([0, 2])),
    "empty": (np.array([], dtype=np.int64),),
    "no_true": (np.zeros((2, 3), bool),),
}


def ours(key):
    return tuple(taeda.tensor(part) if isinstance(part, np.ndarray) else part for part in key)


@pytest.mark.parametrize("name", KEYS)
def test_advanced_indexing(name):
    key, a = KEYS[name], array(2, 3, 4)
    x = taeda.tensor(a)
    np.testing.assert_array_equal(x[ours(key)].numpy(), a[key])
    np.testing.assert_array_equal(x.mT.contiguous().mT[ours(key)].numpy(), a[key])
    check_gradients(lambda x: x[ours(key)] ** 2, leaf(2, 3, 4))
    expected = a.copy()
    expected[key] = 77
    x[ours(key)] = 77
    np.testing.assert_array_equal(x.numpy(), expected)
    values = np.random.rand(*a[key].shape)
    if name != "one":  # (its indices repeat: 1 and -1 are one place)
        expected[key] = values
        x[ours(key)] = taeda.tensor(values)
        np.testing.assert_array_equal(x.numpy(), expected)

    def write(x, v):
        y = x * 1
        y[ours(key)] = v
        return y**2

    if name != "one":
        check_gradients(write, leaf(2, 3, 4), leaf(*values.shape[-1:]))


def test_index_put_accumulates():
    x = taeda.zeros(3)
    x.index_put_((taeda.tensor([0, 2, 0]),), taeda.tensor([1.0, 2, 3]), accumulate=True)
    assert x.tolist() == [4, 0, 2]
    index = (taeda.tensor([0, 2, 0]),)
    check_gradients(lambda x, v: x.index_put(index, v, True) ** 2, leaf(3, 2), leaf(3, 2))


def test_zero_dim_mask():
    x = taeda.tensor(array(2, 2))
    assert x[taeda.tensor(True)].shape == (1, 2, 2) and x[taeda.tensor(False)].shape == (0, 2, 2)


# ---- masks


def test_masks():
    a, mask = array(2, 3), MASK
    x, m = taeda.tensor(a), taeda.tensor(mask)
    np.testing.assert_array_equal(x.masked_select(m).numpy(), a[mask])
    np.testing.assert_array_equal(m.nonzero().numpy(), np.argwhere(mask))
    np.testing.assert_array_equal(taeda.argwhere(x).numpy(), np.argwhere(a))
    for made, expected in zip(taeda.where(m), np.where(mask), strict=True):
        np.testing.assert_array_equal(made.numpy(), expected)
    expected = a.copy()
    expected[mask] = [9, 8, 7]
    np.testing.assert_array_equal(x.masked_scatter(m, taeda.tensor([9.0, 8, 7, 6]).double()).numpy(), expected)
    check_gradients(lambda x: x.masked_select(m) ** 2, leaf(2, 3))
    check_gradients(lambda x: x.masked_select(m) ** 2, leaf(3))
    check_gradients(lambda x, s: x.masked_scatter(m, s) ** 2, leaf(2, 3), leaf(4))
    assert taeda.tensor(5).nonzero().shape == (1, 0) and taeda.tensor(0).nonzero().shape == (0, 0)


def test_large_masks_in_threads():
    a = np.random.rand(300, 1000)
    x = taeda.tensor(a)
    np.testing.assert_array_equal(x[x > 0.5].numpy(), a[a > 0.5])
    np.testing.assert_array_equal((x > 0.9).nonzero().numpy(), np.argwhere(a > 0.9))
    index = np.random.randint(0, 300, 2000)
    np.testing.assert_array_equal(x[taeda.tensor(index)].numpy(), a[index])
    expected = np.zeros((300, 1000))
    np.add.at(expected, index, a[index])
    made = taeda.zeros(300, 1000, dtype=taeda.float64).index_add_(0, taeda.tensor(index), x[taeda.tensor(index)])
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float16", "bfloat16", "complex64", "complex128"])
def test_every_element_width(dtype):
    x = taeda.arange(12).view(3, 4).to(getattr(taeda, dtype))
    index = taeda.tensor([2, 0])
    assert taeda.equal(x[index], taeda.cat([x[2:], x[:1]]))
    assert taeda.equal(taeda.zeros_like(x).index_copy(0, taeda.tensor([0, 1, 2]), x), x)
    assert taeda.equal(taeda.zeros_like(x).index_add(0, taeda.tensor([0, 1, 2]), x), x)


X = taeda.zeros(3, 4)


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (
            lambda: X.gather(0, taeda.tensor([[5]])),
            RuntimeError,
            "index 5 is out of bounds for dimension 0 with size 3",
        ),
        (lambda: X.gather(0, taeda.tensor([[-1]])), RuntimeError, "index -1 is out of bounds"),
        (lambda: X.gather(0, taeda.tensor([0])), RuntimeError, "same number of dimensions as input"),
        (lambda: X.gather(0, taeda.zeros(1, 1)), RuntimeError, "Expected dtype int32/int64 for index"),
        (
            lambda: X.scatter(0, taeda.zeros(1, 4).long(), X.double()),
            RuntimeError,
            "Expected self.dtype to be equal to src.dtype",
        ),
        (lambda: X.scatter(0, taeda.tensor([[5]]), 1.0), RuntimeError, "index 5 is out of bounds"),
        (lambda: X.index_select(0, taeda.tensor([7])), IndexError, "index out of range in self"),
        (lambda: X.index_add(0, taeda.tensor([0]), X[:2]), RuntimeError, "Number of indices"),
        (lambda: X[taeda.tensor([5])], IndexError, "index 5 is out of bounds for dimension 0 with size 3"),
        (lambda: X[:, taeda.tensor([-5])], IndexError, "index -5 is out of bounds for dimension 1 with size 4"),
        (lambda: X[taeda.tensor([0.0])], IndexError, "tensors used as indices must be long"),
        (lambda: X[taeda.tensor([True, False])], IndexError, "The shape of the mask \\[2\\] at index 0 does not match"),
        (lambda: X[taeda.tensor([0, 1]), taeda.tensor([0, 1, 2])], IndexError, "could not be broadcast together"),
        (
            lambda: X.masked_scatter(X == 0, taeda.zeros(2)),
            RuntimeError,
            "Number of elements of source < number of ones",
        ),
        (lambda: X.take(taeda.tensor([100])), IndexError, "tried to access index 100 on a tensor of 12 elements"),
        (lambda: taeda.cat([]), ValueError, "expected a non-empty list of Tensors"),
        (lambda: taeda.cat([X, taeda.zeros(2, 3)]), RuntimeError, "Sizes of tensors must match except in dimension 0"),
        (lambda: taeda.cat([X, taeda.zeros(2)]), RuntimeError, "same number of dimensions: got 2 and 1"),
        (lambda: taeda.stack([X, X[0]]), RuntimeError, "stack expects each tensor to be equal size"),
        (
            lambda: X.scatter_reduce(0, taeda.zeros(1, 4).long(), X, "foo"),
            RuntimeError,
            "reduce argument must be either sum",
        ),
    ],
)
def test_errors(call, error, phrase):
    with pytest.raises(error, match=phrase):
        call()
