// Value: one argument or result of an operation in the boxed calling convention.
#pragma once

#include <string>
#include <variant>

#include "tensor/tensor.h"

namespace taeda {

class Generator;

using Value = std::variant<std::monostate, Tensor, TensorList, int64_t, double, bool, Scalar, Shape, std::vector<double>, std::string, DType, Device,
                           Generator*, MemoryFormat>;

inline bool is_none(const Value& v) { return v.index() == 0; }
inline bool is_none(const Tensor& t) { return !t.defined(); }
template <class T>
bool is_none(const std::optional<T>& v) {
    return !v.has_value();
}

// An argument that is a tensor or a number; numbers stay immediates.
class TensorOrNumber {
public:
    TensorOrNumber(const Tensor& tensor) : value_(tensor.defined() ? Value(tensor) : Value()) {}  // undefined: None
    template <class N>
        requires std::is_convertible_v<N, Scalar>
    TensorOrNumber(const N& number) : value_(Scalar(number)) {}
    const Value& value() const { return value_; }
    Value take() const { return value_; }

private:
    Value value_;
};

// Boxing: what the generated functions fill a call with.
inline Value box(const Tensor& v) { return v.defined() ? Value(v) : Value(); }
inline Value box(const TensorList& v) { return v; }
inline Value box(int64_t v) { return Value(std::in_place_type<int64_t>, v); }
inline Value box(double v) { return Value(std::in_place_type<double>, v); }
inline Value box(bool v) { return Value(std::in_place_type<bool>, v); }
inline Value box(const Scalar& v) { return v; }
inline Value box(IntList v) { return Shape(v); }
inline Value box(std::span<const double> v) { return std::vector<double>(v.begin(), v.end()); }
inline Value box(const std::string& v) { return v; }
inline Value box(DType v) { return v; }
inline Value box(Device v) { return v; }
inline Value box(Generator* v) { return Value(std::in_place_type<Generator*>, v); }
inline Value box(MemoryFormat v) { return v; }
inline Value box(const TensorOrNumber& v) { return v.value(); }
template <class T>
Value box(const std::optional<T>& v) {
    return v ? box(*v) : Value();
}

// Unboxing, in the types that kernels take. The parser has already converted: a mismatch here is a bug of ours.
inline const Tensor& kUndefined() {
    static const Tensor undefined;
    return undefined;
}
inline const Tensor& unbox_tensor(const Value& v) { return is_none(v) ? kUndefined() : std::get<Tensor>(v); }
inline const TensorList& unbox_tensor_list(const Value& v) { return std::get<TensorList>(v); }
inline int64_t unbox_int(const Value& v) { return std::get<int64_t>(v); }
inline double unbox_float(const Value& v) { return std::get<double>(v); }
inline bool unbox_bool(const Value& v) { return std::get<bool>(v); }
inline const Scalar& unbox_scalar(const Value& v) { return std::get<Scalar>(v); }
inline IntList unbox_int_list(const Value& v) { return std::get<Shape>(v); }
inline std::span<const double> unbox_float_list(const Value& v) { return std::get<std::vector<double>>(v); }
inline const std::string& unbox_str(const Value& v) { return std::get<std::string>(v); }
inline DType unbox_dtype(const Value& v) { return std::get<DType>(v); }
inline Device unbox_device(const Value& v) { return std::get<Device>(v); }
inline MemoryFormat unbox_memory_format(const Value& v) { return std::get<MemoryFormat>(v); }
inline Generator* unbox_generator(const Value& v) { return is_none(v) ? nullptr : std::get<Generator*>(v); }
template <class F>
auto unbox_optional(const Value& v, F unbox) -> std::optional<std::decay_t<decltype(unbox(v))>> {
    if (is_none(v)) return std::nullopt;
    return unbox(v);
}

}  // namespace taeda
