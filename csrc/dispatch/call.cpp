// The life of a call: kernel first, history after it. In-place and out= forms are derived here, for every operation alike.
#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "cpu/copy.h"
#include "cpu/pointwise.h"
#include "dispatch/before_write.h"
#include "dispatch/op.h"
#include "dispatch/pointwise_call.h"

namespace taeda {

Recorder g_recorder;
void (*g_call_composition)(const Op&, const Value*, Value*) = nullptr;
void (*g_intercept)(const Op&, const Value*, std::span<const Tensor>, CallForm, Value*) = nullptr;
thread_local int t_intercept_random = 0;
thread_local void (*t_before_write)(const Tensor&) = nullptr;
int g_dual_levels = 0;
bool (*g_call_dual)(const Op&, Value*, std::span<const Tensor>, CallForm, Value*) = nullptr;

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

// A kernel reads what it is given: an operand without data beside others would be read at address zero.
void check_one_device(const Op& op, const Value* arguments, const Tensor& out) {
    const Tensor *with_data = nullptr, *without = nullptr;
    auto look = [&](const Tensor& t) {
        if (!t.defined()) return;
        if (t.is_meta()) without = &t;
        else with_data = &t;
    };
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (const auto* t = std::get_if<Tensor>(&arguments[k])) look(*t);
        else if (const auto* list = std::get_if<TensorList>(&arguments[k]))
            for (const Tensor& t : *list) look(t);
    }
    look(out);
    TAEDA_CHECK(!with_data || !without || op.mixes_devices,
                "Expected all tensors to be on the same device, but found at least two devices, cpu and meta!\n  ", op.name, "(): one operand is ",
                dtype_name(with_data->dtype()), " ", shape_text(with_data->sizes()), " on cpu, another ", dtype_name(without->dtype()), " ",
                shape_text(without->sizes()), " on meta, which has no data");
}

void run_kernel(const Op& op, const Value* arguments, Value* results, const Tensor& out = Tensor()) {
    if (g_has_meta.load(std::memory_order_relaxed) && !op.pointwise) [[unlikely]]
        check_one_device(op, arguments, out);
    if (op.pointwise) results[0] = run_pointwise(*op.pointwise, arguments, Tensor(), false);
    else if (op.kernel) op.kernel(arguments, results);
    else g_call_composition(op, arguments, results);
}

void check_writable(const Tensor& t) {
    TAEDA_CHECK(t.storage()->is_writable(), "the tensor's memory is read-only: it belongs to an array that is not writable; clone() it first");
    TAEDA_CHECK(!may_overlap_itself(t),
                "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() the "
                "tensor before performing the operation.");
    if (t_before_write) [[unlikely]]
        t_before_write(t);
}

void check_out_dtype(const Op& op, const Tensor& out, DType wanted) {
    TAEDA_CHECK(out.dtype() == wanted, "Expected out tensor to have dtype ", dtype_name(wanted), ", but got ", dtype_name(out.dtype()),
                " instead\n  ", op.name, "(): out= is not converted here; make it in the dtype of the result");
}

// A factory without a dtype makes what the given tensor holds; with one it must be that tensor's.
void take_dtype_of_out(const Op& op, Value* arguments, const Tensor& out) {
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (op.arguments[k].type != ArgType::DType) continue;
        if (is_none(arguments[k])) arguments[k] = out.dtype();
        const DType wanted = std::get<DType>(arguments[k]);
        TAEDA_CHECK(wanted == out.dtype(), "dtype ", scalar_type_name(wanted), " does not match dtype of out parameter (",
                    scalar_type_name(out.dtype()), ")");
    }
}

void check_apart(std::span<const Tensor> outs, const std::vector<const Tensor*>& inputs) {
    for (const Tensor& out : outs)
        for (const Tensor* input : inputs)
            TAEDA_CHECK(!input->defined() || !may_share_memory(out, *input),
                        "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
                        "Please clone() the tensor before performing the operation.");
}

bool is_wrapped(const Value& v) {
    if (const auto* t = std::get_if<Tensor>(&v)) return t->defined() && t->is_wrapped();
    const auto* list = std::get_if<TensorList>(&v);
    return list && std::ranges::any_of(*list, [](const Tensor& t) { return t.defined() && t.is_wrapped(); });
}

// Note [Wrapped tensors]. The first test is all that a program without them pays.
bool is_intercepted(const Op& op, const Value* arguments, std::span<const Tensor> outs = {}) {
    if (g_n_wrapped.load(std::memory_order_relaxed) == 0) [[likely]]
        return false;
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (is_wrapped(arguments[k])) return true;
        if (t_intercept_random && op.arguments[k].type == ArgType::Generator) return true;
    }
    return std::ranges::any_of(outs, [](const Tensor& t) { return t.is_wrapped(); });
}

// A rule may record a call itself: the gradient of a sparse tensor is not that of a dense one.
bool is_recorded(const Op& op, const Value* results) {
    auto has_history = [](const Tensor& t) { return t.defined() && t.impl()->requires_grad; };
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        if (const auto* t = std::get_if<Tensor>(&results[k]); t && has_history(*t)) return true;
        if (const auto* list = std::get_if<TensorList>(&results[k]); list && std::ranges::any_of(*list, has_history)) return true;
    }
    return false;
}

// The recorded form of an intercepted call. Gradients that need a value that is overwritten get a copy of it.
void call_intercepted(const Op& op, Value* arguments, CallForm form, Value* results) {
    bool wanted = (op.vjp || op.pointwise) && g_recorder.wants(op, arguments);
    const bool writes = form == CallForm::InPlace || op.writes_input;
    if (!writes) {
        g_intercept(op, arguments, {}, form, results);
        if (op.is_view) g_recorder.record_view(op, arguments, results);
        if (wanted && !is_recorded(op, results)) g_recorder.record(op, arguments, results, false);
        return;
    }
    Tensor self = unbox_tensor(arguments[0]);
    g_recorder.check_inplace(op, arguments, wanted);
    bool saves_self = wanted && (op.pointwise ? (op.pointwise->saves_inputs & 1) != 0 : (op.saved_arguments & 1) != 0);
    Tensor copy;
    if (saves_self && !self.is_wrapped()) {
        copy = cpu::clone(self);
    } else if (saves_self) {
        static const Op& clone = find_op("clone");
        Value given[2] = {alias(self), Value()}, made[1];
        g_intercept(clone, given, {}, CallForm::Functional, made);
        copy = unbox_tensor(made[0]);
    }
    g_intercept(op, arguments, {}, form, results);
    self.storage()->bump_version();
    if (!op.result_names.empty()) results[0] = self;
    if (!wanted) return;
    if (saves_self) {
        g_recorder.adopt_history(copy, self);
        arguments[0] = copy;
    }
    g_recorder.record(op, arguments, results, true);
}

}  // namespace

void check_castable(const Tensor& from, const Tensor& to) {
    DType a = from.dtype(), b = to.dtype();
    bool fine = !(is_complex(a) && !is_complex(b)) && !(is_inexact(a) && !is_inexact(b)) && !(!is_bool(a) && is_bool(b));
    TAEDA_CHECK(fine, "result type ", scalar_type_name(a), " can't be cast to the desired output type ", scalar_type_name(b));
}

void call(const Op& op, Value* arguments, Value* results) {
    if (g_dual_levels) [[unlikely]]
        if (g_call_dual(op, arguments, {}, CallForm::Functional, results)) return;
    if (is_intercepted(op, arguments)) [[unlikely]]
        return call_intercepted(op, arguments, CallForm::Functional, results);
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
    if (g_dual_levels) [[unlikely]]
        if (g_call_dual(op, arguments, {}, CallForm::InPlace, results)) return;
    if (is_intercepted(op, arguments)) [[unlikely]]
        return call_intercepted(op, arguments, CallForm::InPlace, results);
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
        if (g_has_meta.load(std::memory_order_relaxed)) [[unlikely]]
            check_one_device(op, arguments, Tensor());
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
    if (g_dual_levels) [[unlikely]]
        if (g_call_dual(op, arguments, outs, CallForm::Out, results)) return;
    if (is_intercepted(op, arguments, outs)) [[unlikely]]
        return g_intercept(op, arguments, outs, CallForm::Out, results);
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
        if (!op.out_casts) {
            PointwiseCall given(*op.pointwise, arguments);
            check_out_dtype(op, outs[0], cpu::pointwise_types(op.pointwise->forward, given.operands()).result);
        }
        results[0] = run_pointwise(*op.pointwise, arguments, outs[0], false);
        outs[0].storage()->bump_version();
        return;
    }
    if (op.is_factory) take_dtype_of_out(op, arguments, outs[0]);
    std::vector<const Tensor*> inputs;
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (const auto* t = std::get_if<Tensor>(&arguments[k])) inputs.push_back(t);
        if (const auto* list = std::get_if<TensorList>(&arguments[k]))
            for (const Tensor& t : *list) inputs.push_back(&t);
    }
    if (op.out_apart) check_apart(outs, inputs);
    {
        OutputSlot slot(outs[0], inputs);
        run_kernel(op, arguments, results, outs[0]);
    }
    for (size_t k = 0; k < outs.size(); ++k) {
        const Tensor& computed = unbox_tensor(results[k]);
        const Tensor& out = outs[k];
        if (!computed.is_same(out)) {
            if (op.out_casts) check_castable(computed, out);
            else check_out_dtype(op, out, computed.dtype());
            if (out.sizes() != computed.sizes()) resize_tensor(out, computed.sizes());
            cpu::copy_into(out, computed);
        }
        out.storage()->bump_version();
        results[k] = out;
    }
}

}  // namespace taeda
