#include "autograd/op_node.h"

#include "autograd/compose.h"
#include "autograd/forward.h"
#include "cpu/copy.h"
#include "dispatch/pointwise_call.h"

namespace taeda {

namespace {

size_t count_edges(const Op& op, const Value* arguments) {
    size_t n = 0;
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (!(op.input_arguments >> k & 1)) continue;
        const auto* list = std::get_if<TensorList>(&arguments[k]);
        n += list ? list->size() : 1;
    }
    return n;
}

size_t count_results(const Op& op, const Value* results) {
    size_t n = 0;
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        const auto* list = std::get_if<TensorList>(&results[k]);
        n += list ? list->size() : 1;
    }
    return n;
}

}  // namespace

OpNode::OpNode(const Op& op, const Value* arguments, const Value* results) : Node(count_edges(op, arguments)), op(&op) {
    const size_t n = op.arguments.size();
    values.resize(n);
    metas.resize(n);
    slots.resize(n + op.result_names.size());
    slot_counts.resize(n + op.result_names.size());
    first_edges.resize(n);
    uint32_t edge = 0;
    for (size_t k = 0; k < n; ++k) {
        bool is_input = op.input_arguments >> k & 1, is_saved = op.saved_arguments >> k & 1;
        first_edges[k] = edge;
        slots[k] = static_cast<uint32_t>(saved.size());
        auto take = [&](const Tensor& t) {
            if (is_saved) saved.emplace_back().save(t);
            if (is_input) edges[edge++] = edge_of(t);
        };
        if (const auto* t = std::get_if<Tensor>(&arguments[k])) {
            metas[k] = TensorMeta::of(*t);
            values[k] = box(true);  // not the tensor, only that there is one: gradients ask whether it is None
            take(*t);
        } else if (const auto* list = std::get_if<TensorList>(&arguments[k])) {
            for (const Tensor& t : *list) {
                if (t.defined()) {
                    list_metas.emplace_back(static_cast<int>(k), TensorMeta::of(t));
                    take(t);
                } else {
                    if (is_saved) saved.emplace_back();
                    if (is_input) ++edge;
                }
            }
        } else {
            if (is_saved && op.arguments[k].type <= ArgType::Operand) saved.emplace_back();
            if (is_input) ++edge;
            values[k] = arguments[k];
        }
        slot_counts[k] = static_cast<uint32_t>(saved.size()) - slots[k];
    }
    outputs.reset(count_results(op, results));
    uint32_t output = 0;
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        bool is_saved = op.saved_results >> k & 1;
        slots[n + k] = static_cast<uint32_t>(saved.size());
        auto take = [&](const Tensor& t) {
            if (t.defined()) {
                outputs[output] = TensorMeta::of(t);
                if (is_saved) saved.emplace_back().save_result(t, output);
            } else if (is_saved) {
                saved.emplace_back();
            }
            ++output;
        };
        if (const auto* list = std::get_if<TensorList>(&results[k]))
            for (const Tensor& t : *list) take(t);
        else if (const auto* t = std::get_if<Tensor>(&results[k])) take(*t);
        else ++output;
        slot_counts[n + k] = static_cast<uint32_t>(saved.size()) - slots[n + k];
    }
}

TensorList OpNode::tensor_list(int argument) const {
    TensorList list;
    size_t first = slot_of(argument);
    for (size_t i = 0; i < slot_counts[static_cast<size_t>(argument)]; ++i) list.push_back(saved[first + i].unpack(*this));
    return list;
}

Shape OpNode::sizes_along(int argument, int64_t dim) const {
    Shape lengths;
    for (const auto& [k, meta] : list_metas) {
        if (k != argument) continue;
        const bool stands_anywhere = meta.sizes.size() == 1 && meta.sizes[0] == 0;
        lengths.push_back(stands_anywhere ? -1 : meta.sizes[static_cast<size_t>(wrap_dim(dim, static_cast<int64_t>(meta.sizes.size())))]);
    }
    return lengths;
}

Tensor OpNode::result(int k) const { return saved[slots[op->arguments.size() + static_cast<size_t>(k)]].unpack(*this); }

TensorList OpNode::result_list(int k) const {
    TensorList list;
    size_t at = op->arguments.size() + static_cast<size_t>(k);
    for (size_t i = 0; i < slot_counts[at]; ++i) list.push_back(saved[slots[at] + i].unpack(*this));
    return list;
}

size_t OpNode::n_edges_of(int argument) const {
    size_t k = static_cast<size_t>(argument) + 1;
    return (k < first_edges.size() ? first_edges[k] : edges.size()) - first_edges[k - 1];
}

bool OpNode::needs(int argument) const {
    size_t first = first_edge(argument), n = n_edges_of(argument);
    for (size_t i = 0; i < n; ++i)
        if (wanted ? (*wanted)[first + i] : is_wanted(first + i)) return true;
    return false;
}

void OpNode::apply(GradList& grads, GradList& out) {
    TensorList given(grads.begin(), grads.end());
    grads_given = 0;
    for (size_t k = 0; k < given.size() && k < 64; ++k) grads_given |= uint64_t{given[k].defined()} << k;
    for (size_t k = 0; k < given.size(); ++k)
        if (!given[k].defined() && is_inexact(outputs[k].dtype)) given[k] = cpu::zeros(outputs[k].sizes, outputs[k].dtype, outputs[k].device);
    std::vector<bool> needed(edges.size());
    for (size_t i = 0; i < edges.size(); ++i) needed[i] = is_wanted(i);
    TensorList made(edges.size());
    op->vjp(*this, given, needed, made);
    for (size_t i = 0; i < made.size(); ++i) out[i] = std::move(made[i]);
}

void OpNode::release_saved() {
    for (SavedTensor& s : saved) s.reset();
    is_released = true;
}

namespace {

// Whether the gradient is g itself: in the row, or because the attribute that it would be multiplied with is one.
bool is_identity(const Op& op, size_t input, const Value* arguments) {
    const cpu::PointwiseGrad& grad = op.pointwise->grads[input];
    if (grad.kind != cpu::GradKind::Loop) return true;
    if (grad.unit_attribute < 0) return false;
    const auto* scalar = std::get_if<Scalar>(&arguments[op.pointwise->forward.n_inputs + static_cast<size_t>(grad.unit_attribute)]);
    return scalar && scalar->to_complex() == std::complex<double>(1);
}

}  // namespace

PointwiseNode::PointwiseNode(const Op& op, const Value* arguments, const Tensor& result) : Node(op.pointwise->forward.n_inputs), op(&op) {
    const cpu::PointwiseOp& pointwise = *op.pointwise;
    size_t n = pointwise.forward.n_inputs;
    slots.reset(n + 1);
    uint32_t inputs = 0;
    bool saves_result = false, reads_attributes = false;
    for (size_t k = 0; k < n; ++k) {
        const auto* t = std::get_if<Tensor>(&arguments[k]);
        if (!t) {
            slots[k].value = unbox_scalar(arguments[k]);
            continue;
        }
        const cpu::PointwiseGrad& grad = pointwise.grads[k];
        if (grad.kind == cpu::GradKind::None) continue;
        edges[k] = edge_of(*t);
        if (!edges[k].valid() || is_identity(op, k, arguments)) continue;
        // Only what the wanted gradients read is kept.
        reads_attributes = true;
        for (size_t i = 0; i < grad.n_reads; ++i) {
            if (grad.reads[i] == cpu::kReadsResult) saves_result = true;
            else if (grad.reads[i] != cpu::kReadsGrad) inputs |= 1u << grad.reads[i];
        }
    }
    for (size_t k = 0; k < n; ++k)
        if (inputs >> k & 1 && !slots[k].is_number()) slots[k].tensor().save(std::get<Tensor>(arguments[k]));
    if (saves_result) slots[n].tensor().save_result(result, 0);
    if (pointwise.forward.n_attributes && reads_attributes) {
        attributes = std::make_unique<cpu::Attributes>();
        *attributes = PointwiseCall(pointwise, arguments).attributes;
    }
    outputs.reset(1);
    outputs[0] = TensorMeta::of(result);
}

void PointwiseNode::apply(GradList& grads, GradList& out) {
    for (size_t k = 0; k < edges.size(); ++k)
        if (is_wanted(k)) out[k] = gradient_of(k, grads[0]);
}

// Wrapped tensors have no data for a fused loop: their gradients run through the operations.
bool PointwiseNode::reads_wrapped(const Tensor& g) const {
    if (g_n_wrapped.load(std::memory_order_relaxed) == 0) [[likely]]
        return false;
    if (g.is_wrapped()) return true;
    for (const Slot& slot : slots)
        // What a hook has packed may turn out to be one.
        if (!slot.is_number() && slot.tensor().defined() && (!slot.tensor().peek().defined() || slot.tensor().peek().is_wrapped())) return true;
    return false;
}

bool PointwiseNode::reads_dual(const Tensor& g) const {
    if (has_tangent(g)) return true;
    for (const Slot& slot : slots)
        if (!slot.is_number() && slot.tensor().has_tangent()) return true;
    return false;
}

Tensor PointwiseNode::gradient_of(size_t input, const Tensor& g) {
    const cpu::PointwiseGrad& grad = op->pointwise->grads[input];
    static const cpu::Attributes kNoAttributes{};
    const cpu::Attributes& given = attributes ? *attributes : kNoAttributes;
    const size_t n = op->pointwise->forward.n_inputs;
    if (grad.kind == cpu::GradKind::PassThrough || (grad.unit_attribute >= 0 && !attributes)) return g;
    if (grad.kind == cpu::GradKind::Zero) return cpu::zeros(g.sizes(), g.dtype(), g.visible_device());
    if (grad_mode().enabled || reads_wrapped(g) || (g_dual_levels && reads_dual(g))) {
        Value inputs[cpu::kMaxPointwiseInputs];
        Tensor result;
        for (size_t k = 0; k < n; ++k)
            if (slots[k].is_number()) inputs[k] = slots[k].number();
        for (size_t i = 0; i < grad.n_reads; ++i) {
            uint8_t read = grad.reads[i];
            if (read == cpu::kReadsResult) result = slots[n].tensor().unpack(*this);
            else if (read != cpu::kReadsGrad && !slots[read].is_number()) inputs[read] = slots[read].tensor().unpack(*this);
        }
        return pointwise_compose(op->pointwise->index, static_cast<int>(input))(g, inputs, result, given);
    }
    cpu::Operand operands[cpu::kMaxPointwiseInputs];
    Tensor held[cpu::kMaxPointwiseInputs];
    for (size_t i = 0; i < grad.n_reads; ++i) {
        uint8_t read = grad.reads[i];
        if (read == cpu::kReadsGrad) {
            operands[i].tensor = &g;
            continue;
        }
        const Slot& slot = slots[read == cpu::kReadsResult ? n : read];
        if (slot.is_number()) {
            operands[i].number = slot.number();
            continue;
        }
        held[i] = slot.tensor().unpack(*this);
        operands[i].tensor = &held[i];
    }
    return cpu::run_pointwise(grad.loop, {operands, grad.n_reads}, given);
}

void PointwiseNode::release_saved() {
    for (Slot& slot : slots)
        if (!slot.is_number()) slot.tensor().reset();
    is_released = true;
}

}  // namespace taeda
