// A fixed-size list of any type, made once, with room for N of them inside.
#pragma once

#include <cstddef>
#include <memory>

namespace taeda {

template <class T, size_t N>
class InlineList {
public:
    InlineList() = default;
    explicit InlineList(size_t count) { reset(count); }

    // Drops what is there and makes `count` default values.
    void reset(size_t count) {
        for (size_t i = 0; i < std::min(size_, N); ++i) inline_[i] = T();
        heap_ = count > N ? std::make_unique<T[]>(count) : nullptr;
        size_ = count;
    }
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T* data() { return heap_ ? heap_.get() : inline_; }
    const T* data() const { return heap_ ? heap_.get() : inline_; }
    T& operator[](size_t i) { return data()[i]; }
    const T& operator[](size_t i) const { return data()[i]; }
    T* begin() { return data(); }
    T* end() { return data() + size_; }
    const T* begin() const { return data(); }
    const T* end() const { return data() + size_; }

private:
    size_t size_ = 0;
    T inline_[N];
    std::unique_ptr<T[]> heap_;
};

}  // namespace taeda
