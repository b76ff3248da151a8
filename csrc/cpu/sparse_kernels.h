// Inner loops of products with sparse matrices: weighted sums of whole rows, and dot products of pairs of rows.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace taeda::cpu {

template <class T>
struct SparseKernels {
    // y[j] = sum over t < count of weight[t] * x[index[t] * n + j], for j < n
    void (*blend_rows)(const T* x, int64_t n, T* y, int64_t count, const int64_t* index, const T* weight);
    // sum over j < n of a[j] * b[j]
    T (*dot)(const T* a, const T* b, int64_t n);
};

struct SparseTable {
    SparseKernels<float> of_float;
    SparseKernels<double> of_double;
};
TAEDA_DECLARE_ISA(SparseTable, sparse_table)

}  // namespace taeda::cpu
