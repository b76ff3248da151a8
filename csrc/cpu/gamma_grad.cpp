// How a number of the gamma distribution moves with the shape that it was drawn for, its probability held.
//
// P(a, x) being the regularised incomplete gamma function, P(a, x(a)) = const gives dx/da = -(dP/da) / (dP/dx) (Figurnov et al. 2018).
// dP/dx is the density; dP/da follows from P's power series below the mean and from the continued fraction of 1 - P above it
// (DLMF 8.7.1, 8.9.2), differentiated term by term, so that neither cancels.
#undef TAEDA_ISA
#define TAEDA_ISA gamma_grad

#include <cmath>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/random.h"
#include "cpu/special_functions.h"
#include "kernels.h"

namespace taeda::cpu {

namespace {

constexpr double kEnough = 1e-16;
constexpr double kLargeShape = 1e6;  // from here on the cube root is as good as normal
constexpr int kMaxTerms = 100000;

// P = x^a exp(-x) / Gamma(a + 1) * S, with S = 1 + x / (a + 1) + x^2 / ((a + 1)(a + 2)) + ...
double by_series(double a, double x) {
    double term = 1, term_slope = 0, sum = 1, slope = 0;
    for (int n = 1; n < kMaxTerms; ++n) {
        const double factor = x / (a + n);
        term_slope = factor * term_slope - factor * term / (a + n);
        term *= factor;
        sum += term;
        slope += term_slope;
        if (term < kEnough * sum && std::abs(term_slope) <= kEnough * std::abs(slope)) break;
    }
    return -x / a * (sum * (std::log(x) - gamma_grad::special::digamma(a + 1)) + slope);
}

struct Dual {  // a value and its derivative with respect to the shape
    double value, slope;
};
Dual operator+(Dual p, Dual q) { return {p.value + q.value, p.slope + q.slope}; }
Dual operator*(Dual p, Dual q) { return {p.value * q.value, p.slope * q.value + p.value * q.slope}; }
Dual operator/(Dual p, Dual q) {
    const double ratio = p.value / q.value;
    return {ratio, (p.slope - ratio * q.slope) / q.value};
}

// 1 - P = x^a exp(-x) / Gamma(a) * K, with the fraction K by Lentz's method.
double by_fraction(double a, double x) {
    Dual denominator{x + 1 - a, -1}, numerator = denominator, fraction = denominator, inverse{0, 0};
    for (int n = 1; n < kMaxTerms; ++n) {
        const Dual over{n * (a - n), static_cast<double>(n)};
        denominator.value += 2;
        inverse = Dual{1, 0} / (denominator + over * inverse);
        numerator = denominator + over / numerator;
        const Dual step = numerator * inverse;
        fraction = fraction * step;
        if (std::abs(step.value - 1) < 4 * kEnough && std::abs(step.slope) < 4 * kEnough) break;
    }
    const Dual k = Dual{1, 0} / fraction;
    return x * (k.value * (std::log(x) - gamma_grad::special::digamma(a)) + k.slope);
}

// Wilson and Hilferty (1931): (x / a)^(1/3) = 1 - 1 / (9 a) + n / (3 sqrt(a)), n being normal.
double by_cube_root(double a, double x) {
    const double root = std::cbrt(x / a), normal = root - 1 + 1 / (9 * a);
    return root * root * root + 3 * a * root * root * (1 / (9 * a * a) - normal / (2 * a));
}

double gamma_slope(double a, double x) {
    if (!(a > 0) || !(x > 0) || std::isinf(a) || std::isinf(x)) return x == 0 ? 0 : std::numeric_limits<double>::quiet_NaN();
    if (a > kLargeShape) return by_cube_root(a, x);
    return x <= a + 1 ? by_series(a, x) : by_fraction(a, x);
}

}  // namespace

Tensor _standard_gamma_grad(const Tensor& input, const Tensor& output) {
    TAEDA_CHECK(input.sizes() == output.sizes(), "_standard_gamma_grad: input and output must have the same shape, got ", shape_text(input.sizes()),
                " and ", shape_text(output.sizes()));
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    visit_floating("_standard_gamma_grad_cpu", input.dtype(), [&]<class T>(Tag<T>) {
        if (out.is_meta()) return;
        Tensor shapes = contiguous(input), numbers = contiguous(to_dtype(output, input.dtype()));
        ReleaseHostLock unlocked(out.numel() > 256);
        parallel_for(0, out.numel(), 256, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                out.data<T>()[i] = convert<T>(gamma_slope(convert<double>(shapes.data<T>()[i]), convert<double>(numbers.data<T>()[i])));
        });
    });
    return out;
}

}  // namespace taeda::cpu
