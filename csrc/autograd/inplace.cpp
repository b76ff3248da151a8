// Writing into tensors that have a history: rebasing, and CopySlices for writes through a view.
#include "autograd/forward.h"
#include "autograd/op_node.h"
#include "cpu/copy.h"
#include "tensor/views.h"

namespace taeda {

Ptr<Node> make_as_strided_node(const Tensor& base, const Tensor& view) {
    static const Op& op = find_op("_as_strided");
    Value arguments[6] = {base, view.sizes(), view.strides(), box(view.offset()), base.strides(), box(base.offset())};
    Value results[1] = {view};
    return Ptr<Node>::adopt(new OpNode(op, arguments, results));
}

namespace {

// The base's new history after a write through a view: the gradient of the written part goes through `function`,
// the rest passes by.
struct CopySlices final : Node {
    CopySlices(const Tensor& base, const Tensor& view, Ptr<Node> written)
        : Node(written->edges.size()),
          sizes(view.sizes()),
          strides(view.strides()),
          offset(view.offset() - base.offset()),
          function(std::move(written)) {
        edges[0] = edge_of(base);
        for (size_t k = 1; k < edges.size(); ++k) edges[k] = function->edges[k];
        // Where the view took no part in recording, nothing flows back to what was overwritten.
        if (function->edges[0].valid()) function->edges[0] = edges[0];
        is_write = true;
        outputs.reset(1);
        outputs[0] = TensorMeta::of(base);
        base_strides = base.strides();
    }

    void apply(GradList& grads, GradList& out) override {
        TAEDA_CHECK(function, "Trying to backward through the graph a second time: the saved values of CopySlices are freed. Specify ",
                    "retain_graph=True.");
        const Tensor& g = grads[0];
        // The gradient laid out as the base was, so that the view's geometry applies to it.
        Tensor whole = base_like(g);
        Tensor part = call_view(whole);
        GradList given(1), inner(edges.size());
        given[0] = through_operations() ? call_clone(part) : cpu::clone(part);
        function->apply(given, inner);
        for (size_t k = 1; k < edges.size(); ++k) out[k] = inner[k];
        if (!edges[0].valid()) return;
        Tensor replacement = inner[0].defined() ? inner[0] : cpu::zeros(part.sizes(), part.dtype(), part.device());
        if (through_operations()) {
            static const Op& copy = find_op("copy_");
            Value arguments[3] = {part, replacement, box(false)}, results[1];
            call(copy, arguments, results);
        } else {
            cpu::copy_into(part, replacement);
        }
        out[0] = whole;
    }

    void release_saved() override {
        if (function) function->release_saved();
        function.reset();
        is_released = true;
    }

    const char* name() const override { return "CopySlices"; }

    Shape sizes, strides, base_strides;
    int64_t offset;
    Ptr<Node> function;

private:
    // Rather than through kernels: what is done is recorded, or has tangents.
    static bool through_operations() { return grad_mode().enabled || g_dual_levels; }

    static Tensor call_clone(const Tensor& t) {
        static const Op& clone = find_op("clone");
        Value arguments[2] = {t, Value()}, results[1];
        call(clone, arguments, results);
        return unbox_tensor(results[0]);
    }

    Tensor base_like(const Tensor& g) const {
        bool dense = is_non_overlapping_and_dense(g.sizes(), base_strides);
        for (int64_t stride : base_strides) dense = dense && stride >= 0;
        TAEDA_CHECK(dense, "taeda cannot record a write into a view of a tensor whose memory overlaps or has gaps; write into a clone() instead");
        Tensor whole = empty_strided(g.sizes(), base_strides, g.dtype(), g.device());
        if (!through_operations()) {
            cpu::copy_into(whole, g);
            return whole;
        }
        static const Op& copy = find_op("copy_");
        Value arguments[3] = {whole, g, box(false)}, results[1];
        call(copy, arguments, results);
        return unbox_tensor(results[0]);
    }

    Tensor call_view(const Tensor& whole) const {
        if (!through_operations()) return views::as_strided(whole, sizes, strides, offset);
        static const Op& as_strided = find_op("_as_strided");
        Value arguments[6] = {whole, sizes, strides, box(offset), whole.strides(), box(whole.offset())}, results[1];
        call(as_strided, arguments, results);
        return unbox_tensor(results[0]);
    }
};

}  // namespace

void rebase_history(const Tensor& t, const Ptr<Node>& node) {
    AutogradRecord* record = t.impl()->autograd;
    if (!record || !record->view) return set_history(t, node, 0);
    Tensor base = record->view->base;
    TAEDA_CHECK(!node->edges.empty(), "an operation without inputs cannot be recorded on a view");
    auto slices = Ptr<Node>::adopt(new CopySlices(base, t, node));
    set_history(base, slices, 0);
    // The view's own grad_fn is made anew from the base: its version is now older than the storage's.
    record->view->version = t.version() - 1;
    record->grad_fn.reset();
    t.impl()->requires_grad = true;
    (void)grad_fn(t);
}

}  // namespace taeda
