// Fourier transforms of tensors: the lines of a dimension, some side by side, through the kernels in fft_isa.cpp.
#include "cpu/fft.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/scratch.h"
#include "kernels.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kParallelElements = 1 << 14;
constexpr int64_t kShortLine = 64;  // shorter contiguous lines gain from being transformed side by side

// All lines along one dimension of two tensors, in the order of the first one's memory.
struct LinePairs {
    Shape sizes, in_strides, out_strides;  // of the other dimensions; in real values
    int64_t count = 1, in_step, out_step;

    // A complex tensor's strides count two reals for each element.
    LinePairs(const Tensor& in, const Tensor& out, int64_t dim) {
        int64_t in_parts = is_complex(in.dtype()) ? 2 : 1, out_parts = is_complex(out.dtype()) ? 2 : 1;
        in_step = in.stride(dim) * in_parts;
        out_step = out.stride(dim) * out_parts;
        std::vector<int64_t> order;
        for (int64_t d = 0; d < in.dim(); ++d)
            if (d != dim) order.push_back(d);
        std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return std::abs(in.stride(a)) > std::abs(in.stride(b)); });
        for (int64_t d : order) {
            sizes.push_back(in.size(d));
            in_strides.push_back(in.stride(d) * in_parts);
            out_strides.push_back(out.stride(d) * out_parts);
            count *= in.size(d);
        }
    }
    void offsets(int64_t line, int64_t& in, int64_t& out) const {
        in = out = 0;
        for (size_t d = sizes.size(); d-- > 0;) {
            int64_t index = line % sizes[d];
            line /= sizes[d];
            in += index * in_strides[d];
            out += index * out_strides[d];
        }
    }
};

// Calls f(lanes, in offsets, out offsets, four parts of working memory of `room` elements for each lane) for groups of lines.
template <class T, class F>
void for_each_group(const LinePairs& lines, int64_t room, F&& f) {
    int64_t width = fft_table().of<T>().width, lanes = 1;
    bool contiguous = std::abs(lines.in_step) <= 2 && std::abs(lines.out_step) <= 2;
    if (lines.count >= width && (!contiguous || room <= kShortLine)) lanes = room <= kShortLine ? 2 * width : width;
    int64_t groups = (lines.count + lanes - 1) / lanes, elements = std::max<int64_t>(1, room * lanes);
    ReleaseHostLock unlock(lines.count * room > kParallelElements);
    parallel_for(0, groups, std::max<int64_t>(1, kParallelElements / elements), [&](int64_t first, int64_t last) {
        Scratch<T> memory(4 * elements);
        Scratch<int64_t> places(2 * lanes);
        int64_t *in = places.data(), *out = in + lanes;
        T* at = memory.data();
        for (int64_t group = first; group < last; ++group) {
            int64_t begin = group * lanes, here = std::min(lanes, lines.count - begin);
            for (int64_t l = 0; l < here; ++l) lines.offsets(begin + l, in[l], out[l]);
            f(here, in, out, Split<T>{at, at + elements}, Split<T>{at + 2 * elements, at + 3 * elements});
        }
    });
}

double scale_of(IntList sizes, const Shape& dims, int64_t normalization) {
    double n = 1;
    for (int64_t d : dims) n *= static_cast<double>(sizes[static_cast<size_t>(d)]);
    return normalization == 0 ? 1.0 : normalization == 1 ? 1.0 / std::sqrt(n) : 1.0 / n;
}

template <class T>
T* parts(const Tensor& t) {
    return static_cast<T*>(t.data());
}

// Complex to complex along `dim`; `in` and `out` may be the same memory.
template <class T>
void transform_dim(const Tensor& in, const Tensor& out, int64_t dim, bool forward, double scale) {
    LinePairs lines(in, out, dim);
    auto plan = fft_plan<T>(in.size(dim));
    const auto& kernels = fft_table().of<T>();
    for_each_group<T>(lines, plan->room(), [&](int64_t lanes, const int64_t* from, const int64_t* to, Split<T> data, Split<T> work) {
        // The parts are exchanged in the working places, not in memory, where neighbours are read fastest.
        Split<T> given = forward ? data : data.swapped();
        kernels.load(plan->n, lanes, {parts<const T>(in), parts<const T>(in) + 1, lines.in_step, from}, given);
        Split<T> done = kernels.transform(*plan, lanes, data, work);
        kernels.store(plan->n, lanes, forward ? done : done.swapped(), {parts<T>(out), parts<T>(out) + 1, lines.out_step, to}, static_cast<T>(scale));
    });
}

// Real to the first n/2 + 1 elements of the complex result.
template <class T>
void transform_real(const Tensor& in, const Tensor& out, int64_t dim, double scale) {
    LinePairs lines(in, out, dim);
    int64_t n = in.size(dim), half = n / 2;
    bool even = n % 2 == 0;
    auto plan = fft_plan<T>(even ? half : n);
    std::shared_ptr<const FftTurns<T>> turns = even ? fft_turns<T>(n) : nullptr;
    const auto& kernels = fft_table().of<T>();
    int64_t room = std::max(plan->room(), half + 1);
    for_each_group<T>(lines, room, [&](int64_t lanes, const int64_t* from, const int64_t* to, Split<T> data, Split<T> work) {
        const T* base = parts<const T>(in);
        FftPlace<T> place{parts<T>(out), parts<T>(out) + 1, lines.out_step, to};
        if (!even) {
            kernels.load(n, lanes, {base, nullptr, lines.in_step, from}, data);
            return kernels.store(half + 1, lanes, kernels.transform(*plan, lanes, data, work), place, static_cast<T>(scale));
        }
        kernels.load(half, lanes, {base, base + lines.in_step, 2 * lines.in_step, from}, data);
        Split<T> done = kernels.transform(*plan, lanes, data, work), other = done.re == data.re ? work : data;
        kernels.unpack_real(half, lanes, done, other, {turns->re.data(), turns->im.data()});
        kernels.store(half + 1, lanes, other, place, static_cast<T>(scale));
    });
}

// The first n/2 + 1 elements of a Hermitian sequence to n reals, backward.
template <class T>
void transform_to_real(const Tensor& in, const Tensor& out, int64_t dim, double scale) {
    LinePairs lines(in, out, dim);
    int64_t n = out.size(dim), half = n / 2;
    bool even = n % 2 == 0;
    auto plan = fft_plan<T>(even ? half : n);
    std::shared_ptr<const FftTurns<T>> turns = even ? fft_turns<T>(n) : nullptr;
    const auto& kernels = fft_table().of<T>();
    int64_t room = std::max(plan->room(), half + 1);
    for_each_group<T>(lines, room, [&](int64_t lanes, const int64_t* from, const int64_t* to, Split<T> data, Split<T> work) {
        const T* base = parts<const T>(in);
        T* result = parts<T>(out);
        kernels.load(half + 1, lanes, {base, base + 1, lines.in_step, from}, data);
        if (even) {
            kernels.pack_real(half, lanes, data, work, {turns->re.data(), turns->im.data()});
            Split<T> done = kernels.transform(*plan, lanes, work.swapped(), data.swapped()).swapped();
            return kernels.store(half, lanes, done, {result, result + lines.out_step, 2 * lines.out_step, to}, static_cast<T>(scale));
        }
        for (int64_t l = 0; l < lanes; ++l) data.im[l] = T(0);
        for (int64_t k = 1; k <= half; ++k)
            for (int64_t l = 0; l < lanes; ++l) {
                data.re[(n - k) * lanes + l] = data.re[k * lanes + l];
                data.im[(n - k) * lanes + l] = -data.im[k * lanes + l];
            }
        Split<T> done = kernels.transform(*plan, lanes, data.swapped(), work.swapped()).swapped();
        kernels.store(n, lanes, done, {result, nullptr, lines.out_step, to}, static_cast<T>(scale));
    });
}

template <class F>
void visit_precision(DType dtype, F&& f) {
    if (real_of(dtype) == DType::Float32) f(Tag<float>{});
    else f(Tag<double>{});
}

// The dimensions from the last of `dims` to the first: the usual order, contiguous lines first.
void transform_dims(const Tensor& in, const Tensor& out, const Shape& dims, bool forward, double scale) {
    visit_precision(in.dtype(), [&]<class T>(Tag<T>) {
        for (size_t i = dims.size(); i-- > 0;) transform_dim<T>(i + 1 == dims.size() ? in : out, out, dims[i], forward, i == 0 ? scale : 1.0);
    });
}

// Fills the second half of `dim` with the conjugates of the first, mirrored in all of `dims`: what a real input's transform is like.
template <class T>
void fill_by_symmetry(const Tensor& out, const Shape& dims, int64_t dim) {
    int64_t n = out.size(dim), half = n / 2 + 1, step = 2 * out.stride(dim), lines = n ? out.numel() / n : 0;
    T* base = parts<T>(out);
    ReleaseHostLock unlock(out.numel() > kParallelElements);
    parallel_for(0, lines, std::max<int64_t>(1, kParallelElements / std::max<int64_t>(1, n)), [&](int64_t first, int64_t last) {
        for (int64_t line = first; line < last; ++line) {
            int64_t to = 0, from = 0, rest = line;
            for (int64_t d = out.dim(); d-- > 0;) {
                if (d == dim) continue;
                int64_t size = out.size(d), index = rest % size;
                bool mirrored = std::find(dims.begin(), dims.end(), d) != dims.end();
                rest /= size;
                to += 2 * index * out.stride(d);
                from += 2 * (mirrored && index > 0 ? size - index : index) * out.stride(d);
            }
            for (int64_t k = half; k < n; ++k) {
                base[to + k * step] = base[from + (n - k) * step];
                base[to + k * step + 1] = -base[from + (n - k) * step + 1];
            }
        }
    });
}

Shape transformed_dims(const Tensor& input, IntList dim, const char* name) {
    Shape dims = wrap_dims(dim, input.dim());
    TAEDA_CHECK(!dims.empty(), name, ": at least one dimension must be transformed");
    for (int64_t d : dims) TAEDA_CHECK(input.size(d) > 0, "Invalid number of data points (", input.size(d), ") specified");
    return dims;
}

void check_precision(DType dtype, bool complex) {
    TAEDA_CHECK(!is_reduced_float(dtype), "Unsupported dtype ", scalar_type_name(dtype));
    TAEDA_CHECK(complex ? is_complex(dtype) : is_floating(dtype), "expected a ", complex ? "complex" : "real floating", " tensor, but got ",
                scalar_type_name(dtype));
}

// The first n/2 + 1 elements, along the last of `dims`, of a real tensor's transform.
void real_forward(const Tensor& input, const Tensor& onesided, const Shape& dims, double scale) {
    visit_precision(input.dtype(), [&]<class T>(Tag<T>) { transform_real<T>(input, onesided, dims.back(), scale); });
    Shape others(dims.begin(), dims.end() - 1);
    transform_dims(onesided, onesided, others, true, 1.0);
}

}  // namespace

Tensor _fft_c2c(const Tensor& input, IntList dim, int64_t normalization, bool forward) {
    check_precision(input.dtype(), true);
    Shape dims = wrap_dims(dim, input.dim());
    if (dims.empty()) return clone(input);
    transformed_dims(input, dim, "_fft_c2c");
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    transform_dims(input, out, dims, forward, scale_of(input.sizes(), dims, normalization));
    return out;
}

Tensor _fft_r2c(const Tensor& input, IntList dim, int64_t normalization, bool onesided) {
    check_precision(input.dtype(), false);
    Shape dims = transformed_dims(input, dim, "_fft_r2c"), sizes = input.sizes();
    int64_t last = dims.back(), half = input.size(last) / 2 + 1;
    if (onesided) sizes[static_cast<size_t>(last)] = half;
    Tensor out = result(sizes, complex_of(input.dtype()), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    real_forward(input, onesided ? out : views::slice(out, last, 0, half), dims, scale_of(input.sizes(), dims, normalization));
    if (!onesided) visit_precision(input.dtype(), [&]<class T>(Tag<T>) { fill_by_symmetry<T>(out, dims, last); });
    return out;
}

Tensor _fft_c2r(const Tensor& input, IntList dim, int64_t normalization, int64_t last_dim_size) {
    check_precision(input.dtype(), true);
    Shape dims = transformed_dims(input, dim, "_fft_c2r"), sizes = input.sizes();
    int64_t last = dims.back();
    TAEDA_CHECK(last_dim_size >= 1, "Invalid number of data points (", last_dim_size, ") specified");
    TAEDA_CHECK(input.size(last) == last_dim_size / 2 + 1, "_fft_c2r: a result of ", last_dim_size, " elements needs ", last_dim_size / 2 + 1,
                " in dimension ", last, ", but the input has shape ", shape_text(input.sizes()));
    sizes[static_cast<size_t>(last)] = last_dim_size;
    Tensor out = result(sizes, real_of(input.dtype()), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    double scale = scale_of(sizes, dims, normalization);
    Tensor source = input;
    Shape others(dims.begin(), dims.end() - 1);
    if (!others.empty()) {
        source = empty(input.sizes(), input.dtype(), input.device());
        transform_dims(input, source, others, false, 1.0);
    }
    visit_precision(input.dtype(), [&]<class T>(Tag<T>) { transform_to_real<T>(source, out, last, scale); });
    return out;
}

// The gradient of the one-sided _fft_r2c: the missing half counts as zero, so this is no _fft_c2r.
Tensor _fft_r2c_backward(const Tensor& g, IntList dim, int64_t normalization, int64_t last_dim_size) {
    Shape dims = transformed_dims(g, dim, "_fft_r2c_backward"), sizes = g.sizes();
    sizes[static_cast<size_t>(dims.back())] = last_dim_size;
    Tensor out = result(sizes, real_of(g.dtype()), g.device());
    if (out.is_meta() || out.numel() == 0) return out;
    Tensor whole = zeros(sizes, g.dtype(), g.device());
    copy_into(views::slice(whole, dims.back(), 0, g.size(dims.back())), g);
    transform_dims(whole, whole, dims, false, scale_of(sizes, dims, normalization));
    copy_into(out, views::real(whole));
    return out;
}

// The gradient of _fft_c2r: elements that stand for their mirror image too count twice.
Tensor _fft_c2r_backward(const Tensor& g, IntList dim, int64_t normalization) {
    Tensor out = _fft_r2c(g, dim, normalization, true);
    if (out.is_meta() || out.numel() == 0) return out;
    int64_t last = wrap_dims(dim, g.dim()).back(), n = g.size(last);
    visit_precision(g.dtype(), [&]<class T>(Tag<T>) {
        LinePairs lines(out, out, last);
        for (int64_t line = 0; line < lines.count; ++line) {
            int64_t at, same;
            lines.offsets(line, at, same);
            for (int64_t k = 1; k < n - n / 2; ++k) {
                T* element = parts<T>(out) + at + k * lines.out_step;
                element[0] *= 2;
                element[1] *= 2;
            }
        }
    });
    return out;
}

}  // namespace taeda::cpu
