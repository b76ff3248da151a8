// Functions of double that loops call instead of containing them: they are long, and few loops are worth their compilation.
// Tangent, the inverse functions, the complement of erf, powers, roots of sums of squares and remainders; <= 3 ulp.
#pragma once

#include "cpu/vecmath_double.h"

namespace taeda::cpu::TAEDA_ISA {

// ---- tangent

// |x| < kTrigBoundDouble
TAEDA_VM double vm_tan_bounded(double x) {
    double rounded = x * 0.63661977236758134 + kRound;
    RestDouble angle = reduce_bounded(x, (rounded - kRound) * 0.5);
    double r = angle.rest, z = r * r, half = 0.5 * z, main = 1.0 - half;
    double p = polynomial(z, -1.6666666666666632e-1, 8.3333333333224193e-3, -1.9841269829812377e-4, 2.7557313693546521e-6, -2.5050758377945793e-8,
                          1.5896811335168214e-10);
    double q = polynomial(z, 4.16666666666666e-2, -1.3888888888874131e-3, 2.4801587289487104e-5, -2.7557314353808644e-7, 2.0875723480723759e-9,
                          -1.1359658884870744e-11);
    double sine = r + (angle.low + z * (r * p - 0.5 * angle.low));
    double cosine = main + (((1.0 - main) - half) + (z * z * q - r * angle.low));
    bool odd = std::bit_cast<uint64_t>(rounded) & 1;
    double value = (odd ? -cosine : sine) / (odd ? sine : cosine);
    return x == 0.0 ? x : value;  // keeps the sign of -0
}
inline double vm_tan_any(double x) { return vm_abs(x) < kTrigBoundDouble ? vm_tan_bounded(x) : std::tan(x); }

// ---- inverse trigonometric functions

// asin(s) - s for s * s = z <= 1/4
TAEDA_VM double asin_rest(double s, double z) {
    return s * z *
           split_polynomial(z, 1.6666666666665383e-1, 7.50000000034304e-2, 4.4642856823481125e-2, 3.0381959331381233e-2, 2.2371753520131104e-2,
                            1.7359771145957025e-2, 1.3884598196160424e-2, 1.2173280429903365e-2, 6.5108511934055667e-3, 1.9573905045614148e-2,
                            -1.62940613271775e-2, 3.1958950313764289e-2);
}
TAEDA_VM double asin_inline(double x) {
    return asin_by(x, [](double s, double z) { return asin_rest(s, z); });
}
TAEDA_VM double acos_inline(double x) {
    return acos_by(x, [](double s, double z) { return asin_rest(s, z); });
}

// atan(t) - t for |t| <= tan(pi / 8)
TAEDA_VM double atan_rest(double t) {
    double z = t * t;
    return t * z *
           split_polynomial(z, -3.3333333333333199e-1, 1.9999999999954038e-1, -1.4285714280243968e-1, 1.1111110785903767e-1, -9.0908978295074443e-2,
                            7.6920615099134867e-2, -6.6631188968979622e-2, 5.8479978103785372e-2, -5.0397942440293941e-2, 3.8076988854719895e-2,
                            -1.7920789795466306e-2);
}
TAEDA_VM double atan_inline(double x) {
    double a = vm_abs(x);
    bool large = a > 2.4142135623730949, middle = a > 0.41421356237309503;
    double top = middle ? a - 1.0 : a, bottom = middle ? a + 1.0 : 1.0;
    double t = (large ? -1.0 : top) / (large ? a : bottom);
    double base = middle ? 0.5 * kHalfPi<double> : 0.0, base_low = middle ? 0.5 * kHalfPiLow<double> : 0.0;
    base = large ? kHalfPi<double> : base;
    base_low = large ? kHalfPiLow<double> : base_low;
    return vm_copysign(base + (t + (atan_rest(t) + base_low)), x);
}
// The angle is base + t + rest, mirrored at pi / 4 and pi / 2 piece by piece.
TAEDA_VM double atan2_inline(double y, double x) {
    double a = vm_abs(x), b = vm_abs(y);
    bool steep = b > a;
    double large = steep ? b : a, small = steep ? a : b;
    double shrink = large > 1e300 ? 0x1p-60 : 1.0;  // so that their sum is finite
    large *= shrink;
    small *= shrink;
    bool middle = (small > 0.41421356237309503 * large) | (small == kInfinity);
    double top = middle ? small - large : small, bottom = middle ? small + large : large;
    double t = top / (bottom == 0.0 ? 1.0 : bottom);
    t = small == kInfinity ? 0.0 : t;
    double rest = atan_rest(t), base = middle ? 0.5 * kHalfPi<double> : 0.0, low = middle ? 0.5 * kHalfPiLow<double> : 0.0;
    low += rest;
    base = steep ? kHalfPi<double> - base : base;
    low = steep ? kHalfPiLow<double> - low : low;
    t = steep ? -t : t;
    bool left = vm_copysign(1.0, x) < 0.0;
    double mirrored = 2.0 * kHalfPi<double> - base, lost = (2.0 * kHalfPi<double> - mirrored) - base;
    low = left ? (2.0 * kHalfPiLow<double> + lost) - low : low;
    t = left ? -t : t;
    double value = vm_copysign((left ? mirrored : base) + (t + low), y);
    return (x != x) | (y != y) ? kNan : value;
}

// ---- inverse hyperbolic functions

TAEDA_VM double asinh_inline(double x) {
    double a = vm_abs(x), square = a * a;
    bool big = a > 0x1p28;
    double value = vm_log1p(big ? a - 1.0 : a + square / (1.0 + vm_sqrt(square + 1.0))) + (big ? 0.69314718055994531 : 0.0);
    return vm_copysign(value, x);
}
TAEDA_VM double acosh_inline(double x) {
    double t = x - 1.0;
    bool big = x > 0x1p28;
    double value = vm_log1p(big ? t : t + vm_sqrt(2.0 * t + t * t)) + (big ? 0.69314718055994531 : 0.0);
    return x >= 1.0 ? value : kNan;
}
TAEDA_VM double atanh_inline(double x) {
    double a = vm_abs(x), twice = 2.0 * a;
    double value = 0.5 * vm_log1p(twice + twice * (a / (1.0 - a)));
    return a <= 1.0 ? vm_copysign(value, x) : kNan;
}

// ---- 1 - erf(x)

// Up to 3/4 by erf's polynomial; beyond, exp(-x^2) * p(t) / (1 + 2x) with t = (x - 3.5) / (x + 3.5): p is next to constant, so
// that its rounding does not show. The square of the upper half of x is exact; what is left of it is taken from the rest of the exponent.
TAEDA_VM double erfc_inline(double x) {
    double a = vm_abs(x), z = a * a;
    double small = a + a * polynomial(z, 1.2837916709551257e-1, -3.7612638903183718e-1, 1.1283791670952631e-1, -2.6866170644436582e-2,
                                      5.2239776155144139e-3, -8.5483261950023765e-4, 1.2055289820083623e-4, -1.492420262598288e-5,
                                      1.6430779744627474e-6, -1.5940866692058698e-7, 1.1475344458260248e-8);
    double c = a > 27.5 ? 27.5 : a;  // beyond, zero even as a subnormal number
    double slope = 1.0 + 2.0 * c;
#if defined(TAEDA_HAS_FMA)
    double both = 1.0 / ((c + 3.5) * slope), t = (c - 3.5) * slope * both;
#else
    double t = (c - 3.5) / (c + 3.5);
#endif
    double scaled = split_polynomial(
        t, 1.2423492448711544, -1.4000918013761935e-1, -1.0555596332221351e-2, 9.7519095153248176e-2, -1.1508959815996608e-1, 8.7983153825271833e-2,
        -4.8823325834398953e-2, 1.9099330935772307e-2, -4.2150198123305885e-3, -3.0226782704850555e-4, 5.6438360708947233e-4, -1.215125618021729e-4,
        -4.2778013618363438e-5, 2.4260517621301599e-5, 2.3146405567117205e-6, -3.8100924567893763e-6, -1.7310362492232576e-8, 5.8698667989017599e-7,
        -3.7448736986131361e-8, -7.4327676881457434e-8, 1.4383493437579856e-8);
    double high = std::bit_cast<double>(std::bit_cast<uint64_t>(c) & 0xfffffffff8000000u), square = high * high;
    double n = (kRound - square * kLog2E) - kRound;
    double r = ((-square - n * kLn2High) - n * kLn2Low) - (c - high) * (c + high);
    double power = exp_polynomial_split(r), top = power * scaled;
#if defined(TAEDA_HAS_FMA)  // the quotient, and what the product, the sum and the division have rounded away
    double inverse = (c + 3.5) * both, quotient = top * inverse;
    double left = __builtin_fma(-quotient, slope, top) - quotient * ((1.0 - slope) + 2.0 * c) + __builtin_fma(power, scaled, -top);
    quotient += left * inverse;
#else
    double quotient = top / slope;
#endif
    double far = scale(quotient, n);
    double near = 1.0 - vm_copysign(small, x), beyond = x < 0.0 ? 2.0 - far : far;
    return a < 0.75 ? near : beyond;
}

// ---- powers

#if defined(TAEDA_HAS_FMA)
// The sum of two doubles of which the second is the first one's rounding error.
struct Pair {
    double high, low;
};
TAEDA_VM Pair exact_product(double a, double b) {
    double product = a * b;
    return {product, __builtin_fma(a, b, -product)};
}
TAEDA_VM Pair product(Pair a, Pair b) {
    Pair value = exact_product(a.high, b.high);
    return {value.high, value.low + (a.high * b.low + a.low * b.high)};
}
// |a| >= |b|, or a is zero
TAEDA_VM Pair ordered_sum(double a, double b) {
    double sum = a + b;
    return {sum, (a - sum) + b};
}

// log(x) to some 65 bits, of a positive number: 2 s + s^3 (2/3 + z p(z)) with s = f / (2 + f) and z = s^2, the two leading terms in pairs.
TAEDA_VM Pair log_pair(double x) {
    SplitDouble parts = split_any(x);
    double f = parts.fraction, bottom = 2.0 + f, bottom_low = (2.0 - bottom) + f, inverse = 1.0 / bottom;
    Pair s{f * inverse, 0.0};
    s.low = (__builtin_fma(-s.high, bottom, f) - s.high * bottom_low) * inverse;
    Pair z = product(s, s);
    double rest = z.high * split_polynomial(z.high, 4.0000000000002257e-1, 2.8571428570099292e-1, 2.2222222519971669e-1, 1.8181784363051035e-1,
                                            1.5386757510070364e-1, 1.3256813760837621e-1, 1.3196364306213993e-1);
    Pair factor = ordered_sum(0x1.5555555555555p-1, rest);
    factor.low += 0x1.5555555555555p-55;
    Pair cubic = product(product(s, z), factor);
    Pair main = ordered_sum(parts.exponent * 0x1.62e42fefa2p-1, 2.0 * s.high), sum = ordered_sum(main.high, cubic.high);
    return ordered_sum(sum.high, main.low + sum.low + (2.0 * s.low + cubic.low + parts.exponent * 0x1.9ef35793c7673p-41));
}

TAEDA_VM double pow_inline(double x, double y) {
    double base = vm_abs(x), c = y > 0x1p66 ? 0x1p66 : y;
    c = c < -0x1p66 ? -0x1p66 : c;  // there, every base but 1 is beyond the range
    Pair log = log_pair(base), t = exact_product(c, log.high);
    double low = t.low + c * log.low, high = t.high > 710.0 ? 710.0 : t.high;
    high = high < -750.0 ? -750.0 : high;
    low = high == t.high ? low : 0.0;
    double n = (high * kLog2E + kRound) - kRound, r = ((high - n * kLn2High) - n * kLn2Low) + low;
    double magnitude = scale(exp_polynomial_split(r), n);
    bool endless = base == kInfinity, edge = (base == 0.0) | endless;
    magnitude = edge ? (endless == (y > 0.0) ? kInfinity : 0.0) : magnitude;
    bool whole = vm_round_even(y) == y, odd = whole & (vm_round_even(0.5 * y) != 0.5 * y);
    double value = odd ? vm_copysign(magnitude, x) : magnitude;
    value = (x < 0.0) & !whole & !endless ? kNan : value;
    value = (x != x) | (y != y) ? kNan : value;
    return (x == 1.0) | (y == 0.0) ? 1.0 : value;
}

// The exact remainder with the sign of x, for a quotient below 2^52: a multiple of both operands' last places, and not larger than y.
inline constexpr double kNearQuotientDouble = 0x1p52;
TAEDA_VM double fmod_quotient(double x, double y) { return vm_trunc(vm_abs(x) / vm_abs(y)); }
TAEDA_VM double fmod_rest(double x, double y, double quotient) {
    double a = vm_abs(x), b = vm_abs(y), rest = __builtin_fma(-quotient, b, a);
    rest = rest < 0.0 ? rest + b : rest;  // the division had rounded up to an integer
    return vm_copysign(b < kInfinity ? rest : a, x);
}
inline double fmod_any(double x, double y) {
    const double quotient = fmod_quotient(x, y);
    return quotient < kNearQuotientDouble ? fmod_rest(x, y, quotient) : std::fmod(x, y);
}
#else
inline double pow_inline(double x, double y) { return std::pow(x, y); }
inline double fmod_any(double x, double y) { return std::fmod(x, y); }
#endif

// Squares neither overflow nor vanish: both operands are multiplied by a power of two where the larger one is far from 1.
TAEDA_VM double vm_hypot(double x, double y) {
    double a = vm_abs(x), b = vm_abs(y), large = a > b ? a : b;
    bool far = large > 0x1p500, near = large < 0x1p-500;
    double there = far ? 0x1p-600 : 1.0, back = far ? 0x1p600 : 1.0;
    there = near ? 0x1p600 : there;
    back = near ? 0x1p-600 : back;
    double c = a * there, d = b * there, value = vm_sqrt(c * c + d * d) * back;
    return (a == kInfinity) | (b == kInfinity) ? kInfinity : value;
}

// ---- what loops call: Note [Vector functions] in vecmath_float.h

#if defined(TAEDA_X86)
#define TAEDA_CALLED(name)                                                 \
    extern "C" TAEDA_VECTOR_FUNCTION double taeda_##name##_double(double); \
    TAEDA_VM double vm_##name(double x) { return taeda_##name##_double(x); }
#define TAEDA_CALLED_WITH_TWO(name, function)                                      \
    extern "C" TAEDA_VECTOR_FUNCTION double taeda_##name##_double(double, double); \
    TAEDA_VM double vm_##name(double x, double y) { return taeda_##name##_double(x, y); }
#else
#define TAEDA_CALLED(name) \
    TAEDA_VM double vm_##name(double x) { return name##_inline(x); }
#define TAEDA_CALLED_WITH_TWO(name, function) \
    TAEDA_VM double vm_##name(double x, double y) { return function(x, y); }
TAEDA_VM double tan_inline(double x) { return vm_tan_any(x); }
#endif
TAEDA_CALLED(tan)
TAEDA_CALLED(asin)
TAEDA_CALLED(acos)
TAEDA_CALLED(atan)
TAEDA_CALLED(asinh)
TAEDA_CALLED(acosh)
TAEDA_CALLED(atanh)
TAEDA_CALLED(erfc)
TAEDA_CALLED_WITH_TWO(atan2, atan2_inline)
TAEDA_CALLED_WITH_TWO(pow, pow_inline)
TAEDA_CALLED_WITH_TWO(fmod, fmod_any)
#undef TAEDA_CALLED
#undef TAEDA_CALLED_WITH_TWO

}  // namespace taeda::cpu::TAEDA_ISA
