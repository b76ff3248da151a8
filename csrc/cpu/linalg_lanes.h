// Factorizations of batches of small real matrices, a matrix in each lane of the vector registers: the tables of
// linalg_lanes_isa.cpp and linalg_jacobi_isa.cpp.
//
// A routine that is called for each small matrix spends more time on its loops than on the arithmetic. Here eight matrices
// (of float, with AVX2) are laid out element by element beside each other, and every step is one instruction for all of them;
// what differs between them, such as which rows are exchanged, is a choice between values. No lane sees another one's numbers.
#pragma once

#include <cstdint>

namespace taeda::cpu {

// A batch's matrices at fixed distances, in elements.
template <class T>
struct LaneMatrices {
    T* data = nullptr;
    int64_t step = 0, row = 0, col = 0;

    LaneMatrices transposed() const { return {data, step, col, row}; }
    operator LaneMatrices<const T>() const { return {data, step, row, col}; }
};

// The matrices first ... end - 1 of a batch, and room for `lane_room(...)` elements on 64 bytes' boundaries.
template <class T>
struct LaneRange {
    int64_t first, end;
    T* room;
};

inline constexpr int kLargestInLanes = 32;  // the largest order that kernels take

// Solutions, inverses and determinants are those of Gaussian elimination with LAPACK's exchanges. An info is the place of the
// first zero pivot, counted from one (of Cholesky's factorization: the first minor that is not positive), or 0.
template <class T>
struct LaneKernels {
    using In = LaneMatrices<const T>;
    using Out = LaneMatrices<T>;
    int lanes;

    // Room: m * n. Both factors as LAPACK packs them; pivots by matrices, from one.
    void (*lu)(LaneRange<T> range, int m, int n, In a, Out lu, int* pivots, int* infos);
    // a x = b. Room: n * (n + n_sides).
    void (*solve)(LaneRange<T> range, int n, int n_sides, In a, In b, Out x, int* infos);
    // Room: 2 * n * n. NaN where a pivot is zero.
    void (*inverse)(LaneRange<T> range, int n, In a, Out inverse, int* infos);
    // U's diagonals, n numbers for each matrix, the first one negated where the exchanges are odd. Room: n * n.
    void (*diagonals)(LaneRange<T> range, int n, In a, T* diagonals);
    // Room: n * (n + n_sides), as for the rest.
    void (*lu_solve)(LaneRange<T> range, int n, int n_sides, In lu, const int* pivots, bool transposed, In b, Out x);
    // The lower triangle is read; above it the result has zeros. Room: n * n.
    void (*cholesky)(LaneRange<T> range, int n, In a, Out factor, int* infos);
    void (*substitute)(LaneRange<T> range, int n, int n_sides, In triangle, bool upper, bool unit, In b, Out x);
    // From the lower factor.
    void (*cholesky_solve)(LaneRange<T> range, int n, int n_sides, In factor, In b, Out x);
    // The matrices' exponentials, NaN where an element is not finite. Room: 8 * n * n.
    void (*exponential)(LaneRange<T> range, int n, In a, Out to);
};

struct LaneTable {
    LaneKernels<float> of_float;
    LaneKernels<double> of_double;
};

// Orthogonal factorizations. `failed` is 1 where a matrix needs LAPACK's care instead (numbers whose squares leave the range,
// no convergence, dependent columns), and what was written for it means nothing.
template <class T>
struct OrthogonalKernels {
    using In = LaneMatrices<const T>;
    using Out = LaneMatrices<T>;

    // Q: m by n_q, may have null data; R: n_q by n. Room: m * (n + n_q).
    void (*qr)(LaneRange<T> range, int m, int n, int n_q, In a, Out q, Out r, int* failed);
    // Eigenvalues, ascending, and vectors (may have null data) of symmetric matrices, whose lower triangle is read. Room: 2 * n * n + n.
    void (*symmetric)(LaneRange<T> range, int n, In a, T* values, Out vectors, int* failed);
    // Singular values, descending; U (m by n) and V^T (n by n) may have null data; m >= n. Room: m * n + n * n + n.
    void (*singular)(LaneRange<T> range, int m, int n, In a, T* values, Out u, Out vt, int* failed);
    // The x with the smallest norm(a x - b), m >= n, where a's columns are so independent that `limit` times the condition is below
    // one; the rows beyond the n-th of x get what is left over. Room: m * (n + n_sides) + n * n.
    void (*least_squares)(LaneRange<T> range, int m, int n, int n_sides, In a, In b, Out x, T limit, int* failed);
};

struct OrthogonalTable {
    OrthogonalKernels<float> of_float;
    OrthogonalKernels<double> of_double;
};

// c = alpha * a b + beta * add, which may have null data; a: m by k, b: k by n. Room: m * k + k * n + 2 * m * n.
template <class T>
struct LaneProduct {
    int m, n, k;
    LaneMatrices<const T> a, b, add;
    LaneMatrices<T> c;
    T alpha, beta;
};

struct LaneProductTable {
    int lanes_of_float, lanes_of_double;
    void (*of_float)(LaneRange<float> range, const LaneProduct<float>& job);
    void (*of_double)(LaneRange<double> range, const LaneProduct<double>& job);
};

}  // namespace taeda::cpu
