// The inner kernels of pooling over windows, one table per instruction set. A plane (one channel of one image) at a time.
#pragma once

#include <cstdint>

namespace taeda::cpu {

// Windows over three dimensions; fewer have leading ones.
struct PoolShape {
    int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1};
    int64_t stride[3] = {1, 1, 1}, padding[3] = {0, 0, 0}, dilation[3] = {1, 1, 1};
    bool count_padding = true;  // averages: padding counts as elements
    int64_t divisor = 0;        // averages: divides instead of the number of elements; 0: not given

    int64_t in_numel() const { return in[0] * in[1] * in[2]; }
    int64_t out_numel() const { return out[0] * out[1] * out[2]; }
};

// Indices are kept in a type as wide as the values while maxima are compared, so that both fill vectors of one shape.
template <class T>
struct PoolKernels {
    // The maximum of each window and its place in the plane; NaN wins.
    void (*max_plane)(const PoolShape& shape, const T* in, T* out, int64_t* indices);
    // The mean of each window. `counts` has room for out[2] values.
    void (*mean_plane)(const PoolShape& shape, const T* in, T* out, T* counts);
    // Adds to each element of a window its share of the window's gradient. `row` has room for out[2] values, twice.
    void (*spread_plane)(const PoolShape& shape, const T* grad, T* to, T* row);
};

struct PoolTable {
    PoolKernels<float> of_float;
    PoolKernels<double> of_double;
    PoolKernels<int64_t> of_int64;
};

}  // namespace taeda::cpu
