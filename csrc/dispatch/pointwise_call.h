// From boxed arguments to the pointwise executor.
#pragma once

#include "cpu/pointwise.h"
#include "dispatch/value.h"

namespace taeda {

struct PointwiseCall {
    PointwiseCall(const cpu::PointwiseOp& op, const Value* arguments);

    std::span<const cpu::Operand> operands() const { return {operands_, n_}; }

    cpu::Attributes attributes;

private:
    cpu::Operand operands_[cpu::kMaxPointwiseInputs];
    size_t n_;
};

}  // namespace taeda
