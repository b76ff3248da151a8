// Indexing with tensors and masks: x[rows, :, columns], x[mask], and writing there.
//
// Note [Places of indexed dimensions]: index tensors that stand side by side leave their common shape where they stood;
// others (x[rows, :, columns]) move it to the front, as in NumPy.
#include <atomic>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/indexing.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

struct Expanded {
    Tensor input;        // with one more dimension for each zero-dim mask
    TensorList indices;  // int64 or undefined; one for each dimension of `input`
};

bool is_mask(const Tensor& index) { return index.dtype() == DType::Bool || index.dtype() == DType::UInt8; }

void check_mask_shape(const Tensor& mask, const Tensor& input, int64_t first) {
    for (int64_t d = 0; d < mask.dim(); ++d) {
        const bool fits = first + d < input.dim() && mask.sizes()[d] == input.sizes()[first + d];
        TAEDA_CHECK_KIND(Index, fits || first + mask.dim() > input.dim(), "The shape of the mask ", shape_text(mask.sizes()), " at index ", d,
                         " does not match the shape of the indexed tensor ", shape_text(input.sizes()), " at index ", first + d);
    }
}

// Masks become the positions of their true elements.
Expanded expand_masks(const Tensor& input, const TensorList& indices) {
    Expanded out{input, {}};
    for (const Tensor& index : indices) {
        if (!index.defined()) {
            out.indices.emplace_back();
            continue;
        }
        TAEDA_CHECK(input.is_meta() || !index.is_meta(),
                    "indices should be either on cpu or on the same device as the indexed tensor (cpu), but got ", dtype_name(index.dtype()), " ",
                    shape_text(index.sizes()), " on meta");
        const auto place = static_cast<int64_t>(out.indices.size());
        if (is_mask(index)) {
            Tensor mask = index;
            if (mask.dim() == 0) {
                out.input = views::unsqueeze(out.input, std::min(place, out.input.dim()));
                mask = views::unsqueeze(mask, 0);
            }
            check_mask_shape(mask, out.input, place);
            Tensor found = nonzero(mask);
            for (int64_t d = 0; d < mask.dim(); ++d) out.indices.push_back(contiguous(views::select(found, 1, d)));
            continue;
        }
        TAEDA_CHECK_KIND(Index, index.dtype() == DType::Int64 || index.dtype() == DType::Int32,
                         "tensors used as indices must be long, int, byte or bool tensors, got ", dtype_name(index.dtype()));
        out.indices.push_back(to_dtype(index, DType::Int64));
    }
    TAEDA_CHECK_KIND(Index, static_cast<int64_t>(out.indices.size()) <= out.input.dim(), "too many indices for tensor of dimension ", input.dim(),
                     ": got ", out.indices.size());
    out.indices.resize(out.input.dim());
    return out;
}

Shape common_index_shape(const TensorList& indices) {
    Shape shape;
    for (const Tensor& index : indices) {
        if (!index.defined()) continue;
        if (!is_expandable_to(index.sizes(), shape) && !is_expandable_to(shape, index.sizes())) {
            bool meets = true;
            for (int64_t k = 1; k <= std::min<int64_t>(index.dim(), static_cast<int64_t>(shape.size())); ++k) {
                int64_t a = index.sizes()[index.dim() - k], b = shape[shape.size() - k];
                meets = meets && (a == b || a == 1 || b == 1);
            }
            if (!meets) {
                std::string shapes;
                for (const Tensor& other : indices)
                    if (other.defined()) shapes += (shapes.empty() ? "" : ", ") + shape_text(other.sizes());
                fail(ErrorKind::Index, "shape mismatch: indexing tensors could not be broadcast together with shapes ", shapes);
            }
        }
        shape = broadcast_shapes(shape, index.sizes());
    }
    return shape;
}

// Adds index * stride to each offset, with negative indices counted from the end.
void add_offsets(int64_t* offsets, const Tensor& index, IntList shape, int64_t dim, int64_t size, int64_t stride) {
    Tensor dense = contiguous(expand_to(index, shape));
    const int64_t* values = dense.data<int64_t>();
    std::atomic<int64_t> first_bad{-1};
    parallel_for(0, dense.numel(), 65536, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            int64_t at = values[i] < 0 ? values[i] + size : values[i];
            if (at < 0 || at >= size) [[unlikely]] {
                first_bad = i;
                return;
            }
            offsets[i] += at * stride;
        }
    });
    TAEDA_CHECK_KIND(Index, first_bad < 0, "index ", values[first_bad], " is out of bounds for dimension ", dim, " with size ", size);
}

bool stand_together(const TensorList& indices) {
    int groups = 0;
    for (size_t d = 0; d < indices.size(); ++d) groups += indices[d].defined() && (d == 0 || !indices[d - 1].defined());
    return groups <= 1;
}

// The table's geometry: indexed dimensions give way to the index shape with zero strides.
struct TableShape {
    Shape sizes, strides;
    uint64_t indexed = 0;
    int64_t first = 0;  // where the index shape begins
};

TableShape table_shape(const Tensor& input, const TensorList& indices, IntList index_shape) {
    TableShape t;
    auto insert_index_shape = [&] {
        t.first = static_cast<int64_t>(t.sizes.size());
        for (int64_t size : index_shape) {
            t.indexed |= uint64_t{1} << t.sizes.size();
            t.sizes.push_back(size);
            t.strides.push_back(0);
        }
    };
    const bool together = stand_together(indices);
    bool inserted = !together;
    if (!together) insert_index_shape();
    for (int64_t d = 0; d < input.dim(); ++d) {
        if (indices[d].defined()) {
            if (!inserted) insert_index_shape();
            inserted = true;
            continue;
        }
        t.sizes.push_back(input.sizes()[d]);
        t.strides.push_back(input.strides()[d]);
    }
    return t;
}

}  // namespace

AdvancedIndex resolve_indices(const Tensor& input, const TensorList& indices) {
    Expanded given = expand_masks(input, indices);
    Shape index_shape = common_index_shape(given.indices);
    TableShape t = table_shape(given.input, given.indices, index_shape);
    Tensor offsets = zeros(index_shape, DType::Int64);
    for (int64_t d = 0; d < given.input.dim(); ++d)
        if (given.indices[d].defined())
            add_offsets(offsets.data<int64_t>(), given.indices[d], index_shape, d, given.input.sizes()[d], given.input.strides()[d]);
    Shape strides(t.sizes.size(), 0);
    for (size_t k = 0; k < index_shape.size(); ++k) strides[t.first + k] = offsets.strides()[k];
    return {alias(given.input, t.sizes, t.strides, given.input.offset()), alias(offsets, t.sizes, strides, offsets.offset()), t.indexed};
}

namespace {

Tensor meta_index(const Tensor& input, const TensorList& indices) {
    for (const Tensor& index : indices)
        TAEDA_CHECK_KIND(NotImplemented, !index.defined() || !is_mask(index),
                         "a mask on the meta device has no values, so that the result has no shape");
    Expanded given = expand_masks(input, indices);
    TableShape t = table_shape(given.input, given.indices, common_index_shape(given.indices));
    return taeda::empty(t.sizes, input.dtype(), input.device());
}

bool any_defined(const TensorList& indices) {
    for (const Tensor& index : indices)
        if (index.defined()) return true;
    return false;
}

// The mask where the whole index is one mask over the first dimensions; undefined otherwise.
Tensor sole_mask(const Tensor& input, const TensorList& indices) {
    if (indices.empty() || !indices[0].defined() || indices[0].dtype() != DType::Bool) return {};
    for (size_t i = 1; i < indices.size(); ++i)
        if (indices[i].defined()) return {};
    const Tensor& mask = indices[0];
    if (mask.dim() == 0 || mask.dim() > input.dim() || mask.is_meta()) return {};
    for (int64_t d = 0; d < mask.dim(); ++d)
        if (mask.sizes()[d] != input.sizes()[d]) return {};
    return mask;
}

}  // namespace

void fill_where(const Tensor& self, const Tensor& mask, const Tensor& value);  // masked.cpp

Tensor _index(const Tensor& input, const TensorList& indices) {
    if (!any_defined(indices)) return clone(input, MemoryFormat::Contiguous);
    if (input.is_meta()) return meta_index(input, indices);
    AdvancedIndex at = resolve_indices(input, indices);
    Tensor out = result(at.table.sizes(), input.dtype(), input.device());
    gather_walk({out, at.table, at.offsets, 1, -1, at.indexed});
    return out;
}

Tensor _index_put_(const Tensor& self, const TensorList& indices, const Tensor& values, bool accumulate) {
    TAEDA_CHECK(self.dtype() == values.dtype(), "Index put requires the source and destination dtypes match, got ", scalar_type_name(self.dtype()),
                " for the destination and ", scalar_type_name(values.dtype()), " for the source.");
    if (self.is_meta()) return self;
    TAEDA_CHECK(!values.is_meta(), "Expected all tensors to be on the same device, but found at least two devices, cpu and meta!");
    if (Tensor mask = sole_mask(self, indices); mask.defined() && values.numel() == 1 && !accumulate && values.dim() <= 1) {
        Shape sizes(mask.sizes());
        for (int64_t d = mask.dim(); d < self.dim(); ++d) sizes.push_back(1);
        fill_where(self, expand_to(views::view(contiguous(mask), sizes), self.sizes()), values);
        return self;
    }
    AdvancedIndex at = resolve_indices(self, indices);
    TAEDA_CHECK(is_expandable_to(values.sizes(), at.table.sizes()), "shape mismatch: value tensor of shape ", shape_text(values.sizes()),
                " cannot be broadcast to indexing result of shape ", shape_text(at.table.sizes()));
    Tensor source = expand_to(may_share_memory(values, self) ? clone(values) : values, at.table.sizes());
    scatter_walk({source, at.table, at.offsets, 1, -1, at.indexed}, accumulate ? Combine::Add : Combine::Assign);
    return self;
}

Tensor _index_put(const Tensor& input, const TensorList& indices, const Tensor& values, bool accumulate) {
    return _index_put_(clone(input), indices, values, accumulate);
}

Tensor index_put_(const Tensor& self, const TensorList& indices, const Tensor& values, bool accumulate) {
    return _index_put_(self, indices, values, accumulate);
}
Tensor index_put(const Tensor& input, const TensorList& indices, const Tensor& values, bool accumulate) {
    return _index_put(input, indices, values, accumulate);
}

Tensor _index_backward(const Tensor& input, IntList sizes, const TensorList& indices) {
    Tensor out = zeros(sizes, input.dtype(), input.device());
    return any_defined(indices) ? _index_put_(out, indices, input, true) : clone(input);
}

Tensor _index_zero(const Tensor& input, const TensorList& indices) {
    return _index_put_(clone(input), indices, scalar_tensor(Scalar(0), input.dtype(), input.device()), false);
}

}  // namespace taeda::cpu
