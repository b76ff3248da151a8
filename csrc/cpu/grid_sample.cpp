// Sampling of images and volumes at given points (grid_sample). A block of points is turned into taps, places with weights,
// and each channel is then a weighted sum of what it has there.
#include <array>
#include <cmath>
#include <cstring>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/grid_kernels.h"
#include "cpu/scratch.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

enum class Sampling { Linear, Nearest, Cubic };
enum class Outside { Zeros, Border, Reflection };

constexpr int64_t kBlock = kGridBlock;
constexpr int64_t kPieceWork = 1 << 14;
constexpr int64_t kMaxDims = 3;

// A weight between two elements: a polynomial in the share of the way from one to the next.
using Polynomial = std::array<double, 4>;

// The weights of a line's taps, or their derivatives of some order.
std::array<Polynomial, 4> polynomials(Sampling mode, int64_t order) {
    constexpr double a = -0.75;  // Keys' parameter
    std::array<Polynomial, 4> found{};
    if (mode == Sampling::Nearest) found[0] = {1, 0, 0, 0};
    else if (mode == Sampling::Linear) found = {{{1, -1, 0, 0}, {0, 1, 0, 0}}};
    else found = {{{0, a, -2 * a, a}, {1, 0, -(a + 3), a + 2}, {0, -a, 2 * a + 3, -(a + 2)}, {0, 0, a, -a}}};
    for (Polynomial& p : found)
        for (int64_t k = 0; k < std::min<int64_t>(order, 4); ++k) p = {p[1], 2 * p[2], 3 * p[3], 0};
    return found;
}

template <class T>
void round_to(DType precision, T* values, int64_t n) {
    if (precision == DType::Float16)
        for (int64_t i = 0; i < n; ++i) values[i] = static_cast<T>(to_float(to_half(static_cast<float>(values[i]))));
    if (precision == DType::BFloat16)
        for (int64_t i = 0; i < n; ++i) values[i] = static_cast<T>(to_float(to_bfloat16(static_cast<float>(values[i]))));
}

template <class T>
struct Sampler {
    int64_t n;  // spatial dimensions
    int64_t size[kMaxDims] = {1, 1, 1}, step[kMaxDims] = {1, 1, 1};
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
    int64_t taps_of_line() const { return mode == Sampling::Nearest ? 1 : mode == Sampling::Cubic ? 4 : 2; }
    int64_t n_taps() const { return n == 2 ? taps_of_line() * taps_of_line() : taps_of_line() * taps_of_line() * taps_of_line(); }
    bool is_half() const { return precision == DType::Float16 || precision == DType::BFloat16; }
    // How many elements a coordinate passes while it grows by one.
    T speed(int64_t d) const { return static_cast<T>(align_corners ? size[d] - 1 : size[d]) / 2; }

    // Whether one kernel has all of a line: no rounding in between, no cubic.
    bool is_plain() const { return !is_half() && mode != Sampling::Cubic; }
    GridLine<T> line(int64_t d) const {
        const T length = static_cast<T>(size[d]), inner = align_corners ? length - 1 : length;
        return {inner,
                T(align_corners ? 0 : 1),
                T(align_corners ? 0 : -0.5),
                inner,
                n,
                static_cast<int32_t>(size[d]),
                static_cast<int32_t>(step[d]),
                static_cast<int>(outside),
                mode == Sampling::Nearest};
    }

    // From -1 .. 1 to the image's elements.
    void position(const T* coordinate, int64_t d, int64_t count, T* at) const {
        const T length = static_cast<T>(size[d]);
        if (!is_half()) return grid_kernels<T>().position(coordinate, n, count, length, align_corners, at);
        auto each = [&](auto f) {
            for (int64_t i = 0; i < count; ++i) at[i] = f(at[i]);
            round_to(precision, at, count);
        };
        for (int64_t i = 0; i < count; ++i) at[i] = coordinate[i * n];
        each([](T x) { return x + 1; });
        if (align_corners) {
            each([](T x) { return x / 2; });
            each([&](T x) { return x * (length - 1); });
        } else {
            each([&](T x) { return x * length; });
            each([](T x) { return x - 1; });
            each([](T x) { return x / 2; });
        }
    }
    // Moved into the image as the padding says.
    void pad(T* at, T* moves, int64_t d, int64_t count) const {
        const auto& kernels = grid_kernels<T>();
        if (outside == Outside::Reflection) {
            const T low = align_corners ? T(0) : T(-0.5), span = static_cast<T>(align_corners ? size[d] - 1 : size[d]);
            // In a line without length every point is the same: its positions are not numbers, which are moved to 0.
            kernels.reflect(at, moves, count, low, span);
        }
        if (outside == Outside::Zeros) kernels.bound(at, moves, count);
        else kernels.clip(at, moves, count, static_cast<T>(size[d] - 1));
    }
};

// The taps of a block of points, tap by tap, and before that of its lines: the taps in each dimension alone.
template <class T>
class Taps {
public:
    int64_t n = 0;  // points
    bool any_empty = false;
    int32_t is_empty[kBlock];

    Taps(const Sampler<T>& sampler, bool with_slopes)
        : sampler_(sampler),
          count_(sampler.taps_of_line()),
          n_taps_(sampler.n_taps()),
          index_(n_taps_ * kBlock),
          line_index_((kMaxDims * count_ + n_taps_) * kBlock),
          weight_(n_taps_ * kBlock),
          line_weight_(kMaxDims * count_ * kBlock),
          partial_(n_taps_ * kBlock),
          room_(4 * kBlock) {
        if (with_slopes) line_slope_.reset(kMaxDims * count_ * kBlock);
    }
    int64_t n_taps() const { return n_taps_; }
    const int32_t* index(int64_t tap = 0) const { return index_.data() + tap * n; }
    const T* weight(int64_t tap = 0) const { return weight_.data() + tap * n; }

    // grid: points of as many coordinates as there are dimensions, the last dimension's first. order: that of each dimension's
    // derivative which takes the place of the weights.
    void fill(const T* grid, int64_t n_points, const int64_t* order = nullptr) {
        n = n_points;
        any_empty = false;
        std::memset(is_empty, 0, sizeof is_empty);
        const bool is_plain = !order && !line_slope_.data() && sampler_.is_plain();
        for (int64_t d = 0; d < sampler_.n; ++d) {
            const T* coordinate = grid + sampler_.n - 1 - d;
            if (is_plain) grid_kernels<T>().line(sampler_.line(d), coordinate, n, place(d, 0), line_weight_.data() + d * count_ * n, is_empty);
            else fill_line(coordinate, d, order ? order[d] : 0);
        }
        if (is_plain) any_empty = sampler_.outside == Outside::Zeros && grid_kernels<T>().any(is_empty, n);
        const T* lines[kMaxDims];
        for (int64_t d = 0; d < sampler_.n; ++d) lines[d] = line_weight_.data() + d * count_ * n;
        combine(lines, weight_.data());
    }
    // The derivatives of the weights along a dimension, in place of the weights.
    const T* slopes(int64_t along) {
        const T* lines[kMaxDims];
        for (int64_t d = 0; d < sampler_.n; ++d) lines[d] = (d == along ? line_slope_ : line_weight_).data() + d * count_ * n;
        combine(lines, weight_.data());
        return weight_.data();
    }

private:
    int32_t* place(int64_t d, int64_t tap) { return line_index_.data() + (d * count_ + tap) * n; }

    void fill_line(const T* coordinate, int64_t d, int64_t order) {
        const auto& kernels = grid_kernels<T>();
        T *at = room_.data(), *share = at + kBlock, *moves = share + kBlock, *moved = moves + kBlock;
        const bool is_cubic = sampler_.mode == Sampling::Cubic, with_slopes = line_slope_.data() != nullptr;
        sampler_.position(coordinate, d, n, at);
        std::fill_n(moves, n, sampler_.speed(d));
        if (!is_cubic) sampler_.pad(at, moves, d, n);
        kernels.split(at, n, sampler_.mode == Sampling::Nearest, share);
        round_to(sampler_.precision, share, n);
        T *weight = line_weight_.data() + d * count_ * n, *slope = with_slopes ? line_slope_.data() + d * count_ * n : nullptr;
        write_weights(order, share, moves, weight);
        if (with_slopes) write_weights(order + 1, share, moves, slope);
        int32_t inside[kBlock];
        std::memset(inside, 0, sizeof inside);
        for (int64_t t = 0; t < count_; ++t) {
            const T* from = at;
            if (is_cubic) {  // the points around are moved into the image one by one
                kernels.shift(at, static_cast<T>(t - 1), n, moved);
                sampler_.pad(moved, share, d, n);
                from = moved;
            }
            kernels.place(from, static_cast<T>(is_cubic ? 0 : t), n, static_cast<int32_t>(sampler_.size[d]), static_cast<int32_t>(sampler_.step[d]),
                          place(d, t), weight + t * n, slope ? slope + t * n : nullptr, inside);
        }
        any_empty = kernels.mark(inside, n, is_empty);
    }

    void write_weights(int64_t order, const T* share, const T* moves, T* out) {
        const std::array<Polynomial, 4> weights = polynomials(sampler_.mode, order);
        for (int64_t t = 0; t < count_; ++t) {
            const Polynomial& p = weights[static_cast<size_t>(t)];
            const T c[4] = {static_cast<T>(p[0]), static_cast<T>(p[1]), static_cast<T>(p[2]), static_cast<T>(p[3])};
            grid_kernels<T>().polynomial(share, c, order > 0 ? moves : nullptr, n, out + t * n);
            for (int64_t k = 1; k < order; ++k)
                for (int64_t i = 0; i < n; ++i) out[t * n + i] *= moves[i];
        }
        if (sampler_.mode == Sampling::Linear && order == 0) round_to(sampler_.precision, out, count_ * n);
    }

    // All combinations of the lines' taps. Those outside have the weight 0 at a place that the point reads anyway, so that an
    // infinite value elsewhere does not come in as 0 * inf.
    void combine(const T* const* lines, T* weight) {
        const auto& kernels = grid_kernels<T>();
        const int64_t last = sampler_.n - 1, before = n_taps_ / count_;
        int32_t* between = line_index_.data() + kMaxDims * count_ * kBlock;
        const int32_t* p = place(0, 0);
        const T* w = lines[0];
        if (last == 2) {
            for (int64_t t = 0; t < before; ++t)
                kernels.combine(place(0, t / count_), place(1, t % count_), lines[0] + t / count_ * n, lines[1] + t % count_ * n, n, between + t * n,
                                partial_.data() + t * n);
            round_to(sampler_.precision, partial_.data(), before * n);
            p = between;
            w = partial_.data();
        }
        for (int64_t t = 0; t < n_taps_; ++t) {
            const int64_t a = t / count_, b = t % count_;
            kernels.combine(p + a * n, place(last, b), w + a * n, lines[last] + b * n, n, index_.data() + t * n, weight + t * n);
        }
        round_to(sampler_.precision, weight, n_taps_ * n);
    }

    const Sampler<T>& sampler_;
    int64_t count_, n_taps_;
    Scratch<int32_t> index_, line_index_;
    Scratch<T> weight_, line_weight_, line_slope_, partial_, room_;
};

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
    const int64_t blocks = (sizes.points + kBlock - 1) / kBlock,
                  grain = std::max<int64_t>(1, kPieceWork / 4 / (kBlock * std::max<int64_t>(1, sizes.channels)));
    ReleaseHostLock unlocked(sizes.batch * sizes.channels * sizes.points > kPieceWork);
    parallel_for(0, sizes.batch * blocks, grain, [&](int64_t first, int64_t last) {
        Taps<T> taps(sampler, false);
        for (int64_t t = first; t < last; ++t) {
            const int64_t b = t / blocks, i = t % blocks * kBlock, n = std::min(kBlock, sizes.points - i);
            taps.fill(grid + (b * sizes.points + i) * sampler.n, n);
            for (int64_t plane = b * sizes.channels; plane < (b + 1) * sizes.channels; ++plane) {
                T* to = out + plane * sizes.points + i;
                grid_kernels<T>().gather(x + plane * sampler.plane(), n, taps.n_taps(), taps.index(), taps.weight(), to);
                if (taps.any_empty && taps.n_taps() > 1) grid_kernels<T>().clear(taps.is_empty, n, to);
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
        T part[kBlock];
        for (int64_t i = 0; i < sizes.points; i += kBlock) {
            const int64_t n = std::min(kBlock, sizes.points - i);
            taps.fill(grid + (b * sizes.points + i) * sampler.n, n);
            for (int64_t c = first; c < last; ++c) {
                T* plane = planes + c * sampler.plane();
                const T* from = g + (b * sizes.channels + c) * sizes.points + i;
                for (int64_t t = 0; t < taps.n_taps(); ++t) {
                    const int32_t* index = taps.index(t);
                    grid_kernels<T>().scale(taps.weight(t), from, n, part);
                    for (int64_t j = 0; j < n; ++j) plane[index[j]] += part[j];
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
        Scratch<T> values(taps.n_taps() * kBlock);
        T sum[kBlock];
        for (int64_t t = first; t < last; ++t) {
            const int64_t b = t / blocks, i = t % blocks * kBlock, n = std::min(kBlock, sizes.points - i);
            taps.fill(grid + (b * sizes.points + i) * sampler.n, n);
            std::fill_n(values.data(), taps.n_taps() * n, T(0));
            for (int64_t c = 0; c < sizes.channels; ++c) {
                const int64_t plane = b * sizes.channels + c;
                grid_kernels<T>().gather_add(x + plane * sampler.plane(), g + plane * sizes.points + i, n, taps.n_taps(), taps.index(),
                                             values.data());
            }
            T* to = dgrid + (b * sizes.points + i) * sampler.n;
            for (int64_t d = 0; d < sampler.n; ++d) {
                const T* slopes = taps.slopes(d);
                std::fill_n(sum, n, T(0));
                for (int64_t k = 0; k < taps.n_taps(); ++k) grid_kernels<T>().weigh(slopes + k * n, values.data() + k * n, n, sum);
                for (int64_t j = 0; j < n; ++j) to[j * sampler.n + sampler.n - 1 - d] = sum[j];
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

// f(taps, sample, tap, first point) for the taps of all points, `order` as in Taps::fill.
template <class T, class F>
void over_taps(const Sampler<T>& sampler, const Tensor& points, int64_t n_points, const int64_t* order, F&& f) {
    Taps<T> taps(sampler, false);
    for (int64_t b = 0; b < points.size(0); ++b)
        for (int64_t i = 0; i < n_points; i += kBlock) {
            taps.fill(points.data<T>() + (b * n_points + i) * sampler.n, std::min(kBlock, n_points - i), order);
            for (int64_t t = 0; t < taps.n_taps(); ++t) f(taps, b, t, i);
        }
}

Shape tap_sizes(const Tensor& grid, IntList sizes, int64_t mode) {
    int64_t points = 1;
    for (int64_t d = 1; d + 1 < grid.dim(); ++d) points *= grid.size(d);
    return {grid.size(0), Sampler<float>(sizes, mode, 0, false, DType::Float32).n_taps(), points};
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
        if (needs_grid && sampler.mode != Sampling::Nearest) {  // the nearest element stays the same nearly everywhere
            const Tensor x = contiguous(to_dtype(input, computed));
            dgrid = empty(grid.sizes(), computed);
            grid_gradient(sampler, sizes, grad.data<T>(), x.data<T>(), points.data<T>(), dgrid.data<T>());
        }
    });
    return {dx.defined() ? to_dtype(dx, type) : zeros(input.sizes(), type), dgrid.defined() ? to_dtype(dgrid, type) : zeros(grid.sizes(), type)};
}

Tensor _grid_places(const Tensor& grid, IntList sizes, int64_t mode, int64_t padding, bool align_corners) {
    Tensor out = result(tap_sizes(grid, sizes, mode), DType::Int64, grid.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const DType computed = computed_type(grid.dtype());
    const Tensor points = contiguous(to_dtype(grid, computed));
    visit(computed, [&]<class T>(Tag<T>) {
        over_taps<T>(Sampler<T>(sizes, mode, padding, align_corners, grid.dtype()), points, out.size(2), nullptr,
                     [&](const Taps<T>& taps, int64_t b, int64_t t, int64_t i) {
                         std::copy_n(taps.index(t), taps.n, out.data<int64_t>() + (b * out.size(1) + t) * out.size(2) + i);
                     });
    });
    return out;
}

Tensor _grid_weights(const Tensor& grid, IntList sizes, int64_t mode, int64_t padding, bool align_corners, int64_t order) {
    const DType type = grid.dtype(), computed = computed_type(type);
    const int64_t n = grid.size(-1);
    int64_t partials = 1;
    for (int64_t k = 0; k < order; ++k) partials *= n;
    Shape shape = tap_sizes(grid, sizes, mode);
    shape.push_back(partials);
    Tensor out = result(shape, type, grid.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor points = contiguous(to_dtype(grid, computed)), wide = type == computed ? out : empty(shape, computed);
    visit(computed, [&]<class T>(Tag<T>) {
        const Sampler<T> sampler(sizes, mode, padding, align_corners, type);
        for (int64_t m = 0; m < partials; ++m) {
            int64_t orders[kMaxDims] = {};
            // Each digit is a coordinate, of which the first is the last dimension's.
            for (int64_t k = 0, rest = m; k < order; ++k, rest /= n) ++orders[n - 1 - rest % n];
            over_taps<T>(sampler, points, shape[2], orders, [&](const Taps<T>& taps, int64_t b, int64_t t, int64_t i) {
                T* to = wide.data<T>() + ((b * shape[1] + t) * shape[2] + i) * partials + m;
                for (int64_t j = 0; j < taps.n; ++j) to[j * partials] = taps.weight(t)[j];
            });
        }
    });
    if (!wide.is_same(out)) copy_into(out, wide);
    return out;
}

}  // namespace taeda::cpu
