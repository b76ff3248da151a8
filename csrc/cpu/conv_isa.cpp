// Packing for convolutions, built once per instruction set; see conv_kernels.h for what is packed.
#include <cstring>

#include "cpu/conv_kernels.h"
#include "cpu/isa.h"
#include "cpu/vector_width.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
constexpr int kWidth = kVectorBytes / static_cast<int>(sizeof(T));
template <class T>
constexpr int kCols = 2 * kWidth<T>;  // the panel's width: gemm_isa.cpp has the same

// Copies of a fixed size: what is copied too much is overwritten by the next run or the next tap.
template <class T, int kRuns>
void pack_fixed(const T* x, const int64_t* offsets, int64_t k, const PositionRun* runs, T* to) {
    constexpr size_t kBytes = sizeof(T) * kCols<T>;
    for (int64_t p = 0; p < k; ++p) {
        const T* from = x + offsets[p];
        std::memcpy(to, from + runs[0].base, kBytes);
        if constexpr (kRuns > 1) std::memcpy(to + runs[1].at, from + runs[1].base, kBytes);
        if constexpr (kRuns > 2) std::memcpy(to + runs[2].at, from + runs[2].base, kBytes);
        if constexpr (kRuns > 3) std::memcpy(to + runs[3].at, from + runs[3].base, kBytes);
        to += kCols<T>;
    }
}

template <class T>
void pack_exact(const T* x, const int64_t* offsets, int64_t k, const PositionRun* runs, int n_runs, T* to) {
    for (int64_t p = 0; p < k; ++p) {
        for (int r = 0; r < n_runs; ++r) {
            const T* from = x + offsets[p] + runs[r].base;
            for (int i = 0; i < runs[r].count; ++i) to[runs[r].at + i] = from[i];
        }
        const int used = runs[n_runs - 1].at + runs[n_runs - 1].count;
        for (int i = used; i < kCols<T>; ++i) to[i] = T(0);
        to += kCols<T>;
    }
}

template <class T>
void pack_positions(const T* x, int64_t safe_base, const int64_t* offsets, int64_t k, const PositionRun* runs, int n_runs, T* to) {
    bool safe = n_runs <= 4;
    for (int r = 0; r < n_runs; ++r) safe = safe && runs[r].base <= safe_base;
    if (!safe) return pack_exact(x, offsets, k, runs, n_runs, to);
    const auto pack = n_runs == 1 ? pack_fixed<T, 1> : n_runs == 2 ? pack_fixed<T, 2> : n_runs == 3 ? pack_fixed<T, 3> : pack_fixed<T, 4>;
    pack(x, offsets, k, runs, to);
}

typedef float Quad __attribute__((vector_size(16)));

// Four streams interleaved, by 4x4 transposes in registers.
inline void interleave_four(const float* s0, const float* s1, const float* s2, const float* s3, int width, int64_t n, float* to) {
    int64_t p = 0;
    for (; p + 4 <= n; p += 4) {
        Quad r0, r1, r2, r3;
        std::memcpy(&r0, s0 + p, 16);
        std::memcpy(&r1, s1 + p, 16);
        std::memcpy(&r2, s2 + p, 16);
        std::memcpy(&r3, s3 + p, 16);
        const Quad t0 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), t1 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
        const Quad t2 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), t3 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
        const Quad c0 = __builtin_shufflevector(t0, t2, 0, 1, 4, 5), c1 = __builtin_shufflevector(t0, t2, 2, 3, 6, 7);
        const Quad c2 = __builtin_shufflevector(t1, t3, 0, 1, 4, 5), c3 = __builtin_shufflevector(t1, t3, 2, 3, 6, 7);
        std::memcpy(to + p * width, &c0, 16);
        std::memcpy(to + (p + 1) * width, &c1, 16);
        std::memcpy(to + (p + 2) * width, &c2, 16);
        std::memcpy(to + (p + 3) * width, &c3, 16);
    }
    for (; p < n; ++p) {
        to[p * width] = s0[p];
        to[p * width + 1] = s1[p];
        to[p * width + 2] = s2[p];
        to[p * width + 3] = s3[p];
    }
}

template <class T>
void pack_taps(const T* x, const int64_t* offsets, int taps, const PositionRun* runs, int n_runs, int64_t positions, T* to) {
    if (taps < kCols<T>) std::memset(to, 0, sizeof(T) * static_cast<size_t>(positions * kCols<T>));
    int j = 0;
    if constexpr (__is_same(T, float)) {
        for (; j + 4 <= taps; j += 4) {
            const float *s0 = x + offsets[j], *s1 = x + offsets[j + 1], *s2 = x + offsets[j + 2], *s3 = x + offsets[j + 3];
            for (int r = 0; r < n_runs; ++r) {
                const int64_t b = runs[r].base;
                interleave_four(s0 + b, s1 + b, s2 + b, s3 + b, kCols<T>, runs[r].count, to + runs[r].at * kCols<T> + j);
            }
        }
    }
    for (; j < taps; ++j) {
        for (int r = 0; r < n_runs; ++r) {
            const T* from = x + offsets[j] + runs[r].base;
            T* into = to + runs[r].at * kCols<T> + j;
            for (int i = 0; i < runs[r].count; ++i) into[i * kCols<T>] = from[i];
        }
    }
}

template <class T>
struct VectorOf {
    typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vec = typename VectorOf<T>::type;

template <class T>
inline Vec<T> load(const T* from) {
    Vec<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <class T, int V>
inline void filter_block(const T* x, const int64_t* offsets, const T* weight, int64_t k, T bias, T* out) {
    Vec<T> sum[V];
    for (int v = 0; v < V; ++v) sum[v] = bias - Vec<T>{};
    for (int64_t p = 0; p < k; ++p) {
        const T* from = x + offsets[p];
        const T w = weight[p];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) sum[v] += w * load(from + v * kWidth<T>);
    }
    std::memcpy(out, sum, sizeof sum);
}

template <class T>
void filter_row(const T* x, const int64_t* offsets, const T* weight, int64_t k, T bias, int64_t n, T* out) {
    constexpr int W = kWidth<T>;
    int64_t j = 0;
    for (; j + 4 * W <= n; j += 4 * W) filter_block<T, 4>(x + j, offsets, weight, k, bias, out + j);
    for (; j + W <= n; j += W) filter_block<T, 1>(x + j, offsets, weight, k, bias, out + j);
    if (j < n && n >= W) return filter_block<T, 1>(x + n - W, offsets, weight, k, bias, out + n - W);  // overlaps what is done
    for (; j < n; ++j) {
        T sum = bias;
        for (int64_t p = 0; p < k; ++p) sum += weight[p] * x[offsets[p] + j];
        out[j] = sum;
    }
}

template <class T>
T dot_row(const T* x, const T* y, int64_t n) {
    constexpr int W = kWidth<T>;
    Vec<T> total = {};
    int64_t i = 0;
    for (; i + W <= n; i += W) total += load(x + i) * load(y + i);
    T sum = T(0);
    for (int j = 0; j < W; ++j) sum += total[j];
    for (; i < n; ++i) sum += x[i] * y[i];
    return sum;
}

template <class T>
constexpr ConvKernels<T> kernels_of() {
    return {pack_positions<T>, pack_taps<T>, filter_row<T>, dot_row<T>};
}

}  // namespace

extern const ConvTable conv_table;
const ConvTable conv_table = {kernels_of<float>(), kernels_of<double>(), kernels_of<uint32_t>(), kernels_of<uint64_t>()};

}  // namespace taeda::cpu::TAEDA_ISA
