// Discrete Fourier transforms of many sequences side by side: plans, and the kernels that follow them.
//
// Real and imaginary parts lie apart (`Split`), and element i of sequence l at [i * lanes + l]. An inverse transform is a forward one
// with the two parts exchanged, on the way in and on the way out, so there is only one direction below.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cpu/isa.h"

namespace taeda::cpu {

template <class T>
struct Split {
    T *re, *im;
    Split swapped() const { return {im, re}; }
};

// One pass of a mixed-radix Stockham transform: `stride` interleaved sequences of radix * rest elements become radix times as many of
// `rest` elements each.
template <class T>
struct FftPass {
    int64_t radix, rest, stride;
    std::vector<T> turn_re, turn_im;  // exp(-2 pi i k p / (radix * rest)) at [(k - 1) * rest + p]
    std::vector<T> root_re, root_im;  // exp(-2 pi i k / radix); odd radices only
};

// How sequences of length n are transformed: by passes, or (Bluestein) as a convolution with a chirp that a longer plan computes.
template <class T>
struct FftPlan {
    int64_t n = 1;
    std::vector<FftPass<T>> passes;
    std::shared_ptr<const FftPlan> inner;
    std::vector<T> chirp_re, chirp_im, kernel_re, kernel_im;

    int64_t room() const { return inner ? inner->n : n; }  // elements for each sequence that the working places must hold
    int64_t weight() const { return 2 * (n + (inner ? 3 * inner->n : 0)); }
};

// Where one part of the elements lies in a tensor. `im` may be null: zero where it is read, dropped where it is written.
template <class T>
struct FftPlace {
    T *re, *im;
    int64_t step;            // from element to element, in T
    const int64_t* offsets;  // of each sequence, in T
};

template <class T>
struct FftKernels {
    int width;  // sequences that fill a vector
    // Transforms the sequences in `data`; both places have room() * lanes elements. Returns the one that holds the result.
    Split<T> (*transform)(const FftPlan<T>& plan, int64_t lanes, Split<T> data, Split<T> work);
    void (*load)(int64_t n, int64_t lanes, FftPlace<const T> from, Split<T> to);
    void (*store)(int64_t n, int64_t lanes, Split<T> from, FftPlace<T> to, T scale);
    // From the transform of n/2 pairs of neighbouring reals to the first half + 1 elements of the transform of n reals, and back.
    // turn: exp(-2 pi i k / n) for k < half.
    void (*unpack_real)(int64_t half, int64_t lanes, Split<T> from, Split<T> to, Split<const T> turn);
    void (*pack_real)(int64_t half, int64_t lanes, Split<T> from, Split<T> to, Split<const T> turn);
};

struct FftTable {
    FftKernels<float> f32;
    FftKernels<double> f64;
    template <class T>
    const FftKernels<T>& of() const {
        if constexpr (sizeof(T) == 4) return f32;
        else return f64;
    }
};
TAEDA_DECLARE_ISA(FftTable, fft_table)

// The plan for length n, from a bounded cache.
template <class T>
std::shared_ptr<const FftPlan<T>> fft_plan(int64_t n);

// exp(-2 pi i k / n) for k < n/2, from the same cache.
template <class T>
struct FftTurns {
    std::vector<T> re, im;
};
template <class T>
std::shared_ptr<const FftTurns<T>> fft_turns(int64_t n);

}  // namespace taeda::cpu
