// Joining tensors: cat and stack.
#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/view.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

// An empty one-dimensional tensor may stand beside tensors of any shape, as it always could.
bool stands_anywhere(const Tensor& t) { return t.dim() == 1 && t.numel() == 0; }

struct Joined {
    Shape sizes;
    DType dtype;
    int64_t dim;
};

Joined check_cat(const TensorList& tensors, int64_t dim) {
    TAEDA_CHECK_KIND(Value, !tensors.empty(), "torch.cat(): expected a non-empty list of Tensors");
    const Tensor* first = nullptr;
    DType dtype = tensors[0].dtype();
    for (size_t i = 0; i < tensors.size(); ++i) {
        TAEDA_CHECK(tensors[i].dim() > 0, "zero-dimensional tensor (at position ", i, ") cannot be concatenated");
        dtype = promote(dtype, tensors[i].dtype());
        if (!first && !stands_anywhere(tensors[i])) first = &tensors[i];
    }
    if (!first) return {Shape{0}, dtype, wrap_dim(dim, 1)};
    Joined joined{first->sizes(), dtype, wrap_dim(dim, first->dim())};
    int64_t length = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
        const Tensor& t = tensors[i];
        if (stands_anywhere(t)) continue;
        TAEDA_CHECK(t.dim() == first->dim(), "Tensors must have same number of dimensions: got ", first->dim(), " and ", t.dim());
        for (int64_t d = 0; d < t.dim(); ++d)
            TAEDA_CHECK(d == joined.dim || t.sizes()[d] == first->sizes()[d], "Sizes of tensors must match except in dimension ", joined.dim,
                        ". Expected size ", first->sizes()[d], " but got size ", t.sizes()[d], " for tensor number ", i, " in the list.");
        length += t.sizes()[joined.dim];
    }
    joined.sizes[joined.dim] = length;
    return joined;
}

bool all_dense(const TensorList& tensors, const Tensor& out) {
    if (!out.is_contiguous()) return false;
    for (const Tensor& t : tensors)
        if (!t.is_contiguous() || t.dtype() != out.dtype()) return false;
    return true;
}

using Blocks = std::vector<std::pair<const char*, int64_t>>;  // data, bytes for each outer place

// Blocks of one element each, as in a stack along the last dimension: plain stores, tensor by tensor. False for other blocks.
bool interleave(const Blocks& blocks, char* to, int64_t outer, int64_t width) {
    const auto count = static_cast<int64_t>(blocks.size());
    for (const auto& block : blocks)
        if (block.second != width) return false;
    auto run = [&]<class T>(Tag<T>) {
        parallel_for(0, outer, std::max<int64_t>(1, 32768 / count), [&](int64_t begin, int64_t end) {
            constexpr int64_t kPart = 512;  // the lines that all tensors write to stay in the cache
            for (int64_t start = begin; start < end; start += kPart)
                for (int64_t j = 0; j < count; ++j) {
                    const T* from = reinterpret_cast<const T*>(blocks[j].first);
                    T* out = reinterpret_cast<T*>(to) + j;
                    for (int64_t i = start, stop = std::min(start + kPart, end); i < stop; ++i) out[i * count] = from[i];
                }
        });
        return true;
    };
    switch (width) {
        case 1: return run(Tag<uint8_t>{});
        case 2: return run(Tag<uint16_t>{});
        case 4: return run(Tag<uint32_t>{});
        case 8: return run(Tag<uint64_t>{});
        default: return false;
    }
}

// Everything dense and of one dtype: for each outer place, one block of bytes from every tensor.
void cat_dense(const TensorList& tensors, const Tensor& out, int64_t dim) {
    const int64_t outer = product(IntList(out.sizes().data(), dim));
    const int64_t row_bytes = static_cast<int64_t>(out.n_bytes()) / outer;
    Blocks blocks;
    for (const Tensor& t : tensors)
        if (t.numel() > 0) blocks.emplace_back(static_cast<const char*>(t.data()), static_cast<int64_t>(t.n_bytes()) / outer);
    auto* to = static_cast<char*>(out.data());
    ReleaseHostLock unlocked(out.n_bytes() > 65536);
    if (interleave(blocks, to, outer, static_cast<int64_t>(out.item_size()))) return;
    parallel_for(0, outer, std::max<int64_t>(1, 131072 / row_bytes), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            char* at = to + i * row_bytes;
            for (auto [data, bytes] : blocks) {
                std::memcpy(at, data + i * bytes, static_cast<size_t>(bytes));
                at += bytes;
            }
        }
    });
}

}  // namespace

Tensor cat(const TensorList& tensors, int64_t dim) {
    Joined joined = check_cat(tensors, dim);
    Tensor out = result(joined.sizes, joined.dtype, tensors[0].device());
    if (out.is_meta() || out.numel() == 0) return out;
    // One long block after the other is left to copy_into, which divides it between threads.
    const bool one_row = product(IntList(joined.sizes.data(), joined.dim)) == 1 && out.n_bytes() > 262144;
    if (!one_row && all_dense(tensors, out)) {
        cat_dense(tensors, out, joined.dim);
        return out;
    }
    int64_t start = 0;
    for (const Tensor& t : tensors) {
        if (t.numel() == 0) continue;
        const int64_t length = t.sizes()[joined.dim];
        copy_into(views::narrow(out, joined.dim, start, length), t);
        start += length;
    }
    return out;
}

Tensor concat(const TensorList& tensors, int64_t dim) { return cat(tensors, dim); }
Tensor concatenate(const TensorList& tensors, int64_t dim) { return cat(tensors, dim); }

// The pieces of a concatenation's gradient; a length of -1 stands for an empty tensor that was left out.
TensorList _cat_backward(const Tensor& input, IntList lengths, int64_t dim) {
    TensorList parts;
    int64_t start = 0;
    for (int64_t length : lengths) {
        if (length < 0) {
            parts.push_back(taeda::empty(Shape{0}, input.dtype(), input.device()));
            continue;
        }
        parts.push_back(views::narrow(input, dim, start, length));
        start += length;
    }
    return parts;
}

Tensor stack(const TensorList& tensors, int64_t dim) {
    TAEDA_CHECK(!tensors.empty(), "stack expects a non-empty TensorList");
    const Shape& sizes = tensors[0].sizes();
    dim = wrap_dim(dim, tensors[0].dim() + 1);
    TensorList rows;
    rows.reserve(tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
        TAEDA_CHECK(tensors[i].sizes() == sizes, "stack expects each tensor to be equal size, but got ", shape_text(sizes), " at entry 0 and ",
                    shape_text(tensors[i].sizes()), " at entry ", i);
        rows.push_back(views::unsqueeze(tensors[i], dim));
    }
    return cat(rows, dim);
}

}  // namespace taeda::cpu
