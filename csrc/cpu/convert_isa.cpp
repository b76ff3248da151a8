// Vectorised conversions between the common element types. Half precision uses the F16C instructions where the build
// has them, otherwise integer arithmetic that vectorises.
#include "cpu/convert.h"

#if defined(__F16C__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace taeda::cpu::TAEDA_ISA {

namespace {

inline float widen_half(uint16_t bits) {
    // Shifting the fraction and exponent into a float's place leaves the exponent too small by 112: the multiplication
    // mends that for normal and subnormal numbers alike. What comes out above 65504 was infinite or NaN.
    float magnitude = std::bit_cast<float>(static_cast<uint32_t>(bits & 0x7fffu) << 13) * 0x1p112f;
    uint32_t special = magnitude >= 65536.0f ? 0x7f800000u : 0u;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | special | (static_cast<uint32_t>(bits & 0x8000u) << 16));
}

inline uint16_t narrow_half(float x) {
    uint32_t bits = std::bit_cast<uint32_t>(x), sign = (bits >> 16) & 0x8000u, rest = bits & 0x7fffffffu;
    uint32_t normal = (rest + 0xc8000fffu + ((rest >> 13) & 1u)) >> 13;
    // Below the normal range, adding 0.5 makes the addition itself round at the spacing of the result.
    uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(rest) + 0.5f) - 0x3f000000u;
    uint32_t result = rest < 0x38800000u ? subnormal : normal;
    result = rest >= 0x477ff000u ? 0x7c00u : result;
    result = rest > 0x7f800000u ? 0x7e00u : result;
    return static_cast<uint16_t>(result | sign);
}

// Halves are converted piece by piece, with work between the pieces: what comes next is fetched meanwhile.
constexpr int64_t kAhead = 1024;

void half_to_float(void* to, const void* from, int64_t n) {
    float* target = static_cast<float*>(to);
    const uint16_t* source = static_cast<const uint16_t*>(from);
    int64_t i = 0;
#if defined(__F16C__)
    for (; i + 32 <= n; i += 32) {
        __builtin_prefetch(source + i + kAhead);
        for (int64_t j = i; j < i + 32; j += 8)
            _mm256_storeu_ps(target + j, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source + j))));
    }
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(target + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i))));
#endif
    for (; i < n; ++i) target[i] = widen_half(source[i]);
}

void float_to_half(void* to, const void* from, int64_t n) {
    uint16_t* target = static_cast<uint16_t*>(to);
    const float* source = static_cast<const float*>(from);
    int64_t i = 0;
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(target + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(source + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#endif
    for (; i < n; ++i) target[i] = narrow_half(source[i]);
}

#if defined(__AVX2__) && !defined(__AVX512F__)  // there gcc has an instruction that takes the low halves
inline __m256i rounded_bfloat16(__m256 x) {
    const __m256i bits = _mm256_castps_si256(x), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
    return _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7fc0), _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
}
#endif

void float_to_bfloat16(void* to, const void* from, int64_t n) {
    BFloat16* __restrict target = static_cast<BFloat16*>(to);
    const float* __restrict source = static_cast<const float*>(from);
    int64_t i = 0;
#if defined(__AVX2__) && !defined(__AVX512F__)
    for (; i + 16 <= n; i += 16) {
        const __m256i low = rounded_bfloat16(_mm256_loadu_ps(source + i)), high = rounded_bfloat16(_mm256_loadu_ps(source + i + 8));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + i), _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xd8));
    }
#endif
    for (; i < n; ++i) target[i] = to_bfloat16(source[i]);
}

// Zeros between the numbers are their lower halves.
void bfloat16_to_float(void* to, const void* from, int64_t n) {
    float* __restrict target = static_cast<float*>(to);
    const BFloat16* __restrict source = static_cast<const BFloat16*>(from);
    int64_t i = 0;
#if defined(__AVX2__) && !defined(__AVX512F__)
    const __m256i zero = _mm256_setzero_si256();
    for (; i + 16 <= n; i += 16) {
        if (i % 32 == 0) __builtin_prefetch(source + i + kAhead);
        const __m256i x = _mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(source + i)), 0xd8);
        _mm256_storeu_ps(target + i, _mm256_castsi256_ps(_mm256_unpacklo_epi16(zero, x)));
        _mm256_storeu_ps(target + i + 8, _mm256_castsi256_ps(_mm256_unpackhi_epi16(zero, x)));
    }
#endif
    for (; i < n; ++i) target[i] = to_float(source[i]);
}

// Numbers that do not fit a small integer become what the 32-bit conversion makes of them, cut to size: the instruction
// exists for vectors, and programs have come to expect its results.
template <class To, class From>
inline To convert_one(From x) {
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> && !std::is_same_v<To, bool> && sizeof(To) <= 4)
        return static_cast<To>(static_cast<int32_t>(x));
    else if constexpr (std::is_same_v<From, BFloat16> && !std::is_same_v<To, BFloat16>) return convert_one<To>(to_float(x));
    else return convert<To>(x);
}

template <class To, class From>
void convert_loop(void* to, const void* from, int64_t n) {
    To* __restrict target = static_cast<To*>(to);
    const From* __restrict source = static_cast<const From*>(from);
    for (int64_t i = 0; i < n; ++i) target[i] = convert_one<To>(source[i]);
}

// Half precision meets every type but float through blocks of float: only that conversion has instructions.
template <class To>
void half_to(void* to, const void* from, int64_t n) {
    float middle[512];
    for (int64_t i = 0; i < n; i += 512) {
        int64_t m = n - i < 512 ? n - i : 512;
        half_to_float(middle, static_cast<const uint16_t*>(from) + i, m);
        convert_loop<To, float>(static_cast<To*>(to) + i, middle, m);
    }
}
template <class From>
void to_half_from(void* to, const void* from, int64_t n) {
    float middle[512];
    for (int64_t i = 0; i < n; i += 512) {
        int64_t m = n - i < 512 ? n - i : 512;
        convert_loop<float, From>(middle, static_cast<const From*>(from) + i, m);
        float_to_half(static_cast<uint16_t*>(to) + i, middle, m);
    }
}

template <class To, class From>
constexpr void set_pair(ConvertTable& table) {
    auto& slot = table.block[static_cast<int>(DTypeOf<To>::value)][static_cast<int>(DTypeOf<From>::value)];
    if constexpr (std::is_same_v<To, From>) slot = nullptr;
    else if constexpr (std::is_same_v<To, BFloat16> && std::is_same_v<From, float>) slot = float_to_bfloat16;
    else if constexpr (std::is_same_v<From, BFloat16> && std::is_same_v<To, float>) slot = bfloat16_to_float;
    else if constexpr (std::is_same_v<From, Half> && std::is_same_v<To, float>) slot = half_to_float;
    else if constexpr (std::is_same_v<From, Half>) slot = half_to<To>;
    else if constexpr (std::is_same_v<To, Half> && std::is_same_v<From, float>) slot = float_to_half;
    else if constexpr (std::is_same_v<To, Half>) slot = to_half_from<From>;
    else slot = convert_loop<To, From>;
}

template <class To, class... From>
constexpr void set_row(ConvertTable& table) {
    (set_pair<To, From>(table), ...);
}

template <class... T>
constexpr ConvertTable make_table() {
    ConvertTable table{};
    (set_row<T, T...>(table), ...);
    return table;
}

}  // namespace

extern const ConvertTable convert_table;
constinit const ConvertTable convert_table = make_table<bool, uint8_t, int8_t, int16_t, int32_t, int64_t, Half, BFloat16, float, double>();

}  // namespace taeda::cpu::TAEDA_ISA
