// Inner loops of sampling at points. See grid_kernels.h.
#include <cmath>

#include "cpu/grid_kernels.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct Grid {
    // kOutside: 0 zeros, 1 border, 2 reflection.
    template <bool kNearest, int kOutside>
    static void fused_line(const GridLine<T>& line, const T* at, int64_t n, int32_t* place, T* weight, int32_t* is_empty) {
        const int32_t size = line.size, step = line.step;
        const T scale = line.scale, shift = line.shift, low = line.low, span = line.span, last = static_cast<T>(size - 1);
        const auto moved = [&](T x) {
            const T above = kOutside != 0 || x > 0 ? x : T(0);  // the others are inside already, or one too far
            return above < last ? above : last;
        };
        const auto start = [&](T inside) {
            const int32_t element = static_cast<int32_t>(inside);
            return (element < size ? element : size - 1) * step;  // a long line's end may not be a float
        };
        T bounded[kGridBlock];
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            T x = ((at[i] + 1) * scale - shift) * T(0.5);
            if constexpr (kOutside == 2) {
                const T positive = std::abs(x - low), turns = std::floor(positive / span), rest = positive - turns * span, half = turns * T(0.5);
                x = (std::floor(half) != half ? span - rest : rest) + low;
            }
            if constexpr (kOutside == 0) bounded[i] = std::abs(x) < T(1e9) ? x : T(-100);
            else bounded[i] = x > 0 ? x : T(0);
        }
        if constexpr (kOutside != 0) {
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) bounded[i] = bounded[i] < last ? bounded[i] : last;
        }
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const T x = bounded[i];
            // Comparisons without branches: those keep the loop from being vectorised.
            const T first = kNearest ? std::nearbyint(x) : std::floor(x), share = x - first, at_first = moved(first);
            const int32_t has_first = kOutside != 0 || at_first == first ? 1 : 0;
            place[i] = start(at_first);
            if constexpr (kNearest) {
                weight[i] = kOutside != 0 || at_first == first ? T(1) : T(0);
                if constexpr (kOutside == 0) is_empty[i] |= has_first ^ 1;
            } else {
                const T second = first + 1, at_second = moved(second), rest = 1 - share;
                const int32_t has_second = kOutside != 0 || at_second == second ? 1 : 0;
                place[n + i] = start(at_second);
                weight[i] = kOutside != 0 || at_first == first ? rest : T(0);
                weight[n + i] = kOutside != 0 || at_second == second ? share : T(0);
                if constexpr (kOutside == 0) is_empty[i] |= (has_first | has_second) ^ 1;
            }
        }
    }

    template <int kStride>
    static void take(const T* from, int64_t n, T* to) {
        for (int64_t i = 0; i < n; ++i) to[i] = from[i * kStride];
    }

    static void line(const GridLine<T>& line, const T* coordinate, int64_t n, int32_t* place, T* weight, int32_t* is_empty) {
        T at[kGridBlock];
        line.stride == 2 ? take<2>(coordinate, n, at) : take<3>(coordinate, n, at);
        const auto fused = line.nearest ? (line.outside == 0   ? fused_line<true, 0>
                                           : line.outside == 1 ? fused_line<true, 1>
                                                               : fused_line<true, 2>)
                                        : (line.outside == 0   ? fused_line<false, 0>
                                           : line.outside == 1 ? fused_line<false, 1>
                                                               : fused_line<false, 2>);
        fused(line, at, n, place, weight, is_empty);
    }

    static void position(const T* coordinate, int64_t stride, int64_t n, T length, bool align_corners, T* at) {
        if (align_corners)
            for (int64_t i = 0; i < n; ++i) at[i] = (coordinate[i * stride] + 1) / 2 * (length - 1);
        else
            for (int64_t i = 0; i < n; ++i) at[i] = ((coordinate[i * stride] + 1) * length - 1) / 2;
    }

    static void reflect(T* at, T* moves, int64_t n, T low, T span) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const T distance = at[i] - low, positive = std::abs(distance), turns = std::floor(positive / span);
            const T rest = positive - turns * span, half = turns * T(0.5);
            const bool is_odd = std::floor(half) != half;
            at[i] = (is_odd ? span - rest : rest) + low;
            const T sign = distance < 0 ? T(-1) : T(1);
            moves[i] *= is_odd ? -sign : sign;
        }
    }

    static void clip(T* at, T* moves, int64_t n, T last) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const T above = at[i] > 0 ? at[i] : T(0);
            moves[i] = at[i] > 0 && at[i] < last ? moves[i] : T(0);
            at[i] = above < last ? above : last;
        }
    }

    static void bound(T* at, T* moves, int64_t n) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const bool is_near = std::abs(at[i]) < T(1e9);
            at[i] = is_near ? at[i] : T(-100);
            moves[i] = is_near ? moves[i] : T(0);
        }
    }

    static void split(T* at, int64_t n, bool nearest, T* share) {
        if (nearest) {
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) {
                at[i] = std::nearbyint(at[i]);
                share[i] = 0;
            }
            return;
        }
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const T below = std::floor(at[i]);
            share[i] = at[i] - below;
            at[i] = below;
        }
    }

    static void polynomial(const T* x, const T* c, const T* factor, int64_t n, T* out) {
        const T c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3];
        if (factor) {
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) out[i] = (((c3 * x[i] + c2) * x[i] + c1) * x[i] + c0) * factor[i];
        } else {
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) out[i] = ((c3 * x[i] + c2) * x[i] + c1) * x[i] + c0;
        }
    }

    static void place(const T* at, T offset, int64_t n, int32_t size, int32_t step, int32_t* place, T* weight, T* slope, int32_t* is_inside) {
        const T last = static_cast<T>(size - 1);
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const T wanted = at[i] + offset, above = wanted > 0 ? wanted : T(0), moved = above < last ? above : last;
            const bool inside = moved == wanted;
            // A long line's end may not be a float.
            const int32_t element = static_cast<int32_t>(moved);
            place[i] = (element < size ? element : size - 1) * step;
            weight[i] = inside ? weight[i] : T(0);
            is_inside[i] |= inside ? 1 : 0;
        }
        if (!slope) return;
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const T wanted = at[i] + offset;
            slope[i] = wanted >= 0 && wanted <= last ? slope[i] : T(0);
        }
    }

    static void combine(const int32_t* p, const int32_t* q, const T* w, const T* v, int64_t n, int32_t* index, T* weight) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            index[i] = p[i] + q[i];
            weight[i] = w[i] * v[i];
        }
    }

    template <int kTaps, bool kAdd>
    static void gather_some(const T* x, int64_t n, const int32_t* index, const T* weight, T* y) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            T sum = kAdd ? y[i] : T(0);
#pragma GCC unroll 4
            for (int t = 0; t < kTaps; ++t) sum += weight[t * n + i] * x[index[t * n + i]];
            y[i] = sum;
        }
    }
    static void gather(const T* x, int64_t n, int64_t taps, const int32_t* index, const T* weight, T* y) {
        if (taps == 1) {  // the nearest element, or none
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) {
                const T value = x[index[i]];
                y[i] = weight[i] == 0 ? T(0) : value;
            }
            return;
        }
        gather_some<4, false>(x, n, index, weight, y);
        for (int64_t t = 4; t < taps; t += 4) gather_some<4, true>(x, n, index + t * n, weight + t * n, y);
    }

    static void gather_add(const T* x, const T* g, int64_t n, int64_t taps, const int32_t* index, T* sum) {
        for (int64_t t = 0; t < taps; ++t) {
            const int32_t* at = index + t * n;
            T* to = sum + t * n;
#pragma GCC ivdep
            for (int64_t i = 0; i < n; ++i) to[i] += g[i] * x[at[i]];
        }
    }

    static void weigh(const T* weight, const T* x, int64_t n, T* sum) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const T product = weight[i] * x[i];
            sum[i] += weight[i] == 0 ? T(0) : product;
        }
    }

    static void scale(const T* weight, const T* x, int64_t n, T* y) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            const T product = weight[i] * x[i];
            y[i] = weight[i] == 0 ? T(0) : product;
        }
    }

    static void shift(const T* x, T offset, int64_t n, T* y) {
        for (int64_t i = 0; i < n; ++i) y[i] = x[i] + offset;
    }

    static void clear(const int32_t* mask, int64_t n, T* y) {
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) y[i] = mask[i] ? T(0) : y[i];
    }

    static bool mark(const int32_t* is_inside, int64_t n, int32_t* mask) {
        int32_t any = 0;
#pragma GCC ivdep
        for (int64_t i = 0; i < n; ++i) {
            mask[i] |= is_inside[i] ^ 1;
            any |= mask[i];
        }
        return any != 0;
    }

    static bool any(const int32_t* mask, int64_t n) {
        int32_t found = 0;
        for (int64_t i = 0; i < n; ++i) found |= mask[i];
        return found != 0;
    }

    static constexpr GridKernels<T> kernels() {
        return {line, position, reflect, clip, bound, split, polynomial, place, combine, gather, gather_add, weigh, scale, shift, clear, mark, any};
    }
};

}  // namespace

extern const GridTable grid_table;
constinit const GridTable grid_table = {Grid<float>::kernels(), Grid<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
