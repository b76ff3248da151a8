// Padé's approximations of the exponential (Higham, 2005): coefficients, and up to which norm they are exact to rounding.
#pragma once

#include <type_traits>

namespace taeda::cpu {

// The highest degree that is worth it, and the largest norm for it.
template <class R>
inline constexpr int kPadeDegree = std::is_same_v<R, float> ? 7 : 13;
template <class R>
inline constexpr double kPadeNorm = std::is_same_v<R, float> ? 3.925724783138660 : 5.371920351148152;

template <int kDegree>
struct PadeCoefficients {
    double values[kDegree + 1];
    constexpr PadeCoefficients() : values{1} {
        for (int j = 1; j <= kDegree; ++j) values[j] = values[j - 1] * (kDegree - j + 1) / (double(2 * kDegree - j + 1) * j);
    }
};

// Of the numerator, lowest degree first; the denominator has the same with alternating signs.
template <int kDegree>
const double* pade_coefficients() {
    static constexpr PadeCoefficients<kDegree> made;
    return made.values;
}

}  // namespace taeda::cpu
