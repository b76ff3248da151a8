// Rows of a table by number, and the gradient of the table.
#include <cstring>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/scratch.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kGrainBytes = 65536;

Tensor checked_indices(const Tensor& indices, int64_t n_rows) {
    TAEDA_CHECK(indices.dtype() == DType::Int64 || indices.dtype() == DType::Int32,
                "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got torch.",
                indices.is_meta() ? "meta." : "", scalar_type_name(indices.dtype()), "Tensor instead (while checking arguments for embedding)");
    if (indices.is_meta()) return indices;
    Tensor numbers = contiguous(to_dtype(indices, DType::Int64));
    const int64_t* at = numbers.data<int64_t>();
    for (int64_t i = 0; i < numbers.numel(); ++i)
        TAEDA_CHECK_KIND(Index, at[i] >= 0 && at[i] < n_rows, "index out of range in self: index ", at[i], " for a table of ", n_rows, " rows");
    return numbers;
}

// Each thread owns a range of the table's rows and adds up what belongs there, so that the sums do not depend on how many there are.
template <class T>
void add_rows(const T* grad, const int64_t* at, int64_t count, T* table, int64_t n_rows, int64_t width, int64_t padding, const int64_t* often) {
    const bool worthwhile = count * width >= 4 * kGrainBytes;
    ReleaseHostLock unlocked(worthwhile);
    parallel_for(0, n_rows, worthwhile ? 1 : n_rows, [&](int64_t first, int64_t last) {
        for (int64_t i = 0; i < count; ++i) {
            if (at[i] < first || at[i] >= last || at[i] == padding) continue;
            T* to = table + at[i] * width;
            const T* from = grad + i * width;
            const T factor = often ? T(1) / static_cast<T>(often[at[i]]) : T(1);
            for (int64_t j = 0; j < width; ++j) to[j] += from[j] * factor;
        }
    });
}

}  // namespace

Tensor _embedding(const Tensor& weight, const Tensor& indices, int64_t, bool) {
    TAEDA_CHECK(weight.dim() == 2, "'weight' must be 2-D");
    const int64_t n_rows = weight.sizes()[0], width = weight.sizes()[1];
    const Tensor numbers = checked_indices(indices, n_rows);
    Shape sizes(indices.sizes());
    sizes.push_back(width);
    Tensor out = result(sizes, weight.dtype(), weight.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor table = contiguous(weight);
    const int64_t row_bytes = width * static_cast<int64_t>(table.item_size());
    const int64_t* at = numbers.data<int64_t>();
    ReleaseHostLock unlocked(static_cast<int64_t>(out.n_bytes()) >= kGrainBytes);
    parallel_for(0, numbers.numel(), std::max<int64_t>(1, kGrainBytes / row_bytes), [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
            std::memcpy(out.data<char>() + i * row_bytes, table.data<char>() + at[i] * row_bytes, static_cast<size_t>(row_bytes));
    });
    return out;
}

Tensor _embedding_backward(const Tensor& grad, const Tensor& indices, int64_t num_weights, int64_t padding_idx, bool scale_grad_by_freq) {
    const int64_t width = grad.sizes()[grad.dim() - 1];
    const Tensor numbers = checked_indices(indices, num_weights);
    Tensor out = result(Shape{num_weights, width}, grad.dtype(), grad.device());
    if (out.is_meta()) return out;
    const int64_t* at = numbers.data<int64_t>();
    Scratch<int64_t> often;
    if (scale_grad_by_freq) {
        often.reset(std::max<int64_t>(num_weights, 1));
        std::memset(often.data(), 0, static_cast<size_t>(num_weights) * sizeof(int64_t));
        for (int64_t i = 0; i < numbers.numel(); ++i) ++often.data()[at[i]];
    }
    // Half types are added up in float.
    const DType type = is_reduced_float(grad.dtype()) ? DType::Float32 : grad.dtype();
    const Tensor g = contiguous(to_dtype(grad, type)), sums = type == grad.dtype() ? out : empty(out.sizes(), type);
    fill_zero(sums);
    visit_dtype(type, [&]<class T>(Tag<T>) {
        if constexpr (!is_half_v<T> && !std::is_same_v<T, bool>)
            add_rows(g.data<T>(), at, numbers.numel(), sums.data<T>(), num_weights, width, padding_idx, often.data());
        else fail(ErrorKind::NotImplemented, "\"embedding_backward\" not implemented for '", scalar_type_name(type), "'");
    });
    if (!sums.is_same(out)) copy_into(out, sums);
    return out;
}

}  // namespace taeda::cpu
