// Reductions: a table of rules (start, step, join, merge, finish, accumulation type) and one driver that runs any rule
// over any dimensions of any strided tensor.
//
// A rule only ever sees contiguous tiles of one compute type: either a run of elements that belong to one result (`row`),
// or rows of a tile whose columns belong to neighbouring results (`columns`). The driver does the rest: the order of
// dimensions, strides, conversion, threads. How the elements are grouped depends on the shapes alone, so results do not
// depend on the number of threads.
#pragma once

#include "cpu/isa.h"
#include "tensor/tensor.h"

namespace taeda::cpu {

enum class Reduction : uint8_t {
    Sum,     // divided by `p`
    NanSum,  // NaN counts as zero
    Prod,
    Max,  // NaN wins
    Min,
    Any,
    All,
    CountNonzero,
    SumAbs,      // the 1-norm
    SumSquares,  // the 2-norm: finishes with the root
    SumPow,      // the p-norm: finishes with the p-th root
    Moments,     // variance with correction `p`, and the mean
    Extremes,    // the least, and the largest
    ArgMax,      // the first index, and the value
    ArgMin,
    CountNumbers,  // how many are not NaN
};
inline constexpr int kReductions = 16;

enum class ReduceType : uint8_t { Byte, Int64, Float, Double, ComplexFloat, ComplexDouble };
inline constexpr int kReduceTypes = 6;

// `acc` holds accumulators for `cap` results; `slot` is one of them, `first` the index of the first element along the
// reduced dimension. `rows` adds rows of at most kReduceTile elements, `row_step` elements apart, to the slots from `slot` on:
// one call for many short ones.
struct ReduceKernels {
    int64_t slot_bytes = 0;  // 0: the rule does not exist for the type
    void (*init)(void* acc, int64_t cap) = nullptr;
    void (*rows)(void* acc, int64_t cap, int64_t slot, const void* x, int64_t row_step, int64_t rows, int64_t n, double p) = nullptr;
    void (*row)(void* acc, int64_t cap, int64_t slot, const void* x, int64_t n, int64_t first, double p) = nullptr;
    void (*columns)(void* acc, int64_t cap, const void* x, int64_t row_step, int64_t rows, int64_t cols, int64_t first, double p) = nullptr;
    void (*merge)(void* acc, const void* later, int64_t cap, int64_t n) = nullptr;
    void (*finish)(void* out, void* second, const void* acc, int64_t cap, int64_t n, double p) = nullptr;
    DType result = DType::Float32;  // of `out`
    DType second = DType::Float32;  // of `second`, for Moments, Extremes, ArgMax and ArgMin
};

struct ReduceTable {
    ReduceKernels kernels[kReductions][kReduceTypes];
};
TAEDA_DECLARE_ISA(ReduceTable, reduce_table)

inline constexpr int64_t kReduceTile = 4096;    // elements that a tile holds at most
inline constexpr int64_t kReduceColumns = 512;  // columns of a tile at most

// Which dimensions are reduced: bit d.
using DimMask = uint64_t;
DimMask dim_mask(IntList dims, int64_t ndim);                        // wraps and checks
DimMask dim_mask_or_all(std::optional<IntList> dims, int64_t ndim);  // none, or an empty list: all
Shape reduced_shape(IntList sizes, DimMask mask, bool keepdim);
int64_t reduced_count(const Tensor& input, DimMask mask);

// Reduces `input`, read as `as`, into `out` (and `second`): contiguous tensors with the kept dimensions in order.
void run_reduction(Reduction kind, const Tensor& input, DType as, DimMask mask, double p, const Tensor& out, const Tensor& second = {});
bool has_reduction(Reduction kind, DType as);

// ---- reductions that other kernels call

Tensor sum(const Tensor& input, std::optional<IntList> dim, bool keepdim, std::optional<DType> dtype);
Tensor mean(const Tensor& input, std::optional<IntList> dim, bool keepdim, std::optional<DType> dtype);
Tensor amax(const Tensor& input, IntList dim, bool keepdim);
Tensor amin(const Tensor& input, IntList dim, bool keepdim);

}  // namespace taeda::cpu
