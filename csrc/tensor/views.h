// Views: new geometry over the same storage, without history. Argument checks use PyTorch's phrases.
#pragma once

#include "tensor/tensor.h"

namespace taeda::views {

Tensor select(const Tensor& t, int64_t dim, int64_t index);
Tensor slice(const Tensor& t, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step = 1);  // step may be negative
Tensor narrow(const Tensor& t, int64_t dim, int64_t start, int64_t length);
Tensor permute(const Tensor& t, IntList dims);
Tensor transpose(const Tensor& t, int64_t a, int64_t b);
Tensor expand(const Tensor& t, IntList sizes);  // -1 keeps a size
Tensor unsqueeze(const Tensor& t, int64_t dim);
Tensor squeeze(const Tensor& t);
Tensor squeeze(const Tensor& t, IntList dims);
Tensor unfold(const Tensor& t, int64_t dim, int64_t size, int64_t step);
Tensor diagonal(const Tensor& t, int64_t offset, int64_t dim1, int64_t dim2);
Tensor as_strided(const Tensor& t, IntList sizes, IntList strides, std::optional<int64_t> offset);
Tensor flip_view(const Tensor& t, int64_t dim);  // negative stride
Tensor view(const Tensor& t, IntList sizes);     // -1 once; RuntimeError when strides do not allow it
std::optional<Tensor> try_view(const Tensor& t, IntList sizes);
Tensor view_dtype(const Tensor& t, DType dtype);
Tensor view_as_real(const Tensor& t);
Tensor view_as_complex(const Tensor& t);
Tensor real(const Tensor& t);
Tensor imag(const Tensor& t);
// Fills in a -1 of a target shape: "shape '[2, -1]' is invalid for input of size 5".
Shape infer_view_sizes(IntList sizes, int64_t numel);
std::optional<Shape> view_strides(IntList old_sizes, IntList old_strides, IntList new_sizes);

}  // namespace taeda::views
