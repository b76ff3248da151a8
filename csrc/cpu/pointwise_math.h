// The small functions of the generated pointwise loops that vecmath.h does not have: integers, truth values, signs,
// remainders. Included by *_isa.cpp files (once for each instruction set) and by the loops that are compiled once.
#pragma once

#include <bit>
#include <cmath>
#include <complex>
#include <concepts>
#include <limits>
#include <type_traits>

#include "base/error.h"
#include "cpu/pointwise.h"
#include "cpu/vecmath.h"

namespace taeda::cpu::TAEDA_ISA {

template <class T>
concept PwInteger = std::is_integral_v<T>;
template <class T>
concept PwReal = std::is_floating_point_v<T>;

// What a loop computes in: its storage type, but for bool a type of integers that no other loop has, so that sums and
// products of truth values need no care (converting back to bool asks "not zero").
using Truth = char;
template <class S>
struct WorkOf {
    using t = S;
    using element = S;
};
template <>
struct WorkOf<bool> {
    using t = Truth;
    using element = uint8_t;  // what an array is read as: gcc does not vectorise loaded bools
};

template <class T>
TAEDA_VM T attribute(const Attributes& a, int k) {
    if constexpr (std::is_same_v<T, Truth>) return a.real[k] != 0.0;
    else if constexpr (PwInteger<T>) return static_cast<T>(a.integer[k]);
    else if constexpr (PwReal<T>) return static_cast<T>(a.real[k]);
    else return T(static_cast<typename T::value_type>(a.complex[k].real()), static_cast<typename T::value_type>(a.complex[k].imag()));
}

// A loop's value as its result's type: the real part where a complex value goes to a real array.
template <class O, class V>
TAEDA_VM O stored(V value) {
    if constexpr (std::is_same_v<O, V>) return value;
    else if constexpr (std::is_arithmetic_v<O> && std::is_arithmetic_v<V>) return static_cast<O>(value);
    else if constexpr (std::is_arithmetic_v<O>) return static_cast<O>(value.real());
    else return O(value);
}

template <class T>
    requires std::is_arithmetic_v<T>
TAEDA_VM T multiply(T x, T y) {
    return x * y;
}
template <PwReal T>
TAEDA_VM T divide(T x, T y) {
    return x / y;
}

// ---- floating point

template <PwReal T>
using BitsOf = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

template <PwReal T>
TAEDA_VM bool vm_isnan(T x) {
    return x != x;
}
template <PwReal T>
TAEDA_VM bool vm_isinf(T x) {
    return vm_abs(x) == std::numeric_limits<T>::infinity();
}
template <PwReal T>
TAEDA_VM bool vm_isfinite(T x) {
    return vm_abs(x) < std::numeric_limits<T>::infinity();
}
template <PwReal T>
TAEDA_VM bool vm_signbit(T x) {
    return std::bit_cast<BitsOf<T>>(x) < 0;
}
// PyTorch's sign of NaN is 0.
template <PwReal T>
TAEDA_VM T vm_sign(T x) {
    return T(x > T(0)) - T(x < T(0));
}
template <PwReal T>
TAEDA_VM T vm_sgn(T x) {
    return vm_sign(x);
}
template <PwReal T>
TAEDA_VM T vm_angle(T x) {
    return x != x ? x : x < T(0) ? T(3.14159265358979323846) : T(0);
}
template <PwReal T>
TAEDA_VM T vm_conj(T x) {
    return x;
}
template <PwReal T>
TAEDA_VM T vm_real(T x) {
    return x;
}
// The one that is not NaN.
template <PwReal T>
TAEDA_VM T vm_fmax(T x, T y) {
    return y != y ? x : x > y ? x : y;
}
template <PwReal T>
TAEDA_VM T vm_fmin(T x, T y) {
    return y != y ? x : x < y ? x : y;
}
template <PwReal T>
TAEDA_VM T vm_logaddexp2(T x, T y) {
    const T larger = vm_max_nan(x, y);
    const T value = larger + vm_log1p(vm_exp2(-vm_abs(x - y))) * T(1.4426950408889634074);
    return x == y && vm_abs(x) == std::numeric_limits<T>::infinity() ? x : value;
}
// x * log(y), where 0 * log(y) is 0 whatever y is, but for NaN.
template <PwReal T>
TAEDA_VM T vm_xlogy(T x, T y) {
    const T value = x * vm_log(y);
    return y != y ? y : x == T(0) ? T(0) : value;
}
template <PwReal T>
TAEDA_VM T vm_xlog1py(T x, T y) {
    const T value = x * vm_log1p(y);
    return y != y ? y : x == T(0) ? T(0) : value;
}
template <PwReal T>
TAEDA_VM T vm_trunc_divide(T x, T y) {
    return vm_trunc(x / y);
}
// Python's modulo: the sign of the divisor.
template <PwReal T>
TAEDA_VM T vm_remainder(T x, T y) {
    T rest = vm_fmod(x, y);
    return (rest != T(0)) & ((rest < T(0)) != (y < T(0))) ? rest + y : rest;
}
// Python's //: from the remainder, because the rounded quotient can be a whole number too high.
template <PwReal T>
TAEDA_VM T vm_floor_divide(T x, T y) {
    const T plain = x / y, rest = vm_fmod(x, y), exact = (x - rest) / y;
    const T quotient = (rest != T(0)) & ((y < T(0)) != (rest < T(0))) ? exact - T(1) : exact;
    const T whole = vm_floor(quotient), nearest = quotient - whole > T(0.5) ? whole + T(1) : whole;
    const T value = quotient == T(0) ? vm_copysign(T(0), plain) : nearest;
    return y == T(0) ? plain : value;
}
template <PwReal T>
inline T vm_nextafter(T x, T y) {
    return std::nextafter(x, y);
}
template <PwReal T>
inline T vm_ten_to(T n) {
    return std::pow(T(10), n);
}
template <PwReal T>
TAEDA_VM std::complex<T> make_complex(T real, T imag) {
    return {real, imag};
}
template <PwReal T>
inline std::complex<T> vm_polar(T abs, T angle) {
    return {abs * std::cos(angle), abs * std::sin(angle)};
}

// ---- integers (Truth stands for bool)

template <PwInteger T>
TAEDA_VM bool vm_isnan(T) {
    return false;
}
template <PwInteger T>
TAEDA_VM bool vm_isinf(T) {
    return false;
}
template <PwInteger T>
TAEDA_VM bool vm_isfinite(T) {
    return true;
}
template <PwInteger T>
TAEDA_VM bool vm_signbit(T x) {
    return x < T(0);
}
template <PwInteger T>
TAEDA_VM T vm_abs(T x) {
    return x < T(0) ? -x : x;
}
template <PwInteger T>
TAEDA_VM T vm_sign(T x) {
    return T(x > T(0)) - T(x < T(0));
}
template <PwInteger T>
TAEDA_VM T vm_sgn(T x) {
    return vm_sign(x);
}
template <PwInteger T>
TAEDA_VM T vm_conj(T x) {
    return x;
}
template <PwInteger T>
TAEDA_VM T vm_floor(T x) {
    return x;
}
template <PwInteger T>
TAEDA_VM T vm_ceil(T x) {
    return x;
}
template <PwInteger T>
TAEDA_VM T vm_trunc(T x) {
    return x;
}
template <PwInteger T>
TAEDA_VM T vm_round_even(T x) {
    return x;
}
template <PwInteger T>
TAEDA_VM T vm_fmax(T x, T y) {
    return x > y ? x : y;
}
template <PwInteger T>
TAEDA_VM T vm_fmin(T x, T y) {
    return x < y ? x : y;
}
template <PwInteger T>
TAEDA_VM T vm_bitwise_not(T x) {
    if constexpr (std::is_same_v<T, Truth>) return !x;
    else return ~x;
}

[[noreturn]] inline void fail_division() { fail(ErrorKind::Runtime, "ZeroDivisionError"); }

// Integers of at most 32 bits have exact quotients by way of a floating-point type twice as wide: vectors have that division.
template <class T>
concept PwNarrow = PwInteger<T> && sizeof(T) <= 4 && !std::is_same_v<T, Truth>;
template <PwNarrow T>
using QuotientOf = std::conditional_t<sizeof(T) == 4, double, float>;

// For loops over those: the divisors are looked through beforehand.
template <class T, class E>
inline void refuse_zero([[maybe_unused]] const E* divisors, [[maybe_unused]] int64_t n) {
    if constexpr (PwNarrow<T>) {
        T zeros = 0;  // as wide as the elements, or the loop is not vectorised
        for (int64_t i = 0; i < n; ++i) zeros |= static_cast<T>(divisors[i] == T(0));
        if (zeros) fail_division();
    }
}
template <PwNarrow T>
TAEDA_VM T vm_trunc_divide(T x, T y) {
    const T quotient = static_cast<T>(static_cast<int32_t>(static_cast<QuotientOf<T>>(x) / static_cast<QuotientOf<T>>(y)));
    return std::is_signed_v<T> && y == T(-1) ? static_cast<T>(0 - static_cast<uint32_t>(x)) : quotient;
}
template <PwNarrow T>
TAEDA_VM T vm_fmod(T x, T y) {
    return static_cast<T>(static_cast<uint32_t>(x) - static_cast<uint32_t>(vm_trunc_divide(x, y)) * static_cast<uint32_t>(y));
}
template <PwNarrow T>
TAEDA_VM T vm_floor_divide(T x, T y) {
    const T quotient = vm_trunc_divide(x, y), rest = vm_fmod(x, y);
    return static_cast<T>(quotient - T((rest != T(0)) & ((rest < T(0)) != (y < T(0)))));
}
template <PwNarrow T>
TAEDA_VM T vm_remainder(T x, T y) {
    const T rest = vm_fmod(x, y);
    return static_cast<T>(rest + ((rest != T(0)) & ((rest < T(0)) != (y < T(0))) ? y : T(0)));
}

// The most negative number divided by -1 overflows, which stops the process: negate instead (it wraps).
template <PwInteger T>
inline T vm_trunc_divide(T x, T y) {
    if (y == T(0)) fail_division();
    if constexpr (std::is_signed_v<T>)
        if (y == T(-1)) return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(x));
    return x / y;
}
template <PwInteger T>
inline T vm_fmod(T x, T y) {
    if (y == T(0)) fail_division();
    if constexpr (std::is_signed_v<T>)
        if (y == T(-1)) return T(0);
    return x % y;
}
// One division gives the quotient and, by a product, the rest.
template <PwInteger T>
inline T vm_floor_divide(T x, T y) {
    using Wrapping = std::make_unsigned_t<T>;  // the most negative number divided by -1 wraps around
    const T quotient = vm_trunc_divide(x, y), rest = static_cast<T>(Wrapping(x) - Wrapping(quotient) * Wrapping(y));
    return quotient - T((rest != T(0)) & ((rest < T(0)) != (y < T(0))));
}
template <PwInteger T>
inline T vm_remainder(T x, T y) {
    const T rest = vm_fmod(x, y);
    return rest + ((rest != T(0)) & ((rest < T(0)) != (y < T(0))) ? y : T(0));
}
// By repeated squaring, wrapping around like all integer arithmetic. A negative power is 0, except of 1 and -1.
template <PwInteger T>
inline T vm_pow(T x, T y) {
    if constexpr (std::is_signed_v<T>)
        if (y < T(0)) return x == T(1) ? T(1) : x == T(-1) ? (y & 1 ? T(-1) : T(1)) : T(0);
    std::make_unsigned_t<T> result = 1, base = static_cast<std::make_unsigned_t<T>>(x);
    for (auto rest = static_cast<std::make_unsigned_t<T>>(y); rest; rest >>= 1, base *= base)
        if (rest & 1) result *= base;
    return static_cast<T>(result);
}
template <PwInteger T>
inline T vm_gcd(T x, T y) {
    while (y != T(0)) {
        T rest = y == T(-1) ? T(0) : x % y;
        x = y;
        y = rest;
    }
    return x < T(0) ? -x : x;
}
template <PwInteger T>
inline T vm_lcm(T x, T y) {
    T divisor = vm_gcd(x, y);
    return divisor == T(0) ? T(0) : vm_abs(x / divisor * y);
}
// Shifts by a negative number or by too many bits are undefined in C++: they push every bit out.
template <PwInteger T>
TAEDA_VM T vm_left_shift(T x, T y) {
    const bool inside = y >= T(0) && y < T(8 * sizeof(T));
    return inside ? static_cast<T>(static_cast<std::make_unsigned_t<T>>(x) << (inside ? y : T(0))) : T(0);
}
template <PwInteger T>
TAEDA_VM T vm_right_shift(T x, T y) {
    const T last = T(8 * sizeof(T) - 1);
    const bool inside = y >= T(0) && y < T(8 * sizeof(T));
    const T shifted = x >> (inside ? y : last);
    return inside || std::is_signed_v<T> ? shifted : T(0);
}

// A power with one exponent throughout (a number, repeated) takes a cheaper loop.
template <class T>
inline constexpr bool kHasSpecial = PwReal<T>;
template <class R>
inline constexpr bool kHasSpecial<std::complex<R>> = true;

// Whether all elements are `value`.
template <class T>
inline bool all_equal(const T* values, int64_t n, double value) {
    const T wanted = static_cast<T>(value);
    if (static_cast<double>(wanted) != value) return false;
    if (n == 0 || values[0] != wanted || values[n - 1] != wanted) return false;
    BitsOf<T> differ = 0;  // as wide as the elements, or the loop is not vectorised
    for (int64_t i = 0; i < n; ++i) differ |= static_cast<BitsOf<T>>(values[i] != wanted);
    return differ == 0;
}
template <class R>
inline bool all_equal(const std::complex<R>* values, int64_t n, double value) {
    const std::complex<R> wanted(static_cast<R>(value));
    int64_t same = 0;
    while (same < n && values[same] == wanted) ++same;
    return same == n;
}

}  // namespace taeda::cpu::TAEDA_ISA
