// Quantises sums of products: weights, bias and the requantiser behind them.
//
// Contract: an accumulator's step (accumulator_scale) is the smallest at which the weights fit
// weight_bits, the 32-bit accumulator needs at most max(1, products / products_per_segment)
// segments, and the multiplier is a whole number: rounding it costs nothing. One post_shift for all
// channels, pre_shift 0, 0 <= multiplier < 2^17.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "net/int_net.h"
#include "quant/gram.h"

namespace lichen {

struct ProductSpec {
  OpKind kind = OpKind::kConv2d;
  Geometry geometry;
  int64_t outputs = 0;
  int64_t inputs = 0;              // channels
  std::span<const float> weights;  // OHWI
  std::span<const float> bias;     // or empty
  ValueRange input_range;
  std::vector<double> input_scale;   // per channel
  std::vector<double> output_scale;  // per channel
  std::vector<double> input_mean;    // per channel, of x (Gdn, Igdn: of |x|)
  std::vector<double> input_square;  // per channel, mean of x^2
  int weight_bits = 16;
  int64_t products_per_segment = 512;
  const Gram* gram = nullptr;  // optional: weights are rounded together for less error
};

struct Products {
  std::vector<int16_t> weights;
  int32_t weight_bits = 0;  // the most that a weight needs
  ChannelRequant requant;
  std::vector<double> accumulator_scale;
};

// Error if an output's step is too fine for the multiplier.
Result<Products> QuantiseProducts(const ProductSpec& spec);

}  // namespace lichen
