// Pooling: maxima with their places, means, both also over evenly divided cells; and their gradients.
#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/isa.h"
#include "cpu/pool_kernels.h"
#include "cpu/scratch.h"
#include "tensor/views.h"

namespace taeda::cpu {

TAEDA_DECLARE_ISA(PoolTable, pool_table)

namespace {

template <class T>
const PoolKernels<T>& pool_kernels() {
    if constexpr (std::is_same_v<T, float>) return pool_table().of_float;
    else if constexpr (std::is_same_v<T, double>) return pool_table().of_double;
    else return pool_table().of_int64;
}

constexpr int64_t kPieceWork = 1 << 15;

std::string name_of(const char* what, size_t n) { return concat(what, n, "d"); }

Shape spread(const std::string& name, const char* what, IntList values, size_t n) {
    for (int64_t value : values)
        TAEDA_CHECK(value <= INT32_MAX && value >= INT32_MIN, "value cannot be converted to type int without overflow\n  ", name, ": ", what, " is ",
                    value);
    if (values.size() == 1) return Shape(n, values[0]);
    static const char* kWords[] = {"zero", "one", "two", "three"};
    TAEDA_CHECK(values.size() == n, name, ": ", what, " must either be a single int, or a tuple of ", kWords[n], " ints");
    return Shape(values);
}

// The type that is computed in: half types in float, integers in int64, float planes too large for 32-bit places in double.
DType pooled_type(const std::string& name, DType t, int64_t plane, bool integers = true) {
    if (t == DType::Float32) return plane > INT32_MAX ? DType::Float64 : t;
    if (t == DType::Float64) return t;
    if (is_reduced_float(t)) return plane > INT32_MAX ? DType::Float64 : DType::Float32;
    TAEDA_CHECK_KIND(NotImplemented, integers && is_integral(t, false) && t != DType::UInt64 && t != DType::UInt32 && t != DType::UInt16, '"', name,
                     "\" not implemented for '", scalar_type_name(t), "'");
    return DType::Int64;
}

struct PoolPlan {
    PoolShape shape;
    size_t n;
    int64_t planes = 1;
    Shape result_sizes;
    std::string name;

    // `kernel` and the rest: one value or n. An empty stride is the kernel.
    PoolPlan(const char* what, size_t n, const Tensor& input, IntList kernel, IntList stride, IntList padding, IntList dilation, bool ceil_mode);

private:
    void set_axis(size_t d, bool ceil_mode);
};

void check_rank(const std::string& name, const Tensor& input, size_t n) {
    const auto rank = static_cast<size_t>(input.dim());
    TAEDA_CHECK(
        rank == n + 1 || rank == n + 2,
        n == 1 ? concat(name, ": Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:", shape_text(input.sizes()))
               : concat("non-empty ", n + 1, "D or ", n + 2, "D (batch mode) tensor expected for input\n  ", name, ": input has shape ",
                        shape_text(input.sizes())));
    for (size_t d = rank == n + 2 ? 1 : 0; d < rank; ++d)
        TAEDA_CHECK(input.sizes()[d] > 0, "Expected ", n + 1, "D or ", n + 2,
                    "D (batch mode) tensor with optional 0 dim batch size for input, but got:", shape_text(input.sizes()));
}

PoolPlan::PoolPlan(const char* what, size_t dims, const Tensor& input, IntList kernel, IntList stride, IntList padding, IntList dilation,
                   bool ceil_mode)
    : n(dims), name(name_of(what, dims)) {
    const Shape kernels = spread(name, "kernel_size", kernel, n), paddings = spread(name, "padding", padding, n);
    const Shape strides = stride.empty() ? kernels : spread(name, "stride", stride, n), dilations = spread(name, "dilation", dilation, n);
    check_rank(name, input, n);
    const size_t lead = static_cast<size_t>(input.dim()) - n;
    for (size_t d = 0; d < lead; ++d) {
        planes *= input.sizes()[d];
        result_sizes.push_back(input.sizes()[d]);
    }
    for (size_t d = 0; d < n; ++d) {
        const size_t at = 3 - n + d;
        shape.in[at] = input.sizes()[lead + d];
        shape.kernel[at] = kernels[d];
        shape.stride[at] = strides[d];
        shape.padding[at] = paddings[d];
        shape.dilation[at] = dilations[d];
        set_axis(at, ceil_mode);
        result_sizes.push_back(shape.out[at]);
    }
    for (size_t d = 0; d < n; ++d)
        TAEDA_CHECK(shape.out[3 - n + d] > 0, n == 1 ? concat(name, "() Invalid computed output size: ", shape.out[2]) : std::string(),
                    "Given input size: (", input.sizes()[lead - 1], "x", shape.in[1], "x", shape.in[2], "). Calculated output size: (",
                    input.sizes()[lead - 1], "x", std::max<int64_t>(shape.out[1], 0), "x", std::max<int64_t>(shape.out[2], 0),
                    "). Output size is too small");
}

void PoolPlan::set_axis(size_t d, bool ceil_mode) {
    const int64_t k = shape.kernel[d], s = shape.stride[d], p = shape.padding[d], dilation = shape.dilation[d];
    if (n == 1) {
        TAEDA_CHECK(k > 0, name, "() kernel_size must be greater than zero, but got ", k);
        TAEDA_CHECK(s > 0, name, "() stride must be greater than zero, but got ", s);
        TAEDA_CHECK(p >= 0, name, "() padding must be non-negative, but got ", p);
        TAEDA_CHECK(p <= ((k - 1) * dilation + 1) / 2, name, "() padding should be at most half of kernel size, but got padding=", p,
                    " and kernel_size=", k);
    }
    TAEDA_CHECK(s != 0, "stride should not be zero");
    TAEDA_CHECK(k > 0 && s > 0, "kernel size should be greater than zero, but got kernel: ", k, " stride: ", s);
    TAEDA_CHECK(dilation > 0, "dilation should be greater than zero, but got dilation: ", dilation);
    TAEDA_CHECK(p >= 0, "pad must be non-negative, but got pad: ", p);
    TAEDA_CHECK(p <= ((k - 1) * dilation + 1) / 2, "pad should be at most half of effective kernel size, but got pad=", p, ", kernel_size=", k,
                " and dilation=", dilation);
    const int64_t room = shape.in[d] + 2 * p - dilation * (k - 1) - 1 + (ceil_mode ? s - 1 : 0);
    shape.out[d] = room < 0 ? 0 : room / s + 1;
    if (ceil_mode && (shape.out[d] - 1) * s >= shape.in[d] + p) --shape.out[d];  // the last window must start inside
}

// Calls f(first plane, last plane) in threads.
template <class F>
void for_planes(int64_t planes, int64_t work_per_plane, F&& f) {
    ReleaseHostLock unlocked(planes * work_per_plane > kPieceWork);
    parallel_for(0, planes, std::max<int64_t>(1, kPieceWork / std::max<int64_t>(1, work_per_plane)), f);
}

template <class F>
void visit_pooled(DType t, F&& f) {
    if (t == DType::Float32) f(Tag<float>{});
    else if (t == DType::Float64) f(Tag<double>{});
    else f(Tag<int64_t>{});
}

Tensor as_pooled(const Tensor& t, DType wide) { return contiguous(to_dtype(t, wide)); }

// `out`, or a tensor of the computed type that is converted into it by finish().
Tensor wide_result(const Tensor& out, DType wide) { return out.dtype() == wide ? out : empty(out.sizes(), wide); }
void finish(const Tensor& out, const Tensor& wide) {
    if (!out.is_same(wide)) copy_into(out, wide);
}

std::tuple<Tensor, Tensor> max_pool(size_t n, const Tensor& input, IntList kernel, IntList stride, IntList padding, IntList dilation,
                                    bool ceil_mode) {
    const PoolPlan plan("max_pool", n, input, kernel, stride, padding, dilation, ceil_mode);
    const PoolShape& shape = plan.shape;
    const DType wide = pooled_type(plan.name, input.dtype(), shape.in_numel());
    Tensor out = result(plan.result_sizes, input.dtype(), input.device());
    Tensor indices = empty(plan.result_sizes, DType::Int64, input.device());
    if (out.is_meta()) return {out, indices};
    const Tensor from = as_pooled(input, wide), to = wide_result(out, wide);
    const int64_t in = shape.in_numel(), made = shape.out_numel();
    visit_pooled(wide, [&]<class T>(Tag<T>) {
        for_planes(plan.planes, made * shape.kernel[0] * shape.kernel[1] * shape.kernel[2], [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                pool_kernels<T>().max_plane(shape, from.data<T>() + i * in, to.data<T>() + i * made, indices.data<int64_t>() + i * made);
        });
    });
    finish(out, to);
    return {out, indices};
}

constexpr int64_t kOne[1] = {1};

PoolPlan mean_plan(size_t n, const Tensor& input, IntList kernel, IntList stride, IntList padding, bool ceil_mode, bool count_padding,
                   std::optional<int64_t> divisor) {
    PoolPlan plan("avg_pool", n, input, kernel, stride, padding, kOne, ceil_mode);
    TAEDA_CHECK(!divisor || *divisor != 0, "divisor must be not zero");
    plan.shape.count_padding = count_padding;
    plan.shape.divisor = divisor.value_or(0);
    return plan;
}

IntList or_empty(const std::optional<IntList>& list) { return list ? *list : IntList{}; }

}  // namespace

// ---- windows

std::tuple<Tensor, Tensor> max_pool1d_with_indices(const Tensor& input, IntList kernel_size, std::optional<IntList> stride, IntList padding,
                                                   IntList dilation, bool ceil_mode) {
    return max_pool(1, input, kernel_size, or_empty(stride), padding, dilation, ceil_mode);
}
std::tuple<Tensor, Tensor> max_pool2d_with_indices(const Tensor& input, IntList kernel_size, std::optional<IntList> stride, IntList padding,
                                                   IntList dilation, bool ceil_mode) {
    return max_pool(2, input, kernel_size, or_empty(stride), padding, dilation, ceil_mode);
}
std::tuple<Tensor, Tensor> max_pool3d_with_indices(const Tensor& input, IntList kernel_size, std::optional<IntList> stride, IntList padding,
                                                   IntList dilation, bool ceil_mode) {
    return max_pool(3, input, kernel_size, or_empty(stride), padding, dilation, ceil_mode);
}

Tensor _avg_pool(const Tensor& input, int64_t n, IntList kernel_size, std::optional<IntList> stride, IntList padding, bool ceil_mode,
                 bool count_include_pad, std::optional<int64_t> divisor_override) {
    const PoolPlan plan =
        mean_plan(static_cast<size_t>(n), input, kernel_size, or_empty(stride), padding, ceil_mode, count_include_pad, divisor_override);
    const PoolShape& shape = plan.shape;
    const DType wide = pooled_type(plan.name, input.dtype(), 0);
    Tensor out = result(plan.result_sizes, input.dtype(), input.device());
    if (out.is_meta()) return out;
    const Tensor from = as_pooled(input, wide), to = wide_result(out, wide);
    const int64_t in = shape.in_numel(), made = shape.out_numel();
    visit_pooled(wide, [&]<class T>(Tag<T>) {
        for_planes(plan.planes, made * shape.kernel[0] * shape.kernel[1] * shape.kernel[2], [&](int64_t first, int64_t last) {
            Scratch<T> counts(shape.out[2]);
            for (int64_t i = first; i < last; ++i)
                pool_kernels<T>().mean_plane(shape, from.data<T>() + i * in, to.data<T>() + i * made, counts.data());
        });
    });
    finish(out, to);
    return out;
}

Tensor avg_pool1d(const Tensor& input, IntList kernel_size, std::optional<IntList> stride, IntList padding, bool ceil_mode, bool count_include_pad) {
    return _avg_pool(input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad, std::nullopt);
}
Tensor avg_pool2d(const Tensor& input, IntList kernel_size, std::optional<IntList> stride, IntList padding, bool ceil_mode, bool count_include_pad,
                  std::optional<int64_t> divisor_override) {
    return _avg_pool(input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
}
Tensor avg_pool3d(const Tensor& input, IntList kernel_size, std::optional<IntList> stride, IntList padding, bool ceil_mode, bool count_include_pad,
                  std::optional<int64_t> divisor_override) {
    return _avg_pool(input, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
}

Tensor _avg_pool_backward(const Tensor& g, IntList size, int64_t n, IntList kernel_size, std::optional<IntList> stride, IntList padding,
                          bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor_override) {
    const Tensor like = empty(size, g.dtype(), Device{DeviceType::Meta});
    const PoolPlan plan =
        mean_plan(static_cast<size_t>(n), like, kernel_size, or_empty(stride), padding, ceil_mode, count_include_pad, divisor_override);
    const PoolShape& shape = plan.shape;
    const DType wide = pooled_type(plan.name, g.dtype(), 0);
    Tensor out = empty(size, g.dtype(), g.device());
    if (out.is_meta()) return out;
    const Tensor from = as_pooled(g, wide), to = wide_result(out, wide);
    const int64_t in = shape.in_numel(), made = shape.out_numel();
    visit_pooled(wide, [&]<class T>(Tag<T>) {
        for_planes(plan.planes, made * shape.kernel[0] * shape.kernel[1] * shape.kernel[2], [&](int64_t first, int64_t last) {
            Scratch<T> row(2 * shape.out[2]);
            for (int64_t i = first; i < last; ++i) {
                T* plane = to.data<T>() + i * in;
                std::fill(plane, plane + in, T(0));
                pool_kernels<T>().spread_plane(shape, from.data<T>() + i * made, plane, row.data());
            }
        });
    });
    finish(out, to);
    return out;
}

// ---- values by their places in a plane: what the gradients of all maxima are

namespace {

struct PlaneSizes {
    int64_t planes = 1, places = 1;

    PlaneSizes(IntList sizes, int64_t n) {
        for (size_t d = 0; d < sizes.size(); ++d) (d + static_cast<size_t>(n) < sizes.size() ? planes : places) *= sizes[d];
    }
};

}  // namespace

Tensor _pool_scatter(const Tensor& g, const Tensor& indices, IntList size, int64_t n) {
    Tensor out = empty(size, g.dtype(), g.device());
    if (out.is_meta()) return out;
    const PlaneSizes to(size, n), from(g.sizes(), n);
    const Tensor values = contiguous(g), where = contiguous(indices);
    visit_dtype(g.dtype(), [&]<class T>(Tag<T>) {
        using C = compute_t<T>;
        for_planes(to.planes, to.places + 2 * from.places, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                T* plane = out.data<T>() + i * to.places;
                std::fill(plane, plane + to.places, T{});
                const T* x = values.data<T>() + i * from.places;
                const int64_t* at = where.data<int64_t>() + i * from.places;
                for (int64_t j = 0; j < from.places; ++j) plane[at[j]] = convert<T>(static_cast<C>(convert<C>(plane[at[j]]) + convert<C>(x[j])));
            }
        });
    });
    return out;
}

Tensor _pool_gather(const Tensor& input, const Tensor& indices, int64_t n) {
    Tensor out = empty(indices.sizes(), input.dtype(), input.device());
    if (out.is_meta()) return out;
    const PlaneSizes from(input.sizes(), n), to(indices.sizes(), n);
    const Tensor values = contiguous(input), where = contiguous(indices);
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        for_planes(to.planes, to.places, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                for (int64_t j = 0; j < to.places; ++j)
                    out.data<T>()[i * to.places + j] = values.data<T>()[i * from.places + where.data<int64_t>()[i * to.places + j]];
        });
    });
    return out;
}

// ---- evenly divided cells

namespace {

// The geometry of `out` cells over `in` elements: cell c covers [c * in / out, ceil((c + 1) * in / out)).
struct Cells {
    size_t n;
    int64_t planes = 1, in[3] = {1, 1, 1}, out[3] = {1, 1, 1};
    Shape result_sizes;

    Cells(const std::string& name, size_t dims, IntList input, IntList output_size);

    int64_t in_numel() const { return in[0] * in[1] * in[2]; }
    int64_t out_numel() const { return out[0] * out[1] * out[2]; }
    int64_t first(int axis, int64_t c) const { return c * in[axis] / out[axis]; }
    int64_t last(int axis, int64_t c) const { return ((c + 1) * in[axis] + out[axis] - 1) / out[axis]; }

    // Calls f(cell, offset of a run of elements, its length) for all rows of all cells of a plane, cell by cell.
    template <class F>
    void for_each_run(F&& f) const {
        int64_t cell = 0;
        for (int64_t d = 0; d < out[0]; ++d)
            for (int64_t h = 0; h < out[1]; ++h)
                for (int64_t w = 0; w < out[2]; ++w, ++cell)
                    for (int64_t z = first(0, d); z < last(0, d); ++z)
                        for (int64_t y = first(1, h); y < last(1, h); ++y) f(cell, (z * in[1] + y) * in[2] + first(2, w), last(2, w) - first(2, w));
    }
    std::vector<int64_t> counts() const {
        std::vector<int64_t> made(static_cast<size_t>(out_numel()), 0);
        for_each_run([&](int64_t cell, int64_t, int64_t length) { made[static_cast<size_t>(cell)] += length; });
        return made;
    }
};

Cells::Cells(const std::string& name, size_t dims, IntList input, IntList output_size) : n(dims) {
    const size_t rank = input.size();
    if (n == 1)
        TAEDA_CHECK(rank == 2 || rank == 3, "Expected 2 to 3 dimensions, but got ", rank,
                    "-dimensional tensor for argument #1 'self' (while checking arguments for ", name, ")");
    TAEDA_CHECK(rank == n + 1 || rank == n + 2, name, "(): Expected ", n + 1, "D or ", n + 2, "D tensor, but got ", shape_text(input));
    TAEDA_CHECK(output_size.size() == n || output_size.size() == 1, name, ": output_size must be ", n);
    for (size_t d = rank - n; d < rank; ++d)
        TAEDA_CHECK(input[d] > 0, name, "(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ", shape_text(input),
                    " with dimension ", d, " being empty");
    for (size_t d = 0; d < rank - n; ++d) {
        planes *= input[d];
        result_sizes.push_back(input[d]);
    }
    for (size_t d = 0; d < n; ++d) {
        in[3 - n + d] = input[rank - n + d];
        const int64_t size = output_size.size() == 1 ? output_size[0] : output_size[d];
        TAEDA_CHECK(size >= 0, name, ": elements of output_size must be greater than or equal to 0 but received ", shape_text(output_size));
        out[3 - n + d] = size;
        result_sizes.push_back(size);
    }
}

DType cell_type(const std::string& name, DType t) {
    TAEDA_CHECK_KIND(NotImplemented, is_floating(t), '"', name, "\" not implemented for '", scalar_type_name(t), "'");
    return t == DType::Float64 ? t : DType::Float32;
}

template <class F>
void visit_cells(DType wide, F&& f) {
    if (wide == DType::Float64) f(Tag<double>{});
    else f(Tag<float>{});
}

// Eight running sums, so that additions need not wait for each other.
template <class T>
T sum_run(const T* x, int64_t n) {
    T sums[8] = {};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int64_t j = 0; j < 8; ++j) sums[j] += x[i + j];
    for (; i < n; ++i) sums[0] += x[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

std::tuple<Tensor, Tensor> adaptive_max_pool(size_t n, const Tensor& input, IntList output_size) {
    const std::string name = name_of("adaptive_max_pool", n);
    const Cells cells(name, n, input.sizes(), output_size);
    const DType wide = cell_type(name, input.dtype());
    Tensor out = result(cells.result_sizes, input.dtype(), input.device());
    Tensor indices = empty(cells.result_sizes, DType::Int64, input.device());
    if (out.is_meta() || out.numel() == 0) return {out, indices};
    const Tensor from = as_pooled(input, wide), to = wide_result(out, wide);
    const int64_t in = cells.in_numel(), made = cells.out_numel();
    visit_cells(wide, [&]<class T>(Tag<T>) {
        for_planes(cells.planes, in + made, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const T* x = from.data<T>() + i * in;
                T* best = to.data<T>() + i * made;
                int64_t* where = indices.data<int64_t>() + i * made;
                std::fill(where, where + made, int64_t{-1});
                cells.for_each_run([&](int64_t cell, int64_t offset, int64_t length) {
                    for (int64_t j = offset; j < offset + length; ++j) {
                        if (where[cell] >= 0 && !(x[j] > best[cell] || x[j] != x[j])) continue;
                        best[cell] = x[j];
                        where[cell] = j;
                    }
                });
            }
        });
    });
    finish(out, to);
    return {out, indices};
}

}  // namespace

Tensor _adaptive_avg_pool(const Tensor& input, IntList output_size, int64_t n) {
    const std::string name = name_of("adaptive_avg_pool", static_cast<size_t>(n));
    const Cells cells(name, static_cast<size_t>(n), input.sizes(), output_size);
    const DType wide = cell_type(name, input.dtype());
    Tensor out = result(cells.result_sizes, input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;  // without planes there may be any number of cells
    const Tensor from = as_pooled(input, wide), to = wide_result(out, wide);
    const int64_t in = cells.in_numel(), made = cells.out_numel();
    const std::vector<int64_t> counts = cells.counts();
    visit_cells(wide, [&]<class T>(Tag<T>) {
        for_planes(cells.planes, in + made, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const T* x = from.data<T>() + i * in;
                T* mean = to.data<T>() + i * made;
                std::fill(mean, mean + made, T(0));
                if (made == 1) mean[0] = sum_run(x, in);
                else cells.for_each_run([&](int64_t cell, int64_t offset, int64_t length) { mean[cell] += sum_run(x + offset, length); });
                for (int64_t c = 0; c < made; ++c) mean[c] /= static_cast<T>(counts[static_cast<size_t>(c)]);
            }
        });
    });
    finish(out, to);
    return out;
}

Tensor _adaptive_avg_pool_backward(const Tensor& g, IntList size, int64_t n) {
    const std::string name = name_of("adaptive_avg_pool", static_cast<size_t>(n));
    const Cells cells(name, static_cast<size_t>(n), size, IntList(g.sizes()).last(static_cast<size_t>(n)));
    const DType wide = cell_type(name, g.dtype());
    Tensor out = empty(size, g.dtype(), g.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor from = as_pooled(g, wide), to = wide_result(out, wide);
    const int64_t in = cells.in_numel(), made = cells.out_numel();
    const std::vector<int64_t> counts = cells.counts();
    visit_cells(wide, [&]<class T>(Tag<T>) {
        for_planes(cells.planes, in + made, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const T* grad = from.data<T>() + i * made;
                T* plane = to.data<T>() + i * in;
                std::fill(plane, plane + in, T(0));
                cells.for_each_run([&](int64_t cell, int64_t offset, int64_t length) {
                    const T share = grad[cell] / static_cast<T>(counts[static_cast<size_t>(cell)]);
                    for (int64_t j = offset; j < offset + length; ++j) plane[j] += share;
                });
            }
        });
    });
    finish(out, to);
    return out;
}

#define TAEDA_ADAPTIVE(n)                                                                                                          \
    Tensor adaptive_avg_pool##n##d(const Tensor& input, IntList output_size) { return _adaptive_avg_pool(input, output_size, n); } \
    std::tuple<Tensor, Tensor> adaptive_max_pool##n##d_with_indices(const Tensor& input, IntList output_size) {                    \
        return adaptive_max_pool(n, input, output_size);                                                                           \
    }
TAEDA_ADAPTIVE(1)
TAEDA_ADAPTIVE(2)
TAEDA_ADAPTIVE(3)
#undef TAEDA_ADAPTIVE

}  // namespace taeda::cpu
