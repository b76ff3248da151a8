// Moving small boxes of equally wide elements between strided places.
#pragma once

#include <cstddef>
#include <cstdint>

namespace taeda::cpu {

// Copies n[0] * n[1] * n[2] elements of `item` bytes (1, 2, 4, 8 or 16); strides in bytes, innermost first. The places
// must not overlap. Addresses need no alignment.
void move_box(void* to, const int64_t to_strides[3], const void* from, const int64_t from_strides[3], const int64_t n[3], size_t item);

}  // namespace taeda::cpu
