// The life of a call: kernel first, history after it. In-place and out= forms are derived here, for every operation alike.
#include <cstring>
#include <unordered_map>

#include "cpu/copy.h"
#include "cpu/pointwise.h"
#include "dispatch/op.h"
#include "dispatch/pointwise_call.h"

namespace taeda {

Recorder g_recorder;
void (*g_call_composition)(const Op&, const Value*, Value*) = nullptr;

const Op& find_op(const std::string& key) {
    static const auto* by_key = [] {
        auto* map = new std::unordered_map<std::string, const Op*>;
        for (const Op& op : all_ops()) map->emplace(op.key, &op);
        return map;
    }();
    auto found = by_key->find(key);
    TAEDA_CHECK_KIND(NotImplemented, found != by_key->end(), "taeda has no operation ", key);
    return *found->second;
}

namespace {

Tensor run_pointwise(const cpu::PointwiseOp& op, const Value* arguments, const Tensor& out, bool in_place) {
    PointwiseCall call(op, arguments);
    return cpu::run_pointwise(op.forward, call.operands(), call.attributes, out, in_place);
}

void run_kernel(const Op& op, const Value* arguments, Value* results) {
    if (op.pointwise) results[0] = run_pointwise(*op.pointwise, arguments, Tensor(), false);
    else if (op.kernel) op.kernel(arguments, results);
    else g_call_composition(op, arguments, results);
}

void check_castable(const Tensor& from, const Tensor& to) {
    DType a = from.dtype(), b = to.dtype();
    bool fine = !(is_complex(a) && !is_complex(b)) && !(is_inexact(a) && !is_inexact(b)) && !(!is_bool(a) && is_bool(b));
    TAEDA_CHECK(fine, "result type ", scalar_type_name(a), " can't be cast to the desired output type ", scalar_type_name(b));
}

void check_writable(const Tensor& t) {
    TAEDA_CHECK(t.storage()->is_writable(), "the tensor's memory is read-only: it belongs to an array that is not writable; clone() it first");
    TAEDA_CHECK(!may_overlap_itself(t),
                "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() the "
                "tensor before performing the operation.");
}

}  // namespace

void call(const Op& op, Value* arguments, Value* results) {
    if (op.writes_input) {
        const Tensor& self = unbox_tensor(arguments[0]);
        bool wanted = g_recorder.wants(op, arguments);
        g_recorder.check_inplace(op, arguments, wanted);
        check_writable(self);
        run_kernel(op, arguments, results);
        self.storage()->bump_version();
        if (wanted) g_recorder.record(op, arguments, results, true);
        return;
    }
    bool wanted = op.vjp || op.pointwise ? g_recorder.wants(op, arguments) : false;
    run_kernel(op, arguments, results);
    if (op.is_view) g_recorder.record_view(op, arguments, results);
    if (wanted) g_recorder.record(op, arguments, results, false);
}

void call_inplace(const Op& op, Value* arguments, Value* results) {
    TAEDA_CHECK(op.has_inplace, op.name, " has no in-place form");
    Tensor self = unbox_tensor(arguments[0]);
    bool wanted = g_recorder.wants(op, arguments);
    g_recorder.check_inplace(op, arguments, wanted);
    check_writable(self);
    // A gradient that needs the value that is about to be overwritten gets a copy of it.
    Value original = arguments[0];
    bool saves_self = wanted && (op.pointwise ? (op.pointwise->saves_inputs & 1) != 0 : (op.saved_arguments & 1) != 0);
    if (saves_self) original = cpu::clone(self);
    // A view made in place (squeeze_) changes the geometry that its gradient asks for.
    if (wanted && op.is_view && !saves_self) {
        original = alias(self);
        saves_self = true;
    }
    if (op.pointwise) {
        run_pointwise(*op.pointwise, arguments, self, true);
    } else if (op.inplace_kernel) {
        op.inplace_kernel(arguments, results);
    } else {
        run_kernel(op, arguments, results);
        const Tensor& computed = unbox_tensor(results[0]);
        check_castable(computed, self);
        TAEDA_CHECK(computed.sizes() == self.sizes(), "output with shape ", shape_text(self.sizes()), " doesn't match the broadcast shape ",
                    shape_text(computed.sizes()));
        cpu::copy_into(self, computed);
    }
    self.storage()->bump_version();
    results[0] = self;
    if (!wanted) return;
    if (saves_self) {
        // The copy stands for the old value: it takes over the old value's place in the graph.
        Tensor copy = unbox_tensor(original);
        g_recorder.adopt_history(copy, self);
        arguments[0] = copy;
    }
    g_recorder.record(op, arguments, results, true);
}

void call_out(const Op& op, Value* arguments, std::span<const Tensor> outs, Value* results) {
    for (const Tensor& out : outs) check_writable(out);
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        const auto* t = std::get_if<Tensor>(&arguments[k]);
        TAEDA_CHECK(!(t && t->defined() && t->requires_grad() && g_recorder.grad_enabled()), op.name,
                    "(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad.");
    }
    for (const Tensor& out : outs)
        TAEDA_CHECK(!(out.requires_grad() && g_recorder.grad_enabled()), op.name,
                    "(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad.");
    if (op.pointwise) {
        results[0] = run_pointwise(*op.pointwise, arguments, outs[0], false);
        outs[0].storage()->bump_version();
        return;
    }
    if (op.is_factory)  // without a dtype it makes what the given tensor holds
        for (size_t k = 0; k < op.arguments.size(); ++k)
            if (op.arguments[k].type == ArgType::DType && is_none(arguments[k])) arguments[k] = outs[0].dtype();
    std::vector<const Tensor*> inputs;
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (const auto* t = std::get_if<Tensor>(&arguments[k])) inputs.push_back(t);
        if (const auto* list = std::get_if<TensorList>(&arguments[k]))
            for (const Tensor& t : *list) inputs.push_back(&t);
    }
    {
        OutputSlot slot(outs[0], inputs);
        run_kernel(op, arguments, results);
    }
    for (size_t k = 0; k < outs.size(); ++k) {
        const Tensor& computed = unbox_tensor(results[k]);
        const Tensor& out = outs[k];
        if (!computed.is_same(out)) {
            check_castable(computed, out);
            if (out.sizes() != computed.sizes()) resize_tensor(out, computed.sizes());
            cpu::copy_into(out, computed);
        }
        out.storage()->bump_version();
        results[k] = out;
    }
}

}  // namespace taeda
