// A tensor's part in the graph: its gradient, the node that made it, the base that it is a view of. And the modes.
#pragma once

#include "autograd/node.h"
#include "dispatch/op.h"

namespace taeda {

// Where a view came from decides whether it may be written while gradients are recorded.
enum class ViewOrigin : uint8_t { Normal, NoGrad, MultiOutput, OtherDtype, CustomFunction };

struct ViewInfo {
    Tensor base;       // never itself a view
    uint32_t version;  // of the storage when grad_fn was last made: see Note [Views and writing]
    ViewOrigin origin;
    const Op* op;
    // Tangents have views of their own: a dual tensor is a view of its primal, but the primal has no tangent.
    Tensor forward_base = {};      // undefined: `base`
    bool is_forward_root = false;  // made by make_dual
};

struct AutogradRecord {
    Ptr<Node> grad_fn;
    uint32_t output_index = 0;
    bool retains_grad = false;
    Tensor grad;
    std::unique_ptr<ViewInfo> view;
    enum class When : uint8_t { Gradient, Accumulated, NodeDone };  // what the hook gets: the gradient, the leaf, the gradient after all
    struct LeafHook {
        uint64_t id;
        std::shared_ptr<GradHook> hook;
        When when;
    };
    // What few tensors have. Without it a record fits into one block of the allocator's smallest class.
    struct Rare {
        std::vector<LeafHook> hooks;
        std::shared_ptr<TangentList> tangents;  // of forward mode; shared with the alias that a node saves of its result
    };
    std::unique_ptr<Rare> rare;

    Rare& need_rare() {
        if (!rare) rare = std::make_unique<Rare>();
        return *rare;
    }
    bool has_hooks() const { return rare && !rare->hooks.empty(); }

    static void* operator new(size_t n) { return allocate(n); }
    static void operator delete(void* block, size_t n) { deallocate(block, n); }
};
static_assert(sizeof(AutogradRecord) <= 64);

inline AutogradRecord& need_record(const Tensor& t) {
    if (!t.impl()->autograd) t.impl()->autograd = new AutogradRecord;
    return *t.impl()->autograd;
}

// Modes of the calling thread.
struct GradMode {
    bool enabled = true;
    bool inference = false;
    bool anomaly = false;
    bool anomaly_check_nan = true;
    const Node* running = nullptr;   // whose backward is running, while anomaly detection is on
    bool forward_enabled = true;     // whether tangents are carried along
    uint64_t forward_limit = ~0ull;  // tangents of this level and above are not seen: see Note [Levels] in forward.cpp
};
extern thread_local GradMode t_grad_mode __attribute__((tls_model("initial-exec")));
inline GradMode& grad_mode() { return t_grad_mode; }

class GradModeGuard {
public:
    explicit GradModeGuard(bool enabled) : saved_(grad_mode().enabled) { grad_mode().enabled = enabled; }
    ~GradModeGuard() { grad_mode().enabled = saved_; }
    GradModeGuard(const GradModeGuard&) = delete;

private:
    bool saved_;
};

bool requires_grad(const Tensor& t);  // true also for a view whose base has come to need it
void set_requires_grad(const Tensor& t, bool value);
bool is_leaf(const Tensor& t);
Ptr<Node> grad_fn(const Tensor& t);  // renewed where the base of a view was written
Edge edge_of(const Tensor& t);
void set_history(const Tensor& t, const Ptr<Node>& node, uint32_t index);
void rebase_history(const Tensor& t, const Ptr<Node>& node);  // after an in-place operation
void detach_in_place(const Tensor& t);
void mark_view(const Tensor& view, const Tensor& of, const Op* op, ViewOrigin origin);
void check_inplace(const Tensor& self);  // what may not be written while gradients are recorded
// A view of the base's current history: as_strided recorded by hand.
Ptr<Node> make_as_strided_node(const Tensor& base, const Tensor& view);

// Pads the graph with what an operation did. Called through the dispatcher's Recorder.
void install_recorder();

}  // namespace taeda
