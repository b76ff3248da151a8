// What the gradients of reductions are written with.
#include "cpu/copy.h"
#include "cpu/reduce.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

// The kept dimensions of a reduced tensor with size one where dimensions were reduced.
Tensor with_kept_dims(const Tensor& t, IntList sizes, DimMask mask, bool keepdim) {
    if (keepdim) return t;
    Shape shape(sizes), strides(sizes);
    size_t from = 0;
    for (size_t d = 0; d < sizes.size(); ++d) {
        bool reduced = mask >> d & 1;
        shape[d] = reduced ? 1 : t.sizes()[from];
        strides[d] = reduced ? 0 : t.strides()[from];
        from += !reduced;
    }
    return alias(t, shape, strides, t.offset());
}

void scale(const Tensor& t, double factor) {
    visit_dtype(t.dtype(), [&]<class T>(Tag<T>) {
        using C = compute_t<T>;
        if constexpr (is_complex_v<T>) {
            for (int64_t i = 0; i < t.numel(); ++i) t.data<T>()[i] *= typename T::value_type(factor);
        } else {
            for (int64_t i = 0; i < t.numel(); ++i) t.data<T>()[i] = convert<T>(static_cast<C>(convert<C>(t.data<T>()[i]) * factor));
        }
    });
}

// The dimensions in the order kept, then reduced; what undoes it is the inverse permutation.
Shape kept_first(int64_t ndim, DimMask mask) {
    Shape order;
    for (int pass = 0; pass < 2; ++pass)
        for (int64_t d = 0; d < ndim; ++d)
            if (static_cast<int>(mask >> d & 1) == pass) order.push_back(d);
    return order;
}

template <class C>
void weigh_ties(const C* x, int64_t n, C best, C* out) {
    int64_t count = 0;
    const bool nan = best != best;
    for (int64_t i = 0; i < n; ++i) count += nan ? x[i] != x[i] : x[i] == best;
    const C weight = C(1) / static_cast<C>(std::max<int64_t>(count, 1));
    for (int64_t i = 0; i < n; ++i) out[i] = (nan ? x[i] != x[i] : x[i] == best) ? weight : C(0);
}

struct Lines {  // a tensor as [outer, size, inner] around one dimension
    int64_t outer = 1, size = 1, inner = 1;
    Lines(IntList sizes, int64_t dim) {
        for (int64_t d = 0; d < static_cast<int64_t>(sizes.size()); ++d) (d < dim ? outer : d == dim ? size : inner) *= sizes[d];
    }
};

}  // namespace

Tensor _unreduce(const Tensor& grad, IntList sizes, std::optional<IntList> dim, bool keepdim, DType dtype, bool mean) {
    const int64_t ndim = static_cast<int64_t>(sizes.size());
    DimMask mask = dim_mask_or_all(dim, ndim);
    Tensor small = to_dtype(grad, dtype);
    if (mean && !small.is_meta()) {
        int64_t count = 1;
        for (int64_t d = 0; d < ndim; ++d)
            if (mask >> d & 1) count *= sizes[d];
        if (small.is_same(grad) || !small.is_contiguous()) small = contiguous(clone(small));
        scale(small, 1.0 / static_cast<double>(count));
    }
    return expand_to(with_kept_dims(small, sizes, mask, keepdim), sizes);
}

Tensor _tie_weights(const Tensor& input, const Tensor& extreme, std::optional<IntList> dim, bool keepdim) {
    DimMask mask = dim_mask_or_all(dim, input.dim());
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    Shape order = kept_first(input.dim(), mask);
    Tensor x = contiguous(views::permute(input, order));
    Tensor best = contiguous(with_kept_dims(extreme, input.sizes(), mask, keepdim));
    Tensor weights = empty(x.sizes(), x.dtype(), x.device());
    const int64_t n = reduced_count(input, mask), rows = input.numel() / n;
    TAEDA_CHECK(is_inexact(input.dtype()) && !is_complex(input.dtype()), "only real floating-point tensors have gradients of extremes");
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (std::is_floating_point_v<T>) {
            for (int64_t i = 0; i < rows; ++i) weigh_ties(x.data<T>() + i * n, n, best.data<T>()[i], weights.data<T>() + i * n);
        } else if constexpr (is_half_v<T>) {
            std::vector<float> wide(n), weight(n);
            for (int64_t i = 0; i < rows; ++i) {
                for (int64_t j = 0; j < n; ++j) wide[j] = to_float(x.data<T>()[i * n + j]);
                weigh_ties(wide.data(), n, to_float(best.data<T>()[i]), weight.data());
                for (int64_t j = 0; j < n; ++j) weights.data<T>()[i * n + j] = convert<T>(weight[j]);
            }
        }
    });
    copy_into(views::permute(out, order), weights);
    return out;
}

Tensor _pick_along(const Tensor& input, int64_t dim, const Tensor& indices, bool keepdim) {
    dim = wrap_dim(dim, input.dim());
    Tensor out = result(reduced_shape(input.sizes(), DimMask{1} << dim, keepdim), input.dtype(), input.device());
    if (out.is_meta()) return out;
    Tensor x = contiguous(input), at = contiguous(indices);
    const Lines lines(input.sizes(), dim);
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        for (int64_t o = 0; o < lines.outer; ++o)
            for (int64_t i = 0; i < lines.inner; ++i) {
                int64_t place = o * lines.inner + i;
                out.data<T>()[place] = x.data<T>()[(o * lines.size + at.data<int64_t>()[place]) * lines.inner + i];
            }
    });
    return out;
}

Tensor _put_along(const Tensor& grad, IntList sizes, int64_t dim, const Tensor& indices, bool keepdim) {
    (void)keepdim;  // the same elements in the same order either way
    dim = wrap_dim(dim, static_cast<int64_t>(sizes.size()));
    Tensor out = result(sizes, grad.dtype(), grad.device());
    if (out.is_meta()) return out;
    fill_zero(out);
    Tensor g = contiguous(grad), at = contiguous(indices);
    const Lines lines(sizes, dim);
    visit_dtype(grad.dtype(), [&]<class T>(Tag<T>) {
        for (int64_t o = 0; o < lines.outer; ++o)
            for (int64_t i = 0; i < lines.inner; ++i) {
                int64_t place = o * lines.inner + i;
                out.data<T>()[(o * lines.size + at.data<int64_t>()[place]) * lines.inner + i] = g.data<T>()[place];
            }
    });
    return out;
}

Tensor _cast(const Tensor& input, DType dtype) {
    Tensor cast = to_dtype(input, dtype);
    return cast.is_same(input) ? alias(input) : cast;
}

namespace {

// The reduced elements of each result as one contiguous row of the compute type; `out` takes its rows the same way.
struct RowView {
    Tensor x;
    int64_t rows, n;
    Shape order;

    RowView(const Tensor& input, DimMask mask, DType type) : order(kept_first(input.dim(), mask)) {
        n = reduced_count(input, mask);
        rows = n ? input.numel() / n : 0;
        x = contiguous(to_dtype(views::permute(input, order), type));
    }
    void put(const Tensor& out, const Tensor& values) const { copy_into(views::permute(out, order), values); }
};

template <class T>
inline T conjugate(T x) {
    if constexpr (is_complex_v<T>) return std::conj(x);
    else return x;
}

DType wide_type(DType t) { return is_reduced_float(t) ? DType::Float32 : t; }

template <class T>
void others_row(const T* x, T* out, int64_t n) {
    T product(1);
    for (int64_t i = 0; i < n; ++i) {
        out[i] = product;
        product *= x[i];
    }
    product = T(1);
    for (int64_t i = n; i-- > 0;) {
        out[i] = conjugate(out[i] * product);
        product *= x[i];
    }
}

// sum over i != k of g[i] times the product of the elements other than i and k: prefix and suffix products, and the
// same with one factor replaced by its g. Conjugated where complex.
template <class T>
void others_backward_row(const T* g, const T* x, T* out, int64_t n) {
    std::vector<T> before(n), before_g(n);
    T product(1), with_g(0);
    for (int64_t i = 0; i < n; ++i) {
        before[i] = product;
        before_g[i] = with_g;
        with_g = with_g * x[i] + product * g[i];
        product *= x[i];
    }
    product = T(1);
    with_g = T(0);
    for (int64_t i = n; i-- > 0;) {
        out[i] = conjugate(before_g[i] * product + before[i] * with_g);
        with_g = with_g * x[i] + product * g[i];
        product *= x[i];
    }
}

}  // namespace

Tensor _prod_others(const Tensor& input, std::optional<IntList> dim) {
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const RowView view(input, dim_mask_or_all(dim, input.dim()), wide_type(input.dtype()));
    Tensor values = empty(view.x.sizes(), view.x.dtype());
    visit_dtype(view.x.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (std::is_floating_point_v<T> || is_complex_v<T>)
            for (int64_t i = 0; i < view.rows; ++i) others_row(view.x.data<T>() + i * view.n, values.data<T>() + i * view.n, view.n);
        else fail(ErrorKind::Runtime, "only floating-point and complex products have gradients");
    });
    view.put(out, values);
    return out;
}

Tensor _prod_others_backward(const Tensor& grad, const Tensor& input, std::optional<IntList> dim) {
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const DimMask mask = dim_mask_or_all(dim, input.dim());
    const RowView view(input, mask, wide_type(input.dtype())), g(grad, mask, wide_type(input.dtype()));
    Tensor values = empty(view.x.sizes(), view.x.dtype());
    visit_dtype(view.x.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (std::is_floating_point_v<T> || is_complex_v<T>)
            for (int64_t i = 0; i < view.rows; ++i)
                others_backward_row(g.x.data<T>() + i * view.n, view.x.data<T>() + i * view.n, values.data<T>() + i * view.n, view.n);
        else fail(ErrorKind::Runtime, "only floating-point and complex products have gradients");
    });
    view.put(out, values);
    return out;
}

Tensor _var_backward(const Tensor& grad, const Tensor& input, std::optional<IntList> dim, std::optional<double> correction, bool keepdim) {
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const DimMask mask = dim_mask_or_all(dim, input.dim());
    const DType type = wide_type(input.dtype());
    const RowView view(input, mask, type);
    Tensor g = contiguous(to_dtype(with_kept_dims(grad, input.sizes(), mask, keepdim), real_of(type)));
    Tensor values = empty(view.x.sizes(), type);
    const double factor = 2 / (static_cast<double>(view.n) - correction.value_or(1));
    visit_dtype(type, [&]<class T>(Tag<T>) {
        if constexpr (std::is_floating_point_v<T> || is_complex_v<T>) {
            using R = typename CType<real_of(DTypeOf<T>::value)>::t;
            for (int64_t i = 0; i < view.rows; ++i) {
                const T* x = view.x.data<T>() + i * view.n;
                std::conditional_t<is_complex_v<T>, std::complex<double>, double> total = 0;
                for (int64_t j = 0; j < view.n; ++j) total += x[j];
                const T mean = static_cast<T>(total / static_cast<double>(view.n));
                const R scale = static_cast<R>(g.data<R>()[i] * factor);
                for (int64_t j = 0; j < view.n; ++j) values.data<T>()[i * view.n + j] = scale * (x[j] - mean);
            }
        }
    });
    view.put(out, values);
    return out;
}

}  // namespace taeda::cpu
