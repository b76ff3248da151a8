// What the generated recorded gradients (pointwise_compose_*.cpp) are written with.
#pragma once

#include <cmath>
#include <complex>
#include <limits>

#include "autograd/compose.h"
#include "cpu/copy.h"

namespace taeda::compose {

// An operand as a tensor; a number becomes a zero-dim tensor of `dtype`, so that it promotes nothing.
inline Tensor operand(const Value& value, DType dtype) {
    if (const auto* tensor = std::get_if<Tensor>(&value)) return *tensor;
    const Scalar& number = unbox_scalar(value);
    return cpu::scalar_tensor(number, number.is_complex() ? complex_of(dtype) : dtype);
}
inline Tensor like(const Tensor& g, const Scalar& number) {
    return cpu::scalar_tensor(number, number.is_complex() ? complex_of(g.dtype()) : g.dtype());
}
inline bool any_complex(const Tensor& g, const Value* inputs, int n) {
    if (is_complex(g.dtype())) return true;
    for (int k = 0; k < n; ++k)
        if (const auto* tensor = std::get_if<Tensor>(&inputs[k]); tensor && is_complex(tensor->dtype())) return true;
    return false;
}

}  // namespace taeda::compose
