// Kernels in files named *_isa.cpp are built once for each instruction set, each in its own inline namespace, and chosen
// at start: x86-64-v2, -v3 (AVX2, FMA), -v4 (AVX-512); elsewhere one plain build.
//
// Such a file defines its kernels inside `namespace taeda::cpu::TAEDA_ISA { ... }` and ends with
//     TAEDA_EXPORT_ISA(SoftmaxTable, softmax_table)      // `const SoftmaxTable softmax_table` made in that namespace
// Other files call `isa_table<SoftmaxTable>(...)` through the declaration macro:
//     TAEDA_DECLARE_ISA(SoftmaxTable, softmax_table)     // declares const SoftmaxTable& softmax_table()
#pragma once

namespace taeda::cpu {

enum class Isa { Baseline, V3, V4 };

// The best that this machine supports; TAEDA_ISA=v2|v3|v4 in the environment lowers it.
Isa active_isa();
const char* isa_name(Isa isa);

}  // namespace taeda::cpu

// A sanitizer's build has one instruction set only, TAEDA_ONE_ISA.
// The build passes TAEDA_ISA=isa_v2, isa_v3, isa_v4 or isa_plain to each compilation of a *_isa.cpp file.
#if defined(TAEDA_ONE_ISA)
#define TAEDA_DECLARE_ISA(Table, name) \
    namespace TAEDA_ONE_ISA {          \
    extern const Table name;           \
    }                                  \
    inline const Table& name() { return TAEDA_ONE_ISA::name; }
#elif defined(TAEDA_X86)
#define TAEDA_DECLARE_ISA(Table, name)                                                                                               \
    namespace isa_v2 {                                                                                                               \
    extern const Table name;                                                                                                         \
    }                                                                                                                                \
    namespace isa_v3 {                                                                                                               \
    extern const Table name;                                                                                                         \
    }                                                                                                                                \
    namespace isa_v4 {                                                                                                               \
    extern const Table name;                                                                                                         \
    }                                                                                                                                \
    inline const Table& name() {                                                                                                     \
        static const Table& chosen = active_isa() == Isa::V4 ? isa_v4::name : active_isa() == Isa::V3 ? isa_v3::name : isa_v2::name; \
        return chosen;                                                                                                               \
    }
#else
#define TAEDA_DECLARE_ISA(Table, name) \
    namespace isa_plain {              \
    extern const Table name;           \
    }                                  \
    inline const Table& name() { return isa_plain::name; }
#endif
