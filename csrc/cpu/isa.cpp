#include "cpu/isa.h"

#include <cstdlib>
#include <string_view>

namespace taeda::cpu {

namespace {

Isa detect() {
#if defined(TAEDA_X86)
    __builtin_cpu_init();
    Isa best = Isa::Baseline;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) best = Isa::V3;
    if (best == Isa::V3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        best = Isa::V4;
    if (const char* wanted = std::getenv("TAEDA_ISA")) {
        std::string_view text(wanted);
        if (text == "v2") best = Isa::Baseline;
        if (text == "v3" && best == Isa::V4) best = Isa::V3;
    }
    return best;
#else
    return Isa::Baseline;
#endif
}

}  // namespace

Isa active_isa() {
    static const Isa isa = detect();
    return isa;
}

const char* isa_name(Isa isa) {
#if defined(TAEDA_X86)
    return isa == Isa::V4 ? "x86-64-v4" : isa == Isa::V3 ? "x86-64-v3" : "x86-64-v2";
#else
    (void)isa;
    return "plain";
#endif
}

}  // namespace taeda::cpu
