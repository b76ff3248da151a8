// The inner loops of the normalisation layers. See norm.h.
#include <cmath>

#include "cpu/fold_isa.h"
#include "cpu/norm.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class C>
struct Norm {
    static const C* in(const void* p) { return static_cast<const C*>(p); }
    static C* out(void* p) { return static_cast<C*>(p); }

    static NormMoments moments(const void* from, int64_t n, double eps, bool center) {
        const C* x = in(from);
        const double mean = center ? sum_of<C>(n, [x](int64_t i) { return x[i]; }) / static_cast<double>(n) : 0;
        const C shift = static_cast<C>(mean);
        const double squares = sum_of<C>(n, [x, shift](int64_t i) {
            C d = x[i] - shift;
            return d * d;
        });
        return {mean, 1 / std::sqrt(squares / static_cast<double>(n) + eps)};
    }

    static void normalize(const void* from, const void* weight, const void* bias, void* to, int64_t n, NormMoments m) {
        const C *x = in(from), *w = in(weight), *b = in(bias);
        C* y = out(to);
        const C mean = static_cast<C>(m.mean), rstd = static_cast<C>(m.rstd);
        if (w && b) each_fetching<C>(n, [=](int64_t i) { y[i] = (x[i] - mean) * rstd * w[i] + b[i]; }, x);
        else if (w) each_fetching<C>(n, [=](int64_t i) { y[i] = (x[i] - mean) * rstd * w[i]; }, x);
        else if (b) each_fetching<C>(n, [=](int64_t i) { y[i] = (x[i] - mean) * rstd + b[i]; }, x);
        else each_fetching<C>(n, [=](int64_t i) { y[i] = (x[i] - mean) * rstd; }, x);
    }

    // The sums of p = dy * w and of p * xhat; the gradients of w and b on the way.
    template <bool kWeight, bool kGrads>
    static PairOf<double> layer_sums(const C* x, const C* dy, const C* w, C* dw, C* db, int64_t n, C mean, C rstd) {
        PairOf<double> total{0, 0};
        for (int64_t start = 0; start < n; start += kFoldBlock) {
            int64_t m = std::min(kFoldBlock, n - start);
            auto part = fold_pair<C>(m, [=](C& a, C& b, int64_t k) {
                const int64_t i = start + k;
                C xhat = (x[i] - mean) * rstd, p = kWeight ? dy[i] * w[i] : dy[i];
                a += p;
                b += p * xhat;
                if constexpr (kGrads) {
                    dw[i] += dy[i] * xhat;
                    db[i] += dy[i];
                }
            });
            total.first += part.first;
            total.second += part.second;
        }
        return total;
    }

    static void layer_backward(const void* from, const void* grad, const void* weight, void* dx, void* dw, void* db, int64_t n, NormMoments m,
                               bool center) {
        const C *x = in(from), *dy = in(grad), *w = in(weight);
        const C mean = static_cast<C>(m.mean), rstd = static_cast<C>(m.rstd);
        auto sums = w ? (dw ? layer_sums<true, true> : layer_sums<true, false>) : (dw ? layer_sums<false, true> : layer_sums<false, false>);
        PairOf<double> total = sums(x, dy, w, out(dw), out(db), n, mean, rstd);
        C* to = out(dx);
        const C plain = static_cast<C>(center ? total.first / static_cast<double>(n) : 0),
                along = static_cast<C>(total.second / static_cast<double>(n));
        if (w) each_fetching<C>(n, [=](int64_t i) { to[i] = rstd * (dy[i] * w[i] - plain - (x[i] - mean) * rstd * along); }, x, dy);
        else each_fetching<C>(n, [=](int64_t i) { to[i] = rstd * (dy[i] - plain - (x[i] - mean) * rstd * along); }, x, dy);
    }

    static void dot(const void* from, const void* grad, int64_t n, double mean, double* sums) {
        const C *x = in(from), *dy = in(grad);
        const C shift = static_cast<C>(mean);
        for (int64_t start = 0; start < n; start += kFoldBlock) {
            auto part = fold_pair<C>(std::min(kFoldBlock, n - start), [=](C& a, C& b, int64_t k) {
                a += dy[start + k];
                b += dy[start + k] * (x[start + k] - shift);
            });
            sums[0] += part.first;
            sums[1] += part.second;
        }
    }

    static void dot_columns(const void* from, const void* grad, int64_t rows, int64_t row_step, int64_t n, const void* means, double* dy_sums,
                            double* dot_sums) {
        constexpr int64_t kColumns = 256, kRows = 64;
        const C* mean = in(means);
        C plain[kColumns], along[kColumns];
        for (int64_t first = 0; first < n; first += kColumns) {
            const int64_t m = std::min(kColumns, n - first);
            for (int64_t top = 0; top < rows; top += kRows) {
                for (int64_t j = 0; j < m; ++j) plain[j] = along[j] = 0;
                for (int64_t r = top; r < std::min(rows, top + kRows); ++r) {
                    const C *x = in(from) + r * row_step + first, *dy = in(grad) + r * row_step + first;
                    for (int64_t j = 0; j < m; ++j) {
                        plain[j] += dy[j];
                        along[j] += dy[j] * (x[j] - mean[first + j]);
                    }
                }
                for (int64_t j = 0; j < m; ++j) {
                    dy_sums[first + j] += plain[j];
                    dot_sums[first + j] += along[j];
                }
            }
        }
    }

    static void scale(const void* from, void* to, int64_t n, double factor, double shift) {
        const C* x = in(from);
        C* y = out(to);
        const C a = static_cast<C>(factor), b = static_cast<C>(shift);
        for (int64_t i = 0; i < n; ++i) y[i] = x[i] * a + b;
    }

    static void scale_columns(const void* from, void* to, int64_t rows, int64_t n, const void* factors, const void* shifts) {
        const C *a = in(factors), *b = in(shifts);
        for (int64_t r = 0; r < rows; ++r) {
            const C* x = in(from) + r * n;
            C* y = out(to) + r * n;
            for (int64_t j = 0; j < n; ++j) y[j] = x[j] * a[j] + b[j];
        }
    }

    static void combine(const void* from, const void* grad, void* to, int64_t n, double mean, double of_dy, double of_x, double constant) {
        const C *x = in(from), *dy = in(grad);
        C* dx = out(to);
        const C a = static_cast<C>(of_dy), b = static_cast<C>(of_x), c = static_cast<C>(constant), shift = static_cast<C>(mean);
        for (int64_t i = 0; i < n; ++i) dx[i] = dy[i] * a + (x[i] - shift) * b + c;
    }

    static void combine_columns(const void* from, const void* grad, void* to, int64_t rows, int64_t n, const void* means, const void* of_dy,
                                const void* of_x, const void* constant) {
        const C *mean = in(means), *a = in(of_dy), *b = in(of_x), *c = in(constant);
        for (int64_t r = 0; r < rows; ++r) {
            const C *x = in(from) + r * n, *dy = in(grad) + r * n;
            C* dx = out(to) + r * n;
            for (int64_t j = 0; j < n; ++j) dx[j] = dy[j] * a[j] + (x[j] - mean[j]) * b[j] + c[j];
        }
    }

    static constexpr NormKernels kernels() {
        return {moments, normalize, layer_backward, dot, dot_columns, scale, scale_columns, combine, combine_columns};
    }
};

}  // namespace

extern const NormTable norm_table;
constinit const NormTable norm_table = {Norm<float>::kernels(), Norm<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
