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
    std::vector<std::array<uint32_t, 256>> counts(static_cast<size_t>(key_bytes));
    for (auto& count : counts) count.fill(0);
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

void sort_entries(std::vector<uint64_t>& entries, std::vector<uint64_t>& scratch) { sort_either(entries, scratch, 4, 256); }
void sort_entries(std::vector<KeyedIndex64>& entries, std::vector<KeyedIndex64>& scratch) { sort_either(entries, scratch, 8, 1024); }

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

int64_t Lines::offset_of(int64_t line) const {
    int64_t offset = 0;
    for (size_t d = sizes.size(); d-- > 0;) {
        offset += line % sizes[d] * strides[d];
        line /= sizes[d];
    }
    return offset;
}

}  // namespace taeda::cpu
