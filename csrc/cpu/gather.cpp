// Reading elements that an index names along one dimension: gather, index_select, take; and their gradients.
#include "cpu/copy.h"
#include "cpu/indexing.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

void check_gather_shapes(const Tensor& input, int64_t dim, const Tensor& index) {
    TAEDA_CHECK(std::max<int64_t>(input.dim(), 1) == std::max<int64_t>(index.dim(), 1),
                "Index tensor must have the same number of dimensions as input tensor, but got ", index.dim(), " and ", input.dim());
    for (int64_t d = 0; d < input.dim() && index.dim() == input.dim(); ++d)
        TAEDA_CHECK(d == dim || index.sizes()[d] <= input.sizes()[d], "Size does not match at dimension ", d, " expected index ",
                    shape_text(index.sizes()), " to be no larger than self ", shape_text(input.sizes()), " apart from dimension ", dim);
}

// An index of one dimension as one of `shape`, which varies along `dim` only.
Tensor spread_index(const Tensor& index, IntList shape, int64_t dim) {
    Shape strides(shape.size(), 0);
    if (!shape.empty()) strides[dim] = index.dim() ? index.strides()[0] : 0;
    return alias(index, shape, strides, index.offset());
}

Shape selected_sizes(const Tensor& input, int64_t dim, const Tensor& index) {
    Shape sizes(input.sizes());
    if (!sizes.empty()) sizes[dim] = index.numel();
    return sizes;
}

Tensor checked_select_index(const Tensor& input, const Tensor& index) {
    TAEDA_CHECK_KIND(Index, index.dim() <= 1, "index_select(): Index is supposed to be a vector, got a tensor of shape ", shape_text(index.sizes()));
    TAEDA_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, "index_select(): Expected dtype int32 or int64 for index, but got ",
                dtype_name(index.dtype()));
    TAEDA_CHECK(input.dim() > 0 || index.numel() == 1, "index_select(): Index to scalar can have only 1 value, got ", index.numel(), " value(s)");
    return index.is_meta() ? index : to_dtype(index, DType::Int64);
}

}  // namespace

Tensor gather(const Tensor& input, int64_t dim, const Tensor& index, bool) {
    dim = wrap_dim(dim, input.dim());
    TAEDA_CHECK(index.numel() == 0 || index.dtype() == DType::Int64 || index.dtype() == DType::Int32,
                "gather(): Expected dtype int32/int64 for index, but got ", dtype_name(index.dtype()));
    if (index.numel() > 0) check_gather_shapes(input, dim, index);
    Tensor out = result(index.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    Tensor places = at_least_1d(to_dtype(index, DType::Int64));
    std::optional<int64_t> bad = gather_walk(walk_along(at_least_1d(input), at_least_1d(out), places, dim));
    TAEDA_CHECK(!bad, "index ", *bad, " is out of bounds for dimension ", dim, " with size ", at_least_1d(input).sizes()[dim]);
    return out;
}

Tensor _gather_backward(const Tensor& input, IntList sizes, int64_t dim, const Tensor& index) {
    Tensor out = zeros(sizes, input.dtype(), input.device());
    if (out.is_meta() || index.numel() == 0) return out;
    dim = wrap_dim(dim, out.dim());
    Tensor places = at_least_1d(to_dtype(index, DType::Int64));
    scatter_walk(walk_along(at_least_1d(out), at_least_1d(input), places, dim), Combine::Add);
    return out;
}

Tensor index_select(const Tensor& input, int64_t dim, const Tensor& index) {
    dim = wrap_dim(dim, input.dim());
    Tensor places = checked_select_index(input, index);
    Tensor out = result(selected_sizes(input, dim, index), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    Tensor whole = at_least_1d(out), table = at_least_1d(input);
    // The index is read once for each line of the result: it is checked once, beforehand.
    std::optional<int64_t> bad = first_outside(places, table.sizes()[dim]);
    TAEDA_CHECK_KIND(Index, !bad, "index out of range in self: index ", *bad, " for dimension ", dim, " with size ", table.sizes()[dim]);
    IndexWalk walk = walk_along(table, whole, spread_index(places, whole.sizes(), dim), dim);
    walk.size = -1;
    gather_walk(walk);
    return out;
}

Tensor _index_select_backward(const Tensor& input, IntList sizes, int64_t dim, const Tensor& index) {
    Tensor out = zeros(sizes, input.dtype(), input.device());
    if (out.is_meta() || index.numel() == 0 || input.numel() == 0) return out;
    dim = wrap_dim(dim, out.dim());
    Tensor places = to_dtype(index, DType::Int64), whole = at_least_1d(input);
    scatter_walk(walk_along(at_least_1d(out), whole, spread_index(places, whole.sizes(), dim), dim), Combine::Add);
    return out;
}

// ---- the flattened tensor as a table

namespace {

// Offsets into the memory of `table` for indices into its elements in row-major order.
Tensor flat_offsets(const Tensor& table, const Tensor& index, const char* name) {
    TAEDA_CHECK(index.dtype() == DType::Int64, name, "(): Expected a long tensor for index, but got ", scalar_type_name(index.dtype()));
    TAEDA_CHECK_KIND(Index, table.numel() > 0 || index.numel() == 0, name, "(): tried to take from an empty tensor");
    Tensor dense = contiguous(index), offsets = taeda::empty(index.sizes(), DType::Int64);
    const int64_t *from = dense.data<int64_t>(), numel = table.numel();
    int64_t* to = offsets.data<int64_t>();
    for (int64_t i = 0; i < index.numel(); ++i) {
        TAEDA_CHECK_KIND(Index, from[i] >= -numel && from[i] < numel, "out of range: tried to access index ", from[i], " on a tensor of ", numel,
                         " elements.");
        int64_t rest = from[i] < 0 ? from[i] + numel : from[i], offset = 0;
        if (table.is_contiguous()) offset = rest;
        else
            for (int64_t d = table.dim() - 1; d >= 0; --d) {
                offset += rest % table.sizes()[d] * table.strides()[d];
                rest /= table.sizes()[d];
            }
        to[i] = offset;
    }
    return offsets;
}

IndexWalk flat_walk(const Tensor& table, const Tensor& plain, const Tensor& offsets) {
    Shape still(plain.dim(), 0);
    return {plain, alias(table, plain.sizes(), still, table.offset()), offsets, 1, -1, ~uint64_t{0}};
}

}  // namespace

Tensor take(const Tensor& input, const Tensor& index) {
    Tensor out = result(index.sizes(), input.dtype(), input.device());
    if (out.is_meta()) return out;
    gather_walk(flat_walk(input, out, flat_offsets(input, index, "take")));
    return out;
}

Tensor _take_backward(const Tensor& input, IntList sizes, const Tensor& index) {
    Tensor out = zeros(sizes, input.dtype(), input.device());
    if (!out.is_meta()) scatter_walk(flat_walk(out, input, flat_offsets(out, index, "take")), Combine::Add);
    return out;
}

Tensor put_(const Tensor& self, const Tensor& index, const Tensor& source, bool accumulate) {
    TAEDA_CHECK(index.numel() == source.numel(), "put_(): Expected source and index to have the same number of elements, but got source with ",
                source.numel(), " elements and index with ", index.numel());
    TAEDA_CHECK(self.dtype() == source.dtype(), "put_(): Expected self and source to have the same dtype, but got self of ", dtype_name(self.dtype()),
                " and source of ", dtype_name(source.dtype()));
    if (self.is_meta()) return self;
    Tensor flat = views::view(contiguous(source), Shape{-1}), places = views::view(contiguous(index), Shape{-1});
    scatter_walk(flat_walk(self, flat, flat_offsets(self, places, "put_")), accumulate ? Combine::Add : Combine::Assign);
    return self;
}

Tensor put(const Tensor& input, const Tensor& index, const Tensor& source, bool accumulate) { return put_(clone(input), index, source, accumulate); }

}  // namespace taeda::cpu
