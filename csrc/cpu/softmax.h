// Inner loops of softmax, log-softmax, logsumexp and cross-entropy, over contiguous rows and over columns.
#pragma once

#include "cpu/isa.h"
#include "tensor/tensor.h"

namespace taeda::cpu {

inline constexpr int64_t kSoftmaxColumns = 256;  // columns that one call takes at most

// Pointers are to float or double, as the table says.
struct SoftmaxKernels {
    // y = exp(x - max) / sum, or x - max - log(sum), over n contiguous elements.
    void (*row)(const void* x, void* y, int64_t n, bool log);
    // dx = y * (g - sum(g * y)), or g - exp(y) * sum(g).
    void (*row_backward)(const void* g, const void* y, void* dx, int64_t n, bool log);
    // The same for `cols` columns of n elements that lie `step` apart.
    void (*columns)(const void* x, void* y, int64_t n, int64_t step, int64_t cols, bool log);
    void (*columns_backward)(const void* g, const void* y, void* dx, int64_t n, int64_t step, int64_t cols, bool log);
    // log(sum(exp(x))), and the plain sum of w * x (of x where w is null) when `weighted` is not null.
    double (*log_sum_exp)(const void* x, int64_t n, const void* w, double* weighted);
    void (*log_sum_exp_columns)(const void* x, void* out, int64_t n, int64_t step, int64_t cols);
    // dx = exp(x - lse) * a - b * w (w is 1 where null)
    void (*cross_entropy_backward)(const void* x, const void* w, void* dx, int64_t n, double lse, double a, double b);
};

struct SoftmaxTable {
    SoftmaxKernels float_kernels, double_kernels;
};
TAEDA_DECLARE_ISA(SoftmaxTable, softmax_table)

inline const SoftmaxKernels& softmax_kernels(DType t) { return t == DType::Float64 ? softmax_table().double_kernels : softmax_table().float_kernels; }

}  // namespace taeda::cpu
