// Folding runs of elements with vectors that are spelled out, for the reductions. A rule says how: see `SumRule` in
// reduce_isa.cpp. Its step and join are written once for numbers and for vectors of numbers. For *_isa.cpp files only.
//
// How elements are grouped depends on their number alone, and vectors have 32 bytes on every machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace taeda::cpu::TAEDA_ISA {

namespace {

constexpr int kLaneBytes = 32;
template <class T>
constexpr int kLanesOf = kLaneBytes / static_cast<int>(sizeof(T));
template <class T>
struct VectorType {
    typedef T t __attribute__((vector_size(kLaneBytes)));
};
template <class T>
using vector_t = typename VectorType<T>::t;
template <class T>
using lane_index_t = std::conditional_t<sizeof(T) == 8, int64_t, std::conditional_t<sizeof(T) == 4, int32_t, int8_t>>;

// n vectors of elements of type E, as vectors of To. Elements narrower than the lanes are integers, and become lanes.
template <class To, class E>
inline vector_t<To> load_lanes(const E* x) {
    if constexpr (sizeof(E) == sizeof(To)) {
        vector_t<To> v;
        std::memcpy(&v, x, sizeof(v));
        return v;
    } else {
        typedef E Narrow __attribute__((vector_size(kLanesOf<To> * sizeof(E))));
        Narrow v;
        std::memcpy(&v, x, sizeof(v));
        return __builtin_convertvector(v, vector_t<To>);
    }
}

template <class T>
inline vector_t<T> all_lanes(T value) {
    return value - vector_t<T>{};
}

// Lane j of what f(j) says, for shuffles.
template <class T, class F, int... j>
constexpr vector_t<lane_index_t<T>> places_of(F f, std::integer_sequence<int, j...>) {
    return vector_t<lane_index_t<T>>{static_cast<lane_index_t<T>>(f(j))...};
}
template <class T, class F>
constexpr vector_t<lane_index_t<T>> places(F f) {
    return places_of<T>(f, std::make_integer_sequence<int, kLanesOf<T>>());
}

// What the lanes together come to. A rule whose lanes are too narrow for that has a `Whole` of its own, in which they are added.
template <class R>
struct WholeOf {
    using t = typename R::Lane;
};
template <class R>
    requires requires { typename R::Whole; }
struct WholeOf<R> {
    using t = typename R::Whole;
};
template <class R>
using whole_t = typename WholeOf<R>::t;

template <class R>
struct Lanes {
    using E = typename R::Element;
    using Lane = typename R::Lane;
    using X = std::conditional_t<sizeof(E) < sizeof(Lane), Lane, E>;  // what an element becomes before its step
    using V = vector_t<Lane>;
    using Whole = whole_t<R>;
    static constexpr int kWidth = kLanesOf<Lane>;
    static constexpr int64_t kBlock = 2048;  // elements that are folded into the lanes of four vectors at most

    // n elements, kWidth at least, in the lanes of one vector. What lies `ahead` elements further on is fetched, unless that is
    // 0: long runs are fetched by the hardware, and more slowly where it is told to.
    static V part(const E* x, int64_t n, Lane parameter, int64_t ahead) {
        const V p = all_lanes(parameter);
        V a = all_lanes(R::start()), b = a, c = a, d = a;
        int64_t i = 0;
#pragma GCC unroll 1
        for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
            for (int64_t line = 0; ahead && line < 4 * kWidth * static_cast<int64_t>(sizeof(E)); line += 64)
                __builtin_prefetch(reinterpret_cast<const char*>(x + i + ahead) + line);
            a = R::step(a, load_lanes<X>(x + i), p);
            b = R::step(b, load_lanes<X>(x + i + kWidth), p);
            c = R::step(c, load_lanes<X>(x + i + 2 * kWidth), p);
            d = R::step(d, load_lanes<X>(x + i + 3 * kWidth), p);
        }
        if (i + 2 * kWidth <= n) {
            a = R::step(a, load_lanes<X>(x + i), p);
            b = R::step(b, load_lanes<X>(x + i + kWidth), p);
            i += 2 * kWidth;
        }
        if (i + kWidth <= n) {
            c = R::step(c, load_lanes<X>(x + i), p);
            i += kWidth;
        }
        if (i < n) {  // the last whole vector once more, without what has been counted
            const auto counted = static_cast<lane_index_t<Lane>>(i + kWidth - n);
            const V with = R::step(d, load_lanes<X>(x + n - kWidth), p);
            d = places<Lane>([](int j) { return j; }) >= counted ? with : d;
        }
        return R::join(R::join(a, b), R::join(c, d));
    }

    // Every run of kRun lanes is joined into half as many: of `a`, then those of `b`.
    template <int kRun>
    static V halve(V a, V b) {
        constexpr auto first = places<Lane>([](int j) {
            const int within = j % kRun, half = kRun / 2;
            return j - within + within % half + (within >= half ? kWidth : 0);
        });
        return R::join(__builtin_shuffle(a, b, first), __builtin_shuffle(a, b, first + kRun / 2));
    }

    // All lanes joined, in the order of `halve`.
    template <int kRun = kWidth>
    static Whole whole(V a) {
        if constexpr (!std::is_same_v<Whole, Lane>) {
            Whole sum = 0;
            for (int j = 0; j < kWidth; ++j) sum += a[j];
            return sum;
        } else if constexpr (kRun == 1) {
            return a[0];
        } else {
            return whole<kRun / 2>(halve<kRun>(a, a));
        }
    }

    static Whole fold(const E* x, int64_t n, Lane parameter, int64_t ahead = 0) {
        if (n >= kWidth) return whole(part(x, n, parameter, ahead));
        Lane a = R::start();
        for (int64_t i = 0; i < n; ++i) a = R::step(a, X(x[i]), parameter);
        return a;
    }

    // take(j, value) for rows of n elements, kBlock at most. The lanes of as many rows as a vector has are joined together:
    // to join those of a single row takes as long as a hundred elements.
    template <class F>
    static void fold_rows(const E* x, int64_t row_step, int64_t rows, int64_t n, Lane parameter, F take) {
        const int64_t ahead = row_step >= n && row_step <= 2 * n ? 4096 / sizeof(E) : 0;  // rows that follow each other in memory
        int64_t j = 0;
        if constexpr (kWidth == 4 || kWidth == 8) {
            for (; n >= kWidth && j + kWidth <= rows; j += kWidth) {
                V v[kWidth];
                for (int r = 0; r < kWidth; ++r) v[r] = part(x + (j + r) * row_step, n, parameter, ahead);
                if constexpr (kWidth == 8)
                    for (int r = 0; r < 4; ++r) v[r] = halve<8>(v[r], v[r + 4]);
                for (int r = 0; r < 2; ++r) v[r] = halve<4>(v[r], v[r + 2]);
                v[0] = halve<2>(v[0], v[1]);
                for (int r = 0; r < kWidth; ++r) take(j + r, v[0][r]);
            }
        }
        for (; j < rows; ++j) take(j, fold(x + j * row_step, n, parameter, ahead));
    }

    // lanes[j] = the fold of column j of `rows` rows.
    static void fold_columns(Lane* lanes, const E* x, int64_t row_step, int64_t rows, int64_t cols, Lane parameter) {
        const V p = all_lanes(parameter);
        for (int64_t j = 0; j < cols; ++j) lanes[j] = R::start();
        const int64_t whole = cols - cols % kWidth;
        for (int64_t i = 0; i < rows; i += 4) {
            const int64_t few = std::min<int64_t>(4, rows - i);
            const E *a = x + i * row_step, *b = a + row_step, *c = b + row_step, *d = c + row_step;
            if (few == 4)
                for (int64_t j = 0; j < whole; j += kWidth) {
                    V lane = load_lanes<Lane>(lanes + j);
                    lane = R::step(R::step(lane, load_lanes<X>(a + j), p), load_lanes<X>(b + j), p);
                    lane = R::step(R::step(lane, load_lanes<X>(c + j), p), load_lanes<X>(d + j), p);
                    std::memcpy(lanes + j, &lane, sizeof(lane));
                }
            else
                for (int64_t r = 0; r < few; ++r)
                    for (int64_t j = 0; j < whole; j += kWidth) {
                        const V lane = R::step(load_lanes<Lane>(lanes + j), load_lanes<X>(a + r * row_step + j), p);
                        std::memcpy(lanes + j, &lane, sizeof(lane));
                    }
            for (int64_t j = whole; j < cols; ++j)
                for (int64_t r = 0; r < few; ++r) lanes[j] = R::step(lanes[j], X(a[r * row_step + j]), parameter);
        }
    }
};

}  // namespace

}  // namespace taeda::cpu::TAEDA_ISA
