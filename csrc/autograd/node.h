// Node: one recorded operation on the tape. Edges lead to the nodes that made its inputs, or straight to a leaf.
//
// Note [No rings]: a node owns its inputs' nodes, a tensor owns its node. A node that needs its own result keeps a bare alias
// of it (same memory, no history), so counts always reach zero. Nothing here recurses: destruction uses a worklist.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/inline_list.h"
#include "tensor/tensor.h"

namespace taeda {

struct Node;
struct Tangent;  // autograd/forward.h
using TangentList = std::vector<Tangent>;
using GradList = InlineList<Tensor, 2>;

struct Edge {
    Ptr<Node> node;  // null: a leaf, or nothing
    Ptr<TensorImpl> leaf;
    uint32_t index = 0;  // which result of `node`

    bool valid() const { return static_cast<bool>(node) || static_cast<bool>(leaf); }
};

// What the engine checks a gradient against.
struct TensorMeta {
    Shape sizes;
    DType dtype = DType::Float32;
    Device device;

    static TensorMeta of(const Tensor& t) { return {t.sizes(), t.dtype(), t.visible_device()}; }
};

// The place in the user's program that recorded a node; made and read by the binding layer.
struct SourceLine {
    void* code = nullptr;
    int32_t instruction = -1;
};
struct HostSource {
    SourceLine (*current)() = nullptr;
    void (*release)(SourceLine) noexcept = nullptr;
    std::string (*text)(SourceLine) = nullptr;  // "train.py:12, in forward"
};
extern HostSource g_host_source;

// Called with a gradient; an undefined result keeps it.
struct GradHook {
    virtual ~GradHook() = default;
    virtual Tensor call(const Tensor& grad) = 0;
};
struct NodeHook {
    virtual ~NodeHook() = default;
    virtual void call(GradList& grads, const GradList& other) = 0;  // may replace entries of `grads`
};

// Rarities, made on demand.
struct NodeExtra {
    struct OutputHook {
        uint32_t index;
        uint64_t id;
        std::shared_ptr<GradHook> hook;
    };
    struct Retained {
        uint32_t index;
        AutogradRecord* record;  // of the tensor; removed when it dies
    };
    template <class T>
    struct Registered {
        uint64_t id;
        std::shared_ptr<T> hook;
    };
    std::vector<OutputHook> output_hooks;
    std::vector<Retained> retained;
    std::shared_ptr<void> host_data;  // what the host language keeps with the node
    std::string parent;               // with anomaly detection: the node in whose backward this one was recorded
    std::vector<Registered<NodeHook>> before, after;
};

struct Node : RefCounted {
    explicit Node(size_t n_edges);
    virtual ~Node();
    static void* operator new(size_t n) { return allocate(n); }
    static void operator delete(void* block, size_t n) { deallocate(block, n); }
    static void destroy(Node* node) noexcept;

    // Gradients of the results in (some undefined), gradients for each edge out.
    virtual void apply(GradList& grads, GradList& out) = 0;
    virtual void release_saved() = 0;
    virtual const char* name() const = 0;
    virtual void* host_node() const { return nullptr; }  // a node written in the host language

    NodeExtra& need_extra() {
        if (!extra) extra = std::make_unique<NodeExtra>();
        return *extra;
    }
    std::string line_text() const { return g_host_source.text && line.code ? g_host_source.text(line) : std::string(); }

    InlineList<Edge, 2> edges;
    InlineList<TensorMeta, 1> outputs;
    uint64_t sequence;
    SourceLine line;
    bool is_released = false;
    bool is_write = false;  // recorded an in-place operation
    std::unique_ptr<NodeExtra> extra;
    void* host_object = nullptr;  // the Python view of this node, borrowed

    // Scratch of the run in progress (see engine.cpp).
    void* run = nullptr;
    GradList pending;
    uint64_t skipped = 0;  // bit k: nobody wants the gradient of edge k
    bool is_wanted(size_t edge) const { return edges[edge].valid() && !(edge < 64 && (skipped >> edge & 1)); }
};

uint64_t next_hook_id();
uint64_t last_sequence();  // of the youngest node

// A saved tensor in the keeping of the program's own hooks, and the tensor's place in the graph, which hooks know nothing of.
struct PackedTensor {
    virtual ~PackedTensor() = default;
    virtual Tensor unpack() = 0;  // without history

    Edge edge;
    std::shared_ptr<TangentList> tangents;
};
// What tensors saved in this thread are packed with; null: they are kept as they are.
extern thread_local std::unique_ptr<PackedTensor> (*t_pack_saved)(const Tensor& t) __attribute__((tls_model("initial-exec")));

class PackSavedGuard {
public:
    explicit PackSavedGuard(decltype(t_pack_saved) pack) : outer_(std::exchange(t_pack_saved, pack)) {}
    ~PackSavedGuard() { t_pack_saved = outer_; }
    PackSavedGuard(const PackSavedGuard&) = delete;

private:
    decltype(t_pack_saved) outer_;
};

// A tensor that a node keeps for its backward.
class SavedTensor {
public:
    void save(const Tensor& t);
    // A result of the node itself: kept as a bare alias, see Note [No rings].
    void save_result(const Tensor& t, uint32_t index);
    // Checks that nobody has written the tensor since; with grad mode on, a saved result gets its history back.
    Tensor unpack(const Node& owner) const;
    void reset() {
        tensor_ = Tensor();
        packed_.reset();
    }
    bool defined() const { return tensor_.defined() || packed_; }
    const Tensor& peek() const { return tensor_; }  // undefined where it is packed
    bool has_tangent() const;
    bool is_result() const { return result_index_ >= 0; }
    // Repacks what is there with hooks of its own.
    void repack(const Node& owner, std::unique_ptr<PackedTensor> (*pack)(const Tensor& t));

private:
    void pack(const Tensor& t);
    Tensor unpack_hooked(const Node& owner) const;

    Tensor tensor_;
    std::unique_ptr<PackedTensor> packed_;
    uint32_t version_ = 0;
    int32_t result_index_ = -1;
};

}  // namespace taeda
