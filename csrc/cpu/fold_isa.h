// Folding a contiguous run with many accumulators side by side, so that the compiler may use vectors although it must
// keep the order of floating-point operations. For *_isa.cpp files only.
#pragma once

#include <algorithm>
#include <cstdint>

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr int64_t kFoldBlock = 4096;  // elements that are added up in float before a double takes over

// Rows follow each other in memory: while one is computed with, what comes `ahead` elements later is brought into the cache,
// or the first pass over the next row would wait for the memory with nothing to compute. For rows that fit beside it.
constexpr int64_t kFetchBlock = 64;  // elements: whole lines, of float and of double
template <class T>
constexpr int64_t fetch_distance(int64_t n) {
    return n <= 16384 / static_cast<int64_t>(sizeof(T)) ? n : 0;
}
template <class T>
inline void fetch_ahead(const T* block) {
    for (int64_t line = 0; line < kFetchBlock * static_cast<int64_t>(sizeof(T)); line += 64)
        __builtin_prefetch(reinterpret_cast<const char*>(block) + line, 0, 3);
}

// f(i) for every i < n, while what follows n elements later in all of `arrays` is fetched.
template <class C, class F, class... Arrays>
inline void each_fetching(int64_t n, F f, const Arrays*... arrays) {
    const int64_t next = fetch_distance<C>(n);
    int64_t i = 0;
    for (; i + kFetchBlock <= n; i += kFetchBlock) {
        (fetch_ahead(arrays + i + next), ...);
#pragma GCC ivdep
        for (int64_t j = i; j < i + kFetchBlock; ++j) f(j);
    }
#pragma GCC ivdep
    for (int64_t j = i; j < n; ++j) f(j);
}

// step(acc, i) for every i < n, joined by a tree: a result that depends on n alone.
template <class Lane, class Step, class Join>
inline Lane fold_with(int64_t n, Lane start, Step step, Join join) {
    constexpr int kLanes = 256 / sizeof(Lane);
    Lane lanes[kLanes];
    for (int j = 0; j < kLanes; ++j) lanes[j] = start;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int j = 0; j < kLanes; ++j) lanes[j] = step(lanes[j], i + j);
    // What is left, as far as it goes in vectors: rows of a hundred elements are common. Lanes of their own, so that no
    // array is indexed by a variable: all of them stay in registers.
    constexpr int kFew = kLanes >= 8 ? kLanes / 8 : 1;
    Lane few[kFew], rest = start;
    for (int j = 0; j < kFew; ++j) few[j] = start;
    for (; i + kFew <= n; i += kFew)
        for (int j = 0; j < kFew; ++j) few[j] = step(few[j], i + j);
    for (; i < n; ++i) rest = step(rest, i);
#pragma GCC unroll 8
    for (int width = kLanes / 2; width >= kFew; width /= 2)
        for (int j = 0; j < width; ++j) lanes[j] = join(lanes[j], lanes[j + width]);
    for (int j = 0; j < kFew; ++j) few[j] = join(lanes[j], few[j]);
#pragma GCC unroll 8
    for (int width = kFew / 2; width > 0; width /= 2)
        for (int j = 0; j < width; ++j) few[j] = join(few[j], few[j + width]);
    return join(few[0], rest);
}

template <class C>
struct PairOf {
    C first, second;
};

// Two sums in one pass: step(a, b, i) adds element i to both. It may write elements i of other arrays.
template <class C, class Step>
inline PairOf<C> fold_pair(int64_t n, Step step) {
    constexpr int kLanes = 128 / sizeof(C);
    C a[kLanes], b[kLanes];
    for (int j = 0; j < kLanes; ++j) a[j] = b[j] = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
#pragma GCC ivdep
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
