// Inner loops of sampling at points: from the coordinates of a block of points to places and weights, and weighted sums there.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace taeda::cpu {

inline constexpr int64_t kGridBlock = 256;  // points whose taps are at hand at once

// One dimension of an image, as `line` needs it.
template <class T>
struct GridLine {
    T scale, shift;      // a coordinate c lies at element ((c + 1) * scale - shift) / 2
    T low, span;         // of reflection
    int64_t stride;      // of the coordinates
    int32_t size, step;  // in elements
    int outside;         // 0: zeros, 1: border, 2: reflection
    bool nearest;
};

// Arrays hold one value for each of n points. `moves` is how a position moves with the one it was made from: 1, -1 or 0.
template <class T>
struct GridKernels {
    // All of the following up to `place` at once, for at most kGridBlock points and without slopes: of the nearest element or
    // the two around each point.
    void (*line)(const GridLine<T>& line, const T* coordinate, int64_t n, int32_t* place, T* weight, int32_t* is_empty);
    // at: coordinates from -1 to 1, `stride` apart, in elements of a line of `length`
    void (*position)(const T* coordinate, int64_t stride, int64_t n, T length, bool align_corners, T* at);
    // at: mirrored at `low` and at `low + span` until it lies between
    void (*reflect)(T* at, T* moves, int64_t n, T low, T span);
    // at: the nearest position between 0 and `last`; NaN becomes 0
    void (*clip)(T* at, T* moves, int64_t n, T last);
    // at: what no int32 holds becomes -100, which is outside
    void (*bound)(T* at, T* moves, int64_t n);
    // at: the integer below and the share above it, or with `nearest` the nearest integer and 0
    void (*split)(T* at, int64_t n, bool nearest, T* share);
    // out = (c[0] + c[1] x + c[2] x^2 + c[3] x^3) * factor, factor of ones where it is null
    void (*polynomial)(const T* x, const T* c, const T* factor, int64_t n, T* out);
    // place = (at + offset) * step with at + offset moved inside 0 .. size; weight = 0 where that is a move, else is_inside = 1
    void (*place)(const T* at, T offset, int64_t n, int32_t size, int32_t step, int32_t* place, T* weight, T* slope, int32_t* is_inside);
    // index = p + q, weight = w * v
    void (*combine)(const int32_t* p, const int32_t* q, const T* w, const T* v, int64_t n, int32_t* index, T* weight);
    // y = sum over taps of weight[tap * n + i] * x[index[tap * n + i]]; a single tap counts whole, or not at all
    void (*gather)(const T* x, int64_t n, int64_t taps, const int32_t* index, const T* weight, T* y);
    // sum[tap * n + i] += g * x[index[tap * n + i]]
    void (*gather_add)(const T* x, const T* g, int64_t n, int64_t taps, const int32_t* index, T* sum);
    // sum += weight * x where the weight is not 0
    void (*weigh)(const T* weight, const T* x, int64_t n, T* sum);
    // y = weight * x, 0 where the weight is 0
    void (*scale)(const T* weight, const T* x, int64_t n, T* y);
    void (*shift)(const T* x, T offset, int64_t n, T* y);
    // y = 0 where the mask is not 0
    void (*clear)(const int32_t* mask, int64_t n, T* y);
    // mask |= !is_inside; whether any is set
    bool (*mark)(const int32_t* is_inside, int64_t n, int32_t* mask);
    bool (*any)(const int32_t* mask, int64_t n);
};

struct GridTable {
    GridKernels<float> of_float;
    GridKernels<double> of_double;
};
TAEDA_DECLARE_ISA(GridTable, grid_table)

template <class T>
const GridKernels<T>& grid_kernels() {
    if constexpr (sizeof(T) == 8) return grid_table().of_double;
    else return grid_table().of_float;
}

}  // namespace taeda::cpu
