// Under AddressSanitizer, memory that the allocator keeps back may not be touched: freed blocks, and the room behind what was asked for.
#pragma once

#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace taeda {

inline void poison([[maybe_unused]] const void* at, [[maybe_unused]] size_t n_bytes) {
#ifdef __SANITIZE_ADDRESS__
    __asan_poison_memory_region(at, n_bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* at, [[maybe_unused]] size_t n_bytes) {
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(at, n_bytes);
#endif
}

}  // namespace taeda
