#include "cpu/convert.h"

#include <array>

namespace taeda::cpu {

namespace {

template <class To, class From>
void convert_plain(void* to, const void* from, int64_t n) {
    if constexpr (std::is_same_v<To, From>) {
        if (n) std::memcpy(to, from, static_cast<size_t>(n) * sizeof(To));
    } else {
        To* target = static_cast<To*>(to);
        const From* source = static_cast<const From*>(from);
        for (int64_t i = 0; i < n; ++i) target[i] = convert<To>(source[i]);
    }
}

template <class To>
constexpr std::array<ConvertBlock, kDTypeCount> plain_row() {
    return {
#define TAEDA_ENTRY(name, type) convert_plain<To, type>,
        TAEDA_FOR_DTYPES(TAEDA_ENTRY)
#undef TAEDA_ENTRY
    };
}

constexpr std::array<ConvertBlock, kDTypeCount> kPlain[kDTypeCount] = {
#define TAEDA_ROW(name, type) plain_row<type>(),
    TAEDA_FOR_DTYPES(TAEDA_ROW)
#undef TAEDA_ROW
};

}  // namespace

ConvertBlock converter(DType to, DType from) {
    size_t row = static_cast<size_t>(to), column = static_cast<size_t>(from);
    ConvertBlock fast = convert_table().block[row][column];
    return fast ? fast : kPlain[row][column];
}

}  // namespace taeda::cpu
