// Variances and norms over dimensions.
#include <cmath>

#include "cpu/copy.h"
#include "cpu/pointwise.h"
#include "cpu/reduce.h"
#include "pointwise_rows.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

// The elements of `t`, contiguous, as f(T* values, n), for the floating types.
template <class F>
void for_floats(const Tensor& t, F&& f) {
    visit_dtype(t.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (is_floating_v<T>) f(t.data<T>(), t.numel());
    });
}

void take_root(const Tensor& t) {
    for_floats(t, []<class T>(T* x, int64_t n) {
        for (int64_t i = 0; i < n; ++i) x[i] = convert<T>(std::sqrt(convert<compute_t<T>>(x[i])));
    });
}

// The variance of complex numbers is that of their parts together.
void complex_variance(const Tensor& input, DimMask mask, double correction, const Tensor& out, const Tensor& mean_out) {
    Tensor imaginary = empty(out.sizes(), out.dtype(), out.device());
    const DType part = real_of(input.dtype());
    Tensor means[2];
    for (Tensor& m : means)
        if (mean_out.defined()) m = empty(out.sizes(), part, out.device());
    run_reduction(Reduction::Moments, views::real(input), part, mask, correction, out, means[0]);
    run_reduction(Reduction::Moments, views::imag(input), part, mask, correction, imaginary, means[1]);
    for_floats(out, [&]<class T>(T* x, int64_t n) {
        for (int64_t i = 0; i < n; ++i) x[i] = convert<T>(convert<compute_t<T>>(x[i]) + convert<compute_t<T>>(imaginary.data<T>()[i]));
    });
    if (!mean_out.defined()) return;
    copy_into(views::real(mean_out), means[0]);
    copy_into(views::imag(mean_out), means[1]);
}

std::tuple<Tensor, Tensor> moments(const Tensor& input, std::optional<IntList> dim, double correction, bool keepdim, bool root, bool want_mean) {
    TAEDA_CHECK(is_inexact(input.dtype()), "std and var only support floating point and complex dtypes");
    DimMask mask = dim_mask_or_all(dim, input.dim());
    Shape shape = reduced_shape(input.sizes(), mask, keepdim);
    Tensor out = result(shape, real_of(input.dtype()), input.device());
    Tensor mean_out = want_mean ? empty(shape, input.dtype(), input.device()) : Tensor();
    if (out.is_meta()) return {out, mean_out};
    if (is_complex(input.dtype())) complex_variance(input, mask, correction, out, mean_out);
    else run_reduction(Reduction::Moments, input, input.dtype(), mask, correction, out, mean_out);
    if (root) take_root(out);
    return {out, mean_out};
}

double from_unbiased(bool unbiased) { return unbiased ? 1 : 0; }

}  // namespace

Tensor var(const Tensor& input, std::optional<IntList> dim, std::optional<double> correction, bool keepdim) {
    return std::get<0>(moments(input, dim, correction.value_or(1), keepdim, false, false));
}
Tensor var_unbiased(const Tensor& input, bool unbiased) { return var(input, {}, from_unbiased(unbiased), false); }
Tensor var_dim(const Tensor& input, std::optional<IntList> dim, bool unbiased, bool keepdim) {
    return var(input, dim, from_unbiased(unbiased), keepdim);
}

Tensor std(const Tensor& input, std::optional<IntList> dim, std::optional<double> correction, bool keepdim) {
    return std::get<0>(moments(input, dim, correction.value_or(1), keepdim, true, false));
}
Tensor std_unbiased(const Tensor& input, bool unbiased) { return cpu::std(input, {}, from_unbiased(unbiased), false); }
Tensor std_dim(const Tensor& input, std::optional<IntList> dim, bool unbiased, bool keepdim) {
    return cpu::std(input, dim, from_unbiased(unbiased), keepdim);
}

std::tuple<Tensor, Tensor> var_mean(const Tensor& input, std::optional<IntList> dim, std::optional<double> correction, bool keepdim) {
    return moments(input, dim, correction.value_or(1), keepdim, false, true);
}
std::tuple<Tensor, Tensor> var_mean_unbiased(const Tensor& input, bool unbiased) { return var_mean(input, {}, from_unbiased(unbiased), false); }
std::tuple<Tensor, Tensor> var_mean_dim(const Tensor& input, std::optional<IntList> dim, bool unbiased, bool keepdim) {
    return var_mean(input, dim, from_unbiased(unbiased), keepdim);
}

std::tuple<Tensor, Tensor> std_mean(const Tensor& input, std::optional<IntList> dim, std::optional<double> correction, bool keepdim) {
    return moments(input, dim, correction.value_or(1), keepdim, true, true);
}
std::tuple<Tensor, Tensor> std_mean_unbiased(const Tensor& input, bool unbiased) { return std_mean(input, {}, from_unbiased(unbiased), false); }
std::tuple<Tensor, Tensor> std_mean_dim(const Tensor& input, std::optional<IntList> dim, bool unbiased, bool keepdim) {
    return std_mean(input, dim, from_unbiased(unbiased), keepdim);
}

namespace {

void check_norm(const Tensor& input, double ord, std::optional<IntList> dim, DimMask mask, std::optional<DType> dtype) {
    TAEDA_CHECK(is_inexact(input.dtype()), "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
                scalar_type_name(input.dtype()));
    if (dtype) {
        TAEDA_CHECK(is_inexact(*dtype), "linalg.vector_norm: dtype should be floating point or complex, but got ", scalar_type_name(*dtype));
        TAEDA_CHECK(is_complex(*dtype) == is_complex(input.dtype()), "linalg.vector_norm: dtype should be ",
                    is_complex(input.dtype()) ? "complex for complex" : "real for real", " inputs, but got ", scalar_type_name(*dtype));
    }
    if (input.numel() != 0 || !(ord < 0 || ord == INFINITY)) return;
    const bool all = !dim || dim->empty();
    TAEDA_CHECK(!all, "linalg.vector_norm cannot compute the ", ord, " norm on an empty tensor because the operation does not have an identity");
    for (int64_t d = 0; d < input.dim(); ++d)
        TAEDA_CHECK(!(mask >> d & 1) || input.sizes()[d] != 0, "linalg.vector_norm cannot compute the ", ord, " norm on the dimension ", d,
                    " because this dimension is empty and the operation does not have an identity");
}

// |x| of the real type, for the two norms that are extremes: by `abs`, with which the gradient compares.
Tensor magnitudes(const Tensor& input, DType real) {
    const Tensor source = to_dtype(input, is_complex(input.dtype()) ? complex_of(real) : real);
    Operand operand;
    operand.tensor = &source;
    return run_pointwise(pointwise_op(row::abs).forward, {&operand, 1});
}

}  // namespace

Tensor vector_norm(const Tensor& input, double ord, std::optional<IntList> dim, bool keepdim, std::optional<DType> dtype) {
    DimMask mask = dim_mask_or_all(dim, input.dim());
    check_norm(input, ord, dim, mask, dtype);
    const DType as = dtype.value_or(input.dtype());
    Tensor out = result(reduced_shape(input.sizes(), mask, keepdim), real_of(as), input.device());
    if (out.is_meta()) return out;
    if (std::isinf(ord)) {
        run_reduction(ord > 0 ? Reduction::Max : Reduction::Min, magnitudes(input, real_of(as)), real_of(as), mask, 1, out);
    } else {
        Reduction kind = ord == 0 ? Reduction::CountNonzero : ord == 1 ? Reduction::SumAbs : ord == 2 ? Reduction::SumSquares : Reduction::SumPow;
        run_reduction(kind, input, as, mask, ord, out);
    }
    return out;
}

}  // namespace taeda::cpu
