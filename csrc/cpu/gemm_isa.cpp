// The inner kernels of matrix products, built once per instruction set: packing, register tiles, dot products.
//
// A tile of kRows x (2 vectors) of C stays in registers while k runs; the compiler keeps the accumulators there because
// every loop over them has constant bounds.
#include <cstring>

#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "cpu/vector_width.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = 12;  // 32 registers: 24 accumulators
#else
constexpr int kRows = 6;  // 16 registers: 12 accumulators
#endif

template <class T>
struct VectorOf {
    typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vec = typename VectorOf<T>::type;
template <class T>
constexpr int kWidth = kVectorBytes / static_cast<int>(sizeof(T));
template <class T>
constexpr int kCols = 2 * kWidth<T>;

template <class T>
inline Vec<T> load(const T* from) {
    Vec<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}
template <class T>
inline void store(T* to, Vec<T> v) {
    std::memcpy(to, &v, sizeof v);
}
// A subtraction, because x - 0 is x for every x: the compiler drops it. x + 0 would have to be computed, for -0.
template <class T>
inline Vec<T> splat(T x) {
    return x - Vec<T>{};
}

// ---- register tiles

template <class T, int R, int V>
inline void write_tile(const Vec<T> (&acc)[R][V], int cols, const GemmUpdate<T>& u) {
    constexpr int W = kWidth<T>;
    if (cols == V * W && (!u.add || u.add_col == 1 || u.add_col == 0)) {
        const Vec<T> alpha = splat(u.alpha), beta = splat(u.beta);
#pragma GCC unroll 16
        for (int i = 0; i < R; ++i) {
#pragma GCC unroll 2
            for (int j = 0; j < V; ++j) {
                Vec<T> value = alpha * acc[i][j];
                if (u.add) value += beta * (u.add_col ? load(u.add + i * u.add_row + j * W) : splat(u.add[i * u.add_row]));
                store(u.c + i * u.ldc + j * W, value);
            }
        }
        return;
    }
    T values[R][V * W];
    std::memcpy(values, acc, sizeof values);
    for (int i = 0; i < R; ++i) {
        for (int j = 0; j < cols; ++j) {
            T value = u.alpha * values[i][j];
            if (u.add) value += u.beta * u.add[i * u.add_row + j * u.add_col];
            u.c[i * u.ldc + j] = value;
        }
    }
}

template <class T, int R, int V, bool kPackedA>
void tile(int64_t k, const T* a, int64_t a_row, int64_t a_step, const T* b, int64_t b_step, int cols, const GemmUpdate<T>& u) {
    Vec<T> acc[R][V] = {};
    if constexpr (kPackedA) {
        a_row = 1;
        a_step = R;
    }
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) __builtin_prefetch(u.c + i * u.ldc, 1);
#pragma GCC unroll 2
    for (int64_t p = 0; p < k; ++p) {
        Vec<T> bv[V];
#pragma GCC unroll 2
        for (int j = 0; j < V; ++j) bv[j] = load(b + j * kWidth<T>);
#pragma GCC unroll 16
        for (int i = 0; i < R; ++i) {
            const Vec<T> av = splat(a[i * a_row]);
#pragma GCC unroll 2
            for (int j = 0; j < V; ++j) acc[i][j] += av * bv[j];
        }
        a += a_step;
        b += b_step;
    }
    write_tile<T, R, V>(acc, cols, u);
}

// Tiles of fewer rows and of one vector serve the edges: a narrow product should not pay for a wide tile.
template <class T>
using TileFunction = void (*)(int64_t, const T*, int64_t, int64_t, const T*, int64_t, int, const GemmUpdate<T>&);

template <class T, bool kPackedA, int R = kRows>
inline TileFunction<T> tile_for(int64_t rows, bool narrow) {
    if constexpr (R == 0) {
        return nullptr;
    } else {
        if (rows == R) return narrow ? tile<T, R, 1, kPackedA> : tile<T, R, 2, kPackedA>;
        return tile_for<T, kPackedA, R - 1>(rows, narrow);
    }
}

template <class T>
void run_packed(int64_t m, int64_t n, int64_t k, const T* a, const T* b, const GemmUpdate<T>& u) {
    for (int64_t j = 0; j < n; j += kCols<T>) {
        const int cols = static_cast<int>(n - j < kCols<T> ? n - j : kCols<T>);
        const bool narrow = cols <= kWidth<T>;
        const auto full = narrow ? tile<T, kRows, 1, true> : tile<T, kRows, 2, true>;
        int64_t i = 0;
        for (; i + kRows <= m; i += kRows) full(k, a + i * k, 1, kRows, b + j * k, kCols<T>, cols, u.at(i, j));
        if (i < m) tile_for<T, true>(m - i, narrow)(k, a + i * k, 1, m - i, b + j * k, kCols<T>, cols, u.at(i, j));
    }
}

template <class T>
void run_direct(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_step, const T* b, int64_t b_step, int64_t b_panel,
                const T* tail, const GemmUpdate<T>& u) {
    for (int64_t j = 0; j < n; j += kCols<T>) {
        const int cols = static_cast<int>(n - j < kCols<T> ? n - j : kCols<T>);
        const bool narrow = cols <= kWidth<T>, packed_tail = tail && cols < kCols<T>;
        const T* panel = packed_tail ? tail : b + j / kCols<T> * b_panel;
        const int64_t step = packed_tail ? kCols<T> : b_step;
        const auto full = narrow ? tile<T, kRows, 1, false> : tile<T, kRows, 2, false>;
        int64_t i = 0;
        for (; i + kRows <= m; i += kRows) full(k, a + i * a_row, a_row, a_step, panel, step, cols, u.at(i, j));
        if (i < m) tile_for<T, false>(m - i, narrow)(k, a + i * a_row, a_row, a_step, panel, step, cols, u.at(i, j));
    }
}

// ---- packing

struct HalfBits {
    uint16_t bits;
};
struct BFloatBits {
    uint16_t bits;
};

template <class T, class S>
inline T read(S value) {
    return static_cast<T>(value);
}
template <>
inline float read<float, BFloatBits>(BFloatBits value) {
    return __builtin_bit_cast(float, static_cast<uint32_t>(value.bits) << 16);
}
template <>
inline float read<float, HalfBits>(HalfBits value) {
#ifdef TAEDA_NATIVE_HALF
    return static_cast<float>(__builtin_bit_cast(NativeHalf, value.bits));
#else
    const uint32_t sign = (value.bits & 0x8000u) << 16, rest = value.bits & 0x7fffu;
    if (rest >= 0x7c00u) return __builtin_bit_cast(float, sign | 0x7f800000u | ((rest & 0x3ffu) << 13));
    // Shifting the fields into a float's place leaves the exponent's bias to a multiplication; subnormals come out right too.
    return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, rest << 13) * 0x1p112f) | sign);
#endif
}

// Writes to[p * width + i] = from[i * outer + p * inner] for i < count: `count` parallel streams, interleaved.
template <class T, class S>
inline void interleave_strided(const S* from, int64_t outer, int64_t inner, int count, int width, int64_t k, T* to) {
    for (int64_t p = 0; p < k; ++p)
        for (int i = 0; i < count; ++i) to[p * width + i] = read<T>(from[i * outer + p * inner]);
}

typedef float Quad __attribute__((vector_size(16)));

// Four streams that are contiguous along k, as 4x4 transposes in registers.
inline void interleave_four(const float* from, int64_t outer, int width, int64_t k, float* to) {
    int64_t p = 0;
    for (; p + 4 <= k; p += 4) {
        Quad r0, r1, r2, r3;
        std::memcpy(&r0, from + p, 16);
        std::memcpy(&r1, from + outer + p, 16);
        std::memcpy(&r2, from + 2 * outer + p, 16);
        std::memcpy(&r3, from + 3 * outer + p, 16);
        const Quad t0 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), t1 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
        const Quad t2 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), t3 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
        const Quad c0 = __builtin_shufflevector(t0, t2, 0, 1, 4, 5), c1 = __builtin_shufflevector(t0, t2, 2, 3, 6, 7);
        const Quad c2 = __builtin_shufflevector(t1, t3, 0, 1, 4, 5), c3 = __builtin_shufflevector(t1, t3, 2, 3, 6, 7);
        std::memcpy(to + p * width, &c0, 16);
        std::memcpy(to + (p + 1) * width, &c1, 16);
        std::memcpy(to + (p + 2) * width, &c2, 16);
        std::memcpy(to + (p + 3) * width, &c3, 16);
    }
    for (; p < k; ++p)
        for (int i = 0; i < 4; ++i) to[p * width + i] = from[i * outer + p];
}

template <class T, class S, int kFixed>
inline void copy_rows(const S* from, int64_t inner, int64_t k, T* to) {
    for (int64_t p = 0; p < k; ++p) {
#pragma GCC ivdep
        for (int i = 0; i < kFixed; ++i) to[p * kFixed + i] = read<T>(from[p * inner + i]);
    }
}

// One panel: `count` streams at distance `outer` (elements step by `inner`), interleaved into groups of `width`.
template <class T, class S, int kFixed>
void pack_panel(const S* from, int64_t outer, int64_t inner, int count, int width, int64_t k, T* to) {
    if (outer == 1 && count == kFixed && width == kFixed) return copy_rows<T, S, kFixed>(from, inner, k, to);
    if (count < width) std::memset(to, 0, sizeof(T) * static_cast<size_t>(width * k));
    int i = 0;
    if constexpr (sizeof(S) == sizeof(T) && __is_same(T, float)) {
        if (inner == 1)
            for (; i + 4 <= count; i += 4) interleave_four(from + i * outer, outer, width, k, to + i);
    } else if constexpr (__is_same(T, float)) {
        if (inner == 1 && count >= 4) {  // half types: converted by whole rows, which vectorises, then transposed
            constexpr int kChunk = 64;
            float rows[4][kChunk];
            for (; i + 4 <= count; i += 4) {
                for (int64_t p = 0; p < k; p += kChunk) {
                    const int n = static_cast<int>(k - p < kChunk ? k - p : kChunk);
                    for (int r = 0; r < 4; ++r)
                        for (int q = 0; q < n; ++q) rows[r][q] = read<float>(from[(i + r) * outer + p + q]);
                    interleave_four(rows[0], kChunk, width, n, to + p * width + i);
                }
            }
        }
    }
    if (i < count) interleave_strided(from + i * outer, outer, inner, count - i, width, k, to + i);
}

template <class T, class S>
void pack_a_from(const GemmMatrix& a, int64_t m, int64_t k, T* to) {
    const S* from = static_cast<const S*>(a.data);
    for (int64_t i = 0; i < m; i += kRows) {
        const int rows = static_cast<int>(m - i < kRows ? m - i : kRows);
        pack_panel<T, S, kRows>(from + i * a.row_stride, a.row_stride, a.col_stride, rows, rows, k, to + i * k);
    }
}

template <class T, class S>
void pack_b_from(const GemmMatrix& b, int64_t k, int64_t n, T* to) {
    const S* from = static_cast<const S*>(b.data);
    for (int64_t j = 0; j < n; j += kCols<T>) {
        const int cols = static_cast<int>(n - j < kCols<T> ? n - j : kCols<T>);
        pack_panel<T, S, kCols<T>>(from + j * b.col_stride, b.col_stride, b.row_stride, cols, kCols<T>, k, to + j * k);
    }
}

template <class T>
void pack_a(const GemmMatrix& a, int64_t m, int64_t k, T* to) {
    if constexpr (__is_same(T, float)) {
        if (a.source == GemmSource::Half) return pack_a_from<T, HalfBits>(a, m, k, to);
        if (a.source == GemmSource::BFloat16) return pack_a_from<T, BFloatBits>(a, m, k, to);
    } else if constexpr (__is_same(T, uint32_t)) {
        if (a.source == GemmSource::Int8) return pack_a_from<T, int8_t>(a, m, k, to);
        if (a.source == GemmSource::UInt8) return pack_a_from<T, uint8_t>(a, m, k, to);
        if (a.source == GemmSource::Int16) return pack_a_from<T, int16_t>(a, m, k, to);
    }
    pack_a_from<T, T>(a, m, k, to);
}

template <class T>
void pack_b(const GemmMatrix& b, int64_t k, int64_t n, T* to) {
    if constexpr (__is_same(T, float)) {
        if (b.source == GemmSource::Half) return pack_b_from<T, HalfBits>(b, k, n, to);
        if (b.source == GemmSource::BFloat16) return pack_b_from<T, BFloatBits>(b, k, n, to);
    } else if constexpr (__is_same(T, uint32_t)) {
        if (b.source == GemmSource::Int8) return pack_b_from<T, int8_t>(b, k, n, to);
        if (b.source == GemmSource::UInt8) return pack_b_from<T, uint8_t>(b, k, n, to);
        if (b.source == GemmSource::Int16) return pack_b_from<T, int16_t>(b, k, n, to);
    }
    pack_b_from<T, T>(b, k, n, to);
}

// ---- few rows: dot products and sums of rows

template <class T>
inline T sum_of(Vec<T> v) {
    T parts[kWidth<T>];
    std::memcpy(parts, &v, sizeof v);
    for (int step = kWidth<T> / 2; step > 0; step /= 2)
        for (int i = 0; i < step; ++i) parts[i] += parts[i + step];
    return parts[0];
}

// R rows of A against N rows of Bt; U independent sums for each pair hide the latency of the addition.
// One row alone waits for the memory: what comes next in the others is asked for.
template <class T, int R, int N, int U>
inline void dots(int64_t k, const T* a, int64_t lda, const T* bt, int64_t ldb, T (&sums)[R][N]) {
    constexpr int W = kWidth<T>;
    constexpr int64_t kAhead = 2048 / static_cast<int64_t>(sizeof(T));
    Vec<T> acc[U][R][N] = {};
    int64_t p = 0;
    for (; p + U * W <= k; p += U * W) {
        if constexpr (R == 1) {
#pragma GCC unroll 4
            for (int j = 0; j < N; ++j) __builtin_prefetch(bt + j * ldb + p + kAhead);
            if constexpr (N == 1) __builtin_prefetch(a + p + kAhead);
        }
#pragma GCC unroll 8
        for (int u = 0; u < U; ++u) {
            Vec<T> bv[N];
#pragma GCC unroll 4
            for (int j = 0; j < N; ++j) bv[j] = load(bt + j * ldb + p + u * W);
#pragma GCC unroll 4
            for (int i = 0; i < R; ++i) {
                const Vec<T> av = load(a + i * lda + p + u * W);
#pragma GCC unroll 4
                for (int j = 0; j < N; ++j) acc[u][i][j] += av * bv[j];
            }
        }
    }
    for (int i = 0; i < R; ++i) {
        for (int j = 0; j < N; ++j) {
            Vec<T> total = acc[0][i][j];
            for (int u = 1; u < U; ++u) total += acc[u][i][j];
            T sum = sum_of<T>(total);
            for (int64_t q = p; q < k; ++q) sum += a[i * lda + q] * bt[j * ldb + q];
            sums[i][j] = sum;
        }
    }
}

template <class T, int R>
void run_dots_rows(int64_t n, int64_t k, const T* a, int64_t lda, const T* bt, int64_t ldb, T* c, int64_t c_row, int64_t c_col, const T* add,
                   int64_t add_row, int64_t add_col, T alpha, T beta) {
    auto finish = [&](int64_t i, int64_t j, T sum) {
        T value = alpha * sum;
        if (add) value += beta * add[i * add_row + j * add_col];
        c[i * c_row + j * c_col] = value;
    };
    // A single pair is summed in the same order as in a group, so that how columns are split among threads changes nothing.
    constexpr int U = R == 1 ? 2 : 1;
    int64_t j = 0;
    for (; j + 2 <= n; j += 2) {
        T sums[R][2];
        dots<T, R, 2, U>(k, a, lda, bt + j * ldb, ldb, sums);
        for (int i = 0; i < R; ++i)
            for (int q = 0; q < 2; ++q) finish(i, j + q, sums[i][q]);
    }
    for (; j < n; ++j) {
        T sums[R][1];
        dots<T, R, 1, U>(k, a, lda, bt + j * ldb, ldb, sums);
        for (int i = 0; i < R; ++i) finish(i, j, sums[i][0]);
    }
}

template <class T>
void run_dots(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* bt, int64_t ldb, T* c, int64_t c_row, int64_t c_col, const T* add,
              int64_t add_row, int64_t add_col, T alpha, T beta) {
    const auto rows = m == 1 ? run_dots_rows<T, 1> : m == 2 ? run_dots_rows<T, 2> : m == 3 ? run_dots_rows<T, 3> : run_dots_rows<T, 4>;
    rows(n, k, a, lda, bt, ldb, c, c_row, c_col, add, add_row, add_col, alpha, beta);
}

template <class T>
void add_rows(int64_t n, int64_t k, const T* x, int64_t x_step, const T* b, int64_t ldb, T* y, T alpha) {
    int64_t p = 0;
    for (; p + 4 <= k; p += 4) {
        const T x0 = alpha * x[p * x_step], x1 = alpha * x[(p + 1) * x_step], x2 = alpha * x[(p + 2) * x_step], x3 = alpha * x[(p + 3) * x_step];
        const T *b0 = b + p * ldb, *b1 = b0 + ldb, *b2 = b1 + ldb, *b3 = b2 + ldb;
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) y[j] += (x0 * b0[j] + x1 * b1[j]) + (x2 * b2[j] + x3 * b3[j]);
    }
    for (; p < k; ++p) {
        const T xp = alpha * x[p * x_step];
        const T* row = b + p * ldb;
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) y[j] += xp * row[j];
    }
}

template <class T>
constexpr GemmKernels<T> kernels_of() {
    return {kRows, kCols<T>, pack_a<T>, pack_b<T>, run_packed<T>, run_direct<T>, run_dots<T>, add_rows<T>};
}

}  // namespace

extern const GemmTable gemm_table;
const GemmTable gemm_table = {kernels_of<float>(), kernels_of<double>(), kernels_of<uint32_t>(), kernels_of<uint64_t>()};

}  // namespace taeda::cpu::TAEDA_ISA
