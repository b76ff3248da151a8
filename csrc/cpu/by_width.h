// Elements that are moved and not computed with: their width is all that counts, so that five types serve for every dtype.
#pragma once

#include "base/dtype.h"

namespace taeda::cpu {

struct Bytes16 {
    uint64_t low, high;
};

template <class F>
decltype(auto) visit_width(size_t width, F&& f) {
    switch (width) {
        case 1: return f(Tag<uint8_t>{});
        case 2: return f(Tag<uint16_t>{});
        case 4: return f(Tag<uint32_t>{});
        case 8: return f(Tag<uint64_t>{});
        default: return f(Tag<Bytes16>{});
    }
}

}  // namespace taeda::cpu
