// The step of the lattice of connectionist temporal classification.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace taeda::cpu {

template <class T>
struct CtcKernels {
    // out[s] = log(exp(from[s]) + exp(from[s + d]) + exp(from[s + 2 d] + skip[s])) + emission[s] for s < n; `from` is readable
    // two states beyond both ends. d is 1 or -1.
    void (*step)(const T* from, int64_t d, const T* skip, const T* emission, T* out, int64_t n);
    // posterior[s] = exp(alpha[s] + beta[s] - emission[s] + loss)
    void (*posterior)(const T* alpha, const T* beta, const T* emission, T loss, T* posterior, int64_t n);
};

struct CtcTable {
    CtcKernels<float> of_float;
    CtcKernels<double> of_double;
};
TAEDA_DECLARE_ISA(CtcTable, ctc_table)

}  // namespace taeda::cpu
