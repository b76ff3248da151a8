// Running sums, products, extremes and log-sums along a dimension.
#include <cmath>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "kernels.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kLanes = 64;  // neighbouring lines that are walked together, so that memory is read in order
constexpr int64_t kParallelElements = 1 << 15;

// A contiguous tensor seen as (outer, n, inner): lines of n elements, `inner` apart.
struct Lines {
    int64_t outer = 1, n = 1, inner = 1;

    Lines(const Tensor& t, int64_t dim) {
        if (t.dim() == 0) return;
        for (int64_t d = 0; d < t.dim(); ++d) (d < dim ? outer : d == dim ? n : inner) *= t.sizes()[static_cast<size_t>(d)];
    }
    bool empty() const { return outer * n * inner == 0; }

    // Calls f(offset of the first element, lanes) for groups of neighbouring lines.
    template <class F>
    void for_each_group(F&& f) const {
        int64_t groups = (inner + kLanes - 1) / kLanes, total = outer * groups;
        ReleaseHostLock unlock(outer * n * inner > kParallelElements);
        int64_t grain = std::max<int64_t>(1, kParallelElements / std::max<int64_t>(1, n * std::min(inner, kLanes)));
        parallel_for(0, total, grain, [&](int64_t first, int64_t last) {
            for (int64_t k = first; k < last; ++k) {
                int64_t lane = k % groups * kLanes;
                f(k / groups * n * inner + lane, std::min(kLanes, inner - lane));
            }
        });
    }
};

// Sums of floats are kept in double, as PyTorch's are: a long running sum would lose its small terms.
template <class T>
struct ScanAccumulator {
    using t = accumulate_t<T>;
};
template <>
struct ScanAccumulator<float> {
    using t = double;
};
template <>
struct ScanAccumulator<std::complex<float>> {
    using t = std::complex<double>;
};

DType scan_dtype(const Tensor& input, std::optional<DType> dtype) {
    if (dtype) return *dtype;
    return is_integral(input.dtype()) ? DType::Int64 : input.dtype();
}

// Lines that are rows of memory: four at a time, so that no addition waits for the one before it.
template <class T, class A, class Combine>
void scan_rows(const T* from, T* to, int64_t rows, int64_t n, A start, Combine combine) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4, from += 4 * n, to += 4 * n) {
        A a = start, b = start, c = start, d = start;
        for (int64_t i = 0; i < n; ++i) {
            to[i] = convert<T>(a = combine(a, convert<A>(from[i])));
            to[i + n] = convert<T>(b = combine(b, convert<A>(from[i + n])));
            to[i + 2 * n] = convert<T>(c = combine(c, convert<A>(from[i + 2 * n])));
            to[i + 3 * n] = convert<T>(d = combine(d, convert<A>(from[i + 3 * n])));
        }
    }
    for (; r < rows; ++r, from += n, to += n) {
        A running = start;
        for (int64_t i = 0; i < n; ++i) to[i] = convert<T>(running = combine(running, convert<A>(from[i])));
    }
}

template <class Combine>
Tensor scan(const Tensor& input, int64_t dim, std::optional<DType> dtype, double start, Combine combine) {
    dim = wrap_dim(dim, input.dim());
    DType type = scan_dtype(input, dtype);
    Tensor out = result(input.sizes(), type, input.device());
    if (out.is_meta()) return out;
    Tensor source = contiguous(to_dtype(input, type));
    Lines lines(source, dim);
    if (lines.empty()) return out;
    visit_dtype(type, [&]<class T>(Tag<T>) {
        using A = typename ScanAccumulator<T>::t;
        const T* from = source.data<T>();
        T* to = out.data<T>();
        if (lines.inner == 1) {
            ReleaseHostLock unlock(lines.outer * lines.n > kParallelElements);
            return parallel_for(0, lines.outer, std::max<int64_t>(4, kParallelElements / lines.n), [&](int64_t first, int64_t last) {
                scan_rows(from + first * lines.n, to + first * lines.n, last - first, lines.n, A(start), combine);
            });
        }
        lines.for_each_group([&](int64_t offset, int64_t lanes) {
            A running[kLanes];
            for (int64_t l = 0; l < lanes; ++l) running[l] = A(start);
            for (int64_t i = 0; i < lines.n; ++i, offset += lines.inner)
                for (int64_t l = 0; l < lanes; ++l) {
                    running[l] = combine(running[l], convert<A>(from[offset + l]));
                    to[offset + l] = convert<T>(running[l]);
                }
        });
    });
    return out;
}

// Whether `next` takes over as the extreme: NaN stays once it is there, later equals win, as in PyTorch.
template <bool is_max, class T>
bool takes_over(T next, T best) {
    return (is_max ? next >= best : next <= best) | (next != next);
}

// One line: new extremes are rare in a long line, so that a branch costs less than to choose for each element.
template <bool is_max, class T>
void running_extreme_of_line(const T* from, T* to, int64_t* where, int64_t n, int64_t step) {
    using C = compute_t<T>;
    T held = from[0];
    C best = convert<C>(held);
    int64_t at = 0;
    for (int64_t i = 0; i < n; ++i) {
        const C next = convert<C>(from[i * step]);
        if (takes_over<is_max>(next, best)) {
            held = from[i * step];
            best = next;
            at = i;
        }
        to[i * step] = held;
        where[i * step] = at;
    }
}

// Neighbouring lines together. The places are as wide as the elements, so that choices between both are vectors.
template <bool is_max, class T>
void running_extreme_of_lines(const T* from, T* to, int64_t* where, int64_t n, int64_t step, int64_t lanes) {
    using C = compute_t<T>;
    using Place = std::conditional_t<sizeof(C) == 8, int64_t, int32_t>;
    C best[kLanes], next[kLanes];
    Place at[kLanes] = {};
    for (int64_t l = 0; l < lanes; ++l) best[l] = convert<C>(from[l]);
    for (int64_t i = 0; i < n; ++i, from += step, to += step, where += step) {
        for (int64_t l = 0; l < lanes; ++l) next[l] = convert<C>(from[l]);
        for (int64_t l = 0; l < lanes; ++l) {
            const bool takes = takes_over<is_max>(next[l], best[l]);
            best[l] = takes ? next[l] : best[l];
            at[l] = takes ? static_cast<Place>(i) : at[l];
        }
        for (int64_t l = 0; l < lanes; ++l) to[l] = convert<T>(best[l]);
        for (int64_t l = 0; l < lanes; ++l) where[l] = at[l];
    }
}

template <bool is_max>
std::tuple<Tensor, Tensor> running_extreme(const Tensor& input, int64_t dim, const char* name) {
    dim = wrap_dim(dim, input.dim());
    TAEDA_CHECK_KIND(NotImplemented, !is_complex(input.dtype()), "\"", name, "_cpu\" not implemented for '", scalar_type_name(input.dtype()), "'");
    Tensor values = result(input.sizes(), input.dtype(), input.device());
    Tensor indices = empty(input.sizes(), DType::Int64, input.device());
    if (values.is_meta()) return {values, indices};
    Tensor source = contiguous(input);
    Lines lines(source, dim);
    if (lines.empty()) return {values, indices};
    constexpr int64_t kFewLanes = 8, kLongest = int64_t{1} << 31;
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (!is_complex_v<T>) {
            lines.for_each_group([&](int64_t offset, int64_t lanes) {
                const T* from = source.data<T>() + offset;
                T* to = values.data<T>() + offset;
                int64_t* where = indices.data<int64_t>() + offset;
                if (lanes >= kFewLanes && lines.n < kLongest) return running_extreme_of_lines<is_max>(from, to, where, lines.n, lines.inner, lanes);
                for (int64_t l = 0; l < lanes; ++l) running_extreme_of_line<is_max>(from + l, to + l, where + l, lines.n, lines.inner);
            });
        }
    });
    return {values, indices};
}

// log(sum(exp(x))) as elements arrive: the largest, and the sum of exponentials relative to it. No exponential waits for the
// one before it, as it would if logarithms were added.
struct RunningLogSum {
    double most = -std::numeric_limits<double>::infinity(), sum = 0;

    void add(double x) {
        if (x < most) {
            sum += std::exp(x - most);
        } else if (x == most) {  // infinities too
            sum += 1;
        } else if (x > most) {
            sum = std::isinf(most) ? 1 : sum * std::exp(most - x) + 1;
            most = x;
        } else {
            most += x;  // a NaN, from here on
        }
    }
    double value() const { return most + std::log(sum); }
};

// log(exp(a) + exp(b)) without overflow; the real parts decide how large the exponentials are.
std::complex<double> log_add_exp(std::complex<double> a, std::complex<double> b) {
    const bool first = std::isnan(a.real()) || a.real() > b.real();
    const std::complex<double> high = first ? a : b, low = first ? b : a;
    if (high.real() == low.real() && std::isinf(high.real())) return high.real() < 0 ? low : std::log(std::exp(low) + std::exp(high));
    return high + std::log(1.0 + std::exp(low - high));
}

}  // namespace

Tensor cumsum(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
    return scan(input, dim, dtype, 0, [](auto a, auto b) { return a + b; });
}

Tensor cumprod(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
    return scan(input, dim, dtype, 1, [](auto a, auto b) { return a * b; });
}

std::tuple<Tensor, Tensor> cummax(const Tensor& input, int64_t dim) { return running_extreme<true>(input, dim, "cummax"); }

std::tuple<Tensor, Tensor> cummin(const Tensor& input, int64_t dim) { return running_extreme<false>(input, dim, "cummin"); }

Tensor logcumsumexp(const Tensor& input, int64_t dim) {
    dim = wrap_dim(dim, input.dim());
    TAEDA_CHECK_KIND(NotImplemented, is_inexact(input.dtype()), "\"logcumsumexp_out_cpu\" not implemented for '", scalar_type_name(input.dtype()),
                     "'");
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta()) return out;
    Tensor source = contiguous(input);
    Lines lines(source, dim);
    if (lines.empty()) return out;
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        const T* from = source.data<T>();
        T* to = out.data<T>();
        if constexpr (is_floating_v<T>) {
            lines.for_each_group([&](int64_t offset, int64_t lanes) {
                RunningLogSum running[kLanes];
                for (int64_t i = 0; i < lines.n; ++i, offset += lines.inner)
                    for (int64_t l = 0; l < lanes; ++l) {
                        running[l].add(convert<double>(from[offset + l]));
                        to[offset + l] = convert<T>(running[l].value());
                    }
            });
        } else if constexpr (is_complex_v<T>) {
            using Wide = std::complex<double>;
            lines.for_each_group([&](int64_t offset, int64_t lanes) {
                Wide running[kLanes];
                for (int64_t l = 0; l < lanes; ++l) running[l] = -std::numeric_limits<double>::infinity();
                for (int64_t i = 0; i < lines.n; ++i, offset += lines.inner)
                    for (int64_t l = 0; l < lanes; ++l) {
                        running[l] = log_add_exp(running[l], convert<Wide>(from[offset + l]));
                        to[offset + l] = convert<T>(running[l]);
                    }
            });
        }
    });
    return out;
}

bool _all_nonzero(const Tensor& input) {
    if (input.is_meta()) return true;
    Tensor source = contiguous(input);
    return visit_dtype(source.dtype(), [&]<class T>(Tag<T>) {
        const T* from = source.data<T>();
        for (int64_t i = 0; i < source.numel(); ++i)
            if (!convert<bool>(from[i])) return false;
        return true;
    });
}

// The gradient of cumprod where the input has zeros, in linear time. With z the first zero of a line: before it, the running
// sum of g * result from the right over the element; at it, the products that skip it; behind it, nothing.
Tensor _cumprod_backward(const Tensor& g, const Tensor& input, const Tensor& product, int64_t dim) {
    dim = wrap_dim(dim, input.dim());
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta()) return out;
    Tensor grads = contiguous(to_dtype(g, input.dtype())), source = contiguous(input), products = contiguous(to_dtype(product, input.dtype()));
    Lines lines(source, dim);
    if (lines.empty()) return out;
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (is_floating_v<T> || is_complex_v<T>) {
            using A = typename ScanAccumulator<T>::t;
            auto value = [](T v) {
                A wide = convert<A>(v);
                if constexpr (is_complex_v<A>) return std::conj(wide);
                else return wide;
            };
            lines.for_each_group([&](int64_t offset, int64_t lanes) {
                for (int64_t l = 0; l < lanes; ++l) {
                    const T *x = source.data<T>() + offset + l, *p = products.data<T>() + offset + l, *up = grads.data<T>() + offset + l;
                    T* to = out.data<T>() + offset + l;
                    int64_t step = lines.inner, z = 0;
                    while (z < lines.n && convert<bool>(x[z * step])) ++z;
                    A sum(0);
                    for (int64_t i = z; i-- > 0;) {
                        sum += convert<A>(up[i * step]) * value(p[i * step]);
                        to[i * step] = convert<T>(sum / value(x[i * step]));
                    }
                    if (z == lines.n) continue;
                    A before = z ? value(p[(z - 1) * step]) : A(1), total(0);
                    for (int64_t i = z; i < lines.n; ++i) {
                        if (i > z) before *= value(x[i * step]);
                        total += convert<A>(up[i * step]) * before;
                    }
                    to[z * step] = convert<T>(total);
                    for (int64_t i = z + 1; i < lines.n; ++i) to[i * step] = convert<T>(A(0));
                }
            });
        }
    });
    return out;
}

Tensor _no_second_derivative(const Tensor&, const std::string& what) { fail(ErrorKind::NotImplemented, "taeda has no second derivative of ", what); }

}  // namespace taeda::cpu
