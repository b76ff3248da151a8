// Filling tensors with random numbers in place: uniform, normal, integers, Bernoulli, and the distributions that are one
// formula of a uniform or a normal number.
#include "cpu/random.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "cpu/copy.h"
#include "cpu/pointwise_detail.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr double kTwoPi = 6.28318530717958647692;

// Whether there is anything to draw; checks that elements do not share memory.
bool wants_draws(const Tensor& t) {
    check_writable(t);
    return !t.is_meta() && t.numel() > 0;
}

// ---- normal

// What Box and Muller make of 16 uniform numbers, in double.
void normal_block(double* data, double mean, double std) {
    for (int i = 0; i < 8; ++i) {
        double radius = std::sqrt(-2 * std::log(1 - data[i])), angle = kTwoPi * data[i + 8];
        data[i] = radius * std::cos(angle) * std + mean;
        data[i + 8] = radius * std::sin(angle) * std + mean;
    }
}
void normal_block(float* data, double mean, double std) { random_table().normal_blocks(data, 1, static_cast<float>(mean), static_cast<float>(std)); }

void draw_uniform(float* data, int64_t n, Generator& generator) {
    for (int64_t i = 0; i < n; ++i) data[i] = generator.uniform_float();
}
void draw_uniform(double* data, int64_t n, Generator& generator) {
    for (int64_t i = 0; i < n; ++i) data[i] = generator.uniform_double();
}

// 16 and more elements: all uniform numbers first, then block by block; the last block overlaps its neighbour and is
// drawn anew.
template <class T>
void normal_blocks(T* data, int64_t n, double mean, double std, Generator& generator) {
    draw_uniform(data, n, generator);
    if constexpr (std::is_same_v<T, float>) {
        random_table().normal_blocks(data, n / 16, static_cast<float>(mean), static_cast<float>(std));
    } else {
        for (int64_t i = 0; i + 16 <= n; i += 16) normal_block(data + i, mean, std);
    }
    if (n % 16) {
        draw_uniform(data + n - 16, 16, generator);
        normal_block(data + n - 16, mean, std);
    }
}

// The half types draw block by block and keep one in float, so that the part of the last block that is drawn anew is
// never drawn before.
template <class T>
void normal_blocks_of_half(T* data, int64_t n, double mean, double std, Generator& generator) {
    float block[16];
    auto put = [&](int64_t at) {
        draw_uniform(block, 16, generator);
        normal_block(block, mean, std);
        for (int i = 0; i < 16; ++i) data[at + i] = convert<T>(block[i]);
    };
    for (int64_t i = 0; i + 16 <= n; i += 16) put(i);
    if (n % 16) put(n - 16);
}

void normal_fill(const Tensor& t, double mean, double std, Generator& generator) {
    visit_floating("normal_kernel_cpu", t.dtype(), [&]<class T>(Tag<T>) {
        if (t.numel() >= 16 && t.is_contiguous()) {
            if constexpr (is_half_v<T>) normal_blocks_of_half(t.data<T>(), t.numel(), mean, std, generator);
            else normal_blocks(t.data<T>(), t.numel(), mean, std, generator);
            return;
        }
        draw_each<T>(t, [&] { return convert<T>(generator.normal() * std + mean); });
    });
}

// ---- integers

// Ranges from 2^28 on take 64 bits of the generator, so that the remainder stays close to uniform.
template <class F>
void draw_integers(const Tensor& t, bool wide, Generator& generator, F&& number) {
    visit_dtype(t.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (is_complex_v<T>) {
            fail(ErrorKind::NotImplemented, "\"random_kernel_cpu\" not implemented for '", scalar_type_name(t.dtype()), "'");
        } else if (wide) {
            draw_each<T>(t, [&] { return convert<T>(number(generator.random64())); });
        } else {
            draw_each<T>(t, [&] { return convert<T>(number(generator.random())); });
        }
    });
}

struct Limits {
    double low, high;
};
Limits limits_of(DType dtype) {
    return visit_dtype(dtype, [&]<class T>(Tag<T>) -> Limits {
        if constexpr (std::is_same_v<T, Half>) return {-65504, 65504};
        else if constexpr (std::is_same_v<T, BFloat16>) return {-3.3895313892515355e38, 3.3895313892515355e38};
        else if constexpr (is_complex_v<T>) return {-std::numeric_limits<double>::max(), std::numeric_limits<double>::max()};
        else return {static_cast<double>(std::numeric_limits<T>::lowest()), static_cast<double>(std::numeric_limits<T>::max())};
    });
}

// The C++ names that PyTorch's messages have.
const char* c_name(DType dtype) {
    static constexpr const char* kNames[kDTypeCount] = {"bool",
                                                        "unsigned char",
                                                        "signed char",
                                                        "short int",
                                                        "int",
                                                        "long int",
                                                        "short unsigned int",
                                                        "unsigned int",
                                                        "long unsigned int",
                                                        "c10::Half",
                                                        "c10::BFloat16",
                                                        "float",
                                                        "double",
                                                        "c10::complex<float>",
                                                        "c10::complex<double>"};
    return kNames[static_cast<int>(dtype)];
}

// The number of integers that a type holds one after another from zero on.
uint64_t integer_range(DType dtype) {
    TAEDA_CHECK_KIND(NotImplemented, !is_complex(dtype), "\"random_\" not implemented for '", scalar_type_name(dtype), "'");
    switch (dtype) {
        case DType::Bool: return 2;
        case DType::Float16: return (1u << 11) + 1;
        case DType::BFloat16: return (1u << 8) + 1;
        case DType::Float32: return (1u << 24) + 1;
        case DType::Float64: return (1ull << 53) + 1;
        case DType::UInt64: return 0;  // all of them
        default: return 1ull << (item_size(dtype) * 8 - (is_unsigned(dtype) ? 0 : 1));
    }
}

// The spacing that PyTorch steps by where a float type is too coarse for `x`: twice that of its magnitude.
int64_t coarse_step(int64_t x, DType dtype) {
    const int digits = dtype == DType::Float16 ? 11 : dtype == DType::BFloat16 ? 8 : dtype == DType::Float32 ? 24 : 53;
    const int magnitude = static_cast<int>(std::bit_width(static_cast<uint64_t>(std::llabs(x)))) - 1;
    return int64_t{1} << std::max(magnitude - digits + 1, 0);
}
int64_t rounded(int64_t x, DType dtype) {
    return visit_dtype(dtype, [&]<class T>(Tag<T>) { return static_cast<int64_t>(convert<double>(convert<T>(x))); });
}
// Ends of a range that do not leave it when they are rounded to the type.
int64_t next_representable(int64_t from, DType dtype) {
    const int64_t after = rounded(from + 1, dtype);
    return after < from ? after + coarse_step(from + 1, dtype) : from;
}
int64_t previous_representable(int64_t to, DType dtype) {
    const int64_t before = rounded(to - 1, dtype);
    return before >= to ? before - coarse_step(to - 1, dtype) : to;
}

void random_between(const Tensor& t, int64_t from, uint64_t range, Generator& generator) {
    if (!wants_draws(t)) return;
    draw_integers(t, range >= (1ull << 28) || range == 0, generator,
                  [=](uint64_t bits) { return static_cast<int64_t>((range ? bits % range : bits) + static_cast<uint64_t>(from)); });
}

// ---- one formula each

void check_continuous(const char* what, DType dtype) {
    TAEDA_CHECK(is_floating(dtype), what, " distribution is a continuous probability distribution. dtype must be a floating point but you specified ",
                scalar_type_name(dtype));
}

template <class F>
const Tensor& draw_floating(const char* name, const Tensor& t, F&& number) {
    visit_floating(name, t.dtype(), [&]<class T>(Tag<T>) {
        if (wants_draws(t)) draw_each<T>(t, [&] { return convert<T>(number()); });
    });
    return t;
}

// PyTorch draws Bernoulli numbers by MKL's congruential stream where the processor is Intel's.
bool draws_by_congruence() {
#if defined(TAEDA_X86)
    __builtin_cpu_init();
    static const bool is_intel = __builtin_cpu_is("intel");
    return is_intel;
#else
    return false;
#endif
}

void bernoulli_by_congruence(const Tensor& t, double p, Generator& generator) {
    Tensor bits = t.is_contiguous() && item_size(t.dtype()) == 1 ? t : empty(t.sizes(), DType::UInt8);
    random_table().congruential_bernoulli(bits.data<uint8_t>(), bits.numel(), generator.random(), p);
    if (!bits.is_same(t)) copy_into(t, bits);
}

}  // namespace

void bernoulli_fill(const Tensor& t, double p, Generator& generator) {
    if (draws_by_congruence()) return bernoulli_by_congruence(t, p, generator);
    visit_dtype(t.dtype(),
                [&]<class T>(Tag<T>) { draw_each<T>(t, [&] { return convert<T>(static_cast<uint8_t>(generator.uniform_double() < p)); }); });
}

Tensor uniform_(const Tensor& input, double from, double to, Generator* generator) {
    if (is_complex(input.dtype())) {
        uniform_(views::view_as_real(input), from, to, generator);
        return input;
    }
    visit_floating("check_uniform_bounds", input.dtype(), [&]<class T>(Tag<T>) {
        const Limits limits = limits_of(input.dtype());
        TAEDA_CHECK(from >= limits.low && from <= limits.high, "from is out of bounds for ", c_name(input.dtype()));
        TAEDA_CHECK(to >= limits.low && to <= limits.high, "to is out of bounds for ", c_name(input.dtype()));
        TAEDA_CHECK(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from, " > to=", to);
        TAEDA_CHECK(to - from <= limits.high, "uniform_ expects to-from <= std::numeric_limits<", scalar_type_name(input.dtype()),
                    ">::max(), but found to=", to, " and from=", from, " which result in to-from to exceed the limit");
        if (!wants_draws(input)) return;
        Generator& source = generator_or_default(generator);
        using C = compute_t<T>;
        const C low = static_cast<C>(from), width = static_cast<C>(to) - low;
        const T first = convert<T>(from), end = convert<T>(to);
        // The end is excluded: where rounding reaches it, the first number is taken.
        draw_each<T>(input, [&] {
            C u;
            if constexpr (std::is_same_v<T, double>) u = source.uniform_double();
            else u = source.uniform_float();
            const T value = convert<T>(u * width + low);
            return convert<C>(value) == convert<C>(end) ? first : value;
        });
    });
    return input;
}

Tensor normal_(const Tensor& input, double mean, double std, Generator* generator) {
    TAEDA_CHECK(std >= 0.0, "normal expects std >= 0.0, but found std ", std);
    if (is_complex(input.dtype())) {  // each part has half of the variance
        normal_(views::view_as_real(input), mean, std / std::sqrt(2.0), generator);
        return input;
    }
    visit_floating("normal_kernel_cpu", input.dtype(), [](auto) {});
    if (wants_draws(input)) normal_fill(input, mean, std, generator_or_default(generator));
    return input;
}

Tensor random__from(const Tensor& input, int64_t from, std::optional<int64_t> to, Generator* generator) {
    const DType dtype = input.dtype();
    const Limits limits = limits_of(dtype);
    Generator& source = generator_or_default(generator);
    TAEDA_CHECK(!to || from < *to, "random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", to.value_or(0));
    TAEDA_CHECK(static_cast<double>(from) >= limits.low && static_cast<double>(from) <= limits.high, "from is out of bounds for ", c_name(dtype));
    if (!to) {  // up to the largest integer of the type
        uint64_t top = integer_range(dtype);
        random_between(input, from, dtype == DType::UInt64 ? 0 : top - static_cast<uint64_t>(from), source);
        return input;
    }
    TAEDA_CHECK(static_cast<double>(*to - 1) >= limits.low && static_cast<double>(*to - 1) <= limits.high, "to - 1 is out of bounds for ",
                c_name(dtype));
    int64_t first = from, end = *to;
    if (is_floating(dtype)) {
        first = next_representable(from, dtype);
        end = previous_representable(*to, dtype);
        TAEDA_CHECK(first < end, "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got from=", first, " >= to=", end);
    }
    random_between(input, first, static_cast<uint64_t>(end) - static_cast<uint64_t>(first), source);
    return input;
}
Tensor random__to(const Tensor& input, int64_t to, Generator* generator) { return random__from(input, 0, to, generator); }
Tensor random_(const Tensor& input, Generator* generator) {
    if (!wants_draws(input)) return input;
    const uint64_t range = integer_range(input.dtype());
    const bool wide = input.dtype() == DType::Int64 || input.dtype() == DType::UInt64 || input.dtype() == DType::Float64;
    draw_integers(input, wide, generator_or_default(generator), [=](uint64_t bits) { return static_cast<int64_t>(range ? bits % range : bits); });
    return input;
}

Tensor bernoulli_(const Tensor& input, double p, Generator* generator) {
    TAEDA_CHECK(p >= 0 && p <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", p);
    TAEDA_CHECK_KIND(NotImplemented, !is_complex(input.dtype()), "\"bernoulli_scalar_cpu_\" not implemented for '", scalar_type_name(input.dtype()),
                     "'");
    if (wants_draws(input)) bernoulli_fill(input, p, generator_or_default(generator));
    return input;
}
Tensor bernoulli__tensor(const Tensor& input, const Tensor& p, Generator* generator) {
    TAEDA_CHECK_KIND(NotImplemented, !is_complex(input.dtype()), "\"bernoulli_tensor_cpu_self_\" not implemented for '",
                     scalar_type_name(input.dtype()), "'");
    Tensor chances = expand_to(p, input.sizes());
    Generator& source = generator_or_default(generator);
    visit_floating("bernoulli_tensor_cpu_p_", p.dtype(), [&]<class P>(Tag<P>) {
        if (!wants_draws(input)) return;
        visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
            draw_each_from<T, P>(input, chances, [&](P chance) {
                double wanted = convert<double>(chance);
                TAEDA_CHECK(wanted >= 0 && wanted <= 1, "Expected p_in >= 0 && p_in <= 1 to be true, but got false: bernoulli found p=", wanted);
                double u = std::is_same_v<P, double> ? source.uniform_double() : static_cast<double>(source.uniform_float());
                return convert<T>(static_cast<uint8_t>(u < wanted));
            });
        });
    });
    return input;
}

Tensor exponential_(const Tensor& input, double lambd, Generator* generator) {
    check_continuous("Exponential", input.dtype());
    TAEDA_CHECK(lambd > 0.0, "exponential_ expects lambda > 0.0, but found lambda=", lambd);
    Generator& source = generator_or_default(generator);
    return draw_floating("exponential_cpu", input, [&] {
        double u = source.uniform_double();
        // 0 is excluded: its density is finite, but users divide by what they draw.
        double log = u >= std::numeric_limits<double>::epsilon() / 2 ? std::log1p(-u) : -std::numeric_limits<double>::epsilon() / 2;
        return -1 / lambd * log;
    });
}

Tensor cauchy_(const Tensor& input, double median, double sigma, Generator* generator) {
    TAEDA_CHECK(is_floating(input.dtype()),
                "Cauchy distribution is a continuous probability distribution. dtype must be a floating point but you specified ",
                c_name(input.dtype()));
    TAEDA_CHECK(sigma > 0.0, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
    Generator& source = generator_or_default(generator);
    return draw_floating("cauchy_cpu", input, [&] { return median + sigma * std::tan(3.14159265358979323846 * (source.uniform_double() - 0.5)); });
}

Tensor log_normal_(const Tensor& input, double mean, double std, Generator* generator) {
    TAEDA_CHECK(std > 0.0, "log_normal_ expects std > 0.0, but found std=", std);
    Generator& source = generator_or_default(generator);
    return draw_floating("log_normal_cpu", input, [&] { return std::exp(source.normal() * std + mean); });
}

Tensor geometric_(const Tensor& input, double p, Generator* generator) {
    TAEDA_CHECK(0 < p && p < 1, "geometric_ expects p to be in (0, 1), but got p=", p);
    TAEDA_CHECK_KIND(NotImplemented, !is_bool(input.dtype()) && !is_complex(input.dtype()), "\"geometric_cpu\" not implemented for '",
                     scalar_type_name(input.dtype()), "'");
    if (!wants_draws(input)) return input;
    Generator& source = generator_or_default(generator);
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        draw_each<T>(input, [&] { return convert<T>(std::ceil(std::log(source.uniform_double()) / std::log1p(-p))); });
    });
    return input;
}

}  // namespace taeda::cpu
