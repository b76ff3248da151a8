// The two kinds of node that operations make: OpNode for rows with a written gradient, PointwiseNode for the pointwise table.
#pragma once

#include "autograd/record.h"

namespace taeda {

struct OpNode final : Node {
    OpNode(const Op& op, const Value* arguments, const Value* results);

    void apply(GradList& grads, GradList& out) override;
    void release_saved() override;
    const char* name() const override { return op->backward_name; }

    // What the generated gradients read.
    Tensor tensor(int argument) const { return saved[slot_of(argument)].unpack(*this); }
    TensorList tensor_list(int argument) const;
    Tensor result(int k) const;
    TensorList result_list(int k) const;
    const Value& value(int argument) const { return values[static_cast<size_t>(argument)]; }
    const TensorMeta& meta(int argument) const { return metas[static_cast<size_t>(argument)]; }
    bool needs(int argument) const;  // some tensor of this argument wants a gradient
    // What a gradient is computed for where that is not what the edges say (forward mode asks for the inputs with tangents).
    const std::vector<bool>* wanted = nullptr;
    // The place in `saved` of argument or (from n arguments on) result `k`, and how many tensors it has.
    std::pair<size_t, size_t> saved_range(size_t k) const { return {slots[k], slot_counts[k]}; }
    size_t first_edge(int argument) const { return first_edges[static_cast<size_t>(argument)]; }
    size_t n_edges_of(int argument) const;
    // The sizes along `dim` of the tensors of a list; -1 for an empty one-dimensional tensor, which may stand anywhere.
    Shape sizes_along(int argument, int64_t dim) const;
    const TensorMeta& output_meta(int k) const { return outputs[static_cast<size_t>(k)]; }

    const Op* op;
    std::vector<Value> values;                           // arguments; tensors are left out
    std::vector<TensorMeta> metas;                       // of tensor arguments
    std::vector<std::pair<int, TensorMeta>> list_metas;  // of the tensors in list arguments, with the argument's number
    std::vector<SavedTensor> saved;
    std::vector<uint32_t> slots;  // argument, then result -> its first place in `saved`
    std::vector<uint32_t> slot_counts;
    std::vector<uint32_t> first_edges;    // argument -> its first edge
    uint64_t grads_given = ~uint64_t{0};  // bit k: a gradient of result k arrived; zeros stand in for the others

    bool has_grad(int k) const { return grads_given >> k & 1; }

private:
    size_t slot_of(int argument) const { return slots[static_cast<size_t>(argument)]; }
};

struct PointwiseNode final : Node {
    PointwiseNode(const Op& op, const Value* arguments, const Tensor& result);

    void apply(GradList& grads, GradList& out) override;
    void release_saved() override;
    const char* name() const override { return op->backward_name; }

    struct Slot {
        bool is_number() const { return value.index() == 1; }
        const Scalar& number() const { return std::get<1>(value); }
        SavedTensor& tensor() { return std::get<0>(value); }
        const SavedTensor& tensor() const { return std::get<0>(value); }

        std::variant<SavedTensor, Scalar> value;
    };
    const Op* op;
    InlineList<Slot, 3> slots;  // inputs, then the result
    std::unique_ptr<cpu::Attributes> attributes;

private:
    Tensor gradient_of(size_t input, const Tensor& g);
    bool reads_wrapped(const Tensor& g) const;
    bool reads_dual(const Tensor& g) const;
};

}  // namespace taeda
