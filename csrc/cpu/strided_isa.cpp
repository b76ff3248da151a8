#include "cpu/strided.h"

#include <cstring>

#include "cpu/by_width.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
inline T load(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof(T));
    return value;
}
template <class T>
inline void store(char* at, T value) {
    std::memcpy(at, &value, sizeof(T));
}

// A constant step lets the compiler load whole vectors and shuffle.
template <class T, int64_t kStep>
inline void gather_run(char* to, const char* from, int64_t n) {
    constexpr int64_t kWidth = sizeof(T);
    for (int64_t i = 0; i < n; ++i) store(to + i * kWidth, load<T>(from + i * kStep * kWidth));
}

template <class T>
inline void move_run(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t n) {
    constexpr int64_t kWidth = sizeof(T);
    if (to_stride != kWidth) {
        for (int64_t i = 0; i < n; ++i) store(to + i * to_stride, load<T>(from + i * from_stride));
    } else if (from_stride == kWidth) {
        if (n * kWidth >= 64) std::memcpy(to, from, static_cast<size_t>(n * kWidth));
        else gather_run<T, 1>(to, from, n);
    } else if (from_stride == 0) {
        const T value = load<T>(from);
        for (int64_t i = 0; i < n; ++i) store(to + i * kWidth, value);
    } else if (from_stride == 2 * kWidth) {
        gather_run<T, 2>(to, from, n);
    } else if (from_stride == -kWidth) {
        gather_run<T, -1>(to, from, n);
    } else {
        for (int64_t i = 0; i < n; ++i) store(to + i * kWidth, load<T>(from + i * from_stride));
    }
}

// Squares of four: shuffles of whole vectors, which gcc does not find by itself.
constexpr int kSmall = 4;
#if defined(__AVX2__)
template <class T>
constexpr bool kHasSmall = sizeof(T) == 4 || sizeof(T) == 8;
#else
template <class T>
constexpr bool kHasSmall = sizeof(T) == 4;
#endif
typedef uint32_t FourWords __attribute__((vector_size(16)));

inline void transpose_small(uint32_t*, char* to, int64_t to_row, const char* from, int64_t from_row) {
    FourWords a = load<FourWords>(from), b = load<FourWords>(from + from_row), c = load<FourWords>(from + 2 * from_row),
              d = load<FourWords>(from + 3 * from_row);
    const FourWords low = {0, 4, 1, 5}, high = {2, 6, 3, 7};
    FourWords ac = __builtin_shuffle(a, c, low), bd = __builtin_shuffle(b, d, low);
    store(to, __builtin_shuffle(ac, bd, low));
    store(to + to_row, __builtin_shuffle(ac, bd, high));
    ac = __builtin_shuffle(a, c, high), bd = __builtin_shuffle(b, d, high);
    store(to + 2 * to_row, __builtin_shuffle(ac, bd, low));
    store(to + 3 * to_row, __builtin_shuffle(ac, bd, high));
}
#if defined(__AVX2__)
typedef uint64_t FourLongs __attribute__((vector_size(32)));

inline void transpose_small(uint64_t*, char* to, int64_t to_row, const char* from, int64_t from_row) {
    FourLongs a = load<FourLongs>(from), b = load<FourLongs>(from + from_row), c = load<FourLongs>(from + 2 * from_row),
              d = load<FourLongs>(from + 3 * from_row);
    const FourLongs even = {0, 4, 2, 6}, odd = {1, 5, 3, 7}, low = {0, 1, 4, 5}, high = {2, 3, 6, 7};
    FourLongs ab = __builtin_shuffle(a, b, even), cd = __builtin_shuffle(c, d, even);
    store(to, __builtin_shuffle(ab, cd, low));
    store(to + 2 * to_row, __builtin_shuffle(ab, cd, high));
    ab = __builtin_shuffle(a, b, odd), cd = __builtin_shuffle(c, d, odd);
    store(to + to_row, __builtin_shuffle(ab, cd, low));
    store(to + 3 * to_row, __builtin_shuffle(ab, cd, high));
}
#endif

// Half a line of each of half the rows of a square, turned around.
template <class T>
inline void transpose_quarter(char* to, int64_t to_row, const char* from, int64_t from_row) {
#if defined(__AVX2__)
    if constexpr (sizeof(T) == 4) {
        typedef uint32_t Eight __attribute__((vector_size(32)));
        const Eight low = {0, 8, 1, 9, 4, 12, 5, 13}, high = {2, 10, 3, 11, 6, 14, 7, 15};  // in each half of 16 bytes
        const Eight first = {0, 1, 8, 9, 4, 5, 12, 13}, last = {2, 3, 10, 11, 6, 7, 14, 15};
        const Eight left = {0, 1, 2, 3, 8, 9, 10, 11}, right = {4, 5, 6, 7, 12, 13, 14, 15};
        Eight row[8], pair[8], four[8];
        for (int i = 0; i < 8; ++i) row[i] = load<Eight>(from + i * from_row);
        for (int i = 0; i < 8; i += 2) {
            pair[i] = __builtin_shuffle(row[i], row[i + 1], low);
            pair[i + 1] = __builtin_shuffle(row[i], row[i + 1], high);
        }
        for (int i = 0; i < 8; i += 4) {
            four[i] = __builtin_shuffle(pair[i], pair[i + 2], first);
            four[i + 1] = __builtin_shuffle(pair[i], pair[i + 2], last);
            four[i + 2] = __builtin_shuffle(pair[i + 1], pair[i + 3], first);
            four[i + 3] = __builtin_shuffle(pair[i + 1], pair[i + 3], last);
        }
        for (int i = 0; i < 4; ++i) {
            store(to + i * to_row, __builtin_shuffle(four[i], four[i + 4], left));
            store(to + (i + 4) * to_row, __builtin_shuffle(four[i], four[i + 4], right));
        }
        return;
    }
#endif
    constexpr int kHalf = 32 / sizeof(T);
    for (int j = 0; j < kHalf; j += kSmall)
        for (int i = 0; i < kHalf; i += kSmall)
            transpose_small(static_cast<T*>(nullptr), to + j * to_row + i * static_cast<int64_t>(sizeof(T)), to_row,
                            from + i * from_row + j * static_cast<int64_t>(sizeof(T)), from_row);
}

// One cache line of each of as many rows as a line has elements, through a small square that stays in the first-level
// cache: straight from one strided side to the other, rows that are a power of two apart would evict each other.
template <class T>
void transpose_square(char* to, int64_t to_row, const char* from, int64_t from_row) {
    constexpr int kSide = 64 / sizeof(T), kHalf = kSide / 2;
    T square[kSide][kSide];
    if constexpr (kHasSmall<T>) {
        for (int i = 0; i < kSide; i += kHalf)
            for (int j = 0; j < kSide; j += kHalf)
                transpose_quarter<T>(reinterpret_cast<char*>(&square[j][i]), 64, from + i * from_row + j * static_cast<int64_t>(sizeof(T)), from_row);
        for (int j = 0; j < kSide; ++j) std::memcpy(to + j * to_row, square[j], 64);
    } else {
        for (int i = 0; i < kSide; ++i) std::memcpy(square[i], from + i * from_row, 64);
        for (int j = 0; j < kSide; ++j) {
            T row[kSide];
            for (int i = 0; i < kSide; ++i) row[i] = square[i][j];
            std::memcpy(to + j * to_row, row, 64);
        }
    }
}

// `to` runs along dimension 0 and `from` along dimension 1.
template <class T>
void transpose_box(char* to, int64_t to_row, const char* from, int64_t from_row, int64_t n0, int64_t n1) {
    constexpr int64_t kWidth = sizeof(T), kSide = 64 / kWidth;
    int64_t whole0 = n0 - n0 % kSide, whole1 = n1 - n1 % kSide;
    for (int64_t j = 0; j < whole1; j += kSide)
        for (int64_t i = 0; i < whole0; i += kSide)
            transpose_square<T>(to + j * to_row + i * kWidth, to_row, from + i * from_row + j * kWidth, from_row);
    if constexpr (kHasSmall<T>) {  // the edges
        const int64_t small0 = n0 - n0 % kSmall, small1 = n1 - n1 % kSmall;
        for (int64_t j = 0; j < small1; j += kSmall)
            for (int64_t i = j < whole1 ? whole0 : 0; i < small0; i += kSmall)
                transpose_small(static_cast<T*>(nullptr), to + j * to_row + i * kWidth, to_row, from + i * from_row + j * kWidth, from_row);
        whole0 = small0;
        whole1 = small1;
    }
    for (int64_t j = 0; j < n1; ++j) {
        int64_t first = j < whole1 ? whole0 : 0;
        move_run<T>(to + j * to_row + first * kWidth, kWidth, from + first * from_row + j * kWidth, from_row, n0 - first);
    }
}

template <class T>
void move_typed(char* to, const int64_t* to_strides, const char* from, const int64_t* from_strides, const int64_t* n) {
    constexpr int64_t kWidth = sizeof(T);
    const bool transposed = to_strides[0] == kWidth && from_strides[1] == kWidth && n[0] > 1 && n[1] > 1;
    for (int64_t k = 0; k < n[2]; ++k, to += to_strides[2], from += from_strides[2]) {
        if (transposed) {
            transpose_box<T>(to, to_strides[1], from, from_strides[0], n[0], n[1]);
            continue;
        }
        for (int64_t j = 0; j < n[1]; ++j) move_run<T>(to + j * to_strides[1], to_strides[0], from + j * from_strides[1], from_strides[0], n[0]);
    }
}

}  // namespace

extern const StridedTable strided_table;
constinit const StridedTable strided_table = {
    {move_typed<uint8_t>, move_typed<uint16_t>, move_typed<uint32_t>, move_typed<uint64_t>, move_typed<Bytes16>}};

}  // namespace taeda::cpu::TAEDA_ISA
