// Batches of rows from several tensors at once, for data loading.
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace taeda::cpu {

// New tensors with the rows index[start], ..., index[stop - 1] of each source; the rows start, ..., stop - 1 themselves
// where the index is undefined. Sources are contiguous and on the CPU; history is not recorded.
TensorList take_rows(std::span<const Tensor> sources, const Tensor& index, int64_t start, int64_t stop);

}  // namespace taeda::cpu
