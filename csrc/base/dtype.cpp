#include "base/dtype.h"

#include "base/scalar.h"

namespace taeda {

namespace {

DType g_default_dtype = DType::Float32;

// Rank within signed and unsigned integers: 0 for 8 bits ... 3 for 64.
int integer_bits_rank(DType t) {
    switch (item_size(t)) {
        case 1: return 0;
        case 2: return 1;
        case 4: return 2;
        default: return 3;
    }
}

DType promote_integers(DType a, DType b) {
    bool a_unsigned = is_unsigned(a), b_unsigned = is_unsigned(b);
    int a_rank = integer_bits_rank(a), b_rank = integer_bits_rank(b);
    if (a_unsigned == b_unsigned) return a_rank >= b_rank ? a : b;
    if (a_unsigned) {
        std::swap(a, b);
        std::swap(a_rank, b_rank);
    }
    // `a` is signed and `b` unsigned: the smallest signed type that holds both; uint64 beside a signed type has none.
    static constexpr DType kSigned[] = {DType::Int8, DType::Int16, DType::Int32, DType::Int64};
    TAEDA_CHECK(b == DType::UInt8 || b_rank < 3, "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote ",
                scalar_type_name(b), " and ", scalar_type_name(a));
    return kSigned[std::max(a_rank, b_rank + 1)];
}

}  // namespace

DType promote(DType a, DType b) {
    if (a == b) return a;
    if (is_bool(a)) return b;
    if (is_bool(b)) return a;
    if (is_complex(a) || is_complex(b)) {
        bool wide = a == DType::Complex128 || b == DType::Complex128 || a == DType::Float64 || b == DType::Float64;
        return wide ? DType::Complex128 : DType::Complex64;
    }
    if (is_floating(a) && is_floating(b)) {
        if (is_reduced_float(a) && is_reduced_float(b)) return DType::Float32;
        return std::max(a, b);
    }
    if (is_floating(a)) return a;
    if (is_floating(b)) return b;
    return promote_integers(a, b);
}

DType default_dtype() { return g_default_dtype; }

void set_default_dtype(DType t) {
    TAEDA_CHECK_KIND(Type, is_floating(t), "only floating-point types are supported as the default type");
    g_default_dtype = t;
}

DType Scalar::dtype() const {
    switch (kind_) {
        case Kind::Bool: return DType::Bool;
        case Kind::Int: return is_unsigned_ ? DType::UInt64 : DType::Int64;
        case Kind::Float: return default_dtype();
        default: return complex_of(default_dtype());
    }
}

DType promote_with(DType t, const Scalar& s) {
    if (s.is_complex()) return is_complex(t) ? t : is_floating(t) ? complex_of(t) : complex_of(default_dtype());
    if (s.is_floating()) return is_inexact(t) ? t : default_dtype();
    if (s.is_bool()) return t;
    return is_bool(t) ? DType::Int64 : t;
}

}  // namespace taeda
