// Note [Order of a run]: an operation's node is always younger than the nodes of its inputs. So the run takes the youngest
// node that has a gradient, again and again: when a node's turn comes, everything that could add to its gradient has run.
// No counting of dependencies, one pass, and the order is the reverse of the forward order.
#include "autograd/engine.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "cpu/copy.h"

namespace taeda {

namespace {

struct YoungestLast {
    bool operator()(const Ptr<Node>& a, const Ptr<Node>& b) const { return a->sequence < b->sequence; }
};

Tensor call_binary(const char* key, const Tensor& a, const Tensor& b) {
    const Op& op = find_op(key);
    Value arguments[3] = {a, b, Scalar(1)}, results[1];
    call(op, arguments, results);
    return unbox_tensor(results[0]);
}

Tensor call_clone(const Tensor& t) {
    static const Op& clone = find_op("clone");
    Value arguments[2] = {t, Value()}, results[1];
    call(clone, arguments, results);
    return unbox_tensor(results[0]);
}

// Whether nobody else could see a write into this tensor.
bool is_ours_alone(const Tensor& t) {
    return t.impl()->use_count() == 1 && t.storage()->use_count() == 1 && !t.impl()->host_object && !t.impl()->requires_grad && !t.is_wrapped() &&
           !g_dual_levels && !may_overlap_itself(t);
}

void add_into(Tensor& sum, Tensor grad) {
    if (!sum.defined()) {
        sum = std::move(grad);
        return;
    }
    static const Op& add = find_op("add");
    if (!grad_mode().enabled && is_ours_alone(sum) && !grad.is_wrapped() && sum.dtype() == grad.dtype() && sum.sizes() == grad.sizes()) {
        Value arguments[3] = {sum, grad, Scalar(1)}, results[1];
        call_inplace(add, arguments, results);
        return;
    }
    Value arguments[3] = {sum, std::move(grad), Scalar(1)}, results[1];
    call(add, arguments, results);
    sum = unbox_tensor(results[0]);
}

// The gradient in the shape and dtype of what it is for: broadcast dimensions are summed, a complex gradient of a real
// tensor loses its imaginary part.
Tensor fitted(const Tensor& grad, const TensorMeta& meta, const Node& from, size_t k) {
    Tensor fit = grad;
    if (fit.sizes() != meta.sizes) {
        if (!is_expandable_to(meta.sizes, fit.sizes())) {
            std::string line = from.line_text();
            fail(ErrorKind::Runtime, "Function ", from.name(), " returned an invalid gradient at index ", k, " - got ", shape_text(fit.sizes()),
                 " but expected shape compatible with ", shape_text(meta.sizes), line.empty() ? "" : concat("\n  recorded at ", line));
        }
        static const Op& sum_to_size = find_op("sum_to_size");
        Value arguments[2] = {fit, meta.sizes}, results[1];
        call(sum_to_size, arguments, results);
        fit = unbox_tensor(results[0]);
    }
    if (fit.dtype() != meta.dtype) {
        if (is_complex(fit.dtype()) && !is_complex(meta.dtype)) {
            static const Op& real = find_op("real");
            Value arguments[1] = {fit}, results[1];
            call(real, arguments, results);
            fit = unbox_tensor(results[0]);
        }
        static const Op& to = find_op("_to_copy");
        Value arguments[4] = {fit, meta.dtype, Value(), Value()}, results[1];
        call(to, arguments, results);
        fit = unbox_tensor(results[0]);
    }
    return fit;
}

TensorMeta meta_of(const Edge& edge) {
    if (edge.node) return edge.node->outputs[edge.index];
    return {edge.leaf->sizes, edge.leaf->dtype, edge.leaf->storage->device()};
}

bool meta_fits(const Edge& edge, const Tensor& grad) {
    if (edge.node) {
        const TensorMeta& meta = edge.node->outputs[edge.index];
        return meta.sizes == grad.sizes() && meta.dtype == grad.dtype();
    }
    return edge.leaf->sizes == grad.sizes() && edge.leaf->dtype == grad.dtype();
}

thread_local std::vector<std::function<void()>>* t_callbacks = nullptr;

class Run;
thread_local const Run* t_run = nullptr;
std::atomic<int64_t> g_n_runs{0};

class Run {
public:
    Run(const std::vector<Edge>& roots, const std::vector<Edge>& inputs, const BackwardOptions& options)
        : number(g_n_runs.fetch_add(1)),
          options_(options),
          roots_(roots),
          inputs_(inputs),
          captured_(inputs.size()),
          outer_(std::exchange(t_run, this)) {}

    ~Run() {
        t_run = outer_;
        // After an exception: the scratch must not stay behind. Nodes that wait in the queue are alive.
        for (; !queue_.empty(); queue_.pop()) {
            Node& node = *queue_.top();
            if (node.run != this) continue;
            node.run = nullptr;
            node.pending.reset(0);
        }
    }

    TensorList go(const TensorList& grads) {
        if (options_.has_inputs) find_needed();
        GradModeGuard guard(options_.create_graph);
        for (size_t k = 0; k < roots_.size(); ++k) deliver(roots_[k], grads[k]);
        while (!queue_.empty()) {
            Ptr<Node> node = queue_.top();
            while (!due_.empty() && due_.begin()->first > node->sequence) finish_first_due();
            queue_.pop();
            run_node(*node);
        }
        while (!due_.empty()) finish_first_due();
        for (const Ptr<TensorImpl>& leaf : leaf_order_) finish_leaf(leaf);
        return std::move(captured_);
    }

    // Whether gradients come to these edges. Asked by hooks, so that what it costs is only paid where there are some.
    std::vector<bool> reaches(const std::vector<Edge>& edges) const {
        std::unordered_set<const void*> reached;
        std::vector<const Node*> work;
        auto visit = [&](const Edge& edge) {
            if (edge.leaf) reached.insert(edge.leaf.get());
            else if (edge.node && reached.insert(edge.node.get()).second) work.push_back(edge.node.get());
        };
        for (const Edge& root : roots_) visit(root);
        while (!work.empty()) {
            const Node* node = work.back();
            work.pop_back();
            for (const Edge& edge : node->edges) visit(edge);
        }
        std::vector<bool> result;
        for (const Edge& edge : edges) {
            bool found = edge.node ? reached.contains(edge.node.get()) : reached.contains(edge.leaf.get());
            if (options_.has_inputs) found = found && (edge.node ? is_needed(edge) : leaf_inputs_.contains(edge.leaf.get()));
            result.push_back(found);
        }
        return result;
    }

    bool has_inputs() const { return options_.has_inputs; }

    const int64_t number;

private:
    // The gradients that wait for a node. They lie in the node itself, unless an outer run already uses it.
    GradList& pending(const Ptr<Node>& node) {
        if (node->run == this) return node->pending;
        if (!node->run) {
            node->run = this;
            node->pending.reset(node->outputs.size());
            queue_.push(node);
            return node->pending;
        }
        auto [found, is_new] = aside_.try_emplace(node.get());
        if (is_new) {
            found->second.reset(node->outputs.size());
            queue_.push(node);
        }
        return found->second;
    }

    void take_pending(Node& node, GradList& into) {
        if (node.run == this) {
            into.reset(node.pending.size());
            for (size_t i = 0; i < into.size(); ++i) into[i] = std::move(node.pending[i]);
            node.run = nullptr;
            return;
        }
        auto found = aside_.find(&node);
        into.reset(found->second.size());
        for (size_t i = 0; i < into.size(); ++i) into[i] = std::move(found->second[i]);
        aside_.erase(found);
    }

    void deliver(const Edge& edge, Tensor grad) {
        if (edge.node) {
            if (options_.has_inputs && !is_needed(edge)) return;
            add_into(pending(edge.node)[edge.index], std::move(grad));
            return;
        }
        TensorImpl* leaf = edge.leaf.get();
        if (options_.has_inputs) {
            auto wanted = leaf_inputs_.find(leaf);
            if (wanted == leaf_inputs_.end()) return;
        } else if (!leaf->autograd || !leaf->autograd->has_hooks()) {
            accumulate_grad(*leaf, grad);
            return;
        }
        // Hooks and inputs see the whole gradient: inputs wait for the end of the run, hooks until the oldest node that uses the
        // leaf has run, so that a hook may use up the gradient before the next one is there.
        auto [found, is_new] = leaves_.try_emplace(leaf);
        if (is_new && options_.has_inputs) leaf_order_.push_back(edge.leaf);
        else if (is_new) due_.emplace(oldest_use(leaf), edge.leaf);
        add_into(found->second, std::move(grad));
    }

    // The sequence of the oldest recorded node that has the leaf among its inputs; one walk for all leaves that have hooks.
    uint64_t oldest_use(TensorImpl* wanted) {
        if (oldest_uses_.empty()) {
            std::unordered_set<const Node*> seen;
            std::vector<const Node*> work;
            auto visit = [&](const Edge& edge, uint64_t user) {
                if (edge.node && seen.insert(edge.node.get()).second) work.push_back(edge.node.get());
                if (!edge.leaf || !edge.leaf->autograd || !edge.leaf->autograd->has_hooks()) return;
                uint64_t& oldest = oldest_uses_.try_emplace(edge.leaf.get(), user).first->second;
                oldest = std::min(oldest, user);
            };
            for (const Edge& root : roots_) visit(root, ~0ull);
            while (!work.empty()) {
                const Node* node = work.back();
                work.pop_back();
                for (const Edge& edge : node->edges) visit(edge, node->sequence);
            }
        }
        return oldest_uses_.try_emplace(wanted, 0).first->second;  // 0: hooks that came while the run was on
    }

    void finish_first_due() {
        Ptr<TensorImpl> leaf = due_.begin()->second;
        due_.erase(due_.begin());
        finish_leaf(leaf);
        leaves_.erase(leaf.get());
    }

    void finish_leaf(const Ptr<TensorImpl>& leaf) {
        Tensor grad = std::move(leaves_[leaf.get()]);
        std::vector<AutogradRecord::LeafHook> hooks;
        if (leaf->autograd && leaf->autograd->rare) hooks = leaf->autograd->rare->hooks;
        for (auto& hook : hooks) {
            if (hook.when != AutogradRecord::When::Gradient) continue;
            if (Tensor replaced = hook.hook->call(grad); replaced.defined()) grad = replaced;
        }
        if (options_.has_inputs)
            for (size_t k : leaf_inputs_[leaf.get()]) captured_[k] = grad;
        if (!options_.accumulate) return;
        accumulate_grad(*leaf, grad);
        for (auto& hook : hooks)
            if (hook.when == AutogradRecord::When::Accumulated) hook.hook->call(Tensor(leaf));
        for (auto& hook : hooks)
            if (hook.when == AutogradRecord::When::NodeDone) hook.hook->call(grad);
    }

    // With inputs: which nodes lie on a way to one of them. Children are older, so one pass from old to young suffices.
    void find_needed() {
        for (size_t k = 0; k < inputs_.size(); ++k) {
            if (inputs_[k].node) node_inputs_[inputs_[k].node.get()].push_back(k);
            else leaf_inputs_[inputs_[k].leaf.get()].push_back(k);
        }
        std::vector<Node*> all, work;
        std::unordered_set<Node*> seen;
        auto visit = [&](const Edge& edge) {
            if (edge.node && edge.node->sequence > options_.oldest && seen.insert(edge.node.get()).second) work.push_back(edge.node.get());
        };
        for (const Edge& root : roots_) visit(root);
        while (!work.empty()) {
            Node* node = work.back();
            work.pop_back();
            all.push_back(node);
            for (const Edge& edge : node->edges) visit(edge);
        }
        std::sort(all.begin(), all.end(), [](Node* a, Node* b) { return a->sequence < b->sequence; });
        for (Node* node : all)
            for (const Edge& edge : node->edges)
                if (edge.node ? needed_.contains(edge.node.get()) || node_inputs_.contains(edge.node.get()) : leaf_inputs_.contains(edge.leaf.get()))
                    needed_.insert(node);
    }

    bool is_needed(const Edge& edge) const { return needed_.contains(edge.node.get()) || node_inputs_.contains(edge.node.get()); }

    uint64_t unneeded_edges(const Node& node) const {
        uint64_t mask = 0;
        for (size_t k = 0; k < node.edges.size() && k < 64; ++k) {
            const Edge& edge = node.edges[k];
            if (edge.node ? !is_needed(edge) : !leaf_inputs_.contains(edge.leaf.get())) mask |= uint64_t{1} << k;
        }
        return mask;
    }

    void run_node(Node& node) {
        GradList grads;
        take_pending(node, grads);
        if (node.extra) run_output_hooks(node, grads);
        if (options_.has_inputs) {
            if (auto found = node_inputs_.find(&node); found != node_inputs_.end())
                for (size_t k : found->second) captured_[k] = grads[inputs_[k].index];
            if (!needed_.contains(&node)) return;
        }
        if (node.extra)
            for (auto& before : std::vector(node.extra->before)) before.hook->call(grads, grads);
        bool any = false;
        for (const Tensor& g : grads) any = any || g.defined();
        GradList out(node.edges.size());
        GradList kept;
        bool has_after = node.extra && !node.extra->after.empty();
        if (has_after) {
            kept.reset(grads.size());
            for (size_t i = 0; i < grads.size(); ++i) kept[i] = grads[i];
        }
        if (any) {
            SkippingGuard guard{node, std::exchange(node.skipped, options_.has_inputs ? unneeded_edges(node) : 0)};
            apply(node, grads, out);
        }
        if (!options_.keep_graph) node.release_saved();
        if (has_after)
            for (auto& after : std::vector(node.extra->after)) after.hook->call(out, kept);
        for (Tensor& g : grads) g = Tensor();  // so that a gradient that passed through unchanged has one owner again
        for (size_t k = 0; k < out.size(); ++k) {
            const Edge& edge = node.edges[k];
            if (!edge.valid() || !out[k].defined()) continue;
            if (meta_fits(edge, out[k])) deliver(edge, std::move(out[k]));
            else deliver(edge, fitted(out[k], meta_of(edge), node, k));
        }
    }

    void apply(Node& node, GradList& grads, GradList& out) {
        RunningGuard guard(node);
        try {
            node.apply(grads, out);
        } catch (Error& error) {
            std::string line = node.line_text();
            if (!line.empty() && error.message.find("recorded at") == std::string::npos)
                error.message += concat("\n  in ", node.name(), ", recorded at ", line);
            bool was_written = error.message.find("modified by an inplace operation") != std::string::npos;
            if (was_written && error.message.find(" written at ") == std::string::npos) error.message += writer_text(node);
            throw;
        }
        if (grad_mode().anomaly && grad_mode().anomaly_check_nan) check_nan(node, out);
    }

    static void check_nan(const Node& node, const GradList& out) {
        for (size_t k = 0; k < out.size(); ++k) {
            if (!out[k].defined() || !is_inexact(out[k].dtype())) continue;
            GradModeGuard guard(false);
            Tensor total = call_binary("ne", out[k], out[k]);
            static const Op& any = find_op("any");
            Value arguments[3] = {total, Value(), box(false)}, results[1];
            call(any, arguments, results);
            std::string parent = node.extra ? node.extra->parent : std::string();
            TAEDA_CHECK(!cpu::item(unbox_tensor(results[0])).to_bool(), "Function '", node.name(), "' returned nan values in its ", k,
                        "th output.\n  recorded at ", node.line_text(), parent.empty() ? "" : "\n  that in the backward of ", parent);
        }
    }

    struct SkippingGuard {
        Node& node;
        uint64_t outer;
        ~SkippingGuard() { node.skipped = outer; }
    };

    // Nodes recorded in a backward remember whose it was, while anomaly detection is on.
    struct RunningGuard {
        explicit RunningGuard(const Node& node) : outer(grad_mode().running) {
            if (grad_mode().anomaly) grad_mode().running = &node;
        }
        ~RunningGuard() { grad_mode().running = outer; }
        const Node* outer;
    };

    // A node keeps a bare alias of its own result, which does not know who has written it: the graph does, if the write was recorded.
    std::string writer_text(const Node& written) const {
        std::unordered_set<const Node*> seen;
        std::vector<const Node*> work;
        for (const Edge& root : roots_)
            if (root.node && seen.insert(root.node.get()).second) work.push_back(root.node.get());
        while (!work.empty()) {
            const Node* node = work.back();
            work.pop_back();
            for (const Edge& edge : node->edges) {
                if (edge.node.get() == &written && node->is_write)
                    return concat("\n  written by ", node->name(), ", recorded at ", node->line_text());
                if (edge.node && seen.insert(edge.node.get()).second) work.push_back(edge.node.get());
            }
        }
        return "";
    }

    void run_output_hooks(Node& node, GradList& grads) {
        for (auto& entry : std::vector(node.extra->output_hooks)) {
            if (!grads[entry.index].defined()) continue;
            if (Tensor replaced = entry.hook->call(grads[entry.index]); replaced.defined()) grads[entry.index] = replaced;
        }
        for (auto& entry : std::vector(node.extra->retained)) {
            if (!grads[entry.index].defined() || !options_.accumulate) continue;
            Tensor& grad = entry.record->grad;
            grad = grad.defined() ? call_binary("add", grad, grads[entry.index]) : call_clone(grads[entry.index]);
        }
    }

    const BackwardOptions& options_;
    const std::vector<Edge>&roots_, &inputs_;
    TensorList captured_;
    const Run* outer_;
    std::priority_queue<Ptr<Node>, std::vector<Ptr<Node>>, YoungestLast> queue_;
    std::unordered_map<Node*, GradList> aside_;
    std::unordered_map<TensorImpl*, Tensor> leaves_;
    std::vector<Ptr<TensorImpl>> leaf_order_;
    std::multimap<uint64_t, Ptr<TensorImpl>, std::greater<>> due_;  // leaves with hooks, by the oldest use
    std::unordered_map<const TensorImpl*, uint64_t> oldest_uses_;
    std::unordered_map<Node*, std::vector<size_t>> node_inputs_;
    std::unordered_map<TensorImpl*, std::vector<size_t>> leaf_inputs_;
    std::unordered_set<Node*> needed_;
};

}  // namespace

void accumulate_grad(TensorImpl& leaf, const Tensor& grad) {
    Tensor self(Ptr<TensorImpl>::share(&leaf));
    Tensor& stored = need_record(self).grad;
    if (!stored.defined()) {
        // Taken over where nobody else holds it and its layout is the leaf's; a stored gradient must not change behind anybody's back.
        bool ours = !grad_mode().enabled && !g_dual_levels && !grad.is_wrapped() && grad.impl()->use_count() == 1 &&
                    grad.storage()->use_count() == 1 && !grad.impl()->autograd && grad.strides() == self.strides();
        if (ours) stored = grad;
        else if (grad_mode().enabled || g_dual_levels || grad.is_wrapped() || self.is_wrapped()) {
            stored = call_clone(grad);
        } else {
            Tensor copy =
                is_non_overlapping_and_dense(self.sizes(), self.strides()) ? empty_like(self) : empty(self.sizes(), self.dtype(), self.device());
            cpu::copy_into(copy, grad);
            stored = copy;
        }
        return;
    }
    if (grad_mode().enabled || g_dual_levels || stored.is_wrapped() || grad.is_wrapped()) {
        stored = call_binary("add", stored, grad);
        return;
    }
    static const Op& add = find_op("add");
    Value arguments[3] = {stored, grad, Scalar(1)}, results[1];
    GradModeGuard guard(false);
    call_inplace(add, arguments, results);
}

TensorList run_backward(const std::vector<Edge>& roots, const TensorList& grads, const std::vector<Edge>& inputs, const BackwardOptions& options) {
    std::vector<std::function<void()>> callbacks;
    auto* outer = std::exchange(t_callbacks, &callbacks);
    struct Restore {
        std::vector<std::function<void()>>* outer;
        ~Restore() { t_callbacks = outer; }
    } restore{outer};
    TensorList captured;
    {
        Run run(roots, inputs, options);
        captured = run.go(grads);
    }
    for (size_t k = 0; k < callbacks.size(); ++k) callbacks[k]();
    return captured;
}

int64_t current_run() { return t_run ? t_run->number : -1; }

std::vector<bool> will_run(const std::vector<Edge>& edges) { return t_run ? t_run->reaches(edges) : std::vector<bool>(edges.size()); }

bool run_has_inputs() { return t_run && t_run->has_inputs(); }

void queue_callback(std::function<void()> callback) {
    TAEDA_CHECK(t_callbacks, "Final callbacks can only be installed during backward pass.");
    t_callbacks->push_back(std::move(callback));
}

}  // namespace taeda
