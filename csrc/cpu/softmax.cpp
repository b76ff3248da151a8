// Softmax, log-softmax and logsumexp along dimensions.
#include "cpu/softmax.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "cpu/convert.h"
#include "cpu/copy.h"
#include "cpu/lines.h"
#include "cpu/pointwise.h"
#include "cpu/reduce.h"
#include "pointwise_rows.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

DType compute_type(DType t) { return t == DType::Float64 ? DType::Float64 : DType::Float32; }

const char* at(const Tensor& t, int64_t element) { return static_cast<const char*>(t.data()) + element * static_cast<int64_t>(t.item_size()); }
char* to(const Tensor& t, int64_t element) { return static_cast<char*>(t.data()) + element * static_cast<int64_t>(t.item_size()); }

// Rows of half types, converted one by one beside the cache: whole tensors of float would go through memory twice more.
void softmax_of_half_rows(const Tensor& x, const Tensor& out, const Lines& lines, bool log) {
    constexpr int64_t kOnStack = 4096;
    const ConvertBlock read = converter(DType::Float32, x.dtype()), write = converter(out.dtype(), DType::Float32);
    const SoftmaxKernels& kernels = softmax_kernels(DType::Float32);
    over_rows(lines, out, [&](int64_t offset, char* row) {
        alignas(64) float few[kOnStack];
        Scratch<float> many;
        if (lines.size > kOnStack) many.reset(lines.size);
        float* values = lines.size > kOnStack ? many.data() : few;
        read(values, at(x, offset), lines.size);
        kernels.row(values, values, lines.size, log);
        write(row, values, lines.size);
    });
}

Tensor softmax_like(const Tensor& input, int64_t dim, std::optional<DType> dtype, bool log) {
    const DType type = dtype.value_or(input.dtype());
    TAEDA_CHECK_KIND(NotImplemented, is_floating(type), "\"", log ? "log_softmax" : "softmax", "_lastdim_kernel_impl\" not implemented for '",
                     scalar_type_name(type), "'");
    dim = wrap_dim(dim, input.dim());
    Tensor out = result(input.sizes(), type, input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const DType compute = compute_type(type);
    const Lines lines(input.sizes(), dim);
    if (lines.inner == 1 && type != compute && type == input.dtype()) {
        softmax_of_half_rows(contiguous(input), out, lines, log);
        return out;
    }
    Tensor x = contiguous(to_dtype(input, compute)), y = type == compute ? out : empty(out.sizes(), compute);
    const SoftmaxKernels& kernels = softmax_kernels(compute);
    if (lines.inner == 1) over_rows(lines, y, [&](int64_t offset, char* row) { kernels.row(at(x, offset), row, lines.size, log); });
    else over_lines(lines, [&](int64_t offset, int64_t cols) { kernels.columns(at(x, offset), to(y, offset), lines.size, lines.inner, cols, log); });
    if (!y.is_same(out)) copy_into(out, y);
    return out;
}

Tensor softmax_like_backward(const Tensor& grad, const Tensor& output, int64_t dim, DType dtype, bool log) {
    dim = wrap_dim(dim, output.dim());
    Tensor out = result(output.sizes(), dtype, output.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const DType compute = compute_type(output.dtype());
    Tensor g = contiguous(to_dtype(grad, compute)), y = contiguous(to_dtype(output, compute));
    Tensor dx = dtype == compute ? out : empty(out.sizes(), compute);
    const SoftmaxKernels& kernels = softmax_kernels(compute);
    const Lines lines(output.sizes(), dim);
    if (lines.inner == 1)
        over_rows(lines, dx, [&](int64_t offset, char* row) { kernels.row_backward(at(g, offset), at(y, offset), row, lines.size, log); });
    else
        over_lines(lines, [&](int64_t offset, int64_t cols) {
            kernels.columns_backward(at(g, offset), at(y, offset), to(dx, offset), lines.size, lines.inner, cols, log);
        });
    if (!dx.is_same(out)) copy_into(out, dx);
    return out;
}

}  // namespace

Tensor softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) { return softmax_like(input, dim, dtype, false); }
Tensor log_softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) { return softmax_like(input, dim, dtype, true); }
Tensor _softmax_backward(const Tensor& grad, const Tensor& output, int64_t dim, DType dtype) {
    return softmax_like_backward(grad, output, dim, dtype, false);
}
Tensor _log_softmax_backward(const Tensor& grad, const Tensor& output, int64_t dim, DType dtype) {
    return softmax_like_backward(grad, output, dim, dtype, true);
}

namespace {

Tensor pointwise(int row, std::initializer_list<const Tensor*> tensors) {
    std::array<Operand, 2> operands;
    size_t n = 0;
    for (const Tensor* t : tensors) operands[n++].tensor = t;
    Attributes attributes{};
    attributes.complex[0] = attributes.real[0] = 1;  // alpha, where the row has one
    attributes.integer[0] = 1;
    return run_pointwise(pointwise_op(row).forward, {operands.data(), n}, attributes);
}

// Shifted by the largest real part, which alone decides how large an exponential gets.
Tensor complex_logsumexp(const Tensor& input, IntList dim, bool keepdim) {
    const DimMask mask = dim_mask_or_all(dim, input.dim());
    Tensor out = result(reduced_shape(input.sizes(), mask, keepdim), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    if (input.numel() == 0) {
        fill(out, -std::numeric_limits<double>::infinity());
        return out;
    }
    Shape dims;
    for (int64_t d = 0; d < input.dim(); ++d)
        if (mask >> d & 1) dims.push_back(d);
    Tensor largest = amax(views::real(input), dims, true);
    visit_dtype(largest.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (std::is_floating_point_v<T>)
            for (int64_t i = 0; i < largest.numel(); ++i)
                if (std::isinf(largest.data<T>()[i])) largest.data<T>()[i] = 0;
    });
    Tensor shifted = pointwise(row::sub, {&input, &largest}), powers = pointwise(row::exp, {&shifted});
    Tensor total = sum(powers, IntList(dims), true, std::nullopt), logarithm = pointwise(row::log, {&total});
    Tensor value = pointwise(row::add, {&logarithm, &largest});
    copy_into(out, views::view(value, out.sizes()));
    return out;
}

}  // namespace

Tensor logsumexp(const Tensor& input, IntList dim, bool keepdim) {
    if (is_complex(input.dtype())) return complex_logsumexp(input, dim, keepdim);
    const DType type = is_integral(input.dtype()) ? default_dtype() : input.dtype();
    TAEDA_CHECK_KIND(NotImplemented, is_floating(type), "\"logsumexp\" not implemented for '", scalar_type_name(type), "'");
    DimMask mask = dim_mask_or_all(dim, input.dim());
    Tensor out = result(reduced_shape(input.sizes(), mask, keepdim), type, input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    if (input.numel() == 0) {  // the logarithm of an empty sum
        fill(out, -std::numeric_limits<double>::infinity());
        return out;
    }
    // The reduced dimensions go last, unless a single one is reduced across neighbours in memory.
    Shape order;
    for (int pass = 0; pass < 2; ++pass)
        for (int64_t d = 0; d < input.dim(); ++d)
            if (static_cast<int>(mask >> d & 1) == pass) order.push_back(d);
    const DType compute = compute_type(type);
    const int64_t n = reduced_count(input, mask), rows = out.numel();
    const SoftmaxKernels& kernels = softmax_kernels(compute);
    Tensor y = type == compute ? out : empty(out.sizes(), compute);
    constexpr int64_t kFewColumns = 8;
    const bool single = input.is_contiguous() && std::popcount(mask) == 1;
    const Lines columns(input.sizes(), single ? std::countr_zero(mask) : 0);
    const bool by_columns = single && columns.inner >= kFewColumns;
    Tensor x = contiguous(to_dtype(by_columns ? input : views::permute(input, order), compute));
    if (by_columns) {
        const int64_t inner = columns.inner;
        over_lines(columns, [&](int64_t offset, int64_t cols) {
            kernels.log_sum_exp_columns(at(x, offset), to(y, offset / (n * inner) * inner + offset % inner), n, inner, cols);
        });
    } else {
        over_lines(Lines(Shape{rows, n}, 1), [&](int64_t offset, int64_t) {
            const double value = kernels.log_sum_exp(at(x, offset), n);
            const int64_t i = offset / n;
            if (compute == DType::Float64) y.data<double>()[i] = value;
            else y.data<float>()[i] = static_cast<float>(value);
        });
    }
    if (!y.is_same(out)) copy_into(out, y);
    return out;
}

}  // namespace taeda::cpu
