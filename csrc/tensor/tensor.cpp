#include "tensor/tensor.h"

#include <cstring>
#include <new>
#include <numeric>

namespace taeda {

void (*g_destroy_autograd_record)(AutogradRecord*) noexcept = nullptr;
void (*g_release_host_object)(void*) noexcept = nullptr;
WrapperFunctions g_wrapper_functions;
std::atomic<int64_t> g_n_wrapped{0};

TensorImpl* TensorImpl::create() { return new (allocate(sizeof(TensorImpl))) TensorImpl; }

void TensorImpl::destroy(TensorImpl* impl) noexcept {
    if (impl->autograd) g_destroy_autograd_record(std::exchange(impl->autograd, nullptr));
    if (impl->owns_host_object) g_release_host_object(std::exchange(impl->host_object, nullptr));
    if (impl->wrapper) {
        g_wrapper_functions.release(std::exchange(impl->wrapper, nullptr));
        g_n_wrapped.fetch_sub(1, std::memory_order_relaxed);
    }
    impl->~TensorImpl();
    deallocate(impl, sizeof(TensorImpl));
}

int64_t Tensor::size(int64_t d) const { return sizes()[static_cast<size_t>(wrap_dim(d, dim(), false))]; }
int64_t Tensor::stride(int64_t d) const { return strides()[static_cast<size_t>(wrap_dim(d, dim(), false))]; }

// ---- creation

namespace {

thread_local const Tensor* t_output = nullptr;

size_t bytes_spanned(IntList sizes, IntList strides, size_t item) {
    int64_t last = 0;
    for (size_t d = 0; d < sizes.size(); ++d) {
        if (sizes[d] == 0) return 0;
        int64_t reach;
        TAEDA_CHECK(
            !__builtin_mul_overflow(sizes[d] - 1, strides[d], &reach) && !__builtin_add_overflow(last, reach, &last) && last < (int64_t{1} << 59),
            "Storage size calculation overflowed with sizes=", shape_text(sizes), " and strides=", shape_text(strides));
    }
    return static_cast<size_t>(last + 1) * item;
}

Tensor make(Ptr<Storage> storage, IntList sizes, IntList strides, int64_t offset, DType dtype) {
    TensorImpl* impl = TensorImpl::create();
    impl->storage = std::move(storage);
    impl->dtype = dtype;
    set_geometry(*impl, sizes, strides, offset);
    return Tensor(Ptr<TensorImpl>::adopt(impl));
}

}  // namespace

Tensor empty(IntList sizes, DType dtype, Device device) {
    int64_t numel = product(sizes);
    TAEDA_CHECK(numel < (int64_t{1} << 59), "Storage size calculation overflowed with sizes=", shape_text(sizes));
    TensorImpl* impl = TensorImpl::create();
    Tensor t(Ptr<TensorImpl>::adopt(impl));
    impl->storage = Storage::allocate(static_cast<size_t>(numel) * item_size(dtype), device);
    impl->dtype = dtype;
    impl->numel = numel;
    impl->sizes.assign(sizes.data(), sizes.size());
    impl->strides.resize(sizes.size());
    int64_t step = 1;
    for (size_t d = sizes.size(); d-- > 0;) {
        impl->strides[d] = step;
        step *= std::max<int64_t>(sizes[d], 1);
    }
    return t;
}

Tensor empty_strided(IntList sizes, IntList strides, DType dtype, Device device) {
    TAEDA_CHECK(sizes.size() == strides.size(), "mismatch in length of strides and shape: ", strides.size(), " and ", sizes.size());
    for (int64_t stride : strides) TAEDA_CHECK(stride >= 0, "empty_strided: strides must not be negative, got ", shape_text(strides));
    product(sizes);
    return make(Storage::allocate(bytes_spanned(sizes, strides, item_size(dtype)), device), sizes, strides, 0, dtype);
}

Tensor empty_like(const Tensor& like, std::optional<DType> dtype, std::optional<MemoryFormat> format) {
    DType type = dtype.value_or(like.dtype());
    MemoryFormat wanted = format.value_or(MemoryFormat::Preserve);
    if (wanted == MemoryFormat::Contiguous || (wanted == MemoryFormat::Preserve && like.is_contiguous()))
        return empty(like.sizes(), type, like.device());
    if (wanted == MemoryFormat::ChannelsLast || wanted == MemoryFormat::ChannelsLast3d) {
        size_t ndim = wanted == MemoryFormat::ChannelsLast ? 4 : 5;
        TAEDA_CHECK(like.sizes().size() == ndim, "required rank ", ndim, " tensor to use channels_last", ndim == 5 ? "_3d" : "", " format");
        return empty_strided(like.sizes(), channels_last_strides(like.sizes()), type, like.device());
    }
    bool negative = std::any_of(like.strides().begin(), like.strides().end(), [](int64_t s) { return s < 0; });
    if (!negative && is_non_overlapping_and_dense(like.sizes(), like.strides()))
        return empty_strided(like.sizes(), like.strides(), type, like.device());
    // Neither dense nor contiguous: keep the order of the dimensions, close the gaps.
    size_t ndim = like.sizes().size();
    Shape order(ndim), strides(ndim);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        int64_t x = std::abs(like.strides()[a]), y = std::abs(like.strides()[b]);
        return x != y && x != 0 && y != 0 && x > y;
    });
    int64_t step = 1;
    for (size_t i = ndim; i-- > 0;) {
        strides[order[i]] = step;
        step *= std::max<int64_t>(like.sizes()[order[i]], 1);
    }
    return empty_strided(like.sizes(), strides, type, like.device());
}

Tensor result(IntList sizes, DType dtype, Device device) {
    if (t_output) {
        const Tensor& out = *std::exchange(t_output, nullptr);
        if (out.dtype() == dtype && out.device() == device) {
            if (std::ranges::equal(out.sizes(), sizes)) {
                if (out.is_contiguous()) return out;
            } else if (out.numel() == 0 && out.storage()->is_resizable()) {
                resize_tensor(out, sizes);
                return out;
            }
        }
    }
    return empty(sizes, dtype, device);
}

OutputSlot::OutputSlot(const Tensor& out, std::span<const Tensor* const> inputs) : saved_(t_output) {
    t_output = &out;
    for (const Tensor* input : inputs)
        if (input->defined() && may_share_memory(*input, out)) t_output = nullptr;
}

OutputSlot::~OutputSlot() { t_output = saved_; }

Tensor alias(const Tensor& t, IntList sizes, IntList strides, int64_t offset) { return make(t.storage(), sizes, strides, offset, t.dtype()); }

Tensor alias(const Tensor& t) {
    Tensor made = make(t.storage(), t.sizes(), t.strides(), t.offset(), t.dtype());
    if (t.is_wrapped()) {
        g_wrapper_functions.retain(t.impl()->wrapper);
        made.impl()->wrapper = t.impl()->wrapper;
        g_n_wrapped.fetch_add(1, std::memory_order_relaxed);
    }
    return made;
}

Tensor wrapped(void* wrapper, IntList sizes, DType dtype, const Tensor& base) {
    // On the meta device: a kernel that is handed such a tensor by mistake finds no data, but does not crash.
    Ptr<Storage> storage = base.defined() ? base.storage() : Storage::allocate(0, Device{DeviceType::Meta});
    Tensor made = make(std::move(storage), sizes, contiguous_strides(sizes), 0, dtype);
    made.impl()->wrapper = wrapper;
    g_n_wrapped.fetch_add(1, std::memory_order_relaxed);
    return made;
}

Tensor from_storage(Ptr<Storage> storage, IntList sizes, IntList strides, int64_t offset, DType dtype) {
    return make(std::move(storage), sizes, strides, offset, dtype);
}

void set_geometry(TensorImpl& impl, IntList sizes, IntList strides, int64_t offset) {
    impl.numel = product(sizes);
    impl.sizes.assign(sizes.data(), sizes.size());
    impl.strides.assign(strides.data(), strides.size());
    impl.offset = offset;
    impl.is_contiguous = is_contiguous(impl.sizes, impl.strides);
}

void resize_tensor(const Tensor& t, IntList sizes) {
    if (std::ranges::equal(t.sizes(), sizes)) return;
    const int64_t numel = product(sizes);
    TAEDA_CHECK(numel < (int64_t{1} << 59), "Storage size calculation overflowed with sizes=", shape_text(sizes));
    size_t needed = static_cast<size_t>(numel + t.offset()) * t.item_size();
    if (const size_t before = t.storage()->n_bytes(); needed > before) {
        t.storage()->resize(needed);
        if (t.dtype() == DType::Bool && t.storage()->data())  // the new memory holds any bytes, but a bool is 0 or 1
            std::memset(static_cast<char*>(t.storage()->data()) + before, 0, needed - before);
    }
    set_geometry(*t.impl(), sizes, contiguous_strides(sizes), t.offset());
}

// ---- geometry helpers

int64_t product(IntList sizes) {
    int64_t total = 1;
    for (int64_t size : sizes) {
        TAEDA_CHECK(size >= 0, "Trying to create tensor with negative dimension ", size, ": ", shape_text(sizes));
        TAEDA_CHECK(!__builtin_mul_overflow(total, size, &total), "Storage size calculation overflowed with sizes=", shape_text(sizes));
    }
    return total;
}

Shape contiguous_strides(IntList sizes) {
    Shape strides(sizes.size());
    int64_t step = 1;
    for (size_t d = sizes.size(); d-- > 0;) {
        strides[d] = step;
        step *= std::max<int64_t>(sizes[d], 1);
    }
    return strides;
}

Shape channels_last_strides(IntList sizes) {
    size_t ndim = sizes.size();
    Shape strides(ndim);
    strides[1] = 1;
    int64_t step = std::max<int64_t>(sizes[1], 1);
    for (size_t d = ndim; d-- > 2;) {
        strides[d] = step;
        step *= std::max<int64_t>(sizes[d], 1);
    }
    strides[0] = step;
    return strides;
}

bool is_contiguous(IntList sizes, IntList strides) {
    int64_t step = 1;
    bool result = true;
    for (size_t d = sizes.size(); d-- > 0;) {
        if (sizes[d] == 0) return true;
        if (sizes[d] != 1) {
            result = result && strides[d] == step;
            step *= sizes[d];
        }
    }
    return result;
}

bool is_contiguous_as(const Tensor& t, MemoryFormat format) {
    if (format == MemoryFormat::Contiguous || format == MemoryFormat::Preserve) return t.is_contiguous();
    size_t ndim = format == MemoryFormat::ChannelsLast ? 4 : 5;
    if (t.sizes().size() != ndim) return false;
    int64_t step = 1;
    auto fits = [&](size_t d) {
        if (t.sizes()[d] != 1 && t.strides()[d] != step) return false;
        step *= t.sizes()[d];
        return true;
    };
    if (!fits(1)) return false;
    for (size_t d = ndim; d-- > 2;)
        if (!fits(d)) return false;
    return fits(0);
}

bool is_non_overlapping_and_dense(IntList sizes, IntList strides) {
    Shape order;
    for (size_t d = 0; d < sizes.size(); ++d) {
        if (sizes[d] == 0) return true;
        if (sizes[d] != 1) order.push_back(static_cast<int64_t>(d));
    }
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return std::abs(strides[a]) < std::abs(strides[b]); });
    int64_t step = 1;
    for (int64_t d : order) {
        if (std::abs(strides[d]) != step) return false;
        step *= sizes[d];
    }
    return true;
}

bool may_overlap_itself(const Tensor& t) {
    if (t.is_contiguous() || t.numel() < 2) return false;
    Shape order;
    for (size_t d = 0; d < t.sizes().size(); ++d) {
        if (t.sizes()[d] == 1) continue;
        if (t.strides()[d] == 0) return true;
        order.push_back(static_cast<int64_t>(d));
    }
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return std::abs(t.strides()[a]) < std::abs(t.strides()[b]); });
    int64_t reach = 0;  // the furthest element that the smaller dimensions reach
    for (int64_t d : order) {
        if (std::abs(t.strides()[d]) <= reach) return true;
        reach += std::abs(t.strides()[d]) * (t.sizes()[d] - 1);
    }
    return false;
}

namespace {

std::pair<const char*, const char*> byte_range(const Tensor& t) {
    const char* low = static_cast<const char*>(t.data());
    const char* high = low + t.item_size();
    for (size_t d = 0; d < t.sizes().size(); ++d) {
        int64_t reach = (t.sizes()[d] - 1) * t.strides()[d] * static_cast<int64_t>(t.item_size());
        (reach < 0 ? low : high) += reach;
    }
    return {low, high};
}

}  // namespace

bool may_share_memory(const Tensor& a, const Tensor& b) {
    if (a.numel() == 0 || b.numel() == 0 || a.is_meta() || b.is_meta()) return false;
    auto [a_low, a_high] = byte_range(a);
    auto [b_low, b_high] = byte_range(b);
    return a_low < b_high && b_low < a_high;
}

bool is_same_view(const Tensor& a, const Tensor& b) {
    return a.is_same(b) ||
           (a.storage() == b.storage() && a.offset() == b.offset() && a.dtype() == b.dtype() && a.sizes() == b.sizes() && a.strides() == b.strides());
}

int64_t wrap_dim(int64_t dim, int64_t ndim, bool wrap_scalar) {
    int64_t range = ndim == 0 && wrap_scalar ? 1 : ndim;
    TAEDA_CHECK_KIND(Index, range > 0, "Dimension specified as ", dim, " but tensor has no dimensions");
    TAEDA_CHECK_KIND(Index, dim >= -range && dim < range, "Dimension out of range (expected to be in range of [", -range, ", ", range - 1,
                     "], but got ", dim, ")");
    return dim < 0 ? dim + range : dim;
}

Shape wrap_dims(IntList dims, int64_t ndim) {
    Shape wrapped;
    for (int64_t dim : dims) {
        int64_t d = wrap_dim(dim, ndim);
        for (int64_t earlier : wrapped) TAEDA_CHECK(earlier != d, "dim ", d, " appears multiple times in the list of dims");
        wrapped.push_back(d);
    }
    return wrapped;
}

Shape broadcast_shapes(IntList a, IntList b) {
    size_t ndim = std::max(a.size(), b.size());
    Shape shape(ndim);
    for (size_t i = 1; i <= ndim; ++i) {
        int64_t x = i <= a.size() ? a[a.size() - i] : 1, y = i <= b.size() ? b[b.size() - i] : 1;
        TAEDA_CHECK(x == y || x == 1 || y == 1, "The size of tensor a (", x, ") must match the size of tensor b (", y,
                    ") at non-singleton dimension ", ndim - i, "\n  shapes ", shape_text(a), " and ", shape_text(b), " do not broadcast");
        shape[ndim - i] = x == 1 ? y : x;
    }
    return shape;
}

bool is_expandable_to(IntList from, IntList to) {
    if (from.size() > to.size()) return false;
    for (size_t i = 1; i <= from.size(); ++i)
        if (from[from.size() - i] != to[to.size() - i] && from[from.size() - i] != 1) return false;
    return true;
}

Tensor expand_to(const Tensor& t, IntList sizes) {
    if (std::ranges::equal(t.sizes(), sizes)) return t;
    TAEDA_CHECK(is_expandable_to(t.sizes(), sizes), "The expanded size of the tensor ", shape_text(sizes), " does not fit the existing size ",
                shape_text(t.sizes()));
    Shape strides(sizes.size(), 0);
    size_t shift = sizes.size() - t.sizes().size();
    for (size_t d = 0; d < t.sizes().size(); ++d) strides[d + shift] = t.sizes()[d] == 1 && sizes[d + shift] != 1 ? 0 : t.strides()[d];
    return alias(t, sizes, strides, t.offset());
}

std::string shape_text(IntList sizes) {
    std::string text = "[";
    for (size_t i = 0; i < sizes.size(); ++i) text += (i ? ", " : "") + std::to_string(sizes[i]);
    return text + "]";
}

}  // namespace taeda
