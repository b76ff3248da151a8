// Which dtype a pointwise operation computes in and gives back.
#include "cpu/pointwise.h"
#include "cpu/pointwise_detail.h"

namespace taeda::cpu {

namespace {

// A dtype that may not be there yet.
struct MaybeDType {
    bool present = false;
    DType value = DType::Bool;

    void add(DType t) {
        value = present ? promote(value, t) : t;
        present = true;
    }
};

// A category with more say meets one with less: the lesser only counts where its kind of number is higher.
MaybeDType combine(MaybeDType higher, MaybeDType lower) {
    if (!lower.present) return higher;
    if (!higher.present) return lower;
    DType a = higher.value, b = lower.value;
    if (is_complex(a)) return higher;
    if (is_floating(a)) return is_complex(b) ? MaybeDType{true, complex_of(a)} : higher;
    if (is_bool(a) || is_inexact(b)) return {true, promote(a, b)};
    return higher;
}

DType promoted_without(std::span<const Operand> operands, unsigned skipped) {
    MaybeDType with_dims, zero_dim, numbers;
    for (size_t k = 0; k < operands.size(); ++k) {
        if (skipped >> k & 1u) continue;
        const Operand& operand = operands[k];
        if (!operand.tensor) numbers.add(operand.number.dtype());
        else if (operand.tensor->dim() > 0) with_dims.add(operand.tensor->dtype());
        else zero_dim.add(operand.tensor->dtype());
    }
    return combine(with_dims, combine(zero_dim, numbers)).value;
}

}  // namespace

DType promoted_dtype(std::span<const Operand> operands) { return promoted_without(operands, 0); }

ComputeType compute_type_of(const Pointwise& op, DType t) {
    const auto narrow_or_wide = [&op](ComputeType narrow) { return op.loops[narrow] ? narrow : kInt64; };
    switch (t) {
        case DType::Bool: return kBool;
        case DType::UInt8: return narrow_or_wide(kUInt8);
        case DType::Int8: return narrow_or_wide(kInt8);
        case DType::Int16: return narrow_or_wide(kInt16);
        case DType::Int32: return narrow_or_wide(kInt32);
        case DType::UInt64: return kUInt64;
        case DType::Float16:
        case DType::BFloat16:
        case DType::Float32: return kFloat;
        case DType::Float64: return kDouble;
        case DType::Complex64: return kComplexFloat;
        case DType::Complex128: return kComplexDouble;
        default: return kInt64;
    }
}

DType storage_of(ComputeType c) {
    static constexpr DType kStorage[kComputeTypes] = {DType::Bool,    DType::Int64,     DType::UInt64,     DType::Float32,
                                                      DType::Float64, DType::Complex64, DType::Complex128, DType::Int32,
                                                      DType::Int16,   DType::Int8,      DType::UInt8};
    return kStorage[c];
}

DType result_dtype(const Pointwise& op, DType common) {
    switch (op.rule) {
        case TypeRule::ToBool: return DType::Bool;
        case TypeRule::RealPart: return real_of(common);
        case TypeRule::ToComplex: return complex_of(common);
        default: return common;
    }
}

DType apply_rule(const Pointwise& op, DType common) {
    if (op.bool_as_int && is_bool(common)) return DType::Int64;
    const bool only_real = op.rule == TypeRule::RealPart && !op.loops[kInt64];  // angle, but not abs
    if ((op.rule == TypeRule::ToFloat || op.rule == TypeRule::ToComplex || only_real) && is_integral(common)) return default_dtype();
    return common;
}

PointwiseTypes pointwise_types(const Pointwise& op, std::span<const Operand> operands) {
    DType common = apply_rule(op, promoted_without(operands, op.bool_inputs));
    ComputeType compute = compute_type_of(op, common);
    TAEDA_CHECK_KIND(NotImplemented, op.loops[compute], '"', op.name, "_cpu\" not implemented for '", scalar_type_name(common), "'");
    return {common, result_dtype(op, common), compute};
}

bool can_cast(DType from, DType to) {
    if (is_complex(from) && !is_complex(to)) return false;
    if (is_inexact(from) && is_integral(to)) return false;
    return is_bool(from) || !is_bool(to);
}

}  // namespace taeda::cpu
