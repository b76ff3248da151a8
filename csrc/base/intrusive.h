// Intrusive reference counting: one word in the object, no control block, no weak references.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace taeda {

class RefCounted {
public:
    void retain() const noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }

    // True when the caller was the last owner and must destroy the object. A sole owner needs no atomic
    // read-modify-write: nobody else can be changing the count.
    bool release() const noexcept {
        if (refs_.load(std::memory_order_acquire) == 1) return true;
        return refs_.fetch_sub(1, std::memory_order_acq_rel) == 1;
    }

    uint32_t use_count() const noexcept { return refs_.load(std::memory_order_relaxed); }

protected:
    mutable std::atomic<uint32_t> refs_{1};  // born owned: Ptr<T>::adopt takes that first reference
};

// T must be RefCounted and have a static `void destroy(T*)`.
template <class T>
class Ptr {
public:
    Ptr() noexcept = default;
    Ptr(std::nullptr_t) noexcept {}
    Ptr(const Ptr& other) noexcept : object_(other.object_) {
        if (object_) object_->retain();
    }
    Ptr(Ptr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    ~Ptr() { reset(); }

    static Ptr adopt(T* object) noexcept {
        Ptr pointer;
        pointer.object_ = object;
        return pointer;
    }
    static Ptr share(T* object) noexcept {
        if (object) object->retain();
        return adopt(object);
    }

    Ptr& operator=(const Ptr& other) noexcept {
        Ptr copy(other);
        std::swap(object_, copy.object_);
        return *this;
    }
    Ptr& operator=(Ptr&& other) noexcept {
        std::swap(object_, other.object_);
        other.reset();
        return *this;
    }

    void reset() noexcept {
        T* object = std::exchange(object_, nullptr);
        if (object && object->release()) T::destroy(object);
    }
    T* leak() noexcept { return std::exchange(object_, nullptr); }
    T* get() const noexcept { return object_; }
    T* operator->() const noexcept { return object_; }
    T& operator*() const noexcept { return *object_; }
    explicit operator bool() const noexcept { return object_ != nullptr; }
    bool operator==(const Ptr& other) const noexcept { return object_ == other.object_; }

private:
    T* object_ = nullptr;
};

}  // namespace taeda
