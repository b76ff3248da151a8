#include "cpu/conv_run.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/parallel.h"
#include "cpu/conv_layout.h"
#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "cpu/scratch.h"

namespace taeda::cpu {

TAEDA_DECLARE_ISA(ConvTable, conv_table)

template <>
const ConvKernels<float>& conv_kernels<float>() {
    return conv_table().of_float;
}
template <>
const ConvKernels<double>& conv_kernels<double>() {
    return conv_table().of_double;
}
template <>
const ConvKernels<uint32_t>& conv_kernels<uint32_t>() {
    return conv_table().of_uint32;
}
template <>
const ConvKernels<uint64_t>& conv_kernels<uint64_t>() {
    return conv_table().of_uint64;
}

namespace {

constexpr int64_t kTilePositions = 256;  // positions packed at once: with a block of taps they fit the second-level cache
constexpr int64_t kGroupBelow = 1024;    // images with fewer positions are taken together, so that panels are full
constexpr int64_t kSerialWork = 1 << 17;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// ---- what all three products share: a "gather" product, rows x (channels * taps) times shifted copies of x

template <class T>
struct Gather {
    int64_t images, groups, channels, rows;  // per group
    int64_t out[3];                          // positions of the result
    PlaneLayout layout;
    std::vector<int64_t> offsets;  // of one channel's taps, then of the next one's
    const T* x;
    const T* a;                    // [groups, rows, channels * taps]
    const T* bias;                 // [groups * rows] or null
    T* result;                     // [groups' images, groups * rows, full positions]
    int64_t full[3];               // sizes of the result's planes
    int64_t origin[3], stride[3];  // position p of the product is place origin + p * stride of the plane

    int64_t positions() const { return out[0] * out[1] * out[2]; }
    int64_t full_numel() const { return full[0] * full[1] * full[2]; }
    int64_t depth() const { return static_cast<int64_t>(offsets.size()); }
    int64_t image_numel() const { return channels * layout.channel_numel(); }
    bool is_dense() const { return positions() == full_numel(); }
};

std::vector<int64_t> channel_offsets(const PlaneLayout& layout, int64_t channels, const std::vector<int64_t> (&taps)[3]) {
    std::vector<int64_t> offsets;
    offsets.reserve(static_cast<size_t>(channels) * taps[0].size() * taps[1].size() * taps[2].size());
    for (int64_t c = 0; c < channels; ++c)
        for (int64_t d : taps[0])
            for (int64_t h : taps[1])
                for (int64_t w : taps[2]) offsets.push_back(c * layout.channel_numel() + layout.offset_of(d, h, w));
    return offsets;
}

// The packed weights of all groups: for each group and block of the summed dimension its panels.
template <class T>
Scratch<T> pack_weights(const Gather<T>& job) {
    const int64_t depth = job.depth(), per_group = job.rows * depth;
    Scratch<T> packed(job.groups * per_group);
    const int64_t blocks = ceil_div(depth, kGemmBlockK);
    parallel_for(0, job.groups * blocks, std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(1, job.rows * kGemmBlockK)),
                 [&](int64_t first, int64_t last) {
                     for (int64_t item = first; item < last; ++item) {
                         const int64_t group = item / blocks, p = item % blocks * kGemmBlockK, kc = std::min(kGemmBlockK, depth - p);
                         const GemmMatrix a{job.a + group * per_group + p, depth, 1, GemmSource::Same, sizeof(T)};
                         gemm_kernels<T>().pack_a(a, job.rows, kc, packed.data() + group * per_group + job.rows * p);
                     }
                 });
    return packed;
}

// One thread's walk over tiles of positions.
template <class T>
class TileRunner {
public:
    TileRunner(const Gather<T>& job, const T* weights, int64_t grouped, int64_t tile)
        : job_(job), weights_(weights), grouped_(grouped), tile_(tile), plain_(job.layout.is_plain() && (grouped == 1 || job.groups == 1)) {
        const int64_t kc = std::min(job.depth(), kGemmBlockK), nr = gemm_kernels<T>().nr;
        if (!plain_) copy_.reset(grouped * job.image_numel());
        panels_.reset((round_up(std::min(tile, grouped * job.positions()), nr) + nr) * kc);
        if (grouped > 1 || !job.is_dense()) temporary_.reset(job.rows * tile);
    }

    // Columns [first, last) of the images from `image` on.
    void run(int64_t image, int64_t group, int64_t first, int64_t last) {
        const T* x = input(image, group);
        const auto& gemm_k = gemm_kernels<T>();
        const int64_t nr = gemm_k.nr, depth = job_.depth(), columns = last - first;
        position_runs(job_.layout, job_.out, job_.image_numel(), first, last, nr, runs_, &starts_);
        GemmUpdate<T> update = target(image, group, first, columns);
        const int64_t available = std::min(grouped_, job_.images - image) * job_.image_numel();
        for (int64_t p = 0; p < depth; p += kGemmBlockK) {
            const int64_t kc = std::min(kGemmBlockK, depth - p);
            const int64_t* offsets = job_.offsets.data() + p;
            const int64_t safe_base = available - nr - *std::max_element(offsets, offsets + kc);
            for (size_t j = 0; j + 1 < starts_.size(); ++j)
                conv_kernels<T>().pack_positions(x, safe_base, offsets, kc, runs_.data() + starts_[j], starts_[j + 1] - starts_[j],
                                                 panels_.data() + static_cast<int64_t>(j) * nr * kc);
            const T* a = weights_ + group * job_.rows * depth + job_.rows * p;
            for (int64_t i = 0; i < job_.rows; i += kGemmBlockM)
                gemm_k.run_packed(std::min(kGemmBlockM, job_.rows - i), columns, kc, a + i * kc, panels_.data(), update.at(i, 0));
            update = update.accumulating();
        }
        if (temporary_.data()) scatter(image, group, first, last);
    }

    // The padded copy of the images from `image` on, kept while they stay the same.
    const T* input(int64_t image, int64_t group) {
        const int64_t plane = job_.layout.size[0] * job_.layout.size[1] * job_.layout.size[2];
        const T* from = job_.x + (image * job_.groups + group) * job_.channels * plane;
        if (plain_) return from;
        if (image == image_ && group == group_) return copy_.data();
        const int64_t count = std::min(grouped_, job_.images - image);
        for (int64_t i = 0; i < count; ++i)
            job_.layout.fill(from + i * job_.groups * job_.channels * plane, job_.channels, copy_.data() + i * job_.image_numel());
        image_ = image;
        group_ = group;
        return copy_.data();
    }

private:
    GemmUpdate<T> target(int64_t image, int64_t group, int64_t first, int64_t columns) {
        GemmUpdate<T> update;
        if (temporary_.data()) {
            update.c = temporary_.data();
            update.ldc = columns;
        } else {
            update.c = job_.result + (image * job_.groups + group) * job_.rows * job_.positions() + first;
            update.ldc = job_.positions();
        }
        if (job_.bias) {
            update.add = job_.bias + group * job_.rows;
            update.add_row = 1;
        }
        return update;
    }

    void scatter(int64_t image, int64_t group, int64_t first, int64_t last) {
        const int64_t columns = last - first, per_image = job_.positions(), full = job_.full_numel();
        for (int64_t at = first; at < last;) {  // one output row's positions at a time
            const int64_t p = at % per_image, w = p % job_.out[2], h = p / job_.out[2] % job_.out[1], d = p / (job_.out[1] * job_.out[2]);
            const int64_t n = std::min(job_.out[2] - w, last - at);
            const int64_t z = job_.origin[0] + d * job_.stride[0], y = job_.origin[1] + h * job_.stride[1], step = job_.stride[2];
            T* to = job_.result + ((image + at / per_image) * job_.groups + group) * job_.rows * full + (z * job_.full[1] + y) * job_.full[2] +
                    job_.origin[2] + w * step;
            const T* from = temporary_.data() + (at - first);
            for (int64_t r = 0; r < job_.rows; ++r, to += full, from += columns) {
                if (step == 1) std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
                else
                    for (int64_t i = 0; i < n; ++i) to[i * step] = from[i];
            }
            at += n;
        }
    }

    const Gather<T>& job_;
    const T* weights_;
    const int64_t grouped_, tile_;
    const bool plain_;
    int64_t image_ = -1, group_ = -1;
    Scratch<T> copy_, panels_, temporary_;
    std::vector<PositionRun> runs_;
    std::vector<int32_t> starts_;
};

// With one or two rows for each group (depthwise) a product would mostly pack: rows are filtered directly.
template <class T>
void run_filters(const Gather<T>& job) {
    const int64_t plane = job.layout.size[0] * job.layout.size[1] * job.layout.size[2], depth = job.depth(), full = job.full_numel();
    const int64_t per_item = std::max<int64_t>(1, job.rows * depth * job.positions());
    parallel_for(0, job.images * job.groups, std::max<int64_t>(1, kSerialWork / per_item), [&](int64_t first, int64_t last) {
        const bool plain = job.layout.is_plain();
        Scratch<T> copy(plain ? 0 : job.image_numel());
        Scratch<T> line(job.out[2]);
        for (int64_t item = first; item < last; ++item) {
            const T* from = job.x + item * job.channels * plane;
            if (!plain) job.layout.fill(from, job.channels, copy.data());
            const T* x = plain ? from : copy.data();
            for (int64_t r = 0; r < job.rows; ++r) {
                const int64_t row = item % job.groups * job.rows + r;
                T* result = job.result + (item * job.rows + r) * full;
                for (int64_t d = 0; d < job.out[0]; ++d) {
                    for (int64_t h = 0; h < job.out[1]; ++h) {
                        const T* base = x + (d * job.layout.extent[1] + h) * job.layout.extent[2];
                        T* to = result + ((job.origin[0] + d * job.stride[0]) * job.full[1] + job.origin[1] + h * job.stride[1]) * job.full[2] +
                                job.origin[2];
                        T* into = job.stride[2] == 1 ? to : line.data();
                        conv_kernels<T>().filter_row(base, job.offsets.data(), job.a + row * depth, depth, job.bias ? job.bias[row] : T(0),
                                                     job.out[2], into);
                        if (into != to)
                            for (int64_t i = 0; i < job.out[2]; ++i) to[i * job.stride[2]] = into[i];
                    }
                }
            }
        }
    });
}

template <class T>
void run_gather(const Gather<T>& job) {
    const int64_t positions = job.positions(), work = job.images * job.groups * job.rows * job.depth() * positions;
    if (positions == 0 || job.images == 0) return;
    ReleaseHostLock unlocked(work > (1 << 14));
    if (job.rows <= 2 && job.out[2] >= 8) return run_filters(job);
    const int64_t nr = gemm_kernels<T>().nr;
    // Few positions, or a last panel that would be mostly empty: several images side by side fill the panels.
    int64_t grouped = 1;
    if (positions < kGroupBelow && positions % nr != 0) grouped = std::min<int64_t>(job.images, ceil_div(kTilePositions, positions));
    const int64_t sets = ceil_div(job.images, grouped), columns = grouped * positions;
    const int64_t tile = std::min(round_up(columns, nr), kTilePositions), tiles = ceil_div(columns, tile);
    const Scratch<T> weights = pack_weights(job);
    const int64_t per_tile = std::max<int64_t>(1, job.rows * job.depth() * std::min(tile, columns));
    parallel_for(0, sets * job.groups * tiles, std::max<int64_t>(1, kSerialWork / per_tile), [&](int64_t first, int64_t last) {
        TileRunner<T> runner(job, weights.data(), grouped, tile);
        for (int64_t item = first; item < last; ++item) {
            const int64_t image = item / tiles / job.groups * grouped, group = item / tiles % job.groups;
            const int64_t begin = item % tiles * tile, end = std::min({begin + tile, columns, (job.images - image) * positions});
            if (begin < end) runner.run(image, group, begin, end);
        }
    });
}

// The layout in which an ordinary convolution reads its input, and its taps' coordinates there.
PlaneLayout input_layout(const ConvShape& s, std::vector<int64_t> (&taps)[3]) {
    int64_t extent[3];
    for (int d = 0; d < 3; ++d) {
        extent[d] = s.out[d];
        for (int64_t k = 0; k < s.kernel[d]; ++k) {
            taps[d].push_back(k * s.dilation[d]);
            extent[d] = std::max(extent[d], s.out[d] + k * s.dilation[d] / s.stride[d]);
        }
        // An unpadded input that is only a little larger than what is read is still read in place.
        if (s.stride[d] == 1 && s.padding[d] == 0) extent[d] = std::max(extent[d], s.in[d]);
    }
    return PlaneLayout(s.in, s.padding, s.stride, extent, taps);
}

template <class T>
Gather<T> gather_of(const ConvShape& s, int64_t channels, int64_t rows, const int64_t* out, PlaneLayout layout,
                    const std::vector<int64_t> (&taps)[3]) {
    Gather<T> job{s.images, s.groups, channels, rows, {}, std::move(layout), {}, nullptr, nullptr, nullptr, nullptr, {}, {0, 0, 0}, {1, 1, 1}};
    for (int d = 0; d < 3; ++d) job.full[d] = job.out[d] = out[d];
    job.offsets = channel_offsets(job.layout, channels, taps);
    return job;
}

}  // namespace

template <class T>
void conv_output(const ConvShape& s, const T* input, const T* weight, const T* bias, T* output) {
    std::vector<int64_t> taps[3];
    PlaneLayout layout = input_layout(s, taps);
    Gather<T> job = gather_of<T>(s, s.in_channels, s.out_channels, s.out, std::move(layout), taps);
    job.x = input;
    job.a = weight;
    job.bias = bias;
    job.result = output;
    run_gather(job);
}

namespace {

// The part of the input gradient at places that are `origin` modulo the stride: an ordinary convolution at unit stride of
// the output's gradient, with the taps that reach those places.
struct GradientPhase {
    std::vector<int64_t> kernel[3], shift[3];  // taps, and where they read the output's gradient
    int64_t count[3], low[3], extent[3];

    GradientPhase(const ConvShape& s, const int64_t* origin) {
        for (int d = 0; d < 3; ++d) {
            count[d] = origin[d] < s.in[d] ? (s.in[d] - origin[d] - 1) / s.stride[d] + 1 : 0;
            int64_t least = 0;
            for (int64_t k = 0; k < s.kernel[d]; ++k) {
                const int64_t at = origin[d] + s.padding[d] - k * s.dilation[d];
                if (((at % s.stride[d]) + s.stride[d]) % s.stride[d] != 0) continue;
                kernel[d].push_back(k);
                shift[d].push_back(at / s.stride[d]);  // exact: no rounding
                least = std::min(least, shift[d].back());
            }
            low[d] = -least;
            extent[d] = count[d];
            for (int64_t& at : shift[d]) {
                at += low[d];
                extent[d] = std::max(extent[d], count[d] + at);
            }
            if (low[d] == 0) extent[d] = std::max(extent[d], s.out[d]);
        }
    }
    bool is_empty() const { return kernel[0].empty() || kernel[1].empty() || kernel[2].empty() || count[0] * count[1] * count[2] == 0; }
    int64_t taps() const { return static_cast<int64_t>(kernel[0].size() * kernel[1].size() * kernel[2].size()); }
};

// weight [groups * out, in, taps] -> [groups, in, out, this phase's taps]
template <class T>
void turn_weight(const ConvShape& s, const GradientPhase& phase, const T* weight, T* to) {
    const int64_t taps = s.taps(), kept = phase.taps();
    std::vector<int64_t> places;
    for (int64_t d : phase.kernel[0])
        for (int64_t h : phase.kernel[1])
            for (int64_t w : phase.kernel[2]) places.push_back((d * s.kernel[1] + h) * s.kernel[2] + w);
    const int64_t grain = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, s.out_channels * kept));
    parallel_for(0, s.groups * s.in_channels, grain, [&](int64_t first, int64_t last) {
        // A few channels at a time: their taps share cache lines in each output channel's filter.
        constexpr int64_t kBlock = 16;
        for (int64_t begin = first; begin < last; begin += kBlock) {
            for (int64_t o = 0; o < s.out_channels; ++o) {
                for (int64_t item = begin; item < std::min(begin + kBlock, last); ++item) {
                    const int64_t g = item / s.in_channels, c = item % s.in_channels;
                    const T* from = weight + ((g * s.out_channels + o) * s.in_channels + c) * taps;
                    T* into = to + (item * s.out_channels + o) * kept;
                    for (int64_t k = 0; k < kept; ++k) into[k] = from[places[static_cast<size_t>(k)]];
                }
            }
        }
    });
}

template <class T>
void fill_untouched(const ConvShape& s, const T* bias, T* result) {
    const int64_t numel = s.in_numel(), channels = s.groups * s.in_channels;
    for (int64_t i = 0; i < s.images * channels; ++i) std::fill(result + i * numel, result + (i + 1) * numel, bias ? bias[i % channels] : T(0));
}

}  // namespace

template <class T>
void conv_input_gradient(const ConvShape& s, const T* grad_output, const T* weight, const T* bias, T* grad_input) {
    std::vector<GradientPhase> phases;
    std::vector<std::array<int64_t, 3>> origins;
    bool whole = true;
    for (int64_t z = 0; z < s.stride[0]; ++z)
        for (int64_t y = 0; y < s.stride[1]; ++y)
            for (int64_t x = 0; x < s.stride[2]; ++x) {
                const std::array<int64_t, 3> origin{z, y, x};
                GradientPhase phase(s, origin.data());
                if (phase.is_empty()) {
                    whole = false;
                    continue;
                }
                phases.push_back(std::move(phase));
                origins.push_back(origin);
            }
    if (!whole || s.out_channels == 0) fill_untouched(s, bias, grad_input);
    const int64_t steps[3] = {1, 1, 1};
    for (size_t i = 0; i < phases.size(); ++i) {
        const GradientPhase& phase = phases[i];
        Scratch<T> turned(s.groups * s.in_channels * s.out_channels * phase.taps());
        turn_weight(s, phase, weight, turned.data());
        PlaneLayout layout(s.out, phase.low, steps, phase.extent, phase.shift);
        Gather<T> job = gather_of<T>(s, s.out_channels, s.in_channels, phase.count, std::move(layout), phase.shift);
        job.x = grad_output;
        job.a = turned.data();
        job.bias = bias;
        job.result = grad_input;
        for (int d = 0; d < 3; ++d) {
            job.full[d] = s.in[d];
            job.origin[d] = origins[i][static_cast<size_t>(d)];
            job.stride[d] = s.stride[d];
        }
        if (job.depth() > 0) run_gather(job);
    }
}

namespace {

// One thread's share of the weight gradient: rows [row0, row1) and taps [tap0, tap1) of one group, over all images.
template <class T>
class WeightGradient {
public:
    WeightGradient(const ConvShape& s, const PlaneLayout& layout, const std::vector<int64_t>& offsets, const T* x, const T* grad)
        : s_(s), layout_(layout), offsets_(offsets), x_(x), grad_(grad), plain_(layout.is_plain()) {}

    void run(int64_t group, int64_t row0, int64_t row1, int64_t tap0, int64_t tap1, T* to) {
        const auto& kernels = gemm_kernels<T>();
        const int64_t depth = static_cast<int64_t>(offsets_.size()), positions = s_.out_numel(), rows = row1 - row0, columns = tap1 - tap0;
        const int64_t channel0 = tap0 / s_.taps(), channel1 = ceil_div(tap1, s_.taps()), mr = kernels.mr, nr = kernels.nr;
        if (!plain_) copy_.reset((channel1 - channel0) * layout_.channel_numel());
        a_.reset(round_up(rows, mr) * kGemmBlockK);
        b_.reset(round_up(columns, nr) * kGemmBlockK);
        std::vector<int64_t> offsets(offsets_.begin() + tap0, offsets_.begin() + tap1);
        for (int64_t& at : offsets) at -= channel0 * layout_.channel_numel();
        GemmUpdate<T> update{to + row0 * depth + tap0, depth, nullptr, 0, 0, T(1), T(1)};
        const int64_t total = s_.images * positions;
        for (int64_t at = 0; at < total; at += kGemmBlockK) {
            const int64_t kc = std::min(kGemmBlockK, total - at);
            for (int64_t done = 0; done < kc;) {  // a block may hold positions of several images
                const int64_t image = (at + done) / positions, p = (at + done) % positions, n = std::min(positions - p, kc - done);
                pack_image(image, group, p, n, done, kc, row0, row1, channel0, channel1, offsets);
                done += n;
            }
            for (int64_t i = 0; i < rows; i += kGemmBlockM)
                kernels.run_packed(std::min(kGemmBlockM, rows - i), columns, kc, a_.data() + i * kc, b_.data(), update.at(i, 0));
            update = update.accumulating();
        }
    }

private:
    // Positions [p, p + n) of one image become rows `at`... of the block of both factors.
    void pack_image(int64_t image, int64_t group, int64_t p, int64_t n, int64_t at, int64_t kc, int64_t row0, int64_t row1, int64_t channel0,
                    int64_t channel1, const std::vector<int64_t>& offsets) {
        const auto& kernels = gemm_kernels<T>();
        const int64_t positions = s_.out_numel(), mr = kernels.mr, nr = kernels.nr;
        const T* grad = grad_ + ((image * s_.groups + group) * s_.out_channels + row0) * positions + p;
        for (int64_t i = 0; i < row1 - row0; i += mr) {
            const int64_t rows = std::min(mr, row1 - row0 - i);
            kernels.pack_a(GemmMatrix{grad + i * positions, positions, 1, GemmSource::Same, sizeof(T)}, rows, n, a_.data() + i * kc + at * rows);
        }
        const T* from = x_ + ((image * s_.groups + group) * s_.in_channels + channel0) * s_.in_numel();
        if (!plain_ && image != image_) layout_.fill(from, channel1 - channel0, copy_.data());
        image_ = image;
        const T* x = plain_ ? from : copy_.data();
        position_runs(layout_, s_.out, 0, p, p + n, 0, runs_, nullptr);
        const auto columns = static_cast<int64_t>(offsets.size());
        for (int64_t j = 0; j < columns; j += nr)
            conv_kernels<T>().pack_taps(x, offsets.data() + j, static_cast<int>(std::min(nr, columns - j)), runs_.data(),
                                        static_cast<int>(runs_.size()), n, b_.data() + j * kc + at * nr);
    }

    const ConvShape& s_;
    const PlaneLayout& layout_;
    const std::vector<int64_t>& offsets_;
    const T *x_, *grad_;
    const bool plain_;
    int64_t image_ = -1;
    Scratch<T> copy_, a_, b_;
    std::vector<PositionRun> runs_;
};

// Depthwise: each weight is a dot product of two planes.
template <class T>
void weight_gradient_by_dots(const ConvShape& s, const PlaneLayout& layout, const std::vector<int64_t>& offsets, const T* x, const T* grad, T* to) {
    const int64_t depth = static_cast<int64_t>(offsets.size()), positions = s.out_numel();
    parallel_for(0, s.groups, std::max<int64_t>(1, kSerialWork / std::max<int64_t>(1, s.work() / s.groups)), [&](int64_t first, int64_t last) {
        Scratch<T> copy(s.in_channels * layout.channel_numel());
        for (int64_t group = first; group < last; ++group) {
            T* result = to + group * s.out_channels * depth;
            std::fill(result, result + s.out_channels * depth, T(0));
            for (int64_t image = 0; image < s.images; ++image) {
                layout.fill(x + (image * s.groups + group) * s.in_channels * s.in_numel(), s.in_channels, copy.data());
                for (int64_t o = 0; o < s.out_channels; ++o) {
                    const T* rows = grad + ((image * s.groups + group) * s.out_channels + o) * positions;
                    for (int64_t line = 0; line < s.out[0] * s.out[1]; ++line) {
                        const T* base = copy.data() + (line / s.out[1] * layout.extent[1] + line % s.out[1]) * layout.extent[2];
                        for (int64_t k = 0; k < depth; ++k)
                            result[o * depth + k] +=
                                conv_kernels<T>().dot_row(rows + line * s.out[2], base + offsets[static_cast<size_t>(k)], s.out[2]);
                    }
                }
            }
        }
    });
}

}  // namespace

template <class T>
void conv_weight_gradient(const ConvShape& s, const T* input, const T* grad_output, T* grad_weight) {
    std::vector<int64_t> taps[3];
    const PlaneLayout layout = input_layout(s, taps);
    const std::vector<int64_t> offsets = channel_offsets(layout, s.in_channels, taps);
    const int64_t depth = s.in_channels * s.taps(), rows = s.out_channels;
    if (depth == 0 || rows == 0) return;
    if (s.images * s.out_numel() == 0) return std::fill(grad_weight, grad_weight + s.groups * rows * depth, T(0));
    ReleaseHostLock unlocked(s.work() > (1 << 14));
    if (s.groups > 1 && rows * depth <= 64) return weight_gradient_by_dots(s, layout, offsets, input, grad_output, grad_weight);
    // Pieces of the weight, not of the batch: each sum is then made in one order, whatever the number of threads.
    const auto& kernels = gemm_kernels<T>();
    const int64_t threads = s.work() > kSerialWork ? num_threads() : 1;
    int64_t pieces = ceil_div(threads, s.groups);
    const int64_t by_taps = std::min(pieces, ceil_div(depth, 4 * kernels.nr)),
                  by_rows = std::min(ceil_div(pieces, by_taps), ceil_div(rows, 2 * kernels.mr));
    const int64_t piece_taps = round_up(ceil_div(depth, by_taps), kernels.nr), piece_rows = round_up(ceil_div(rows, by_rows), kernels.mr);
    parallel_for(0, s.groups * by_taps * by_rows, threads == 1 ? s.groups * by_taps * by_rows : 1, [&](int64_t first, int64_t last) {
        for (int64_t item = first; item < last; ++item) {
            const int64_t group = item / (by_taps * by_rows), row0 = item / by_taps % by_rows * piece_rows, tap0 = item % by_taps * piece_taps;
            if (row0 >= rows || tap0 >= depth) continue;
            WeightGradient<T>(s, layout, offsets, input, grad_output)
                .run(group, row0, std::min(rows, row0 + piece_rows), tap0, std::min(depth, tap0 + piece_taps), grad_weight + group * rows * depth);
        }
    });
}

#define TAEDA_INSTANTIATE(T)                                                                  \
    template void conv_output<T>(const ConvShape&, const T*, const T*, const T*, T*);         \
    template void conv_input_gradient<T>(const ConvShape&, const T*, const T*, const T*, T*); \
    template void conv_weight_gradient<T>(const ConvShape&, const T*, const T*, T*);
TAEDA_INSTANTIATE(float)
TAEDA_INSTANTIATE(double)
TAEDA_INSTANTIATE(uint32_t)
TAEDA_INSTANTIATE(uint64_t)
#undef TAEDA_INSTANTIATE

}  // namespace taeda::cpu
