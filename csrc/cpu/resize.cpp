// Resizing (interpolation) of the last one to three dimensions: one dimension after the other, each output a weighted sum
// of a few inputs. The gradient is the same with the weights' matrices transposed, so both directions share the code.
// Images with channels last stay so: a row of few channels is one of as many times the columns, more channels are one more
// dimension, behind those that are resized.
#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/resize_kernels.h"
#include "cpu/scratch.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

enum class Mode { Nearest, NearestExact, Linear, Cubic };

constexpr double kCubic = -0.75;  // Keys' parameter; with antialiasing -0.5, as Pillow has it
constexpr double kCubicAntialias = -0.5;
constexpr int64_t kPieceWork = 1 << 14;
constexpr int64_t kFewChannels = 8;  // so few are not worth a loop of their own

Mode mode_named(const std::string& name) {
    if (name == "nearest") return Mode::Nearest;
    if (name == "nearest-exact") return Mode::NearestExact;
    if (name == "bicubic") return Mode::Cubic;
    TAEDA_CHECK_KIND(Value, name == "linear" || name == "bilinear" || name == "trilinear", "interpolate: unknown mode '", name, "'");
    return Mode::Linear;
}

// One dimension's matrix of weights: row o has the entries start[o] .. start[o + 1].
template <class T>
struct Taps {
    int64_t from = 0, to = 0;
    std::vector<int32_t> start{0}, index;
    std::vector<T> weight;
    // Where the rows have about equally many, the same ordered by tap: neighbouring outputs lie side by side. The last tap of a
    // shorter row counts as several whose weights sum up to its own.
    int64_t uniform = 0;
    std::vector<int32_t> tap_index;
    std::vector<T> tap_weight;

    void add(int64_t place, T w) {
        index.push_back(static_cast<int32_t>(place));
        weight.push_back(w);
    }
    void end_row() { start.push_back(static_cast<int32_t>(index.size())); }
    int64_t count(int64_t o) const { return start[static_cast<size_t>(o) + 1] - start[static_cast<size_t>(o)]; }

    void find_uniform() {
        int64_t most = 0;
        for (int64_t o = 0; o < to; ++o) {
            if (count(o) == 0) return;
            most = std::max(most, count(o));
        }
        if (most * to > 2 * static_cast<int64_t>(index.size())) return;
        uniform = most;
        tap_index.resize(static_cast<size_t>(most * to));
        tap_weight.resize(static_cast<size_t>(most * to));
        for (int64_t o = 0; o < to; ++o) {
            const auto begin = static_cast<size_t>(start[static_cast<size_t>(o)]);
            const int64_t n = count(o);
            T rest = weight[begin + static_cast<size_t>(n) - 1];
            for (int64_t t = 0; t < most; ++t) {
                const auto from = begin + static_cast<size_t>(std::min(t, n - 1)), place = static_cast<size_t>(t * to + o);
                const bool is_shared = t >= n - 1;
                if (is_shared && t + 1 < most) rest /= 2;
                tap_index[place] = index[from];
                tap_weight[place] = is_shared ? rest : weight[from];
            }
        }
    }

    // For columns of `channels` elements each.
    Taps widened(int64_t channels) const {
        Taps result;
        result.from = from * channels;
        result.to = to * channels;
        for (int64_t o = 0; o < to; ++o)
            for (int64_t c = 0; c < channels; ++c) {
                for (auto t = static_cast<size_t>(start[static_cast<size_t>(o)]); t < static_cast<size_t>(start[static_cast<size_t>(o) + 1]); ++t)
                    result.add(index[t] * channels + c, weight[t]);
                result.end_row();
            }
        return result;
    }

    Taps transposed() const {
        std::vector<std::vector<std::pair<int32_t, T>>> rows(static_cast<size_t>(from));
        for (int64_t o = 0; o < to; ++o)
            for (int32_t t = start[static_cast<size_t>(o)]; t < start[static_cast<size_t>(o) + 1]; ++t)
                rows[static_cast<size_t>(index[static_cast<size_t>(t)])].push_back({static_cast<int32_t>(o), weight[static_cast<size_t>(t)]});
        Taps result;
        result.from = to;
        result.to = from;
        for (const auto& row : rows) {
            for (const auto& [place, w] : row) result.add(place, w);
            result.end_row();
        }
        return result;
    }
};

struct Axis {
    int64_t from, to;
    double factor;  // what the caller multiplies the size by; 0: it gave the new size
    bool align_corners, antialias;

    // How far apart in the input neighbouring outputs are.
    template <class T>
    T scale() const {
        if (align_corners) return to > 1 ? static_cast<T>(from - 1) / static_cast<T>(to - 1) : T(0);
        return factor > 0 ? static_cast<T>(1.0 / factor) : static_cast<T>(from) / static_cast<T>(to);
    }
    template <class T>
    T position(int64_t o) const {
        const T at = static_cast<T>(o);
        return align_corners ? at * scale<T>() : (at + T(0.5)) * scale<T>() - T(0.5);
    }
    bool is_identity() const { return from == to && (factor <= 0 || factor == 1.0); }
    // Computed in float whatever the input: rounding decides which neighbour is nearest.
    int64_t nearest(int64_t o, bool exact) const {
        if (!exact && from == to) return o;
        const float at = static_cast<float>(o) + (exact ? 0.5f : 0.0f);
        return std::min(static_cast<int64_t>(std::floor(at * scale<float>())), from - 1);
    }
};

template <class T>
T cubic(T distance, T a) {
    if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
    if (distance < 2) return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
    return 0;
}

// A triangle or cubic filter that shrinking widens by the scale. PyTorch centres it as without align_corners.
template <class T>
void add_antialiased(Taps<T>& taps, const Axis& axis, Mode mode, int64_t o) {
    const T scale = axis.scale<T>(), half_width = mode == Mode::Cubic ? T(2) : T(1);
    const T support = scale >= 1 ? half_width * scale : half_width, inverse = scale >= 1 ? 1 / scale : T(1);
    const T centre = (static_cast<T>(o) + T(0.5)) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - support + T(0.5)), 0);
    const int64_t behind = std::min(static_cast<int64_t>(centre + support + T(0.5)), axis.from);
    const size_t begin = taps.index.size();
    T total = 0;
    for (int64_t i = first; i < behind; ++i) {
        const T distance = std::abs((static_cast<T>(i) - centre + T(0.5)) * inverse);
        const T weight = mode == Mode::Cubic ? cubic(distance, static_cast<T>(kCubicAntialias)) : std::max(T(0), 1 - distance);
        taps.add(i, weight);
        total += weight;
    }
    for (size_t t = begin; t < taps.weight.size(); ++t) taps.weight[t] /= total;
}

template <class T>
void add_linear(Taps<T>& taps, const Axis& axis, int64_t o) {
    const T at = std::max(axis.position<T>(o), T(0));
    const int64_t left = std::min(static_cast<int64_t>(at), axis.from - 1);
    const T share = std::clamp(at - static_cast<T>(left), T(0), T(1));
    taps.add(left, 1 - share);
    taps.add(std::min(left + 1, axis.from - 1), share);
}

template <class T>
void add_cubic(Taps<T>& taps, const Axis& axis, int64_t o) {
    const T at = axis.position<T>(o), base = std::floor(at), share = at - base, a = static_cast<T>(kCubic);
    const int64_t left = static_cast<int64_t>(base), last = axis.from - 1;
    const T distances[4] = {share + 1, share, 1 - share, 2 - share};
    for (int64_t t = 0; t < 4; ++t) taps.add(std::clamp<int64_t>(left + t - 1, 0, last), cubic(distances[t], a));
}

template <class T>
Taps<T> make_taps(const Axis& axis, Mode mode) {
    Taps<T> taps;
    taps.from = axis.from;
    taps.to = axis.to;
    taps.start.reserve(static_cast<size_t>(axis.to) + 1);
    taps.index.reserve(static_cast<size_t>(axis.to) * 4);
    taps.weight.reserve(static_cast<size_t>(axis.to) * 4);
    for (int64_t o = 0; o < axis.to; ++o) {
        if (mode == Mode::Nearest || mode == Mode::NearestExact) taps.add(axis.nearest(o, mode == Mode::NearestExact), T(1));
        else if (axis.antialias) add_antialiased(taps, axis, mode, o);
        else if (mode == Mode::Linear) add_linear(taps, axis, o);
        else add_cubic(taps, axis, o);
        taps.end_row();
    }
    return taps;
}

// A line's gradient where it grows: each of its few elements is added to what it came from. Most sums are of one or no element.
template <class T>
void scatter_line(const Taps<T>& taps, const T* x, T* y) {
    std::fill_n(y, taps.from, T(0));
    for (int64_t t = 0; t < taps.uniform; ++t) {
        const int32_t* index = taps.tap_index.data() + t * taps.to;
        const T* weight = taps.tap_weight.data() + t * taps.to;
        for (int64_t o = 0; o < taps.to; ++o) y[index[o]] += weight[o] * x[o];
    }
}

// One dimension of [outer, from, inner] resized. `scattered`: the taps are those of the other direction.
template <class T>
void resize_axis(const Taps<T>& taps, bool scattered, int64_t outer, int64_t inner, const T* x, T* y) {
    const auto& kernels = resize_kernels<T>();
    if (scattered) {
        parallel_for(0, outer, std::max<int64_t>(1, kPieceWork / taps.from), [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) scatter_line(taps, x + i * taps.to, y + i * taps.from);
        });
        return;
    }
    if (inner == 1) {
        parallel_for(0, outer, std::max<int64_t>(1, kPieceWork / std::max<int64_t>(1, taps.to)), [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                if (taps.uniform)
                    kernels.line(x + i * taps.from, y + i * taps.to, taps.to, taps.uniform, taps.tap_index.data(), taps.tap_weight.data());
                else kernels.ragged_line(x + i * taps.from, y + i * taps.to, taps.to, taps.start.data(), taps.index.data(), taps.weight.data());
            }
        });
        return;
    }
    parallel_for(0, outer * taps.to, std::max<int64_t>(1, kPieceWork / inner), [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const int64_t begin = taps.start[static_cast<size_t>(i % taps.to)];
            kernels.blend(x + i / taps.to * taps.from * inner, inner, y + i * inner, inner, taps.count(i % taps.to), taps.index.data() + begin,
                          taps.weight.data() + begin);
        }
    });
}

// Images of pixels that shrink, two taps in each dimension: four pixels at once, so that the rows in between are never written.
template <class T>
void blend_pixels(const Taps<T>& rows, const Taps<T>& columns, int64_t planes, int64_t channels, const T* x, T* y) {
    const int64_t image = rows.from * columns.from * channels;
    parallel_for(0, planes * rows.to, std::max<int64_t>(1, kPieceWork / (columns.to * channels)), [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i)
            for (int64_t w = 0; w < columns.to; ++w) {
                int32_t index[4];
                T weight[4];
                for (int64_t k = 0; k < 4; ++k) {
                    const auto row = static_cast<size_t>(k / 2 * rows.to + i % rows.to), column = static_cast<size_t>(k % 2 * columns.to + w);
                    index[k] = static_cast<int32_t>(rows.tap_index[row] * columns.from) + columns.tap_index[column];
                    weight[k] = rows.tap_weight[row] * columns.tap_weight[column];
                }
                resize_kernels<T>().blend(x + i / rows.to * image, channels, y + (i * columns.to + w) * channels, channels, 4, index, weight);
            }
    });
}

// What changes the sizes of the last dimensions of a tensor, in the order in which it is done.
template <class T>
struct Plan {
    Shape sizes;  // of a plane, before
    struct Step {
        size_t dim;
        Taps<T> taps;
        bool scattered = false;  // the taps are those of the other direction
        int64_t to() const { return scattered ? taps.from : taps.to; }
        bool shrinks() const { return scattered ? taps.from < taps.to : taps.to < taps.from; }
    };
    std::vector<Step> steps;

    void run(const T* x, T* y, int64_t planes) const {
        // Planes one by one where there are enough for all threads: what lies between two steps then stays in the cache.
        const bool by_plane = planes >= num_threads();
        const int64_t n_in = product(sizes), n_out = product(final_sizes()), largest = largest_between();
        auto run_planes = [&](int64_t first, int64_t last) {
            const int64_t group = by_plane ? 1 : last - first;
            Scratch<T> a(largest * group + 1), b(largest * group + 1);
            for (int64_t p = first; p < last; p += group) run_group(x + p * n_in, y + p * n_out, group, a.data(), b.data());
        };
        if (by_plane) parallel_for(0, planes, std::max<int64_t>(1, kPieceWork / std::max<int64_t>(1, n_in + n_out)), run_planes);
        else run_planes(0, planes);
    }

private:
    Shape final_sizes() const {
        Shape result = sizes;
        for (const Step& step : steps) result[step.dim] = step.to();
        return result;
    }
    int64_t largest_between() const {
        Shape current = sizes;
        int64_t most = 0;
        for (const Step& step : steps) {
            current[step.dim] = step.to();
            most = std::max(most, product(current));
        }
        return most;
    }
    void run_group(const T* x, T* y, int64_t planes, T* a, T* b) const {
        Shape current = sizes;
        const T* from = x;
        for (size_t s = 0; s < steps.size(); ++s) {
            T* to = s + 1 == steps.size() ? y : s % 2 ? b : a;
            int64_t outer = planes, inner = 1;
            for (size_t d = 0; d < current.size(); ++d) (d < steps[s].dim ? outer : inner) *= d == steps[s].dim ? 1 : current[d];
            resize_axis(steps[s].taps, steps[s].scattered, outer, inner, from, to);
            current[steps[s].dim] = steps[s].to();
            from = to;
        }
    }
};

// How images lie in memory: planes one after the other, or with channels last, which are then counted here.
struct Layout {
    MemoryFormat format = MemoryFormat::Contiguous;
    int64_t planes, channels = 1;

    Layout(const Tensor& like, IntList sizes) : planes(sizes[0] * sizes[1]) {
        const MemoryFormat last = like.dim() == 5 ? MemoryFormat::ChannelsLast3d : MemoryFormat::ChannelsLast;
        if (like.dim() < 4 || like.is_contiguous() || !is_contiguous_as(like, last)) return;
        format = last;
        planes = sizes[0];
        channels = sizes[1];
    }
    bool is_last() const { return format != MemoryFormat::Contiguous; }
    Tensor make(IntList sizes, DType type, Device device) const {
        return is_last() ? empty_strided(sizes, channels_last_strides(sizes), type, device) : empty(sizes, type, device);
    }
    Tensor dense(const Tensor& t) const { return is_last() && is_contiguous_as(t, format) ? t : is_last() ? clone(t, format) : contiguous(t); }
};

std::vector<Axis> axes_of(IntList from, IntList to, bool align_corners, bool antialias, std::span<const double> factors) {
    std::vector<Axis> axes;
    const size_t n = to.size(), lead = from.size() - n;
    for (size_t d = 0; d < n; ++d) axes.push_back({from[lead + d], to[d], d < factors.size() ? factors[d] : 0.0, align_corners, antialias});
    return axes;
}

template <class T>
void run_linear(const std::vector<Axis>& axes, Mode mode, bool backward, const Layout& layout, const Tensor& x, const Tensor& y) {
    Plan<T> plan;
    for (const Axis& axis : axes) plan.sizes.push_back(backward ? axis.to : axis.from);
    const bool has_columns = layout.channels < kFewChannels;
    if (has_columns) plan.sizes.back() *= layout.channels;
    else plan.sizes.push_back(layout.channels);
    for (size_t d = 0; d < axes.size(); ++d) {
        if (axes[d].is_identity() && mode != Mode::NearestExact) continue;
        Taps<T> taps = make_taps<T>(axes[d], mode);
        const bool is_line = has_columns && d + 1 == axes.size();
        if (is_line && layout.channels > 1) taps = taps.widened(layout.channels);
        taps.find_uniform();
        const bool scattered = backward && is_line && taps.uniform > 0 && taps.to < taps.from;
        if (backward && !scattered) {
            taps = taps.transposed();
            taps.find_uniform();
        }
        plan.steps.push_back({d, std::move(taps), scattered});
    }
    // What shrinks goes before what grows: there is less to do for the others. Whole rows are cheaper than columns: those come
    // last where the rows get fewer, first where they become more.
    std::stable_sort(plan.steps.begin(), plan.steps.end(), [](const auto& a, const auto& b) {
        if (a.shrinks() != b.shrinks()) return a.shrinks();
        return a.shrinks() ? a.dim < b.dim : a.dim > b.dim;
    });
    ReleaseHostLock unlocked(x.numel() + y.numel() > kPieceWork);
    if (!backward && !has_columns && plan.steps.size() == 2 && axes.size() == 2 && plan.steps[0].shrinks()) {
        const size_t row = plan.steps[0].dim == 0 ? 0 : 1;
        const Taps<T>&rows = plan.steps[row].taps, &columns = plan.steps[1 - row].taps;
        if (rows.uniform == 2 && columns.uniform == 2 && rows.from * columns.from <= INT32_MAX)
            return blend_pixels(rows, columns, layout.planes, layout.channels, x.data<T>(), y.data<T>());
    }
    if (plan.steps.empty()) std::copy_n(x.data<T>(), x.numel(), y.data<T>());
    else plan.run(x.data<T>(), y.data<T>(), layout.planes);
}

// Where the nearest neighbours of planes, rows and columns are, of images as three dimensions.
struct Neighbours {
    std::vector<int64_t> place[3] = {{0}, {0}, {0}};
    int64_t from[3] = {1, 1, 1}, to[3] = {1, 1, 1};
    int64_t pixel;  // elements that are moved together

    Neighbours(const std::vector<Axis>& axes, bool exact, int64_t channels) : pixel(channels) {
        for (size_t k = 0; k < axes.size(); ++k) {
            const size_t d = 3 - axes.size() + k;
            from[d] = axes[k].from;
            to[d] = axes[k].to;
            place[d].clear();
            for (int64_t o = 0; o < axes[k].to; ++o) place[d].push_back(axes[k].nearest(o, exact));
        }
        if (channels > 1 && channels < kFewChannels) widen();
    }
    // The larger image's row of a smaller or larger one's row `i` of all planes' rows.
    int64_t row(int64_t i) const {
        const int64_t h = i % to[1], d = i / to[1] % to[0], p = i / (to[1] * to[0]);
        return (p * from[0] + place[0][static_cast<size_t>(d)]) * from[1] + place[1][static_cast<size_t>(h)];
    }
    int64_t width_from() const { return from[2] * pixel; }
    int64_t width_to() const { return to[2] * pixel; }

private:
    void widen() {
        std::vector<int64_t> columns;
        for (const int64_t column : place[2])
            for (int64_t c = 0; c < pixel; ++c) columns.push_back(column * pixel + c);
        place[2] = std::move(columns);
        from[2] *= pixel;
        to[2] *= pixel;
        pixel = 1;
    }
};

// The nearest elements, moved as they are, whatever their type.
template <class T>
void move_nearest(const Neighbours& near, int64_t planes, const T* x, T* y) {
    const int64_t rows = planes * near.to[0] * near.to[1], width = near.width_to();
    ReleaseHostLock unlocked(rows * width > kPieceWork);
    parallel_for(0, rows, std::max<int64_t>(1, kPieceWork / width), [&](int64_t first, int64_t last) {
        const int64_t* columns = near.place[2].data();
        const T* previous = nullptr;
        for (int64_t i = first; i < last; ++i) {
            const T* row = x + near.row(i) * near.width_from();
            T* out = y + i * width;
            if (row == previous) std::copy_n(out - width, width, out);  // the same row again, as when enlarging
            else if (near.pixel == 1)
                for (int64_t w = 0; w < width; ++w) out[w] = row[columns[w]];
            else
                for (int64_t w = 0; w < near.to[2]; ++w) std::copy_n(row + columns[w] * near.pixel, near.pixel, out + w * near.pixel);
            previous = row;
        }
    });
}

// The gradient of that for images that shrank: most of their elements went nowhere.
template <class T>
void return_nearest(const Neighbours& near, int64_t planes, const T* g, T* dx) {
    const int64_t rows = near.to[0] * near.to[1], image = near.from[0] * near.from[1] * near.width_from();
    ReleaseHostLock unlocked(planes * image > kPieceWork);
    parallel_for(0, planes, std::max<int64_t>(1, kPieceWork / image), [&](int64_t first, int64_t last) {
        const int64_t* columns = near.place[2].data();
        std::fill_n(dx + first * image, (last - first) * image, T(0));
        for (int64_t i = first * rows; i < last * rows; ++i) {
            T* row = dx + near.row(i) * near.width_from();
            const T* from = g + i * near.width_to();
            if (near.pixel == 1)
                for (int64_t w = 0; w < near.to[2]; ++w) row[columns[w]] += from[w];
            else
                for (int64_t w = 0; w < near.to[2]; ++w) resize_kernels<T>().add(from + w * near.pixel, row + columns[w] * near.pixel, near.pixel);
        }
    });
}

void check_sizes(const Tensor& input, IntList output_size) {
    const size_t n = output_size.size();
    TAEDA_CHECK(n >= 1 && n <= 3 && input.dim() == static_cast<int64_t>(n) + 2, "It is expected input_size equals to ", n + 2, ", but got size ",
                input.dim());
    bool is_positive = true;
    for (size_t d = 0; d < n; ++d)
        is_positive =
            is_positive && output_size[d] > 0 && input.sizes()[d + 2] > 0 && input.sizes()[d + 2] <= INT32_MAX && output_size[d] <= INT32_MAX;
    TAEDA_CHECK(is_positive, "Input and output sizes should be greater than 0, but got input ", shape_text(input.sizes()), " and output size ",
                shape_text(output_size));
    TAEDA_CHECK(input.numel() != 0 || (input.sizes()[0] == 0 && input.sizes()[1] != 0), "Non-empty ", n + 2,
                "D data tensor expected but got a tensor with sizes ", shape_text(input.sizes()));
}

DType computed_type(DType t) { return t == DType::Float64 ? t : DType::Float32; }

}  // namespace

Tensor _interpolate(const Tensor& input, IntList output_size, const std::string& mode, bool align_corners, bool antialias,
                    std::span<const double> factors) {
    const Mode kind = mode_named(mode);
    check_sizes(input, output_size);
    const DType type = input.dtype();
    TAEDA_CHECK_KIND(NotImplemented, is_floating(type) || type == DType::UInt8, "\"upsample_", mode, "_out_frame\" not implemented for '",
                     scalar_type_name(type), "'");
    Shape sizes{input.sizes()[0], input.sizes()[1]};
    for (int64_t size : output_size) sizes.push_back(size);
    const Layout layout(input, sizes);
    Tensor out = layout.is_last() ? layout.make(sizes, type, input.device()) : result(sizes, type, input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const std::vector<Axis> axes = axes_of(input.sizes(), output_size, align_corners, antialias, factors);
    if (kind == Mode::Nearest || kind == Mode::NearestExact) {
        const Tensor x = layout.dense(input);
        const Neighbours near(axes, kind == Mode::NearestExact, layout.channels);
        auto move = [&]<class T>(Tag<T>) { move_nearest(near, layout.planes, x.data<T>(), out.data<T>()); };
        if (x.item_size() == 1) move(Tag<uint8_t>{});
        else if (x.item_size() == 2) move(Tag<uint16_t>{});
        else if (x.item_size() == 4) move(Tag<uint32_t>{});
        else move(Tag<uint64_t>{});
        return out;
    }
    const DType computed = computed_type(type);
    const Tensor x = layout.dense(to_dtype(input, computed)), y = type == computed ? out : layout.make(sizes, computed, input.device());
    if (computed == DType::Float64) run_linear<double>(axes, kind, false, layout, x, y);
    else run_linear<float>(axes, kind, false, layout, x, y);
    if (type == DType::UInt8) resize_table().to_bytes(y.data<float>(), out.data<uint8_t>(), y.numel());
    else if (!y.is_same(out)) copy_into(out, y);
    return out;
}

Tensor _interpolate_backward(const Tensor& g, IntList input_size, const std::string& mode, bool align_corners, bool antialias,
                             std::span<const double> factors) {
    const Mode kind = mode_named(mode);
    const DType type = g.dtype(), computed = computed_type(type);
    const Layout layout(g, input_size);
    Tensor out = layout.make(input_size, type, g.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const std::vector<Axis> axes = axes_of(input_size, IntList(g.sizes()).subspan(2), align_corners, antialias, factors);
    const bool is_nearest = kind == Mode::Nearest || kind == Mode::NearestExact;
    const bool shrank = std::ranges::all_of(axes, [](const Axis& axis) { return axis.to <= axis.from; });
    const Tensor x = layout.dense(to_dtype(g, computed)), y = type == computed ? out : layout.make(input_size, computed, g.device());
    auto run = [&]<class T>(Tag<T>) {
        if (is_nearest && shrank)
            return_nearest(Neighbours(axes, kind == Mode::NearestExact, layout.channels), layout.planes, x.data<T>(), y.data<T>());
        else run_linear<T>(axes, kind, true, layout, x, y);
    };
    if (computed == DType::Float64) run(Tag<double>{});
    else run(Tag<float>{});
    if (!y.is_same(out)) copy_into(out, y);
    return out;
}

}  // namespace taeda::cpu
