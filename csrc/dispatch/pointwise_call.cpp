#include "dispatch/pointwise_call.h"

#include <limits>

namespace taeda {

namespace {

void set_attribute(cpu::Attributes& attributes, int k, const Value& value) {
    Scalar number;
    if (is_none(value)) number = Scalar(std::numeric_limits<double>::quiet_NaN());  // what a row sees of an absent number
    else if (const auto* scalar = std::get_if<Scalar>(&value)) number = *scalar;
    else if (const auto* real = std::get_if<double>(&value)) number = Scalar(*real);
    else if (const auto* integer = std::get_if<int64_t>(&value)) number = Scalar(*integer);
    else if (const auto* flag = std::get_if<bool>(&value)) number = Scalar(*flag);
    attributes.complex[k] = number.to_complex();
    attributes.real[k] = number.to_double();
    attributes.integer[k] = number.to_int();
}

}  // namespace

PointwiseCall::PointwiseCall(const cpu::PointwiseOp& op, const Value* arguments) : n_(op.forward.n_inputs) {
    for (size_t k = 0; k < n_; ++k) {
        if (const auto* tensor = std::get_if<Tensor>(&arguments[k])) operands_[k].tensor = tensor;
        else operands_[k].number = unbox_scalar(arguments[k]);
    }
    for (int k = 0; k < op.forward.n_attributes; ++k) set_attribute(attributes, k, arguments[n_ + static_cast<size_t>(k)]);
}

}  // namespace taeda
