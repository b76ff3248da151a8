// Functions of double: exponentials, logarithms, sine, cosine and erf (<= 2 ulp, most of them); more of them are in
// vecmath_double_calls.h. The `quick_` functions are the accurate middle steps of float functions: relative error below 2^-36.
#pragma once

#include "cpu/vecmath_base.h"

namespace taeda::cpu::TAEDA_ISA {

inline constexpr double kLog2E = 1.4426950408889634, kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;

// 2^n for an integer n that was rounded by adding kRound: its low 12 bits are the exponent to be.
TAEDA_VM double power_of_two(double rounded) { return std::bit_cast<double>((std::bit_cast<uint64_t>(rounded) + 1023) << 52); }

// p * 2^n in two steps, so that a subnormal result is rounded once and a large one overflows to infinity.
TAEDA_VM double scale(double p, double n) {
    double half = n * 0.5 + kRound, first = half - kRound;
    return p * power_of_two(half) * power_of_two((n - first) + kRound);
}

// ---- exponentials

TAEDA_VM double exp_polynomial(double r) {
    double q = polynomial(r, 0.5, 1.6666666666666666e-1, 4.1666666666666331e-2, 8.3333333333337715e-3, 1.3888888889227132e-3, 1.9841269845076845e-4,
                          2.4801586180248563e-5, 2.7557296632570279e-6, 2.7558741179785405e-7, 2.5086847502692489e-8, 2.0290234422920983e-9);
    return 1.0 + (r + r * r * q);
}

TAEDA_VM double exp_polynomial_split(double r) {
    double q =
        split_polynomial(r, 0.5, 1.6666666666666666e-1, 4.1666666666666331e-2, 8.3333333333337715e-3, 1.3888888889227132e-3, 1.9841269845076845e-4,
                         2.4801586180248563e-5, 2.7557296632570279e-6, 2.7558741179785405e-7, 2.5086847502692489e-8, 2.0290234422920983e-9);
    return 1.0 + (r + r * r * q);
}

TAEDA_VM double vm_exp(double x) {
    double c = x > 710.0 ? 710.0 : x;
    c = c < -746.0 ? -746.0 : c;
    double n = (c * kLog2E + kRound) - kRound;
    double r = (c - n * kLn2High) - n * kLn2Low;
    return scale(exp_polynomial(r), n);
}
TAEDA_VM double vm_exp_below(double x) { return vm_exp(x); }

TAEDA_VM double vm_exp2(double x) {
    double c = x > 1025.0 ? 1025.0 : x;
    c = c < -1080.0 ? -1080.0 : c;
    double n = (c + kRound) - kRound, r = c - n;
    double q = polynomial(r, 6.9314718055994531e-1, 2.4022650695910071e-1, 5.5504108664821701e-2, 9.6181291076284785e-3, 1.3333558146389773e-3,
                          1.5403530393374294e-4, 1.5252733856887404e-5, 1.3215486804169537e-6, 1.0178050929995245e-7, 7.0548996262818082e-9,
                          4.4567172528860833e-10, 2.5725214437813053e-11);
    return scale(1.0 + r * q, n);
}

TAEDA_VM double vm_expm1(double x) {
    double c = x > 710.0 ? 710.0 : x;
    c = c < -40.0 ? -40.0 : c;
    double n = (c * kLog2E + kRound) - kRound;
    double r = (c - n * kLn2High) - n * kLn2Low;
    double q = polynomial(r, 1.6666666666666667e-1, 4.1666666666666679e-2, 8.3333333333333371e-3, 1.3888888888877047e-3, 1.9841269841249797e-4,
                          2.4801587341405095e-5, 2.7557319271661275e-6, 2.755725855369948e-7, 2.5052051467834652e-8, 2.0919693702610112e-9,
                          1.6092408783764226e-10);
    double p = r + (0.5 * r * r + r * r * r * q);
    // 2^n * p + (2^n - 1) with half of 2^n, which is finite where the result is.
    double half = power_of_two((n - 1.0) + kRound);
    double value = 2.0 * (p * half + (half - 0.5));
    return vm_abs(x) < 1e-17 ? x : value;
}

// 2^t for |t| < 1022
TAEDA_VM double quick_exp2(double t) {
    double rounded = t + kRound, r = t - (rounded - kRound);
    double q = polynomial(r, 6.9314718054549913e-1, 2.4022650695899123e-1, 5.5504109429304314e-2, 9.6181291251354984e-3, 1.3333448926037965e-3,
                          1.5403488505554855e-4, 1.5310513696789488e-5, 1.3246583994397571e-6);
    return (1.0 + r * q) * power_of_two(rounded);
}

// ---- logarithms

// x = 2^exponent * (1 + fraction) with sqrt(1/2) <= 1 + fraction < sqrt(2); x positive and normal.
struct SplitDouble {
    double exponent, fraction;
};
TAEDA_VM SplitDouble split(double x) {
    constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcdu, kOne = 0x3ff0000000000000u, kFraction = 0x000fffffffffffffu;
    uint64_t bits = std::bit_cast<uint64_t>(x) + (kOne - kSqrtHalf);
    double mantissa = std::bit_cast<double>((bits & kFraction) + kSqrtHalf);
    double exponent = std::bit_cast<double>((bits >> 52) | 0x4330000000000000u) - (4503599627370496.0 + 1023.0);
    return {exponent, mantissa - 1.0};
}
TAEDA_VM SplitDouble split_any(double x) {
    bool subnormal = x < 0x1p-1022;
    SplitDouble parts = split(subnormal ? x * 0x1p54 : x);
    parts.exponent -= subnormal ? 54.0 : 0.0;
    return parts;
}

// log(1 + f) = f - half_square + rest, where half_square = f * f / 2: the caller adds them in an order that keeps the digits.
struct LogParts {
    double half_square, rest;
};
TAEDA_VM LogParts log_parts(double f) {
    double s = f / (2.0 + f), z = s * s, half_square = 0.5 * f * f;
    double p = polynomial(z, 6.6666666666666735e-1, 3.9999999999414343e-1, 2.8571428742471281e-1, 2.2222198563743284e-1, 1.8183564858533459e-1,
                          1.5314035917812444e-1, 1.4796105779095007e-1);
    return {half_square, s * (half_square + z * p)};
}

TAEDA_VM double log_edges(double x, double value) {
    double edge = x == 0.0 ? -kInfinity : kNan;
    double finite = x == kInfinity ? x : value;
    return x > 0.0 ? finite : edge;
}

TAEDA_VM double vm_log(double x) {
    SplitDouble parts = split_any(x);
    LogParts log = log_parts(parts.fraction);
    double low = log.rest + parts.exponent * kLn2Low;
    return log_edges(x, parts.exponent * kLn2High - ((log.half_square - low) - parts.fraction));
}

// log(x) / log(base) = exponent * unit + log(1 + f) * factor; `factor` and `unit` come in two pieces of which the first
// has few enough digits for its products to be exact.
TAEDA_VM double scaled_log(double x, double factor_high, double factor_low, double unit_high, double unit_low) {
    SplitDouble parts = split_any(x);
    LogParts log = log_parts(parts.fraction);
    double high = std::bit_cast<double>(std::bit_cast<uint64_t>(parts.fraction - log.half_square) & 0xffffffff00000000u);
    double low = ((parts.fraction - high) - log.half_square) + log.rest;
    double main = parts.exponent * unit_high, product = high * factor_high;
    double small = low * factor_high + (low + high) * factor_low + parts.exponent * unit_low;
    double sum = main + product;
    return log_edges(x, sum + (((main - sum) + product) + small));
}
TAEDA_VM double vm_log2(double x) { return scaled_log(x, 0x1.71548p+0, -0x1.35a8fa03d1106p-21, 1.0, 0.0); }
TAEDA_VM double vm_log10(double x) { return scaled_log(x, 0x1.bcb7cp-2, -0x1.d5b235e39ab2bp-23, 0x1.34413509f8p-2, -0x1.80433b83b532ap-44); }

TAEDA_VM double vm_log1p(double x) {
    double u = 1.0 + x;
    double lost = x >= 1.0 ? 1.0 - (u - x) : x - (u - 1.0);  // what the sum rounded away
    SplitDouble parts = split(u);
    double e = parts.exponent > 1000.0 ? 1000.0 : parts.exponent;  // beyond, nothing that counts was lost
    double f = parts.fraction + lost * power_of_two(kRound - e);
    LogParts log = log_parts(f);
    double low = log.rest + parts.exponent * kLn2Low;
    double value = parts.exponent * kLn2High - ((log.half_square - low) - f);
    double edge = x == -1.0 ? -kInfinity : kNan;
    value = x > -1.0 ? value : edge;
    value = x == kInfinity ? x : value;
    return vm_abs(x) < 1e-17 ? x : value;
}

// log2 of a positive normal number; a logarithm near zero keeps its relative precision
TAEDA_VM double quick_log2(double x) {
    SplitDouble parts = split(x);
    double s = parts.fraction / (2.0 + parts.fraction);
    return parts.exponent + s * polynomial(s * s, 2.8853900817778496, 9.6179669411405055e-1, 5.7707794217000198e-1, 4.1220927115437926e-1,
                                           3.1990495822173821e-1, 2.829103318065996e-1);
}

// ---- hyperbolic functions

TAEDA_VM double vm_tanh(double x) {
    double a = vm_abs(x), t = vm_expm1(2.0 * (a > 350.0 ? 350.0 : a));
    return vm_copysign(t / (t + 2.0), x);
}
TAEDA_VM double vm_sinh(double x) {
    double a = vm_abs(x), t = vm_expm1(a), root = vm_exp(0.5 * a);
    return vm_copysign(a > 709.0 ? (0.5 * root) * root : 0.5 * (t + t / (t + 1.0)), x);
}
TAEDA_VM double vm_cosh(double x) {
    double a = vm_abs(x), root = vm_exp(0.5 * a), e = vm_exp(a);
    return a > 709.0 ? (0.5 * root) * root : 0.5 * (e + 1.0 / e);
}

// ---- sine and cosine

// Below, the number of half turns has 20 bits, so that its products with short pieces of pi are exact.
inline constexpr double kTrigBoundDouble = 1048576.0;

// What is left of an angle, in two pieces.
struct RestDouble {
    double rest, low;
};

// a - b rounded, and what the rounding took away.
struct Difference {
    double value, lost;
};
TAEDA_VM Difference exact_difference(double a, double b) {
    double value = a - b, taken = a - value;
    return {value, (a - (value + taken)) + (taken - b)};
}

// x - turns * pi, for a multiple of 1/2 that leaves at most pi / 2, and |x| < kTrigBoundDouble. Beside a multiple of pi / 2
// the first 60 bits cancel: the last piece is what is then left.
TAEDA_VM RestDouble reduce_bounded(double x, double turns) {
#if defined(TAEDA_HAS_FMA)
    // The first difference fits a double. So does the second, or nothing was lost beyond what `low` finds.
    double near = __builtin_fma(-turns, 0x1.921fb54442d18p+1, x), middle = __builtin_fma(-turns, 0x1.1a626331p-53, near);
    double low = __builtin_fma(-turns, 0x1.1a626331p-53, near - middle) - turns * 0x1.1701b839a252p-87, rest = middle + low;
    return {rest, (middle - rest) + low};
#else
    Difference first = exact_difference(x - turns * 0x1.921fb54400000p+1, turns * 0x1.0b4611a600000p-33);
    Difference second = exact_difference(first.value, turns * 0x1.3198a2e000000p-68);
    double low = (first.lost + second.lost) - turns * 0x1.b839a252049c1p-103, rest = second.value + low;
    return {rest, (second.value - rest) + low};
#endif
}
TAEDA_VM double flip_sign(double x, uint64_t bit) { return std::bit_cast<double>(std::bit_cast<uint64_t>(x) ^ (bit << 63)); }

// x * x - square, where that is the rounded square.
TAEDA_VM double lost_by_square(double x, double square) {
#if defined(TAEDA_HAS_FMA)
    return __builtin_fma(x, x, -square);
#else
    double high = std::bit_cast<double>(std::bit_cast<uint64_t>(x) & 0xfffffffff8000000u);  // its square is exact
    return (high * high - square) + (x - high) * (x + high);
#endif
}

// sin(rest + low) up to pi / 2: one polynomial for all angles is cheaper than a choice between sine and cosine.
TAEDA_VM double sine_up_to_half_pi(RestDouble angle) {
    double r = angle.rest, z = r * r;
    double q = polynomial(z, -1.6666666666666666e-1, 8.3333333333331942e-3, -1.9841269841209178e-4, 2.7557319211130122e-6, -2.5052106872142367e-8,
                          1.605893967237197e-10, -7.6429906059578435e-13, 2.7211655355526042e-15);
    double cubic = r * q;
    return r + ((angle.low + lost_by_square(r, z) * cubic) + z * (cubic - 0.4 * angle.low));
}
TAEDA_VM double vm_sin_bounded(double x) {
    double rounded = x * 0.31830988618379067 + kRound;
    double value = flip_sign(sine_up_to_half_pi(reduce_bounded(x, rounded - kRound)), std::bit_cast<uint64_t>(rounded));
    return x == 0.0 ? x : value;  // keeps the sign of -0
}
// cos(x) = -sin(x - pi / 2)
TAEDA_VM double vm_cos_bounded(double x) {
    double rounded = (x * 0.31830988618379067 - 0.5) + kRound;
    return flip_sign(sine_up_to_half_pi(reduce_bounded(x, (rounded - kRound) + 0.5)), std::bit_cast<uint64_t>(rounded) + 1);
}
// Far out, where few programs go, the C library has the digits of pi.
inline double vm_sin_any(double x) { return vm_abs(x) < kTrigBoundDouble ? vm_sin_bounded(x) : std::sin(x); }
inline double vm_cos_any(double x) { return vm_abs(x) < kTrigBoundDouble ? vm_cos_bounded(x) : std::cos(x); }

#if defined(TAEDA_X86)
extern "C" {
TAEDA_VECTOR_FUNCTION double taeda_sin_double(double x);
TAEDA_VECTOR_FUNCTION double taeda_cos_double(double x);
}
TAEDA_VM double vm_sin(double x) { return taeda_sin_double(x); }
TAEDA_VM double vm_cos(double x) { return taeda_cos_double(x); }
#else
TAEDA_VM double vm_sin(double x) { return vm_sin_any(x); }
TAEDA_VM double vm_cos(double x) { return vm_cos_any(x); }
#endif

// ---- the error function

// Up to 1 an odd polynomial; beyond, 1 - exp(-x^2) * p(t) / (1 + 2x) with t = (x - 3) / (x + 3).
TAEDA_VM double vm_erf(double x) {
    double a = vm_abs(x), z = a * a;
    double small = a + a * polynomial(z, 1.2837916709551257e-1, -3.7612638903183546e-1, 1.1283791670945243e-1, -2.686617064327453e-2,
                                      5.2239776074091579e-3, -8.5483259889893117e-4, 1.2055295298725761e-4, -1.4924744234082644e-5,
                                      1.6447512252772176e-6, -1.6209133432117282e-7, 1.3722788698319866e-8, -7.8008319449384717e-10);
    double c = a > 6.0 ? 6.0 : a;  // where it rounds to 1
    double slope = 1.0 + 2.0 * c, inverse = 1.0 / ((c + 3.0) * slope), t = (c - 3.0) * slope * inverse;
    double scaled = polynomial(t, 1.2530080582708931, -1.3562110608676617e-1, -4.756229456715153e-2, 1.2964513726027882e-1, -1.1927402486030413e-1,
                               6.8304836799540412e-2, -2.3788005689985716e-2, 2.4661289012547291e-3, 1.7351242431251262e-3, -1.0260946906753725e-3,
                               -3.5025213235625194e-4);
    double square = c * c, n = (kRound - square * kLog2E) - kRound;
    double r = (-square - n * kLn2High) - n * kLn2Low;
    double rest = exp_polynomial(r) * power_of_two(n + kRound) * scaled * ((c + 3.0) * inverse);
    return vm_copysign(a < 1.0 ? small : 1.0 - rest, x);
}

inline double vm_cbrt(double x) { return std::cbrt(x); }  // the C library's: no operation has it

}  // namespace taeda::cpu::TAEDA_ISA
