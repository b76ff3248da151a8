// Walking the lines of a contiguous tensor along one dimension, on several threads.
#pragma once

#include "base/parallel.h"
#include "cpu/softmax.h"
#include "cpu/stream.h"

namespace taeda::cpu {

inline constexpr int64_t kLineGrain = 8192;  // elements that are worth a thread

struct Lines {  // a contiguous tensor as [outer, size, inner] around one dimension
    int64_t outer = 1, size = 1, inner = 1;
    Lines(IntList sizes, int64_t dim) {
        for (int64_t d = 0; d < static_cast<int64_t>(sizes.size()); ++d) (d < dim ? outer : d == dim ? size : inner) *= sizes[d];
    }
    int64_t numel() const { return outer * size * inner; }
    int64_t blocks() const { return inner == 1 ? 1 : (inner + kSoftmaxColumns - 1) / kSoftmaxColumns; }
    int64_t per_thread() const { return std::max<int64_t>(1, kLineGrain / std::max<int64_t>(1, size * std::min(inner, kSoftmaxColumns))); }
};

// f(offset, cols): each line, or block of `cols` lines that lie side by side. Offsets are in elements.
template <class F>
void over_lines(const Lines& lines, F&& f) {
    ReleaseHostLock unlocked(lines.numel() >= kLineGrain);
    parallel_for(0, lines.outer * lines.blocks(), lines.per_thread(), [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            const int64_t o = t / lines.blocks(), start = t % lines.blocks() * kSoftmaxColumns;
            f(o * lines.size * lines.inner + start, std::min(kSoftmaxColumns, lines.inner - start));
        }
    });
}

// f(offset, row) with inner == 1: each line with the memory that its results, elements of `out`, are to be written to.
template <class F>
void over_rows(const Lines& lines, const Tensor& out, F&& f) {
    const int64_t row_bytes = lines.size * static_cast<int64_t>(out.item_size());
    ReleaseHostLock unlocked(lines.numel() >= kLineGrain);
    parallel_for(0, lines.outer, lines.per_thread(), [&](int64_t first, int64_t last) {
        const RowSink sink(lines.outer * row_bytes, row_bytes);
        for (int64_t t = first; t < last; ++t) {
            char* row = out.data<char>() + t * row_bytes;
            f(t * lines.size, sink.begin(row));
            sink.end(row);
        }
    });
}

}  // namespace taeda::cpu
