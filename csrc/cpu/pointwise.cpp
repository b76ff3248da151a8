// The executor of pointwise operations: a short path for plain contiguous operands, blocks for everything else.
#include "cpu/pointwise.h"

#include <array>
#include <cstring>

#include "cpu/blocks.h"
#include "cpu/convert.h"
#include "cpu/copy.h"
#include "cpu/pointwise_detail.h"
#include "cpu/stream.h"

namespace taeda::cpu {

namespace {

constexpr size_t kStageBytes = kBlockElements * 8;

// Arrays of one repeated value, for numbers and one-element tensors: loops only read arrays.
struct Constants {
    alignas(64) char block[kMaxPointwiseInputs][kStageBytes];
};

template <class T>
void repeat(void* block, T value, int64_t n) {
    T* target = static_cast<T*>(block);
    for (int64_t i = 0; i < n; ++i) target[i] = value;
}

Scalar converted(const Scalar& number, DType t) {
    return visit_dtype(t, [&]<class T>(Tag<T>) {
        if constexpr (is_complex_v<T>) return Scalar(number.to_complex());
        else if constexpr (is_floating_v<T>) return Scalar(convert<double>(number.to<T>()));
        else if constexpr (std::is_same_v<T, uint64_t>) return Scalar(number.to<T>());
        else return Scalar(static_cast<int64_t>(number.to<T>()));
    });
}

// A number as the loop sees it. Comparisons and integers look at it in the operands' common dtype (300 beside int8
// wraps, 0.1 beside float16 is rounded); float arithmetic keeps it as it is, like the other intermediate values.
void repeat_number(void* block, Scalar number, ComputeType compute, DType common, bool rounded, int64_t n) {
    if (common != storage_of(compute) && (is_integral(common) || rounded)) number = converted(number, common);
    visit_dtype(storage_of(compute), [&]<class C>(Tag<C>) { repeat(block, number.to<C>(), n); });
}

// ---- the short path: every tensor contiguous, of one shape and of a dtype that loops read as it is, or half precision

struct Short {
    const Tensor* lead = nullptr;  // a tensor of the full shape
    DType common;
    ComputeType compute;
    DType result;
    unsigned constants = 0;  // bit k: operand k repeats one value
};

bool same_shape(const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes(); }

// The tensor whose shape and dtype the others must share; null where it has not the right to decide alone.
const Tensor* find_lead(const Pointwise& op, std::span<const Operand> operands) {
    const Tensor* lead = nullptr;
    for (size_t k = 0; k < operands.size(); ++k) {
        const Tensor* t = operands[k].tensor;
        if (t && !(op.bool_inputs >> k & 1u) && (!lead || t->dim() > lead->dim() || (t->dim() == lead->dim() && t->numel() > lead->numel())))
            lead = t;
    }
    return lead;
}

bool fits_short(const Pointwise& op, std::span<const Operand> operands, Short& s) {
    s.lead = find_lead(op, operands);
    if (!s.lead || !s.lead->is_contiguous() || s.lead->is_meta()) return false;
    s.common = s.lead->dtype();
    s.compute = compute_type_of(op, s.common);
    if (storage_of(s.compute) != s.common && !is_reduced_float(s.common)) return false;
    if (is_integral(s.common) && apply_rule(op, s.common) != s.common) return false;
    for (size_t k = 0; k < operands.size(); ++k) {
        const Operand& operand = operands[k];
        const bool as_bool = op.bool_inputs >> k & 1u;
        if (!operand.tensor) {
            if (as_bool || promote_with(s.common, operand.number) != s.common) return false;
            s.constants |= 1u << k;
            continue;
        }
        const Tensor& t = *operand.tensor;
        if (t.dtype() != (as_bool ? DType::Bool : s.common) || t.is_meta()) return false;
        if (t.is_contiguous() && same_shape(t, *s.lead)) continue;
        if (t.numel() != 1 || t.dim() > s.lead->dim()) return false;
        s.constants |= 1u << k;
    }
    s.result = result_dtype(op, s.common);
    return op.loops[s.compute] != nullptr;
}

bool out_fits_short(std::span<const Operand> operands, const Short& s, const Tensor& out) {
    if (!out.is_contiguous() || out.dtype() != s.result || !same_shape(out, *s.lead) || out.is_meta()) return false;
    for (const Operand& operand : operands)
        if (operand.tensor && operand.tensor->storage() == out.storage() && !is_same_view(*operand.tensor, out)) return false;
    return true;
}

struct FlatLoop {
    Loop loop;
    const Attributes* attributes;
    char* out;
    int64_t out_item;
    std::array<const char*, kMaxPointwiseInputs> in;
    std::array<int64_t, kMaxPointwiseInputs> item;  // 0: a constant block
    size_t n_inputs;
    ConvertBlock widen = nullptr;   // of half precision: how an input that is not bool becomes float,
    ConvertBlock narrow = nullptr;  // and the result half again, where it does
    int64_t step;                   // elements for each call of the loop
    int64_t grain;                  // elements that are worth a thread
};

// A sum waits for the memory, and a logarithm takes as long as eight of them: fewer of those are worth another thread. Not many
// fewer: where a program has more threads than it has processors, whatever is shared among them waits for the slowest.
int64_t grain_of(const Pointwise& op, ComputeType compute) {
    const int64_t width = compute == kDouble ? 2 : compute == kComplexFloat || compute == kComplexDouble ? 4 : 1;
    return std::clamp(kParallelGrain * 12 / std::max<int64_t>(op.work * width, 1), kParallelGrain / 4, kParallelGrain);
}

// Half precision through float, in pieces so short that the next one is being loaded while this one is still computed with.
void run_widened(const FlatLoop& flat, int64_t begin, int64_t end) {
    constexpr int64_t kPiece = 256;
    alignas(64) float staged[kMaxPointwiseInputs][kPiece], result[kPiece];
    const void* in[kMaxPointwiseInputs];
    for (int64_t first = begin; first < end; first += kPiece) {
        const int64_t n = std::min(kPiece, end - first);
        for (size_t k = 0; k < flat.n_inputs; ++k) {
            in[k] = flat.in[k] + first * flat.item[k];
            if (flat.item[k] != sizeof(Half)) continue;
            flat.widen(staged[k], in[k], n);
            in[k] = staged[k];
        }
        char* const out = flat.out + first * flat.out_item;
        flat.loop(flat.narrow ? static_cast<void*>(result) : out, in, n, *flat.attributes);
        if (flat.narrow) flat.narrow(out, result, n);
    }
}

void run_flat(const FlatLoop& flat, int64_t begin, int64_t end) {
    if (flat.widen) return run_widened(flat, begin, end);
    for (int64_t first = begin; first < end; first += flat.step) {
        const void* in[kMaxPointwiseInputs];
        for (size_t k = 0; k < flat.n_inputs; ++k) in[k] = flat.in[k] + first * flat.item[k];
        flat.loop(flat.out + first * flat.out_item, in, std::min(flat.step, end - first), *flat.attributes);
    }
}

constexpr int64_t kStreamBlock = 8192;

void run_streamed(const FlatLoop& flat, int64_t begin, int64_t end) {
    alignas(64) char block[kStreamBlock];
    const int64_t step = std::min(flat.step, kStreamBlock / flat.out_item);
    for (int64_t first = begin; first < end; first += step) {
        const int64_t n = std::min(step, end - first);
        const void* in[kMaxPointwiseInputs];
        for (size_t k = 0; k < flat.n_inputs; ++k) in[k] = flat.in[k] + first * flat.item[k];
        flat.loop(block, in, n, *flat.attributes);
        stream_out(flat.out + first * flat.out_item, block, n * flat.out_item);
    }
    finish_streaming();
}

bool worth_streaming(const FlatLoop& flat, int64_t n) {
    if (!kCanStream || flat.widen || n * flat.out_item < kStreamFrom) return false;
    for (size_t k = 0; k < flat.n_inputs; ++k)
        if (flat.in[k] == flat.out) return false;  // in place: the line has been read anyhow
    return true;
}

void run_flat(const FlatLoop& flat, int64_t n) {
    if (n <= flat.grain) return run_flat(flat, 0, n);
    ReleaseHostLock unlocked(n >= kReleaseLockFrom);
    const bool streamed = worth_streaming(flat, n);
    parallel_for(0, n, flat.grain, [&](int64_t first, int64_t last) { streamed ? run_streamed(flat, first, last) : run_flat(flat, first, last); });
}

__attribute__((noinline)) void run_short_with_constants(const Pointwise& op, std::span<const Operand> operands, const Short& s, FlatLoop& flat,
                                                        int64_t n) {
    Constants constants;
    flat.step = block_elements(item_size(s.common));
    const int64_t length = std::min(n, flat.step);
    for (size_t k = 0; k < operands.size(); ++k) {
        if (!(s.constants >> k & 1u)) continue;
        const ComputeType seen = op.bool_inputs >> k & 1u ? kBool : s.compute;
        const Scalar number = operands[k].tensor ? item(*operands[k].tensor) : operands[k].number;
        repeat_number(constants.block[k], number, seen, seen == kBool ? DType::Bool : s.common, op.rule == TypeRule::ToBool, length);
        flat.in[k] = constants.block[k];
        flat.item[k] = 0;
    }
    run_flat(flat, n);
}

void run_short(const Pointwise& op, std::span<const Operand> operands, const Short& s, const Attributes& attributes, const Tensor& out) {
    const int64_t n = out.numel();
    if (n == 0) return;
    FlatLoop flat;
    flat.loop = op.loops[s.compute];
    flat.attributes = &attributes;
    flat.out = out.data<char>();
    flat.out_item = static_cast<int64_t>(out.item_size());
    flat.n_inputs = operands.size();
    flat.step = n;
    flat.grain = grain_of(op, s.compute);
    if (is_reduced_float(s.common)) {
        flat.widen = converter(DType::Float32, s.common);
        if (is_reduced_float(s.result)) flat.narrow = converter(s.result, DType::Float32);
    }
    for (size_t k = 0; k < operands.size(); ++k) {
        if (s.constants >> k & 1u) continue;
        flat.in[k] = operands[k].tensor->data<char>();
        flat.item[k] = static_cast<int64_t>(operands[k].tensor->item_size());
    }
    if (s.constants) return run_short_with_constants(op, operands, s, flat, n);
    if (n > kParallelGrain) flat.step = kParallelGrain;
    run_flat(flat, n);
}

// ---- the general path

Device common_device(std::span<const Operand> operands, const Tensor& out) {
    bool meta = false;
    const Tensor* real = nullptr;
    auto look = [&](const Tensor& t) {
        if (t.is_meta()) meta = true;
        else if (t.dim() > 0) real = &t;
    };
    for (const Operand& operand : operands)
        if (operand.tensor) look(*operand.tensor);
    if (out.defined()) look(out);
    TAEDA_CHECK(!meta || !real, "Expected all tensors to be on the same device, but found at least two devices, meta and cpu!");
    return meta ? Device{DeviceType::Meta} : Device{};
}

Shape common_shape(std::span<const Operand> operands) {
    const Tensor* first = nullptr;
    Shape shape;
    for (const Operand& operand : operands) {
        if (!operand.tensor) continue;
        const Tensor& t = *operand.tensor;
        if (!first) {
            first = &t;
            shape = t.sizes();
        } else if (!(t.sizes() == shape)) {
            shape = broadcast_shapes(shape, t.sizes());
        }
    }
    return shape;
}

void check_out(const Tensor& out, const Shape& shape, DType result, bool in_place) {
    TAEDA_CHECK(can_cast(result, out.dtype()), "result type ", scalar_type_name(result), " can't be cast to the desired output type ",
                scalar_type_name(out.dtype()));
    if (!(out.sizes() == shape)) {
        TAEDA_CHECK(!in_place, "output with shape ", shape_text(out.sizes()), " doesn't match the broadcast shape ", shape_text(shape));
        resize_tensor(out, shape);
    }
    check_writable(out);
}

struct GeneralCall {
    Loop loop;
    const Attributes* attributes;
    size_t n_inputs;
    std::array<int8_t, kMaxPointwiseInputs> planned;  // which of the block loop's inputs; -1: the constant
    const Constants* constants;

    static void body(const void* context, void* out, const void* const* in, int64_t n) {
        const GeneralCall& call = *static_cast<const GeneralCall*>(context);
        const void* arrays[kMaxPointwiseInputs];
        for (size_t k = 0; k < call.n_inputs; ++k) arrays[k] = call.planned[k] < 0 ? call.constants->block[k] : in[call.planned[k]];
        call.loop(out, arrays, n, *call.attributes);
    }
};

// Strides of `t` against the broadcast shape, in elements.
Shape broadcast_strides(const Tensor& t, const Shape& shape) {
    Shape strides(shape.size(), 0);
    size_t lead = shape.size() - t.sizes().size();
    for (size_t d = lead; d < shape.size(); ++d)
        if (t.sizes()[d - lead] != 1) strides[d] = t.strides()[d - lead];
    return strides;
}

void run_general(const Pointwise& op, std::span<const Operand> operands, const PointwiseTypes& types, const Attributes& attributes,
                 const Tensor& out) {
    const Shape& shape = out.sizes();
    Constants constants;
    GeneralCall call{op.loops[types.compute], &attributes, operands.size(), {}, &constants};
    BlockLoop loop;
    std::array<PlanOperand, kMaxOperands> planned;
    std::array<Shape, kMaxOperands> strides;
    size_t count = 1;
    planned[0] = {out.data<char>(), out.strides().data(), static_cast<int64_t>(out.item_size())};
    loop.memory[0] = out.dtype();
    loop.compute[0] = storage_of(static_cast<ComputeType>(op.out_type[types.compute]));
    const int64_t constant_length = std::min(out.numel(), kBlockElements);
    for (size_t k = 0; k < operands.size(); ++k) {
        const bool as_bool = op.bool_inputs >> k & 1u;
        const ComputeType seen = as_bool ? kBool : types.compute;
        const DType common = as_bool ? DType::Bool : types.common;
        const Tensor* t = operands[k].tensor;
        const int64_t length = std::min(constant_length, block_elements(item_size(storage_of(seen))));
        call.planned[k] = -1;
        if (!t || t->numel() == 1) {
            const Scalar number = t ? item(*t) : operands[k].number;
            repeat_number(constants.block[k], number, seen, common, op.rule == TypeRule::ToBool, length);
        } else {
            call.planned[k] = static_cast<int8_t>(count - 1);
            strides[count] = broadcast_strides(*t, shape);
            planned[count] = {t->data<char>(), strides[count].data(), static_cast<int64_t>(t->item_size())};
            loop.memory[count] = t->dtype();
            loop.compute[count] = storage_of(seen);
            ++count;
        }
    }
    loop.plan = plan_strided(shape, {planned.data(), count});
    loop.grain = grain_of(op, types.compute);
    run_blocks(loop, GeneralCall::body, &call);
}

// An operand that the common dtype rounds before it is computed with (int64 beside a zero-dim float16): the staging only
// knows the compute type, so that such an operand is converted as a whole first.
bool loses_on_the_way(const Tensor& t, DType common, ComputeType compute) {
    return t.numel() != 1 && storage_of(compute) != common && t.dtype() != common && promote(t.dtype(), common) != common;
}

}  // namespace

Tensor run_pointwise(const Pointwise& op, std::span<const Operand> operands, const Attributes& attributes, const Tensor& out, bool in_place) {
    if (op.check) op.check(operands, attributes);
    Short s;
    if (fits_short(op, operands, s)) {
        if (!out.defined()) {
            Tensor fresh = empty(s.lead->sizes(), s.result);
            run_short(op, operands, s, attributes, fresh);
            return fresh;
        }
        if (out_fits_short(operands, s, out)) {
            run_short(op, operands, s, attributes, out);
            return out;
        }
    }
    const PointwiseTypes types = pointwise_types(op, operands);
    const Shape shape = common_shape(operands);
    const Device device = common_device(operands, out);
    Tensor target = out;
    if (out.defined()) {
        check_out(out, shape, types.result, in_place);
    } else {
        Shape strides = result_strides(shape, operands);
        target = strides.empty() ? empty(shape, types.result, device) : empty_strided(shape, strides, types.result, device);
    }
    std::array<Operand, kMaxPointwiseInputs> used;
    std::array<Tensor, kMaxPointwiseInputs> copies;
    for (size_t k = 0; k < operands.size(); ++k) {
        used[k] = operands[k];
        if (!used[k].tensor || device.is_meta()) continue;
        if (out.defined()) check_no_partial_overlap(out, *used[k].tensor);
        const bool as_bool = op.bool_inputs >> k & 1u;
        if (!as_bool && loses_on_the_way(*used[k].tensor, types.common, types.compute)) copies[k] = to_dtype(*used[k].tensor, types.common);
        else if (out.defined() && needs_own_copy(out, *used[k].tensor)) copies[k] = clone(*used[k].tensor);
        if (copies[k].defined()) used[k].tensor = &copies[k];
    }
    if (device.is_meta() || target.numel() == 0) return target;
    run_general(op, {used.data(), operands.size()}, types, attributes, target);
    return target;
}

}  // namespace taeda::cpu
