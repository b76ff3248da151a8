// The driver of the reductions: how the elements of a strided tensor are grouped into tiles, and who runs them.
#include <algorithm>
#include <memory>
#include <numeric>

#include "base/parallel.h"
#include "cpu/convert.h"
#include "cpu/reduce.h"
#include "cpu/strided.h"

namespace taeda::cpu {

namespace {

struct Axis {
    int64_t size;
    int64_t step;  // of the input, in bytes
    int64_t out;   // of the result, in elements
};
using Axes = SmallVector<Axis, 5>;

constexpr int64_t kSplitFrom = 65536;    // elements below which a reduction is never cut into chunks
constexpr int64_t kChunk = 65536;        // elements of a chunk, about
constexpr int64_t kEnoughTasks = 32;     // results (or tiles of them) that keep all threads busy without chunks
constexpr int64_t kRowBatch = 64;        // results that a task of the row kind computes
constexpr int64_t kRowElements = 16384;  // elements of such a task, where the rows are long
constexpr int64_t kShortRun = 64;        // contiguous runs below this are gathered into a tile
constexpr int64_t kReleaseLockFrom = 32768;

struct Plan {
    const ReduceKernels* kernels;
    double p;
    DType memory, compute;  // of the elements
    size_t item, compute_item;
    const char* data;
    Axes kept, reduced;     // outermost first, each at least one axis
    int64_t n_reduced = 1;  // elements that make one result
    bool by_columns = false;
    bool by_rows = false;
    int64_t batch = 1;    // results of a task
    int64_t batches = 1;  // tasks along the innermost kept axis
    int64_t tasks = 1;
    int64_t chunk = 1, chunks = 1;  // of the reduced elements
    char* out;
    char* second;
    DType out_dtype, second_dtype;
};

Axes merged(const Axes& axes, bool with_out) {
    Axes result;
    for (const Axis& axis : axes) {
        if (!result.empty() && result.back().step == axis.step * axis.size && (!with_out || result.back().out == axis.out * axis.size))
            result.back() = {result.back().size * axis.size, axis.step, axis.out};
        else result.push_back(axis);
    }
    if (result.empty()) result.push_back({1, 0, 0});
    return result;
}

void sort_axes(Axes& axes) {  // a stable insertion sort: there are hardly ever more than four
    for (size_t i = 1; i < axes.size(); ++i)
        for (size_t j = i; j > 0 && std::abs(axes[j - 1].step) < std::abs(axes[j].step); --j) std::swap(axes[j - 1], axes[j]);
}

void plan_axes(Plan& plan, const Tensor& input, DimMask mask) {
    const int64_t ndim = input.dim(), item = static_cast<int64_t>(plan.item);
    int64_t out_stride = 1;
    Axes kept, reduced;
    for (int64_t d = ndim - 1; d >= 0; --d) {
        int64_t size = input.sizes()[d], step = input.strides()[d] * item;
        bool reduces = mask >> d & 1;
        if (reduces) plan.n_reduced *= size;
        if (size != 1) (reduces ? reduced : kept).push_back({size, step, reduces ? 0 : out_stride});
        if (!reduces) out_stride *= size;
    }
    std::reverse(kept.begin(), kept.end());
    std::reverse(reduced.begin(), reduced.end());
    sort_axes(kept);
    sort_axes(reduced);
    plan.kept = merged(kept, true);
    plan.reduced = merged(reduced, false);
}

// Columns pay where the results lie next to each other in memory, or where each has very few elements.
bool prefers_columns(const Plan& plan, int64_t n_results) {
    const Axis &kept = plan.kept.back(), &reduced = plan.reduced.back();
    if (n_results == 1 || kept.size < 4) return false;
    bool kept_is_inner = std::abs(kept.step) < std::abs(reduced.step) || reduced.size == 1;
    if (kept_is_inner && kept.size >= 8) return true;
    return plan.n_reduced < 32 && kept.size >= 16;
}

void plan_tasks(Plan& plan, int64_t n_results) {
    const int64_t inner = plan.kept.back().size, run = std::max<int64_t>(1, plan.reduced.back().size);
    plan.by_columns = prefers_columns(plan, n_results);
    plan.by_rows = !plan.by_columns && inner > 1 && run <= kReduceTile;
    plan.batch = std::min(inner, plan.by_columns ? kReduceColumns : plan.by_rows ? std::clamp<int64_t>(kRowElements / run, 1, kRowBatch) : 1);
    plan.batches = (inner + plan.batch - 1) / plan.batch;
    plan.tasks = plan.batches * (n_results / inner);
    plan.chunk = plan.n_reduced;
    const int64_t parallel_results = plan.by_columns || run < plan.n_reduced ? plan.tasks : n_results;
    if (parallel_results >= kEnoughTasks || n_results * plan.n_reduced <= kSplitFrom) return;
    plan.chunk = plan.by_columns ? std::max<int64_t>(kChunk / plan.batch, 64) : kChunk;
    if (plan.by_rows) plan.chunk = (kChunk / plan.batch + run - 1) / run * run;
    plan.chunks = std::max<int64_t>(1, (plan.n_reduced + plan.chunk - 1) / plan.chunk);
}

// Where element `flat` of some axes begins, and the index along each of them.
int64_t locate(const Axes& axes, int64_t flat, Shape& index) {
    int64_t offset = 0;
    index.resize(axes.size());
    for (size_t d = axes.size(); d-- > 0;) {
        index[d] = flat % axes[d].size;
        flat /= axes[d].size;
        offset += index[d] * axes[d].step;
    }
    return offset;
}

// Steps over the outer axes, leaving the innermost alone; says how far.
int64_t advance(const Axes& axes, Shape& index) {
    int64_t moved = 0;
    for (size_t d = axes.size() - 1; d-- > 0;) {
        moved += axes[d].step;
        if (++index[d] < axes[d].size) return moved;
        moved -= axes[d].size * axes[d].step;
        index[d] = 0;
    }
    return moved;
}

class Tiles {
public:
    explicit Tiles(const Plan& plan) : plan_(plan), convert_(plan.memory == plan.compute ? nullptr : converter(plan.compute, plan.memory)) {}

    // The reduced elements [begin, end) of one result, which starts at `base`.
    void row(void* acc, int64_t slot, const char* base, int64_t begin, int64_t end) {
        const Axis& inner = plan_.reduced.back();
        Shape index;
        const char* at = base + locate(plan_.reduced, begin, index);
        const bool direct = !convert_ && inner.step == static_cast<int64_t>(plan_.item);
        int64_t filled = 0, first = begin;
        for (int64_t done = begin; done < end;) {
            int64_t run = std::min(inner.size - index[plan_.reduced.size() - 1], end - done);
            if (direct && filled == 0 && (run >= kShortRun || run == end - done)) {
                feed(acc, slot, at, run, done);
            } else {
                for (int64_t i = 0; i < run;) {
                    int64_t n = std::min(run - i, kReduceTile - filled);
                    if (filled == 0) first = done + i;
                    gather(filled, at + i * inner.step, inner.step, n);
                    i += n;
                    if ((filled += n) == kReduceTile) flush(acc, slot, filled, first);
                }
            }
            done += run;
            if (done >= end) break;
            at -= index[plan_.reduced.size() - 1] * inner.step;
            index[plan_.reduced.size() - 1] = 0;
            at += advance(plan_.reduced, index);
        }
        if (filled) flush(acc, slot, filled, first);
    }

    // The reduced elements [begin, end), whole runs of the innermost axis, of `count` neighbouring results that start at `base`.
    // One run of all of them comes before the next one, because that is mostly how they lie in memory.
    void rows(void* acc, const char* base, int64_t count, int64_t begin, int64_t end) {
        const Axis &inner = plan_.reduced.back(), &kept = plan_.kept.back();
        const int64_t item = static_cast<int64_t>(plan_.item);
        const bool direct = !convert_ && inner.step == item && kept.step % item == 0;
        const int64_t at_once = direct ? count : std::max<int64_t>(1, kReduceTile / inner.size);
        Shape index;
        const char* at = base + locate(plan_.reduced, begin, index);
        for (int64_t done = begin; done < end; done += inner.size) {
            for (int64_t r = 0; r < count; r += at_once) {
                const int64_t m = std::min(at_once, count - r);
                if (!direct) gather_rows(at + r * kept.step, m);
                plan_.kernels->rows(acc, plan_.batch, r, direct ? at : tile_, direct ? kept.step / item : inner.size, m, inner.size, plan_.p);
            }
            at += advance(plan_.reduced, index);
        }
    }

    // The reduced elements [begin, end) of `cols` neighbouring results, the first of which starts at `base`.
    void columns(void* acc, const char* base, int64_t cols, int64_t begin, int64_t end) {
        const Axis &inner = plan_.reduced.back(), &kept = plan_.kept.back();
        const int64_t item = static_cast<int64_t>(plan_.item);
        const bool direct = !convert_ && kept.step == item && inner.step % item == 0;
        const int64_t rows_at_once = direct ? inner.size : std::max<int64_t>(1, kReduceTile / cols);
        Shape index;
        const char* at = base + locate(plan_.reduced, begin, index);
        int64_t& position = index[plan_.reduced.size() - 1];
        for (int64_t done = begin; done < end;) {
            int64_t rows = std::min({inner.size - position, end - done, rows_at_once});
            if (direct) {
                plan_.kernels->columns(acc, plan_.batch, at, inner.step / item, rows, cols, done, plan_.p);
            } else {
                for (int64_t i = 0; i < rows; ++i) gather(i * cols, at + i * inner.step, kept.step, cols);
                plan_.kernels->columns(acc, plan_.batch, tile_, cols, rows, cols, done, plan_.p);
            }
            done += rows;
            at += rows * inner.step;
            if ((position += rows) == inner.size && done < end) {
                at -= inner.size * inner.step;
                position = 0;
                at += advance(plan_.reduced, index);
            }
        }
    }

private:
    void feed(void* acc, int64_t slot, const char* x, int64_t n, int64_t first) { plan_.kernels->row(acc, plan_.batch, slot, x, n, first, plan_.p); }
    void flush(void* acc, int64_t slot, int64_t& filled, int64_t first) {
        feed(acc, slot, tile_, filled, first);
        filled = 0;
    }
    // One run of each of m results into the tile, one after the other.
    void gather_rows(const char* from, int64_t m) {
        const Axis &inner = plan_.reduced.back(), &kept = plan_.kept.back();
        const int64_t item = static_cast<int64_t>(plan_.item), run = inner.size * item;
        if (convert_ && inner.step == item && kept.step == run) return convert_(tile_, from, m * inner.size);
        const int64_t to_strides[3] = {item, run, 0}, from_strides[3] = {inner.step, kept.step, 0}, sizes[3] = {inner.size, m, 1};
        move_box(convert_ ? raw_ : tile_, to_strides, from, from_strides, sizes, plan_.item);
        if (convert_) convert_(tile_, raw_, m * inner.size);
    }
    // n elements, `step` bytes apart, into the tile from its element `place` on.
    void gather(int64_t place, const char* from, int64_t step, int64_t n) {
        char* to = tile_ + place * static_cast<int64_t>(plan_.compute_item);
        if (convert_ && step == static_cast<int64_t>(plan_.item)) return convert_(to, from, n);
        const int64_t to_strides[3] = {static_cast<int64_t>(plan_.item), 0, 0}, from_strides[3] = {step, 0, 0}, sizes[3] = {n, 1, 1};
        move_box(convert_ ? raw_ : to, to_strides, from, from_strides, sizes, plan_.item);
        if (convert_) convert_(to, raw_, n);
    }

    const Plan& plan_;
    ConvertBlock convert_;
    alignas(64) char tile_[kReduceTile * 16];
    alignas(64) char raw_[kReduceTile * 16];
};

struct Task {
    const char* base;  // of the first result's elements
    int64_t out;       // the first result's place, in elements
    int64_t n;         // results
};

Task task_at(const Plan& plan, int64_t number) {
    const Axis& inner = plan.kept.back();
    int64_t first = number % plan.batches * plan.batch, outer = number / plan.batches;
    Task task{plan.data + first * inner.step, first * inner.out, std::min(plan.batch, inner.size - first)};
    for (size_t d = plan.kept.size() - 1; d-- > 0;) {
        int64_t index = outer % plan.kept[d].size;
        outer /= plan.kept[d].size;
        task.base += index * plan.kept[d].step;
        task.out += index * plan.kept[d].out;
    }
    return task;
}

void accumulate(const Plan& plan, Tiles& tiles, void* acc, const Task& task, int64_t begin, int64_t end) {
    plan.kernels->init(acc, plan.batch);
    if (begin >= end) return;
    if (plan.by_columns) return tiles.columns(acc, task.base, task.n, begin, end);
    if (plan.by_rows) return tiles.rows(acc, task.base, task.n, begin, end);
    for (int64_t j = 0; j < task.n; ++j) tiles.row(acc, j, task.base + j * plan.kept.back().step, begin, end);
}

void store(char* out, DType to, const void* values, DType from, int64_t n, int64_t place, int64_t step) {
    const int64_t item = static_cast<int64_t>(item_size(to));
    ConvertBlock convert_block = converter(to, from);
    char* at = out + place * item;
    if (step == 1 || n == 1) return convert_block(at, values, n);
    alignas(64) char staged[kReduceColumns * 16];
    convert_block(staged, values, n);
    const int64_t to_strides[3] = {step * item, 0, 0}, from_strides[3] = {item, 0, 0}, sizes[3] = {n, 1, 1};
    move_box(at, to_strides, staged, from_strides, sizes, static_cast<size_t>(item));
}

void finish(const Plan& plan, const void* acc, const Task& task) {
    alignas(64) char values[kReduceColumns * 16];
    alignas(64) char seconds[kReduceColumns * 16];
    plan.kernels->finish(values, plan.second ? seconds : nullptr, acc, plan.batch, task.n, plan.p);
    const int64_t step = plan.kept.back().out;
    if (plan.out) store(plan.out, plan.out_dtype, values, plan.kernels->result, task.n, task.out, step);
    if (plan.second) store(plan.second, plan.second_dtype, seconds, plan.kernels->second, task.n, task.out, step);
}

void run_whole(const Plan& plan) {
    const int64_t per_task = std::max<int64_t>(1, plan.n_reduced * plan.batch);
    parallel_for(0, plan.tasks, std::max<int64_t>(1, kReleaseLockFrom / per_task), [&](int64_t first, int64_t last) {
        Tiles tiles(plan);
        alignas(64) char acc[kReduceColumns * 32];
        for (int64_t t = first; t < last; ++t) {
            Task task = task_at(plan, t);
            accumulate(plan, tiles, acc, task, 0, plan.n_reduced);
            finish(plan, acc, task);
        }
    });
}

void run_chunks(const Plan& plan) {
    const int64_t bytes = (plan.kernels->slot_bytes * plan.batch + 63) / 64 * 64;
    auto partial = std::make_unique<char[]>(static_cast<size_t>(bytes * plan.tasks * plan.chunks));
    parallel_for(0, plan.tasks * plan.chunks, 1, [&](int64_t first, int64_t last) {
        Tiles tiles(plan);
        for (int64_t i = first; i < last; ++i) {
            int64_t begin = i % plan.chunks * plan.chunk;
            accumulate(plan, tiles, partial.get() + i * bytes, task_at(plan, i / plan.chunks), begin, std::min(begin + plan.chunk, plan.n_reduced));
        }
    });
    for (int64_t t = 0; t < plan.tasks; ++t) {
        char* chunks = partial.get() + t * plan.chunks * bytes;
        Task task = task_at(plan, t);
        for (int64_t width = 1; width < plan.chunks; width *= 2)  // a tree that keeps the order
            for (int64_t i = 0; i + width < plan.chunks; i += 2 * width)
                plan.kernels->merge(chunks + i * bytes, chunks + (i + width) * bytes, plan.batch, task.n);
        finish(plan, chunks, task);
    }
}

ReduceType reduce_type(Reduction kind, DType as) {
    switch (as) {
        case DType::Float16:
        case DType::BFloat16:
        case DType::Float32: return ReduceType::Float;
        case DType::Float64: return ReduceType::Double;
        case DType::Complex64: return ReduceType::ComplexFloat;
        case DType::Complex128: return ReduceType::ComplexDouble;
        case DType::Bool:
        case DType::UInt8:
            return kind == Reduction::Prod || kind == Reduction::ArgMax || kind == Reduction::ArgMin ? ReduceType::Int64 : ReduceType::Byte;
        default: return ReduceType::Int64;
    }
}

constexpr DType kComputeDType[kReduceTypes] = {DType::UInt8, DType::Int64, DType::Float32, DType::Float64, DType::Complex64, DType::Complex128};

}  // namespace

bool has_reduction(Reduction kind, DType as) {
    return reduce_table().kernels[static_cast<int>(kind)][static_cast<int>(reduce_type(kind, as))].slot_bytes != 0;
}

void run_reduction(Reduction kind, const Tensor& input, DType as, DimMask mask, double p, const Tensor& out, const Tensor& second) {
    const ReduceType type = reduce_type(kind, as);
    Plan plan;
    plan.kernels = &reduce_table().kernels[static_cast<int>(kind)][static_cast<int>(type)];
    plan.p = p;
    plan.compute = kComputeDType[static_cast<int>(type)];
    // A bool is a byte that is 0 or 1. Other types that are reduced as bool become so first.
    plan.memory = input.dtype() == DType::Bool ? DType::UInt8 : input.dtype();
    plan.item = input.item_size();
    plan.compute_item = item_size(plan.compute);
    plan.data = static_cast<const char*>(input.data());
    plan.out = out.defined() ? static_cast<char*>(out.data()) : nullptr;
    plan.second = second.defined() ? static_cast<char*>(second.data()) : nullptr;
    plan.out_dtype = out.defined() ? out.dtype() : DType::Float32;
    plan.second_dtype = second.defined() ? second.dtype() : DType::Float32;
    const int64_t n_results = out.defined() ? out.numel() : second.numel();
    if (n_results == 0) return;
    plan_axes(plan, input, mask);
    plan_tasks(plan, n_results);
    ReleaseHostLock unlocked(n_results * plan.n_reduced >= kReleaseLockFrom);
    plan.chunks > 1 ? run_chunks(plan) : run_whole(plan);
}

// ---- dimensions

DimMask dim_mask(IntList dims, int64_t ndim) {
    TAEDA_CHECK(ndim <= 64, "only tensors with up to 64 dims are supported, got ", ndim);
    DimMask mask = 0;
    for (int64_t d : wrap_dims(dims, ndim)) mask |= DimMask{1} << d;
    return mask;
}

DimMask dim_mask_or_all(std::optional<IntList> dims, int64_t ndim) {
    return dims && !dims->empty() ? dim_mask(*dims, ndim) : ndim == 0 ? 0 : ~DimMask{0} >> (64 - std::min<int64_t>(ndim, 64));
}

Shape reduced_shape(IntList sizes, DimMask mask, bool keepdim) {
    Shape shape;
    for (size_t d = 0; d < sizes.size(); ++d) {
        if (!(mask >> d & 1)) shape.push_back(sizes[d]);
        else if (keepdim) shape.push_back(1);
    }
    return shape;
}

int64_t reduced_count(const Tensor& input, DimMask mask) {
    int64_t count = 1;
    for (int64_t d = 0; d < input.dim(); ++d)
        if (mask >> d & 1) count *= input.sizes()[d];
    return count;
}

}  // namespace taeda::cpu
