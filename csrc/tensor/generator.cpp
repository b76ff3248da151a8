#include "tensor/generator.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "base/error.h"

namespace taeda {

namespace {

constexpr size_t kShift = 397;  // the recurrence's distance

uint32_t mix(uint32_t high, uint32_t low) {
    uint32_t joined = (high & 0x80000000u) | (low & 0x7fffffffu);
    return (joined >> 1) ^ (low & 1u ? 0x9908b0dfu : 0u);
}

// The bytes of a state: the words are 64 bits wide there, and three of the fields are always zero.
struct StateLayout {
    uint64_t seed;
    int32_t left;
    int32_t is_seeded;
    uint64_t next;
    uint64_t words[624];
    double unused_normal_x;
    double normal;
    double unused_normal_rho;
    int32_t has_normal;
    int32_t padding;
    float unused_float_normal;
    uint8_t unused_has_float_normal;
    uint8_t padding_end[3];
};
static_assert(sizeof(StateLayout) == Generator::kStateBytes);
constexpr size_t kLegacyStateBytes = 5048;  // without the last two fields

uint64_t entropy() {
    std::random_device device;
    uint64_t high = device();
    return (high << 32 | device()) & 0x1fffffffffffffu;  // a number that a double holds exactly
}

}  // namespace

void Generator::manual_seed(uint64_t seed) {
    seed_ = seed;
    words_[0] = static_cast<uint32_t>(seed);
    for (uint32_t i = 1; i < kWords; ++i) words_[i] = 1812433253u * (words_[i - 1] ^ (words_[i - 1] >> 30)) + i;
    next_ = kWords;
    is_fresh_ = true;
    kept_normal_.reset();
}

uint64_t Generator::seed() {
    manual_seed(entropy());
    return seed_;
}

void Generator::advance() {
    for (size_t i = 0; i < kWords - kShift; ++i) words_[i] = words_[i + kShift] ^ mix(words_[i], words_[i + 1]);
    for (size_t i = kWords - kShift; i < kWords - 1; ++i) words_[i] = words_[i + kShift - kWords] ^ mix(words_[i], words_[i + 1]);
    words_[kWords - 1] = words_[kShift - 1] ^ mix(words_[kWords - 1], words_[0]);
    temper();
    next_ = 0;
    is_fresh_ = false;
}

void Generator::temper() {
    for (size_t i = 0; i < kWords; ++i) {
        uint32_t y = words_[i];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680u;
        y ^= (y << 15) & 0xefc60000u;
        ready_[i] = y ^ (y >> 18);
    }
}

double Generator::normal() {
    if (kept_normal_) {
        double value = *kept_normal_;
        kept_normal_.reset();
        return value;
    }
    double angle = 2 * 3.14159265358979323846 * uniform_double();
    double radius = std::sqrt(-2 * std::log1p(-uniform_double()));
    kept_normal_ = radius * std::sin(angle);
    return radius * std::cos(angle);
}

std::array<uint8_t, Generator::kStateBytes> Generator::get_state() const {
    StateLayout layout{};
    layout.seed = seed_;
    layout.left = is_fresh_ ? 1 : static_cast<int32_t>(kWords + 1 - next_);
    layout.is_seeded = 1;
    layout.next = is_fresh_ ? 0 : next_;
    for (uint32_t i = 0; i < kWords; ++i) layout.words[i] = words_[i];
    layout.normal = kept_normal_.value_or(0.0);
    layout.has_normal = kept_normal_.has_value();
    return std::bit_cast<std::array<uint8_t, kStateBytes>>(layout);
}

void Generator::set_state(std::span<const uint8_t> state) {
    TAEDA_CHECK(state.size() == kStateBytes || state.size() == kLegacyStateBytes, "Expected a CPUGeneratorImplState of size ", kStateBytes,
                " but found the input RNG state size to be ", state.size());
    StateLayout layout{};
    std::memcpy(&layout, state.data(), state.size());
    const bool is_fresh = layout.left == 1 && layout.next == 0;
    const bool is_valid =
        layout.is_seeded == 1 && layout.next <= kWords && (is_fresh || static_cast<uint64_t>(layout.left) == kWords + 1 - layout.next);
    TAEDA_CHECK(is_valid, "Invalid mt19937 state");
    seed_ = layout.seed;
    is_fresh_ = is_fresh;
    next_ = is_fresh ? kWords : static_cast<uint32_t>(layout.next);
    for (uint32_t i = 0; i < kWords; ++i) words_[i] = static_cast<uint32_t>(layout.words[i]);
    temper();
    kept_normal_.reset();
    if (layout.has_normal) kept_normal_ = layout.normal;
}

Generator& default_generator() {
    static Generator generator(entropy());
    return generator;
}

}  // namespace taeda
