// What attention does with tiles of scores between the matrix products.
#pragma once

#include "cpu/isa.h"
#include "tensor/tensor.h"

namespace taeda::cpu {

// Tiles are `rows` x `cols`, rows `step` elements apart.
template <class T>
struct AttentionKernels {
    // Scores of further keys: makes them exp(score - max), where `max` (one for each row, -inf at first) grows with them,
    // adds them to `sum`, and scales down what the rows of `out` (`width` wide; null for the first keys) summed up so far.
    void (*update)(T* scores, int64_t rows, int64_t cols, int64_t step, T* max, T* sum, T* out, int64_t width);
    // scores = exp(score - shift), one shift for each row.
    void (*weights)(T* scores, int64_t rows, int64_t cols, int64_t step, const T* shift);
    // grad = weight * (grad - delta), one delta for each row.
    void (*scores_grad)(const T* weights, T* grad, int64_t rows, int64_t cols, int64_t step, const T* delta);
    T (*dot)(const T* a, int64_t a_step, const T* b, int64_t b_step, int64_t n);
};

struct AttentionTable {
    AttentionKernels<float> of_float;
    AttentionKernels<double> of_double;
};
TAEDA_DECLARE_ISA(AttentionTable, attention_table)

template <class T>
const AttentionKernels<T>& attention_kernels() {
    if constexpr (sizeof(T) == 8) return attention_table().of_double;
    else return attention_table().of_float;
}

}  // namespace taeda::cpu
