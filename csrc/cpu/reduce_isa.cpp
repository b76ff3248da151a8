// The rules of the reductions, as inner loops over contiguous tiles. See reduce.h.
#include <cmath>
#include <limits>
#include <type_traits>

#include "cpu/lanes_isa.h"
#include "cpu/reduce.h"
#include "cpu/vecmath_base.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class C>
using real_t = typename CType<real_of(DTypeOf<C>::value)>::t;
template <class C>
inline constexpr bool is_real_v = std::is_floating_point_v<C>;

// What follows takes numbers, and vectors of them as in lanes_isa.h.
template <class V>
inline constexpr bool is_number_v = std::is_arithmetic_v<V> || is_complex_v<V>;

template <class V>
inline auto is_nan(V x) {
    if constexpr (is_complex_v<V>) return x.real() != x.real() || x.imag() != x.imag();
    else return x != x;
}
// All bits set where x is not zero, as lanes of type V.
template <class V, class X>
inline V truth(X x) {
    if constexpr (is_number_v<X>) return V(-(x != X(0)));
    else return V(x != 0);
}
template <class V>
inline V magnitude(V x) {
    if constexpr (std::is_floating_point_v<V>) return std::abs(x);
    else return x < 0 ? -x : x;
}

// What sums of C are kept in: within a tile, and across tiles.
template <class C>
struct SumTypes {
    using Lane = int64_t;
    using Acc = int64_t;
};
template <>
struct SumTypes<uint8_t> {
    using Lane = uint32_t;
    using Acc = int64_t;
};
template <>
struct SumTypes<float> {
    using Lane = float;
    using Acc = double;
};
template <>
struct SumTypes<double> {
    using Lane = double;
    using Acc = double;
};
template <>
struct SumTypes<std::complex<float>> {
    using Lane = std::complex<float>;
    using Acc = std::complex<double>;
};
template <>
struct SumTypes<std::complex<double>> {
    using Lane = std::complex<double>;
    using Acc = std::complex<double>;
};

// ---- simple rules: one accumulator per result

template <class C>
struct SumRule {
    using Element = C;
    using Lane = typename SumTypes<C>::Lane;
    using Acc = typename SumTypes<C>::Acc;
    using Out = std::conditional_t<std::is_integral_v<C>, int64_t, C>;
    static Lane start() { return Lane(0); }
    template <class V, class X>
    static V step(V a, X x, V) {
        return a + x;
    }
    template <class V>
    static V join(V a, V b) {
        return a + b;
    }
    static Acc initial() { return Acc(0); }
    static Acc merge(Acc a, Acc b) { return a + b; }
    static Out finish(Acc a, double p) {
        if constexpr (std::is_integral_v<C>) return a;
        else if constexpr (is_complex_v<C>) return Out(p == 1.0 ? a : a / p);
        else return static_cast<Out>(a / p);
    }
};

template <class C>
struct NanSumRule : SumRule<C> {
    template <class V>
    static V step(V a, V x, V) {
        if constexpr (is_real_v<C>) return a + (x == x ? x : V{});
        else return a + x;
    }
};

template <class C>
struct ProdRule {
    using Element = C;
    using Lane = C;
    using Acc = C;
    using Out = C;
    static C start() { return C(1); }
    template <class V>
    static V step(V a, V x, V) {
        return a * x;
    }
    template <class V>
    static V join(V a, V b) {
        return a * b;
    }
    static C initial() { return C(1); }
    static C merge(C a, C b) { return a * b; }
    static C finish(C a, double) { return a; }
};

template <class C>
constexpr C lowest() {
    if constexpr (is_real_v<C>) return -std::numeric_limits<C>::infinity();
    else return std::numeric_limits<C>::lowest();
}
template <class C>
constexpr C highest() {
    if constexpr (is_real_v<C>) return std::numeric_limits<C>::infinity();
    else return std::numeric_limits<C>::max();
}

template <class C, bool kMax>
struct ExtremeRule {
    using Element = C;
    using Lane = C;
    using Acc = C;
    using Out = C;
    static C start() { return kMax ? lowest<C>() : highest<C>(); }
    template <class V>
    static V step(V a, V x, V) {
        return join(a, x);
    }
    template <class V>
    static V join(V a, V x) {  // a NaN takes over, and is not beaten any more
        if constexpr (is_real_v<C>) return ((kMax ? x > a : x < a) | (x != x)) ? x : a;
        else return (kMax ? x > a : x < a) ? x : a;
    }
    static C initial() { return start(); }
    static C merge(C a, C b) { return join(a, b); }
    static C finish(C a, double) { return a; }
};
template <class C>
using MaxRule = ExtremeRule<C, true>;
template <class C>
using MinRule = ExtremeRule<C, false>;

// Flags are kept as bytes for bytes and as wide as the element otherwise, with all bits set for true.
template <class C>
struct FlagOf {
    using t = int32_t;
};
template <>
struct FlagOf<uint8_t> {
    using t = uint8_t;
};
template <>
struct FlagOf<int64_t> {
    using t = int64_t;
};
template <>
struct FlagOf<double> {
    using t = int64_t;
};

template <class C, bool kAny>
struct FlagRule {
    using Element = C;
    using Lane = typename FlagOf<C>::t;
    using Acc = Lane;
    using Out = bool;
    static Lane start() { return kAny ? Lane(0) : Lane(-1); }
    template <class V, class X>
    static V step(V a, X x, V) {
        return join(a, truth<V>(x));
    }
    template <class V>
    static V join(V a, V b) {
        return kAny ? V(a | b) : V(a & b);
    }
    static Acc initial() { return start(); }
    static Acc merge(Acc a, Acc b) { return join(a, b); }
    static bool finish(Acc a, double) { return a != 0; }
};
template <class C>
using AnyRule = FlagRule<C, true>;
template <class C>
using AllRule = FlagRule<C, false>;

template <class C, bool kNumbers>
struct CountRule {
    using Element = C;
    // Of bytes a lane counts 67 at most: what is its share of a block, or the rows of a tile.
    using Lane = std::conditional_t<sizeof(C) == 1, int8_t, std::conditional_t<sizeof(C) == 8, int64_t, int32_t>>;
    using Whole = int64_t;
    using Acc = int64_t;
    using Out = int64_t;
    static Lane start() { return 0; }
    template <class V, class X>
    static V step(V a, X x, V) {
        if constexpr (!kNumbers) return a - truth<V>(x);
        else if constexpr (is_number_v<X>) return a + V(!is_nan(x));
        else return a - V(x == x);
    }
    template <class V>
    static V join(V a, V b) {
        return a + b;
    }
    static Acc initial() { return 0; }
    static Acc merge(Acc a, Acc b) { return a + b; }
    static Out finish(Acc a, double) { return a; }
};
template <class C>
using CountNonzeroRule = CountRule<C, false>;
template <class C>
using CountNumbersRule = CountRule<C, true>;

template <class C>
struct SumAbsRule {
    using Element = C;
    using Lane = real_t<C>;
    using Acc = double;
    using Out = real_t<C>;
    static Lane start() { return 0; }
    template <class V, class X>
    static V step(V a, X x, V) {
        if constexpr (is_complex_v<C>) return a + std::abs(x);
        else return a + magnitude(x);
    }
    template <class V>
    static V join(V a, V b) {
        return a + b;
    }
    static Acc initial() { return 0; }
    static Acc merge(Acc a, Acc b) { return a + b; }
    static Out finish(Acc a, double) { return static_cast<Out>(a); }
};

template <class C>
struct SumSquaresRule : SumAbsRule<C> {
    template <class V, class X>
    static V step(V a, X x, V) {
        if constexpr (is_complex_v<C>) return a + (x.real() * x.real() + x.imag() * x.imag());
        else return a + x * x;
    }
    static real_t<C> finish(double a, double) { return static_cast<real_t<C>>(std::sqrt(a)); }
};

template <class C>
struct SumPowRule : SumAbsRule<C> {
    static constexpr bool kOneByOne = true;
    using Lane = real_t<C>;
    static Lane step(Lane a, C x, Lane p) {
        const Lane size = std::abs(x);
        return a + (p == 3 ? size * size * size : std::pow(size, p));
    }
    static real_t<C> finish(double a, double p) { return static_cast<real_t<C>>(std::pow(a, 1 / p)); }
};

// Rules that have no vector form: complex numbers, and powers.
template <class R>
struct OneByOne {
    using E = typename R::Element;
    using Lane = typename R::Lane;
    static constexpr int64_t kBlock = 512;

    static Lane fold(const E* x, int64_t n, Lane p, int64_t = 0) {
        constexpr int kChains = 4;
        Lane lanes[kChains] = {R::start(), R::start(), R::start(), R::start()};
        int64_t i = 0;
#pragma GCC unroll 1
        for (; i + kChains <= n; i += kChains)
            for (int j = 0; j < kChains; ++j) lanes[j] = R::step(lanes[j], x[i + j], p);
        for (int j = 0; i < n; ++i, ++j) lanes[j] = R::step(lanes[j], x[i], p);
        return R::join(R::join(lanes[0], lanes[1]), R::join(lanes[2], lanes[3]));
    }
    template <class F>
    static void fold_rows(const E* x, int64_t row_step, int64_t rows, int64_t n, Lane p, F take) {
        for (int64_t j = 0; j < rows; ++j) take(j, fold(x + j * row_step, n, p));
    }
    static void fold_columns(Lane* lanes, const E* x, int64_t row_step, int64_t rows, int64_t cols, Lane p) {
        for (int64_t j = 0; j < cols; ++j) lanes[j] = R::start();
        for (int64_t i = 0; i < rows; ++i)
            for (int64_t j = 0; j < cols; ++j) lanes[j] = R::step(lanes[j], x[i * row_step + j], p);
    }
};
template <class R>
constexpr bool is_one_by_one() {
    if constexpr (requires { R::kOneByOne; }) return true;
    else return is_complex_v<typename R::Element>;
}
template <class R>
using Folds = std::conditional_t<is_one_by_one<R>(), OneByOne<R>, Lanes<R>>;

constexpr int64_t kRowsAtOnce = 64;  // rows that are summed in a lane before they go to the accumulator

template <class R>
struct Simple {
    using C = typename R::Element;
    using Lane = typename R::Lane;
    using Acc = typename R::Acc;
    using Fold = Folds<R>;

    static void init(void* acc, int64_t cap) {
        for (int64_t j = 0; j < cap; ++j) static_cast<Acc*>(acc)[j] = R::initial();
    }
    static void row(void* acc, int64_t, int64_t slot, const void* from, int64_t n, int64_t, double p) {
        const C* x = static_cast<const C*>(from);
        Acc a = static_cast<Acc*>(acc)[slot];
        for (int64_t i = 0; i < n; i += Fold::kBlock) a = R::merge(a, Acc(Fold::fold(x + i, std::min(Fold::kBlock, n - i), Lane(p))));
        static_cast<Acc*>(acc)[slot] = a;
    }
    static void rows(void* acc, int64_t cap, int64_t slot, const void* from, int64_t row_step, int64_t rows, int64_t n, double p) {
        const C* x = static_cast<const C*>(from);
        Acc* a = static_cast<Acc*>(acc) + slot;
        if (n > Fold::kBlock) {
            for (int64_t j = 0; j < rows; ++j) row(acc, cap, slot + j, x + j * row_step, n, 0, p);
        } else {
            Fold::fold_rows(x, row_step, rows, n, Lane(p), [a](int64_t j, auto value) { a[j] = R::merge(a[j], Acc(value)); });
        }
    }
    static void columns(void* acc, int64_t, const void* x, int64_t row_step, int64_t rows, int64_t cols, int64_t, double p) {
        Lane lanes[kReduceColumns];
        for (int64_t i = 0; i < rows; i += kRowsAtOnce) {
            Fold::fold_columns(lanes, static_cast<const C*>(x) + i * row_step, row_step, std::min(kRowsAtOnce, rows - i), cols, Lane(p));
            for (int64_t j = 0; j < cols; ++j) static_cast<Acc*>(acc)[j] = R::merge(static_cast<Acc*>(acc)[j], Acc(lanes[j]));
        }
    }
    static void merge(void* acc, const void* later, int64_t, int64_t n) {
        for (int64_t j = 0; j < n; ++j) static_cast<Acc*>(acc)[j] = R::merge(static_cast<Acc*>(acc)[j], static_cast<const Acc*>(later)[j]);
    }
    static void finish(void* out, void*, const void* acc, int64_t, int64_t n, double p) {
        for (int64_t j = 0; j < n; ++j) static_cast<typename R::Out*>(out)[j] = R::finish(static_cast<const Acc*>(acc)[j], p);
    }
    static constexpr ReduceKernels kernels() {
        return {sizeof(Acc), init, rows, row, columns, merge, finish, DTypeOf<typename R::Out>::value, DTypeOf<typename R::Out>::value};
    }
};

// ---- mean and variance: counts, means and squared deviations of tiles are merged (Chan, Golub, LeVeque)

template <class C>
struct Deviation : SumRule<C> {  // the sum of x - shift
    using Lane = C;
    template <class V>
    static V step(V a, V x, V shift) {
        return a + (x - shift);
    }
};
template <class C>
struct SquaredDeviation : Deviation<C> {
    template <class V>
    static V step(V a, V x, V shift) {
        const V d = x - shift;
        return a + d * d;
    }
};

template <class C>
struct Moments {
    // Layout: counts[cap], means[cap], squares[cap].
    static void init(void* acc, int64_t cap) {
        for (int64_t j = 0; j < 3 * cap; ++j) static_cast<double*>(acc)[j] = 0;
    }
    static void add(double* acc, int64_t cap, int64_t j, double n, double mean, double squares) {
        double &count = acc[j], &old_mean = acc[cap + j], &old_squares = acc[2 * cap + j];
        if (n == 0) return;
        double total = count + n, delta = mean - old_mean;
        if (count == 0) old_mean = mean;  // also keeps an infinite mean from becoming NaN through 0 * inf
        else old_mean += delta * (n / total);
        old_squares += squares + (count == 0 ? 0 : delta * delta * (count * n / total));
        count = total;
    }
    static void row(void* acc, int64_t cap, int64_t slot, const void* from, int64_t n, int64_t, double) {
        const C* x = static_cast<const C*>(from);
        constexpr int64_t kBlock = Lanes<SumRule<C>>::kBlock;
        for (int64_t i = 0; i < n; i += kBlock) {
            const int64_t m = std::min(kBlock, n - i);
            const C shift = static_cast<C>(double(Lanes<SumRule<C>>::fold(x + i, m, 0)) / double(m));
            const double off = Lanes<Deviation<C>>::fold(x + i, m, shift), squares = Lanes<SquaredDeviation<C>>::fold(x + i, m, shift, m);
            add(static_cast<double*>(acc), cap, slot, double(m), shift + off / double(m), squares - off * off / double(m));
        }
    }
    static void rows(void* acc, int64_t cap, int64_t slot, const void* from, int64_t row_step, int64_t rows, int64_t n, double) {
        for (int64_t j = 0; j < rows; ++j) row(acc, cap, slot + j, static_cast<const C*>(from) + j * row_step, n, 0, 0);
    }
    static void columns(void* acc, int64_t cap, const void* from, int64_t row_step, int64_t rows, int64_t cols, int64_t, double) {
        C shift[kReduceColumns], off[kReduceColumns], squares[kReduceColumns];
        for (int64_t i = 0; i < rows; i += kRowsAtOnce) {
            const C* x = static_cast<const C*>(from) + i * row_step;
            int64_t m = std::min(kRowsAtOnce, rows - i);
            Lanes<SumRule<C>>::fold_columns(shift, x, row_step, m, cols, 0);
            for (int64_t j = 0; j < cols; ++j) {
                shift[j] /= C(m);
                off[j] = squares[j] = 0;
            }
            for (int64_t k = 0; k < m; ++k)
                for (int64_t j = 0; j < cols; ++j) {
                    C d = x[k * row_step + j] - shift[j];
                    off[j] += d;
                    squares[j] += d * d;
                }
            for (int64_t j = 0; j < cols; ++j)
                add(static_cast<double*>(acc), cap, j, double(m), shift[j] + double(off[j]) / double(m),
                    squares[j] - double(off[j]) * double(off[j]) / double(m));
        }
    }
    static void merge(void* acc, const void* later, int64_t cap, int64_t n) {
        const double* other = static_cast<const double*>(later);
        for (int64_t j = 0; j < n; ++j) add(static_cast<double*>(acc), cap, j, other[j], other[cap + j], other[2 * cap + j]);
    }
    static void finish(void* out, void* second, const void* acc, int64_t cap, int64_t n, double correction) {
        const double* a = static_cast<const double*>(acc);
        for (int64_t j = 0; j < n; ++j) {
            double free = std::max(a[j] - correction, 0.0), squares = a[2 * cap + j];
            static_cast<C*>(out)[j] = static_cast<C>((squares < 0 ? 0 : squares) / free);
            if (second) static_cast<C*>(second)[j] = static_cast<C>(a[j] == 0 ? std::numeric_limits<double>::quiet_NaN() : a[cap + j]);
        }
    }
    static constexpr ReduceKernels kernels() {
        return {3 * sizeof(double), init, rows, row, columns, merge, finish, DTypeOf<C>::value, DTypeOf<C>::value};
    }
};

// ---- both extremes in one pass over memory: a block is in the cache when it is folded for the second time

template <class C>
struct Extremes {
    using Low = Lanes<MinRule<C>>;
    using High = Lanes<MaxRule<C>>;
    // Layout: least[cap], largest[cap].
    static void init(void* acc, int64_t cap) {
        std::fill_n(static_cast<C*>(acc), cap, MinRule<C>::start());
        std::fill_n(static_cast<C*>(acc) + cap, cap, MaxRule<C>::start());
    }
    static void take(void* acc, int64_t cap, int64_t j, C low, C high) {
        C &least = static_cast<C*>(acc)[j], &largest = static_cast<C*>(acc)[cap + j];
        least = MinRule<C>::join(least, low);
        largest = MaxRule<C>::join(largest, high);
    }
    static void row(void* acc, int64_t cap, int64_t slot, const void* from, int64_t n, int64_t, double) {
        for (int64_t i = 0; i < n; i += Low::kBlock) {
            const C* x = static_cast<const C*>(from) + i;
            const int64_t m = std::min(Low::kBlock, n - i);
            const C low = Low::fold(x, m, 0);
            take(acc, cap, slot, low, High::fold(x, m, 0, m));  // while the next block is fetched
        }
    }
    static void rows(void* acc, int64_t cap, int64_t slot, const void* from, int64_t row_step, int64_t rows, int64_t n, double) {
        for (int64_t j = 0; j < rows; ++j) row(acc, cap, slot + j, static_cast<const C*>(from) + j * row_step, n, 0, 0);
    }
    static void columns(void* acc, int64_t cap, const void* from, int64_t row_step, int64_t rows, int64_t cols, int64_t, double) {
        constexpr int64_t kAtOnce = 16;
        C low[kReduceColumns], high[kReduceColumns];
        for (int64_t i = 0; i < rows; i += kAtOnce) {
            const C* x = static_cast<const C*>(from) + i * row_step;
            Low::fold_columns(low, x, row_step, std::min(kAtOnce, rows - i), cols, 0);
            High::fold_columns(high, x, row_step, std::min(kAtOnce, rows - i), cols, 0);
            for (int64_t j = 0; j < cols; ++j) take(acc, cap, j, low[j], high[j]);
        }
    }
    static void merge(void* acc, const void* later, int64_t cap, int64_t n) {
        const C* other = static_cast<const C*>(later);
        for (int64_t j = 0; j < n; ++j) take(acc, cap, j, other[j], other[cap + j]);
    }
    static void finish(void* out, void* second, const void* acc, int64_t cap, int64_t n, double) {
        std::copy_n(static_cast<const C*>(acc), n, static_cast<C*>(out));
        std::copy_n(static_cast<const C*>(acc) + cap, n, static_cast<C*>(second));
    }
    static constexpr ReduceKernels kernels() {
        return {2 * sizeof(C), init, rows, row, columns, merge, finish, DTypeOf<C>::value, DTypeOf<C>::value};
    }
};

// ---- the index of an extreme

template <class C, bool kMax>
struct Arg {
    using Rule = ExtremeRule<C, kMax>;
    using Index = std::conditional_t<sizeof(C) == 8, int64_t, int32_t>;
    // Layout: indices[cap] (-1: nothing yet), values[cap].
    static int64_t* indices(void* acc) { return static_cast<int64_t*>(acc); }
    static C* values(void* acc, int64_t cap) { return reinterpret_cast<C*>(indices(acc) + cap); }

    // Whether a later value takes the place of an earlier one: strictly better, or the first NaN.
    static bool beats(C x, C old) {
        if constexpr (is_real_v<C>)
            if (x != x || old != old) return x != x && old == old;
        return kMax ? x > old : x < old;
    }
    static void init(void* acc, int64_t cap) {
        for (int64_t j = 0; j < cap; ++j) indices(acc)[j] = -1;
    }
    // The first of kStep places where `is_it` holds, or kStep: without a branch, so that it vectorises.
    template <int kStep, class F>
    static Index first_of(const C* x, F is_it) {
        Index at = kStep;
        for (Index j = 0; j < kStep; ++j) {
            const Index here = is_it(x[j]) ? j : Index(kStep);
            at = here < at ? here : at;
        }
        return at;
    }
    template <class F>
    static int64_t find_first(const C* x, int64_t n, F is_it) {
        constexpr int kStep = 64, kFew = 8;
        int64_t i = 0;
        for (; i + kStep <= n; i += kStep)
            if (Index at = first_of<kStep>(x + i, is_it); at < kStep) return i + at;
        for (; i + kFew <= n; i += kFew)
            if (Index at = first_of<kFew>(x + i, is_it); at < kFew) return i + at;
        while (!is_it(x[i])) ++i;
        return i;
    }
    static int64_t find(const C* x, int64_t n, C value) {
        if (is_nan(value)) return find_first(x, n, [](C y) { return is_nan(y); });
        return find_first(x, n, [value](C y) { return y == value; });
    }
    static void row(void* acc, int64_t cap, int64_t slot, const void* from, int64_t n, int64_t first, double) {
        int64_t& index = indices(acc)[slot];
        C& best = values(acc, cap)[slot];
        for (int64_t i = 0; i < n; i += Lanes<Rule>::kBlock) {
            const C* x = static_cast<const C*>(from) + i;
            int64_t m = std::min(Lanes<Rule>::kBlock, n - i);
            C value = Lanes<Rule>::fold(x, m, 0);
            if (index >= 0 && !beats(value, best)) continue;
            best = value;
            index = first + i + find(x, m, value);
        }
    }
    static void rows(void* acc, int64_t cap, int64_t slot, const void* from, int64_t row_step, int64_t rows, int64_t n, double) {
        for (int64_t j = 0; j < rows; ++j) row(acc, cap, slot + j, static_cast<const C*>(from) + j * row_step, n, 0, 0);
    }
    static void columns(void* acc, int64_t cap, const void* from, int64_t row_step, int64_t rows, int64_t cols, int64_t first, double) {
        C best[kReduceColumns];
        Index at[kReduceColumns];
        for (int64_t i = 0; i < rows; i += kReduceTile) {
            const C* x = static_cast<const C*>(from) + i * row_step;
            const Index m = static_cast<Index>(std::min(kReduceTile, rows - i));
            for (int64_t j = 0; j < cols; ++j) {
                best[j] = x[j];
                at[j] = 0;
            }
            for (Index k = 1; k < m; ++k) {
                const C* y = x + k * row_step;
                for (int64_t j = 0; j < cols; ++j) {
                    bool better = kMax ? y[j] > best[j] : y[j] < best[j];
                    if constexpr (is_real_v<C>) better |= (y[j] != y[j]) & (best[j] == best[j]);
                    best[j] = better ? y[j] : best[j];
                    at[j] = better ? k : at[j];
                }
            }
            for (int64_t j = 0; j < cols; ++j) take(acc, cap, j, first + i + at[j], best[j]);
        }
    }
    static void take(void* acc, int64_t cap, int64_t j, int64_t index, C value) {
        if (index < 0 || (indices(acc)[j] >= 0 && !beats(value, values(acc, cap)[j]))) return;
        indices(acc)[j] = index;
        values(acc, cap)[j] = value;
    }
    static void merge(void* acc, const void* later, int64_t cap, int64_t n) {
        void* other = const_cast<void*>(later);
        for (int64_t j = 0; j < n; ++j) take(acc, cap, j, indices(other)[j], values(other, cap)[j]);
    }
    static void finish(void* out, void* second, const void* acc, int64_t cap, int64_t n, double) {
        void* a = const_cast<void*>(acc);
        for (int64_t j = 0; j < n; ++j) {
            if (out) static_cast<int64_t*>(out)[j] = indices(a)[j];
            if (second) static_cast<C*>(second)[j] = values(a, cap)[j];
        }
    }
    static constexpr ReduceKernels kernels() {
        return {sizeof(int64_t) + sizeof(C), init, rows, row, columns, merge, finish, DType::Int64, DTypeOf<C>::value};
    }
};

template <template <class> class Rule, class... C>
constexpr void set(ReduceTable& table, Reduction kind) {
    auto& row = table.kernels[static_cast<int>(kind)];
    auto place = [](DType t) {
        switch (t) {
            case DType::UInt8: return ReduceType::Byte;
            case DType::Int64: return ReduceType::Int64;
            case DType::Float32: return ReduceType::Float;
            case DType::Float64: return ReduceType::Double;
            case DType::Complex64: return ReduceType::ComplexFloat;
            default: return ReduceType::ComplexDouble;
        }
    };
    ((row[static_cast<int>(place(DTypeOf<C>::value))] = Simple<Rule<C>>::kernels()), ...);
}

constexpr ReduceTable make_table() {
    using C64 = std::complex<float>;
    using C128 = std::complex<double>;
    ReduceTable table;
    set<SumRule, uint8_t, int64_t, float, double, C64, C128>(table, Reduction::Sum);
    set<NanSumRule, uint8_t, int64_t, float, double>(table, Reduction::NanSum);
    set<ProdRule, int64_t, float, double, C64, C128>(table, Reduction::Prod);
    set<MaxRule, uint8_t, int64_t, float, double>(table, Reduction::Max);
    set<MinRule, uint8_t, int64_t, float, double>(table, Reduction::Min);
    set<AnyRule, uint8_t, int64_t, float, double, C64, C128>(table, Reduction::Any);
    set<AllRule, uint8_t, int64_t, float, double, C64, C128>(table, Reduction::All);
    set<CountNonzeroRule, uint8_t, int64_t, float, double, C64, C128>(table, Reduction::CountNonzero);
    set<CountNumbersRule, uint8_t, int64_t, float, double>(table, Reduction::CountNumbers);
    set<SumAbsRule, float, double, C64, C128>(table, Reduction::SumAbs);
    set<SumSquaresRule, float, double, C64, C128>(table, Reduction::SumSquares);
    set<SumPowRule, float, double, C64, C128>(table, Reduction::SumPow);
    auto put = [&](Reduction kind, ReduceType type, const ReduceKernels& kernels) {
        table.kernels[static_cast<int>(kind)][static_cast<int>(type)] = kernels;
    };
    put(Reduction::Moments, ReduceType::Float, Moments<float>::kernels());
    put(Reduction::Moments, ReduceType::Double, Moments<double>::kernels());
    put(Reduction::Extremes, ReduceType::Byte, Extremes<uint8_t>::kernels());
    put(Reduction::Extremes, ReduceType::Int64, Extremes<int64_t>::kernels());
    put(Reduction::Extremes, ReduceType::Float, Extremes<float>::kernels());
    put(Reduction::Extremes, ReduceType::Double, Extremes<double>::kernels());
    put(Reduction::ArgMax, ReduceType::Int64, Arg<int64_t, true>::kernels());
    put(Reduction::ArgMax, ReduceType::Float, Arg<float, true>::kernels());
    put(Reduction::ArgMax, ReduceType::Double, Arg<double, true>::kernels());
    put(Reduction::ArgMin, ReduceType::Int64, Arg<int64_t, false>::kernels());
    put(Reduction::ArgMin, ReduceType::Float, Arg<float, false>::kernels());
    put(Reduction::ArgMin, ReduceType::Double, Arg<double, false>::kernels());
    return table;
}

}  // namespace

extern const ReduceTable reduce_table;
constinit const ReduceTable reduce_table = make_table();  // constant: no code of this instruction set may run at start

}  // namespace taeda::cpu::TAEDA_ISA
