#include "autograd/node.h"

#include "autograd/record.h"

namespace taeda {

HostSource g_host_source;

namespace {

// Across all threads, under the host's lock: the engine's order depends on it.
uint64_t g_sequence = 0;
uint64_t g_hook_id = 0;

}  // namespace

uint64_t next_hook_id() { return ++g_hook_id; }

Node::Node(size_t n_edges) : edges(n_edges), sequence(++g_sequence) {
    if (g_host_source.current) line = g_host_source.current();
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
    tensor_ = t;
    version_ = t.version();
    result_index_ = -1;
}

void SavedTensor::save_result(const Tensor& t, uint32_t index) {
    tensor_ = alias(t);
    version_ = t.version();
    result_index_ = static_cast<int32_t>(index);
}

namespace {

[[noreturn]] void fail_modified(const Node& owner, const Tensor& t, uint32_t expected) {
    std::string writer;
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

Tensor SavedTensor::unpack(const Node& owner) const {
    if (!tensor_.defined()) {
        if (!owner.is_released) return Tensor();
        std::string line = owner.line_text();
        fail(ErrorKind::Runtime,
             "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
             "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if "
             "you need to backward through the graph a second time or if you need to access saved tensors after calling backward.\n  node: ",
             owner.name(), line.empty() ? "" : concat(", recorded at ", line));
    }
    if (tensor_.version() != version_) fail_modified(owner, tensor_, version_);
    if (result_index_ < 0 || !grad_mode().enabled) return tensor_;
    Tensor with_history = alias(tensor_);
    set_history(with_history, Ptr<Node>::share(const_cast<Node*>(&owner)), static_cast<uint32_t>(result_index_));
    return with_history;
}

}  // namespace taeda
