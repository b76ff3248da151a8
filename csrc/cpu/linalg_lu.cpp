// LU factorizations and what is made of them: solutions, inverses and determinants.
#include <cmath>
#include <functional>
#include <numeric>

#include "cpu/linalg.h"
#include "cpu/small_matrices.h"
#include "kernels.h"

namespace taeda::cpu {

namespace {

constexpr int kLargestInverseInLanes = 16;

struct Factors {
    Tensor lu, pivots, infos;
};

// Those of small matrices straight from `a`, whatever its strides are. False where they are LAPACK's work.
template <class T>
bool factorize_in_lanes(const Tensor& a, const Factors& f) {
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a));
    const int64_t count = f.infos.numel(), room = int64_t{m} * n;
    if (!use_lanes<T>(count, std::max(m, n), room)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> from(a, batch_of(a));
        for_small_matrices<T>(count, cubed(std::min(m, n)), room, [&](LaneRange<T> range) {
            lane_kernels<T>().lu(range, m, n, from.matrices, lane_result<T>(f.lu), f.pivots.data<int>(), f.infos.data<int>());
        });
    }
    return true;
}

Factors factorize(const Tensor& a) {
    const Shape batch = batch_of(a);
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a)), k = std::min(m, n), lda = leading(m);
    const int64_t last[1] = {k};
    Factors f{empty_matrices(batch, m, n, a.dtype(), a.device()), empty(with_sizes(batch, last), DType::Int32, a.device()),
              zero_infos(batch, a.device())};
    if (a.is_meta() || a.numel() == 0) return f;
    visit_lapack(a.dtype(), "lu_cpu", [&]<class T>(Tag<T>) {
        if (factorize_in_lanes<T>(a, f)) return;
        copy_into(f.lu, a);
        const auto& routines = lapack<T>();
        Matrices<T> matrices(f.lu);
        int *pivots = f.pivots.data<int>(), *infos = f.infos.data<int>();
        for_matrices(product(batch), cubed(k), kThreadsForBlocks, [&](int64_t first, int64_t end) {
            for (int64_t i = first; i < end; ++i) routines.getrf(&m, &n, matrices[i], &lda, pivots + i * k, infos + i);
        });
    });
    return f;
}

// One right-hand side: the library's routine for several would copy the factors first.
template <class T>
void solve_for_vector(const char* trans, int n, const T* lu, const int* pivots, T* x) {
    const auto& routines = lapack<T>();
    const int step = 1;
    const bool plain = *trans == 'N';
    for (int i = 0; i < n && plain; ++i) std::swap(x[i], x[pivots[i] - 1]);
    routines.trsv(plain ? "L" : "U", trans, plain ? "U" : "N", &n, lu, &n, x, &step, 1, 1, 1);
    routines.trsv(plain ? "U" : "L", trans, plain ? "N" : "U", &n, lu, &n, x, &step, 1, 1, 1);
    for (int i = n; i-- > 0 && !plain;) std::swap(x[i], x[pivots[i] - 1]);
}

// b is overwritten with the solutions; trans: "N", "T" or "C". All three have the same batch.
void solve_factorized(const Tensor& lu, const Tensor& pivots, const char* trans, const Tensor& b) {
    const int n = as_int(rows_of(b)), nrhs = as_int(cols_of(b)), ld = leading(n);
    if (b.numel() == 0) return;
    for (int64_t i = 0; i < pivots.numel(); ++i) {
        const int row = pivots.data<int>()[i];
        TAEDA_CHECK(row >= 1 && row <= n, "linalg.lu_solve: pivots must be between 1 and ", n, ", but one is ", row);
    }
    visit_lapack(b.dtype(), "lu_solve_cpu", [&]<class T>(Tag<T>) {
        const int64_t room = int64_t{n} * (n + nrhs);
        if (use_lanes<T>(product(batch_of(b)), n, room)) {
            if constexpr (!is_complex_v<T>) {
                const SmallBatch<T> factors(lu, batch_of(b));
                for_small_matrices<T>(product(batch_of(b)), 2.0 * n * n * nrhs, room, [&](LaneRange<T> range) {
                    lane_kernels<T>().lu_solve(range, n, nrhs, factors.matrices, pivots.data<int>(), *trans != 'N', lane_result<T>(b),
                                               lane_result<T>(b));
                });
            }
            return;
        }
        const auto& routines = lapack<T>();
        Matrices<T> factors(lu), sides(b);
        const int* rows = pivots.data<int>();
        for_matrices(product(batch_of(b)), static_cast<double>(n) * n * nrhs, kThreadsForBlocks, [&](int64_t first, int64_t end) {
            int info = 0;
            for (int64_t i = first; i < end; ++i) {
                if (nrhs == 1) solve_for_vector(trans, n, factors[i], rows + i * n, sides[i]);
                else routines.getrs(trans, &n, &nrhs, factors[i], &ld, rows + i * n, sides[i], &ld, &info, 1);
            }
        });
    });
}

void check_pivot_argument(const char* name, bool pivot) { TAEDA_CHECK(pivot, name, ": LU without pivoting is not implemented on the CPU"); }

void check_lu_errors(const Tensor& infos) {
    check_infos(infos, "torch.linalg.lu_factor", [](int code) {
        return taeda::concat("U[", code, ",", code,
                             "] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the factorization, "
                             "consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)");
    });
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> lu_factor_ex(const Tensor& a, bool pivot, bool check_errors) {
    check_matrix("torch.lu_factor", a);
    if (is_reduced_float(a.dtype())) visit_lapack(a.dtype(), "lu_cpu", [](auto) {});
    check_lapack_dtype("torch.lu_factor", a);
    check_pivot_argument("linalg.lu_factor", pivot);
    Factors f = factorize(a);
    if (check_errors) check_lu_errors(f.infos);
    return {f.lu, f.pivots, f.infos};
}

std::tuple<Tensor, Tensor> lu_factor(const Tensor& a, bool pivot) {
    auto [lu, pivots, infos] = lu_factor_ex(a, pivot, true);
    return {lu, pivots};
}

// ---- P, L and U

namespace {

template <class T>
void unpack_matrix(const T* lu, int64_t m, int64_t n, T* l, T* u) {
    const int64_t k = std::min(m, n);
    for (int64_t j = 0; j < k; ++j)
        for (int64_t i = 0; i < m; ++i) l[j * m + i] = i > j ? lu[j * m + i] : T(i == j ? 1 : 0);
    for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < k; ++i) u[j * k + i] = i <= j ? lu[j * m + i] : T(0);
}

void check_pivots(const Tensor& lu, const Tensor& pivots) {
    TAEDA_CHECK(pivots.dtype() == DType::Int32,
                "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\nNote: this function is intended to be used "
                "with the output produced by torch.linalg.lu_factor");
    const int64_t last[1] = {std::min(rows_of(lu), cols_of(lu))};
    const Shape wanted = with_sizes(batch_of(lu), last);
    TAEDA_CHECK(pivots.sizes() == wanted, "lu_unpack: LU_pivots has shape ", shape_text(pivots.sizes()), ", but LU_data asks for ",
                shape_text(wanted));
}

// The permutation matrix of row exchanges: column perm[i]... of P has its one where row i came from.
template <class T>
void fill_permutation(const int* pivots, int64_t k, int64_t m, T* p) {
    Scratch<int64_t> rows(std::max<int64_t>(m, 1));
    for (int64_t i = 0; i < m; ++i) rows.data()[i] = i;
    for (int64_t i = 0; i < k; ++i) {
        TAEDA_CHECK(pivots[i] >= 1 && pivots[i] <= m,
                    "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive."
                    "Did you properly pass the result of lu_factor?");
        std::swap(rows.data()[i], rows.data()[pivots[i] - 1]);
    }
    std::fill(p, p + m * m, T(0));
    for (int64_t i = 0; i < m; ++i) p[i * m + rows.data()[i]] = T(1);
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> lu_unpack(const Tensor& lu_data, const Tensor& lu_pivots, bool unpack_data, bool unpack_pivots) {
    check_matrix("torch.lu_unpack", lu_data, "LU_data");
    const Shape batch = batch_of(lu_data);
    const int64_t m = rows_of(lu_data), n = cols_of(lu_data), k = std::min(m, n);
    if (unpack_pivots) check_pivots(lu_data, lu_pivots);
    const int64_t nothing[1] = {0};
    auto make = [&](bool wanted, int64_t rows, int64_t columns) {
        return wanted ? empty_matrices(batch, rows, columns, lu_data.dtype(), lu_data.device()) : empty(nothing, lu_data.dtype(), lu_data.device());
    };
    Tensor p = make(unpack_pivots, m, m), l = make(unpack_data, m, k), u = make(unpack_data, k, n);
    if (p.is_meta()) return {p, l, u};
    visit_lapack(lu_data.dtype(), "lu_unpack_cpu", [&]<class T>(Tag<T>) {
        const int64_t count = product(batch);
        Tensor data = unpack_data ? read_column_major(lu_data, batch) : Tensor();
        Tensor pivots = unpack_pivots ? contiguous(lu_pivots) : Tensor();
        for (int64_t i = 0; i < count; ++i) {
            if (unpack_data) unpack_matrix(Matrices<T>(data)[i], m, n, Matrices<T>(l)[i], Matrices<T>(u)[i]);
            if (unpack_pivots) fill_permutation(pivots.data<int>() + i * k, k, m, Matrices<T>(p)[i]);
        }
    });
    return {p, l, u};
}

// ---- solutions

namespace {

void check_same_dtype(const char* name, const Tensor& a, const Tensor& b, const char* first, const char* second) {
    TAEDA_CHECK(a.dtype() == b.dtype(), name, ": Expected ", first, " and ", second, " to have the same dtype, but found ", first, " of type ",
                scalar_type_name(a.dtype()), " and ", second, " of type ", scalar_type_name(b.dtype()), " instead");
}

void check_compatible(const char* name, const Tensor& a, const Tensor& b, bool left) {
    const bool fits = left ? rows_of(a) == rows_of(b) : cols_of(a) == cols_of(b);
    TAEDA_CHECK(fits, name, ": Incompatible shapes of A and B for the equation ", left ? "AX = B" : "XA = B", " (", rows_of(a), "x", cols_of(a),
                " and ", rows_of(b), "x", cols_of(b), ")");
}

bool is_vector_side(const Tensor& a, const Tensor& b) {
    if (b.dim() == 1) return true;
    if (b.dim() != a.dim() - 1) return false;
    for (int64_t d = 0; d < b.dim(); ++d)
        if (a.sizes()[static_cast<size_t>(d)] != b.sizes()[static_cast<size_t>(d)]) return false;
    return true;
}

Tensor adjoint_copy(const Tensor& b, IntList batch) {
    Tensor copy = column_major(views::transpose(b, -2, -1), batch);
    if (!copy.is_meta()) conjugate(copy);
    return copy;
}

// Small systems in one pass, without factors in memory. A from the right is its transpose from the left, on transposed sides.
// False where they are LAPACK's work.
bool solve_in_lanes(const Tensor& a, const Tensor& b, bool left, IntList batch, const Tensor& x, const Tensor& infos) {
    if (batch_of(a) != Shape(batch) || x.is_meta() || x.numel() == 0) return false;
    const int n = as_int(rows_of(a)), n_sides = as_int(left ? cols_of(b) : rows_of(b));
    const int64_t room = int64_t{n} * (n + n_sides);
    bool done = false;
    visit_lapack(a.dtype(), "lu_solve_cpu", [&]<class T>(Tag<T>) {
        done = use_lanes<T>(infos.numel(), n, room);
        if constexpr (!is_complex_v<T>) {
            if (!done) return;
            const SmallBatch<T> matrices(a, batch), sides(b, batch);
            for_small_matrices<T>(infos.numel(), cubed(n) + 2.0 * n * n * n_sides, room, [&](LaneRange<T> range) {
                if (left) lane_kernels<T>().solve(range, n, n_sides, matrices.matrices, sides.matrices, lane_result<T>(x), infos.data<int>());
                else
                    lane_kernels<T>().solve(range, n, n_sides, matrices.matrices.transposed(), sides.matrices.transposed(), lane_result<T>(x),
                                            infos.data<int>());
            });
        }
    });
    return done;
}

}  // namespace

Tensor lu_solve(const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint) {
    const char* name = "linalg.lu_solve";
    check_lapack_dtype(name, lu);
    check_square(name, lu, "LU");
    check_matrix(name, b, "B");
    check_same_dtype(name, lu, b, "LU", "B");
    TAEDA_CHECK(pivots.dtype() == DType::Int32, name, ": pivots should be a Tensor of scalar type torch.int32");
    TAEDA_CHECK(pivots.dim() >= 1 && pivots.size(-1) == rows_of(lu), name,
                ": Number of pivots per batch should be same as the dimension of the matrix");
    const int64_t last[1] = {rows_of(lu)};
    TAEDA_CHECK(pivots.sizes() == with_sizes(batch_of(lu), last), name,
                ": Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape ", shape_text(pivots.sizes()), " instead");
    check_compatible(name, lu, b, left);
    const Shape batch = broadcast_shapes(batch_of(lu), batch_of(b));
    // A from the right is its transpose from the left, on transposed sides; X A^H = B is A X^H = B^H.
    Tensor sides = left ? column_major(b, batch) : adjoint ? adjoint_copy(b, batch) : column_major(views::transpose(b, -2, -1), batch);
    if (!sides.is_meta()) {
        Tensor rows = contiguous(expand_to(pivots, with_sizes(batch, last)));
        solve_factorized(read_column_major(lu, batch), rows, left ? (adjoint ? "C" : "N") : (adjoint ? "N" : "T"), sides);
        if (!left && adjoint) conjugate(sides);
    }
    return left ? sides : views::transpose(sides, -2, -1);
}

std::tuple<Tensor, Tensor> solve_ex(const Tensor& a, const Tensor& b, bool left, bool check_errors) {
    const char* name = "linalg.solve";
    check_lapack_dtype(name, a);
    check_square(name, a);
    check_same_dtype(name, a, b, "A", "B");
    const bool is_vector = is_vector_side(a, b);
    TAEDA_CHECK(left || !is_vector, name,
                ": Vector broadcasting of the left hand side is not supported for left=False. In this case linalg.solve is equivalent to "
                "B / A.squeeze(-1)");
    Tensor given = is_vector ? views::unsqueeze(b, -1) : b;
    check_matrix(name, given, "B");
    check_compatible(name, a, given, left);
    const Shape batch = broadcast_shapes(batch_of(a), batch_of(given));
    auto check = [&](const Tensor& infos) {
        if (check_errors) check_infos(infos, "torch.linalg.solve", [](int) { return "The solver failed because the input matrix is singular."; });
    };
    Tensor sides = empty_matrices(batch, rows_of(a), left ? cols_of(given) : rows_of(given), a.dtype(), a.device());
    Tensor infos = zero_infos(batch_of(a), a.device());
    if (solve_in_lanes(a, given, left, batch, sides, infos)) {
        check(infos);
    } else {
        Factors f = factorize(a);
        infos = f.infos;
        check(infos);
        if (!sides.is_meta()) {
            copy_into(sides, left ? given : views::transpose(given, -2, -1));
            const int64_t last[1] = {rows_of(a)};
            solve_factorized(read_column_major(f.lu, batch), contiguous(expand_to(f.pivots, with_sizes(batch, last))), left ? "N" : "T", sides);
        }
    }
    const int64_t column[1] = {-1};
    if (is_vector) sides = views::squeeze(sides, column);
    return {left ? sides : views::transpose(sides, -2, -1), infos};
}

Tensor solve(const Tensor& a, const Tensor& b, bool left) { return std::get<0>(solve_ex(a, b, left, true)); }

// ---- inverses

namespace {

// The factors are overwritten with the inverses, NaN where there is none.
template <class T>
void invert(const Factors& f) {
    const auto& routines = lapack<T>();
    const int n = as_int(rows_of(f.lu)), ld = leading(n), ask = -1;
    const int *pivots = f.pivots.data<int>(), *infos = f.infos.data<int>();
    int ignored = 0;
    Matrices<T> matrices(f.lu);
    const int lwork = asked_work<T>([&](T* answer) { routines.getri(&n, matrices[0], &ld, pivots, answer, &ask, &ignored); });
    for_matrices(f.infos.numel(), 2 * cubed(n), kThreadsForBlocks, [&](int64_t first, int64_t end) {
        Scratch<T> work(lwork);
        int info = 0;
        for (int64_t i = first; i < end; ++i) {
            T* matrix = matrices[i];
            if (infos[i] != 0) {
                std::fill(matrix, matrix + int64_t{n} * n, T(std::numeric_limits<real_t<T>>::quiet_NaN()));
                continue;
            }
            routines.getri(&n, matrix, &ld, pivots + i * n, work.data(), &lwork, &info);
        }
    });
}

template <class T>
bool invert_in_lanes(const Tensor& a, const Tensor& out, const Tensor& infos) {
    const int n = as_int(rows_of(a));
    const int64_t room = 2 * int64_t{n} * n;
    if (!use_lanes<T>(infos.numel(), n, room, kLargestInverseInLanes)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> from(a, batch_of(a));
        for_small_matrices<T>(infos.numel(), 3 * cubed(n), room, [&](LaneRange<T> range) {
            lane_kernels<T>().inverse(range, n, from.matrices, lane_result<T>(out), infos.data<int>());
        });
    }
    return true;
}

void check_inverse(const Tensor& infos) {
    check_infos(infos, "linalg.inv", [](int code) {
        return taeda::concat("The diagonal element ", code, " is zero, the inversion could not be completed because the input matrix is singular.");
    });
}

}  // namespace

std::tuple<Tensor, Tensor> inv_ex(const Tensor& a, bool check_errors) {
    check_lapack_dtype("linalg.inv", a);
    check_square("linalg.inv", a);
    if (a.is_meta() || a.numel() == 0) return {column_major(a), zero_infos(batch_of(a), a.device())};
    std::tuple<Tensor, Tensor> found;
    visit_lapack(a.dtype(), "inverse_cpu", [&]<class T>(Tag<T>) {
        Tensor out = empty_matrices(batch_of(a), rows_of(a), cols_of(a), a.dtype(), a.device()), infos = zero_infos(batch_of(a), a.device());
        found = {out, infos};
        const bool done = invert_in_lanes<T>(a, out, infos);
        Factors f = done ? Factors{} : factorize(a);
        if (!done) found = {f.lu, f.infos};
        if (check_errors) check_inverse(std::get<1>(found));
        if (!done) invert<T>(f);
    });
    return found;
}

Tensor inv(const Tensor& a) { return std::get<0>(inv_ex(a, true)); }
Tensor inverse(const Tensor& input) { return inv(input); }

// ---- determinants

namespace {

// U's diagonals, (..., n), the first numbers negated where the rows' exchanges are odd: their product is the determinant.
template <class T>
Tensor signed_diagonals(const Tensor& a) {
    const int n = as_int(rows_of(a));
    const int64_t last[1] = {n}, count = product(batch_of(a)), room = int64_t{n} * n;
    Tensor out = empty(with_sizes(batch_of(a), last), a.dtype(), a.device());
    if (out.numel() == 0) return out;
    T* values = out.data<T>();
    if (use_lanes<T>(count, n, room)) {
        if constexpr (!is_complex_v<T>) {
            const SmallBatch<T> from(a, batch_of(a));
            for_small_matrices<T>(count, cubed(n), room, [&](LaneRange<T> range) { lane_kernels<T>().diagonals(range, n, from.matrices, values); });
        }
        return out;
    }
    const Factors f = factorize(a);
    const int* pivots = f.pivots.data<int>();
    Matrices<T> matrices(f.lu);
    for (int64_t k = 0; k < count; ++k, values += n, pivots += n) {
        bool odd = false;
        for (int64_t i = 0; i < n; ++i) {
            odd ^= pivots[i] != i + 1;
            values[i] = matrices[k][i * (n + 1)];
        }
        if (odd) values[0] = -values[0];
    }
    return out;
}

}  // namespace

Tensor det(const Tensor& a) {
    check_square("linalg.det", a);
    if (is_reduced_float(a.dtype())) visit_lapack(a.dtype(), "lu_cpu", [](auto) {});
    check_lapack_dtype("linalg.det", a);
    Tensor out = result(batch_of(a), a.dtype(), a.device());
    if (out.is_meta()) return out;
    visit_lapack(a.dtype(), "det_cpu", [&]<class T>(Tag<T>) {
        const Tensor diagonals = signed_diagonals<T>(a);
        const int64_t n = rows_of(a);
        for (int64_t k = 0; k < out.numel(); ++k) {
            const T* u = diagonals.data<T>() + k * n;
            out.data<T>()[k] = std::accumulate(u, u + n, T(1), std::multiplies<T>());
        }
    });
    return out;
}

std::tuple<Tensor, Tensor> slogdet(const Tensor& a) {
    check_square("linalg.slogdet", a);
    check_lapack_dtype("linalg.slogdet", a);
    Tensor sign = empty(batch_of(a), a.dtype(), a.device()), log = empty(batch_of(a), real_of(a.dtype()), a.device());
    if (sign.is_meta()) return {sign, log};
    visit_lapack(a.dtype(), "slogdet_cpu", [&]<class T>(Tag<T>) {
        using R = real_t<T>;
        const Tensor diagonals = signed_diagonals<T>(a);
        const int64_t n = rows_of(a);
        for (int64_t k = 0; k < sign.numel(); ++k) {
            T phase = T(1);
            R sum = 0;
            for (int64_t i = 0; i < n; ++i) {
                const T u = diagonals.data<T>()[k * n + i];
                const R size = std::abs(u);
                phase *= size == 0 ? T(0) : u / size;
                sum += std::log(size);
            }
            sign.data<T>()[k] = phase;
            log.data<R>()[k] = sum;
        }
    });
    return {sign, log};
}

namespace {

// The adjoint of the adjugate from the singular values: U diag(products of the other singular values) V^H times det(U) conj... It
// needs no inverse, so it is right for singular matrices too.
template <class T>
void cofactors(const T* u, const real_t<T>* s, const T* vh, T phase, int64_t n, T* out) {
    using R = real_t<T>;
    for (int64_t j = 0; j < n; ++j)
        for (int64_t i = 0; i < n; ++i) out[j * n + i] = T(0);
    for (int64_t k = 0; k < n; ++k) {
        R others = 1;
        for (int64_t i = 0; i < n; ++i) others *= i == k ? R(1) : s[i];
        for (int64_t j = 0; j < n; ++j)
            for (int64_t i = 0; i < n; ++i) out[j * n + i] += phase * others * u[k * n + i] * vh[j * n + k];
    }
}

}  // namespace

Tensor _det_backward(const Tensor& g, const Tensor& a) {
    Tensor out = empty_matrices(batch_of(a), rows_of(a), cols_of(a), a.dtype(), a.device());
    if (out.is_meta() || out.numel() == 0) return out;
    auto [u, s, vh] = svd(a, true, {});
    // A = U S V^H: the phase of its determinant is that of det(U) det(V^H), of modulus one.
    Tensor phase_u = det(u), phase_v = det(vh), weight = contiguous(to_dtype(g, a.dtype()));
    Tensor u_columns = read_column_major(u, batch_of(a)), vh_columns = read_column_major(vh, batch_of(a)), values = contiguous(s);
    visit_lapack(a.dtype(), "det_backward_cpu", [&]<class T>(Tag<T>) {
        const int64_t n = rows_of(a);
        for (int64_t k = 0; k < weight.numel(); ++k) {
            const T phase = phase_u.data<T>()[k] * phase_v.data<T>()[k];
            T factor;
            if constexpr (is_complex_v<T>) factor = weight.data<T>()[k] * std::conj(phase);
            else factor = weight.data<T>()[k] * phase;
            cofactors<T>(Matrices<T>(u_columns)[k], values.data<real_t<T>>() + k * n, Matrices<T>(vh_columns)[k], factor, n, Matrices<T>(out)[k]);
        }
    });
    return out;
}

}  // namespace taeda::cpu
