// Inner loops of optimizer steps. Half types are widened block by block, computed in float, and rounded once.
#include "cpu/optim_kernels.h"

#include <cmath>
#include <type_traits>

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
inline compute_t<T> load(T x) {
    if constexpr (is_half_v<T>) return to_float(x);
    else return x;
}
template <class T>
inline T store(compute_t<T> x) {
    if constexpr (std::is_same_v<T, Half>) return to_half(x);
    else if constexpr (std::is_same_v<T, BFloat16>) return to_bfloat16(x);
    else return x;
}

// start + weight * (end - start), from the nearer end, so that weight 1 gives exactly `end`.
template <class C>
inline C lerp(C start, C end, C weight, bool from_start) {
    C difference = end - start;
    return from_start ? start + weight * difference : end - difference * (C(1) - weight);
}

template <class T, bool Momentum>
void sgd_loop(T* param, const T* grad, T* buffer, int64_t first, int64_t last, const SgdNumbers& numbers) {
    using C = compute_t<T>;
    const C sign = static_cast<C>(numbers.sign), decay = static_cast<C>(numbers.weight_decay);
    const C momentum = static_cast<C>(numbers.momentum), keep = static_cast<C>(numbers.keep_of_gradient);
    const C rate = static_cast<C>(numbers.rate);
    const bool decays = numbers.weight_decay != 0, is_first = numbers.is_first, nesterov = numbers.nesterov;
#pragma GCC ivdep
    for (int64_t i = first; i < last; ++i) {
        C p = load(param[i]), g = sign * load(grad[i]);
        // Not a product with zero: an infinite parameter would make it NaN.
        g = decays ? g + decay * p : g;
        if constexpr (Momentum) {
            C b = is_first ? g : load(buffer[i]) * momentum + keep * g;
            buffer[i] = store<T>(b);
            g = nesterov ? g + momentum * b : b;
        }
        param[i] = store<T>(p + rate * g);
    }
}

template <class T>
void sgd(void* const* operands, int64_t first, int64_t last, const SgdNumbers& numbers) {
    T* param = static_cast<T*>(operands[0]);
    const T* grad = static_cast<const T*>(operands[1]);
    T* buffer = static_cast<T*>(operands[2]);
    if (numbers.has_momentum) sgd_loop<T, true>(param, grad, buffer, first, last, numbers);
    else sgd_loop<T, false>(param, grad, buffer, first, last, numbers);
}

template <class T, bool Amsgrad>
void adam_loop(T* param, const T* grad, T* mean, T* square, T* largest, int64_t first, int64_t last, const AdamNumbers& numbers) {
    using C = compute_t<T>;
    const C sign = static_cast<C>(numbers.sign), shrink = static_cast<C>(numbers.shrink);
    const C decay = static_cast<C>(numbers.weight_decay), weight1 = static_cast<C>(1 - numbers.beta1);
    const C beta2 = static_cast<C>(numbers.beta2), weight2 = static_cast<C>(1 - numbers.beta2);
    const C root_correction = static_cast<C>(numbers.root_correction), eps = static_cast<C>(numbers.eps);
    const C rate = static_cast<C>(numbers.rate);
    const bool decays = numbers.weight_decay != 0, from_start = 1 - numbers.beta1 < 0.5;
#pragma GCC ivdep
    for (int64_t i = first; i < last; ++i) {
        C p = load(param[i]) * shrink, g = sign * load(grad[i]);
        g = decays ? g + decay * p : g;
        C m = lerp(load(mean[i]), g, weight1, from_start);
        C v = load(square[i]) * beta2 + weight2 * g * g;
        mean[i] = store<T>(m);
        square[i] = store<T>(v);
        if constexpr (Amsgrad) {
            C l = load(largest[i]);
            // A NaN on either side stays.
            v = l > v || l != l ? l : v;
            largest[i] = store<T>(v);
        }
        param[i] = store<T>(p + rate * m / (std::sqrt(v) / root_correction + eps));
    }
}

template <class T>
void adam(void* const* operands, int64_t first, int64_t last, const AdamNumbers& numbers) {
    T* param = static_cast<T*>(operands[0]);
    const T* grad = static_cast<const T*>(operands[1]);
    T *mean = static_cast<T*>(operands[2]), *square = static_cast<T*>(operands[3]), *largest = static_cast<T*>(operands[4]);
    if (largest) adam_loop<T, true>(param, grad, mean, square, largest, first, last, numbers);
    else adam_loop<T, false>(param, grad, mean, square, largest, first, last, numbers);
}

template <class T, bool Momentum, bool Centered>
void rmsprop_loop(T* param, const T* grad, T* square, T* buffer, T* mean, int64_t first, int64_t last, const RmspropNumbers& numbers) {
    using C = compute_t<T>;
    const C sign = static_cast<C>(numbers.sign), decay = static_cast<C>(numbers.weight_decay);
    const C alpha = static_cast<C>(numbers.alpha), weight = static_cast<C>(1 - numbers.alpha), eps = static_cast<C>(numbers.eps);
    const C momentum = static_cast<C>(numbers.momentum), rate = static_cast<C>(numbers.rate);
    const bool decays = numbers.weight_decay != 0, from_start = 1 - numbers.alpha < 0.5;
#pragma GCC ivdep
    for (int64_t i = first; i < last; ++i) {
        C p = load(param[i]), g = sign * load(grad[i]);
        g = decays ? g + decay * p : g;
        C v = load(square[i]) * alpha + weight * g * g;
        square[i] = store<T>(v);
        if constexpr (Centered) {
            C m = lerp(load(mean[i]), g, weight, from_start);
            mean[i] = store<T>(m);
            v = v - m * m;
        }
        C divisor = std::sqrt(v) + eps;
        if constexpr (Momentum) {
            C b = load(buffer[i]) * momentum + g / divisor;
            buffer[i] = store<T>(b);
            param[i] = store<T>(p + rate * b);
        } else {
            param[i] = store<T>(p + rate * g / divisor);
        }
    }
}

template <class T>
void rmsprop(void* const* operands, int64_t first, int64_t last, const RmspropNumbers& numbers) {
    T* param = static_cast<T*>(operands[0]);
    const T* grad = static_cast<const T*>(operands[1]);
    T *square = static_cast<T*>(operands[2]), *buffer = static_cast<T*>(operands[3]), *mean = static_cast<T*>(operands[4]);
    auto loop = buffer ? (mean ? rmsprop_loop<T, true, true> : rmsprop_loop<T, true, false>)
                       : (mean ? rmsprop_loop<T, false, true> : rmsprop_loop<T, false, false>);
    loop(param, grad, square, buffer, mean, first, last, numbers);
}

}  // namespace

extern const OptimTable optim_table;
constinit const OptimTable optim_table = {
    {sgd<Half>, sgd<BFloat16>, sgd<float>, sgd<double>},
    {adam<Half>, adam<BFloat16>, adam<float>, adam<double>},
    {rmsprop<Half>, rmsprop<BFloat16>, rmsprop<float>, rmsprop<double>},
};

}  // namespace taeda::cpu::TAEDA_ISA
