// Measures the vectorisable functions against the C library in the next wider type, over the whole range of float (every
// so many bit patterns) and the useful ranges of double, and fails where an error exceeds what the headers promise.
//
// Prints one line for each function: the largest error in units in the last place, and where.
#include <cstdio>
#include <cstring>
#include <vector>

#ifndef TAEDA_ISA
#define TAEDA_ISA isa_plain
#endif
#include "cpu/vecmath.h"

namespace vm = taeda::cpu::TAEDA_ISA;

namespace {

int g_failures = 0;

// The distance between neighbours at the exact value, so that 0.5 is a perfect rounding.
template <class T, class Wide>
double error_in_ulps(T got, Wide exact) {
    T rounded = static_cast<T>(exact);
    if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
    if (std::isinf(rounded) || std::isinf(got)) {
        if (got == rounded) return 0;
        // At the border of overflow one neighbour is allowed.
        return std::fabs(static_cast<double>(got)) == std::numeric_limits<T>::max() ||
                       std::fabs(static_cast<double>(rounded)) == std::numeric_limits<T>::max()
                   ? 1
                   : 1e9;
    }
    if (exact == 0 && got == 0) return std::signbit(exact) == std::signbit(got) ? 0 : 1e9;
    int exponent;
    std::frexp(rounded == 0 ? std::numeric_limits<T>::min() : rounded, &exponent);
    constexpr int kDigits = std::numeric_limits<T>::digits;
    exponent = std::max(exponent - kDigits, std::numeric_limits<T>::min_exponent - kDigits);
    return static_cast<double>(std::fabs(static_cast<Wide>(got) - exact) / std::ldexp(Wide(1), exponent));
}

template <class T>
std::vector<T> inputs();

template <>
std::vector<float> inputs<float>() {
    std::vector<float> values;
    for (uint64_t bits = 0; bits < (1ull << 32); bits += 1021) values.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    for (int i = -40000; i <= 40000; ++i) values.push_back(static_cast<float>(i) * 0x1.8p-9f);
    for (int i = -4000; i <= 4000; ++i) {
        values.push_back(std::bit_cast<float>(0x3f800000 + i));  // around 1 and -1
        values.push_back(std::bit_cast<float>(static_cast<uint32_t>(0xbf800000 + i)));
        values.push_back(static_cast<float>(i * 1.5707963267948966));  // around the zeros of sine and cosine
    }
    return values;
}

template <>
std::vector<double> inputs<double>() {
    std::vector<double> values;
    uint64_t state = 12345;
    for (int i = 0; i < 600000; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        values.push_back(std::bit_cast<double>(state));
        values.push_back(static_cast<double>(static_cast<int64_t>(state)) * 0x1p-53);  // within 1024
        values.push_back(static_cast<double>(static_cast<int64_t>(state)) * 0x1p-62);  // within 2
        values.push_back(1.0 + static_cast<double>(static_cast<int64_t>(state)) * 0x1p-73);
    }
    for (int i = -900000; i <= 900000; i += 7) values.push_back(i * 1.5707963267948966);  // around the zeros of sine and cosine
    for (int i = -4000; i <= 4000; ++i) values.push_back(i * 1.5707963267948966);
    for (double edge : {vm::kTrigBoundDouble, 0.0, -0.0, 1.0, -1.0, vm::kInfinity, -vm::kInfinity, vm::kNan, 709.9, -745.2, 5e-324, 1e-310,
                        2.2250738585072014e-308})
        values.push_back(edge);
    return values;
}

template <class T>
void report(const char* name, double worst, T x, T y, double bound) {
    bool bad = worst > bound;
    g_failures += bad;
    std::printf("%-14s %-6s %10.3f ulp at %.9g, %.9g%s\n", name, sizeof(T) == 4 ? "float" : "double", worst, static_cast<double>(x),
                static_cast<double>(y), bad ? "   TOO LARGE" : "");
}

template <class T, class F, class G>
void check(const char* name, double bound, F function, G exact) {
    static const std::vector<T> in = inputs<T>();
    std::vector<T> out(in.size());
    for (size_t i = 0; i < in.size(); ++i) out[i] = function(in[i]);
    double worst = -1;
    T at{};
    for (size_t i = 0; i < in.size(); ++i) {
        double error = error_in_ulps(out[i], exact(in[i]));
        if (error > worst) {
            worst = error;
            at = in[i];
        }
    }
    report(name, worst, at, T{}, bound);
}

// A loop of its own, so that it is vectorised as those of the library are.
template <class T, class F>
[[gnu::noinline]] void apply(T* __restrict to, const T* __restrict x, const T* __restrict y, int64_t n, F function) {
    for (int64_t i = 0; i < n; ++i) to[i] = function(x[i], y[i]);
}

template <class T, class F, class G>
void check_two(const char* name, double bound, F function, G exact) {
    std::vector<T> x, y;
    const T special[] = {0,           -T(0),   1,        -1,      T(0.5), T(-0.5), 2, -2, 3, -3, T(vm::kInfinity), T(-vm::kInfinity),
                         T(vm::kNan), T(1e30), T(-1e30), T(1e-30)};
    for (T a : special)
        for (T b : special) x.push_back(a), y.push_back(b);
    uint64_t state = 99;
    auto draw = [&] {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<double>(static_cast<int64_t>(state)) * 0x1p-63;
    };
    for (int i = 0; i < 400000; ++i) {
        double a = draw(), b = draw(), kind = draw();
        x.push_back(static_cast<T>(kind < -0.5 ? std::exp(a * 80) : a * 20));
        y.push_back(static_cast<T>(kind < 0 ? b * 3 : kind < 0.5 ? std::rint(b * 12) : b * 40));
    }
    std::vector<T> out(x.size());
    apply(out.data(), x.data(), y.data(), static_cast<int64_t>(x.size()), function);
    double worst = -1;
    size_t at = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        double error = error_in_ulps(out[i], exact(x[i], y[i]));
        if (error > worst) {
            worst = error;
            at = i;
        }
    }
    report(name, worst, x[at], y[at], bound);
}

#define CHECK(T, W, name, bound) check<T>(#name, bound, [](T x) { return vm::vm_##name(x); }, [](T x) { return std::name(static_cast<W>(x)); })
#define CHECK_AS(T, W, name, bound, expression)             \
    check<T>(                                               \
        #name, bound, [](T v) { return vm::vm_##name(v); }, \
        [](T v) {                                           \
            W x = v;                                        \
            return static_cast<W>(expression);              \
        })
#define CHECK2(T, W, name, bound) \
    check_two<T>(#name, bound, [](T x, T y) { return vm::vm_##name(x, y); }, [](T x, T y) { return std::name(static_cast<W>(x), static_cast<W>(y)); })

template <class W>
W stable_logaddexp(W x, W y) {
    if (std::isnan(x) || std::isnan(y)) return x + y;
    if (x == y && std::isinf(x)) return x;
    return std::max(x, y) + std::log1p(std::exp(-std::fabs(x - y)));
}

void check_float() {
    CHECK(float, double, exp, 2);
    CHECK(float, double, exp2, 2);
    CHECK(float, double, expm1, 2);
    CHECK(float, double, log, 2);
    CHECK(float, double, log2, 2);
    CHECK(float, double, log10, 2);
    CHECK(float, double, log1p, 2);
    CHECK(float, double, sin, 2);
    CHECK(float, double, cos, 2);
    CHECK(float, double, tan, 3);
    CHECK(float, double, asin, 2);
    CHECK(float, double, acos, 2);
    CHECK(float, double, atan, 2);
    CHECK(float, double, sinh, 2);
    CHECK(float, double, cosh, 2);
    CHECK(float, double, tanh, 2);
    CHECK(float, double, asinh, 2);
    CHECK(float, double, acosh, 2);
    CHECK(float, double, atanh, 2);
    CHECK(float, double, erf, 2);
    CHECK(float, double, erfc, 2);
    CHECK(float, double, cbrt, 2);
    CHECK(float, double, sqrt, 2);
    CHECK_AS(float, double, rsqrt, 2, 1 / std::sqrt(x));
    CHECK_AS(float, double, sigmoid, 3, x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)));
    CHECK_AS(float, double, softplus, 3, std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x))) + (x - x == 0 || x > 0 ? 0.0 : x < 0 ? 0.0 : x));
    CHECK_AS(float, double, log_sigmoid, 3, -(std::fmax(-x, 0.0) + std::log1p(std::exp(-std::fabs(x)))) + (x == x ? 0.0 : x));
    check<float>(
        "sin bounded", 2, [](float x) { return vm::vm_sin_bounded(std::fabs(x) < vm::kTrigBound ? x : 0.0f); },
        [](float x) { return std::sin(std::fabs(x) < vm::kTrigBound ? double(x) : 0.0); });
    check<float>(
        "cos bounded", 2, [](float x) { return vm::vm_cos_bounded(std::fabs(x) < vm::kTrigBound ? x : 0.0f); },
        [](float x) { return std::cos(std::fabs(x) < vm::kTrigBound ? double(x) : 0.0); });
    check<float>(
        "tan bounded", 2, [](float x) { return vm::vm_tan_bounded(std::fabs(x) < vm::kTrigBound ? x : 0.0f); },
        [](float x) { return std::tan(std::fabs(x) < vm::kTrigBound ? double(x) : 0.0); });
    CHECK2(float, double, pow, 2);
    CHECK2(float, double, atan2, 2);
    CHECK2(float, double, hypot, 2);
    CHECK2(float, double, fmod, 0);
    // Of positive numbers: elsewhere the sum may cancel, and the formula itself loses digits.
    check_two<float>(
        "logaddexp", 3, [](float x, float y) { return vm::vm_logaddexp(std::fabs(x), std::fabs(y)); },
        [](float x, float y) { return stable_logaddexp<double>(std::fabs(x), std::fabs(y)); });
}

void check_double() {
#if defined(TAEDA_HAS_FMA)
    constexpr bool kFused = true;
#else
    constexpr bool kFused = false;  // a little of the precision comes from fused products
#endif
    CHECK(double, long double, exp, 2);
    CHECK(double, long double, exp2, 2);
    CHECK(double, long double, expm1, 2);
    CHECK(double, long double, log, 2);
    CHECK(double, long double, log2, 2);
    CHECK(double, long double, log10, 2);
    CHECK(double, long double, log1p, 2);
    CHECK(double, long double, sin, kFused ? 2 : 2.5);
    CHECK(double, long double, cos, kFused ? 2 : 2.5);
    CHECK(double, long double, tan, 3);
    CHECK(double, long double, asin, 2);
    CHECK(double, long double, acos, 2);
    CHECK(double, long double, atan, 2);
    CHECK(double, long double, asinh, 3);
    CHECK(double, long double, acosh, 3);
    CHECK(double, long double, atanh, 3);
    CHECK(double, long double, erf, 2);
    CHECK(double, long double, erfc, kFused ? 3 : 5);
    CHECK(double, long double, sinh, 3);
    CHECK(double, long double, cosh, 3);
    CHECK(double, long double, tanh, 3);
    CHECK2(double, long double, pow, 2);
    CHECK2(double, long double, atan2, 2);
    CHECK2(double, long double, hypot, 2);
    CHECK2(double, long double, fmod, 0);
    CHECK_AS(double, long double, sigmoid, 3, x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)));
}

}  // namespace

int main() {
#if defined(__AVX512F__)
    const bool is_supported = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__AVX2__)
    const bool is_supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    const bool is_supported = true;
#endif
    if (!is_supported) {
        std::printf("skipped: this machine lacks the instructions\n");
        return 0;
    }
    check_float();
    check_double();
    if (g_failures) std::printf("%d functions are less accurate than promised\n", g_failures);
    return g_failures != 0;
}
