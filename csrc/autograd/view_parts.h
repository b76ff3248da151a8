// Parts of tensors by the geometry of a view alone, for what has no memory to view: wrapped tensors.
#pragma once

#include "tensor/tensor.h"

namespace taeda {

// Where a view's elements lie among those of its base.
struct ViewPart {
    static ViewPart of(const Tensor& base, const Tensor& view) {
        return {base.sizes(), base.strides(), view.sizes(), view.strides(), view.offset() - base.offset()};
    }
    Shape base_sizes, base_strides, sizes, strides;
    int64_t offset;  // from the base's first element

    // The elements of `whole`, a tensor of the base's sizes and any strides, that the view shows.
    Tensor taken_from(const Tensor& whole) const;
    // `whole` with those elements replaced by `part`. Nothing is written; differentiable in both.
    Tensor replaced_in(const Tensor& whole, const Tensor& part) const;
};

}  // namespace taeda
