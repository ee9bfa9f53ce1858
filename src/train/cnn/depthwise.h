// Depthwise convolution of training.
#pragma once

#include <torch/torch.h>

namespace lichen {

// x: (n, c, h, w), floating point. weight: (c, 1, k, k) of the same type. Stride 1, `pad` zeros on each side. That is torch::conv2d
// with c groups; on a CPU, where k is 3 or 5, its gradient of the weights is from train/cnn/depthwise_kernel.h.
torch::Tensor DepthwiseConv(const torch::Tensor& x, const torch::Tensor& weight, int64_t pad);

}  // namespace lichen
