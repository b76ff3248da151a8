// A Python number that travels as an immediate: never boxed into a tensor.
#pragma once

#include <complex>
#include <cstdint>

#include "base/dtype.h"

namespace taeda {

class Scalar {
public:
    enum class Kind : uint8_t { Bool, Int, Float, Complex };

    Scalar() : Scalar(int64_t{0}) {}
    Scalar(bool value) : kind_(Kind::Bool), integer_(value) {}
    Scalar(int value) : Scalar(static_cast<int64_t>(value)) {}
    Scalar(int64_t value) : kind_(Kind::Int), integer_(value) {}
    Scalar(uint64_t value) : kind_(Kind::Int), is_unsigned_(value >> 63), integer_(static_cast<int64_t>(value)) {}
    Scalar(double value) : kind_(Kind::Float), real_(value) {}
    Scalar(std::complex<double> value) : kind_(Kind::Complex), real_(value.real()), imag_(value.imag()) {}

    Kind kind() const { return kind_; }
    bool is_bool() const { return kind_ == Kind::Bool; }
    bool is_integral() const { return kind_ <= Kind::Int; }
    bool is_floating() const { return kind_ == Kind::Float; }
    bool is_complex() const { return kind_ == Kind::Complex; }

    double to_double() const {
        if (!is_integral()) return real_;
        return is_unsigned_ ? static_cast<double>(static_cast<uint64_t>(integer_)) : static_cast<double>(integer_);
    }
    int64_t to_int() const { return is_integral() ? integer_ : convert<int64_t>(real_); }
    bool to_bool() const { return is_integral() ? integer_ != 0 : real_ != 0 || imag_ != 0; }
    std::complex<double> to_complex() const { return {to_double(), is_complex() ? imag_ : 0.0}; }

    template <class T>
    T to() const {
        if constexpr (std::is_same_v<T, bool>) return to_bool();
        else if constexpr (is_complex_v<T>) return convert<T>(to_complex());
        else if constexpr (std::is_integral_v<T>) return is_integral() ? static_cast<T>(integer_) : convert<T>(real_);
        else return convert<T>(to_double());
    }

    // The dtype that a bare number stands for: bool, int64, the default float type, or its complex.
    DType dtype() const;

private:
    Kind kind_;
    bool is_unsigned_ = false;
    union {
        int64_t integer_;
        double real_;
    };
    double imag_ = 0;
};

// PyTorch's rule for a tensor of dtype `t` beside a number: the number changes the dtype only when its kind is higher.
DType promote_with(DType t, const Scalar& s);

}  // namespace taeda
