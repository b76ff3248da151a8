// LAPACK: the routines that the factorizations call, in a table of pointers that is filled when the first of them is needed.
//
// The library (OpenBLAS, lib/libscipy_openblas.so beside the core) is opened then and not when taeda is imported: most programs
// never factorize a matrix. Matrices are column-major, numbers go by address, and the lengths of texts follow at the end, as
// Fortran wants it.
#pragma once

#include <complex>
#include <string>

#include "base/dtype.h"

namespace taeda::cpu {

// A factorization that does not exist, or did not converge: taeda.linalg.LinAlgError in Python.
class LinAlgError : public Error {
public:
    explicit LinAlgError(std::string message) : Error(ErrorKind::Runtime, std::move(message)) {}
};

template <class T>
struct RealOf {
    using t = T;
};
template <class T>
struct RealOf<std::complex<T>> {
    using t = T;
};
template <class T>
using real_t = typename RealOf<T>::t;

using LapackInt = const int*;
using LapackText = const char*;

template <class T>
struct Lapack {
    using R = real_t<T>;
    using I = LapackInt;
    using C = LapackText;
    using N = size_t;

    void (*getrf)(I m, I n, T* a, I lda, int* pivots, int* info);
    void (*getrs)(C trans, I n, I nrhs, const T* a, I lda, const int* pivots, T* b, I ldb, int* info, N);
    void (*getri)(I n, T* a, I lda, const int* pivots, T* work, I lwork, int* info);
    void (*potrf)(C uplo, I n, T* a, I lda, int* info, N);
    void (*potrs)(C uplo, I n, I nrhs, const T* a, I lda, T* b, I ldb, int* info, N);
    void (*potri)(C uplo, I n, T* a, I lda, int* info, N);
    void (*geqrf)(I m, I n, T* a, I lda, T* tau, T* work, I lwork, int* info);
    void (*orgqr)(I m, I n, I k, T* a, I lda, const T* tau, T* work, I lwork, int* info);
    void (*ormqr)(C side, C trans, I m, I n, I k, const T* a, I lda, const T* tau, T* c, I ldc, T* work, I lwork, int* info, N, N);
    void (*sytrf)(C uplo, I n, T* a, I lda, int* pivots, T* work, I lwork, int* info, N);
    void (*hetrf)(C uplo, I n, T* a, I lda, int* pivots, T* work, I lwork, int* info, N);
    void (*sytrs)(C uplo, I n, I nrhs, const T* a, I lda, const int* pivots, T* b, I ldb, int* info, N);
    void (*hetrs)(C uplo, I n, I nrhs, const T* a, I lda, const int* pivots, T* b, I ldb, int* info, N);
    void (*gels)(C trans, I m, I n, I nrhs, T* a, I lda, T* b, I ldb, T* work, I lwork, int* info, N);
    void (*laic1)(I job, I n, const T* x, const R* value, const T* column, const T* diagonal, R* next, T* scale, T* end);
    void (*trsm)(C side, C uplo, C trans, C diag, I m, I n, const T* alpha, const T* a, I lda, T* b, I ldb, N, N, N, N);
    void (*trsv)(C uplo, C trans, C diag, I n, const T* a, I lda, T* x, I step, N, N, N);
    void (*gemm)(C trans_a, C trans_b, I m, I n, I k, const T* alpha, const T* a, I lda, const T* b, I ldb, const T* beta, T* c, I ldc, N, N);
    // Their arguments differ between real and complex numbers: called through the functions below.
    void* syevd;
    void* gesdd;
    void* geev;
    void* gelsy;
    void* gelss;
    void* gelsd;
};

// The table for float, double and complex numbers of both. RuntimeError where no library is found.
template <class T>
const Lapack<T>& lapack();

// Where the library is, or would be, for taeda.show_config().
std::string lapack_description();

// While one of these lives, the library uses as many threads: one within a batch, whose matrices are taeda's own threads' work.
class LapackThreads {
public:
    explicit LapackThreads(int n);
};

template <class F>
decltype(auto) visit_lapack(DType t, const char* name, F&& f) {
    switch (t) {
        case DType::Float32: return f(Tag<float>{});
        case DType::Float64: return f(Tag<double>{});
        case DType::Complex64: return f(Tag<std::complex<float>>{});
        case DType::Complex128: return f(Tag<std::complex<double>>{});
        default: fail(ErrorKind::NotImplemented, '"', name, "\" not implemented for '", scalar_type_name(t), "'");
    }
}

// ---- routines whose arguments differ between real and complex numbers (`rwork` is not read for real ones)

template <class T>
void syevd(const char* job, const char* uplo, int n, T* a, int lda, real_t<T>* w, T* work, int lwork, real_t<T>* rwork, int lrwork, int* iwork,
           int liwork, int* info) {
    using R = real_t<T>;
    using C = LapackText;
    using I = LapackInt;
    if constexpr (is_complex_v<T>)
        reinterpret_cast<void (*)(C, C, I, T*, I, R*, T*, I, R*, I, int*, I, int*, size_t, size_t)>(lapack<T>().syevd)(
            job, uplo, &n, a, &lda, w, work, &lwork, rwork, &lrwork, iwork, &liwork, info, 1, 1);
    else
        reinterpret_cast<void (*)(C, C, I, T*, I, R*, T*, I, int*, I, int*, size_t, size_t)>(lapack<T>().syevd)(job, uplo, &n, a, &lda, w, work,
                                                                                                                &lwork, iwork, &liwork, info, 1, 1);
}

template <class T>
void gesdd(const char* job, int m, int n, T* a, int lda, real_t<T>* s, T* u, int ldu, T* vt, int ldvt, T* work, int lwork, real_t<T>* rwork,
           int* iwork, int* info) {
    using R = real_t<T>;
    using C = LapackText;
    using I = LapackInt;
    if constexpr (is_complex_v<T>)
        reinterpret_cast<void (*)(C, I, I, T*, I, R*, T*, I, T*, I, T*, I, R*, int*, int*, size_t)>(lapack<T>().gesdd)(
            job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, rwork, iwork, info, 1);
    else
        reinterpret_cast<void (*)(C, I, I, T*, I, R*, T*, I, T*, I, T*, I, int*, int*, size_t)>(lapack<T>().gesdd)(
            job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, iwork, info, 1);
}

// Right eigenvectors only. Real numbers give the parts of the eigenvalues in `w` (n real, then n imaginary ones).
template <class T>
void geev(const char* job, int n, T* a, int lda, T* w, T* vectors, int ld, T* work, int lwork, real_t<T>* rwork, int* info) {
    using R = real_t<T>;
    using C = LapackText;
    using I = LapackInt;
    const int one = 1;
    if constexpr (is_complex_v<T>)
        reinterpret_cast<void (*)(C, C, I, T*, I, T*, T*, I, T*, I, T*, I, R*, int*, size_t, size_t)>(lapack<T>().geev)(
            "N", job, &n, a, &lda, w, nullptr, &one, vectors, &ld, work, &lwork, rwork, info, 1, 1);
    else
        reinterpret_cast<void (*)(C, C, I, T*, I, T*, T*, T*, I, T*, I, T*, I, int*, size_t, size_t)>(lapack<T>().geev)(
            "N", job, &n, a, &lda, w, w + n, nullptr, &one, vectors, &ld, work, &lwork, info, 1, 1);
}

template <class T>
void gelsy(int m, int n, int nrhs, T* a, int lda, T* b, int ldb, int* pivots, real_t<T> rcond, int* rank, T* work, int lwork, real_t<T>* rwork,
           int* info) {
    using R = real_t<T>;
    using I = LapackInt;
    if constexpr (is_complex_v<T>)
        reinterpret_cast<void (*)(I, I, I, T*, I, T*, I, int*, const R*, int*, T*, I, R*, int*)>(lapack<T>().gelsy)(
            &m, &n, &nrhs, a, &lda, b, &ldb, pivots, &rcond, rank, work, &lwork, rwork, info);
    else
        reinterpret_cast<void (*)(I, I, I, T*, I, T*, I, int*, const R*, int*, T*, I, int*)>(lapack<T>().gelsy)(
            &m, &n, &nrhs, a, &lda, b, &ldb, pivots, &rcond, rank, work, &lwork, info);
}

template <class T>
void gelss(int m, int n, int nrhs, T* a, int lda, T* b, int ldb, real_t<T>* s, real_t<T> rcond, int* rank, T* work, int lwork, real_t<T>* rwork,
           int* info) {
    using R = real_t<T>;
    using I = LapackInt;
    if constexpr (is_complex_v<T>)
        reinterpret_cast<void (*)(I, I, I, T*, I, T*, I, R*, const R*, int*, T*, I, R*, int*)>(lapack<T>().gelss)(
            &m, &n, &nrhs, a, &lda, b, &ldb, s, &rcond, rank, work, &lwork, rwork, info);
    else
        reinterpret_cast<void (*)(I, I, I, T*, I, T*, I, R*, const R*, int*, T*, I, int*)>(lapack<T>().gelss)(&m, &n, &nrhs, a, &lda, b, &ldb, s,
                                                                                                              &rcond, rank, work, &lwork, info);
}

template <class T>
void gelsd(int m, int n, int nrhs, T* a, int lda, T* b, int ldb, real_t<T>* s, real_t<T> rcond, int* rank, T* work, int lwork, real_t<T>* rwork,
           int* iwork, int* info) {
    using R = real_t<T>;
    using I = LapackInt;
    if constexpr (is_complex_v<T>)
        reinterpret_cast<void (*)(I, I, I, T*, I, T*, I, R*, const R*, int*, T*, I, R*, int*, int*)>(lapack<T>().gelsd)(
            &m, &n, &nrhs, a, &lda, b, &ldb, s, &rcond, rank, work, &lwork, rwork, iwork, info);
    else
        reinterpret_cast<void (*)(I, I, I, T*, I, T*, I, R*, const R*, int*, T*, I, int*, int*)>(lapack<T>().gelsd)(
            &m, &n, &nrhs, a, &lda, b, &ldb, s, &rcond, rank, work, &lwork, iwork, info);
}

}  // namespace taeda::cpu
