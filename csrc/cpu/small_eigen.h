// Eigenvalues and vectors of one small real matrix of any kind: the table of small_eigen_isa.cpp.
#pragma once

#include <complex>

namespace taeda::cpu {

struct SmallEigenTable {
    // `a` is dense by columns and overwritten. `values` get the n real parts of the eigenvalues and then their imaginary ones, `vectors`
    // (by columns; null: none) the vectors, of length one, their largest elements real. Room: n * n + 3 * n. False where the matrix is
    // one for LAPACK: numbers that are not finite or whose squares leave the range, rows or columns that give an eigenvalue by
    // themselves (exact there, by permutations), or no convergence.
    bool (*eigen)(int n, double* a, double* values, std::complex<double>* vectors, double* room);
};

}  // namespace taeda::cpu
