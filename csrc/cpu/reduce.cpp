// Sums, products, extremes and tests over dimensions: argument checks, result types, and a call of the driver.
#include "cpu/reduce.h"

#include "cpu/copy.h"
#include "cpu/pointwise.h"
#include "pointwise_rows.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

void require_kernel(Reduction kind, DType as, const char* name) {
    TAEDA_CHECK_KIND(NotImplemented, has_reduction(kind, as), "\"", name, "\" not implemented for '", scalar_type_name(as), "'");
}

// uint64 as int64 in the same order, and back: the kernels compare as int64.
Tensor with_top_bit_flipped(const Tensor& t) {
    const DType other = t.dtype() == DType::UInt64 ? DType::Int64 : DType::UInt64;
    if (t.is_meta()) return empty(t.sizes(), other, t.device());
    Tensor flipped = clone(views::view_dtype(t, DType::Int64), MemoryFormat::Contiguous);
    for (int64_t* p = flipped.data<int64_t>(); p != flipped.data<int64_t>() + flipped.numel(); ++p) *p ^= std::numeric_limits<int64_t>::min();
    return views::view_dtype(flipped, other);
}

Tensor reduce(Reduction kind, const Tensor& input, DType as, DimMask mask, bool keepdim, DType out_dtype, double p = 1) {
    Tensor out = result(reduced_shape(input.sizes(), mask, keepdim), out_dtype, input.device());
    if (out.is_meta()) return out;
    // Elements count as true or false before they are added, not after.
    Tensor source = as == DType::Bool && input.dtype() != DType::Bool ? to_dtype(input, DType::Bool) : input;
    run_reduction(kind, source, as, mask, p, out);
    return out;
}

DType sum_dtype(const Tensor& input, std::optional<DType> dtype) {
    return dtype ? *dtype : is_integral(input.dtype()) ? DType::Int64 : input.dtype();
}

std::optional<Shape> one_dim(std::optional<int64_t> dim) {
    if (!dim) return std::nullopt;
    return Shape{*dim};
}

DimMask mask_of(const Tensor& input, std::optional<int64_t> dim) {
    std::optional<Shape> dims = one_dim(dim);
    return dim_mask_or_all(dims ? std::optional<IntList>(*dims) : std::nullopt, input.dim());
}

// Reductions without an identity need at least one element for each result.
void require_elements(const char* name, const Tensor& input, DimMask mask, bool dims_given, ErrorKind without_dims = ErrorKind::Runtime) {
    if (input.numel() != 0) return;
    if (!dims_given)
        fail(without_dims, name,
             "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.");
    for (int64_t d = 0; d < input.dim(); ++d)
        TAEDA_CHECK_KIND(Index, !(mask >> d & 1) || input.sizes()[d] != 0, name, "(): Expected reduction dim ", d, " to have non-zero size.");
}

Tensor extreme(const char* name, const char* kernel, Reduction kind, const Tensor& input, IntList dim, bool keepdim) {
    if (input.dtype() == DType::UInt64) return with_top_bit_flipped(extreme(name, kernel, kind, with_top_bit_flipped(input), dim, keepdim));
    DimMask mask = dim_mask_or_all(dim, input.dim());
    require_elements(name, input, mask, !dim.empty());
    require_kernel(kind, input.dtype(), kernel);
    return reduce(kind, input, input.dtype(), mask, keepdim, input.dtype());
}

std::tuple<Tensor, Tensor> extreme_along(const char* name, Reduction kind, const Tensor& input, int64_t dim, bool keepdim) {
    if (input.dtype() == DType::UInt64) {
        auto [values, indices] = extreme_along(name, kind, with_top_bit_flipped(input), dim, keepdim);
        return {with_top_bit_flipped(values), indices};
    }
    DimMask mask = dim_mask(Shape{dim}, input.dim());
    require_elements(name, input, mask, true);
    const DType as = input.dtype() == DType::Bool ? DType::UInt8 : input.dtype();
    require_kernel(kind, as, name);
    Shape shape = reduced_shape(input.sizes(), mask, keepdim);
    Tensor values = result(shape, input.dtype(), input.device());
    Tensor indices = empty(shape, DType::Int64, input.device());
    if (!values.is_meta()) run_reduction(kind, input, as, mask, 1, indices, values);
    return {values, indices};
}

Tensor arg_extreme(const char* name, Reduction kind, const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
    if (input.dtype() == DType::UInt64) return arg_extreme(name, kind, with_top_bit_flipped(input), dim, keepdim);
    TAEDA_CHECK(!is_bool(input.dtype()), name, "(): does not support bool input");
    require_kernel(kind, input.dtype(), name);
    DimMask mask = mask_of(input, dim);
    require_elements(name, input, mask, dim.has_value(), ErrorKind::Index);
    Tensor out = result(reduced_shape(input.sizes(), mask, keepdim), DType::Int64, input.device());
    if (out.is_meta()) return out;
    // Over all dimensions the index counts elements in row-major order, whatever the strides.
    Tensor source = dim ? input : views::view(contiguous(input), Shape{-1});
    run_reduction(kind, source, input.dtype(), dim ? mask : 1, 1, out);
    return out;
}

Tensor test(Reduction kind, const Tensor& input, std::optional<IntList> dim, bool keepdim) {
    // An empty list of dimensions reduces nothing here, other than for sums.
    DimMask mask = dim ? dim_mask(*dim, input.dim()) : dim_mask_or_all(dim, input.dim());
    return reduce(kind, input, input.dtype(), mask, keepdim, input.dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool);
}

Tensor elementwise(int index, const Tensor& a, const Tensor& b) {
    Operand operands[2];
    operands[0].tensor = &a;
    operands[1].tensor = &b;
    return run_pointwise(pointwise_op(index).forward, operands);
}

}  // namespace

// ---- sums and products

Tensor sum(const Tensor& input, std::optional<IntList> dim, bool keepdim, std::optional<DType> dtype) {
    const DType as = sum_dtype(input, dtype);
    // Bytes are summed as bytes; the accumulator is 64 bits wide.
    const DType read_as = !dtype && (input.dtype() == DType::Bool || input.dtype() == DType::UInt8) ? input.dtype() : as;
    const Tensor source = is_complex(input.dtype()) && !is_complex(as) ? to_dtype(input, as) : input;
    return reduce(Reduction::Sum, source, read_as, dim_mask_or_all(dim, input.dim()), keepdim, as);
}

Tensor nansum(const Tensor& input, std::optional<IntList> dim, bool keepdim, std::optional<DType> dtype) {
    TAEDA_CHECK(!is_complex(input.dtype()), "nansum on CPU does not support complex inputs");
    const DType as = sum_dtype(input, dtype);
    // A NaN must be dropped before it is converted to an integer.
    const DType read_as = is_integral(as) && is_floating(input.dtype()) ? input.dtype() : as;
    return reduce(Reduction::NanSum, input, read_as, dim_mask_or_all(dim, input.dim()), keepdim, as);
}

Tensor mean(const Tensor& input, std::optional<IntList> dim, bool keepdim, std::optional<DType> dtype) {
    const DType as = dtype.value_or(input.dtype());
    TAEDA_CHECK(is_inexact(as), "mean(): could not infer output dtype. ", dtype ? "Optional" : "Input",
                " dtype must be either a floating point or complex dtype. Got: ", scalar_type_name(as));
    DimMask mask = dim_mask_or_all(dim, input.dim());
    return reduce(Reduction::Sum, input, as, mask, keepdim, as, static_cast<double>(reduced_count(input, mask)));
}

Tensor prod(const Tensor& input, std::optional<IntList> dim, bool keepdim, std::optional<DType> dtype) {
    const DType as = sum_dtype(input, dtype);
    const Tensor source = is_complex(input.dtype()) && !is_complex(as) ? to_dtype(input, as) : input;
    return reduce(Reduction::Prod, source, as, dim_mask_or_all(dim, input.dim()), keepdim, as);
}

Tensor _count_numbers(const Tensor& input, std::optional<IntList> dim, bool keepdim);

Tensor nanmean(const Tensor& input, std::optional<IntList> dim, bool keepdim, std::optional<DType> dtype) {
    TAEDA_CHECK(is_floating(input.dtype()) || is_complex(input.dtype()), "nanmean(): expected input to have floating point or complex dtype but got ",
                scalar_type_name(input.dtype()));
    Tensor total = nansum(input, dim, keepdim, dtype);
    if (total.is_meta()) return total;
    return elementwise(row::div, total, _count_numbers(input, dim, keepdim));
}

Tensor count_nonzero(const Tensor& input, std::optional<IntList> dim) {
    return reduce(Reduction::CountNonzero, input, input.dtype(), dim_mask_or_all(dim, input.dim()), false, DType::Int64);
}

Tensor _count_numbers(const Tensor& input, std::optional<IntList> dim, bool keepdim) {
    return reduce(Reduction::CountNumbers, input, input.dtype(), dim_mask_or_all(dim, input.dim()), keepdim, DType::Int64);
}

Tensor sum_to_size(const Tensor& input, IntList size) {
    TAEDA_CHECK(is_expandable_to(size, input.sizes()), "size {", shape_text(size), "} is not expandable to size {", shape_text(input.sizes()), "}.");
    if (std::ranges::equal(input.sizes(), size) && (!size.empty() || is_inexact(input.dtype()))) return alias(input);
    const int64_t lead = input.dim() - static_cast<int64_t>(size.size());
    Shape dims;
    for (int64_t d = 0; d < input.dim(); ++d)
        if (d < lead || (size[d - lead] == 1 && input.sizes()[d] != 1)) dims.push_back(d);
    Tensor total = sum(input, IntList(dims), true, std::nullopt);
    return total.is_meta() ? empty(size, total.dtype(), input.device()) : views::view(total, size);
}

Tensor trace(const Tensor& input) {
    TAEDA_CHECK(input.dim() == 2, "trace: expected a matrix, but got tensor with dim ", input.dim());
    return sum(views::diagonal(input, 0, 0, 1), std::nullopt, false, std::nullopt);
}

Tensor _trace_backward(const Tensor& grad, IntList sizes) {
    Tensor out = result(sizes, grad.dtype(), grad.device());
    if (out.is_meta()) return out;
    fill_zero(out);
    Tensor diagonal = views::diagonal(out, 0, 0, 1);
    copy_into(diagonal, expand_to(grad, diagonal.sizes()));
    return out;
}

// ---- tests

Tensor any(const Tensor& input, std::optional<IntList> dim, bool keepdim) { return test(Reduction::Any, input, dim, keepdim); }
Tensor all(const Tensor& input, std::optional<IntList> dim, bool keepdim) { return test(Reduction::All, input, dim, keepdim); }

// ---- extremes

Tensor amax(const Tensor& input, IntList dim, bool keepdim) { return extreme("amax", "max_values_cpu", Reduction::Max, input, dim, keepdim); }
Tensor amin(const Tensor& input, IntList dim, bool keepdim) { return extreme("amin", "min_values_cpu", Reduction::Min, input, dim, keepdim); }
Tensor max(const Tensor& input) { return extreme("max", "max_all", Reduction::Max, input, {}, false); }
Tensor min(const Tensor& input) { return extreme("min", "min_all", Reduction::Min, input, {}, false); }

std::tuple<Tensor, Tensor> max_dim(const Tensor& input, int64_t dim, bool keepdim) {
    return extreme_along("max", Reduction::ArgMax, input, dim, keepdim);
}
std::tuple<Tensor, Tensor> min_dim(const Tensor& input, int64_t dim, bool keepdim) {
    return extreme_along("min", Reduction::ArgMin, input, dim, keepdim);
}

Tensor max_other(const Tensor& input, const Tensor& other) { return elementwise(row::maximum, input, other); }
Tensor min_other(const Tensor& input, const Tensor& other) { return elementwise(row::minimum, input, other); }

std::tuple<Tensor, Tensor> aminmax(const Tensor& input, std::optional<IntList> dim, bool keepdim) {
    if (input.dtype() == DType::UInt64) {
        auto [low, high] = aminmax(with_top_bit_flipped(input), dim, keepdim);
        return {with_top_bit_flipped(low), with_top_bit_flipped(high)};
    }
    DimMask mask = dim_mask_or_all(dim, input.dim());
    if (!dim) TAEDA_CHECK(input.numel() > 0, "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
    require_elements("aminmax", input, mask, dim.has_value());
    require_kernel(Reduction::Min, input.dtype(), "aminmax_cpu");
    Tensor low = result(reduced_shape(input.sizes(), mask, keepdim), input.dtype(), input.device());
    Tensor high = empty(low.sizes(), input.dtype(), input.device());
    if (!high.is_meta()) run_reduction(Reduction::Extremes, input, input.dtype(), mask, 1, low, high);
    return {low, high};
}

Tensor argmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim) { return arg_extreme("argmax", Reduction::ArgMax, input, dim, keepdim); }
Tensor argmin(const Tensor& input, std::optional<int64_t> dim, bool keepdim) { return arg_extreme("argmin", Reduction::ArgMin, input, dim, keepdim); }

}  // namespace taeda::cpu
