// Inner loops of distances between rows. See distance_kernels.h.
#include "cpu/distance_kernels.h"
#include "cpu/vecmath.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct Distance {
    static constexpr int64_t kBlock = 256 / sizeof(T);  // distances that are summed side by side, in registers

    // sums[j] = add(sums[j], |x[m] - others[m][j]|) for all m, for a block of columns; then finish(sums[j]).
    template <class Add, class Finish>
    static void columns(const T* x, const T* others, int64_t step, int64_t n, int64_t width, T* out, Add add, Finish finish) {
        int64_t r = 0;
        for (; r + kBlock <= n; r += kBlock) {
            T sums[kBlock] = {};
            for (int64_t m = 0; m < width; ++m) {
                const T value = x[m];
                const T* y = others + m * step + r;
                for (int64_t j = 0; j < kBlock; ++j) sums[j] = add(sums[j], vm_abs(value - y[j]));
            }
            for (int64_t j = 0; j < kBlock; ++j) out[r + j] = finish(sums[j]);
        }
        for (; r < n; ++r) {
            T sum = 0;
            for (int64_t m = 0; m < width; ++m) sum = add(sum, vm_abs(x[m] - others[m * step + r]));
            out[r] = finish(sum);
        }
    }

    static void row(Norm norm, T p, const T* x, const T* others, int64_t step, int64_t n, int64_t width, T* out) {
        const auto same = [](T sum) { return sum; };
        switch (norm) {
            case Norm::Zero: return columns(x, others, step, n, width, out, [](T sum, T d) { return sum + (d != T(0) ? T(1) : T(0)); }, same);
            case Norm::One: return columns(x, others, step, n, width, out, [](T sum, T d) { return sum + d; }, same);
            case Norm::Two:
                return columns(x, others, step, n, width, out, [](T sum, T d) { return sum + d * d; }, [](T sum) { return vm_sqrt(sum); });
            case Norm::Largest: return columns(x, others, step, n, width, out, [](T sum, T d) { return vm_max_nan(sum, d); }, same);
            case Norm::General:
                return columns(
                    x, others, step, n, width, out, [p](T sum, T d) { return sum + vm_pow(d, p); }, [p](T sum) { return vm_pow(sum, 1 / p); });
        }
    }

    // slope(weight, distance, other row): adds what one row contributes.
    template <class Slope>
    static void add_rows(const T* g, int64_t g_step, const T* dist, int64_t d_step, const T* others, int64_t n, int64_t width, Slope slope) {
        for (int64_t r = 0; r < n; ++r) {
            const T weight = g[r * g_step], distance = dist[r * d_step];
            if (distance == T(0)) continue;  // the least of the subgradients
            slope(weight, distance, others + r * width);
        }
    }

    static void gradient(Norm norm, T p, const T* g, int64_t g_step, const T* dist, int64_t d_step, const T* x, const T* others, int64_t n,
                         int64_t width, T* out) {
        const auto sign = [](T d) { return d > T(0) ? T(1) : d < T(0) ? T(-1) : T(0); };
        const auto run = [&](auto slope) { add_rows(g, g_step, dist, d_step, others, n, width, slope); };
        switch (norm) {
            case Norm::Zero: return;
            case Norm::One:
                return run([=](T weight, T, const T* y) {
#pragma GCC ivdep
                    for (int64_t m = 0; m < width; ++m) out[m] += weight * sign(x[m] - y[m]);
                });
            case Norm::Two:
                return run([=](T weight, T distance, const T* y) {
                    const T factor = weight / distance;
#pragma GCC ivdep
                    for (int64_t m = 0; m < width; ++m) out[m] += factor * (x[m] - y[m]);
                });
            case Norm::Largest:
                return run([=](T weight, T distance, const T* y) {
#pragma GCC ivdep
                    for (int64_t m = 0; m < width; ++m) {
                        const T d = x[m] - y[m];
                        out[m] += vm_abs(d) == distance ? weight * sign(d) : T(0);
                    }
                });
            case Norm::General:
                return run([=](T weight, T distance, const T* y) {
#pragma GCC ivdep
                    for (int64_t m = 0; m < width; ++m) {
                        const T d = x[m] - y[m];
                        const T step = weight * sign(d) * vm_pow(vm_abs(d) / distance, p - 1);
                        out[m] += d == T(0) ? T(0) : step;
                    }
                });
        }
    }

    static constexpr DistanceKernels<T> kernels() { return {row, gradient}; }
};

}  // namespace

extern const DistanceTable distance_table;
constinit const DistanceTable distance_table = {Distance<float>::kernels(), Distance<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
