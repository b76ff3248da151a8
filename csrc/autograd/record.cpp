#include "autograd/record.h"

#include <algorithm>

#include "autograd/forward.h"
#include "autograd/op_node.h"

namespace taeda {

// initial-exec: one instruction to reach, see the allocator.
__attribute__((tls_model("initial-exec"))) thread_local GradMode t_grad_mode;

// Note [Views and writing]: writing into a view changes its base's history. The write's node is wrapped in CopySlices, which
// becomes the base's grad_fn; the view itself, and every other view of that base, find by the storage's version that their
// grad_fn is out of date, and make a new one as an as_strided of the base when it is next asked for.

namespace {

bool is_stale_view(const AutogradRecord& record, const Tensor& t) { return record.view && record.view->version != t.version(); }

void renew_view(const Tensor& t) {
    AutogradRecord& record = *t.impl()->autograd;
    const Tensor& base = record.view->base;
    record.view->version = t.version();
    if (!requires_grad(base) || record.view->origin == ViewOrigin::OtherDtype) return;
    GradModeGuard guard(true);
    record.grad_fn = make_as_strided_node(base, t);
    // It may be made while a node that takes it is, and must be older than that one: Note [Order of a run].
    const Ptr<Node> of = grad_fn(base);
    record.grad_fn->sequence = of ? of->sequence + 1 : 1;
    record.output_index = 0;
    t.impl()->requires_grad = true;
}

void forget_retained(const AutogradRecord& record) {
    if (record.grad_fn && record.grad_fn->extra)
        std::erase_if(record.grad_fn->extra->retained, [&](const auto& entry) { return entry.record == &record; });
}

void destroy_record(AutogradRecord* record) noexcept {
    if (record->retains_grad) forget_retained(*record);
    delete record;
}

}  // namespace

bool requires_grad(const Tensor& t) {
    if (t.impl()->requires_grad) return true;
    AutogradRecord* record = t.impl()->autograd;
    if (!record || !is_stale_view(*record, t)) return false;
    renew_view(t);
    return t.impl()->requires_grad;
}

Ptr<Node> grad_fn(const Tensor& t) {
    AutogradRecord* record = t.impl()->autograd;
    if (!record) return nullptr;
    if (is_stale_view(*record, t)) renew_view(t);
    return record->grad_fn;
}

bool is_leaf(const Tensor& t) { return !requires_grad(t) || !grad_fn(t); }

void set_requires_grad(const Tensor& t, bool value) {
    if (value == requires_grad(t)) return;
    TAEDA_CHECK(value || !grad_fn(t), "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a ",
                "subgraph that doesn't require differentiation use var_no_grad = var.detach().");
    TAEDA_CHECK(!value || is_inexact(t.dtype()), "only Tensors of floating point and complex dtype can require gradients\n  got ",
                dtype_name(t.dtype()), " of shape ", shape_text(t.sizes()));
    TAEDA_CHECK(!value || !t.impl()->is_inference || grad_mode().inference,
                "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
    t.impl()->requires_grad = value;
}

Edge edge_of(const Tensor& t) {
    Edge edge;
    if (!t.defined() || !requires_grad(t)) return edge;
    AutogradRecord* record = t.impl()->autograd;
    if (record && is_stale_view(*record, t)) renew_view(t);
    if (record && record->grad_fn) {
        edge.node = record->grad_fn;
        edge.index = record->output_index;
    } else {
        edge.leaf = Ptr<TensorImpl>::share(t.impl());
    }
    return edge;
}

void set_history(const Tensor& t, const Ptr<Node>& node, uint32_t index) {
    AutogradRecord& record = need_record(t);
    if (record.retains_grad) [[unlikely]] {  // retain_grad() follows the tensor to the node that wrote it last
        forget_retained(record);
        node->need_extra().retained.push_back({index, &record});
    }
    record.grad_fn = node;
    record.output_index = index;
    t.impl()->requires_grad = true;
    if (record.view) record.view->version = t.version();
}

void detach_in_place(const Tensor& t) {
    AutogradRecord* record = t.impl()->autograd;
    TAEDA_CHECK(!record || !record->view, "Can't detach views in-place. Use detach() instead.");
    if (record) {
        record->grad_fn.reset();
        record->output_index = 0;
        if (record->rare) record->rare->tangents.reset();
    }
    t.impl()->requires_grad = false;
}

void mark_view(const Tensor& view, const Tensor& of, const Op* op, ViewOrigin origin) {
    AutogradRecord& record = need_record(view);
    if (record.view) return;
    const AutogradRecord* parent = of.impl()->autograd;
    bool parent_is_view = parent && parent->view;
    // A view of a view that may not be written may not be written either.
    if (parent_is_view && origin == ViewOrigin::Normal) origin = parent->view->origin;
    record.view = std::make_unique<ViewInfo>(ViewInfo{parent_is_view ? parent->view->base : of, view.version(), origin, op});
    if (parent_is_view) record.view->forward_base = parent->view->is_forward_root ? of : parent->view->forward_base;
}

void check_inplace(const Tensor& self) {
    TAEDA_CHECK(!self.impl()->is_inference || grad_mode().inference,
                "Inplace update to inference tensor outside InferenceMode is not allowed. You can make a clone to get a normal tensor before doing "
                "inplace update. See https://github.com/pytorch/rfcs/pull/17 for more details.");
    if (!grad_mode().enabled) return;
    const AutogradRecord* record = self.impl()->autograd;
    if (record && record->view) {
        const ViewInfo& view = *record->view;
        bool base_needs = requires_grad(view.base);
        TAEDA_CHECK(!(base_needs && is_leaf(view.base)), "a view of a leaf Variable that requires grad is being used in an in-place operation.");
        if (view.origin == ViewOrigin::Normal || !(base_needs || requires_grad(self))) return;
        const char* name = view.op ? view.op->name : "view";
        TAEDA_CHECK(view.origin != ViewOrigin::NoGrad,
                    "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this use case is ambiguous "
                    "and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace either both inside the "
                    "no_grad block (if you don't want the inplace to be tracked) or both outside (if you want the inplace to be tracked).");
        TAEDA_CHECK(view.origin != ViewOrigin::MultiOutput, "Output of ", name,
                    " is a view and is being modified inplace. This view is the output of a function that returns multiple views. Such functions do "
                    "not allow the output views to be modified inplace. You should replace the inplace operation by an out-of-place one.");
        TAEDA_CHECK(view.origin != ViewOrigin::CustomFunction,
                    "Output of a custom Function is a view and is being modified inplace. This view was created inside a custom Function and the "
                    "autograd logic to handle view+inplace would override the custom backward associated with the custom Function.");
        fail(ErrorKind::NotImplemented, "taeda cannot record a write into a view of another dtype (made by ", name,
             ") of a tensor that requires grad; write into the base instead");
    }
    TAEDA_CHECK(!(self.impl()->requires_grad && !(record && record->grad_fn)),
                "a leaf Variable that requires grad is being used in an in-place operation.\n  its shape is ", shape_text(self.sizes()),
                "\n  hint: change parameters under torch.no_grad()");
}

// ---- the dispatcher's recorder

namespace {

// Whether some input needs a gradient. The short way of the pointwise table comes first: it is on every operation's path.
bool any_pointwise_input_wants(const Op& op, const Value* arguments) {
    for (size_t k = 0; k < op.pointwise->forward.n_inputs; ++k) {
        const auto* t = std::get_if<Tensor>(&arguments[k]);
        if (t && requires_grad(*t) && op.pointwise->grads[k].kind != cpu::GradKind::None) return true;
    }
    return false;
}

template <class F>
void for_each_input(const Op& op, const Value* arguments, F&& f) {
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (!(op.input_arguments >> k & 1)) continue;
        if (const auto* t = std::get_if<Tensor>(&arguments[k])) f(*t);
        else if (const auto* list = std::get_if<TensorList>(&arguments[k]))
            for (const Tensor& t : *list) f(t);
    }
}

bool wants(const Op& op, const Value* arguments) {
    if (!grad_mode().enabled) return false;
    if (op.pointwise) return any_pointwise_input_wants(op, arguments);
    bool found = false;
    for_each_input(op, arguments, [&](const Tensor& t) {
        if (!found && t.defined()) found = requires_grad(t);
    });
    return found;
}

// Other views of what has been written, among the inputs, have been followed to what was there before: they are out of date now.
void expire_inputs(const Op& op, const Value* arguments, const Tensor& written) {
    auto expire = [&](const Tensor& t) {
        AutogradRecord* own = t.defined() && !t.is_same(written) ? t.impl()->autograd : nullptr;
        if (own && own->view && t.storage() == written.storage()) own->view->version = t.version() - 1;
    };
    for (size_t k = 0; k < op.arguments.size(); ++k) {
        if (const auto* t = std::get_if<Tensor>(&arguments[k])) expire(*t);
        else if (const auto* list = std::get_if<TensorList>(&arguments[k])) std::ranges::for_each(*list, expire);
    }
}

void record_write(const Op& op, const Value* arguments, const Tensor& written, const Ptr<Node>& node) {
    node->is_write = true;
    rebase_history(written, node);
    expire_inputs(op, arguments, written);
}

void record(const Op& op, const Value* arguments, Value* results, bool in_place) {
    if (op.pointwise) {
        const Tensor& out = unbox_tensor(results[0]);
        if (!is_inexact(out.dtype())) return;  // a comparison, say
        auto node = Ptr<Node>::adopt(new PointwiseNode(op, arguments, out));
        in_place ? record_write(op, arguments, out, node) : set_history(out, node, 0);
        return;
    }
    const auto* first = std::get_if<Tensor>(&results[0]);
    const auto* self = std::get_if<Tensor>(&arguments[0]);
    if (!in_place && first && self && first->is_same(*self)) return;  // contiguous() of a contiguous tensor
    auto node = Ptr<Node>::adopt(new OpNode(op, arguments, results));
    uint32_t index = 0;
    for (size_t k = 0; k < op.result_names.size(); ++k) {
        bool differentiable = op.differentiable_results >> k & 1;
        if (const auto* t = std::get_if<Tensor>(&results[k])) {
            if (differentiable && t->defined() && is_inexact(t->dtype())) {
                if (in_place && k == 0) record_write(op, arguments, *t, node);
                else set_history(*t, node, index);
            }
            ++index;
        } else if (const auto* list = std::get_if<TensorList>(&results[k])) {
            for (const Tensor& t : *list) {
                if (differentiable && t.defined() && is_inexact(t.dtype())) set_history(t, node, index);
                ++index;
            }
        } else {
            ++index;  // an undefined tensor has a place among the results too
        }
    }
}

void record_view(const Op& op, const Value* arguments, Value* results) {
    const auto* self = std::get_if<Tensor>(&arguments[0]);
    // detach() shares memory but not history: a write into it must not give it one.
    if (!self || grad_mode().inference || !op.vjp) return;
    ViewOrigin origin = grad_mode().enabled ? ViewOrigin::Normal : ViewOrigin::NoGrad;
    auto mark = [&](const Tensor& t, ViewOrigin how) {
        if (t.is_same(*self) || !(t.storage() == self->storage())) return;
        mark_view(t, *self, &op, t.dtype() == self->dtype() ? how : ViewOrigin::OtherDtype);
    };
    if (const auto* t = std::get_if<Tensor>(&results[0])) mark(*t, origin);
    else if (const auto* list = std::get_if<TensorList>(&results[0]))
        for (const Tensor& t : *list) mark(t, ViewOrigin::MultiOutput);
}

void check_inplace_call(const Op&, const Value* arguments, bool recorded) {
    const Tensor& self = unbox_tensor(arguments[0]);
    if (self.impl()->requires_grad || self.impl()->autograd || self.impl()->is_inference || recorded) check_inplace(self);
}

void adopt_history(const Tensor& copy, const Tensor& original) {
    Edge edge = edge_of(original);
    if (!edge.valid()) return;
    if (edge.node) set_history(copy, edge.node, edge.index);
    else fail(ErrorKind::Runtime, "a leaf Variable that requires grad is being used in an in-place operation.");
}

bool grad_enabled() { return grad_mode().enabled; }

}  // namespace

void install_recorder() {
    g_recorder = {wants, check_inplace_call, record, record_view, adopt_history, grad_enabled};
    g_destroy_autograd_record = destroy_record;
    install_forward_mode();
}

}  // namespace taeda
