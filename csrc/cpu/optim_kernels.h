// The inner loops of optimizer steps, as a table for each instruction set.
#pragma once

#include "base/dtype.h"
#include "cpu/isa.h"

namespace taeda::cpu {

// Numbers that one parameter's update needs, worked out in double precision beforehand.
struct SgdNumbers {
    double sign;  // -1 to maximize
    double weight_decay;
    double momentum, keep_of_gradient;  // keep_of_gradient = 1 - dampening
    double rate;                        // -lr
    bool has_momentum, is_first, nesterov;
};
struct AdamNumbers {
    double sign;
    double shrink;        // what decoupled weight decay leaves of the parameter
    double weight_decay;  // otherwise
    double beta1, beta2, eps;
    double root_correction;  // of the mean square
    double rate;             // -lr over the correction of the mean
};
struct RmspropNumbers {
    double sign, weight_decay, alpha, eps, momentum;
    double rate;  // -lr
};

// operands: parameter, gradient, then the state in the order of optim.h; an absent one is null.
template <class Numbers>
using UpdateBlock = void (*)(void* const* operands, int64_t first, int64_t last, const Numbers& numbers);

inline constexpr int kUpdateTypes = 4;  // float16, bfloat16, float32, float64: DType less DType::Float16
constexpr int update_type(DType t) { return static_cast<int>(t) - static_cast<int>(DType::Float16); }

struct OptimTable {
    UpdateBlock<SgdNumbers> sgd[kUpdateTypes];
    UpdateBlock<AdamNumbers> adam[kUpdateTypes];
    UpdateBlock<RmspropNumbers> rmsprop[kUpdateTypes];
};
TAEDA_DECLARE_ISA(OptimTable, optim_table)

}  // namespace taeda::cpu
