// Gradient of the weights of a depthwise convolution: kernels for every CPU target that know nothing of libtorch.
//
// Because oneDNN's own (2.6, bfloat16, 5x5) took three quarters of a training step of SkyNetk5: tens of times what this takes.
#pragma once

#include <cstdint>

namespace lichen {

// Stride 1. Activations are NHWC, float, or bfloat16 as the high halves of floats.
struct DepthwiseShape {
  int64_t channels = 0;
  int64_t kernel = 0;             // kernel x kernel, one of kDepthwiseKernels
  int64_t pad = 0;                // on each side, at most kernel / 2
  int64_t height = 0, width = 0;  // of x
  int64_t out_height() const { return height + 2 * pad - kernel + 1; }
  int64_t out_width() const { return width + 2 * pad - kernel + 1; }
};
constexpr bool HasDepthwiseKernel(int64_t kernel) { return kernel == 3 || kernel == 5; }

// For one picture x and the gradient g of its output: adds what rows `first_row` up to `end_row` of g give to the gradient of the
// weights, (ky, kx, channels). Sums are kept in float over these rows, so they are handed over in small parts.
template <typename T>
void AddDepthwiseWeightGradients(const DepthwiseShape& shape, const T* x, const T* g,
                                 int64_t first_row, int64_t end_row, double* gradients);

}  // namespace lichen
