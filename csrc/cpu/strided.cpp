#include "cpu/strided.h"

#include <cstring>

#include "base/error.h"

namespace taeda::cpu {

namespace {

struct Bytes16 {
    uint64_t low, high;
};

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

template <class T>
inline void move_run(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t n) {
    constexpr int64_t kWidth = sizeof(T);
    if (to_stride == kWidth) {
        if (from_stride == kWidth) {
            if (n * kWidth >= 64) std::memcpy(to, from, static_cast<size_t>(n * kWidth));
            else
                for (int64_t i = 0; i < n; ++i) store(to + i * kWidth, load<T>(from + i * kWidth));
        } else if (from_stride == 0) {
            T value = load<T>(from);
            for (int64_t i = 0; i < n; ++i) store(to + i * kWidth, value);
        } else {
            for (int64_t i = 0; i < n; ++i) store(to + i * kWidth, load<T>(from + i * from_stride));
        }
    } else {
        for (int64_t i = 0; i < n; ++i) store(to + i * to_stride, load<T>(from + i * from_stride));
    }
}

template <class T>
void move_typed(char* to, const int64_t* to_strides, const char* from, const int64_t* from_strides, const int64_t* n) {
    for (int64_t k = 0; k < n[2]; ++k)
        for (int64_t j = 0; j < n[1]; ++j)
            move_run<T>(to + k * to_strides[2] + j * to_strides[1], to_strides[0],
                        from + k * from_strides[2] + j * from_strides[1], from_strides[0], n[0]);
}

}  // namespace

void move_box(void* to, const int64_t to_strides[3], const void* from, const int64_t from_strides[3], const int64_t n[3], size_t item) {
    char* target = static_cast<char*>(to);
    const char* source = static_cast<const char*>(from);
    switch (item) {
        case 1: return move_typed<uint8_t>(target, to_strides, source, from_strides, n);
        case 2: return move_typed<uint16_t>(target, to_strides, source, from_strides, n);
        case 4: return move_typed<uint32_t>(target, to_strides, source, from_strides, n);
        case 8: return move_typed<uint64_t>(target, to_strides, source, from_strides, n);
        case 16: return move_typed<Bytes16>(target, to_strides, source, from_strides, n);
    }
    fail(ErrorKind::Runtime, "no element is ", item, " bytes wide");
}

}  // namespace taeda::cpu
