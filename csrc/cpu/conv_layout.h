// How a padded copy of a few images' channels is laid out so that every tap of a convolution reads it at unit stride.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/conv_kernels.h"

namespace taeda::cpu {

// Coordinate i of the padded input (i = input coordinate + low) lies in phase i % step at place i / step. Only phases that
// a tap reads are stored. With step 1 and no padding the input itself has this layout, and no copy is made.
struct PlaneLayout {
    int64_t size[3], low[3], step[3], extent[3];  // of the input; padding in front; stride; places per phase
    std::vector<int64_t> phase_at[3];             // phase -> its number among those stored, -1: not stored
    int64_t phases[3];

    PlaneLayout(const int64_t* sizes, const int64_t* pads, const int64_t* steps, const int64_t* extents, const std::vector<int64_t> (&taps)[3]);

    int64_t phase_numel() const { return extent[0] * extent[1] * extent[2]; }
    int64_t channel_numel() const { return phases[0] * phases[1] * phases[2] * phase_numel(); }
    int64_t stored(int d, int64_t phase) const { return phase_at[d][static_cast<size_t>(phase)]; }
    bool is_plain() const;
    // Where the tap at padded coordinate (d, h, w) starts in a channel.
    int64_t offset_of(int64_t d, int64_t h, int64_t w) const;
    // Fills the copy of `channels` channels that lie `size` apart in `from`.
    template <class T>
    void fill(const T* from, int64_t channels, T* to) const;
};

// The output positions [first, last) of consecutive images as runs that are contiguous in the copy, cut into panels of
// `width` columns (0: not cut). `image_numel` is the distance of two images in the copy.
void position_runs(const PlaneLayout& layout, const int64_t* out, int64_t image_numel, int64_t first, int64_t last, int64_t width,
                   std::vector<PositionRun>& runs, std::vector<int32_t>* panel_starts);

}  // namespace taeda::cpu
