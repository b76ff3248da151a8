// Inner loops of resizing. See resize_kernels.h.
#include "cpu/resize_kernels.h"

#include <algorithm>
#include <cmath>

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct Resize {
    template <int kTaps, bool kAdd>
    static void fixed_line(const T* x, T* y, int64_t n, const int32_t* index, const T* weight) {
#pragma GCC ivdep
        for (int64_t o = 0; o < n; ++o) {
            T sum = weight[o] * x[index[o]];
#pragma GCC unroll 4
            for (int t = 1; t < kTaps; ++t) sum += weight[t * n + o] * x[index[t * n + o]];
            y[o] = kAdd ? y[o] + sum : sum;
        }
    }

    static void line(const T* x, T* y, int64_t n, int64_t taps, const int32_t* index, const T* weight) {
        if (taps == 0) return static_cast<void>(std::fill_n(y, n, T(0)));
        const int64_t first = taps >= 4 ? 4 : taps;
        if (first == 4) fixed_line<4, false>(x, y, n, index, weight);
        else if (first == 3) fixed_line<3, false>(x, y, n, index, weight);
        else if (first == 2) fixed_line<2, false>(x, y, n, index, weight);
        else fixed_line<1, false>(x, y, n, index, weight);
        int64_t t = first;
        for (; t + 4 <= taps; t += 4) fixed_line<4, true>(x, y, n, index + t * n, weight + t * n);
        for (; t + 2 <= taps; t += 2) fixed_line<2, true>(x, y, n, index + t * n, weight + t * n);
        if (t < taps) fixed_line<1, true>(x, y, n, index + t * n, weight + t * n);
    }

    static void ragged_line(const T* x, T* y, int64_t n, const int32_t* start, const int32_t* index, const T* weight) {
        for (int64_t o = 0; o < n; ++o) {
            T sum = 0;
            for (int32_t t = start[o]; t < start[o + 1]; ++t) sum += weight[t] * x[index[t]];
            y[o] = sum;
        }
    }

    static void blend(const T* x, int64_t step, T* y, int64_t n, int64_t taps, const int32_t* index, const T* weight) {
        if (taps == 0) {
            for (int64_t i = 0; i < n; ++i) y[i] = 0;
            return;
        }
        // Two or four rows at a time: each sum is then written and read again less often.
        const auto row = [&](int64_t t) { return x + index[t] * step; };
        int64_t t = 0;
        if (taps >= 4) {
            const T *a = row(0), *b = row(1), *c = row(2), *d = row(3), wa = weight[0], wb = weight[1], wc = weight[2], wd = weight[3];
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) y[i] = (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
            t = 4;
        } else if (taps >= 2) {
            const T *a = row(0), *b = row(1), wa = weight[0], wb = weight[1];
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) y[i] = wa * a[i] + wb * b[i];
            t = 2;
        } else {
            const T *a = row(0), wa = weight[0];
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) y[i] = wa * a[i];
            t = 1;
        }
        for (; t + 2 <= taps; t += 2) {
            const T *a = row(t), *b = row(t + 1), wa = weight[t], wb = weight[t + 1];
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) y[i] += wa * a[i] + wb * b[i];
        }
        if (t < taps) {
            const T *a = row(t), wa = weight[t];
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) y[i] += wa * a[i];
        }
    }

    static void add(const T* x, T* y, int64_t n) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) y[i] += x[i];
    }

    static constexpr ResizeKernels<T> kernels() { return {line, ragged_line, blend, add}; }
};

void to_bytes(const float* x, uint8_t* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        const float above = x[i] > 0 ? x[i] : 0.0f, inside = above < 255 ? above : 255.0f;
        y[i] = static_cast<uint8_t>(static_cast<int32_t>(std::nearbyint(inside)));
    }
}

}  // namespace

extern const ResizeTable resize_table;
constinit const ResizeTable resize_table = {Resize<float>::kernels(), Resize<double>::kernels(), to_bytes};

}  // namespace taeda::cpu::TAEDA_ISA
