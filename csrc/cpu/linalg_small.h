// Factorizations of small real matrices by plain loops: there, a LAPACK call costs several times the arithmetic.
//
// The same algorithms as LAPACK's unblocked ones, with the same pivots and info. Matrices are column-major and dense. Orders
// are ints, or constants for the smallest, whose loops the compiler then unrolls (`with_order`).
#pragma once

#include <cmath>
#include <limits>
#include <utility>

#include "cpu/lapack.h"

namespace taeda::cpu {

inline constexpr int kSmallMatrix = 8;

template <class T>
constexpr bool is_small(int m, int n) {
    return !is_complex_v<T> && m <= kSmallMatrix && n <= kSmallMatrix;
}

// f(n) with n as a constant where it is 2, 3 or 4.
template <class F>
auto with_order(int n, F&& f) {
    switch (n) {
        case 2: return f(std::integral_constant<int, 2>{});
        case 3: return f(std::integral_constant<int, 3>{});
        case 4: return f(std::integral_constant<int, 4>{});
        default: return f(n);
    }
}

// LU with row exchanges. Returns the place of the first zero pivot, counted from one, or 0.
template <class T, class M, class N>
int small_getrf_of(M m, N n, T* a, int* pivots) {
    int info = 0;
    for (int j = 0; j < std::min<int>(m, n); ++j) {
        T* column = a + j * m;
        int p = j;
        for (int i = j + 1; i < m; ++i)
            if (std::abs(column[i]) > std::abs(column[p])) p = i;
        pivots[j] = p + 1;
        if (column[p] == T(0)) {
            if (info == 0) info = j + 1;
            continue;
        }
        if (p != j)
            for (int c = 0; c < n; ++c) std::swap(a[c * m + j], a[c * m + p]);
        // The reciprocal of a subnormal number overflows.
        const bool invertible = std::abs(column[j]) >= std::numeric_limits<T>::min();
        const T reciprocal = T(1) / column[j];
        for (int i = j + 1; i < m; ++i) column[i] = invertible ? column[i] * reciprocal : column[i] / column[j];
        for (int c = j + 1; c < n; ++c) {
            const T factor = a[c * m + j];
            for (int i = j + 1; i < m; ++i) a[c * m + i] -= column[i] * factor;
        }
    }
    return info;
}

template <class T>
int small_getrf(int m, int n, T* a, int* pivots) {
    if (m != n) return small_getrf_of(m, n, a, pivots);
    return with_order(n, [&](auto order) { return small_getrf_of(order, order, a, pivots); });
}

// Solves with the factors of `small_getrf`, or with their transpose; `b` is overwritten.
template <class T, class N>
void small_getrs_of(bool transposed, N n, int nrhs, const T* lu, const int* pivots, T* b) {
    for (int c = 0; c < nrhs; ++c) {
        T* x = b + c * n;
        if (!transposed) {
            for (int i = 0; i < n; ++i) std::swap(x[i], x[pivots[i] - 1]);
            for (int j = 0; j < n; ++j)
                for (int i = j + 1; i < n; ++i) x[i] -= lu[j * n + i] * x[j];
            for (int j = n; j-- > 0;) {
                x[j] /= lu[j * n + j];
                for (int i = 0; i < j; ++i) x[i] -= lu[j * n + i] * x[j];
            }
        } else {
            for (int j = 0; j < n; ++j) {
                for (int i = 0; i < j; ++i) x[j] -= lu[j * n + i] * x[i];
                x[j] /= lu[j * n + j];
            }
            for (int j = n; j-- > 0;)
                for (int i = j + 1; i < n; ++i) x[j] -= lu[j * n + i] * x[i];
            for (int i = n; i-- > 0;) std::swap(x[i], x[pivots[i] - 1]);
        }
    }
}

template <class T>
void small_getrs(bool transposed, int n, int nrhs, const T* lu, const int* pivots, T* b) {
    with_order(n, [&](auto order) { small_getrs_of(transposed, order, nrhs, lu, pivots, b); });
}

// The inverse in place of the factors: U^-1 by columns, then times L^-1, then the exchanges undone. All steps add columns.
template <class T, class N>
void small_getri_of(N n, T* lu, const int* pivots) {
    T x[kSmallMatrix * kSmallMatrix];
    auto subtract = [&](int to, int from, T factor) {
        for (int i = 0; i < n; ++i) x[to * n + i] -= x[from * n + i] * factor;
    };
    for (int j = 0; j < n; ++j) {
        for (int i = 0; i < n; ++i) x[j * n + i] = T(i == j);
        for (int k = 0; k < j; ++k) subtract(j, k, lu[j * n + k]);
        for (int i = 0; i < n; ++i) x[j * n + i] /= lu[j * n + j];
    }
    for (int j = n - 1; j-- > 0;)
        for (int k = j + 1; k < n; ++k) subtract(j, k, lu[j * n + k]);
    for (int j = n; j-- > 0;)
        if (pivots[j] != j + 1)
            for (int i = 0; i < n; ++i) std::swap(x[j * n + i], x[(pivots[j] - 1) * n + i]);
    std::copy(x, x + n * n, lu);
}

template <class T>
void small_getri(int n, T* lu, const int* pivots) {
    with_order(n, [&](auto order) { small_getri_of(order, lu, pivots); });
}

// Cholesky's factor in one triangle; the other one stays. Returns the order of the first minor that is not positive, or 0.
template <class T, class N>
int small_potrf_of(bool upper, N n, T* a) {
    // The upper factor is the lower one, read across.
    const int row = upper ? int{n} : 1, column = upper ? 1 : int{n};
    auto at = [&](int i, int j) -> T& { return a[i * row + j * column]; };
    for (int j = 0; j < n; ++j) {
        T rest = at(j, j);
        for (int k = 0; k < j; ++k) rest -= at(j, k) * at(j, k);
        if (!(rest > T(0))) return j + 1;
        const T root = std::sqrt(rest);
        at(j, j) = root;
        for (int i = j + 1; i < n; ++i) {
            T sum = at(i, j);
            for (int k = 0; k < j; ++k) sum -= at(i, k) * at(j, k);
            at(i, j) = sum / root;
        }
    }
    return 0;
}

template <class T>
int small_potrf(bool upper, int n, T* a) {
    return with_order(n, [&](auto order) { return small_potrf_of(upper, order, a); });
}

}  // namespace taeda::cpu
