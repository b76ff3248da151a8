// The driver of matrix products: blocks for the caches, threads, and the paths for few rows or columns.
#include "cpu/gemm.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "cpu/isa.h"
#include "cpu/linalg_lanes.h"
#include "cpu/scratch.h"

namespace taeda::cpu {

TAEDA_DECLARE_ISA(GemmTable, gemm_table)
TAEDA_DECLARE_ISA(LaneProductTable, lane_product_table)

template <>
const GemmKernels<float>& gemm_kernels<float>() {
    return gemm_table().of_float;
}
template <>
const GemmKernels<double>& gemm_kernels<double>() {
    return gemm_table().of_double;
}
template <>
const GemmKernels<uint32_t>& gemm_kernels<uint32_t>() {
    return gemm_table().of_uint32;
}
template <>
const GemmKernels<uint64_t>& gemm_kernels<uint64_t>() {
    return gemm_table().of_uint64;
}

namespace {

constexpr int64_t kSerialWork = 1 << 18;    // multiplications that one thread does before a second one has woken up
constexpr int64_t kLockedWork = 1 << 15;    // below this, giving up the host's lock costs more than it gives others
constexpr int64_t kDirectBytes = 96 << 10;  // operands up to this size are read in place: they stay in the cache anyway

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

template <class T>
void scale_only(const Gemm<T>& job) {
    const GemmUpdate<T>& u = job.update;
    for (int64_t i = 0; i < job.m; ++i)
        for (int64_t j = 0; j < job.n; ++j) u.c[i * u.ldc + j] = u.add ? static_cast<T>(u.beta * u.add[i * u.add_row + j * u.add_col]) : T(0);
}

// What the blocked product of one thread reads in place, and its buffers for the rest.
template <class T>
struct TilePlan {
    bool a_in_place, b_in_place;
    Scratch<T> a_buffer, b_buffer, tail;

    explicit TilePlan(const Gemm<T>& job) {
        const auto& kernels = gemm_kernels<T>();
        const int64_t kc = std::min(job.k, kGemmBlockK), nc = std::min(round_up(job.n, kernels.nr), kGemmBlockN);
        const bool plain_a = job.a.source == GemmSource::Same, plain_b = job.b.source == GemmSource::Same;
        const int64_t a_bytes = job.m * job.k * int64_t{sizeof(T)}, b_bytes = job.n * job.k * int64_t{sizeof(T)};
        a_in_place = plain_a && (a_bytes <= kDirectBytes || job.n <= 4 * kernels.nr);
        b_in_place = a_in_place && plain_b && job.b.col_stride == 1 && (job.m <= 3 * kernels.mr || b_bytes <= kDirectBytes);
        if (!a_in_place) a_buffer.reset(std::min(round_up(job.m, kernels.mr), kGemmBlockM) * kc);
        if (!b_in_place) b_buffer.reset(nc * kc);
        else if (job.n % kernels.nr) tail.reset(kernels.nr * kc);
    }
};

template <class T>
void run_block(const Gemm<T>& job, TilePlan<T>& plan, int64_t j, int64_t nc, int64_t p, int64_t kc) {
    const auto& kernels = gemm_kernels<T>();
    const GemmMatrix b = job.b.at(p, j);
    const int64_t nr = kernels.nr;
    const T* panels = plan.b_buffer.data();
    int64_t step = nr, panel = nr * kc;
    if (plan.b_in_place) {
        panels = static_cast<const T*>(b.data);
        step = b.row_stride;
        panel = nr;
        if (nc % nr) kernels.pack_b(b.at(0, nc / nr * nr), kc, nc % nr, plan.tail.data());
    } else {
        kernels.pack_b(b, kc, nc, plan.b_buffer.data());
    }
    GemmUpdate<T> update = p == 0 ? job.update : job.update.accumulating();
    if (plan.a_in_place) {
        const GemmMatrix a = job.a.at(0, p);
        kernels.run_direct(job.m, nc, kc, static_cast<const T*>(a.data), a.row_stride, a.col_stride, panels, step, panel,
                           plan.b_in_place ? plan.tail.data() : nullptr, update.at(0, j));
        return;
    }
    for (int64_t i = 0; i < job.m; i += kGemmBlockM) {
        const int64_t mc = std::min(kGemmBlockM, job.m - i);
        kernels.pack_a(job.a.at(i, p), mc, kc, plan.a_buffer.data());
        kernels.run_packed(mc, nc, kc, plan.a_buffer.data(), panels, update.at(i, j));
    }
}

template <class T>
void run_tiles(const Gemm<T>& job) {
    TilePlan<T> plan(job);
    for (int64_t j = 0; j < job.n; j += kGemmBlockN)
        for (int64_t p = 0; p < job.k; p += kGemmBlockK)
            run_block(job, plan, j, std::min(kGemmBlockN, job.n - j), p, std::min(kGemmBlockK, job.k - p));
}

// Cuts C into a grid, one piece for each thread; each packs what it needs for itself, so no thread waits for another.
template <class T>
void run_tiles_parallel(const Gemm<T>& job) {
    const auto& kernels = gemm_kernels<T>();
    const int64_t threads = std::min<int64_t>(num_threads(), std::max<int64_t>(1, job.m * job.n * job.k / (kSerialWork / 2)));
    int64_t rows = 1, best = -1;
    for (int64_t r = 1; r <= threads; ++r) {
        if (threads % r) continue;
        const int64_t piece_m = round_up((job.m + r - 1) / r, kernels.mr), piece_n = round_up((job.n + threads / r - 1) / (threads / r), kernels.nr);
        // The largest piece decides when all are done; among equals, the one with the least to pack.
        const int64_t cost = piece_m * piece_n * 64 + (piece_m + piece_n) * 64 * 4;
        if (best < 0 || cost < best) {
            best = cost;
            rows = r;
        }
    }
    const int64_t cols = threads / rows;
    const int64_t piece_m = round_up((job.m + rows - 1) / rows, kernels.mr), piece_n = round_up((job.n + cols - 1) / cols, kernels.nr);
    parallel_for(0, rows * cols, 1, [&](int64_t first, int64_t last) {
        for (int64_t piece = first; piece < last; ++piece) {
            const int64_t i = piece / cols * piece_m, j = piece % cols * piece_n;
            if (i >= job.m || j >= job.n) continue;
            run_tiles(
                Gemm<T>{std::min(piece_m, job.m - i), std::min(piece_n, job.n - j), job.k, job.a.at(i, 0), job.b.at(0, j), job.update.at(i, j)});
        }
    });
}

// A few long dot products: pieces of them are what the threads share. The sums of the pieces are added in their order; store(sums)
// gets the n_few x n_many of them.
constexpr int64_t kFewDots = 16, kDotPiece = 32768;

template <class T, class F>
void run_long_dots(const GemmKernels<T>& kernels, int64_t n_few, int64_t n_many, int64_t k, const T* rows, int64_t ld, const T* many, int64_t step,
                   bool parallel, F&& store) {
    const int64_t pieces = (k + kDotPiece - 1) / kDotPiece, n = n_few * n_many;
    Scratch<T> sums(pieces * n);
    auto run = [&](int64_t first, int64_t last) {
        for (int64_t piece = first; piece < last; ++piece) {
            const int64_t p = piece * kDotPiece;
            kernels.run_dots(n_few, n_many, std::min(kDotPiece, k - p), rows + p, ld, many + p, step, sums.data() + piece * n, n_many, 1, nullptr, 0,
                             0, T(1), T(1));
        }
    };
    if (parallel) parallel_for(0, pieces, 1, run);
    else run(0, pieces);
    for (int64_t piece = 1; piece < pieces; ++piece)
        for (int64_t i = 0; i < n; ++i) sums.data()[i] += sums.data()[piece * n + i];
    store(sums.data());
}

// At most four rows (or columns: `transposed`) against a long operand that is contiguous along k: no packing at all.
template <class T>
void run_few(const Gemm<T>& job, bool transposed, bool parallel) {
    const GemmMatrix few = transposed ? job.b.transposed() : job.a, many = transposed ? job.a : job.b.transposed();
    const int64_t n_few = transposed ? job.n : job.m, n_many = transposed ? job.m : job.n, k = job.k;
    Scratch<T> copy;
    const T* rows = static_cast<const T*>(few.data);
    int64_t ld = few.row_stride;
    if (few.col_stride != 1) {
        copy.reset(n_few * k);
        for (int64_t i = 0; i < n_few; ++i)
            for (int64_t p = 0; p < k; ++p) copy.data()[i * k + p] = rows[i * few.row_stride + p * few.col_stride];
        rows = copy.data();
        ld = k;
    }
    const GemmUpdate<T>& u = job.update;
    const int64_t c_row = transposed ? 1 : u.ldc, c_col = transposed ? u.ldc : 1;
    const int64_t add_row = transposed ? u.add_col : u.add_row, add_col = transposed ? u.add_row : u.add_col;
    auto run = [&](int64_t first, int64_t last) {
        gemm_kernels<T>().run_dots(n_few, last - first, k, rows, ld, static_cast<const T*>(many.data) + first * many.row_stride, many.row_stride,
                                   u.c + first * c_col, c_row, c_col, u.add ? u.add + first * add_col : nullptr, add_row, add_col, u.alpha, u.beta);
    };
    if (n_few * n_many <= kFewDots && k >= 2 * kDotPiece) {
        run_long_dots(gemm_kernels<T>(), n_few, n_many, k, rows, ld, static_cast<const T*>(many.data), many.row_stride, parallel, [&](const T* sums) {
            for (int64_t i = 0; i < n_few; ++i)
                for (int64_t j = 0; j < n_many; ++j) {
                    const T add = u.add ? static_cast<T>(u.beta * u.add[i * add_row + j * add_col]) : T(0);
                    u.c[i * c_row + j * c_col] = static_cast<T>(u.alpha * sums[i * n_many + j] + add);
                }
        });
        return;
    }
    // Pairs of rows are summed together: pieces start at even rows.
    if (parallel) parallel_for(0, (n_many + 7) / 8, 1, [&](int64_t first, int64_t last) { run(first * 8, std::min(last * 8, n_many)); });
    else run(0, n_many);
}

// One row times a row-major matrix: a weighted sum of its rows.
template <class T>
void run_row(const Gemm<T>& job, bool parallel) {
    const GemmUpdate<T>& u = job.update;
    auto run = [&](int64_t first, int64_t last) {
        for (int64_t j = first; j < last; ++j) u.c[j] = u.add ? static_cast<T>(u.beta * u.add[j * u.add_col]) : T(0);
        gemm_kernels<T>().add_rows(last - first, job.k, static_cast<const T*>(job.a.data), job.a.col_stride,
                                   static_cast<const T*>(job.b.data) + first, job.b.row_stride, u.c + first, u.alpha);
    };
    if (parallel) parallel_for(0, (job.n + 63) / 64, 1, [&](int64_t first, int64_t last) { run(first * 64, std::min(last * 64, job.n)); });
    else run(0, job.n);
}

template <class T>
void dispatch(const Gemm<T>& job, bool parallel) {
    if (job.m == 0 || job.n == 0) return;
    if (job.k == 0 || job.update.alpha == T(0)) return scale_only(job);
    const bool plain = job.a.source == GemmSource::Same && job.b.source == GemmSource::Same;
    if (plain && job.k >= 16) {
        if (job.n <= 4 && job.a.col_stride == 1) return run_few(job, true, parallel);
        if (job.m <= 4 && job.b.row_stride == 1) return run_few(job, false, parallel);
    }
    if (plain && job.m == 1 && job.b.col_stride == 1) return run_row(job, parallel);
    if (plain && job.n == 1 && job.a.row_stride == 1 && job.update.ldc == 1) {
        GemmUpdate<T> u = job.update;
        std::swap(u.add_row, u.add_col);
        return run_row(Gemm<T>{1, job.m, job.k, job.b.transposed(), job.a.transposed(), u}, parallel);
    }
    if (parallel) run_tiles_parallel(job);
    else run_tiles(job);
}

// Where two factors and the product have no more elements than this, laying them out in lanes takes less time than starting a
// product for each.
constexpr int64_t kLaneElements = 112, kLaneElementsOfVectors = 300;

// Products of a few elements each, in the lanes of vectors. False where they are too few or too large.
template <class T>
bool multiply_in_lanes(const Gemm<T>& first, int64_t batch, int64_t a_distance, int64_t b_distance, int64_t c_distance, int64_t add_distance) {
    if constexpr (std::is_floating_point_v<T>) {
        const LaneProductTable& table = lane_product_table();
        const int64_t lanes = sizeof(T) == 4 ? table.lanes_of_float : table.lanes_of_double, m = first.m, n = first.n, k = first.k;
        const GemmUpdate<T>& u = first.update;
        const bool plain = first.a.source == GemmSource::Same && first.b.source == GemmSource::Same && k > 0 && u.alpha != T(0);
        if (!plain || batch < lanes || m * k + k * n + m * n > (m == 1 || n == 1 ? kLaneElementsOfVectors : kLaneElements)) return false;
        const LaneProduct<T> job{static_cast<int>(m),
                                 static_cast<int>(n),
                                 static_cast<int>(k),
                                 {static_cast<const T*>(first.a.data), a_distance, first.a.row_stride, first.a.col_stride},
                                 {static_cast<const T*>(first.b.data), b_distance, first.b.row_stride, first.b.col_stride},
                                 {u.add, add_distance, u.add_row, u.add_col},
                                 {u.c, c_distance, u.ldc, 1},
                                 u.alpha,
                                 u.beta};
        const int64_t room = (m * k + k * n + 2 * m * n) * lanes, grain = std::max<int64_t>(1, kSerialWork / 4 / room);
        parallel_for(0, (batch + lanes - 1) / lanes, grain, [&](int64_t begin, int64_t end) {
            Scratch<T> buffer(room);
            const LaneRange<T> range{begin * lanes, std::min(end * lanes, batch), buffer.data()};
            if constexpr (sizeof(T) == 4) table.of_float(range, job);
            else table.of_double(range, job);
        });
        return true;
    }
    return false;
}

}  // namespace

template <class T>
void gemm_serial(const Gemm<T>& job) {
    dispatch(job, false);
}

template <class T>
void gemm(const Gemm<T>& job) {
    const int64_t work = job.m * job.n * job.k;
    ReleaseHostLock unlocked(work > kLockedWork);
    // With few rows the memory's speed decides, and a second thread helps sooner.
    const int64_t threshold = std::min(job.m, job.n) <= 4 ? kSerialWork / 4 : kSerialWork;
    dispatch(job, work > threshold && num_threads() > 1 && !in_parallel_region());
}

template <class T>
void gemm_batch(const Gemm<T>& first, int64_t batch, int64_t a_distance, int64_t b_distance, int64_t c_distance, int64_t add_distance) {
    auto item = [&](int64_t i) {
        Gemm<T> job = first;
        job.a.data = static_cast<const char*>(first.a.data) + i * a_distance * first.a.item_size;
        job.b.data = static_cast<const char*>(first.b.data) + i * b_distance * first.b.item_size;
        job.update.c += i * c_distance;
        if (job.update.add) job.update.add += i * add_distance;
        return job;
    };
    const int64_t work = first.m * first.n * first.k;
    if (batch < num_threads() && work > kSerialWork) {
        for (int64_t i = 0; i < batch; ++i) gemm(item(i));
        return;
    }
    ReleaseHostLock unlocked(work * batch > kLockedWork);
    if (multiply_in_lanes(first, batch, a_distance, b_distance, c_distance, add_distance)) return;
    const int64_t grain = std::max<int64_t>(1, kSerialWork / 2 / std::max<int64_t>(work, 1));
    parallel_for(0, batch, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) dispatch(item(i), false);
    });
}

#define TAEDA_INSTANTIATE(T)                      \
    template void gemm<T>(const Gemm<T>&);        \
    template void gemm_serial<T>(const Gemm<T>&); \
    template void gemm_batch<T>(const Gemm<T>&, int64_t, int64_t, int64_t, int64_t, int64_t);
TAEDA_INSTANTIATE(float)
TAEDA_INSTANTIATE(double)
TAEDA_INSTANTIATE(uint32_t)
TAEDA_INSTANTIATE(uint64_t)
#undef TAEDA_INSTANTIATE

}  // namespace taeda::cpu
