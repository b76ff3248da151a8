// Folding a contiguous run with many accumulators side by side, so that the compiler may use vectors although it must
// keep the order of floating-point operations. For *_isa.cpp files only.
#pragma once

#include <algorithm>
#include <cstdint>

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr int64_t kFoldBlock = 4096;  // elements that are added up in float before a double takes over

// step(acc, i) for every i < n, joined by a tree: a result that depends on n alone.
template <class Lane, class Step, class Join>
inline Lane fold_with(int64_t n, Lane start, Step step, Join join) {
    constexpr int kLanes = 256 / sizeof(Lane);
    Lane lanes[kLanes];
    for (int j = 0; j < kLanes; ++j) lanes[j] = start;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int j = 0; j < kLanes; ++j) lanes[j] = step(lanes[j], i + j);
    for (int j = 0; j < n - i; ++j) lanes[j] = step(lanes[j], i + j);
    for (int width = kLanes / 2; width > 0; width /= 2)
        for (int j = 0; j < width; ++j) lanes[j] = join(lanes[j], lanes[j + width]);
    return lanes[0];
}

template <class C>
struct PairOf {
    C first, second;
};

// Two sums in one pass: step(a, b, i) adds element i to both.
template <class C, class Step>
inline PairOf<C> fold_pair(int64_t n, Step step) {
    constexpr int kLanes = 128 / sizeof(C);
    C a[kLanes], b[kLanes];
    for (int j = 0; j < kLanes; ++j) a[j] = b[j] = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int j = 0; j < kLanes; ++j) step(a[j], b[j], i + j);
    for (int j = 0; j < n - i; ++j) step(a[j], b[j], i + j);
    for (int width = kLanes / 2; width > 0; width /= 2)
        for (int j = 0; j < width; ++j) {
            a[j] += a[j + width];
            b[j] += b[j + width];
        }
    return {a[0], b[0]};
}

// The sum of f(i) for i < n, in blocks.
template <class C, class F>
inline double sum_of(int64_t n, F f) {
    double total = 0;
    for (int64_t start = 0; start < n; start += kFoldBlock) {
        int64_t m = std::min(kFoldBlock, n - start);
        total += fold_with<C>(m, C(0), [&](C a, int64_t i) { return a + f(start + i); }, [](C a, C b) { return a + b; });
    }
    return total;
}

}  // namespace

}  // namespace taeda::cpu::TAEDA_ISA
