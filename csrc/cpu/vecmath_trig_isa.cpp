// The vector forms of sine, cosine, tangent and the remainder under the names that gcc calls them by: see Note [Vector functions].
#define TAEDA_DEFINES_VECTOR_FUNCTIONS
#include "cpu/vecmath.h"

#if defined(TAEDA_X86)

// _ZGV, the instruction set's letter, N (not masked), the number of lanes, a v for each vector argument.
#if defined(__AVX512F__)
#define TAEDA_VECTOR_NAME(name) _ZGVeN16v_##name
#define TAEDA_VECTOR_NAME_OF_TWO(name) _ZGVeN16vv_##name
#define TAEDA_LANES 16
#elif defined(__AVX2__)
#define TAEDA_VECTOR_NAME(name) _ZGVdN8v_##name
#define TAEDA_VECTOR_NAME_OF_TWO(name) _ZGVdN8vv_##name
#define TAEDA_LANES 8
#else
#define TAEDA_VECTOR_NAME(name) _ZGVbN4v_##name
#define TAEDA_VECTOR_NAME_OF_TWO(name) _ZGVbN4vv_##name
#define TAEDA_LANES 4
#endif

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr int kLanes = TAEDA_LANES;
typedef float Lanes __attribute__((vector_size(TAEDA_LANES * sizeof(float))));
// For whole-vector stores and loads of arrays: copied in pieces, they would wait for each other in the store buffer.
typedef Lanes AliasedLanes __attribute__((may_alias));

TAEDA_VM bool all_below(const float* x, float bound) {
    int far = 0;
    for (int i = 0; i < kLanes; ++i) far |= !(vm_abs(x[i]) < bound);
    return far == 0;
}

template <class F>
TAEDA_VM Lanes each(const float* in, F function) {
    alignas(Lanes) float out[kLanes];
    for (int i = 0; i < kLanes; ++i) out[i] = function(in[i]);
    return *reinterpret_cast<AliasedLanes*>(out);
}

template <class Bounded, class Any>
TAEDA_VM Lanes choose(const float* in, Bounded bounded, Any any) {
    return all_below(in, kTrigBound) ? each(in, bounded) : each(in, any);
}

}  // namespace

extern "C" {

#if defined(__FMA__)
#define TAEDA_NEAR(name) \
    if (all_below(in, kTrigNear)) return each(in, [](float v) { return vm_##name##_near(v); });
#else
#define TAEDA_NEAR(name)
#endif
#define TAEDA_DEFINE(name, near)                                                                                            \
    __attribute__((visibility("hidden"))) Lanes TAEDA_VECTOR_NAME(taeda_##name##_float)(Lanes x) {                          \
        alignas(Lanes) float in[kLanes];                                                                                    \
        *reinterpret_cast<AliasedLanes*>(in) = x;                                                                           \
        near return choose(in, [](float v) { return vm_##name##_bounded(v); }, [](float v) { return vm_##name##_any(v); }); \
    }
TAEDA_DEFINE(sin, TAEDA_NEAR(sin))
TAEDA_DEFINE(cos, TAEDA_NEAR(cos))
TAEDA_DEFINE(tan, )

__attribute__((visibility("hidden"))) Lanes TAEDA_VECTOR_NAME_OF_TWO(taeda_fmod_float)(Lanes x, Lanes y) {
    alignas(Lanes) float a[kLanes], b[kLanes], out[kLanes];
    *reinterpret_cast<AliasedLanes*>(a) = x;
    *reinterpret_cast<AliasedLanes*>(b) = y;
    double quotient[kLanes];
    int64_t far = 0;
    for (int i = 0; i < kLanes; ++i) quotient[i] = fmod_quotient(a[i], b[i]);
    for (int i = 0; i < kLanes; ++i) far |= !(quotient[i] < kNearQuotient);
    if (far)
        for (int i = 0; i < kLanes; ++i) out[i] = fmod_any(a[i], b[i]);
    else
        for (int i = 0; i < kLanes; ++i) out[i] = fmod_rest(a[i], b[i], quotient[i]);
    return *reinterpret_cast<AliasedLanes*>(out);
}

#if TAEDA_LANES == 4  // the scalar forms, once
float taeda_sin_float(float x) { return vm_sin_any(x); }
float taeda_cos_float(float x) { return vm_cos_any(x); }
float taeda_tan_float(float x) { return vm_tan_any(x); }
float taeda_fmod_float(float x, float y) { return fmod_any(x, y); }
#endif
}

}  // namespace taeda::cpu::TAEDA_ISA

#endif
