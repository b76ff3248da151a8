// Matrix products C = alpha * A B + beta * D on strided memory: the one engine below mm, bmm, linear and convolutions.
//
// Operands are described by a pointer and two strides, so a transposed matrix is never copied: packing reads it as it is.
// This header is included by code that is built per instruction set, so it holds plain structs only.
#pragma once

#include <cstdint>

namespace taeda::cpu {

// What an operand's memory holds; packing converts it to the type that is computed in.
enum class GemmSource : uint8_t { Same, Half, BFloat16, Int8, UInt8, Int16 };

struct GemmMatrix {
    const void* data = nullptr;
    int64_t row_stride = 0;  // in elements of the source
    int64_t col_stride = 0;
    GemmSource source = GemmSource::Same;
    int item_size = 4;  // bytes of a source element

    GemmMatrix at(int64_t row, int64_t col) const {
        GemmMatrix moved = *this;
        moved.data = static_cast<const char*>(data) + (row * row_stride + col * col_stride) * item_size;
        return moved;
    }
    GemmMatrix transposed() const {
        GemmMatrix t = *this;
        t.row_stride = col_stride;
        t.col_stride = row_stride;
        return t;
    }
};

// c = alpha * product + beta * add. `c` has unit column stride; `add` may be null, `c` itself, or any strided matrix (a
// bias has row stride 0). Where it is null, what `c` held is ignored, NaN included.
template <class T>
struct GemmUpdate {
    T* c = nullptr;
    int64_t ldc = 0;
    const T* add = nullptr;
    int64_t add_row = 0, add_col = 0;
    T alpha = T(1), beta = T(1);

    GemmUpdate at(int64_t row, int64_t col) const {
        GemmUpdate moved = *this;
        moved.c += row * ldc + col;
        if (add) moved.add += row * add_row + col * add_col;
        return moved;
    }
    // The same, for the second and further blocks of the summed dimension: on top of what is there.
    GemmUpdate accumulating() const {
        GemmUpdate next = *this;
        next.add = c;
        next.add_row = ldc;
        next.add_col = 1;
        next.beta = T(1);
        return next;
    }
};

// One instruction set's kernels for one type.
//
// Packed A: panels of `mr` rows, in each the rows of one k side by side; the last panel is only as wide as the rows that
// are left. Packed B: panels of `nr` columns, the last one padded with zeros.
template <class T>
struct GemmKernels {
    int mr, nr;
    void (*pack_a)(const GemmMatrix& a, int64_t m, int64_t k, T* to);
    void (*pack_b)(const GemmMatrix& b, int64_t k, int64_t n, T* to);
    // Both operands packed.
    void (*run_packed)(int64_t m, int64_t n, int64_t k, const T* a, const T* b, const GemmUpdate<T>& update);
    // A in place with any strides; B packed (b_step = nr, b_panel = nr * k), or in place with unit column stride
    // (b_step = its row stride, b_panel = nr), then read for whole panels only: `tail` is the last panel, packed.
    void (*run_direct)(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_step, const T* b, int64_t b_step, int64_t b_panel,
                       const T* tail, const GemmUpdate<T>& update);
    // C[i, j] = alpha * <row i of A, row j of Bt> + ..., both contiguous along k, m at most 4. Writes c[i * c_row + j * c_col].
    void (*run_dots)(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* bt, int64_t ldb, T* c, int64_t c_row, int64_t c_col,
                     const T* add, int64_t add_row, int64_t add_col, T alpha, T beta);
    // y += alpha * x[p] * row p of B, for all p: a vector times a row-major matrix.
    void (*add_rows)(int64_t n, int64_t k, const T* x, int64_t x_step, const T* b, int64_t ldb, T* y, T alpha);
};

// Integers are unsigned: sums wrap around, as PyTorch's do, without undefined behaviour.
struct GemmTable {
    GemmKernels<float> of_float;
    GemmKernels<double> of_double;
    GemmKernels<uint32_t> of_uint32;
    GemmKernels<uint64_t> of_uint64;
};

template <class T>
struct Gemm {
    int64_t m = 0, n = 0, k = 0;
    GemmMatrix a, b;
    GemmUpdate<T> update;
};

template <class T>
const GemmKernels<T>& gemm_kernels();

// Works for float, double, uint32_t and uint64_t. Computes it, in as many threads as it is worth. The result does not depend on their number.
template <class T>
void gemm(const Gemm<T>& job);

// `batch` products whose operands lie at fixed distances, in elements.
template <class T>
void gemm_batch(const Gemm<T>& first, int64_t batch, int64_t a_distance, int64_t b_distance, int64_t c_distance, int64_t add_distance);

// The product in the calling thread.
template <class T>
void gemm_serial(const Gemm<T>& job);

inline constexpr int64_t kGemmBlockK = 384;  // summed in blocks of this: a panel of B (24 KiB) stays in the first-level cache
inline constexpr int64_t kGemmBlockM = 144;  // rows of A packed at once: they stay in the second-level cache
inline constexpr int64_t kGemmBlockN = 3072;

}  // namespace taeda::cpu
