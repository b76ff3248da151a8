// The vector forms of sine, cosine and tangent under the names that gcc calls them by: see Note [Vector functions].
#define TAEDA_DEFINES_VECTOR_FUNCTIONS
#include <cstring>

#include "cpu/vecmath.h"

#if defined(TAEDA_X86)

// _ZGV, the instruction set's letter, N (not masked), the number of lanes, v (one vector argument).
#if defined(__AVX512F__)
#define TAEDA_VECTOR_NAME(name) _ZGVeN16v_##name
#define TAEDA_LANES 16
#elif defined(__AVX2__)
#define TAEDA_VECTOR_NAME(name) _ZGVdN8v_##name
#define TAEDA_LANES 8
#else
#define TAEDA_VECTOR_NAME(name) _ZGVbN4v_##name
#define TAEDA_LANES 4
#endif

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr int kLanes = TAEDA_LANES;
typedef float Lanes __attribute__((vector_size(TAEDA_LANES * sizeof(float))));

template <class Near, class Any>
TAEDA_VM Lanes choose(Lanes x, Near near, Any any) {
    float in[kLanes], out[kLanes];
    std::memcpy(in, &x, sizeof in);
    int far = 0;
    for (int i = 0; i < kLanes; ++i) far |= !(vm_abs(in[i]) < kTrigBound);
    if (far) {
        for (int i = 0; i < kLanes; ++i) out[i] = any(in[i]);
    } else {
        for (int i = 0; i < kLanes; ++i) out[i] = near(in[i]);
    }
    std::memcpy(&x, out, sizeof out);
    return x;
}

}  // namespace

extern "C" {

#define TAEDA_DEFINE(name)                                                                                               \
    __attribute__((visibility("hidden"))) Lanes TAEDA_VECTOR_NAME(taeda_##name##_float)(Lanes x) {                       \
        return choose(x, [](float v) { return vm_##name##_bounded(v); }, [](float v) { return vm_##name##_any(v); });    \
    }
TAEDA_DEFINE(sin)
TAEDA_DEFINE(cos)
TAEDA_DEFINE(tan)

#if TAEDA_LANES == 4  // the scalar forms, once
float taeda_sin_float(float x) { return vm_sin_any(x); }
float taeda_cos_float(float x) { return vm_cos_any(x); }
float taeda_tan_float(float x) { return vm_tan_any(x); }
#endif
}

}  // namespace taeda::cpu::TAEDA_ISA

#endif
