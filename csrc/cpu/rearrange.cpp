// Copies that only move elements: contiguous, copies between dtypes, flip, roll, rot90; and the view of everything.
#include "cpu/copy.h"
#include "tensor/views.h"

namespace taeda::cpu {

// Not in view.cpp, where the plain name is taeda::alias.
Tensor alias(const Tensor& input) { return taeda::alias(input); }

Tensor contiguous(const Tensor& input, std::optional<MemoryFormat> memory_format) {
    MemoryFormat format = memory_format.value_or(MemoryFormat::Contiguous);
    TAEDA_CHECK(format != MemoryFormat::Preserve, "preserve memory format is unsupported by the contiguous operator");
    return is_contiguous_as(input, format) ? input : clone(input, format);
}

Tensor _to_copy(const Tensor& input, std::optional<DType> dtype, std::optional<Device> device, std::optional<MemoryFormat> memory_format) {
    const Device where = device.value_or(input.device());
    TAEDA_CHECK_KIND(NotImplemented, !input.is_meta() || where.is_meta(), "Cannot copy out of meta tensor; no data!");
    Tensor geometry = input;
    if (where.is_meta() && !input.is_meta()) geometry = empty_strided(input.sizes(), input.strides(), input.dtype(), where);
    Tensor out = empty_like(geometry, dtype.value_or(input.dtype()), memory_format);
    if (!out.is_meta()) copy_into(out, input);
    return out;
}

Tensor copy_(const Tensor& input, const Tensor& src, bool) {
    const Shape shape = broadcast_shapes(input.sizes(), src.sizes());
    TAEDA_CHECK(shape == input.sizes(), "output with shape ", shape_text(input.sizes()), " doesn't match the broadcast shape ", shape_text(shape));
    if (input.is_meta()) return input;
    TAEDA_CHECK_KIND(NotImplemented, !src.is_meta(), "Cannot copy out of meta tensor; no data!");
    copy_into(input, src);
    return input;
}

Tensor flip(const Tensor& input, IntList dims) {
    Shape wrapped = wrap_dims(dims, input.dim());
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta()) return out;
    Tensor turned = input;
    if (input.dim() > 0 && input.numel() > 0)
        for (int64_t dim : wrapped) turned = views::flip_view(turned, dim);
    copy_into(out, turned);
    return out;
}

Tensor fliplr(const Tensor& input) {
    TAEDA_CHECK(input.dim() >= 2, "Input must be >= 2-d.");
    return flip(input, Shape{1});
}

Tensor flipud(const Tensor& input) {
    TAEDA_CHECK(input.dim() >= 1, "Input must be >= 1-d.");
    return flip(input, Shape{0});
}

namespace {

// Rolls one dimension after the other: each divides what is left into two blocks that change places.
void roll_into(const Tensor& to, const Tensor& from, IntList shifts, IntList dims) {
    if (dims.empty()) return copy_into(to, from);
    const int64_t dim = dims[0], size = from.size(dim);
    const int64_t shift = ((shifts[0] % size) + size) % size;
    roll_into(views::narrow(to, dim, shift, size - shift), views::narrow(from, dim, 0, size - shift), shifts.subspan(1), dims.subspan(1));
    if (shift > 0) roll_into(views::narrow(to, dim, 0, shift), views::narrow(from, dim, size - shift, shift), shifts.subspan(1), dims.subspan(1));
}

// The same dimension may be named more than once: its shifts add up.
void merge_shifts(Shape& shifts, Shape& dims, int64_t ndim) {
    Shape merged_shifts, merged_dims;
    for (size_t i = 0; i < dims.size(); ++i) {
        int64_t dim = wrap_dim(dims[i], ndim);
        auto seen = std::find(merged_dims.begin(), merged_dims.end(), dim);
        if (seen == merged_dims.end()) {
            merged_dims.push_back(dim);
            merged_shifts.push_back(shifts[i]);
        } else {
            merged_shifts[seen - merged_dims.begin()] += shifts[i];
        }
    }
    shifts = merged_shifts;
    dims = merged_dims;
}

}  // namespace

Tensor roll(const Tensor& input, IntList shifts, IntList dims) {
    TAEDA_CHECK(!shifts.empty(), "`shifts` required");
    TAEDA_CHECK(shifts.size() == dims.size() || (dims.empty() && shifts.size() == 1), "shifts and dimensions must align. shifts: ", shifts.size(),
                ", dims:", dims.size());
    TAEDA_CHECK_KIND(Index, dims.empty() || input.dim() > 0, "Dimension specified as ", dims[0], " but tensor has no dimensions");
    Shape amounts(shifts), along(dims);
    if (!dims.empty()) merge_shifts(amounts, along, input.dim());
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    if (!dims.empty() && input.dim() > 0) {
        roll_into(out, input, amounts, along);
        return out;
    }
    if (!out.is_contiguous()) {  // the flat form needs a result that can be seen as one dimension
        Tensor flat = taeda::empty(Shape{input.numel()}, input.dtype());
        roll_into(flat, views::view(contiguous(input), Shape{-1}), amounts, Shape{0});
        copy_into(out, views::view(flat, input.sizes()));
        return out;
    }
    roll_into(views::view(out, Shape{-1}), views::view(contiguous(input), Shape{-1}), amounts, Shape{0});
    return out;
}

Tensor _roll_back(const Tensor& input, IntList shifts, IntList dims) {
    Shape back(shifts);
    for (int64_t& shift : back) shift = -shift;
    return roll(input, back, dims);
}

Tensor rot90(const Tensor& input, int64_t k, IntList dims) {
    TAEDA_CHECK(dims.size() == 2, "expected total rotation dims == 2, but got dims = ", dims.size());
    TAEDA_CHECK(input.dim() >= 2, "expected total dims >= 2, but got total dims = ", input.dim());
    TAEDA_CHECK(dims[0] != dims[1] && std::abs(dims[0] - dims[1]) != input.dim(), "expected rotation dims to be different, but got dim0 = ", dims[0],
                " and dim1 = ", dims[1]);
    for (int i = 0; i < 2; ++i)
        TAEDA_CHECK(dims[i] >= -input.dim() && dims[i] < input.dim(), "Rotation dim", i, " out of range, dim", i, " = ", dims[i]);
    const int64_t turns = ((k % 4) + 4) % 4;
    Tensor turned = input;
    if (input.numel() > 0 && (turns == 1 || turns == 2)) turned = views::flip_view(turned, wrap_dim(dims[1], input.dim()));
    if (input.numel() > 0 && (turns == 3 || turns == 2)) turned = views::flip_view(turned, wrap_dim(dims[0], input.dim()));
    if (turns % 2 == 1) turned = views::transpose(turned, dims[0], dims[1]);
    Tensor out = result(turned.sizes(), input.dtype(), input.device());
    if (!out.is_meta()) copy_into(out, turned);
    return out;
}

// Which element each one of a repeat_interleave comes from: 0 0 2 2 2 for repeats 2 0 3.
Tensor _repeat_indices(const Tensor& repeats) {
    TAEDA_CHECK(repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat");
    TAEDA_CHECK(repeats.dtype() == DType::Int64 || repeats.dtype() == DType::Int32, "repeats has to be Long or Int tensor");
    TAEDA_CHECK_KIND(NotImplemented, !repeats.is_meta(),
                     "repeat_interleave: repeats on the meta device have no values, so that the result has no shape");
    Tensor counts = contiguous(to_dtype(repeats, DType::Int64));
    const int64_t* count = counts.data<int64_t>();
    int64_t total = 0;
    for (int64_t i = 0; i < counts.numel(); ++i) {
        TAEDA_CHECK(count[i] >= 0, "repeats can not be negative");
        total += count[i];
    }
    Tensor out = taeda::empty(Shape{total}, DType::Int64);
    int64_t* at = out.data<int64_t>();
    for (int64_t i = 0; i < counts.numel(); ++i) at = std::fill_n(at, count[i], i);
    return out;
}

}  // namespace taeda::cpu
