// What the random kernels share: the order in which elements are drawn.
//
// PyTorch draws serially in the order in which the elements lie in memory, whatever the strides say: so do these.
#pragma once

#include "base/dtype.h"
#include "cpu/isa.h"
#include "tensor/generator.h"
#include "tensor/loop_plan.h"

namespace taeda::cpu {

// Writes next() to each element.
template <class T, class F>
void draw_each(const Tensor& t, F&& next) {
    if (t.is_contiguous()) {
        T* data = t.data<T>();
        for (int64_t i = 0, n = t.numel(); i < n; ++i) data[i] = next();
        return;
    }
    LoopPlan plan = plan_loop(t.sizes(), {&t, 1});
    plan.for_each_run(0, plan.numel, [&](char* const* at, int64_t n) {
        for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(at[0] + i * plan.byte_strides[0][0]) = next();
    });
}

// Writes next(parameter) to each element of `t`, with the elements of `from` (of t's shape) as parameters.
template <class T, class P, class F>
void draw_each_from(const Tensor& t, const Tensor& from, F&& next) {
    Tensor operands[2] = {t, from};
    LoopPlan plan = plan_loop(t.sizes(), operands);
    plan.for_each_run(0, plan.numel, [&](char* const* at, int64_t n) {
        for (int64_t i = 0; i < n; ++i)
            *reinterpret_cast<T*>(at[0] + i * plan.byte_strides[0][0]) = next(*reinterpret_cast<const P*>(at[1] + i * plan.byte_strides[1][0]));
    });
}

// The float types that the operation `name` is for; others raise as PyTorch does.
template <class F>
void visit_floating(const char* name, DType dtype, F&& f) {
    switch (dtype) {
        case DType::Float16: return f(Tag<Half>{});
        case DType::BFloat16: return f(Tag<BFloat16>{});
        case DType::Float32: return f(Tag<float>{});
        case DType::Float64: return f(Tag<double>{});
        default: fail(ErrorKind::NotImplemented, '"', name, "\" not implemented for '", scalar_type_name(dtype), "'");
    }
}

// Sets mask[i] to 1 with probability p, drawing as Tensor.bernoulli_ does.
void bernoulli_fill(const Tensor& t, double p, Generator& generator);

// Vectorised parts.
struct RandomTable {
    // data holds uniform numbers in [0, 1); each 16 of them become 16 normal ones by Box and Muller.
    void (*normal_blocks)(float* data, int64_t n_blocks, float mean, float std);
    // out[i] = u(i) < p for the multiplicative generator x -> 1132489760 x mod 2^31 - 1 that starts at `seed`.
    void (*congruential_bernoulli)(uint8_t* out, int64_t n, uint32_t seed, double p);
    // out[i] = x[i] * (mask[i] ? scale : 0); a product, so that NaN and infinity stay what they are in PyTorch.
    void (*mask_float)(float* out, const float* x, const uint8_t* mask, int64_t n, float scale);
    void (*mask_double)(double* out, const double* x, const uint8_t* mask, int64_t n, double scale);
};
TAEDA_DECLARE_ISA(RandomTable, random_table)

}  // namespace taeda::cpu
