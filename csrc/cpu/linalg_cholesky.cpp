// Factorizations of symmetric and Hermitian matrices (Cholesky's, and LDL^H), and triangular systems.
#include <cmath>

#include "cpu/linalg.h"
#include "cpu/linalg_small.h"
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

}  // namespace

std::tuple<Tensor, Tensor> cholesky_ex(const Tensor& a, bool upper, bool check_errors) {
    check_lapack_dtype("linalg.cholesky", a, false);
    if (is_reduced_float(a.dtype())) visit_lapack(a.dtype(), "cholesky_cpu", [](auto) {});
    check_square("linalg.cholesky", a);
    Tensor out = column_major(a), infos = zero_infos(batch_of(a), a.device());
    if (out.is_meta() || out.numel() == 0) return {out, infos};
    const int n = as_int(rows_of(a)), ld = leading(n);
    visit_lapack(a.dtype(), "cholesky_cpu", [&]<class T>(Tag<T>) {
        const auto& routines = lapack<T>();
        Matrices<T> matrices(out);
        int* codes = infos.data<int>();
        for_matrices(infos.numel(), cubed(n) / 3, [&](int64_t first, int64_t end) {
            for (int64_t i = first; i < end; ++i) {
                bool done = false;
                if constexpr (!is_complex_v<T>) {
                    done = is_small<T>(n, n);
                    if (done) codes[i] = small_potrf(upper, n, matrices[i]);
                }
                if (!done) routines.potrf(upper ? "U" : "L", &n, matrices[i], &ld, codes + i, 1);
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
    Tensor out = column_major(b, batch);
    if (out.is_meta() || out.numel() == 0) return out;
    Triangle triangle(a, batch);
    const int m = as_int(rows_of(b)), n = as_int(cols_of(b)), lda = leading(rows_of(a)), ldb = leading(m);
    visit_lapack(a.dtype(), "triangular_solve_cpu", [&]<class T>(Tag<T>) {
        const auto& routines = lapack<T>();
        const T one = T(1), *factors = triangle.held.data<T>();
        Matrices<T> sides(out);
        for_matrices(product(batch), static_cast<double>(out.numel()) / static_cast<double>(product(batch)) * lda, [&](int64_t first, int64_t end) {
            for (int64_t i = first; i < end; ++i)
                routines.trsm(left ? "L" : "R", upper != triangle.is_transposed ? "U" : "L", triangle.is_transposed ? "T" : "N",
                              unitriangular ? "U" : "N", &m, &n, &one, factors + i * triangle.step, &lda, sides[i], &ldb, 1, 1, 1, 1);
        });
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
        for_matrices(infos.numel(), cubed(n) / 3, [&](int64_t first, int64_t end) {
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
    for (int64_t i = 0; i < rows.numel(); ++i) {
        const int row = rows.data<int>()[i];  // negative: half of a block of two
        TAEDA_CHECK(row != 0 && row >= -n && row <= n, name, ": pivots must be between 1 and ", n, " or between -", n, " and -1, but one is ", row);
    }
    visit_lapack(b.dtype(), "ldl_solve_cpu", [&]<class T>(Tag<T>) {
        const auto routine = hermitian ? lapack<T>().hetrs : lapack<T>().sytrs;
        Matrices<T> matrices(factors), sides(out);
        for_matrices(product(batch), static_cast<double>(n) * n * nrhs, [&](int64_t first, int64_t end) {
            int info = 0;
            for (int64_t i = first; i < end; ++i) routine("L", &n, &nrhs, matrices[i], &lda, rows.data<int>() + i * n, sides[i], &lda, &info, 1);
        });
    });
    return out;
}

}  // namespace taeda::cpu
