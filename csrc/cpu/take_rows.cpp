// Batches of rows from several tensors at once, for data loading.
#include "cpu/take_rows.h"

#include <cstring>

#include "base/parallel.h"
#include "cpu/by_width.h"

namespace taeda::cpu {

namespace {

// Bytes that a thread copies at least, and from which on others may run Python meanwhile.
constexpr int64_t kGrainBytes = 256 * 1024;

struct RowNumbers {
    const int64_t* data;
    int64_t stride;
    int64_t operator[](int64_t i) const { return data[i * stride]; }
};

// Rows of a size that is known when compiling are copied without a call.
template <class Row>
void copy_fixed_rows(void* to, const void* from, const RowNumbers& numbers, int64_t first, int64_t last) {
    Row* target = static_cast<Row*>(to);
    const Row* source = static_cast<const Row*>(from);
    for (int64_t i = first; i < last; ++i) target[i] = source[numbers[i]];
}

void copy_rows(void* to, const void* from, int64_t row_bytes, const RowNumbers& numbers, int64_t first, int64_t last) {
    switch (row_bytes) {
        case 1: return copy_fixed_rows<uint8_t>(to, from, numbers, first, last);
        case 2: return copy_fixed_rows<uint16_t>(to, from, numbers, first, last);
        case 4: return copy_fixed_rows<uint32_t>(to, from, numbers, first, last);
        case 8: return copy_fixed_rows<uint64_t>(to, from, numbers, first, last);
        case 16: return copy_fixed_rows<Bytes16>(to, from, numbers, first, last);
    }
    for (int64_t i = first; i < last; ++i)
        std::memcpy(static_cast<char*>(to) + i * row_bytes, static_cast<const char*>(from) + numbers[i] * row_bytes, static_cast<size_t>(row_bytes));
}

RowNumbers numbers_of(const Tensor& index, int64_t start) { return {index.data<int64_t>() + start * index.stride(0), index.stride(0)}; }

void check_numbers(const RowNumbers& numbers, int64_t count, int64_t n_rows) {
    for (int64_t i = 0; i < count; ++i)
        TAEDA_CHECK_KIND(Index, numbers[i] >= 0 && numbers[i] < n_rows, "index ", numbers[i], " is out of bounds for dimension 0 with size ", n_rows);
}

void check_source(const Tensor& source) {
    TAEDA_CHECK(source.dim() > 0 && source.is_contiguous() && source.device().is_cpu(),
                "take_rows: needs contiguous tensors on the CPU with at least one dimension, but got one of shape ",
                shape_text(IntList(source.sizes())));
}

Tensor take(const Tensor& source, const Tensor& index, int64_t start, int64_t count) {
    Shape sizes = source.sizes();
    const int64_t n_rows = sizes[0];
    sizes[0] = count;
    Tensor out = empty(IntList(sizes), source.dtype());
    if (out.numel() == 0) return out;
    const int64_t row_bytes = source.numel() / n_rows * static_cast<int64_t>(source.item_size());
    ReleaseHostLock unlocked(count * row_bytes >= kGrainBytes);
    parallel_for(0, count, std::max<int64_t>(1, kGrainBytes / row_bytes), [&](int64_t first, int64_t last) {
        if (index.defined()) return copy_rows(out.data(), source.data(), row_bytes, numbers_of(index, start), first, last);
        std::memcpy(out.data<char>() + first * row_bytes, source.data<char>() + (start + first) * row_bytes,
                    static_cast<size_t>((last - first) * row_bytes));
    });
    return out;
}

}  // namespace

TensorList take_rows(std::span<const Tensor> sources, const Tensor& index, int64_t start, int64_t stop) {
    const int64_t count = stop - start;
    TAEDA_CHECK_KIND(Index, start >= 0 && count >= 0, "take_rows: rows ", start, " to ", stop, " are no range");
    if (index.defined()) {
        TAEDA_CHECK(index.dim() == 1 && index.dtype() == DType::Int64 && index.device().is_cpu(),
                    "take_rows: the index must be a 1-D int64 tensor on the CPU");
        TAEDA_CHECK_KIND(Index, stop <= index.size(0), "take_rows: entries up to ", stop, " of an index with ", index.size(0));
    }
    for (const Tensor& source : sources) {
        check_source(source);
        if (index.defined()) check_numbers(numbers_of(index, start), count, source.size(0));
        else TAEDA_CHECK_KIND(Index, stop <= source.size(0), "take_rows: rows up to ", stop, " of a tensor with ", source.size(0));
    }
    TensorList result;
    result.reserve(sources.size());
    for (const Tensor& source : sources) result.push_back(take(source, index, start, count));
    return result;
}

}  // namespace taeda::cpu
