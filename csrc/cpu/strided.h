// Moving small boxes of equally wide elements between strided places.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/isa.h"

namespace taeda::cpu {

struct StridedTable {
    // Copies n[0] * n[1] * n[2] elements; strides in bytes, innermost first. Indexed by log2 of the element's width.
    void (*move_box[5])(char* to, const int64_t* to_strides, const char* from, const int64_t* from_strides, const int64_t* n);
};
TAEDA_DECLARE_ISA(StridedTable, strided_table)

// Elements of `item` bytes (1, 2, 4, 8 or 16). The places must not overlap. Addresses need no alignment.
inline void move_box(void* to, const int64_t to_strides[3], const void* from, const int64_t from_strides[3], const int64_t n[3], size_t item) {
    strided_table().move_box[__builtin_ctzll(item)](static_cast<char*>(to), to_strides, static_cast<const char*>(from), from_strides, n);
}

}  // namespace taeda::cpu
