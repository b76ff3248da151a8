// The walks of indexing.h: one loop for each element width (moving) or dtype (combining).
#include "cpu/indexing.h"

#include <atomic>

#include "cpu/by_width.h"
#include "cpu/copy.h"
#include "tensor/loop_plan.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kGrain = 16384;
constexpr uint64_t kUnchecked = ~uint64_t{0};

// What one run needs: pointers and byte strides of plain, table and index.
struct Run {
    char* const* at;
    int64_t plain, table, index;
    int64_t step;   // bytes
    uint64_t size;  // as unsigned, so that one comparison catches negative indices too; kUnchecked: offsets of any sign
    int64_t n;

    bool is_good(int64_t i) const { return static_cast<uint64_t>(i) < size || size == kUnchecked; }
};

inline int64_t index_at(const char* p) { return *reinterpret_cast<const int64_t*>(p); }

constexpr int64_t kBlock = 1024;  // indices that are looked at before any of them is used

// Whether n indices are in [0, size): without a branch, so that the loop that uses them has none either.
bool all_inside(const int64_t* index, int64_t n, uint64_t size) {
    if (size == kUnchecked) return true;
    const auto last = static_cast<int64_t>(std::min<uint64_t>(size, INT64_MAX)) - 1;
    int64_t signs = 0;
    for (int64_t k = 0; k < n; ++k) signs |= index[k] | (last - index[k]);
    return signs >= 0;
}

template <class T>
bool gather_dense_run(const Run& run) {
    T* out = reinterpret_cast<T*>(run.at[0]);
    const char* table = run.at[1];
    const auto* index = reinterpret_cast<const int64_t*>(run.at[2]);
    for (int64_t start = 0; start < run.n; start += kBlock) {
        const int64_t n = std::min(kBlock, run.n - start);
        if (!all_inside(index + start, n, run.size)) return false;
        if (run.step == sizeof(T)) {
            const T* row = reinterpret_cast<const T*>(table);
            for (int64_t k = start; k < start + n; ++k) out[k] = row[index[k]];
        } else {
            for (int64_t k = start; k < start + n; ++k) out[k] = *reinterpret_cast<const T*>(table + index[k] * run.step);
        }
    }
    return true;
}

template <class T>
bool gather_run(const Run& run) {
    if (run.table == 0 && run.plain == sizeof(T) && run.index == sizeof(int64_t)) return gather_dense_run<T>(run);
    char* out = run.at[0];
    const char *table = run.at[1], *index = run.at[2];
    if (run.index == 0) {  // one row of the table
        int64_t i = index_at(index);
        if (!run.is_good(i)) return false;
        table += i * run.step;
        if (run.plain == sizeof(T) && run.table == sizeof(T)) std::memcpy(out, table, static_cast<size_t>(run.n) * sizeof(T));
        else
            for (int64_t k = 0; k < run.n; ++k) *reinterpret_cast<T*>(out + k * run.plain) = *reinterpret_cast<const T*>(table + k * run.table);
        return true;
    }
    bool good = true;
    for (int64_t k = 0; k < run.n; ++k) {
        int64_t i = index_at(index + k * run.index);
        if (!run.is_good(i)) [[unlikely]] {
            good = false;
            continue;
        }
        *reinterpret_cast<T*>(out + k * run.plain) = *reinterpret_cast<const T*>(table + k * run.table + i * run.step);
    }
    return good;
}

// A table that does not fit the caches is asked for ahead of its turn.
template <class T, class F>
bool scatter_dense_run(const Run& run, F&& combine) {
    constexpr int64_t kAhead = 24;
    const auto* index = reinterpret_cast<const int64_t*>(run.at[2]);
    const char* source = run.at[0];
    char* const table = run.at[1];
    const int64_t step = run.step, plain = run.plain, across = run.table, total = run.n;
    const bool is_far = run.size != kUnchecked && static_cast<int64_t>(run.size) * std::abs(step) > int64_t{512} << 10;
    auto place = [&](int64_t k) { return table + k * across + index[k] * step; };
    auto write = [&](int64_t k) {
        if (!run.is_good(index[k])) [[unlikely]]
            return false;
        combine(*reinterpret_cast<T*>(place(k)), *reinterpret_cast<const T*>(source + k * plain));
        return true;
    };
    int64_t k = 0;
    if (is_far)
        for (; k + kAhead < total; ++k) {
            prefetch_at(table, (k + kAhead) * across + index[k + kAhead] * step);
            if (!write(k)) return false;
        }
    for (; k < total; ++k)
        if (!write(k)) return false;
    return true;
}

template <class T, class F>
bool scatter_run(const Run& run, F&& combine) {
    if (run.index == sizeof(int64_t)) return scatter_dense_run<T>(run, combine);
    const char *source = run.at[0], *index = run.at[2];
    char* table = run.at[1];
    if (run.index == 0) {
        int64_t i = index_at(index);
        if (!run.is_good(i)) return false;
        table += i * run.step;
        if (run.plain == sizeof(T) && run.table == sizeof(T)) {
            T* to = reinterpret_cast<T*>(table);
            const T* from = reinterpret_cast<const T*>(source);
            for (int64_t k = 0; k < run.n; ++k) combine(to[k], from[k]);
        } else if (run.plain == 0 && run.table == sizeof(T)) {  // one number for the whole row
            T* to = reinterpret_cast<T*>(table);
            const T number = *reinterpret_cast<const T*>(source);
            for (int64_t k = 0; k < run.n; ++k) combine(to[k], number);
        } else {
            for (int64_t k = 0; k < run.n; ++k)
                combine(*reinterpret_cast<T*>(table + k * run.table), *reinterpret_cast<const T*>(source + k * run.plain));
        }
        return true;
    }
    bool good = true;
    for (int64_t k = 0; k < run.n; ++k) {
        int64_t i = index_at(index + k * run.index);
        if (!run.is_good(i)) [[unlikely]] {
            good = false;
            continue;
        }
        combine(*reinterpret_cast<T*>(table + k * run.table + i * run.step), *reinterpret_cast<const T*>(source + k * run.plain));
    }
    return good;
}

template <class T>
inline void add_to(T& to, T from) {
    if constexpr (std::is_same_v<T, bool>) to = to || from;
    else to = convert<T>(static_cast<compute_t<T>>(convert<compute_t<T>>(to) + convert<compute_t<T>>(from)));
}

template <class T>
inline void multiply_to(T& to, T from) {
    if constexpr (std::is_same_v<T, bool>) to = to && from;
    else to = convert<T>(static_cast<compute_t<T>>(convert<compute_t<T>>(to) * convert<compute_t<T>>(from)));
}

// A NaN wins on either side. Always written: which of the two it is cannot be foretold.
template <class T, bool kMax>
inline void extreme_to(T& to, T from) {
    auto a = convert<compute_t<T>>(to), b = convert<compute_t<T>>(from);
    const bool wins = static_cast<int>(b != b) | static_cast<int>(kMax ? b > a : b < a);
    to = wins ? from : to;
}

template <class T>
bool combine_run(const Run& run, Combine how) {
    switch (how) {
        case Combine::Add: return scatter_run<T>(run, [](T& to, T from) { add_to(to, from); });
        case Combine::Multiply: return scatter_run<T>(run, [](T& to, T from) { multiply_to(to, from); });
        case Combine::Min:
            if constexpr (!is_complex_v<T>) return scatter_run<T>(run, [](T& to, T from) { extreme_to<T, false>(to, from); });
            break;
        case Combine::Max:
            if constexpr (!is_complex_v<T>) return scatter_run<T>(run, [](T& to, T from) { extreme_to<T, true>(to, from); });
            break;
        case Combine::Assign: break;
    }
    fail(ErrorKind::NotImplemented, "\"scatter_reduce\" not implemented for '", scalar_type_name(DTypeOf<T>::value), "'");
}

using RunFunction = bool (*)(const Run&, Combine);

RunFunction gather_function(const Tensor& table) {
    return visit_width(table.item_size(), []<class T>(Tag<T>) -> RunFunction { return [](const Run& run, Combine) { return gather_run<T>(run); }; });
}

RunFunction scatter_function(const Tensor& table, Combine how) {
    if (how != Combine::Assign)
        return visit_dtype(table.dtype(),
                           []<class T>(Tag<T>) -> RunFunction { return [](const Run& run, Combine c) { return combine_run<T>(run, c); }; });
    return visit_width(table.item_size(), []<class T>(Tag<T>) -> RunFunction {
        return [](const Run& run, Combine) { return scatter_run<T>(run, [](T& to, T from) { to = from; }); };
    });
}

void prefetch_row(const char* table, int64_t offset, int64_t n_bytes) {
    constexpr int64_t kLine = 64, kMost = 1024;
    for (int64_t at = 0; at < std::min(n_bytes, kMost); at += kLine) prefetch_at(table, offset + at);
}

bool run_part(const LoopPlan& plan, int64_t begin, int64_t end, const IndexWalk& walk, RunFunction function, Combine how) {
    bool good = true;
    const int64_t step = walk.step * static_cast<int64_t>(walk.table.item_size());
    const uint64_t size = walk.size < 0 ? kUnchecked : static_cast<uint64_t>(walk.size);
    // Whole rows at random places: the next one is asked for while this one is read or written.
    const bool by_row = plan.sizes.size() == 2 && plan.byte_strides[2][0] == 0 && plan.byte_strides[1][1] == 0;
    const char* last = by_row ? plan.data[2] + (plan.sizes[1] - 1) * plan.byte_strides[2][1] : nullptr;
    plan.for_each_run(begin, end, [&](char* const* at, int64_t n) {
        Run run{at, plan.byte_strides[0][0], plan.byte_strides[1][0], plan.byte_strides[2][0], step, size, n};
        if (by_row && at[2] != last) prefetch_row(at[1], index_at(at[2] + plan.byte_strides[2][1]) * step, n * run.table);
        good &= function(run, how);
    });
    return good;
}

// The longest dimension along which two places never write the same element; -1 where there is none.
int64_t dimension_to_divide(const IndexWalk& walk) {
    int64_t best = -1;
    for (int64_t d = 0; d < walk.index.dim(); ++d) {
        if (walk.indexed >> d & 1) continue;
        if (walk.index.sizes()[d] > 1 && (best < 0 || walk.index.sizes()[d] > walk.index.sizes()[best])) best = d;
    }
    return best;
}

}  // namespace

std::optional<int64_t> first_outside(const Tensor& index, int64_t size) {
    Tensor flat = contiguous(index);
    const int64_t* values = flat.data<int64_t>();
    for (int64_t i = 0, n = flat.numel(); i < n; ++i)
        if (values[i] < 0 || values[i] >= size) return values[i];
    return std::nullopt;
}

std::optional<int64_t> gather_walk(const IndexWalk& walk) {
    const Tensor operands[] = {walk.plain, walk.table, walk.index};
    LoopPlan plan = plan_loop(walk.index.sizes(), operands);
    RunFunction function = gather_function(walk.table);
    std::atomic<bool> good{true};
    ReleaseHostLock unlocked(plan.numel > kGrain);
    parallel_for(0, plan.numel, kGrain, [&](int64_t begin, int64_t end) {
        if (!run_part(plan, begin, end, walk, function, Combine::Assign)) good = false;
    });
    return good ? std::nullopt : first_outside(walk.index, walk.size);
}

std::optional<int64_t> scatter_walk(const IndexWalk& walk, Combine how) {
    const int64_t numel = walk.index.numel();
    if (numel == 0) return std::nullopt;
    RunFunction function = scatter_function(walk.table, how);
    std::atomic<bool> good{true};
    auto run_whole = [&](const IndexWalk& part) {
        const Tensor operands[] = {part.plain, part.table, part.index};
        LoopPlan plan = plan_loop(part.index.sizes(), operands);
        if (!run_part(plan, 0, plan.numel, part, function, how)) good = false;
    };
    const int64_t divided = numel > kGrain ? dimension_to_divide(walk) : -1;
    ReleaseHostLock unlocked(numel > kGrain);
    if (divided < 0) {
        run_whole(walk);
    } else {
        const int64_t size = walk.index.sizes()[divided];
        parallel_for(0, size, std::max<int64_t>(1, kGrain * size / numel), [&](int64_t begin, int64_t end) {
            IndexWalk part = walk;
            for (Tensor* t : {&part.plain, &part.table, &part.index}) *t = views::narrow(*t, divided, begin, end - begin);
            run_whole(part);
        });
    }
    return good ? std::nullopt : first_outside(walk.index, walk.size);
}

IndexWalk walk_along(const Tensor& table, const Tensor& plain, const Tensor& index, int64_t dim) {
    Shape strides(table.strides());
    const int64_t step = strides[dim];
    strides[dim] = 0;
    return {plain, alias(table, index.sizes(), strides, table.offset()), index, step, table.sizes()[dim], uint64_t{1} << dim};
}

Tensor checked_index(const Tensor& index, const char* operation) {
    TAEDA_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, operation, ": Expected dtype int32/int64 for index, but got ",
                dtype_name(index.dtype()));
    return to_dtype(index, DType::Int64);
}

Tensor at_least_1d(const Tensor& t) { return t.dim() == 0 ? views::unsqueeze(t, 0) : t; }

void add_into(const Tensor& to, const Tensor& from) {
    Tensor source = expand_to(from, to.sizes());
    const Tensor operands[] = {to, source};
    LoopPlan plan = plan_loop(to.sizes(), operands);
    const bool divisible = !may_overlap_itself(to);
    ReleaseHostLock unlocked(plan.numel > kGrain);
    auto run = [&](int64_t begin, int64_t end) {
        plan.for_each_run(begin, end, [&](char* const* at, int64_t n) {
            visit_dtype(to.dtype(), [&]<class T>(Tag<T>) {
                const int64_t a = plan.byte_strides[0][0], b = plan.byte_strides[1][0];
                for (int64_t i = 0; i < n; ++i) add_to(*reinterpret_cast<T*>(at[0] + i * a), *reinterpret_cast<const T*>(at[1] + i * b));
            });
        });
    };
    if (divisible) parallel_for(0, plan.numel, kGrain, run);
    else run(0, plan.numel);
}

}  // namespace taeda::cpu
