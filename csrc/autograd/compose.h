// The recorded form of the pointwise gradients: written in public operations, so that it can be differentiated again.
#pragma once

#include "cpu/pointwise.h"
#include "dispatch/value.h"

namespace taeda {

// `inputs` are tensors or numbers (TensorOrNumber values); `result` is undefined when no gradient of the row reads it.
using ComposeFunction = Tensor (*)(const Tensor& g, const Value* inputs, const Tensor& result, const cpu::Attributes& attributes);

// Generated (pointwise_compose.cpp): null where the gradient is PassThrough, Zero or None.
ComposeFunction pointwise_compose(int index, int input);

}  // namespace taeda
