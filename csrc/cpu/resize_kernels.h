// Inner loops of resizing: weighted sums of a line's elements, or of whole rows.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace taeda::cpu {

template <class T>
struct ResizeKernels {
    // y[o] = sum over t < taps of weight[t * n + o] * x[index[t * n + o]], for o < n
    void (*line)(const T* x, T* y, int64_t n, int64_t taps, const int32_t* index, const T* weight);
    // y[o] = sum over start[o] <= t < start[o + 1] of weight[t] * x[index[t]]
    void (*ragged_line)(const T* x, T* y, int64_t n, const int32_t* start, const int32_t* index, const T* weight);
    // y[i] = sum over t < taps of weight[t] * x[index[t] * step + i], for i < n
    void (*blend)(const T* x, int64_t step, T* y, int64_t n, int64_t taps, const int32_t* index, const T* weight);
    // y[i] += x[i]
    void (*add)(const T* x, T* y, int64_t n);
};

struct ResizeTable {
    ResizeKernels<float> of_float;
    ResizeKernels<double> of_double;
    // y[i] = x[i] rounded, between 0 and 255
    void (*to_bytes)(const float* x, uint8_t* y, int64_t n);
};
TAEDA_DECLARE_ISA(ResizeTable, resize_table)

template <class T>
const ResizeKernels<T>& resize_kernels() {
    if constexpr (sizeof(T) == 8) return resize_table().of_double;
    else return resize_table().of_float;
}

}  // namespace taeda::cpu
