// The rules of forward mode: from the tangents of an operation's inputs to those of its results.
//
// Note [Transposing a gradient]: a gradient is linear in the gradient u of the result, u -> J^T u. Going backward through that
// with the tangent t gives J t: so each operation whose gradient can be differentiated has forward mode too. In complex numbers
// too: gradients are transposes with respect to the real inner product, and so is going backward through them.
#include <algorithm>

#include "autograd/compose.h"
#include "autograd/engine.h"
#include "autograd/forward.h"
#include "autograd/op_node.h"
#include "cpu/copy.h"
#include "dispatch/pointwise_call.h"

namespace taeda {

namespace {

Tensor zeros_of(const Tensor& t) { return cpu::zeros(t.sizes(), t.dtype(), t.visible_device()); }

// The tangent in the dtype and shape of what it is multiplied with.
Tensor fitted(Tensor t, IntList sizes, DType dtype) {
    if (is_complex(t.dtype()) && !is_complex(dtype)) t = call_one("real", {t});
    if (t.dtype() != dtype) t = call_one("_to_copy", {t, dtype, Value(), Value()});
    if (t.sizes() != Shape(sizes)) t = call_one("expand", {t, Shape(sizes), box(false)});
    return t;
}

Tensor added(const Tensor& sum, const Tensor& part) { return sum.defined() ? call_one("add", {sum, part, Scalar(1)}) : part; }

bool is_input(const Op& op, size_t k) { return op.input_arguments >> k & 1; }

size_t n_results(const Op& op, const Value* results) {
    size_t n = 0;
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        const auto* list = std::get_if<TensorList>(&results[k]);
        n += list ? list->size() : 1;
    }
    return n;
}

void append(TensorList& into, const Value& value) {
    if (const auto* list = std::get_if<TensorList>(&value)) into.insert(into.end(), list->begin(), list->end());
    else into.push_back(std::holds_alternative<Tensor>(value) ? std::get<Tensor>(value) : Tensor());
}

TensorList flattened(const Op& op, const Value* results) {
    TensorList list;
    for (size_t k = 0; k < op.result_names.size(); ++k) append(list, results[k]);
    return list;
}

TensorList call_on(const Op& op, std::vector<Value>& arguments) {
    std::vector<Value> results(std::max<size_t>(op.result_names.size(), 1));
    call(op, arguments.data(), results.data());
    return flattened(op, results.data());
}

// ---- linear and multilinear operations: the operation itself

TensorList linear(const Op& op, const Value* arguments, const Value* results, uint64_t level) {
    std::vector<Value> given(arguments, arguments + op.arguments.size());
    bool any = false;
    auto swapped = [&](const Tensor& t) {
        Tensor tangent = t.defined() ? tangent_of(t, level) : Tensor();
        any = any || tangent.defined();
        return tangent.defined() || !t.defined() ? tangent : zeros_of(t);
    };
    for (size_t k = 0; k < given.size(); ++k) {
        if (!is_input(op, k)) continue;
        if (auto* t = std::get_if<Tensor>(&given[k])) *t = swapped(*t);
        else if (auto* list = std::get_if<TensorList>(&given[k]))
            for (Tensor& t : *list) t = swapped(t);
        else if (std::holds_alternative<Scalar>(given[k])) given[k] = Scalar(0);
    }
    return any ? call_on(op, given) : TensorList(n_results(op, results));
}

TensorList multilinear(const Op& op, const Value* arguments, uint64_t level) {
    Tensor sum;
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        const auto* t = std::get_if<Tensor>(&arguments[k]);
        if (!is_input(op, k) || !t || !t->defined()) continue;
        Tensor tangent = tangent_of(*t, level);
        if (!tangent.defined()) continue;
        std::vector<Value> given(arguments, arguments + op.arguments.size());
        given[k] = tangent;
        sum = added(sum, call_on(op, given)[0]);
    }
    return {sum};
}

// ---- everything else: Note [Transposing a gradient]

// Where the vectors u come from: leaves of ones. A linear map has one derivative everywhere; at zero, gradients that compute in
// logarithms take a branch that does not show it.
struct Transposer {
    explicit Transposer(bool is_recording) : is_recording(is_recording), oldest(last_sequence()), record(true), no_hooks(nullptr) {}

    Tensor new_vector(const Tensor& like) {
        Tensor u = cpu::full(like.sizes(), Scalar(1), like.dtype(), like.visible_device());
        set_requires_grad(u, true);
        vectors.push_back(u);
        inputs.push_back(edge_of(u));
        return u;
    }
    void add_root(const Tensor& made, const Tensor& tangent) {
        if (!made.defined() || !requires_grad(made)) return;
        roots.push_back(edge_of(made));
        grads.push_back(fitted(tangent, made.sizes(), made.dtype()));
    }
    // For each vector the product, zeros where nothing depends on it.
    TensorList run() {
        GradModeGuard guard(is_recording);
        BackwardOptions options;
        options.create_graph = is_recording;
        options.accumulate = false;
        options.has_inputs = true;
        options.oldest = oldest;
        TensorList found = roots.empty() ? TensorList(vectors.size()) : run_backward(roots, grads, inputs, options);
        for (size_t k = 0; k < found.size(); ++k)
            if (!found[k].defined()) found[k] = zeros_of(vectors[k]);
        return found;
    }

    bool is_recording;
    uint64_t oldest;
    GradModeGuard record;
    PackSavedGuard no_hooks;
    TensorList vectors, grads;
    std::vector<Edge> inputs, roots;
};

// Whether what is computed from these inputs and their tangents has a history. The vectors u must not give it one.
bool is_recorded(const Op& op, const Value* arguments, uint64_t level) {
    if (!grad_mode().enabled) return false;
    auto has_history = [&](const Tensor& t) {
        if (!t.defined()) return false;
        Tensor tangent = tangent_of(t, level);
        return requires_grad(t) || (tangent.defined() && requires_grad(tangent));
    };
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (const auto* t = std::get_if<Tensor>(&arguments[k]); t && has_history(*t)) return true;
        if (const auto* list = std::get_if<TensorList>(&arguments[k]); list && std::ranges::any_of(*list, has_history)) return true;
    }
    return false;
}

// The tangents of the inputs as a node counts its edges.
TensorList tangents_by_edge(const Op& op, const Value* arguments, uint64_t level) {
    TensorList tangents;
    auto add = [&](const Tensor& t) { tangents.push_back(t.defined() ? tangent_of(t, level) : Tensor()); };
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (!is_input(op, k)) continue;
        if (const auto* list = std::get_if<TensorList>(&arguments[k]))
            for (const Tensor& t : *list) add(t);
        else if (const auto* t = std::get_if<Tensor>(&arguments[k])) add(*t);
        else tangents.emplace_back();
    }
    return tangents;
}

TensorList by_gradient(const Op& op, const Value* arguments, const Value* results, uint64_t level) {
    TensorList tangents = tangents_by_edge(op, arguments, level);
    TensorList values = flattened(op, results);
    std::vector<bool> wanted(tangents.size());
    bool any = false;
    for (size_t k = 0; k < tangents.size(); ++k) any = (wanted[k] = tangents[k].defined()) || any;
    if (!any) return TensorList(values.size());
    TAEDA_CHECK_KIND(NotImplemented, op.jvp != Op::Jvp::None, "taeda has no forward-mode derivative of ", op.name,
                     ": its gradient cannot be differentiated, and there is no other rule");

    Transposer transposer(is_recorded(op, arguments, level));
    auto node = Ptr<OpNode>::adopt(new OpNode(op, arguments, results));
    node->wanted = &wanted;
    // The node is nobody's grad_fn: it may hold its results with the history that they have.
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        if (!(op.saved_results >> k & 1)) continue;
        TensorList parts;
        append(parts, results[k]);
        auto [first, count] = node->saved_range(op.arguments.size() + k);
        for (size_t i = 0; i < count; ++i)
            if (parts[i].defined()) node->saved[first + i].save(parts[i]);
    }
    TensorList vectors(values.size()), made(tangents.size());
    std::vector<size_t> places;
    size_t at = 0;
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        const auto* list = std::get_if<TensorList>(&results[k]);
        for (size_t i = 0; i < (list ? list->size() : 1); ++i, ++at) {
            if (!values[at].defined() || !is_inexact(values[at].dtype())) continue;
            if (op.differentiable_results >> k & 1) {
                vectors[at] = transposer.new_vector(values[at]);
                places.push_back(at);
            } else {
                vectors[at] = zeros_of(values[at]);
            }
        }
    }
    op.vjp(*node, vectors, wanted, made);
    for (size_t k = 0; k < made.size(); ++k)
        if (wanted[k]) transposer.add_root(made[k], tangents[k]);
    TensorList found = transposer.run(), result(values.size());
    for (size_t k = 0; k < places.size(); ++k) result[places[k]] = found[k];
    return result;
}

// ---- the pointwise table: the gradient loops, with tangents in place of gradients

struct PointwiseRule {
    PointwiseRule(const Op& op, const Value* arguments, const Tensor& out)
        : op(op), pointwise(*op.pointwise), arguments(arguments), out(out), call(pointwise, arguments), is_complex_(is_complex(out.dtype())) {
        for (size_t k = 0; k < pointwise.forward.n_inputs; ++k)
            if (const auto* t = std::get_if<Tensor>(&arguments[k])) is_complex_ = is_complex_ || is_complex(t->dtype());
    }

    Tensor tangent(uint64_t level) {
        Tensor sum;
        for (size_t k = 0; k < pointwise.forward.n_inputs; ++k) {
            const auto* t = std::get_if<Tensor>(&arguments[k]);
            if (!t || pointwise.grads[k].kind == cpu::GradKind::None) continue;
            Tensor tangent = tangent_of(*t, level);
            if (!tangent.defined()) continue;
            sum = added(sum, is_complex_ ? transposed(k, tangent, level) : multiplied(k, tangent));
        }
        return sum.defined() ? fitted(sum, out.sizes(), out.dtype()) : sum;
    }

private:
    // A real derivative is a factor: its gradient loop takes a tangent as well.
    Tensor multiplied(size_t input, const Tensor& tangent) {
        const cpu::PointwiseGrad& grad = pointwise.grads[input];
        if (grad.kind == cpu::GradKind::Zero) return zeros_of(out);
        Tensor g = tangent.dtype() == out.dtype() ? tangent : fitted(tangent, tangent.sizes(), out.dtype());
        if (passes(grad)) return g;
        return is_fusable(grad, g) ? fused(grad, g) : composed(input, g);
    }

    bool passes(const cpu::PointwiseGrad& grad) const {
        return grad.kind == cpu::GradKind::PassThrough ||
               (grad.unit_attribute >= 0 && call.attributes.complex[grad.unit_attribute] == std::complex<double>(1));
    }

    Tensor transposed(size_t input, const Tensor& tangent, uint64_t level) {
        const cpu::PointwiseGrad& grad = pointwise.grads[input];
        if (grad.kind == cpu::GradKind::Zero) return zeros_of(out);
        if (passes(grad)) return fitted(tangent, tangent.sizes(), out.dtype());
        Transposer transposer(is_recorded(op, arguments, level));
        Tensor u = transposer.new_vector(out);
        transposer.add_root(composed(input, u), tangent);
        return transposer.run()[0];
    }

    Tensor composed(size_t input, const Tensor& g) const {
        return pointwise_compose(pointwise.index, static_cast<int>(input))(g, arguments, out, call.attributes);
    }

    static bool is_plain(const Tensor& t) { return !(grad_mode().enabled && requires_grad(t)) && !t.is_wrapped() && !has_tangent(t); }

    const Tensor* read(const cpu::PointwiseGrad& grad, size_t i, const Tensor& g) const {
        uint8_t what = grad.reads[i];
        return what == cpu::kReadsGrad ? &g : what == cpu::kReadsResult ? &out : std::get_if<Tensor>(&arguments[what]);
    }

    bool is_fusable(const cpu::PointwiseGrad& grad, const Tensor& g) const {
        for (size_t i = 0; i < grad.n_reads; ++i)
            if (const Tensor* t = read(grad, i, g); t && !is_plain(*t)) return false;
        return true;
    }

    Tensor fused(const cpu::PointwiseGrad& grad, const Tensor& g) const {
        cpu::Operand operands[cpu::kMaxPointwiseInputs];
        for (size_t i = 0; i < grad.n_reads; ++i) {
            operands[i].tensor = read(grad, i, g);
            if (!operands[i].tensor) operands[i].number = unbox_scalar(arguments[grad.reads[i]]);
        }
        return cpu::run_pointwise(grad.loop, {operands, grad.n_reads}, call.attributes);
    }

    const Op& op;
    const cpu::PointwiseOp& pointwise;
    const Value* arguments;
    const Tensor& out;
    PointwiseCall call;
    bool is_complex_;
};

}  // namespace

TensorList compute_tangents(const Op& op, const Value* arguments, const Value* results, uint64_t level) {
    if (op.pointwise) {
        const Tensor& out = unbox_tensor(results[0]);
        if (!is_inexact(out.dtype())) return TensorList(1);
        return {PointwiseRule(op, arguments, out).tangent(level)};
    }
    if (op.jvp == Op::Jvp::Linear) return linear(op, arguments, results, level);
    if (op.jvp == Op::Jvp::Multilinear) return multilinear(op, arguments, level);
    return by_gradient(op, arguments, results, level);
}

}  // namespace taeda
