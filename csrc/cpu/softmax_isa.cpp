// The inner loops of softmax and its relatives. See softmax.h.
#include <cmath>
#include <limits>

#include "cpu/fold_isa.h"
#include "cpu/lanes_isa.h"
#include "cpu/softmax.h"
#include "cpu/vecmath.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class C, bool kNan>
struct Largest {  // for Lanes; a NaN wins where kNan, and loses otherwise
    using Element = C;
    using Lane = C;
    static C start() { return -std::numeric_limits<C>::infinity(); }
    template <class V>
    static V step(V a, V x, V) {
        return join(a, x);
    }
    template <class V>
    static V join(V a, V b) {
        if constexpr (kNan) return ((b > a) | (b != b)) ? b : a;
        else return b > a ? b : a;
    }
};

template <class C>
struct Softmax {
    static constexpr C kLowest = -std::numeric_limits<C>::infinity();
    static const C* in(const void* p) { return static_cast<const C*>(p); }
    static C* out(void* p) { return static_cast<C*>(p); }

    static C larger(C a, C b) { return b > a || b != b ? b : a; }
    static C largest(const C* x, int64_t n) { return Lanes<Largest<C, true>>::fold(x, n, 0); }
    // The largest that is a number: a NaN reaches the result through its exponential.
    static C largest_number(const C* x, int64_t n) { return Lanes<Largest<C, false>>::fold(x, n, 0); }

    // The sum of e = exp(x - max), in blocks as in sum_of; the e themselves where kStore.
    template <bool kStore>
    static double sum_exp(const C* x, C* y, int64_t n, C max) {
        constexpr int64_t kLanes = 128 / sizeof(C), kFew = kLanes / 4;
        const int64_t next = fetch_distance<C>(n);
        double total = 0;
        for (int64_t start = 0; start < n; start += kFoldBlock) {
            const int64_t end = std::min(n, start + kFoldBlock);
            C lanes[kLanes] = {};
            auto add = [&](int64_t k) {
#pragma GCC ivdep
                for (int64_t j = 0; j < kLanes; ++j) {
                    const C e = vm_exp_below(x[k + j] - max);
                    if constexpr (kStore) y[k + j] = e;
                    lanes[j] += e;
                }
            };
            int64_t i = start;
            for (; i + kFetchBlock <= end; i += kFetchBlock) {
                fetch_ahead(x + i + next);
                for (int64_t k = i; k < i + kFetchBlock; k += kLanes) add(k);
            }
            for (; i + kLanes <= end; i += kLanes) add(i);
            // What is left, a vector at a time, the last one filled up: rows of a hundred elements are common.
            auto add_few = [&](const C* from, C* to) {
#pragma GCC ivdep
                for (int64_t j = 0; j < kFew; ++j) lanes[j] += to[j] = vm_exp_below(from[j] - max);
            };
            C rest[kFew];
            for (; i + kFew <= end; i += kFew) add_few(x + i, kStore ? y + i : rest);
            if (i < end) {
                C filled[kFew];
                for (int64_t j = 0; j < kFew; ++j) filled[j] = kLowest;  // its exponential is zero
                for (int64_t j = 0; j < end - i; ++j) filled[j] = x[i + j];
                add_few(filled, rest);
                if constexpr (kStore)
                    for (int64_t j = 0; j < end - i; ++j) y[i + j] = rest[j];
            }
#pragma GCC unroll 8
            for (int64_t width = kLanes / 2; width > 0; width /= 2)
                for (int64_t j = 0; j < width; ++j) lanes[j] += lanes[j + width];
            total += static_cast<double>(lanes[0]);
        }
        return total;
    }

    static void row(const void* from, void* to, int64_t n, bool log) {
        const C* x = in(from);
        C* y = out(to);
        const C max = largest_number(x, n);
        if (log) {
            const C shift = static_cast<C>(std::log(sum_exp<false>(x, nullptr, n, max)));
            for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - max) - shift;
            return;
        }
        const C scale = static_cast<C>(1 / sum_exp<true>(x, y, n, max));
        for (int64_t i = 0; i < n; ++i) y[i] *= scale;
    }

    static void row_backward(const void* grad, const void* result, void* to, int64_t n, bool log) {
        const C *g = in(grad), *y = in(result);
        C* dx = out(to);
        if (log) {
            const C total = static_cast<C>(sum_of<C>(n, [g](int64_t i) { return g[i]; }));
            return each_fetching<C>(n, [=](int64_t i) { dx[i] = g[i] - vm_exp_below(y[i]) * total; }, g, y);
        }
        const C total = static_cast<C>(sum_of<C>(n, [g, y](int64_t i) { return g[i] * y[i]; }));
        each_fetching<C>(n, [=](int64_t i) { dx[i] = y[i] * (g[i] - total); }, g, y);
    }

    static void column_maxima(const C* x, C* max, int64_t n, int64_t step, int64_t cols) {
        for (int64_t j = 0; j < cols; ++j) max[j] = kLowest;
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < cols; ++j) max[j] = larger(max[j], x[i * step + j]);
    }
    static void column_sums(const C* x, const C* max, C* sum, int64_t n, int64_t step, int64_t cols) {
        for (int64_t j = 0; j < cols; ++j) sum[j] = 0;
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < cols; ++j) sum[j] += vm_exp_below(x[i * step + j] - max[j]);
    }

    static void columns(const void* from, void* to, int64_t n, int64_t step, int64_t cols, bool log) {
        const C* x = in(from);
        C *y = out(to), max[kSoftmaxColumns], sum[kSoftmaxColumns];
        column_maxima(x, max, n, step, cols);
        if (log) {
            column_sums(x, max, sum, n, step, cols);
            for (int64_t j = 0; j < cols; ++j) sum[j] = vm_log(sum[j]);
            for (int64_t i = 0; i < n; ++i)
                for (int64_t j = 0; j < cols; ++j) y[i * step + j] = (x[i * step + j] - max[j]) - sum[j];
            return;
        }
        for (int64_t j = 0; j < cols; ++j) sum[j] = 0;
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < cols; ++j) {
                C e = vm_exp_below(x[i * step + j] - max[j]);
                y[i * step + j] = e;
                sum[j] += e;
            }
        for (int64_t j = 0; j < cols; ++j) sum[j] = C(1) / sum[j];
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < cols; ++j) y[i * step + j] *= sum[j];
    }

    static void columns_backward(const void* grad, const void* result, void* to, int64_t n, int64_t step, int64_t cols, bool log) {
        const C *g = in(grad), *y = in(result);
        C *dx = out(to), total[kSoftmaxColumns];
        for (int64_t j = 0; j < cols; ++j) total[j] = 0;
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < cols; ++j) total[j] += log ? g[i * step + j] : g[i * step + j] * y[i * step + j];
        for (int64_t i = 0; i < n; ++i) {
            if (log)
                for (int64_t j = 0; j < cols; ++j) dx[i * step + j] = g[i * step + j] - vm_exp_below(y[i * step + j]) * total[j];
            else
                for (int64_t j = 0; j < cols; ++j) dx[i * step + j] = y[i * step + j] * (g[i * step + j] - total[j]);
        }
    }

    static double log_sum_exp(const void* from, int64_t n) {
        const C* x = in(from);
        C max = largest(x, n);
        if (max == kLowest || max == -kLowest) return max;  // all -inf, or one +inf: the difference would be NaN
        return max + std::log(sum_exp<false>(x, nullptr, n, max));
    }

    static void log_sum_exp_columns(const void* from, void* to, int64_t n, int64_t step, int64_t cols) {
        const C* x = in(from);
        C *result = out(to), max[kSoftmaxColumns], sum[kSoftmaxColumns];
        column_maxima(x, max, n, step, cols);
        for (int64_t j = 0; j < cols; ++j) {
            result[j] = max[j];  // where it is infinite, this is the result
            max[j] = vm_abs(max[j]) == -kLowest ? C(0) : max[j];
        }
        column_sums(x, max, sum, n, step, cols);
        for (int64_t j = 0; j < cols; ++j) result[j] = vm_abs(result[j]) == -kLowest ? result[j] : max[j] + vm_log(sum[j]);
    }

    static void row_stats(const void* from, void* max, void* log_sum, int64_t n) {
        const C* x = in(from);
        const C largest = largest_number(x, n);
        *out(max) = largest;
        *out(log_sum) = static_cast<C>(std::log(sum_exp<false>(x, nullptr, n, largest)));
    }
    static void column_stats(const void* from, void* max, void* log_sum, int64_t n, int64_t step, int64_t cols) {
        C* sum = out(log_sum);
        column_maxima(in(from), out(max), n, step, cols);
        column_sums(in(from), out(max), sum, n, step, cols);
        for (int64_t j = 0; j < cols; ++j) sum[j] = vm_log(sum[j]);
    }

    static void row_gradient(const void* from, void* to, int64_t n, double of_max, double of_sum, double of_all) {
        const C* x = in(from);
        C* dx = out(to);
        const C max = static_cast<C>(of_max), log_sum = static_cast<C>(of_sum), scale = static_cast<C>(of_all);
        each_fetching<C>(n, [=](int64_t i) { dx[i] = vm_exp_below((x[i] - max) - log_sum) * scale; }, x);
    }
    static void column_gradient(const void* from, void* to, int64_t n, int64_t step, int64_t cols, const void* of_max, const void* of_sum,
                                const void* of_all) {
        const C *x = in(from), *max = in(of_max), *log_sum = in(of_sum), *scale = in(of_all);
        C* dx = out(to);
        for (int64_t i = 0; i < n; ++i)
#pragma GCC ivdep
            for (int64_t j = 0; j < cols; ++j) dx[i * step + j] = vm_exp_below((x[i * step + j] - max[j]) - log_sum[j]) * scale[j];
    }

    static constexpr SoftmaxKernels kernels() {
        return {row,       row_backward, columns,      columns_backward, log_sum_exp, log_sum_exp_columns,
                row_stats, column_stats, row_gradient, column_gradient};
    }
};

}  // namespace

extern const SoftmaxTable softmax_table;
constinit const SoftmaxTable softmax_table = {Softmax<float>::kernels(), Softmax<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
