// New tensors of random numbers, and dropout.
#include <algorithm>

#include "cpu/blocks.h"
#include "cpu/copy.h"
#include "cpu/random.h"

namespace taeda::cpu {

Tensor uniform_(const Tensor& input, double from, double to, Generator* generator);
Tensor normal_(const Tensor& input, double mean, double std, Generator* generator);
Tensor random__from(const Tensor& input, int64_t from, std::optional<int64_t> to, Generator* generator);
Tensor bernoulli_(const Tensor& input, double p, Generator* generator);
Tensor bernoulli__tensor(const Tensor& input, const Tensor& p, Generator* generator);

namespace {

using MaybeType = std::optional<DType>;
using MaybeDevice = std::optional<Device>;
using MaybeFormat = std::optional<MemoryFormat>;

Tensor made(IntList size, DType dtype, MaybeDevice device) {
    for (int64_t s : size) TAEDA_CHECK(s >= 0, "Trying to create tensor with negative dimension ", s, ": ", shape_text(size));
    return result(size, dtype, device.value_or(Device{}));
}

Tensor made_like(const Tensor& input, MaybeFormat format, MaybeType dtype, MaybeDevice device) {
    if (!device || *device == input.device()) return taeda::empty_like(input, dtype, format);
    return taeda::empty(input.sizes(), dtype.value_or(input.dtype()), *device);
}

// drawn * std + mean, where either may be a tensor; `drawn` has the broadcast shape.
void scale_and_shift(const Tensor& drawn, const Tensor& mean, const Tensor& std, double mean_number, double std_number) {
    auto strided = [&](const Tensor& t) { return t.defined() ? expand_to(to_dtype(t, drawn.dtype()), drawn.sizes()) : Tensor(); };
    const Tensor means = strided(mean), stds = strided(std);
    auto number = [&](double value) { return expand_to(scalar_tensor(Scalar(value), drawn.dtype()), drawn.sizes()); };
    visit_floating("normal_kernel_cpu", drawn.dtype(), [&]<class T>(Tag<T>) {
        Tensor operands[3] = {drawn, means.defined() ? means : number(mean_number), stds.defined() ? stds : number(std_number)};
        LoopPlan plan = plan_loop(drawn.sizes(), operands);
        plan.for_each_run(0, plan.numel, [&](char* const* at, int64_t n) {
            auto element = [&](int k, int64_t i) { return reinterpret_cast<T*>(at[k] + i * plan.byte_strides[k][0]); };
            for (int64_t i = 0; i < n; ++i) {
                using C = compute_t<T>;
                T scaled = convert<T>(convert<C>(*element(0, i)) * convert<C>(*element(2, i)));
                *element(0, i) = convert<T>(convert<C>(scaled) + convert<C>(*element(1, i)));
            }
        });
    });
}

void check_deviations(const Tensor& std) {
    TAEDA_CHECK(!is_complex(std.dtype()), "normal expects standard deviation to be non-complex");
    if (std.is_meta()) return;
    Tensor values = contiguous(to_dtype(std, DType::Float64));
    const double* data = values.data<double>();
    TAEDA_CHECK(std::all_of(data, data + values.numel(), [](double s) { return s >= 0; }), "normal expects all elements of std >= 0.0");
}

Tensor standard_normal(IntList sizes, DType dtype, Device device, Generator* generator) {
    Tensor out = result(sizes, dtype, device);
    return normal_(out, 0, 1, generator);
}

}  // namespace

Tensor rand(IntList size, Generator* generator, MaybeType dtype, MaybeDevice device) {
    return uniform_(made(size, dtype.value_or(default_dtype()), device), 0, 1, generator);
}
Tensor randn(IntList size, Generator* generator, MaybeType dtype, MaybeDevice device) {
    return normal_(made(size, dtype.value_or(default_dtype()), device), 0, 1, generator);
}
Tensor randint_low(int64_t low, int64_t high, IntList size, Generator* generator, MaybeType dtype, MaybeDevice device) {
    return random__from(made(size, dtype.value_or(DType::Int64), device), low, high, generator);
}
Tensor randint(int64_t high, IntList size, Generator* generator, MaybeType dtype, MaybeDevice device) {
    return randint_low(0, high, size, generator, dtype, device);
}

Tensor rand_like(const Tensor& input, Generator* generator, MaybeFormat memory_format, MaybeType dtype, MaybeDevice device) {
    return uniform_(made_like(input, memory_format, dtype, device), 0, 1, generator);
}
Tensor randn_like(const Tensor& input, Generator* generator, MaybeFormat memory_format, MaybeType dtype, MaybeDevice device) {
    return normal_(made_like(input, memory_format, dtype, device), 0, 1, generator);
}
Tensor randint_like_low(const Tensor& input, int64_t low, int64_t high, Generator* generator, MaybeFormat memory_format, MaybeType dtype,
                        MaybeDevice device) {
    return random__from(made_like(input, memory_format, dtype, device), low, high, generator);
}
Tensor randint_like(const Tensor& input, int64_t high, Generator* generator, MaybeFormat memory_format, MaybeType dtype, MaybeDevice device) {
    return randint_like_low(input, 0, high, generator, memory_format, dtype, device);
}

Tensor normal(const Tensor& mean, const Tensor& std, Generator* generator) {
    check_deviations(std);
    Tensor out = standard_normal(broadcast_shapes(mean.sizes(), std.sizes()), mean.dtype(), mean.device(), generator);
    if (!out.is_meta()) scale_and_shift(out, mean, std, 0, 1);
    return out;
}
Tensor normal_mean(const Tensor& mean, double std, Generator* generator) {
    TAEDA_CHECK(std >= 0.0, "normal expects std >= 0.0, but found std ", std);
    Tensor out = standard_normal(mean.sizes(), mean.dtype(), mean.device(), generator);
    if (!out.is_meta()) scale_and_shift(out, mean, {}, 0, std);
    return out;
}
Tensor normal_std(double mean, const Tensor& std, Generator* generator) {
    check_deviations(std);
    Tensor out = standard_normal(std.sizes(), std.dtype(), std.device(), generator);
    if (!out.is_meta()) scale_and_shift(out, {}, std, mean, 1);
    return out;
}
Tensor normal_size(double mean, double std, IntList size, Generator* generator, MaybeType dtype, MaybeDevice device) {
    return normal_(made(size, dtype.value_or(default_dtype()), device), mean, std, generator);
}

Tensor bernoulli(const Tensor& input, Generator* generator) { return bernoulli__tensor(taeda::empty_like(input), input, generator); }
Tensor bernoulli_p(const Tensor& input, double p, Generator* generator) { return bernoulli_(taeda::empty_like(input), p, generator); }

// ---- dropout: the mask is kept for the gradient, one byte for each element

namespace {

template <class C>
void mask_body(const void* context, void* out, const void* const* in, int64_t n) {
    const double scale = *static_cast<const double*>(context);
    const C* x = static_cast<const C*>(in[0]);
    const uint8_t* mask = static_cast<const uint8_t*>(in[1]);
    if constexpr (std::is_same_v<C, float>) random_table().mask_float(static_cast<C*>(out), x, mask, n, static_cast<float>(scale));
    else random_table().mask_double(static_cast<C*>(out), x, mask, n, scale);
}

Tensor masked(const Tensor& input, const Tensor& mask, double scale) {
    Tensor out = taeda::empty_like(input);
    if (out.is_meta() || out.numel() == 0) return out;
    const bool wide = input.dtype() == DType::Float64;
    BlockLoop loop;
    Tensor operands[3] = {out, input, mask};
    loop.plan = plan_loop(input.sizes(), operands);
    for (int k = 0; k < 3; ++k) {
        loop.memory[k] = operands[k].dtype();
        loop.compute[k] = k == 2 ? DType::Bool : wide ? DType::Float64 : DType::Float32;
    }
    run_blocks(loop, wide ? mask_body<double> : mask_body<float>, &scale);
    return out;
}

}  // namespace

std::tuple<Tensor, Tensor> _dropout(const Tensor& input, double p) {
    TAEDA_CHECK(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
    TAEDA_CHECK(is_floating(input.dtype()), "result type Float can't be cast to the desired output type ", scalar_type_name(input.dtype()));
    Tensor mask = taeda::empty_like(input, DType::Bool);
    if (p == 1) fill_zero(mask);  // nothing is drawn
    else bernoulli_(mask, 1 - p, nullptr);
    return {masked(input, mask, p == 1 ? 0 : 1 / (1 - p)), mask};
}

Tensor native_dropout_backward(const Tensor& grad_output, const Tensor& mask, double scale) {
    TAEDA_CHECK(is_bool(mask.dtype()), "Mask should be Bool Scalar Type", scalar_type_name(mask.dtype()));
    TAEDA_CHECK_KIND(NotImplemented, !is_complex(grad_output.dtype()), "\"native_dropout_backward\" not implemented for '",
                     scalar_type_name(grad_output.dtype()), "'");
    const Tensor grad = is_integral(grad_output.dtype()) ? to_dtype(grad_output, default_dtype()) : grad_output;
    return masked(grad, expand_to(mask, grad.sizes()), scale);
}

}  // namespace taeda::cpu
