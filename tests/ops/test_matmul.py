"""Matrix products of every rank, dtype and layout against NumPy; their errors and gradients."""

from __future__ import annotations

import itertools

import numpy
import pytest

import taeda
import taeda.nn.functional as F
from taeda.autograd import gradcheck, gradgradcheck

RNG = numpy.random.default_rng(0)
FLOATS = ["float32", "float64", "complex64", "complex128"]
INTS = ["int64", "int32", "int16", "int8", "uint8"]


def array(*shape: int, dtype: str = "float64") -> numpy.ndarray:
    if dtype.startswith("complex"):
        return (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(dtype)
    if dtype.startswith("float"):
        return RNG.standard_normal(shape).astype(dtype)
    return RNG.integers(0, 100, shape).astype(dtype)


def leaf(*shape: int, dtype: str = "float64") -> taeda.Tensor:
    return taeda.tensor(array(*shape, dtype=dtype)).requires_grad_()


def assert_same(result: taeda.Tensor, expected: numpy.ndarray, tolerance: float = 1e-4) -> None:
    assert tuple(result.shape) == expected.shape
    numpy.testing.assert_allclose(result.numpy(), expected, rtol=tolerance, atol=tolerance)


RANKS = [
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((5, 3), (3,)),
    ((5, 3), (3, 4)),
    ((2, 5, 3), (3, 4)),
    ((2, 5, 3), (3,)),
    ((3,), (2, 3, 4)),
    ((2, 1, 5, 3), (3, 3, 4)),
    ((1, 5, 3), (2, 3, 4)),
    ((5, 3), (2, 3, 4)),
    ((0, 3), (3, 4)),
    ((5, 0), (0, 4)),
    ((2, 0, 3), (3, 4)),
    ((0, 5, 3), (0, 3, 2)),
]


@pytest.mark.parametrize("dtype", FLOATS + INTS)
@pytest.mark.parametrize("shapes", RANKS)
def test_matmul_has_numpys_rank_rules(dtype, shapes):
    a, b = (array(*shape, dtype=dtype) for shape in shapes)
    assert_same(taeda.matmul(taeda.tensor(a), taeda.tensor(b)), a @ b)


SIZES = [1, 2, 4, 5, 6, 7, 15, 16, 17, 33, 150]
DEPTHS = [1, 3, 15, 16, 40, 255, 383, 384, 385, 800]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_every_path_of_the_engine_and_every_layout(dtype):
    """Integers are exact in all types, so any slip in packing, edges or blocks shows."""
    combinations = list(itertools.product(SIZES, SIZES, DEPTHS, (False, True), (False, True)))
    for index in RNG.choice(len(combinations), 150, replace=False):
        m, n, k, turn_a, turn_b = combinations[index]
        a = RNG.integers(-8, 9, (k, m) if turn_a else (m, k)).astype(dtype)
        b = RNG.integers(-8, 9, (n, k) if turn_b else (k, n)).astype(dtype)
        left, right = taeda.tensor(a), taeda.tensor(b)
        result = taeda.mm(left.t() if turn_a else left, right.t() if turn_b else right)
        expected = (a.T if turn_a else a) @ (b.T if turn_b else b)
        assert numpy.array_equal(result.numpy(), expected), (m, n, k, turn_a, turn_b)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_summed_in_float32(dtype):
    a, b = array(30, 500, dtype="float32"), array(500, 20, dtype="float32")
    left, right = (taeda.tensor(x).to(getattr(taeda, dtype)) for x in (a, b))
    expected = left.float().numpy() @ right.float().numpy()
    spacing = 2.0**-8 if dtype == "bfloat16" else 2.0**-11
    assert numpy.abs((left @ right).float().numpy() - expected).max() <= spacing * numpy.abs(expected).max() + 1e-3


def test_strided_and_reversed_operands_are_read_in_place():
    a, b = array(40, 60), array(60, 50)
    left, right = taeda.tensor(a), taeda.tensor(b)
    assert_same(left[::2, ::3] @ right[::3, 1::2], a[::2, ::3] @ b[::3, 1::2])
    assert_same(left.flip(0) @ right, a[::-1] @ b)
    assert_same(left.expand(3, 40, 60) @ right, numpy.stack([a @ b] * 3))


def test_integer_sums_wrap_around():
    a = numpy.full((2, 300), 100, dtype="int8")
    assert numpy.array_equal((taeda.tensor(a) @ taeda.tensor(a.T.copy())).numpy(), a @ a.T)


def test_results_do_not_depend_on_the_number_of_threads():
    a, b = taeda.tensor(array(301, 500, dtype="float32")), taeda.tensor(array(500, 203, dtype="float32"))
    few, row = a[:3].clone(), a[:1].clone()
    threads = taeda.get_num_threads()
    try:
        results = []
        for n in (1, 2, 3):
            taeda.set_num_threads(n)
            results.append([(x @ b).numpy() for x in (a, few, row)] + [(few @ b.t().contiguous().t()).numpy()])
    finally:
        taeda.set_num_threads(threads)
    for other in results[1:]:
        assert all(numpy.array_equal(x, y) for x, y in zip(results[0], other, strict=True))


@pytest.mark.parametrize("dtype", FLOATS + ["int64"])
def test_added_products(dtype):
    beta, alpha = (2, 3) if dtype == "int64" else (0.5, 1.5)
    v, a, b = array(4, dtype=dtype), array(2, 3, 5, dtype=dtype), array(2, 5, 4, dtype=dtype)
    tv, ta, tb = taeda.tensor(v), taeda.tensor(a), taeda.tensor(b)
    factors = {"beta": beta, "alpha": alpha}
    assert_same(taeda.addmm(tv, ta[0], tb[0], **factors), beta * v + alpha * (a[0] @ b[0]))
    assert_same(taeda.baddbmm(tv, ta, tb, **factors), beta * v + alpha * (a @ b))
    assert_same(taeda.addbmm(tv, ta, tb, **factors), beta * v + alpha * (a @ b).sum(0))
    assert_same(taeda.addmv(tv[:3], ta[0], tb[0, :, 0], **factors), beta * v[:3] + alpha * (a[0] @ b[0, :, 0]))
    assert_same(taeda.addr(ta[0], tv[:3], tb[0, :, 0], **factors), beta * a[0] + alpha * numpy.outer(v[:3], b[0, :, 0]))


def test_beta_of_zero_ignores_what_is_there():
    nan = taeda.full((2, 2), float("nan"))
    assert_same(taeda.addmm(nan, taeda.ones(2, 3), taeda.ones(3, 2), beta=0), numpy.full((2, 2), 3.0))


def test_out_and_in_place():
    a, b = array(3, 4), array(4, 5)
    out = taeda.empty(3, 5, dtype=taeda.float64)
    assert taeda.mm(taeda.tensor(a), taeda.tensor(b), out=out) is out
    assert_same(out, a @ b)
    out.addmm_(taeda.tensor(a), taeda.tensor(b))
    assert_same(out, 2 * (a @ b))
    square = taeda.tensor(array(3, 3))
    expected = square.numpy() @ square.numpy()
    assert_same(taeda.mm(square, square, out=square), expected)


def test_vectors():
    a, b = array(7, dtype="complex128"), array(7, dtype="complex128")
    x, y = taeda.tensor(a), taeda.tensor(b)
    assert_same(taeda.dot(x, y), numpy.dot(a, b))
    assert_same(taeda.vdot(x, y), numpy.vdot(a, b))
    assert_same(taeda.outer(x, y), numpy.outer(a, b))
    assert_same(taeda.linalg.vecdot(x, y), numpy.vdot(a, b))


@pytest.mark.parametrize(
    ("call", "phrase"),
    [
        (lambda o: taeda.mm(o(3, 4), o(5, 4)), r"mat1 and mat2 shapes cannot be multiplied \(3x4 and 5x4\)(.|\n)*hint"),
        (lambda o: taeda.mm(o(3), o(5, 4)), "self must be a matrix"),
        (
            lambda o: taeda.mm(o(3, 4), o(4, 2).double()),
            "expected m1 and m2 to have the same dtype, but got: float != double",
        ),
        (lambda o: taeda.bmm(o(2, 3, 4), o(2, 5, 4)), r"to be: \[2, 4\] but got: \[2, 5\]"),
        (lambda o: taeda.dot(o(3), o(4)), "inconsistent tensor size"),
        (lambda o: taeda.mv(o(3, 4), o(5)), r"size mismatch, got input \(3\), mat \(3x4\), vec \(5\)"),
        (lambda o: taeda.matmul(o(2, 3, 4), o(3, 4, 5)), "must match the size of tensor b"),
        (lambda o: taeda.matmul(o(()), o(3)), "both arguments to matmul need to be at least 1D"),
        (lambda o: taeda.addmm(o(5), o(3, 4), o(4, 2)), r"expanded size of the tensor \(2\) must match"),
        (lambda o: F.linear(o(3, 4), o(5, 3)), r"cannot be multiplied \(3x4 and 3x5\)"),
        (lambda o: taeda.mm(o(2, 2).bool(), o(2, 2).bool()), "not implemented for 'Bool'"),
        (lambda o: taeda.tensordot(o(3, 4), o(5, 5), 1), "contracted dimensions need to match"),
    ],
)
def test_errors_say_what_does_not_fit(call, phrase):
    with pytest.raises(RuntimeError, match=phrase):
        call(lambda *shape: taeda.ones(*shape) if shape != ((),) else taeda.ones(()))


@pytest.mark.parametrize("shapes", [case for case in RANKS if 0 not in case[0] + case[1]])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_matmul_gradients(shapes, dtype):
    a, b = (leaf(*shape, dtype=dtype) for shape in shapes)
    assert gradcheck(taeda.matmul, (a, b))
    assert gradgradcheck(taeda.matmul, (a, b))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gradients_of_added_products_and_linear(dtype):
    def scaled(operation):
        return lambda *inputs: operation(*inputs, beta=0.5, alpha=2)

    cases = [
        (scaled(taeda.addmm), (2,), (2, 3), (3, 2)),
        (scaled(taeda.baddbmm), (2, 2), (2, 2, 3), (2, 3, 2)),
        (scaled(taeda.addbmm), (2, 2), (2, 2, 3), (2, 3, 2)),
        (scaled(taeda.addmv), (2,), (2, 3), (3,)),
        (taeda.vdot, (3,), (3,)),
        (F.linear, (2, 2, 3), (4, 3), (4,)),
        (F.linear, (3,), (4, 3), (4,)),
        (F.linear, (2, 3), (3,)),
    ]
    for function, *shapes in cases:
        inputs = tuple(leaf(*shape, dtype=dtype) for shape in shapes)
        assert gradcheck(function, inputs)
        assert gradgradcheck(function, inputs)


EQUATIONS = [
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("ij->", (2, 3)),
    ("i,j->ij", (2,), (3,)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    ("bn,anm,bm->ba", (2, 5), (3, 5, 4), (2, 4)),
    ("ij,ij->ij", (2, 3), (2, 3)),
    ("iij->j", (3, 3, 2)),
    ("i...->...", (3, 4)),
    (" i j , j k -> i k", (2, 3), (3, 4)),
]


@pytest.mark.parametrize("case", EQUATIONS, ids=lambda case: case[0])
def test_einsum_agrees_with_numpy(case):
    equation, *shapes = case
    arrays = [array(*shape) for shape in shapes]
    expected = numpy.einsum(equation.replace(" ", ""), *arrays)
    assert_same(taeda.einsum(equation, *map(taeda.tensor, arrays)), numpy.asarray(expected), 1e-10)


def test_einsum_broadcasts_takes_lists_and_has_gradients():
    a, b = array(2, 1, 4), array(2, 3, 4)
    expected = (a * b).sum(2)
    assert_same(taeda.einsum("bij,bij->bi", taeda.tensor(a), taeda.tensor(b)), expected)
    assert_same(taeda.einsum(taeda.tensor(a), [0, 1, 2], taeda.tensor(b), [0, 1, 2], [0, 1]), expected)
    assert gradcheck(lambda x, y: taeda.einsum("ij,jk,k->i", x, y, y[0]), (leaf(2, 3), leaf(3, 4)))


@pytest.mark.parametrize(
    ("equation", "phrase"),
    [
        ("ij,jk->iz", "output subscript z does not appear"),
        ("ij,jk->ii", "appears more than once in the output"),
        ("ijk,jk", r"number of subscripts in the equation \(3\) does not match the number of dimensions \(2\)"),
        ("ij", "more operands were provided"),
        ("ij,jk,kl", "fewer operands were provided"),
        ("i1,jk", "invalid subscript given at index 1"),
        ("i.,jk", "not part of any ellipsis"),
        ("ij,ik", "does not broadcast with previously seen size"),
    ],
)
def test_einsum_errors(equation, phrase):
    with pytest.raises(RuntimeError, match=phrase):
        taeda.einsum(equation, taeda.ones(2, 3), taeda.ones(3, 4))


def test_einsum_plans_are_kept_for_the_shapes():
    for m, n in ((2, 3), (4, 3), (2, 3), (1, 0)):
        a, b = array(m, n), array(n, m)
        assert_same(taeda.einsum("ij,jk->ki", taeda.tensor(a), taeda.tensor(b)), (a @ b).T)
    x = taeda.ones(2, 3)
    same = taeda.einsum("ij->ij", x)
    same[0, 0] = 5  # a view: of the same memory, but another tensor
    assert same is not x and x[0, 0] == 5 and taeda.einsum("ij->ji", x)[0, 0] == 5


def test_other_products():
    a, b, c = array(4, 5), array(5, 6), array(6, 3)
    x, y, z = map(taeda.tensor, (a, b, c))
    assert_same(taeda.linalg.multi_dot([x, y, z]), a @ b @ c)
    assert_same(taeda.chain_matmul(x, y, z), a @ b @ c)
    assert_same(taeda.tensordot(x, y, 0), numpy.tensordot(a, b, 0))
    p, q = array(2, 3, 4), array(4, 3, 5)
    assert_same(
        taeda.tensordot(taeda.tensor(p), taeda.tensor(q), ([1, 2], [1, 0])), numpy.tensordot(p, q, ([1, 2], [1, 0]))
    )
    assert_same(taeda.inner(x, x[:3]), numpy.inner(a, a[:3]))
    assert_same(taeda.kron(x, y), numpy.kron(a, b))
    assert_same(taeda.trace(x), numpy.trace(a))
    square = a[:4, :4]
    for n in (0, 1, 5):
        assert_same(taeda.matrix_power(taeda.tensor(square), n), numpy.linalg.matrix_power(square, n), 1e-3)
