// Inner loops of products with sparse matrices. See sparse_kernels.h.
#include "cpu/sparse_kernels.h"
#include "cpu/vector_width.h"

#include <algorithm>

namespace taeda::cpu::TAEDA_ISA {

namespace {

// Rows are met in no order that the hardware foresees: so many elements ahead their memory is asked for.
constexpr int kAhead = 16;

template <class T>
struct Sparse {
    typedef T Vector __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
    static constexpr int kLanes = kVectorBytes / sizeof(T);

    // kVectors vectors of columns stay in registers while the rows go by.
    template <int kVectors>
    static void blend_strip(const T* x, int64_t n, T* y, int64_t count, const int64_t* index, const T* weight) {
        Vector sum[kVectors] = {};
        for (int64_t t = 0; t < count; ++t) {
            const T* row = x + index[t] * n;
            if (t + kAhead < count) {
                const T* later = x + index[t + kAhead] * n;
#pragma GCC unroll 8
                for (int k = 0; k < kVectors * kVectorBytes; k += 64) __builtin_prefetch(reinterpret_cast<const char*>(later) + k);
            }
            const T w = weight[t];
#pragma GCC unroll 8
            for (int k = 0; k < kVectors; ++k) sum[k] += w * *reinterpret_cast<const Vector*>(row + k * kLanes);
        }
#pragma GCC unroll 8
        for (int k = 0; k < kVectors; ++k) *reinterpret_cast<Vector*>(y + k * kLanes) = sum[k];
    }

    static void blend_column(const T* x, int64_t n, T* y, int64_t count, const int64_t* index, const T* weight) {
        T even = 0, odd = 0;
        int64_t t = 0;
        for (; t + 2 <= count; t += 2) {
            even += weight[t] * x[index[t] * n];
            odd += weight[t + 1] * x[index[t + 1] * n];
        }
        if (t < count) even += weight[t] * x[index[t] * n];
        *y = even + odd;
    }

    static void blend_rows(const T* x, int64_t n, T* y, int64_t count, const int64_t* index, const T* weight) {
        int64_t j = 0;
        for (; j + 8 * kLanes <= n; j += 8 * kLanes) blend_strip<8>(x + j, n, y + j, count, index, weight);
        if (j + 4 * kLanes <= n) {
            blend_strip<4>(x + j, n, y + j, count, index, weight);
            j += 4 * kLanes;
        }
        for (; j + kLanes <= n; j += kLanes) blend_strip<1>(x + j, n, y + j, count, index, weight);
        for (; j < n; ++j) blend_column(x + j, n, y + j, count, index, weight);
    }

    static T dot(const T* a, const T* b, int64_t n) {
        Vector first = {}, second = {};
        int64_t j = 0;
        for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
            first += *reinterpret_cast<const Vector*>(a + j) * *reinterpret_cast<const Vector*>(b + j);
            second += *reinterpret_cast<const Vector*>(a + j + kLanes) * *reinterpret_cast<const Vector*>(b + j + kLanes);
        }
        first += second;
        T total = 0;
        for (; j < n; ++j) total += a[j] * b[j];
        for (int k = 0; k < kLanes; ++k) total += first[k];
        return total;
    }

    static constexpr SparseKernels<T> kernels() { return {blend_rows, dot}; }
};

}  // namespace

extern const SparseTable sparse_table;
constinit const SparseTable sparse_table = {Sparse<float>::kernels(), Sparse<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
