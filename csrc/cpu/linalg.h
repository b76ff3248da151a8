// What the factorizations share: checks with PyTorch's phrases, matrices in LAPACK's layout, loops over batches, and errors.
#pragma once

#include <functional>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/lapack.h"
#include "cpu/scratch.h"
#include "tensor/views.h"

namespace taeda::cpu {

// ---- checks; `name` is what messages start with: "linalg.inv"

void check_matrix(const char* name, const Tensor& t, const char* argument = "A");
void check_square(const char* name, const Tensor& t, const char* argument = "A");
// float32, float64 and complex numbers; half types are refused in PyTorch's words.
void check_lapack_dtype(const char* name, const Tensor& t, bool refuse_half = true);

// ---- layout: column-major matrices, one behind the other

inline int64_t rows_of(const Tensor& t) { return t.sizes()[static_cast<size_t>(t.dim() - 2)]; }
inline int64_t cols_of(const Tensor& t) { return t.sizes()[static_cast<size_t>(t.dim() - 1)]; }
inline int as_int(int64_t n) {
    TAEDA_CHECK(n <= INT32_MAX, "a matrix with a dimension of ", n, " is larger than LAPACK can address");
    return static_cast<int>(n);
}
inline int leading(int64_t rows) { return std::max(1, as_int(rows)); }

Shape batch_of(const Tensor& t);                // the sizes before the last two
Shape with_sizes(IntList batch, IntList last);  // batch, then last
// Uninitialised, with the strides that LAPACK wants.
Tensor empty_matrices(IntList batch, int64_t m, int64_t n, DType dtype, Device device);
Tensor column_major(const Tensor& t);                      // a copy that may be overwritten
Tensor column_major(const Tensor& t, IntList batch);       // with the batch expanded
Tensor read_column_major(const Tensor& t, IntList batch);  // itself where it already is
void conjugate(const Tensor& column_major);                // in place; nothing for real numbers
void fill_identity(const Tensor& t);                       // ones on the diagonals, zeros elsewhere
Tensor zero_infos(IntList batch, Device device);           // int32

// The matrices of a batch by number.
template <class T>
struct Matrices {
    T* first;
    int64_t step;

    explicit Matrices(const Tensor& t) : first(t.defined() ? t.data<T>() : nullptr), step(t.defined() ? rows_of(t) * cols_of(t) : 0) {}
    T* operator[](int64_t k) const { return first ? first + k * step : nullptr; }
};

// ---- loops

inline constexpr int64_t kLapackCallers = 64;  // OpenBLAS has room for as many threads at once; more would end the process

// From how many operations on the library's threads pay: where nearly all are products of blocks; where some are products of a
// matrix and a vector, which wait for the memory (eigenvalues); where most of what is not waiting is short (Householder's vectors).
inline constexpr double kThreadsForBlocks = 5e7, kThreadsForVectors = 5e8, kThreadsForReflections = 2e9;

// Calls f(first, last) for pieces of a batch, in taeda's threads; a single large matrix gets the library's.
// `flops` is about what one matrix takes.
template <class F>
void for_matrices(int64_t count, double flops, double threads_from, F&& f) {
    if (count == 0) return;
    ReleaseHostLock unlock(static_cast<double>(count) * flops > 2e5);
    if (count == 1) {
        LapackThreads threads(flops > threads_from && !in_parallel_region() ? num_threads() : 1);
        return f(int64_t{0}, int64_t{1});
    }
    LapackThreads threads(1);
    const auto worthwhile = static_cast<int64_t>(1e5 / (flops + 500));
    parallel_for(0, count, std::max({int64_t{1}, worthwhile, (count + kLapackCallers - 1) / kLapackCallers}), f);
}

inline double cubed(int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

// Room for a routine's work, of the size that it asks for when called with lwork = -1: query(T* answer) makes that call.
template <class T, class F>
int asked_work(F&& query) {
    T answer[4] = {};
    query(answer);
    return std::max(1, static_cast<int>(std::real(answer[0])));
}

// ---- errors

// LinAlgError for the first info that is not zero: "linalg.inv: (Batch element 1): " and what `phrase` makes of the number.
void check_infos(const Tensor& infos, const char* name, const std::function<std::string(int)>& phrase);

}  // namespace taeda::cpu
