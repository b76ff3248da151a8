// What the executor's parts share.
#pragma once

#include "cpu/pointwise.h"

namespace taeda::cpu {

ComputeType compute_type_of(const Pointwise& op, DType t);
DType storage_of(ComputeType c);  // the dtype whose memory holds this compute type
DType apply_rule(const Pointwise& op, DType common);
DType result_dtype(const Pointwise& op, DType common);
bool can_cast(DType from, DType to);  // PyTorch's torch.can_cast

// Raises where writing `out` would be undefined: its own elements overlap, or it partly overlaps the dense tensor `input`.
void check_writable(const Tensor& out);
void check_no_partial_overlap(const Tensor& out, const Tensor& input);
// Whether writing `out` while reading `input` could read what was just written: they meet without being one view.
bool needs_own_copy(const Tensor& out, const Tensor& input);

// The layout of a new result: dense strides in the order in which the operands lie in memory. Empty: contiguous.
Shape result_strides(IntList shape, std::span<const Operand> operands);

}  // namespace taeda::cpu
