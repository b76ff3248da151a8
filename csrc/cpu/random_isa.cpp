// The vectorised parts of the random kernels.
#include "cpu/random.h"
#include "cpu/vecmath.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr int kHalf = 8;  // the first half of a block of 16 gives the radii, the second the angles

void normal_blocks(float* data, int64_t n_blocks, float mean, float std) {
    for (int64_t block = 0; block < n_blocks; ++block, data += 2 * kHalf) {
        float cosine[kHalf], sine[kHalf];
        for (int i = 0; i < kHalf; ++i) {
            float radius = vm_sqrt(-2.0f * vm_log(1.0f - data[i]));
            float angle = 6.28318530717958647692f * data[i + kHalf];
            cosine[i] = radius * vm_cos_bounded(angle) * std + mean;
            sine[i] = radius * vm_sin_bounded(angle) * std + mean;
        }
        for (int i = 0; i < kHalf; ++i) {
            data[i] = cosine[i];
            data[i + kHalf] = sine[i];
        }
    }
}

constexpr uint64_t kModulus = 0x7fffffff, kMultiplier = 1132489760;

TAEDA_VM uint64_t step(uint64_t x, uint64_t multiplier) {
    uint64_t product = x * multiplier;  // below 2^62
    uint64_t folded = (product & kModulus) + (product >> 31);
    return folded >= kModulus ? folded - kModulus : folded;
}

// Eight streams side by side, each eight steps ahead of its last number.
void congruential_bernoulli(uint8_t* out, int64_t n, uint32_t seed, double p) {
    constexpr int kLanes = 8;
    uint64_t lanes[kLanes], leap = 1;
    uint64_t x = seed % kModulus;
    x = x == 0 ? 1 : x;
    for (int i = 0; i < kLanes; ++i) {
        lanes[i] = x;
        x = step(x, kMultiplier);
        leap = step(leap, kMultiplier);
    }
    // u < p for u = x / modulus, compared among integers: x < p * modulus.
    const double bound = p * static_cast<double>(kModulus);
    const uint64_t limit = static_cast<uint64_t>(vm_ceil(bound));
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        for (int j = 0; j < kLanes; ++j) out[i + j] = lanes[j] < limit;
        for (int j = 0; j < kLanes; ++j) lanes[j] = step(lanes[j], leap);
    }
    for (int j = 0; i < n; ++i, ++j) out[i] = lanes[j] < limit;
}

template <class T>
void mask_scaled(T* __restrict out, const T* x, const uint8_t* mask, int64_t n, T scale) {
    for (int64_t i = 0; i < n; ++i) out[i] = x[i] * (static_cast<T>(mask[i]) * scale);
}

}  // namespace

extern const RandomTable random_table;
constinit const RandomTable random_table = {normal_blocks, congruential_bernoulli, mask_scaled<float>, mask_scaled<double>};

}  // namespace taeda::cpu::TAEDA_ISA
