// Inner loops of the normalisation layers: contiguous rows of float or double.
#pragma once

#include "cpu/isa.h"
#include "tensor/tensor.h"

namespace taeda::cpu {

struct NormMoments {
    double mean, rstd;
};

// Pointers are to float or double, as the table says; `w` and `b` may be null.
struct NormKernels {
    // The mean and 1 / sqrt(variance + eps) of n values; without `center` 0 and 1 / sqrt(mean square + eps).
    NormMoments (*moments)(const void* x, int64_t n, double eps, bool center);
    // y = (x - mean) * rstd * w + b
    void (*normalize)(const void* x, const void* w, const void* b, void* y, int64_t n, NormMoments m);
    // One row of a layer norm backwards: dx, and dw += ..., db += ... (may be null both).
    void (*layer_backward)(const void* x, const void* dy, const void* w, void* dx, void* dw, void* db, int64_t n, NormMoments m, bool center);
    // sums[0] += sum of dy, sums[1] += sum of dy * (x - mean)
    void (*dot)(const void* x, const void* dy, int64_t n, double mean, double* sums);
    // The same for each of n columns over `rows` rows that lie `n` elements apart.
    void (*dot_columns)(const void* x, const void* dy, int64_t rows, int64_t row_step, int64_t n, const void* mean, double* dy_sums,
                        double* dot_sums);
    // y = x * a + b with one a and b for the run
    void (*scale)(const void* x, void* y, int64_t n, double a, double b);
    // y[j] = x[j] * a[j] + b[j]
    void (*scale_columns)(const void* x, void* y, int64_t rows, int64_t n, const void* a, const void* b);
    // dx = dy * a + (x - mean) * b + c
    void (*combine)(const void* x, const void* dy, void* dx, int64_t n, double mean, double a, double b, double c);
    void (*combine_columns)(const void* x, const void* dy, void* dx, int64_t rows, int64_t n, const void* mean, const void* a, const void* b,
                            const void* c);
};

struct NormTable {
    NormKernels float_kernels, double_kernels;
};
TAEDA_DECLARE_ISA(NormTable, norm_table)

inline const NormKernels& norm_kernels(DType t) { return t == DType::Float64 ? norm_table().double_kernels : norm_table().float_kernels; }

// float64 computes in itself, everything else in float32.
inline DType norm_compute_type(DType t) { return t == DType::Float64 ? DType::Float64 : DType::Float32; }

}  // namespace taeda::cpu
