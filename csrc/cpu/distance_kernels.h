// Inner loops of distances between rows.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace taeda::cpu {

// Which norm: those with a cheap form of their own, and all others.
enum class Norm { Zero, One, Two, Largest, General };

template <class T>
struct DistanceKernels {
    // out[r] = |x - column r of others| for r < n. `others` holds `width` rows of n, `step` apart.
    void (*row)(Norm norm, T p, const T* x, const T* others, int64_t step, int64_t n, int64_t width, T* out);
    // out[m] += sum over r < n of g[r * g_step] * d |x - y| / dx[m], with y = row r of others, at distance dist[r * d_step].
    void (*gradient)(Norm norm, T p, const T* g, int64_t g_step, const T* dist, int64_t d_step, const T* x, const T* others, int64_t n, int64_t width,
                     T* out);
};

struct DistanceTable {
    DistanceKernels<float> of_float;
    DistanceKernels<double> of_double;
};
TAEDA_DECLARE_ISA(DistanceTable, distance_table)

template <class T>
const DistanceKernels<T>& distance_kernels() {
    if constexpr (sizeof(T) == 8) return distance_table().of_double;
    else return distance_table().of_float;
}

}  // namespace taeda::cpu
