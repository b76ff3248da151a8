// Padding: by a constant, and by the tensor's own elements (reflected, repeated, continued around).
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/parallel.h"
#include "cpu/copy.h"
#include "tensor/views.h"

namespace taeda::cpu {

namespace {

constexpr int64_t kGrain = 16384;

// Along one dimension: how many elements are added before and after it; negative: taken off.
struct Ends {
    int64_t before = 0, after = 0;
};

Ends ends_of(const Tensor& t, IntList pad, int64_t d) {
    const int64_t k = t.dim() - 1 - d;
    return 2 * k + 1 < static_cast<int64_t>(pad.size()) ? Ends{pad[2 * k], pad[2 * k + 1]} : Ends{};
}

void check_pad(const Tensor& input, IntList pad) {
    TAEDA_CHECK(pad.size() % 2 == 0, "Length of pad must be even but instead it equals ", pad.size());
    TAEDA_CHECK(static_cast<int64_t>(pad.size()) <= 2 * input.dim(),
                "Length of pad should be no more than twice the number of dimensions of the input. Pad length is ", pad.size(),
                " while the input has ", input.dim(), " dimensions.");
}

Tensor padded(const Tensor& input, IntList pad, const Scalar& value) {
    check_pad(input, pad);
    Shape sizes(input.sizes());
    bool grows = false;
    for (int64_t d = 0; d < input.dim(); ++d) {
        const Ends ends = ends_of(input, pad, d);
        sizes[d] += ends.before + ends.after;
        TAEDA_CHECK(sizes[d] >= 0, "The input size ", input.sizes()[d], ", plus negative padding ", ends.before, " and ", ends.after,
                    " resulted in a negative output size, which is invalid. Check dimension ", d, " of your input.");
        grows |= ends.before > 0 || ends.after > 0;
    }
    Tensor out = result(sizes, input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    if (grows) fill(out, value);
    Tensor to = out, from = input;
    for (int64_t d = 0; d < input.dim(); ++d) {
        const Ends ends = ends_of(input, pad, d);
        const int64_t cut = std::max<int64_t>(-ends.before, 0), kept = input.sizes()[d] - cut - std::max<int64_t>(-ends.after, 0);
        if (kept <= 0) return out;
        from = views::narrow(from, d, cut, kept);
        to = views::narrow(to, d, std::max<int64_t>(ends.before, 0), kept);
    }
    copy_into(to, from);
    return out;
}

// Where each element along a dimension comes from.
std::vector<int64_t> sources(const std::string& mode, int64_t size, Ends ends, int64_t d, IntList sizes) {
    std::vector<int64_t> from;
    if (ends.before == 0 && ends.after == 0) {
        for (int64_t i = 0; i < size; ++i) from.push_back(i);
        return from;
    }
    TAEDA_CHECK(size > 0, "Expected a non-zero size at dimension ", d, " for padding, got ", shape_text(sizes));
    if (mode == "reflect")
        TAEDA_CHECK(ends.before < size && ends.after < size,
                    "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding (", ends.before, ", ",
                    ends.after, ") at dimension ", d, " of input ", shape_text(sizes));
    if (mode == "circular") {
        TAEDA_CHECK(ends.before <= size && ends.after <= size, "Padding value causes wrapping around more than once.");
        TAEDA_CHECK(ends.before + ends.after + size >= 0, "Negative padding value is resulting in an empty dimension");
        // What a negative number cuts off at one end is not there to continue at the other.
        const int64_t first = std::max<int64_t>(-ends.before, 0), last = size - std::max<int64_t>(-ends.after, 0),
                      kept = std::max<int64_t>(last - first, 0);
        for (int64_t i = std::max<int64_t>(kept - std::max<int64_t>(ends.before, 0), 0); i < kept; ++i) from.push_back(first + i);
        for (int64_t i = 0; i < kept; ++i) from.push_back(first + i);
        for (int64_t i = 0; i < std::min(kept, ends.after); ++i) from.push_back(first + i);
        return from;
    }
    for (int64_t i = -ends.before; i < size + ends.after; ++i)
        from.push_back(mode == "replicate" ? std::clamp<int64_t>(i, 0, size - 1) : i < 0 ? -i : i < size ? i : 2 * (size - 1) - i);
    return from;
}

// The padded tensor as lines along its last dimension: line `i` comes from the source's line that `lines` tells.
struct Sources {
    std::vector<int64_t> lines, along;
    Shape sizes;
    int64_t line_size;

    Sources(IntList from, IntList pad, const std::string& mode) : sizes(from), line_size(from[from.size() - 1]) {
        TAEDA_CHECK_KIND(Value, mode == "reflect" || mode == "replicate" || mode == "circular", "Unrecognised padding mode ", mode);
        const auto n_dims = static_cast<int64_t>(from.size());
        lines = {0};
        for (int64_t d = 0; d < n_dims; ++d) {
            const int64_t k = n_dims - 1 - d;
            const Ends ends = 2 * k + 1 < static_cast<int64_t>(pad.size()) ? Ends{pad[2 * k], pad[2 * k + 1]} : Ends{};
            std::vector<int64_t> places = sources(mode, from[d], ends, d, from);
            sizes[d] = static_cast<int64_t>(places.size());
            if (d == n_dims - 1) {
                along = std::move(places);
                break;
            }
            std::vector<int64_t> finer;
            finer.reserve(lines.size() * places.size());
            for (int64_t line : lines)
                for (int64_t place : places) finer.push_back(line * from[d] + place);
            lines = std::move(finer);
        }
    }

    // f(to, from): the elements of line i.
    template <class F>
    void each_line(int64_t first, int64_t last, F&& f) const {
        const auto width = static_cast<int64_t>(along.size());
        for (int64_t i = first; i < last; ++i) f(i * width, lines[i] * line_size);
    }
};

// The longest stretch [before, after) of places that follow one another.
Ends longest_rise(const std::vector<int64_t>& places) {
    Ends best;
    for (size_t start = 0, stop; start < places.size(); start = stop) {
        for (stop = start + 1; stop < places.size() && places[stop] == places[stop - 1] + 1;) ++stop;
        if (static_cast<int64_t>(stop - start) > best.after - best.before) best = {static_cast<int64_t>(start), static_cast<int64_t>(stop)};
    }
    return best;
}

}  // namespace

Tensor _constant_pad(const Tensor& input, IntList pad, const Scalar& value) { return padded(input, pad, value); }

Tensor _constant_pad_backward(const Tensor& grad, IntList pad) {
    Shape opposite;
    for (int64_t n : pad) opposite.push_back(-n);
    return padded(grad, opposite, Scalar(0));
}

Tensor _pad_from_within(const Tensor& input, IntList pad, const std::string& mode) {
    check_pad(input, pad);
    const Sources from(input.sizes(), pad, mode);
    Tensor out = result(from.sizes, input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Tensor x = contiguous(input);
    const auto width = static_cast<int64_t>(from.along.size());
    const Ends middle = longest_rise(from.along);
    visit_dtype(x.dtype(), [&]<class T>(Tag<T>) {
        const T* source = x.data<T>();
        T* target = out.data<T>();
        ReleaseHostLock unlocked(out.numel() >= kGrain);
        parallel_for(0, static_cast<int64_t>(from.lines.size()), std::max<int64_t>(1, kGrain / width), [&](int64_t first, int64_t last) {
            from.each_line(first, last, [&](int64_t to, int64_t at) {
                for (int64_t j = 0; j < middle.before; ++j) target[to + j] = source[at + from.along[j]];
                std::memcpy(target + to + middle.before, source + at + from.along[middle.before],
                            static_cast<size_t>(middle.after - middle.before) * sizeof(T));
                for (int64_t j = middle.after; j < width; ++j) target[to + j] = source[at + from.along[j]];
            });
        });
    });
    return out;
}

Tensor _pad_from_within_backward(const Tensor& grad, IntList sizes, IntList pad, const std::string& mode) {
    const Sources from(sizes, pad, mode);
    const DType type = is_reduced_float(grad.dtype()) ? DType::Float32 : grad.dtype();
    Tensor out = result(sizes, grad.dtype(), grad.device());
    if (out.is_meta()) return out;
    const Tensor g = contiguous(to_dtype(grad, type)), sums = type == grad.dtype() ? out : empty(sizes, type);
    fill_zero(sums);
    const auto width = static_cast<int64_t>(from.along.size());
    visit_dtype(type, [&]<class T>(Tag<T>) {
        if constexpr (std::is_floating_point_v<T> || is_complex_v<T>) {
            const T* source = g.data<T>();
            T* target = sums.data<T>();
            ReleaseHostLock unlocked(g.numel() >= kGrain);
            from.each_line(0, static_cast<int64_t>(from.lines.size()), [&](int64_t to, int64_t at) {
                for (int64_t j = 0; j < width; ++j) target[at + from.along[j]] += source[to + j];
            });
        }
    });
    if (!sums.is_same(out)) copy_into(out, sums);
    return out;
}

}  // namespace taeda::cpu
