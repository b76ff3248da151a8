// Operations that choose a row of the pointwise table by an argument: division with a rounding mode, one-sided clamp.
#include "cpu/pointwise.h"
#include "kernels.h"
#include "pointwise_rows.h"

namespace taeda::cpu {

namespace {

Operand tensor_operand(const Tensor& t) { return {&t, {}}; }
Operand number_operand(const Scalar& s) { return {nullptr, s}; }

Tensor run_two(int row, Operand first, Operand second) {
    const Operand operands[] = {first, second};
    return run_pointwise(pointwise_op(row).forward, operands);
}

Tensor divide_with_mode(const Tensor& input, Operand other, const std::optional<std::string>& mode) {
    int row = row::div;
    if (mode == "trunc") row = row::_div_trunc;
    else if (mode == "floor") row = row::_div_floor;
    else TAEDA_CHECK(!mode, "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *mode, "'");
    const Operand operands[] = {tensor_operand(input), other};
    const DType common = promoted_dtype(operands);
    const bool by_many = other.tensor && other.tensor->numel() != 1;
    if (row == row::_div_trunc && by_many && is_reduced_float(common)) {
        // A quotient of two tensors is a half before it loses its fraction, as in PyTorch: 4.999 is 5 there.
        const Tensor quotient = run_two(row::div, operands[0], operands[1]);
        const Operand rounded[] = {tensor_operand(quotient)};
        return run_pointwise(pointwise_op(row::trunc).forward, rounded);
    }
    return run_two(row, operands[0], operands[1]);
}

Tensor clamp_one_side(const Tensor& input, std::optional<Operand> min, std::optional<Operand> max) {
    TAEDA_CHECK(min || max, "torch.clamp: At least one of 'min' or 'max' must not be None");
    Tensor limited = input;
    if (min) limited = run_two(row::clamp_min, tensor_operand(input), *min);
    if (!max) return limited;
    return run_two(row::clamp_max, tensor_operand(limited), *max);
}

template <class T, class F>
std::optional<Operand> when_given(bool given, const T& value, F make) {
    if (!given) return std::nullopt;
    return make(value);
}

}  // namespace

Tensor div_tensor_mode(const Tensor& input, const Tensor& other, std::optional<std::string> rounding_mode) {
    return divide_with_mode(input, tensor_operand(other), rounding_mode);
}

Tensor div_scalar_mode(const Tensor& input, const Scalar& other, std::optional<std::string> rounding_mode) {
    return divide_with_mode(input, number_operand(other), rounding_mode);
}

Tensor clamp_scalar(const Tensor& input, std::optional<Scalar> min, std::optional<Scalar> max) {
    return clamp_one_side(input, when_given(min.has_value(), min.value_or(Scalar()), number_operand),
                          when_given(max.has_value(), max.value_or(Scalar()), number_operand));
}

Tensor clamp_tensor(const Tensor& input, const Tensor& min, const Tensor& max) {
    return clamp_one_side(input, when_given(min.defined(), min, tensor_operand), when_given(max.defined(), max, tensor_operand));
}

}  // namespace taeda::cpu
