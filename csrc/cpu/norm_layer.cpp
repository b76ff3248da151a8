// Layer norm and group norm: each row of memory is normalised by its own mean and variance.
#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/norm.h"
#include "cpu/pointwise.h"
#include "cpu/scratch.h"
#include "cpu/stream.h"
#include "pointwise_rows.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kGrain = 16384;    // elements that are worth a thread
constexpr int64_t kGradChunks = 32;  // partial sums of the gradients of weight and bias: a number that no thread count changes

// A contiguous tensor of the compute type, or an undefined one.
Tensor prepared(const Tensor& t, DType type) { return t.defined() ? contiguous(to_dtype(t, type)) : Tensor(); }
char* bytes(const Tensor& t) { return t.defined() ? static_cast<char*>(t.data()) : nullptr; }

struct Rows {
    int64_t count = 1, size = 1;
};

Rows layer_rows(const Tensor& input, IntList normalized_shape, const Tensor& weight, const Tensor& bias) {
    const int64_t n = static_cast<int64_t>(normalized_shape.size()), lead = input.dim() - n;
    TAEDA_CHECK(n >= 1, "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = ",
                shape_text(normalized_shape));
    TAEDA_CHECK(!weight.defined() || std::ranges::equal(weight.sizes(), normalized_shape),
                "Expected weight to be of same shape as normalized_shape, but got weight of shape ",
                weight.defined() ? shape_text(weight.sizes()) : "", " and normalized_shape = ", shape_text(normalized_shape));
    TAEDA_CHECK(!bias.defined() || std::ranges::equal(bias.sizes(), normalized_shape),
                "Expected bias to be of same shape as normalized_shape, but got bias of shape ", bias.defined() ? shape_text(bias.sizes()) : "",
                " and normalized_shape = ", shape_text(normalized_shape));
    TAEDA_CHECK(lead >= 0 && std::ranges::equal(IntList(input.sizes()).subspan(lead), normalized_shape),
                "Given normalized_shape=", shape_text(normalized_shape), ", expected input with shape [*, ", shape_text(normalized_shape).substr(1),
                ", but got input of size", shape_text(input.sizes()));
    Rows rows;
    for (int64_t d = 0; d < input.dim(); ++d) (d < lead ? rows.count : rows.size) *= input.sizes()[d];
    return rows;
}

void require_float(const Tensor& input, const char* name) {
    TAEDA_CHECK_KIND(NotImplemented, is_floating(input.dtype()), "\"", name, "\" not implemented for '", scalar_type_name(input.dtype()), "'");
}

// Where `moments` are kept for the caller: float64 for float64, else float32.
void keep(const Tensor& t, int64_t i, double value) {
    if (!t.defined()) return;
    if (t.dtype() == DType::Float64) t.data<double>()[i] = value;
    else t.data<float>()[i] = static_cast<float>(value);
}
double kept(const Tensor& t, int64_t i) { return t.dtype() == DType::Float64 ? t.data<double>()[i] : t.data<float>()[i]; }

void layer_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y, Rows rows, double eps, bool center, const Tensor& mean,
                   const Tensor& rstd) {
    const NormKernels& kernels = norm_kernels(x.dtype());
    const int64_t step = rows.size * static_cast<int64_t>(x.item_size());
    ReleaseHostLock unlocked(x.numel() >= kGrain);
    parallel_for(0, rows.count, std::max<int64_t>(1, kGrain / std::max<int64_t>(rows.size, 1)), [&](int64_t first, int64_t last) {
        const RowSink sink(rows.count * step, step);
        for (int64_t i = first; i < last; ++i) {
            NormMoments m = kernels.moments(bytes(x) + i * step, rows.size, eps, center);
            char* row = bytes(y) + i * step;
            kernels.normalize(bytes(x) + i * step, bytes(weight), bytes(bias), sink.begin(row), rows.size, m);
            sink.end(row);
            keep(mean, i, m.mean);
            keep(rstd, i, m.rstd);
        }
    });
}

// Sums the partial rows of [chunks, n] into the first one.
template <class C>
void add_chunks(C* partial, int64_t chunks, int64_t stride, int64_t n) {
    for (int64_t width = 1; width < chunks; width *= 2)
        for (int64_t i = 0; i + width < chunks; i += 2 * width)
            for (int64_t j = 0; j < n; ++j) partial[i * stride + j] += partial[(i + width) * stride + j];
}

void layer_backward(const Tensor& x, const Tensor& dy, const Tensor& weight, const Tensor& dx, const Tensor& dw, const Tensor& db, Rows rows,
                    double eps, bool center) {
    const NormKernels& kernels = norm_kernels(x.dtype());
    const int64_t item = static_cast<int64_t>(x.item_size()), step = rows.size * item;
    const int64_t per_chunk =
        std::max<int64_t>((rows.count + kGradChunks - 1) / kGradChunks, std::max<int64_t>(1, kGrain / std::max<int64_t>(rows.size, 1)));
    const int64_t chunks = (rows.count + per_chunk - 1) / per_chunk;
    const bool with_grads = dw.defined();
    Scratch<char> partial(with_grads ? chunks * 2 * step : 0);
    ReleaseHostLock unlocked(x.numel() >= kGrain);
    parallel_for(0, chunks, 1, [&](int64_t first, int64_t last) {
        const RowSink sink(rows.count * step, step);
        for (int64_t c = first; c < last; ++c) {
            char* dw_part = with_grads ? partial.data() + c * 2 * step : nullptr;
            char* db_part = with_grads ? dw_part + step : nullptr;
            if (with_grads) std::memset(dw_part, 0, static_cast<size_t>(2 * step));
            for (int64_t i = c * per_chunk; i < std::min(rows.count, (c + 1) * per_chunk); ++i) {
                char* row = bytes(dx) + i * step;
                kernels.layer_backward(bytes(x) + i * step, bytes(dy) + i * step, bytes(weight), sink.begin(row), dw_part, db_part, rows.size,
                                       kernels.moments(bytes(x) + i * step, rows.size, eps, center), center);
                sink.end(row);
            }
        }
    });
    if (!with_grads) return;
    if (chunks == 0) {
        fill_zero(dw);
        return fill_zero(db);
    }
    if (item == 8) add_chunks(reinterpret_cast<double*>(partial.data()), chunks, 2 * rows.size, 2 * rows.size);
    else add_chunks(reinterpret_cast<float*>(partial.data()), chunks, 2 * rows.size, 2 * rows.size);
    std::memcpy(dw.data(), partial.data(), static_cast<size_t>(step));
    std::memcpy(db.data(), partial.data() + step, static_cast<size_t>(step));
}

Shape stats_shape(const Tensor& input, int64_t n_normalized) {
    Shape shape(input.sizes());
    for (int64_t d = input.dim() - n_normalized; d < input.dim(); ++d) shape[d] = 1;
    return shape;
}

}  // namespace

// ---- layer norm and root mean square norm

namespace {

Tensor layer_like(const Tensor& input, IntList normalized_shape, const Tensor& weight, const Tensor& bias, double eps, bool center,
                  const Tensor& mean, const Tensor& rstd) {
    const Rows rows = layer_rows(input, normalized_shape, weight, bias);
    require_float(input, "LayerNormKernelImpl");
    const DType type = norm_compute_type(input.dtype());
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta()) return out;
    Tensor y = out.dtype() == type ? out : empty(out.sizes(), type);
    layer_forward(prepared(input, type), prepared(weight, type), prepared(bias, type), y, rows, eps, center, mean, rstd);
    if (!y.is_same(out)) copy_into(out, y);
    return out;
}

double machine_epsilon(DType t) { return t == DType::Float64 ? 0x1p-52 : t == DType::Float16 ? 0x1p-10 : t == DType::BFloat16 ? 0x1p-7 : 0x1p-23; }

}  // namespace

Tensor layer_norm(const Tensor& input, IntList normalized_shape, const Tensor& weight, const Tensor& bias, double eps, bool) {
    return layer_like(input, normalized_shape, weight, bias, eps, true, {}, {});
}

std::tuple<Tensor, Tensor, Tensor> native_layer_norm(const Tensor& input, IntList normalized_shape, const Tensor& weight, const Tensor& bias,
                                                     double eps) {
    const DType type = norm_compute_type(input.dtype());
    layer_rows(input, normalized_shape, weight, bias);
    const Shape shape = stats_shape(input, static_cast<int64_t>(normalized_shape.size()));
    Tensor mean = empty(shape, type, input.device()), rstd = empty(shape, type, input.device());
    Tensor out = layer_like(input, normalized_shape, weight, bias, eps, true, mean, rstd);
    // The statistics have the dtype of the parameters: float32 beside halves where those are.
    const DType kept_as = weight.defined() ? weight.dtype() : bias.defined() ? bias.dtype() : input.dtype();
    return {out, to_dtype(mean, kept_as), to_dtype(rstd, kept_as)};
}

Tensor rms_norm(const Tensor& input, IntList normalized_shape, const Tensor& weight, std::optional<double> eps) {
    return layer_like(input, normalized_shape, weight, {}, eps.value_or(machine_epsilon(input.dtype())), false, {}, {});
}

namespace {

std::tuple<Tensor, Tensor, Tensor> layer_like_backward(const Tensor& grad, const Tensor& input, IntList normalized_shape, const Tensor& weight,
                                                       bool affine, double eps, bool center) {
    const Rows rows = layer_rows(input, normalized_shape, weight, {});
    const DType type = norm_compute_type(input.dtype()), w_type = weight.defined() ? weight.dtype() : input.dtype();
    Tensor dx = result(input.sizes(), type, input.device());
    Tensor dw = empty(normalized_shape, type, input.device()), db = empty(normalized_shape, type, input.device());
    if (!dx.is_meta()) {
        layer_backward(prepared(input, type), prepared(grad, type), prepared(weight, type), dx, affine ? dw : Tensor(), affine ? db : Tensor(), rows,
                       eps, center);
        if (!affine) {
            fill_zero(dw);
            fill_zero(db);
        }
    }
    return {to_dtype(dx, input.dtype()), to_dtype(dw, w_type), to_dtype(db, w_type)};
}

}  // namespace

std::tuple<Tensor, Tensor, Tensor> _layer_norm_backward(const Tensor& grad, const Tensor& input, IntList normalized_shape, const Tensor& weight,
                                                        bool affine, double eps) {
    return layer_like_backward(grad, input, normalized_shape, weight, affine, eps, true);
}

std::tuple<Tensor, Tensor> _rms_norm_backward(const Tensor& grad, const Tensor& input, IntList normalized_shape, const Tensor& weight, bool affine,
                                              std::optional<double> eps) {
    auto [dx, dw, db] = layer_like_backward(grad, input, normalized_shape, weight, affine, eps.value_or(machine_epsilon(input.dtype())), false);
    return {dx, dw};
}

Tensor _add_epsilon(const Tensor& input, std::optional<double> eps) {
    Operand operands[2];
    operands[0].tensor = &input;
    operands[1].number = Scalar(eps.value_or(machine_epsilon(input.dtype())));
    Attributes alpha{};
    alpha.complex[0] = alpha.real[0] = 1;
    alpha.integer[0] = 1;
    return run_pointwise(pointwise_op(row::add).forward, operands, alpha);
}

// ---- group norm: the same rows, with one weight for each channel

namespace {

struct Groups {
    int64_t n, channels, groups, area;
};

Groups groups_of(const Tensor& input, int64_t num_groups, const Tensor& weight, const Tensor& bias) {
    TAEDA_CHECK(input.dim() >= 2, "Expected at least 2 dimensions for input tensor but received ", input.dim());
    TAEDA_CHECK(num_groups > 0, "Expected num groups to be greater than 0, got ", num_groups);
    const int64_t channels = input.sizes()[1];
    TAEDA_CHECK(channels % num_groups == 0, "Expected number of channels in input to be divisible by num_groups, but got input of shape ",
                shape_text(input.sizes()), " and num_groups=", num_groups);
    for (const Tensor* t : {&weight, &bias})
        TAEDA_CHECK(!t->defined() || (t->dim() == 1 && t->numel() == channels), "Expected ", t == &weight ? "weight" : "bias",
                    " to be a vector of size equal to the number of channels in input, but got ", t == &weight ? "weight" : "bias", " of shape ",
                    t->defined() ? shape_text(t->sizes()) : "", " and input of shape ", shape_text(input.sizes()));
    int64_t area = 1;
    for (int64_t d = 2; d < input.dim(); ++d) area *= input.sizes()[d];
    return {input.sizes()[0], channels, num_groups, area};
}

double value_or(const Tensor& t, int64_t i, double otherwise) { return t.defined() ? kept(t, i) : otherwise; }

// y = x * (rstd * w) + (b - mean * rstd * w), one channel at a time.
void group_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y, const Groups& s, double eps) {
    if (x.numel() == 0) return;  // no channels can be any number of groups
    const NormKernels& kernels = norm_kernels(x.dtype());
    const int64_t per_group = s.channels / s.groups, run = s.area * static_cast<int64_t>(x.item_size());
    ReleaseHostLock unlocked(x.numel() >= kGrain);
    parallel_for(0, s.n * s.groups, std::max<int64_t>(1, kGrain / std::max<int64_t>(per_group * s.area, 1)), [&](int64_t first, int64_t last) {
        for (int64_t g = first; g < last; ++g) {
            const int64_t start = g * per_group * run;
            NormMoments m = kernels.moments(bytes(x) + start, per_group * s.area, eps, true);
            for (int64_t k = 0; k < per_group; ++k) {
                const int64_t c = g % s.groups * per_group + k;
                const double a = m.rstd * value_or(weight, c, 1), b = value_or(bias, c, 0) - m.mean * a;
                kernels.scale(bytes(x) + start + k * run, bytes(y) + start + k * run, s.area, a, b);
            }
        }
    });
}

// sums: [n * channels, 2] with the sums of dy and of dy * xhat of each channel of each sample.
void group_backward(const Tensor& x, const Tensor& dy, const Tensor& weight, const Tensor& dx, double* sums, const Groups& s, double eps) {
    if (x.numel() == 0) {
        std::fill_n(sums, 2 * s.n * s.channels, 0.0);
        return;
    }
    const NormKernels& kernels = norm_kernels(x.dtype());
    const int64_t per_group = s.channels / s.groups, run = s.area * static_cast<int64_t>(x.item_size());
    const double count = static_cast<double>(per_group * s.area);
    ReleaseHostLock unlocked(x.numel() >= kGrain);
    parallel_for(0, s.n * s.groups, std::max<int64_t>(1, kGrain / std::max<int64_t>(per_group * s.area, 1)), [&](int64_t first, int64_t last) {
        for (int64_t g = first; g < last; ++g) {
            const int64_t start = g * per_group * run;
            const NormMoments m = kernels.moments(bytes(x) + start, per_group * s.area, eps, true);
            const double r = m.rstd;
            double plain = 0, along = 0;
            for (int64_t k = 0; k < per_group; ++k) {
                const double w = value_or(weight, g % s.groups * per_group + k, 1);
                double* of_channel = sums + 2 * (g * per_group + k);
                of_channel[0] = of_channel[1] = 0;
                kernels.dot(bytes(x) + start + k * run, bytes(dy) + start + k * run, s.area, m.mean, of_channel);
                of_channel[1] *= r;
                plain += w * of_channel[0];
                along += w * of_channel[1];
            }
            for (int64_t k = 0; k < per_group; ++k) {
                const double w = value_or(weight, g % s.groups * per_group + k, 1);
                kernels.combine(bytes(x) + start + k * run, bytes(dy) + start + k * run, bytes(dx) + start + k * run, s.area, m.mean, r * w,
                                -r * r * along / count, -r * plain / count);
            }
        }
    });
}

}  // namespace

Tensor group_norm(const Tensor& input, int64_t num_groups, const Tensor& weight, const Tensor& bias, double eps, bool) {
    const Groups s = groups_of(input, num_groups, weight, bias);
    require_float(input, "GroupNormKernelImpl");
    const DType type = norm_compute_type(input.dtype());
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta()) return out;
    Tensor y = out.dtype() == type ? out : empty(out.sizes(), type);
    group_forward(prepared(input, type), prepared(weight, type), prepared(bias, type), y, s, eps);
    if (!y.is_same(out)) copy_into(out, y);
    return out;
}

std::tuple<Tensor, Tensor, Tensor> _group_norm_backward(const Tensor& grad, const Tensor& input, int64_t num_groups, const Tensor& weight,
                                                        double eps) {
    const Groups s = groups_of(input, num_groups, weight, {});
    const DType type = norm_compute_type(input.dtype());
    Tensor dx = result(input.sizes(), type, input.device());
    const Shape channels{s.channels};
    Tensor dw = empty(channels, type, input.device()), db = empty(channels, type, input.device());
    const DType w_type = weight.defined() ? weight.dtype() : input.dtype();
    if (!dx.is_meta()) {
        Scratch<double> sums(2 * std::max<int64_t>(1, s.n * s.channels));
        group_backward(prepared(input, type), prepared(grad, type), prepared(weight, type), dx, sums.data(), s, eps);
        for (int64_t c = 0; c < s.channels; ++c) {
            double of_weight = 0, of_bias = 0;
            for (int64_t n = 0; n < s.n; ++n) {
                of_bias += sums.data()[2 * (n * s.channels + c)];
                of_weight += sums.data()[2 * (n * s.channels + c) + 1];
            }
            keep(dw, c, of_weight);
            keep(db, c, of_bias);
        }
    }
    return {to_dtype(dx, input.dtype()), to_dtype(dw, w_type), to_dtype(db, w_type)};
}

}  // namespace taeda::cpu
