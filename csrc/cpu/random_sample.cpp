// Distributions that draw a varying number of times for each element: Poisson, binomial, gamma, Dirichlet; and choices
// among categories (multinomial, randperm).
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cpu/copy.h"
#include "cpu/random.h"

namespace taeda::cpu {

Tensor exponential_(const Tensor& input, double lambd, Generator* generator);

namespace {

// Hoermann's transformed rejection (PTRS) for large rates, products of uniform numbers (Knuth) for small ones.
int64_t poisson_number(double rate, Generator& generator) {
    if (rate == 0) return 0;
    if (rate < 10) {
        const double target = std::exp(-rate);
        double product = 1;
        for (int64_t count = 0;; ++count) {
            product *= generator.uniform_double();
            if (product <= target) return count;
        }
    }
    const double root = std::sqrt(rate), log_rate = std::log(rate);
    const double b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), quick = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        const double u = generator.uniform_double() - 0.5, v = generator.uniform_double(), distance = 0.5 - std::fabs(u);
        const int64_t k = static_cast<int64_t>(std::floor((2 * a / distance + b) * u + rate + 0.43));
        if (distance >= 0.07 && v <= quick) return k;
        if (k < 0 || (distance < 0.013 && v > distance)) continue;
        const double count = static_cast<double>(k);
        if (std::log(v) + std::log(inverse_alpha) - std::log(a / (distance * distance) + b) <= -rate + count * log_rate - std::lgamma(count + 1))
            return k;
    }
}

// log(k!) minus Stirling's formula.
template <class T>
T stirling_rest(T k) {
    static constexpr T kFirst[] = {T(0.0810614667953272),  T(0.0413406959554092), T(0.0276779256849983), T(0.0207906721037650),
                                   T(0.0166446911898211),  T(0.0138761288230707), T(0.0118967099458917), T(0.0104112652619720),
                                   T(0.00925546218271273), T(0.00833056343336287)};
    if (k <= 9) return kFirst[static_cast<size_t>(k)];
    T square = (k + 1) * (k + 1);
    return (T(1.0 / 12) - (T(1.0 / 360) - T(1.0 / 1260) / square) / square) / (k + 1);
}

// Adds up waiting times until they exceed the count: for few expected successes.
template <class T>
T binomial_by_waiting(T count, T p, Generator& generator) {
    const T log_miss = std::log1p(-p);
    T waited = 0, successes = 0;
    for (;;) {
        T u = static_cast<T>(generator.uniform_double());
        waited += std::ceil(std::log(u) / log_miss);
        if (waited > count) return successes;
        successes += 1;
    }
}

// Hoermann's transformed rejection with squeeze (BTRS), for p <= 1/2 and count * p >= 10.
template <class T>
T binomial_by_rejection(T count, T p, Generator& generator) {
    const T deviation = std::sqrt(count * p * (1 - p));
    const T b = T(1.15) + T(2.53) * deviation, a = T(-0.0873) + T(0.0248) * b + T(0.01) * p, c = count * p + T(0.5);
    const T quick = T(0.92) - T(4.2) / b, r = p / (1 - p), alpha = (T(2.83) + T(5.1) / b) * deviation;
    const T m = std::floor((count + 1) * p);
    for (;;) {
        const T u = static_cast<T>(generator.uniform_double()) - T(0.5);
        T v = static_cast<T>(generator.uniform_double());
        const T distance = T(0.5) - std::fabs(u), k = std::floor((2 * a / distance + b) * u + c);
        if (distance >= T(0.07) && v <= quick) return k;
        if (k < 0 || k > count) continue;
        v = std::log(v * alpha / (a / (distance * distance) + b));
        const T bound = (m + T(0.5)) * std::log((m + 1) / (r * (count - m + 1))) + (count + 1) * std::log((count - m + 1) / (count - k + 1)) +
                        (k + T(0.5)) * std::log(r * (count - k + 1) / (k + 1)) + stirling_rest(m) + stirling_rest(count - m) - stirling_rest(k) -
                        stirling_rest(count - k);
        if (v <= bound) return k;
    }
}

template <class T>
T binomial_number(T count, T p, Generator& generator) {
    if (std::isnan(count) || std::isnan(p)) return std::numeric_limits<T>::quiet_NaN();
    if (count <= 0 || p <= 0) return 0;
    if (p >= 1 || std::isinf(count)) return count;
    const bool mirrored = p > T(0.5);
    const T q = mirrored ? 1 - p : p;
    const T drawn = count * q >= 10 ? binomial_by_rejection(count, q, generator) : binomial_by_waiting(count, q, generator);
    return mirrored ? count - drawn : drawn;
}

// Marsaglia and Tsang; a shape below 1 is drawn one higher and scaled back.
double gamma_number(double shape, Generator& generator) {
    double scale = 1;
    if (shape < 1) {
        if (shape == 0) return 0;
        scale = std::pow(1 - generator.uniform_double(), 1 / shape);
        shape += 1;
    }
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
        double x, y;
        do {
            x = generator.normal();
            y = 1 + c * x;
        } while (y <= 0);
        const double v = y * y * y, u = 1 - generator.uniform_double(), xx = x * x;
        if (u < 1 - 0.0331 * xx * xx || std::log(u) < 0.5 * xx + d * (1 - v + std::log(v))) return scale * d * v;
    }
}

template <class F>
void visit_float_or_double(const char* name, DType dtype, F&& f) {
    TAEDA_CHECK_KIND(NotImplemented, dtype == DType::Float32 || dtype == DType::Float64, '"', name, "\" not implemented for '",
                     scalar_type_name(dtype), "'");
    dtype == DType::Float32 ? f(Tag<float>{}) : f(Tag<double>{});
}

// ---- choices

void check_probabilities(const Tensor& p, int64_t n_samples, bool replacement) {
    TAEDA_CHECK(is_floating(p.dtype()), "multinomial only supports floating-point dtypes for input, got: ", scalar_type_name(p.dtype()));
    TAEDA_CHECK(p.dim() == 1 || p.dim() == 2, "prob_dist must be 1 or 2 dim");
    TAEDA_CHECK(n_samples > 0, "cannot sample n_sample <= 0 samples");
    TAEDA_CHECK(replacement || n_samples <= p.size(-1), "cannot sample n_sample > prob_dist.size(-1) samples without replacement");
    TAEDA_CHECK(p.size(-1) <= (1 << 24), "number of categories cannot exceed 2^24");
}

// Every row's sum must be positive and its elements finite and not negative.
template <class T>
void check_rows(const T* data, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) {
            double value = convert<double>(data[r * n + i]);
            TAEDA_CHECK(value >= 0 && std::isfinite(value), "probability tensor contains either `inf`, `nan` or element < 0");
            sum += value;
        }
        TAEDA_CHECK(sum > 0, "invalid multinomial distribution (sum of probabilities <= 0)");
    }
}

// The largest quotients of probability and exponential numbers are a sample without replacement (a race of clocks).
template <class T>
void race(const T* p, const T* clocks, int64_t n, int64_t n_samples, int64_t* out, std::vector<int64_t>& order, std::vector<compute_t<T>>& score) {
    for (int64_t i = 0; i < n; ++i) score[i] = convert<compute_t<T>>(convert<T>(convert<compute_t<T>>(p[i]) / convert<compute_t<T>>(clocks[i])));
    std::iota(order.begin(), order.end(), 0);
    auto ahead = [&](int64_t a, int64_t b) { return score[a] > score[b] || (score[a] == score[b] && a < b); };
    std::partial_sort(order.begin(), order.begin() + n_samples, order.end(), ahead);
    std::copy_n(order.begin(), n_samples, out);
}

// One uniform number for each sample, looked up in the running sums.
template <class T>
void look_up(const T* p, int64_t n, int64_t n_samples, int64_t* out, std::vector<compute_t<T>>& sums, Generator& generator) {
    compute_t<T> sum = 0;
    for (int64_t i = 0; i < n; ++i) sums[i] = sum += convert<compute_t<T>>(p[i]);
    for (int64_t i = 0; i < n; ++i) sums[i] /= sum;
    for (int64_t i = 0; i < n_samples; ++i) {
        const double u = generator.uniform_double();
        out[i] = std::lower_bound(sums.begin(), sums.end(), u, [](compute_t<T> s, double v) { return static_cast<double>(s) < v; }) - sums.begin();
        out[i] = std::min(out[i], n - 1);
    }
}

}  // namespace

Tensor poisson(const Tensor& input, Generator* generator) {
    Tensor out = empty_like(input);
    Generator& source = generator_or_default(generator);
    visit_floating("poisson_cpu", input.dtype(), [&]<class T>(Tag<T>) {
        if (out.is_meta()) return;
        draw_each_from<T, T>(out, input, [&](T rate) {
            TAEDA_CHECK(convert<double>(rate) >= 0, "invalid Poisson rate, expected rate to be non-negative");
            return convert<T>(poisson_number(convert<double>(rate), source));
        });
    });
    return out;
}

Tensor binomial(const Tensor& count, const Tensor& prob, Generator* generator) {
    TAEDA_CHECK_KIND(Value, is_floating(count.dtype()),
                     "binomial only supports floating-point dtypes for count, got: ", scalar_type_name(count.dtype()));
    TAEDA_CHECK_KIND(Value, is_floating(prob.dtype()),
                     "binomial only supports floating-point dtypes for prob, got: ", scalar_type_name(prob.dtype()));
    TAEDA_CHECK(count.dtype() == prob.dtype(), "Found dtype ", scalar_type_name(prob.dtype()), " but expected ", scalar_type_name(count.dtype()));
    Shape shape = broadcast_shapes(count.sizes(), prob.sizes());
    Tensor out = empty(shape, count.dtype(), count.device());
    Generator& source = generator_or_default(generator);
    visit_float_or_double("binomial_cpu", count.dtype(), [&]<class T>(Tag<T>) {
        if (out.is_meta()) return;
        Tensor operands[3] = {out, expand_to(count, shape), expand_to(prob, shape)};
        LoopPlan plan = plan_loop(shape, operands);
        plan.for_each_run(0, plan.numel, [&](char* const* at, int64_t n) {
            auto element = [&](int k, int64_t i) { return reinterpret_cast<T*>(at[k] + i * plan.byte_strides[k][0]); };
            for (int64_t i = 0; i < n; ++i) *element(0, i) = binomial_number(*element(1, i), *element(2, i), source);
        });
    });
    return out;
}

Tensor _standard_gamma(const Tensor& input, Generator* generator) {
    Tensor out = empty_like(input);
    Generator& source = generator_or_default(generator);
    visit_float_or_double("gamma_cpu", input.dtype(), [&]<class T>(Tag<T>) {
        if (out.is_meta()) return;
        draw_each_from<T, T>(out, input, [&](T shape) {
            return std::max(std::numeric_limits<T>::min(), static_cast<T>(gamma_number(static_cast<double>(shape), source)));
        });
    });
    return out;
}

Tensor _sample_dirichlet(const Tensor& input, Generator* generator) {
    Tensor out = taeda::empty(input.sizes(), input.dtype(), input.device());
    Generator& source = generator_or_default(generator);
    visit_float_or_double("dirichlet", input.dtype(), [&]<class T>(Tag<T>) {
        if (out.is_meta() || out.numel() == 0) return;
        Tensor shapes = contiguous(input);
        const int64_t n = input.dim() ? input.size(-1) : 1;
        std::vector<double> drawn(static_cast<size_t>(n));
        for (int64_t start = 0; start < input.numel(); start += n) {
            double sum = 0;
            for (int64_t i = 0; i < n; ++i) sum += drawn[i] = gamma_number(static_cast<double>(shapes.data<T>()[start + i]), source);
            for (int64_t i = 0; i < n; ++i)
                out.data<T>()[start + i] = std::clamp(static_cast<T>(drawn[i] / sum), std::numeric_limits<T>::min(), std::nextafter(T(1), T(0)));
        }
    });
    return out;
}

Tensor multinomial(const Tensor& input, int64_t num_samples, bool replacement, Generator* generator) {
    check_probabilities(input, num_samples, replacement);
    Shape sizes = input.sizes();
    sizes.back() = num_samples;
    Tensor out = result(sizes, DType::Int64, input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const int64_t n = input.size(-1), rows = input.dim() == 2 ? input.size(0) : 1;
    TAEDA_CHECK(n > 0, "cannot sample from no categories");
    Tensor p = contiguous(input);
    visit_floating("multinomial", input.dtype(), [&]<class T>(Tag<T>) {
        check_rows(p.data<T>(), rows, n);
        std::vector<compute_t<T>> numbers(static_cast<size_t>(n));
        if (replacement && num_samples > 1) {
            for (int64_t r = 0; r < rows; ++r)
                look_up(p.data<T>() + r * n, n, num_samples, out.data<int64_t>() + r * num_samples, numbers, generator_or_default(generator));
            return;
        }
        Tensor clocks = contiguous(exponential_(empty_like(input), 1, generator));
        std::vector<int64_t> order(static_cast<size_t>(n));
        for (int64_t r = 0; r < rows; ++r)
            race(p.data<T>() + r * n, clocks.data<T>() + r * n, n, num_samples, out.data<int64_t>() + r * num_samples, order, numbers);
    });
    return out;
}

Tensor randperm(int64_t n, Generator* generator, std::optional<DType> dtype, std::optional<Device> device) {
    TAEDA_CHECK(n >= 0, "Trying to create tensor with negative dimension ", n, ": [", n, "]");
    const DType type = dtype.value_or(DType::Int64);
    TAEDA_CHECK_KIND(NotImplemented, !is_complex(type) && !is_bool(type) && (type < DType::UInt16 || type > DType::UInt64),
                     "\"randperm\" not implemented for '", scalar_type_name(type), "'");
    const int64_t sizes[1] = {n};
    Tensor out = result(sizes, type, device.value_or(Device{}));
    if (out.is_meta()) return out;
    Generator& source = generator_or_default(generator);
    visit_dtype(type, [&]<class T>(Tag<T>) {
        if constexpr (std::is_integral_v<T> && sizeof(T) < 8)
            TAEDA_CHECK(n - 1 <= static_cast<int64_t>(std::numeric_limits<T>::max()), "value cannot be converted to type ", dtype_name(type),
                        "_t without overflow");
        T* data = out.data<T>();
        for (int64_t i = 0; i < n; ++i) data[i] = convert<T>(i);
        const bool wide = n >= std::numeric_limits<uint32_t>::max() / 20;  // the remainder of 32 bits would be biased
        for (int64_t i = 0; i + 1 < n; ++i) {
            const uint64_t rest = static_cast<uint64_t>(n - i);
            const int64_t pick = static_cast<int64_t>((wide ? source.random64() : source.random()) % rest);
            std::swap(data[i], data[i + pick]);
        }
    });
    return out;
}

}  // namespace taeda::cpu
