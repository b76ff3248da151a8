#include "tensor/views.h"

namespace taeda::views {

Tensor select(const Tensor& t, int64_t dim, int64_t index) {
    TAEDA_CHECK_KIND(Index, t.dim() > 0, "select() cannot be applied to a 0-dim tensor.");
    dim = wrap_dim(dim, t.dim());
    int64_t size = t.sizes()[dim];
    TAEDA_CHECK_KIND(Index, index >= -size && index < size, "select(): index ", index, " out of range for tensor of size ", shape_text(t.sizes()),
                     " at dimension ", dim);
    if (index < 0) index += size;
    Shape sizes(t.sizes()), strides(t.strides());
    int64_t offset = t.offset() + index * strides[dim];
    sizes.erase(dim);
    strides.erase(dim);
    return alias(t, sizes, strides, offset);
}

Tensor slice(const Tensor& t, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step) {
    TAEDA_CHECK(t.dim() > 0, "slice() cannot be applied to a 0-dim tensor.");
    TAEDA_CHECK_KIND(Value, step != 0, "slice step cannot be zero");
    dim = wrap_dim(dim, t.dim());
    int64_t size = t.sizes()[dim];
    auto clamp = [&](int64_t i, int64_t low, int64_t high) { return std::clamp(i < 0 ? i + size : i, low, high); };
    int64_t first, length;
    if (step > 0) {
        first = clamp(start.value_or(0), 0, size);
        int64_t last = clamp(stop.value_or(size), 0, size);
        length = last > first ? (last - first + step - 1) / step : 0;
    } else {  // Python's rule: from the end towards the start, `stop` excluded
        first = start ? clamp(*start, -1, size - 1) : size - 1;
        int64_t last = stop ? clamp(*stop, -1, size - 1) : -1;
        length = first > last ? (first - last - step - 1) / -step : 0;
        first = std::max<int64_t>(first, 0);
    }
    Shape sizes(t.sizes()), strides(t.strides());
    int64_t offset = t.offset() + (length ? first * strides[dim] : 0);
    if (step > 0) offset = t.offset() + first * strides[dim];
    sizes[dim] = length;
    strides[dim] *= step;
    return alias(t, sizes, strides, offset);
}

Tensor narrow(const Tensor& t, int64_t dim, int64_t start, int64_t length) {
    TAEDA_CHECK(t.dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
    TAEDA_CHECK(length >= 0, "narrow(): length must be non-negative.");
    dim = wrap_dim(dim, t.dim());
    int64_t size = t.sizes()[dim];
    TAEDA_CHECK_KIND(Index, start >= -size && start <= size, "start out of range (expected to be in range of [", -size, ", ", size, "], but got ",
                     start, ")");
    if (start < 0) start += size;
    TAEDA_CHECK(start <= size - length, "start (", start, ") + length (", length, ") exceeds dimension size (", size, ").");
    return slice(t, dim, start, start + length, 1);
}

Tensor permute(const Tensor& t, IntList dims) {
    TAEDA_CHECK(static_cast<int64_t>(dims.size()) == t.dim(), "permute(sparse_coo): number of dimensions in the tensor input does not match ",
                "the length of the desired ordering of dimensions i.e. input.dim() = ", t.dim(), " is not equal to len(dims) = ", dims.size());
    Shape sizes(dims.size()), strides(dims.size());
    Shape seen(dims.size(), 0);
    for (size_t i = 0; i < dims.size(); ++i) {
        int64_t d = wrap_dim(dims[i], t.dim());
        TAEDA_CHECK(!seen[d], "permute(): duplicate dims are not allowed.");
        seen[d] = 1;
        sizes[i] = t.sizes()[d];
        strides[i] = t.strides()[d];
    }
    return alias(t, sizes, strides, t.offset());
}

Tensor transpose(const Tensor& t, int64_t a, int64_t b) {
    a = wrap_dim(a, t.dim());
    b = wrap_dim(b, t.dim());
    Shape sizes(t.sizes()), strides(t.strides());
    if (t.dim() > 0) {
        std::swap(sizes[a], sizes[b]);
        std::swap(strides[a], strides[b]);
    }
    return alias(t, sizes, strides, t.offset());
}

Tensor expand(const Tensor& t, IntList sizes) {
    TAEDA_CHECK(static_cast<int64_t>(sizes.size()) >= t.dim(), "expand(", dtype_name(t.dtype()), "{", shape_text(t.sizes()),
                "}, size=", shape_text(sizes), "): the number of sizes provided (", sizes.size(),
                ") must be greater or equal to the number of dimensions in the tensor (", t.dim(), ")");
    Shape wanted(sizes), strides(sizes.size(), 0);
    size_t shift = sizes.size() - t.sizes().size();
    for (size_t d = 0; d < sizes.size(); ++d) {
        bool is_new = d < shift;
        int64_t old = is_new ? 1 : t.sizes()[d - shift];
        if (wanted[d] == -1) {
            TAEDA_CHECK(!is_new, "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension ", d);
            wanted[d] = old;
        }
        TAEDA_CHECK(wanted[d] == old || old == 1, "The expanded size of the tensor (", wanted[d], ") must match the existing size (", old,
                    ") at non-singleton dimension ", d, ".  Target sizes: ", shape_text(sizes), ".  Tensor sizes: ", shape_text(t.sizes()));
        if (!is_new && (wanted[d] == old)) strides[d] = t.strides()[d - shift];
    }
    return alias(t, wanted, strides, t.offset());
}

Tensor unsqueeze(const Tensor& t, int64_t dim) {
    dim = wrap_dim(dim, t.dim() + 1);
    Shape sizes(t.sizes()), strides(t.strides());
    int64_t stride = dim < t.dim() ? sizes[dim] * strides[dim] : 1;
    sizes.insert(dim, 1);
    strides.insert(dim, stride);
    return alias(t, sizes, strides, t.offset());
}

Tensor squeeze(const Tensor& t) {
    Shape sizes, strides;
    for (size_t d = 0; d < t.sizes().size(); ++d) {
        if (t.sizes()[d] == 1) continue;
        sizes.push_back(t.sizes()[d]);
        strides.push_back(t.strides()[d]);
    }
    return alias(t, sizes, strides, t.offset());
}

Tensor squeeze(const Tensor& t, IntList dims) {
    Shape wrapped = wrap_dims(dims, t.dim()), sizes, strides;
    for (size_t d = 0; d < t.sizes().size(); ++d) {
        bool named = std::find(wrapped.begin(), wrapped.end(), static_cast<int64_t>(d)) != wrapped.end();
        if (named && t.sizes()[d] == 1) continue;
        sizes.push_back(t.sizes()[d]);
        strides.push_back(t.strides()[d]);
    }
    return alias(t, sizes, strides, t.offset());
}

Tensor unfold(const Tensor& t, int64_t dim, int64_t size, int64_t step) {
    dim = wrap_dim(dim, t.dim());
    int64_t length = t.dim() ? t.sizes()[dim] : 1, stride = t.dim() ? t.strides()[dim] : 1;
    TAEDA_CHECK(size >= 0, "size is ", size, " but must be >= 0");
    TAEDA_CHECK(size <= length, "maximum size for tensor at dimension ", dim, " is ", length, " but size is ", size);
    TAEDA_CHECK(step > 0, "step is ", step, " but must be > 0");
    Shape sizes(t.sizes()), strides(t.strides());
    if (t.dim()) {
        sizes[dim] = (length - size) / step + 1;
        strides[dim] = stride * step;
    }
    sizes.push_back(size);
    strides.push_back(stride);
    return alias(t, sizes, strides, t.offset());
}

Tensor diagonal(const Tensor& t, int64_t offset, int64_t dim1, int64_t dim2) {
    int64_t first = wrap_dim(dim1, t.dim()), second = wrap_dim(dim2, t.dim());
    TAEDA_CHECK(first != second, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    Shape sizes(t.sizes()), strides(t.strides());
    int64_t rows = sizes[first], columns = sizes[second];
    int64_t length = std::max<int64_t>(offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns), 0);
    int64_t start = t.offset();
    if (length > 0) start += offset >= 0 ? offset * strides[second] : -offset * strides[first];
    int64_t stride = strides[first] + strides[second];
    sizes.erase(std::max(first, second));
    strides.erase(std::max(first, second));
    sizes.erase(std::min(first, second));
    strides.erase(std::min(first, second));
    sizes.push_back(length);
    strides.push_back(stride);
    return alias(t, sizes, strides, start);
}

Tensor as_strided(const Tensor& t, IntList sizes, IntList strides, std::optional<int64_t> offset) {
    TAEDA_CHECK(sizes.size() == strides.size(), "mismatch in length of strides and shape");
    int64_t start = offset.value_or(t.offset());
    TAEDA_CHECK(start >= 0, "Tensor: invalid storage offset ", start);
    int64_t low = start, high = start;
    if (product(sizes) == 0) return alias(t, sizes, strides, start);
    for (size_t d = 0; d < sizes.size(); ++d) {
        int64_t reach;
        TAEDA_CHECK(!__builtin_mul_overflow(sizes[d] - 1, strides[d], &reach) &&
                        !__builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high),
                    "as_strided: sizes ", shape_text(sizes), " and strides ", shape_text(strides), " overflow");
    }
    int64_t room = static_cast<int64_t>(t.storage()->n_bytes() / t.item_size());
    TAEDA_CHECK(low >= 0 && high < room, "setStorage: sizes ", shape_text(sizes), ", strides ", shape_text(strides), ", storage offset ", start,
                ", and itemsize ", t.item_size(), " requiring a storage size of ", (high + 1) * static_cast<int64_t>(t.item_size()),
                " are out of bounds for storage of size ", t.storage()->n_bytes());
    return alias(t, sizes, strides, start);
}

Tensor flip_view(const Tensor& t, int64_t dim) { return slice(t, dim, std::nullopt, std::nullopt, -1); }

Shape infer_view_sizes(IntList sizes, int64_t numel) {
    Shape shape(sizes);
    int64_t known = 1, unknown = -1;
    for (size_t d = 0; d < sizes.size(); ++d) {
        if (sizes[d] == -1) {
            TAEDA_CHECK(unknown < 0, "only one dimension can be inferred");
            unknown = static_cast<int64_t>(d);
        } else {
            TAEDA_CHECK(sizes[d] >= 0, "invalid shape dimension ", sizes[d]);
            TAEDA_CHECK(!__builtin_mul_overflow(known, sizes[d], &known), "shape '", shape_text(sizes), "' is invalid for input of size ", numel);
        }
    }
    if (unknown >= 0) {
        TAEDA_CHECK(known != 0 || numel != 0, "cannot reshape tensor of 0 elements into shape ", shape_text(sizes),
                    " because the unspecified dimension size -1 can be any value and is ambiguous");
        TAEDA_CHECK(known != 0 && numel % known == 0, "shape '", shape_text(sizes), "' is invalid for input of size ", numel);
        shape[unknown] = numel / known;
    } else {
        TAEDA_CHECK(known == numel, "shape '", shape_text(sizes), "' is invalid for input of size ", numel);
    }
    return shape;
}

std::optional<Shape> view_strides(IntList old_sizes, IntList old_strides, IntList new_sizes) {
    Shape strides(new_sizes.size());
    if (product(old_sizes) == 0) return contiguous_strides(new_sizes);
    // Walk both shapes from the end: each run of old dimensions that step together must be cut exactly by new ones.
    int64_t view = static_cast<int64_t>(new_sizes.size()) - 1;
    int64_t chunk_stride = old_sizes.empty() ? 1 : old_strides.back(), chunk = 1, covered = 1;
    for (int64_t d = static_cast<int64_t>(old_sizes.size()) - 1; d >= 0; --d) {
        chunk *= old_sizes[d];
        bool run_ends = d == 0 || (old_sizes[d - 1] != 1 && old_strides[d - 1] != chunk * chunk_stride);
        if (!run_ends) continue;
        while (view >= 0 && (covered < chunk || new_sizes[view] == 1)) {
            strides[view] = covered * chunk_stride;
            covered *= new_sizes[view--];
        }
        if (covered != chunk) return std::nullopt;
        if (d > 0) {
            chunk_stride = old_strides[d - 1];
            chunk = covered = 1;
        }
    }
    if (old_sizes.empty())
        for (; view >= 0; --view) strides[view] = 1;
    if (view >= 0) return std::nullopt;
    return strides;
}

std::optional<Tensor> try_view(const Tensor& t, IntList sizes) {
    Shape wanted = infer_view_sizes(sizes, t.numel());
    if (t.is_contiguous()) return alias(t, wanted, contiguous_strides(wanted), t.offset());
    auto strides = view_strides(t.sizes(), t.strides(), wanted);
    if (!strides) return std::nullopt;
    return alias(t, wanted, *strides, t.offset());
}

Tensor view(const Tensor& t, IntList sizes) {
    auto viewed = try_view(t, sizes);
    TAEDA_CHECK(viewed, "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous ",
                "subspaces). Use .reshape(...) instead.\n  sizes ", shape_text(t.sizes()), ", strides ", shape_text(t.strides()), ", wanted ",
                shape_text(sizes));
    return *viewed;
}

Tensor view_dtype(const Tensor& t, DType dtype) {
    int64_t old_item = static_cast<int64_t>(t.item_size()), new_item = static_cast<int64_t>(item_size(dtype));
    Shape sizes(t.sizes()), strides(t.strides());
    int64_t offset = t.offset();
    if (new_item != old_item) {
        TAEDA_CHECK(t.dim() > 0, "self.dim() cannot be 0 to view ", scalar_type_name(t.dtype()), " as ", scalar_type_name(dtype),
                    " (different element sizes)");
        int64_t last = t.dim() - 1;
        TAEDA_CHECK(strides[last] == 1, "self.stride(-1) must be 1 to view ", scalar_type_name(t.dtype()), " as ", scalar_type_name(dtype),
                    " (different element sizes), but got ", strides[last]);
        if (new_item < old_item) {
            int64_t ratio = old_item / new_item;
            sizes[last] *= ratio;
            offset *= ratio;
            for (int64_t d = 0; d < last; ++d) strides[d] *= ratio;
        } else {
            int64_t ratio = new_item / old_item;
            TAEDA_CHECK(sizes[last] % ratio == 0, "self.size(-1) must be divisible by ", ratio, " to view ", scalar_type_name(t.dtype()), " as ",
                        scalar_type_name(dtype), " (different element sizes), but got ", sizes[last]);
            TAEDA_CHECK(offset % ratio == 0, "self.storage_offset() must be divisible by ", ratio, " to view ", scalar_type_name(t.dtype()), " as ",
                        scalar_type_name(dtype), " (different element sizes), but got ", offset);
            sizes[last] /= ratio;
            offset /= ratio;
            for (int64_t d = 0; d < last; ++d) {
                TAEDA_CHECK(strides[d] % ratio == 0, "self.stride(", d, ") must be divisible by ", ratio, " to view ", scalar_type_name(t.dtype()),
                            " as ", scalar_type_name(dtype), " (different element sizes), but got ", strides[d]);
                strides[d] /= ratio;
            }
        }
    }
    return from_storage(t.storage(), sizes, strides, offset, dtype);
}

Tensor view_as_real(const Tensor& t) {
    TAEDA_CHECK(is_complex(t.dtype()), "view_as_real is only supported for complex tensors");
    Shape sizes(t.sizes()), strides;
    for (int64_t stride : t.strides()) strides.push_back(2 * stride);
    sizes.push_back(2);
    strides.push_back(1);
    return from_storage(t.storage(), sizes, strides, 2 * t.offset(), real_of(t.dtype()));
}

Tensor view_as_complex(const Tensor& t) {
    TAEDA_CHECK(
        t.dtype() == DType::Float32 || t.dtype() == DType::Float64,
        "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: ", scalar_type_name(t.dtype()));
    TAEDA_CHECK(t.dim() > 0, "Input tensor must have one or more dimensions");
    TAEDA_CHECK(t.sizes().back() == 2, "Tensor must have a last dimension of size 2");
    TAEDA_CHECK(t.strides().back() == 1, "Tensor must have a last dimension with stride 1");
    Shape sizes(t.sizes()), strides;
    sizes.erase(sizes.size() - 1);
    for (size_t d = 0; d < sizes.size(); ++d) {
        TAEDA_CHECK(t.strides()[d] % 2 == 0, "Tensor must have a stride divisible by 2 for all but last dimension");
        strides.push_back(t.strides()[d] / 2);
    }
    TAEDA_CHECK(t.offset() % 2 == 0, "Tensor must have a storage_offset divisible by 2");
    return from_storage(t.storage(), sizes, strides, t.offset() / 2, complex_of(t.dtype()));
}

Tensor real(const Tensor& t) { return is_complex(t.dtype()) ? select(view_as_real(t), -1, 0) : t; }

Tensor imag(const Tensor& t) {
    TAEDA_CHECK(is_complex(t.dtype()), "imag is not implemented for tensors with non-complex dtypes.");
    return select(view_as_real(t), -1, 1);
}

}  // namespace taeda::views
