// What single rows of the pointwise table reject before anything is computed; named by the rows' `check`.
#pragma once

#include "cpu/pointwise.h"

namespace taeda::cpu {

void check_add(std::span<const Operand> operands, const Attributes& attributes);
void check_sub(std::span<const Operand> operands, const Attributes& attributes);
void check_neg(std::span<const Operand> operands, const Attributes& attributes);
void check_pow(std::span<const Operand> operands, const Attributes& attributes);
void check_addcdiv(std::span<const Operand> operands, const Attributes& attributes);
void check_maximum(std::span<const Operand> operands, const Attributes& attributes);
void check_minimum(std::span<const Operand> operands, const Attributes& attributes);
void check_where(std::span<const Operand> operands, const Attributes& attributes);
void check_masked_fill(std::span<const Operand> operands, const Attributes& attributes);
void check_celu(std::span<const Operand> operands, const Attributes& attributes);
void check_hardtanh(std::span<const Operand> operands, const Attributes& attributes);
void check_softshrink(std::span<const Operand> operands, const Attributes& attributes);
void check_bce(std::span<const Operand> operands, const Attributes& attributes);
void check_complex(std::span<const Operand> operands, const Attributes& attributes);

}  // namespace taeda::cpu
