// Views as operations: each is a thin call of taeda::views, with the argument checks that only the public form needs.
#include "cpu/view.h"

#include "cpu/copy.h"
#include "tensor/views.h"

namespace taeda::cpu {

// ---- reshaping

Tensor view(const Tensor& input, IntList size) { return views::view(input, size); }
Tensor view_dtype(const Tensor& input, DType dtype) { return views::view_dtype(input, dtype); }
Tensor view_as(const Tensor& input, const Tensor& other) { return views::view(input, other.sizes()); }

Tensor reshape(const Tensor& input, IntList shape) {
    Shape sizes = views::infer_view_sizes(shape, input.numel());
    if (std::optional<Tensor> same = views::try_view(input, sizes)) return *same;
    Tensor copy = empty(sizes, input.dtype(), input.device());
    if (copy.is_meta()) return copy;
    copy_into(views::view(copy, input.sizes()), input);
    return copy;
}

Tensor reshape_as(const Tensor& input, const Tensor& other) { return reshape(input, other.sizes()); }

Tensor flatten(const Tensor& input, int64_t start_dim, int64_t end_dim) {
    const int64_t ndim = input.dim();
    int64_t first = wrap_dim(start_dim, ndim), last = wrap_dim(end_dim, ndim);
    TAEDA_CHECK(first <= last, "flatten() has invalid args: start_dim cannot come after end_dim");
    if (ndim == 0) return reshape(input, Shape{1});
    if (first == last) return alias(input);
    Shape sizes(input.sizes().begin(), input.sizes().begin() + first);
    sizes.push_back(product(IntList(input.sizes().data() + first, last - first + 1)));
    for (int64_t d = last + 1; d < ndim; ++d) sizes.push_back(input.sizes()[d]);
    return reshape(input, sizes);
}

Tensor ravel(const Tensor& input) { return reshape(input, Shape{-1}); }

Tensor unflatten(const Tensor& input, int64_t dim, IntList sizes) {
    dim = wrap_dim(dim, input.dim());
    TAEDA_CHECK(!sizes.empty(), "unflatten: sizes must be non-empty");
    const int64_t whole = input.size(dim);
    int64_t known = 1, open = -1;
    for (size_t i = 0; i < sizes.size(); ++i) {
        if (sizes[i] == -1 && open < 0) open = static_cast<int64_t>(i);
        else known *= sizes[i];
    }
    Shape part(sizes);
    const bool fits = open >= 0 ? known > 0 && whole % known == 0 : known == whole;
    TAEDA_CHECK(fits, "unflatten: Provided sizes ", shape_text(sizes), " don't multiply up to the size of dim ", dim, " (", whole,
                ") in the input tensor");
    if (open >= 0) part[open] = whole / known;
    Shape target(input.sizes().begin(), input.sizes().begin() + dim);
    for (int64_t size : part) target.push_back(size);
    for (int64_t d = dim + 1; d < input.dim(); ++d) target.push_back(input.sizes()[d]);
    return views::view(input, target);
}

// ---- order of dimensions

Tensor permute(const Tensor& input, IntList dims) { return views::permute(input, dims); }

Tensor _inverse_permute(const Tensor& input, IntList dims) {
    Shape wrapped = wrap_dims(dims, input.dim()), inverse(dims.size(), 0);
    for (size_t i = 0; i < wrapped.size(); ++i) inverse[wrapped[i]] = static_cast<int64_t>(i);
    return views::permute(input, inverse);
}

Tensor transpose(const Tensor& input, int64_t dim0, int64_t dim1) { return views::transpose(input, dim0, dim1); }
Tensor swapaxes(const Tensor& input, int64_t axis0, int64_t axis1) { return views::transpose(input, axis0, axis1); }
Tensor swapdims(const Tensor& input, int64_t dim0, int64_t dim1) { return views::transpose(input, dim0, dim1); }

Tensor t(const Tensor& input) {
    TAEDA_CHECK(input.dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", input.dim(), "D");
    return input.dim() < 2 ? alias(input) : views::transpose(input, 0, 1);
}

namespace {

Shape checked_moves(const char* name, IntList dims, int64_t ndim) {
    Shape wrapped;
    for (int64_t dim : dims) wrapped.push_back(wrap_dim(dim, ndim));
    for (size_t i = 0; i < wrapped.size(); ++i)
        for (size_t j = 0; j < i; ++j) TAEDA_CHECK(wrapped[i] != wrapped[j], "movedim: repeated dim in `", name, "` (", shape_text(dims), ")");
    return wrapped;
}

}  // namespace

Tensor movedim(const Tensor& input, IntList source, IntList destination) {
    TAEDA_CHECK(source.size() == destination.size(), "movedim: Invalid source or destination dims: source (", shape_text(source),
                " dims) should contain the same number of dims as destination (", shape_text(destination), " dims)");
    const int64_t ndim = input.dim();
    Shape from = checked_moves("source", source, ndim), to = checked_moves("destination", destination, ndim);
    if (ndim == 0) return alias(input);
    Shape order(ndim, -1);
    std::vector<bool> moved(ndim, false);
    for (size_t i = 0; i < from.size(); ++i) {
        order[to[i]] = from[i];
        moved[from[i]] = true;
    }
    int64_t next = 0;
    for (int64_t& place : order) {
        if (place >= 0) continue;
        while (moved[next]) ++next;
        place = next++;
    }
    return views::permute(input, order);
}

Tensor moveaxis(const Tensor& input, IntList source, IntList destination) { return movedim(input, source, destination); }

// ---- dimensions of size one, broadcasting

Tensor expand(const Tensor& input, IntList size, bool) { return views::expand(input, size); }
Tensor expand_as(const Tensor& input, const Tensor& other) { return views::expand(input, other.sizes()); }
Tensor broadcast_to(const Tensor& input, IntList size) { return views::expand(input, size); }
Tensor unsqueeze(const Tensor& input, int64_t dim) { return views::unsqueeze(input, dim); }
Tensor squeeze(const Tensor& input) { return views::squeeze(input); }
Tensor squeeze_dim(const Tensor& input, int64_t dim) { return views::squeeze(input, Shape{dim}); }
Tensor squeeze_dims(const Tensor& input, IntList dim) { return views::squeeze(input, dim); }

// ---- parts

Tensor select(const Tensor& input, int64_t dim, int64_t index) { return views::select(input, dim, index); }

Tensor _slice(const Tensor& input, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step) {
    return views::slice(input, dim, start, stop, step);
}

Tensor narrow(const Tensor& input, int64_t dim, int64_t start, int64_t length) { return views::narrow(input, dim, start, length); }

Tensor diagonal(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) { return views::diagonal(input, offset, dim1, dim2); }

Tensor _as_strided(const Tensor& input, IntList size, IntList stride, int64_t storage_offset, IntList, int64_t) {
    return views::as_strided(input, size, stride, storage_offset);
}

Tensor unfold(const Tensor& input, int64_t dimension, int64_t size, int64_t step) { return views::unfold(input, dimension, size, step); }

namespace {

// Each part is a tensor of some hundred bytes, also where there is nothing in it.
void check_parts(const char* name, int64_t count) {
    constexpr int64_t kMost = int64_t{1} << 24;
    TAEDA_CHECK(count <= kMost, name, "(): ", count, " parts are more than fit in memory (at most ", kMost, ")");
}

}  // namespace

TensorList split(const Tensor& input, int64_t split_size, int64_t dim) {
    TAEDA_CHECK(input.dim() > 0, "split expects at least a 1-dimensional tensor");
    dim = wrap_dim(dim, input.dim());
    const int64_t whole = input.size(dim);
    TAEDA_CHECK(split_size >= 0, "split expects split_size be non-negative, but got split_size=", split_size);
    TAEDA_CHECK(split_size > 0 || whole == 0, "split_size can only be 0 if dimension size is 0, but got dimension size of ", whole);
    if (whole > 0) check_parts("split", whole / split_size);
    TensorList parts;
    if (whole == 0) parts.push_back(alias(input));
    for (int64_t start = 0; start < whole; start += split_size)
        parts.push_back(views::narrow(input, dim, start, std::min(split_size, whole - start)));
    return parts;
}

TensorList split_sizes(const Tensor& input, IntList split_sizes, int64_t dim) {
    TAEDA_CHECK(input.dim() > 0, "split expects at least a 1-dimensional tensor");
    dim = wrap_dim(dim, input.dim());
    const int64_t whole = input.size(dim);
    int64_t sum = 0;
    for (int64_t size : split_sizes) {
        TAEDA_CHECK(size >= 0, "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=", shape_text(split_sizes));
        sum += size;
    }
    TAEDA_CHECK(sum == whole, "split_with_sizes expects split_sizes to sum exactly to ", whole, " (input tensor's size at dimension ", dim,
                "), but got split_sizes=", shape_text(split_sizes));
    TensorList parts;
    int64_t start = 0;
    for (int64_t size : split_sizes) {
        parts.push_back(views::narrow(input, dim, start, size));
        start += size;
    }
    return parts;
}

TensorList split_with_sizes(const Tensor& input, IntList sizes, int64_t dim) { return split_sizes(input, sizes, dim); }

TensorList chunk(const Tensor& input, int64_t chunks, int64_t dim) {
    TAEDA_CHECK(input.dim() > 0, "chunk expects at least a 1-dimensional tensor");
    TAEDA_CHECK(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
    dim = wrap_dim(dim, input.dim());
    const int64_t whole = input.size(dim);
    if (whole == 0) check_parts("chunk", chunks);
    if (whole == 0) return split_sizes(input, Shape(chunks, 0), dim);
    return split(input, whole / chunks + (whole % chunks != 0), dim);
}

TensorList _tensor_split(const Tensor& input, int64_t sections, int64_t dim) {
    TAEDA_CHECK(input.dim() > 0, "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
    dim = wrap_dim(dim, input.dim());
    TAEDA_CHECK(sections > 0, "number of sections must be larger than 0, got ", sections);
    check_parts("tensor_split", sections);
    const int64_t whole = input.size(dim), least = whole / sections, longer = whole % sections;
    Shape sizes;
    for (int64_t i = 0; i < sections; ++i) sizes.push_back(least + (i < longer));
    return split_sizes(input, sizes, dim);
}

TensorList _tensor_split_indices(const Tensor& input, IntList indices, int64_t dim) {
    TAEDA_CHECK(input.dim() > 0, "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
    dim = wrap_dim(dim, input.dim());
    TensorList parts;
    std::optional<int64_t> start = 0;
    for (int64_t stop : indices) {
        parts.push_back(views::slice(input, dim, start, stop));
        start = stop;
    }
    parts.push_back(views::slice(input, dim, start, std::nullopt));
    return parts;
}

TensorList unbind(const Tensor& input, int64_t dim) {
    TAEDA_CHECK_KIND(Index, input.dim() > 0, "Dimension specified as ", dim, " but tensor has no dimensions");
    dim = wrap_dim(dim, input.dim());
    TensorList parts;
    const int64_t count = input.size(dim);
    check_parts("unbind", count);
    parts.reserve(count);
    for (int64_t i = 0; i < count; ++i) parts.push_back(views::select(input, dim, i));
    return parts;
}

// ---- the parts of complex numbers

Tensor view_as_real(const Tensor& input) { return views::view_as_real(input); }
Tensor view_as_complex(const Tensor& input) { return views::view_as_complex(input); }
Tensor real_(const Tensor& input) { return views::real(input); }
Tensor imag(const Tensor& input) {
    TAEDA_CHECK(is_complex(input.dtype()), "imag is not implemented for tensors with non-complex dtypes.");
    return views::imag(input);
}

// ---- the same data

Tensor detach(const Tensor& input) { return alias(input); }

// ---- geometry changed in place

namespace {

const Tensor& take_geometry(const Tensor& self, const Tensor& view) {
    set_geometry(*self.impl(), view.sizes(), view.strides(), view.offset());
    return self;
}

}  // namespace

Tensor squeeze_(const Tensor& self) { return take_geometry(self, views::squeeze(self)); }
Tensor squeeze_dim_(const Tensor& self, int64_t dim) { return take_geometry(self, views::squeeze(self, Shape{dim})); }
Tensor squeeze_dims_(const Tensor& self, IntList dim) { return take_geometry(self, views::squeeze(self, dim)); }
Tensor unsqueeze_(const Tensor& self, int64_t dim) { return take_geometry(self, views::unsqueeze(self, dim)); }
Tensor transpose_(const Tensor& self, int64_t dim0, int64_t dim1) { return take_geometry(self, views::transpose(self, dim0, dim1)); }
Tensor swapaxes_(const Tensor& self, int64_t axis0, int64_t axis1) { return transpose_(self, axis0, axis1); }
Tensor swapdims_(const Tensor& self, int64_t dim0, int64_t dim1) { return transpose_(self, dim0, dim1); }
Tensor t_(const Tensor& self) { return take_geometry(self, t(self)); }
Tensor _as_strided_(const Tensor& self, IntList size, IntList stride, int64_t storage_offset, IntList, int64_t) {
    return take_geometry(self, views::as_strided(self, size, stride, storage_offset));
}

Tensor resize_(const Tensor& input, IntList size, std::optional<MemoryFormat> memory_format) {
    TAEDA_CHECK(!memory_format || *memory_format == MemoryFormat::Contiguous || *memory_format == MemoryFormat::Preserve ||
                    size.size() == (*memory_format == MemoryFormat::ChannelsLast ? 4u : 5u),
                "required rank ", memory_format == MemoryFormat::ChannelsLast ? 4 : 5, " tensor to use channels_last format");
    resize_tensor(input, size);
    if (memory_format == MemoryFormat::ChannelsLast || memory_format == MemoryFormat::ChannelsLast3d)
        set_geometry(*input.impl(), size, channels_last_strides(size), input.offset());
    return input;
}

Tensor resize_as_(const Tensor& input, const Tensor& the_template, std::optional<MemoryFormat> memory_format) {
    return resize_(input, the_template.sizes(), memory_format);
}

Tensor _set_tensor_(const Tensor& input, const Tensor& source) {
    TAEDA_CHECK(input.dtype() == source.dtype(), "Could not set tensor of type ", dtype_name(source.dtype()), " to a tensor of type ",
                dtype_name(input.dtype()));
    input.impl()->storage = source.storage();
    set_geometry(*input.impl(), source.sizes(), source.strides(), source.offset());
    return input;
}

}  // namespace taeda::cpu
