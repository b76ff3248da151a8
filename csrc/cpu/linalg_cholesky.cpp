// Factorizations of symmetric and Hermitian matrices (Cholesky's, and LDL^H), and triangular systems.
#include <cmath>

#include "cpu/linalg.h"
#include "cpu/small_matrices.h"
#include "kernels.h"

namespace taeda::cpu {

namespace {

// Clears what lies beyond the triangle.
template <class T>
void keep_triangle(T* a, int64_t n, bool upper) {
    for (int64_t j = 0; j < n; ++j) {
        const int64_t from = upper ? j + 1 : 0, to = upper ? n : j;
        for (int64_t i = from; i < to; ++i) a[j * n + i] = T(0);
    }
}

std::string not_positive_definite(int code) {
    return taeda::concat("The factorization could not be completed because the input is not positive-definite (the leading minor of order ", code,
                         " is not positive-definite).");
}

// The upper factor is the lower one, read across and written across.
template <class T>
bool factorize_in_lanes(const Tensor& a, bool upper, const Tensor& out, const Tensor& infos) {
    const int n = as_int(rows_of(a));
    const int64_t room = int64_t{n} * n;
    if (!use_lanes<T>(infos.numel(), n, room)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> from(a, batch_of(a));
        const auto in = upper ? from.matrices.transposed() : from.matrices;
        const auto to = upper ? lane_result<T>(out).transposed() : lane_result<T>(out);
        for_small_matrices<T>(infos.numel(), cubed(n) / 3, room,
                              [&](LaneRange<T> range) { lane_kernels<T>().cholesky(range, n, in, to, infos.data<int>()); });
    }
    return true;
}

}  // namespace

std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& a, bool upper, bool check_errors) {
    check_lapack_dtype("linalg.cholesky", a, false);
    if (is_reduced_float(a.dtype())) visit_lapack(a.dtype(), "cholesky_cpu", [](auto) {});
    check_square("linalg.cholesky", a);
    Tensor out = empty_matrices(batch_of(a), rows_of(a), cols_of(a), a.dtype(), a.device()), infos = zero_infos(batch_of(a), a.device());
    if (out.is_meta() || out.numel() == 0) return {out, infos};
    const int n = as_int(rows_of(a)), ld = leading(n);
    visit_lapack(a.dtype(), "cholesky_cpu", [&]<class T>(Tag<T>) {
        if (factorize_in_lanes<T>(a, upper, out, infos)) return;
        copy_into(out, a);
        const auto& routines = lapack<T>();
        Matrices<T> matrices(out);
        int* codes = infos.data<int>();
        for_matrices(infos.numel(), cubed(n) / 3, kThreadsForBlocks, [&](int64_t first, int64_t end) {
            for (int64_t i = first; i < end; ++i) {
                routines.potrf(upper ? "U" : "L", &n, matrices[i], &ld, codes + i, 1);
                keep_triangle(matrices[i], n, upper);
            }
        });
    });
    if (check_errors) check_infos(infos, "linalg.cholesky", not_positive_definite);
    return {out, infos};
}

Tensor cholesky(const Tensor& a, bool upper) { return std::get<0>(cholesky_ex(a, upper, true)); }

// ---- triangular systems

namespace {

// A triangle in place: as it is where its columns are contiguous, as the transpose of the other triangle where its rows are.
struct Triangle {
    Tensor held;
    bool is_transposed = false;
    int64_t step = 0;  // from one matrix of the batch to the next

    Triangle(const Tensor& a, IntList batch) {
        Tensor expanded = expand_to(a, with_sizes(batch, last_two(a)));
        is_transposed = expanded.is_contiguous();
        held = is_transposed ? expanded : read_column_major(expanded, batch);
        step = rows_of(a) * rows_of(a);
    }
    static Shape last_two(const Tensor& a) { return Shape{rows_of(a), cols_of(a)}; }
};

// A from the right is its transpose from the left, on transposed sides.
template <class T>
bool substitute_in_lanes(const Tensor& a, const Tensor& b, bool upper, bool left, bool unit, IntList batch, const Tensor& out) {
    const int n = as_int(rows_of(a)), n_sides = as_int(left ? cols_of(b) : rows_of(b));
    const int64_t count = product(batch), room = int64_t{n} * (n + n_sides);
    if (!use_lanes<T>(count, n, room)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> triangles(a, batch), sides(b, batch);
        for_small_matrices<T>(count, static_cast<double>(n) * n * n_sides, room, [&](LaneRange<T> range) {
            const auto& kernels = lane_kernels<T>();
            if (left) kernels.substitute(range, n, n_sides, triangles.matrices, upper, unit, sides.matrices, lane_result<T>(out));
            else
                kernels.substitute(range, n, n_sides, triangles.matrices.transposed(), !upper, unit, sides.matrices.transposed(),
                                   lane_result<T>(out).transposed());
        });
    }
    return true;
}

}  // namespace

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular) {
    const char* name = "linalg.solve_triangular";
    check_square(name, a);
    check_matrix(name, b, "B");
    TAEDA_CHECK(a.dtype() == b.dtype(), name, ": Expected A and B to have the same dtype, but found A of type ", scalar_type_name(a.dtype()),
                " and B of type ", scalar_type_name(b.dtype()), " instead");
    const bool fits = left ? rows_of(a) == rows_of(b) : cols_of(a) == cols_of(b);
    TAEDA_CHECK(fits, name, ": Incompatible shapes of A and B for the equation ", left ? "AX = B" : "XA = B", " (", rows_of(a), "x", cols_of(a),
                " and ", rows_of(b), "x", cols_of(b), ")");
    if (!is_inexact(a.dtype()) || is_reduced_float(a.dtype())) visit_lapack(a.dtype(), "triangular_solve_cpu", [](auto) {});
    const Shape batch = broadcast_shapes(batch_of(a), batch_of(b));
    const int m = as_int(rows_of(b)), n = as_int(cols_of(b)), lda = leading(rows_of(a)), ldb = leading(m);
    Tensor out = empty_matrices(batch, m, n, b.dtype(), b.device());
    if (out.is_meta() || out.numel() == 0) return out;
    visit_lapack(a.dtype(), "triangular_solve_cpu", [&]<class T>(Tag<T>) {
        if (substitute_in_lanes<T>(a, b, upper, left, unitriangular, batch, out)) return;
        copy_into(out, b);
        const Triangle triangle(a, batch);
        const auto& routines = lapack<T>();
        const T one = T(1), *factors = triangle.held.data<T>();
        Matrices<T> sides(out);
        const char *triangle_text = upper != triangle.is_transposed ? "U" : "L", *unit_text = unitriangular ? "U" : "N";
        const bool is_vector = (left ? n : m) == 1;  // has a routine of its own, which does not copy the triangle first
        const int step = 1;
        for_matrices(product(batch), static_cast<double>(out.numel()) / static_cast<double>(product(batch)) * lda, kThreadsForBlocks,
                     [&](int64_t first, int64_t end) {
                         for (int64_t i = first; i < end; ++i) {
                             const T* a_i = factors + i * triangle.step;
                             if (is_vector)
                                 routines.trsv(triangle_text, triangle.is_transposed == left ? "T" : "N", unit_text, &lda, a_i, &lda, sides[i], &step,
                                               1, 1, 1);
                             else
                                 routines.trsm(left ? "L" : "R", triangle_text, triangle.is_transposed ? "T" : "N", unit_text, &m, &n, &one, a_i,
                                               &lda, sides[i], &ldb, 1, 1, 1, 1);
                         }
                     });
    });
    return out;
}

// ---- what follows from Cholesky's factor

namespace {

// `factor` is the lower one.
template <class T>
bool solve_in_lanes(const Tensor& factor, const Tensor& b, IntList batch, const Tensor& out) {
    const int n = as_int(rows_of(factor)), n_sides = as_int(cols_of(b));
    const int64_t count = product(batch), room = int64_t{n} * (n + n_sides);
    if (!use_lanes<T>(count, n, room)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> factors(factor, batch), sides(b, batch);
        for_small_matrices<T>(count, 2.0 * n * n * n_sides, room, [&](LaneRange<T> range) {
            lane_kernels<T>().cholesky_solve(range, n, n_sides, factors.matrices, sides.matrices, lane_result<T>(out));
        });
    }
    return true;
}

void check_factor_dtype(const char* name, const Tensor& t) {
    if (!is_inexact(t.dtype()) || is_reduced_float(t.dtype())) visit_lapack(t.dtype(), name, [](auto) {});
}

}  // namespace

Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper) {
    TAEDA_CHECK(b.dim() >= 2, "b should have at least 2 dimensions, but has ", b.dim(), " dimensions instead");
    TAEDA_CHECK(factor.dim() >= 2, "u should have at least 2 dimensions, but has ", factor.dim(), " dimensions instead");
    check_square("cholesky_solve", factor);
    TAEDA_CHECK(rows_of(factor) == rows_of(b), "Incompatible matrix sizes for cholesky_solve: each A matrix is ", rows_of(factor), " by ",
                cols_of(factor), " but each b matrix is ", rows_of(b), " by ", cols_of(b));
    TAEDA_CHECK(b.dtype() == factor.dtype(), "Expected b and A to have the same dtype, but found b of type ", scalar_type_name(b.dtype()),
                " and A of type ", scalar_type_name(factor.dtype()), " instead.");
    check_factor_dtype("cholesky_solve_cpu", b);
    const Shape batch = broadcast_shapes(batch_of(factor), batch_of(b));
    Tensor out = empty_matrices(batch, rows_of(b), cols_of(b), b.dtype(), b.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const int n = as_int(rows_of(b)), nrhs = as_int(cols_of(b)), ld = leading(n);
    visit_lapack(b.dtype(), "cholesky_solve_cpu", [&]<class T>(Tag<T>) {
        if constexpr (!is_complex_v<T>)
            if (solve_in_lanes<T>(upper ? views::transpose(factor, -2, -1) : factor, b, batch, out)) return;
        copy_into(out, b);
        const Tensor factors = read_column_major(factor, batch);
        const auto& routines = lapack<T>();
        Matrices<T> matrices(factors), sides(out);
        const int step = 1;
        const char* triangle = upper ? "U" : "L";
        for_matrices(product(batch), 2.0 * n * n * nrhs, kThreadsForBlocks, [&](int64_t first, int64_t end) {
            int info = 0;
            for (int64_t i = first; i < end; ++i) {
                if (nrhs > 1) {
                    routines.potrs(triangle, &n, &nrhs, matrices[i], &ld, sides[i], &ld, &info, 1);
                    continue;
                }
                routines.trsv(triangle, upper ? "C" : "N", "N", &n, matrices[i], &ld, sides[i], &step, 1, 1, 1);
                routines.trsv(triangle, upper ? "N" : "C", "N", &n, matrices[i], &ld, sides[i], &step, 1, 1, 1);
            }
        });
    });
    return out;
}

namespace {

template <class T>
T conjugate_of(T x) {
    if constexpr (is_complex_v<T>) return std::conj(x);
    else return x;
}

// The other triangle from the one that the routine wrote.
template <class T>
void mirror(T* a, int64_t n, bool from_upper) {
    constexpr int64_t kBlock = 32;  // of columns: rows and columns of a block stay in the cache
    for (int64_t first = 0; first < n; first += kBlock)
        for (int64_t i = first; i < n; ++i)
            for (int64_t j = first; j < std::min({first + kBlock, n, i}); ++j) {
                T &below = a[j * n + i], &above = a[i * n + j];
                if (from_upper) below = conjugate_of(above);
                else above = conjugate_of(below);
            }
}

}  // namespace

Tensor cholesky_inverse(const Tensor& factor, bool upper) {
    const char* name = "cholesky_inverse";
    check_square(name, factor);
    check_factor_dtype("cholesky_inverse_out_cpu", factor);
    const Shape batch = batch_of(factor);
    const int n = as_int(rows_of(factor)), ld = leading(n);
    Tensor out = empty_matrices(batch, n, n, factor.dtype(), factor.device()), infos = zero_infos(batch, factor.device());
    if (out.is_meta() || out.numel() == 0) return out;
    copy_into(out, factor);
    visit_lapack(factor.dtype(), name, [&]<class T>(Tag<T>) {
        Matrices<T> matrices(out);
        int* codes = infos.data<int>();
        if (use_lanes<T>(infos.numel(), n, 2 * int64_t{n} * n)) {
            for (int64_t k = 0; k < infos.numel(); ++k)
                for (int i = 0; i < n && codes[k] == 0; ++i)
                    if (matrices[k][i * (n + 1)] == T(0)) codes[k] = i + 1;
            const Tensor identity = empty_matrices({}, n, n, factor.dtype(), factor.device());
            fill_identity(identity);
            if constexpr (!is_complex_v<T>) solve_in_lanes<T>(upper ? views::transpose(factor, -2, -1) : factor, identity, batch, out);
            return;
        }
        const auto& routines = lapack<T>();
        for_matrices(infos.numel(), cubed(n), kThreadsForBlocks, [&](int64_t first, int64_t end) {
            for (int64_t i = first; i < end; ++i) {
                routines.potri(upper ? "U" : "L", &n, matrices[i], &ld, codes + i, 1);
                mirror(matrices[i], n, upper);
            }
        });
    });
    check_infos(infos, name, [](int code) {
        return taeda::concat("The diagonal element ", code, " is zero, the inversion could not be completed because the input matrix is singular.");
    });
    return out;
}

// ---- LDL^T and LDL^H

std::tuple<Tensor, Tensor, Tensor> ldl_factor_ex(const Tensor& a, bool hermitian, bool check_errors) {
    check_square("torch.linalg.ldl_factor_ex", a);
    if (!is_inexact(a.dtype()) || is_reduced_float(a.dtype())) visit_lapack(a.dtype(), "ldl_factor_cpu", [](auto) {});
    const Shape batch = batch_of(a);
    const int n = as_int(rows_of(a)), ld = leading(n);
    const int64_t last[1] = {n};
    Tensor out = column_major(a), pivots = empty(with_sizes(batch, last), DType::Int32, a.device()), infos = zero_infos(batch, a.device());
    if (out.is_meta() || out.numel() == 0) return {out, pivots, infos};
    visit_lapack(a.dtype(), "ldl_factor_cpu", [&]<class T>(Tag<T>) {
        const auto routine = hermitian ? lapack<T>().hetrf : lapack<T>().sytrf;
        const int ask = -1;
        int ignored = 0, *rows = pivots.data<int>(), *codes = infos.data<int>();
        Matrices<T> matrices(out);
        const int lwork = asked_work<T>([&](T* answer) { routine("L", &n, matrices[0], &ld, rows, answer, &ask, &ignored, 1); });
        for_matrices(infos.numel(), cubed(n) / 3, kThreadsForBlocks, [&](int64_t first, int64_t end) {
            Scratch<T> work(lwork);
            for (int64_t i = first; i < end; ++i) {
                routine("L", &n, matrices[i], &ld, rows + i * n, work.data(), &lwork, codes + i, 1);
                keep_triangle(matrices[i], n, false);
            }
        });
    });
    if (check_errors)
        check_infos(infos, "torch.linalg.ldl_factor_ex", [](int code) {
            return taeda::concat("D[", code, ",", code, "] is zero and using it on ldl_solve would result in a division by zero.");
        });
    return {out, pivots, infos};
}

std::tuple<Tensor, Tensor> ldl_factor(const Tensor& a, bool hermitian) {
    auto [ld, pivots, infos] = ldl_factor_ex(a, hermitian, true);
    return {ld, pivots};
}

namespace {

// LAPACK believes what it gets: the row of a block of one, or twice the negative row of a block of two.
void check_block_pivots(const char* name, const int* pivots, int n) {
    for (int i = 0; i < n; ++i) {
        const int row = pivots[i];
        TAEDA_CHECK(row != 0 && row >= -n && row <= n, name, ": pivots must be between 1 and ", n, " or between -", n, " and -1, but one is ", row);
        if (row > 0) continue;
        TAEDA_CHECK(i + 1 < n && pivots[i + 1] < 0 && pivots[i + 1] >= -n, name,
                    ": negative pivots belong to blocks of two and come in pairs, but that at ", i, " (", row, ") is alone");
        ++i;
    }
}

}  // namespace

Tensor ldl_solve(const Tensor& ld, const Tensor& pivots, const Tensor& b, bool hermitian) {
    const char* name = "torch.linalg.ldl_solve";
    check_square(name, ld, "LD");
    check_matrix(name, b, "B");
    TAEDA_CHECK(is_inexact(ld.dtype()), name, ": Expected a floating point or complex tensor as input. Got ", scalar_type_name(ld.dtype()));
    TAEDA_CHECK(rows_of(ld) == rows_of(b), name, ": Incompatible shapes of A and B for the equation AX = B (", rows_of(ld), "x", cols_of(ld), " and ",
                rows_of(b), "x", cols_of(b), ")");
    TAEDA_CHECK(ld.dtype() == b.dtype(), name, ": LD and B must have the same dtype: ", scalar_type_name(ld.dtype()), " and ",
                scalar_type_name(b.dtype()));
    const int64_t last[1] = {rows_of(ld)};
    TAEDA_CHECK(pivots.sizes() == with_sizes(batch_of(ld), last), name,
                ": Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape ", shape_text(pivots.sizes()), " instead");
    TAEDA_CHECK(is_integral(pivots.dtype(), false), name, ": Expected pivots to be integers. Got ", scalar_type_name(pivots.dtype()));
    const Shape batch = broadcast_shapes(batch_of(ld), batch_of(b));
    Tensor out = column_major(b, batch);
    if (out.is_meta() || out.numel() == 0) return out;
    const int n = as_int(rows_of(b)), nrhs = as_int(cols_of(b)), lda = leading(n);
    Tensor factors = read_column_major(ld, batch), rows = contiguous(to_dtype(expand_to(pivots, with_sizes(batch, last)), DType::Int32));
    for (int64_t i = 0; i < rows.numel(); i += n) check_block_pivots(name, rows.data<int>() + i, n);
    visit_lapack(b.dtype(), "ldl_solve_cpu", [&]<class T>(Tag<T>) {
        const auto routine = hermitian ? lapack<T>().hetrs : lapack<T>().sytrs;
        Matrices<T> matrices(factors), sides(out);
        for_matrices(product(batch), static_cast<double>(n) * n * nrhs, kThreadsForBlocks, [&](int64_t first, int64_t end) {
            int info = 0;
            for (int64_t i = first; i < end; ++i) routine("L", &n, &nrhs, matrices[i], &lda, rows.data<int>() + i * n, sides[i], &lda, &info, 1);
        });
    });
    return out;
}

}  // namespace taeda::cpu
