#include "cpu/blocks.h"

#include "cpu/convert.h"
#include "cpu/stream.h"
#include "cpu/strided.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kFetchAheadFrom = int64_t{1} << 20;  // bytes of a result
constexpr int64_t kAheadElements = 512;                // of a block then: as many lines as can be on their way at once
constexpr int64_t kTile = 32;                          // side of the square blocks for operands that are transposed against each other

// How one operand gets to the body and back. Its first three strides are those inside a block.
struct Lane {
    char* data;
    int64_t strides[3];
    int64_t item;
    ConvertBlock convert;  // null: memory already holds the compute type
    bool is_run;           // a full block is one contiguous run in memory
};

// One dimension of the grid of blocks: `count` blocks that are `step` elements apart.
struct GridDim {
    int64_t count;
    int64_t step;
};

struct Walk {
    const BlockLoop* loop;
    Lane lanes[kMaxOperands];
    int n_operands;
    int64_t box[3];  // sizes of a full block
    SmallVector<GridDim, 5> grid;
    int64_t n_blocks;
    bool streamed;  // full blocks of the result are written past the caches
    bool ahead;     // the next block is fetched from memory while this one is computed with
};

int64_t size_or_one(const LoopPlan& plan, size_t d) { return d < plan.sizes.size() ? plan.sizes[d] : 1; }
int64_t stride_or_zero(const LoopPlan& plan, int k, size_t d) { return d < plan.sizes.size() ? plan.byte_strides[k][d] : 0; }

bool has_transposed_operand(const LoopPlan& plan) {
    if (plan.sizes.size() < 2 || plan.sizes[0] < kTile) return false;
    for (int k = 0; k < plan.n_operands; ++k) {
        int64_t inner = std::abs(plan.byte_strides[k][0]), outer = std::abs(plan.byte_strides[k][1]);
        if (outer != 0 && outer < inner) return true;
    }
    return false;
}

void choose_box(Walk& walk, int64_t limit) {
    const LoopPlan& plan = walk.loop->plan;
    int64_t first = has_transposed_operand(plan) ? kTile : limit;
    walk.box[0] = std::min(plan.sizes[0], first);
    bool full = walk.box[0] == plan.sizes[0] || first == kTile;
    walk.box[1] = full ? std::clamp<int64_t>(limit / walk.box[0], 1, size_or_one(plan, 1)) : 1;
    full = walk.box[0] == plan.sizes[0] && walk.box[1] == size_or_one(plan, 1);
    walk.box[2] = full ? std::clamp<int64_t>(limit / (walk.box[0] * walk.box[1]), 1, size_or_one(plan, 2)) : 1;
    walk.n_blocks = 1;
    for (size_t d = 0; d < plan.sizes.size(); ++d) {
        int64_t step = d < 3 ? walk.box[d] : 1;
        walk.grid.push_back({(plan.sizes[d] + step - 1) / step, step});
        walk.n_blocks *= walk.grid.back().count;
    }
}

void describe_lane(Walk& walk, int k) {
    Lane& lane = walk.lanes[k];
    const BlockLoop& loop = *walk.loop;
    lane.data = loop.plan.data[k];
    lane.item = static_cast<int64_t>(item_size(loop.memory[k]));
    lane.is_run = true;
    int64_t expected = lane.item;
    for (size_t d = 0; d < 3; ++d) {
        lane.strides[d] = stride_or_zero(loop.plan, k, d);
        lane.is_run &= walk.box[d] == 1 || lane.strides[d] == expected;
        expected *= walk.box[d];
    }
    DType from = k ? loop.memory[k] : loop.compute[k], to = k ? loop.compute[k] : loop.memory[k];
    lane.convert = from == to ? nullptr : converter(to, from);
}

// Where block number `index` lies: its sizes, and its offset in each operand.
void locate(const Walk& walk, int64_t index, int64_t n[3], char** at) {
    const LoopPlan& plan = walk.loop->plan;
    for (int k = 0; k < walk.n_operands; ++k) at[k] = walk.lanes[k].data;
    n[0] = n[1] = n[2] = 1;
    for (size_t d = 0; d < walk.grid.size(); ++d) {
        const GridDim& dim = walk.grid[d];
        int64_t first = 0;
        if (dim.count > 1) {
            first = index % dim.count * dim.step;
            index /= dim.count;
            for (int k = 0; k < walk.n_operands; ++k) at[k] += first * plan.byte_strides[k][d];
        }
        if (d < 3) n[d] = std::min(dim.step, plan.sizes[d] - first);
    }
}

// Whether this block, perhaps one at the edge and so smaller than a full one, is a contiguous run in the lane's memory.
bool is_run_here(const Lane& lane, const int64_t box[3], const int64_t n[3]) {
    if (!lane.is_run) return false;
    if (n[0] != box[0]) return n[1] == 1 && n[2] == 1;
    return n[1] == box[1] || n[2] == 1;
}

struct Stages {
    alignas(64) char stage[kMaxOperands][kBlockElements * 8];
    alignas(64) char raw[kBlockElements * 8];  // gathered, not yet converted
    // What each stage holds: an operand that repeats along the outer dimensions is not fetched again for every block.
    const char* held[kMaxOperands] = {};
    int64_t held_n[3] = {0, 0, 0};
};

void dense_strides(const int64_t n[3], int64_t item, int64_t strides[3]) {
    strides[0] = item;
    strides[1] = n[0] * item;
    strides[2] = n[0] * n[1] * item;
}

// Operands beyond the caches: without this, each block of each operand begins by waiting. The block after the next one, because
// a block takes about as long as the memory does.
void fetch_ahead(const char* from, int64_t n_bytes) {
    for (int64_t at = 0; at < n_bytes; at += 64) __builtin_prefetch(from + at);
}

const void* fetch(const Lane& lane, const char* at, bool is_run, const int64_t n[3], int64_t total, char* stage, char* raw) {
    if (is_run && !lane.convert) return at;
    const void* source = at;
    if (!is_run) {
        char* target = lane.convert ? raw : stage;
        int64_t dense[3];
        dense_strides(n, lane.item, dense);
        move_box(target, dense, at, lane.strides, n, static_cast<size_t>(lane.item));
        if (!lane.convert) return stage;
        source = raw;
    }
    lane.convert(stage, source, total);
    return stage;
}

void put_back(const Lane& lane, char* at, bool is_run, bool streamed, const int64_t n[3], int64_t total, const char* stage, char* raw) {
    if (is_run) {
        if (lane.convert) lane.convert(streamed ? raw : at, stage, total);
        if (streamed) stream_out(at, lane.convert ? raw : stage, total * lane.item);
        return;
    }
    const char* source = stage;
    if (lane.convert) {
        lane.convert(raw, stage, total);
        source = raw;
    }
    int64_t dense[3];
    dense_strides(n, lane.item, dense);
    move_box(at, lane.strides, source, dense, n, static_cast<size_t>(lane.item));
}

void run_block(const Walk& walk, int64_t index, Stages& stages, BlockBody body, const void* context) {
    int64_t n[3];
    char* at[kMaxOperands];
    locate(walk, index, n, at);
    int64_t total = n[0] * n[1] * n[2];
    const void* in[kMaxOperands];
    if (!std::equal(n, n + 3, stages.held_n)) {
        std::copy(n, n + 3, stages.held_n);
        std::fill(std::begin(stages.held), std::end(stages.held), nullptr);
    }
    for (int k = 1; k < walk.n_operands; ++k) {
        if (stages.held[k] == at[k]) {
            in[k - 1] = stages.stage[k];
            continue;
        }
        const bool is_run = is_run_here(walk.lanes[k], walk.box, n);
        if (walk.ahead && is_run) fetch_ahead(at[k] + 2 * total * walk.lanes[k].item, total * walk.lanes[k].item);
        in[k - 1] = fetch(walk.lanes[k], at[k], is_run, n, total, stages.stage[k], stages.raw);
        stages.held[k] = in[k - 1] == stages.stage[k] ? at[k] : nullptr;
    }
    bool out_is_run = is_run_here(walk.lanes[0], walk.box, n);
    bool direct = out_is_run && !walk.lanes[0].convert && !walk.streamed;
    body(context, direct ? at[0] : stages.stage[0], in, total);
    if (!direct) put_back(walk.lanes[0], at[0], out_is_run, walk.streamed, n, total, stages.stage[0], stages.raw);
}

bool worth_streaming(const Walk& walk) {
    const Lane& out = walk.lanes[0];
    if (!kCanStream || !out.is_run || walk.loop->plan.numel * out.item < kStreamFrom) return false;
    for (int k = 1; k < walk.n_operands; ++k)
        if (walk.lanes[k].data == out.data) return false;  // in place: the line has been read anyhow
    return true;
}

// ---- operands that are transposed against the result, as in a + b.t()
//
// A panel is as many rows of the result as a cache line has elements. What lies across it in memory is turned into its
// shape first; everything else is read, and the result written, where it is.

constexpr int64_t kPanelColumns = 256;

struct Panels {
    const BlockLoop* loop;
    int64_t item;
    int64_t rows, columns;        // of a full panel
    int64_t n_down, n_across;     // panels below and beside each other
    int64_t n_outer;              // of the further dimensions
    bool crosses[kMaxOperands];   // lies across
    bool is_dense[kMaxOperands];  // its rows follow each other without gaps
};

bool fits_panels(const BlockLoop& loop, Panels& panels) {
    const LoopPlan& plan = loop.plan;
    if (plan.sizes.size() < 2 || plan.sizes[0] < 8 || plan.sizes[1] < 8) return false;
    panels.item = static_cast<int64_t>(item_size(loop.memory[0]));
    if (panels.item != 4 && panels.item != 8) return false;
    bool some = false;
    for (int k = 0; k < plan.n_operands; ++k) {
        const int64_t inner = plan.byte_strides[k][0], outer = plan.byte_strides[k][1];
        if (loop.memory[k] != loop.compute[k] || static_cast<int64_t>(item_size(loop.memory[k])) != panels.item) return false;
        panels.crosses[k] = inner != panels.item;
        panels.is_dense[k] = outer == plan.sizes[0] * inner;
        if (panels.crosses[k] && (k == 0 || outer != panels.item || inner < panels.item)) return false;
        some |= panels.crosses[k];
    }
    panels.loop = &loop;
    panels.rows = 64 / panels.item;
    panels.columns = std::min(plan.sizes[0], kPanelColumns);
    panels.n_down = (plan.sizes[1] + panels.rows - 1) / panels.rows;
    panels.n_across = (plan.sizes[0] + panels.columns - 1) / panels.columns;
    panels.n_outer = plan.numel / (plan.sizes[0] * plan.sizes[1]);
    return some;
}

void run_panel(const Panels& panels, int64_t index, char (*turned)[kPanelColumns * 64], BlockBody body, const void* context) {
    const LoopPlan& plan = panels.loop->plan;
    const int64_t first_column = index % panels.n_across * panels.columns, first_row = index / panels.n_across % panels.n_down * panels.rows;
    const int64_t rows = std::min(panels.rows, plan.sizes[1] - first_row), columns = std::min(panels.columns, plan.sizes[0] - first_column);
    const int64_t row_bytes = columns * panels.item;
    char* at[kMaxOperands];
    int64_t step[kMaxOperands];
    for (int k = 0; k < plan.n_operands; ++k) at[k] = plan.data[k] + first_row * plan.byte_strides[k][1] + first_column * plan.byte_strides[k][0];
    int64_t outer = index / (panels.n_across * panels.n_down);
    for (size_t d = 2; d < plan.sizes.size(); ++d) {
        for (int k = 0; k < plan.n_operands; ++k) at[k] += outer % plan.sizes[d] * plan.byte_strides[k][d];
        outer /= plan.sizes[d];
    }
    bool dense = columns == plan.sizes[0];
    for (int k = 0; k < plan.n_operands; ++k) {
        step[k] = panels.crosses[k] ? row_bytes : plan.byte_strides[k][1];
        dense &= panels.crosses[k] || panels.is_dense[k];
        if (!panels.crosses[k]) continue;
        const int64_t to[3] = {panels.item, row_bytes, 0}, from[3] = {plan.byte_strides[k][0], panels.item, 0}, n[3] = {columns, rows, 1};
        move_box(turned[k], to, at[k], from, n, static_cast<size_t>(panels.item));
        at[k] = turned[k];
    }
    const int64_t at_once = dense ? std::max<int64_t>(block_elements(static_cast<size_t>(panels.item)) / columns, 1) : 1;
    for (int64_t row = 0; row < rows; row += at_once) {
        const void* in[kMaxOperands];
        for (int k = 1; k < plan.n_operands; ++k) in[k - 1] = at[k] + row * step[k];
        body(context, at[0] + row * step[0], in, std::min(at_once, rows - row) * columns);
    }
}

void run_panels(const Panels& panels, BlockBody body, const void* context) {
    ReleaseHostLock unlocked(panels.loop->plan.numel >= kReleaseLockFrom);
    const int64_t grain = std::max<int64_t>(panels.loop->grain / (panels.rows * panels.columns), 1);
    parallel_for(0, panels.n_down * panels.n_across * panels.n_outer, grain, [&](int64_t first, int64_t last) {
        alignas(64) char turned[kMaxOperands][kPanelColumns * 64];
        for (int64_t index = first; index < last; ++index) run_panel(panels, index, turned, body, context);
    });
}

}  // namespace

void run_blocks(const BlockLoop& loop, BlockBody body, const void* context) {
    if (loop.plan.numel == 0) return;
    if (Panels panels; fits_panels(loop, panels)) return run_panels(panels, body, context);
    Walk walk;
    walk.loop = &loop;
    walk.n_operands = loop.plan.n_operands;
    size_t widest = 1;
    for (int k = 0; k < walk.n_operands; ++k) widest = std::max({widest, item_size(loop.memory[k]), item_size(loop.compute[k])});
    walk.ahead = loop.plan.numel * static_cast<int64_t>(item_size(loop.memory[0])) >= kFetchAheadFrom && !has_transposed_operand(loop.plan);
    choose_box(walk, walk.ahead ? std::min(kAheadElements, block_elements(widest)) : block_elements(widest));
    for (int k = 0; k < walk.n_operands; ++k) describe_lane(walk, k);
    walk.streamed = worth_streaming(walk);
    int64_t per_block = walk.box[0] * walk.box[1] * walk.box[2];
    ReleaseHostLock unlocked(loop.plan.numel >= kReleaseLockFrom);
    parallel_for(0, walk.n_blocks, std::max<int64_t>(loop.grain / per_block, 1), [&](int64_t first, int64_t last) {
        Stages stages;
        for (int64_t index = first; index < last; ++index) run_block(walk, index, stages, body, context);
        if (walk.streamed) finish_streaming();
    });
}

}  // namespace taeda::cpu
