// The rare functions of the pointwise table, one element at a time, in double; float rounds the result.
//
// Each is computed from a published series or expansion, named where it is used: A&S is Abramowitz and Stegun, "Handbook
// of Mathematical Functions" (1964); DLMF is the NIST Digital Library of Mathematical Functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>

namespace taeda::cpu::TAEDA_ISA {

namespace special {

constexpr double kPi = 3.14159265358979323846;
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
// B(2), B(4), ...
constexpr double kBernoulli[] = {1.0 / 6,       -1.0 / 30, 1.0 / 42,      -1.0 / 30,     5.0 / 66,
                                 -691.0 / 2730, 7.0 / 6,   -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};

// The reentrant form: std::lgamma writes a global variable, which is a race between threads.
inline double log_gamma(double x) {
    int sign;
    return ::lgamma_r(x, &sign);
}

// psi(x): upwards by the recurrence, then the asymptotic series (A&S 6.3.5, 6.3.18); on the left by reflection (6.3.7).
inline double digamma(double x) {
    if (x == 0) return std::copysign(kInf, -x);
    if (x < 0) {
        if (x == std::floor(x)) return kNotANumber;
        // The tangent's argument is reduced first: pi * x itself would lose the digits of a large x.
        const double rest = x - std::nearbyint(x);
        return digamma(1 - x) - kPi / std::tan(kPi * rest);
    }
    // The sum of 1 / (x + k) as one fraction: a division costs as much as a dozen products.
    double numerator = 0, denominator = 1;
    for (; x < 10; x += 1) {
        numerator = numerator * x + denominator;
        denominator *= x;
    }
    if (std::isinf(x)) return x;
    const double value = -numerator / denominator, inverse = 1 / (x * x);
    double power = inverse, series = 0;
    for (int k = 0; k < 8; ++k, power *= inverse) series += kBernoulli[k] / (2 * (k + 1)) * power;
    return value + std::log(x) - 0.5 / x - series;
}

// Hurwitz's zeta(s, q) by Euler and Maclaurin's summation (DLMF 25.11.5): 1/q^s + 1/(q+1)^s + ...
inline double zeta(double s, double q) {
    if (s == 1) return kInf;
    if (s < 1 || s != s || q != q) return kNotANumber;
    if (q <= 0) {
        if (q == std::floor(q)) return kInf;
        if (s != std::floor(s)) return kNotANumber;  // a power of a negative number
        if (q < -1e8) return kNotANumber;            // it would take seconds for one element
    }
    double sum = 0;
    for (; q < 12 || q < s; q += 1) {  // the series below diverges where q is smaller than s
        const double term = std::pow(q, -s);
        sum += term;
        if (q > 0 && !(std::abs(term) > std::abs(sum) * 1e-17)) return sum;  // NaN too
    }
    const double power = std::pow(q, -s);
    sum += power * q / (s - 1) + 0.5 * power;
    double factor = s * power / q, factorial = 2;
    for (int k = 0; k < 10; ++k) {
        sum += kBernoulli[k] / factorial * factor;
        factor *= (s + 2 * k + 1) * (s + 2 * k + 2) / (q * q);
        factorial *= (2 * k + 3) * (2 * k + 4);
    }
    return sum;
}

// The n-th derivative of psi (A&S 6.4.10); for n = 1 on the left by reflection (6.4.7).
inline double polygamma(double n, double x) {
    if (n == 0) return digamma(x);
    if (n == 1 && x <= 0) {
        if (x == std::floor(x)) return kInf;
        const double sine = std::sin(kPi * (x - std::nearbyint(x)));
        return kPi * kPi / (sine * sine) - polygamma(1, 1 - x);
    }
    const double value = std::exp(log_gamma(n + 1)) * zeta(n + 1, x);
    return std::fmod(n, 2) == 0 ? -value : value;
}

// exp(-|x|) I_order(x) for order 0 and 1: the power series, all of whose terms are positive (A&S 9.6.10), and for large
// |x| the asymptotic one (9.7.1), whose smallest term is about exp(-2|x|).
inline double scaled_bessel(int order, double x) {
    const double a = std::abs(x);
    if (x != x) return x;
    if (std::isinf(x)) return 0;
    double value;
    if (a < 25) {
        const double quarter = 0.25 * a * a;
        double term = order ? 0.5 * a : 1.0, sum = term;
        for (int k = 1; k < 200 && term > 1e-17 * sum; ++k) {
            term *= quarter / (static_cast<double>(k) * (k + order));
            sum += term;
        }
        value = sum * std::exp(-a);
    } else {
        double term = 1, sum = 1;
        for (int k = 1; k < 40 && std::abs(term) > 1e-17 * sum; ++k) {
            const double odd = 2 * k - 1;
            term *= -(4.0 * order * order - odd * odd) / (8 * k * a);
            sum += term;
        }
        value = sum / std::sqrt(2 * kPi * a);
    }
    return order && x < 0 ? -value : value;
}
// exp(|x|) in two factors: it alone overflows a little earlier than the product.
inline double bessel(int order, double x) {
    if (std::isinf(x)) return order && x < 0 ? -kInf : kInf;
    const double root = std::exp(0.5 * std::abs(x));
    return scaled_bessel(order, x) * root * root;
}

// exp(x * x) erfc(x). The square's rounding error is put back, because exp multiplies it; far out, the asymptotic series
// (A&S 7.1.23).
inline double scaled_erfc(double x) {
    if (x > 25) {
        const double inverse = 1 / (2 * x * x);
        return (1 - inverse * (1 - 3 * inverse * (1 - 5 * inverse * (1 - 7 * inverse)))) / (x * std::sqrt(kPi));
    }
    const double square = x * x, error = std::fma(x, x, -square), e = std::exp(square);
    if (std::isinf(e)) return kInf;
    return e * (1 + error) * std::erfc(x);
}

// The y with erfc(y) = q, 0 < q <= 1: Winitzki's closed form (2008), then Halley's steps, each of which cubes the error.
inline double inverse_erfc(double q) {
    const double a = 0.147, l = std::log(q * (2 - q)), t = 2 / (kPi * a) + 0.5 * l;
    double y = std::sqrt(std::sqrt(t * t - l / a) - t);
    for (int k = 0; k < 3; ++k) {
        const double slope = -2 / std::sqrt(kPi) * std::exp(-y * y), step = (std::erfc(y) - q) / slope;
        y -= step / (1 + y * step);
    }
    return y;
}
inline double inverse_erf(double x) {
    const double a = std::abs(x);
    if (a > 1 || x != x) return kNotANumber;
    if (a == 1) return std::copysign(kInf, x);
    if (a > 0.5) return std::copysign(inverse_erfc(1 - a), x);
    const double c = 0.147, l = std::log1p(-a * a), t = 2 / (kPi * c) + 0.5 * l;
    double y = a < 1e-4 ? 0.5 * std::sqrt(kPi) * a : std::sqrt(std::sqrt(t * t - l / c) - t);
    for (int k = 0; k < 3; ++k) {
        const double slope = 2 / std::sqrt(kPi) * std::exp(-y * y), step = (std::erf(y) - a) / slope;
        y -= step / (1 + y * step);
    }
    return std::copysign(y, x);
}
inline double inverse_normal(double p) {
    if (!(p >= 0 && p <= 1)) return kNotANumber;
    if (p == 0 || p == 1) return p == 0 ? -kInf : kInf;
    const double root = std::sqrt(2.0);
    if (p < 0.25) return -root * inverse_erfc(2 * p);
    if (p > 0.75) return root * inverse_erfc(2 * (1 - p));
    return root * inverse_erf(2 * p - 1);
}

// P(a, x) = 1 - Q(a, x): the series left of x = a + 1 (A&S 6.5.29), the continued fraction right of it (6.5.31, by
// Lentz's method). Returns P, or Q where `upper`.
inline double incomplete_gamma(double a, double x, bool upper) {
    if (!(a >= 0 && x >= 0) || (a == 0 && x == 0) || (std::isinf(a) && std::isinf(x))) return kNotANumber;
    if (x == 0 || std::isinf(a)) return upper ? 1 : 0;
    if (a == 0 || std::isinf(x)) return upper ? 0 : 1;
    const double factor = std::exp(a * std::log(x) - x - log_gamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (double k = a + 1; std::abs(term) > 1e-17 * sum; k += 1) sum += term *= x / k;
        const double lower = factor * sum;
        return upper ? 1 - lower : lower;
    }
    const double tiny = 1e-300;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, fraction = d;
    for (int k = 1; k < 100000; ++k) {
        const double n = -k * (k - a);
        b += 2;
        d = n * d + b;
        c = b + n / c;
        d = 1 / (std::abs(d) < tiny ? tiny : d);
        if (std::abs(c) < tiny) c = tiny;
        const double change = c * d;
        fraction *= change;
        if (std::abs(change - 1) < 1e-16) break;
    }
    return upper ? factor * fraction : 1 - factor * fraction;
}

// exp(x) K_order(x) by the trapezoidal rule on A&S 9.6.24, whose integrand falls off doubly exponentially: the rule then
// converges faster than any power of its step.
inline double scaled_bessel_k(double order, double x) {
    if (x < 0 || x != x) return kNotANumber;
    if (x == 0) return kInf;
    if (std::isinf(x)) return 0;
    const double step = std::min(0.2, 0.5 / std::sqrt(x));
    double sum = 0.5;
    for (double t = step;; t += step) {
        const double half = std::sinh(0.5 * t), term = std::exp(-2 * x * half * half) * std::cosh(order * t);
        sum += term;
        if (term < 1e-17 * sum) return sum * step;
    }
}
inline double bessel_k(double order, double x) { return x < 0 ? kNotANumber : std::isinf(x) ? 0 : std::exp(-x) * scaled_bessel_k(order, x); }

// Ai(x) out of Bessel functions of order 1/3 (A&S 10.4.14 and 10.4.15).
inline double airy_ai(double x) {
    if (x != x) return x;
    if (std::abs(x) < 1e-8) return 0.355028053887817239 - 0.258819403792806798 * x;
    const double z = 2.0 / 3 * std::abs(x) * std::sqrt(std::abs(x));
    if (x > 0) return z > 745 ? 0 : std::sqrt(x / 3) / kPi * bessel_k(1.0 / 3, z);
    if (z > 1e6) return std::sin(z + kPi / 4) / std::sqrt(kPi * std::sqrt(-x));
    const double j = std::cyl_bessel_j(1.0 / 3, z), y = std::cyl_neumann(1.0 / 3, z);
    return std::sqrt(-x) / 3 * (1.5 * j - 0.5 * std::sqrt(3.0) * y);
}

inline double spherical_bessel_j0(double x) { return x == 0 ? 1 : std::isinf(x) ? 0 : std::sin(x) / x; }

// ---- orthogonal polynomials by their three-term recurrences (A&S 22.7): next(k, q, p) from two neighbours

template <class Next>
inline double recurrence(double n, double first, Next next) {
    const double degree = std::trunc(n);
    if (!(degree >= 0)) return 0;
    if (degree > 1e8) return NAN;  // out of the recurrence's reach: it would take seconds for one element
    double p = 1, q = first;
    if (degree == 0) return p;
    for (double k = 1; k < degree && q == q; k += 1) {
        const double following = next(k, q, p);
        p = q;
        q = following;
    }
    return q;
}
// The four kinds of Chebyshev polynomials: one recurrence, four beginnings. Inside (-1, 1) a high degree has a closed
// form in the angle (A&S 22.3.15 and 22.3.16).
inline double chebyshev_from(double x, double n, double first) {
    return recurrence(n, first, [x](double, double q, double p) { return 2 * x * q - p; });
}
inline double chebyshev_t(double x, double n) { return n > 8 && std::abs(x) < 1 ? std::cos(std::trunc(n) * std::acos(x)) : chebyshev_from(x, n, x); }
inline double chebyshev_u(double x, double n) {
    const double angle = std::acos(x);
    return n > 8 && std::abs(x) < 1 ? std::sin((std::trunc(n) + 1) * angle) / std::sin(angle) : chebyshev_from(x, n, 2 * x);
}
inline double chebyshev_v(double x, double n) {
    const double half = 0.5 * std::acos(x);
    return n > 8 && std::abs(x) < 1 ? std::cos((2 * std::trunc(n) + 1) * half) / std::cos(half) : chebyshev_from(x, n, 2 * x - 1);
}
inline double chebyshev_w(double x, double n) {
    const double half = 0.5 * std::acos(x);
    return n > 8 && std::abs(x) < 1 ? std::sin((2 * std::trunc(n) + 1) * half) / std::sin(half) : chebyshev_from(x, n, 2 * x + 1);
}
inline double hermite(double x, double n) {
    return recurrence(n, 2 * x, [x](double k, double q, double p) { return 2 * (x * q - k * p); });
}
inline double hermite_e(double x, double n) {
    return recurrence(n, x, [x](double k, double q, double p) { return x * q - k * p; });
}
inline double laguerre(double x, double n) {
    return recurrence(n, 1 - x, [x](double k, double q, double p) { return ((2 * k + 1 - x) * q - k * p) / (k + 1); });
}
inline double legendre(double x, double n) {
    return recurrence(n, x, [x](double k, double q, double p) { return ((2 * k + 1) * x * q - k * p) / (k + 1); });
}

}  // namespace special

template <std::floating_point T>
inline T vm_igamma(T a, T x) {
    return static_cast<T>(special::incomplete_gamma(a, x, false));
}
template <std::floating_point T>
inline T vm_igammac(T a, T x) {
    return static_cast<T>(special::incomplete_gamma(a, x, true));
}
template <std::floating_point T>
inline T vm_frexp_mantissa(T x) {
    int exponent;
    return std::frexp(x, &exponent);
}
template <std::floating_point T>
inline T vm_frexp_exponent(T x) {
    int exponent = 0;
    if (std::isfinite(x)) (void)std::frexp(x, &exponent);
    return static_cast<T>(exponent);
}
template <std::floating_point T>
inline T vm_airy_ai(T x) {
    return static_cast<T>(special::airy_ai(x));
}
template <std::floating_point T>
inline T vm_bessel_j0(T x) {
    return static_cast<T>(::j0(x));
}
template <std::floating_point T>
inline T vm_bessel_j1(T x) {
    return static_cast<T>(::j1(x));
}
template <std::floating_point T>
inline T vm_bessel_y0(T x) {
    return x < T(0) ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(::y0(x));
}
template <std::floating_point T>
inline T vm_bessel_y1(T x) {
    return x < T(0) ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(::y1(x));
}
template <std::floating_point T>
inline T vm_modified_bessel_k0(T x) {
    return static_cast<T>(special::bessel_k(0, x));
}
template <std::floating_point T>
inline T vm_modified_bessel_k1(T x) {
    return static_cast<T>(special::bessel_k(1, x));
}
template <std::floating_point T>
inline T vm_scaled_modified_bessel_k0(T x) {
    return static_cast<T>(special::scaled_bessel_k(0, x));
}
template <std::floating_point T>
inline T vm_scaled_modified_bessel_k1(T x) {
    return static_cast<T>(special::scaled_bessel_k(1, x));
}
template <std::floating_point T>
inline T vm_spherical_bessel_j0(T x) {
    return static_cast<T>(special::spherical_bessel_j0(x));
}
template <std::floating_point T>
inline T vm_chebyshev_polynomial_t(T x, T n) {
    return static_cast<T>(special::chebyshev_t(x, n));
}
template <std::floating_point T>
inline T vm_chebyshev_polynomial_u(T x, T n) {
    return static_cast<T>(special::chebyshev_u(x, n));
}
template <std::floating_point T>
inline T vm_chebyshev_polynomial_v(T x, T n) {
    return static_cast<T>(special::chebyshev_v(x, n));
}
template <std::floating_point T>
inline T vm_chebyshev_polynomial_w(T x, T n) {
    return static_cast<T>(special::chebyshev_w(x, n));
}
template <std::floating_point T>
inline T vm_hermite_polynomial_h(T x, T n) {
    return static_cast<T>(special::hermite(x, n));
}
template <std::floating_point T>
inline T vm_hermite_polynomial_he(T x, T n) {
    return static_cast<T>(special::hermite_e(x, n));
}
template <std::floating_point T>
inline T vm_laguerre_polynomial_l(T x, T n) {
    return static_cast<T>(special::laguerre(x, n));
}
template <std::floating_point T>
inline T vm_legendre_polynomial_p(T x, T n) {
    return static_cast<T>(special::legendre(x, n));
}

template <std::floating_point T>
inline T vm_lgamma(T x) {
    return static_cast<T>(special::log_gamma(x));
}
template <std::floating_point T>
inline T vm_digamma(T x) {
    return static_cast<T>(special::digamma(x));
}
template <std::floating_point T>
inline T vm_polygamma(T n, T x) {
    return static_cast<T>(special::polygamma(n, x));
}
template <std::floating_point T>
inline T vm_zeta(T s, T q) {
    return static_cast<T>(special::zeta(s, q));
}
template <std::floating_point T>
inline T vm_i0(T x) {
    return static_cast<T>(special::bessel(0, x));
}
template <std::floating_point T>
inline T vm_i0e(T x) {
    return static_cast<T>(special::scaled_bessel(0, x));
}
template <std::floating_point T>
inline T vm_i1(T x) {
    return static_cast<T>(special::bessel(1, x));
}
template <std::floating_point T>
inline T vm_i1e(T x) {
    return static_cast<T>(special::scaled_bessel(1, x));
}
template <std::floating_point T>
inline T vm_erfcx(T x) {
    return static_cast<T>(special::scaled_erfc(x));
}
template <std::floating_point T>
inline T vm_erfinv(T x) {
    return static_cast<T>(special::inverse_erf(x));
}
template <std::floating_point T>
inline T vm_ndtri(T x) {
    return static_cast<T>(special::inverse_normal(x));
}

}  // namespace taeda::cpu::TAEDA_ISA
