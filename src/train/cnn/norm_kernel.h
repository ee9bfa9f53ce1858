// Batch norm, 2x2 maximum and quantiser in one pass over the activations: kernels for every CPU target that
// know nothing of libtorch.
//
// Contract: activations are rows of pixels of `channels` values each (NHWC), float, or bfloat16 as the high halves of floats.
// z = y * scale + shift per channel; pooled: the maximum of 2x2 of them; x = output_scale * sum over k of shares[k] * (z quantised
// by steps[k]), or max(z, 0) without steps. Sums over rows are kept in float, so rows are handed over in small parts.
#pragma once

#include <cstdint>
#include <span>

#include "train/cnn/mix_kernel.h"

namespace lichen {

inline constexpr size_t kWidthsAtMost = 7;  // of a mixture

struct NormShape {
  int64_t rows = 0;   // of x
  int64_t width = 0;  // of a row of x, pixels
  int64_t channels = 0;
  bool is_pooled = false;  // y has rows and pixels twice as many
};

struct NormQuantiser {
  std::span<const QuantiserStep> steps;  // empty: max(z, 0)
  std::span<const float> shares;
  float output_scale = 1;
};

// Adds the sums of y and of its squares, per channel.
template <typename T>
void AddChannelSums(const T* y, int64_t pixels, int64_t channels, double* sums, double* squares);

template <typename T>
void NormQuantise(const NormShape& shape, const T* y, const float* scale, const float* shift,
                  const NormQuantiser& quantiser, T* x);

// For the gradient g of x: adds, per channel, the sums of gz and of gz * y, and per width the gradient of its share.
template <typename T>
void AddNormGradients(const NormShape& shape, const T* y, const T* g, const float* scale,
                      const float* shift, const NormQuantiser& quantiser, double* sums,
                      double* products, double* share_gradients);

// gy = of_gradient * gz + of_value * y + constant, per channel.
struct NormGradient {
  const float* of_gradient;
  const float* of_value;
  const float* constant;
};
template <typename T>
void NormQuantiseBackward(const NormShape& shape, const T* y, const T* g, const float* scale,
                          const float* shift, const NormQuantiser& quantiser,
                          const NormGradient& gradient, T* gy);

}  // namespace lichen
