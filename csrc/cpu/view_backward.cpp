// Where the gradient of a view goes: zeros of the input's shape with the gradient written into the same view of them.
#include "cpu/copy.h"
#include "cpu/indexing.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

template <class View>
Tensor place(const Tensor& gradient, IntList sizes, View&& view) {
    Tensor out = zeros(sizes, gradient.dtype(), gradient.device());
    if (!out.is_meta()) copy_into(view(out), gradient);
    return out;
}

}  // namespace

Tensor _select_backward(const Tensor& input, IntList sizes, int64_t dim, int64_t index) {
    return place(input, sizes, [&](const Tensor& out) { return views::select(out, dim, index); });
}

Tensor _slice_backward(const Tensor& input, IntList sizes, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step) {
    return place(input, sizes, [&](const Tensor& out) { return views::slice(out, dim, start, stop, step); });
}

Tensor _narrow_backward(const Tensor& input, IntList sizes, int64_t dim, int64_t start, int64_t length) {
    return place(input, sizes, [&](const Tensor& out) { return views::narrow(out, dim, start, length); });
}

Tensor _diagonal_backward(const Tensor& input, IntList sizes, int64_t offset, int64_t dim1, int64_t dim2) {
    return place(input, sizes, [&](const Tensor& out) { return views::diagonal(out, offset, dim1, dim2); });
}

Tensor _unfold_backward(const Tensor& input, IntList sizes, int64_t dimension, int64_t size, int64_t step) {
    if (step >= size) return place(input, sizes, [&](const Tensor& out) { return views::unfold(out, dimension, size, step); });
    Tensor out = zeros(sizes, input.dtype(), input.device());
    if (out.is_meta()) return out;
    Tensor windows = views::unfold(out, dimension, size, step);
    // One place of all windows at a time: those never overlap.
    for (int64_t k = 0; k < size; ++k) add_into(views::select(windows, -1, k), views::select(input, -1, k));
    return out;
}

Tensor _tensor_split_backward(const TensorList& grads, IntList sizes, IntList indices, int64_t dim) {
    Tensor out = zeros(sizes, grads[0].dtype(), grads[0].device());
    if (out.is_meta()) return out;
    std::optional<int64_t> start = 0;
    for (size_t i = 0; i < grads.size(); ++i) {
        std::optional<int64_t> stop;
        if (i < indices.size()) stop = indices[i];
        add_into(views::slice(out, dim, start, stop), grads[i]);
        start = stop;
    }
    return out;
}

namespace {

// The part of a storage that two geometries reach, as offsets in elements.
struct Extent {
    int64_t low, high;  // both included; high < low: nothing

    static Extent of(IntList sizes, IntList strides, int64_t offset) {
        Extent extent{offset, offset};
        for (size_t d = 0; d < sizes.size(); ++d) {
            if (sizes[d] == 0) return {0, -1};
            (strides[d] < 0 ? extent.low : extent.high) += (sizes[d] - 1) * strides[d];
        }
        return extent;
    }
};

struct Geometry {
    IntList sizes, strides;
    int64_t offset;

    Extent extent() const { return Extent::of(sizes, strides, offset); }
    Tensor in(const Tensor& flat, int64_t low) const { return alias(flat, sizes, strides, product(sizes) ? offset - low : 0); }
};

struct StridedPair {
    Tensor flat;  // zeros that stand for the storage
    Tensor base;  // the geometry of as_strided's input in it
    Tensor view;  // and of its result

    StridedPair(DType dtype, const Geometry& base_geometry, const Geometry& view_geometry) {
        Extent a = base_geometry.extent(), b = view_geometry.extent();
        Extent both = a.high < a.low ? b : b.high < b.low ? a : Extent{std::min(a.low, b.low), std::max(a.high, b.high)};
        flat = zeros(Shape{std::max<int64_t>(both.high - both.low + 1, 0)}, dtype);
        base = base_geometry.in(flat, both.low);
        view = view_geometry.in(flat, both.low);
    }
};

// Where several elements of the input are one in memory, each takes its share of that place's gradient.
void share_out(const StridedPair& pair) {
    if (!may_overlap_itself(pair.base)) return;
    Tensor count = zeros(pair.flat.sizes(), DType::Int64);
    add_into(alias(count, pair.base.sizes(), pair.base.strides(), pair.base.offset()), scalar_tensor(Scalar(1), DType::Int64));
    visit_dtype(pair.flat.dtype(), [&]<class T>(Tag<T>) {
        T* values = pair.flat.data<T>();
        const int64_t* shares = count.data<int64_t>();
        for (int64_t i = 0; i < pair.flat.numel(); ++i)
            if (shares[i] > 1) values[i] = convert<T>(convert<std::complex<double>>(values[i]) / static_cast<double>(shares[i]));
    });
}

}  // namespace

Tensor _as_strided_backward(const Tensor& input, IntList size, IntList stride, int64_t storage_offset, IntList base_stride, int64_t base_offset,
                            IntList base_size) {
    if (input.is_meta()) return empty(base_size, input.dtype(), input.device());
    StridedPair pair(input.dtype(), {base_size, base_stride, base_offset}, {size, stride, storage_offset});
    add_into(pair.view, input);
    share_out(pair);
    return clone(pair.base, MemoryFormat::Contiguous);
}

Tensor _as_strided_of(const Tensor& input, IntList size, IntList stride, int64_t storage_offset, IntList base_stride, int64_t base_offset,
                      IntList base_size) {
    if (input.is_meta()) return empty(size, input.dtype(), input.device());
    StridedPair pair(input.dtype(), {base_size, base_stride, base_offset}, {size, stride, storage_offset});
    add_into(pair.base, input);
    share_out(pair);
    return clone(pair.view, MemoryFormat::Contiguous);
}

Tensor _times_i(const Tensor& input) {
    Tensor out = zeros(input.sizes(), complex_of(input.dtype()), input.device());
    if (!out.is_meta()) copy_into(views::imag(out), input);
    return out;
}

}  // namespace taeda::cpu
