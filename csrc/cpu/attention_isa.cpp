// The loops of attention between its matrix products. See attention.h.
#include "cpu/attention.h"
#include "cpu/fold_isa.h"
#include "cpu/vecmath.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct Attention {
    static constexpr T kLowest = -std::numeric_limits<T>::infinity();

    // Without regard to NaN, which comes out in the sum of the exponentials.
    static T larger(T a, T b) { return b > a ? b : a; }

    static bool has_nan(const T* x, int64_t n) {
        bool found = false;
        for (int64_t j = 0; j < n; ++j) found = found || x[j] != x[j];
        return found;
    }

    static void update(T* scores, int64_t rows, int64_t cols, int64_t step, T* max, T* sum, T* out, int64_t width) {
        for (int64_t r = 0; r < rows; ++r) {
            T* x = scores + r * step;
            const T top = larger(max[r], fold_with<T>(cols, kLowest, [x](T a, int64_t i) { return larger(a, x[i]); }, larger));
            if (top == kLowest && !has_nan(x, cols)) {  // nothing may be attended to so far
                for (int64_t j = 0; j < cols; ++j) x[j] = 0;
                for (int64_t j = 0; out && j < width; ++j) out[r * width + j] = 0;
                continue;
            }
            const T total = fold_with<T>(
                cols, T(0),
                [x, top](T a, int64_t i) {
                    x[i] = vm_exp_below(x[i] - top);
                    return a + x[i];
                },
                [](T a, T b) { return a + b; });
            const T shrink = vm_exp(max[r] - top);
            sum[r] = sum[r] * shrink + total;
            max[r] = top;
            if (out && shrink != T(1))
                for (int64_t j = 0; j < width; ++j) out[r * width + j] *= shrink;
        }
    }

    static void weights(T* scores, int64_t rows, int64_t cols, int64_t step, const T* shift) {
        for (int64_t r = 0; r < rows; ++r) {
            T* x = scores + r * step;
            const T s = shift[r];
            for (int64_t j = 0; j < cols; ++j) x[j] = vm_exp_below(x[j] - s);
        }
    }

    static void scores_grad(const T* weights, T* grad, int64_t rows, int64_t cols, int64_t step, const T* delta) {
        for (int64_t r = 0; r < rows; ++r) {
            const T* p = weights + r * step;
            T* g = grad + r * step;
            const T d = delta[r];
#pragma GCC ivdep
            for (int64_t j = 0; j < cols; ++j) g[j] = p[j] * (g[j] - d);
        }
    }

    static T dot(const T* a, int64_t a_step, const T* b, int64_t b_step, int64_t n) {
        const auto add = [](T x, T y) { return x + y; };
        if (a_step == 1 && b_step == 1) return fold_with<T>(n, T(0), [a, b](T x, int64_t i) { return x + a[i] * b[i]; }, add);
        return fold_with<T>(n, T(0), [=](T x, int64_t i) { return x + a[i * a_step] * b[i * b_step]; }, add);
    }

    static constexpr AttentionKernels<T> kernels() { return {update, weights, scores_grad, dot}; }
};

}  // namespace

extern const AttentionTable attention_table;
constinit const AttentionTable attention_table = {Attention<float>::kernels(), Attention<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
