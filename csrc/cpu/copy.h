// Copies between any two strided tensors, with conversion.
#pragma once

#include "tensor/tensor.h"

namespace taeda::cpu {

void copy_into(const Tensor& to, const Tensor& from);  // broadcasts `from`; overlapping memory is handled
Tensor contiguous(const Tensor& t);                    // itself where it already is
Tensor clone(const Tensor& t, std::optional<MemoryFormat> format = {});
Tensor to_dtype(const Tensor& t, DType dtype);  // itself where it already is
void fill(const Tensor& t, const Scalar& value);
void fill_zero(const Tensor& t);
Tensor full(IntList sizes, const Scalar& value, DType dtype, Device device = {});
Tensor zeros(IntList sizes, DType dtype, Device device = {});
Scalar item(const Tensor& t);  // the only element; RuntimeError otherwise
Tensor scalar_tensor(const Scalar& value, DType dtype, Device device = {});

}  // namespace taeda::cpu
