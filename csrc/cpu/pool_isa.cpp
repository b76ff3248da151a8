// Pooling over windows, built once per instruction set.
//
// Sums are made tap by tap: each tap adds one strided input row to a row of results, which the compiler vectorises.
#include <cstring>

#include "cpu/isa.h"
#include "cpu/pool_kernels.h"
#include "cpu/vector_width.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct IndexOf {
    using type = int64_t;
};
template <>
struct IndexOf<float> {
    using type = int32_t;
};
template <class T>
constexpr T kLowest = static_cast<T>(-__builtin_inf());
template <>
constexpr int64_t kLowest<int64_t> = INT64_MIN;

struct Range {
    int64_t first, last;
};

// Results whose tap `k` falls on an input element.
inline Range inside(const PoolShape& s, int axis, int64_t k) {
    const int64_t shift = s.padding[axis] - k * s.dilation[axis], step = s.stride[axis];
    const int64_t first = shift > 0 ? (shift + step - 1) / step : 0;
    const int64_t end = s.in[axis] + shift;
    const int64_t last = end > 0 ? (end - 1) / step + 1 : 0;
    return {first, last < s.out[axis] ? last : s.out[axis]};
}

template <class T, int kStep>
inline void add_row(const T* row, int64_t step, int64_t n, T* sum) {
    if constexpr (kStep > 0) step = kStep;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) sum[i] += row[i * step];
}

template <class T, int kStep>
inline void spread_row(const T* share, int64_t step, int64_t n, T* row) {
    if constexpr (kStep > 0) step = kStep;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) row[i * step] += share[i];
}

// Calls f(row offset in the plane) for each input row that the windows of result row (d, h) reach.
template <class F>
inline void for_each_input_row(const PoolShape& s, int64_t d, int64_t h, F&& f) {
    for (int64_t kd = 0; kd < s.kernel[0]; ++kd) {
        const int64_t z = d * s.stride[0] - s.padding[0] + kd * s.dilation[0];
        if (z < 0 || z >= s.in[0]) continue;
        for (int64_t kh = 0; kh < s.kernel[1]; ++kh) {
            const int64_t y = h * s.stride[1] - s.padding[1] + kh * s.dilation[1];
            if (y >= 0 && y < s.in[1]) f((z * s.in[1] + y) * s.in[2]);
        }
    }
}

// The first coordinate of a window that lies inside.
inline int64_t window_start(const PoolShape& s, int axis, int64_t at) {
    int64_t start = at * s.stride[axis] - s.padding[axis];
    if (start < 0) start += (-start + s.dilation[axis] - 1) / s.dilation[axis] * s.dilation[axis];
    return start;
}

// ---- maxima: a vector of neighbouring results stays in registers while the taps go by

template <class T>
struct VectorOf {
    typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vec = typename VectorOf<T>::type;
template <class T>
constexpr int kWidth = kVectorBytes / static_cast<int>(sizeof(T));

template <int... I>
struct Numbers {};
template <int N, int... I>
struct FirstNumbers : FirstNumbers<N - 1, N - 1, I...> {};
template <int... I>
struct FirstNumbers<0, I...> {
    using type = Numbers<I...>;
};

template <class T>
inline Vec<T> load(const T* from) {
    Vec<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

// from[0], from[2], ...: the second vector starts one element early, so that nothing behind the last one is read.
template <class T, int... I>
inline Vec<T> load_even(const T* from, Numbers<I...>) {
    constexpr int W = kWidth<T>;
    return __builtin_shufflevector(load(from), load(from + W - 1), (2 * I < W ? 2 * I : W + 2 * I - (W - 1))...);
}

template <class T, int... I>
inline Vec<T> count_up(T step, Numbers<I...>) {
    return Vec<T>{static_cast<T>(step * I)...};
}

template <class T, int kStep>
inline void max_block(const PoolShape& s, int64_t d, int64_t h, int64_t w, const T* in, T* out, int64_t* indices) {
    using I = typename IndexOf<T>::type;
    using Lanes = typename FirstNumbers<kWidth<T>>::type;
    const Vec<I> lanes = count_up<I>(kStep, Lanes{});
    const int64_t left = w * kStep - s.padding[2];
    Vec<T> best = kLowest<T> - Vec<T>{};
    Vec<I> where = static_cast<I>((window_start(s, 0, d) * s.in[1] + window_start(s, 1, h)) * s.in[2] + left) + lanes;
    for_each_input_row(s, d, h, [&](int64_t offset) {
        for (int64_t k = 0; k < s.kernel[2]; ++k) {
            const int64_t at = offset + left + k * s.dilation[2];
            const Vec<T> v = kStep == 1 ? load(in + at) : load_even(in + at, Lanes{});
            const auto take = (v > best) | (v != v);
            best = take ? v : best;
            where = take ? static_cast<I>(at) + lanes : where;
        }
    });
    std::memcpy(out + w, &best, sizeof best);
    for (int i = 0; i < kWidth<T>; ++i) indices[w + i] = where[i];
}

template <class T>
inline void max_one(const PoolShape& s, int64_t d, int64_t h, int64_t w, const T* in, T* out, int64_t* indices) {
    T best = kLowest<T>;
    int64_t where = (window_start(s, 0, d) * s.in[1] + window_start(s, 1, h)) * s.in[2] + window_start(s, 2, w);
    for_each_input_row(s, d, h, [&](int64_t offset) {
        for (int64_t k = 0; k < s.kernel[2]; ++k) {
            const int64_t x = w * s.stride[2] - s.padding[2] + k * s.dilation[2];
            if (x < 0 || x >= s.in[2]) continue;
            const T v = in[offset + x];
            if (!(v > best || v != v)) continue;
            best = v;
            where = offset + x;
        }
    });
    out[w] = best;
    indices[w] = where;
}

// Results whose windows lie inside along the last axis go by vectors, the others one by one.
template <class T>
void max_plane(const PoolShape& s, const T* in, T* out, int64_t* indices) {
    const int64_t first = inside(s, 2, 0).first, last = inside(s, 2, s.kernel[2] - 1).last, n = last - first;
    const bool by_vectors = s.stride[2] <= 2 && n >= kWidth<T>;
    const auto block = s.stride[2] == 1 ? max_block<T, 1> : max_block<T, 2>;
    for (int64_t d = 0; d < s.out[0]; ++d) {
        for (int64_t h = 0; h < s.out[1]; ++h, out += s.out[2], indices += s.out[2]) {
            int64_t w = 0;
            if (by_vectors) {
                for (; w < first; ++w) max_one(s, d, h, w, in, out, indices);
                for (; w + kWidth<T> <= last; w += kWidth<T>) block(s, d, h, w, in, out, indices);
                if (w < last) block(s, d, h, last - kWidth<T>, in, out, indices);  // overlaps what is done
                w = last;
            }
            for (; w < s.out[2]; ++w) max_one(s, d, h, w, in, out, indices);
        }
    }
}

// ---- means

// How many elements the window at `at` counts along one axis.
inline int64_t window_count(const PoolShape& s, int axis, int64_t at) {
    int64_t first = at * s.stride[axis] - s.padding[axis], last = first + s.kernel[axis];
    const int64_t end = s.in[axis] + (s.count_padding ? s.padding[axis] : 0);
    if (last > end) last = end;
    if (!s.count_padding && first < 0) first = 0;
    return last - first;
}

template <class T>
inline void row_divisors(const PoolShape& s, int64_t d, int64_t h, T* divisors) {
    const int64_t rows = window_count(s, 0, d) * window_count(s, 1, h);
    for (int64_t w = 0; w < s.out[2]; ++w) divisors[w] = static_cast<T>(s.divisor ? s.divisor : rows * window_count(s, 2, w));
}

template <class T>
void mean_plane(const PoolShape& s, const T* in, T* out, T* counts) {
    for (int64_t d = 0; d < s.out[0]; ++d) {
        for (int64_t h = 0; h < s.out[1]; ++h, out += s.out[2]) {
            for (int64_t w = 0; w < s.out[2]; ++w) out[w] = T(0);
            for_each_input_row(s, d, h, [&](int64_t offset) {
                for (int64_t k = 0; k < s.kernel[2]; ++k) {
                    const Range r = inside(s, 2, k);
                    const int64_t n = r.last - r.first;
                    const auto run = s.stride[2] == 1 ? add_row<T, 1> : s.stride[2] == 2 ? add_row<T, 2> : add_row<T, 0>;
                    if (n > 0) run(in + offset + r.first * s.stride[2] - s.padding[2] + k, s.stride[2], n, out + r.first);
                }
            });
            row_divisors(s, d, h, counts);
            for (int64_t w = 0; w < s.out[2]; ++w) out[w] /= counts[w];
        }
    }
}

template <class T>
void spread_plane(const PoolShape& s, const T* grad, T* to, T* row) {
    T *divisors = row, *share = row + s.out[2];
    for (int64_t d = 0; d < s.out[0]; ++d) {
        for (int64_t h = 0; h < s.out[1]; ++h, grad += s.out[2]) {
            row_divisors(s, d, h, divisors);
            for (int64_t w = 0; w < s.out[2]; ++w) share[w] = grad[w] / divisors[w];
            for_each_input_row(s, d, h, [&](int64_t offset) {
                for (int64_t k = 0; k < s.kernel[2]; ++k) {
                    const Range r = inside(s, 2, k);
                    const int64_t n = r.last - r.first;
                    const auto run = s.stride[2] == 1 ? spread_row<T, 1> : s.stride[2] == 2 ? spread_row<T, 2> : spread_row<T, 0>;
                    if (n > 0) run(share + r.first, s.stride[2], n, to + offset + r.first * s.stride[2] - s.padding[2] + k);
                }
            });
        }
    }
}

template <class T>
constexpr PoolKernels<T> kernels_of() {
    return {max_plane<T>, mean_plane<T>, spread_plane<T>};
}

}  // namespace

extern const PoolTable pool_table;
const PoolTable pool_table = {kernels_of<float>(), kernels_of<double>(), kernels_of<int64_t>()};

}  // namespace taeda::cpu::TAEDA_ISA
