// The vector forms of the functions that loops call (sine, cosine, powers ...) under the names that gcc calls them by: see Note [Vector functions].
#define TAEDA_DEFINES_VECTOR_FUNCTIONS
#include "cpu/vecmath.h"

#if defined(TAEDA_X86)

// _ZGV, the instruction set's letter, N (not masked), the number of lanes, a v for each vector argument.
#if defined(__AVX512F__)
#define TAEDA_VECTOR_NAME(name) _ZGVeN16v_##name
#define TAEDA_VECTOR_NAME_OF_TWO(name) _ZGVeN16vv_##name
#define TAEDA_VECTOR_NAME_DOUBLE(name) _ZGVeN8v_##name
#define TAEDA_VECTOR_NAME_OF_TWO_DOUBLES(name) _ZGVeN8vv_##name
#define TAEDA_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define TAEDA_VECTOR_NAME(name) _ZGVdN8v_##name
#define TAEDA_VECTOR_NAME_OF_TWO(name) _ZGVdN8vv_##name
#define TAEDA_VECTOR_NAME_DOUBLE(name) _ZGVdN4v_##name
#define TAEDA_VECTOR_NAME_OF_TWO_DOUBLES(name) _ZGVdN4vv_##name
#define TAEDA_VECTOR_BYTES 32
#else
#define TAEDA_VECTOR_NAME(name) _ZGVbN4v_##name
#define TAEDA_VECTOR_NAME_OF_TWO(name) _ZGVbN4vv_##name
#define TAEDA_VECTOR_NAME_DOUBLE(name) _ZGVbN2v_##name
#define TAEDA_VECTOR_NAME_OF_TWO_DOUBLES(name) _ZGVbN2vv_##name
#define TAEDA_VECTOR_BYTES 16
#endif

namespace taeda::cpu::TAEDA_ISA {

namespace {

typedef float Lanes __attribute__((vector_size(TAEDA_VECTOR_BYTES)));
typedef double DoubleLanes __attribute__((vector_size(TAEDA_VECTOR_BYTES)));
// For whole-vector stores and loads of arrays: copied in pieces, they would wait for each other in the store buffer.
typedef Lanes AliasedLanes __attribute__((may_alias));
typedef DoubleLanes AliasedDoubleLanes __attribute__((may_alias));
constexpr int kLanes = TAEDA_VECTOR_BYTES / sizeof(float);

TAEDA_VM void spill(float* to, Lanes x) { *reinterpret_cast<AliasedLanes*>(to) = x; }
TAEDA_VM void spill(double* to, DoubleLanes x) { *reinterpret_cast<AliasedDoubleLanes*>(to) = x; }
TAEDA_VM Lanes whole(const float* from) { return *reinterpret_cast<const AliasedLanes*>(from); }
TAEDA_VM DoubleLanes whole(const double* from) { return *reinterpret_cast<const AliasedDoubleLanes*>(from); }

template <class T>
TAEDA_VM bool all_below(const T* x, T bound) {
    std::conditional_t<sizeof(T) == 4, int32_t, int64_t> far = 0;
    for (size_t i = 0; i < TAEDA_VECTOR_BYTES / sizeof(T); ++i) far |= !(vm_abs(x[i]) < bound);
    return far == 0;
}

template <class T, class F>
TAEDA_VM auto each(const T* in, F function) {
    alignas(TAEDA_VECTOR_BYTES) T out[TAEDA_VECTOR_BYTES / sizeof(T)];
    for (size_t i = 0; i < TAEDA_VECTOR_BYTES / sizeof(T); ++i) out[i] = function(in[i]);
    return whole(out);
}

template <class T, class Bounded, class Any>
TAEDA_VM auto choose(const T* in, T bound, Bounded bounded, Any any) {
    return all_below(in, bound) ? each(in, bounded) : each(in, any);
}

}  // namespace

extern "C" {

#if defined(__FMA__)
#define TAEDA_NEAR(name) \
    if (all_below(in, kTrigNear)) return each(in, [](float v) { return vm_##name##_near(v); });
#else
#define TAEDA_NEAR(name)
#endif
#define TAEDA_DEFINE(name, near)                                                                                                        \
    __attribute__((visibility("hidden"))) Lanes TAEDA_VECTOR_NAME(taeda_##name##_float)(Lanes x) {                                      \
        alignas(Lanes) float in[kLanes];                                                                                                \
        spill(in, x);                                                                                                                   \
        near return choose(in, kTrigBound, [](float v) { return vm_##name##_bounded(v); }, [](float v) { return vm_##name##_any(v); }); \
    }
TAEDA_DEFINE(sin, TAEDA_NEAR(sin))
TAEDA_DEFINE(cos, TAEDA_NEAR(cos))
TAEDA_DEFINE(tan, )

#define TAEDA_DEFINE_DOUBLE(name)                                                                                                          \
    __attribute__((visibility("hidden"))) DoubleLanes TAEDA_VECTOR_NAME_DOUBLE(taeda_##name##_double)(DoubleLanes x) {                     \
        alignas(DoubleLanes) double in[kLanes / 2];                                                                                        \
        spill(in, x);                                                                                                                      \
        return choose(in, kTrigBoundDouble, [](double v) { return vm_##name##_bounded(v); }, [](double v) { return vm_##name##_any(v); }); \
    }
TAEDA_DEFINE_DOUBLE(sin)
TAEDA_DEFINE_DOUBLE(cos)
TAEDA_DEFINE_DOUBLE(tan)

#define TAEDA_DEFINE_STRAIGHT(name)                                                                                    \
    __attribute__((visibility("hidden"))) DoubleLanes TAEDA_VECTOR_NAME_DOUBLE(taeda_##name##_double)(DoubleLanes x) { \
        alignas(DoubleLanes) double in[kLanes / 2];                                                                    \
        spill(in, x);                                                                                                  \
        return each(in, [](double v) { return name##_inline(v); });                                                    \
    }
TAEDA_DEFINE_STRAIGHT(asin)
TAEDA_DEFINE_STRAIGHT(acos)
TAEDA_DEFINE_STRAIGHT(atan)
TAEDA_DEFINE_STRAIGHT(asinh)
TAEDA_DEFINE_STRAIGHT(acosh)
TAEDA_DEFINE_STRAIGHT(atanh)
TAEDA_DEFINE_STRAIGHT(erfc)

#define TAEDA_DEFINE_OF_TWO(name)                                                                                                             \
    __attribute__((visibility("hidden"))) DoubleLanes TAEDA_VECTOR_NAME_OF_TWO_DOUBLES(taeda_##name##_double)(DoubleLanes x, DoubleLanes y) { \
        alignas(DoubleLanes) double a[kLanes / 2], b[kLanes / 2], out[kLanes / 2];                                                            \
        spill(a, x);                                                                                                                          \
        spill(b, y);                                                                                                                          \
        for (int i = 0; i < kLanes / 2; ++i) out[i] = name##_inline(a[i], b[i]);                                                              \
        return whole(out);                                                                                                                    \
    }
TAEDA_DEFINE_OF_TWO(atan2)
TAEDA_DEFINE_OF_TWO(pow)

__attribute__((visibility("hidden"))) DoubleLanes TAEDA_VECTOR_NAME_OF_TWO_DOUBLES(taeda_fmod_double)(DoubleLanes x, DoubleLanes y) {
    alignas(DoubleLanes) double a[kLanes / 2], b[kLanes / 2], out[kLanes / 2];
    spill(a, x);
    spill(b, y);
#if defined(TAEDA_HAS_FMA)
    double quotient[kLanes / 2];
    int64_t far = 0;
    for (int i = 0; i < kLanes / 2; ++i) quotient[i] = fmod_quotient(a[i], b[i]);
    for (int i = 0; i < kLanes / 2; ++i) far |= !(quotient[i] < kNearQuotientDouble);
    if (!far) {
        for (int i = 0; i < kLanes / 2; ++i) out[i] = fmod_rest(a[i], b[i], quotient[i]);
        return whole(out);
    }
#endif
    for (int i = 0; i < kLanes / 2; ++i) out[i] = fmod_any(a[i], b[i]);
    return whole(out);
}

__attribute__((visibility("hidden"))) Lanes TAEDA_VECTOR_NAME_OF_TWO(taeda_fmod_float)(Lanes x, Lanes y) {
    alignas(Lanes) float a[kLanes], b[kLanes], out[kLanes];
    spill(a, x);
    spill(b, y);
    double quotient[kLanes];
    int64_t far = 0;
    for (int i = 0; i < kLanes; ++i) quotient[i] = fmod_quotient(a[i], b[i]);
    for (int i = 0; i < kLanes; ++i) far |= !(quotient[i] < kNearQuotient);
    if (far)
        for (int i = 0; i < kLanes; ++i) out[i] = fmod_any(a[i], b[i]);
    else
        for (int i = 0; i < kLanes; ++i) out[i] = fmod_rest(a[i], b[i], quotient[i]);
    return whole(out);
}

#if TAEDA_VECTOR_BYTES == 16 || defined(TAEDA_ONE_ISA)  // the scalar forms, once
float taeda_sin_float(float x) { return vm_sin_any(x); }
float taeda_cos_float(float x) { return vm_cos_any(x); }
float taeda_tan_float(float x) { return vm_tan_any(x); }
double taeda_sin_double(double x) { return vm_sin_any(x); }
double taeda_cos_double(double x) { return vm_cos_any(x); }
float taeda_fmod_float(float x, float y) { return fmod_any(x, y); }
double taeda_tan_double(double x) { return vm_tan_any(x); }
double taeda_asin_double(double x) { return asin_inline(x); }
double taeda_acos_double(double x) { return acos_inline(x); }
double taeda_atan_double(double x) { return atan_inline(x); }
double taeda_asinh_double(double x) { return asinh_inline(x); }
double taeda_acosh_double(double x) { return acosh_inline(x); }
double taeda_atanh_double(double x) { return atanh_inline(x); }
double taeda_erfc_double(double x) { return erfc_inline(x); }
double taeda_atan2_double(double y, double x) { return atan2_inline(y, x); }
double taeda_pow_double(double x, double y) { return pow_inline(x, y); }
double taeda_fmod_double(double x, double y) { return fmod_any(x, y); }
#endif
}

}  // namespace taeda::cpu::TAEDA_ISA

#endif
