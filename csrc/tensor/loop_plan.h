// The loop planner: how to walk several strided operands of one shape with as few and as long inner loops as possible.
//
// It drops dimensions of size one, orders the rest by the strides of the first operands (normally the result), turns
// dimensions that all operands walk backwards, and merges neighbours that step together.
#pragma once

#include <array>

#include "base/parallel.h"
#include "tensor/tensor.h"

namespace taeda {

inline constexpr int kMaxOperands = 8;

struct LoopPlan {
    int n_operands = 0;
    int64_t numel = 0;
    Shape sizes;                                   // innermost first; at least one entry
    std::array<char*, kMaxOperands> data{};        // first element of each operand
    std::array<Shape, kMaxOperands> byte_strides;  // [operand][dimension], innermost first

    int64_t inner_size() const { return sizes[0]; }
    int64_t n_rows() const { return inner_size() ? numel / inner_size() : 0; }

    // Calls f(pointers, n) with runs of the innermost dimension that cover the elements [begin, end) in the plan's
    // order. `pointers[k]` advances by byte_strides[k][0].
    template <class F>
    void for_each_run(int64_t begin, int64_t end, F&& f) const;
};

// One operand for the planner: its strides count elements and have one entry for each dimension of the shape.
struct PlanOperand {
    char* data;
    const int64_t* strides;
    int64_t item_size;
};
LoopPlan plan_strided(IntList shape, std::span<const PlanOperand> operands);

// Operands must have been expanded to `shape` (see expand_to); an operand may have another dtype, strides are in bytes.
LoopPlan plan_loop(IntList shape, std::span<const Tensor> operands);

template <class F>
void LoopPlan::for_each_run(int64_t begin, int64_t end, F&& f) const {
    if (begin >= end) return;
    const size_t ndim = sizes.size();
    Shape index(ndim, 0);
    int64_t rest = begin;
    for (size_t d = 0; d < ndim; ++d) {
        index[d] = rest % sizes[d];
        rest /= sizes[d];
    }
    std::array<char*, kMaxOperands> at{};
    for (int k = 0; k < n_operands; ++k) {
        at[k] = data[k];
        for (size_t d = 0; d < ndim; ++d) at[k] += index[d] * byte_strides[k][d];
    }
    while (begin < end) {
        int64_t n = std::min(sizes[0] - index[0], end - begin);
        f(at.data(), n);
        begin += n;
        if (begin >= end) return;
        for (int k = 0; k < n_operands; ++k) at[k] -= index[0] * byte_strides[k][0];
        index[0] = 0;
        for (size_t d = 1; d < ndim; ++d) {  // an odometer: carry where a dimension is full
            for (int k = 0; k < n_operands; ++k) at[k] += byte_strides[k][d];
            if (++index[d] < sizes[d]) break;
            for (int k = 0; k < n_operands; ++k) at[k] -= sizes[d] * byte_strides[k][d];
            index[d] = 0;
        }
    }
}

}  // namespace taeda
