// Tensor: a counted handle to a strided view of a Storage. One class; autograd's record is an optional pointer in it.
//
// Kernels work on plain tensors: nothing in this folder or in cpu/ records history.
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <vector>

#include "base/device.h"
#include "base/dtype.h"
#include "base/intrusive.h"
#include "base/scalar.h"
#include "base/small_vector.h"
#include "tensor/storage.h"

namespace taeda {

struct AutogradRecord;  // autograd/record.h

struct TensorImpl : RefCounted {
    Ptr<Storage> storage;
    int64_t offset = 0;  // in elements
    int64_t numel = 0;
    Shape sizes;
    Shape strides;  // in elements, may be negative
    DType dtype = DType::Float32;
    bool is_contiguous = true;
    bool requires_grad = false;     // a leaf's flag, or: has a grad_fn
    bool is_inference = false;      // made in inference mode: never takes part in autograd
    bool owns_host_object = false;  // the host object lives because of us, not we because of it
    AutogradRecord* autograd = nullptr;
    void* host_object = nullptr;  // the Python object, one for as long as either lives
    void* wrapper = nullptr;      // the host object that stands for the data: see Note [Wrapped tensors] in dispatch/op.h

    static TensorImpl* create();
    static void destroy(TensorImpl* impl) noexcept;
};

// Set by the layers above; called when a tensor that has the field dies.
extern void (*g_destroy_autograd_record)(AutogradRecord*) noexcept;
extern void (*g_release_host_object)(void*) noexcept;

// Set by the layer that makes wrapped tensors.
struct WrapperFunctions {
    void (*retain)(void*) noexcept = nullptr;
    void (*release)(void*) noexcept = nullptr;
    Device (*device)(void*) = nullptr;
};
extern WrapperFunctions g_wrapper_functions;
extern std::atomic<int64_t> g_n_wrapped;  // how many are alive: nobody looks for them while there are none

class Tensor {
public:
    Tensor() noexcept = default;
    explicit Tensor(Ptr<TensorImpl> impl) noexcept : impl_(std::move(impl)) {}

    bool defined() const { return static_cast<bool>(impl_); }
    explicit operator bool() const { return defined(); }
    TensorImpl* impl() const { return impl_.get(); }
    Ptr<TensorImpl>& ptr() { return impl_; }
    bool is_same(const Tensor& other) const { return impl_ == other.impl_; }

    int64_t dim() const { return static_cast<int64_t>(impl_->sizes.size()); }
    int64_t numel() const { return impl_->numel; }
    const Shape& sizes() const { return impl_->sizes; }
    const Shape& strides() const { return impl_->strides; }
    int64_t size(int64_t d) const;    // negative dims count from the end; out of range: IndexError
    int64_t stride(int64_t d) const;  // likewise
    int64_t offset() const { return impl_->offset; }
    DType dtype() const { return impl_->dtype; }
    size_t item_size() const { return taeda::item_size(impl_->dtype); }
    size_t n_bytes() const { return static_cast<size_t>(numel()) * item_size(); }
    Device device() const { return impl_->storage->device(); }
    bool is_meta() const { return device().is_meta(); }
    bool is_contiguous() const { return impl_->is_contiguous; }
    bool is_wrapped() const { return impl_->wrapper != nullptr; }
    // Where its data is, for a wrapped tensor: where the data that it stands for is.
    Device visible_device() const { return is_wrapped() ? g_wrapper_functions.device(impl_->wrapper) : device(); }
    const Ptr<Storage>& storage() const { return impl_->storage; }
    bool requires_grad() const { return impl_->requires_grad; }
    uint32_t version() const { return impl_->storage->version(); }

    void* data() const { return static_cast<char*>(impl_->storage->data()) + impl_->offset * static_cast<int64_t>(item_size()); }
    template <class T>
    T* data() const {
        return static_cast<T*>(data());
    }

private:
    Ptr<TensorImpl> impl_;
};

using TensorList = std::vector<Tensor>;

// New tensors with uninitialised memory (PyTorch's empty). Strides are contiguous unless given.
Tensor empty(IntList sizes, DType dtype, Device device = {});
Tensor empty_strided(IntList sizes, IntList strides, DType dtype, Device device = {});
// The strides of `like` where it is dense and non-overlapping, as PyTorch's preserve_format.
Tensor empty_like(const Tensor& like, std::optional<DType> dtype = {}, std::optional<MemoryFormat> format = {});
inline Tensor empty_like_with_sizes(const Tensor& like, IntList sizes) { return empty(sizes, like.dtype(), like.device()); }

// What a kernel allocates its (first) result with: the `out=` tensor of the call in progress where there is one and it
// fits without conversion, else a new tensor. The dispatcher copies the result over where it did not fit.
Tensor result(IntList sizes, DType dtype, Device device = {});

// While one of these lives, the next call of result() in this thread may return `out`.
class OutputSlot {
public:
    OutputSlot(const Tensor& out, std::span<const Tensor* const> inputs);  // inputs: must not share memory with `out`
    ~OutputSlot();
    OutputSlot(const OutputSlot&) = delete;

private:
    const Tensor* saved_;
};

// A view on the same storage. No checks: the caller knows that it lies inside.
Tensor alias(const Tensor& t, IntList sizes, IntList strides, int64_t offset);
Tensor alias(const Tensor& t);  // same geometry, without history
// A tensor over foreign memory.
Tensor from_storage(Ptr<Storage> storage, IntList sizes, IntList strides, int64_t offset, DType dtype);

// A tensor without data for which `wrapper` stands (taken over); a view shares the storage, and so the version, of its base.
Tensor wrapped(void* wrapper, IntList sizes, DType dtype, const Tensor& base = Tensor());

// Changes geometry in place (resize_, set_, transpose_ ...).
void set_geometry(TensorImpl& impl, IntList sizes, IntList strides, int64_t offset);
// PyTorch's resize_: contiguous strides, storage grown where too small.
void resize_tensor(const Tensor& t, IntList sizes);

// ---- geometry helpers

int64_t product(IntList sizes);  // checked: a negative size or an overflow is an error
Shape contiguous_strides(IntList sizes);
Shape channels_last_strides(IntList sizes);  // 4-d and 5-d
bool is_contiguous(IntList sizes, IntList strides);
bool is_contiguous_as(const Tensor& t, MemoryFormat format);
bool is_non_overlapping_and_dense(IntList sizes, IntList strides);
// Whether two elements of the view may share an address (an expanded dimension, say): such tensors cannot be written.
bool may_overlap_itself(const Tensor& t);
bool may_share_memory(const Tensor& a, const Tensor& b);  // their byte ranges meet
bool is_same_view(const Tensor& a, const Tensor& b);      // same memory, geometry and dtype

// -ndim <= dim < ndim, to non-negative; IndexError "Dimension out of range (expected to be in range of [-1, 0], but got 2)".
// A zero-dim tensor counts as having one dimension.
int64_t wrap_dim(int64_t dim, int64_t ndim, bool wrap_scalar = true);
Shape wrap_dims(IntList dims, int64_t ndim);  // and no duplicates: "dim 0 appears multiple times in the list of dims"

// RuntimeError "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1".
Shape broadcast_shapes(IntList a, IntList b);
Tensor expand_to(const Tensor& t, IntList sizes);  // a view with stride 0 where it repeats
bool is_expandable_to(IntList from, IntList to);

std::string shape_text(IntList sizes);  // "[2, 3]"

}  // namespace taeda
