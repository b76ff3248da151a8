// Batches of small real matrices for the kernels of linalg_lanes.h: where they are worth it, a batch at fixed distances, pieces
// for the threads.
#pragma once

#include <algorithm>

#include "cpu/isa.h"
#include "cpu/linalg.h"
#include "cpu/linalg_lanes.h"

namespace taeda::cpu {

TAEDA_DECLARE_ISA(LaneTable, lane_table)
TAEDA_DECLARE_ISA(OrthogonalTable, orthogonal_table)

template <class T>
const LaneKernels<T>& lane_kernels() {
    if constexpr (std::is_same_v<T, float>) return lane_table().of_float;
    else return lane_table().of_double;
}
template <class T>
const OrthogonalKernels<T>& orthogonal_kernels() {
    if constexpr (std::is_same_v<T, float>) return orthogonal_table().of_float;
    else return orthogonal_table().of_double;
}

inline constexpr int64_t kAlwaysInLanes = 8;          // up to this order one matrix alone takes less time there than a LAPACK call
inline constexpr int64_t kLaneRoomBytes = 256 << 10;  // what a group of matrices may fill: half of a second-level cache

// Whether `count` real matrices of order `n` go into lanes, which need room for `elements` of each. Beyond `most` LAPACK is faster.
template <class T>
bool use_lanes(int64_t count, int64_t n, int64_t elements, int64_t most = kLargestInLanes) {
    if constexpr (is_complex_v<T>) return false;
    else {
        const int lanes = lane_kernels<T>().lanes;
        if (n > most || elements * lanes * int64_t{sizeof(T)} > kLaneRoomBytes) return false;
        return n <= kAlwaysInLanes || count >= lanes / 2;
    }
}

// A tensor whose batch, expanded to `batch`, is at fixed distances: the given one where it is, else a copy.
template <class T>
struct SmallBatch {
    Tensor held;
    LaneMatrices<const T> matrices;

    SmallBatch(const Tensor& t, IntList batch) : held(expand_to(t, with_sizes(batch, Shape{rows_of(t), cols_of(t)}))) {
        auto step = batch_step(held);
        if (!step) {
            held = column_major(t, batch);
            step = rows_of(t) * cols_of(t);
        }
        const auto n = static_cast<size_t>(held.dim());
        matrices = {held.data<T>(), *step, held.strides()[n - 2], held.strides()[n - 1]};
    }

    // One of the matrices as a tensor.
    Tensor operator[](int64_t k) const {
        const int64_t sizes[2] = {rows_of(held), cols_of(held)}, strides[2] = {matrices.row, matrices.col};
        return taeda::alias(held, sizes, strides, held.offset() + k * matrices.step);
    }

private:
    static std::optional<int64_t> batch_step(const Tensor& t) {
        int64_t step = 0, inner = 0;  // 0: no dimension of more than one yet
        for (int64_t d = t.dim() - 2; d-- > 0;) {
            const int64_t size = t.sizes()[static_cast<size_t>(d)], stride = t.strides()[static_cast<size_t>(d)];
            if (size == 1) continue;
            if (inner == 0) {
                step = stride;
                inner = size;
            } else if (stride == step * inner) {
                inner *= size;
            } else {
                return std::nullopt;
            }
        }
        return step;
    }
};

// A result made by `empty_matrices`.
template <class T>
LaneMatrices<T> lane_result(const Tensor& t) {
    return {t.defined() ? t.data<T>() : nullptr, t.defined() ? rows_of(t) * cols_of(t) : 0, 1, t.defined() ? rows_of(t) : 0};
}

// Matrix k of what `empty_matrices` made, and row k of a contiguous tensor.
inline Tensor matrix_of(const Tensor& t, int64_t k) {
    const int64_t m = rows_of(t), n = cols_of(t), sizes[2] = {m, n}, strides[2] = {1, m};
    return taeda::alias(t, sizes, strides, t.offset() + k * m * n);
}
inline Tensor row_of(const Tensor& t, int64_t k) {
    const int64_t sizes[1] = {t.size(-1)}, strides[1] = {1};
    return taeda::alias(t, sizes, strides, t.offset() + k * t.size(-1));
}

// Which matrices of a batch kernels have left to LAPACK.
struct LeftOver {
    Scratch<int> failed;
    int64_t count;

    explicit LeftOver(int64_t batch) : failed(batch), count(batch) {}
    // f(k) for each of them, one after the other. False, and nothing done, where they are so many that LAPACK should have all.
    template <class F>
    bool repair(F&& f) const {
        const int* codes = failed.data();
        const int64_t n = count - std::count(codes, codes + count, 0);
        if (n > 8 + count / 8) return false;
        for (int64_t k = 0; n > 0 && k < count; ++k)
            if (codes[k]) f(k);
        return true;
    }
};

// Calls f(LaneRange<T>) for pieces of a batch, in taeda's threads. `flops` is about what one matrix takes, `elements` its room.
template <class T, class F>
void for_small_matrices(int64_t count, double flops, int64_t elements, F&& f) {
    if (count == 0) return;
    const int64_t lanes = lane_kernels<T>().lanes, groups = (count + lanes - 1) / lanes;
    const double work = (flops + 50) * static_cast<double>(lanes);
    ReleaseHostLock unlock(static_cast<double>(groups) * work > 1e6);
    const auto worthwhile = static_cast<int64_t>(5e5 / work);
    parallel_for(0, groups, std::max(int64_t{1}, worthwhile), [&](int64_t first, int64_t end) {
        Scratch<T> room(elements * lanes);
        f(LaneRange<T>{first * lanes, std::min(end * lanes, count), room.data()});
    });
}

}  // namespace taeda::cpu
