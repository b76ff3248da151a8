// Results larger than the caches are written past them: an ordinary store first reads the line that it is about to overwrite,
// which is a third of the traffic of `a + b`. A kernel writes a block that stays in the first cache, and that is streamed out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#if defined(TAEDA_X86)
#include <emmintrin.h>
#endif

#include "cpu/scratch.h"

namespace taeda::cpu {

inline constexpr int64_t kStreamFrom = int64_t{16} << 20;  // bytes of a result

#if defined(TAEDA_X86)
inline constexpr bool kCanStream = true;

inline void stream_out(char* to, const char* from, int64_t n_bytes) {
    const auto head = std::min<int64_t>(n_bytes, static_cast<int64_t>(-reinterpret_cast<uintptr_t>(to) & 15u));
    std::memcpy(to, from, static_cast<size_t>(head));
    int64_t at = head;
    for (; at + 16 <= n_bytes; at += 16)
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + at), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at)));
    std::memcpy(to + at, from + at, static_cast<size_t>(n_bytes - at));
}
// Streamed data is visible to other threads once this has been called.
inline void finish_streaming() { _mm_sfence(); }
#else
inline constexpr bool kCanStream = false;

inline void stream_out(char* to, const char* from, int64_t n_bytes) { std::memcpy(to, from, static_cast<size_t>(n_bytes)); }
inline void finish_streaming() {}
#endif

// Where a kernel writes the rows of a result: in place, or into a block that is streamed out. One for each thread.
// Rows that begin between the 16 bytes of a store are written in place: lines written either way at once take longer than both.
class RowSink {
public:
    RowSink(int64_t result_bytes, int64_t row_bytes) : row_bytes_(row_bytes) {
        if (kCanStream && result_bytes >= kStreamFrom && row_bytes <= kLongestRow && row_bytes % 16 == 0) block_.reset(row_bytes);
    }
    ~RowSink() {
        if (block_.data()) finish_streaming();
    }
    RowSink(const RowSink&) = delete;
    RowSink& operator=(const RowSink&) = delete;

    char* begin(char* row) const { return block_.data() ? block_.data() : row; }
    void end(char* row) const {
        if (block_.data()) stream_out(row, block_.data(), row_bytes_);
    }

private:
    static constexpr int64_t kLongestRow = 65536;

    int64_t row_bytes_;
    Scratch<char> block_;
};

}  // namespace taeda::cpu
