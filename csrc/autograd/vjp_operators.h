// Python's operators in generated gradients: on tensors they are operations, on numbers plain arithmetic.
#pragma once

#include <cmath>

#include "ops.h"

namespace taeda {

template <class T>
concept TensorLike = std::is_same_v<std::decay_t<T>, Tensor> || std::is_same_v<std::decay_t<T>, TensorOrNumber>;
template <class T>
concept ScalarLike = std::is_same_v<std::decay_t<T>, Scalar> || std::is_same_v<std::decay_t<T>, std::optional<Scalar>>;

inline const Scalar& plain(const Scalar& s) { return s; }
inline const Scalar& plain(const std::optional<Scalar>& s) { return *s; }
inline double plain(const std::optional<double>& s) { return *s; }
inline int64_t plain(const std::optional<int64_t>& s) { return *s; }
inline const Tensor& plain(const Tensor& t) { return t; }
inline int64_t plain(int64_t v) { return v; }
inline double plain(double v) { return v; }
inline double plain(float v) { return v; }
inline int64_t plain(int v) { return v; }
inline int64_t plain(bool v) { return v; }

// Arithmetic of two numbers where at least one is a Scalar: integers stay integers.
template <class F>
Scalar scalar_arithmetic(const Scalar& a, const Scalar& b, F f) {
    if (a.is_complex() || b.is_complex()) return Scalar(f(a.to_complex(), b.to_complex()));
    if (a.is_integral() && b.is_integral()) return Scalar(f(a.to_int(), b.to_int()));
    return Scalar(f(a.to_double(), b.to_double()));
}

#define TAEDA_OPERATOR(name, op, sign)                                                                             \
    template <class A, class B>                                                                                    \
    auto name(const A& a, const B& b) {                                                                            \
        if constexpr (TensorLike<A> || TensorLike<B>) return ops::op(tensor_of(plain(a), plain(b)), plain(b));     \
        else if constexpr (ScalarLike<A> || ScalarLike<B>)                                                         \
            return scalar_arithmetic(Scalar(plain(a)), Scalar(plain(b)), [](auto x, auto y) { return x sign y; }); \
        else return plain(a) sign plain(b);                                                                        \
    }

// The left operand of a tensor operation as a tensor: a number becomes a zero-dim tensor of the other's dtype.
inline const Tensor& tensor_of(const Tensor& a, const auto&) { return a; }
inline Tensor tensor_of(const Scalar& a, const Tensor& b) { return cpu::scalar_tensor(a, promote_with(b.dtype(), a), b.device()); }

TAEDA_OPERATOR(plus, add, +)
TAEDA_OPERATOR(minus, sub, -)
TAEDA_OPERATOR(times, mul, *)
#undef TAEDA_OPERATOR

template <class A, class B>
auto divide(const A& a, const B& b) {
    if constexpr (TensorLike<A> || TensorLike<B>) return ops::div(tensor_of(plain(a), plain(b)), plain(b));
    else if constexpr (ScalarLike<A> || ScalarLike<B>) {
        Scalar x(plain(a)), y(plain(b));
        return x.is_complex() || y.is_complex() ? Scalar(x.to_complex() / y.to_complex()) : Scalar(x.to_double() / y.to_double());
    } else return static_cast<double>(plain(a)) / static_cast<double>(plain(b));
}
inline int64_t floor_divide(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }
inline Tensor floor_divide(const Tensor& a, const TensorOrNumber& b) { return ops::floor_divide(a, b); }
inline int64_t modulo(int64_t a, int64_t b) { return a - floor_divide(a, b) * b; }
template <class A, class B>
auto power(const A& a, const B& b) {
    if constexpr (TensorLike<A>) return ops::pow(a, plain(b));
    else return std::pow(Scalar(plain(a)).to_double(), Scalar(plain(b)).to_double());
}
inline Tensor negate(const Tensor& a) { return ops::neg(a); }
inline Scalar negate(const Scalar& a) {
    return a.is_complex() ? Scalar(-a.to_complex()) : a.is_integral() ? Scalar(-a.to_int()) : Scalar(-a.to_double());
}
inline int64_t negate(int64_t a) { return -a; }
inline double negate(double a) { return -a; }

#define TAEDA_COMPARISON(name, op, sign)                                                                                          \
    template <class A, class B>                                                                                                   \
    auto name(const A& a, const B& b) {                                                                                           \
        if constexpr (TensorLike<A>) return ops::op(a, plain(b));                                                                 \
        else if constexpr (ScalarLike<A> || ScalarLike<B>) return Scalar(plain(a)).to_double() sign Scalar(plain(b)).to_double(); \
        else return a sign b;                                                                                                     \
    }
TAEDA_COMPARISON(equal, eq, ==)
TAEDA_COMPARISON(not_equal, ne, !=)
TAEDA_COMPARISON(less, lt, <)
TAEDA_COMPARISON(less_equal, le, <=)
TAEDA_COMPARISON(greater, gt, >)
TAEDA_COMPARISON(greater_equal, ge, >=)
#undef TAEDA_COMPARISON

}  // namespace taeda
