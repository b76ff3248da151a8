#include "bind/dlpack.h"

namespace taeda::bind {

namespace {

// The structs of the standard's C interface.
struct DLDevice {
    int32_t device_type;
    int32_t device_id;
};
struct DLDataType {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
};
struct DLTensor {
    void* data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t* shape;
    int64_t* strides;
    uint64_t byte_offset;
};
struct DLManagedTensor {
    DLTensor tensor;
    void* manager;
    void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
    uint32_t major, minor;
    void* manager;
    void (*deleter)(DLManagedTensorVersioned*);
    uint64_t flags;
    DLTensor tensor;
};
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kComplex = 5, kBool = 6 };
constexpr int32_t kCpu = 1;
constexpr uint64_t kReadOnly = 1;

DLDataType type_of(DType t) {
    uint8_t code = is_bool(t)             ? kBool
                   : t == DType::BFloat16 ? kBFloat
                   : is_complex(t)        ? kComplex
                   : is_floating(t)       ? kFloat
                   : is_unsigned(t)       ? kUInt
                                          : kInt;
    return {code, static_cast<uint8_t>(item_size(t) * 8), 1};
}

DType dtype_of(DLDataType type) {
    for (int k = 0; k < kDTypeCount; ++k) {
        DLDataType own = type_of(static_cast<DType>(k));
        if (own.code == type.code && own.bits == type.bits && type.lanes == 1) return static_cast<DType>(k);
    }
    fail(ErrorKind::Runtime, "Unsupported DLPack data type: code ", int(type.code), ", ", int(type.bits), " bits, ", type.lanes, " lanes");
}

struct Exported {
    Tensor tensor;
    DLManagedTensor managed;
};

void delete_exported(DLManagedTensor* managed) { delete static_cast<Exported*>(managed->manager); }

void delete_unused_capsule(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, "dltensor")) return;  // consumed: it was renamed
    auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
    managed->deleter(managed);
}

template <class Managed>
void release_imported(void* context) {
    auto* managed = static_cast<Managed*>(context);
    if (managed->deleter) managed->deleter(managed);
}

template <class Managed>
Tensor import(PyObject* capsule, const char* name, const char* used_name) {
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
    const DLTensor& t = managed->tensor;
    TAEDA_CHECK(t.device.device_type == kCpu, "taeda can import DLPack tensors of the cpu only, got device type ", t.device.device_type);
    TAEDA_CHECK(t.ndim >= 0 && t.ndim < 1024, "DLPack tensor with ", t.ndim, " dimensions");
    DType dtype = dtype_of(t.dtype);
    Shape sizes(t.shape, t.shape + t.ndim), strides = t.strides ? Shape(t.strides, t.strides + t.ndim) : contiguous_strides(sizes);
    int64_t low = 0, high = 0;
    bool none = product(sizes) == 0;
    for (size_t d = 0; d < sizes.size() && !none; ++d) (strides[d] < 0 ? low : high) += (sizes[d] - 1) * strides[d];
    auto item = static_cast<int64_t>(item_size(dtype));
    char* first = static_cast<char*>(t.data) + t.byte_offset;
    bool writable = true;
    if constexpr (std::is_same_v<Managed, DLManagedTensorVersioned>) writable = !(managed->flags & kReadOnly);
    auto storage = Storage::wrap(first + low * item, none ? 0 : static_cast<size_t>((high - low + 1) * item), Device{}, release_imported<Managed>,
                                 managed, writable);
    if (PyCapsule_SetName(capsule, used_name) != 0) throw_python_error();
    return from_storage(std::move(storage), sizes, strides, -low, dtype);
}

}  // namespace

PyObject* to_dlpack(const Tensor& t) {
    TAEDA_CHECK(!t.is_meta(), "a meta tensor has no data to exchange");
    auto* exported = new Exported{alias(t), {}};
    TensorImpl* impl = exported->tensor.impl();
    exported->managed = {{t.data(), {kCpu, 0}, static_cast<int32_t>(t.dim()), type_of(t.dtype()), impl->sizes.data(), impl->strides.data(), 0},
                         exported,
                         delete_exported};
    PyObject* capsule = PyCapsule_New(&exported->managed, "dltensor", delete_unused_capsule);
    if (!capsule) {
        delete exported;
        throw_python_error();
    }
    return capsule;
}

Tensor from_dlpack(PyObject* capsule) {
    if (PyCapsule_IsValid(capsule, "dltensor_versioned"))
        return import<DLManagedTensorVersioned>(capsule, "dltensor_versioned", "used_dltensor_versioned");
    if (PyCapsule_IsValid(capsule, "dltensor")) return import<DLManagedTensor>(capsule, "dltensor", "used_dltensor");
    fail(ErrorKind::Runtime,
         "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you might have already "
         "constructed a tensor from it once.");
}

}  // namespace taeda::bind
