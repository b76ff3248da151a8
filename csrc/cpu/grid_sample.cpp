// Sampling of images and volumes at given points (grid_sample). A block of points is turned into taps, places with weights,
// and each channel is then a weighted sum of what it has there.
#include <cmath>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/resize_kernels.h"
#include "cpu/scratch.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

enum class Sampling { Linear, Nearest, Cubic };
enum class Outside { Zeros, Border, Reflection };

constexpr int64_t kBlock = 256;  // points whose taps are at hand at once
constexpr int64_t kPieceWork = 1 << 14;

// A position, and how fast it moves with the coordinate that it came from.
template <class T>
struct Position {
    T at, slope;
};

template <class T>
struct Sampler {
    int64_t n;  // spatial dimensions
    int64_t size[3] = {1, 1, 1}, step[3] = {1, 1, 1};
    Sampling mode;
    Outside outside;
    bool align_corners;
    // The type whose rounding positions and weights have, as in PyTorch: in half precision it decides what is nearest.
    DType precision;

    Sampler(IntList input, int64_t mode_number, int64_t padding, bool align, DType type)
        : n(static_cast<int64_t>(input.size()) - 2),
          mode(static_cast<Sampling>(mode_number)),
          outside(static_cast<Outside>(padding)),
          align_corners(align),
          precision(type) {
        int64_t stride = 1;
        for (int64_t d = n - 1; d >= 0; --d) {
            size[d] = input[static_cast<size_t>(d) + 2];
            step[d] = stride;
            stride *= size[d];
        }
        TAEDA_CHECK(stride <= INT32_MAX, "grid_sampler(): a plane of ", stride, " elements is too large");
    }
    int64_t plane() const { return size[0] * step[0]; }
    int64_t n_taps() const { return mode == Sampling::Nearest ? 1 : mode == Sampling::Cubic ? 16 : int64_t{1} << n; }

    T rounded(T x) const {
        if (precision == DType::Float16) return static_cast<T>(to_float(to_half(static_cast<float>(x))));
        if (precision == DType::BFloat16) return static_cast<T>(to_float(to_bfloat16(static_cast<float>(x))));
        return x;
    }
    // From -1 .. 1 to the image's elements.
    Position<T> element(T coordinate, int64_t d) const {
        const T length = static_cast<T>(size[d]), from_start = rounded(coordinate + 1);
        if (align_corners) return {rounded(rounded(from_start / 2) * (length - 1)), (length - 1) / 2};
        return {rounded(rounded(rounded(from_start * length) - 1) / 2), length / 2};
    }
    // Moved into the image as the padding says. Where it stops moving the slope is 0.
    Position<T> inside(Position<T> p, int64_t d) const {
        if (outside == Outside::Reflection) p = reflected(p, d);
        if (outside != Outside::Zeros) {
            const T last = static_cast<T>(size[d] - 1);
            if (!(p.at > 0)) p = {T(0), T(0)};  // NaN as well
            else if (p.at >= last) p = {last, T(0)};
        }
        // What no integer holds is far outside.
        if (!(p.at > T(-1e9) && p.at < T(1e9))) p = {T(-100), T(0)};
        return p;
    }
    Position<T> reflected(Position<T> p, int64_t d) const {
        const T low = align_corners ? T(0) : T(-0.5), span = static_cast<T>(align_corners ? size[d] - 1 : size[d]);
        if (span == 0) return {T(0), T(0)};
        const T distance = p.at - low, positive = std::abs(distance), rest = std::fmod(positive, span);
        const T slope = distance < 0 ? -p.slope : p.slope;
        const bool is_even = std::fmod(std::floor(positive / span), T(2)) == 0;
        return is_even ? Position<T>{rest + low, slope} : Position<T>{span - rest + low, -slope};
    }
    bool contains(int64_t place, int64_t d) const { return place >= 0 && place < size[d]; }
};

// The taps of a block of points, tap by tap; `slope` holds the derivatives of the weights for each spatial dimension.
template <class T>
struct Taps {
    int64_t n_taps, n_points = 0;
    Scratch<int32_t> index;
    Scratch<T> weight, slope;
    bool is_empty[kBlock];

    Taps(const Sampler<T>& sampler, bool with_slopes) : n_taps(sampler.n_taps()), index(n_taps * kBlock), weight(n_taps * kBlock) {
        if (with_slopes) slope.reset(sampler.n * n_taps * kBlock);
    }
    T* slopes(int64_t d, int64_t tap) { return slope.data() + (d * n_taps + tap) * n_points; }
};

// What each dimension contributes to a point's taps: places, weights and the weights' slopes.
template <class T>
struct Line {
    int count = 0;
    int64_t place[4];
    T weight[4], slope[4];
    bool is_inside[4];
};

template <class T>
void cubic_weights(T t, T* weight, T* slope) {
    constexpr T a = T(-0.75);
    const auto near = [](T x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
    const auto far = [](T x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
    const auto near_slope = [](T x) { return (3 * (a + 2) * x - 2 * (a + 3)) * x; };
    const auto far_slope = [](T x) { return (3 * a * x - 10 * a) * x + 8 * a; };
    weight[0] = far(t + 1);
    weight[1] = near(t);
    weight[2] = near(1 - t);
    weight[3] = far(2 - t);
    slope[0] = far_slope(t + 1);
    slope[1] = near_slope(t);
    slope[2] = -near_slope(1 - t);
    slope[3] = -far_slope(2 - t);
}

template <class T>
Line<T> line_at(const Sampler<T>& sampler, T coordinate, int64_t d) {
    Line<T> line;
    Position<T> p = sampler.element(coordinate, d);
    if (sampler.mode == Sampling::Cubic) {
        const T base = std::floor(p.at);
        cubic_weights(p.at - base, line.weight, line.slope);
        line.count = 4;
        for (int t = 0; t < 4; ++t) {
            // The points around are moved into the image one by one.
            line.place[t] = static_cast<int64_t>(sampler.inside({base + static_cast<T>(t - 1), T(0)}, d).at);
            line.slope[t] *= p.slope;
        }
    } else if (sampler.mode == Sampling::Nearest) {
        line.count = 1;
        line.place[0] = static_cast<int64_t>(std::nearbyint(sampler.inside(p, d).at));
        line.weight[0] = 1;
        line.slope[0] = 0;
    } else {
        p = sampler.inside(p, d);
        const T base = std::floor(p.at), share = sampler.rounded(p.at - base);
        line.count = 2;
        line.place[0] = static_cast<int64_t>(base);
        line.place[1] = line.place[0] + 1;
        line.weight[0] = sampler.rounded(1 - share);
        line.weight[1] = share;
        line.slope[0] = -p.slope;
        line.slope[1] = p.slope;
    }
    for (int t = 0; t < line.count; ++t) line.is_inside[t] = sampler.contains(line.place[t], d);
    return line;
}

// All combinations of the lines' taps. Those outside get the weight 0 at a place that the point reads anyway, so that an
// infinite value elsewhere does not come in as 0 * inf.
template <int kDims, bool kSlopes, class T>
void combine(const Sampler<T>& sampler, const Line<T>* lines, Taps<T>& taps, int64_t point) {
    int32_t valid = -1;
    const int64_t n = taps.n_points, n_taps = taps.n_taps;
    int32_t* index = taps.index.data() + point;
    int k[kDims] = {};
    for (int64_t t = 0; t < n_taps; ++t) {
        int64_t place = 0;
        T weight = 1;
        bool is_inside = true;
#pragma GCC unroll 3
        for (int d = 0; d < kDims; ++d) {
            is_inside = is_inside && lines[d].is_inside[k[d]];
            place += lines[d].place[k[d]] * sampler.step[d];
            weight = sampler.rounded(weight * lines[d].weight[k[d]]);
        }
        index[t * n] = is_inside ? static_cast<int32_t>(place) : -1;
        taps.weight.data()[t * n + point] = is_inside ? weight : T(0);
        valid = is_inside ? static_cast<int32_t>(place) : valid;
        if constexpr (kSlopes)
            for (int e = 0; e < kDims; ++e) {
                T slope = 1;
                for (int d = 0; d < kDims; ++d) slope *= e == d ? lines[d].slope[k[d]] : lines[d].weight[k[d]];
                taps.slopes(e, t)[point] = is_inside ? slope : T(0);
            }
        for (int d = kDims - 1; d >= 0 && ++k[d] == lines[d].count; --d) k[d] = 0;
    }
    taps.is_empty[point] = valid < 0;
    for (int64_t t = 0; t < n_taps; ++t) index[t * n] = index[t * n] < 0 ? std::max(valid, 0) : index[t * n];
}

// grid: points of n coordinates, the last dimension's first.
template <int kDims, bool kSlopes, class T>
void fill_block(const Sampler<T>& sampler, const T* grid, Taps<T>& taps) {
    for (int64_t i = 0; i < taps.n_points; ++i) {
        Line<T> lines[kDims];
        for (int d = 0; d < kDims; ++d) lines[d] = line_at(sampler, grid[i * kDims + kDims - 1 - d], d);
        combine<kDims, kSlopes>(sampler, lines, taps, i);
    }
}

template <class T>
void fill_taps(const Sampler<T>& sampler, const T* grid, int64_t n_points, Taps<T>& taps) {
    taps.n_points = n_points;
    const bool with_slopes = taps.slope.data() != nullptr;
    if (sampler.n == 2) with_slopes ? fill_block<2, true>(sampler, grid, taps) : fill_block<2, false>(sampler, grid, taps);
    else with_slopes ? fill_block<3, true>(sampler, grid, taps) : fill_block<3, false>(sampler, grid, taps);
}

struct Sizes {
    int64_t batch, channels, points;
    Sizes(const Tensor& input, const Tensor& grid) : batch(input.size(0)), channels(input.size(1)), points(1) {
        for (int64_t d = 1; d + 1 < grid.dim(); ++d) points *= grid.size(d);
    }
};

// f(sample, first channel, last channel): pieces for threads, cut at channels where there are few samples.
template <class F>
void over_channels(const Sizes& sizes, F&& f) {
    const int64_t threads = num_threads(), pieces = sizes.batch >= threads ? 1 : std::min(sizes.channels, threads);
    const int64_t length = pieces ? (sizes.channels + pieces - 1) / pieces : 0;
    const bool is_large = sizes.batch * sizes.channels * sizes.points > kPieceWork;
    ReleaseHostLock unlocked(is_large);
    parallel_for(0, sizes.batch * pieces, is_large ? 1 : sizes.batch * pieces, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            const int64_t c = t % pieces * length;
            f(t / pieces, c, std::min(sizes.channels, c + length));
        }
    });
}

template <class T>
void sample(const Sampler<T>& sampler, const Sizes& sizes, const T* x, const T* grid, T* out) {
    over_channels(sizes, [&](int64_t b, int64_t first, int64_t last) {
        Taps<T> taps(sampler, false);
        for (int64_t i = 0; i < sizes.points; i += kBlock) {
            const int64_t n = std::min(kBlock, sizes.points - i);
            fill_taps(sampler, grid + (b * sizes.points + i) * sampler.n, n, taps);
            for (int64_t c = first; c < last; ++c) {
                const int64_t plane = b * sizes.channels + c;
                T* to = out + plane * sizes.points + i;
                resize_kernels<T>().line(x + plane * sampler.plane(), to, n, taps.n_taps, taps.index.data(), taps.weight.data());
                for (int64_t j = 0; j < n; ++j) to[j] = taps.is_empty[j] ? T(0) : to[j];
            }
        }
    });
}

template <class T>
void scatter_gradient(const Sampler<T>& sampler, const Sizes& sizes, const T* g, const T* grid, T* dx) {
    over_channels(sizes, [&](int64_t b, int64_t first, int64_t last) {
        Taps<T> taps(sampler, false);
        T* planes = dx + b * sizes.channels * sampler.plane();
        std::fill(planes + first * sampler.plane(), planes + last * sampler.plane(), T(0));
        for (int64_t i = 0; i < sizes.points; i += kBlock) {
            const int64_t n = std::min(kBlock, sizes.points - i);
            fill_taps(sampler, grid + (b * sizes.points + i) * sampler.n, n, taps);
            for (int64_t c = first; c < last; ++c) {
                T* plane = planes + c * sampler.plane();
                const T* from = g + (b * sizes.channels + c) * sizes.points + i;
                for (int64_t t = 0; t < taps.n_taps; ++t) {
                    const int32_t* index = taps.index.data() + t * n;
                    const T* weight = taps.weight.data() + t * n;
                    for (int64_t j = 0; j < n; ++j)
                        if (weight[j] != T(0)) plane[index[j]] += weight[j] * from[j];
                }
            }
        }
    });
}

// The channels are summed up here, so pieces are cut at points: the sums do not depend on the number of threads.
template <class T>
void grid_gradient(const Sampler<T>& sampler, const Sizes& sizes, const T* g, const T* x, const T* grid, T* dgrid) {
    const int64_t blocks = (sizes.points + kBlock - 1) / kBlock;
    ReleaseHostLock unlocked(sizes.batch * sizes.channels * sizes.points > kPieceWork);
    parallel_for(0, sizes.batch * blocks, 1, [&](int64_t first, int64_t last) {
        Taps<T> taps(sampler, true);
        Scratch<T> values(taps.n_taps * kBlock);
        for (int64_t t = first; t < last; ++t) {
            const int64_t b = t / blocks, i = t % blocks * kBlock, n = std::min(kBlock, sizes.points - i);
            fill_taps(sampler, grid + (b * sizes.points + i) * sampler.n, n, taps);
            std::fill_n(values.data(), taps.n_taps * n, T(0));
            for (int64_t c = 0; c < sizes.channels; ++c) {
                const int64_t plane = b * sizes.channels + c;
                resize_kernels<T>().gather_add(x + plane * sampler.plane(), g + plane * sizes.points + i, values.data(), n, taps.n_taps,
                                               taps.index.data());
            }
            T* to = dgrid + (b * sizes.points + i) * sampler.n;
            for (int64_t j = 0; j < n; ++j)
                for (int64_t d = 0; d < sampler.n; ++d) {
                    T sum = 0;
                    for (int64_t k = 0; !taps.is_empty[j] && k < taps.n_taps; ++k) {
                        const T slope = taps.slopes(d, k)[j];
                        if (slope != T(0)) sum += slope * values.data()[k * n + j];
                    }
                    to[j * sampler.n + sampler.n - 1 - d] = sum;
                }
        }
    });
}

void check(const Tensor& input, const Tensor& grid, int64_t mode, int64_t padding) {
    const int64_t n = input.dim() - 2;
    TAEDA_CHECK((n == 2 || n == 3) && grid.dim() == input.dim(),
                "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes ",
                shape_text(input.sizes()), " and grid with sizes ", shape_text(grid.sizes()));
    TAEDA_CHECK(input.size(0) == grid.size(0), "grid_sampler(): expected grid and input to have same batch size, but got input with sizes ",
                shape_text(input.sizes()), " and grid with sizes ", shape_text(grid.sizes()));
    TAEDA_CHECK(grid.size(-1) == n, "grid_sampler(): expected grid to have size ", n, " in last dimension, but got grid with sizes ",
                shape_text(grid.sizes()));
    for (int64_t d = 2; d < input.dim(); ++d)
        TAEDA_CHECK(input.size(d) > 0, "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes ",
                    shape_text(input.sizes()), " with dimension ", d, " being empty");
    TAEDA_CHECK(mode >= 0 && mode <= 2 && padding >= 0 && padding <= 2, "grid_sampler(): unknown mode ", mode, " or padding ", padding);
    TAEDA_CHECK(n == 2 || mode != 2, "grid_sampler(): bicubic interpolation only supports 4D input");
    TAEDA_CHECK(input.dtype() == grid.dtype(), "grid_sampler(): expected input and grid to have same dtype, but input has ",
                dtype_name(input.dtype()), " and grid has ", dtype_name(grid.dtype()));
    TAEDA_CHECK_KIND(NotImplemented, is_floating(input.dtype()), "\"grid_sampler_", n, "d_cpu\" not implemented for '",
                     scalar_type_name(input.dtype()), "'");
}

Shape sampled_sizes(const Tensor& input, const Tensor& grid) {
    Shape sizes{input.size(0), input.size(1)};
    for (int64_t d = 1; d + 1 < grid.dim(); ++d) sizes.push_back(grid.size(d));
    return sizes;
}

DType computed_type(DType t) { return t == DType::Float64 ? t : DType::Float32; }

template <class F>
void visit(DType computed, F&& f) {
    if (computed == DType::Float64) f(Tag<double>{});
    else f(Tag<float>{});
}

}  // namespace

Tensor _grid_sample(const Tensor& input, const Tensor& grid, int64_t mode, int64_t padding, bool align_corners) {
    check(input, grid, mode, padding);
    const DType type = input.dtype(), computed = computed_type(type);
    Tensor out = result(sampled_sizes(input, grid), type, input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor x = contiguous(to_dtype(input, computed)), points = contiguous(to_dtype(grid, computed));
    const Tensor wide = type == computed ? out : empty(out.sizes(), computed);
    visit(computed, [&]<class T>(Tag<T>) {
        sample(Sampler<T>(x.sizes(), mode, padding, align_corners, type), Sizes(x, points), x.data<T>(), points.data<T>(), wide.data<T>());
    });
    if (!wide.is_same(out)) copy_into(out, wide);
    return out;
}

std::tuple<Tensor, Tensor> _grid_sample_backward(const Tensor& g, const Tensor& input, const Tensor& grid, int64_t mode, int64_t padding,
                                                 bool align_corners, bool needs_input, bool needs_grid) {
    const DType type = input.dtype(), computed = computed_type(type);
    Tensor dx, dgrid;
    if (input.is_meta()) return {empty_like(input), empty_like(grid)};
    const Tensor grad = contiguous(to_dtype(g, computed)), points = contiguous(to_dtype(grid, computed));
    const Sizes sizes(input, grid);
    visit(computed, [&]<class T>(Tag<T>) {
        const Sampler<T> sampler(input.sizes(), mode, padding, align_corners, type);
        if (needs_input) {
            dx = empty(input.sizes(), computed);
            scatter_gradient(sampler, sizes, grad.data<T>(), points.data<T>(), dx.data<T>());
        }
        if (needs_grid) {
            const Tensor x = contiguous(to_dtype(input, computed));
            dgrid = empty(grid.sizes(), computed);
            grid_gradient(sampler, sizes, grad.data<T>(), x.data<T>(), points.data<T>(), dgrid.data<T>());
        }
    });
    return {dx.defined() ? to_dtype(dx, type) : zeros(input.sizes(), type), dgrid.defined() ? to_dtype(dgrid, type) : zeros(grid.sizes(), type)};
}

}  // namespace taeda::cpu
