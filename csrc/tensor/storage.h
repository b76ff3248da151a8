// Storage: counted bytes on one device, the function that frees them, and the version that all views share.
#pragma once

#include <atomic>

#include "base/device.h"
#include "base/intrusive.h"
#include "tensor/allocator.h"

namespace taeda {

// Whether there ever was a tensor without data. Programs that make none are spared the search for one among operands.
inline std::atomic<bool> g_has_meta{false};

class Storage : public RefCounted {
public:
    using FreeFunction = void (*)(void* context);

    static Ptr<Storage> allocate(size_t n_bytes, Device device);
    // Wraps memory that belongs to somebody else, without a copy; `free(context)` is called once at the end.
    static Ptr<Storage> wrap(void* data, size_t n_bytes, Device device, FreeFunction free, void* context, bool writable = true);
    static void destroy(Storage* storage) noexcept;

    void* data() const { return data_; }
    size_t n_bytes() const { return n_bytes_; }
    Device device() const { return device_; }
    bool is_resizable() const { return free_ == nullptr; }
    bool is_writable() const { return writable_; }
    void resize(size_t n_bytes);  // keeps the old bytes as far as they fit

    uint32_t version() const { return version_; }
    void bump_version() { ++version_; }

private:
    Storage() = default;

    void* data_ = nullptr;
    size_t n_bytes_ = 0;
    FreeFunction free_ = nullptr;
    void* context_ = nullptr;
    uint32_t version_ = 0;
    Device device_;
    bool writable_ = true;
    bool is_inline_ = false;     // the block has room for data behind this header
    uint16_t inline_bytes_ = 0;  // how much
};

}  // namespace taeda
