// Quantisers of several widths at once, mixed by weights: plain loops that know nothing of libtorch.
#pragma once

#include <cstdint>
#include <span>

namespace lichen {

// Values are step * clamp(round(x * inverse), low, high), halves rounded to even.
struct QuantiserStep {
  float step = 1;
  float inverse = 1;  // of the step
  float low = 0;      // whole, as the following, within +-2^22
  float high = 0;
};

// y[i] = sum over k of shares[k] * (x[i] quantised by steps[k]), for i of [0, count).
void MixQuantised(const float* x, int64_t count, std::span<const QuantiserStep> steps,
                  std::span<const float> shares, float* y);

// For the gradient g of y: gx[i] = g[i] * sum of the shares whose quantiser does not saturate at x[i] (of all, if
// `passes_all`), and gradients of the shares are added to share_gradients.
void MixQuantisedBackward(const float* x, const float* g, int64_t count,
                          std::span<const QuantiserStep> steps, std::span<const float> shares,
                          bool passes_all, float* gx, std::span<double> share_gradients);

}  // namespace lichen
