// Working memory of a kernel: from the caching allocator, so that a warm program never waits for the system.
#pragma once

#include <utility>

#include "tensor/allocator.h"

namespace taeda::cpu {

template <class T>
class Scratch {
public:
    Scratch() = default;
    explicit Scratch(int64_t count) { reset(count); }
    ~Scratch() { release(); }
    Scratch(Scratch&& other) noexcept : data_(std::exchange(other.data_, nullptr)), n_bytes_(other.n_bytes_) {}
    Scratch& operator=(const Scratch&) = delete;

    // Uninitialised room for `count` values; what was there before is gone.
    void reset(int64_t count) {
        release();
        n_bytes_ = static_cast<size_t>(count) * sizeof(T);
        data_ = static_cast<T*>(allocate(n_bytes_));
    }
    T* data() const { return data_; }

private:
    void release() {
        if (data_) deallocate(data_, n_bytes_);
        data_ = nullptr;
    }

    T* data_ = nullptr;
    size_t n_bytes_ = 0;
};

}  // namespace taeda::cpu
