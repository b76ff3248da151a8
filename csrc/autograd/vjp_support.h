// The small vocabulary in which generated gradients are written: lists of sizes, None, arithmetic that works on numbers.
#pragma once

#include <limits>
#include <tuple>

#include "autograd/op_node.h"
#include "cpu/copy.h"

namespace taeda {

// None converts to whatever is optional.
struct None {
    operator Tensor() const { return Tensor(); }
    template <class T>
    operator std::optional<T>() const {
        return std::nullopt;
    }
    operator Generator*() const { return nullptr; }
};
inline bool is_none(None) { return true; }

// A list of sizes or dims, or none; one number stands for a list of one.
class Ints {
public:
    Ints() : given_(true) {}
    Ints(None) : given_(false) {}
    Ints(const Shape& values) : given_(true), values_(values) {}
    Ints(IntList values) : given_(true), values_(values) {}
    Ints(int64_t value) : given_(true), values_{value} {}
    Ints(int value) : given_(true), values_{int64_t{value}} {}
    Ints(std::initializer_list<int64_t> values) : given_(true), values_(values) {}
    Ints(const std::optional<IntList>& values) : given_(values.has_value()) {
        if (values) values_ = Shape(*values);
    }
    bool given() const { return given_; }
    const Shape& values() const { return values_; }
    size_t size() const { return values_.size(); }
    int64_t operator[](size_t k) const { return values_[k]; }
    operator IntList() const { return values_; }

private:
    bool given_;
    Shape values_;
};
inline bool is_none(const Ints& v) { return !v.given(); }
inline Value box(const Ints& v) { return v.given() ? Value(v.values()) : Value(); }
inline Value box(const std::vector<double>& v) { return v; }
inline Ints optional_ints(const Value& v) { return is_none(v) ? Ints(None{}) : Ints(unbox_int_list(v)); }

inline Tensor unbox_operand(const Value& v) {
    if (const auto* t = std::get_if<Tensor>(&v)) return *t;
    const Scalar& number = unbox_scalar(v);
    return cpu::scalar_tensor(number, number.dtype());
}
inline Tensor unbox_optional_operand(const Value& v) { return is_none(v) ? Tensor() : unbox_operand(v); }
inline Tensor operand_of(const OpNode& node, int argument) {
    if (!std::holds_alternative<Scalar>(node.value(argument))) return node.tensor(argument);
    return unbox_operand(node.value(argument));
}

// ---- what is known without values

inline Ints sizes_of(const TensorMeta& m) { return Ints(m.sizes); }
inline Ints sizes_of(const Tensor& t) { return Ints(t.sizes()); }
inline DType dtype_of(const TensorMeta& m) { return m.dtype; }
inline DType dtype_of(const Tensor& t) { return t.dtype(); }
inline Device device_of(const TensorMeta& m) { return m.device; }
inline Device device_of(const Tensor& t) { return t.device(); }
inline int64_t ndim_of(const TensorMeta& m) { return static_cast<int64_t>(m.sizes.size()); }
inline int64_t ndim_of(const Tensor& t) { return t.dim(); }
inline int64_t numel_of(const TensorMeta& m) { return product(m.sizes); }
inline int64_t numel_of(const Tensor& t) { return t.numel(); }
inline bool is_complex_of(const TensorMeta& m) { return is_complex(m.dtype); }
inline bool is_complex_of(const Tensor& t) { return is_complex(t.dtype()); }
inline int64_t size_of(const TensorMeta& m, int64_t d) {
    return m.sizes.empty() ? 1 : m.sizes[static_cast<size_t>(wrap_dim(d, static_cast<int64_t>(m.sizes.size())))];
}
inline int64_t size_of(const Tensor& t, int64_t d) { return t.dim() == 0 ? 1 : t.size(d); }

// ---- lists and tuples

template <size_t K, class... T>
const auto& get_nth(const std::tuple<T...>& t) {
    return std::get<K>(t);
}
template <size_t K>
const Tensor& get_nth(const TensorList& list) {
    return list.at(K);
}
template <size_t K>
int64_t get_nth(const Ints& list) {
    return list[K];
}
inline int64_t at(const Ints& list, int64_t k) { return list[static_cast<size_t>(k < 0 ? k + static_cast<int64_t>(list.size()) : k)]; }
inline const Tensor& at(const TensorList& list, int64_t k) { return list.at(static_cast<size_t>(k < 0 ? k + static_cast<int64_t>(list.size()) : k)); }
inline Ints slice_of(const Ints& list, const std::optional<int64_t>& low, const std::optional<int64_t>& high) {
    auto n = static_cast<int64_t>(list.size());
    auto bound = [n](int64_t k) { return std::clamp<int64_t>(k < 0 ? k + n : k, 0, n); };
    Shape part;
    for (int64_t k = bound(low.value_or(0)); k < bound(high.value_or(n)); ++k) part.push_back(list[static_cast<size_t>(k)]);
    return Ints(part);
}
template <class First, class... Rest>
auto make_list(const First& first, const Rest&... rest) {
    if constexpr (std::is_convertible_v<First, int64_t>) return Ints{static_cast<int64_t>(first), static_cast<int64_t>(rest)...};
    else return TensorList{first, rest...};
}
inline Ints make_list() { return Ints(); }
template <class T, class... Choices>
bool is_in(const T& value, const Choices&... choices) {
    return ((value == choices) || ...);
}
inline int64_t to_int(auto v) { return static_cast<int64_t>(v); }
inline double to_float(bool v) { return v; }
inline double to_float(int64_t v) { return static_cast<double>(v); }
inline double to_float(const Scalar& v) { return v.to_double(); }
inline bool to_bool(auto v) { return static_cast<bool>(v); }

// ---- results

inline void put(const OpNode& node, TensorList& out, int argument, const Tensor& grad) { out[node.first_edge(argument)] = grad; }
inline void put(const OpNode& node, TensorList& out, int argument, const TensorList& grads) {
    size_t first = node.first_edge(argument);
    for (size_t k = 0; k < grads.size() && k < node.n_edges_of(argument); ++k) out[first + k] = grads[k];
}
inline void put(const OpNode&, TensorList&, int, None) {}

}  // namespace taeda
