// What the vectorisable functions share: every function here and in its siblings is straight-line code (conditions are
// choices between values), so that a plain loop over it becomes vector instructions.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

// Inlined without exception: one call left in a loop keeps the whole loop from being vectorised.
#define TAEDA_VM __attribute__((always_inline)) inline

// a * b + c rounded once is one instruction. Without it that is a call, and what needs it is the C library's.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define TAEDA_HAS_FMA
#endif

// An ordinary function for which gcc knows that vector forms exist: see Note [Vector functions] in vecmath_float.h.
#if defined(TAEDA_DEFINES_VECTOR_FUNCTIONS)  // gcc would make vector forms of its own beside a definition
#define TAEDA_VECTOR_FUNCTION __attribute__((const, nothrow, visibility("hidden")))
#else
#define TAEDA_VECTOR_FUNCTION __attribute__((simd("notinbranch"), const, nothrow, visibility("hidden")))
#endif

namespace taeda::cpu::TAEDA_ISA {

inline constexpr float kInfinityF = std::numeric_limits<float>::infinity();
inline constexpr float kNanF = std::numeric_limits<float>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Adding and taking away 1.5 * 2^(fraction bits) rounds to an integer and leaves that integer in the low bits: no
// conversion instruction (AVX2 has none for 64 bits), and NaN is harmless.
inline constexpr float kRoundF = 12582912.0f;
inline constexpr double kRound = 6755399441055744.0;

// Coefficients lowest first, by Horner's rule.
template <class T>
TAEDA_VM T polynomial(T, T c0) {
    return c0;
}
template <class T, class... Rest>
TAEDA_VM T polynomial(T x, T c0, Rest... rest) {
    return polynomial(x, rest...) * x + c0;
}

// The same as two sums that do not wait for each other: for long functions, of which the processor cannot begin the next one meanwhile.
template <class T>
TAEDA_VM T every_second(T, T c0) {
    return c0;
}
template <class T>
TAEDA_VM T every_second(T, T c0, T) {
    return c0;
}
template <class T, class... Rest>
TAEDA_VM T every_second(T x, T c0, T, T c2, Rest... rest) {
    return every_second(x, c2, rest...) * x + c0;
}
template <class T, class... Rest>
TAEDA_VM T split_polynomial(T x, T c0, Rest... rest) {
    return every_second(x * x, rest...) * x + every_second(x * x, c0, rest...);
}

TAEDA_VM float vm_sqrt(float x) { return __builtin_sqrtf(x); }
TAEDA_VM double vm_sqrt(double x) { return __builtin_sqrt(x); }
TAEDA_VM float vm_rsqrt(float x) { return 1.0f / __builtin_sqrtf(x); }
TAEDA_VM double vm_rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }
TAEDA_VM float vm_floor(float x) { return __builtin_floorf(x); }
TAEDA_VM double vm_floor(double x) { return __builtin_floor(x); }
TAEDA_VM float vm_ceil(float x) { return __builtin_ceilf(x); }
TAEDA_VM double vm_ceil(double x) { return __builtin_ceil(x); }
TAEDA_VM float vm_trunc(float x) { return __builtin_truncf(x); }
TAEDA_VM double vm_trunc(double x) { return __builtin_trunc(x); }
// The rounding mode is the default one throughout: to nearest, ties to even.
TAEDA_VM float vm_round_even(float x) { return __builtin_rintf(x); }
TAEDA_VM double vm_round_even(double x) { return __builtin_rint(x); }
TAEDA_VM float vm_abs(float x) { return __builtin_fabsf(x); }
TAEDA_VM double vm_abs(double x) { return __builtin_fabs(x); }
TAEDA_VM float vm_copysign(float x, float y) { return __builtin_copysignf(x, y); }
TAEDA_VM double vm_copysign(double x, double y) { return __builtin_copysign(x, y); }

// pi / 2, and what that rounds off.
template <class T>
inline constexpr T kHalfPi = T(1.5707963267948966);
template <class T>
inline constexpr T kHalfPiLow = sizeof(T) == 4 ? T(-4.37113883e-8) : T(6.123233995736766e-17);

// Arcsine and arccosine where rest(s, z) is asin(s) - s for s * s = z <= 1/4; beyond, from that of half the angle.
template <class T, class Rest>
TAEDA_VM T asin_by(T x, Rest rest) {
    T a = vm_abs(x);
    bool big = a > T(0.5);
    T z = big ? T(0.5) * (T(1) - a) : a * a, s = big ? vm_sqrt(z) : a, r = rest(s, z);
    T far = kHalfPi<T> - (T(2) * s + (T(2) * r - kHalfPiLow<T>));
    return vm_copysign(big ? far : s + r, x);
}
template <class T, class Rest>
TAEDA_VM T acos_by(T x, Rest rest) {
    T a = vm_abs(x);
    bool big = a > T(0.5);
    T z = big ? T(0.5) * (T(1) - a) : a * a, s = big ? vm_sqrt(z) : a, r = rest(s, z);
    T near = kHalfPi<T> - (vm_copysign(s, x) + (vm_copysign(r, x) - kHalfPiLow<T>));
    T far = T(2) * (s + r), left = T(2) * kHalfPi<T> - (T(2) * s + (T(2) * r - T(2) * kHalfPiLow<T>));
    T outer = x < T(0) ? left : far;
    return big ? outer : near;
}

// `value`, or a NaN where `asked` is one. With masks: of a chain of choices (a clamp) gcc would make one for each path.
template <class T>
TAEDA_VM T nan_from(T asked, T value) {
    if constexpr (std::is_floating_point_v<T>) {
        using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
        constexpr Bits kQuiet = std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN());
        return std::bit_cast<T>(std::bit_cast<Bits>(value) | (asked != asked ? kQuiet : Bits(0)));
    } else {
        return value;
    }
}

// NaN where either is NaN.
template <class T>
TAEDA_VM T vm_max_nan(T x, T y) {
    return nan_from(x, x > y ? x : y);  // y where x is NaN, and where y is
}
template <class T>
TAEDA_VM T vm_min_nan(T x, T y) {
    return nan_from(x, x < y ? x : y);
}

}  // namespace taeda::cpu::TAEDA_ISA
