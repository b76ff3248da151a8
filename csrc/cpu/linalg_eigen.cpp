// Eigenvalues and singular values.
#include <cmath>

#include "cpu/linalg.h"
#include "kernels.h"

namespace taeda::cpu {

namespace {

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
        for_matrices(infos.numel(), (vectors ? 9 : 2) * cubed(n), [&](int64_t begin, int64_t end) {
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

std::tuple<Tensor, Tensor> symmetric(const Tensor& a, const std::string& uplo, bool vectors) {
    check_square("linalg.eigh", a);
    TAEDA_CHECK(uplo.size() == 1 && std::string("LlUu").find(uplo) != std::string::npos, "Expected UPLO argument to be 'L' or 'U', but got ", uplo);
    visit_lapack(a.dtype(), "linalg_eigh_cpu", [](auto) {});
    const Shape batch = batch_of(a);
    const int64_t last[1] = {rows_of(a)};
    Tensor values = empty(with_sizes(batch, last), real_of(a.dtype()), a.device()), copy = column_major(a);
    if (copy.is_meta() || copy.numel() == 0) return {values, copy};
    Tensor infos = zero_infos(batch, a.device());
    symmetric_eigen(copy, values, infos, uplo == "U" || uplo == "u" ? "U" : "L", vectors);
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
    for_matrices(infos.numel(), 25 * cubed(n), [&](int64_t begin, int64_t end) {
        Scratch<T> work(lwork), parts(n_parts), columns(n_columns);
        Scratch<R> rwork(2 * n);
        for (int64_t k = begin; k < end; ++k) infos.data<int>()[k] = solve_one<T>(k, work.data(), lwork, rwork.data(), parts.data(), columns.data());
    });
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
        job.run<T>();
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
    for_matrices(infos.numel(), 8.0 * m * n * low, [&](int64_t begin, int64_t end) {
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
    job.a = column_major(a);
    job.infos = zero_infos(batch, a.device());
    visit_lapack(a.dtype(), "svd_cpu", [&]<class T>(Tag<T>) { job.run<T>(); });
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
