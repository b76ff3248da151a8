// A vector of trivially copyable values with room for N of them inside; more go to one heap block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>

namespace taeda {

template <class T, size_t N>
class SmallVector {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    using value_type = T;

    SmallVector() noexcept : data_(inline_), size_(0), capacity_(N) {}
    explicit SmallVector(size_t count, T value = T()) : SmallVector() { resize(count, value); }
    SmallVector(std::initializer_list<T> values) : SmallVector() { assign(values.begin(), values.size()); }
    SmallVector(std::span<const T> values) : SmallVector() { assign(values.data(), values.size()); }
    template <class It>
    SmallVector(It first, It last) : SmallVector() {
        for (; first != last; ++first) push_back(*first);
    }
    SmallVector(const SmallVector& other) : SmallVector() { assign(other.data_, other.size_); }
    SmallVector(SmallVector&& other) noexcept : SmallVector() { take(other); }
    ~SmallVector() { free_heap(); }

    SmallVector& operator=(const SmallVector& other) {
        if (this != &other) assign(other.data_, other.size_);
        return *this;
    }
    SmallVector& operator=(SmallVector&& other) noexcept {
        if (this != &other) {
            free_heap();
            data_ = inline_;
            capacity_ = N;
            take(other);
        }
        return *this;
    }

    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    T& operator[](size_t i) noexcept { return data_[i]; }
    const T& operator[](size_t i) const noexcept { return data_[i]; }
    T& back() noexcept { return data_[size_ - 1]; }
    const T& back() const noexcept { return data_[size_ - 1]; }
    T* begin() noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }
    operator std::span<const T>() const noexcept { return {data_, size_}; }

    void clear() noexcept { size_ = 0; }
    void reserve(size_t count) {
        if (count <= capacity_) return;
        size_t capacity = std::max<size_t>(count, 2 * capacity_);
        T* moved = new T[capacity];
        std::copy(data_, data_ + size_, moved);
        free_heap();
        data_ = moved;
        capacity_ = static_cast<uint32_t>(capacity);
    }
    void resize(size_t count, T value = T()) {
        reserve(count);
        for (size_t i = size_; i < count; ++i) data_[i] = value;
        size_ = static_cast<uint32_t>(count);
    }
    void push_back(T value) {
        if (size_ == capacity_) reserve(size_ + 1);
        data_[size_++] = value;
    }
    void insert(size_t at, T value) {
        push_back(value);
        std::rotate(data_ + at, data_ + size_ - 1, data_ + size_);
    }
    void erase(size_t at) {
        std::copy(data_ + at + 1, data_ + size_, data_ + at);
        --size_;
    }
    void assign(const T* values, size_t count) {
        if (count > capacity_) {  // the old values go: no need to carry them over
            size_ = 0;
            reserve(count);
        }
        std::copy(values, values + count, data_);
        size_ = static_cast<uint32_t>(count);
    }
    bool operator==(const SmallVector& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

private:
    void free_heap() noexcept {
        if (data_ != inline_) delete[] data_;
    }
    void take(SmallVector& other) noexcept {
        if (other.data_ == other.inline_) {
            std::copy(other.data_, other.data_ + other.size_, inline_);
            size_ = other.size_;
        } else {
            data_ = std::exchange(other.data_, other.inline_);
            size_ = other.size_;
            capacity_ = std::exchange(other.capacity_, static_cast<uint32_t>(N));
        }
        other.size_ = 0;
    }

    T* data_;
    uint32_t size_;
    uint32_t capacity_;
    T inline_[N];
};

using Shape = SmallVector<int64_t, 5>;
using IntList = std::span<const int64_t>;

}  // namespace taeda
