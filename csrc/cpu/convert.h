// Conversions of contiguous arrays between any two element types, with the semantics of taeda::convert.
#pragma once

#include "base/dtype.h"
#include "cpu/isa.h"

namespace taeda::cpu {

// to[i] = convert(from[i]) for i < n. The arrays must not overlap unless they are the same and the types equally wide.
using ConvertBlock = void (*)(void* to, const void* from, int64_t n);

// Never null; a plain copy where the types are equal.
ConvertBlock converter(DType to, DType from);

// The vectorised ones among them; null where the plain loop serves (rare pairs).
struct ConvertTable {
    ConvertBlock block[kDTypeCount][kDTypeCount];  // [to][from]
};
TAEDA_DECLARE_ISA(ConvertTable, convert_table)

}  // namespace taeda::cpu
