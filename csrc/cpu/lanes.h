// Vectors whose lanes hold the same element of different matrices, and how they are filled from memory. For files named *_isa.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cpu/linalg_lanes.h"
#include "cpu/vector_width.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
struct LaneTypes {
    using Integer = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef T Vector __attribute__((vector_size(kVectorBytes), may_alias));
    typedef Integer Mask __attribute__((vector_size(kVectorBytes), may_alias));  // all bits set: true; also counts
};
template <class T>
using Lanes = typename LaneTypes<T>::Vector;
template <class T>
using LaneMask = typename LaneTypes<T>::Mask;

template <class T>
Lanes<T> all(T value) {
    return value - Lanes<T>{};
}
template <class T>
LaneMask<T> all_counts(int value) {
    return static_cast<typename LaneTypes<T>::Integer>(value) - LaneMask<T>{};
}

template <class T>
Lanes<T> magnitude(Lanes<T> x) {
    constexpr auto kSign = std::numeric_limits<typename LaneTypes<T>::Integer>::max();
    return reinterpret_cast<Lanes<T>>(reinterpret_cast<LaneMask<T>>(x) & kSign);
}

template <class T>
Lanes<T> root(Lanes<T> x) {
    Lanes<T> made;
    for (int l = 0; l < kLanes<T>; ++l) made[l] = std::sqrt(x[l]);
    return made;
}

template <class T>
bool any(LaneMask<T> mask) {
    typename LaneTypes<T>::Integer bits = 0;
    for (int l = 0; l < kLanes<T>; ++l) bits |= mask[l];
    return bits != 0;
}

// The matrices that fill the lanes now. Lanes beyond the end of the range repeat the last matrix, and are not stored.
template <class T>
struct LaneGroup {
    int64_t first;
    int count;

    // Columns one behind the other, as in LAPACK. Memory is walked in the order in which it lies.
    __attribute__((noinline)) void load(const LaneMatrices<const T>& from, int rows, int cols, Lanes<T>* to) const {
        for (int l = 0; l < kLanes<T>; ++l) {
            const T* matrix = from.data + (first + std::min(l, count - 1)) * from.step;
            T* lane = reinterpret_cast<T*>(to) + l;
            if (std::abs(from.row) <= std::abs(from.col)) copy(matrix, from.row, from.col, rows, cols, lane, kLanes<T>, rows * kLanes<T>);
            else copy(matrix, from.col, from.row, cols, rows, lane, rows * kLanes<T>, kLanes<T>);
        }
    }
    // The first `rows` of the `held` rows.
    __attribute__((noinline)) void store(const LaneMatrices<T>& to, int rows, int cols, const Lanes<T>* from, int held) const {
        for (int l = 0; l < count; ++l) {
            T* matrix = to.data + (first + l) * to.step;
            const T* lane = reinterpret_cast<const T*>(from) + l;
            if (std::abs(to.row) <= std::abs(to.col)) copy(lane, kLanes<T>, held * kLanes<T>, rows, cols, matrix, to.row, to.col);
            else copy(lane, held * kLanes<T>, kLanes<T>, cols, rows, matrix, to.col, to.row);
        }
    }
    static void copy(const T* from, int64_t from_inner, int64_t from_outer, int inner, int outer, T* to, int64_t to_inner, int64_t to_outer) {
        for (int o = 0; o < outer; ++o) {
            const T* x = from + o * from_outer;
            T* y = to + o * to_outer;
            for (int i = 0; i < inner; ++i, x += from_inner, y += to_inner) *y = *x;
        }
    }
    void store_counts(LaneMask<T> counts, int* to) const {
        for (int l = 0; l < count; ++l) to[first + l] = static_cast<int>(counts[l]);
    }
};

template <class T, class F>
void for_groups(const LaneRange<T>& range, F&& f) {
    for (int64_t first = range.first; first < range.end; first += kLanes<T>)
        f(LaneGroup<T>{first, static_cast<int>(std::min<int64_t>(kLanes<T>, range.end - first))});
}

template <class T>
Lanes<T>* room_of(const LaneRange<T>& range) {
    return static_cast<Lanes<T>*>(__builtin_assume_aligned(range.room, kVectorBytes));
}

}  // namespace

}  // namespace taeda::cpu::TAEDA_ISA
