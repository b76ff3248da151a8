// The inner loops of softmax and its relatives. See softmax.h.
#include <cmath>
#include <limits>

#include "cpu/fold_isa.h"
#include "cpu/softmax.h"
#include "cpu/vecmath.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class C>
struct Softmax {
    static constexpr C kLowest = -std::numeric_limits<C>::infinity();
    static const C* in(const void* p) { return static_cast<const C*>(p); }
    static C* out(void* p) { return static_cast<C*>(p); }

    static C larger(C a, C b) { return b > a || b != b ? b : a; }
    static C largest(const C* x, int64_t n) {
        return fold_with<C>(n, kLowest, [x](C a, int64_t i) { return larger(a, x[i]); }, larger);
    }
    static double sum_exp(const C* x, int64_t n, C max) {
        return sum_of<C>(n, [x, max](int64_t i) { return vm_exp(x[i] - max); });
    }

    static void row(const void* from, void* to, int64_t n, bool log) {
        const C* x = in(from);
        C* y = out(to);
        const C max = largest(x, n);
        if (log) {
            const C shift = static_cast<C>(std::log(sum_exp(x, n, max)));
            for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - max) - shift;
            return;
        }
        for (int64_t i = 0; i < n; ++i) y[i] = vm_exp(x[i] - max);
        const C scale = static_cast<C>(1 / sum_of<C>(n, [y](int64_t i) { return y[i]; }));
        for (int64_t i = 0; i < n; ++i) y[i] *= scale;
    }

    static void row_backward(const void* grad, const void* result, void* to, int64_t n, bool log) {
        const C *g = in(grad), *y = in(result);
        C* dx = out(to);
        if (log) {
            const C total = static_cast<C>(sum_of<C>(n, [g](int64_t i) { return g[i]; }));
            for (int64_t i = 0; i < n; ++i) dx[i] = g[i] - vm_exp(y[i]) * total;
            return;
        }
        const C total = static_cast<C>(sum_of<C>(n, [g, y](int64_t i) { return g[i] * y[i]; }));
        for (int64_t i = 0; i < n; ++i) dx[i] = y[i] * (g[i] - total);
    }

    static void column_maxima(const C* x, C* max, int64_t n, int64_t step, int64_t cols) {
        for (int64_t j = 0; j < cols; ++j) max[j] = kLowest;
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < cols; ++j) max[j] = larger(max[j], x[i * step + j]);
    }
    static void column_sums(const C* x, const C* max, C* sum, int64_t n, int64_t step, int64_t cols) {
        for (int64_t j = 0; j < cols; ++j) sum[j] = 0;
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = 0; j < cols; ++j) sum[j] += vm_exp(x[i * step + j] - max[j]);
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
                C e = vm_exp(x[i * step + j] - max[j]);
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
                for (int64_t j = 0; j < cols; ++j) dx[i * step + j] = g[i * step + j] - vm_exp(y[i * step + j]) * total[j];
            else
                for (int64_t j = 0; j < cols; ++j) dx[i * step + j] = y[i * step + j] * (g[i * step + j] - total[j]);
        }
    }

    static double log_sum_exp(const void* from, int64_t n, const void* weights, double* weighted) {
        const C *x = in(from), *w = in(weights);
        if (weighted) *weighted = w ? sum_of<C>(n, [x, w](int64_t i) { return x[i] * w[i]; }) : sum_of<C>(n, [x](int64_t i) { return x[i]; });
        C max = largest(x, n);
        if (max == kLowest || max == -kLowest) return max;  // all -inf, or one +inf: the difference would be NaN
        return max + std::log(sum_exp(x, n, max));
    }

    static void log_sum_exp_columns(const void* from, void* to, int64_t n, int64_t step, int64_t cols) {
        const C* x = in(from);
        C *result = out(to), max[kSoftmaxColumns], sum[kSoftmaxColumns];
        column_maxima(x, max, n, step, cols);
        for (int64_t j = 0; j < cols; ++j) max[j] = vm_abs(max[j]) == -kLowest ? C(0) : max[j];
        column_sums(x, max, sum, n, step, cols);
        for (int64_t j = 0; j < cols; ++j) result[j] = max[j] + vm_log(sum[j]);
    }

    static void cross_entropy_backward(const void* from, const void* weights, void* to, int64_t n, double lse, double of_p, double of_w) {
        const C *x = in(from), *w = in(weights);
        C* dx = out(to);
        const C shift = static_cast<C>(lse), a = static_cast<C>(of_p), b = static_cast<C>(of_w);
        if (w)
            for (int64_t i = 0; i < n; ++i) dx[i] = vm_exp(x[i] - shift) * a - b * w[i];
        else
            for (int64_t i = 0; i < n; ++i) dx[i] = vm_exp(x[i] - shift) * a - b;
    }

    static constexpr SoftmaxKernels kernels() {
        return {row, row_backward, columns, columns_backward, log_sum_exp, log_sum_exp_columns, cross_entropy_backward};
    }
};

}  // namespace

extern const SoftmaxTable softmax_table;
constinit const SoftmaxTable softmax_table = {Softmax<float>::kernels(), Softmax<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
