// Distances between rows: of two matrices (cdist), or all pairs of one (pdist). Differences are taken element by element,
// never as |x|^2 + |y|^2 - 2 x.y, which cancels; with columns side by side that is as fast as the product.
#include <cmath>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/distance_kernels.h"
#include "cpu/scratch.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kPieceWork = 1 << 15;

Norm norm_of(double p) {
    if (p == 0) return Norm::Zero;
    if (p == 1) return Norm::One;
    if (p == 2) return Norm::Two;
    return std::isinf(p) ? Norm::Largest : Norm::General;
}

DType computed_type(const char* name, DType t) {
    TAEDA_CHECK_KIND(NotImplemented, is_floating(t), "\"", name, "\" not implemented for '", scalar_type_name(t), "'");
    return t == DType::Float64 ? t : DType::Float32;
}

// Rows [n, width] transposed: neighbouring rows lie side by side.
template <class T>
void transpose_rows(const T* from, int64_t n, int64_t width, T* to) {
    for (int64_t r = 0; r < n; ++r)
        for (int64_t m = 0; m < width; ++m) to[m * n + r] = from[r * width + m];
}

int64_t grain_of(int64_t work) { return std::max<int64_t>(1, kPieceWork / std::max<int64_t>(1, work)); }

template <class F>
Tensor by_type(DType type, DType computed, const Tensor& out, F&& f) {
    const Tensor wide = type == computed ? out : empty(out.sizes(), computed);
    if (computed == DType::Float64) f(Tag<double>{}, wide);
    else f(Tag<float>{}, wide);
    if (!wide.is_same(out)) copy_into(out, wide);
    return out;
}

}  // namespace

Tensor _cdist(const Tensor& x1, const Tensor& x2, double p) {
    TAEDA_CHECK(x1.dim() == 3 && x2.dim() == 3 && x1.size(0) == x2.size(0) && x1.size(2) == x2.size(2) && x1.dtype() == x2.dtype(),
                "_cdist: ", shape_text(x1.sizes()), " and ", shape_text(x2.sizes()), " do not fit together");
    const DType type = x1.dtype(), computed = computed_type("cdist", type);
    const int64_t batch = x1.size(0), rows = x1.size(1), others = x2.size(1), width = x1.size(2);
    Tensor out = result(Shape{batch, rows, others}, type, x1.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor a = contiguous(to_dtype(x1, computed)), b = contiguous(to_dtype(x2, computed));
    return by_type(type, computed, out, [&]<class T>(Tag<T>, const Tensor& to) {
        Scratch<T> columns(batch * others * width + 1);
        for (int64_t i = 0; i < batch; ++i) transpose_rows(b.data<T>() + i * others * width, others, width, columns.data() + i * others * width);
        ReleaseHostLock unlocked(out.numel() * width > kPieceWork);
        parallel_for(0, batch * rows, grain_of(others * width), [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                distance_kernels<T>().row(norm_of(p), static_cast<T>(p), a.data<T>() + i * width, columns.data() + i / rows * others * width, others,
                                          others, width, to.data<T>() + i * others);
        });
    });
}

Tensor _cdist_backward(const Tensor& g, const Tensor& x1, const Tensor& x2, double p, const Tensor& dist) {
    const DType type = x1.dtype(), computed = computed_type("cdist_backward", type);
    const int64_t rows = x1.size(1), others = x2.size(1), width = x1.size(2);
    Tensor out = empty(x1.sizes(), type, x1.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor grad = to_dtype(g, computed), a = contiguous(to_dtype(x1, computed)), b = contiguous(to_dtype(x2, computed));
    const Tensor far = to_dtype(dist, computed);
    return by_type(type, computed, out, [&]<class T>(Tag<T>, const Tensor& to) {
        ReleaseHostLock unlocked(out.numel() * others > kPieceWork);
        parallel_for(0, x1.size(0) * rows, grain_of(others * width), [&](int64_t first, int64_t last) {
            auto row_of = [rows](const Tensor& t, int64_t i) { return t.data<T>() + i / rows * t.strides()[0] + i % rows * t.strides()[1]; };
            for (int64_t i = first; i < last; ++i) {
                T* sum = to.data<T>() + i * width;
                std::fill(sum, sum + width, T(0));
                distance_kernels<T>().gradient(norm_of(p), static_cast<T>(p), row_of(grad, i), grad.strides()[2], row_of(far, i), far.strides()[2],
                                               a.data<T>() + i * width, b.data<T>() + i / rows * others * width, others, width, sum);
            }
        });
    });
}

// ---- all pairs of one matrix's rows

Tensor _pdist(const Tensor& input, double p) {
    const DType type = input.dtype(), computed = computed_type("pdist", type);
    TAEDA_CHECK(input.dim() == 2, "pdist only supports 2D tensors, got: ", input.dim(), "D");
    const int64_t n = input.size(0), width = input.size(1);
    Tensor out = result(Shape{n * (n - 1) / 2}, type, input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor x = contiguous(to_dtype(input, computed));
    return by_type(type, computed, out, [&]<class T>(Tag<T>, const Tensor& to) {
        Scratch<T> columns(n * width + 1);
        transpose_rows(x.data<T>(), n, width, columns.data());
        ReleaseHostLock unlocked(out.numel() * width > kPieceWork);
        parallel_for(0, n - 1, grain_of(n * width / 2), [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i)
                distance_kernels<T>().row(norm_of(p), static_cast<T>(p), x.data<T>() + i * width, columns.data() + i + 1, n, n - 1 - i, width,
                                          to.data<T>() + i * n - i * (i + 1) / 2);
        });
    });
}

Tensor _pair_matrix(const Tensor& input, int64_t n) {
    TAEDA_CHECK(input.dim() == 1 && input.numel() == n * (n - 1) / 2, "_pair_matrix: ", shape_text(input.sizes()), " are not the pairs of ", n);
    Tensor out = empty(Shape{n, n}, input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor values = contiguous(input);
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        const T* from = values.data<T>();
        T* to = out.data<T>();
        for (int64_t i = 0; i < n; ++i) {
            to[i * n + i] = T{};
            for (int64_t j = i + 1; j < n; ++j) to[i * n + j] = to[j * n + i] = *from++;
        }
    });
    return out;
}

Tensor _pair_vector(const Tensor& input) {
    TAEDA_CHECK(input.dim() == 2 && input.size(0) == input.size(1), "_pair_vector: expected a square matrix, but got ", shape_text(input.sizes()));
    const int64_t n = input.size(0);
    Tensor out = empty(Shape{n * (n - 1) / 2}, input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor values = contiguous(input);
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        using C = compute_t<T>;
        const T* from = values.data<T>();
        T* to = out.data<T>();
        for (int64_t i = 0; i < n; ++i)
            for (int64_t j = i + 1; j < n; ++j) *to++ = convert<T>(static_cast<C>(convert<C>(from[i * n + j]) + convert<C>(from[j * n + i])));
    });
    return out;
}

}  // namespace taeda::cpu
