// Steps of optimizers over whole groups of parameters in one call: no Python and no intermediate tensor per parameter.
//
// Each function looks at all tensors first and returns false, with nothing changed, where one of them does not fit the
// kernels (not on the CPU, not a real floating type, gaps or another layout, a state of another type or size): the
// caller then uses the rule written in operations.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace taeda::cpu {

// Borrowed: the caller keeps the tensors alive.
using ImplList = std::span<TensorImpl* const>;

struct SgdOptions {
    double lr, momentum, dampening, weight_decay;
    bool nesterov, maximize;
};
// `buffers` is empty without momentum. Where is_first, the buffer holds nothing yet and becomes the gradient.
bool sgd_step(ImplList params, ImplList grads, ImplList buffers, std::span<const uint8_t> is_first, const SgdOptions& options);

struct AdamOptions {
    double lr, beta1, beta2, weight_decay, eps;
    bool maximize, decoupled_weight_decay;
};
// `largest` is empty without amsgrad. `steps` are float32 scalars, counted up here.
bool adam_step(ImplList params, ImplList grads, ImplList means, ImplList squares, ImplList largest, ImplList steps, const AdamOptions& options);

struct RmspropOptions {
    double lr, alpha, eps, weight_decay, momentum;
    bool maximize;
};
// `buffers` is empty without momentum, `means` unless the square is centered.
bool rmsprop_step(ImplList params, ImplList grads, ImplList squares, ImplList buffers, ImplList means, ImplList steps, const RmspropOptions& options);

}  // namespace taeda::cpu
