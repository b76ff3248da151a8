#include "tensor/allocator.h"

#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tensor/cache_policy.h"
#include "tensor/poison.h"

namespace taeda {

namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallLimit = 1024;  // up to here: a list per thread and 64-byte step, no lock
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSmallClasses = kSmallLimit / kAlignment;
constexpr size_t kSmallListLength = 512;  // blocks that a thread keeps of one class

// Size classes above kSmallLimit: eight steps to each doubling, so at most one eighth is wasted; from 2 MiB up, pages.
size_t rounded_size(size_t n_bytes) {
    if (n_bytes <= kSmallLimit) return std::max(kAlignment, (n_bytes + kAlignment - 1) / kAlignment * kAlignment);
    size_t step = size_t{1} << (63 - __builtin_clzll(n_bytes - 1));
    step = std::max(step / 8, kAlignment);
    if (n_bytes >= kHugePage) step = std::max(step, kHugePage / 8);
    return (n_bytes + step - 1) / step * step;
}

std::function<std::string()> g_reporter;
std::atomic<uint64_t> g_allocated{0}, g_peak{0}, g_allocations{0}, g_system{0}, g_reserved{0}, g_limit{0};

// What no thread's list holds: freed blocks by size. Shared, so guarded.
struct Cached {
    void* block;
    int64_t freed_at;  // milliseconds; of large blocks only
};
struct Cache {
    std::mutex mutex;
    std::multimap<size_t, Cached> blocks;
    int64_t idle_limit = 30'000;  // milliseconds: see cache_policy.h
    int64_t looked_at = 0;
};

// The clock that costs a load or two: its steps of a few milliseconds are fine here.
int64_t now_ms() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

Cache& cache() {
    static Cache* instance = new Cache;  // never destroyed: tensors may die after static destructors ran
    return *instance;
}

// A thread's free small blocks, linked through their first words. Plain data, so that reaching it is one instruction
// (initial-exec: the module is loaded once, at start, and this is all the static thread memory that it takes).
struct FreeBlock {
    FreeBlock* next;
};
struct ThreadLists {
    FreeBlock* heads[kSmallClasses];
    uint32_t counts[kSmallClasses];
    bool is_watched;  // the thread's end will empty the lists
    bool is_over;     // it has: what is freed now goes to the shared cache
};
__attribute__((tls_model("initial-exec"))) thread_local ThreadLists t_lists{};

struct ThreadEnd {
    ~ThreadEnd() {
        Cache& shared = cache();
        std::lock_guard lock(shared.mutex);
        t_lists.is_over = true;
        for (size_t i = 0; i < kSmallClasses; ++i)
            while (FreeBlock* block = t_lists.heads[i]) {
                unpoison(block, sizeof(FreeBlock));
                t_lists.heads[i] = block->next;
                poison(block, (i + 1) * kAlignment);
                shared.blocks.emplace((i + 1) * kAlignment, Cached{block, 0});
            }
    }
};

void watch_thread() {
    static thread_local ThreadEnd end;
    (void)&end;
    t_lists.is_watched = true;
}

void* ask_system(size_t size) {
    void* block = nullptr;
    if (size >= kHugePage) {
        // Over-map to reach a 2 MiB boundary, so that the kernel can back the block with huge pages.
        size_t mapped = size + kHugePage;
        char* raw = static_cast<char*>(mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (raw == MAP_FAILED) return nullptr;
        char* start = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(raw) + kHugePage - 1) / kHugePage * kHugePage);
        if (start > raw) munmap(raw, static_cast<size_t>(start - raw));
        size_t tail = static_cast<size_t>(raw + mapped - (start + size));
        if (tail) munmap(start + size, tail);
        madvise(start, size, MADV_HUGEPAGE);
        block = start;
    } else if (posix_memalign(&block, kAlignment, size) != 0) {
        return nullptr;
    }
    g_system.fetch_add(1, std::memory_order_relaxed);
    g_reserved.fetch_add(size, std::memory_order_relaxed);
    return block;
}

void give_to_system(void* block, size_t size) noexcept {
    g_reserved.fetch_sub(size, std::memory_order_relaxed);
    unpoison(block, size);
    if (size >= kHugePage) munmap(block, size);
    else std::free(block);
}

// Exactly this size class: the size of a larger block would be lost when it comes back.
void* take_cached(size_t size) {
    Cache& shared = cache();
    std::lock_guard lock(shared.mutex);
    auto found = shared.blocks.find(size);
    if (found == shared.blocks.end()) return nullptr;
    void* block = found->second.block;
    shared.blocks.erase(found);
    return block;
}

void release_idle(Cache& shared, int64_t now) {
    if (now - shared.looked_at < shared.idle_limit / 4) return;
    shared.looked_at = now;
    for (auto at = shared.blocks.lower_bound(kHugePage); at != shared.blocks.end();) {
        if (now - at->second.freed_at <= shared.idle_limit) {
            ++at;
            continue;
        }
        give_to_system(at->second.block, at->first);
        at = shared.blocks.erase(at);
    }
}

std::string in_words(uint64_t n_bytes) {
    char text[32];
    if (n_bytes >= uint64_t{1} << 30) std::snprintf(text, sizeof text, "%.2f GiB", static_cast<double>(n_bytes) / (1 << 30));
    else if (n_bytes >= 1 << 20) std::snprintf(text, sizeof text, "%.2f MiB", static_cast<double>(n_bytes) / (1 << 20));
    else std::snprintf(text, sizeof text, "%llu bytes", static_cast<unsigned long long>(n_bytes));
    return text;
}

[[noreturn]] void fail_out_of_memory(size_t n_bytes) {
    uint64_t limit = g_limit.load();
    std::string detail = g_reporter ? g_reporter() : std::string();
    fail(ErrorKind::OutOfMemory, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", n_bytes, " bytes (", in_words(n_bytes), "); ",
         in_words(g_allocated.load()), " are in use", limit ? concat(", the limit is ", in_words(limit)) : std::string(), detail.empty() ? "" : "\n",
         detail);
}

void count_allocation(size_t size) {
    uint64_t now = g_allocated.fetch_add(size, std::memory_order_relaxed) + size;
    g_allocations.fetch_add(1, std::memory_order_relaxed);
    uint64_t peak = g_peak.load(std::memory_order_relaxed);
    while (now > peak && !g_peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
}

void* allocate_uncached(size_t size, size_t n_bytes) {
    uint64_t limit = g_limit.load(std::memory_order_relaxed);
    bool over = limit && g_reserved.load(std::memory_order_relaxed) + size > limit;
    if (over) {
        release_cached_memory();
        over = g_reserved.load(std::memory_order_relaxed) + size > limit;
    }
    void* block = over ? nullptr : ask_system(size);
    if (!block && !over) {  // under pressure: what is cached goes first
        release_cached_memory();
        block = ask_system(size);
    }
    if (!block) fail_out_of_memory(n_bytes);
    return block;
}

// Hands a block of `size` bytes out for `n_bytes` of them.
void* handed_out(void* block, size_t size, size_t n_bytes) {
    poison(block, size);
    unpoison(block, n_bytes);
    return block;
}

}  // namespace

// Small blocks are not in `allocated_bytes`: two atomic additions would cost more than handing out the block does.
// They are in `reserved_bytes`.

void* allocate(size_t n_bytes) {
    if (n_bytes <= kSmallLimit) [[likely]] {
        size_t index = n_bytes ? (n_bytes - 1) / kAlignment : 0;
        ThreadLists& lists = t_lists;
        if (FreeBlock* block = lists.heads[index]) [[likely]] {
            unpoison(block, sizeof(FreeBlock));
            lists.heads[index] = block->next;
            --lists.counts[index];
            return handed_out(block, (index + 1) * kAlignment, n_bytes);
        }
        if (!lists.is_watched) watch_thread();
        size_t size = (index + 1) * kAlignment;
        void* block = take_cached(size);
        if (!block) block = allocate_uncached(size, n_bytes);
        return handed_out(block, size, n_bytes);
    }
    TAEDA_CHECK_KIND(OutOfMemory, n_bytes < (size_t{1} << 47), "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", n_bytes,
                     " bytes");
    size_t size = rounded_size(n_bytes);
    void* block = take_cached(size);
    if (size >= kHugePage) {
        Cache& shared = cache();
        std::lock_guard lock(shared.mutex);
        release_idle(shared, now_ms());
    }
    if (!block) block = allocate_uncached(size, n_bytes);
    count_allocation(size);
    return handed_out(block, size, n_bytes);
}

void deallocate(void* block, size_t n_bytes) noexcept {
    if (n_bytes <= kSmallLimit) [[likely]] {
        size_t index = n_bytes ? (n_bytes - 1) / kAlignment : 0;
        ThreadLists& lists = t_lists;
        if (lists.counts[index] < kSmallListLength && !lists.is_over) [[likely]] {
            auto* freed = static_cast<FreeBlock*>(block);
            unpoison(block, sizeof(FreeBlock));
            freed->next = lists.heads[index];
            poison(block, (index + 1) * kAlignment);
            lists.heads[index] = freed;
            ++lists.counts[index];
            return;
        }
        Cache& shared = cache();
        std::lock_guard lock(shared.mutex);
        poison(block, (index + 1) * kAlignment);
        shared.blocks.emplace((index + 1) * kAlignment, Cached{block, 0});
        return;
    }
    size_t size = rounded_size(n_bytes);
    poison(block, size);
    g_allocated.fetch_sub(size, std::memory_order_relaxed);
    Cache& shared = cache();
    std::lock_guard lock(shared.mutex);
    shared.blocks.emplace(size, Cached{block, size >= kHugePage ? now_ms() : 0});
}

MemoryStats memory_stats() {
    MemoryStats stats;
    stats.allocated_bytes = g_allocated.load();
    stats.peak_allocated_bytes = g_peak.load();
    stats.allocation_count = g_allocations.load();
    stats.system_count = g_system.load();
    stats.reserved_bytes = g_reserved.load();
    stats.limit_bytes = g_limit.load();
    {
        Cache& shared = cache();
        std::lock_guard lock(shared.mutex);
        for (auto& [size, cached] : shared.blocks) stats.cached_bytes += size;
    }
    for (size_t i = 0; i < kSmallClasses; ++i) stats.cached_bytes += t_lists.counts[i] * (i + 1) * kAlignment;
    return stats;
}

void reset_peak_memory_stats() { g_peak.store(g_allocated.load()); }

void set_memory_limit(uint64_t n_bytes) { g_limit.store(n_bytes); }

void release_cached_memory() {
    for (size_t i = 0; i < kSmallClasses; ++i) {
        while (FreeBlock* block = t_lists.heads[i]) {
            unpoison(block, sizeof(FreeBlock));
            t_lists.heads[i] = block->next;
            give_to_system(block, (i + 1) * kAlignment);
        }
        t_lists.counts[i] = 0;
    }
    Cache& shared = cache();
    std::lock_guard lock(shared.mutex);
    for (auto& [size, cached] : shared.blocks) give_to_system(cached.block, size);
    shared.blocks.clear();
}

void set_cache_idle_seconds(double seconds) {
    Cache& shared = cache();
    std::lock_guard lock(shared.mutex);
    shared.idle_limit = static_cast<int64_t>(seconds * 1000);
}

void set_memory_reporter(std::function<std::string()> reporter) { g_reporter = std::move(reporter); }

}  // namespace taeda
