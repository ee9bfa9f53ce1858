// Operators with gradients of their own.
//
// READ ME FIRST: tensors are (n, c, h, w) here, as libtorch writes them, in channels-last memory.
#pragma once

#include "train/torch.h"

namespace lichen {

// max(x, bound), whose gradient passes wherever it pulls x up again, so that no parameter stays
// stuck below its bound.
torch::Tensor LowerBound(const torch::Tensor& x, double bound);

// Transposed convolution with weights (in, out, kernel, kernel), pad (kernel - 1) / 2 and output of
// stride * the input's size. The same as torch::conv_transpose2d, but built of the three parts of
// an ordinary convolution: Debian's libtorch 1.13 runs its own without oneDNN, 10 to 30 times
// slower.
torch::Tensor TransposedConv(const torch::Tensor& x, const torch::Tensor& weights, int64_t stride);

// A 1x1 convolution with weights (out, in) and bias (out), which may be undefined.
torch::Tensor PointwiseConv(const torch::Tensor& x, const torch::Tensor& weights,
                            const torch::Tensor& bias);

// x * (1 + w * tanh(u) + c), with w and c per channel, in one pass over memory each way.
torch::Tensor LagcGate(const torch::Tensor& x, const torch::Tensor& u, const torch::Tensor& w,
                       const torch::Tensor& c);

}  // namespace lichen
