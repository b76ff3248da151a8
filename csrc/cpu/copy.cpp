#include "cpu/copy.h"

#include "cpu/blocks.h"
#include "cpu/convert.h"
#include "cpu/pointwise_detail.h"
#include "cpu/stream.h"
#include "cpu/strided.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kTile = 64;
constexpr int64_t kGrainBytes = 1 << 17;

// Whether the elements fill one run of memory that starts at the first of them (it does not where a stride is negative).
bool is_flat(const Tensor& t) {
    if (t.is_contiguous()) return true;
    for (int64_t stride : t.strides())
        if (stride < 0) return false;
    return is_non_overlapping_and_dense(t.sizes(), t.strides());
}

void copy_bytes(char* to, const char* from, size_t n_bytes) {
    ReleaseHostLock unlocked(n_bytes >= static_cast<size_t>(kReleaseLockFrom) * 4);
    const bool streamed = kCanStream && static_cast<int64_t>(n_bytes) >= kStreamFrom;
    parallel_for(0, static_cast<int64_t>(n_bytes), kGrainBytes, [&](int64_t first, int64_t last) {
        if (!streamed) return static_cast<void>(std::memcpy(to + first, from + first, static_cast<size_t>(last - first)));
        stream_out(to + first, from + first, last - first);
        finish_streaming();
    });
}

// Equal dtypes: boxes go straight from one place to the other. Rows are taken whole unless the two are transposed against
// each other; then square tiles keep the lines that both touch in the cache.
struct MoveGrid {
    const LoopPlan& plan;
    size_t item;
    int64_t box[2];
    int64_t count[2];
    int64_t outer;  // blocks along all further dimensions

    MoveGrid(const LoopPlan& plan, size_t item) : plan(plan), item(item) {
        bool transposed = plan.sizes.size() > 1 && std::abs(plan.byte_strides[1][1]) < std::abs(plan.byte_strides[1][0]);
        int64_t second = plan.sizes.size() > 1 ? plan.sizes[1] : 1;
        box[0] = std::min(plan.sizes[0], transposed ? kTile : kParallelGrain);
        bool whole_rows = box[0] == plan.sizes[0] || transposed;
        box[1] = whole_rows ? std::clamp<int64_t>((transposed ? kTile * kTile : kParallelGrain) / box[0], 1, second) : 1;
        count[0] = (plan.sizes[0] + box[0] - 1) / box[0];
        count[1] = (second + box[1] - 1) / box[1];
        outer = 1;
        for (size_t d = 2; d < plan.sizes.size(); ++d) outer *= plan.sizes[d];
    }

    int64_t n_blocks() const { return count[0] * count[1] * outer; }

    void move(int64_t index) const {
        int64_t first[2] = {index % count[0] * box[0], index / count[0] % count[1] * box[1]};
        int64_t rest = index / (count[0] * count[1]);
        int64_t offset[2] = {0, 0}, strides[2][3] = {};
        for (int k = 0; k < 2; ++k)
            for (size_t d = 0; d < plan.sizes.size() && d < 2; ++d) {
                offset[k] += first[d] * plan.byte_strides[k][d];
                strides[k][d] = plan.byte_strides[k][d];
            }
        for (size_t d = 2; d < plan.sizes.size(); ++d) {
            int64_t at = rest % plan.sizes[d];
            rest /= plan.sizes[d];
            for (int k = 0; k < 2; ++k) offset[k] += at * plan.byte_strides[k][d];
        }
        int64_t second = plan.sizes.size() > 1 ? plan.sizes[1] : 1;
        int64_t n[3] = {std::min(box[0], plan.sizes[0] - first[0]), std::min(box[1], second - first[1]), 1};
        move_box(plan.data[0] + offset[0], strides[0], plan.data[1] + offset[1], strides[1], n, item);
    }
};

void move_elements(const LoopPlan& plan, size_t item) {
    MoveGrid grid(plan, item);
    int64_t per_block = grid.box[0] * grid.box[1];
    ReleaseHostLock unlocked(plan.numel >= kReleaseLockFrom);
    parallel_for(0, grid.n_blocks(), std::max<int64_t>(kParallelGrain / per_block, 1), [&](int64_t first, int64_t last) {
        for (int64_t index = first; index < last; ++index) grid.move(index);
    });
}

void convert_body(const void* context, void* out, const void* const* in, int64_t n) { (*static_cast<const ConvertBlock*>(context))(out, in[0], n); }

// The loop sees each side in its own dtype, so that the body is the conversion itself.
void convert_elements(const LoopPlan& plan, DType to, DType from) {
    BlockLoop loop;
    loop.plan = plan;
    loop.memory[0] = loop.compute[0] = to;
    loop.memory[1] = loop.compute[1] = from;
    ConvertBlock convert = converter(to, from);
    run_blocks(loop, convert_body, &convert);
}

void copy_elements(const Tensor& to, const Tensor& from) {
    const bool same_geometry = to.sizes() == from.sizes() && to.dtype() == from.dtype() &&
                               ((to.is_contiguous() && from.is_contiguous()) || (to.strides() == from.strides() && is_flat(to)));
    if (same_geometry) return copy_bytes(to.data<char>(), from.data<char>(), to.n_bytes());
    Tensor operands[2] = {to, to.sizes() == from.sizes() ? from : expand_to(from, to.sizes())};
    LoopPlan plan = plan_loop(to.sizes(), operands);
    if (to.dtype() == from.dtype()) move_elements(plan, to.item_size());
    else convert_elements(plan, to.dtype(), from.dtype());
}

// Copies of a block that stays in the first cache: as wide as the machine's copies are, and past the caches where that helps.
template <class T>
void fill_flat(const Tensor& t, T value) {
    constexpr int64_t kBlock = 4096 / static_cast<int64_t>(sizeof(T));
    alignas(64) T block[kBlock];
    std::fill_n(block, std::min(kBlock, t.numel()), value);
    T* data = t.data<T>();
    const bool streamed = kCanStream && static_cast<int64_t>(t.n_bytes()) >= kStreamFrom;
    ReleaseHostLock unlocked(t.numel() >= kReleaseLockFrom);
    parallel_for(0, t.numel(), kGrainBytes / static_cast<int64_t>(sizeof(T)), [&](int64_t first, int64_t last) {
        for (int64_t at = first; at < last; at += kBlock) {
            const auto n_bytes = std::min(kBlock, last - at) * static_cast<int64_t>(sizeof(T));
            auto *to = reinterpret_cast<char*>(data + at), *from = reinterpret_cast<char*>(block);
            if (streamed) stream_out(to, from, n_bytes);
            else std::memcpy(to, from, static_cast<size_t>(n_bytes));
        }
        if (streamed) finish_streaming();
    });
}

template <class T>
void fill_typed(const Tensor& t, T value) {
    if (is_flat(t)) return fill_flat(t, value);
    Tensor one = empty({}, t.dtype());
    *one.data<T>() = value;
    copy_elements(t, one);
}

bool is_zero_number(const Scalar& value) {
    return value.is_integral() ? value.to_int() == 0
                               : value.to_complex() == 0.0 && !std::signbit(value.to_double()) && !std::signbit(value.to_complex().imag());
}

}  // namespace

void copy_into(const Tensor& to, const Tensor& from) {
    if (!(to.sizes() == from.sizes()))
        TAEDA_CHECK(is_expandable_to(from.sizes(), to.sizes()), "output with shape ", shape_text(to.sizes()), " doesn't match the broadcast shape ",
                    shape_text(broadcast_shapes(to.sizes(), from.sizes())));
    check_writable(to);
    if (to.is_meta() || to.numel() == 0) return;
    TAEDA_CHECK_KIND(NotImplemented, !from.is_meta(), "Cannot copy out of meta tensor; no data!");
    if (is_same_view(to, from)) return;
    if (needs_own_copy(to, from)) return copy_elements(to, clone(from, MemoryFormat::Contiguous));
    copy_elements(to, from);
}

Tensor contiguous(const Tensor& t) { return t.is_contiguous() ? t : clone(t, MemoryFormat::Contiguous); }

Tensor clone(const Tensor& t, std::optional<MemoryFormat> format) {
    Tensor copy = empty_like(t, {}, format);
    if (!copy.is_meta() && copy.numel()) copy_elements(copy, t);
    return copy;
}

Tensor to_dtype(const Tensor& t, DType dtype) {
    if (t.dtype() == dtype) return t;
    Tensor converted = empty_like(t, dtype);
    if (!converted.is_meta() && converted.numel()) copy_elements(converted, t);
    return converted;
}

void fill(const Tensor& t, const Scalar& value) {
    check_writable(t);
    if (t.is_meta() || t.numel() == 0) return;
    if (is_zero_number(value)) return fill_zero(t);
    visit_dtype(t.dtype(), [&]<class T>(Tag<T>) { fill_typed(t, value.to<T>()); });
}

void fill_zero(const Tensor& t) {
    check_writable(t);
    if (t.is_meta() || t.numel() == 0) return;
    if (!is_flat(t)) return visit_dtype(t.dtype(), [&]<class T>(Tag<T>) { fill_typed(t, T{}); });
    char* data = t.data<char>();
    ReleaseHostLock unlocked(t.numel() >= kReleaseLockFrom);
    parallel_for(0, static_cast<int64_t>(t.n_bytes()), kGrainBytes,
                 [&](int64_t first, int64_t last) { std::memset(data + first, 0, static_cast<size_t>(last - first)); });
}

Tensor full(IntList sizes, const Scalar& value, DType dtype, Device device) {
    Tensor t = empty(sizes, dtype, device);
    fill(t, value);
    return t;
}

Tensor zeros(IntList sizes, DType dtype, Device device) {
    Tensor t = empty(sizes, dtype, device);
    fill_zero(t);
    return t;
}

Scalar item(const Tensor& t) {
    TAEDA_CHECK(t.numel() == 1, "a Tensor with ", t.numel(), " elements cannot be converted to Scalar");
    TAEDA_CHECK(!t.is_meta(), "Tensor.item() cannot be called on meta tensors");
    return visit_dtype(t.dtype(), [&]<class T>(Tag<T>) {
        T value;
        std::memcpy(&value, t.data(), sizeof value);
        if constexpr (is_complex_v<T>) return Scalar(convert<std::complex<double>>(value));
        else if constexpr (is_floating_v<T>) return Scalar(convert<double>(value));
        else if constexpr (std::is_same_v<T, uint64_t> || std::is_same_v<T, bool>) return Scalar(value);
        else return Scalar(static_cast<int64_t>(value));
    });
}

Tensor scalar_tensor(const Scalar& value, DType dtype, Device device) { return full({}, value, dtype, device); }

}  // namespace taeda::cpu
