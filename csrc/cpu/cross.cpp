// The cross product of vectors of three elements.
#include "base/parallel.h"
#include "cpu/copy.h"
#include "cpu/lines.h"

namespace taeda::cpu {

namespace {

template <class T>
void cross_lines(const Lines& lines, const T* a, const T* b, T* out) {
    using C = compute_t<T>;
    const int64_t inner = lines.inner;
    ReleaseHostLock unlocked(lines.numel() >= kLineGrain);
    parallel_for(0, lines.outer * inner, kLineGrain / 3, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) {
            const int64_t at = inner == 1 ? 3 * t : t / inner * 3 * inner + t % inner;
            const C x0 = convert<C>(a[at]), x1 = convert<C>(a[at + inner]), x2 = convert<C>(a[at + 2 * inner]);
            const C y0 = convert<C>(b[at]), y1 = convert<C>(b[at + inner]), y2 = convert<C>(b[at + 2 * inner]);
            out[at] = convert<T>(static_cast<C>(x1 * y2 - x2 * y1));
            out[at + inner] = convert<T>(static_cast<C>(x2 * y0 - x0 * y2));
            out[at + 2 * inner] = convert<T>(static_cast<C>(x0 * y1 - x1 * y0));
        }
    });
}

}  // namespace

// Both of one shape and dtype.
Tensor _cross(const Tensor& input, const Tensor& other, int64_t dim) {
    dim = wrap_dim(dim, input.dim());
    TAEDA_CHECK_KIND(NotImplemented, !is_bool(input.dtype()), "\"cross\" not implemented for 'Bool'");
    Tensor out = result(input.sizes(), input.dtype(), input.device());
    if (out.is_meta() || out.numel() == 0) return out;
    const Lines lines(input.sizes(), dim);
    const Tensor a = contiguous(input), b = contiguous(other);
    visit_dtype(input.dtype(), [&]<class T>(Tag<T>) {
        if constexpr (!std::is_same_v<T, bool>) cross_lines(lines, a.data<T>(), b.data<T>(), out.data<T>());
    });
    return out;
}

}  // namespace taeda::cpu
