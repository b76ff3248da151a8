// Walking strided operands of any dtype in blocks that stay in the first-level cache.
//
// The body of a loop only sees contiguous arrays of the types it asks for. What is not such an array is gathered and
// converted into a stage first, and the result is converted and scattered afterwards. A block is a box of up to three
// inner dimensions, so that short rows (three colours, say) do not cost a call each.
#pragma once

#include "tensor/loop_plan.h"

namespace taeda::cpu {

inline constexpr int64_t kBlockElements = 1024;     // of at most 8 bytes; half as many of 16
inline constexpr int64_t kParallelGrain = 16384;    // elements below which a thread is not worth waking
inline constexpr int64_t kReleaseLockFrom = 32768;  // elements from which other host threads may run meanwhile

constexpr int64_t block_elements(size_t widest_item) { return widest_item > 8 ? kBlockElements / 2 : kBlockElements; }

struct BlockLoop {
    LoopPlan plan;                            // operand 0 is written
    std::array<DType, kMaxOperands> memory;   // what each operand holds
    std::array<DType, kMaxOperands> compute;  // what the body sees of it
    int64_t grain = kParallelGrain;
};

// out[i] = f(in[0][i], ...) for i < n, n <= block_elements(...); may run on several threads at once.
using BlockBody = void (*)(const void* context, void* out, const void* const* in, int64_t n);

void run_blocks(const BlockLoop& loop, BlockBody body, const void* context);

}  // namespace taeda::cpu
