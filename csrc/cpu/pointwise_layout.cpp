// Layouts of results and the rules about memory that is read and written at once.
#include <array>
#include <cstdlib>

#include "cpu/pointwise_detail.h"

namespace taeda::cpu {

namespace {

// The strides of one operand against the dimensions of the broadcast shape: 0 where it repeats.
Shape aligned_strides(const Tensor& t, size_t ndim, IntList shape) {
    Shape strides(ndim, 0);
    size_t lead = ndim - t.sizes().size();
    for (size_t d = lead; d < ndim; ++d)
        if (t.sizes()[d - lead] != 1 || shape[d] == 1) strides[d] = std::abs(t.strides()[d - lead]);
    return strides;
}

// Positive: dimension `a` steps further than `b`, so it belongs outside it. The first operand with an opinion decides.
int compare(std::span<const Shape> strides, IntList shape, size_t a, size_t b) {
    for (const Shape& s : strides) {
        if (s[a] == 0 || s[b] == 0) continue;
        if (s[a] != s[b]) return s[a] < s[b] ? -1 : 1;
        if (shape[a] > shape[b]) return 1;
    }
    return 0;
}

// The dimensions from the innermost to the outermost.
SmallVector<size_t, 5> memory_order(std::span<const Shape> strides, IntList shape) {
    SmallVector<size_t, 5> order;
    for (size_t d = shape.size(); d-- > 0;) order.push_back(d);
    for (size_t i = 1; i < order.size(); ++i) {
        size_t moving = i;
        for (size_t j = i; j-- > 0;) {
            int sign = compare(strides, shape, order[j], order[moving]);
            if (sign < 0) break;
            if (sign > 0) {
                std::swap(order[j], order[moving]);
                moving = j;
            }
        }
    }
    return order;
}

bool has_shape(const Tensor& t, IntList shape) {
    return t.sizes().size() == shape.size() && std::equal(shape.begin(), shape.end(), t.sizes().begin());
}

}  // namespace

Shape result_strides(IntList shape, std::span<const Operand> operands) {
    const Tensor* first = nullptr;
    bool all_contiguous = true, same_layout = true;
    for (const Operand& operand : operands) {
        if (!operand.tensor) continue;
        const Tensor& t = *operand.tensor;
        all_contiguous &= t.is_contiguous();
        same_layout &= has_shape(t, shape) && (!first || t.strides() == first->strides());
        for (int64_t stride : t.strides()) same_layout &= stride >= 0;
        if (!first) first = &t;
    }
    if (!first || all_contiguous || shape.size() < 2) return {};
    if (same_layout && is_non_overlapping_and_dense(first->sizes(), first->strides())) return first->strides();
    std::array<Shape, kMaxPointwiseInputs> strides;
    size_t count = 0;
    for (const Operand& operand : operands)
        if (operand.tensor) strides[count++] = aligned_strides(*operand.tensor, shape.size(), shape);
    auto order = memory_order({strides.data(), count}, shape);
    Shape dense(shape.size(), 1);
    int64_t step = 1;
    for (size_t d : order) {
        dense[d] = step;
        step *= std::max<int64_t>(shape[d], 1);
    }
    return dense;
}

void check_writable(const Tensor& out) {
    TAEDA_CHECK(out.is_contiguous() || !may_overlap_itself(out),
                "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
                "Please clone() the tensor before performing the operation.");
}

void check_no_partial_overlap(const Tensor& out, const Tensor& input) {
    if (out.storage() != input.storage() || out.is_same(input) || out.numel() == 0 || input.numel() == 0) return;
    bool dense = is_non_overlapping_and_dense(out.sizes(), out.strides()) && is_non_overlapping_and_dense(input.sizes(), input.strides());
    if (!dense || !may_share_memory(out, input)) return;
    bool same_place = out.data() == input.data() && out.n_bytes() == input.n_bytes() && out.strides() == input.strides();
    TAEDA_CHECK(same_place,
                "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
                "Please clone() the tensor before performing the operation.");
}

bool needs_own_copy(const Tensor& out, const Tensor& input) {
    if (out.is_same(input) || out.numel() == 0 || input.numel() == 0) return false;
    return may_share_memory(out, input) && !is_same_view(out, input);
}

}  // namespace taeda::cpu
