// The caching CPU allocator: freed blocks are kept and handed out again, so that a warm program touches no new page.
//
// Blocks are 64-byte aligned and come in size classes. Small classes have a list for each thread; large blocks
// (2 MiB and more) are mapped with huge pages and kept in one shared cache by size class, until they have been idle for a while
// (cache_policy.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace taeda {

struct MemoryStats {
    uint64_t allocated_bytes = 0;       // in blocks over 1 KiB that are in use
    uint64_t peak_allocated_bytes = 0;  // its maximum since the last reset
    uint64_t cached_bytes = 0;          // freed and kept for reuse
    uint64_t reserved_bytes = 0;        // both together: what the system has given
    uint64_t allocation_count = 0;      // blocks over 1 KiB handed out
    uint64_t system_count = 0;          // of which had to ask the system
    uint64_t limit_bytes = 0;           // 0: no limit
};

// Never returns null; throws Error(OutOfMemory). Zero bytes give a valid unique pointer.
void* allocate(size_t n_bytes);
void deallocate(void* block, size_t n_bytes) noexcept;  // with the size that was asked for

MemoryStats memory_stats();
void reset_peak_memory_stats();
void set_memory_limit(uint64_t n_bytes);  // 0 removes the limit
void release_cached_memory();             // gives everything cached back to the system

// Adds to an out-of-memory message what is using the memory; set by the layer that knows the tensors.
void set_memory_reporter(std::function<std::string()> reporter);

}  // namespace taeda
