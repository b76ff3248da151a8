// Who wants to know of a tensor before an operation writes it: allow_mutation_on_saved_tensors, which copies what was saved of it.
#pragma once

#include "tensor/tensor.h"

namespace taeda {

extern thread_local void (*t_before_write)(const Tensor& t);  // null: nobody

}  // namespace taeda
