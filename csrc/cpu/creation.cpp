// New tensors: of a size, like another one, sequences; and filling by value or position.
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/copy.h"
#include "tensor/loop_plan.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

using MaybeType = std::optional<DType>;
using MaybeDevice = std::optional<Device>;
using MaybeFormat = std::optional<MemoryFormat>;

void check_sizes(const char* name, IntList sizes) {
    for (int64_t size : sizes) TAEDA_CHECK(size >= 0, name, ": Dimension size must be non-negative. Got sizes ", shape_text(sizes));
}

Tensor new_result(const char* name, IntList sizes, MaybeType dtype, MaybeDevice device) {
    check_sizes(name, sizes);
    return result(sizes, dtype.value_or(default_dtype()), device.value_or(Device{}));
}

// The largest magnitude that an integer type holds; PyTorch lets an unsigned type take negative numbers down to it.
void check_fits(const Scalar& value, DType dtype) {
    TAEDA_CHECK(!value.is_complex() || is_complex(dtype) || value.to_complex().imag() == 0, "value cannot be converted to type ", dtype_name(dtype),
                " without overflow");
    if (!is_integral(dtype, false) || item_size(dtype) == 8) return;
    const int bits = static_cast<int>(item_size(dtype)) * 8;
    const double high = is_unsigned(dtype) ? std::ldexp(1.0, bits) - 1 : std::ldexp(1.0, bits - 1) - 1;
    const double low = is_unsigned(dtype) ? -high : -high - 1, v = value.to_double();
    TAEDA_CHECK(v >= low && v <= high, "value cannot be converted to type ", dtype_name(dtype), " without overflow");
}

Tensor filled(Tensor out, const Scalar& value) {
    check_fits(value, out.dtype());
    if (!out.is_meta()) fill(out, value);
    return out;
}

Tensor like(const Tensor& input, MaybeFormat format, MaybeType dtype, MaybeDevice device) {
    if (!device || *device == input.device()) return taeda::empty_like(input, dtype, format);
    Tensor geometry = taeda::empty_strided(input.sizes(), input.strides(), input.dtype(), Device{DeviceType::Meta});
    Tensor shaped = taeda::empty_like(geometry, dtype, format);
    return taeda::empty_strided(input.sizes(), shaped.strides(), shaped.dtype(), *device);
}

// Nothing is promised of the elements; but memory holds any bytes, and a bool that is neither 0 nor 1 must not be read.
Tensor unspecified(Tensor out) {
    if (out.dtype() == DType::Bool && out.storage()->data()) std::memset(out.storage()->data(), 0, out.storage()->n_bytes());
    return out;
}

Tensor another(const char* name, const Tensor& input, IntList size, MaybeType dtype, MaybeDevice device) {
    check_sizes(name, size);
    return taeda::empty(size, dtype.value_or(input.dtype()), device.value_or(input.device()));
}

}  // namespace

Tensor empty(IntList size, MaybeFormat memory_format, MaybeType dtype, MaybeDevice device) {
    Tensor out = new_result("empty", size, dtype, device);
    if (!memory_format || *memory_format == MemoryFormat::Contiguous) return unspecified(out);
    TAEDA_CHECK(*memory_format != MemoryFormat::Preserve, "preserve_format is no format for a tensor made from a size");
    return unspecified(taeda::empty_strided(size, channels_last_strides(size), out.dtype(), out.device()));
}
Tensor zeros(IntList size, MaybeType dtype, MaybeDevice device) {
    Tensor out = new_result("zeros", size, dtype, device);
    if (!out.is_meta()) fill_zero(out);
    return out;
}
Tensor ones(IntList size, MaybeType dtype, MaybeDevice device) { return filled(new_result("ones", size, dtype, device), Scalar(1)); }
Tensor full(IntList size, const Scalar& fill_value, MaybeType dtype, MaybeDevice device) {
    return filled(new_result("full", size, dtype.value_or(fill_value.dtype()), device), fill_value);
}

Tensor empty_like(const Tensor& input, MaybeFormat format, MaybeType dtype, MaybeDevice device) {
    return unspecified(like(input, format, dtype, device));
}
Tensor zeros_like(const Tensor& input, MaybeFormat format, MaybeType dtype, MaybeDevice device) {
    Tensor out = like(input, format, dtype, device);
    if (!out.is_meta()) fill_zero(out);
    return out;
}
Tensor ones_like(const Tensor& input, MaybeFormat format, MaybeType dtype, MaybeDevice device) {
    return filled(like(input, format, dtype, device), Scalar(1));
}
Tensor full_like(const Tensor& input, const Scalar& fill_value, MaybeFormat format, MaybeType dtype, MaybeDevice device) {
    return filled(like(input, format, dtype, device), fill_value);
}

Tensor new_empty(const Tensor& input, IntList size, MaybeType dtype, MaybeDevice device) {
    return unspecified(another("new_empty", input, size, dtype, device));
}
Tensor new_zeros(const Tensor& input, IntList size, MaybeType dtype, MaybeDevice device) {
    Tensor out = another("new_zeros", input, size, dtype, device);
    if (!out.is_meta()) fill_zero(out);
    return out;
}
Tensor new_ones(const Tensor& input, IntList size, MaybeType dtype, MaybeDevice device) {
    return filled(another("new_ones", input, size, dtype, device), Scalar(1));
}
Tensor new_full(const Tensor& input, IntList size, const Scalar& fill_value, MaybeType dtype, MaybeDevice device) {
    return filled(another("new_full", input, size, dtype, device), fill_value);
}

Tensor empty_strided(IntList size, IntList stride, MaybeType dtype, MaybeDevice device) {
    TAEDA_CHECK(size.size() == stride.size(), "mismatch in length of strides and shape");
    check_sizes("empty_strided", size);
    for (int64_t step : stride) TAEDA_CHECK(step >= 0, "empty_strided: strides must be non-negative, got ", shape_text(stride));
    return unspecified(taeda::empty_strided(size, stride, dtype.value_or(default_dtype()), device.value_or(Device{})));
}
Tensor new_empty_strided(const Tensor& input, IntList size, IntList stride, MaybeType dtype, MaybeDevice device) {
    return cpu::empty_strided(size, stride, MaybeType(dtype.value_or(input.dtype())), MaybeDevice(device.value_or(input.device())));
}

Tensor scalar_tensor(const Scalar& s, MaybeType dtype, MaybeDevice device) {
    DType type = dtype.value_or(s.is_complex() ? s.dtype() : default_dtype());
    return filled(taeda::empty(Shape{}, type, device.value_or(Device{})), s);
}

// ---- sequences

namespace {

int64_t steps_between(const Scalar& start, const Scalar& end, const Scalar& step, DType dtype) {
    TAEDA_CHECK(step.to_double() != 0, "step must be nonzero");
    const double from = start.to_double(), to = end.to_double(), by = step.to_double();
    TAEDA_CHECK(std::isfinite(from) && std::isfinite(to), "unsupported range: ", from, " -> ", to);
    TAEDA_CHECK((by > 0 && to >= from) || (by < 0 && to <= from), "upper bound and lower bound inconsistent with step sign");
    if (dtype == DType::Int64) {
        const int64_t a = start.to_int(), b = end.to_int(), s = step.to_int();
        TAEDA_CHECK_KIND(Value, s != 0, "step must be nonzero: ", by, " is 0 in int64");
        const __int128 exact = (static_cast<__int128>(b) - a + s - (s > 0 ? 1 : -1)) / s;
        TAEDA_CHECK(exact < (int64_t{1} << 59), "invalid size, possible overflow?");
        return static_cast<int64_t>(exact);
    }
    const double count = std::ceil((to - from) / by);
    TAEDA_CHECK(count >= 0 && count < 9.2e18, "invalid size, possible overflow?");
    return static_cast<int64_t>(count);
}

// out[i] = convert(f(i)); `f` computes in double, int64 or complex<double>.
template <class F>
void fill_sequence(const Tensor& out, F&& f) {
    if (out.is_meta() || out.numel() == 0) return;
    Tensor dense = out.is_contiguous() ? out : taeda::empty(out.sizes(), out.dtype());
    visit_dtype(out.dtype(), [&]<class T>(Tag<T>) {
        T* values = dense.data<T>();
        parallel_for(0, dense.numel(), 32768, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) values[i] = convert<T>(f(i));
        });
    });
    if (!dense.is_same(out)) copy_into(out, dense);
}

// out[i] = first + by * (i + offset). Blocks counted in 32 bits, and a running sum of integers: forms that the compiler vectorises.
template <class N>
void fill_arithmetic(const Tensor& out, N first, N by, int64_t offset = 0) {
    if (out.is_meta() || out.numel() == 0) return;
    Tensor dense = out.is_contiguous() ? out : taeda::empty(out.sizes(), out.dtype());
    visit_dtype(out.dtype(), [&]<class T>(Tag<T>) {
        T* values = dense.data<T>();
        constexpr int64_t kBlock = 8192;
        parallel_for(0, (dense.numel() + kBlock - 1) / kBlock, 8, [&](int64_t begin, int64_t end) {
            for (int64_t block = begin * kBlock; block < end * kBlock && block < dense.numel(); block += kBlock) {
                T* to = values + block;
                const auto n = static_cast<int32_t>(std::min(kBlock, dense.numel() - block));
                if constexpr (std::is_same_v<N, int64_t>) {
                    N value = first + by * (block + offset);
                    for (int32_t j = 0; j < n; ++j, value += by) to[j] = convert<T>(value);
                } else {
                    const N before = static_cast<N>(block + offset), start = first, step = by;  // before + j is exact
                    for (int32_t j = 0; j < n; ++j) to[j] = convert<T>(start + step * (before + static_cast<N>(j)));
                }
            }
        });
    });
    if (!dense.is_same(out)) copy_into(out, dense);
}

DType sequence_dtype(MaybeType given, std::initializer_list<const Scalar*> ends) {
    if (given) return *given;
    bool integral = true;
    for (const Scalar* end : ends) integral = integral && end->is_integral();
    return integral ? DType::Int64 : default_dtype();
}

DType space_dtype(const char* name, MaybeType given, const Scalar& start, const Scalar& end) {
    const bool complex = start.is_complex() || end.is_complex();
    DType type = given.value_or(complex ? complex_of(default_dtype()) : default_dtype());
    TAEDA_CHECK(!complex || is_complex(type), name, "(): inferred dtype ", dtype_name(complex_of(default_dtype())),
                " can't be safely cast to passed dtype ", dtype_name(type));
    return type;
}

// Calls f with a function of i that gives the i-th of `steps` numbers; the second half is counted from the end, so that
// both ends are exact.
template <class F>
void with_space(const Tensor& out, const Scalar& start, const Scalar& end, int64_t steps, F&& f) {
    auto run = [&](auto first, auto last) {
        using N = decltype(first);
        const N step = steps > 1 ? (last - first) / N(static_cast<double>(steps - 1)) : N(0);
        f([=](int64_t i) {
            if (steps == 1 || i < steps / 2) return first + step * N(static_cast<double>(i));
            return last - step * N(static_cast<double>(steps - 1 - i));
        });
    };
    if (is_complex(out.dtype())) run(start.to_complex(), end.to_complex());
    else if (is_integral(out.dtype())) run(static_cast<double>(start.to_int()), static_cast<double>(end.to_int()));
    else run(start.to_double(), end.to_double());
}

}  // namespace

Tensor arange_start(const Scalar& start, const Scalar& end, const Scalar& step, MaybeType dtype, MaybeDevice device) {
    DType type = sequence_dtype(dtype, {&start, &end, &step});
    TAEDA_CHECK_KIND(NotImplemented, !is_bool(type) && !is_complex(type), "\"arange_cpu\" not implemented for '", scalar_type_name(type), "'");
    Tensor out = result(Shape{steps_between(start, end, step, type)}, type, device.value_or(Device{}));
    if (is_integral(type)) fill_arithmetic<int64_t>(out, start.to_int(), step.to_int());
    else fill_arithmetic<double>(out, start.to_double(), step.to_double());
    return out;
}
Tensor arange(const Scalar& end, MaybeType dtype, MaybeDevice device) { return arange_start(Scalar(0), end, Scalar(1), dtype, device); }

Tensor range(const Scalar& start, const Scalar& end, const Scalar& step, MaybeType dtype, MaybeDevice device) {
    const double by = step.to_double(), from = start.to_double(), to = end.to_double();
    TAEDA_CHECK(by != 0, "step must be nonzero");
    TAEDA_CHECK(std::isfinite(from) && std::isfinite(to), "unsupported range: ", from, " -> ", to);
    TAEDA_CHECK((by > 0 && to >= from) || (by < 0 && to <= from), "upper bound and lower bound inconsistent with step sign");
    Tensor out = result(Shape{static_cast<int64_t>((to - from) / by + 1)}, dtype.value_or(default_dtype()), device.value_or(Device{}));
    fill_arithmetic<double>(out, from, by);
    return out;
}

Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, MaybeType dtype, MaybeDevice device) {
    TAEDA_CHECK(steps >= 0, "number of steps must be non-negative, got ", steps);
    Tensor out = result(Shape{steps}, space_dtype("linspace", dtype, start, end), device.value_or(Device{}));
    if (is_complex(out.dtype())) {
        with_space(out, start, end, steps, [&](auto&& at) { fill_sequence(out, at); });
        return out;
    }
    auto number = [&](const Scalar& s) { return is_integral(out.dtype()) ? static_cast<double>(s.to_int()) : s.to_double(); };
    const double first = number(start), last = number(end), step = steps > 1 ? (last - first) / static_cast<double>(steps - 1) : 0;
    const int64_t half = steps == 1 ? 1 : steps / 2;  // as in with_space
    fill_arithmetic<double>(views::narrow(out, 0, 0, half), first, step);
    fill_arithmetic<double>(views::narrow(out, 0, half, steps - half), last, step, half - (steps - 1));
    return out;
}

Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base, MaybeType dtype, MaybeDevice device) {
    TAEDA_CHECK(steps >= 0, "number of steps must be non-negative, got ", steps);
    Tensor out = result(Shape{steps}, space_dtype("logspace", dtype, start, end), device.value_or(Device{}));
    with_space(out, start, end, steps, [&](auto&& at) {
        fill_sequence(out, [&](int64_t i) {
            auto power = at(i);
            return std::pow(decltype(power)(base), power);
        });
    });
    return out;
}

namespace {

Scalar space_end(const char* name, const Tensor& end, const Tensor& start, const Tensor& stop) {
    TAEDA_CHECK(end.dim() == 0, name, " only supports 0-dimensional start and end tensors, but got start with ", start.dim(),
                " dimension(s) and end with ", stop.dim(), " dimension(s)");
    return item(end);
}

}  // namespace

Tensor linspace_tensor(const Tensor& start, const Tensor& end, int64_t steps, MaybeType dtype, MaybeDevice device) {
    return linspace(space_end("linspace", start, start, end), space_end("linspace", end, start, end), steps, dtype, device);
}

Tensor logspace_tensor(const Tensor& start, const Tensor& end, int64_t steps, double base, MaybeType dtype, MaybeDevice device) {
    return logspace(space_end("logspace", start, start, end), space_end("logspace", end, start, end), steps, base, dtype, device);
}

Tensor eye(int64_t n, std::optional<int64_t> m, MaybeType dtype, MaybeDevice device) {
    TAEDA_CHECK(n >= 0, "n must be greater or equal to 0, got ", n);
    TAEDA_CHECK(m.value_or(n) >= 0, "m must be greater or equal to 0, got ", *m);
    Tensor out = result(Shape{n, m.value_or(n)}, dtype.value_or(default_dtype()), device.value_or(Device{}));
    if (out.is_meta()) return out;
    fill_zero(out);
    fill(views::diagonal(out, 0, 0, 1), Scalar(1));
    return out;
}

namespace {

Tensor triangle_indices(bool lower, int64_t row, int64_t col, int64_t offset, MaybeType dtype, MaybeDevice device) {
    TAEDA_CHECK(row >= 0, "row must be non-negative, got", row);
    TAEDA_CHECK(col >= 0, "col must be non-negative, got", col);
    DType type = dtype.value_or(DType::Int64);
    TAEDA_CHECK(is_integral(type, false), "\"", lower ? "tril" : "triu", "_indices\" not implemented for '", scalar_type_name(type), "'");
    auto columns = [&](int64_t i) {
        int64_t edge = std::clamp<int64_t>(i + offset + (lower ? 1 : 0), 0, col);
        return lower ? std::pair<int64_t, int64_t>{0, edge} : std::pair<int64_t, int64_t>{edge, col};
    };
    // More rows than this give more places than a tensor can have, or none at all.
    TAEDA_CHECK(row <= INT32_MAX && col <= INT32_MAX && std::abs(offset) <= INT32_MAX, lower ? "tril" : "triu",
                "_indices: row, col and offset must be below 2**31, got ", row, ", ", col, " and ", offset);
    int64_t count = 0;
    for (int64_t i = 0; i < row; ++i) count += columns(i).second - columns(i).first;
    if (device.value_or(Device{}).is_meta()) return taeda::empty(Shape{2, count}, type, *device);
    Tensor out = taeda::empty(Shape{2, count}, DType::Int64);
    int64_t *rows = out.data<int64_t>(), *cols = rows + count;
    for (int64_t i = 0; i < row; ++i)
        for (auto [j, stop] = columns(i); j < stop; ++j) {
            *rows++ = i;
            *cols++ = j;
        }
    return to_dtype(out, type);
}

}  // namespace

Tensor tril_indices(int64_t row, int64_t col, int64_t offset, MaybeType dtype, MaybeDevice device) {
    return triangle_indices(true, row, col, offset, dtype, device);
}
Tensor triu_indices(int64_t row, int64_t col, int64_t offset, MaybeType dtype, MaybeDevice device) {
    return triangle_indices(false, row, col, offset, dtype, device);
}

// ---- filling

Tensor zero_(const Tensor& input) {
    if (!input.is_meta()) fill_zero(input);
    return input;
}
Tensor fill_(const Tensor& input, const Scalar& value) { return filled(input, value); }
Tensor fill__tensor(const Tensor& input, const Tensor& value) {
    TAEDA_CHECK(value.dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ", value.dim(), " dimensions.");
    return input.is_meta() ? input : filled(input, item(value));
}

namespace {

// Zeroes what lies outside the triangle, matrix by matrix and row by row.
void clear_outside(const Tensor& t, bool lower, int64_t diagonal) {
    const int64_t ndim = t.dim(), rows = t.sizes()[ndim - 2], columns = t.sizes()[ndim - 1];
    const auto width = static_cast<int64_t>(t.item_size());
    const int64_t row_step = t.strides()[ndim - 2] * width, column_step = t.strides()[ndim - 1] * width;
    IntList sizes(t.sizes().data(), ndim - 2), strides(t.strides().data(), ndim - 2);
    const Tensor corners[] = {alias(t, sizes, strides, t.offset())};
    LoopPlan plan = plan_loop(sizes, corners);
    auto clear_row = [&](char* row, int64_t i) {
        const int64_t edge = std::clamp<int64_t>(i + diagonal + (lower ? 1 : 0), 0, columns);
        const int64_t first = lower ? edge : 0, last = lower ? columns : edge;
        if (column_step == width && last > first) std::memset(row + first * width, 0, static_cast<size_t>((last - first) * width));
        else
            for (int64_t j = first; j < last; ++j) std::memset(row + j * column_step, 0, static_cast<size_t>(width));
    };
    ReleaseHostLock unlocked(t.numel() > 16384);
    const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(rows * columns, 1));
    parallel_for(0, plan.numel, grain, [&](int64_t begin, int64_t end) {
        plan.for_each_run(begin, end, [&](char* const* at, int64_t n) {
            for (int64_t k = 0; k < n; ++k)
                for (int64_t i = 0; i < rows; ++i) clear_row(at[0] + k * plan.byte_strides[0][0] + i * row_step, i);
        });
    });
}

Tensor triangle_in_place(const char* name, const Tensor& self, bool lower, int64_t diagonal) {
    TAEDA_CHECK(self.dim() >= 2, name, ": input tensor must have at least 2 dimensions, got a tensor of shape ", shape_text(self.sizes()));
    if (!self.is_meta() && self.numel() > 0) clear_outside(self, lower, diagonal);
    return self;
}

Tensor triangle(const char* name, const Tensor& input, bool lower, int64_t diagonal) {
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (!out.is_meta()) copy_into(out, input);
    return triangle_in_place(name, out, lower, diagonal);
}

}  // namespace

Tensor tril(const Tensor& input, int64_t diagonal) { return triangle("tril", input, true, diagonal); }
Tensor triu(const Tensor& input, int64_t diagonal) { return triangle("triu", input, false, diagonal); }
Tensor tril_(const Tensor& self, int64_t diagonal) { return triangle_in_place("tril", self, true, diagonal); }
Tensor triu_(const Tensor& self, int64_t diagonal) { return triangle_in_place("triu", self, false, diagonal); }

Tensor diag_embed(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) {
    TAEDA_CHECK(input.dim() > 0, "diag_embed expects a tensor with at least one dimension");
    const int64_t ndim = input.dim() + 1;
    dim1 = wrap_dim(dim1, ndim);
    dim2 = wrap_dim(dim2, ndim);
    TAEDA_CHECK(dim1 != dim2, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
    const int64_t length = input.size(-1) + std::abs(offset);
    Shape sizes(input.sizes().begin(), input.sizes().end() - 1);
    sizes.insert(std::min(dim1, dim2), length);
    sizes.insert(std::max(dim1, dim2), length);
    Tensor out = result(sizes, input.dtype(), input.device());
    if (out.is_meta()) return out;
    fill_zero(out);
    copy_into(views::diagonal(out, offset, dim1, dim2), input);
    return out;
}

}  // namespace taeda::cpu
