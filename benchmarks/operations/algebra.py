"""Rows: products of matrices, and factorizations of one matrix or of many small ones."""

from __future__ import annotations

from types import ModuleType

from operations.table import COLUMNS, Operands, Operation, matrices, matrix, on, square, two


def batched(side: int) -> Operands:
    """Two batches of square matrices with ``n`` elements each; those of the first are well conditioned, of the second anything."""

    def make(m: ModuleType, n: int) -> tuple:
        count = max(n // side**2, 1)
        return m.randn(count, side, side) + 2 * side * m.eye(side), m.randn(count, side, side)

    return make


def definite(side: int) -> Operands:
    """A batch of symmetric positive definite matrices."""

    def make(m: ModuleType, n: int) -> tuple:
        a = m.randn(max(n // side**2, 1), side, side)
        return (a @ a.mT + side * m.eye(side),)

    return make


def single(m: ModuleType, n: int) -> tuple:
    """One square matrix, its symmetric and its positive definite form."""
    side = int(n**0.5)
    a = m.randn(side, side)
    return a, a + a.t(), a @ a.t() + side * m.eye(side)


def tall(m: ModuleType, n: int) -> tuple:
    return m.randn(n // COLUMNS, COLUMNS), m.randn(COLUMNS, COLUMNS), m.randn(COLUMNS)


def overdetermined(m: ModuleType, n: int) -> tuple:
    """Twice as many equations as unknowns."""
    side = int(n**0.5)
    return m.randn(2 * side, side), m.randn(2 * side, 1)


PRODUCTS = (
    Operation("a @ b", on(square, lambda m, a, b: a @ b), 10_000),
    Operation("tall matrix @ square", on(tall, lambda m, a, b, v: a @ b)),
    Operation(
        "float64 tall matrix @ square",
        on(lambda m, n: [x.double() for x in tall(m, n)], lambda m, a, b, v: a @ b),
        10_000,
    ),
    Operation("matrix @ vector", on(tall, lambda m, a, b, v: a @ v)),
    Operation("dot", on(two, lambda m, a, b: a @ b)),
    Operation("addmm", on(tall, lambda m, a, b, v: m.addmm(v, a, b)), 10_000),
    Operation("outer", on(square, lambda m, a, b: m.outer(a[0], b[0])), 10_000),
    Operation("bmm, 4 x 4", on(batched(4), lambda m, a, b: m.bmm(a, b))),
    Operation("bmm, 16 x 16", on(batched(16), lambda m, a, b: m.bmm(a, b))),
    Operation("bmm, 64 x 64", on(batched(64), lambda m, a, b: m.bmm(a, b)), 10_000),
    Operation("bmm, second transposed", on(batched(16), lambda m, a, b: a @ b.transpose(1, 2))),
    Operation("batch of 4 x 4 @ one 4 x 4", on(batched(4), lambda m, a, b: a @ b[0]), 10_000),
    Operation("einsum bij,bjk", on(batched(16), lambda m, a, b: m.einsum("bij,bjk->bik", a, b))),
    Operation("einsum ij,ij->i", on(matrices, lambda m, a, b: m.einsum("ij,ij->i", a, b))),
    Operation("einsum ij,kj", on(square, lambda m, a, b: m.einsum("ij,kj->ik", a, b)), 10_000),
    Operation(
        "cross", on(lambda m, n: (m.randn(n // 3, 3), m.randn(n // 3, 3)), lambda m, a, b: m.cross(a, b, dim=1)), 10_000
    ),
)
BATCHED = tuple(
    row
    for side in (4, 16)
    for row in (
        Operation(f"solve, {side} x {side}", on(batched(side), lambda m, a, b: m.linalg.solve(a, b)), 10_000),
        Operation(f"inv, {side} x {side}", on(batched(side), lambda m, a, b: m.linalg.inv(a)), 10_000),
        Operation(f"det, {side} x {side}", on(batched(side), lambda m, a, b: m.linalg.det(a)), 10_000),
        Operation(f"cholesky, {side} x {side}", on(definite(side), lambda m, a: m.linalg.cholesky(a)), 10_000),
        Operation(f"eigh, {side} x {side}", on(definite(side), lambda m, a: m.linalg.eigh(a)), 10_000),
        Operation(f"svd, {side} x {side}", on(batched(side), lambda m, a, b: m.linalg.svd(b)), 10_000),
        Operation(f"qr, {side} x {side}", on(batched(side), lambda m, a, b: m.linalg.qr(b)), 10_000),
    )
) + (
    Operation("inv, millions of 4 x 4", on(batched(4), lambda m, a, b: m.linalg.inv(a))),
    Operation("cholesky, many 16 x 16", on(definite(16), lambda m, a: m.linalg.cholesky(a))),
)
SINGLE = (
    Operation("solve", on(single, lambda m, a, s, p: m.linalg.solve(p, a)), 10_000),
    Operation("inv", on(single, lambda m, a, s, p: m.linalg.inv(p)), 10_000),
    Operation("det", on(single, lambda m, a, s, p: m.linalg.det(a)), 10_000),
    Operation("cholesky", on(single, lambda m, a, s, p: m.linalg.cholesky(p)), 10_000),
    Operation("solve_triangular", on(single, lambda m, a, s, p: m.linalg.solve_triangular(p, a, upper=False)), 10_000),
    Operation("eigh", on(single, lambda m, a, s, p: m.linalg.eigh(s)), 10_000),
    Operation("svd", on(single, lambda m, a, s, p: m.linalg.svd(a)), 10_000),
    Operation("qr", on(single, lambda m, a, s, p: m.linalg.qr(a)), 10_000),
    Operation("lstsq", on(overdetermined, lambda m, a, b: m.linalg.lstsq(a, b)), 10_000),
    Operation(
        "float64 solve",
        on(lambda m, n: [x.double() for x in single(m, n)], lambda m, a, s, p: m.linalg.solve(p, a)),
        10_000,
    ),
    Operation(
        "float64 eigh", on(lambda m, n: [x.double() for x in single(m, n)], lambda m, a, s, p: m.linalg.eigh(s)), 10_000
    ),
)
FOURIER = (
    Operation("fft", on(matrix, lambda m, a: m.fft.fft(a))),
    Operation("rfft", on(matrix, lambda m, a: m.fft.rfft(a)), 10_000),
    Operation("fft2", on(square, lambda m, a, b: m.fft.fft2(a)), 10_000),
)
ROWS = PRODUCTS + BATCHED + SINGLE + FOURIER
