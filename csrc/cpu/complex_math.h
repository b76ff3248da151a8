// The atoms of the pointwise table for complex numbers. Compiled once (not for each instruction set): include it after
// defining TAEDA_ISA as a namespace of its own.
#pragma once

#include <complex>

#include "cpu/pointwise_math.h"

namespace taeda::cpu::TAEDA_ISA {

template <class R>
using Complex = std::complex<R>;

// By the formula: std::complex's own product repairs infinities at several times the cost, and PyTorch does not.
template <class R>
TAEDA_VM Complex<R> multiply(Complex<R> x, Complex<R> y) {
    return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}
// In twice the precision the divisor's square cannot overflow; elsewhere both are scaled by its larger part.
TAEDA_VM Complex<float> divide(Complex<float> x, Complex<float> y) {
    const double a = x.real(), b = x.imag(), c = y.real(), d = y.imag(), square = c * c + d * d;
    if (square == 0 || std::isinf(square)) return x / y;
    return {static_cast<float>((a * c + b * d) / square), static_cast<float>((b * c - a * d) / square)};
}
template <class R>
TAEDA_VM Complex<R> divide(Complex<R> x, Complex<R> y) {
    const R scale = std::max(std::abs(y.real()), std::abs(y.imag()));
    if (scale == R(0) || std::isinf(scale)) return x / y;
    const R re = y.real() / scale, im = y.imag() / scale, d = scale * (re * re + im * im);
    return {(x.real() * re + x.imag() * im) / d, (x.imag() * re - x.real() * im) / d};
}

template <class R>
inline Complex<R> vm_conj(Complex<R> x) {
    return {x.real(), -x.imag()};
}
template <class R>
inline Complex<R> vm_real(Complex<R> x) {
    return x.real();
}
template <class R>
inline Complex<R> vm_abs(Complex<R> x) {
    return vm_hypot(x.real(), x.imag());
}
template <class R>
inline Complex<R> vm_angle(Complex<R> x) {
    return vm_atan2(x.imag(), x.real());
}
template <class R>
inline Complex<R> vm_sgn(Complex<R> x) {
    return x == Complex<R>(0) ? x : x / std::abs(x);
}
template <class R>
inline bool vm_isnan(Complex<R> x) {
    return x != x;
}
template <class R>
inline bool vm_isinf(Complex<R> x) {
    return std::isinf(x.real()) || std::isinf(x.imag());
}
template <class R>
inline bool vm_isfinite(Complex<R> x) {
    return std::isfinite(x.real()) && std::isfinite(x.imag());
}

template <class R>
inline Complex<R> vm_sqrt(Complex<R> x) {
    return std::sqrt(x);
}
template <class R>
inline Complex<R> vm_rsqrt(Complex<R> x) {
    return divide(Complex<R>(1), std::sqrt(x));
}
template <class R>
inline Complex<R> vm_exp(Complex<R> x) {
    return std::exp(x);
}
template <class R>
inline Complex<R> vm_exp2(Complex<R> x) {
    return std::exp(x * R(0.69314718055994530942));
}
// exp(a + ib) - 1 without cancellation at 0: expm1(a) cos(b) - 2 sin(b/2)^2 + i exp(a) sin(b).
template <class R>
inline Complex<R> vm_expm1(Complex<R> x) {
    const R half = std::sin(x.imag() / 2);
    return {std::expm1(x.real()) * std::cos(x.imag()) - 2 * half * half, std::exp(x.real()) * std::sin(x.imag())};
}
template <class R>
inline Complex<R> vm_log(Complex<R> x) {
    return std::log(x);
}
template <class R>
inline Complex<R> vm_log2(Complex<R> x) {
    return std::log(x) * R(1.4426950408889634074);
}
template <class R>
inline Complex<R> vm_log10(Complex<R> x) {
    return std::log10(x);
}
// log|1 + x| from the square of its distance to 1, so that small x keep their digits.
template <class R>
inline Complex<R> vm_log1p(Complex<R> x) {
    const R a = x.real(), b = x.imag();
    if (std::abs(a) > R(0.5) || std::abs(b) > R(0.5)) return std::log(x + R(1));
    return {R(0.5) * std::log1p(a * (2 + a) + b * b), std::atan2(b, 1 + a)};
}
template <class R>
inline Complex<R> vm_pow(Complex<R> x, Complex<R> y) {
    return y == Complex<R>(0) ? Complex<R>(1) : std::pow(x, y);
}
template <class R>
inline Complex<R> vm_sin(Complex<R> x) {
    return std::sin(x);
}
template <class R>
inline Complex<R> vm_cos(Complex<R> x) {
    return std::cos(x);
}
template <class R>
inline Complex<R> vm_tan(Complex<R> x) {
    return std::tan(x);
}
template <class R>
inline Complex<R> vm_asin(Complex<R> x) {
    return std::asin(x);
}
template <class R>
inline Complex<R> vm_acos(Complex<R> x) {
    return std::acos(x);
}
template <class R>
inline Complex<R> vm_atan(Complex<R> x) {
    return std::atan(x);
}
template <class R>
inline Complex<R> vm_sinh(Complex<R> x) {
    return std::sinh(x);
}
template <class R>
inline Complex<R> vm_cosh(Complex<R> x) {
    return std::cosh(x);
}
template <class R>
inline Complex<R> vm_tanh(Complex<R> x) {
    return std::tanh(x);
}
template <class R>
inline Complex<R> vm_asinh(Complex<R> x) {
    return std::asinh(x);
}
template <class R>
inline Complex<R> vm_acosh(Complex<R> x) {
    return std::acosh(x);
}
template <class R>
inline Complex<R> vm_atanh(Complex<R> x) {
    return std::atanh(x);
}
template <class R>
inline Complex<R> vm_logaddexp(Complex<R> x, Complex<R> y) {
    const bool first = x.real() >= y.real();
    const Complex<R> larger = first ? x : y, smaller = first ? y : x;
    return larger + vm_log1p(std::exp(smaller - larger));
}
// From the exponential that cannot overflow.
template <class R>
inline Complex<R> vm_sigmoid(Complex<R> x) {
    const Complex<R> one(1);
    if (x.real() >= 0) return divide(one, one + std::exp(-x));
    const Complex<R> e = std::exp(x);
    return divide(e, one + e);
}

}  // namespace taeda::cpu::TAEDA_ISA
