// Sorting keyed entries: by comparisons where there are few, by radix where there are many.
#include "cpu/order.h"

#include <algorithm>
#include <array>

namespace taeda::cpu {

namespace {

uint64_t key_word(uint64_t entry) { return entry >> 32; }
uint64_t key_word(const KeyedIndex64& entry) { return entry.key; }

// Least significant byte first; entries begin in the order of their places, and each pass keeps the order of equals.
// A byte that all keys share needs no pass.
template <class E>
void radix_sort(std::vector<E>& entries, std::vector<E>& scratch, int key_bytes) {
    const size_t n = entries.size();
    scratch.resize(n);
    std::array<std::array<uint32_t, 256>, 8> counts;
    for (int b = 0; b < key_bytes; ++b) counts[static_cast<size_t>(b)].fill(0);
    for (const E& entry : entries) {
        uint64_t key = key_word(entry);
        for (int b = 0; b < key_bytes; ++b) ++counts[static_cast<size_t>(b)][key >> (8 * b) & 255];
    }
    E *from = entries.data(), *to = scratch.data();
    for (int b = 0; b < key_bytes; ++b) {
        auto& count = counts[static_cast<size_t>(b)];
        if (count[key_word(from[0]) >> (8 * b) & 255] == n) continue;
        uint32_t sum = 0;
        for (uint32_t& c : count) sum += std::exchange(c, sum);
        for (size_t i = 0; i < n; ++i) to[count[key_word(from[i]) >> (8 * b) & 255]++] = from[i];
        std::swap(from, to);
    }
    if (from != entries.data()) entries.swap(scratch);
}

template <class E>
void sort_either(std::vector<E>& entries, std::vector<E>& scratch, int key_bytes, size_t radix_from) {
    const size_t n = entries.size();
    if (n >= radix_from && n < (size_t{1} << 32)) radix_sort(entries, scratch, key_bytes);
    else std::sort(entries.begin(), entries.end());
}

}  // namespace

void sort_entries(std::vector<uint64_t>& entries, std::vector<uint64_t>& scratch) { sort_either(entries, scratch, 4, 80); }
void sort_entries(std::vector<KeyedIndex64>& entries, std::vector<KeyedIndex64>& scratch) { sort_either(entries, scratch, 8, 256); }

Lines::Lines(const Tensor& t, int64_t dim) {
    count = 1;
    length = t.dim() ? t.sizes()[dim] : 1;
    stride = t.dim() ? t.strides()[dim] : 1;
    for (int64_t d = 0; d < t.dim(); ++d) {
        if (d == dim) continue;
        sizes.push_back(t.sizes()[d]);
        strides.push_back(t.strides()[d]);
        count *= t.sizes()[d];
    }
}

LineWalk::LineWalk(const Lines& lines, int64_t first) : lines_(lines), index_(lines.sizes.size(), 0) {
    for (size_t d = lines.sizes.size(); d-- > 0;) {
        index_[d] = first % lines.sizes[d];
        offset_ += index_[d] * lines.strides[d];
        first /= lines.sizes[d];
    }
}

}  // namespace taeda::cpu
