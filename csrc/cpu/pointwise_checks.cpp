#include "cpu/pointwise_checks.h"

#include <cmath>
#include <limits>

namespace taeda::cpu {

namespace {

DType dtype_of(const Operand& operand) { return operand.tensor ? operand.tensor->dtype() : operand.number.dtype(); }

bool is_whole(const Attributes& a, int k) { return a.real[k] == static_cast<double>(a.integer[k]); }

void check_alpha(std::span<const Operand> operands, const Attributes& a) {
    if (a.real[0] == 1.0 && a.complex[0].imag() == 0.0) return;
    const DType common = promoted_dtype(operands);
    TAEDA_CHECK(is_inexact(common) || is_whole(a, 0), "For integral input tensors, argument alpha must not be a floating point number.");
    TAEDA_CHECK(is_complex(common) || a.complex[0].imag() == 0.0, "For non-complex input tensors, argument alpha must not be a complex number.");
}

void check_mask(const Operand& mask, const char* phrase) {
    TAEDA_CHECK(mask.tensor ? is_bool(mask.tensor->dtype()) : mask.number.is_bool(), phrase, scalar_type_name(dtype_of(mask)));
}

// A number that fills elements of dtype `type`.
void check_number_fits(DType type, const Attributes& attributes) {
    TAEDA_CHECK(is_complex(type) || attributes.complex[0].imag() == 0.0, "value cannot be converted to type ", dtype_name(type),
                " without overflow: it is the complex number ", attributes.complex[0]);
    const double number = attributes.real[0];
    const bool fits = visit_dtype(type, [&]<class T>(Tag<T>) {
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
            // Unsigned dtypes take what wraps once: -1 is the largest number.
            const double high = static_cast<double>(std::numeric_limits<T>::max());
            return number >= (std::is_signed_v<T> ? static_cast<double>(std::numeric_limits<T>::min()) : -high) && number <= high;
        } else if constexpr (is_floating_v<T>) {
            return !std::isfinite(number) || std::isfinite(convert<double>(convert<T>(number)));
        } else {
            return true;
        }
    });
    TAEDA_CHECK(fits, "value cannot be converted to type ", dtype_name(type), " without overflow: it is ", number);
}

}  // namespace

void check_add(std::span<const Operand> operands, const Attributes& attributes) { check_alpha(operands, attributes); }

void check_sub(std::span<const Operand> operands, const Attributes& attributes) {
    const bool first = is_bool(dtype_of(operands[0])), second = is_bool(dtype_of(operands[1]));
    TAEDA_CHECK(!first || !second,
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead.");
    TAEDA_CHECK(!first && !second,
                "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the `~` or "
                "`logical_not()` operator instead.");
    check_alpha(operands, attributes);
}

void check_neg(std::span<const Operand> operands, const Attributes&) {
    TAEDA_CHECK(!is_bool(dtype_of(operands[0])),
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` "
                "operator instead.");
}

void check_pow(std::span<const Operand> operands, const Attributes&) {
    const Operand& exponent = operands[1];
    if (exponent.tensor || !exponent.number.is_integral() || exponent.number.to_int() >= 0) return;
    TAEDA_CHECK(is_inexact(dtype_of(operands[0])), "Integers to negative integer powers are not allowed.");
}

void check_addcdiv(std::span<const Operand> operands, const Attributes&) {
    TAEDA_CHECK(!is_integral(dtype_of(operands[1])) || !is_integral(dtype_of(operands[2])),
                "Integer division with addcdiv is no longer supported: convert tensor1 or tensor2 to a floating-point dtype, or use "
                "input + value * torch.trunc(tensor1 / tensor2)");
}

void check_maximum(std::span<const Operand> operands, const Attributes&) {
    TAEDA_CHECK(!is_complex(promoted_dtype(operands)), "maximum not implemented for complex tensors.");
}

void check_minimum(std::span<const Operand> operands, const Attributes&) {
    TAEDA_CHECK(!is_complex(promoted_dtype(operands)), "minimum not implemented for complex tensors.");
}

void check_where(std::span<const Operand> operands, const Attributes&) {
    if (dtype_of(operands[0]) == DType::UInt8) return;  // the masks of before there was bool
    check_mask(operands[0], "where expected condition to be a boolean tensor, but got a tensor with dtype ");
}

void check_masked_fill(std::span<const Operand> operands, const Attributes& attributes) {
    check_mask(operands[1], "masked_fill_ only supports boolean masks, but got mask with dtype ");
    check_number_fits(dtype_of(operands[0]), attributes);
}

void check_celu(std::span<const Operand>, const Attributes& attributes) {
    TAEDA_CHECK(attributes.real[0] != 0.0, "ZeroDivisionError: alpha cannot be 0 for CELU");
}

void check_hardtanh(std::span<const Operand> operands, const Attributes& attributes) {
    TAEDA_CHECK_KIND(Value, attributes.real[0] <= attributes.real[1], "min_val cannot be greater than max_val: ", attributes.real[0], " and ",
                     attributes.real[1]);
    TAEDA_CHECK(!is_unsigned(dtype_of(operands[0])) || attributes.real[0] >= 0.0, "cannot do hardtanh on an unsigned type with negative limits");
}

void check_softshrink(std::span<const Operand>, const Attributes& attributes) {
    TAEDA_CHECK(attributes.real[0] >= 0.0, "lambda must be in range [0, inf], but found ", attributes.real[0]);
}

void check_bce(std::span<const Operand> operands, const Attributes&) {
    TAEDA_CHECK(dtype_of(operands[0]) == dtype_of(operands[1]), "Found dtype ", scalar_type_name(dtype_of(operands[1])), " but expected ",
                scalar_type_name(dtype_of(operands[0])));
}

void check_complex(std::span<const Operand> operands, const Attributes&) {
    const DType first = dtype_of(operands[0]), second = dtype_of(operands[1]);
    TAEDA_CHECK(is_floating(first) && is_floating(second), "Expected both inputs to be Half, Float or Double tensors but got ",
                scalar_type_name(first), " and ", scalar_type_name(second));
    TAEDA_CHECK(first == second, "Expected object of scalar type ", scalar_type_name(first), " but got scalar type ", scalar_type_name(second),
                " for second argument");
}

}  // namespace taeda::cpu
