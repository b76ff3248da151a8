// The passes of Fourier transforms, built once per instruction set.
//
// After Stockham, the order comes out right without a permutation: each pass reads with one stride and writes with another.
#include <cstring>
#include <utility>

#include "cpu/fft.h"
#include "cpu/vector_width.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

// W values of T; a plain T for W = 1.
template <class T, int W>
struct VectorOf {
    typedef T type __attribute__((vector_size(W * sizeof(T))));
};
template <class T>
struct VectorOf<T, 1> {
    typedef T type;
};
template <class T, int W>
using Vec = typename VectorOf<T, W>::type;
template <class T>
constexpr int kWidth = kVectorBytes / static_cast<int>(sizeof(T));

template <class V, class T>
inline V load(const T* from) {
    V v;
    std::memcpy(&v, from, sizeof v);
    return v;
}
template <class V, class T>
inline void store(T* to, V v) {
    std::memcpy(to, &v, sizeof v);
}
template <class V, class T>
inline V splat(T x) {
    return x - V{};
}

template <class V>
struct Complex {
    V re, im;
    Complex operator+(const Complex& o) const { return {re + o.re, im + o.im}; }
    Complex operator-(const Complex& o) const { return {re - o.re, im - o.im}; }
    Complex operator*(const Complex& o) const { return {re * o.re - im * o.im, re * o.im + im * o.re}; }
    Complex times_minus_i() const { return {im, -re}; }
};

// ---- butterflies: the transform of R values in registers

template <class V>
inline void butterfly4(Complex<V>& a, Complex<V>& b, Complex<V>& c, Complex<V>& d) {
    Complex<V> even = a + c, odd = a - c, sum = b + d, turned = (b - d).times_minus_i();
    a = even + sum;
    c = even - sum;
    b = odd + turned;
    d = odd - turned;
}

// An odd radix: pairs x[j], x[R - j] share their products with the roots of unity.
template <int R, class T, class V>
inline void butterfly_odd(Complex<V> (&x)[R], const T* root_re, const T* root_im) {
    constexpr int H = R / 2;
    Complex<V> sum[H + 1], difference[H + 1], total = x[0];
#pragma GCC unroll 8
    for (int j = 1; j <= H; ++j) {
        sum[j] = x[j] + x[R - j];
        difference[j] = x[j] - x[R - j];
        total = total + sum[j];
    }
    Complex<V> first = x[0];
#pragma GCC unroll 8
    for (int k = 1; k <= H; ++k) {
        Complex<V> even = first, odd{};
#pragma GCC unroll 8
        for (int j = 1; j <= H; ++j) {
            T c = root_re[j * k % R], s = root_im[j * k % R];
            even = {even.re + c * sum[j].re, even.im + c * sum[j].im};
            odd = {odd.re - s * difference[j].im, odd.im + s * difference[j].re};
        }
        x[k] = even + odd;
        x[R - k] = even - odd;
    }
    x[0] = total;
}

template <int R, class T, class V>
inline void butterfly(Complex<V> (&x)[R], const T* root_re, const T* root_im) {
    if constexpr (R == 2) {
        Complex<V> a = x[0];
        x[0] = a + x[1];
        x[1] = a - x[1];
    } else if constexpr (R == 4) {
        butterfly4(x[0], x[1], x[2], x[3]);
    } else if constexpr (R == 8) {
        constexpr T h = T(0.70710678118654752440);
        butterfly4(x[0], x[2], x[4], x[6]);
        butterfly4(x[1], x[3], x[5], x[7]);
        Complex<V> b0 = x[0], b1 = x[2], b2 = x[4], b3 = x[6];
        Complex<V> c0 = x[1], c1 = {h * (x[3].re + x[3].im), h * (x[3].im - x[3].re)}, c2 = x[5].times_minus_i(),
                   c3 = {h * (x[7].im - x[7].re), -h * (x[7].re + x[7].im)};
        x[0] = b0 + c0;
        x[1] = b1 + c1;
        x[2] = b2 + c2;
        x[3] = b3 + c3;
        x[4] = b0 - c0;
        x[5] = b1 - c1;
        x[6] = b2 - c2;
        x[7] = b3 - c3;
    } else {
        butterfly_odd<R>(x, root_re, root_im);
    }
}

// ---- passes

// A run of `count` neighbouring sequences that share their twiddles: position p of each.
template <int R, int W, class T>
inline int64_t run(int64_t at, int64_t count, Split<const T> from, int64_t from_step, Split<T> to, int64_t to_step, const FftPass<T>& pass,
                   int64_t p) {
    using V = Vec<T, W>;
    Complex<V> turn[R];
#pragma GCC unroll 16
    for (int k = 1; k < R; ++k)
        turn[k] = {splat<V>(pass.turn_re[static_cast<size_t>((k - 1) * pass.rest + p)]),
                   splat<V>(pass.turn_im[static_cast<size_t>((k - 1) * pass.rest + p)])};
    const T *root_re = pass.root_re.data(), *root_im = pass.root_im.data();
    for (; at + W <= count; at += W) {
        Complex<V> x[R];
#pragma GCC unroll 16
        for (int j = 0; j < R; ++j) x[j] = {load<V>(from.re + at + j * from_step), load<V>(from.im + at + j * from_step)};
        butterfly<R, T>(x, root_re, root_im);
#pragma GCC unroll 16
        for (int k = 0; k < R; ++k) {
            if (k > 0) x[k] = x[k] * turn[k];
            store(to.re + at + k * to_step, x[k].re);
            store(to.im + at + k * to_step, x[k].im);
        }
    }
    return at;
}

template <int R, int W, class T>
inline void run_down(int64_t at, int64_t count, Split<const T> from, int64_t from_step, Split<T> to, int64_t to_step, const FftPass<T>& pass,
                     int64_t p) {
    if (at + W <= count) at = run<R, W>(at, count, from, from_step, to, to_step, pass, p);
    if constexpr (W > 1)
        if (at < count) run_down<R, W / 2>(at, count, from, from_step, to, to_step, pass, p);
}

// The first pass of a single sequence: there is nothing side by side but the positions p themselves.
template <int R, class T>
void first_pass(const FftPass<T>& pass, Split<const T> from, Split<T> to) {
    constexpr int W = kWidth<T>;
    using V = Vec<T, W>;
    int64_t m = pass.rest, p = 0;
    const T *root_re = pass.root_re.data(), *root_im = pass.root_im.data(), *turn_re = pass.turn_re.data(), *turn_im = pass.turn_im.data();
    for (; p + W <= m; p += W) {
        Complex<V> x[R];
#pragma GCC unroll 16
        for (int j = 0; j < R; ++j) x[j] = {load<V>(from.re + p + j * m), load<V>(from.im + p + j * m)};
        butterfly<R, T>(x, root_re, root_im);
        T re[R][W], im[R][W];
#pragma GCC unroll 16
        for (int k = 0; k < R; ++k) {
            if (k > 0) x[k] = x[k] * Complex<V>{load<V>(turn_re + (k - 1) * m + p), load<V>(turn_im + (k - 1) * m + p)};
            store(re[k], x[k].re);
            store(im[k], x[k].im);
        }
        for (int w = 0; w < W; ++w)
#pragma GCC unroll 16
            for (int k = 0; k < R; ++k) {
                to.re[(p + w) * R + k] = re[k][w];
                to.im[(p + w) * R + k] = im[k][w];
            }
    }
    for (; p < m; ++p) run<R, 1>(0, 1, {from.re + p, from.im + p}, m, {to.re + p * R, to.im + p * R}, 1, pass, p);
}

template <int R, class T>
void run_pass(const FftPass<T>& pass, int64_t lanes, Split<const T> from, Split<T> to) {
    int64_t s = pass.stride * lanes, m = pass.rest;
    if (s == 1) return first_pass<R>(pass, from, to);
    for (int64_t p = 0; p < m; ++p)
        run_down<R, kWidth<T>>(0, s, {from.re + s * p, from.im + s * p}, s * m, {to.re + s * R * p, to.im + s * R * p}, s, pass, p);
}

// A prime radix without a butterfly of its own, by the definition.
template <class T>
void generic_pass(const FftPass<T>& pass, int64_t lanes, Split<const T> from, Split<T> to) {
    int64_t s = pass.stride * lanes, m = pass.rest, r = pass.radix;
    constexpr int64_t kChunk = 16;
    for (int64_t p = 0; p < m; ++p)
        for (int64_t k = 0; k < r; ++k) {
            T turn_re = k ? pass.turn_re[static_cast<size_t>((k - 1) * m + p)] : T(1);
            T turn_im = k ? pass.turn_im[static_cast<size_t>((k - 1) * m + p)] : T(0);
            for (int64_t q = 0; q < s; q += kChunk) {
                int64_t count = s - q < kChunk ? s - q : kChunk;
                T re[kChunk] = {}, im[kChunk] = {};
                for (int64_t j = 0, root = 0; j < r; ++j, root = root + k >= r ? root + k - r : root + k) {
                    const T *a = from.re + s * (p + m * j) + q, *b = from.im + s * (p + m * j) + q;
                    T c = pass.root_re[static_cast<size_t>(root)], d = pass.root_im[static_cast<size_t>(root)];
                    for (int64_t l = 0; l < count; ++l) {
                        re[l] += a[l] * c - b[l] * d;
                        im[l] += a[l] * d + b[l] * c;
                    }
                }
                T *x = to.re + s * (r * p + k) + q, *y = to.im + s * (r * p + k) + q;
                for (int64_t l = 0; l < count; ++l) {
                    x[l] = re[l] * turn_re - im[l] * turn_im;
                    y[l] = re[l] * turn_im + im[l] * turn_re;
                }
            }
        }
}

// values[i * lanes + l] *= factor[i], to another place or the same
template <class T>
void multiply(int64_t n, int64_t lanes, Split<T> values, const std::vector<T>& factor_re, const std::vector<T>& factor_im) {
    for (int64_t i = 0; i < n; ++i) {
        T c = factor_re[static_cast<size_t>(i)], d = factor_im[static_cast<size_t>(i)];
        T *a = values.re + i * lanes, *b = values.im + i * lanes;
        for (int64_t l = 0; l < lanes; ++l) {
            T re = a[l] * c - b[l] * d;
            b[l] = a[l] * d + b[l] * c;
            a[l] = re;
        }
    }
}

template <class T>
Split<T> transform(const FftPlan<T>& plan, int64_t lanes, Split<T> data, Split<T> work);

// Bluestein: jk = (j^2 + k^2 - (k - j)^2) / 2 turns the transform into a convolution with exp(i pi j^2 / n).
template <class T>
Split<T> transform_as_convolution(const FftPlan<T>& plan, int64_t lanes, Split<T> data, Split<T> work) {
    int64_t room = plan.room();
    multiply(plan.n, lanes, data, plan.chirp_re, plan.chirp_im);
    size_t padding = static_cast<size_t>((room - plan.n) * lanes) * sizeof(T);
    std::memset(data.re + plan.n * lanes, 0, padding);
    std::memset(data.im + plan.n * lanes, 0, padding);
    Split<T> there = transform(*plan.inner, lanes, data, work);
    multiply(room, lanes, there, plan.kernel_re, plan.kernel_im);
    Split<T> other = there.re == data.re ? work : data;
    Split<T> back = transform(*plan.inner, lanes, there.swapped(), other.swapped()).swapped();
    multiply(plan.n, lanes, back, plan.chirp_re, plan.chirp_im);
    return back;
}

template <class T>
Split<T> transform(const FftPlan<T>& plan, int64_t lanes, Split<T> data, Split<T> work) {
    if (plan.inner) return transform_as_convolution(plan, lanes, data, work);
    for (const FftPass<T>& pass : plan.passes) {
        Split<const T> from{data.re, data.im};
        switch (pass.radix) {
            case 2: run_pass<2>(pass, lanes, from, work); break;
            case 3: run_pass<3>(pass, lanes, from, work); break;
            case 4: run_pass<4>(pass, lanes, from, work); break;
            case 5: run_pass<5>(pass, lanes, from, work); break;
            case 7: run_pass<7>(pass, lanes, from, work); break;
            case 8: run_pass<8>(pass, lanes, from, work); break;
            case 11: run_pass<11>(pass, lanes, from, work); break;
            case 13: run_pass<13>(pass, lanes, from, work); break;
            default: generic_pass(pass, lanes, from, work);
        }
        std::swap(data, work);
    }
    return data;
}

// ---- between tensors and the working places

// a0 b0 a1 b1 ... from the first or the second halves.
template <int W, int half, class V, size_t... I>
inline V interleave(V a, V b, std::index_sequence<I...>) {
    return __builtin_shufflevector(a, b, static_cast<int>((I % 2) * W + I / 2 + half * W / 2)...);
}

// Rows to columns: interleaving the two halves of the rows log2(W) times is that.
template <int W, class V>
inline void transpose(V (&x)[W]) {
#pragma GCC unroll 4
    for (int round = 1; round < W; round *= 2) {
        V y[W];
#pragma GCC unroll 16
        for (int i = 0; i < W / 2; ++i) {
            y[2 * i] = interleave<W, 0>(x[i], x[i + W / 2], std::make_index_sequence<W>());
            y[2 * i + 1] = interleave<W, 1>(x[i], x[i + W / 2], std::make_index_sequence<W>());
        }
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) x[i] = y[i];
    }
}

// Whole vectors of contiguous lines: a square of W reals from each of W lines is W / 2 elements' two parts for W lanes.
// Returns how many elements of the lanes from `lane` on are done.
template <class T>
int64_t load_square(int64_t n, int64_t lanes, int64_t lane, FftPlace<const T> from, Split<T> to) {
    constexpr int W = kWidth<T>;
    int64_t i = 0;
    for (; i + W / 2 <= n; i += W / 2) {
        Vec<T, W> x[W];
#pragma GCC unroll 16
        for (int l = 0; l < W; ++l) x[l] = load<Vec<T, W>>(from.re + from.offsets[lane + l] + 2 * i);
        transpose<W>(x);
#pragma GCC unroll 16
        for (int k = 0; k < W; ++k) store((k % 2 ? to.im : to.re) + (i + k / 2) * lanes + lane, x[k]);
    }
    return i;
}

template <class T>
int64_t store_square(int64_t n, int64_t lanes, int64_t lane, Split<T> from, FftPlace<T> to, T scale) {
    constexpr int W = kWidth<T>;
    int64_t i = 0;
    for (; i + W / 2 <= n; i += W / 2) {
        Vec<T, W> x[W];
#pragma GCC unroll 16
        for (int k = 0; k < W; ++k) x[k] = load<Vec<T, W>>((k % 2 ? from.im : from.re) + (i + k / 2) * lanes + lane) * scale;
        transpose<W>(x);
#pragma GCC unroll 16
        for (int l = 0; l < W; ++l) store(to.re + to.offsets[lane + l] + 2 * i, x[l]);
    }
    return i;
}

template <class T>
void load_lines(int64_t n, int64_t lanes, FftPlace<const T> from, Split<T> to) {
    bool pairs = from.im == from.re + 1, side_by_side = pairs;
    for (int64_t l = 1; l < lanes; ++l) side_by_side &= from.offsets[l] == from.offsets[0] + 2 * l;
    if (lanes == 1 && pairs && from.step == 2) {
        const T* line = from.re + from.offsets[0];
        for (int64_t i = 0; i < n; ++i) to.re[i] = line[2 * i], to.im[i] = line[2 * i + 1];
    } else if (side_by_side) {
        for (int64_t i = 0; i < n; ++i) {
            const T* line = from.re + from.offsets[0] + i * from.step;
            T *re = to.re + i * lanes, *im = to.im + i * lanes;
            for (int64_t l = 0; l < lanes; ++l) re[l] = line[2 * l], im[l] = line[2 * l + 1];
        }
    } else {
        int64_t done = 0;  // elements of the lines at hand that were moved in vectors
        for (int64_t l = 0; l < lanes; ++l) {
            if (l % kWidth<T> == 0) done = pairs && from.step == 2 && l + kWidth<T> <= lanes ? load_square(n, lanes, l, from, to) : 0;
            const T *re = from.re + from.offsets[l], *im = from.im ? from.im + from.offsets[l] : nullptr;
            for (int64_t i = done; i < n; ++i) to.re[i * lanes + l] = re[i * from.step];
            for (int64_t i = done; i < n; ++i) to.im[i * lanes + l] = im ? im[i * from.step] : T(0);
        }
    }
}

template <class T>
void store_lines(int64_t n, int64_t lanes, Split<T> from, FftPlace<T> to, T scale) {
    bool pairs = to.im == to.re + 1, side_by_side = pairs;
    for (int64_t l = 1; l < lanes; ++l) side_by_side &= to.offsets[l] == to.offsets[0] + 2 * l;
    if (lanes == 1 && pairs && to.step == 2) {
        T* line = to.re + to.offsets[0];
        for (int64_t i = 0; i < n; ++i) line[2 * i] = from.re[i] * scale, line[2 * i + 1] = from.im[i] * scale;
    } else if (side_by_side) {
        for (int64_t i = 0; i < n; ++i) {
            T* line = to.re + to.offsets[0] + i * to.step;
            const T *re = from.re + i * lanes, *im = from.im + i * lanes;
            for (int64_t l = 0; l < lanes; ++l) line[2 * l] = re[l] * scale, line[2 * l + 1] = im[l] * scale;
        }
    } else {
        int64_t done = 0;
        for (int64_t l = 0; l < lanes; ++l) {
            if (l % kWidth<T> == 0) done = pairs && to.step == 2 && l + kWidth<T> <= lanes ? store_square(n, lanes, l, from, to, scale) : 0;
            T *re = to.re + to.offsets[l], *im = to.im ? to.im + to.offsets[l] : nullptr;
            for (int64_t i = done; i < n; ++i) re[i * to.step] = from.re[i * lanes + l] * scale;
            if (im)
                for (int64_t i = done; i < n; ++i) im[i * to.step] = from.im[i * lanes + l] * scale;
        }
    }
}

// ---- real sequences of even length, as half as many complex ones

// One element of each: from the pair's even and odd parts, the odd one turned.
template <class T>
inline void unpack_one(T a_re, T a_im, T b_re, T b_im, T c, T d, T& re, T& im) {
    T even_re = T(0.5) * (a_re + b_re), even_im = T(0.5) * (a_im - b_im), odd_re = T(0.5) * (a_im + b_im), odd_im = T(0.5) * (b_re - a_re);
    re = even_re + (odd_re * c - odd_im * d);
    im = even_im + (odd_re * d + odd_im * c);
}

template <class T>
void unpack_real(int64_t half, int64_t lanes, Split<T> from, Split<T> to, Split<const T> turn) {
    const T* __restrict re = from.re, * __restrict im = from.im, * __restrict c = turn.re, * __restrict d = turn.im;
    T* __restrict to_re = to.re, * __restrict to_im = to.im;
    for (int64_t l = 0; l < lanes; ++l) {
        unpack_one(re[l], im[l], re[l], im[l], T(1), T(0), to_re[l], to_im[l]);
        unpack_one(re[l], im[l], re[l], im[l], T(-1), T(0), to_re[half * lanes + l], to_im[half * lanes + l]);
    }
    if (lanes == 1) {
#pragma GCC ivdep  // the two places never overlap
        for (int64_t k = 1; k < half; ++k) unpack_one(re[k], im[k], re[half - k], im[half - k], c[k], d[k], to_re[k], to_im[k]);
        return;
    }
    for (int64_t k = 1; k < half; ++k) {
        int64_t a = k * lanes, b = (half - k) * lanes;
#pragma GCC ivdep  // the two places never overlap
        for (int64_t l = 0; l < lanes; ++l) unpack_one(re[a + l], im[a + l], re[b + l], im[b + l], c[k], d[k], to_re[a + l], to_im[a + l]);
    }
}

template <class T>
inline void pack_one(T a_re, T a_im, T b_re, T b_im, T c, T d, T& re, T& im) {
    T x = a_re - b_re, y = a_im + b_im;
    re = a_re + b_re - (y * c - x * d);
    im = a_im - b_im + (x * c + y * d);
}

// The imaginary parts of the first and the last element do not count: those elements are sums of reals.
template <class T>
void pack_real(int64_t half, int64_t lanes, Split<T> from, Split<T> to, Split<const T> turn) {
    for (int64_t l = 0; l < lanes; ++l) from.im[l] = from.im[half * lanes + l] = T(0);
    const T* __restrict re = from.re, * __restrict im = from.im, * __restrict c = turn.re, * __restrict d = turn.im;
    T* __restrict to_re = to.re, * __restrict to_im = to.im;
    if (lanes == 1) {
#pragma GCC ivdep  // the two places never overlap
        for (int64_t k = 0; k < half; ++k) pack_one(re[k], im[k], re[half - k], im[half - k], c[k], d[k], to_re[k], to_im[k]);
        return;
    }
    for (int64_t k = 0; k < half; ++k) {
        int64_t a = k * lanes, b = (half - k) * lanes;
#pragma GCC ivdep  // the two places never overlap
        for (int64_t l = 0; l < lanes; ++l) pack_one(re[a + l], im[a + l], re[b + l], im[b + l], c[k], d[k], to_re[a + l], to_im[a + l]);
    }
}

template <class T>
constexpr FftKernels<T> kernels() {
    return {kWidth<T>, transform<T>, load_lines<T>, store_lines<T>, unpack_real<T>, pack_real<T>};
}

}  // namespace

extern const FftTable fft_table;
constinit const FftTable fft_table = {kernels<float>(), kernels<double>()};

}  // namespace taeda::cpu::TAEDA_ISA
