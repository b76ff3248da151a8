// Element types, their sizes and names, half-precision conversions, and PyTorch's promotion lattice.
#pragma once

#include <bit>
#include <complex>
#include <cstdint>
#include <cstring>

#include "base/error.h"

namespace taeda {

enum class DType : uint8_t {
    Bool,
    UInt8,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    BFloat16,
    Float32,
    Float64,
    Complex64,
    Complex128,
};
inline constexpr int kDTypeCount = 15;

struct Half {
    uint16_t bits;
};
struct BFloat16 {
    uint16_t bits;
};

// The compiler's own half, where it has one. (GCC 12 has no _Float16 in C++ on aarch64, but defines its macros.)
#if defined(__aarch64__)
#define TAEDA_NATIVE_HALF
using NativeHalf = __fp16;
#elif defined(__FLT16_MANT_DIG__)
#define TAEDA_NATIVE_HALF
using NativeHalf = _Float16;
#endif

inline float to_float(BFloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
inline BFloat16 to_bfloat16(float x) {
    uint32_t bits = std::bit_cast<uint32_t>(x);
    // NaN must stay NaN: rounding could carry its payload into the exponent.
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return {static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded)};
}
inline float to_float(Half x) {
#ifdef TAEDA_NATIVE_HALF
    return static_cast<float>(std::bit_cast<NativeHalf>(x.bits));
#else
    uint32_t sign = (x.bits & 0x8000u) << 16, exponent = (x.bits >> 10) & 31u, fraction = x.bits & 0x3ffu;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
    if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
    float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // subnormal or zero
    return sign ? -magnitude : magnitude;
#endif
}
inline Half to_half(float x) {
#ifdef TAEDA_NATIVE_HALF
    return {std::bit_cast<uint16_t>(static_cast<NativeHalf>(x))};
#else
    uint32_t bits = std::bit_cast<uint32_t>(x), sign = (bits >> 16) & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00u)};
    if (rest >= 0x477ff000u) return {static_cast<uint16_t>(sign | 0x7c00u)};  // rounds to infinity
    if (rest < 0x38800000u) {                                                 // subnormal: let the FPU round against the spacing of 2^-24
        float shifted = std::bit_cast<float>(rest) + 0.5f;
        return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u))};
    }
    uint32_t odd = (rest >> 13) & 1u;
    return {static_cast<uint16_t>(sign | ((rest + 0xc8000fffu + odd) >> 13))};
#endif
}

template <DType>
struct CType;
template <class>
struct DTypeOf;
// clang-format off: it does not settle on a layout for this list
#define TAEDA_FOR_DTYPES(_)                                                                                     \
    _(Bool, bool) _(UInt8, uint8_t) _(Int8, int8_t) _(Int16, int16_t) _(Int32, int32_t) _(Int64, int64_t)        \
    _(UInt16, uint16_t) _(UInt32, uint32_t) _(UInt64, uint64_t) _(Float16, ::taeda::Half)                       \
    _(BFloat16, ::taeda::BFloat16) _(Float32, float) _(Float64, double) _(Complex64, std::complex<float>)        \
    _(Complex128, std::complex<double>)
// clang-format on
#define TAEDA_MAP(name, type)                       \
    template <>                                     \
    struct CType<DType::name> {                     \
        using t = type;                             \
    };                                              \
    template <>                                     \
    struct DTypeOf<type> {                          \
        static constexpr DType value = DType::name; \
    };
TAEDA_FOR_DTYPES(TAEDA_MAP)
#undef TAEDA_MAP

inline constexpr uint8_t kItemSize[kDTypeCount] = {1, 1, 1, 2, 4, 8, 2, 4, 8, 2, 2, 4, 8, 8, 16};
inline constexpr const char* kDTypeNames[kDTypeCount] = {"bool",   "uint8",   "int8",     "int16",   "int32",   "int64",     "uint16",    "uint32",
                                                         "uint64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"};
// PyTorch's names in error messages ("Float", "Long", ...): programs match on them.
inline constexpr const char* kScalarTypeNames[kDTypeCount] = {"Bool",     "Byte",   "Char",   "Short",        "Int",
                                                              "Long",     "UInt16", "UInt32", "UInt64",       "Half",
                                                              "BFloat16", "Float",  "Double", "ComplexFloat", "ComplexDouble"};

constexpr size_t item_size(DType t) { return kItemSize[static_cast<int>(t)]; }
constexpr const char* dtype_name(DType t) { return kDTypeNames[static_cast<int>(t)]; }
constexpr const char* scalar_type_name(DType t) { return kScalarTypeNames[static_cast<int>(t)]; }
constexpr bool is_bool(DType t) { return t == DType::Bool; }
constexpr bool is_complex(DType t) { return t >= DType::Complex64; }
constexpr bool is_floating(DType t) { return t >= DType::Float16 && t <= DType::Float64; }
constexpr bool is_inexact(DType t) { return t >= DType::Float16; }
constexpr bool is_integral(DType t, bool include_bool = true) { return t < DType::Float16 && (include_bool || t != DType::Bool); }
constexpr bool is_unsigned(DType t) { return t == DType::UInt8 || (t >= DType::UInt16 && t <= DType::UInt64); }
constexpr bool is_reduced_float(DType t) { return t == DType::Float16 || t == DType::BFloat16; }

// The real type of a complex one's parts (others: themselves), and back.
constexpr DType real_of(DType t) { return t == DType::Complex64 ? DType::Float32 : t == DType::Complex128 ? DType::Float64 : t; }
constexpr DType complex_of(DType t) { return t == DType::Float64 || t == DType::Complex128 ? DType::Complex128 : DType::Complex64; }

DType promote(DType a, DType b);  // PyTorch's torch.promote_types

// The global default of torch.set_default_dtype: one of the floating types.
DType default_dtype();
void set_default_dtype(DType t);

// Call `f` with a value-less tag of the C++ type that stores `t`: visit_dtype(t, [&]<class T>(Tag<T>) { ... });
template <class T>
struct Tag {
    using type = T;
};
template <class F>
decltype(auto) visit_dtype(DType t, F&& f) {
    switch (t) {
#define TAEDA_CASE(name, type) \
    case DType::name: return f(Tag<type>{});
        TAEDA_FOR_DTYPES(TAEDA_CASE)
#undef TAEDA_CASE
    }
    fail(ErrorKind::Runtime, "unknown dtype");
}

// The type that arithmetic is done in: half types compute in float, everything else in itself.
template <class T>
struct ComputeOf {
    using t = T;
};
template <>
struct ComputeOf<Half> {
    using t = float;
};
template <>
struct ComputeOf<BFloat16> {
    using t = float;
};
template <class T>
using compute_t = typename ComputeOf<T>::t;
// The type that sums are kept in: double for double, float for half types and float, int64 for integers.
template <class T>
struct AccumulateOf {
    using t = int64_t;
};
template <>
struct AccumulateOf<Half> {
    using t = float;
};
template <>
struct AccumulateOf<BFloat16> {
    using t = float;
};
template <>
struct AccumulateOf<float> {
    using t = float;
};
template <>
struct AccumulateOf<double> {
    using t = double;
};
template <>
struct AccumulateOf<std::complex<float>> {
    using t = std::complex<float>;
};
template <>
struct AccumulateOf<std::complex<double>> {
    using t = std::complex<double>;
};
template <class T>
using accumulate_t = typename AccumulateOf<T>::t;

template <class T>
inline constexpr bool is_complex_v = false;
template <>
inline constexpr bool is_complex_v<std::complex<float>> = true;
template <>
inline constexpr bool is_complex_v<std::complex<double>> = true;
template <class T>
inline constexpr bool is_half_v = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;
template <class T>
inline constexpr bool is_floating_v = std::is_floating_point_v<T> || is_half_v<T>;

// Conversion between any two element types with C semantics (complex to real keeps the real part; to bool: != 0).
template <class To, class From>
inline To convert(From x) {
    if constexpr (std::is_same_v<To, From>) return x;
    else if constexpr (is_half_v<From>) return convert<To>(to_float(x));
    else if constexpr (std::is_same_v<To, Half>) {
        if constexpr (is_complex_v<From>) return to_half(static_cast<float>(x.real()));
        else return to_half(static_cast<float>(x));
    } else if constexpr (std::is_same_v<To, BFloat16>) {
        if constexpr (is_complex_v<From>) return to_bfloat16(static_cast<float>(x.real()));
        else return to_bfloat16(static_cast<float>(x));
    } else if constexpr (std::is_same_v<To, bool>) {
        return x != From(0);
    } else if constexpr (is_complex_v<To>) {
        using R = typename To::value_type;
        if constexpr (is_complex_v<From>) return To(static_cast<R>(x.real()), static_cast<R>(x.imag()));
        else return To(static_cast<R>(x), R(0));
    } else if constexpr (is_complex_v<From>) {
        return convert<To>(x.real());
    } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
        // Out of range is undefined in C++: go through int64 (uint64: its upper half apart), as x86 does.
        if constexpr (std::is_same_v<To, uint64_t>)
            return x >= From(9223372036854775808.0) ? static_cast<uint64_t>(static_cast<int64_t>(x - From(9223372036854775808.0))) ^ (1ull << 63)
                                                    : static_cast<uint64_t>(static_cast<int64_t>(x));
        else return static_cast<To>(static_cast<int64_t>(x));
    } else {
        return static_cast<To>(x);
    }
}

}  // namespace taeda
