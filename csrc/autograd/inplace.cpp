// Writing into tensors that have a history: rebasing, and CopySlices for writes through a view.
#include "autograd/forward.h"
#include "autograd/op_node.h"
#include "autograd/view_parts.h"
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
        : Node(written->edges.size()), written_part(ViewPart::of(base, view)), is_plain(has_plain_memory(base)), function(std::move(written)) {
        edges[0] = edge_of(base);
        for (size_t k = 1; k < edges.size(); ++k) edges[k] = function->edges[k];
        is_write = true;
        outputs.reset(1);
        outputs[0] = TensorMeta::of(base);
    }

    void apply(GradList& grads, GradList& out) override {
        TAEDA_CHECK(function, "Trying to backward through the graph a second time: the saved values of CopySlices are freed. Specify ",
                    "retain_graph=True.");
        const Tensor& g = grads[0];
        // Where what is done is recorded or has tangents, and where there is no memory like the base's to write, the part is taken and
        // put back by its geometry.
        const bool by_geometry = grad_mode().enabled || g_dual_levels || !is_plain || g.is_wrapped();
        Tensor whole = by_geometry ? g : base_like(g);
        Tensor part =
            by_geometry ? written_part.taken_from(g) : views::as_strided(whole, written_part.sizes, written_part.strides, written_part.offset);
        GradList given(1), inner(edges.size());
        given[0] = by_geometry ? part : cpu::clone(part);
        function->apply(given, inner);
        for (size_t k = 1; k < edges.size(); ++k) out[k] = inner[k];
        if (!edges[0].valid()) return;
        Tensor replacement = inner[0].defined() ? inner[0] : cpu::zeros(part.sizes(), part.dtype(), part.visible_device());
        if (by_geometry || replacement.is_wrapped()) {
            out[0] = written_part.replaced_in(g, replacement);
            return;
        }
        cpu::copy_into(part, replacement);
        out[0] = whole;
    }

    void release_saved() override {
        function.reset();  // which may be part of the graph by itself: a gradient that reads its result leads to it
        is_released = true;
    }

    const char* name() const override { return "CopySlices"; }

    ViewPart written_part;
    bool is_plain;  // the base's memory is without gaps, and is there
    Ptr<Node> function;

private:
    static bool has_plain_memory(const Tensor& base) {
        bool is_plain = !base.is_wrapped() && is_non_overlapping_and_dense(base.sizes(), base.strides());
        for (int64_t stride : base.strides()) is_plain = is_plain && stride >= 0;
        return is_plain;
    }

    // The gradient laid out as the base was, so that the view's geometry applies to it.
    Tensor base_like(const Tensor& g) const {
        Tensor whole = empty_strided(g.sizes(), written_part.base_strides, g.dtype(), g.device());
        cpu::copy_into(whole, g);
        return whole;
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
