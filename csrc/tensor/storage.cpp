#include "tensor/storage.h"

#include <cstring>
#include <new>

#include "base/error.h"

namespace taeda {

namespace {

// Header and data of a small tensor share one block: one allocation instead of two.
constexpr size_t kHeaderBytes = 64;
constexpr size_t kInlineLimit = 960;
static_assert(sizeof(Storage) <= kHeaderBytes);

}  // namespace

Ptr<Storage> Storage::allocate(size_t n_bytes, Device device) {
    bool is_inline = device.is_cpu() && n_bytes <= kInlineLimit;
    char* block = static_cast<char*>(taeda::allocate(is_inline ? kHeaderBytes + n_bytes : kHeaderBytes));
    auto* storage = new (block) Storage;
    storage->n_bytes_ = n_bytes;
    storage->device_ = device;
    storage->is_inline_ = is_inline;
    storage->inline_bytes_ = is_inline ? static_cast<uint16_t>(n_bytes) : 0;
    if (is_inline) {
        storage->data_ = block + kHeaderBytes;
    } else if (device.is_cpu()) {
        try {
            storage->data_ = taeda::allocate(n_bytes);
        } catch (...) {
            deallocate(block, kHeaderBytes);
            throw;
        }
    } else {
        g_has_meta.store(true, std::memory_order_relaxed);
    }
    return Ptr<Storage>::adopt(storage);
}

Ptr<Storage> Storage::wrap(void* data, size_t n_bytes, Device device, FreeFunction free, void* context, bool writable) {
    auto* storage = new (taeda::allocate(kHeaderBytes)) Storage;
    storage->data_ = data;
    storage->n_bytes_ = n_bytes;
    storage->device_ = device;
    storage->free_ = free;
    storage->context_ = context;
    storage->writable_ = writable;
    return Ptr<Storage>::adopt(storage);
}

void Storage::destroy(Storage* storage) noexcept {
    size_t block_bytes = kHeaderBytes + storage->inline_bytes_;
    // A resized storage may have outgrown the room behind its header.
    bool data_is_inline = storage->is_inline_ && storage->data_ == reinterpret_cast<char*>(storage) + kHeaderBytes;
    if (storage->free_) storage->free_(storage->context_);
    else if (storage->data_ && !data_is_inline) deallocate(storage->data_, storage->n_bytes_);
    storage->~Storage();
    deallocate(storage, block_bytes);
}

void Storage::resize(size_t n_bytes) {
    TAEDA_CHECK(is_resizable(), "Trying to resize storage that is not resizable");
    if (device_.is_meta()) {
        n_bytes_ = n_bytes;
        return;
    }
    void* inline_data = reinterpret_cast<char*>(this) + kHeaderBytes;
    void* moved = taeda::allocate(n_bytes);
    if (data_) std::memcpy(moved, data_, std::min(n_bytes, n_bytes_));
    if (data_ && !(is_inline_ && data_ == inline_data)) deallocate(data_, n_bytes_);
    data_ = moved;
    n_bytes_ = n_bytes;
}

}  // namespace taeda
