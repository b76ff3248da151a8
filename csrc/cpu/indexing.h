// The two walks behind every operation with indices: reading elements that an index tensor names, and writing them.
//
// A walk has a shape and three operands of that shape: the plain side (result or source), the table, whose strides along
// the indexed dimensions are zero, and the index. Element i of the plain side belongs to the table's element at its own
// place plus index * step.
#pragma once

#include "tensor/tensor.h"

namespace taeda::cpu {

struct IndexWalk {
    Tensor plain;
    Tensor table;
    Tensor index;          // int64
    int64_t step = 1;      // in elements of the table
    int64_t size = -1;     // indices must be in [0, size); negative: they are known to be good
    uint64_t indexed = 0;  // bit d: dimension d is indexed, so that different places along it may write one element
};

enum class Combine : uint8_t { Assign, Add, Multiply, Min, Max };

// Where an index is out of range the first bad one comes back, and what was written elsewhere is not to be relied on.
std::optional<int64_t> gather_walk(const IndexWalk& walk);
std::optional<int64_t> scatter_walk(const IndexWalk& walk, Combine combine);

// Asks for the memory `offset` bytes from `base`, whose index has not been looked at yet: it may lie anywhere, so that this must be no pointer
// arithmetic.
inline void prefetch_at(const void* base, int64_t offset) {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(base) + static_cast<uintptr_t>(offset)));
}

// The first of int64 indices that is not in [0, size).
std::optional<int64_t> first_outside(const Tensor& index, int64_t size);

// The walk of `table` and `index` along one dimension; all three have the same number of dimensions, `index` the shape.
IndexWalk walk_along(const Tensor& table, const Tensor& plain, const Tensor& index, int64_t dim);

// `index` as int64, or a RuntimeError that names the operation.
Tensor checked_index(const Tensor& index, const char* operation);
Tensor at_least_1d(const Tensor& t);  // a view

// to += from, element by element, in row-major order where `to` overlaps itself.
void add_into(const Tensor& to, const Tensor& from);

// ---- the advanced form: several index tensors and masks at once

struct AdvancedIndex {
    Tensor table;      // restrided: zero strides along the indexed dimensions
    Tensor offsets;    // int64, expanded to the table's shape
    uint64_t indexed;  // the dimensions of the table that are indexed
};
AdvancedIndex resolve_indices(const Tensor& input, const TensorList& indices);

Tensor nonzero(const Tensor& input);

}  // namespace taeda::cpu
