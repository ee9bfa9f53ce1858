// The gate of Lagc over plain arrays, forward and backward in one pass each.
//
// Contract: arrays hold `pixels` rows of `channels` values. bfloat16 values are stored as the high
// halves of floats; sums are kept in float.
#pragma once

#include <cstdint>

namespace lichen {

// y = x * (1 + w * t + c), with t = tanh(u) and w, c per channel.
void LagcGateForward(int64_t pixels, int64_t channels, const float* x, const float* t,
                     const float* w, const float* c, float* y);
void LagcGateForward(int64_t pixels, int64_t channels, const uint16_t* x, const uint16_t* t,
                     const float* w, const float* c, uint16_t* y);

// From the gradient of y: those of x and u, and what they add to those of w and c.
void LagcGateBackward(int64_t pixels, int64_t channels, const float* gy, const float* x,
                      const float* t, const float* w, const float* c, float* gx, float* gu,
                      float* gw, float* gc);
void LagcGateBackward(int64_t pixels, int64_t channels, const uint16_t* gy, const uint16_t* x,
                      const uint16_t* t, const float* w, const float* c, uint16_t* gx, uint16_t* gu,
                      float* gw, float* gc);

}  // namespace lichen
