// The one requantiser: how a wide accumulator becomes a narrow integer again.
//
// Contract: exact integer arithmetic, `>>` is floor. Every network, kernel, simulator and circuit
// computes these bits (docs/numerics.md).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lichen {

struct Requant {
  int64_t multiplier = 1;
  int pre_shift = 0;   // [0, 63]
  int64_t bias = 0;    // added after pre_shift, in the domain before post_shift
  int post_shift = 0;  // [0, 63], rounds half up
  int64_t min = INT64_MIN;
  int64_t max = INT64_MAX;
};

// Scales by multiplier * 2^-pre_shift (floor), adds bias, then by 2^-post_shift rounding half up,
// and saturates. Requires what CheckGraph() proves: |acc * multiplier| and the sum with bias and
// half below 2^62, shifts in [0, 63].
constexpr int64_t Requantise(int64_t acc, const Requant& r) {
  const int64_t half = r.post_shift ? int64_t{1} << (r.post_shift - 1) : 0;
  const int64_t scaled = (acc * r.multiplier >> r.pre_shift) + r.bias + half;
  return std::clamp(scaled >> r.post_shift, r.min, r.max);
}
static_assert(Requantise(-3, {.multiplier = 1, .post_shift = 1, .min = -8, .max = 7}) == -1);
static_assert(Requantise(5, {.multiplier = -3, .pre_shift = 2, .bias = 1}) == -3);

// LeakyRelu with slope 2^-shift, rounding half up below zero.
constexpr int64_t LeakyRelu(int64_t x, int shift) {
  if (x >= 0 || shift == 0) return x;
  return (x + (int64_t{1} << (shift - 1))) >> shift;
}
static_assert(LeakyRelu(-32, 6) == 0 && LeakyRelu(-33, 6) == -1);

// floor(a / b) for b > 0.
constexpr int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
static_assert(FloorDiv(-1, 4) == -1 && FloorDiv(-4, 4) == -1 && FloorDiv(7, 4) == 1);

// The quotient of Gdn before saturation: x * multiplier / norm, rounded half up.
// Requires |x * multiplier| < 2^47 and 1 <= norm <= 2^24.
constexpr int64_t GdnQuotient(int64_t x, int64_t multiplier, int64_t norm) {
  return FloorDiv(2 * x * multiplier + norm, 2 * norm);
}
static_assert(GdnQuotient(-3, 1, 2) == -1 && GdnQuotient(3, 1, 2) == 2);

// Inclusive bounds of an integer tensor's raw values; unused (0, 0) in a FloatNet.
struct ValueRange {
  int64_t min = 0;
  int64_t max = 0;
  bool operator==(const ValueRange&) const = default;
  int64_t MaxAbs() const { return -min > max ? -min : max; }
  bool Contains(const ValueRange& other) const { return min <= other.min && other.max <= max; }
};

// Parameters of Requantise() per channel. Each vector has one element per channel, or one for all.
// The result is saturated to the range that the user of the struct names.
struct ChannelRequant {
  std::vector<int64_t> multiplier = {1};
  std::vector<uint8_t> pre_shift = {0};
  std::vector<int64_t> bias = {0};
  uint8_t post_shift = 0;
  bool operator==(const ChannelRequant&) const = default;

  Requant At(size_t channel, ValueRange range) const {
    const auto pick = [channel](const auto& v) { return v[v.size() == 1 ? 0 : channel]; };
    return {.multiplier = pick(multiplier),
            .pre_shift = pick(pre_shift),
            .bias = pick(bias),
            .post_shift = post_shift,
            .min = range.min,
            .max = range.max};
  }
};

}  // namespace lichen
