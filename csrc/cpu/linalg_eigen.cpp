// Eigenvalues and singular values.
#include <atomic>
#include <cmath>

#include "cpu/small_eigen.h"
#include "cpu/small_matrices.h"
#include "cpu/symmetric_kernels.h"
#include "kernels.h"

namespace taeda::cpu {

TAEDA_DECLARE_ISA(SymmetricTable, symmetric_table)
TAEDA_DECLARE_ISA(SmallEigenTable, small_eigen_table)

namespace {

// The largest orders for which the methods take less time than the next ones: Jacobi's in lanes, the plain ones, LAPACK's.
template <class T>
constexpr int largest_jacobi(bool vectors) {
    return sizeof(T) == 4 ? 24 : vectors ? 16 : 10;
}
template <class T>
constexpr int largest_general(bool vectors) {
    return sizeof(T) == 8 ? 128 : vectors ? 80 : 110;  // which computes in double always
}
constexpr int kLargestSingularJacobi = 24, kLargestPlainVectors = 80, kLargestPlainValues = 40;

template <class T>
bool all_finite(const T* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        if (!std::isfinite(std::real(values[i])) || !std::isfinite(std::imag(values[i]))) return false;
    return true;
}

// ---- symmetric and Hermitian matrices

std::string eigen_phrase(int code) {
    return taeda::concat(
        "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues (error code: ", code,
        ").");
}

// By the plain methods of symmetric_isa.cpp, from the lower triangles. False where one of the matrices needs LAPACK.
template <class T>
bool plain_symmetric_eigen(const Tensor& a, const Tensor& values, bool vectors) {
    const int n = as_int(rows_of(a));
    std::atomic<bool> done = true;
    if constexpr (!is_complex_v<T>) {
        const auto eigen = [&](T* matrix, T* to, T* room) {
            if constexpr (std::is_same_v<T, float>) return symmetric_table().of_float.eigen(n, matrix, to, vectors ? matrix : nullptr, room);
            else return symmetric_table().of_double.eigen(n, matrix, to, vectors ? matrix : nullptr, room);
        };
        Matrices<T> matrices(a);
        const int64_t count = product(batch_of(a));
        ReleaseHostLock unlock(9 * cubed(n) * static_cast<double>(count) > 2e5);
        parallel_for(0, count, static_cast<int64_t>(1 + 1e5 / (9 * cubed(n))), [&](int64_t first, int64_t end) {
            Scratch<T> room(int64_t{2 * n + 6} * (n + 32));
            for (int64_t k = first; k < end && done; ++k)
                if (!eigen(matrices[k], values.data<T>() + k * n, room.data())) done = false;
        });
    }
    return done;
}

// `a` is overwritten with the eigenvectors where they are wanted.
void symmetric_eigen(const Tensor& a, const Tensor& values, const Tensor& infos, const char* uplo, bool vectors) {
    const int n = as_int(rows_of(a)), ld = leading(n);
    visit_lapack(a.dtype(), "linalg_eigh_cpu", [&]<class T>(Tag<T>) {
        using R = real_t<T>;
        const char* job = vectors ? "V" : "N";
        Matrices<T> matrices(a);
        R *first_value = values.data<R>(), ask_real[4] = {};
        int ask_int = 0, ignored = 0;
        const int lwork =
            asked_work<T>([&](T* answer) { syevd<T>(job, uplo, n, matrices[0], ld, first_value, answer, -1, ask_real, -1, &ask_int, -1, &ignored); });
        const int lrwork = std::max(1, static_cast<int>(ask_real[0])), liwork = std::max(1, ask_int);
        for_matrices(infos.numel(), (vectors ? 9 : 2) * cubed(n), kThreadsForVectors, [&](int64_t begin, int64_t end) {
            Scratch<T> work(lwork);
            Scratch<R> rwork(lrwork);
            Scratch<int> iwork(liwork);
            for (int64_t i = begin; i < end; ++i) {
                if (all_finite(matrices[i], int64_t{n} * n)) {
                    syevd<T>(job, uplo, n, matrices[i], ld, first_value + i * n, work.data(), lwork, rwork.data(), lrwork, iwork.data(), liwork,
                             infos.data<int>() + i);
                } else {  // the routine may never come back
                    std::fill(matrices[i], matrices[i] + int64_t{n} * n, T(std::numeric_limits<R>::quiet_NaN()));
                    std::fill(first_value + i * n, first_value + (i + 1) * n, std::numeric_limits<R>::quiet_NaN());
                }
            }
        });
    });
}

// By Jacobi's method, straight from `a`. False where the matrices are other methods' work.
template <class T>
bool symmetric_in_lanes(const Tensor& a, const Tensor& values, const Tensor& copy, const Tensor& infos, bool vectors) {
    const int n = as_int(rows_of(a));
    const int64_t room = 2 * int64_t{n} * n + n;
    if (!use_lanes<T>(infos.numel(), n, room, largest_jacobi<T>(vectors))) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> from(a, batch_of(a));
        const auto to = vectors ? lane_result<T>(copy) : LaneMatrices<T>{};
        const LeftOver left(infos.numel());
        for_small_matrices<T>(infos.numel(), 50 * cubed(n), room, [&](LaneRange<T> range) {
            orthogonal_kernels<T>().symmetric(range, n, from.matrices, values.data<T>(), to, left.failed.data());
        });
        return left.repair([&](int64_t k) {
            const Tensor one = matrix_of(copy, k);
            copy_into(one, from[k]);
            symmetric_eigen(one, row_of(values, k), taeda::alias(infos, IntList{}, IntList{}, infos.offset() + k), "L", vectors);
        });
    }
    return true;
}

std::tuple<Tensor, Tensor> symmetric(const Tensor& a, const std::string& uplo, bool vectors) {
    check_square("linalg.eigh", a);
    TAEDA_CHECK(uplo.size() == 1 && std::string("LlUu").find(uplo) != std::string::npos, "Expected UPLO argument to be 'L' or 'U', but got ", uplo);
    visit_lapack(a.dtype(), "linalg_eigh_cpu", [](auto) {});
    const Shape batch = batch_of(a);
    const int64_t n = rows_of(a), last[1] = {n};
    Tensor values = empty(with_sizes(batch, last), real_of(a.dtype()), a.device());
    Tensor copy = empty_matrices(batch, n, n, a.dtype(), a.device());
    if (copy.is_meta() || copy.numel() == 0) return {values, copy};
    Tensor infos = zero_infos(batch, a.device());
    const bool is_upper = uplo == "U" || uplo == "u";
    visit_lapack(a.dtype(), "linalg_eigh_cpu", [&]<class T>(Tag<T>) {
        // The upper triangle of a real matrix is the lower one of its transpose.
        const bool flip = is_upper && !is_complex_v<T>;
        const Tensor given = flip ? views::transpose(a, -2, -1) : a;
        if (symmetric_in_lanes<T>(given, values, copy, infos, vectors)) return;
        copy_into(copy, given);
        if (!is_complex_v<T> && n <= (vectors ? kLargestPlainVectors : kLargestPlainValues)) {
            if (plain_symmetric_eigen<T>(copy, values, vectors)) return;
            copy_into(copy, given);
        }
        symmetric_eigen(copy, values, infos, is_upper && !flip ? "U" : "L", vectors);
    });
    check_infos(infos, "linalg.eigh", eigen_phrase);
    return {values, copy};
}

}  // namespace

std::tuple<Tensor, Tensor> eigh(const Tensor& a, const std::string& uplo) { return symmetric(a, uplo, true); }
Tensor _eigvalsh(const Tensor& a, const std::string& uplo) { return std::get<0>(symmetric(a, uplo, false)); }

// ---- any square matrices

namespace {

// The routine's real form of complex numbers: a conjugate pair's vectors are two columns, the parts of the first one's.
template <class R>
void complex_vectors(const R* imaginary, const R* columns, int64_t n, std::complex<R>* out) {
    for (int64_t j = 0; j < n; ++j) {
        const bool is_pair = imaginary[j] != 0 && j + 1 < n;
        for (int64_t i = 0; i < n; ++i) {
            const R real = columns[j * n + i], imag = is_pair ? columns[(j + 1) * n + i] : R(0);
            out[j * n + i] = {real, imag};
            if (is_pair) out[(j + 1) * n + i] = {real, -imag};
        }
        if (is_pair) ++j;
    }
}

struct General {
    Tensor a, values, vectors, infos;  // vectors may be undefined

    template <class T>
    void run() const;
    template <class T>
    bool run_small(const Tensor& given) const;
    template <class T>
    int solve_one(int64_t k, T* work, int lwork, real_t<T>* rwork, T* parts, T* columns) const;
};

template <class T>
int General::solve_one(int64_t k, T* work, int lwork, real_t<T>* rwork, T* parts, T* columns) const {
    const int n = as_int(rows_of(a)), ld = leading(n);
    const char* job = vectors.defined() ? "V" : "N";
    T* matrix = Matrices<T>(a)[k];
    int info = 0;
    if constexpr (is_complex_v<T>) {
        (void)parts, (void)columns;
        geev<T>(job, n, matrix, ld, values.data<T>() + k * n, Matrices<T>(vectors)[k], ld, work, lwork, rwork, &info);
    } else {
        using C = std::complex<T>;
        geev<T>(job, n, matrix, ld, parts, columns, ld, work, lwork, rwork, &info);
        if (lwork == -1) return info;
        for (int64_t i = 0; i < n; ++i) values.data<C>()[k * n + i] = C(parts[i], parts[n + i]);
        if (vectors.defined()) complex_vectors<T>(parts + n, columns, n, Matrices<C>(vectors)[k]);
    }
    return info;
}

template <class T>
void General::run() const {
    using R = real_t<T>;
    const int64_t n = rows_of(a), n_parts = is_complex_v<T> ? 1 : 2 * n, n_columns = is_complex_v<T> || !vectors.defined() ? 1 : n * n;
    T unused{};
    R unused_real{};
    const int lwork = asked_work<T>([&](T* answer) { solve_one<T>(0, answer, -1, &unused_real, &unused, &unused); });
    for_matrices(infos.numel(), 25 * cubed(n), kThreadsForVectors, [&](int64_t begin, int64_t end) {
        Scratch<T> work(lwork), parts(n_parts), columns(n_columns);
        Scratch<R> rwork(2 * n);
        for (int64_t k = begin; k < end; ++k) infos.data<int>()[k] = solve_one<T>(k, work.data(), lwork, rwork.data(), parts.data(), columns.data());
    });
}

// Without LAPACK, in double. False where so many matrices are of kinds that it leaves to LAPACK that LAPACK should have all.
template <class T>
bool General::run_small(const Tensor& given) const {
    const int n = as_int(rows_of(given));
    if (is_complex_v<T> || n > largest_general<T>(vectors.defined())) return false;
    if constexpr (!is_complex_v<T>) {
        using C = std::complex<T>;
        const SmallBatch<T> from(given, batch_of(given));
        const LeftOver left(infos.numel());
        const auto in = from.matrices;
        ReleaseHostLock unlock(25 * cubed(n) * static_cast<double>(left.count) > 2e5);
        parallel_for(0, left.count, static_cast<int64_t>(1 + 1e5 / (25 * cubed(n))), [&](int64_t begin, int64_t end) {
            const int64_t size = int64_t{n} * n;
            const bool wants_vectors = vectors.defined();
            Scratch<double> room(2 * size + 5 * n);
            Scratch<std::complex<double>> found(wants_vectors ? size : 1);
            double *copy = room.data(), *parts = copy + size;
            for (int64_t k = begin; k < end; ++k) {
                const T* matrix = in.data + k * in.step;
                for (int j = 0; j < n; ++j)
                    for (int i = 0; i < n; ++i) copy[j * n + i] = matrix[i * in.row + j * in.col];
                const bool done = small_eigen_table().eigen(n, copy, parts, wants_vectors ? found.data() : nullptr, parts + 2 * n);
                left.failed.data()[k] = !done;
                if (!done) continue;
                for (int j = 0; j < n; ++j) values.data<C>()[k * n + j] = C(static_cast<T>(parts[j]), static_cast<T>(parts[n + j]));
                if (wants_vectors) std::copy(found.data(), found.data() + size, Matrices<C>(vectors)[k]);
            }
        });
        return left.repair([&](int64_t k) {
            General{column_major(from[k]), row_of(values, k), vectors.defined() ? matrix_of(vectors, k) : vectors,
                    taeda::alias(infos, IntList{}, IntList{}, infos.offset() + k)}
                .run<T>();
        });
    }
    return true;
}

General general_eigen(const char* name, const Tensor& a, bool vectors) {
    check_square(name, a);
    TAEDA_CHECK(is_inexact(a.dtype()), "Unknown Complex ScalarType for ", scalar_type_name(a.dtype()));
    visit_lapack(a.dtype(), "linalg_eig_out_cpu", [](auto) {});
    const Shape batch = batch_of(a);
    const int64_t n = rows_of(a), last[1] = {n};
    const DType complex = complex_of(a.dtype());
    General job;
    job.values = empty(with_sizes(batch, last), complex, a.device());
    if (vectors) job.vectors = empty_matrices(batch, n, n, complex, a.device());
    if (a.is_meta() || a.numel() == 0) return job;
    job.a = column_major(a);
    job.infos = zero_infos(batch, a.device());
    visit_lapack(a.dtype(), "linalg_eig_out_cpu", [&]<class T>(Tag<T>) {
        TAEDA_CHECK(all_finite(job.a.data<T>(), job.a.numel()), "torch.linalg.eig: input tensor should not contain infs or NaNs.");
        if (!job.run_small<T>(job.a)) job.run<T>();
    });
    check_infos(job.infos, "torch.linalg.eig", eigen_phrase);
    return job;
}

}  // namespace

std::tuple<Tensor, Tensor> eig(const Tensor& a) {
    General job = general_eigen("linalg.eig", a, true);
    return {job.values, job.vectors};
}

Tensor _eigvals(const Tensor& a) { return general_eigen("linalg.eigvals", a, false).values; }

// ---- singular values

namespace {

struct Singular {
    Tensor a, u, s, vh, infos;  // u and vh may be undefined
    const char* job;            // "A": all vectors, "S": as many as there are values, "N": none

    template <class T>
    void run() const;
};

template <class T>
void Singular::run() const {
    using R = real_t<T>;
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a)), low = std::min(m, n), high = std::max(m, n), lda = leading(m);
    const int ldu = u.defined() ? leading(rows_of(u)) : 1, ldvt = vh.defined() ? leading(rows_of(vh)) : 1;
    const int64_t n_real = int64_t{low} * std::max(5 * int64_t{low} + 7, 2 * int64_t{high} + 2 * int64_t{low} + 1);
    Matrices<T> matrices(a), left(u), right(vh);
    R* values = s.data<R>();
    T unused{};
    R unused_real{};
    int unused_int[8] = {}, ignored = 0;
    const int lwork = asked_work<T>([&](T* answer) {
        gesdd<T>(job, m, n, matrices[0], lda, values, u.defined() ? left[0] : &unused, ldu, vh.defined() ? right[0] : &unused, ldvt, answer, -1,
                 &unused_real, unused_int, &ignored);
    });
    for_matrices(infos.numel(), 8.0 * m * n * low, kThreadsForVectors, [&](int64_t begin, int64_t end) {
        Scratch<T> work(lwork);
        Scratch<R> rwork(std::max<int64_t>(1, n_real));
        Scratch<int> iwork(8 * low);
        T nothing{};
        for (int64_t k = begin; k < end; ++k) {
            int* info = infos.data<int>() + k;
            // The routine gives NaN an error of its own, and may not come back from an infinity.
            if (!all_finite(matrices[k], int64_t{m} * n)) *info = INT32_MAX;
            else
                gesdd<T>(job, m, n, matrices[k], lda, values + k * low, u.defined() ? left[k] : &nothing, ldu, vh.defined() ? right[k] : &nothing,
                         ldvt, work.data(), lwork, rwork.data(), iwork.data(), info);
        }
    });
}

// By Jacobi's method on the columns; of a wide matrix, on its transpose: A^T = V S U^T. False where LAPACK is to do it.
template <class T>
bool singular_in_lanes(const Tensor& a, const Singular& job) {
    const int m = as_int(rows_of(a)), n = as_int(cols_of(a)), high = std::max(m, n), low = std::min(m, n);
    const int64_t count = job.infos.numel(), room = int64_t{high} * low + int64_t{low} * low + low;
    const bool wide = m < n, vectors = job.u.defined();
    if (vectors && *job.job == 'A' && m != n) return false;
    if (!use_lanes<T>(count, high, room, kLargestSingularJacobi)) return false;
    if constexpr (!is_complex_v<T>) {
        const SmallBatch<T> from(a, batch_of(a));
        const auto in = wide ? from.matrices.transposed() : from.matrices;
        const auto u = lane_result<T>(job.u), vh = lane_result<T>(job.vh);
        const LeftOver left(count);
        for_small_matrices<T>(count, 60 * cubed(high), room, [&](LaneRange<T> range) {
            orthogonal_kernels<T>().singular(range, high, low, in, job.s.data<T>(), wide ? vh.transposed() : u, wide ? u.transposed() : vh,
                                             left.failed.data());
        });
        return left.repair([&](int64_t k) {
            Singular one{
                column_major(from[k]), {}, row_of(job.s, k), {}, taeda::alias(job.infos, IntList{}, IntList{}, job.infos.offset() + k), job.job};
            if (vectors) {
                one.u = matrix_of(job.u, k);
                one.vh = matrix_of(job.vh, k);
            }
            one.run<T>();
        });
    }
    return true;
}

Singular singular(const Tensor& a, bool vectors, bool full, const std::optional<std::string>& driver) {
    const char* name = "linalg.svd";
    check_lapack_dtype(name, a);
    check_matrix(name, a);
    TAEDA_CHECK(!driver, "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.");
    const Shape batch = batch_of(a);
    const int64_t m = rows_of(a), n = cols_of(a), low = std::min(m, n), last[1] = {low};
    Singular job;
    job.job = !vectors ? "N" : full ? "A" : "S";
    job.s = empty(with_sizes(batch, last), real_of(a.dtype()), a.device());
    if (vectors) {
        job.u = empty_matrices(batch, m, full ? m : low, a.dtype(), a.device());
        job.vh = empty_matrices(batch, full ? n : low, n, a.dtype(), a.device());
    }
    if (a.is_meta()) return job;
    if (a.numel() == 0) {  // no singular values: any orthogonal matrices will do
        for (const Tensor& t : {job.u, job.vh})
            if (t.defined()) fill_identity(t);
        return job;
    }
    job.infos = zero_infos(batch, a.device());
    visit_lapack(a.dtype(), "svd_cpu", [&]<class T>(Tag<T>) {
        if (singular_in_lanes<T>(a, job)) return;
        job.a = column_major(a);
        job.run<T>();
    });
    check_infos(job.infos, name, [](int code) {
        if (code == INT32_MAX) return std::string("The algorithm failed to converge because the input matrix contained non-finite values.");
        return taeda::concat(
            "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated singular values (error code: ",
            code, ").");
    });
    return job;
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> svd(const Tensor& a, bool full_matrices, std::optional<std::string> driver) {
    Singular job = singular(a, true, full_matrices, driver);
    return {job.u, job.s, job.vh};
}

Tensor _svdvals(const Tensor& a) { return singular(a, false, false, {}).s; }

}  // namespace taeda::cpu
