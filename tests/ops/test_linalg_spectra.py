"""Eigenvalues, singular values, norms and what is composed of them, against NumPy and SciPy."""

import subprocess
import sys

import numpy
import pytest
import scipy.linalg

import taeda
from taeda import linalg
from taeda.testing import gradcheck

DTYPES = [numpy.float32, numpy.float64, numpy.complex64, numpy.complex128]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
ORDERS = ["fro", "nuc", 2, -2, 1, -1, float("inf"), -float("inf")]


def close(dtype):
    return {"rtol": 2e-3, "atol": 2e-4} if numpy.finfo(dtype).eps > 1e-10 else {"rtol": 1e-8, "atol": 1e-10}


def data(shape, dtype=numpy.float64, seed=0):
    generator = numpy.random.default_rng(seed)
    x = generator.normal(size=shape)
    if numpy.issubdtype(dtype, numpy.complexfloating):
        x = x + 1j * generator.normal(size=shape)
    return x.astype(dtype)


def tensor(x):
    return taeda.from_numpy(x)


def check(actual, expected, dtype=numpy.float64):
    numpy.testing.assert_allclose(actual.numpy(), expected, **close(dtype))


# ---- eigenvalues


@every_dtype
@pytest.mark.parametrize("batch", [(), (3,), (0,)])
def test_symmetric_eigenvalues_equal_numpys_and_vectors_fit(dtype, batch):
    x = data((*batch, 4, 4), dtype)
    a = x + numpy.conj(numpy.swapaxes(x, -1, -2))
    values, vectors = linalg.eigh(tensor(a))
    check(values, numpy.linalg.eigvalsh(a), dtype)
    check(linalg.eigvalsh(tensor(a)), numpy.linalg.eigvalsh(a), dtype)
    check(tensor(a) @ vectors, vectors.numpy() * values.numpy()[..., None, :], dtype)


def test_only_the_named_triangle_is_read():
    x = data((3, 3))
    lower, upper = numpy.tril(x) + numpy.tril(x, -1).T, numpy.triu(x) + numpy.triu(x, 1).T
    check(linalg.eigvalsh(tensor(x)), numpy.linalg.eigvalsh(lower))
    check(linalg.eigvalsh(tensor(x), "U"), numpy.linalg.eigvalsh(upper))
    assert linalg.eigvalsh(tensor(x) * float("nan")).isnan().all()


@every_dtype
@pytest.mark.parametrize("batch", [(), (3,), (0,)])
def test_eigenvectors_of_any_matrix_fit_its_eigenvalues(dtype, batch):
    a = data((*batch, 5, 5), dtype)
    values, vectors = linalg.eig(tensor(a))
    assert values.is_complex() and vectors.is_complex()
    check(tensor(a).to(values.dtype) @ vectors, vectors.numpy() * values.numpy()[..., None, :], dtype)
    check(linalg.vector_norm(vectors, dim=-2), numpy.ones((*batch, 5)), dtype)
    check(linalg.eigvals(tensor(a)).sum(-1), numpy.trace(a, axis1=-2, axis2=-1), dtype)


# ---- singular values


@every_dtype
@pytest.mark.parametrize("shape", [(4, 4), (2, 5, 3), (3, 5), (0, 3), (0, 5, 3)])
@pytest.mark.parametrize("full", [True, False])
def test_singular_vectors_are_orthonormal_and_multiply_to_the_matrix(dtype, shape, full):
    a, k = data(shape, dtype), min(shape[-2:])
    u, s, vh = linalg.svd(tensor(a), full_matrices=full)
    check(s, numpy.linalg.svd(a, compute_uv=False), dtype)
    check(linalg.svdvals(tensor(a)), numpy.linalg.svd(a, compute_uv=False), dtype)
    check((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a, dtype)
    for vectors in (u.mH @ u, vh @ vh.mH):
        check(vectors, numpy.broadcast_to(numpy.eye(vectors.shape[-1]), vectors.shape), dtype)
    assert u.shape[-1] == (shape[-2] if full else k)
    old = taeda.svd(tensor(a), some=not full)
    check(old.V.mH, vh.numpy(), dtype)


def test_svd_without_vectors_gives_zeros():
    u, s, v = taeda.svd(tensor(data((2, 3))), compute_uv=False)
    assert u.shape == (2, 2) and v.shape == (3, 3) and not u.any() and not v.any()


# ---- the exponential


@every_dtype
@pytest.mark.parametrize("scale", [0.01, 1.0, 8.0])
def test_the_exponential_equals_scipys(dtype, scale):
    a = (data((3, 4, 4), dtype) * scale).astype(dtype)
    expected = scipy.linalg.expm(a.astype(numpy.complex128))
    expected = expected if numpy.iscomplexobj(a) else expected.real
    size = abs(expected).max()
    numpy.testing.assert_allclose(linalg.matrix_exp(tensor(a)).numpy() / size, expected / size, **close(dtype))
    assert taeda.matrix_exp(taeda.zeros(2, 2)).tolist() == [[1, 0], [0, 1]]


# ---- norms


@every_dtype
@pytest.mark.parametrize("order", ORDERS)
def test_matrix_norms_equal_numpys(dtype, order):
    a = data((2, 4, 3), dtype)
    for keepdim in (False, True):
        expected = [numpy.linalg.norm(matrix, order) for matrix in a]
        expected = numpy.reshape(expected, (2, 1, 1)) if keepdim else numpy.array(expected)
        check(linalg.matrix_norm(tensor(a), order, keepdim=keepdim), expected, dtype)
    moved = tensor(a).movedim(0, 1)
    check(linalg.matrix_norm(moved, order, dim=(0, 2)), [numpy.linalg.norm(matrix, order) for matrix in a], dtype)
    check(linalg.norm(tensor(a[0]), order), numpy.linalg.norm(a[0], order), dtype)


@pytest.mark.parametrize("order", [None, 0, 1, 3.5, float("inf"), -1])
def test_vector_norms_equal_numpys(order):
    a = data((4, 3))
    check(linalg.norm(tensor(a), order, dim=0), numpy.linalg.norm(a, order, axis=0))
    check(linalg.norm(tensor(a[0]), order), numpy.linalg.norm(a[0], order))


def test_the_older_norms():
    a = data((3, 4))
    check(taeda.norm(tensor(a), "nuc"), numpy.linalg.norm(a, "nuc"))
    check(taeda.nuclear_norm(tensor(a)), numpy.linalg.norm(a, "nuc"))
    check(taeda.frobenius_norm(tensor(a), (0, 1)), numpy.linalg.norm(a))
    check(tensor(a).norm(1), abs(a).sum())
    check(tensor(a).norm(dim=1, keepdim=True), numpy.linalg.norm(a, axis=1, keepdims=True))


@pytest.mark.parametrize("order", [None, "fro", "nuc", 2, -2, 1, -1, float("inf"), -float("inf")])
def test_condition_numbers_equal_numpys(order):
    a = data((2, 3, 3))
    check(linalg.cond(tensor(a), order), [numpy.linalg.cond(matrix, order) for matrix in a])


def test_singular_matrices_have_an_infinite_condition_number():
    assert linalg.cond(taeda.zeros(2, 2), 1).item() == float("inf")


# ---- tensors as matrices


def test_tensors_are_inverted_and_solved_as_matrices():
    a, b = data((4, 6, 8, 3)), data((4, 6))
    check(linalg.tensorinv(tensor(a)), numpy.linalg.tensorinv(a))
    check(linalg.tensorsolve(tensor(a), tensor(b)), numpy.linalg.tensorsolve(a, b))
    moved = numpy.moveaxis(a, (2, 3), (0, 1))
    check(linalg.tensorsolve(tensor(moved), tensor(b), dims=(0, 1)), numpy.linalg.tensorsolve(moved, b, axes=(0, 1)))


def test_vandermonde_matrices_and_diagonals():
    x = data((2, 4))
    for count in (None, 2, 6):
        check(linalg.vander(tensor(x), N=count), [numpy.vander(row, count, increasing=True) for row in x])
    assert linalg.vander(taeda.tensor([2, 3])).tolist() == [[1, 2], [1, 3]]
    check(linalg.diagonal(tensor(data((2, 3, 4))), offset=1), numpy.diagonal(data((2, 3, 4)), 1, -2, -1))


# ---- few vectors of large matrices


def test_low_rank_decompositions_find_the_rank():
    a = data((2, 40, 5)) @ data((2, 5, 30), seed=1)
    for matrix in (a, numpy.swapaxes(a, -1, -2).copy()):
        u, s, v = taeda.svd_lowrank(tensor(matrix), q=6)
        check(u @ taeda.diag_embed(s) @ v.mH, matrix)
    shift = data((30,))
    u, s, v = taeda.svd_lowrank(tensor(a), q=7, M=tensor(shift))
    check(u @ taeda.diag_embed(s) @ v.mH, a - shift)
    u, s, v = taeda.pca_lowrank(tensor(a), q=6)
    centred = a - a.mean(-2, keepdims=True)
    check(s[..., :5], numpy.linalg.svd(centred, compute_uv=False)[..., :5])
    with pytest.raises(ValueError, match="must be non-negative integer and not greater than min"):
        taeda.pca_lowrank(tensor(a), q=31)


@pytest.mark.parametrize("largest", [True, False])
def test_lobpcg_finds_extreme_eigenvalues(largest):
    x = data((2, 30, 30))
    a, b = x + numpy.swapaxes(x, -1, -2), numpy.eye(30) + 0.01 * x @ numpy.swapaxes(x, -1, -2)
    for weight in (None, b):
        values, vectors = taeda.lobpcg(tensor(a), k=3, B=None if weight is None else tensor(weight), largest=largest)
        for index in range(2):
            expected = scipy.linalg.eigvalsh(a[index], None if weight is None else weight[index])
            expected = expected[::-1][:3] if largest else expected[:3]
            numpy.testing.assert_allclose(values[index].numpy(), expected, rtol=1e-6)
        right = vectors if weight is None else tensor(weight) @ vectors
        numpy.testing.assert_allclose((tensor(a) @ vectors).numpy(), (right * values.unsqueeze(-2)).numpy(), atol=1e-4)


def lobpcg_of(x, k=2, weight=None, largest=True):
    """Of a symmetric matrix made from x: the values, and the products of the vectors' elements, which have no sign."""
    taeda.manual_seed(0)
    a = x + x.mT
    values, vectors = taeda.lobpcg(a, k=k, B=weight, tol=1e-12, largest=largest)
    return values, vectors.unsqueeze(-2) * vectors.unsqueeze(-3)


@pytest.mark.parametrize("largest", [True, False])
def test_gradients_of_lobpcg_are_those_of_eigh(largest):
    x = tensor(data((2, 8, 8))).requires_grad_()
    order = slice(6, None) if largest else slice(None, 2)
    seeds = tensor(data((2, 2), seed=1)), tensor(data((2, 8, 8, 2), seed=2))

    def by_eigh(x):
        values, vectors = taeda.linalg.eigh(x + x.mT)
        values, vectors = values[:, order], vectors[..., order]
        if largest:
            values, vectors = values.flip(-1), vectors.flip(-1)
        return values, vectors.unsqueeze(-2) * vectors.unsqueeze(-3)

    found = []
    for function in (lambda x: lobpcg_of(x, largest=largest), by_eigh):
        (first,) = taeda.autograd.grad(function(x), x, seeds, create_graph=True)
        (second,) = taeda.autograd.grad(first.square().sum(), x)
        found.append((first.detach().numpy(), second.numpy()))
    for mine, expected in zip(*found, strict=True):
        numpy.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-6)


def test_lobpcg_with_a_weight_is_differentiable_in_both_matrices():
    x, root = tensor(data((8, 8))).requires_grad_(), tensor(data((8, 8), seed=3) * 0.3).requires_grad_()
    identity = taeda.eye(8, dtype=taeda.float64)

    def pairs(x, root):
        return lobpcg_of(x, weight=identity + root @ root.mT)

    assert gradcheck(pairs, (x, root), rtol=1e-4, atol=1e-5)


def test_forward_mode_of_lobpcg():
    x, way = tensor(data((8, 8))), tensor(data((8, 8), seed=1))
    _, made = taeda.func.jvp(lobpcg_of, (x,), (way,))
    ahead, behind = lobpcg_of(x + 1e-5 * way), lobpcg_of(x - 1e-5 * way)
    for tangent, plus, minus in zip(made, ahead, behind, strict=True):
        numpy.testing.assert_allclose(tangent.numpy(), ((plus - minus) / 2e-5).numpy(), rtol=1e-5, atol=1e-6)


# ---- the library


def run(code, **environment):
    import os

    variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables)


def test_the_library_is_opened_by_the_first_factorization_and_not_before():
    found = run(
        "import taeda\n"
        "def mapped(): return 'openblas' in open('/proc/self/maps').read()\n"
        "before = mapped()\n"
        "taeda.linalg.inv(taeda.eye(40))\n"
        "print(before, mapped(), 'LAPACK' in taeda.show_config())"
    )
    assert found.stdout.split() == ["False", "True", "True"], found.stderr


def test_a_missing_library_is_a_clear_error():
    code = (
        "import taeda\ntry: taeda.linalg.inv(taeda.eye(40))\nexcept RuntimeError as error: print(error)\n"
        "print((taeda.ones(2, 2) @ taeda.ones(2, 2)).sum().item(), taeda.show_config())"
    )
    found = run(code, TAEDA_LAPACK="/nowhere/liblapack.so")
    assert "taeda finds no LAPACK library" in found.stdout and "/nowhere/liblapack.so" in found.stdout
    assert "8.0" in found.stdout and "LAPACK: none" in found.stdout


def test_threads_do_not_change_what_a_batch_gives():
    a = tensor(data((64, 12, 12)) + 20 * numpy.eye(12))
    threads = taeda.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            taeda.set_num_threads(count)
            results.append(linalg.inv(a))
    finally:
        taeda.set_num_threads(threads)
    assert results[0].equal(results[1])
