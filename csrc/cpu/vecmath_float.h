// Functions of float, <= 2 ulp over the whole range. Some go through double where that is still fast and float is not enough.
#pragma once

#include "cpu/vecmath_base.h"
#include "cpu/vecmath_double.h"
#include "cpu/vecmath_trig_table.h"

namespace taeda::cpu::TAEDA_ISA {

inline constexpr float kLn2HighF = 0.693359375f, kLn2LowF = -2.12194440e-4f;

// ---- exponentials

TAEDA_VM float power_of_two(int32_t n) { return std::bit_cast<float>((n + 127) << 23); }

// p * 2^n in two steps, so that a subnormal result is rounded once and a large one overflows to infinity.
TAEDA_VM float scale(float p, int32_t n) {
    int32_t half = n >> 1;
    return p * power_of_two(half) * power_of_two(n - half);
}

// exp(x) * 2^shift
TAEDA_VM float exp_shifted(float x, int32_t shift) {
    float c = x > 91.0f ? 91.0f : x;
    c = c < -104.0f ? -104.0f : c;
    float rounded = c * 1.44269504f + kRoundF, n = rounded - kRoundF;
    float r = (c - n * kLn2HighF) - n * kLn2LowF;
    float q = polynomial(r, 4.99999935e-1f, 1.66665207e-1f, 4.16683869e-2f, 8.36870968e-3f, 1.38146417e-3f);
    int32_t exponent = (std::bit_cast<int32_t>(rounded) - std::bit_cast<int32_t>(kRoundF)) + shift;
    return scale(1.0f + (r + r * r * q), exponent);
}
TAEDA_VM float vm_exp(float x) { return exp_shifted(x, 0); }

// 127 more than the integer to which it rounds lies in the low bits of a sum with this: shifted up, the float 2^n.
inline constexpr float kRoundBiasedF = kRoundF + 127.0f;
TAEDA_VM float shifted_power(float rounded) { return std::bit_cast<float>(std::bit_cast<int32_t>(rounded) << 23); }

// exp(x) for x <= 88, with zero instead of the subnormal results: the weights of a softmax, two thirds of the cost of vm_exp.
TAEDA_VM float vm_exp_below(float x) {
    float c = x < -88.0f ? -88.0f : x;  // there the power of two is zero
    float rounded = c * 1.44269504f + kRoundBiasedF, n = rounded - kRoundBiasedF;
    float r = (c - n * kLn2HighF) - n * kLn2LowF;
    float q = polynomial(r, 4.99999935e-1f, 1.66665207e-1f, 4.16683869e-2f, 8.36870968e-3f, 1.38146417e-3f);
    return (1.0f + (r + r * r * q)) * shifted_power(rounded);
}

TAEDA_VM float vm_exp2(float x) {
    float c = x > 129.0f ? 129.0f : x;
    c = c < -151.0f ? -151.0f : c;
    float rounded = c + kRoundF, r = c - (rounded - kRoundF);
    float q = polynomial(r, 6.93147208e-1f, 2.40226507e-1f, 5.55032517e-2f, 9.6180974e-3f, 1.34012386e-3f, 1.54453577e-4f);
    return scale(1.0f + r * q, std::bit_cast<int32_t>(rounded) - std::bit_cast<int32_t>(kRoundF));
}

TAEDA_VM float vm_expm1(float x) {
    float c = x > 89.0f ? 89.0f : x;
    c = c < -18.0f ? -18.0f : c;
    float rounded = c * 1.44269504f + kRoundF, n = rounded - kRoundF;
    float r = (c - n * kLn2HighF) - n * kLn2LowF;
    float q = polynomial(r, 1.66666668e-1f, 4.1666482e-2f, 8.33328194e-3f, 1.39333081e-3f, 1.99098085e-4f);
    float p = r + r * r * (0.5f + r * q);
    // 2^n * p + (2^n - 1) with half of 2^n, which is finite where the result is.
    float half = power_of_two(std::bit_cast<int32_t>(rounded) - std::bit_cast<int32_t>(kRoundF) - 1);
    float value = 2.0f * (p * half + (half - 0.5f));
    return vm_abs(x) < 1e-8f ? x : value;
}

// ---- logarithms

// x = 2^exponent * (1 + fraction) with sqrt(1/2) <= 1 + fraction < sqrt(2); x positive and normal.
struct SplitFloat {
    int32_t exponent;
    float fraction;
};
TAEDA_VM SplitFloat split(float x) {
    constexpr int32_t kSqrtHalf = 0x3f3504f3, kFraction = 0x007fffff;
    int32_t bits = std::bit_cast<int32_t>(x) - kSqrtHalf;
    return {bits >> 23, std::bit_cast<float>((bits & kFraction) + kSqrtHalf) - 1.0f};
}
TAEDA_VM SplitFloat split_any(float x) {
    bool subnormal = x < 0x1p-126f;
    SplitFloat parts = split(subnormal ? x * 0x1p23f : x);
    parts.exponent -= subnormal ? 23 : 0;
    return parts;
}

// log(1 + f) - f + f * f / 2
TAEDA_VM float log_rest(float f) {
    return f * f * f *
           polynomial(f, 3.33333104e-1f, -2.49999866e-1f, 2.00022264e-1f, -1.66692508e-1f, 1.42186613e-1f, -1.23843507e-1f, 1.18729567e-1f,
                      -1.17897913e-1f, 6.91539275e-2f);
}

TAEDA_VM float log_edges(float x, float value) {
    float edge = x == 0.0f ? -kInfinityF : kNanF;
    float finite = x == kInfinityF ? x : value;
    return x > 0.0f ? finite : edge;
}

TAEDA_VM float log_sum(float f, float exponent) {
    float y = (log_rest(f) + exponent * kLn2LowF) - 0.5f * (f * f);
    return (f + y) + exponent * kLn2HighF;
}

TAEDA_VM float vm_log(float x) {
    SplitFloat parts = split_any(x);
    return log_edges(x, log_sum(parts.fraction, static_cast<float>(parts.exponent)));
}

TAEDA_VM float vm_log2(float x) {
    SplitFloat parts = split_any(x);
    float f = parts.fraction, y = log_rest(f) - 0.5f * (f * f);
    // log2(e) is 1 and a remainder: the largest term is not multiplied, so not rounded.
    float value = ((y * 0.442695041f + f * 0.442695041f) + y) + f;
    return log_edges(x, value + static_cast<float>(parts.exponent));
}

TAEDA_VM float vm_log10(float x) {
    SplitFloat parts = split_any(x);
    float f = parts.fraction, y = log_rest(f) - 0.5f * (f * f), e = static_cast<float>(parts.exponent);
    // log10(e) = 7/16 - 0.00320552: the product with 7/16 loses next to nothing.
    float value = f * 0.4375f + (f * -3.20551810e-3f + (y * 0.434294482f + e * 4.60503898e-6f));
    return log_edges(x, e * 0.301025390625f + value);
}

TAEDA_VM float vm_log1p(float x) {
    float u = 1.0f + x;
    float lost = x >= 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);  // what the sum rounded away
    SplitFloat parts = split(u);
    int32_t e = parts.exponent > 100 ? 100 : parts.exponent;  // beyond, nothing that counts was lost
    float value = log_sum(parts.fraction + lost * power_of_two(-e), static_cast<float>(parts.exponent));
    float edge = x == -1.0f ? -kInfinityF : kNanF;
    value = x > -1.0f ? value : edge;
    value = x == kInfinityF ? x : value;
    return vm_abs(x) < 2e-8f ? x : value;
}

// ---- powers

TAEDA_VM float vm_pow(float x, float y) {
    double base = vm_abs(static_cast<double>(x)), exponent = y;
    double log = quick_log2(base);  // every float but zero is a normal double
    log = base == 0.0 ? -kInfinity : log;
    log = base == kInfinity ? kInfinity : log;
    double t = base == 1.0 ? 0.0 : exponent * log;
    t = t > 200.0 ? 200.0 : t;
    t = t < -200.0 ? -200.0 : t;
    float magnitude = static_cast<float>(quick_exp2(t));
    bool whole = vm_round_even(y) == y, odd = whole & (vm_round_even(0.5f * y) != 0.5f * y);
    float value = odd ? vm_copysign(magnitude, x) : magnitude;
    value = (x < 0.0f) & !whole & (base != kInfinity) ? kNanF : value;
    value = (x != x) | (y != y) ? kNanF : value;
    return (x == 1.0f) | (y == 0.0f) ? 1.0f : value;
}

TAEDA_VM float vm_cbrt(float x) {
    double a = vm_abs(static_cast<double>(x));
    float root = static_cast<float>(quick_exp2(quick_log2(a) * (1.0 / 3.0)));
    bool itself = (x == 0.0f) | !(a < kInfinity);  // zeros, infinities, NaN
    return itself ? x : vm_copysign(root, x);
}

TAEDA_VM float vm_hypot(float x, float y) {
    double a = x, b = y;
    float value = static_cast<float>(vm_sqrt(a * a + b * b));
    return (vm_abs(x) == kInfinityF) | (vm_abs(y) == kInfinityF) ? kInfinityF : value;
}

// The exact remainder with the sign of x. A quotient below 2^28 times a float is exact in double; only larger ones (and
// those that are no number) need the C library's long division.
inline constexpr double kNearQuotient = 268435456.0;
TAEDA_VM double fmod_quotient(float x, float y) { return vm_trunc(vm_abs(static_cast<double>(x)) / vm_abs(static_cast<double>(y))); }
TAEDA_VM float fmod_rest(float x, float y, double quotient) {
    double a = vm_abs(static_cast<double>(x)), b = vm_abs(static_cast<double>(y));
    double rest = a - quotient * b;
    rest = rest < 0.0 ? rest + b : rest;  // the division had rounded up to an integer
    return vm_copysign(static_cast<float>(y - y == 0.0f ? rest : a), x);
}
inline float fmod_any(float x, float y) {
    const double quotient = fmod_quotient(x, y);
    return quotient < kNearQuotient ? fmod_rest(x, y, quotient) : std::fmod(x, y);
}

// ---- trigonometric functions

// x = (quadrant + rest) * pi / 2 with a rest of at most 1/2 and a quadrant in -2 ... 2.
struct Angle {
    double quadrant, rest;
};
TAEDA_VM Angle reduce_turn(double high, double low) {
    double n = ((high + low) + kRound) - kRound;
    double quarter = (n * 0.25 + kRound) - kRound;
    return {n - 4.0 * quarter, (high - n) + low};
}

// Any finite float: its 24 bits as an integer, times the power of two's own part of a turn out of a table.
TAEDA_VM Angle reduce(float x) {
    int32_t bits = std::bit_cast<int32_t>(x), field = (bits >> 23) & 0xff;
    int32_t whole = (bits & 0x007fffff) | (field == 0 ? 0 : 0x00800000);
    double m = static_cast<double>(bits < 0 ? -whole : whole);
    return reduce_turn(m * kQuadrantUnitHigh[field], m * kQuadrantUnitLow[field]);
}
// |x| < 2^23, without the table.
TAEDA_VM Angle reduce_bounded(float x) {
    double a = x, n = (a * 0.63661977236758134 + kRound) - kRound;
    double r = (a - n * 0x1.921fb54p+0) - n * 0x1.10b4611a62633p-30;
    double quarter = (n * 0.25 + kRound) - kRound;
    return {n - 4.0 * quarter, r * 0.63661977236758134};
}

inline constexpr float kTrigBound = 8388608.0f;

TAEDA_VM float sine_polynomial(float r) {
    float z = r * r;
    return r + r * z * polynomial(z, -1.66666549e-1f, 8.33217791e-3f, -1.95172665e-4f);
}
TAEDA_VM float cosine_polynomial(float r) {
    float z = r * r;
    return (1.0f - 0.5f * z) + z * z * polynomial(z, 4.16666469e-2f, -1.38873673e-3f, 2.44384278e-5f);
}

TAEDA_VM float sin_of(Angle angle, float x) {
    float r = static_cast<float>(angle.rest * 1.5707963267948966), q = static_cast<float>(angle.quadrant);
    float value = vm_abs(q) == 1.0f ? cosine_polynomial(r) : sine_polynomial(r);
    value = (q == -1.0f) | (vm_abs(q) == 2.0f) ? -value : value;
    value = x == 0.0f ? x : value;  // keeps the sign of -0
    return vm_abs(x) < kInfinityF ? value : kNanF;
}
TAEDA_VM float cos_of(Angle angle, float x) {
    float r = static_cast<float>(angle.rest * 1.5707963267948966), q = static_cast<float>(angle.quadrant);
    float value = vm_abs(q) == 1.0f ? sine_polynomial(r) : cosine_polynomial(r);
    value = (q == 1.0f) | (vm_abs(q) == 2.0f) ? -value : value;
    return vm_abs(x) < kInfinityF ? value : kNanF;
}
TAEDA_VM float tan_of(Angle angle, float x) {
    double r = angle.rest * 1.5707963267948966, z = r * r;
    double t = r + r * z *
                       polynomial(z, 3.3333333478427563e-1, 1.3333324155334537e-1, 5.3970248428267763e-2, 2.1848331997501367e-2,
                                  8.9892639098270929e-3, 3.1442444227038141e-3, 2.4151676175145396e-3, -5.944725038008784e-4, 9.5892745585288653e-4);
    bool odd = vm_abs(angle.quadrant) == 1.0;
    float value = static_cast<float>((odd ? -1.0 : t) / (odd ? t : 1.0));
    value = x == 0.0f ? x : value;
    return vm_abs(x) < kInfinityF ? value : kNanF;
}

TAEDA_VM float vm_sin_any(float x) { return sin_of(reduce(x), x); }
TAEDA_VM float vm_cos_any(float x) { return cos_of(reduce(x), x); }
TAEDA_VM float vm_tan_any(float x) { return tan_of(reduce(x), x); }
// For |x| < kTrigBound.
TAEDA_VM float vm_sin_bounded(float x) { return sin_of(reduce_bounded(x), x); }
TAEDA_VM float vm_cos_bounded(float x) { return cos_of(reduce_bounded(x), x); }
TAEDA_VM float vm_tan_bounded(float x) { return tan_of(reduce_bounded(x), x); }

#if defined(__FMA__)
// |x| < 2^15, all in float: with fused products the first difference is exact and the others round once.
inline constexpr float kTrigNear = 32768.0f;

struct NearAngle {
    int32_t quadrant;
    float rest;
};
TAEDA_VM NearAngle reduce_near(float x) {
    float rounded = __builtin_fmaf(x, 0.636619772f, kRoundF), n = rounded - kRoundF;
    float r = __builtin_fmaf(n, -0x1.921fb6p+0f, x);
    r = __builtin_fmaf(n, 0x1.777a5cp-25f, r);
    return {std::bit_cast<int32_t>(rounded), __builtin_fmaf(n, 0x1.ee59dap-50f, r)};
}
TAEDA_VM float flip_sign(float x, int32_t bit) { return std::bit_cast<float>(std::bit_cast<int32_t>(x) ^ (bit << 31)); }

TAEDA_VM float vm_sin_near(float x) {
    NearAngle angle = reduce_near(x);
    float value = angle.quadrant & 1 ? cosine_polynomial(angle.rest) : sine_polynomial(angle.rest);
    value = flip_sign(value, (angle.quadrant >> 1) & 1);
    return x == 0.0f ? x : value;
}
TAEDA_VM float vm_cos_near(float x) {
    NearAngle angle = reduce_near(x);
    float value = angle.quadrant & 1 ? sine_polynomial(angle.rest) : cosine_polynomial(angle.rest);
    return flip_sign(value, ((angle.quadrant + 1) >> 1) & 1);
}
#endif

// Note [Vector functions]: the table of vm_sin_any keeps gcc from vectorising, and few programs need it. So a loop calls
// an ordinary function for which gcc knows that vector forms exist (the vector function ABI's names); these look whether
// any of their elements is far out and take the table only then. So does the remainder, with the long division. They are defined in
// vecmath_trig_isa.cpp.
#if defined(TAEDA_X86)
extern "C" {
TAEDA_VECTOR_FUNCTION float taeda_sin_float(float x);
TAEDA_VECTOR_FUNCTION float taeda_cos_float(float x);
TAEDA_VECTOR_FUNCTION float taeda_tan_float(float x);
TAEDA_VECTOR_FUNCTION float taeda_fmod_float(float x, float y);
}
TAEDA_VM float vm_sin(float x) { return taeda_sin_float(x); }
TAEDA_VM float vm_cos(float x) { return taeda_cos_float(x); }
TAEDA_VM float vm_tan(float x) { return taeda_tan_float(x); }
TAEDA_VM float vm_fmod(float x, float y) { return taeda_fmod_float(x, y); }
#else
TAEDA_VM float vm_sin(float x) { return vm_sin_any(x); }
TAEDA_VM float vm_cos(float x) { return vm_cos_any(x); }
TAEDA_VM float vm_tan(float x) { return vm_tan_any(x); }
TAEDA_VM float vm_fmod(float x, float y) { return fmod_any(x, y); }
#endif

// asin(s) - s for s * s = z <= 1/4
TAEDA_VM float asin_rest(float s, float z) {
    return s * z * polynomial(z, 1.66667539e-1f, 7.495242e-2f, 4.54770626e-2f, 2.41477906e-2f, 4.22182489e-2f);
}

TAEDA_VM float vm_asin(float x) {
    return asin_by(x, [](float s, float z) { return asin_rest(s, z); });
}
TAEDA_VM float vm_acos(float x) {
    return acos_by(x, [](float s, float z) { return asin_rest(s, z); });
}

TAEDA_VM float vm_atan(float x) {
    float a = vm_abs(x);
    bool large = a > 2.41421356f, middle = a > 0.414213562f;
    float top = middle ? a - 1.0f : a, bottom = middle ? a + 1.0f : 1.0f;
    float t = (large ? -1.0f : top) / (large ? a : bottom), z = t * t;
    float base = middle ? 0.5f * kHalfPi<float> : 0.0f, base_low = middle ? 0.5f * kHalfPiLow<float> : 0.0f;
    base = large ? kHalfPi<float> : base;
    base_low = large ? kHalfPiLow<float> : base_low;
    float rest = t * z * polynomial(z, -3.33329551e-1f, 1.99779188e-1f, -1.38797684e-1f, 8.06003289e-2f) + base_low;
    return vm_copysign(base + (t + rest), x);
}

TAEDA_VM float vm_atan2(float y, float x) {
    double a = vm_abs(static_cast<double>(x)), b = vm_abs(static_cast<double>(y));
    bool steep = b > a;
    double large = steep ? b : a, small = steep ? a : b;
    double q = small / (large == 0.0 ? 1.0 : large);
    q = small == kInfinity ? 1.0 : q;
    double z = q * q;
    double angle = q + q * z *
                           polynomial(z, -3.3333333130227367e-1, 1.999998533310177e-1, -1.4285343334735305e-1, 1.1106369520033512e-1,
                                      -9.0549521300873824e-2, 7.5153745642081587e-2, -6.0686689945812393e-2, 4.4366659587587499e-2,
                                      -2.674569793726621e-2, 1.1910871920023392e-2, -3.3771741598324448e-3, 4.4918571873170608e-4);
    angle = steep ? 1.5707963267948966 - angle : angle;
    angle = vm_copysign(1.0f, x) < 0.0f ? 3.1415926535897931 - angle : angle;
    float value = vm_copysign(static_cast<float>(angle), y);
    return (x != x) | (y != y) ? kNanF : value;
}

// ---- hyperbolic functions

TAEDA_VM float vm_sinh(float x) {
    float a = vm_abs(x), z = a * a;
    float small = a + a * z * polynomial(z, 1.66666665e-1f, 8.3333506e-3f, 1.98360665e-4f, 2.81743833e-6f);
    float half = exp_shifted(a, -1);
    return vm_copysign(a < 1.0f ? small : half - 0.25f / half, x);
}
TAEDA_VM float vm_cosh(float x) {
    float half = exp_shifted(vm_abs(x), -1);
    return half + 0.25f / half;
}
// expm1(2a) / (expm1(2a) + 2). Small arguments have a series of their own: there, three roundings are too many.
TAEDA_VM float vm_tanh(float x) {
    float a = vm_abs(x), z = a * a;
    float small = a + a * z * polynomial(z, -3.33330629e-1f, 1.33149076e-1f, -5.03722584e-2f);
    float twice = 2.0f * (a > 9.1f ? 9.1f : a);  // where it rounds to 1
    float rounded = twice * 1.44269504f + kRoundBiasedF, n = rounded - kRoundBiasedF;
    float r = (twice - n * kLn2HighF) - n * kLn2LowF;
    float q = polynomial(r, 4.99999935e-1f, 1.66665207e-1f, 4.16683869e-2f, 8.36870968e-3f, 1.38146417e-3f);
    float power = shifted_power(rounded), rest = power * (r + r * r * q) + (power - 1.0f);
    return vm_copysign(a < 0.3f ? small : rest / (rest + 2.0f), x);
}

inline constexpr double kLn2 = 0.69314718055994531;

TAEDA_VM float vm_asinh(float x) {
    double a = vm_abs(static_cast<double>(x));
    float s = vm_abs(x), z = s * s;
    float small = s + s * z * polynomial(z, -1.66666653e-1f, 7.49989033e-2f, -4.46134431e-2f, 3.00145024e-2f, -1.99856421e-2f, 9.17539405e-3f);
    float large = static_cast<float>(quick_log2(a + vm_sqrt(a * a + 1.0)) * kLn2);
    float value = s < 0.5f ? small : large;
    return s < kInfinityF ? vm_copysign(value, x) : x;
}
TAEDA_VM float vm_acosh(float x) {
    double a = x;
    float value = static_cast<float>(quick_log2(a + vm_sqrt(a * a - 1.0)) * kLn2);
    value = x == kInfinityF ? x : value;
    return x >= 1.0f ? value : kNanF;
}
TAEDA_VM float vm_atanh(float x) {
    double a = vm_abs(static_cast<double>(x));
    float s = vm_abs(x), z = s * s;
    float small = s + s * z * polynomial(z, 3.33332988e-1f, 2.00025875e-1f, 1.42214903e-1f, 1.18339318e-1f, 5.09866209e-2f, 1.77194908e-1f);
    float large = static_cast<float>(quick_log2((1.0 + a) / (1.0 - a)) * (0.5 * kLn2));
    float value = s < 0.5f ? small : large;
    value = s == 1.0f ? kInfinityF : value;
    return s <= 1.0f ? vm_copysign(value, x) : kNanF;
}

// ---- error functions

TAEDA_VM float vm_erf(float x) {
    float a = vm_abs(x), z = a * a;
    float small =
        a + a * polynomial(z, 1.28379167e-1f, -3.76126343e-1f, 1.12837033e-1f, -2.6859799e-2f, 5.20196078e-3f, -8.15263064e-4f, 8.40992136e-5f);
    float c = a > 3.95f ? 3.95f : a;  // where it rounds to 1
    float log = polynomial(c, -1.6307724e-4f, 1.12944863f, 6.33509658e-1f, 1.08055993e-1f, -2.49302824e-2f, 4.07092717e-3f, -4.02011111e-4f,
                           1.52124487e-5f, 4.56469567e-7f);
    float large = 1.0f - exp_shifted(-log, 0);
    return vm_copysign(a < 0.92f ? small : large, x);
}

// exp(-x^2) * p(t) / (x + 3) with t = (x - 3) / (x + 3)
TAEDA_VM float vm_erfc(float x) {
    double a = vm_abs(static_cast<double>(x));
    a = a > 10.5 ? 10.5 : a;  // beyond, zero even as a subnormal number
    double inverse = 1.0 / (a + 3.0), t = 1.0 - 6.0 * inverse;
    double scaled = polynomial(t, 1.0740069079857914, -8.8339449044531457e-1, 5.9022827879886323e-1, -3.1046589541985829e-1, 1.1952938910613005e-1,
                               -2.6840519754842172e-2, -1.2282899691992796e-3, 3.0810362076674349e-3, -4.7966456512444152e-4, -3.2350195379316088e-4);
    double power = a * a * -kLog2E, rounded = power + kRound, r = power - (rounded - kRound);
    double value = power_of_two(rounded) *
                   polynomial(r, 1.0000000005548684, 6.9314720574021198e-1, 2.4022646889073313e-1, 5.5503287737718429e-2, 9.6184890685433242e-3,
                              1.339993210146075e-3, 1.5345788418019076e-4) *
                   (scaled * inverse);
    return static_cast<float>(x < 0.0f ? 2.0 - value : value);
}

}  // namespace taeda::cpu::TAEDA_ISA
