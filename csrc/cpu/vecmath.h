// Mathematical functions that gcc vectorises inside plain loops, for float and double (vm_exp, vm_sin ...), and those of
// them that are written for both at once. Only for files that are built once for each instruction set (cpu/isa.h).
//
// Accuracy: float <= 2 ulp over the whole range; double <= 3 ulp (tests/cpp/vecmath_test.cpp measures both). The
// coefficients come from tools/fit_vecmath.py.
#pragma once

#include "cpu/vecmath_base.h"
#include "cpu/vecmath_double.h"
#include "cpu/vecmath_double_calls.h"
#include "cpu/vecmath_float.h"

namespace taeda::cpu::TAEDA_ISA {

// 1 / (1 + exp(-x)), from the exponential that cannot overflow.
template <class T>
TAEDA_VM T vm_sigmoid(T x) {
    T e = vm_exp(-vm_abs(x));
    return (x < T(0) ? e : T(1)) / (T(1) + e);
}

// log(1 + exp(x))
template <class T>
TAEDA_VM T vm_softplus(T x) {
    return (x > T(0) ? x : T(0)) + vm_log1p(vm_exp(-vm_abs(x)));
}

// log(1 / (1 + exp(-x)))
template <class T>
TAEDA_VM T vm_log_sigmoid(T x) {
    return (x < T(0) ? x : T(0)) - vm_log1p(vm_exp(-vm_abs(x)));
}

// log(exp(x) + exp(y))
template <class T>
TAEDA_VM T vm_logaddexp(T x, T y) {
    T larger = vm_max_nan(x, y);
    T value = larger + vm_log1p(vm_exp(-vm_abs(x - y)));
    return x == y && vm_abs(x) == std::numeric_limits<T>::infinity() ? x : value;
}

}  // namespace taeda::cpu::TAEDA_ISA
