#include "autograd/node.h"

#include "autograd/forward.h"
#include "autograd/record.h"

namespace taeda {

HostSource g_host_source;
thread_local std::unique_ptr<PackedTensor> (*t_pack_saved)(const Tensor& t) __attribute__((tls_model("initial-exec"))) = nullptr;

namespace {

// Across all threads, under the host's lock: the engine's order depends on it. Even; odd numbers are for nodes that are put in later.
uint64_t g_sequence = 0;
uint64_t g_hook_id = 0;

}  // namespace

uint64_t last_sequence() { return g_sequence; }
uint64_t next_hook_id() { return ++g_hook_id; }

Node::Node(size_t n_edges) : edges(n_edges), sequence(g_sequence += 2) {
    if (g_host_source.current) line = g_host_source.current();
    if (const Node* parent = grad_mode().running) [[unlikely]] {
        NodeExtra& rare = need_extra();
        rare.parent = concat(parent->name(), ", recorded at ", parent->line_text());
        if (parent->extra && !parent->extra->parent.empty()) rare.parent += "\n  that in the backward of " + parent->extra->parent;
    }
}

Node::~Node() {
    if (line.code) g_host_source.release(line);
}

void Node::destroy(Node* node) noexcept {
    // A chain of a million nodes must not recurse: whoever destroys first empties the list for all.
    static thread_local std::vector<Node*>* pending = nullptr;
    if (pending) {
        pending->push_back(node);
        return;
    }
    std::vector<Node*> list{node};
    pending = &list;
    while (!list.empty()) {
        Node* next = list.back();
        list.pop_back();
        delete next;
    }
    pending = nullptr;
}

void SavedTensor::save(const Tensor& t) {
    version_ = t.version();
    result_index_ = -1;
    if (t_pack_saved) [[unlikely]]
        return pack(t);
    tensor_ = t;
}

void SavedTensor::save_result(const Tensor& t, uint32_t index) {
    version_ = t.version();
    result_index_ = static_cast<int32_t>(index);
    if (t_pack_saved) [[unlikely]]
        return pack(t);
    tensor_ = alias(t);
    if (g_dual_levels) [[unlikely]]
        share_tangents(tensor_, t);
}

void SavedTensor::pack(const Tensor& t) {
    if (result_index_ < 0) {
        Edge edge = edge_of(t);
        GradModeGuard guard(false);
        packed_ = t_pack_saved(alias(t));
        packed_->edge = std::move(edge);
    } else {
        GradModeGuard guard(false);
        packed_ = t_pack_saved(alias(t));
    }
    if (g_dual_levels) packed_->tangents = shared_tangents(t);
}

void SavedTensor::repack(const Node& owner, std::unique_ptr<PackedTensor> (*pack_with)(const Tensor& t)) {
    TAEDA_CHECK(!packed_,
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks is allowed at a time.");
    Tensor t = unpack(owner);
    TAEDA_CHECK(t.defined(), "Calling register_hooks on a saved tensor with value None is forbidden");
    PackSavedGuard guard(pack_with);
    pack(tensor_);
    tensor_ = Tensor();
}

namespace {

[[noreturn]] void fail_modified(const Node& owner, const Tensor& t, uint32_t expected, int32_t result_index) {
    std::string writer;
    // The alias of a result has no history; who wrote it is found by the engine, in the graph.
    if (result_index >= 0) writer = concat(", which is output ", result_index, " of ", owner.name(), ",");
    if (t.impl()->autograd && t.impl()->autograd->grad_fn) {
        const Node& node = *t.impl()->autograd->grad_fn;
        writer = concat(", which is output ", t.impl()->autograd->output_index, " of ", node.name(), ",");
        if (std::string line = node.line_text(); !line.empty()) writer += concat(" written at ", line, ",");
    }
    std::string line = owner.line_text();
    fail(ErrorKind::Runtime, "one of the variables needed for gradient computation has been modified by an inplace operation: [taeda.",
         scalar_type_name(t.dtype()), "Tensor ", shape_text(t.sizes()), "]", writer, " is at version ", t.version(), "; expected version ", expected,
         " instead.\n  it is needed by ", owner.name(), line.empty() ? "" : concat(", recorded at ", line),
         "\n  hint: write into a clone(), or use the out-of-place form of the operation that wrote it");
}

}  // namespace

namespace {

// Stands between a tensor that hooks gave back and the leaf whose value it has.
struct PassNode final : Node {
    explicit PassNode(const Edge& edge) : Node(1) {
        edges[0] = edge;
        outputs.reset(1);
        outputs[0] = TensorMeta::of(Tensor(edge.leaf));
    }
    void apply(GradList& grads, GradList& out) override { out[0] = grads[0]; }
    void release_saved() override {}
    const char* name() const override { return "SavedTensorBackward0"; }
};

}  // namespace

Tensor SavedTensor::unpack_hooked(const Node& owner) const {
    Tensor plain;
    {
        GradModeGuard guard(false);
        plain = packed_->unpack();
    }
    Tensor t = alias(plain);
    if (packed_->tangents) need_record(t).need_rare().tangents = packed_->tangents;
    const Edge& edge = packed_->edge;
    if (edge.node) set_history(t, edge.node, edge.index);
    else if (edge.leaf) set_history(t, Ptr<Node>::adopt(new PassNode(edge)), 0);
    else if (result_index_ >= 0 && grad_mode().enabled)
        set_history(t, Ptr<Node>::share(const_cast<Node*>(&owner)), static_cast<uint32_t>(result_index_));
    return t;
}

bool SavedTensor::has_tangent() const { return packed_ ? packed_->tangents && !packed_->tangents->empty() : taeda::has_tangent(tensor_); }

Tensor SavedTensor::unpack(const Node& owner) const {
    if (packed_) [[unlikely]]
        return unpack_hooked(owner);
    if (!tensor_.defined()) {
        if (!owner.is_released) return Tensor();
        std::string line = owner.line_text();
        fail(ErrorKind::Runtime,
             "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
             "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if "
             "you need to backward through the graph a second time or if you need to access saved tensors after calling backward.\n  node: ",
             owner.name(), line.empty() ? "" : concat(", recorded at ", line));
    }
    if (tensor_.version() != version_) fail_modified(owner, tensor_, version_, result_index_);
    if (result_index_ < 0 || !grad_mode().enabled) return tensor_;
    Tensor with_history = alias(tensor_);
    if (g_dual_levels) [[unlikely]]
        share_tangents(with_history, tensor_);
    set_history(with_history, Ptr<Node>::share(const_cast<Node*>(&owner)), static_cast<uint32_t>(result_index_));
    return with_history;
}

}  // namespace taeda
