// How many bytes a vector register of the instruction set has that a file named *_isa.cpp is compiled for.
#pragma once

namespace taeda::cpu::TAEDA_ISA {

namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

}  // namespace

}  // namespace taeda::cpu::TAEDA_ISA
