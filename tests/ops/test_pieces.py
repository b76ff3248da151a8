"""Kernels that go through large tensors piece by piece, against NumPy, with numbers of elements around the pieces' ends."""

from __future__ import annotations

import numpy as np
import pytest

import taeda as torch

SIZES = [0, 1, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 2049, 40_000]


@pytest.fixture(autouse=True)
def _same_threads_afterwards():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[1, 2])
def threads(request):
    torch.set_num_threads(request.param)
    return request.param


def numbers(n, dtype, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(n)).to(dtype)


# ---- half precision: computed in float, rounded once

HALVES = [torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("n", SIZES)
def test_half_precision_is_float_rounded_once(n, dtype):
    a, b, keep = numbers(n, dtype), numbers(n, dtype, 1), numbers(n, torch.float32, 2) > 0
    x, y = a.float(), b.float()
    pairs = [
        (a + b, x + y),
        (torch.addcmul(a, a, b, value=0.1), torch.addcmul(x, x, y, value=0.1)),
        (a * 0.1, x * 0.1),  # the number is not rounded
        (torch.where(keep, a, b), torch.where(keep, x, y)),
        (torch.tanh(a), torch.tanh(x)),
        (a.clone().mul_(b), x * y),
        (torch.mul(a, b, out=torch.empty(n, dtype=dtype)), x * y),
        (a + torch.tensor(1.5, dtype=dtype), x + 1.5),
    ]
    for got, wanted in pairs:
        assert got.dtype == dtype
        assert torch.equal(got, wanted.to(dtype))
    assert torch.equal(a > b, x > y)
    assert torch.equal(a >= 0.1, x >= torch.tensor(0.1).to(dtype).float())  # compared in half precision


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_of_special_numbers(dtype):
    special = torch.tensor(
        [0.0, -0.0, float("inf"), -float("inf"), float("nan"), 6e-8, 65504.0, 1e-40] * 40, dtype=dtype
    )
    for function in (torch.neg, torch.abs, torch.relu, lambda x: x + x, lambda x: x * 0.5):
        got, wanted = function(special), function(special.float()).to(dtype)
        assert np.array_equal(got.float().numpy(), wanted.float().numpy(), equal_nan=True)
        assert torch.equal(torch.signbit(got), torch.signbit(wanted))


def test_half_precision_in_place_beside_views_of_itself():
    a = torch.arange(600.0).to(torch.bfloat16)
    wanted = a[1:].float() + a[:-1].float()
    a[1:].add_(a[:-1].clone())
    assert torch.equal(a[1:], wanted.to(torch.bfloat16))


# ---- counting


@pytest.mark.parametrize("n", [*SIZES, 300_000])
def test_count_of_truths(n, threads):
    for kept in (torch.ones(n, dtype=torch.bool), numbers(n, torch.float32) > 0.3):
        assert int(kept.count_nonzero()) == int(kept.numpy().sum())


@pytest.mark.parametrize("shape", [(1000, 3), (3, 1000), (70, 700), (5, 33, 65), (2000, 40)])
def test_count_along_dimensions(shape):
    kept = numbers(int(np.prod(shape)), torch.float32).reshape(shape) > -2
    for dim in range(len(shape)):
        assert np.array_equal(kept.count_nonzero(dim).numpy(), np.count_nonzero(kept.numpy(), axis=dim))
    assert np.array_equal(kept.transpose(0, 1).count_nonzero(0).numpy(), np.count_nonzero(kept.numpy(), axis=1))


@pytest.mark.parametrize(
    ("n", "bins"), [(0, 5), (10, 3), (7, 100), (1000, 10), (1003, 1), (200_000, 100), (70_001, 30_000)]
)
def test_bincount(n, bins, threads):
    at = np.random.default_rng(n).integers(0, bins, n)
    assert np.array_equal(torch.bincount(torch.from_numpy(at)).numpy(), np.bincount(at))
    assert np.array_equal(
        torch.bincount(torch.from_numpy(at), minlength=bins + 7).numpy(), np.bincount(at, minlength=bins + 7)
    )


def test_bincount_refuses_what_is_negative():
    with pytest.raises(RuntimeError, match="non-negative integral inputs, got -3"):
        torch.bincount(torch.tensor([1, 2, -3] * 1000))


def test_bincount_refuses_what_no_memory_holds():
    for most in (2**63 - 1, 2**62):
        with pytest.raises(RuntimeError):
            torch.bincount(torch.tensor([1, most]))


# ---- masks


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("share", [-9.0, -1.0, 0.0, 9.0])
def test_masks(n, share, threads):
    x, kept = numbers(n, torch.float32), numbers(n, torch.float32, 1) > share
    a, mask = x.numpy(), kept.numpy()
    assert np.array_equal(kept.nonzero().numpy(), np.argwhere(mask))
    for values in (x, x.double(), x.to(torch.float16), x.to(torch.int8), x.to(torch.complex128)):
        assert np.array_equal(values[kept].numpy(), values.numpy()[mask])
        assert np.array_equal(torch.masked_select(values, kept).numpy(), values.numpy()[mask])
    source = numbers(int(mask.sum()), torch.float32, 2)  # not an element more than is needed
    wanted = a.copy()
    wanted[mask] = source.numpy()
    assert np.array_equal(x.masked_scatter(kept, source).numpy(), wanted)


@pytest.mark.parametrize("shape", [(40, 50), (2000, 1), (1, 2000), (7, 0), (13, 11, 17), (2, 3, 4, 5), (300, 3, 70)])
def test_places_of_what_is_not_zero(shape):
    kept = numbers(int(np.prod(shape)), torch.float32).reshape(shape) > 1
    assert np.array_equal(kept.nonzero().numpy(), np.argwhere(kept.numpy()))


def test_gradient_of_a_mask():
    x = numbers(5000, torch.float64).requires_grad_()
    kept = x.detach() > 0
    factor = numbers(int(kept.sum()), torch.float64, 1)
    (x[kept] * factor).sum().backward()
    wanted = np.zeros(5000)
    wanted[kept.numpy()] = factor.numpy()
    assert np.array_equal(x.grad.numpy(), wanted)


# ---- scattering


@pytest.mark.parametrize("n", [1023, 1024, 1025, 5000])
def test_scatter_refuses_an_index_in_a_late_piece(n):
    index = torch.zeros(n, dtype=torch.int64)
    index[-1] = 3
    with pytest.raises(RuntimeError, match="index 3 is out of bounds for dimension 0 with size 3"):
        torch.zeros(3).scatter_add_(0, index, torch.ones(n))


@pytest.mark.parametrize("index", [[2**63 - 1, 2**62], [0, -(2**63)]])
def test_indices_far_outside(index):
    table, index = torch.ones(3, 4), torch.tensor(index)
    for function in (
        lambda: table.index_fill(0, index, 2.0),
        lambda: table.index_select(0, index),
        lambda: table.scatter_add(0, index.unsqueeze(1).repeat(1, 4), torch.ones(2, 4)),
        lambda: torch.zeros(3).scatter_add_(0, index.repeat(2000), torch.ones(4000)),
        lambda: torch.nn.functional.nll_loss(torch.zeros(2, 4), index),
    ):
        with pytest.raises((IndexError, RuntimeError)):
            function()


@pytest.mark.parametrize("reduce", ["sum", "amax", "amin", "prod"])
def test_scatter_reduce_of_many(reduce):
    function = {"sum": np.add, "amax": np.maximum, "amin": np.minimum, "prod": np.multiply}[reduce]
    index, source = np.random.default_rng(0).integers(0, 7, 3000), numbers(3000, torch.float64)
    wanted = np.ones(7)
    function.at(wanted, index, source.numpy())
    got = torch.ones(7, dtype=torch.float64).scatter_reduce(0, torch.from_numpy(index), source, reduce)
    assert np.allclose(got.numpy(), wanted, rtol=1e-12)


# ---- dot products


@pytest.mark.parametrize("n", [0, 1, 65_535, 65_536, 65_537, 300_001])
def test_long_dot_products_do_not_depend_on_threads(n):
    a, b = numbers(n, torch.float32), numbers(n, torch.float32, 1)
    exact = float(a.double().numpy() @ b.double().numpy())
    results = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        results.append((float(torch.dot(a, b)), (a.reshape(1, -1) @ b.reshape(-1, 1)).item()))
    assert len(set(results)) == 1
    assert results[0][0] == pytest.approx(exact, abs=1e-5 * max(1, n) ** 0.5)


def test_a_few_long_dot_products_with_an_addend():
    a, b, c = numbers(3 * 70_000, torch.float64), numbers(4 * 70_000, torch.float64, 1), numbers(12, torch.float64, 2)
    a, b, c = a.reshape(3, -1), b.reshape(4, -1), c.reshape(3, 4)
    wanted = 0.5 * c.numpy() + 2 * (a.numpy() @ b.numpy().T)
    assert np.allclose(torch.addmm(c, a, b.t(), beta=0.5, alpha=2).numpy(), wanted, rtol=1e-10)
    wide = b.numpy() @ a.numpy().T
    assert np.allclose((b @ a.t()).numpy(), wide, rtol=1e-10)


@pytest.mark.parametrize("k", [1, 3, 4, 7, 8, 9, 15, 17, 31, 100, 101])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batches_of_dot_products(k, dtype):
    a, b = numbers(64 * k, dtype).reshape(64, k), numbers(64 * k, dtype, 1).reshape(64, k)
    wanted = (a.double().numpy() * b.double().numpy()).sum(1)
    assert np.allclose(torch.einsum("ij,ij->i", a, b).numpy(), wanted, atol=1e-4 if dtype == torch.float32 else 1e-12)


# ---- sampling at points


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_sampling_does_not_depend_on_threads(mode):
    image, grid = (
        numbers(3 * 20 * 30, torch.float32).reshape(1, 3, 20, 30),
        numbers(2 * 41 * 43, torch.float32, 1).reshape(1, 41, 43, 2),
    )
    results = []
    for count in (1, 2):
        torch.set_num_threads(count)
        results.append(torch.nn.functional.grid_sample(image, grid, mode=mode, align_corners=False))
    assert torch.equal(*results)
    one = torch.nn.functional.grid_sample(image, grid[:, 40:, 42:], mode=mode, align_corners=False)
    assert torch.allclose(one, results[0][:, :, 40:, 42:])
