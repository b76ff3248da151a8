#include "cpu/conv_layout.h"

#include <algorithm>
#include <cstring>

namespace taeda::cpu {

PlaneLayout::PlaneLayout(const int64_t* sizes, const int64_t* pads, const int64_t* steps, const int64_t* extents,
                         const std::vector<int64_t> (&taps)[3]) {
    for (int d = 0; d < 3; ++d) {
        size[d] = sizes[d];
        low[d] = pads[d];
        step[d] = steps[d];
        extent[d] = extents[d];
        phases[d] = 0;
        phase_at[d].assign(static_cast<size_t>(step[d]), -1);
        for (int64_t tap : taps[d]) {
            int64_t& at = phase_at[d][static_cast<size_t>(tap % step[d])];
            if (at < 0) at = phases[d]++;
        }
    }
}

bool PlaneLayout::is_plain() const {
    for (int d = 0; d < 3; ++d)
        if (step[d] != 1 || low[d] != 0 || extent[d] != size[d]) return false;
    return true;
}

int64_t PlaneLayout::offset_of(int64_t d, int64_t h, int64_t w) const {
    const int64_t phase = (stored(0, d % step[0]) * phases[1] + stored(1, h % step[1])) * phases[2] + stored(2, w % step[2]);
    return phase * phase_numel() + ((d / step[0]) * extent[1] + h / step[1]) * extent[2] + w / step[2];
}

namespace {

// One row of one phase: places whose input coordinate place * step + phase - low is inside, zeros around them.
template <class T>
void fill_row(const T* from, int64_t size, int64_t low, int64_t step, int64_t phase, int64_t extent, T* to) {
    const int64_t first = std::clamp<int64_t>((low - phase + step - 1) / step, 0, extent);
    const int64_t last = std::clamp<int64_t>(size + low - phase > 0 ? (size + low - phase - 1) / step + 1 : 0, first, extent);
    std::fill(to, to + first, T(0));
    if (step == 1 && last > first) {
        std::memcpy(to + first, from + first + phase - low, static_cast<size_t>(last - first) * sizeof(T));
    } else {
        for (int64_t i = first; i < last; ++i) to[i] = from[i * step + phase - low];
    }
    std::fill(to + last, to + extent, T(0));
}

}  // namespace

template <class T>
void PlaneLayout::fill(const T* from, int64_t channels, T* to) const {
    const int64_t row = extent[2], plane = size[0] * size[1] * size[2];
    for (int64_t c = 0; c < channels; ++c, from += plane, to += channel_numel()) {
        for (int64_t pd = 0; pd < step[0]; ++pd) {
            for (int64_t ph = 0; ph < step[1]; ++ph) {
                for (int64_t pw = 0; pw < step[2]; ++pw) {
                    if (stored(0, pd) < 0 || stored(1, ph) < 0 || stored(2, pw) < 0) continue;
                    T* into = to + ((stored(0, pd) * phases[1] + stored(1, ph)) * phases[2] + stored(2, pw)) * phase_numel();
                    for (int64_t d = 0; d < extent[0]; ++d) {
                        const int64_t z = d * step[0] + pd - low[0];
                        for (int64_t h = 0; h < extent[1]; ++h, into += row) {
                            const int64_t y = h * step[1] + ph - low[1];
                            if (z < 0 || z >= size[0] || y < 0 || y >= size[1]) std::fill(into, into + row, T(0));
                            else fill_row(from + (z * size[1] + y) * size[2], size[2], low[2], step[2], pw, row, into);
                        }
                    }
                }
            }
        }
    }
}

template void PlaneLayout::fill(const float*, int64_t, float*) const;
template void PlaneLayout::fill(const double*, int64_t, double*) const;
template void PlaneLayout::fill(const uint32_t*, int64_t, uint32_t*) const;
template void PlaneLayout::fill(const uint64_t*, int64_t, uint64_t*) const;

void position_runs(const PlaneLayout& layout, const int64_t* out, int64_t image_numel, int64_t first, int64_t last, int64_t width,
                   std::vector<PositionRun>& runs, std::vector<int32_t>* panel_starts) {
    runs.clear();
    if (panel_starts) panel_starts->clear();
    const int64_t per_image = out[0] * out[1] * out[2];
    int64_t image = first / per_image, rest = first % per_image;
    int64_t d = rest / (out[1] * out[2]), h = rest / out[2] % out[1], w = rest % out[2];
    int64_t column = 0, left_in_panel = 0;
    for (int64_t at = first; at < last;) {
        if (width && left_in_panel == 0) {
            panel_starts->push_back(static_cast<int32_t>(runs.size()));
            left_in_panel = width;
            column = 0;
        }
        int64_t n = std::min(out[2] - w, last - at);
        if (width) n = std::min(n, left_in_panel);
        const int64_t base = image * image_numel + (d * layout.extent[1] + h) * layout.extent[2] + w;
        const bool continues = column > 0 && runs.back().base + runs.back().count == base;
        if (continues) runs.back().count += static_cast<int32_t>(n);
        else runs.push_back({base, static_cast<int32_t>(column), static_cast<int32_t>(n)});
        at += n;
        column += n;
        left_in_panel -= n;
        w += n;
        if (w == out[2]) {
            w = 0;
            if (++h == out[1]) {
                h = 0;
                if (++d == out[0]) {
                    d = 0;
                    ++image;
                }
            }
        }
    }
    if (panel_starts) panel_starts->push_back(static_cast<int32_t>(runs.size()));
}

}  // namespace taeda::cpu
