// View kernels that other kernels call.
#pragma once

#include "tensor/tensor.h"

namespace taeda::cpu {

Tensor reshape(const Tensor& input, IntList shape);
TensorList split_sizes(const Tensor& input, IntList split_sizes, int64_t dim);

}  // namespace taeda::cpu
