// Batch norm: each channel is normalised over the batch and all positions. Memory is walked in the order in which it lies,
// channels first (one channel's run after the other) or channels last (rows of channels).
#include <cmath>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/norm.h"
#include "cpu/reduce.h"
#include "cpu/scratch.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kRowBlock = 256;  // rows of channels that are summed together, whatever the number of threads

struct Channels {
    Tensor x;   // contiguous in one of the two orders
    bool last;  // channels last
    MemoryFormat format;
    int64_t n, channels, area;
    int64_t rows() const { return n * area; }
};

MemoryFormat last_format(const Tensor& t) { return t.dim() == 5 ? MemoryFormat::ChannelsLast3d : MemoryFormat::ChannelsLast; }

Tensor in_format(const Tensor& t, MemoryFormat format) {
    if (format == MemoryFormat::Contiguous) return contiguous(t);
    return is_contiguous_as(t, format) ? t : clone(t, format);
}

Channels channels_of(const Tensor& input, DType type) {
    TAEDA_CHECK(input.dim() >= 2, "batch_norm: expected an input of at least 2 dimensions, but got ", input.dim());
    Tensor x = to_dtype(input, type);
    const bool can_be_last = x.dim() == 4 || x.dim() == 5;
    Channels c;
    c.format = can_be_last && !x.is_contiguous() && is_contiguous_as(x, last_format(x)) ? last_format(x) : MemoryFormat::Contiguous;
    c.x = in_format(x, c.format);
    c.n = x.sizes()[0];
    c.channels = x.sizes()[1];
    c.area = 1;
    for (int64_t d = 2; d < x.dim(); ++d) c.area *= x.sizes()[d];
    c.last = c.format != MemoryFormat::Contiguous || c.area == 1;
    return c;
}

Tensor vector_of(const Tensor& t, int64_t channels, DType type, double otherwise) {
    return t.defined() ? contiguous(to_dtype(t, type)) : full(Shape{channels}, otherwise, type);
}

char* at(const Tensor& t, int64_t element) { return static_cast<char*>(t.data()) + element * static_cast<int64_t>(t.item_size()); }

template <class F>
void with_real(DType type, F&& f) {
    if (type == DType::Float64) f(Tag<double>{});
    else f(Tag<float>{});
}

double get(const Tensor& t, int64_t i) { return t.dtype() == DType::Float64 ? t.data<double>()[i] : t.data<float>()[i]; }

// f(first, last): ranges of runs (channels first) or of rows (channels last).
template <class F>
void over_memory(const Channels& c, F&& f) {
    const int64_t pieces = c.last ? c.rows() : c.n * c.channels, each = std::max<int64_t>(1, c.last ? c.channels : c.area);
    ReleaseHostLock unlocked(c.x.numel() >= kGrain);
    parallel_for(0, pieces, std::max<int64_t>(1, kGrain / each), f);
}

// y = x * a + b
void scale_channels(const Channels& c, const Tensor& y, const Tensor& a, const Tensor& b) {
    const NormKernels& kernels = norm_kernels(c.x.dtype());
    over_memory(c, [&](int64_t first, int64_t last) {
        if (c.last)
            return kernels.scale_columns(at(c.x, first * c.channels), at(y, first * c.channels), last - first, c.channels, a.data(), b.data());
        for (int64_t i = first; i < last; ++i)
            kernels.scale(at(c.x, i * c.area), at(y, i * c.area), c.area, get(a, i % c.channels), get(b, i % c.channels));
    });
}

// dx = dy * a + (x - mean) * b + shift
void combine_channels(const Channels& c, const Tensor& dy, const Tensor& dx, const Tensor& mean, const Tensor& a, const Tensor& b,
                      const Tensor& shift) {
    const NormKernels& kernels = norm_kernels(c.x.dtype());
    over_memory(c, [&](int64_t first, int64_t last) {
        if (c.last)
            return kernels.combine_columns(at(c.x, first * c.channels), at(dy, first * c.channels), at(dx, first * c.channels), last - first,
                                           c.channels, mean.data(), a.data(), b.data(), shift.data());
        for (int64_t i = first; i < last; ++i) {
            const int64_t k = i % c.channels;
            kernels.combine(at(c.x, i * c.area), at(dy, i * c.area), at(dx, i * c.area), c.area, get(mean, k), get(a, k), get(b, k), get(shift, k));
        }
    });
}

// For each channel the sums of dy and of dy * (x - mean): sums[2 * channels], the first kind before the second.
void dot_channels(const Channels& c, const Tensor& dy, const Tensor& mean, double* sums) {
    const NormKernels& kernels = norm_kernels(c.x.dtype());
    ReleaseHostLock unlocked(c.x.numel() >= kGrain);
    std::fill(sums, sums + 2 * c.channels, 0.0);
    if (!c.last) {
        parallel_for(0, c.channels, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, c.rows())), [&](int64_t first, int64_t last) {
            for (int64_t k = first; k < last; ++k) {
                double both[2] = {0, 0};
                for (int64_t n = 0; n < c.n; ++n) {
                    const int64_t start = (n * c.channels + k) * c.area;
                    kernels.dot(at(c.x, start), at(dy, start), c.area, get(mean, k), both);
                }
                sums[k] = both[0];
                sums[c.channels + k] = both[1];
            }
        });
        return;
    }
    const int64_t blocks = (c.rows() + kRowBlock - 1) / kRowBlock, width = 2 * c.channels;
    Scratch<double> partial(std::max<int64_t>(1, blocks * width));
    parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const int64_t start = i * kRowBlock * c.channels;
            double* mine = partial.data() + i * width;
            std::fill(mine, mine + width, 0.0);
            kernels.dot_columns(at(c.x, start), at(dy, start), std::min(kRowBlock, c.rows() - i * kRowBlock), c.channels, c.channels, mean.data(),
                                mine, mine + c.channels);
        }
    });
    for (int64_t i = 0; i < blocks; ++i)
        for (int64_t j = 0; j < width; ++j) sums[j] += partial.data()[i * width + j];
}

void check_vector(const Tensor& t, const char* name, int64_t channels) {
    TAEDA_CHECK(!t.defined() || t.numel() == channels, name, " should contain ", channels, " elements not ", t.defined() ? t.numel() : 0);
}

// new = (1 - momentum) * old + momentum * observed, the variance unbiased.
void update_running(const Tensor& running, const Tensor& observed, double momentum, double factor) {
    if (!running.defined()) return;
    const DType type = observed.dtype();
    Tensor updated = contiguous(clone(to_dtype(running, type)));
    with_real(type, [&]<class T>(Tag<T>) {
        for (int64_t k = 0; k < updated.numel(); ++k)
            updated.data<T>()[k] = static_cast<T>((1 - momentum) * updated.data<T>()[k] + momentum * static_cast<T>(observed.data<T>()[k] * factor));
    });
    copy_into(running, updated);
    running.storage()->bump_version();
}

DimMask all_but_channels(const Tensor& t) { return dim_mask_or_all({}, t.dim()) & ~DimMask{2}; }

struct Statistics {
    Tensor mean, invstd;
};

Statistics batch_statistics(const Channels& c, const Tensor& running_mean, const Tensor& running_var, double momentum, double eps) {
    const DType type = c.x.dtype();
    Tensor mean = empty(Shape{c.channels}, type), var = empty(Shape{c.channels}, type);
    run_reduction(Reduction::Moments, c.x, type, all_but_channels(c.x), 0, var, mean);
    const double count = static_cast<double>(c.rows());
    update_running(running_mean, mean, momentum, 1);
    update_running(running_var, var, momentum, count / (count - 1));
    with_real(type, [&]<class T>(Tag<T>) {
        for (int64_t k = 0; k < c.channels; ++k) var.data<T>()[k] = static_cast<T>(1 / std::sqrt(static_cast<double>(var.data<T>()[k]) + eps));
    });
    return {mean, var};
}

Statistics running_statistics(int64_t channels, DType type, const Tensor& running_mean, const Tensor& running_var, double eps) {
    TAEDA_CHECK(running_mean.defined() && running_var.defined(), "running_mean and running_var must be defined in evaluation mode");
    Tensor mean = contiguous(clone(to_dtype(running_mean, type))), invstd = contiguous(clone(to_dtype(running_var, type)));
    with_real(type, [&]<class T>(Tag<T>) {
        for (int64_t k = 0; k < channels; ++k) invstd.data<T>()[k] = static_cast<T>(1 / std::sqrt(static_cast<double>(invstd.data<T>()[k]) + eps));
    });
    return {mean, invstd};
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> _native_batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                                                      const Tensor& running_var, bool training, double momentum, double eps) {
    TAEDA_CHECK_KIND(NotImplemented, is_floating(input.dtype()), "\"batch_norm\" not implemented for '", scalar_type_name(input.dtype()), "'");
    TAEDA_CHECK(input.dim() >= 2, "batch_norm: expected an input of at least 2 dimensions, but got ", input.dim());
    const int64_t channels = input.sizes()[1];
    check_vector(weight, "weight", channels);
    check_vector(bias, "bias", channels);
    check_vector(running_mean, "running_mean", channels);
    check_vector(running_var, "running_var", channels);
    const DType type = norm_compute_type(input.dtype());
    if (input.is_meta()) {
        Tensor stats = empty(Shape{channels}, type, input.device());
        return {empty_like(input), stats, empty(Shape{channels}, type, input.device())};
    }
    const Channels c = channels_of(input, type);
    const Statistics s =
        training ? batch_statistics(c, running_mean, running_var, momentum, eps) : running_statistics(channels, type, running_mean, running_var, eps);
    Tensor a = vector_of(weight, channels, type, 1), b = vector_of(bias, channels, type, 0);
    Tensor factor = empty(Shape{channels}, type), shift = empty(Shape{channels}, type);
    with_real(type, [&]<class T>(Tag<T>) {
        for (int64_t k = 0; k < channels; ++k) {
            factor.data<T>()[k] = a.data<T>()[k] * s.invstd.data<T>()[k];
            shift.data<T>()[k] = b.data<T>()[k] - s.mean.data<T>()[k] * factor.data<T>()[k];
        }
    });
    Tensor y = empty_like(c.x);
    scale_channels(c, y, factor, shift);
    return {to_dtype(y, input.dtype()), s.mean, s.invstd};
}

std::tuple<Tensor, Tensor, Tensor> _batch_norm_backward(const Tensor& grad, const Tensor& input, const Tensor& weight, const Tensor& given_mean,
                                                        const Tensor& given_invstd, bool training, double eps) {
    (void)eps;  // only the derivative of this function needs it
    const int64_t channels = input.sizes()[1];
    const DType type = norm_compute_type(input.dtype()), w_type = weight.defined() ? weight.dtype() : type;
    Tensor dw = empty(Shape{channels}, type, input.device()), db = empty(Shape{channels}, type, input.device());
    if (input.is_meta()) return {empty_like(input), to_dtype(dw, w_type), to_dtype(db, w_type)};
    const Channels c = channels_of(input, type);
    const Tensor dy = in_format(to_dtype(grad, type), c.format), w = vector_of(weight, channels, type, 1);
    // Running averages may be a view, and of another dtype than the sums.
    const Tensor mean = contiguous(to_dtype(given_mean, type)), invstd = contiguous(to_dtype(given_invstd, type));
    Scratch<double> sums(std::max<int64_t>(1, 2 * channels));
    dot_channels(c, dy, mean, sums.data());
    Tensor a = empty(Shape{channels}, type), b = empty(Shape{channels}, type), shift = empty(Shape{channels}, type);
    const double count = static_cast<double>(c.rows());
    with_real(type, [&]<class T>(Tag<T>) {
        for (int64_t k = 0; k < channels; ++k) {
            const double r = get(invstd, k), plain = sums.data()[k], along = sums.data()[channels + k], wk = get(w, k);
            dw.data<T>()[k] = static_cast<T>(along * r);
            db.data<T>()[k] = static_cast<T>(plain);
            a.data<T>()[k] = static_cast<T>(r * wk);
            b.data<T>()[k] = training ? static_cast<T>(-r * r * r * wk * along / count) : T(0);
            shift.data<T>()[k] = training ? static_cast<T>(-r * wk * plain / count) : T(0);
        }
    });
    Tensor dx = empty_like(c.x);
    combine_channels(c, dy, dx, mean, a, b, shift);
    return {to_dtype(dx, input.dtype()), to_dtype(dw, w_type), to_dtype(db, w_type)};
}

}  // namespace taeda::cpu
