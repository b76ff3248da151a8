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
    double (*log_sum_exp)(const void* x, int64_t n);
    void (*log_sum_exp_columns)(const void* x, void* out, int64_t n, int64_t step, int64_t cols);
    // For the cross-entropy: the largest x, and the logarithm of the sum of exp(x - largest).
    void (*row_stats)(const void* x, void* max, void* log_sum, int64_t n);
    void (*column_stats)(const void* x, void* max, void* log_sum, int64_t n, int64_t step, int64_t cols);
    // dx = exp(x - max - log_sum) * scale
    void (*row_gradient)(const void* x, void* dx, int64_t n, double max, double log_sum, double scale);
    void (*column_gradient)(const void* x, void* dx, int64_t n, int64_t step, int64_t cols, const void* max, const void* log_sum, const void* scale);
};

struct SoftmaxTable {
    SoftmaxKernels float_kernels, double_kernels;
};
TAEDA_DECLARE_ISA(SoftmaxTable, softmax_table)

inline const SoftmaxKernels& softmax_kernels(DType t) { return t == DType::Float64 ? softmax_table().double_kernels : softmax_table().float_kernels; }

}  // namespace taeda::cpu
