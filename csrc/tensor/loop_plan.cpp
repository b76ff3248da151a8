#include "tensor/loop_plan.h"

#include <cstdlib>

namespace taeda {

namespace {

// Which of two dimensions steps through memory in smaller strides: negative when `a` should be further in. The first
// operand that moves along both decides; an operand that repeats along one of them has no say.
int compare_dims(const LoopPlan& plan, size_t a, size_t b) {
    for (int k = 0; k < plan.n_operands; ++k) {
        int64_t stride_a = std::abs(plan.byte_strides[k][a]), stride_b = std::abs(plan.byte_strides[k][b]);
        if (stride_a == 0 || stride_b == 0) continue;
        if (stride_a != stride_b) return stride_a < stride_b ? -1 : 1;
        if (plan.sizes[a] > plan.sizes[b]) return 1;
    }
    return 0;
}

void swap_dims(LoopPlan& plan, size_t a, size_t b) {
    std::swap(plan.sizes[a], plan.sizes[b]);
    for (int k = 0; k < plan.n_operands; ++k) std::swap(plan.byte_strides[k][a], plan.byte_strides[k][b]);
}

// Insertion sort that looks past dimensions without an order between them, so that a dimension along which everything
// repeats does not separate two that belong together.
void order_dims(LoopPlan& plan) {
    for (size_t i = 1; i < plan.sizes.size(); ++i) {
        size_t moving = i;
        for (size_t j = i; j-- > 0;) {
            int order = compare_dims(plan, j, moving);
            if (order < 0) break;
            if (order > 0) {
                swap_dims(plan, j, moving);
                moving = j;
            }
        }
    }
}

// A dimension that no operand walks forwards is walked from its other end.
void turn_backward_dims(LoopPlan& plan) {
    for (size_t d = 0; d < plan.sizes.size(); ++d) {
        bool forwards = false, backwards = false;
        for (int k = 0; k < plan.n_operands; ++k) {
            forwards |= plan.byte_strides[k][d] > 0;
            backwards |= plan.byte_strides[k][d] < 0;
        }
        if (forwards || !backwards) continue;
        for (int k = 0; k < plan.n_operands; ++k) {
            plan.data[k] += (plan.sizes[d] - 1) * plan.byte_strides[k][d];
            plan.byte_strides[k][d] = -plan.byte_strides[k][d];
        }
    }
}

bool steps_together(const LoopPlan& plan, size_t inner, size_t outer) {
    for (int k = 0; k < plan.n_operands; ++k)
        if (plan.byte_strides[k][outer] != plan.byte_strides[k][inner] * plan.sizes[inner]) return false;
    return true;
}

void merge_dims(LoopPlan& plan) {
    size_t last = 0;
    for (size_t d = 1; d < plan.sizes.size(); ++d) {
        if (steps_together(plan, last, d)) {
            plan.sizes[last] *= plan.sizes[d];
            continue;
        }
        ++last;
        plan.sizes[last] = plan.sizes[d];
        for (int k = 0; k < plan.n_operands; ++k) plan.byte_strides[k][last] = plan.byte_strides[k][d];
    }
    plan.sizes.resize(last + 1);
    for (int k = 0; k < plan.n_operands; ++k) plan.byte_strides[k].resize(last + 1);
}

}  // namespace

LoopPlan plan_strided(IntList shape, std::span<const PlanOperand> operands) {
    TAEDA_CHECK(operands.size() <= kMaxOperands, "a loop has at most ", kMaxOperands, " operands, got ", operands.size());
    LoopPlan plan;
    plan.n_operands = static_cast<int>(operands.size());
    plan.numel = 1;
    for (int64_t size : shape) plan.numel *= size;
    for (int k = 0; k < plan.n_operands; ++k) plan.data[k] = operands[k].data;
    for (size_t d = shape.size(); d-- > 0;) {
        if (shape[d] == 1) continue;
        plan.sizes.push_back(shape[d]);
        for (int k = 0; k < plan.n_operands; ++k) plan.byte_strides[k].push_back(operands[k].strides[d] * operands[k].item_size);
    }
    if (plan.numel == 0 || plan.sizes.empty()) {  // nothing to walk, or one element
        plan.sizes = Shape{plan.numel};
        for (int k = 0; k < plan.n_operands; ++k) plan.byte_strides[k] = Shape{operands[k].item_size};
        return plan;
    }
    if (plan.sizes.size() > 1) order_dims(plan);
    turn_backward_dims(plan);
    if (plan.sizes.size() > 1) merge_dims(plan);
    return plan;
}

LoopPlan plan_loop(IntList shape, std::span<const Tensor> operands) {
    TAEDA_CHECK(operands.size() <= kMaxOperands, "a loop has at most ", kMaxOperands, " operands, got ", operands.size());
    std::array<PlanOperand, kMaxOperands> raw;
    for (size_t k = 0; k < operands.size(); ++k) {
        const Tensor& t = operands[k];
        raw[k] = {t.is_meta() ? nullptr : static_cast<char*>(t.data()), t.strides().data(), static_cast<int64_t>(t.item_size())};
    }
    return plan_strided(shape, {raw.data(), operands.size()});
}

}  // namespace taeda
