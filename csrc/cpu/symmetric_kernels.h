// Eigenvalues and vectors of one symmetric matrix that fits the caches: the table of symmetric_isa.cpp.
#pragma once

#include <cstdint>

namespace taeda::cpu {

template <class T>
struct SymmetricKernels {
    // `a` is dense by columns, and its lower triangle is read. `values` get the eigenvalues, ascending, `vectors` (by columns; null:
    // none; may be `a`) the vectors. Room: (2 * n + 6) * (n + 32). False where LAPACK is to do it, and nothing is written: numbers
    // whose squares leave the range, or no convergence.
    bool (*eigen)(int n, const T* a, T* values, T* vectors, T* room);
};

struct SymmetricTable {
    SymmetricKernels<float> of_float;
    SymmetricKernels<double> of_double;
};

}  // namespace taeda::cpu
