// The inner kernels of convolutions, one table per instruction set: packing of shifted copies for the product engine.
//
// A convolution is a matrix product whose second factor is never stored. With the input padded, and split into phases
// where the stride is not one, its element for tap k and output position p is x[offset(k) + base(p)], and neighbouring
// positions of an output row lie side by side. So a row of positions is packed with plain vector copies.
#pragma once

#include <cstdint>

namespace taeda::cpu {

// `count` neighbouring positions from `base` on: columns `at`... of a panel.
struct PositionRun {
    int64_t base;
    int32_t at;
    int32_t count;
};

template <class T>
struct ConvKernels {
    // to[k * nr + j] = x[offsets[k] + base of column j]. May write up to nr values behind the panel. Whole panels are read
    // from bases up to `safe_base`; beyond it, near the end of x, nothing but what is needed.
    void (*pack_positions)(const T* x, int64_t safe_base, const int64_t* offsets, int64_t k, const PositionRun* runs, int n_runs, T* to);
    // to[p * nr + j] = x[offsets[j] + base of position p] for j < taps; the columns after them are zero.
    void (*pack_taps)(const T* x, const int64_t* offsets, int taps, const PositionRun* runs, int n_runs, int64_t positions, T* to);
    // out[j] = sum over k of weight[k] * x[offsets[k] + j], + bias.
    void (*filter_row)(const T* x, const int64_t* offsets, const T* weight, int64_t k, T bias, int64_t n, T* out);
    // sum over j of x[j] * y[j]
    T (*dot_row)(const T* x, const T* y, int64_t n);
};

struct ConvTable {
    ConvKernels<float> of_float;
    ConvKernels<double> of_double;
    ConvKernels<uint32_t> of_uint32;
    ConvKernels<uint64_t> of_uint64;
};

template <class T>
const ConvKernels<T>& conv_kernels();

}  // namespace taeda::cpu
