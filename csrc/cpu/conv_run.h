// The three products that convolutions are made of, on contiguous memory: output, gradient of the input, of the weight.
//
// All of them pad a copy of one image's channels (see PlaneLayout) and hand shifted reads of it to the product engine.
// A transposed convolution is the gradient of an ordinary one, and the other way round.
#pragma once

#include <cstdint>

namespace taeda::cpu {

// A convolution in three dimensions; fewer have leading ones. Channels are counted per group.
struct ConvShape {
    int64_t images = 1, groups = 1, in_channels = 1, out_channels = 1;
    int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1};
    int64_t stride[3] = {1, 1, 1}, padding[3] = {0, 0, 0}, dilation[3] = {1, 1, 1};

    int64_t in_numel() const { return in[0] * in[1] * in[2]; }
    int64_t out_numel() const { return out[0] * out[1] * out[2]; }
    int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
    int64_t work() const { return images * groups * in_channels * out_channels * out_numel() * taps(); }
};

// T: float, double, uint32_t, uint64_t. Memory is contiguous in PyTorch's order of dimensions; `bias` may be null.
template <class T>
void conv_output(const ConvShape& shape, const T* input, const T* weight, const T* bias, T* output);
template <class T>
void conv_input_gradient(const ConvShape& shape, const T* grad_output, const T* weight, const T* bias, T* grad_input);
template <class T>
void conv_weight_gradient(const ConvShape& shape, const T* input, const T* grad_output, T* grad_weight);

}  // namespace taeda::cpu
