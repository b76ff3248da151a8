// The engine: runs a graph backwards in the calling thread.
#pragma once

#include "autograd/record.h"

namespace taeda {

struct BackwardOptions {
    bool keep_graph = false;
    bool create_graph = false;
    bool accumulate = true;   // into .grad of the leaves; false: only collect `inputs`
    bool has_inputs = false;  // stop at `inputs`
    uint64_t oldest = 0;      // nodes up to this sequence lead to none of `inputs`
};

// Runs from `roots` with `grads`. With inputs: the gradient of each, undefined where the graph does not reach it.
TensorList run_backward(const std::vector<Edge>& roots, const TensorList& grads, const std::vector<Edge>& inputs, const BackwardOptions& options);

// Adds to a leaf's .grad as backward does.
void accumulate_grad(TensorImpl& leaf, const Tensor& grad);

// The innermost run in progress of this thread, for hooks: its number (-1: none), and whether it will reach given edges.
int64_t current_run();
std::vector<bool> will_run(const std::vector<Edge>& edges);
bool run_has_inputs();

// Functions to be called when the run in progress has ended.
void queue_callback(std::function<void()> callback);

}  // namespace taeda
