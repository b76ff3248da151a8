// Sort keys: every real element as an unsigned integer whose order is the element's, with NaN above everything.
//
// Two zeros are equal, all NaNs are equal. A reversed key gives descending order, so that equal elements keep their order
// either way.
#pragma once

#include <algorithm>
#include <vector>

#include "tensor/tensor.h"

namespace taeda::cpu {

template <class T>
struct KeyOf {
    using t = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
};
template <class T>
using sort_key_t = typename KeyOf<T>::t;

template <class T>
inline sort_key_t<T> sort_key(T value) {
    using Key = sort_key_t<T>;
    if constexpr (is_half_v<T>) {
        return sort_key(to_float(value));
    } else if constexpr (std::is_floating_point_v<T>) {
        if (value != value) return ~Key{0};
        Key bits = std::bit_cast<Key>(value + T(0));  // -0 + 0 is +0
        constexpr Key kSign = Key{1} << (sizeof(Key) * 8 - 1);
        return bits & kSign ? ~bits : bits | kSign;
    } else if constexpr (std::is_signed_v<T>) {
        return static_cast<Key>(static_cast<std::make_signed_t<Key>>(value)) ^ (Key{1} << (sizeof(Key) * 8 - 1));
    } else {
        return static_cast<Key>(value);
    }
}

struct KeyedIndex64 {
    uint64_t key;
    int64_t index;
    bool operator<(const KeyedIndex64& other) const { return key != other.key ? key < other.key : index < other.index; }
};

// A key with its place: one word where both fit.
template <class Key>
struct Entry;
template <>
struct Entry<uint32_t> {
    using t = uint64_t;
    static t make(uint32_t key, int64_t index) { return static_cast<uint64_t>(key) << 32 | static_cast<uint32_t>(index); }
    static uint32_t key(t entry) { return static_cast<uint32_t>(entry >> 32); }
    static int64_t index(t entry) { return static_cast<uint32_t>(entry); }
};
template <>
struct Entry<uint64_t> {
    using t = KeyedIndex64;
    static t make(uint64_t key, int64_t index) { return {key, index}; }
    static uint64_t key(const t& entry) { return entry.key; }
    static int64_t index(const t& entry) { return entry.index; }
};
template <class T>
using entry_t = typename Entry<sort_key_t<T>>::t;

// The entries of one line of n elements, `stride` elements apart. A line is at most 2^32 - 1 long for narrow types.
template <class T>
void make_entries(const T* line, int64_t stride, int64_t n, bool reversed, std::vector<entry_t<T>>& entries) {
    using Key = sort_key_t<T>;
    entries.resize(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
        Key key = sort_key(line[i * stride]);
        entries[static_cast<size_t>(i)] = Entry<Key>::make(reversed ? static_cast<Key>(~key) : key, i);
    }
}

// Whether one of 16 elements may have a key below the limit; `bound` is the element whose key that is, reversed as asked.
// Of comparisons, so that the compiler makes vectors of them; of elements without an order of their own nothing is known.
constexpr int64_t kScanned = 16;
template <class T>
inline bool may_be_below(const T* x, T bound, bool reversed) {
    if constexpr (is_half_v<T> || std::is_same_v<T, bool>) {
        return true;
    } else {
        unsigned any = 0;
        if (reversed)
            for (int64_t i = 0; i < kScanned; ++i) any |= static_cast<unsigned>(!(x[i] <= bound));  // a NaN is the largest
        else
            for (int64_t i = 0; i < kScanned; ++i) any |= static_cast<unsigned>(!(x[i] >= bound));
        return any != 0;
    }
}

// Calls take(key, i) for the elements from `first` on whose keys are below `limit`, which take may lower: of equal elements the first
// stay. Where none of the next few is below bound(), the element that has the limit's key, they are not looked at one by one.
template <class T, class Bound, class Take>
void for_each_below(const T* line, int64_t stride, int64_t first, int64_t n, bool reversed, const sort_key_t<T>& limit, Bound&& bound, Take&& take) {
    using Key = sort_key_t<T>;
    for (int64_t i = first; i < n;) {
        if (stride == 1 && n - i >= kScanned && !may_be_below(line + i, bound(), reversed)) {
            i += kScanned;
            continue;
        }
        for (const int64_t stop = std::min(n, i + kScanned); i < stop; ++i) {
            Key key = sort_key(line[i * stride]);
            if (reversed) key = static_cast<Key>(~key);
            if (key < limit) take(key, i);
        }
    }
}

// The `k` least entries of a line in order, where k is so small that each is put in its place.
template <class T>
void few_least_entries(const T* line, int64_t stride, int64_t n, int64_t k, bool reversed, std::vector<entry_t<T>>& entries) {
    using Key = sort_key_t<T>;
    make_entries(line, stride, k, reversed, entries);
    std::sort(entries.begin(), entries.end());
    entry_t<T>* held = entries.data();
    Key limit = Entry<Key>::key(held[k - 1]);
    const auto bound = [&] { return line[Entry<Key>::index(held[k - 1])]; };
    for_each_below(line, stride, k, n, reversed, limit, bound, [&](Key key, int64_t i) {
        int64_t place = k - 1;
        for (; place > 0 && Entry<Key>::key(held[place - 1]) > key; --place) held[place] = held[place - 1];
        held[place] = Entry<Key>::make(key, i);
        limit = Entry<Key>::key(held[k - 1]);
    });
}

// The `k` least entries of a line, in no order. Elements that cannot be among them are not even stored.
template <class T>
void least_entries(const T* line, int64_t stride, int64_t n, int64_t k, bool reversed, std::vector<entry_t<T>>& entries) {
    using Key = sort_key_t<T>;
    constexpr int64_t kFew = 16;
    if (k > 0 && k <= kFew && k < n) return few_least_entries(line, stride, n, k, reversed, entries);
    const int64_t room = 2 * k + 32;
    if (k == 0 || n <= room) {
        make_entries(line, stride, n, reversed, entries);
        if (k > 0 && k < n) std::nth_element(entries.begin(), entries.begin() + (k - 1), entries.end());
        return;
    }
    make_entries(line, stride, room, reversed, entries);
    int64_t held = room;
    Key limit = 0;
    T bound = line[0];
    auto shrink = [&] {
        std::nth_element(entries.begin(), entries.begin() + (k - 1), entries.begin() + held);
        limit = Entry<Key>::key(entries[static_cast<size_t>(k - 1)]);
        bound = line[Entry<Key>::index(entries[static_cast<size_t>(k - 1)]) * stride];
        held = k;
    };
    shrink();
    for_each_below(
        line, stride, room, n, reversed, limit, [&] { return bound; },
        [&](Key key, int64_t i) {
            entries[static_cast<size_t>(held++)] = Entry<Key>::make(key, i);
            if (held == room) shrink();
        });
    shrink();
}

// The entry that would be at place `rank` of the sorted line, by counting: most elements are looked at twice and never moved.
// `rank` is called with the number of NaNs.
template <class T, class Rank>
entry_t<T> ranked_entry(const T* line, int64_t stride, int64_t n, Rank&& rank, std::vector<entry_t<T>>& entries, std::vector<sort_key_t<T>>& keys) {
    using Key = sort_key_t<T>;
    constexpr int kBits = 11;
    constexpr int64_t kCountFrom = 1024;
    auto count_nans = [&](auto&& key_at) {
        int64_t nans = 0;
        if constexpr (is_floating_v<T>)
            for (int64_t i = 0; i < n; ++i) nans += key_at(i) == static_cast<Key>(~Key{0});
        return nans;
    };
    auto nth = [&](int64_t wanted) {
        std::nth_element(entries.begin(), entries.begin() + wanted, entries.end());
        return entries[static_cast<size_t>(wanted)];
    };
    if (n < kCountFrom || n >= int64_t{1} << 32) {
        make_entries(line, stride, n, false, entries);
        return nth(rank(count_nans([&](int64_t i) { return Entry<Key>::key(entries[static_cast<size_t>(i)]); })));
    }
    keys.resize(static_cast<size_t>(n));
    Key low = ~Key{0}, high = 0;
    for (int64_t i = 0; i < n; ++i) {
        const Key key = sort_key(line[i * stride]);
        keys[static_cast<size_t>(i)] = key;
        low = std::min(low, key);
        high = std::max(high, key);
    }
    const int64_t nans = high == static_cast<Key>(~Key{0}) ? count_nans([&](int64_t i) { return keys[static_cast<size_t>(i)]; }) : 0;
    const int width = static_cast<int>(std::bit_width(static_cast<Key>(high - low))), shift = std::max(0, width - kBits);
    uint32_t counts[1 << kBits] = {};
    for (const Key key : keys) ++counts[static_cast<Key>(key - low) >> shift];
    int64_t wanted = rank(nans);
    Key bin = 0;
    while (wanted >= counts[bin]) wanted -= counts[bin++];
    entries.clear();
    entries.reserve(counts[bin]);
    for (int64_t i = 0; i < n; ++i)
        if (const Key key = keys[static_cast<size_t>(i)]; static_cast<Key>(key - low) >> shift == bin) entries.push_back(Entry<Key>::make(key, i));
    return nth(wanted);
}

// Sorts by key, then place. `scratch` is working space.
void sort_entries(std::vector<uint64_t>& entries, std::vector<uint64_t>& scratch);
void sort_entries(std::vector<KeyedIndex64>& entries, std::vector<KeyedIndex64>& scratch);

// One line in order. Eight-byte elements that lie within 2^32 of each other (most integers do) are sorted as four-byte ones.
template <class T>
class LineSorter {
public:
    void sort(const T* line, int64_t stride, int64_t n, bool reversed) {
        using Key = sort_key_t<T>;
        if constexpr (sizeof(Key) == 4) {
            make_entries(line, stride, n, reversed, narrow_);
        } else {
            Key low = ~Key{0}, high = 0;
            for (int64_t i = 0; !is_floating_v<T> && i < n; ++i) {
                const Key key = sort_key(line[i * stride]);
                low = std::min(low, key);
                high = std::max(high, key);
            }
            is_narrow_ = !is_floating_v<T> && n < (int64_t{1} << 32) && (n == 0 || high - low <= 0xffffffffu);
            if (!is_narrow_) {
                make_entries(line, stride, n, reversed, wide_);
                return sort_entries(wide_, wide_scratch_);
            }
            narrow_.resize(static_cast<size_t>(n));
            for (int64_t i = 0; i < n; ++i) {
                const Key key = sort_key(line[i * stride]);
                narrow_[static_cast<size_t>(i)] = Entry<uint32_t>::make(static_cast<uint32_t>(reversed ? high - key : key - low), i);
            }
        }
        sort_entries(narrow_, narrow_scratch_);
    }

    int64_t index(int64_t k) const {
        const auto at = static_cast<size_t>(k);
        return is_narrow_ ? Entry<uint32_t>::index(narrow_[at]) : wide_[at].index;
    }
    bool equals_previous(int64_t k) const {
        const auto at = static_cast<size_t>(k);
        return is_narrow_ ? narrow_[at] >> 32 == narrow_[at - 1] >> 32 : wide_[at].key == wide_[at - 1].key;
    }

private:
    bool is_narrow_ = true;
    std::vector<uint64_t> narrow_, narrow_scratch_;
    std::vector<KeyedIndex64> wide_, wide_scratch_;
};

// The lines of `t` along `dim`, counted in the row-major order of the other dimensions.
struct Lines {
    Lines(const Tensor& t, int64_t dim);

    int64_t count;
    int64_t length;
    int64_t stride;
    Shape sizes, strides;  // of the other dimensions
};

// Goes from a line to the next one: a division for each dimension would cost more than to sort a few elements.
class LineWalk {
public:
    LineWalk(const Lines& lines, int64_t first);
    int64_t offset() const { return offset_; }  // in elements, of the line's first element
    void next() {
        for (size_t d = lines_.sizes.size(); d-- > 0;) {
            offset_ += lines_.strides[d];
            if (++index_[d] < lines_.sizes[d]) return;
            offset_ -= lines_.sizes[d] * lines_.strides[d];
            index_[d] = 0;
        }
    }

private:
    const Lines& lines_;
    Shape index_;
    int64_t offset_ = 0;
};

// Like visit_dtype, for dtypes that have an order; complex ones raise.
template <class F>
decltype(auto) visit_ordered(DType dtype, const char* name, F&& f) {
    switch (dtype) {
#define TAEDA_CASE(label, type) \
    case DType::label: return f(Tag<type>{});
        TAEDA_CASE(Bool, bool)
        TAEDA_CASE(UInt8, uint8_t)
        TAEDA_CASE(Int8, int8_t)
        TAEDA_CASE(Int16, int16_t)
        TAEDA_CASE(Int32, int32_t)
        TAEDA_CASE(Int64, int64_t)
        TAEDA_CASE(UInt16, uint16_t)
        TAEDA_CASE(UInt32, uint32_t)
        TAEDA_CASE(UInt64, uint64_t)
        TAEDA_CASE(Float16, Half)
        TAEDA_CASE(BFloat16, BFloat16)
        TAEDA_CASE(Float32, float)
        TAEDA_CASE(Float64, double)
#undef TAEDA_CASE
        default: fail(ErrorKind::NotImplemented, "\"", name, "\" not implemented for '", scalar_type_name(dtype), "'");
    }
}

}  // namespace taeda::cpu
