// Convolutions of one to three dimensions and transposed ones: argument checks, dtypes, gradients.
#include "base/parallel.h"
#include "cpu/conv_run.h"
#include "cpu/copy.h"
#include "cpu/reduce.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

struct ConvArguments {
    const char* name;
    IntList stride, padding, dilation;
    bool transposed = false;
    IntList output_padding;  // or the output's sizes, where `sized`
    int64_t groups = 1;
    bool sized = false;
};

// A list of one value stands for all dimensions.
Shape spread(const ConvArguments& arguments, const char* what, IntList values, size_t n) {
    if (values.size() == 1) return Shape(n, values[0]);
    TAEDA_CHECK(values.size() == n, "expected ", what, " to be a single integer value or a list of ", n,
                " values to match the convolution dimensions, but got ", what, "=", shape_text(values), "\n  in ", arguments.name);
    return Shape(values);
}

std::string by_x(IntList sizes) {
    std::string text;
    for (size_t d = 0; d < sizes.size(); ++d) text += concat(d ? " x " : "", sizes[d]);
    return text;
}

// What the arguments amount to: the geometry of the ordinary convolution behind them, and the sizes of the result.
struct ConvPlan {
    ConvShape shape;
    Shape result_sizes;
    bool transposed, batched;
    size_t n;

    ConvPlan(const ConvArguments& arguments, const Tensor& input, const Tensor& weight);

private:
    void check_weight(const ConvArguments& arguments, const Tensor& input, const Tensor& weight);
    void set_sizes(const ConvArguments& arguments, const Tensor& input, const Tensor& weight);
};

ConvPlan::ConvPlan(const ConvArguments& arguments, const Tensor& input, const Tensor& weight) : transposed(arguments.transposed) {
    TAEDA_CHECK(weight.dim() >= 3 && weight.dim() <= 5, arguments.name, ": weight must have 3, 4 or 5 dimensions, but has shape ",
                shape_text(weight.sizes()));
    n = static_cast<size_t>(weight.dim()) - 2;
    const auto rank = static_cast<size_t>(input.dim());
    TAEDA_CHECK(rank == n + 1 || rank == n + 2, "Expected ", n + 1, "D (unbatched) or ", n + 2, "D (batched) input to ", arguments.name,
                ", but got input of size: ", shape_text(input.sizes()));
    batched = rank == n + 2;
    check_weight(arguments, input, weight);
    set_sizes(arguments, input, weight);
}

void ConvPlan::check_weight(const ConvArguments& arguments, const Tensor& input, const Tensor& weight) {
    const int64_t groups = arguments.groups, channels = input.size(batched ? 1 : 0);
    TAEDA_CHECK(groups > 0, "non-positive groups is not supported");
    const int64_t expected = transposed ? weight.size(0) : weight.size(1) * groups;
    if (!transposed)
        TAEDA_CHECK(weight.size(0) >= groups, "Given groups=", groups, ", expected weight to be at least ", groups,
                    " at dimension 0, but got weight of size ", shape_text(weight.sizes()), " instead");
    TAEDA_CHECK(weight.size(0) % groups == 0, "Given groups=", groups, ", expected weight to be divisible by ", groups,
                " at dimension 0, but got weight of size [", shape_text(weight.sizes()), "] instead");
    TAEDA_CHECK(channels == expected, transposed ? "Given transposed=" : "Given groups=", transposed ? 1 : groups, ", weight of size ",
                shape_text(weight.sizes()), ", expected input", shape_text(input.sizes()), " to have ", expected, " channels, but got ", channels,
                " channels instead");
    TAEDA_CHECK(input.dtype() == weight.dtype(), "expected scalar type ", scalar_type_name(input.dtype()), " but found ",
                scalar_type_name(weight.dtype()), "\n  input and weight of ", arguments.name, " must have the same dtype");
    for (size_t d = 0; d < n; ++d)
        TAEDA_CHECK(weight.size(static_cast<int64_t>(d) + 2) > 0, "kernel size should be greater than zero, but got weight of size ",
                    shape_text(weight.sizes()));
}

void ConvPlan::set_sizes(const ConvArguments& arguments, const Tensor& input, const Tensor& weight) {
    const Shape stride = spread(arguments, "stride", arguments.stride, n), padding = spread(arguments, "padding", arguments.padding, n);
    const Shape dilation = spread(arguments, "dilation", arguments.dilation, n);
    Shape extra(n, 0);
    if (transposed && !arguments.sized) extra = spread(arguments, "output_padding", arguments.output_padding, n);
    const auto first = static_cast<size_t>(batched ? 2 : 1);
    Shape given, made, kernel;
    for (size_t d = 0; d < n; ++d) {
        TAEDA_CHECK(stride[d] > 0, "non-positive stride is not supported");
        TAEDA_CHECK(std::max({stride[d], padding[d], dilation[d], extra[d]}) <= INT32_MAX,
                    "value cannot be converted to type int without overflow\n  stride ", shape_text(stride), ", padding ", shape_text(padding),
                    ", dilation ", shape_text(dilation), ", output_padding ", shape_text(extra));
        TAEDA_CHECK(padding[d] >= 0, "negative padding is not supported");
        TAEDA_CHECK(dilation[d] > 0, "dilation should be greater than zero, but got ", shape_text(dilation));
        TAEDA_CHECK(extra[d] >= 0, "negative output_padding is not supported");
        TAEDA_CHECK(extra[d] == 0 || extra[d] < std::max(stride[d], dilation[d]),
                    "output padding must be smaller than either stride or dilation, but got output_padding: ", shape_text(extra),
                    " stride: ", shape_text(stride), " dilation: ", shape_text(dilation));
        const int64_t in = input.sizes()[first + d], k = weight.sizes()[2 + d], span = dilation[d] * (k - 1) + 1;
        given.push_back(in);
        kernel.push_back(k);
        if (arguments.sized) made.push_back(arguments.output_padding[arguments.output_padding.size() - n + d]);
        else if (transposed) made.push_back((in - 1) * stride[d] - 2 * padding[d] + span + extra[d]);
        else made.push_back(in + 2 * padding[d] >= span ? (in + 2 * padding[d] - span) / stride[d] + 1 : -1);
    }
    for (size_t d = 0; d < n; ++d) {
        const size_t at = 3 - n + d;
        shape.kernel[at] = kernel[d];
        shape.stride[at] = stride[d];
        shape.padding[at] = padding[d];
        shape.dilation[at] = dilation[d];
        shape.in[at] = transposed ? made[d] : given[d];
        shape.out[at] = transposed ? given[d] : made[d];
        if (transposed) {
            TAEDA_CHECK(made[d] > 0, "Given input size per channel: (", by_x(given), "). Calculated output size per channel: (", by_x(made),
                        "). Output size is too small");
        } else if (made[d] < 0) {
            Shape padded = given;
            for (size_t i = 0; i < n; ++i) padded[i] += 2 * padding[i];
            fail(ErrorKind::Runtime, "Calculated padded input size per channel: (", by_x(padded), "). Kernel size: (", by_x(kernel),
                 "). Kernel size can't be greater than actual input size");
        }
    }
    shape.images = batched ? input.sizes()[0] : 1;
    shape.groups = arguments.groups;
    shape.out_channels = weight.size(0) / arguments.groups;
    shape.in_channels = weight.size(1);
    if (batched) result_sizes.push_back(shape.images);
    result_sizes.push_back(transposed ? weight.size(1) * arguments.groups : weight.size(0));
    for (int64_t size : made) result_sizes.push_back(size);
}

// ---- dtypes: the three products are bilinear in what they take

enum class Part { Output, InputGradient, WeightGradient };

template <class T>
void run_part(Part part, const ConvShape& shape, const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& out) {
    const T* extra = bias.defined() ? bias.data<T>() : nullptr;
    if (part == Part::Output) conv_output<T>(shape, a.data<T>(), b.data<T>(), extra, out.data<T>());
    else if (part == Part::InputGradient) conv_input_gradient<T>(shape, a.data<T>(), b.data<T>(), extra, out.data<T>());
    else conv_weight_gradient<T>(shape, a.data<T>(), b.data<T>(), out.data<T>());
}

template <class T>
void combine_parts(const Tensor (&products)[4], T sign_a, T sign_b, const Tensor& bias, int64_t channels, int64_t per_channel, const Tensor& out) {
    using C = std::complex<T>;
    C* to = out.data<C>();
    const T *rr = products[0].data<T>(), *ii = products[1].data<T>(), *ri = products[2].data<T>(), *ir = products[3].data<T>();
    const C* added = bias.defined() ? bias.data<C>() : nullptr;
    parallel_for(0, out.numel(), 1 << 14, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            C value(rr[i] - sign_a * sign_b * ii[i], sign_b * ri[i] + sign_a * ir[i]);
            if (added) value += added[i / per_channel % channels];
            to[i] = value;
        }
    });
}

// Four real convolutions on the parts.
template <class T>
void run_complex_part(Part part, const ConvShape& shape, const Tensor& a, const Tensor& b, bool conjugate_a, bool conjugate_b, const Tensor& bias,
                      int64_t channels, const Tensor& out) {
    const Tensor ar = contiguous(views::real(a)), ai = contiguous(views::imag(a)), br = contiguous(views::real(b)), bi = contiguous(views::imag(b));
    Tensor products[4];
    for (Tensor& product : products) product = empty(out.sizes(), DTypeOf<T>::value);
    run_part<T>(part, shape, ar, br, {}, products[0]);
    run_part<T>(part, shape, ai, bi, {}, products[1]);
    run_part<T>(part, shape, ar, bi, {}, products[2]);
    run_part<T>(part, shape, ai, br, {}, products[3]);
    const int64_t per_channel = part == Part::InputGradient ? shape.in_numel() : shape.out_numel();
    combine_parts<T>(products, conjugate_a ? T(-1) : T(1), conjugate_b ? T(-1) : T(1), bias, channels, per_channel, out);
}

template <class T>
void run_converted_part(Part part, const ConvShape& shape, const Tensor& a, const Tensor& b, const Tensor& bias, DType wide, const Tensor& out) {
    const Tensor temporary = empty(out.sizes(), wide);
    run_part<T>(part, shape, contiguous(to_dtype(a, wide)), contiguous(to_dtype(b, wide)),
                bias.defined() ? contiguous(to_dtype(bias, wide)) : Tensor(), temporary);
    copy_into(out, temporary);
}

void run_any(Part part, const ConvPlan& plan, const Tensor& a, const Tensor& b, bool conjugate_a, bool conjugate_b, const Tensor& bias,
             const Tensor& out) {
    const ConvShape& shape = plan.shape;
    const int64_t channels = shape.groups * (part == Part::InputGradient ? shape.in_channels : shape.out_channels);
    if (out.numel() == 0) return;
    switch (out.dtype()) {
        case DType::Float32: return run_part<float>(part, shape, contiguous(a), contiguous(b), bias.defined() ? contiguous(bias) : bias, out);
        case DType::Float64: return run_part<double>(part, shape, contiguous(a), contiguous(b), bias.defined() ? contiguous(bias) : bias, out);
        case DType::Int64: return run_part<uint64_t>(part, shape, contiguous(a), contiguous(b), bias.defined() ? contiguous(bias) : bias, out);
        case DType::Int32: return run_part<uint32_t>(part, shape, contiguous(a), contiguous(b), bias.defined() ? contiguous(bias) : bias, out);
        case DType::Complex64:
            return run_complex_part<float>(part, shape, a, b, conjugate_a, conjugate_b, bias.defined() ? contiguous(bias) : bias, channels, out);
        case DType::Complex128:
            return run_complex_part<double>(part, shape, a, b, conjugate_a, conjugate_b, bias.defined() ? contiguous(bias) : bias, channels, out);
        case DType::Float16:
        case DType::BFloat16: return run_converted_part<float>(part, shape, a, b, bias, DType::Float32, out);
        case DType::Int16:
        case DType::Int8:
        case DType::UInt8: return run_converted_part<uint32_t>(part, shape, a, b, bias, DType::Int32, out);
        default: fail(ErrorKind::NotImplemented, "\"slow_conv", plan.n, "d_cpu\" not implemented for '", scalar_type_name(out.dtype()), "'");
    }
}

void check_bias(const ConvPlan& plan, const Tensor& input, const Tensor& weight, const Tensor& bias) {
    const int64_t channels = plan.result_sizes[plan.batched ? 1 : 0];
    TAEDA_CHECK(bias.dim() == 1 && bias.size(0) == channels, plan.transposed ? "Given transposed=1, weight of size " : "Given weight of size ",
                shape_text(weight.sizes()), ", expected bias to be 1-dimensional with ", channels, " elements, but got bias of size ",
                shape_text(bias.sizes()), " instead");
    TAEDA_CHECK(bias.dtype() == input.dtype(), "Input type (", dtype_name(input.dtype()), ") and bias type (", dtype_name(bias.dtype()),
                ") should be the same");
}

Tensor convolve(const ConvArguments& arguments, const Tensor& input, const Tensor& weight, const Tensor& bias) {
    const ConvPlan plan(arguments, input, weight);
    if (bias.defined()) check_bias(plan, input, weight, bias);
    Tensor out = result(plan.result_sizes, input.dtype(), input.device());
    if (out.is_meta()) return out;
    run_any(plan.transposed ? Part::InputGradient : Part::Output, plan, input, weight, false, false, bias, out);
    return out;
}

constexpr int64_t kZero[1] = {0};

Tensor convolve_same(const char* name, const Tensor& input, const Tensor& weight, const Tensor& bias, IntList stride, const std::string& padding,
                     IntList dilation, int64_t groups) {
    TAEDA_CHECK(padding == "same" || padding == "valid", "Invalid padding string: '", padding, "'");
    if (padding == "valid") return convolve({name, stride, kZero, dilation, false, kZero, groups}, input, weight, bias);
    for (int64_t step : stride) TAEDA_CHECK(step == 1, "padding='same' is not supported for strided convolutions");
    TAEDA_CHECK(weight.dim() >= 3, name, ": weight must have 3, 4 or 5 dimensions, but has shape ", shape_text(weight.sizes()));
    const auto n = static_cast<size_t>(weight.dim()) - 2;
    ConvArguments arguments{name, stride, kZero, dilation, false, kZero, groups};
    const Shape steps = spread(arguments, "dilation", dilation, n);
    // An odd total leaves one more at the end, which the result's size alone decides.
    Shape before;
    for (size_t d = 0; d < n; ++d) before.push_back(steps[d] * (weight.sizes()[2 + d] - 1) / 2);
    arguments.padding = before;
    arguments.sized = true;
    arguments.output_padding = input.sizes();
    TAEDA_CHECK(static_cast<size_t>(input.dim()) >= n, "Expected ", n + 1, "D (unbatched) or ", n + 2, "D (batched) input to ", name,
                ", but got input of size: ", shape_text(input.sizes()));
    return convolve(arguments, input, weight, bias);
}

}  // namespace

#define TAEDA_CONV(n)                                                                                                                    \
    Tensor conv##n##d(const Tensor& input, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding, IntList dilation,  \
                      int64_t groups) {                                                                                                  \
        return convolve({"conv" #n "d", stride, padding, dilation, false, kZero, groups}, input, weight, bias);                          \
    }                                                                                                                                    \
    Tensor conv##n##d_padding(const Tensor& input, const Tensor& weight, const Tensor& bias, IntList stride, const std::string& padding, \
                              IntList dilation, int64_t groups) {                                                                        \
        return convolve_same("conv" #n "d", input, weight, bias, stride, padding, dilation, groups);                                     \
    }                                                                                                                                    \
    Tensor conv_transpose##n##d(const Tensor& input, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding,          \
                                IntList output_padding, int64_t groups, IntList dilation) {                                              \
        return convolve({"conv_transpose" #n "d", stride, padding, dilation, true, output_padding, groups}, input, weight, bias);        \
    }
TAEDA_CONV(1)
TAEDA_CONV(2)
TAEDA_CONV(3)
#undef TAEDA_CONV

Tensor convolution(const Tensor& input, const Tensor& weight, const Tensor& bias, IntList stride, IntList padding, IntList dilation, bool transposed,
                   IntList output_padding, int64_t groups) {
    return convolve({"convolution", stride, padding, dilation, transposed, output_padding, groups}, input, weight, bias);
}

Tensor _convolution_sized(const Tensor& input, const Tensor& weight, IntList stride, IntList padding, IntList dilation, bool transposed, IntList size,
                          int64_t groups) {
    return convolve({"convolution", stride, padding, dilation, transposed, size, groups, true}, input, weight, {});
}

std::tuple<Tensor, Tensor, Tensor> _convolution_backward(const Tensor& g, const Tensor& input, const Tensor& weight, IntList stride, IntList padding,
                                                         IntList dilation, bool transposed, int64_t groups, bool want_input, bool want_weight,
                                                         bool want_bias) {
    const ConvPlan plan({"convolution", stride, padding, dilation, transposed, g.sizes(), groups, true}, input, weight);
    Tensor grad_input, grad_weight, grad_bias;
    if (want_input) {
        grad_input = empty(input.sizes(), input.dtype(), input.device());
        if (!grad_input.is_meta()) run_any(transposed ? Part::Output : Part::InputGradient, plan, g, weight, false, true, {}, grad_input);
    }
    if (want_weight) {
        grad_weight = empty(weight.sizes(), weight.dtype(), weight.device());
        if (grad_weight.is_meta()) {
        } else if (transposed) {
            run_any(Part::WeightGradient, plan, g, input, false, true, {}, grad_weight);
        } else {
            run_any(Part::WeightGradient, plan, input, g, true, false, {}, grad_weight);
        }
    }
    if (want_bias) {
        Shape others;
        for (int64_t d = 0; d < g.dim(); ++d)
            if (d != (plan.batched ? 1 : 0)) others.push_back(d);
        grad_bias = sum(g, IntList(others), false, {});
    }
    return {grad_input, grad_weight, grad_bias};
}

}  // namespace taeda::cpu
