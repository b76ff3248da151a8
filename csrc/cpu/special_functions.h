// The rare functions of the pointwise table, one element at a time, in double; float rounds the result.
//
// Each is computed from a published series or expansion, named where it is used: A&S is Abramowitz and Stegun, "Handbook
// of Mathematical Functions" (1964); DLMF is the NIST Digital Library of Mathematical Functions.
#pragma once

#include <cmath>
#include <concepts>
#include <limits>

namespace taeda::cpu::TAEDA_ISA {

namespace special {

constexpr double kPi = 3.14159265358979323846;
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
// B(2), B(4), ...
constexpr double kBernoulli[] = {1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6, -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};

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
    double value = 0;
    for (; x < 10; x += 1) value -= 1 / x;
    if (std::isinf(x)) return x;
    const double inverse = 1 / (x * x);
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
    }
    double sum = 0;
    for (; q < 12; q += 1) {
        const double term = std::pow(q, -s);
        sum += term;
        if (q > 0 && std::abs(term) < std::abs(sum) * 1e-17) return sum;
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

}  // namespace special

template <std::floating_point T>
inline T vm_lgamma(T x) { return static_cast<T>(special::log_gamma(x)); }
template <std::floating_point T>
inline T vm_digamma(T x) { return static_cast<T>(special::digamma(x)); }
template <std::floating_point T>
inline T vm_polygamma(T n, T x) { return static_cast<T>(special::polygamma(n, x)); }
template <std::floating_point T>
inline T vm_zeta(T s, T q) { return static_cast<T>(special::zeta(s, q)); }
template <std::floating_point T>
inline T vm_i0(T x) { return static_cast<T>(special::bessel(0, x)); }
template <std::floating_point T>
inline T vm_i0e(T x) { return static_cast<T>(special::scaled_bessel(0, x)); }
template <std::floating_point T>
inline T vm_i1(T x) { return static_cast<T>(special::bessel(1, x)); }
template <std::floating_point T>
inline T vm_i1e(T x) { return static_cast<T>(special::scaled_bessel(1, x)); }
template <std::floating_point T>
inline T vm_erfcx(T x) { return static_cast<T>(special::scaled_erfc(x)); }
template <std::floating_point T>
inline T vm_erfinv(T x) { return static_cast<T>(special::inverse_erf(x)); }
template <std::floating_point T>
inline T vm_ndtri(T x) { return static_cast<T>(special::inverse_normal(x)); }

}  // namespace taeda::cpu::TAEDA_ISA
